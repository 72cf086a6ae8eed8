package chat

import (
	"time"

	"ullim/internal/contact"
)

// metrics are the figures of the present segment.
func (m *machine) metrics() *contact.ChatMetrics {
	if m.s.Record.ChatMetrics == nil {
		m.s.Record.ChatMetrics = &contact.ChatMetrics{}
	}
	return m.s.Record.ChatMetrics
}

// count counts a message, and how long its answer took: from the first of the other side's messages that had none yet.
func (m *machine) count(r Role) {
	if m.s.Channel != contact.Chat {
		return
	}
	c := m.metrics()
	switch r {
	case Customer:
		c.CustomerMessages++
		if since, ok := m.s.Waiting[Customer]; ok {
			c.TotalCustomerResponse += m.e.At.Sub(since)
			c.CustomerResponses++
		}
		m.awaits(Agent, Customer)
	case Agent:
		if c.AgentMessages == 0 && m.s.Record.Agent != nil {
			c.FirstAgentResponse = m.e.At.Sub(m.s.Record.Agent.ConnectedToAgentTimestamp)
		}
		c.AgentMessages++
		if since, ok := m.s.Waiting[Agent]; ok {
			c.TotalAgentResponse += m.e.At.Sub(since)
			c.AgentResponses++
		}
		m.awaits(Customer, Agent)
	case System, CustomBot:
		c.BotMessages++
	case Supervisor:
	}
}

// awaits: one has spoken, the other's answer is waited for from now on, while an agent is there.
func (m *machine) awaits(from, spoken Role) {
	delete(m.s.Waiting, spoken)
	if _, already := m.s.Waiting[from]; already || m.s.Phase != Talking {
		return
	}
	if m.s.Waiting == nil {
		m.s.Waiting = map[Role]time.Time{}
	}
	m.s.Waiting[from] = m.e.At
}
