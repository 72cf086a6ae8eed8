package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
)

// world is records and timelines of agents that a report is made of.
type world struct {
	begin   time.Time
	records []*contact.Record
	events  []acd.AgentEvent // of all agents, in the order in which they happened
}

// worldOf makes a world from a seed: four days in which everything happens that a figure may depend on.
func worldOf(seed uint64, records, events int) *world {
	w := &world{begin: time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC)} // clocks change in Europe on the 25th
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range records {
		w.records = append(w.records, w.record(r, i))
	}
	at := make(map[string]time.Time)
	was := make(map[string]acd.AgentMoment)
	for i := range events {
		user := fmt.Sprintf("a%d", r.IntN(5))
		if at[user].IsZero() {
			at[user] = w.begin.Add(-time.Hour)
			was[user] = acd.AgentMoment{StatusType: acd.Offline}
		}
		at[user] = at[user].Add(time.Duration(r.Int64N(int64(100 * time.Minute))).Truncate(time.Microsecond))
		e := acd.AgentEvent{
			EventID: fmt.Sprintf("e%d-%d", seed, i), At: at[user], InstanceID: "i1", UserID: user, Type: acd.AgentStateChange, Before: was[user], After: was[user],
		}
		if r.IntN(5) == 0 && was[user].StatusType != acd.Offline {
			e.Type = acd.AgentHeartbeat
		} else {
			e.After = turn(r, was[user], e.At)
		}
		was[user] = e.After
		w.events = append(w.events, e)
	}
	slices.SortStableFunc(w.events, func(a, b acd.AgentEvent) int { return a.At.Compare(b.At) })
	return w
}

func groupsOf(r *rand.Rand) []contact.Group {
	all := []contact.Group{{ID: "site" + fmt.Sprint(r.IntN(2)), Name: "Site"}, {ID: "team" + fmt.Sprint(r.IntN(3)), Name: "Team"}}
	return all[:r.IntN(3)]
}

// turn changes something of an agent.
func turn(r *rand.Rand, m acd.AgentMoment, at time.Time) acd.AgentMoment {
	m.Contacts = slices.Clone(m.Contacts)
	m.StatusSince = at
	switch r.IntN(5) {
	case 0:
		m.StatusType = []acd.StatusType{acd.Routable, acd.Routable, acd.Custom, acd.Offline}[r.IntN(4)]
		m.StatusID = "s-" + string(m.StatusType)
	case 1:
		m.RoutingProfileID, m.HierarchyGroups = fmt.Sprintf("p%d", r.IntN(2)), groupsOf(r)
	case 2:
		m.OnCall = !m.OnCall
	case 3:
		if len(m.Contacts) > 0 {
			m.Contacts = slices.Delete(m.Contacts, 0, 1)
		}
	default:
		states := []acd.SlotState{acd.SlotOffered, acd.SlotConnected, acd.SlotACW, acd.SlotMissed, acd.SlotRejected, acd.SlotError}
		m.Contacts = append(m.Contacts, acd.AgentContact{ContactID: fmt.Sprint("c", r.IntN(99)), QueueID: "q1", Channel: contact.Voice, State: states[r.IntN(6)], Since: at})
	}
	return m
}

// record makes a closed record; ever so often one that is not complete.
func (w *world) record(r *rand.Rand, i int) *contact.Record {
	span := func(most time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(most))).Truncate(time.Microsecond)
	}
	at := w.begin.Add(span(4 * 24 * time.Hour))
	c := &contact.Record{
		ID: fmt.Sprintf("c%06d", i), InstanceID: "i1", Node: "n1",
		Channel:             []contact.Channel{contact.Voice, contact.Voice, contact.Chat, contact.Task}[r.IntN(4)],
		InitiationMethod:    []contact.InitiationMethod{contact.Inbound, contact.Inbound, contact.Outbound, contact.Transfer, contact.QueueTransfer, contact.Callback, contact.API}[r.IntN(7)],
		InitiationTimestamp: at, DisconnectReason: []contact.DisconnectReason{contact.CustomerDisconnect, contact.AgentDisconnect, contact.Other}[r.IntN(3)],
	}
	if r.IntN(10) > 0 {
		at = at.Add(span(10 * time.Second))
		c.ConnectedToSystemTimestamp = at
	} else {
		c.AttemptTimestamp = at
	}
	if r.IntN(8) > 0 {
		at = at.Add(span(time.Minute))
		c.Queue = &contact.QueueInfo{ID: []string{"q1", "q2", "q3", "agent/a1"}[r.IntN(4)], Name: "Queue", EnqueueTimestamp: at}
		at = at.Add(span(90 * time.Second))
		c.Queue.DequeueTimestamp = at
		for n := range r.IntN(3) {
			c.Criteria = append(c.Criteria, contact.Step{Expression: fmt.Sprint("step", n), Status: []string{"EXPIRED", "JOINED", "INACTIVE", "ACTIVE"}[r.IntN(4)]})
		}
	}
	for range r.IntN(3) {
		c.Offers = append(c.Offers, contact.Offer{
			UserID: fmt.Sprintf("a%d", r.IntN(5)), Start: at, End: at.Add(time.Second), Outcome: []string{"ANSWERED", "MISSED", "REJECTED", "ERROR", "ABANDONED", ""}[r.IntN(6)],
		})
	}
	switch r.IntN(4) {
	case 0:
		c.Callback = r.IntN(2) == 0
	case 1:
		c.NextContactID, c.TransferCompletedTimestamp = "next", at
		if r.IntN(2) == 0 {
			c.TransferredTo = &contact.Endpoint{Type: contact.TelephoneNumber, Address: "+8225551234"}
		}
	}
	if r.IntN(3) > 0 {
		at = w.handle(r, c, at)
	}
	c.DisconnectTimestamp = at.Add(span(10 * time.Second))
	c.LastUpdateTimestamp = c.DisconnectTimestamp
	return c
}

// handle joins a record to an agent.
func (w *world) handle(r *rand.Rand, c *contact.Record, at time.Time) time.Time {
	span := func(most time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(most))).Truncate(time.Microsecond)
	}
	a := &contact.AgentInfo{ID: fmt.Sprintf("a%d", r.IntN(5)), RoutingProfileID: fmt.Sprintf("p%d", r.IntN(2)), HierarchyGroups: groupsOf(r)}
	c.Agent = a
	if r.IntN(10) > 0 {
		a.RingStartTimestamp = at
	}
	at = at.Add(span(15 * time.Second))
	a.ConnectedToAgentTimestamp = at
	total := span(6 * time.Minute)
	if r.IntN(3) == 0 {
		a.Holds = contact.Holds{Count: 1 + r.IntN(3), Duration: span(total + 1), AtEnd: r.IntN(2) == 0}
	}
	if r.IntN(3) == 0 {
		c.LastPausedTimestamp = at.Add(span(total + 1))
		c.LastResumedTimestamp = c.LastPausedTimestamp.Add(span(time.Minute))
	}
	at = at.Add(total)
	if r.IntN(2) == 0 {
		a.AgentInteractionEndTimestamp = at
		at = at.Add(span(10 * time.Second))
	} else {
		at = at.Add(10 * time.Second)
	}
	a.AfterContactWorkStart = at
	if r.IntN(12) > 0 { // else still at it: such a record does not count
		a.AfterContactWorkEnd = at.Add(1 + span(time.Minute)).Truncate(time.Microsecond).Add(time.Microsecond)
	}
	if c.Channel == contact.Chat {
		c.ChatMetrics = &contact.ChatMetrics{
			AgentMessages: r.IntN(9), CustomerMessages: r.IntN(9), BotMessages: r.IntN(3), FirstAgentResponse: span(time.Minute), TotalAgentResponse: span(time.Hour),
			AgentResponses: r.IntN(4), TotalCustomerResponse: span(time.Hour), CustomerResponses: r.IntN(4),
		}
	}
	return at
}
