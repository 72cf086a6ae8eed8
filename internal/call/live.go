package call

import "ullim/internal/contact"

// TapeState is what becomes of what is said.
type TapeState string

// States of a recording.
const (
	TapeOff       TapeState = "OFF"
	TapeOn        TapeState = "ON"
	TapeSuspended TapeState = "SUSPENDED" // silence is written
)

// Live is a call as those must see it who serve in it. It is shared with everybody who asks: do not change it.
type Live struct {
	Record  *contact.Record
	Parties []Participant // without Quality
	Offer   Offer         // the one that rings or was accepted; its ID is empty if there is none
	Tape    TapeState
	Ending  bool // the talk is over, the record is not complete yet
}

// Live is a contact that is a call of this process. ok is false if it is none, or another instance's.
func (m *Manager) Live(instanceID, contactID string) (v Live, ok bool) {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return v, false
	}
	s := a.snapshot.Load()
	v = Live{Record: s.Record, Offer: s.Offer, Tape: TapeOff, Ending: s.Phase >= PhaseEnding}
	switch {
	case s.Taped && (s.Paused || s.Secret):
		v.Tape = TapeSuspended
	case s.Taped:
		v.Tape = TapeOn
	}
	v.Parties = make([]Participant, 0, len(s.Parties))
	for i := range s.Parties {
		if p := &s.Parties[i]; p.Stage != partyGone {
			v.Parties = append(v.Parties, p.shown())
		}
	}
	return v, true
}

// shown is a party as others see them.
func (p *Party) shown() Participant {
	return Participant{
		ID: p.ID, Role: p.Role, Hears: p.Hears, State: p.Stage.String(), UserID: p.Person.ID, Address: p.Address.Address,
		Held: p.Held, OnHold: p.OnHold, Muted: p.Muted, Customer: p.Role == RoleCustomer,
	}
}

// tellUsers tells of the users who are in the call that something may look different now.
func (a *actor) tellUsers() {
	for i := range a.state.Parties {
		if p := &a.state.Parties[i]; p.Person.ID != "" {
			a.m.o.Changed(p.Person.ID)
		}
	}
}
