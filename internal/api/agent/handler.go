package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Prefix is where the channel is.
const Prefix = "/agent/v1/"

const (
	cookieName = "ullim_agent"
	maxBody    = 64 << 10
)

// Serves reports whether a path belongs to the channel.
func Serves(path string) bool { return strings.HasPrefix(path, Prefix) }

// ServeHTTP serves everything below Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Add("Vary", "Origin")
		if s.allowed(origin, r) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
			h.Set("Access-Control-Allow-Headers", "content-type, authorization")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	path := strings.TrimPrefix(identity.RawPath(r), Prefix)
	routes := map[string]map[string]http.HandlerFunc{
		"session":  {http.MethodPost: s.signIn, http.MethodGet: s.session, http.MethodDelete: s.signOut},
		"socket":   {http.MethodGet: s.socket},
		"state":    {http.MethodGet: s.state},
		"commands": {http.MethodPost: s.command},
	}
	methods, ok := routes[path]
	if !ok {
		refuse(w, fault(codeNotFound, "there is no such page"))
		return
	}
	serve, ok := methods[r.Method]
	if !ok {
		f := fault(codeInvalid, "%s is not for this address", r.Method)
		h.Set("Allow", strings.Join(sortedKeys(methods), ", "))
		write(w, http.StatusMethodNotAllowed, struct {
			Error *Fault `json:"error"`
		}{f})
		return
	}
	serve(w, r)
}

// allowed reports whether a page may use the channel: one of this host, or of a configured origin.
func (s *Service) allowed(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, o := range s.o.Origins {
		if strings.EqualFold(o, origin) || strings.EqualFold(o, u.Host) {
			return true
		}
	}
	return false
}

// fromHere refuses what a page of elsewhere sends. A program sends no Origin; what comes with a cookie must, unless it only
// reads: a browser adds the cookie by itself.
func (s *Service) fromHere(r *http.Request, cookie bool) error {
	origin := r.Header.Get("Origin")
	switch {
	case origin != "" && !s.allowed(origin, r):
		return fault(codeOrigin, "%.128q", origin)
	case origin == "" && cookie && (r.Method != http.MethodGet || r.Header.Get("Upgrade") != ""):
		return fault(codeOrigin, "a request with a cookie must say which page it comes from")
	}
	return nil
}

// token finds the token of a session: a header, for WebSockets of browsers a sub-protocol, or the cookie.
func token(r *http.Request) (text string, cookie bool) {
	if scheme, t, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(t), false
	}
	if r.Header.Get("Authorization") != "" {
		return "", false
	}
	for p := range strings.SplitSeq(r.Header.Get("Sec-Websocket-Protocol"), ",") {
		if t, ok := strings.CutPrefix(strings.TrimSpace(p), tokenProtocol); ok {
			return t, false
		}
	}
	if c, err := r.Cookie(cookieName); err == nil {
		return c.Value, true
	}
	return "", false
}

// caller tells who sends a request.
func (s *Service) caller(r *http.Request) (*caller, error) {
	text, cookie := token(r)
	if err := s.fromHere(r, cookie); err != nil {
		return nil, err
	}
	who := &caller{}
	var err error
	if cookie || identity.IsSession(text) {
		var session identity.Session
		session, who.Principal, err = s.o.Sessions.Authenticate(r.Context(), text)
		who.session = session.TokenSHA256
	} else {
		who.Principal, err = s.o.Auth.Authenticate(r, maxBody)
	}
	if err != nil {
		return nil, err
	}
	if !who.Can(identity.BasicAgentAccess) {
		return nil, fault(codeDenied, "this needs the permission %s", identity.BasicAgentAccess)
	}
	who.log = s.o.Log.With("user_id", who.UserID, "instance_id", who.InstanceID)
	return who, nil
}

// Principals reads what a user may do now. *identity.Authenticator implements it.
type Principals interface {
	Principal(ctx context.Context, instanceID, userID string) (*identity.Principal, error)
}

var _ Principals = (*identity.Authenticator)(nil)

// again is the caller as they are now.
func (s *Service) again(ctx context.Context, who *caller) (*caller, error) {
	now := *who
	var err error
	if who.session != "" {
		_, now.Principal, err = s.o.Sessions.Check(ctx, who.session)
	} else if p, ok := s.o.Auth.(Principals); ok {
		now.Principal, err = p.Principal(ctx, who.InstanceID, who.UserID)
	}
	if err != nil {
		return nil, err
	}
	return &now, nil
}

// state serves GET /agent/v1/state: a snapshot, for those who have no socket.
func (s *Service) state(w http.ResponseWriter, r *http.Request) {
	err := s.withHub(r, func(ctx context.Context, who *caller) error {
		if err := who.hub.look(ctx); err != nil {
			return err
		}
		who.hub.mu.Lock()
		frame, err := who.hub.snapshot()
		who.hub.mu.Unlock()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(frame) // who is not there any more misses nothing
		return nil
	})
	if err != nil {
		refuse(w, err)
	}
}

// command serves POST /agent/v1/commands: a command, for those who have no socket.
func (s *Service) command(w http.ResponseWriter, r *http.Request) {
	err := s.withHub(r, func(ctx context.Context, who *caller) error {
		var c Command
		if err := readJSON(w, r, &c); err != nil {
			return err
		}
		f := s.obey(ctx, who, &c)
		status := http.StatusOK
		if f.Error != nil {
			status = f.Error.status()
		}
		write(w, status, f)
		return nil
	})
	if err != nil {
		refuse(w, err)
	}
}

func (s *Service) withHub(r *http.Request, f func(ctx context.Context, who *caller) error) error {
	who, err := s.caller(r)
	if err != nil {
		s.counts.Refused.Add(1)
		return err
	}
	h, release, err := s.hub(r.Context(), who.InstanceID, who.UserID)
	if err != nil {
		return err
	}
	defer release()
	who.hub = h
	return f(r.Context(), who)
}

// readJSON reads a body: one object, nothing unknown in it.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fault(codeInvalid, "the Content-Type must be application/json") // a form of another page cannot send it
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault(codeInvalid, "%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault(codeInvalid, "one JSON object is wanted")
	}
	return nil
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(v)) // who is not there any more misses nothing
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	f := faultOf(err)
	if f.Code == codeThrottled || f.Code == codeUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	write(w, f.status(), struct {
		Error *Fault `json:"error"`
	}{f})
}

// logFault notes what is nobody's fault but ours.
func (s *Service) logFault(ctx context.Context, err error, msg string) {
	if errs.KindOf(err) == errs.Internal {
		s.o.Log.LogAttrs(ctx, slog.LevelError, msg, slog.Any("error", err)) //nolint:sloglint // one of our constants
	}
}
