package acd

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"ullim/internal/contact"
)

// HeartbeatAfter is how long nothing may happen to an agent before a HEART_BEAT says that nothing did (A2.4).
const HeartbeatAfter = 120 * time.Second

// AgentEventType is what an AgentEvent tells.
type AgentEventType string

// Agent events (A9). LOGIN and LOGOUT are the changes of status that leave and enter a status of type OFFLINE; they
// stand in the place of a STATE_CHANGE.
const (
	AgentStateChange AgentEventType = "STATE_CHANGE"
	AgentHeartbeat   AgentEventType = "HEART_BEAT"
	AgentLogin       AgentEventType = "LOGIN"
	AgentLogout      AgentEventType = "LOGOUT"
)

// AgentEvent is one line of an agent's day: what was, and what is from At on. The events of an agent have growing times
// and no gaps: After of one is Before of the next.
type AgentEvent struct {
	EventID    string
	Seq        int64 // given by the store: grows within an instance
	At         time.Time
	InstanceID string
	UserID     string
	Type       AgentEventType
	Before     AgentMoment
	After      AgentMoment
}

// AgentMoment is what the timeline keeps of an agent: less than AgentSnapshot, because there are many of them.
type AgentMoment struct {
	RoutingProfileID string          `json:"profile,omitempty"`
	HierarchyGroups  []contact.Group `json:"groups,omitempty"` // level 1 first
	StatusID         string          `json:"status,omitempty"`
	StatusName       string          `json:"statusName,omitempty"`
	StatusType       StatusType      `json:"statusType,omitempty"`
	StatusSince      time.Time       `json:"statusSince,omitzero"`
	NextStatusID     string          `json:"next,omitempty"`
	NextStatusName   string          `json:"nextName,omitempty"`
	OnCall           bool            `json:"onCall,omitempty"` // talks by a call that no queue gave
	Contacts         []AgentContact  `json:"contacts,omitempty"`
}

// AgentContact is a contact in an agent's hands.
type AgentContact struct {
	ContactID string          `json:"id"`
	QueueID   string          `json:"queue,omitempty"`
	Channel   contact.Channel `json:"channel"`
	State     SlotState       `json:"state"`
	Since     time.Time       `json:"since"`           // when State was entered
	Joined    time.Time       `json:"joined,omitzero"` // when agent and customer were joined
}

// On reports whether the agent is on contact: with a customer, or at after-contact work.
func (m *AgentMoment) On() bool { return m.Busy() > 0 || m.OnCall }

// Busy is how many contacts the agent is on, those in after-contact work included.
func (m *AgentMoment) Busy() int { return m.count(SlotConnected, SlotACW) }

// Ringing reports whether an offer waits for an answer.
func (m *AgentMoment) Ringing() bool { return m.count(SlotOffered) > 0 }

// Blocked reports whether a contact is in MISSED, REJECTED or ERROR: what reports call an agent in error.
func (m *AgentMoment) Blocked() bool { return m.count(SlotMissed, SlotRejected, SlotError) > 0 }

func (m *AgentMoment) count(states ...SlotState) int {
	n := 0
	for i := range m.Contacts {
		if slices.Contains(states, m.Contacts[i].State) {
			n++
		}
	}
	return n
}

// same reports whether nothing of a moment has changed.
func (m *AgentMoment) same(o *AgentMoment) bool {
	return m.RoutingProfileID == o.RoutingProfileID && m.StatusID == o.StatusID && m.StatusName == o.StatusName &&
		m.StatusType == o.StatusType && m.StatusSince.Equal(o.StatusSince) && m.NextStatusID == o.NextStatusID && m.OnCall == o.OnCall &&
		slices.Equal(m.HierarchyGroups, o.HierarchyGroups) && slices.EqualFunc(m.Contacts, o.Contacts, AgentContact.same)
}

// same reports whether a contact is where it was.
func (c AgentContact) same(o AgentContact) bool {
	return c.ContactID == o.ContactID && c.QueueID == o.QueueID && c.Channel == o.Channel && c.State == o.State &&
		c.Since.Equal(o.Since) && c.Joined.Equal(o.Joined)
}

// AgentEvents keeps the timeline of agents. Package storage implements it.
type AgentEvents interface {
	// PutAgentEvents stores events of one instance in order, all in one commit. Those that are there already (by EventID)
	// stay as they are, so that it can be repeated.
	PutAgentEvents(ctx context.Context, events []AgentEvent) error
	// LastAgentEvents are the newest event of each agent of an instance, with At moved to the last heartbeat.
	LastAgentEvents(ctx context.Context, instanceID string) ([]AgentEvent, error)
	// ContactsEnded tells when contacts ended; those that are open or unknown are missing.
	ContactsEnded(ctx context.Context, contactIDs []string) (map[string]time.Time, error)
}

// timeline makes the events of one actor. Only the actor touches it.
type timeline struct {
	journal *journal         // nil: nobody keeps events
	tell    func(AgentEvent) // nil: nobody listens
	past    timelinePast     // at the start
	last    map[string]*beat // by agent; nil: not begun, or nobody wants events
}

// newTimeline makes what the options ask for.
func newTimeline(o *Options, counts *Counts) timeline {
	t := timeline{tell: o.OnAgentEvent}
	if o.AgentEvents != nil {
		t.journal = newJournal(o.AgentEvents, counts, o.Log.With("instance_id", o.InstanceID))
	}
	return t
}

// keep writes events until the function that it gives is called, which writes the rest.
func (t *timeline) keep(ctx context.Context) (end func()) {
	if t.journal == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.journal.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// beat is what was last said of an agent.
type beat struct {
	at     time.Time
	moment AgentMoment
	armed  bool // an alarm for the next heartbeat is set
}

// moment is an agent now.
func (a *actor) moment(g *agent) AgentMoment {
	m := AgentMoment{
		RoutingProfileID: g.RoutingProfileID, HierarchyGroups: g.HierarchyGroups, StatusID: g.view.StatusID, StatusType: Offline,
		StatusSince: micro(g.view.StatusSince), NextStatusID: g.view.NextStatusID, OnCall: g.onCall,
	}
	if st := a.setup.Statuses[m.StatusID]; st != nil {
		m.StatusName, m.StatusType = st.Name, st.Type
	}
	if st := a.setup.Statuses[m.NextStatusID]; st != nil {
		m.NextStatusName = st.Name
	}
	for i := range g.view.Slots {
		s := &g.view.Slots[i]
		c := AgentContact{ContactID: s.ContactID, QueueID: s.QueueID, Channel: s.Channel, State: s.State, Since: micro(s.Since)}
		switch s.State {
		case SlotConnected:
			c.Joined = c.Since
		case SlotACW:
			c.Joined = a.joinedBefore(g.UserID, s.ContactID)
		case SlotOffered, SlotMissed, SlotRejected, SlotError:
		}
		m.Contacts = append(m.Contacts, c)
	}
	return m
}

// joinedBefore is when an agent was joined to a contact that is in after-contact work now.
func (a *actor) joinedBefore(userID, contactID string) time.Time {
	if b := a.timeline.last[userID]; b != nil {
		for _, c := range b.moment.Contacts {
			if c.ContactID == contactID {
				return c.Joined
			}
		}
	}
	return time.Time{}
}

// note tells what has become of an agent, if anything has. It is called after every change; at is when it happened.
func (a *actor) note(g *agent, at time.Time) {
	if a.timeline.last == nil {
		return
	}
	b, after := a.timeline.last[g.UserID], a.moment(g)
	if b == nil {
		b = &beat{at: micro(at), moment: AgentMoment{StatusType: Offline}}
		a.timeline.last[g.UserID] = b
		if after.idleOffline() { // the timeline begins when there is something to tell
			b.moment = after
			return
		}
	}
	if !b.moment.same(&after) {
		a.emit(g.UserID, b, eventType(b.moment.StatusType, after.StatusType), after, at)
	}
}

// eventType names a change of status.
func eventType(was, is StatusType) AgentEventType {
	switch {
	case was == Offline && is != Offline:
		return AgentLogin
	case was != Offline && is == Offline:
		return AgentLogout
	}
	return AgentStateChange
}

// idleOffline reports whether there is nothing to tell of an agent until somebody changes something.
func (m *AgentMoment) idleOffline() bool {
	return m.StatusType == Offline && len(m.Contacts) == 0 && !m.OnCall
}

// emit tells an event, and sees to the next heartbeat. Times never go back: somebody's clock may.
func (a *actor) emit(userID string, b *beat, typ AgentEventType, after AgentMoment, at time.Time) {
	at = micro(at)
	if at.Before(b.at) {
		at = b.at
	}
	e := AgentEvent{
		EventID: newEventID(), At: at, InstanceID: a.instanceID, UserID: userID, Type: typ, Before: b.moment, After: after,
	}
	b.at, b.moment = at, after
	a.tellEvent(e)
	a.armBeat(userID, b)
}

func newEventID() string { return uuid.NewString() }

// tellEvent hands an event on.
func (a *actor) tellEvent(e AgentEvent) {
	if a.timeline.journal != nil {
		a.timeline.journal.put(e)
	}
	if a.timeline.tell != nil {
		a.timeline.tell(e)
	}
}

// armBeat sets the alarm of the next heartbeat.
func (a *actor) armBeat(userID string, b *beat) {
	if b.armed || b.moment.idleOffline() {
		return
	}
	b.armed = true
	a.alarms.set(b.at.Add(HeartbeatAfter), func(now time.Time) {
		b.armed = false
		switch {
		case a.timeline.last[userID] != b || b.moment.idleOffline():
		case now.Sub(b.at) >= HeartbeatAfter:
			a.emit(userID, b, AgentHeartbeat, b.moment, now)
		default:
			a.armBeat(userID, b)
		}
	})
}

// forgetMoment ends the timeline of a user who was deleted.
func (a *actor) forgetMoment(userID string, b *beat, at time.Time) {
	if !b.moment.idleOffline() {
		a.emit(userID, b, eventType(b.moment.StatusType, Offline), AgentMoment{StatusType: Offline, StatusSince: micro(at)}, at)
	}
	delete(a.timeline.last, userID)
}
