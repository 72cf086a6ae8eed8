package call

import (
	"context"
	"strings"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Participant is somebody in a contact, as the API shows them. ID names them in the other operations; it is never used
// twice in a contact.
type Participant struct {
	ID       int
	Role     PartyRole
	Hears    Role
	State    string
	UserID   string
	Address  string
	Held     bool // they have put us on hold
	OnHold   bool // we have put them on hold
	Muted    bool
	Customer bool             // the contact is about this one
	Quality  *contact.Quality // of the leg so far; nil: it has no media yet
}

// Participants are those in a live contact. errs.NotFound: the contact is not live, or another instance's.
func (m *Manager) Participants(instanceID, contactID string) ([]Participant, error) {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return nil, err
	}
	s := a.snapshot.Load()
	out := make([]Participant, 0, len(s.Parties))
	sound := make(map[int]*contact.Quality, len(s.lines))
	for _, l := range s.lines {
		l.mu.Lock()
		owner, party := l.owner, l.party
		l.mu.Unlock()
		if owner == a && l.media != nil {
			q := l.media.Stats()
			sound[party] = &q
		}
	}
	for i := range s.Parties {
		p := &s.Parties[i]
		if p.Stage == partyGone {
			continue
		}
		one := p.shown()
		one.Quality = sound[p.ID]
		out = append(out, one)
	}
	return out, nil
}

// Invitation is somebody to be brought into a contact: a user, or a number outside.
type Invitation struct {
	By         string // the user on whose behalf a number is called
	UserID     string
	Number     string
	Supervisor bool // listens, coaches or barges in; else a third party
	Barges     bool // of a supervisor who listens: may join later
	Hears      Role
}

// Invite rings somebody who is to join a contact while customer and agent talk. It returns when they ring, or why not:
// errs.Limit (six are in it), errs.InvalidRequest (nobody talks), errs.NotFound, errs.Denied.
func (m *Manager) Invite(ctx context.Context, instanceID, contactID string, i Invitation) error {
	e := inviteAsked{Hears: i.Hears, Monitor: i.Supervisor, Barges: i.Barges || i.Hears == Speaker}
	if i.UserID != "" {
		p, ok := m.o.People.User(i.UserID)
		if !ok || p.InstanceID != instanceID {
			return errs.New(errs.NotFound, "no user %s", i.UserID)
		}
		e.Callee.Person = &p
	} else {
		callee, err := m.o.People.Find(i.By, i.Number)
		if err != nil {
			return err
		}
		if inst, ok := m.o.Instances(instanceID); callee.Person == nil && (!ok || !inst.Outbound) {
			return errs.New(errs.Denied, "the instance places no calls")
		}
		e.Callee = callee
	}
	return m.ask(ctx, instanceID, contactID, e)
}

// Remove sends somebody out of a contact who was brought in.
func (m *Manager) Remove(ctx context.Context, instanceID, contactID string, participant int) error {
	return m.ask(ctx, instanceID, contactID, removeAsked{Party: participant})
}

// Hold puts a participant on hold, or resumes them: they hear the hold flow, and nobody hears them.
func (m *Manager) Hold(ctx context.Context, instanceID, contactID string, participant int, on bool) error {
	return m.ask(ctx, instanceID, contactID, holdAsked{Party: participant, On: on})
}

// Mute lets nobody hear a participant, or everybody again.
func (m *Manager) Mute(ctx context.Context, instanceID, contactID string, participant int, on bool) error {
	return m.ask(ctx, instanceID, contactID, muteAsked{Party: participant, On: on})
}

// Tape starts, stops, suspends or resumes the recording of a contact.
func (m *Manager) Tape(ctx context.Context, instanceID, contactID string, do TapeAction) error {
	return m.ask(ctx, instanceID, contactID, tapeAsked{Do: do})
}

// SendDigits sends keys to a participant, as their far end takes them.
func (m *Manager) SendDigits(instanceID, contactID string, participant int, digits string) error {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return err
	}
	for i, d := range []byte(digits) {
		if !strings.ContainsRune("0123456789*#ABCD", rune(d)) {
			return errs.Field("Digits", "must be 0 to 9, *, # or A to D; character %d is not", i+1)
		}
	}
	if digits == "" || len(digits) > digitsSize {
		return errs.Field("Digits", "must be 1 to %d keys", digitsSize)
	}
	if p := partyOf(a.snapshot.Load().Parties, participant); p == nil || p.Stage != partyUp {
		return errs.New(errs.NotFound, "nobody with this number is in the call")
	}
	a.post(askDigits{participant, digits})
	return nil
}

// askDigits sends keys to a party.
type askDigits struct {
	party  int
	digits string
}

func (askDigits) isEvent() {}

func (m *Manager) live(instanceID, contactID string) (*actor, error) {
	if a := m.find(contactID); a != nil && a.snapshot.Load().Record.InstanceID == instanceID {
		return a, nil
	}
	return nil, errs.New(errs.NotFound, "no contact %s is in progress", contactID)
}

// ask posts an event and waits for how it was taken.
func (m *Manager) ask(ctx context.Context, instanceID, contactID string, e Event) error {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return err
	}
	over := errs.New(errs.NotFound, "no contact %s is in progress", contactID)
	answer := make(chan error, 1)
	if !a.post(askEvent{event: e, reply: answer}) {
		return over
	}
	select {
	case err = <-answer:
		if err == ErrLeft { //nolint:errorlint // exactly this one is sent
			return over
		}
		return err
	case <-a.done:
		return over
	case <-ctx.Done():
		return ctx.Err()
	}
}
