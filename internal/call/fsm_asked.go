package call

import "ullim/internal/errs"

// asked does what somebody outside the call wants with it, and says how that went.
func (s *step) asked(e Event) {
	var err error
	switch e := e.(type) {
	case inviteAsked:
		err = s.inviteAsked(e)
	case holdAsked:
		var p *Party
		if p, err = s.addressed(e.Party); err == nil {
			p.OnHold = e.On
		}
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
	case s.count() >= maxParties:
		return errs.New(errs.Limit, "%d are in the call, which is the limit", maxParties)
	}
	role := RoleThird
	if e.Monitor {
		role = RoleSupervisor
	}
	id := s.call(e.Callee, role, e.Hears, s.Customer, "")
	s.tell("invited", "%s %s", role, s.party(id).Address.Address)
	return nil
}

// removeAsked sends somebody out again who was brought in.
func (s *step) removeAsked(id int) error {
	p := s.party(id)
	switch {
	case p == nil || p.Stage == partyGone:
		return errs.New(errs.NotFound, "nobody with this number is in the call")
	case p.ID == s.Customer || p.ID == s.AgentGen || p.ID == s.Transfer.By || p.ID == s.Transfer.To || p.Stage == partyLent:
		return errBusy("only who was brought in can be removed")
	}
	if s.Phase == PhaseOutward && id == s.Outward.To {
		s.outwardEnded(p, LegEvent{Kind: LegEnded, Cause: CauseLocal, Text: "removed"})
		return nil
	}
	s.do(stopTimer{Timer: TimerRing, Gen: id})
	s.drop(id, "removed")
	return nil
}
