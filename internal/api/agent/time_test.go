package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/api/agent/agenttest"
)

// pipes is a listener in memory, so that its connections live in virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inVirtualTime runs a test against the channel, in a bubble.
func inVirtualTime(t *testing.T, users []string, play func(t *testing.T, w *fakeWorld, s *Service, open func(agenttest.Options) *agenttest.Panel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorld(users...)
		w.signIn(users...)
		s := w.service(t)
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
		go func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		}()
		client := &http.Client{Transport: &http.Transport{DialContext: l.dial}}
		play(t, w, s, func(o agenttest.Options) *agenttest.Panel {
			o.URL, o.Client = "http://channel", client
			if o.Token == "" {
				o.Token = "uls_" + users[0]
			}
			p, err := agenttest.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return p
		})
		s.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
}

func TestATabThatSleepsIsClosedAndOneThatAnswersStays(t *testing.T) {
	inVirtualTime(t, []string{"u1"}, func(t *testing.T, _ *fakeWorld, s *Service, open func(agenttest.Options) *agenttest.Panel) {
		t.Helper()
		awake, asleep := open(agenttest.Options{}), open(agenttest.Options{Mute: true})
		time.Sleep(silence - time.Second)
		synctest.Wait()
		if s.Sockets() != 2 {
			t.Fatalf("%d sockets before the time", s.Sockets())
		}
		time.Sleep(pingEvery + time.Second)
		if code, err := asleep.Closed(t.Context()); code != closeSilent || err != nil {
			t.Errorf("closed with %d, %v", code, err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s.Sockets() != 1 || s.Counts().Silent.Load() != 1 {
			t.Errorf("%d sockets, %d silent", s.Sockets(), s.Counts().Silent.Load())
		}
		awake.Drop()
	})
}

func TestASessionThatHasEndedClosesItsTabsWithinHalfAMinute(t *testing.T) {
	inVirtualTime(t, []string{"u1"}, func(t *testing.T, w *fakeWorld, _ *Service, open func(agenttest.Options) *agenttest.Panel) {
		t.Helper()
		p := open(agenttest.Options{})
		time.Sleep(5 * time.Minute)
		w.change(func() { clear(w.sessions) })
		began := time.Now()
		if code, err := p.Closed(t.Context()); code != closeSignedOut || err != nil {
			t.Errorf("closed with %d, %v", code, err)
		}
		if took := time.Since(began); took > checkEvery+pingEvery {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAHubStaysForAWhileAndThenGoes(t *testing.T) {
	inVirtualTime(t, []string{"u1"}, func(t *testing.T, w *fakeWorld, s *Service, open func(agenttest.Options) *agenttest.Panel) {
		t.Helper()
		p := open(agenttest.Options{})
		v, _ := p.View()
		p.Drop()
		time.Sleep(linger - 10*time.Second)
		w.change(func() {
			a := w.agents["u1"]
			a.StatusID = "s7"
			w.agents["u1"] = a
		})
		s.Wake("u1")
		time.Sleep(time.Second)
		back := open(agenttest.Options{Cursor: v.Cursor, View: &v})
		if _, first := back.View(); first != "resumed" {
			t.Errorf("after %s it began with a %s", linger-9*time.Second, first)
		}
		if err := back.WaitView(t.Context(), func(v *agenttest.View) bool { return v.Availability().Status.ID == "s7" }); err != nil {
			t.Error(err)
		}
		v, _ = back.View()
		back.Drop()
		time.Sleep(linger + 2*lookAgain)
		synctest.Wait()
		if s.Agents() != 0 {
			t.Errorf("%d hubs are left", s.Agents())
		}
		late := open(agenttest.Options{Cursor: v.Cursor, View: &v})
		if _, first := late.View(); first != "snapshot" {
			t.Errorf("much later it began with a %s", first)
		}
		late.Drop()
	})
}

func TestAHintThatIsLostCostsSecondsAndNotTheTruth(t *testing.T) {
	inVirtualTime(t, []string{"u1"}, func(t *testing.T, w *fakeWorld, _ *Service, open func(agenttest.Options) *agenttest.Panel) {
		t.Helper()
		p := open(agenttest.Options{})
		time.Sleep(time.Minute)
		w.change(func() {
			a := w.agents["u1"]
			a.StatusID = "s8"
			w.agents["u1"] = a
		})
		began := time.Now()
		if err := p.WaitView(t.Context(), func(v *agenttest.View) bool { return v.Availability().Status.ID == "s8" }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > lookAgain+time.Second {
			t.Errorf("it took %s", took)
		}
		p.Drop()
	})
}

func TestABucketRefillsWithTime(t *testing.T) {
	b, now := bucket{rate: 2, burst: 3}, time.Unix(0, 0)
	for i, row := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {0, true}, {0, true}, {0, false}, {500 * time.Millisecond, true}, {0, false}, {time.Hour, true}, {0, true}, {0, true}, {0, false}} {
		now = now.Add(row.after)
		if b.take(now) != row.ok {
			t.Errorf("take %d", i)
		}
	}
}
