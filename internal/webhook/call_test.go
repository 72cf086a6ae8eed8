package webhook_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ullim/internal/egress"
	"ullim/internal/webhook"
)

// hook is a real service; answer decides by the number of the request.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newHook(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.requests, h.bodies = append(h.requests, r), append(h.bodies, string(b))
		n := len(h.requests)
		h.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.requests)
}

func newCaller(t *testing.T, o egress.Options) *webhook.Caller {
	t.Helper()
	if o.Allow == nil {
		o.Allow = []string{"127.0.0.1"}
	}
	c, err := egress.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return webhook.NewCaller(c, func() float64 { return 0 })
}

func delivery(url string, limit time.Duration) webhook.Delivery {
	return webhook.Delivery{
		ID: "d-1", InstanceID: "i", URL: url, Secrets: []string{"the new secret", "the old secret"}, Body: []byte(`{"Name":"ContactFlowEvent"}`),
		Limit: limit, Header: http.Header{"X-Api-Key": {"k"}},
	}
}

func TestAFlakyServiceIsTriedAgainWithTheSameDelivery(t *testing.T) {
	h := newHook(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		case 3:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			fmt.Fprint(w, `{"ok":true}`)
		}
	})
	a, err := newCaller(t, egress.Options{}).Post(t.Context(), delivery(h.URL+"/x?y=1", 8*time.Second))
	if err != nil || string(a.Body) != `{"ok":true}` || a.Attempts != 4 {
		t.Fatalf("%+v, %v", a, err)
	}
	for i, r := range h.requests {
		if r.Header.Get(webhook.HeaderDelivery) != "d-1" || r.Header.Get(webhook.HeaderAttempt) != fmt.Sprint(i+1) ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Api-Key") != "k" || r.URL.RawQuery != "y=1" || r.Method != "POST" {
			t.Errorf("attempt %d: %v", i+1, r.Header)
		}
		for _, secret := range []string{"the new secret", "the old secret"} {
			if err := webhook.Verify(r.Header.Get(webhook.HeaderSignature), secret, time.Now(), time.Minute, []byte(h.bodies[i])); err != nil {
				t.Errorf("attempt %d: %v", i+1, err)
			}
		}
	}
}

func TestHowServicesFail(t *testing.T) {
	release := make(chan struct{})
	inside := newHook(t, func(int, http.ResponseWriter, *http.Request) {})
	h := newHook(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/later":
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/no":
			w.WriteHeader(http.StatusForbidden)
		case "/inside":
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		case "/meta":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusPermanentRedirect)
		case "/huge":
			_, _ = io.WriteString(w, `{"x":"`+strings.Repeat("x", 40<<10)+`"}`)
		}
	})
	defer close(release)
	rows := []struct {
		path    string
		outcome webhook.Outcome
		calls   int
	}{
		{"/slow", webhook.TimedOut, 1},
		{"/down", webhook.ServerError, 4},
		{"/later", webhook.Throttled, 1}, // 60 s is more than there is
		{"/no", webhook.ClientError, 1},
		{"/inside", webhook.Redirected, 1},
		{"/meta", webhook.Redirected, 1},
		{"/huge", webhook.TooLarge, 1},
	}
	c := newCaller(t, egress.Options{})
	for _, r := range rows {
		before, from := h.count(), time.Now()
		_, err := c.Post(t.Context(), delivery(h.URL+r.path, time.Second))
		if got := webhook.OutcomeOf(err); got != r.outcome || h.count()-before != r.calls {
			t.Errorf("%s: %s after %d calls (%v)", r.path, got, h.count()-before, err)
		}
		if took := time.Since(from); took > 3*time.Second {
			t.Errorf("%s took %s", r.path, took)
		}
	}
	if inside.count() != 0 {
		t.Error("the inside was called")
	}
	_, err := c.Post(t.Context(), delivery("http://127.0.0.1:1/", time.Second))
	if webhook.OutcomeOf(err) != webhook.Unreachable {
		t.Errorf("nobody there: %v", err)
	}
	_, err = newCaller(t, egress.Options{Allow: []string{}}).Post(t.Context(), delivery(h.URL, time.Second))
	if webhook.OutcomeOf(err) != webhook.Refused || webhook.Passing(err) {
		t.Errorf("refused by the guard: %v", err)
	}
}

func TestADeadServiceIsLeftAlone(t *testing.T) {
	h := newHook(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	c := newCaller(t, egress.Options{})
	for range 10 {
		_, _ = c.Post(t.Context(), delivery(h.URL+"/a?x=1", 2*time.Second))
	}
	if n := h.count(); n != 5 || c.OpenCircuits() != 1 {
		t.Errorf("it was called %d times, %d circuits are open", n, c.OpenCircuits())
	}
	from := time.Now()
	_, err := c.Post(t.Context(), delivery(h.URL+"/a?x=2", 2*time.Second))
	if webhook.OutcomeOf(err) != webhook.Tripped || time.Since(from) > time.Second {
		t.Errorf("%v", err)
	}
	other := delivery(h.URL+"/a", 100*time.Millisecond)
	other.InstanceID = "another tenant"
	if _, err := c.Post(t.Context(), other); webhook.OutcomeOf(err) != webhook.ServerError {
		t.Errorf("another tenant is told %v", err)
	}
}

func TestWhoHangsUpIsNotTheServicesFault(t *testing.T) {
	var called atomic.Int32
	arrived := make(chan struct{}, 20)
	h := newHook(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		called.Add(1)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	c := newCaller(t, egress.Options{})
	for range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if _, err := c.Post(ctx, delivery(h.URL, 8*time.Second)); webhook.OutcomeOf(err) != webhook.Abandoned {
			t.Fatal(err)
		}
	}
	if called.Load() != 8 || c.OpenCircuits() != 0 {
		t.Errorf("%d calls, %d circuits", called.Load(), c.OpenCircuits())
	}
}

func TestAServiceMaySpeakHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"proto": r.Proto})
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	a, err := newCaller(t, egress.Options{RootCAs: pool}).Post(t.Context(), delivery(s.URL, 5*time.Second))
	if err != nil || !strings.Contains(string(a.Body), "HTTP/2.0") {
		t.Errorf("%s, %v", a.Body, err)
	}
}
