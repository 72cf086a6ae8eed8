package chat

import "time"

// Serving is one of AgentContacts: a contact that the agent is offered or has. ok is false if it is neither.
func (m *Manager) Serving(instanceID, contactID, userID string) (c AgentContact, ok bool) {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return c, false
	}
	s := a.snap.Load()
	if s.Offer == nil || s.Offer.Agent.ID != userID || s.Record.ID != contactID {
		return c, false
	}
	return s.agentContact(userID), true
}

// agentContact is the contact as its agent sees it; there is an offer.
func (s *State) agentContact(userID string) AgentContact {
	c := AgentContact{
		ContactID: s.Record.ID, InitialContactID: s.ID, Channel: s.Channel, Offered: s.Phase == Offered, Until: s.OfferUntil, Name: s.Record.Name,
		Description: s.Record.Description, Attributes: s.Record.Attributes, References: s.Record.References, QueueID: s.Target.ID,
	}
	if s.Phase == Talking {
		c.Until = time.Time{}
		c.Since = s.Record.Agent.ConnectedToAgentTimestamp
		if p := s.AgentPresent(userID); p != nil {
			c.ParticipantID = p.ID
		}
	} else {
		c.Since = s.Offer.Agent.RingStartTimestamp
	}
	for _, p := range s.Participants {
		if p.Role == Customer {
			c.CustomerName = p.DisplayName
		}
	}
	return c
}
