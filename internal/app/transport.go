package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"ullim/internal/certs"
	"ullim/internal/config"
	"ullim/internal/telemetry"
	"ullim/sip"
)

// listening are the TLS side of a node's sockets, and its certificates.
type listening struct {
	Secure      []net.Listener // SIP over TLS, bound
	SIPTLS      *certs.Files   // of Secure, and what we show to trunks that ask; may be nil
	HTTPTLS     *certs.Files   // nil: HTTP without TLS
	Origins     []string       // pages that may speak SIP over WebSocket, beside our own
	Connections int            // over TCP, TLS and WebSocket at once
}

// openTLS reads the certificates and opens the sockets of SIP over TLS.
func openTLS(ctx context.Context, cfg *config.Config, log *slog.Logger) (l listening, err error) {
	l.Origins, l.Connections = cfg.SIP.Origins, cfg.SIP.MaxConnections
	if h := cfg.HTTP.TLS; h.Certificate != "" || h.Key != "" {
		if l.HTTPTLS, err = certs.Open(certs.Options{Name: "http.tls", Certificate: h.Certificate, Key: h.Key, Log: log}); err != nil {
			return l, err
		}
	}
	s := cfg.SIP.TLS
	certificate, key := cmp.Or(s.Certificate, cfg.HTTP.TLS.Certificate), cmp.Or(s.Key, cfg.HTTP.TLS.Key)
	if certificate != "" || key != "" || len(s.Listen) > 0 {
		l.SIPTLS, err = certs.Open(certs.Options{Name: "sip.tls", Certificate: certificate, Key: key, ClientCA: s.ClientCA, Log: log})
		if err != nil {
			return l, err
		}
	}
	var lc net.ListenConfig
	for _, addr := range s.Listen {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return l, errors.Join(fmt.Errorf("sip.tls.listen: %w", err), l.close())
		}
		l.Secure = append(l.Secure, ln)
	}
	return l, nil
}

func (l *listening) close() error {
	var all []error
	for _, ln := range l.Secure {
		all = append(all, ln.Close())
	}
	return errors.Join(all...)
}

// signalling puts it into the options of the endpoint.
func (l *listening) signalling(o *sip.Options) {
	o.Secure, o.MaxStreams = l.Secure, l.Connections
	if l.SIPTLS != nil {
		o.ServerTLS, o.ClientCertificate = l.SIPTLS.Server(), l.SIPTLS.Client
	}
}

// files are the certificates there are, by the section that names them.
func (l *listening) files() map[string]*certs.Files {
	m := map[string]*certs.Files{}
	if l.SIPTLS != nil {
		m["sip.tls"] = l.SIPTLS
	}
	if l.HTTPTLS != nil {
		m["http.tls"] = l.HTTPTLS
	}
	return m
}

// watchCertificates notices renewed files until the App is closed.
func (a *App) watchCertificates() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, f := range a.o.Listening.files() {
		wg.Go(func() { f.Run(ctx) })
	}
	a.life.onStopDo("certificates", func() { cancel(); wg.Wait() })
}

// observeTransport adds what is counted of connections to the metrics.
func (a *App) observeTransport(s *telemetry.Sources) {
	s.SIPConnections = func() map[string]float64 {
		m := map[string]float64{}
		for network, n := range a.sip.Connections() {
			m[network] = float64(n)
		}
		return m
	}
	s.SIPConnectionFaults = func() map[string]float64 {
		st := a.sip.Stats()
		return map[string]float64{
			"closed": float64(st.Reaped), "handshake": float64(st.Handshakes), "dial": float64(st.DialsFailed),
			"restored": float64(st.Restored),
		}
	}
	s.CertificateSeconds = func() map[string]float64 {
		m := map[string]float64{}
		for name, f := range a.o.Listening.files() {
			m[name] = time.Until(f.Expires()).Seconds()
		}
		return m
	}
}

// withWebSocket puts SIP over WebSocket beside the API.
func (a *App) withWebSocket(rest http.Handler) http.Handler {
	sockets := a.sip.WebSocket(a.o.Listening.Origins)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == sip.WebSocketPath {
			sockets.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// serveHTTP serves until the server is shut down, with TLS if there is a certificate.
func serveHTTP(s *http.Server, l net.Listener, files *certs.Files) error {
	if files == nil {
		return s.Serve(l)
	}
	s.TLSConfig = files.Server()
	return s.ServeTLS(l, "", "")
}

// scheme is how the API is reached.
func (l *listening) scheme() string {
	if l.HTTPTLS != nil {
		return "https"
	}
	return "http"
}
