package chat

import (
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// offer is an agent reserved for the contact.
func (m *machine) offer() {
	o := *m.e.Offer
	if m.s.Phase != Queued || !m.s.Paused.IsZero() || o.ContactID != m.s.Record.ID {
		m.do(Action{Kind: DoResult, OfferID: o.ID, Result: OfferCallerLeft})
		return
	}
	m.phase(Offered)
	o.Agent.RingStartTimestamp = m.e.At
	m.s.Offer, m.s.OfferUntil = &o, m.e.At.Add(o.RingTime)
	m.s.Record.AgentConnectionAttempts++
	m.touch()
	if o.AutoAccept {
		m.join()
	}
}

// offered finds the offer of the agent that the event is about.
func (m *machine) offered() error {
	if m.s.Phase != Offered || m.s.Offer.Agent.ID != m.e.UserID {
		return errs.New(errs.InvalidRequest, "the contact is not being offered to this agent")
	}
	return nil
}

func (m *machine) accept() error {
	if m.s.Phase == Talking && m.s.AgentPresent(m.e.UserID) != nil {
		return nil // asked again, or accepted by itself
	}
	if err := m.offered(); err != nil {
		return err
	}
	m.join()
	return nil
}

// join brings agent and customer together.
func (m *machine) join() {
	o := m.s.Offer
	r := &m.s.Record
	a := o.Agent
	a.AcceptedByAgentTimestamp, a.ConnectedToAgentTimestamp = m.e.At, m.e.At
	r.Agent = &a
	if r.Queue != nil {
		r.Queue.DequeueTimestamp = m.e.At
	}
	m.touch()
	m.stopFlow()
	m.phase(Talking)
	p := Participant{ID: m.id(), Role: Agent, DisplayName: o.Name, UserID: a.ID, Joined: m.e.At}
	m.s.Participants = append(m.s.Participants, p)
	if m.s.Channel == contact.Chat {
		m.note(eventJoined, &p)
		if r.PreviousContactID != "" {
			m.note(eventTransferred, nil)
		}
	}
	m.s.Activity = nil
	m.s.Idle, m.s.Waiting, m.s.Hidden = nil, nil, false
	for _, role := range []Role{Customer, Agent} {
		m.since(role)
	}
	m.do(Action{Kind: DoResult, OfferID: o.ID, Result: OfferAnswered})
	m.do(Action{Kind: DoJoined, OfferID: o.ID, Timeline: "CONNECTED_TO_AGENT"})
	m.do(Action{Kind: DoForget})
	m.whisper(FlowAgentWhisper)
}

func (m *machine) reject() error {
	if err := m.offered(); err != nil {
		return err
	}
	m.notTaken(OfferRejected)
	return nil
}

// notTaken puts the contact back in line at its old place.
func (m *machine) notTaken(r OfferResult) {
	m.do(Action{Kind: DoResult, OfferID: m.s.Offer.ID, Result: r})
	m.s.Offer = nil
	m.s.OfferUntil = zero()
	m.phase(Queued)
}

// agentEnds tells the ACD that the agent is free for after-contact work.
func (m *machine) agentEnds() {
	r := &m.s.Record
	if r.Agent != nil && r.Agent.AgentInteractionEndTimestamp.IsZero() {
		r.Agent.AgentInteractionEndTimestamp = m.e.At
	}
	if m.s.Offer != nil {
		m.do(Action{Kind: DoAgentDone, OfferID: m.s.Offer.ID})
	}
	m.s.Offer = nil
	m.s.OfferUntil = zero()
}

// agentGone is an agent who leaves: the disconnect flow decides what becomes of the customer.
func (m *machine) agentGone(p *Participant) {
	p.Left = m.e.At
	if m.s.Channel == contact.Chat {
		m.note(eventLeft, p)
	}
	m.do(Action{Kind: DoParticipant, ParticipantID: p.ID})
	if m.s.Phase != Talking {
		return
	}
	hook := m.s.Hooks[FlowDisconnect]
	if m.s.Channel != contact.Chat || hook == "" {
		m.end(contact.AgentDisconnect, "the agent has left")
		return
	}
	m.agentEnds()
	m.stopFlow()
	m.touch()
	m.phase(Remaining)
	m.s.Idle = nil
	m.run(FlowDisconnect, hook)
}
