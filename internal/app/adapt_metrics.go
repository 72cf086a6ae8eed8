package app

import (
	"context"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

var (
	_ ivr.Metrics = (*centers)(nil)
	_ ivr.Places  = (*centers)(nil)
)

// Place tells a contact where it stands in its queue, and how long that may take.
func (c *centers) Place(instanceID, contactID string) (position int, wait time.Duration) {
	center, err := c.of(instanceID)
	if err != nil {
		return 0, 0
	}
	p := center.Place(contactID)
	return p.Position, p.EstimatedWait
}

// QueueMetrics are the figures of a queue, or of one agent, as flows see them (A1.9 $.Metrics).
func (c *centers) QueueMetrics(_ context.Context, instanceID, queueID, agentID string, channel contact.Channel) (ivr.QueueMetrics, error) {
	center, err := c.of(instanceID)
	if err != nil {
		return ivr.QueueMetrics{}, err
	}
	if agentID != "" {
		g, err := center.CurrentAgent(agentID)
		if err != nil {
			return ivr.QueueMetrics{}, err
		}
		return ofAgent(g, channel), nil
	}
	q, ok := center.Metrics().Queues[queueID]
	if !ok {
		return ivr.QueueMetrics{}, errs.New(errs.NotFound, "no queue %q", queueID)
	}
	m := ivr.QueueMetrics{
		Size: q.ContactsInQueue, Oldest: q.OldestAge, Online: q.AgentsOnline, Available: q.AgentsAvailable, Staffed: q.AgentsStaffed,
		AfterContactWork: q.AfterContactWork, Busy: q.OnContact, Missed: q.Missed, NonProductive: q.NonProductive,
	}
	if channel == "" {
		return m, nil
	}
	m.Size, m.Oldest = 0, 0
	now := time.Now()
	for _, w := range center.Waiting() {
		if w.QueueID == queueID && w.Channel == channel {
			m.Size++
			m.Oldest = max(m.Oldest, now.Sub(w.Since))
		}
	}
	return m, nil
}

// ofAgent are the figures of one agent: everything is 0 or 1.
func ofAgent(g acd.AgentSnapshot, channel contact.Channel) ivr.QueueMetrics {
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	free := 0
	for ch, n := range g.AvailableSlots {
		if channel == "" || ch == channel {
			free += n
		}
	}
	return ivr.QueueMetrics{
		Online: one(g.StatusType != acd.Offline), Staffed: one(g.StatusType == acd.Routable), Available: one(free > 0),
		NonProductive: one(g.StatusType == acd.Custom), AfterContactWork: one(g.Activity == acd.ActivityACW),
		Busy: one(g.Activity == acd.ActivityOnContact), Missed: one(g.Activity == acd.ActivityMissed),
	}
}
