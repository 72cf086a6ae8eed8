package call

import (
	"errors"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// refer: a party asks for a transfer. Only users of the instance may: a carrier, or a customer, does not decide whom we
// call. What is answered here is the REFER itself; from 100 on the outcome is owed, whatever happens (R20).
func (s *step) refer(p *Party, r *Refer) {
	code := 0
	switch {
	case r == nil || p.Person.ID == "" || p.Role == RoleSupervisor:
		code = 403
	case s.Phase != PhaseTalking || p.Stage != partyUp || s.Aside.Stage != asideNone || s.another(p.ID) == 0 && p.ID != s.AgentGen:
		code = 491 // one transfer at a time, and nobody is transferred who has not been reached
	}
	if code != 0 {
		s.tell("transfer", "refused with %d", code)
		s.do(notify{Party: p.ID, Code: code, Reason: reasonOf(code)})
		return
	}
	s.Phase = PhaseTransferring
	s.Transfer = Transfer{Gen: s.generation(), By: p.ID, Who: p.Person, Target: r.Target, Owed: true, Since: s.now, Held: s.customerOnHold()}
	s.stopTape()
	s.tell("transfer", "%s asks for %s", p.Person.Username, r.Target)
	s.do(notify{Party: p.ID, Code: 100, Reason: "Trying"})
	if r.Replaces == nil {
		s.do(resolve{Gen: s.Transfer.Gen, UserID: p.Person.ID, Target: r.Target})
		return
	}
	s.Transfer.Names = *r.Replaces
	s.lend()
}

// customerOnHold reports whether we have put the customer on hold.
func (s *State) customerOnHold() bool {
	c := s.party(s.Customer)
	return c != nil && c.OnHold
}

// lend offers whoever is transferred to the call that the Replaces names.
func (s *step) lend() {
	kept := s.party(s.kept())
	if kept == nil || kept.Stage != partyUp {
		s.transferFailed(403, "a conference cannot be joined with another call")
		return
	}
	newcomer := *kept
	s.Transfer.Lent, kept.Stage = kept.ID, partyLent
	s.do(lend{
		Gen: s.Transfer.Gen, Party: newcomer.ID, Dialog: s.Transfer.Names, Newcomer: newcomer, Record: s.given(),
		ToRecord: s.ToRecord,
	})
}

// reached: the consultation call that was still ringing has been answered, or has come to nothing.
func (s *step) reached(e reached) {
	if s.Phase != PhaseTransferring || e.Gen != s.Transfer.Gen {
		return
	}
	if !s.Transfer.Waits { // the party is on its way back
		s.Transfer.Sooner = &e
		return
	}
	s.Transfer.Waits = false
	if e.Code != 0 {
		s.transferFailed(e.Code, reasonOf(e.Code))
		return
	}
	s.lend()
}

// resolved: whom the REFER names.
func (s *step) resolved(e resolved) {
	if s.Phase != PhaseTransferring || e.Gen != s.Transfer.Gen {
		return
	}
	switch {
	case e.Err != nil:
		code := 503
		if errs.Is(e.Err, errs.NotFound) {
			code = 404
		} else if errs.Is(e.Err, errs.Denied) {
			code = 403
		} else if errs.Is(e.Err, errs.Limit) {
			code = 486
		}
		s.transferFailed(code, reasonOf(code))
	default:
		s.proceed(e)
	}
}

// call dials a party that is to join.
func (s *step) call(c Callee, role PartyRole, hears Role, near int, onBehalfOf string) int {
	return s.dial(c, role, hears, near, Target{OnBehalfOf: onBehalfOf})
}

// forward dials a party who is to talk to the customer in the place of whom the customer has called: a carrier is told by
// which numbers the call came, and whoever signed for the caller's number is passed on while that number is shown.
func (s *step) forward(c Callee, near int, onBehalfOf string) int {
	t := Target{OnBehalfOf: onBehalfOf}
	if c.Person == nil && !c.Emergency {
		t.Diverted = s.Came.By
		if c.FromNumber == s.Record.CustomerEndpoint.Address {
			t.Identity = s.Came.Identity
		}
	}
	return s.dial(c, RoleThird, Speaker, near, t)
}

// dial dials a party; t says what is special about it.
func (s *step) dial(c Callee, role PartyRole, hears Role, near int, t Target) int {
	p := Party{ID: s.generation(), Role: role, Hears: hears, Stage: partyDialled, Media: true}
	customer := s.Record.CustomerEndpoint
	t.InstanceID, t.Priority, t.ContactID = s.Record.InstanceID, PriorityAgent, s.Record.ID
	t.FromNumber, t.FromName = customer.Address, customer.DisplayName
	if c.Person != nil {
		p.Person = *c.Person
		p.Address = contact.Endpoint{Type: contact.VoIP, Address: c.Person.Username, DisplayName: c.Person.DisplayName}
		t.UserID = c.Person.ID
	} else {
		p.Address = contact.Endpoint{Type: contact.TelephoneNumber, Address: c.Number}
		t.Number, t.FromNumber, t.FromName = c.Number, c.FromNumber, c.FromName
		if c.Emergency {
			t.Priority = PriorityEmergency
		}
	}
	s.add(p)
	s.do(dial{Party: p.ID, Target: t, Near: near}, startTimer{Timer: TimerRing, Gen: p.ID, After: transferRing})
	return p.ID
}

// transferToFlow: the number is one of ours; its flow takes the customer over at once.
func (s *step) transferToFlow(e resolved) {
	t, kept := s.Transfer, s.kept()
	if kept == 0 || t.By == s.Customer && s.Offer.ID != "" {
		s.transferFailed(403, "only one can be sent to a contact flow")
		return
	}
	s.inform(t, 200, "OK")
	s.endTransfer()
	s.finishBy(t)
	s.stopTape()
	if kept != s.Customer { // a called user has sent the caller on
		s.becomesCustomer(kept)
	}
	s.AgentGen = 0
	next := segment{Method: contact.Transfer, FlowID: e.FlowID, Since: t.Since}
	if e.Number != "" {
		next.System = &contact.Endpoint{Type: contact.TelephoneNumber, Address: e.Number}
	}
	s.nextSegment(next)
	s.Phase = PhaseFlow
	s.tell("transferred", "to %s", t.Target)
	s.stopFlow(ofAgent)
	s.run(ofCustomer, FlowInbound, e.FlowID)
	s.HoldFlow = [2]bool{}
	s.save()
}

// finishBy ends the part of the one who has transferred, and notes it in the segment that is over.
func (s *step) finishBy(t Transfer) {
	r := s.edit()
	r.TransferCompletedTimestamp, r.TransferredTo = s.now, t.endpoint()
	if t.By == s.AgentGen {
		s.agentPartOver()
	} else {
		s.drop(t.By, "transferred")
	}
}

// becomesCustomer makes a party the one whom the contact is about.
func (s *step) becomesCustomer(id int) {
	p := s.party(id)
	if s.HoldFlow[ofCustomer] {
		s.stopFlow(ofCustomer)
		s.HoldFlow[ofCustomer] = false
	}
	p.Role, p.Hears, s.Customer = RoleCustomer, Speaker, id
	s.edit().CustomerEndpoint = p.Address
}

// becomesAgent makes a party the one who serves the customer.
func (s *step) becomesAgent(id int) {
	s.stopFlow(ofAgent)
	s.HoldFlow[ofAgent] = false
	s.AgentGen = id
	p := s.party(id)
	if p.Role = RoleThird; p.Person.ID != "" {
		p.Role = RoleAgent
	}
}

// transferAnswered: the other end is there. The one who transferred leaves, and a new segment begins.
func (s *step) transferAnswered() {
	t := s.Transfer
	if t.To == s.Aside.To {
		s.asideAnswered()
		return
	}
	s.endTransfer()
	s.Phase = PhaseTalking
	s.do(stopTimer{Timer: TimerRing, Gen: t.To}, stopTimer{Timer: TimerEarly, Gen: t.To})
	s.inform(t, 200, "OK")
	if by := s.party(t.By); t.Consult && by != nil && by.Stage == partyUp {
		s.consults(t)
		return
	}
	s.resume()
	s.stopTape()
	was := s.Customer
	conference := t.By != was && t.By != s.AgentGen && s.AgentGen != 0
	s.finishBy(t)
	s.Reason = contact.AgentDisconnect
	if !conference {
		s.nextSegment(segment{Method: contact.Transfer, FlowID: s.Record.FlowID, Since: t.Since})
	}
	s.Reason = ""
	switch {
	case t.By == was:
		s.becomesCustomer(t.To)
	case !conference:
		s.becomesAgent(t.To)
		if p := s.party(t.To); p.Person.ID != "" {
			s.edit().Agent = agentInfo(p.Person, s.Rang, s.now, s.now)
		}
	}
	s.tell("transferred", "to %s", s.party(t.To).Address.Address)
	s.startTape()
	s.save()
}

// transferorLeft: who asked for the transfer has hung up; it goes on (S24).
func (s *step) transferorLeft(p *Party) {
	s.tell("transferor left", "%s", p.Person.Username)
	if p.ID == s.AgentGen {
		s.agentPartOver()
	} else {
		s.drop(p.ID, "")
	}
	s.goesOnAlone()
}

// transferFailed: the other end cannot be had. Whoever asked is told why, and has the other back if they are still there;
// if not, the disconnect flow or the queue takes the customer, as it would one who has lost the agent to a fault.
func (s *step) transferFailed(code int, reason string) {
	t := s.Transfer
	s.endTransfer()
	s.tell("transfer failed", "%d %s", code, reason)
	s.inform(t, code, reason)
	s.releaseAside(contact.Other)
	s.dropTarget(t)
	if c := s.party(s.Customer); c != nil {
		c.OnHold = t.Held
	}
	s.Phase = PhaseTalking
	by := s.party(t.By)
	switch {
	case by != nil && by.Stage == partyUp:
		s.startTape()
	case s.another() != 0 && t.By != s.Customer: // others talk on
		s.AgentGen = s.another()
	case t.By == s.Customer:
		s.Reason = contact.CustomerDisconnect
		s.end(contact.CustomerDisconnect, "the called party left, and the transfer failed: "+reason)
	default:
		s.Reason = contact.AgentDisconnect
		s.customerAlone("the transfer failed: "+reason, true)
	}
}

func (s *step) dropTarget(t Transfer) {
	if t.To != 0 && s.party(t.To) != nil {
		s.do(stopTimer{Timer: TimerRing, Gen: t.To}, stopTimer{Timer: TimerEarly, Gen: t.To})
		s.drop(t.To, "transfer over")
	}
}

// abortTransfer: the call ends, or nobody is left to be transferred. The outcome is still told.
func (s *step) abortTransfer() {
	if s.Phase != PhaseTransferring {
		return
	}
	t := s.Transfer
	s.endTransfer()
	s.Transfer = Transfer{Gen: t.Gen, Lent: t.Lent, By: t.By} // one who is on the way to another call is waited for
	s.inform(t, 487, reasonOf(487))
	s.dropTarget(t)
}

// moved: the other call has taken the party, so that this one is over; or it has not.
func (s *step) moved(e moved) {
	t := s.Transfer
	p := s.party(t.Lent)
	if e.Gen != t.Gen || p == nil || p.Stage != partyLent {
		return
	}
	if e.Err != nil {
		s.do(reclaim{Party: p.ID})
		p.Stage = partyUp
		s.Transfer.Lent = 0
		if s.Phase >= PhaseEnding {
			s.drop(p.ID, "contact ended")
			return
		}
		if errors.Is(e.Err, errStillRings) && s.Phase == PhaseTransferring { // reached follows
			s.Transfer.Waits = true
			s.do(notify{Party: t.By, Code: 180, Reason: "Ringing"})
			if sooner := t.Sooner; sooner != nil {
				s.Transfer.Sooner = nil
				s.reached(*sooner)
			}
			return
		}
		code := 481 // RFC 3891 §3: no such call
		if errs.Is(e.Err, errs.Denied) || errs.Is(e.Err, errs.Limit) {
			code = 403
		}
		s.transferFailed(code, reasonOf(code))
		return
	}
	q := e.Quality
	if p.Role == RoleCustomer {
		s.edit().CustomerQuality = &q
	}
	s.remove(p.ID)
	r := s.edit()
	r.NextContactID, r.TransferCompletedTimestamp, r.TransferredTo = e.Next, s.now, t.endpoint()
	if s.Phase >= PhaseEnding {
		return
	}
	s.do(notify{Party: t.By, Code: 200, Reason: "OK"})
	s.Transfer, s.Phase = Transfer{}, PhaseTalking
	s.end(contact.AgentDisconnect, "transferred to contact "+e.Next)
}

// takeOver: somebody is to take the place of a party: one whom another call of ours transfers, or one who picks up.
func (s *step) takeOver(e takeOver) {
	p := s.party(e.Party)
	if err := s.mayReplace(p, e); err != nil {
		s.do(refuse{err})
		return
	}
	n := e.Newcomer
	n.ID, n.Stage, n.Media, n.OnHold, n.Muted, n.Early = s.generation(), partyUp, true, false, false, false
	n.Role, n.Hears = p.Role, p.Hears
	old := *p
	s.add(n)
	s.do(adopt{Party: n.ID})
	if e.From != nil {
		s.continues(e)
	}
	if s.Phase == PhaseCalling { // the ringing phone of one who is called is answered by another
		s.do(stopTimer{Timer: TimerRing, Gen: old.ID}, stopTimer{Timer: TimerEarly, Gen: old.ID})
		s.drop(old.ID, "completed elsewhere")
		s.becomesCustomer(n.ID)
		s.calleeAnswered(s.party(n.ID))
		return
	}
	s.takePlace(old, n, e.From != nil)
	s.tell("replaced", "%s by %s", old.Address.Address, n.Address.Address)
	s.startTape()
	s.save()
}

// takePlace gives one party the place of another.
func (s *step) takePlace(old, n Party, transferred bool) {
	switch old.ID {
	case s.Customer:
		if s.Flow[ofCustomer] != 0 {
			s.do(reseat{For: ofCustomer, Party: n.ID})
		}
		s.drop(old.ID, "replaced")
		s.Customer = n.ID
		s.edit().CustomerEndpoint = n.Address
		return
	case s.AgentGen:
	default:
		s.drop(old.ID, "replaced")
		return
	}
	consultation := transferred && s.Offer.ID == ""
	s.stopTape()
	s.agentPartOver()
	if consultation { // whom it reached now serves the customer who comes
		was := s.Customer
		s.becomesCustomer(n.ID)
		s.becomesAgent(was)
		if other := s.party(was); other.Person.ID != "" {
			s.edit().Agent = agentInfo(other.Person, s.Rang, s.now, s.now)
		}
		return
	}
	if !transferred {
		s.Reason = contact.AgentDisconnect
		s.nextSegment(segment{Method: contact.Transfer, FlowID: s.Record.FlowID})
	}
	s.becomesAgent(n.ID)
	if n.Person.ID != "" {
		s.edit().Agent = agentInfo(n.Person, s.now, s.now, s.now)
	}
}

// errStillRings: whom a newcomer is to be connected with has not answered yet.
var errStillRings = errors.New("call: the other end still rings")

// mayAnswer reports whether a party waits for the other end of its call, or hears a whisper before it is connected.
func (s *State) mayAnswer(party int) bool {
	p := s.party(party)
	return p != nil && party == s.Caller && (s.Phase == PhaseCalling && p.Stage == partyComing || s.Phase == PhaseOutboundWhisper)
}

// mayReplace decides whether somebody may take the place of a party.
func (s *step) mayReplace(p *Party, e takeOver) error {
	gone := errs.New(errs.NotFound, "no such call")
	switch {
	case e.From != nil && s.mayAnswer(e.Party):
		return errStillRings
	case p == nil || p.Stage == partyGone || p.Stage == partyLent || s.Phase >= PhaseEnding:
		return gone
	case p.Role == RoleSupervisor || s.Phase == PhaseTransferring || p.ID == s.Aside.To:
		return errs.New(errs.Denied, "the call cannot be taken over now")
	case p.Stage == partyUp && (s.Phase == PhaseTalking || p.ID == s.Customer):
		return nil
	case e.From == nil && s.Phase == PhaseCalling && p.ID == s.Customer:
		return nil // RFC 3891 §3: an early dialog that we began
	case p.Stage != partyUp && s.Phase == PhaseRinging:
		return errs.New(errs.Denied, "an offer of the queue is for its agent alone")
	default:
		return gone
	}
}

// continues links this contact with the one that the newcomer comes from.
func (s *step) continues(e takeOver) {
	r := s.edit()
	r.PreviousContactID, r.InitialContactID = e.From.ID, e.From.InitialContactID
	if r.InitialContactID == "" {
		r.InitialContactID = e.From.ID
	}
	r.InitiationMethod = contact.Transfer
	for k, v := range e.From.Attributes {
		if r.Attributes == nil {
			r.Attributes = make(map[string]string)
		}
		if _, own := r.Attributes[k]; !own {
			r.Attributes[k] = v
		}
	}
	if r.Attestation == nil {
		r.Attestation = e.From.Attestation
	}
	s.ToRecord = s.ToRecord || e.ToRecord
}
