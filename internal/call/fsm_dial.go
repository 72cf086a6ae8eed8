package call

import "ullim/internal/contact"

// A call that an agent places by the API: the agent's device rings first, then the number is called.

// dialCaller rings the device of the agent who wants to call somebody. It is asked to answer by itself.
func (s *step) dialCaller() {
	p := s.party(s.Caller)
	s.Rang = s.now
	s.do(dial{Party: p.ID, Target: Target{
		InstanceID: s.Record.InstanceID, UserID: p.Person.ID, Priority: PriorityAgent, FromNumber: s.Dial.Number,
		ContactID: s.Record.ID, AutoAccept: true,
	}}, startTimer{Timer: TimerRing, Gen: p.ID, After: transferRing})
}

// callerAnswered: the agent is there. That the number is called is on disk before it is.
func (s *step) callerAnswered(p *Party) {
	p.Early = true // the agent hears the ringing, or the network, from us
	s.do(stopTimer{Timer: TimerRing, Gen: p.ID})
	r := s.edit()
	r.Agent.RingStartTimestamp, r.Agent.AcceptedByAgentTimestamp, r.AttemptTimestamp = s.Rang, s.now, s.now
	s.tell("calling", "%s calls %s", p.Person.Username, s.Dial.Number)
	s.save()
	s.do(commit{})
}

// callerEnded: whoever calls has hung up before the other end was there, or never answered.
func (s *step) callerEnded(p *Party, e LegEvent) {
	if p.Stage == partyDialled || p.Stage == partyRinging {
		s.do(stopTimer{Timer: TimerRing, Gen: p.ID})
		s.end(contact.OutboundAttemptFailed, "the agent's device did not answer: "+e.Text)
		return
	}
	s.end(contact.AgentDisconnect, "the caller gave up")
}
