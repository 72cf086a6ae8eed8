package acd

import (
	"cmp"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/permit"
	"ullim/internal/resource"
)

// Distribution is the rule by which a queue chooses among the agents who could take its contact (ours).
type Distribution string

// Distributions.
const (
	LongestAvailable Distribution = "LONGEST_AVAILABLE" // the default, as in Amazon Connect
	RingAll          Distribution = "RING_ALL"          // several ring, and the first to answer has the contact; voice only
	RoundRobin       Distribution = "ROUND_ROBIN"       // each in turn: whose last offer from the queue is the longest ago
	Weighted         Distribution = "WEIGHTED"          // in turn, some more often than others
)

// Bounds of Routing.
const (
	DefaultRingAtOnce = 10
	MaxRingAtOnce     = 20
	MaxWeight         = 100
	MaxWeights        = 1000
	MaxMissedLimit    = 100
	MaxMissedWait     = 3600 // seconds
)

// Routing is what a queue has beyond Amazon Connect: the rule of distribution, and what comes of agents who do not
// answer.
type Routing struct {
	Distribution Distribution   `json:"distribution,omitempty"` // empty: LongestAvailable
	RingAtOnce   int            `json:"ringAtOnce,omitempty"`   // of RING_ALL: how many phones at most; 0: DefaultRingAtOnce
	Weights      map[string]int `json:"weights,omitempty"`      // of WEIGHTED, by user id; who is not named has 1
	Missed       OnMiss         `json:"missed,omitzero"`
	// CallbackWindow is when customers of the queue may be called back, by the clock where they are.
	CallbackWindow permit.Window `json:"callbackWindow,omitzero"`
}

// OnMiss says what comes of agents who miss contacts of a queue. The zero value is Amazon Connect's way: the agent is
// MISSED until the contact is dismissed or a status is chosen.
type OnMiss struct {
	WaitSeconds int    `json:"waitSeconds,omitempty"` // the contact is dismissed by itself after so long; 0: never
	Limit       int    `json:"limit,omitempty"`       // so many misses in a row set StatusID; 0: none do
	StatusID    string `json:"statusId,omitempty"`
}

// width is how many agents ring at once for one contact of a channel. A chat or task has no phone that rings.
func (q *Queue) width(c contact.Channel) int {
	if q.Distribution != RingAll || c != contact.Voice {
		return 1
	}
	return cmp.Or(q.RingAtOnce, DefaultRingAtOnce)
}

// weight is an agent's weight.
func (q *Queue) weight(userID string) float64 {
	if n := q.Weights[userID]; q.Distribution == Weighted && n > 0 {
		return float64(n)
	}
	return 1
}

// takeTurn notes that an agent is offered a contact of a queue in which turns count. Who is new to the queue begins
// where the others are, so nobody gets everything until they have caught up.
func (a *actor) takeTurn(g *agent, w *waiter) {
	q := a.setup.Queues[w.QueueID]
	if q == nil || q.Distribution != RoundRobin && q.Distribution != Weighted {
		return
	}
	turns := make(map[string]float64, len(g.turns)+1)
	for id, at := range g.turns {
		if a.setup.Queues[id] != nil {
			turns[id] = at
		}
	}
	now := max(turns[q.ID], a.turns[q.ID])
	a.turns[q.ID] = now
	if q.Distribution == RoundRobin {
		a.turns[q.ID] = now + 1
	}
	turns[q.ID] = now + 1/q.weight(g.UserID)
	g.turns = turns
}

// Validate checks the settings.
func (r *Routing) Validate() error {
	switch r.Distribution {
	case "", LongestAvailable, RingAll, RoundRobin, Weighted:
	default:
		return errs.Field("Distribution", "must be %s, %s, %s or %s; is %q", LongestAvailable, RingAll, RoundRobin, Weighted, r.Distribution)
	}
	switch m := r.Missed; {
	case r.RingAtOnce != 0 && (r.RingAtOnce < 2 || r.RingAtOnce > MaxRingAtOnce):
		return errs.Field("RingAtOnce", "must be 2 to %d, or 0 for %d; is %d", MaxRingAtOnce, DefaultRingAtOnce, r.RingAtOnce)
	case len(r.Weights) > MaxWeights:
		return errs.New(errs.Limit, "Weights: must be at most %d; are %d", MaxWeights, len(r.Weights))
	case m.WaitSeconds < 0 || m.WaitSeconds > MaxMissedWait:
		return errs.Field("Missed.WaitSeconds", "must be 0 (until dismissed) to %d; is %d", MaxMissedWait, m.WaitSeconds)
	case m.Limit < 0 || m.Limit > MaxMissedLimit:
		return errs.Field("Missed.Limit", "must be 0 (none) to %d; is %d", MaxMissedLimit, m.Limit)
	case (m.Limit > 0) != (m.StatusID != ""):
		return errs.Field("Missed.AgentStatusId", "goes with Missed.Limit: both or none")
	}
	for _, n := range r.Weights {
		if n < 1 || n > MaxWeight {
			return errs.Field("Weights", "must be 1 to %d; one is %d", MaxWeight, n)
		}
	}
	return r.CallbackWindow.Validate()
}

// refs are the status that the settings name.
func (r *Routing) refs() []resource.Ref {
	var refs []resource.Ref
	if r.Missed.StatusID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindAgentStatus, ID: r.Missed.StatusID})
	}
	return refs
}

// shares reports whether an offer may stand beside others for the same contact.
func (a *actor) shares(s Slot) bool {
	q := a.setup.Queues[s.QueueID]
	return q != nil && q.width(s.Channel) > 1
}

// autoAccept reports whether contacts of a channel are accepted for the agent.
func (g *Agent) autoAccept(c contact.Channel) bool {
	if on, ok := g.AutoAccepts[c]; ok {
		return on
	}
	return g.AutoAccept
}

// acw is how long after-contact work of a channel may last; 0: until the agent clears it.
func (g *Agent) acw(c contact.Channel) time.Duration {
	if d, ok := g.ACWTimeouts[c]; ok {
		return d
	}
	return g.ACWTimeout
}
