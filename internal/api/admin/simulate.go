package admin

import (
	"context"
	"encoding/json"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/ivr"
	"ullim/ivr/flowtest"
)

// Bounds of one simulation, so that nobody's console can keep a node busy.
const (
	maxSimulations    = 20   // contacts
	maxSimulatedSteps = 1000 // actions of one contact
	simulationTime    = 5 * time.Second
	simulationRoom    = 1 << 20 // bytes of what happens to one contact
)

// simulateFlowInput is a flow and a test file without its flow (docs/flow-testing.md).
type simulateFlowInput struct {
	ContactFlowID string          `json:"ContactFlowId,omitempty" ref:"contact-flow"`
	Content       string          `json:"Content,omitempty"`   // instead: a document that is not stored
	Type          ivr.FlowType    `json:"Type,omitempty"`      // of Content; CONTACT_FLOW if empty
	Published     bool            `json:"Published,omitempty"` // of ContactFlowId what contacts run now, not the draft
	Given         json.RawMessage `json:"Given,omitempty"`
	Tests         json.RawMessage `json:"Tests"`
}

type simulateFlowOutput struct {
	Passed  bool               `json:"Passed"`
	Results []*flowtest.Result `json:"Results"`
}

// simulateFlow runs a flow step by step without a telephone. What the tests do not give is taken from the instance as it
// is: flows, modules, queues, hours, prompts. Nothing is stored, called or sent.
func (s *service) simulateFlow(ctx context.Context, c *rest.Call, in *simulateFlowInput) (*simulateFlowOutput, error) {
	content, kind, err := s.simulated(ctx, c, in)
	if err != nil {
		return nil, err
	}
	file, err := json.Marshal(map[string]any{
		"flow": map[string]any{"content": json.RawMessage(content)}, "type": kind, "given": orEmpty(in.Given), "tests": in.Tests,
	})
	if err != nil {
		return nil, errs.Field("Content", "is not JSON: %v", err)
	}
	suite, err := flowtest.Parse(file)
	if err != nil {
		return nil, err
	}
	contacts := 0
	for i := range suite.Tests {
		t := &suite.Tests[i]
		if contacts += len(t.Channels); contacts > maxSimulations {
			return nil, errs.New(errs.Limit, "Tests: at most %d contacts can be simulated at once", maxSimulations)
		}
		if t.Limits.Actions > maxSimulatedSteps {
			return nil, errs.Field("Tests", "limits.actions of %q must be at most %d; is %d", t.Name, maxSimulatedSteps, t.Limits.Actions)
		}
	}
	r := flowtest.Runner{Suite: suite, Load: flowtest.NoFiles, Backing: s.Simulation, Room: simulationRoom}
	r.Backing.InstanceID = c.Instance()
	within, cancel := context.WithTimeout(ctx, simulationTime)
	defer cancel()
	results, err := r.Run(within)
	switch {
	case within.Err() != nil && ctx.Err() == nil:
		return nil, errs.New(errs.Limit, "the simulation takes longer than %s", simulationTime)
	case err != nil:
		return nil, errs.Wrap(err, errs.KindOf(err), "%v", err)
	}
	out := &simulateFlowOutput{Passed: true, Results: results}
	for _, one := range results {
		out.Passed = out.Passed && one.Passed()
	}
	return out, nil
}

// simulated is the document that is simulated, and its type.
func (s *service) simulated(ctx context.Context, c *rest.Call, in *simulateFlowInput) (string, ivr.FlowType, error) {
	switch {
	case (in.ContactFlowID == "") == (in.Content == ""):
		return "", "", errs.Field("ContactFlowId", "or Content is required, not both")
	case in.Content != "" && len([]rune(in.Content)) > ivr.MaxContent:
		return "", "", errs.Field("Content", "must have at most %d characters", ivr.MaxContent)
	case in.Content != "" && !json.Valid([]byte(in.Content)):
		return "", "", errs.Field("Content", "is not JSON")
	case in.Content != "":
		kind := in.Type
		if kind == "" {
			kind = ivr.TypeInbound
		}
		return in.Content, kind, kind.Validate()
	}
	f, err := s.Flows.Flows.Get(ctx, c.Instance(), in.ContactFlowID)
	if err != nil {
		return "", "", err
	}
	if !in.Published {
		return f.Content, f.Type, nil
	}
	if f.Published == "" {
		return "", "", errs.New(errs.InvalidRequest, "flow %q has not been published", f.Name)
	}
	return f.Published, f.Type, nil
}

func orEmpty(given json.RawMessage) json.RawMessage {
	if len(given) == 0 {
		return json.RawMessage("{}")
	}
	return given
}
