package acd

import (
	"time"
)

// QueueMetrics are the real-time numbers of a queue (A4.2). Agents are those whose routing profile has the queue;
// OnContact, AfterContactWork, Missed, Rejected and Error count contacts of this queue in their hands.
type QueueMetrics struct {
	QueueID          string
	QueueName        string
	ContactsInQueue  int       // those being offered included
	OldestSince      time.Time // zero: nobody waits
	OldestAge        time.Duration
	AgentsOnline     int // any status but offline
	AgentsStaffed    int // online, and not in a custom status
	AgentsAvailable  int // can take one more contact of the queue now
	NonProductive    int // in a custom status
	OnContact        int
	AfterContactWork int
	Missed           int
	Rejected         int
	Error            int
	SlotsActive      int
	SlotsAvailable   int
}

// Metrics are the real-time numbers of an instance.
type Metrics struct {
	Total  QueueMetrics            // each agent and contact counted once
	Queues map[string]QueueMetrics // by queue id
}

// Metrics are the real-time numbers as of the last change.
func (c *Center) Metrics() Metrics {
	m := Metrics{Queues: make(map[string]QueueMetrics)}
	s := c.snapshot.Load()
	if s == nil {
		return m
	}
	now := time.Now()
	for id, q := range s.setup.Queues {
		m.Queues[id] = QueueMetrics{QueueID: id, QueueName: q.Name}
	}
	for i := range s.waiting {
		w := s.waiting[i]
		m.Total.wait(w, now)
		if q, ok := m.Queues[w.QueueID]; ok {
			q.wait(w, now)
			m.Queues[w.QueueID] = q
		}
	}
	for i := range s.agents {
		s.countAgent(&m, s.agents[i], now)
	}
	return m
}

// wait counts a waiting contact.
func (q *QueueMetrics) wait(w *Waiting, now time.Time) {
	q.ContactsInQueue++
	if q.OldestSince.IsZero() || w.Since.Before(q.OldestSince) {
		q.OldestSince, q.OldestAge = w.Since, now.Sub(w.Since)
	}
}

// countAgent counts an agent in its queues and in the total.
func (s *snapshot) countAgent(m *Metrics, g *agentSnapshot, now time.Time) {
	v := s.agent(g, now)
	free := 0
	for _, n := range v.AvailableSlots {
		free += n
	}
	m.Total.staff(v.StatusType, free)
	if p := s.setup.profiles[g.RoutingProfileID]; p != nil {
		seen := make(map[string]bool, len(p.lines))
		for _, line := range p.lines {
			q, ok := m.Queues[line.QueueID]
			if !ok || seen[line.QueueID] {
				continue
			}
			seen[line.QueueID] = true
			slots := 0
			for ch, n := range v.AvailableSlots {
				if _, serves := p.byKey[lineKey{line.QueueID, ch}]; serves {
					slots += n
				}
			}
			q.staff(v.StatusType, slots)
			m.Queues[line.QueueID] = q
		}
	}
	for i := range v.Slots {
		sl := &v.Slots[i]
		m.Total.hold(sl)
		if q, ok := m.Queues[sl.QueueID]; ok {
			q.hold(sl)
			m.Queues[sl.QueueID] = q
		}
	}
}

// staff counts an agent.
func (q *QueueMetrics) staff(t StatusType, slots int) {
	switch t {
	case Routable:
		q.AgentsOnline++
		q.AgentsStaffed++
	case Custom:
		q.AgentsOnline++
		q.NonProductive++
	case Offline:
	}
	if slots > 0 {
		q.AgentsAvailable++
		q.SlotsAvailable += slots
	}
}

// hold counts a contact in an agent's hands.
func (q *QueueMetrics) hold(s *Slot) {
	q.SlotsActive++
	switch s.State {
	case SlotConnected:
		q.OnContact++
	case SlotACW:
		q.AfterContactWork++
	case SlotMissed:
		q.Missed++
	case SlotRejected:
		q.Rejected++
	case SlotError:
		q.Error++
	case SlotOffered:
	}
}
