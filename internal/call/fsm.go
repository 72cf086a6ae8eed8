package call

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Step decides what an event means for a call: the new state and what is to be done, in order. It is pure: same
// arguments, same results, nothing touched.
func Step(s State, e Event, now time.Time) (State, []Effect) {
	st := &step{State: s}
	st.decide(e, now)
	return st.State, st.effects
}

// decide is Step on a copy of the state that st has already. What the state points to is copied before it is changed.
func (s *step) decide(e Event, now time.Time) {
	s.now = now
	s.Parties = slices.Clone(s.Parties)
	s.Writing = slices.Clone(s.Writing)
	s.Settling = slices.Clone(s.Settling)
	for i, r := range s.Settling {
		s.Settling[i] = copyRecord(r)
	}
	if s.Aside.Record != nil {
		s.Aside.Record = copyRecord(s.Aside.Record)
	}
	s.frontRival(e)
	s.take(e)
	s.noteRouting(e)
	s.device()
	s.holds()
	s.supervision()
	s.wire()
	s.tape()
	s.heard()
	s.complete()
}

// take sorts the events.
func (s *step) take(e Event) {
	switch e := e.(type) {
	case begun:
		s.begun()
	case partyLeg:
		s.partyLeg(e)
	case negotiated:
		s.negotiated(e)
	case flowDone:
		s.flowDone(e)
	case enqueueAsked:
		s.enqueueAsked(e)
	case enqueueDone:
		s.enqueueDone(e)
	case outwardAsked:
		s.outwardAsked(e)
	case offered:
		s.offered(e.Offer)
	case timerFired:
		s.timer(e)
	case mediaDead:
		s.mediaDead(e)
	case recordingDone:
		s.recordingDone(e)
	case attributesSet, targetSet, hookSet, recordingSet, voiceSet, dataSet, routingSet:
		s.changed(e)
	case heardSet:
		s.HearsFlows = e.On
	case secretSet:
		s.secretSet(e)
	case qualityKnown:
		s.qualityKnown(e)
	case resolved:
		s.resolved(e)
	case moved:
		s.moved(e)
	case reached:
		s.reached(e)
	case agentAsked:
		s.agentAsked(e)
	case agentFound:
		s.agentFound(e)
	case takeOver:
		s.takeOver(e)
	case inviteAsked, holdAsked, muteAsked, removeAsked, tapeAsked, transferAsked, leaveAsked, declineAsked, superviseAsked:
		s.asked(e)
	case stopAsked:
		s.end(e.Reason, e.Detail)
	case committed:
		s.committed()
	case stored:
		if s.Phase == PhaseEnding {
			s.Phase = PhaseEnded
		}
	}
}

// step is a State being changed.
type step struct {
	State
	now     time.Time
	effects []Effect
	own     *contact.Record // State.Record, if it was made in this step and nobody else has it
}

// edit is the record, to be changed: a copy of that which others have.
func (s *step) edit() *contact.Record {
	if s.own == nil || s.own != s.Record {
		s.own = copyRecord(s.Record)
		s.Record = s.own
	}
	return s.own
}

// given is the record, to be given away: nothing changes it any more.
func (s *step) given() *contact.Record {
	s.own = nil
	return s.Record
}

func (s *step) do(es ...Effect) { s.effects = append(s.effects, es...) }

func (s *step) tell(kind, format string, args ...any) {
	s.do(tell{Kind: kind, Detail: fmt.Sprintf(format, args...)})
}

func (s *step) save() { s.do(save{Record: s.given()}) }

// generation gives out the next generation.
func (s *step) generation() int {
	s.Gen++
	return s.Gen
}

// run starts a flow for somebody in the place of what runs there.
func (s *step) run(who int, kind FlowKind, flowID string) {
	s.Flow[who] = s.generation()
	s.do(startFlow{For: who, Party: s.listener(who), Gen: s.Gen, Kind: kind, FlowID: flowID})
}

func (s *step) stopFlow(who int) {
	if s.Flow[who] != 0 {
		s.Flow[who] = 0
		s.do(stopFlow{For: who, Party: s.listener(who)})
	}
}

// listener is the party for whom the flows of a place run.
func (s *step) listener(who int) int {
	switch who {
	case ofAgent:
		return s.AgentGen
	case ofAside:
		return s.Aside.To
	}
	return s.Customer
}

// begun: the first leg is answered, or whom it wants is called.
func (s *step) begun() {
	switch s.Phase {
	case PhaseNew:
		if s.planned() {
			s.callbackBegun()
			return
		}
		s.do(answer{Party: s.Customer})
	case PhaseCalling:
		if s.planned() {
			s.dialCaller()
			return
		}
		s.do(dial{Party: s.Customer, Target: *s.Dial, Near: s.Caller},
			startTimer{Timer: TimerRing, Gen: s.Customer, After: cmp.Or(s.Ring, callRing)})
	case PhaseOutboundWhisper, PhaseFlow, PhaseEnqueueing, PhaseQueued, PhaseRinging, PhaseAgentWhisper, PhaseCustomerWhisper, PhaseTalking,
		PhaseTransferring, PhaseOutward, PhaseRemaining, PhaseEnding, PhaseEnded:
	}
}

// partyLeg sorts the events of legs. What comes late, from one who is gone, is ignored.
func (s *step) partyLeg(e partyLeg) {
	p := s.party(e.Party)
	if p == nil || p.Stage == partyGone || p.Stage == partyPlanned {
		return
	}
	switch e.Kind {
	case LegProgress:
		if e.SDP != nil {
			s.do(negotiate{Party: p.ID, SDP: e.SDP, Early: true})
		}
		s.ringing(p, e.LegEvent)
	case LegAnswered:
		if e.SDP != nil {
			s.do(negotiate{Party: p.ID, SDP: e.SDP, Host: e.Host})
		}
		s.answered(p, e.LegEvent)
	case LegOffer:
		s.do(negotiate{Party: p.ID, SDP: e.SDP, Offer: true})
	case LegChanged:
		if e.SDP != nil {
			s.do(negotiate{Party: p.ID, SDP: e.SDP})
		}
	case LegUnchanged:
		s.tell("session", "a change of session was refused with %d: it stays as it was", e.Code)
	case LegRefer:
		s.refer(p, e.Refer)
	case LegEnded:
		s.ended(p, e.LegEvent)
	case LegDigit: // keys reach the flow beside the actor
	}
}

// answered: a leg is up, for the first time or again.
func (s *step) answered(p *Party, e LegEvent) {
	again := p.Stage == partyUp
	p.Device = cmp.Or(p.Device, e.Device)
	if p.Stage != partyLent {
		p.Stage = partyUp
	}
	switch {
	case again:
	case s.Phase == PhaseNew && p.ID == s.Customer:
		s.Phase = PhaseFlow
		s.edit().ConnectedToSystemTimestamp = s.now
		s.tell("CONNECTED_TO_SYSTEM", "answered")
		s.run(ofCustomer, FlowInbound, s.Record.FlowID)
		s.save()
	case s.Phase == PhaseCalling && p.ID == s.Customer:
		s.calleeAnswered(p)
	case s.Phase == PhaseCalling && p.ID == s.Caller && s.planned():
		s.callerAnswered(p)
	case s.Phase == PhaseRinging && p.ID == s.AgentGen:
		s.agentAnswered()
	case s.Phase == PhaseTransferring && p.ID == s.Transfer.To:
		s.transferAnswered()
	case s.Phase == PhaseOutward && p.ID == s.Outward.To:
		s.outwardAnswered(p)
	case p.Role == RoleThird || p.Role == RoleSupervisor:
		s.do(stopTimer{Timer: TimerRing, Gen: p.ID})
		s.tell("joined", "%s %s", p.Role, p.Address.Address)
	}
}

// ended: a leg is over, by the other end's will or not.
func (s *step) ended(p *Party, e LegEvent) {
	switch {
	case p.Stage == partyLent: // whoever takes the party hears of it: the line tells them
	case p.ID == s.Aside.To && s.Aside.Stage != asideTalks:
		s.asideRefused(e)
	case s.Phase == PhaseTransferring && p.ID == s.Transfer.To:
		s.transferFailed(failure(e))
	case s.Phase == PhaseTransferring && p.ID == s.Transfer.By:
		s.transferorLeft(p)
	case s.Phase == PhaseOutward && p.ID == s.Outward.To:
		s.outwardEnded(p, e)
	case p.ID == s.Customer:
		s.customerEnded(e)
	case p.ID == s.Caller && s.Phase == PhaseCalling:
		s.callerEnded(p, e)
	case p.ID == s.AgentGen:
		s.agentEnded(e)
	default:
		s.tell("left", "%s %s", p.Role, p.Address.Address)
		s.leaves(p.ID, "")
	}
}

// leaves lets somebody out who is neither the customer nor the agent.
func (s *step) leaves(id int, cause string) {
	consulted := id == s.Aside.To && s.Aside.Stage == asideTalks
	s.do(stopTimer{Timer: TimerRing, Gen: id})
	s.drop(id, cause)
	if consulted {
		s.asideOver(contact.AgentDisconnect)
	}
}

func (s *step) customerEnded(e LegEvent) {
	if s.Phase == PhaseCalling {
		s.calleeFailed(e)
		return
	}
	reason, detail := contact.CustomerDisconnect, "customer hung up"
	switch e.Cause {
	case CauseCancelled:
		detail = "customer gave up before the answer"
	case CauseTimeout, CauseTransport, CauseProtocol, CauseRejected:
		reason, detail = contact.TelecomProblem, e.Text
	case CauseBye, CauseLocal:
	}
	s.end(reason, detail)
}

// negotiated: SDP of a party is in force.
func (s *step) negotiated(e negotiated) {
	p := s.party(e.Party)
	if p == nil || p.Stage == partyGone {
		return
	}
	if e.Early && p.Stage != partyUp && !p.Early {
		p.Early, p.Flowing = true, true // until it turns out that nothing comes
		s.earlyMedia(p)
	}
	if p.Held != e.Held {
		p.Held = e.Held
		kind := "resumed"
		if e.Held {
			kind = "held"
		}
		s.tell(kind, "by %s", p.Role)
	}
}

func (s *step) flowDone(e flowDone) {
	who := slices.Index(s.Flow[:], e.Gen)
	if e.Gen == 0 || who < 0 {
		return // of a flow that was ended
	}
	s.Flow[who] = 0
	if e.Outcome == FlowDisconnected && who == ofCustomer {
		s.end(contact.ContactFlowDisconnect, "the contact flow ended the contact")
		return
	}
	if who == ofAside || s.Phase == PhaseTransferring && s.Aside.Stage == asideGreets && e.Kind == FlowCustomerWhisper {
		s.asideWhispered(who)
		return
	}
	switch e.Kind {
	case FlowAgentTransfer, FlowQueueTransfer:
		s.transferFlowDone(e)
	case FlowInbound, FlowDisconnect:
		// FlowQueued: the queue has the contact, or its answer is on the way.
		if e.Outcome != FlowQueued && (s.Phase == PhaseFlow || s.Phase == PhaseRemaining) {
			detail := "the contact flow came to its end"
			if e.Outcome == FlowFailed {
				detail = "the contact flow failed"
			}
			s.end(contact.ContactFlowDisconnect, detail)
		}
	case FlowCustomerQueue, FlowCustomerHold, FlowAgentHold: // who waits hears music: see wired
	case FlowAgentWhisper:
		if s.Phase == PhaseAgentWhisper {
			s.whisperCustomer()
		}
	case FlowCustomerWhisper:
		if s.Phase == PhaseCustomerWhisper {
			s.join()
		}
	case FlowOutboundWhisper:
		if s.Phase == PhaseOutboundWhisper {
			s.talk()
		}
	}
}

func (s *step) changed(e Event) {
	switch e := e.(type) {
	case attributesSet:
		r := s.edit()
		r.Attributes = merged(r.Attributes, e.Set)
		s.save()
	case targetSet:
		s.Target = e.Target
	case hookSet:
		s.Hooks = merged(s.Hooks, map[FlowKind]string{e.Kind: e.FlowID})
	case recordingSet:
		s.ToRecord = e.On
	case voiceSet:
		s.Voice = e.Voice
	case dataSet:
		s.dataSet(e.Data)
	case routingSet:
		s.routingSet(e)
	}
}

// mediaDead: nothing comes from a party. Who is on hold need not send (R31).
func (s *step) mediaDead(e mediaDead) {
	p := s.party(e.Party)
	if p == nil || p.Stage != partyUp && s.Phase != PhaseNew || p.Held || p.OnHold {
		return
	}
	if p.ID == s.Customer {
		s.end(contact.TelecomProblem, "customer: "+e.Why)
		return
	}
	s.ended(p, LegEvent{Kind: LegEnded, Cause: CauseTransport, Text: e.Why})
}

func (s *step) timer(e timerFired) {
	switch e.Timer { //nolint:exhaustive // the others are of a party
	case TimerWhisper:
		s.whisperOver(e.Gen)
		return
	case TimerTransfer:
		s.transferOver(e.Gen)
		return
	}
	p := s.party(e.Gen)
	if p == nil || p.Stage == partyGone {
		return
	}
	switch {
	case e.Timer == TimerEarly:
		s.lookAtEarly(p, e.Packets)
	case p.Stage != partyDialled && p.Stage != partyRinging:
	case p.ID == s.Aside.To:
		s.asideMissed()
	case s.Phase == PhaseRinging && p.ID == s.AgentGen:
		s.missed()
	default:
		s.ended(p, LegEvent{Kind: LegEnded, Cause: CauseTimeout, Code: 408, Text: "no answer"})
	}
}

// end releases everything, whatever the phase; complete closes the record when all of it is done.
func (s *step) end(reason contact.DisconnectReason, detail string) {
	if s.Phase >= PhaseEnding {
		return
	}
	if s.Phase == PhaseEnqueueing && !s.Requeued {
		s.do(replyFlow{Err: ErrLeft})
	}
	if s.Phase == PhaseQueued {
		s.edit().Queue.DequeueTimestamp = s.now
		s.do(leaveQueue{ContactID: s.Record.ID})
	}
	s.stopFlow(ofCustomer)
	s.abortTransfer()
	s.releaseAside(reason)
	s.heldAtEnd()
	s.releaseAgent()
	s.stopFlow(ofAgent)
	if s.Phase == PhaseCalling {
		s.refuseCaller(480, "Temporarily Unavailable")
	}
	for _, p := range slices.Clone(s.Parties) {
		if p.ID != s.Customer && p.Stage != partyGone {
			s.do(stopTimer{Timer: TimerRing, Gen: p.ID})
			s.drop(p.ID, "contact ended")
		}
	}
	if s.Phase == PhaseCalling {
		s.do(stopTimer{Timer: TimerRing, Gen: s.Customer}, stopTimer{Timer: TimerEarly, Gen: s.Customer})
	}
	s.stopTape()
	s.endHold()
	s.endSupervision()
	s.Phase = PhaseEnding
	if s.Reason != "" {
		reason = s.Reason
	}
	r := s.edit()
	r.DisconnectReason, r.DisconnectDetail, r.DisconnectTimestamp = reason, detail, s.now
	endStreams(r, s.now)
	s.drop(s.Customer, "contact ended")
	s.tell("DISCONNECTED", "%s: %s", reason, detail)
}

// complete writes the records of segments when nothing that belongs to them is outstanding.
func (s *step) complete() {
	s.Settling = slices.DeleteFunc(s.Settling, func(r *contact.Record) bool {
		if s.outstanding(r) {
			return false
		}
		s.do(closeSegment{Record: r})
		return true
	})
	if s.Phase != PhaseEnding || s.Closing || len(s.Settling) > 0 || len(s.Writing) > 0 || len(s.Parties) > 0 {
		return
	}
	s.Closing = true
	s.edit().LastUpdateTimestamp = s.now
	s.do(closeSegment{Record: s.given(), Last: true})
}

// outstanding reports whether something of a segment is still being written or closed.
func (s *step) outstanding(r *contact.Record) bool {
	for _, rec := range r.Recordings {
		if slices.Contains(s.Writing, rec.Location) {
			return true
		}
	}
	return slices.ContainsFunc(s.Parties, func(p Party) bool { return p.Stage == partyGone && p.Segment == r.ID })
}

// errBusy is the answer to what does not fit the moment.
func errBusy(format string, args ...any) error { return errs.New(errs.InvalidRequest, format, args...) }
