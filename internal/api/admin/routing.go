package admin

import (
	"context"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/permit"
	"ullim/internal/resource"
)

// Routing is what routing does now.
type Routing interface {
	Waiting(instanceID string) []acd.WaitingSnapshot
	Explain(instanceID, contactID string) []acd.Verdict
	Decisions(ctx context.Context, instanceID, contactID string) ([]acd.Decision, error)
}

func (s *service) routing(t *rest.Table) {
	const queue = "/queues/{QueueId}/routing"
	rest.Op(t, "DescribeQueueRouting", "GET", queue, identity.QueuesView, s.describeQueueRouting)
	rest.Op(t, "UpdateQueueRouting", "PUT", queue, identity.QueuesEdit, s.updateQueueRouting)
	rest.Op(t, "ListWaitingContacts", "GET", "/waiting-contacts", identity.RealTimeMetrics, s.listWaiting)
	rest.Op(t, "ExplainContactRouting", "GET", "/contacts/{ContactId}/routing", identity.RealTimeMetrics, s.explainRouting)
}

type queueRoutingInput struct {
	QueueID string `json:"-" path:"QueueId" ref:"queue"`
}

type missedSettings struct {
	WaitSeconds   int    `json:"WaitSeconds,omitempty"`
	Limit         int    `json:"Limit,omitempty"`
	AgentStatusID string `json:"AgentStatusId,omitempty" ref:"agent-state"`
}

// callbackWindow is minutes of the day; the end is excluded and may lie on the next day.
type callbackWindow struct {
	FromMinute int `json:"FromMinute,omitempty"`
	ToMinute   int `json:"ToMinute,omitempty"`
}

type queueRouting struct {
	RingSeconds  int              `json:"RingSeconds,omitempty"` // 0: 20
	Distribution acd.Distribution `json:"Distribution,omitempty"`
	RingAtOnce   int              `json:"RingAtOnce,omitempty"`
	Weights      map[string]int   `json:"Weights,omitempty"` // by user id
	Missed       missedSettings   `json:"Missed,omitzero"`
	// CallbackWindow is when customers may be called back, by the clock where they are.
	CallbackWindow callbackWindow `json:"CallbackWindow,omitzero"`
}

type updateQueueRoutingInput struct {
	QueueID string `json:"-" path:"QueueId" ref:"queue"`
	queueRouting
}

func (s *service) describeQueueRouting(ctx context.Context, c *rest.Call, in *queueRoutingInput) (*queueRouting, error) {
	q, err := s.Queues.Get(ctx, c.Instance(), in.QueueID)
	if err != nil {
		return nil, err
	}
	return routingOf(q), nil
}

func routingOf(q *acd.Queue) *queueRouting {
	out := &queueRouting{
		RingSeconds: q.RingSeconds, Distribution: q.Distribution, RingAtOnce: q.RingAtOnce, Weights: q.Weights,
		Missed: missedSettings{WaitSeconds: q.Missed.WaitSeconds, Limit: q.Missed.Limit, AgentStatusID: q.Missed.StatusID},
	}
	out.CallbackWindow = callbackWindow{q.CallbackWindow.From, q.CallbackWindow.To}
	if out.Distribution == "" {
		out.Distribution = acd.LongestAvailable
	}
	return out
}

// updateQueueRouting replaces the settings.
func (s *service) updateQueueRouting(ctx context.Context, c *rest.Call, in *updateQueueRoutingInput) (*queueRouting, error) {
	for id := range in.Weights {
		if _, err := s.Users.Get(ctx, c.Instance(), id); err != nil {
			return nil, errs.Field("Weights", "names user %s, who does not exist", id)
		}
	}
	q, err := resource.Edit(ctx, s.Queues, c.Instance(), in.QueueID, func(q *acd.Queue) error {
		q.RingSeconds = in.RingSeconds
		q.Routing = acd.Routing{
			Distribution: in.Distribution, RingAtOnce: in.RingAtOnce, Weights: in.Weights,
			Missed:         acd.OnMiss{WaitSeconds: in.Missed.WaitSeconds, Limit: in.Missed.Limit, StatusID: in.Missed.AgentStatusID},
			CallbackWindow: permit.Window{From: in.CallbackWindow.FromMinute, To: in.CallbackWindow.ToMinute},
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return routingOf(q), nil
}

type listWaitingInput struct {
	QueueID string `json:"-" query:"queueId" ref:"queue"`
}

type waitingContact struct {
	ContactID     string          `json:"ContactId"`
	QueueID       string          `json:"QueueId"`
	QueueName     string          `json:"QueueName,omitempty"`
	Channel       contact.Channel `json:"Channel"`
	Position      int             `json:"Position"`
	Since         rest.Time       `json:"Since"`
	Priority      int64           `json:"Priority"`
	AgeAdjustment int             `json:"AgeAdjustmentSeconds,omitempty"`
	Ringing       int             `json:"Ringing,omitempty"`
	EstimatedWait *int            `json:"EstimatedWaitSeconds,omitempty"`
}

type listWaitingOutput struct {
	Contacts []waitingContact `json:"Contacts"`
}

// maxWaitingListed is how many contacts a list has at most: those at the front of each queue.
const maxWaitingListed = 1000

func (s *service) listWaiting(_ context.Context, c *rest.Call, in *listWaitingInput) (*listWaitingOutput, error) {
	out := &listWaitingOutput{Contacts: []waitingContact{}}
	for _, w := range s.Routing.Waiting(c.Instance()) {
		if in.QueueID != "" && w.QueueID != in.QueueID || len(out.Contacts) == maxWaitingListed {
			continue
		}
		v := waitingContact{
			ContactID: w.ContactID, QueueID: w.QueueID, QueueName: w.QueueName, Channel: w.Channel, Position: w.Position,
			Since: rest.At(w.Since), Priority: w.Priority, AgeAdjustment: int(w.AgeAdjustment.Seconds()), Ringing: w.Ringing,
		}
		if v.Priority == 0 {
			v.Priority = acd.DefaultContactPriority
		}
		if w.EstimatedWait > 0 {
			n := int(w.EstimatedWait.Seconds())
			v.EstimatedWait = &n
		}
		out.Contacts = append(out.Contacts, v)
	}
	return out, nil
}

type explainRoutingInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
}

type routingReason struct {
	UserID string     `json:"UserId"`
	Reason acd.Reason `json:"Reason"`
}

type routingDecision struct {
	At      rest.Time       `json:"At"`
	Serving int             `json:"Serving"` // agents whose profile has queue and channel
	Free    int             `json:"Free"`    // of them, who could take a contact of the channel
	Winners []string        `json:"Winners,omitempty"`
	Reasons []routingReason `json:"Reasons,omitempty"`
}

type explainRoutingOutput struct {
	Waiting   bool              `json:"Waiting"`
	Now       []routingReason   `json:"Now,omitempty"` // of every agent, as of this moment
	Decisions []routingDecision `json:"Decisions"`
}

// maxExplained is how many agents are listed: those whose profile has the queue come first.
const maxExplained = 500

func (s *service) explainRouting(ctx context.Context, c *rest.Call, in *explainRoutingInput) (*explainRoutingOutput, error) {
	list, err := s.Routing.Decisions(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	out := &explainRoutingOutput{Decisions: []routingDecision{}}
	for _, d := range list {
		out.Decisions = append(out.Decisions, routingDecision{
			At: rest.At(d.At), Serving: d.Serving, Free: d.Free, Winners: d.Winners, Reasons: reasonsOf(d.Reasons),
		})
	}
	for _, inProfile := range []bool{true, false} {
		for _, v := range s.Routing.Explain(c.Instance(), in.ContactID) {
			if out.Waiting = v.Reason != acd.WhyUnknownContact; !out.Waiting {
				return out, nil
			}
			if (v.Reason != acd.WhyNotInProfile) == inProfile && len(out.Now) < maxExplained {
				out.Now = append(out.Now, routingReason(v))
			}
		}
	}
	return out, nil
}

func reasonsOf(list []acd.Verdict) []routingReason {
	var out []routingReason
	for _, v := range list {
		out = append(out, routingReason(v))
	}
	return out
}
