package identity_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// sessionMemory is identity.SessionStore in memory.
type sessionMemory struct {
	mu  sync.Mutex
	all map[string]identity.Session
}

func (m *sessionMemory) AddSession(_ context.Context, s identity.Session, _ int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[s.TokenSHA256] = s
	return nil
}

func (m *sessionMemory) FindSession(_ context.Context, hash string) (identity.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.all[hash]; ok {
		return s, nil
	}
	return identity.Session{}, errs.New(errs.NotFound, "no session")
}

func (m *sessionMemory) TouchSession(_ context.Context, hash string, used time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.all[hash]; ok {
		s.Used = used
		m.all[hash] = s
	}
	return nil
}

func (m *sessionMemory) EndSession(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, hash)
	return nil
}

func (m *sessionMemory) EndSessionsOfUser(_ context.Context, _, userID string) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, s := range m.all {
		if s.UserID == userID {
			delete(m.all, hash)
			n++
		}
	}
	return n, nil
}

func (m *sessionMemory) EndSessionsBefore(_ context.Context, created, used time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, s := range m.all {
		if s.Created.Before(created) || s.Used.Before(used) {
			delete(m.all, hash)
		}
	}
	return nil
}

const goodPassword = "Passw0rd-ok"

// newSessions gives the world's user a password, and lets people in.
func newSessions(t *testing.T, w *world, mode identity.IdentityMode) (*identity.Sessions, *sessionMemory) {
	t.Helper()
	hash, err := identity.HashPassword(goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, w, func(u *identity.User) { u.PasswordHash = hash })
	m := &sessionMemory{all: map[string]identity.Session{}}
	s, err := identity.NewSessions(identity.SessionOptions{
		Store: m, Users: w.users, Auth: w.auth,
		Instance: func(_ context.Context, ref string) (*identity.Instance, error) {
			if ref != "acme" {
				return nil, errs.New(errs.NotFound, "no instance")
			}
			return &identity.Instance{Meta: resource.Meta{ID: "i1", InstanceID: "i1"}, IdentityMode: mode}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func edit(t *testing.T, w *world, change func(*identity.User)) {
	t.Helper()
	_, err := resource.Edit(t.Context(), w.users, "i1", w.user.ID, func(u *identity.User) error {
		change(u)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignInGivesATokenThatIsThatUser(t *testing.T) {
	w := newWorld(t)
	s, m := newSessions(t, w, identity.ConnectManaged)
	token, session, p, err := s.SignIn(t.Context(), "192.0.2.1", identity.Login{Instance: "acme", Username: w.user.Name, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	if p.UserID != w.user.ID || session.UserID != w.user.ID || !identity.IsSession(token) || identity.IsSession(w.key.Token) {
		t.Errorf("%+v, %+v, %s", p, session, token)
	}
	if _, stored := m.all[token]; stored || len(m.all) != 1 {
		t.Error("the token itself is stored")
	}
	if _, got, goodErr := s.Authenticate(t.Context(), token); goodErr != nil || got.UserID != w.user.ID {
		t.Errorf("%+v, %v", got, goodErr)
	}
	for _, wrong := range []string{"", "uls_", token + "x", w.key.Token} {
		if _, _, wrongErr := s.Authenticate(t.Context(), wrong); !errors.Is(wrongErr, identity.ErrSession) || !errs.Is(wrongErr, errs.Unauthenticated) {
			t.Errorf("%.8q: %v", wrong, wrongErr)
		}
	}
	if err = s.SignOut(t.Context(), session.TokenSHA256); err != nil {
		t.Fatal(err)
	}
	if _, _, err = s.Authenticate(t.Context(), token); !errors.Is(err, identity.ErrSession) {
		t.Errorf("signed out, and %v", err)
	}
}

func TestEveryWrongSignInLooksTheSame(t *testing.T) {
	w := newWorld(t)
	s, _ := newSessions(t, w, identity.ConnectManaged)
	saml, _ := newSessions(t, w, identity.SAML)
	for _, row := range []struct {
		s *identity.Sessions
		l identity.Login
	}{
		{s, identity.Login{Instance: "acme", Username: w.user.Name, Password: "Passw0rd-no"}},
		{s, identity.Login{Instance: "acme", Username: "nobody", Password: goodPassword}},
		{s, identity.Login{Instance: "other", Username: w.user.Name, Password: goodPassword}},
		{s, identity.Login{Instance: "acme", Username: w.user.Name}},
		{s, identity.Login{Instance: "acme", Username: w.user.Name, Password: string(make([]byte, 300))}},
		{saml, identity.Login{Instance: "acme", Username: w.user.Name, Password: goodPassword}},
	} {
		_, _, _, err := row.s.SignIn(t.Context(), "192.0.2.1", row.l)
		if !errors.Is(err, identity.ErrSignIn) || !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s/%s: %v", row.l.Instance, row.l.Username, err)
		}
	}
}

func TestGuessingPasswordsIsSlowForTheGuesserAlone(t *testing.T) {
	w := newWorld(t)
	s, _ := newSessions(t, w, identity.ConnectManaged)
	try := func(source, user, password string) error {
		_, _, _, err := s.SignIn(t.Context(), source, identity.Login{Instance: "acme", Username: user, Password: password})
		return err
	}
	for range 6 {
		if err := try("192.0.2.1", w.user.Name, "wrong"); !errors.Is(err, identity.ErrSignIn) {
			t.Fatal(err)
		}
	}
	if err := try("192.0.2.1", w.user.Name, goodPassword); !errs.Is(err, errs.Throttled) {
		t.Errorf("after six failures: %v", err)
	}
	if err := try("192.0.2.2", w.user.Name, goodPassword); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

func TestAPasswordThatMustBeChangedIsGoodForThatAlone(t *testing.T) {
	w := newWorld(t)
	s, m := newSessions(t, w, identity.ConnectManaged)
	edit(t, w, func(u *identity.User) { u.MustChangePassword = true })
	l := identity.Login{Instance: "acme", Username: w.user.Name, Password: goodPassword}
	if _, _, _, err := s.SignIn(t.Context(), "x", l); !errors.Is(err, identity.ErrPasswordChange) {
		t.Errorf("without a new one: %v", err)
	}
	for _, bad := range []string{"short", goodPassword} {
		l.NewPassword = bad
		if _, _, _, err := s.SignIn(t.Context(), "x", l); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if len(m.all) != 0 {
		t.Error("somebody was let in")
	}
	l.NewPassword = "Passw0rd-new"
	token, _, _, err := s.SignIn(t.Context(), "x", l)
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.users.Get(t.Context(), "i1", w.user.ID)
	if err != nil || u.MustChangePassword || !identity.CheckPassword(u.PasswordHash, "Passw0rd-new") {
		t.Errorf("%+v, %v", u, err)
	}
	// Another password, whoever sets it, ends the session.
	edit(t, w, func(u *identity.User) { u.PasswordHash = "" })
	if _, _, err = s.Authenticate(t.Context(), token); !errors.Is(err, identity.ErrSession) {
		t.Errorf("%v", err)
	}
}

func TestASessionEndsWhenItIsNotUsedAndInTheEndAnyhow(t *testing.T) {
	w := newWorld(t)
	s, m := newSessions(t, w, identity.ConnectManaged)
	synctest.Test(t, func(t *testing.T) {
		l := identity.Login{Instance: "acme", Username: w.user.Name, Password: goodPassword}
		token, _, _, err := s.SignIn(t.Context(), "x", l)
		if err != nil {
			t.Fatal(err)
		}
		good := func() bool {
			_, _, goodErr := s.Authenticate(t.Context(), token)
			return goodErr == nil
		}
		for range 12 {
			time.Sleep(identity.SessionIdle - 2*identity.SessionTouch)
			if !good() {
				t.Fatal("it ended while it was used")
			}
		}
		time.Sleep(identity.SessionIdle - 2*identity.SessionTouch)
		if good() {
			t.Error("it has no end")
		}
		if token, _, _, err = s.SignIn(t.Context(), "x", l); err != nil {
			t.Fatal(err)
		}
		time.Sleep(identity.SessionIdle)
		if good() {
			t.Error("it is good without use")
		}
		time.Sleep(identity.SessionLife)
		if err = s.Purge(t.Context()); err != nil || len(m.all) != 0 {
			t.Errorf("%d sessions are left: %v", len(m.all), err)
		}
	})
}
