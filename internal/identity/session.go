package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// sessionPrefix tells a session's token from that of an access key.
const sessionPrefix = "uls_"

// Bounds of a session.
const (
	SessionLife = 12 * time.Hour // after the sign-in, whatever happens
	SessionIdle = time.Hour      // without a request and without an open socket
	// SessionTouch is how exactly it is stored when a session was last used.
	SessionTouch = time.Minute
	// maxSessions is how many a user has at once; the oldest makes room.
	maxSessions = 20
	// signInsAtOnce bounds the memory and the processors that hashing takes, whoever sends passwords.
	signInsAtOnce = 2
	signInWait    = 3 * time.Second
	maxLogin      = 256 // bytes of each word of a Login
)

// Errors of Sessions, each inside an *errs.Error of kind errs.Unauthenticated.
var (
	// ErrSignIn: unknown instance or user, or wrong password: never said which.
	ErrSignIn = errors.New("identity: sign-in refused")
	// ErrPasswordChange: the password is right, and has to be replaced by the user before it is good for anything.
	ErrPasswordChange = errors.New("identity: the password must be changed")
	// ErrSession: there is no such session, or it has ended.
	ErrSession = errors.New("identity: no session")
)

// Session is somebody who has signed in with their password: a bearer token that ends by itself. Only the token's hash is
// kept. Password is a mark of the password hash that was in force: another password ends the session.
type Session struct {
	TokenSHA256 string
	InstanceID  string
	UserID      string
	Password    string
	Source      string // address of the sign-in
	Created     time.Time
	Used        time.Time
}

// Expires is when the session ends if it is not used any more.
func (s *Session) Expires() time.Time {
	idle, life := s.Used.Add(SessionIdle), s.Created.Add(SessionLife)
	if life.Before(idle) {
		return life
	}
	return idle
}

// SessionStore remembers sessions, so that a restart signs nobody out. Package storage implements it.
type SessionStore interface {
	// AddSession adds a session, and ends the user's oldest ones beyond most.
	AddSession(ctx context.Context, s Session, most int) error
	// FindSession finds by the hash of the token. errs.NotFound.
	FindSession(ctx context.Context, tokenSHA256 string) (Session, error)
	// TouchSession notes that a session was used; one that has ended is no error.
	TouchSession(ctx context.Context, tokenSHA256 string, used time.Time) error
	// EndSession ends one; ended already is no error.
	EndSession(ctx context.Context, tokenSHA256 string) error
	// EndSessionsOfUser ends all of a user and gives how many there were.
	EndSessionsOfUser(ctx context.Context, instanceID, userID string) (int, error)
	// EndSessionsBefore ends those created before created or last used before used.
	EndSessionsBefore(ctx context.Context, created, used time.Time) error
}

// Login is what somebody signs in with. Instance is an alias or an id; it may be empty where there is one instance.
type Login struct {
	Instance, Username, Password string
	NewPassword                  string // takes the place of Password; empty: it stays
}

// SessionOptions are what Sessions need. All but Log are required.
type SessionOptions struct {
	Store SessionStore
	Users resource.Store[*User]
	// Instance finds an instance by alias or id. errs.NotFound.
	Instance func(ctx context.Context, aliasOrID string) (*Instance, error)
	Auth     *Authenticator
	Log      *slog.Logger
}

// Sessions lets people in by their password. It is safe for concurrent use.
type Sessions struct {
	o       SessionOptions
	backoff Backoff
	hashing chan struct{}
}

// NewSessions makes Sessions.
func NewSessions(o SessionOptions) (*Sessions, error) {
	if o.Store == nil || o.Users == nil || o.Instance == nil || o.Auth == nil {
		return nil, errors.New("identity: sessions need a store, users, instances and an authenticator")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sessions{o: o, hashing: make(chan struct{}, signInsAtOnce)}, nil
}

// SignIn checks a password and begins a session. source is where the request comes from (Source). Failures are counted by
// user and source, and by source alone, so that a stranger locks out nobody but himself. errs.Unauthenticated with
// ErrSignIn or ErrPasswordChange; errs.Throttled; errs.Invalid: the new password is none.
func (s *Sessions) SignIn(ctx context.Context, source string, l Login) (token string, session Session, p *Principal, err error) {
	now := time.Now()
	for _, word := range []string{l.Instance, l.Username, l.Password, l.NewPassword} {
		if len(word) > maxLogin {
			return "", session, nil, errs.Wrap(ErrSignIn, errs.Unauthenticated, signInText)
		}
	}
	who, place := "login "+strings.ToLower(l.Instance+"/"+l.Username)+" "+source, "login "+source
	if wait := max(s.backoff.Wait(who, now), s.backoff.Wait(place, now)); wait > 0 {
		return "", session, nil, tooOften(wait)
	}
	u, err := s.user(ctx, l)
	if err != nil {
		return "", session, nil, err
	}
	hash := ""
	if u != nil {
		hash = u.PasswordHash
	}
	good, err := s.check(ctx, hash, l.Password)
	if err != nil {
		return "", session, nil, err
	}
	if !good {
		return "", session, nil, s.wrong(ctx, who, place, l, source, now)
	}
	s.backoff.Succeed(who)
	if l.NewPassword != "" {
		err = s.changePassword(ctx, u, l)
	} else if u.MustChangePassword {
		err = errs.Wrap(ErrPasswordChange, errs.Unauthenticated, "the password must be changed: send a new one with it")
	}
	if err != nil {
		return "", session, nil, err
	}
	return s.begin(ctx, u, source, now)
}

// begin stores a new session of a user.
func (s *Sessions) begin(ctx context.Context, u *User, source string, now time.Time) (string, Session, *Principal, error) {
	p, err := s.o.Auth.Principal(ctx, u.InstanceID, u.ID)
	if err != nil {
		return "", Session{}, nil, err
	}
	token, err := randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 43)
	if err != nil {
		return "", Session{}, nil, err
	}
	token = sessionPrefix + token
	session := Session{
		TokenSHA256: TokenHash(token), InstanceID: u.InstanceID, UserID: u.ID, Password: passwordMark(u), Source: source,
		Created: now, Used: now,
	}
	if err = s.o.Store.AddSession(ctx, session, maxSessions); err != nil {
		return "", Session{}, nil, fmt.Errorf("identity: begin session: %w", err)
	}
	s.o.Log.InfoContext(ctx, "signed in", "user_id", u.ID, "instance_id", u.InstanceID, "source", source)
	return token, session, p, nil
}

// user finds who wants to sign in; nil if there is nobody who could.
func (s *Sessions) user(ctx context.Context, l Login) (*User, error) {
	inst, err := s.o.Instance(ctx, l.Instance)
	if err == nil && inst.IdentityMode != ConnectManaged {
		return nil, nil //nolint:nilnil // nobody signs in with a password there: answered as a wrong one
	}
	var u *User
	if err == nil {
		u, err = s.o.Users.GetByName(ctx, inst.ID, l.Username)
	}
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Invalid) {
		return nil, nil //nolint:nilnil // answered as a wrong password
	}
	if err != nil {
		return nil, fmt.Errorf("identity: find who signs in: %w", err)
	}
	return u, nil
}

// check compares a password, when it is its turn.
func (s *Sessions) check(ctx context.Context, hash, password string) (bool, error) {
	patience := time.NewTimer(signInWait)
	defer patience.Stop()
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		return CheckPassword(hash, password), nil
	case <-patience.C:
		return false, errs.New(errs.Throttled, "too many people sign in at once; try again")
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// signInText is the one answer to every sign-in that fails.
const signInText = "the instance, the username or the password is wrong"

func (s *Sessions) wrong(ctx context.Context, who, place string, l Login, source string, now time.Time) error {
	level, msg := slog.LevelInfo, "sign-in refused"
	again := s.backoff.Fail(who, now)
	// A whole office signs in from one address: it has more attempts than one name.
	if s.backoff.Count(place, now) < placeFree {
		s.backoff.Note(place, now)
	} else if s.backoff.Fail(place, now) {
		again = true
	}
	if again {
		level, msg = slog.LevelWarn, "sign-in refused again and again: sender must wait from now on"
	}
	s.o.Log.LogAttrs(ctx, level, msg, slog.String("username", l.Username), slog.String("instance", l.Instance), slog.String("source", source)) //nolint:sloglint // one of two constants
	return errs.Wrap(ErrSignIn, errs.Unauthenticated, signInText)
}

// changePassword replaces the password and ends what was signed in with the old one.
func (s *Sessions) changePassword(ctx context.Context, u *User, l Login) error {
	if err := CheckNewPassword(l.NewPassword); err != nil {
		return err
	}
	if l.NewPassword == l.Password {
		return errs.Field("NewPassword", "must not be the old one")
	}
	hash, err := HashPassword(l.NewPassword)
	if err != nil {
		return err
	}
	was := u.PasswordHash
	changed, err := resource.Edit(ctx, s.o.Users, u.InstanceID, u.ID, func(v *User) error {
		if v.PasswordHash != was {
			return errs.New(errs.Conflict, "the password has been changed meanwhile")
		}
		v.PasswordHash, v.MustChangePassword = hash, false
		return nil
	})
	if err != nil {
		return err
	}
	*u = *changed
	_, err = s.o.Store.EndSessionsOfUser(ctx, u.InstanceID, u.ID)
	return err
}

// IsSession reports whether a bearer token is one of ours, and not that of an access key.
func IsSession(token string) bool { return strings.HasPrefix(token, sessionPrefix) }

// Authenticate tells whose session a token is, and what they may do now. errs.Unauthenticated with ErrSession.
func (s *Sessions) Authenticate(ctx context.Context, token string) (Session, *Principal, error) {
	if !IsSession(token) || len(token) > maxLogin {
		return Session{}, nil, errs.Wrap(ErrSession, errs.Unauthenticated, sessionText)
	}
	return s.Check(ctx, TokenHash(token))
}

const sessionText = "the session has ended; sign in again"

// Check is Authenticate for a session that is known by the hash of its token: whether it is good still.
func (s *Sessions) Check(ctx context.Context, tokenSHA256 string) (Session, *Principal, error) {
	over := func() error { return errs.Wrap(ErrSession, errs.Unauthenticated, sessionText) }
	session, err := s.o.Store.FindSession(ctx, tokenSHA256)
	if errs.Is(err, errs.NotFound) {
		return session, nil, over()
	}
	if err != nil {
		return session, nil, fmt.Errorf("identity: find session: %w", err)
	}
	now := time.Now()
	if !now.Before(session.Expires()) {
		return session, nil, over()
	}
	u, err := s.o.Users.Get(ctx, session.InstanceID, session.UserID)
	if errs.Is(err, errs.NotFound) || err == nil && passwordMark(u) != session.Password {
		return session, nil, over()
	}
	if err != nil {
		return session, nil, fmt.Errorf("identity: user of session: %w", err)
	}
	p, err := s.o.Auth.Principal(ctx, session.InstanceID, session.UserID)
	if err != nil {
		return session, nil, err
	}
	if now.Sub(session.Used) >= SessionTouch {
		session.Used = now
		if err = s.o.Store.TouchSession(ctx, tokenSHA256, now); err != nil {
			return session, nil, fmt.Errorf("identity: touch session: %w", err)
		}
	}
	return session, p, nil
}

// SignOut ends a session.
func (s *Sessions) SignOut(ctx context.Context, tokenSHA256 string) error {
	return s.o.Store.EndSession(ctx, tokenSHA256)
}

// SignOutUser ends all sessions of a user and gives how many there were.
func (s *Sessions) SignOutUser(ctx context.Context, instanceID, userID string) (int, error) {
	return s.o.Store.EndSessionsOfUser(ctx, instanceID, userID)
}

// Purge removes the sessions that are over.
func (s *Sessions) Purge(ctx context.Context) error {
	now := time.Now()
	return s.o.Store.EndSessionsBefore(ctx, now.Add(-SessionLife), now.Add(-SessionIdle))
}

// passwordMark changes with the password, and tells nothing of it: the hash that it is made of is salted.
func passwordMark(u *User) string {
	sum := sha256.Sum256([]byte("session " + u.PasswordHash))
	return hex.EncodeToString(sum[:8])
}
