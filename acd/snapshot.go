package acd

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// snapshot is what the actor publishes. It never changes; readers work on it in their own goroutines.
type snapshot struct {
	setup   *setup
	agents  []*agentSnapshot // by user id
	waiting []*Waiting       // oldest first
	// intervals are how long queues take for one contact.
	intervals map[string]time.Duration
}

// agentSnapshot is one agent in a snapshot.
type agentSnapshot struct {
	Agent
	view      AgentView
	candidate Candidate
}

// publish lets readers see what has changed: at once in a small centre, some times a second in a large one.
func (a *actor) publish(now time.Time) {
	if !a.changed {
		return
	}
	if len(a.agents)+len(a.shown) > publishAtOnceSize {
		if due := a.published.Add(publishPause); due.After(now) {
			if !a.publishing {
				a.publishing = true
				a.alarms.set(due, func(time.Time) { a.publishing = false })
			}
			return
		}
	}
	a.changed, a.published = false, now
	a.reindex(now)
	a.center.snapshot.Store(&snapshot{setup: a.setup, agents: slices.Clone(a.listed), waiting: slices.Clone(a.shown), intervals: a.intervals()})
	a.center.o.Published()
}

// Activity is what a supervisor sees of an agent: the first that applies, in this order (A2.4).
type Activity string

// Activities.
const (
	ActivityError     Activity = "Error"
	ActivityMissed    Activity = "Missed"
	ActivityRejected  Activity = "Rejected"
	ActivityOnContact Activity = "On contact"
	ActivityACW       Activity = "After contact work"
	ActivityIncoming  Activity = "Incoming"
	ActivityStatus    Activity = "" // what the status says
)

// AgentSnapshot is an agent at one moment. It is shared: do not change it.
type AgentSnapshot struct {
	Agent
	StatusID       string
	StatusName     string
	StatusType     StatusType
	StatusSince    time.Time
	NextStatusID   string
	NextStatusName string
	Activity       Activity
	Reachable      bool // a device can ring
	AvailableSince time.Time
	Slots          []Slot
	MaxSlots       map[contact.Channel]int
	ActiveSlots    map[contact.Channel]int
	AvailableSlots map[contact.Channel]int // free now, with status and the other channels considered
}

// WaitingSnapshot is a waiting contact at one moment.
type WaitingSnapshot struct {
	Waiting
	QueueName string
	Position  int // in its queue, from 1
	// EstimatedWait is how long it will wait from now on, as the queue goes; 0: nobody can tell.
	EstimatedWait time.Duration
}

// CurrentAgents are all agents, by id.
func (c *Center) CurrentAgents() []AgentSnapshot {
	s := c.snapshot.Load()
	if s == nil {
		return nil
	}
	now := time.Now()
	out := make([]AgentSnapshot, len(s.agents))
	for i := range s.agents {
		out[i] = s.agent(s.agents[i], now)
	}
	return out
}

// CurrentAgent is one agent. errs.NotFound.
func (c *Center) CurrentAgent(userID string) (AgentSnapshot, error) {
	if s := c.snapshot.Load(); s != nil {
		if i, ok := slices.BinarySearchFunc(s.agents, userID, compareShown); ok {
			return s.agent(s.agents[i], time.Now()), nil
		}
	}
	return AgentSnapshot{}, errs.New(errs.NotFound, "user %s does not exist", userID)
}

// agent describes an agent.
func (s *snapshot) agent(g *agentSnapshot, now time.Time) AgentSnapshot {
	v := AgentSnapshot{
		Agent: g.Agent, StatusID: g.view.StatusID, StatusSince: g.view.StatusSince, NextStatusID: g.view.NextStatusID,
		Activity: activity(g.view.Slots), Reachable: g.candidate.Reachable, Slots: g.view.Slots,
		AvailableSince: g.candidate.AvailableSince, MaxSlots: make(map[contact.Channel]int),
		ActiveSlots: make(map[contact.Channel]int), AvailableSlots: make(map[contact.Channel]int),
	}
	if st := s.setup.Statuses[v.StatusID]; st != nil {
		v.StatusName, v.StatusType = st.Name, st.Type
	} else {
		v.StatusType = Offline
	}
	if st := s.setup.Statuses[v.NextStatusID]; st != nil {
		v.NextStatusName = st.Name
	}
	for _, sl := range v.Slots {
		v.ActiveSlots[sl.Channel]++
	}
	p := s.setup.profiles[g.RoutingProfileID]
	if p == nil {
		return v
	}
	// A store operation of a few milliseconds, or one offer at a time, is not what a supervisor means by busy.
	free := g.candidate
	free.Settling, free.NotBefore = false, time.Time{}
	why := free.busy(now)
	for ch, m := range p.channels {
		v.MaxSlots[ch] = m.Limit
		if (why == "" || why == WhyRinging) && free.full(ch) == "" {
			v.AvailableSlots[ch] = m.Limit - v.ActiveSlots[ch]
		}
	}
	return v
}

// activity is the first activity that the slots give.
func activity(slots []Slot) Activity {
	best, rank := ActivityStatus, 7
	for i := range slots {
		var a Activity
		var r int
		switch slots[i].State {
		case SlotError:
			a, r = ActivityError, 1
		case SlotMissed:
			a, r = ActivityMissed, 2
		case SlotRejected:
			a, r = ActivityRejected, 3
		case SlotConnected:
			a, r = ActivityOnContact, 4
		case SlotACW:
			a, r = ActivityACW, 5
		case SlotOffered:
			a, r = ActivityIncoming, 6
		default:
			continue
		}
		if r < rank {
			best, rank = a, r
		}
	}
	return best
}

// ConnectState is the contact state as the Connect API names it.
func (s SlotState) ConnectState() string {
	switch s {
	case SlotOffered:
		return "CONNECTING"
	case SlotACW:
		return "ENDED"
	case SlotConnected, SlotMissed, SlotRejected, SlotError:
	}
	return string(s)
}

// Waiting are all contacts in line, in the order in which each queue is served, the offered ones included.
func (c *Center) Waiting() []WaitingSnapshot {
	s := c.snapshot.Load()
	if s == nil {
		return nil
	}
	out := make([]WaitingSnapshot, len(s.waiting))
	for i, w := range s.waiting {
		out[i].Waiting = *w
		if q := s.setup.Queues[w.QueueID]; q != nil {
			out[i].QueueName = q.Name
		}
	}
	slices.SortFunc(out, func(a, b WaitingSnapshot) int {
		return cmp.Or(cmp.Compare(a.QueueID, b.QueueID), a.compare(&b.Waiting))
	})
	for i := range out {
		out[i].Position = 1
		if i > 0 && out[i].QueueID == out[i-1].QueueID {
			out[i].Position = out[i-1].Position + 1
		}
		out[i].EstimatedWait = time.Duration(out[i].Position) * s.intervals[out[i].QueueID]
	}
	return out
}

// Explain says for every agent why it does not get a waiting contact now.
func (c *Center) Explain(contactID string) []Verdict {
	s := c.snapshot.Load()
	if s == nil {
		return nil
	}
	agents := make([]Candidate, len(s.agents))
	for i := range s.agents {
		agents[i] = s.agents[i].candidate
	}
	waiting := make([]Waiting, len(s.waiting))
	for i, w := range s.waiting {
		waiting[i] = *w
	}
	return Explain(contactID, waiting, agents, time.Now())
}

// IsOpen says whether hours are open at a moment. errs.NotFound.
func (c *Center) IsOpen(hoursID string, at time.Time) (bool, error) {
	if s := c.snapshot.Load(); s != nil {
		if h := s.setup.schedules[hoursID]; h != nil {
			return h.Open(at), nil
		}
	}
	return false, errs.New(errs.NotFound, "hours %s do not exist", hoursID)
}

// QueueIsOpen says whether the hours of a queue are open at a moment. errs.NotFound.
func (c *Center) QueueIsOpen(queueID string, at time.Time) (bool, error) {
	if s := c.snapshot.Load(); s != nil {
		if q := s.setup.Queues[queueID]; q != nil {
			return c.IsOpen(q.HoursID, at)
		}
	}
	return false, errs.New(errs.NotFound, "queue %s does not exist", queueID)
}
