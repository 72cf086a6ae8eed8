package agent

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"ullim/internal/identity"
)

type signInInput struct {
	Instance    string `json:"instance,omitempty"` // alias or id; may be left out where there is one instance
	Username    string `json:"username"`
	Password    string `json:"password"`
	NewPassword string `json:"newPassword,omitempty"`
	Cookie      bool   `json:"cookie,omitempty"` // keep the token in a cookie that no script can read, instead of giving it
}

type sessionOutput struct {
	Token      string `json:"token,omitempty"`
	UserID     string `json:"userId"`
	Username   string `json:"username"`
	InstanceID string `json:"instanceId"`
	// Permissions are what the panel may show as possible; each is asked for again when it is used.
	Permissions []string `json:"permissions"`
	Expires     Time     `json:"expires,omitzero"`   // whatever happens
	IdleUntil   Time     `json:"idleUntil,omitzero"` // without a request and without an open socket
}

// signIn serves POST /agent/v1/session.
func (s *Service) signIn(w http.ResponseWriter, r *http.Request) {
	var in signInInput
	err := s.fromHere(r, false)
	if err == nil {
		err = readJSON(w, r, &in)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	token, session, p, err := s.o.Sessions.SignIn(r.Context(), identity.Source(r), identity.Login{
		Instance: in.Instance, Username: in.Username, Password: in.Password, NewPassword: in.NewPassword,
	})
	if err == nil && !p.Can(identity.BasicAgentAccess) {
		err = fault(codeDenied, "this needs the permission %s", identity.BasicAgentAccess)
		_ = s.o.Sessions.SignOut(r.Context(), session.TokenSHA256) // it ends by itself in any case
	}
	if err != nil {
		s.counts.SignInsFailed.Add(1)
		s.logFault(r.Context(), err, "sign-in failed")
		refuse(w, err)
		return
	}
	s.counts.SignIns.Add(1)
	out := sessionOf(session, p)
	if in.Cookie {
		http.SetCookie(w, cookie(r, token, 0))
	} else {
		out.Token = token
	}
	write(w, http.StatusOK, out)
}

func sessionOf(session identity.Session, p *identity.Principal) sessionOutput {
	out := sessionOutput{UserID: p.UserID, Username: p.Username, InstanceID: p.InstanceID, Permissions: []string{}}
	for _, name := range sortedKeys(p.Permissions) {
		if p.Can(name) {
			out.Permissions = append(out.Permissions, name)
		}
	}
	if session.TokenSHA256 != "" {
		out.Expires, out.IdleUntil = at(session.Created.Add(identity.SessionLife)), at(session.Expires())
	}
	return out
}

// cookie holds a token where no script can read it, for requests of our own pages to the channel alone.
func cookie(r *http.Request, token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, Path: strings.TrimSuffix(Prefix, "/"), MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// session serves GET /agent/v1/session: who is signed in, and until when.
func (s *Service) session(w http.ResponseWriter, r *http.Request) {
	who, err := s.caller(r)
	if err != nil {
		refuse(w, err)
		return
	}
	var session identity.Session
	if who.session != "" {
		if session, _, err = s.o.Sessions.Check(r.Context(), who.session); err != nil {
			refuse(w, err)
			return
		}
	}
	write(w, http.StatusOK, sessionOf(session, who.Principal))
}

// signOut serves DELETE /agent/v1/session. The query parameter statusId chooses a status first: who goes home stays
// available otherwise, as in Amazon Connect.
func (s *Service) signOut(w http.ResponseWriter, r *http.Request) {
	who, err := s.caller(r)
	if err == nil && who.session == "" {
		err = fault(codeInvalid, "an access key has no session to end")
	}
	if err == nil {
		if status := r.URL.Query().Get("statusId"); status != "" {
			err = s.o.Routing.SetStatus(r.Context(), who.InstanceID, who.UserID, status)
		}
	}
	if err == nil {
		err = s.o.Sessions.SignOut(r.Context(), who.session)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	s.signedOut(who.UserID, who.session, "signed out")
	http.SetCookie(w, cookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
