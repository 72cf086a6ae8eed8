package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/internal/api/agent/agenttest"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip/siptest"
)

// pipes is an HTTP listener in memory: its connections live in virtual time.
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

// panels serves the API of a floor, and opens the tabs of its agents.
type panels struct {
	f      *floor
	client *http.Client
	close  func()
}

func newPanels(f *floor) *panels {
	f.t.Helper()
	handler, err := f.app.handler()
	f.must(err)
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			f.t.Error(err)
		}
	}()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}
	return &panels{f: f, client: client, close: func() {
		_ = server.Close() // the sockets are the channel's, which ends them
		client.CloseIdleConnections()
	}}
}

// signIn gives an agent a password and signs them in with it.
func (p *panels) signIn(ctx context.Context, name string) (token string) {
	p.f.t.Helper()
	hash, err := identity.HashPassword("Passw0rd-ok")
	p.f.must(err)
	_, err = resource.Edit(ctx, p.f.app.stores.users, p.f.stage.id, p.f.agents[name].userID, func(u *identity.User) error {
		u.PasswordHash, u.Phone.AfterContactWorkTimeLimit = hash, 60
		return nil
	})
	p.f.must(err)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://ullim/agent/v1/session",
		strings.NewReader(`{"instance":"try","username":"`+name+`","password":"Passw0rd-ok"}`))
	p.f.must(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	p.f.must(err)
	defer resp.Body.Close()
	var out struct{ Token, UserID string }
	p.f.must(json.NewDecoder(resp.Body).Decode(&out))
	if out.Token == "" || out.UserID != p.f.agents[name].userID {
		p.f.t.Fatalf("%s signed in: %d %+v", name, resp.StatusCode, out)
	}
	return out.Token
}

func (p *panels) open(ctx context.Context, o agenttest.Options) *agenttest.Panel {
	p.f.t.Helper()
	o.URL, o.Client = "http://ullim", p.client
	tab, err := agenttest.Open(ctx, o)
	p.f.must(err)
	return tab
}

// in waits until a contact is in a state, in all tabs; "" is gone.
func (p *panels) in(ctx context.Context, contactID, state string, tabs ...*agenttest.Panel) {
	p.f.t.Helper()
	for _, tab := range tabs {
		err := tab.WaitView(ctx, func(v *agenttest.View) bool { return v.Contacts()[contactID].State == state })
		if err != nil {
			p.f.t.Fatalf("waiting for %q: %v", state, err)
		}
	}
}

func (p *panels) do(ctx context.Context, tab *agenttest.Panel, name, contactID string, args any) json.RawMessage {
	p.f.t.Helper()
	out, err := tab.Do(ctx, name, contactID, args)
	if err != nil {
		p.f.t.Fatalf("%s: %v", name, err)
	}
	return out
}

// same proves that tabs show the same, and that it is what a newcomer is shown.
func (p *panels) same(ctx context.Context, token string, tabs ...*agenttest.Panel) {
	p.f.t.Helper()
	time.Sleep(100 * time.Millisecond)
	fresh := p.open(ctx, agenttest.Options{Token: token})
	defer fresh.Drop()
	for i, tab := range tabs {
		if got, want := tab.State(), fresh.State(); !bytes.Equal(got, want) {
			p.f.t.Errorf("tab %d shows\n%s\na fresh snapshot is\n%s", i, got, want)
		}
	}
}

func TestAnAgentWithAPhoneAndTwoTabsServesACallFromBeginningToEnd(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 21}, func(ctx context.Context, f *floor) {
		p := newPanels(f)
		defer p.close()
		kim, lee := p.signIn(ctx, "kim"), p.signIn(ctx, "lee")
		one, two := p.open(ctx, agenttest.Options{Token: kim, Keys: "a"}), p.open(ctx, agenttest.Options{Token: kim, Keys: "b"})
		colleague := p.open(ctx, agenttest.Options{Token: lee})
		defer colleague.Drop()

		customer, agent := f.talk(ctx)
		id := f.live()
		p.in(ctx, id, "CONNECTED", one, two)
		v, _ := one.View()
		if c := v.Contacts()[id]; c.Queue.Name != "Sales" || c.Customer.Address == "" || len(c.Participants) != 2 || c.Me == 0 {
			t.Errorf("the contact is %+v", c)
		}
		if a := v.Availability(); a.Activity != "On contact" || !a.Reachable {
			t.Errorf("availability %+v", a)
		}

		p.do(ctx, one, "hold", id, nil)
		p.in(ctx, id, "CONNECTED_ONHOLD", one, two)
		f.hears(customer, "customer on hold", f.phone("kim").Voice(), false)
		p.do(ctx, two, "resume", id, nil)
		p.in(ctx, id, "CONNECTED", one, two)
		f.hears(customer, "customer", f.phone("kim").Voice(), true)

		// The second tab loses its connection in the middle of the consultation, and misses nothing.
		seen, _ := two.View()
		two.Drop()
		p.do(ctx, one, "consult", id, map[string]string{"userId": f.agents["lee"].userID})
		call, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(call.WaitConfirmed(ctx))
		two = p.open(ctx, agenttest.Options{Token: kim, Cursor: seen.Cursor, View: &seen})
		if _, first := two.View(); first != "resumed" {
			t.Errorf("the tab that came back began with a %s", first)
		}
		p.in(ctx, id, "CONNECTED_ONHOLD", one, two)
		p.same(ctx, kim, one, two)
		f.hears(call, "lee", f.phone("kim").Voice(), true)

		p.do(ctx, one, "leave", id, nil)
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		p.in(ctx, id, "ENDED", one, two)
		f.hears(customer, "customer after the warm drop", f.phone("lee").Voice(), true)
		if err = colleague.WaitView(ctx, func(v *agenttest.View) bool {
			for _, c := range v.Contacts() {
				if c.State == "CONNECTED" {
					return true
				}
			}
			return false
		}); err != nil {
			t.Error(err)
		}
		p.do(ctx, two, "set-notes", id, map[string]string{"notes": "warm"})
		if err = one.WaitView(ctx, func(v *agenttest.View) bool { return v.Contacts()[id].Notes == "warm" }); err != nil {
			t.Error(err)
		}
		p.do(ctx, two, "end-acw", id, nil)
		p.in(ctx, id, "", one, two)
		p.same(ctx, kim, one, two)

		customer.Hangup()
		if err = colleague.WaitView(ctx, func(v *agenttest.View) bool {
			for _, c := range v.Contacts() {
				if c.State != "ENDED" {
					return false
				}
			}
			return true
		}); err != nil {
			t.Error(err)
		}
		one.Drop()
		two.Drop()
		if n := f.app.channel.Load().Sockets(); n > 1 {
			time.Sleep(time.Second)
			if n = f.app.channel.Load().Sockets(); n > 1 {
				t.Errorf("%d sockets are open", n)
			}
		}
	})
}
