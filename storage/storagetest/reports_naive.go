package storagetest

import (
	"slices"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/reporting"
)

// naive computes figures a second time, straight from records and events as a person would with the definitions in hand:
// a loop for each metric, no facts, no sums that are shared, no SQL.
type naive struct {
	w   *world
	q   reporting.Query
	now map[string]acd.AgentMoment // what was known last of each agent
}

// kept are the records that a period, a group and the filters of the question and a metric select.
func (n *naive) kept(m reporting.Metric, from, to time.Time, groups []string, when func(*contact.Record) time.Time) []*contact.Record {
	var out []*contact.Record
	for _, r := range n.w.records {
		at := when(r)
		if !complete(r) || at.IsZero() || at.Before(from) || !at.Before(to) {
			continue
		}
		if n.selects(m, groups, func(d reporting.Dim) string { return dimOf(r, d) }) {
			out = append(out, r)
		}
	}
	return out
}

// selects applies filters and groups to something with dimensions.
func (n *naive) selects(m reporting.Metric, groups []string, of func(reporting.Dim) string) bool {
	for i, d := range n.q.Groupings {
		if of(d) != groups[i] {
			return false
		}
	}
	named := false
	for _, f := range n.q.Filters {
		if !slices.Contains(f.Values, of(f.Dim)) {
			return false
		}
		named = named || f.Dim == reporting.Queue && slices.Contains(f.Values, "agent/a1")
	}
	if slices.Contains(n.q.Groupings, reporting.Queue) && !named && strings.HasPrefix(of(reporting.Queue), "agent/") {
		return false
	}
	for _, f := range m.Filters {
		values := f.Values
		if slices.Contains(values, "INCOMING") {
			values = append(slices.Clone(values), "INBOUND", "TRANSFER", "QUEUE_TRANSFER")
		}
		if slices.Contains(values, of(f.Dim)) == f.Negate {
			return false
		}
	}
	return true
}

func complete(r *contact.Record) bool {
	return r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero() || !r.Agent.AfterContactWorkEnd.IsZero()
}

func dimOf(r *contact.Record, d reporting.Dim) string {
	a, q := &contact.AgentInfo{}, &contact.QueueInfo{}
	if r.Agent != nil {
		a = r.Agent
	}
	if r.Queue != nil {
		q = r.Queue
	}
	level := func(i int) string {
		if i < len(a.HierarchyGroups) {
			return a.HierarchyGroups[i].ID
		}
		return ""
	}
	switch d { //nolint:exhaustive // what the random worlds vary
	case reporting.Queue:
		return q.ID
	case reporting.Channel:
		return string(r.Channel)
	case reporting.Agent:
		return a.ID
	case reporting.RoutingProfile:
		return a.RoutingProfileID
	case reporting.LevelOne:
		return level(0)
	case reporting.LevelTwo:
		return level(1)
	case reporting.Method:
		return string(r.InitiationMethod)
	case reporting.Reason:
		return string(r.DisconnectReason)
	}
	return ""
}

// Answers of records.
func queued(r *contact.Record) bool  { return r.Queue != nil }
func handled(r *contact.Record) bool { return r.Agent != nil }
func leftQueue(r *contact.Record) bool {
	return queued(r) && !handled(r) && r.NextContactID == "" && !r.Callback
}

func inQueue(r *contact.Record) time.Duration {
	return r.Queue.DequeueTimestamp.Sub(r.Queue.EnqueueTimestamp)
}

func talk(r *contact.Record) time.Duration {
	end := r.Agent.AgentInteractionEndTimestamp
	if end.IsZero() {
		end = r.DisconnectTimestamp
	}
	return end.Sub(r.Agent.ConnectedToAgentTimestamp)
}

func acw(r *contact.Record) time.Duration {
	return r.Agent.AfterContactWorkEnd.Sub(r.Agent.AfterContactWorkStart)
}

func pause(r *contact.Record) time.Duration {
	p := r.LastPausedTimestamp
	if r.Channel != contact.Task || p.IsZero() {
		return 0
	}
	return min(r.LastResumedTimestamp.Sub(p), talk(r)-r.Agent.Holds.Duration)
}

type records []*contact.Record

func (l records) where(is func(*contact.Record) bool) records {
	return slices.DeleteFunc(slices.Clone(l), func(r *contact.Record) bool { return !is(r) })
}

func (l records) total(of func(*contact.Record) time.Duration) float64 {
	t := 0.0
	for _, r := range l {
		t += of(r).Seconds()
	}
	return t
}

func (l records) n() float64 { return float64(len(l)) }

// over divides; nil by nothing.
func over(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	a /= b
	return &a
}

// value is a metric of a period and group.
func (n *naive) value(m reporting.Metric, from, to time.Time, groups []string) *float64 {
	ended := func(r *contact.Record) time.Time { return r.DisconnectTimestamp }
	switch m.Name {
	case "CONTACTS_CREATED":
		return new(records(n.kept(m, from, to, groups, func(r *contact.Record) time.Time { return r.InitiationTimestamp })).n())
	case "CONTACTS_QUEUED_BY_ENQUEUE":
		return new(records(n.kept(m, from, to, groups, func(r *contact.Record) time.Time {
			if r.Queue == nil {
				return time.Time{}
			}
			return r.Queue.EnqueueTimestamp
		})).n())
	case "CONTACTS_HANDLED_BY_CONNECTED_TO_AGENT":
		return new(records(n.kept(m, from, to, groups, func(r *contact.Record) time.Time {
			if r.Agent == nil {
				return time.Time{}
			}
			return r.Agent.ConnectedToAgentTimestamp
		})).n())
	case "AGENT_NON_RESPONSE", "AGENT_NON_RESPONSE_WITHOUT_CUSTOMER_ABANDONS", "AGENT_ANSWER_RATE":
		return n.offers(m, from, to, groups)
	}
	if v, ok := n.agents(m.Name, from, to, groups); ok {
		return v
	}
	all := records(n.kept(m, from, to, groups, ended))
	if v, ok := n.waiting(m, all); ok {
		return v
	}
	return n.handling(m.Name, all)
}

// waiting are the metrics of queues.
func (n *naive) waiting(m reporting.Metric, all records) (*float64, bool) {
	within := func(d time.Duration) bool {
		x := time.Duration(m.Threshold.Seconds) * time.Second
		return d < x || m.Threshold.AtMost && d == x
	}
	gone := all.where(leftQueue)
	got := all.where(queued).where(handled)
	switch m.Name {
	case "SERVICE_LEVEL":
		in := all.where(queued).where(func(r *contact.Record) bool {
			return (handled(r) || leftQueue(r) || r.Callback) && within(inQueue(r))
		})
		return over(100*in.n(), all.where(queued).n()), true
	case "CONTACTS_QUEUED":
		return new(all.where(queued).n()), true
	case "CONTACTS_ABANDONED":
		return new(gone.n()), true
	case "SUM_CONTACTS_ABANDONED_IN_X":
		return new(gone.where(func(r *contact.Record) bool { return within(inQueue(r)) }).n()), true
	case "SUM_CONTACTS_ANSWERED_IN_X":
		return new(got.where(func(r *contact.Record) bool {
			return within(r.Agent.ConnectedToAgentTimestamp.Sub(r.Queue.EnqueueTimestamp))
		}).n()), true
	case "ABANDONMENT_RATE":
		return over(100*gone.n(), all.where(queued).n()), true
	case "AVG_ABANDON_TIME":
		return over(gone.total(inQueue), gone.n()), true
	case "AVG_QUEUE_ANSWER_TIME":
		return over(got.total(inQueue), got.n()), true
	case "MAX_QUEUED_TIME":
		var longest *float64
		for _, r := range all.where(queued) {
			if s := inQueue(r).Seconds(); longest == nil || s > *longest {
				longest = &s
			}
		}
		return longest, true
	case "SUM_CONTACTS_DISCONNECTED":
		return new(all.n()), true
	case "SUM_RETRY_CALLBACK_ATTEMPTS":
		return new(all.where(func(r *contact.Record) bool {
			return r.InitiationMethod == contact.Callback && !r.AttemptTimestamp.IsZero() && r.ConnectedToSystemTimestamp.IsZero()
		}).n()), true
	case "AVG_CONTACT_DURATION":
		return over(all.total(func(r *contact.Record) time.Duration { return r.DisconnectTimestamp.Sub(r.InitiationTimestamp) }), all.n()), true
	}
	return nil, false
}

// handling are the metrics of contacts with agents.
func (n *naive) handling(name string, all records) *float64 {
	with := all.where(handled)
	held := with.where(func(r *contact.Record) bool { return r.Agent.Holds.Count > 0 })
	hold := func(r *contact.Record) time.Duration { return r.Agent.Holds.Duration }
	moved := all.where(func(r *contact.Record) bool { return !r.TransferCompletedTimestamp.IsZero() })
	switch name {
	case "CONTACTS_HANDLED":
		return new(with.n())
	case "AVG_HANDLE_TIME":
		return over(with.total(talk)+with.total(acw), with.n())
	case "SUM_HANDLE_TIME":
		return new(with.total(talk) + with.total(acw))
	case "AVG_ACTIVE_TIME":
		return over(with.total(talk)+with.total(acw)-with.total(pause), with.n())
	case "AVG_AGENT_PAUSE_TIME":
		return over(with.total(pause), with.n())
	case "AVG_AFTER_CONTACT_WORK_TIME":
		return over(with.total(acw), with.n())
	case "AVG_INTERACTION_TIME":
		return over(with.total(talk)-with.total(hold)-with.total(pause), with.n())
	case "AVG_INTERACTION_AND_HOLD_TIME":
		return over(with.total(talk)-with.total(pause), with.n())
	case "AVG_HOLD_TIME":
		return over(held.total(hold), held.n())
	case "AVG_HOLD_TIME_ALL_CONTACTS":
		return over(with.total(hold), with.n())
	case "CONTACTS_PUT_ON_HOLD":
		return new(held.n())
	case "CONTACTS_ON_HOLD_AGENT_DISCONNECT":
		return new(held.where(func(r *contact.Record) bool {
			return r.Agent.Holds.AtEnd && r.DisconnectReason == contact.AgentDisconnect
		}).n())
	case "CONTACTS_TRANSFERRED_OUT":
		return new(moved.n())
	case "CONTACTS_TRANSFERRED_OUT_BY_AGENT":
		return new(moved.where(handled).n())
	case "CONTACTS_TRANSFERRED_OUT_EXTERNAL":
		return new(moved.where(func(r *contact.Record) bool { return r.TransferredTo != nil }).n())
	case "AVG_AGENT_CONNECTING_TIME":
		rung := with.where(func(r *contact.Record) bool { return !r.Agent.RingStartTimestamp.IsZero() })
		return over(rung.total(func(r *contact.Record) time.Duration {
			return r.Agent.ConnectedToAgentTimestamp.Sub(r.Agent.RingStartTimestamp)
		}), rung.n())
	case "AVG_MESSAGES":
		chats, messages := all.where(func(r *contact.Record) bool { return r.ChatMetrics != nil }), 0
		for _, r := range chats {
			messages += r.ChatMetrics.AgentMessages + r.ChatMetrics.CustomerMessages + r.ChatMetrics.BotMessages
		}
		return over(float64(messages), chats.n())
	}
	panic("the naive computation does not know " + name) //nolint:forbidigo // in a test kit
}

// offers are the metrics of offers to agents.
func (n *naive) offers(m reporting.Metric, from, to time.Time, groups []string) *float64 {
	all, answered, left := 0.0, 0.0, 0.0
	for _, r := range n.w.records {
		if !complete(r) || r.DisconnectTimestamp.Before(from) || !r.DisconnectTimestamp.Before(to) {
			continue
		}
		for _, o := range r.Offers {
			as := *r
			if r.Agent == nil || r.Agent.ID != o.UserID {
				known := n.now[o.UserID]
				as.Agent = &contact.AgentInfo{ID: o.UserID, RoutingProfileID: known.RoutingProfileID, HierarchyGroups: known.HierarchyGroups}
			}
			if !n.selects(m, groups, func(d reporting.Dim) string { return dimOf(&as, d) }) {
				continue
			}
			all++
			switch o.Outcome {
			case "ANSWERED":
				answered++
			case "ABANDONED", "":
				left++
			}
		}
	}
	switch m.Name {
	case "AGENT_ANSWER_RATE":
		return over(100*answered, all)
	case "AGENT_NON_RESPONSE":
		return new(all - answered)
	}
	return new(all - answered - left)
}

// hands are what an agent has at a moment: how many contacts, and whether one rings or blocks.
func hands(m *acd.AgentMoment) (busy int, ringing, blocked bool) {
	for _, c := range m.Contacts {
		switch c.State {
		case acd.SlotConnected, acd.SlotACW:
			busy++
		case acd.SlotOffered:
			ringing = true
		case acd.SlotMissed, acd.SlotRejected, acd.SlotError:
			blocked = true
		}
	}
	return busy, ringing, blocked
}

// agents are the metrics of what agents do, from their events.
func (n *naive) agents(name string, from, to time.Time, groups []string) (*float64, bool) {
	var online, contacts, idle, custom, failed, slots time.Duration
	for i, e := range n.w.events {
		end := to
		for _, later := range n.w.events[i+1:] {
			if later.UserID == e.UserID {
				end = later.At
				break
			}
		}
		begin := e.At
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		as := contact.Record{Agent: &contact.AgentInfo{ID: e.UserID, RoutingProfileID: e.After.RoutingProfileID, HierarchyGroups: e.After.HierarchyGroups}}
		if !begin.Before(end) || !n.selects(reporting.Metric{}, groups, func(d reporting.Dim) string { return dimOf(&as, d) }) {
			continue
		}
		d := end.Sub(begin)
		busy, ringing, blocked := hands(&e.After)
		on := busy > 0 || e.After.OnCall
		if e.After.StatusType != acd.Offline {
			online += d
		}
		if e.After.StatusType == acd.Custom {
			custom += d
		}
		if blocked {
			failed += d
		}
		if e.After.StatusType != acd.Routable {
			continue
		}
		switch {
		case on:
			contacts += d
			slots += d * time.Duration(max(busy, 1))
		case blocked || !ringing:
			idle += d
		}
	}
	switch name {
	case "AGENT_OCCUPANCY":
		return over(100*contacts.Seconds(), (contacts + idle).Seconds()), true
	case "AVG_AGENT_CONCURRENCY":
		return over(slots.Seconds(), contacts.Seconds()), true
	case "SUM_CONTACT_TIME_AGENT":
		return new(contacts.Seconds()), true
	case "SUM_IDLE_TIME_AGENT":
		return new(idle.Seconds()), true
	case "SUM_NON_PRODUCTIVE_TIME_AGENT":
		return new(custom.Seconds()), true
	case "SUM_ONLINE_TIME_AGENT":
		return new(online.Seconds()), true
	case "SUM_ERROR_STATUS_TIME_AGENT":
		return new(failed.Seconds()), true
	}
	return nil, false
}
