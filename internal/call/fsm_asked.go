package call

import "ullim/internal/errs"

// asked does what somebody outside the call wants with it, and says how that went.
func (s *step) asked(e Event) {
	var err error
	switch e := e.(type) {
	case inviteAsked:
		err = s.inviteAsked(e)
	case transferAsked:
		err = s.transferAsked(e)
	case leaveAsked:
		err = s.leaveAsked(e.User)
	case declineAsked:
		err = s.declineAsked(e.User)
	case superviseAsked:
		err = s.superviseAsked(e)
	case holdAsked:
		err = s.holdAsked(e)
	case muteAsked:
		var p *Party
		if p, err = s.addressed(e.Party); err == nil {
			p.Muted = e.On
		}
	case removeAsked:
		err = s.removeAsked(e.Party)
	case tapeAsked:
		err = s.tapeAsked(e.Do)
	}
	s.do(reply{err})
}

// addressed finds the party that something is wanted of.
func (s *step) addressed(id int) (*Party, error) {
	p := s.party(id)
	switch {
	case p == nil || p.Stage == partyGone:
		return nil, errs.New(errs.NotFound, "nobody with this number is in the call")
	case p.Stage != partyUp || s.Phase != PhaseTalking:
		return nil, errBusy("the contact is %s: hold and mute are for a talk", s.Phase)
	}
	return p, nil
}

// inviteAsked brings somebody in: a third party, or a supervisor.
func (s *step) inviteAsked(e inviteAsked) error {
	switch {
	case s.Phase != PhaseTalking:
		return errBusy("the contact is %s: somebody can be brought in while customer and agent talk", s.Phase)
	case !e.Monitor && s.count(false) >= maxParties:
		return errs.New(errs.Limit, "%d are in the call, which is the limit", maxParties)
	case e.Monitor && s.count(true) >= maxSupervisors:
		return errs.New(errs.Limit, "%d supervise the call, which is the limit", maxSupervisors)
	case e.Callee.Person != nil && s.partyOfUser(e.Callee.Person.ID) != nil:
		return errBusy("%s is in the call already", e.Callee.Person.Username)
	}
	role := RoleThird
	if e.Monitor {
		role = RoleSupervisor
	}
	id := s.call(e.Callee, role, e.Hears, s.Customer, "")
	s.party(id).Barges = e.Monitor && e.Barges
	s.tell("invited", "%s %s", role, s.party(id).Address.Address)
	return nil
}

// removeAsked sends somebody out again who was brought in.
func (s *step) removeAsked(id int) error {
	p := s.party(id)
	switch {
	case p == nil || p.Stage == partyGone:
		return errs.New(errs.NotFound, "nobody with this number is in the call")
	case s.Transfer.Consult && p.ID == s.Transfer.To && s.Phase == PhaseTransferring:
		s.cancelConsultation()
		return nil
	case p.ID == s.Customer || p.ID == s.AgentGen || p.ID == s.Transfer.By || p.ID == s.Transfer.To || p.Stage == partyLent:
		return errBusy("only who was brought in can be removed")
	}
	if s.Phase == PhaseOutward && id == s.Outward.To {
		s.outwardEnded(p, LegEvent{Kind: LegEnded, Cause: CauseLocal, Text: "removed"})
		return nil
	}
	s.leaves(id, "removed")
	return nil
}

// leaveAsked: somebody wants a user's own leg ended.
type leaveAsked struct{ User string }

// declineAsked: a user does not want what rings at their devices.
type declineAsked struct{ User string }

// superviseAsked: a supervisor wants to listen, to coach or to join.
type superviseAsked struct {
	User  string
	Hears Role
}

func (leaveAsked) isEvent()     {}
func (declineAsked) isEvent()   {}
func (superviseAsked) isEvent() {}

// holdAsked puts a party on hold, or takes it off. An agent who takes the customer back while a consultation is on its way
// ends that.
func (s *step) holdAsked(e holdAsked) error {
	if s.Phase == PhaseTransferring && s.Transfer.Consult && e.Party == s.Customer && !e.On && !e.ByFlow {
		s.cancelConsultation()
		return nil
	}
	p, err := s.addressed(e.Party)
	if err == nil {
		p.OnHold, p.ByFlow = e.On, e.On && e.ByFlow
	}
	return err
}

// leaveAsked ends a user's leg as if they had hung up.
func (s *step) leaveAsked(user string) error {
	p := s.partyOfUser(user)
	switch {
	case p == nil || p.Stage == partyLent:
		return errs.New(errs.NotFound, "user %s is not in the contact", user)
	case p.Stage == partyDialled || p.Stage == partyRinging:
		return s.declineAsked(user)
	}
	s.ended(p, LegEvent{Kind: LegEnded, Cause: CauseBye, Text: "left"})
	s.drop(p.ID, "") // whatever became of the others
	return nil
}

// declineAsked refuses what rings at a user's devices.
func (s *step) declineAsked(user string) error {
	p := s.partyOfUser(user)
	if p == nil || p.Stage != partyDialled && p.Stage != partyRinging {
		return errs.New(errs.NotFound, "nothing rings for user %s", user)
	}
	id := p.ID
	s.ended(p, LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 603, Text: "declined"})
	s.drop(id, "declined")
	return nil
}

// superviseAsked changes what a supervisor does.
func (s *step) superviseAsked(e superviseAsked) error {
	p := s.partyOfUser(e.User)
	switch {
	case p == nil || p.Role != RoleSupervisor:
		return errs.New(errs.NotFound, "user %s does not supervise the contact", e.User)
	case e.Hears == Speaker && !p.Barges:
		return errs.New(errs.Denied, "user %s may only listen", e.User)
	}
	p.Hears = e.Hears
	s.tell("supervisor", "%s: %s", p.Person.Username, [...]string{"joins", "listens", "coaches"}[e.Hears])
	return nil
}
