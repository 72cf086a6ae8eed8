package call

import (
	"time"

	"ullim/internal/contact"
)

func (s *step) offered(o Offer) {
	if s.Aside.Stage == asideAsking && o.ContactID == s.Aside.ID {
		s.asideEnqueued(nil)
	}
	if s.Aside.Stage == asideQueued && o.ContactID == s.Aside.ID {
		s.asideOffered(o)
		return
	}
	if o.ContactID != s.Record.ID { // of a segment that is over, or one more agent for whom somebody is consulted
		result := OfferCallerLeft
		if s.Aside.Stage != asideNone && o.ContactID == s.Aside.ID {
			result = OfferTaken
		}
		s.do(reportOffer{OfferID: o.ID, Result: result})
		return
	}
	if s.Phase == PhaseEnqueueing { // the offer overtook the answer of the ACD
		s.inLine()
	}
	if s.Phase != PhaseQueued {
		s.alsoOffered(o)
		return
	}
	s.ringAgent(o)
}

// ringAgent lets an agent's phone ring.
func (s *step) ringAgent(o Offer) {
	id := s.generation()
	s.Phase, s.Offer, s.AgentGen, s.Rang = PhaseRinging, o, id, s.now
	s.add(Party{
		ID: id, Role: RoleAgent, Stage: partyDialled, Media: true,
		Person: Person{
			ID: o.Agent.ID, InstanceID: s.Record.InstanceID, Username: o.Agent.Username,
			RoutingProfileID: o.Agent.RoutingProfileID, RoutingProfileName: o.Agent.RoutingProfileName,
		},
		Address: contact.Endpoint{Type: contact.VoIP, Address: o.Agent.Username},
	})
	s.edit().AgentConnectionAttempts++
	s.tell("offer", "%s rings", o.Agent.Username)
	customer := s.Record.CustomerEndpoint
	s.do(dial{Party: id, Near: s.Customer, Target: Target{
		InstanceID: s.Record.InstanceID, UserID: o.Agent.ID, Priority: PriorityAgent, FromNumber: customer.Address,
		FromName: customer.DisplayName, ContactID: s.Record.ID, AutoAccept: o.AutoAccept,
	}}, startTimer{Timer: TimerRing, Gen: id, After: o.RingTime})
}

func (s *step) agentAnswered() {
	s.rivalsOver(OfferTaken, completedElsewhere)
	a := s.Offer.Agent
	a.RingStartTimestamp, a.AcceptedByAgentTimestamp = s.Rang, s.now
	s.edit().Agent = &a
	s.Phase = PhaseAgentWhisper
	s.tell("accepted", "%s", a.Username)
	s.do(stopTimer{Timer: TimerRing, Gen: s.AgentGen}, reportOffer{OfferID: s.Offer.ID, Result: OfferAnswered})
	s.run(ofAgent, FlowAgentWhisper, s.Hooks[FlowAgentWhisper])
	s.do(startTimer{Timer: TimerWhisper, Gen: s.AgentGen, After: maxWhisper})
}

// missed: the agent's phone has rung for the whole ring time.
func (s *step) missed() {
	id := s.Offer.ID
	s.tell("missed", "%s did not answer within %s", s.Offer.Agent.Username, s.Offer.RingTime)
	s.dropAgent("no answer")
	s.Phase = PhaseQueued
	s.do(reportOffer{OfferID: id, Result: OfferMissed})
	s.nextRival()
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
		s.nextRival()
	case PhaseAgentWhisper, PhaseCustomerWhisper:
		s.agentLostBeforeJoin("hung up before the call was joined")
	case PhaseTransferring: // the customer's side asked for it, and now nobody is left to be transferred
		s.abortTransfer()
		s.Phase = PhaseTalking
		s.agentLeft(e)
	case PhaseTalking:
		s.agentLeft(e)
	case PhaseOutboundWhisper:
		s.end(contact.AgentDisconnect, "the caller hung up during the whisper")
	case PhaseNew, PhaseCalling, PhaseFlow, PhaseEnqueueing, PhaseQueued, PhaseOutward, PhaseRemaining, PhaseEnding, PhaseEnded:
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
	s.edit().Agent = nil
	s.Phase = PhaseQueued
	if requeue {
		s.edit().Queue.DequeueTimestamp = time.Time{}
		s.run(ofCustomer, FlowCustomerQueue, s.Hooks[FlowCustomerQueue])
	}
	s.do(reportOffer{OfferID: id, Result: OfferAgentLeft})
	s.save()
}

// dropAgent ends the agent's leg and forgets the offer.
func (s *step) dropAgent(cause string) {
	s.stopFlow(ofAgent)
	s.do(stopTimer{Timer: TimerRing, Gen: s.AgentGen}, stopTimer{Timer: TimerWhisper, Gen: s.AgentGen})
	s.drop(s.AgentGen, cause)
	s.Offer, s.AgentGen = Offer{}, 0
}

// whisperCustomer: the agent has heard the whisper; the customer leaves the queue and hears the other.
func (s *step) whisperCustomer() {
	if s.planned() {
		s.callBack()
		return
	}
	s.Phase = PhaseCustomerWhisper
	s.edit().Queue.DequeueTimestamp = s.now
	s.run(ofCustomer, FlowCustomerWhisper, s.Hooks[FlowCustomerWhisper])
	s.do(startTimer{Timer: TimerWhisper, Gen: s.AgentGen, After: maxWhisper})
}

// whisperOver: a whisper has lasted for two minutes.
func (s *step) whisperOver(gen int) {
	if gen != 0 && gen == s.Aside.To {
		s.asideWhisperOver()
		return
	}
	if gen == 0 || gen != s.AgentGen {
		return
	}
	if s.Phase == PhaseAgentWhisper {
		s.agentLostBeforeJoin("was cut: the agent whisper lasted too long")
		return
	}
	switch s.Phase { //nolint:exhaustive // nobody whispers in the others
	case PhaseCustomerWhisper:
		s.stopFlow(ofCustomer)
		s.join()
	case PhaseOutboundWhisper:
		s.stopFlow(ofCustomer)
		s.talk()
	}
}

// join: customer and agent of the queue talk.
func (s *step) join() {
	s.Phase = PhaseTalking
	s.edit().Agent.ConnectedToAgentTimestamp = s.now
	s.do(stopTimer{Timer: TimerWhisper, Gen: s.AgentGen}, reportJoined{OfferID: s.Offer.ID})
	s.tell("CONNECTED_TO_AGENT", "%s", s.Record.Agent.Username)
	s.startTape()
	s.save()
}

// agentLeft: the agent's part in the talk is over and the customer is still there. Others who talk go on. Else the
// disconnect flow has the word. Without one, who has lost the agent to a fault goes back to the front of the queue, and
// whose agent hung up has been served.
func (s *step) agentLeft(e LegEvent) {
	if c := s.party(s.Customer); c != nil {
		c.OnHold = false // whoever goes on with them, or whatever
	}
	fault := e.Cause == CauseTimeout || e.Cause == CauseTransport || e.Cause == CauseProtocol
	reason, detail := contact.AgentDisconnect, "agent hung up"
	if p := s.party(s.AgentGen); p != nil && p.Role == RoleThird {
		reason, detail = contact.ThirdPartyDisconnect, "the third party hung up"
	}
	if fault {
		reason, detail = contact.TelecomProblem, "agent: "+e.Text
	}
	s.Reason = reason
	if s.Aside.Stage == asideTalks {
		s.warmDrop()
		return
	}
	if heir := s.heir(); heir != 0 {
		s.inherit(heir)
		return
	}
	s.stopTape()
	s.heldAtEnd()
	s.agentPartOver()
	s.customerAlone(detail, fault)
}

// customerAlone decides what becomes of a customer who has nobody to talk to any more: the disconnect flow, else back to
// the front of the queue if it is owed, else the end.
func (s *step) customerAlone(detail string, owed bool) {
	hook, queue := s.Hooks[FlowDisconnect], s.Record.Queue
	switch {
	case s.party(s.Customer) == nil || s.party(s.Customer).Stage != partyUp:
		s.end(s.Reason, detail)
	case hook != "":
		s.Phase = PhaseRemaining
		s.tell("agent left", "the customer hears the disconnect flow")
		s.run(ofCustomer, FlowDisconnect, hook)
		s.save()
	case owed && queue != nil && !queue.EnqueueTimestamp.IsZero():
		s.tell("agent left", "%s: the customer waits again, at the front", detail)
		s.Target = TargetQueue{ID: queue.ID, Name: queue.Name}
		s.nextSegment(segment{Method: contact.QueueTransfer})
		s.takeQueue(s.Place, true)
		s.Requeued = true
	default:
		s.end(s.Reason, detail)
	}
}

// agentPartOver ends the agent's leg and tells the ACD, if it has an interest.
func (s *step) agentPartOver() {
	id := s.Offer.ID
	if s.Record.Agent != nil && s.Record.Agent.AgentInteractionEndTimestamp.IsZero() {
		s.edit().Agent.AgentInteractionEndTimestamp = s.now
	}
	s.endHold()
	s.dropAgent("contact ended")
	if id != "" {
		s.do(reportDone{OfferID: id})
	}
}

// releaseAgent ends the agent's part in whatever state it is: nothing stays reserved, ringing or recording.
func (s *step) releaseAgent() {
	if s.AgentGen == 0 && s.Offer.ID == "" {
		return
	}
	id := s.Offer.ID
	switch {
	case s.Phase == PhaseTalking || s.Phase == PhaseTransferring:
		s.stopTape()
		s.agentPartOver()
	case id != "": // ringing or whispering, and the customer is gone
		s.rivalsOver(OfferCallerLeft, "contact ended")
		s.dropAgent("contact ended")
		s.edit().Agent = nil
		if s.Record.Queue.DequeueTimestamp.IsZero() {
			s.edit().Queue.DequeueTimestamp = s.now
		}
		s.do(reportOffer{OfferID: id, Result: OfferCallerLeft}, leaveQueue{ContactID: s.Record.ID})
	}
}
