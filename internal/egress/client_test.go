package egress_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ullim/internal/egress"
	"ullim/internal/errs"
)

func newClient(t *testing.T, o egress.Options) *egress.Client {
	t.Helper()
	c, err := egress.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// allowed is the exception for a test server.
func allowed(t *testing.T, s *httptest.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestARealServerIsReachedOnlyThroughTheList(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, b, r.Header.Get("X-Mine"))
	}))
	defer s.Close()
	_, err := newClient(t, egress.Options{}).Do(t.Context(), egress.Request{Method: "GET", URL: s.URL})
	if !errs.Is(err, errs.Denied) {
		t.Errorf("loopback was called: %v", err)
	}
	c := newClient(t, egress.Options{Allow: []string{allowed(t, s)}})
	resp, err := c.Do(t.Context(), egress.Request{Method: "POST", URL: s.URL, Body: []byte("hello"), Header: http.Header{"X-Mine": {"yes"}}})
	if err != nil || string(resp.Body) != "POST hello yes" || resp.Status != 200 {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestARedirectGoesThroughTheSameGate(t *testing.T) {
	var inside atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer secret.Close()
	var seen atomic.Value
	var front *httptest.Server
	front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/in":
			http.Redirect(w, r, secret.URL, http.StatusTemporaryRedirect)
		case "/meta":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			http.Redirect(w, r, front.URL+"/loop", http.StatusFound)
		case "/ok":
			http.Redirect(w, r, "/end", http.StatusFound)
		default:
			seen.Store(r.Header.Clone())
			fmt.Fprint(w, "end")
		}
	}))
	defer front.Close()
	c := newClient(t, egress.Options{Allow: []string{allowed(t, front)}})
	do := func(path string, n int) (*egress.Response, error) {
		return c.Do(t.Context(), egress.Request{Method: "GET", URL: front.URL + path, Redirects: n, Header: http.Header{"Authorization": {"x"}}})
	}
	for _, path := range []string{"/in", "/meta"} {
		if _, err := do(path, 3); !errs.Is(err, errs.Denied) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := do("/file", 3); err == nil {
		t.Error("a file was read")
	}
	if inside.Load() != 0 {
		t.Error("the inside was reached by a redirect")
	}
	if resp, err := do("/in", 0); err != nil || resp.Status != http.StatusTemporaryRedirect {
		t.Errorf("not asked to follow: %+v, %v", resp, err)
	}
	if resp, err := do("/loop", 3); err != nil || resp.Status != http.StatusFound {
		t.Errorf("a loop: %+v, %v", resp, err)
	}
	if resp, err := do("/ok", 3); err != nil || string(resp.Body) != "end" {
		t.Errorf("%+v, %v", resp, err)
	}
	if h, _ := seen.Load().(http.Header); h.Get("Authorization") != "x" {
		t.Error("the same host lost the header")
	}
}

func TestASecretDoesNotFollowToAnotherHost(t *testing.T) {
	var got atomic.Value
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Clone()) }))
	defer other.Close()
	front := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer front.Close()
	c := newClient(t, egress.Options{Allow: []string{"127.0.0.1"}})
	_, err := c.Do(t.Context(), egress.Request{Method: "POST", URL: front.URL, Redirects: 1, Body: []byte("x"), Header: http.Header{"Ullim-Signature": {"s"}, "X-Api-Key": {"k"}}})
	h, _ := got.Load().(http.Header)
	if err != nil || h == nil || h.Get("Ullim-Signature") != "" || h.Get("X-Api-Key") != "" {
		t.Errorf("%v, %v", h, err)
	}
}

func TestEverythingOfAnAnswerIsBounded(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/huge":
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 10<<20))
		case "/header":
			w.Header().Set("X-Big", strings.Repeat("x", 64<<10))
		case "/silent":
			<-release
		case "/drip":
			for {
				_, err := w.Write([]byte("x"))
				w.(http.Flusher).Flush()
				select {
				case <-release:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if err != nil {
					return
				}
			}
		}
	}))
	defer s.Close()
	defer close(release)
	c := newClient(t, egress.Options{Allow: []string{allowed(t, s)}})
	for path, kind := range map[string]errs.Kind{"/huge": errs.Limit, "/header": errs.Unavailable, "/silent": errs.Unavailable, "/drip": errs.Unavailable} {
		from := time.Now()
		_, err := c.Do(t.Context(), egress.Request{Method: "GET", URL: s.URL + path, Timeout: 300 * time.Millisecond, MaxBody: 1 << 10})
		if errs.KindOf(err) != kind {
			t.Errorf("%s: %v", path, err)
		}
		if took := time.Since(from); took > 5*time.Second {
			t.Errorf("%s took %s", path, took)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestTLSIsVerifiedAndHTTP2IsSpoken(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	_, err := newClient(t, egress.Options{Allow: []string{allowed(t, s)}}).Do(t.Context(), egress.Request{Method: "GET", URL: s.URL})
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a stranger's certificate: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	c := newClient(t, egress.Options{Allow: []string{allowed(t, s)}, RootCAs: pool})
	resp, err := c.Do(t.Context(), egress.Request{Method: "GET", URL: s.URL})
	if err != nil || resp.Proto != "HTTP/2.0" || string(resp.Body) != "HTTP/2.0" {
		t.Errorf("%+v, %v", resp, err)
	}
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	pool.AddCert(old.Certificate())
	if _, err = newClient(t, egress.Options{Allow: []string{"127.0.0.1"}, RootCAs: pool}).Do(t.Context(), egress.Request{Method: "GET", URL: old.URL}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

// one answers every name with one address.
type one string

func (o one) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(string(o))}, nil
}

func TestANameThatLeadsInsideIsRefusedEvenOverTLS(t *testing.T) {
	var called atomic.Bool
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer s.Close()
	u, _ := url.Parse(s.URL)
	var port uint16
	fmt.Sscan(u.Port(), &port)
	c := newClient(t, egress.Options{Resolver: one("127.0.0.1"), Ports: []uint16{port}})
	_, err := c.Do(t.Context(), egress.Request{Method: "GET", URL: "https://hooks.example.com:" + u.Port()})
	if !errs.Is(err, errs.Denied) || called.Load() {
		t.Errorf("%v", err)
	}
}

func TestAWebSocketGoesThroughTheSameGate(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_, b, _ := conn.Read(r.Context())
		_ = conn.Write(r.Context(), websocket.MessageText, append(b, r.Header.Get("Authorization")...))
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	defer s.Close()
	address := "ws" + strings.TrimPrefix(s.URL, "http")
	if _, err := newClient(t, egress.Options{}).WebSocket(t.Context(), "i", address+"/ws", nil); !errs.Is(err, errs.Denied) {
		t.Errorf("loopback: %v", err)
	}
	c := newClient(t, egress.Options{Allow: []string{allowed(t, s)}})
	conn, err := c.WebSocket(t.Context(), "i", address+"/ws", http.Header{"Authorization": {" Bearer x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err = conn.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := conn.Read(t.Context()); err != nil || string(b) != "hiBearer x" && string(b) != "hi Bearer x" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := c.WebSocket(t.Context(), "i", address+"/other", nil); !errs.Is(err, errs.Unavailable) {
		t.Errorf("an answer that is no WebSocket: %v", err)
	}
}

func TestAnInstanceHasSoManyCallsToAHostAtOnce(t *testing.T) {
	var now, most atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
	}))
	defer s.Close()
	c := newClient(t, egress.Options{Allow: []string{allowed(t, s)}, PerHost: 3, PerInstance: 5})
	done := make(chan error)
	for range 12 {
		go func() {
			_, err := c.Do(t.Context(), egress.Request{InstanceID: "i", Method: "GET", URL: s.URL})
			done <- err
		}()
	}
	for range 12 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
}
