package call

import (
	"cmp"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Transfers to queues and users, however they were asked for: the transfer flow of the instance, or the one of the quick
// connect, runs for the agent while the customer waits on hold, and decides (A1.4). A blind transfer releases the agent as
// soon as the customer is in line, or the other end rings; a consultation keeps them.

// agentAsked: a transfer flow asks for the agent whom the transfer is for (TransferContactToAgent). NewID is the id of the
// new segment.
type agentAsked struct {
	Gen   int
	NewID string
}

// agentFound: how that agent can be reached: Routed is by an offer of their own queue, else their devices ring.
type agentFound struct {
	Gen    int
	Routed bool
	Err    error
}

// transferAsked: a user wants the customer transferred, or somebody consulted first.
type transferAsked struct {
	By      string
	Goal    resolved
	Consult bool
}

func (agentAsked) isEvent()    {}
func (agentFound) isEvent()    {}
func (transferAsked) isEvent() {}

// transferAsked begins a transfer that was not asked for by REFER.
func (s *step) transferAsked(e transferAsked) error {
	by := s.partyOfUser(e.By)
	switch {
	case by == nil:
		return errs.New(errs.NotFound, "user %s is not in the contact", e.By)
	case s.Phase != PhaseTalking || s.Aside.Stage != asideNone:
		return errBusy("the contact is %s, or somebody is consulted: one transfer at a time, of a contact that talks", s.Phase)
	case by.ID != s.AgentGen || by.Stage != partyUp:
		return errs.New(errs.Denied, "only the agent who serves the contact can transfer it")
	case e.Goal.Err != nil:
		return e.Goal.Err
	case e.Goal.Callee.Person != nil && e.Goal.Callee.Person.ID == e.By:
		return errBusy("the destination is whoever transfers")
	case e.Consult && e.Goal.FlowID != "":
		return errBusy("a contact flow cannot be consulted: transfer to it")
	case e.Consult && s.count(false) >= maxParties:
		return errs.New(errs.Limit, "%d are in the call, which is the limit", maxParties)
	case s.others(by.ID, 0) != s.Customer && (!e.Consult || e.Goal.Queue.ID != ""):
		return errBusy("a conference cannot be transferred: leave it, and the others talk on")
	}
	c := s.party(s.Customer)
	by.OnHold = false
	s.Phase = PhaseTransferring
	s.Transfer = Transfer{
		Gen: s.generation(), By: by.ID, Who: by.Person, Consult: e.Consult, Since: s.now, Held: c.OnHold, Target: e.Goal.name(),
	}
	if e.Consult {
		c.OnHold = true
	} else {
		s.stopTape()
	}
	s.tell("transfer", "%s asks for %s", by.Person.Username, s.Transfer.Target)
	s.proceed(e.Goal)
	return nil
}

// name is how a destination is called in logs.
func (g resolved) name() string {
	switch {
	case g.Callee.Person != nil:
		return g.Callee.Person.Username
	case g.FlowID != "":
		return cmp.Or(g.Number, g.FlowID)
	}
	return cmp.Or(g.Callee.Number, g.Queue.Name, g.Queue.ID)
}

// endpoint is how the record of the segment that is over names the destination.
func (t *Transfer) endpoint() *contact.Endpoint {
	g := t.Goal
	switch {
	case g.Callee.Person != nil:
		return &contact.Endpoint{Type: contact.VoIP, Address: g.Callee.Person.Username, DisplayName: g.Callee.Person.DisplayName}
	case g.Callee.Number != "":
		return &contact.Endpoint{Type: contact.TelephoneNumber, Address: g.Callee.Number}
	case g.FlowID != "" && g.Number == "":
		return &contact.Endpoint{Type: contact.ContactFlow, Address: g.FlowID}
	case g.Queue.ID != "":
		return &contact.Endpoint{Type: contact.VoIP, Address: g.Queue.ID, DisplayName: g.Queue.Name}
	}
	return &contact.Endpoint{Type: contact.TelephoneNumber, Address: t.Target}
}

// proceed: it is known whom the transfer is for.
func (s *step) proceed(g resolved) {
	t := &s.Transfer
	t.Goal, t.Callee = g, g.Callee
	switch {
	case g.FlowID != "":
		s.transferToFlow(g)
	case g.Queue.ID == "":
		s.dialTarget()
	case t.By == s.Customer || s.kept() != s.Customer: // a called user sends the caller on, or a conference
		if g.Callee.Person == nil {
			s.transferFailed(403, "only the customer of a contact can be put in a queue")
			return
		}
		s.dialTarget()
	default:
		t.Steered, t.Was, s.Target = true, s.Target, g.Queue
		if by := s.party(t.By); by == nil || by.Stage != partyUp {
			s.withoutFlow()
			return
		}
		kind := FlowQueueTransfer
		if g.Callee.Person != nil {
			kind = FlowAgentTransfer
		}
		s.HoldFlow[ofAgent] = false // its place is taken
		s.run(ofAgent, kind, g.Transfer)
		t.Flow, t.Ran = s.Flow[ofAgent], s.Flow[ofAgent]
	}
}

// dialTarget rings the other end itself.
func (s *step) dialTarget() {
	t := &s.Transfer
	t.Flow, t.Asks = 0, false
	t.To = s.forward(t.Callee, s.kept(), t.Who.ID)
	s.Rang = s.now
	s.release()
}

// release lets the agent of a blind transfer go, unless a REFER wants to hear how it comes out.
func (s *step) release() {
	t := &s.Transfer
	if by := s.party(t.By); by != nil && by.Stage == partyUp && !t.Owed && !t.Consult {
		s.transferorLeft(by)
	}
}

// isTransferFlow reports whether a generation is that of the transfer flow that runs.
func (s *step) isTransferFlow(gen int) bool {
	return gen != 0 && s.Phase == PhaseTransferring && s.Transfer.Flow == gen && s.Flow[ofAgent] == gen
}

// withoutFlow does what a transfer flow would do that only transfers: there is none, or its listener has hung up.
func (s *step) withoutFlow() {
	id := s.NextID
	s.NextID, s.Transfer.Flow = "", 0
	if p := s.Transfer.Goal.Callee.Person; p != nil {
		s.Transfer.Asks, s.Transfer.NewID = true, id
		s.do(findAgent{Gen: s.Transfer.Gen, UserID: p.ID})
		return
	}
	s.putInLine(id, false)
}

// transferToQueue: the transfer flow wants its target queue.
func (s *step) transferToQueue(newID string) {
	switch {
	case s.Target.ID == "" || newID == "":
		s.do(replyFlow{For: ofAgent, Err: errBusy("no working queue is set")})
	case s.Aside.Stage != asideNone || s.Transfer.Asks || s.Transfer.To != 0:
		s.do(replyFlow{For: ofAgent, Err: errBusy("the contact is being transferred already")})
	default:
		s.putInLine(s.nextID(newID), false)
	}
}

// nextID is the id for the next segment: the one that is ready, else another.
func (s *step) nextID(other string) string {
	id := cmp.Or(s.NextID, other)
	s.NextID = ""
	return id
}

// transferOutward: the transfer flow wants a number.
func (s *step) transferOutward(o Outcall) {
	if o.Resume || s.Aside.Stage != asideNone || s.Transfer.Asks {
		s.do(replyFlow{For: ofAgent, Err: errBusy("a transfer flow cannot go on after a call")})
		return
	}
	c := Callee{Number: o.Number, FromNumber: o.FromNumber, FromName: o.FromName}
	if c.FromNumber == "" {
		c.FromNumber, c.FromName = s.Record.SystemEndpoint.Address, s.Record.SystemEndpoint.DisplayName
	}
	s.Transfer.Goal, s.Transfer.Callee = resolved{Callee: c}, c
	s.do(replyFlow{For: ofAgent})
	s.dialTarget()
}

// agentAsked: the transfer flow wants the agent.
func (s *step) agentAsked(e agentAsked) {
	t := &s.Transfer
	switch {
	case !s.isTransferFlow(e.Gen):
		s.refuseFlow(e.Gen, errBusy("only a transfer flow can hand the contact to an agent"))
	case t.Goal.Callee.Person == nil:
		s.do(replyFlow{For: ofAgent, Err: errBusy("the transfer is not for an agent")})
	case t.Asks || s.Aside.Stage != asideNone || t.To != 0:
		s.do(replyFlow{For: ofAgent, Err: errBusy("the contact is being transferred already")})
	default:
		t.Asks, t.NewID = true, s.nextID(e.NewID)
		s.do(findAgent{Gen: t.Gen, UserID: t.Goal.Callee.Person.ID})
	}
}

// agentFound: the agent is offered the contact, or rung, or cannot be had.
func (s *step) agentFound(e agentFound) {
	t := &s.Transfer
	if s.Phase != PhaseTransferring || e.Gen != t.Gen || !t.Asks {
		return
	}
	t.Asks = false
	flow := t.Flow != 0 && t.Flow == s.Flow[ofAgent]
	switch {
	case e.Err != nil && flow: // it says so, and comes to its end
		s.do(replyFlow{For: ofAgent, Err: e.Err})
	case e.Err != nil:
		s.transferFailed(486, e.Err.Error())
	case e.Routed:
		s.Target = t.Goal.Queue
		s.putInLine(t.NewID, true)
	default:
		if flow {
			s.do(replyFlow{For: ofAgent})
		}
		s.dialTarget()
	}
}

// transferFlowDone: the transfer flow is over, and nothing that it asked for is on the way.
func (s *step) transferFlowDone(e flowDone) {
	t := &s.Transfer
	if s.Phase != PhaseTransferring || t.Flow != e.Gen {
		return
	}
	t.Flow = 0
	switch {
	case t.Asks || s.Aside.Stage != asideNone: // the answer comes still
	case e.Outcome == FlowNone:
		s.withoutFlow()
	default:
		s.transferFailed(480, "the transfer flow came to its end without a transfer")
	}
}

// goesOnAlone: the agent has hung up during a transfer, which is none the less wanted.
func (s *step) goesOnAlone() {
	t := &s.Transfer
	flow := t.Flow != 0
	t.Flow, t.Consult = 0, false
	if c := s.party(s.Customer); c != nil {
		c.OnHold = false
	}
	switch {
	case s.Aside.Stage == asideQueued && !s.Aside.Direct:
		s.joinLine()
	case s.Aside.Stage == asideGreets:
		s.joinAside()
	case flow && !t.Asks && s.Aside.Stage == asideNone:
		s.withoutFlow()
	}
}

// inform tells whoever asked by REFER how it goes.
func (s *step) inform(t Transfer, code int, reason string) {
	if t.Owed {
		s.do(notify{Party: t.By, Code: code, Reason: reason})
	}
}

// endTransfer forgets the transfer, and ends its flow.
func (s *step) endTransfer() {
	t := s.Transfer
	if t.Ran != 0 && s.Flow[ofAgent] == t.Ran {
		s.stopFlow(ofAgent)
	}
	if t.Steered {
		s.Target = t.Was
	}
	s.Transfer = Transfer{}
}

// consults: whom the agent wanted to talk with is there. The customer goes on waiting.
func (s *step) consults(t Transfer) {
	s.tell("consulting", "%s talks with %s", t.Who.Username, s.party(t.To).Address.Address)
	s.startTape()
	s.save()
}

// cancelConsultation: the agent wants the customer back before the other end is there.
func (s *step) cancelConsultation() {
	s.Transfer.Held = false
	s.transferFailed(487, "taken back")
}

// resume takes the customer off hold.
func (s *step) resume() {
	if c := s.party(s.Customer); c != nil {
		c.OnHold = false
	}
}

// asker is the party whose keys a transfer flow reads; 0: none runs.
func (s *State) asker() int {
	if s.Phase == PhaseTransferring && s.Transfer.Flow != 0 {
		return s.Transfer.By
	}
	return 0
}

// destination is the user whom a transfer is for, or who has been reserved for it.
func (s *State) destination() string {
	switch p := s.Transfer.Goal.Callee.Person; {
	case s.Aside.Offer.ID != "":
		return s.Aside.Offer.Agent.ID
	case p != nil:
		return p.ID
	}
	return ""
}

// partyOfUser finds a user among the parties.
func (s *State) partyOfUser(id string) *Party {
	for i := range s.Parties {
		if p := &s.Parties[i]; id != "" && p.Person.ID == id && p.Stage != partyGone {
			return p
		}
	}
	return nil
}

// heir is who talks on with the customer when the agent has left: whoever was brought in, else a supervisor who has
// joined; 0 if there is nobody.
func (s *State) heir() int {
	if id := s.another(s.AgentGen); id != 0 {
		return id
	}
	for i := range s.Parties {
		if p := &s.Parties[i]; p.Stage == partyUp && p.Role == RoleSupervisor && p.Hears == Speaker && p.ID != s.AgentGen {
			return p.ID
		}
	}
	return 0
}

// inherit gives the contact to the one who talks on, as a new segment.
func (s *step) inherit(id int) {
	p := s.party(id)
	if p.Role == RoleSupervisor {
		s.Reason = contact.Barged
	}
	to := p.Address
	s.tell("agent left", "%s talks on", to.Address)
	s.stopTape()
	s.agentPartOver()
	s.Record.TransferCompletedTimestamp, s.Record.TransferredTo = s.now, &to
	s.nextSegment(segment{Method: contact.Transfer, FlowID: s.Record.FlowID})
	s.becomesAgent(id)
	if p = s.party(id); p.Person.ID != "" {
		s.Record.Agent = agentInfo(p.Person, s.now, s.now, s.now)
	}
	s.startTape()
	s.save()
}
