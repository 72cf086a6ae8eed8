package participant

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/identity"
)

// Paths beside the operations; a token follows.
const (
	socketPath = "/participant/socket/"
	uploadPath = "/participant/upload/"
	filePath   = "/participant/file/"
)

// Face is the participant service.
type Face struct {
	s     *service
	Table *rest.Table
}

// New makes the face.
func New(o Options) (*Face, error) {
	if o.Chats == nil {
		return nil, errors.New("participant: Chats is required")
	}
	if o.Rate == 0 {
		o.Rate, o.Burst = 10, 20
	}
	s := &service{o: o, asks: newLimiter(o.Rate, o.Burst), wrongs: newLimiter(0.2, 20)}
	return &Face{s: s, Table: s.table()}, nil
}

// Serves reports whether a path belongs to this face.
func Serves(path string) bool { return strings.HasPrefix(path, "/participant/") }

// Handler puts the rules for web pages, sockets and files before the operations.
func (f *Face) Handler(operations http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			h := w.Header()
			h.Add("Vary", "Origin")
			if f.s.allowed(origin, r) {
				h.Set("Access-Control-Allow-Origin", origin)
				h.Set("Access-Control-Expose-Headers", "x-amzn-RequestId, x-amzn-ErrorType")
			}
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "GET, POST, PUT")
				h.Set("Access-Control-Allow-Headers",
					"content-type, x-amz-bearer, x-amz-user-agent, x-amz-content-sha256, x-amz-date, authorization, amz-sdk-invocation-id, amz-sdk-request")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		path := identity.RawPath(r)
		for prefix, serve := range map[string]func(http.ResponseWriter, *http.Request, string){
			socketPath: f.s.socket, uploadPath: f.s.receive, filePath: f.s.file,
		} {
			if token, ok := strings.CutPrefix(path, prefix); ok {
				serve(w, r, token)
				return
			}
		}
		operations.ServeHTTP(w, r)
	})
}

// allowed reports whether a page may read answers: one of this host, or of a configured origin.
func (s *service) allowed(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, o := range s.o.Origins {
		if o == "*" || strings.EqualFold(o, origin) || strings.EqualFold(o, u.Host) {
			return true
		}
	}
	return false
}

// baseOf is the address of this server as the client used it; scheme is "http" or "ws", with an s behind TLS. ChatJS opens
// no ws://localhost, but ws://127.0.0.1.
func baseOf(r *http.Request, scheme string) string {
	host := r.Host
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return scheme + "s://" + host
	}
	if name, port, err := net.SplitHostPort(host); err == nil && strings.EqualFold(name, "localhost") {
		host = net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + "://" + host
}

// refuse answers with an error outside the operations.
func refuse(w http.ResponseWriter, err error) {
	f := faultOf(err)
	h := w.Header()
	h.Set("X-Amzn-Errortype", f.Code)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Message + "\n")) // who is not there any more misses nothing
}
