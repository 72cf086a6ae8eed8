package admin

import (
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

func (s *service) flowRuns(t *rest.Table) {
	rest.Op(t, "ListFlowRuns", "GET", "/flow-runs", identity.FlowsView, s.listFlowRuns)
}

// listFlowRunsInput says which runs; what is not there does not matter. Times are RFC 3339.
type listFlowRunsInput struct {
	ContactID  string `json:"-" query:"contactId"`
	FlowID     string `json:"-" query:"flowId" ref:"contact-flow"`
	ActionID   string `json:"-" query:"actionId"`
	ActionType string `json:"-" query:"actionType"`
	ErrorType  string `json:"-" query:"errorType"`
	Failed     bool   `json:"-" query:"failed"` // only actions that took an error branch
	From       string `json:"-" query:"from"`
	To         string `json:"-" query:"to"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type flowRun struct {
	ID          string       `json:"Id"`
	ContactID   string       `json:"ContactId"`
	At          string       `json:"At"` // RFC 3339
	Seconds     float64      `json:"Seconds"`
	FlowID      string       `json:"ContactFlowId"`
	FlowName    string       `json:"ContactFlowName"`
	FlowVersion int          `json:"ContactFlowVersion"`
	FlowType    ivr.FlowType `json:"ContactFlowType"`
	ActionID    string       `json:"ActionId"`
	ActionType  string       `json:"ActionType"`
	Result      string       `json:"Result,omitempty"`
	Outcome     string       `json:"Outcome,omitempty"` // the flow ended with it
	ErrorType   string       `json:"ErrorType,omitempty"`
	Error       string       `json:"Error,omitempty"`
	Next        string       `json:"NextAction,omitempty"`
}

type listFlowRunsOutput struct {
	Runs      []flowRun `json:"Runs"`
	NextToken string    `json:"NextToken,omitempty"`
}

// listFlowRuns searches the run log of flows: of one contact in the order in which its actions ran, else the newest first.
func (s *service) listFlowRuns(ctx context.Context, c *rest.Call, in *listFlowRunsInput) (*listFlowRunsOutput, error) {
	p, err := (&listInput{in.MaxResults, in.NextToken}).page()
	if err != nil {
		return nil, err
	}
	q := ivr.RunQuery{
		InstanceID: c.Instance(), ContactID: in.ContactID, FlowID: in.FlowID, ActionID: in.ActionID, ActionType: in.ActionType,
		ErrorType: in.ErrorType, Failed: in.Failed,
	}
	for _, f := range []struct {
		name, text string
		to         *time.Time
	}{{"from", in.From, &q.From}, {"to", in.To, &q.To}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = time.Parse(time.RFC3339, f.text); err != nil {
			return nil, errs.Field(f.name, "must be a time as in RFC 3339; is %q", f.text)
		}
	}
	runs, next, err := s.FlowRuns.Runs(ctx, q, resource.Page{Max: p.Max, Token: p.Token})
	if err != nil {
		return nil, err
	}
	out := &listFlowRunsOutput{Runs: make([]flowRun, 0, len(runs)), NextToken: next}
	for _, r := range runs {
		out.Runs = append(out.Runs, flowRun{
			ID: r.ID, ContactID: r.ContactID, At: r.Start.UTC().Format(time.RFC3339Nano), Seconds: r.Duration.Seconds(), FlowID: r.FlowID,
			FlowName: r.FlowName, FlowVersion: r.FlowVersion, FlowType: r.FlowType, ActionID: r.ActionID, ActionType: r.ActionType,
			Result: r.Result, Outcome: string(r.Outcome), ErrorType: r.ErrorType, Error: r.Error, Next: r.Next,
		})
	}
	return out, nil
}
