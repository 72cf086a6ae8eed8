package acd

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ullim/internal/errs"
)

// gap is what is known, at a start, of the time since the last event of an agent: a process may have died in between.
//
//	what                     known from        it ended, or began
//	-----------------------  ----------------  ---------------------------------------------
//	status                   agent_state       when it was chosen; else it went on through the gap
//	contact with a customer  contact, else -   with the contact's record, else at the last sign of life
//	joined, after the event  reservation       at its since
//	after-contact work       reservation       from its since to the last sign of life
//	offers, missed, errors   -                 at the last sign of life
//	call of their own        -                 at the last sign of life
//
// The last sign of life is the last event or heartbeat, so it is at most HeartbeatAfter before the end of the process.
// Nothing is counted longer than something proves it.
type gap struct {
	last     AgentEvent
	state    AgentState // what was stored of the agent's status; zero: nothing
	statuses map[string]*AgentStatus
	left     []Reservation // of the agent, that the process before has left and that were ended
	kept     map[string]bool
	ended    map[string]time.Time // when contacts ended
}

// turn is one change in a gap.
type turn struct {
	at time.Time
	do func(m *AgentMoment)
}

// close gives the events that close a gap. The last one has nothing in the agent's hands but what is kept.
func (g *gap) close(newID func() string) []AgentEvent {
	turns := append(g.reserved(), g.released()...)
	if s := g.state; s.StatusID != "" && s.StatusID != g.last.After.StatusID {
		turns = append(turns, turn{s.StatusSince, func(m *AgentMoment) {
			m.StatusID, m.StatusSince, m.NextStatusID, m.NextStatusName = s.StatusID, micro(s.StatusSince), "", ""
			m.StatusName, m.StatusType = "", Offline
			if st := g.statuses[s.StatusID]; st != nil {
				m.StatusName, m.StatusType = st.Name, st.Type
			}
		}})
	}
	if g.last.After.OnCall {
		turns = append(turns, turn{g.last.At, func(m *AgentMoment) { m.OnCall = false }})
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return a.at.Compare(b.at) })
	var out []AgentEvent
	at, m := g.last.At, g.last.After
	for _, t := range turns {
		before := m
		m.Contacts = slices.Clone(m.Contacts)
		t.do(&m)
		if before.same(&m) {
			continue
		}
		if t.at.After(at) {
			at = micro(t.at)
		}
		out = append(out, AgentEvent{
			EventID: newID(), At: at, InstanceID: g.last.InstanceID, UserID: g.last.UserID, Type: eventType(before.StatusType, m.StatusType),
			Before: before, After: m,
		})
	}
	return out
}

// reserved are the turns that reservations tell of and that no event had been stored for.
func (g *gap) reserved() []turn {
	var out []turn
	for _, r := range g.left {
		if r.State != SlotConnected && r.State != SlotACW {
			continue
		}
		was, ok := g.find(r.ContactID)
		if ok && was.State == r.State {
			continue
		}
		now := AgentContact{ContactID: r.ContactID, QueueID: r.QueueID, Channel: r.Channel, State: r.State, Since: micro(r.Since), Joined: was.Joined}
		if r.State == SlotConnected {
			now.Joined = now.Since
		}
		out = append(out, turn{r.Since, func(m *AgentMoment) { m.put(now) }})
	}
	return out
}

// released are the ends of what the agent had in hand.
func (g *gap) released() []turn {
	ends := make(map[string]time.Time)
	for _, c := range g.last.After.Contacts {
		ends[c.ContactID] = g.last.At
		if at, over := g.ended[c.ContactID]; over && c.State == SlotConnected {
			ends[c.ContactID] = at
		}
	}
	for _, r := range g.left {
		end := r.Since
		if at, over := g.ended[r.ContactID]; over && r.State == SlotConnected {
			end = at
		}
		if end.Before(g.last.At) {
			end = g.last.At
		}
		ends[r.ContactID] = end
	}
	var out []turn
	for id, at := range ends {
		if g.kept[id] {
			continue
		}
		out = append(out, turn{at, func(m *AgentMoment) {
			m.Contacts = slices.DeleteFunc(m.Contacts, func(c AgentContact) bool { return c.ContactID == id })
		}})
	}
	slices.SortFunc(out, func(a, b turn) int { return a.at.Compare(b.at) })
	return out
}

func (g *gap) find(contactID string) (AgentContact, bool) {
	for _, c := range g.last.After.Contacts {
		if c.ContactID == contactID {
			return c, true
		}
	}
	return AgentContact{}, false
}

// put adds or replaces a contact.
func (m *AgentMoment) put(c AgentContact) {
	for i := range m.Contacts {
		if m.Contacts[i].ContactID == c.ContactID {
			m.Contacts[i] = c
			return
		}
	}
	m.Contacts = append(m.Contacts, c)
}

// micro is a time as it is stored.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// timelinePast is what a start has read of the timeline.
type timelinePast struct {
	last  map[string]AgentEvent // by user
	left  map[string]Reservation
	ended map[string]time.Time
}

// readPast reads the newest events before anything is put in order. It may run again after a failure.
func (a *actor) readPast(ctx context.Context, rs []Reservation) error {
	if a.agentEvents == nil {
		return nil
	}
	p := &a.timeline.past
	if p.last == nil {
		events, err := a.agentEvents.LastAgentEvents(ctx, a.instanceID)
		if err != nil {
			return err
		}
		p.last, p.left = make(map[string]AgentEvent, len(events)), make(map[string]Reservation)
		for _, e := range events {
			p.last[e.UserID] = e
		}
	}
	for _, r := range rs { // of a try before, perhaps
		if _, known := p.left[r.OfferID]; !known && r.Node == a.node {
			p.left[r.OfferID] = r
		}
	}
	var ids []string
	for _, e := range p.last {
		for _, c := range e.After.Contacts {
			ids = append(ids, c.ContactID)
		}
	}
	for _, r := range p.left {
		ids = append(ids, r.ContactID)
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	var err error
	p.ended, err = a.agentEvents.ContactsEnded(ctx, slices.Compact(ids))
	return err
}

// endWork writes the end of after-contact work that a process before has left: nothing else would complete the record.
func (a *actor) endWork(ctx context.Context, r Reservation) error {
	if r.State != SlotACW {
		return nil
	}
	end := r.Since
	if e, ok := a.timeline.past.last[r.UserID]; ok && e.At.After(end) {
		end = e.At
	}
	err := a.store.PutAfterContactWork(ctx, r.ContactID, r.Since, end)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}

// beginTimeline closes what the last process has left open, and tells from now on. agents and kept are as loaded.
func (a *actor) beginTimeline(states []AgentState, kept []Reservation, now time.Time) {
	if a.agentEvents == nil && a.timeline.tell == nil {
		return
	}
	a.timeline.last = make(map[string]*beat)
	keeps := make(map[string]bool, len(kept))
	for _, r := range kept {
		keeps[r.ContactID] = true
	}
	byUser := make(map[string]AgentState, len(states))
	for _, s := range states {
		byUser[s.UserID] = s
	}
	left := make(map[string][]Reservation)
	for _, r := range a.timeline.past.left {
		if !keeps[r.ContactID] {
			left[r.UserID] = append(left[r.UserID], r)
		}
	}
	for _, rs := range left {
		slices.SortFunc(rs, func(x, y Reservation) int { return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.OfferID, y.OfferID)) })
	}
	for id, e := range a.timeline.past.last {
		g := gap{last: e, state: byUser[id], statuses: a.setup.Statuses, left: left[id], kept: keeps, ended: a.timeline.past.ended}
		b := &beat{at: e.At, moment: e.After}
		for _, closing := range g.close(newEventID) {
			a.tellEvent(closing)
			b.at, b.moment = closing.At, closing.After
		}
		a.timeline.last[id] = b
	}
	a.timeline.past = timelinePast{}
	for _, g := range a.agents {
		a.note(g, now)
		if b := a.timeline.last[g.UserID]; b != nil {
			a.armBeat(g.UserID, b)
		}
	}
	for id, b := range a.timeline.last { // users who were deleted while nobody looked
		if a.agents[id] == nil {
			a.forgetMoment(id, b, now)
		}
	}
}
