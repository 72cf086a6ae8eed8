package call

import (
	"fmt"
	"time"

	"ullim/internal/contact"
)

func (s *step) offered(o Offer) {
	if s.Phase == PhaseEnqueueing { // the offer overtook the answer of the ACD
		s.inLine()
	}
	if s.Phase != PhaseQueued {
		s.do(reportOffer{OfferID: o.ID, Result: OfferCallerLeft})
		return
	}
	s.Gen++
	s.Phase, s.Offer, s.AgentGen, s.Rang, s.AgentMedia = PhaseRinging, o, s.Gen, s.now, true
	s.Record.AgentConnectionAttempts++
	s.tell("offer", "%s rings", o.Agent.Username)
	s.do(dialAgent{Gen: s.AgentGen, Offer: o}, startTimer{Timer: TimerRing, Gen: s.AgentGen, After: o.RingTime})
}

func (s *step) agentLeg(e LegEvent) {
	switch e.Kind {
	case LegAnswered:
		if e.SDP != nil {
			s.do(negotiate{Agent: true, SDP: e.SDP, Host: e.Host})
		}
		if s.Phase == PhaseRinging {
			s.agentAnswered()
		}
	case LegOffer:
		s.do(negotiate{Agent: true, SDP: e.SDP, Offer: true})
	case LegEnded:
		s.agentEnded(e)
	case LegProgress, LegDigit:
	}
}

func (s *step) agentAnswered() {
	a := s.Offer.Agent
	a.RingStartTimestamp, a.AcceptedByAgentTimestamp = s.Rang, s.now
	s.Record.Agent = &a
	s.Phase = PhaseAgentWhisper
	s.tell("accepted", "%s", a.Username)
	s.do(stopTimer{Timer: TimerRing}, reportOffer{OfferID: s.Offer.ID, Result: OfferAnswered})
	s.run(ofAgent, FlowAgentWhisper, s.Hooks[FlowAgentWhisper])
	s.do(startTimer{Timer: TimerWhisper, Gen: s.AgentGen, After: maxWhisper})
}

// agentEnded: the agent's leg is gone, by the agent's will or not.
func (s *step) agentEnded(e LegEvent) {
	switch s.Phase {
	case PhaseRinging:
		result, kind := refusal(e)
		s.tell(kind, "%s: %s", s.Offer.Agent.Username, e.Text)
		id := s.Offer.ID
		s.dropAgent("")
		s.Phase = PhaseQueued
		s.do(reportOffer{OfferID: id, Result: result})
	case PhaseAgentWhisper, PhaseCustomerWhisper:
		s.agentLostBeforeJoin("hung up before the call was joined")
	case PhaseTalking:
		s.agentLeft()
	case PhaseNew, PhaseFlow, PhaseEnqueueing, PhaseQueued, PhaseRemaining, PhaseEnding, PhaseEnded:
	}
}

// refusal tells the four different outcomes of an offer apart.
func refusal(e LegEvent) (OfferResult, string) {
	if e.Cause == CauseRejected {
		switch e.Code {
		case 486, 600, 603:
			return OfferRejected, "rejected"
		}
	}
	return OfferDeviceFailed, "device failed"
}

// agentLostBeforeJoin: the customer keeps the place in line and is offered again.
func (s *step) agentLostBeforeJoin(why string) {
	s.tell("agent left", "%s %s", s.Offer.Agent.Username, why)
	id, requeue := s.Offer.ID, s.Phase == PhaseCustomerWhisper
	s.dropAgent(why)
	s.Record.Agent = nil
	s.Phase = PhaseQueued
	if requeue {
		s.Record.Queue.DequeueTimestamp = time.Time{}
		s.run(ofCustomer, FlowCustomerQueue, s.Hooks[FlowCustomerQueue])
	}
	s.do(reportOffer{OfferID: id, Result: OfferAgentLeft})
	s.save()
}

// dropAgent ends the agent's leg and forgets the offer.
func (s *step) dropAgent(cause string) {
	s.stopFlow(ofAgent)
	s.do(stopTimer{Timer: TimerRing}, stopTimer{Timer: TimerWhisper}, hangupAgent{Cause: cause})
	if s.AgentMedia {
		s.do(closeMedia{Agent: true})
	}
	s.Offer, s.AgentGen = Offer{}, 0
}

// whisperCustomer: the agent has heard the whisper; the customer leaves the queue and hears the other.
func (s *step) whisperCustomer() {
	s.Phase = PhaseCustomerWhisper
	s.Record.Queue.DequeueTimestamp = s.now
	s.run(ofCustomer, FlowCustomerWhisper, s.Hooks[FlowCustomerWhisper])
	s.do(startTimer{Timer: TimerWhisper, Gen: s.AgentGen, After: maxWhisper})
}

func (s *step) join() {
	s.Phase = PhaseTalking
	s.Record.Agent.ConnectedToAgentTimestamp = s.now
	s.do(stopTimer{Timer: TimerWhisper}, join{}, reportJoined{OfferID: s.Offer.ID})
	s.tell("CONNECTED_TO_AGENT", "%s", s.Record.Agent.Username)
	if s.ToRecord {
		key := RecordingKey(s.Alias, s.Record.ID, s.now)
		s.Recording = true
		s.Record.Recordings = append(s.Record.Recordings, contact.Recording{
			Location: key, Start: s.now, Status: contact.RecordingSpooled,
		})
		s.do(startRecording{Key: key})
	}
	s.save()
}

// agentLeft: the talk is over and the customer is still there.
func (s *step) agentLeft() {
	s.Reason = contact.AgentDisconnect
	s.releaseAgent()
	hook := s.Hooks[FlowDisconnect]
	if hook == "" {
		s.end(contact.AgentDisconnect, "agent hung up")
		return
	}
	s.Phase = PhaseRemaining
	s.tell("agent left", "the customer hears the disconnect flow")
	s.run(ofCustomer, FlowDisconnect, hook)
	s.save()
}

// releaseAgent ends the agent's part in whatever state it is: nothing stays reserved, ringing or recording.
func (s *step) releaseAgent() {
	if s.Offer.ID == "" {
		return
	}
	id, phase := s.Offer.ID, s.Phase
	if phase == PhaseTalking {
		s.do(part{})
		if s.Recording {
			s.do(stopRecording{})
		}
		s.Record.Agent.AgentInteractionEndTimestamp = s.now
	}
	s.dropAgent("contact ended")
	switch phase {
	case PhaseTalking:
		s.do(reportDone{OfferID: id})
	default: // ringing or whispering, and the customer is gone
		s.Record.Agent = nil
		if s.Record.Queue.DequeueTimestamp.IsZero() {
			s.Record.Queue.DequeueTimestamp = s.now
		}
		s.do(reportOffer{OfferID: id, Result: OfferCallerLeft}, leaveQueue{ContactID: s.Record.ID})
	}
}

func (s *step) timer(e timerFired) {
	if e.Gen != s.AgentGen || e.Gen == 0 {
		return
	}
	switch {
	case e.Timer == TimerRing && s.Phase == PhaseRinging:
		id := s.Offer.ID
		s.tell("missed", "%s did not answer within %s", s.Offer.Agent.Username, s.Offer.RingTime)
		s.dropAgent("no answer")
		s.Phase = PhaseQueued
		s.do(reportOffer{OfferID: id, Result: OfferMissed})
	case e.Timer == TimerWhisper && s.Phase == PhaseAgentWhisper:
		s.agentLostBeforeJoin("was cut: the agent whisper lasted too long")
	case e.Timer == TimerWhisper && s.Phase == PhaseCustomerWhisper:
		s.stopFlow(ofCustomer)
		s.join()
	}
}

func (s *step) mediaDead(e mediaDead) {
	switch {
	case !e.Agent:
		s.end(contact.TelecomProblem, "customer: "+e.Why)
	case e.Gen == s.AgentGen && e.Gen != 0:
		s.agentEnded(LegEvent{Kind: LegEnded, Cause: CauseTransport, Text: e.Why})
	}
}

// RecordingKey is the key of a recording in the blob store, laid out as Amazon Connect does (A5).
func RecordingKey(alias, contactID string, at time.Time) string {
	at = at.UTC()
	return fmt.Sprintf("connect/%s/CallRecordings/%s/%s_%s_UTC.wav",
		alias, at.Format("2006/01/02"), contactID, at.Format("20060102T15:04"))
}
