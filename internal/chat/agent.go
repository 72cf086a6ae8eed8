package chat

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Offer brings an agent whom the ACD has reserved for a contact.
func (m *Manager) Offer(instanceID string, o Offer) {
	a, err := m.contact(instanceID, o.ContactID)
	if err == nil && a.post(Event{Kind: EvOffer, Offer: &o}) {
		return
	}
	m.o.Queues.OfferResult(instanceID, o.ID, OfferCallerLeft)
}

// Keeps reports whether a contact is with the agent of an offer: after a restart the ACD asks before it frees anybody.
func (m *Manager) Keeps(contactID, offerID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.segments[contactID]
	if a == nil {
		return false
	}
	s := a.snap.Load()
	return s.Phase == Talking && s.Offer != nil && s.Offer.ID == offerID
}

// AgentContact is a contact in an agent's hands.
type AgentContact struct {
	ContactID, InitialContactID string
	Channel                     contact.Channel
	Offered                     bool // waits to be accepted, until Until
	Until                       time.Time
	Since                       time.Time
	QueueID                     string
	Name, Description           string
	CustomerName                string
	Attributes                  map[string]string
	References                  map[string]contact.Reference
	ParticipantID               string
}

// AgentContacts are the chats and tasks that an agent is offered or has, oldest first.
func (m *Manager) AgentContacts(instanceID, userID string) []AgentContact {
	m.mu.Lock()
	all := make([]*State, 0, len(m.chats))
	for _, a := range m.chats {
		if s := a.snap.Load(); s.InstanceID == instanceID && s.Offer != nil && s.Offer.Agent.ID == userID {
			all = append(all, s)
		}
	}
	m.mu.Unlock()
	out := []AgentContact{}
	for _, s := range all {
		out = append(out, s.agentContact(userID))
	}
	slices.SortFunc(out, func(a, b AgentContact) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ContactID, b.ContactID))
	})
	return out
}

// Credentials let a participant connect.
type Credentials struct {
	ParticipantID, Token string
	Expires              time.Time
}

// Accept is an agent who takes what they are offered. Asked again it gives a new token, so that a panel that was
// reloaded goes on.
func (m *Manager) Accept(ctx context.Context, instanceID, contactID, userID string) (Credentials, error) {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return Credentials{}, err
	}
	if _, err = a.ask(ctx, Event{Kind: EvAccept, UserID: userID}); err != nil {
		return Credentials{}, err
	}
	s := a.snap.Load()
	p := s.AgentPresent(userID)
	if p == nil {
		return Credentials{}, errs.New(errs.InvalidRequest, "the agent has left the contact")
	}
	return m.credentials(ctx, s, p)
}

func (m *Manager) credentials(ctx context.Context, s *State, p *Participant) (Credentials, error) {
	token, err := m.newToken(ctx, Token{Kind: TokenParticipant, ChatID: s.ID, ParticipantID: p.ID, Expires: s.Expires})
	return Credentials{p.ID, token, s.Expires}, err
}

// Reject is an agent who does not take what they are offered.
func (m *Manager) Reject(ctx context.Context, instanceID, contactID, userID string) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, Event{Kind: EvReject, UserID: userID})
	return err
}

// Complete is an agent who has done with a contact: a task is over, a chat goes to its disconnect flow.
func (m *Manager) Complete(ctx context.Context, instanceID, contactID, userID string) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	p := a.snap.Load().AgentPresent(userID)
	if p == nil {
		return errs.New(errs.InvalidRequest, "the agent is not in the contact")
	}
	_, err = a.ask(ctx, Event{Kind: EvLeave, ParticipantID: p.ID})
	return err
}

// Stop ends a contact by the API.
func (m *Manager) Stop(ctx context.Context, instanceID, contactID, detail string) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, Event{Kind: EvStop, Reason: contact.Other, Detail: cmp.Or(detail, "stopped through the API")})
	return err
}

// SetTimers changes the rules for silence of a chat.
func (m *Manager) SetTimers(ctx context.Context, instanceID, contactID string, timers []Timer) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, Event{Kind: EvTimers, Timers: timers})
	return err
}

// AddParticipant lets somebody else into a chat: a bot of the house, or a supervisor.
func (m *Manager) AddParticipant(ctx context.Context, instanceID, contactID string, role Role, name string) (Credentials, error) {
	if role != CustomBot && role != Supervisor {
		return Credentials{}, errs.Field("ParticipantRole", "must be CUSTOM_BOT or SUPERVISOR: customers come by StartChatContact, agents by their offers")
	}
	if err := checkName(name); err != nil {
		return Credentials{}, err
	}
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return Credentials{}, err
	}
	p := Participant{ID: m.o.NewID(), Role: role, DisplayName: name}
	if _, err = a.ask(ctx, Event{Kind: EvAdd, Participant: &p}); err != nil {
		return Credentials{}, err
	}
	return m.credentials(ctx, a.snap.Load(), &p)
}
