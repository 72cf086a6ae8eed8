// Package api is the HTTP face of ullim.
//
//	/connect/...     Amazon Connect's REST API; also at the root, where an AWS SDK with this address as endpoint calls
//	/participant/... Amazon Connect's participant service, for the browsers of chats; also at /participant/participant
//	/admin/v1/...    what Connect has no operation for
//	/agent/v1/...    the channel of agents' panels: sign-in, a WebSocket of state and events, commands
//	/openapi.json    the OpenAPI 3.1 document of both; public, it holds no data
//	/healthz         200 while the process runs
//	/readyz          200 while it takes calls, else 503 with the reason
//	/metrics         Prometheus
//
// Health, readiness and metrics are answered to this machine itself without authentication. To anybody else, and to
// what a proxy on this machine passes on (it is told by X-Forwarded-For, Forwarded or X-Real-IP), they need a bearer
// token or a signature, and metrics, which tell about all instances, also the permission System.View.
//
// Package rest has what the faces share, connect, participant and admin the operations. Limits of connections, headers and time
// belong to the http.Server that serves this handler; the size of bodies, their depth, panics, request ids, audit and
// access log are in rest. A proxy in front must pass the Host header and the path as they are, or signatures break.
package api

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"ullim/internal/api/admin"
	"ullim/internal/api/agent"
	"ullim/internal/api/connect"
	"ullim/internal/api/participant"
	"ullim/internal/api/rest"
	"ullim/internal/audit"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Options of the API. Auth, Connect and Admin are required.
type Options struct {
	Log     *slog.Logger
	Auth    rest.Auth
	Connect connect.Options
	Admin   admin.Options
	// Participant is the service of chats' participants; without Chats there is none.
	Participant participant.Options
	// Agent is the channel of agents; nil: there is none. Whoever made it closes it.
	Agent *agent.Service

	// Ready says why no calls are taken now; nil means always ready.
	Ready func() error
	// Metrics serves /metrics; nil means there are none.
	Metrics http.Handler
	// Trail keeps who changed what. nil: only the log says it.
	Trail audit.Trail
	// Observe is told of every operation, for metrics. May be nil.
	Observe func(operation string, status int, took time.Duration)
	// MaxBody bounds JSON bodies; 0 means 2 MiB.
	MaxBody int64
}

// API is the handler of everything.
type API struct {
	o            Options
	rest         *rest.Server
	participants http.Handler // nil: none
}

// New builds the handler.
func New(o Options) (*API, error) {
	if o.Auth == nil {
		return nil, errors.New("api: Auth is required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	connectTable, err := connect.Table(o.Connect)
	if err != nil {
		return nil, err
	}
	adminTable, err := admin.Table(o.Admin)
	if err != nil {
		return nil, err
	}
	mounts := []rest.Mount{
		{Prefix: "/connect", Table: connectTable}, {Prefix: "", Table: connectTable}, {Prefix: "/admin/v1", Table: adminTable},
	}
	var face *participant.Face
	if o.Participant.Chats != nil {
		if face, err = participant.New(o.Participant); err != nil {
			return nil, err
		}
		mounts = append(mounts, rest.Mount{Prefix: "", Table: face.Table}, rest.Mount{Prefix: "/participant", Table: face.Table})
	}
	server, err := rest.NewServer(rest.Options{Log: o.Log, Auth: o.Auth, MaxBody: o.MaxBody, Observe: o.Observe, Trail: o.Trail}, mounts...)
	if err != nil {
		return nil, err
	}
	a := &API{o: o, rest: server}
	if face != nil {
		a.participants = face.Handler(server)
	}
	return a, nil
}

// OpenAPI is the OpenAPI document, as JSON.
func (a *API) OpenAPI() []byte { return a.rest.OpenAPI() }

// ServeHTTP serves the fixed pages, and everything else as an operation.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := identity.RawPath(r)
	if a.participants != nil && participant.Serves(path) {
		a.participants.ServeHTTP(w, r)
		return
	}
	if a.o.Agent != nil && agent.Serves(path) {
		a.o.Agent.ServeHTTP(w, r)
		return
	}
	switch path {
	case "/openapi.json":
		a.page(w, r, func() { write(w, http.StatusOK, "application/json", string(a.rest.OpenAPI())) })
	case "/healthz":
		a.guarded(w, r, "", func() { write(w, http.StatusOK, "text/plain; charset=utf-8", "ok\n") })
	case "/readyz":
		a.guarded(w, r, "", func() { a.ready(w) })
	case "/metrics":
		a.guarded(w, r, identity.SystemView, func() { a.metrics(w, r) })
	default:
		a.rest.ServeHTTP(w, r)
	}
}

func (a *API) ready(w http.ResponseWriter) {
	if a.o.Ready != nil {
		if err := a.o.Ready(); err != nil {
			w.Header().Set("Retry-After", "5")
			write(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "not ready: "+err.Error()+"\n")
			return
		}
	}
	write(w, http.StatusOK, "text/plain; charset=utf-8", "ready\n")
}

func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	if a.o.Metrics == nil {
		a.rest.Refuse(w, errs.New(errs.NotFound, "there are no metrics here"))
		return
	}
	a.o.Metrics.ServeHTTP(w, r)
}

// guarded lets this machine in, and others who authenticate and hold the permission.
func (a *API) guarded(w http.ResponseWriter, r *http.Request, permission string, show func()) {
	a.page(w, r, func() {
		if !identity.Loopback(r) {
			p, err := a.o.Auth.Authenticate(r, 0)
			if err == nil && !p.Can(permission) {
				err = errs.New(errs.Denied, "this needs the permission %s", permission)
			}
			if err != nil {
				a.rest.Refuse(w, err)
				return
			}
		}
		show()
	})
}

// page shows a page to GET and HEAD.
func (a *API) page(w http.ResponseWriter, r *http.Request, show func()) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", strings.Join([]string{http.MethodGet, http.MethodHead}, ", "))
		a.rest.Refuse(w, &rest.Fault{
			Status: http.StatusMethodNotAllowed, Code: "UnknownOperationException", Message: "there is no such operation",
		})
		return
	}
	show()
}

func write(w http.ResponseWriter, status int, media, text string) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // who is not there any more misses nothing
}
