package call

import (
	"time"

	"ullim/internal/contact"
)

// ringing: a provisional answer of one we call. Whoever waits for them hears of it.
func (s *step) ringing(p *Party, e LegEvent) {
	if e.Code <= 100 || p.Stage == partyUp || p.Stage == partyLent {
		return
	}
	p.Stage = partyRinging
	switch {
	case s.Phase == PhaseCalling && p.ID == s.Customer:
		s.tellCaller(p, e)
	case s.Phase == PhaseTransferring && p.ID == s.Transfer.To && p.Told != e.Code:
		p.Told = e.Code
		s.inform(s.Transfer, e.Code, "Ringing")
	}
}

// tellCaller passes on that the other end rings. A phone makes its own ringing tone until we have sent it early media;
// from then on it hears what wired says (RFC 3960 §3.2).
func (s *step) tellCaller(callee *Party, e LegEvent) {
	caller := s.party(s.Caller)
	if caller == nil || e.SDP != nil || caller.Early {
		return // early media is passed on when it is in force: see negotiated
	}
	if callee.Told != e.Code {
		callee.Told = e.Code
		s.do(ring{Party: caller.ID})
	}
}

// earlyMedia: one we call sends sound before the answer.
func (s *step) earlyMedia(p *Party) {
	switch {
	case s.Phase == PhaseCalling && p.ID == s.Customer:
		caller := s.party(s.Caller)
		if caller == nil {
			return
		}
		if !caller.Early {
			caller.Early = true
			s.do(progress{Party: caller.ID})
		}
	case s.Phase == PhaseTransferring && p.ID == s.Transfer.To, s.Phase == PhaseOutward && p.ID == s.Outward.To:
	default:
		return
	}
	s.do(startTimer{Timer: TimerEarly, Gen: p.ID, After: earlyLook})
}

// lookAtEarly decides by what has come whether the network or we make the sound: never both, never nothing (R17).
func (s *step) lookAtEarly(p *Party, packets uint64) {
	if p.Stage != partyRinging && p.Stage != partyDialled {
		return
	}
	p.Flowing, p.Packets = packets > p.Packets, packets
	s.do(startTimer{Timer: TimerEarly, Gen: p.ID, After: earlyLook})
}

// calleeAnswered: whom the caller wanted is there; without a caller a flow speaks to them.
func (s *step) calleeAnswered(p *Party) {
	s.do(stopTimer{Timer: TimerRing, Gen: p.ID}, stopTimer{Timer: TimerEarly, Gen: p.ID})
	s.edit().ConnectedToSystemTimestamp = s.now
	caller := s.party(s.Caller)
	if caller == nil {
		s.Phase = PhaseFlow
		s.tell("CONNECTED_TO_SYSTEM", "answered")
		s.run(ofCustomer, FlowInbound, s.Record.FlowID)
		s.save()
		return
	}
	if caller.Stage != partyUp { // an agent of a callback has been there for long
		caller.Stage = partyUp
		s.do(answer{Party: caller.ID})
	}
	if hook := s.Hooks[FlowOutboundWhisper]; hook != "" {
		s.Phase = PhaseOutboundWhisper
		s.tell("CONNECTED_TO_SYSTEM", "answered")
		s.run(ofCustomer, FlowOutboundWhisper, hook)
		s.do(startTimer{Timer: TimerWhisper, Gen: s.AgentGen, After: maxWhisper})
		s.save()
		return
	}
	s.talk()
}

// talk: the one who called and the one who was called hear each other.
func (s *step) talk() {
	s.Phase = PhaseTalking
	s.do(stopTimer{Timer: TimerWhisper, Gen: s.AgentGen})
	if s.Record.Agent != nil {
		s.edit().Agent.ConnectedToAgentTimestamp = s.now
	}
	if s.Offer.ID != "" {
		s.do(reportJoined{OfferID: s.Offer.ID})
	}
	s.tell("CONNECTED", "%s and %s", s.party(s.Caller).Address.Address, s.party(s.Customer).Address.Address)
	s.startTape()
	s.save()
}

// calleeFailed: whom the caller wanted cannot be had. The caller is told why, with the status of the other end.
func (s *step) calleeFailed(e LegEvent) {
	code, reason := failure(e)
	s.Failed = code
	s.refuseCaller(code, reason)
	why := contact.OutboundAttemptFailed
	switch code {
	case 404, 484, 604:
		why = contact.OutboundDestinationError
	}
	s.tell("not connected", "%d %s", code, reason)
	s.end(why, reason)
}

// refuseCaller gives the INVITE of one who waits for the other end its final answer.
func (s *step) refuseCaller(code int, reason string) {
	if caller := s.party(s.Caller); caller != nil && caller.Stage == partyComing {
		s.do(reject{Party: caller.ID, Code: code, Reason: reason})
		caller.Stage = partyUp // answered: drop does the rest
	}
}

// failure is how the end of a leg that was never answered is told to others.
func failure(e LegEvent) (code int, reason string) {
	reason = e.Text
	switch e.Cause {
	case CauseRejected:
		code = e.Code
	case CauseTimeout:
		code = 408
	case CauseTransport:
		code = 503
	case CauseProtocol:
		code = 488
	case CauseBye, CauseCancelled, CauseLocal:
		code = 480
	}
	switch {
	case code < 300 || code > 699:
		code = 480
	case code < 400: // a redirection that was not followed
		code = 480
	case code == 401 || code == 407: // between us and the carrier: nothing that the caller could answer
		code = 403
	}
	if reason == "" {
		reason = reasonOf(code)
	}
	return code, reason
}

// reasonOf is the reason phrase of a status (RFC 3261 §21).
func reasonOf(code int) string {
	switch code {
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 486:
		return "Busy Here"
	case 487:
		return "Request Terminated"
	case 488:
		return "Not Acceptable Here"
	case 491:
		return "Request Pending"
	case 503:
		return "Service Unavailable"
	case 600:
		return "Busy Everywhere"
	case 603:
		return "Decline"
	default:
		return "Temporarily Unavailable"
	}
}

// agentInfo is a user as the record of a segment has one.
func agentInfo(p Person, rang, accepted, connected time.Time) *contact.AgentInfo {
	return &contact.AgentInfo{
		ID: p.ID, Username: p.Username, RoutingProfileID: p.RoutingProfileID, RoutingProfileName: p.RoutingProfileName, HierarchyGroups: p.HierarchyGroups,
		RingStartTimestamp: rang, AcceptedByAgentTimestamp: accepted, ConnectedToAgentTimestamp: connected,
	}
}
