package app

import (
	"net/http"

	"ullim/internal/identity"
)

// handler is the HTTP side: health, metrics, and the API.
func (a *App) handler() (http.Handler, error) {
	api, err := a.api()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Ready(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		answer(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", a.onlyFromHere(a.metrics.Handler()))
	mux.Handle("/", api)
	return mux, nil
}

// onlyFromHere serves requests from this machine without credentials, others only with the permission to see the system.
func (a *App) onlyFromHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !identity.Loopback(r) {
			p, err := a.auth.Authenticate(r, 0)
			if err != nil || !p.Can(identity.SystemView) {
				answer(w, http.StatusForbidden, "only from this machine, or with the permission "+identity.SystemView+"\n")
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
