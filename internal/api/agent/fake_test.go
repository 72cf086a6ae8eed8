package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

const ours = "i1"

// fakeWorld is everything around the channel, in memory. It notes what it is asked to do.
type fakeWorld struct {
	mu       sync.Mutex
	agents   map[string]acd.AgentSnapshot
	live     map[string]call.Live
	own      map[string][]string
	chats    map[string]chat.AgentContact
	records  map[string]*contact.Record
	setups   map[string]Setup
	asked    []string
	err      error         // of the next things that are asked
	slow     chan struct{} // if not nil, what is asked waits for it
	sessions map[string]identity.Session
	allowed  map[string]map[string]bool // permissions by user
	commands map[string]*noted
	away     error // of the store
}

type noted struct {
	digest string
	answer []byte
}

func newFakeWorld(users ...string) *fakeWorld {
	w := &fakeWorld{
		agents: map[string]acd.AgentSnapshot{}, live: map[string]call.Live{}, own: map[string][]string{}, chats: map[string]chat.AgentContact{},
		records: map[string]*contact.Record{}, setups: map[string]Setup{}, sessions: map[string]identity.Session{},
		allowed: map[string]map[string]bool{}, commands: map[string]*noted{},
	}
	for _, id := range users {
		w.agents[id] = acd.AgentSnapshot{
			Agent: acd.Agent{UserID: id, Username: id}, StatusID: "s1", StatusName: "Available", StatusType: acd.Routable,
			StatusSince: time.Unix(1_800_000_000, 0), MaxSlots: map[contact.Channel]int{contact.Voice: 1},
		}
		w.setups[id] = Setup{
			Agent: Agent{UserID: id, Username: id, InstanceID: ours},
			QuickConnects: map[string][]QuickConnect{"q1": {
				{ID: "qc1", Name: "Kim", Type: "USER", UserID: "u9", FlowID: "f1"},
				{ID: "qc2", Name: "Menu", Type: "FLOW", FlowID: "f2"},
				{ID: "qc3", Name: "Outside", Type: "PHONE_NUMBER", Number: "+8215778000"},
			}},
		}
		w.allowed[id] = map[string]bool{identity.BasicAgentAccess: true, identity.OutboundCallAccess: true}
	}
	return w
}

// service makes a Service over the world.
func (w *fakeWorld) service(t testing.TB) *Service {
	t.Helper()
	s, err := New(Options{
		Routing: w, Calls: w, Moves: moves{w}, Chats: texts{w}, Contacts: w, Directory: w, Sessions: people{w}, Auth: keyAuth{w}, Journal: w, Paper: w, Manual: w,
		Origins: []string{"panel.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// note remembers what was asked, and waits and fails as the test wants.
func (w *fakeWorld) note(format string, args ...any) error {
	w.mu.Lock()
	slow, err := w.slow, w.err
	w.asked = append(w.asked, fmt.Sprintf(format, args...))
	w.mu.Unlock()
	if slow != nil {
		<-slow
	}
	return err
}

func (w *fakeWorld) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *fakeWorld) notes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// talk gives an agent a call of a queue.
func (w *fakeWorld) talk(userID, contactID string, state acd.SlotState) {
	now := time.Unix(1_800_000_100, 0)
	w.change(func() {
		a := w.agents[userID]
		a.Slots = append(slices.Clone(a.Slots), acd.Slot{
			OfferID: "o" + contactID, ContactID: contactID, QueueID: "q1", Channel: contact.Voice, State: state, Since: now, Started: now,
		})
		w.agents[userID] = a
		w.live[contactID] = call.Live{
			Record: &contact.Record{ID: contactID, InstanceID: ours, Channel: contact.Voice, Queue: &contact.QueueInfo{ID: "q1", Name: "Sales"}},
			Parties: []call.Participant{
				{ID: -1, Role: call.RoleCustomer, State: "CONNECTED", Customer: true, Address: "+821012345678"},
				{ID: 2, Role: call.RoleAgent, State: "CONNECTED", UserID: userID},
			},
			Tape: call.TapeOff,
		}
	})
}

func (w *fakeWorld) Agent(_, userID string) (acd.AgentSnapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.agents[userID]
	if !ok {
		return a, errs.New(errs.NotFound, "no user %s", userID)
	}
	return a, nil
}

func (w *fakeWorld) SetStatus(_ context.Context, _, userID, statusID string) error {
	if err := w.note("status %s %s", userID, statusID); err != nil {
		return err
	}
	w.change(func() {
		a := w.agents[userID]
		a.StatusID, a.StatusName = statusID, "Status "+statusID
		w.agents[userID] = a
	})
	return nil
}

func (w *fakeWorld) Dismiss(_ context.Context, _, userID, contactID string) error {
	return w.note("dismiss %s %s", userID, contactID)
}

func (w *fakeWorld) Pick(_ context.Context, _, userID, contactID string) error {
	return w.note("pick %s %s", userID, contactID)
}

func (w *fakeWorld) Pickable(_, _ string, _ int) []acd.WaitingSnapshot {
	return []acd.WaitingSnapshot{{Waiting: acd.Waiting{ContactID: "waits", QueueID: "q3"}, QueueName: "Manual", Position: 1}}
}

func (w *fakeWorld) Live(_, contactID string) (call.Live, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.live[contactID]
	return l, ok
}

func (w *fakeWorld) OwnContacts(userID string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.own[userID])
}

func (w *fakeWorld) Hold(_ context.Context, _, contactID string, participant int, on bool) error {
	if err := w.note("hold %s %d %v", contactID, participant, on); err != nil {
		return err
	}
	w.change(func() {
		l := w.live[contactID]
		l.Parties = slices.Clone(l.Parties)
		for i := range l.Parties {
			if l.Parties[i].ID == participant {
				l.Parties[i].OnHold = on
			}
		}
		w.live[contactID] = l
	})
	return nil
}

func (w *fakeWorld) Mute(_ context.Context, _, contactID string, participant int, on bool) error {
	return w.note("mute %s %d %v", contactID, participant, on)
}

func (w *fakeWorld) SendDigits(_, contactID string, participant int, digits string) error {
	return w.note("digits %s %d %s", contactID, participant, digits)
}

func (w *fakeWorld) Tape(_ context.Context, _, contactID string, do call.TapeAction) error {
	return w.note("tape %s %d", contactID, do)
}

func (w *fakeWorld) Invite(_ context.Context, _, contactID string, i call.Invitation) error {
	return w.note("invite %s %+v", contactID, i)
}

func (w *fakeWorld) Remove(_ context.Context, _, contactID string, participant int) error {
	return w.note("remove %s %d", contactID, participant)
}

func (w *fakeWorld) Contact(_ context.Context, _, id string) (*contact.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.records[id]; r != nil {
		return r, nil
	}
	return nil, errs.New(errs.NotFound, "no contact")
}

func (w *fakeWorld) SetDisposition(_ context.Context, _, contactID, userID, code string) error {
	return w.note("disposition %s %s %s", contactID, userID, code)
}

func (w *fakeWorld) SetNotes(_ context.Context, _, contactID, userID, notes string) error {
	return w.note("notes %s %s %s", contactID, userID, notes)
}

func (w *fakeWorld) Setup(_, userID string) (Setup, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.setups[userID]
	if !ok {
		return s, errs.New(errs.NotFound, "no user %s", userID)
	}
	return s, nil
}

// moves are what calls do beside what w does: both have a method Leave in real life too.
type moves struct{ w *fakeWorld }

func (m moves) Transfer(_ context.Context, _, contactID, by string, to call.Destination) error {
	return m.w.note("transfer %s %s %+v", contactID, by, to)
}

func (m moves) Consult(_ context.Context, _, contactID, by string, to call.Destination) error {
	return m.w.note("consult %s %s %+v", contactID, by, to)
}

func (m moves) Leave(_ context.Context, _, contactID, userID string) error {
	return m.w.note("leave %s %s", contactID, userID)
}

func (m moves) Dial(_ context.Context, _, userID string, d call.Dial) (string, error) {
	return "dialled", m.w.note("dial %s %+v", userID, d)
}

func (m moves) Decline(_ context.Context, _, contactID, userID string) error {
	return m.w.note("decline %s %s", contactID, userID)
}

func (m moves) Supervise(_ context.Context, _, contactID, userID string, hears call.Role) error {
	return m.w.note("supervise %s %s %d", contactID, userID, hears)
}

// texts are chats and tasks.
type texts struct{ w *fakeWorld }

func (c texts) Serving(_, contactID, _ string) (chat.AgentContact, bool) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	v, ok := c.w.chats[contactID]
	return v, ok
}

func (c texts) Accept(_ context.Context, _, contactID, userID string) (chat.Credentials, error) {
	return chat.Credentials{ParticipantID: "p1", Token: "secret"}, c.w.note("accept %s %s", contactID, userID)
}

func (c texts) Reject(_ context.Context, _, contactID, userID string) error {
	return c.w.note("reject %s %s", contactID, userID)
}

func (c texts) Complete(_ context.Context, _, contactID, userID string) error {
	return c.w.note("complete %s %s", contactID, userID)
}

// Sessions: the token of a user is "uls_" and the user's id.
func (w *fakeWorld) SignIn(_ context.Context, source string, l identity.Login) (string, identity.Session, *identity.Principal, error) {
	refused := errs.Wrap(identity.ErrSignIn, errs.Unauthenticated, "no")
	if l.Password != "Passw0rd-ok" {
		return "", identity.Session{}, nil, refused
	}
	token := "uls_" + l.Username
	session := identity.Session{
		TokenSHA256: identity.TokenHash(token), InstanceID: ours, UserID: l.Username, Source: source, Created: time.Now(), Used: time.Now(),
	}
	p, err := w.principal(l.Username)
	if err != nil {
		return "", session, nil, refused
	}
	w.change(func() { w.sessions[session.TokenSHA256] = session })
	return token, session, p, nil
}

func (w *fakeWorld) principal(userID string) (*identity.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.allowed[userID] == nil {
		return nil, errs.Wrap(identity.ErrSession, errs.Unauthenticated, "no such user")
	}
	return &identity.Principal{InstanceID: ours, UserID: userID, Username: userID, Permissions: maps.Clone(w.allowed[userID])}, nil
}

func (w *fakeWorld) signIn(users ...string) {
	for _, u := range users {
		_, _, _, _ = w.SignIn(context.Background(), "test", identity.Login{Username: u, Password: "Passw0rd-ok"})
	}
}

func (w *fakeWorld) Check(_ context.Context, hash string) (identity.Session, *identity.Principal, error) {
	w.mu.Lock()
	session, ok := w.sessions[hash]
	w.mu.Unlock()
	if !ok {
		return session, nil, errs.Wrap(identity.ErrSession, errs.Unauthenticated, "the session has ended")
	}
	p, err := w.principal(session.UserID)
	return session, p, err
}

// people are the sessions: both they and access keys have a method Authenticate.
type people struct{ *fakeWorld }

func (w people) Authenticate(ctx context.Context, token string) (identity.Session, *identity.Principal, error) {
	return w.Check(ctx, identity.TokenHash(token))
}

func (w *fakeWorld) SignOut(_ context.Context, hash string) error {
	w.change(func() { delete(w.sessions, hash) })
	return nil
}

func (w *fakeWorld) SignOutUser(_ context.Context, _, userID string) (n int, err error) {
	w.change(func() {
		was := len(w.sessions)
		maps.DeleteFunc(w.sessions, func(_ string, s identity.Session) bool { return s.UserID == userID })
		n = was - len(w.sessions)
	})
	return n, nil
}

func (w *fakeWorld) Purge(context.Context) error { return nil }

func (w *fakeWorld) BeginCommand(_ context.Context, userID, id, digest string, _ time.Time) (bool, string, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return false, "", nil, w.away
	}
	n := w.commands[userID+" "+id]
	if n == nil {
		w.commands[userID+" "+id] = &noted{digest: digest}
		return true, digest, nil, nil
	}
	return false, n.digest, bytes.Clone(n.answer), nil
}

func (w *fakeWorld) FinishCommand(_ context.Context, userID, id string, answer []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return w.away
	}
	w.commands[userID+" "+id].answer = answer
	return nil
}

func (w *fakeWorld) PurgeCommands(context.Context, time.Time) error { return nil }

// keyAuth knows the bearer tokens "key_" and a user's id.
type keyAuth struct{ w *fakeWorld }

func (k keyAuth) Authenticate(r *http.Request, _ int64) (*identity.Principal, error) {
	id, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer key_")
	if !ok {
		return nil, errs.Wrap(identity.ErrMissing, errs.Unauthenticated, "missing authentication")
	}
	return k.w.principal(id)
}

func (k keyAuth) Principal(_ context.Context, _, userID string) (*identity.Principal, error) {
	return k.w.principal(userID)
}

var errAway = errors.New("the database is away")
