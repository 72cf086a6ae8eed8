package connect

import (
	"slices"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
)

// moment is what the real-time metrics are counted from: one look at agents and queues.
type moment struct {
	at        time.Time
	agents    []acd.AgentSnapshot
	waiting   []acd.WaitingSnapshot
	scheduled map[string]int                 // callbacks by queue
	profiles  map[string]*acd.RoutingProfile // by id
	estimates func(queueID string, ch contact.Channel) (time.Duration, bool)
}

// scope is what a line of figures is about. Empty lists leave everything in.
type scope struct {
	queues     []string // whose contacts and agents count
	ofProfiles bool     // queues are those of the profiles: their contacts count as the profiles'
	profiles   []string
	channels   []string
	statuses   []string
	steps      []string
	step       string // expression of a routing step; only with hasStep
	hasStep    bool
}

func within(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// serves reports whether an agent counts: the routing profile has one of the queues on one of the channels. Whoever has an
// agent's own queue in view sees that agent.
func (m *moment) serves(a *acd.AgentSnapshot, s *scope) bool {
	if !within(s.profiles, a.RoutingProfileID) || !within(s.statuses, a.StatusID) {
		return false
	}
	p := m.profiles[a.RoutingProfileID]
	if len(s.queues) == 0 || s.ofProfiles {
		return len(s.channels) == 0 || p != nil && slices.ContainsFunc(p.Concurrencies, func(c acd.Concurrency) bool {
			return slices.Contains(s.channels, string(c.Channel))
		})
	}
	if slices.Contains(s.queues, acd.AgentQueueID(a.UserID)) {
		return true
	}
	return p != nil && slices.ContainsFunc(p.Queues, func(q acd.ProfileQueue) bool {
		return slices.Contains(s.queues, q.QueueID) && within(s.channels, string(q.Channel))
	})
}

// slots are the contacts in an agent's hands that count.
func (s *scope) slots(a *acd.AgentSnapshot) []acd.Slot {
	var out []acd.Slot
	for i := range a.Slots {
		if (s.ofProfiles || within(s.queues, a.Slots[i].QueueID)) && within(s.channels, string(a.Slots[i].Channel)) {
			out = append(out, a.Slots[i])
		}
	}
	return out
}

// free is how many contacts of the scope an agent could take now. A channel that no queue of the scope uses has no part.
func (m *moment) free(a *acd.AgentSnapshot, s *scope) int {
	p, n := m.profiles[a.RoutingProfileID], 0
	for ch, free := range a.AvailableSlots {
		if !within(s.channels, string(ch)) {
			continue
		}
		used := len(s.queues) == 0 || s.ofProfiles || slices.Contains(s.queues, acd.AgentQueueID(a.UserID)) ||
			p != nil && slices.ContainsFunc(p.Queues, func(q acd.ProfileQueue) bool {
				return q.Channel == ch && slices.Contains(s.queues, q.QueueID)
			})
		if used {
			n += max(free, 0)
		}
	}
	return n
}

// figure is one metric of a scope; ok is false if it cannot be computed. Agents count by their routing profile; those on
// contact, in after-contact work and in error by the contacts of the scope that they have in hand.
func (m *moment) figure(name string, s *scope) (v float64, ok bool) {
	switch name {
	case "CONTACTS_IN_QUEUE", "OLDEST_CONTACT_AGE":
		return m.queueFigure(name, s), true
	case "CONTACTS_SCHEDULED":
		for id, n := range m.scheduled {
			if within(s.queues, id) && within(s.channels, string(contact.Voice)) {
				v += float64(n)
			}
		}
		return v, true
	case "ESTIMATED_WAIT_TIME":
		return m.estimate(s)
	}
	for i := range m.agents {
		v += m.agentFigure(name, &m.agents[i], s)
	}
	return v, true
}

// agentFigure is what one agent adds.
func (m *moment) agentFigure(name string, a *acd.AgentSnapshot, s *scope) float64 {
	if !m.serves(a, s) {
		return 0
	}
	one := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	has := func(states ...acd.SlotState) float64 {
		return one(slices.ContainsFunc(s.slots(a), func(sl acd.Slot) bool { return slices.Contains(states, sl.State) }))
	}
	switch name {
	case "AGENTS_ONLINE":
		return one(a.StatusType != acd.Offline)
	case "AGENTS_STAFFED":
		return one(a.StatusType == acd.Routable)
	case "AGENTS_NON_PRODUCTIVE":
		return one(a.StatusType == acd.Custom)
	case "AGENTS_AVAILABLE":
		return one(m.free(a, s) > 0)
	case "AGENTS_ON_CALL", "AGENTS_ON_CONTACT":
		return has(acd.SlotConnected)
	case "AGENTS_AFTER_CONTACT_WORK":
		return has(acd.SlotACW)
	case "AGENTS_ERROR":
		return has(acd.SlotMissed, acd.SlotRejected, acd.SlotError)
	case "SLOTS_ACTIVE":
		return float64(len(s.slots(a)))
	case "SLOTS_AVAILABLE":
		return float64(m.free(a, s))
	}
	return 0
}

// queueFigure looks at those who wait. The age is in seconds.
func (m *moment) queueFigure(name string, s *scope) float64 {
	n, oldest := 0, time.Duration(0)
	for i := range m.waiting {
		w := &m.waiting[i]
		if !within(s.queues, w.QueueID) || !within(s.channels, string(w.Channel)) || s.hasStep && stepOf(w, m.at) != s.step {
			continue
		}
		n++
		oldest = max(oldest, m.at.Sub(w.Since))
	}
	if name == "OLDEST_CONTACT_AGE" {
		return oldest.Seconds()
	}
	return float64(n)
}

// estimate is the longest of the estimates of the scope's queues.
func (m *moment) estimate(s *scope) (float64, bool) {
	longest, known := time.Duration(0), false
	if m.estimates == nil {
		return 0, false
	}
	for _, q := range s.queues {
		for _, ch := range s.channels {
			if d, ok := m.estimates(q, contact.Channel(ch)); ok {
				longest, known = max(longest, d), true
			}
		}
	}
	return longest.Seconds(), known
}
