package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const urn = `"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"`

func TestR34APhoneThatComesBackFromAnotherPortReplacesItsFlow(t *testing.T) {
	for _, tc := range []struct {
		name          string
		first, second func(*RegisterRequest)
		want          []string
	}{
		{
			"sip.instance over a new connection",
			func(q *RegisterRequest) {
				q.Contacts = []RegisterContact{{URI: "sip:a@10.0.0.1:1;transport=tcp", InstanceID: urn}}
				q.Transport = "TCP"
			},
			func(q *RegisterRequest) {
				q.Contacts = []RegisterContact{{URI: "sip:a@10.0.0.1:2;transport=tcp", InstanceID: urn}}
				q.Transport, q.Source, q.CallID = "TCP", "192.0.2.7:9", "another"
			},
			[]string{"sip:a@10.0.0.1:2;transport=tcp"},
		},
		{
			"two flows of one phone",
			func(q *RegisterRequest) {
				q.Contacts, q.Outbound, q.FirstHop = []RegisterContact{{URI: "sip:a@10.0.0.1:1", InstanceID: urn, RegID: "1"}}, true, true
			},
			func(q *RegisterRequest) {
				q.Contacts, q.Outbound, q.FirstHop = []RegisterContact{{URI: "sip:a@10.0.0.1:1", InstanceID: urn, RegID: "2"}}, true, true
			},
			[]string{"sip:a@10.0.0.1:1", "sip:a@10.0.0.1:1"},
		},
		{
			"one of two flows again",
			func(q *RegisterRequest) {
				q.Contacts, q.Outbound, q.FirstHop = []RegisterContact{{URI: "sip:a@10.0.0.1:1", InstanceID: urn, RegID: "1"}}, true, true
			},
			func(q *RegisterRequest) {
				q.Contacts, q.Outbound, q.FirstHop = []RegisterContact{{URI: "sip:a@10.0.0.1:2", InstanceID: urn, RegID: "1"}}, true, true
			},
			[]string{"sip:a@10.0.0.1:2"},
		},
		{
			"no instance, a new port of the NAT in its Contact, the same Call-ID",
			func(q *RegisterRequest) { q.Contacts = contacts("sip:a@192.0.2.7:1000") },
			func(q *RegisterRequest) { q.Contacts, q.Source = contacts("sip:a@192.0.2.7:2000"), "192.0.2.7:2000" },
			[]string{"sip:a@192.0.2.7:2000"},
		},
		{
			"another phone",
			func(q *RegisterRequest) { q.Contacts = contacts("sip:a@192.0.2.7:1000") },
			func(q *RegisterRequest) {
				q.Contacts, q.Source, q.CallID = contacts("sip:a@192.0.2.8:1000"), "192.0.2.8:1000", "another"
			},
			[]string{"sip:a@192.0.2.7:1000", "sip:a@192.0.2.8:1000"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newRegBench(RegistrarOptions{})
			wantStatus(t, b.register(tc.first), 200, "")
			wantStatus(t, b.register(tc.second), 200, "")
			var got []string
			for _, r := range b.bindings("dev-alice", b.now) {
				got = append(got, r.Contact)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestR34TheRulesOfOutboundAndPath(t *testing.T) {
	flow := func(expires string) RegisterContact {
		return RegisterContact{URI: "sip:a@10.0.0.1", InstanceID: urn, RegID: "1", Expires: expires}
	}
	for _, tc := range []struct {
		name     string
		edit     func(*RegisterRequest)
		status   int
		outbound bool
		why      string
	}{
		{"first hop", func(q *RegisterRequest) { q.Outbound, q.FirstHop, q.Contacts = true, true, []RegisterContact{flow("")} }, 200, true, ""},
		{"not asked for", func(q *RegisterRequest) { q.FirstHop, q.Contacts = true, []RegisterContact{flow("")} }, 200, false, ""},
		{"a proxy that keeps flows", func(q *RegisterRequest) {
			q.Outbound, q.Contacts, q.Path = true, []RegisterContact{flow("")}, []string{"sip:p1.example;lr", "sip:edge.example;lr;ob"}
		}, 200, true, ""},
		{"a proxy that does not", func(q *RegisterRequest) {
			q.Outbound, q.Contacts, q.Path = true, []RegisterContact{flow("")}, []string{"sip:p1.example;lr"}
		}, 439, false, "does not say ob"},
		{"two contacts", func(q *RegisterRequest) {
			q.Outbound, q.FirstHop, q.Contacts = true, true, []RegisterContact{flow(""), {URI: "sip:b@h"}}
		}, 400, false, "more than one contact"},
		{"reg-id zero", func(q *RegisterRequest) {
			q.Outbound, q.FirstHop = true, true
			q.Contacts = []RegisterContact{{URI: "sip:a@h", InstanceID: urn, RegID: "0"}}
		}, 400, false, "reg-id must be"},
		{"a path without end", func(q *RegisterRequest) {
			q.Contacts, q.Path = contacts("sip:a@h"), slices.Repeat([]string{"sip:p.example;lr"}, 9)
		}, 400, false, "more than 8 Path"},
		{"a path that is none", func(q *RegisterRequest) { q.Contacts, q.Path = contacts("sip:a@h"), []string{"tel:+1"} }, 400, false, "Path: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newRegBench(RegistrarOptions{})
			r := b.register(tc.edit)
			wantStatus(t, r, tc.status, tc.why)
			if r.Outbound != tc.outbound {
				t.Errorf("outbound is %v", r.Outbound)
			}
		})
	}
}

// A refresh is not a commit; a new binding is. What a restart finds is never without a binding.
func TestR34ARefreshIsWrittenLaterAndWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memStore{}
		r := NewRegistrar(RegistrarOptions{Store: store, FlushEvery: 5 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		seq := uint32(0)
		register := func(i int) {
			seq++
			res := r.Register(t.Context(), RegisterRequest{
				Device: testDevice(fmt.Sprint("d", i), fmt.Sprint("u", i)), Contacts: contacts(fmt.Sprintf("sip:a@10.0.0.%d 300", i)),
				CallID: fmt.Sprint("c", i), CSeq: seq, Source: "192.0.2.7:5060", Transport: "UDP", Now: time.Now(),
			})
			wantStatus(t, res, 200, "")
		}
		for i := range 20 {
			register(i)
		}
		same(t, "commits of new bindings", store.puts, 20)
		time.Sleep(100 * time.Second)
		for i := range 20 {
			register(i)
		}
		same(t, "commits of refreshes", store.puts, 20)
		row := func(id string) []Registration {
			store.mu.Lock()
			defer store.mu.Unlock()
			return slices.Clone(store.rows[id])
		}
		batches := func() int {
			store.mu.Lock()
			defer store.mu.Unlock()
			return store.refreshes
		}
		stored := row("dev-d3")[0].Expires
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		same(t, "batches before their time", batches(), 0)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		same(t, "batches", batches(), 1)
		if got := row("dev-d3")[0].Expires; got.Sub(stored) != 100*time.Second {
			t.Errorf("the stored end moved by %v", got.Sub(stored))
		}
		// The store is away: the phones do not notice, and it is written when it is back.
		store.mu.Lock()
		store.fail = errors.New("away")
		store.mu.Unlock()
		time.Sleep(100 * time.Second)
		register(3)
		time.Sleep(20 * time.Second)
		store.mu.Lock()
		store.fail = nil
		store.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := row("dev-d3")[0].Expires; got.Sub(stored) != 205*time.Second {
			t.Errorf("the stored end moved by %v in all", got.Sub(stored))
		}
		// What waits is written at the end.
		register(4)
		cancel()
		<-done
		if d := cmp.Diff(r.bindings("dev-d4", time.Now()), store.rows["dev-d4"]); d != "" {
			t.Error(d)
		}
		again := NewRegistrar(RegistrarOptions{Store: store})
		if err := again.Load(t.Context()); err != nil || again.Count() != 20 {
			t.Errorf("%d bindings after a restart, %v", again.Count(), err)
		}
	})
}

func TestR34DeadContactsAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memStore{}
		var told []string
		r := NewRegistrar(RegistrarOptions{Store: store, MaxFailures: 3, OnChange: func(u string, is bool) { told = append(told, fmt.Sprint(u, is)) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		register := func(source, transport, contact string, seq uint32) Registration {
			res := r.Register(t.Context(), RegisterRequest{
				Device: testDevice("a", "u"), Contacts: contacts(contact), CallID: "c" + contact, CSeq: seq, Source: source,
				Transport: transport, Now: time.Now(),
			})
			wantStatus(t, res, 200, "")
			all := r.bindings("dev-a", time.Now())
			return all[len(all)-1]
		}
		udp := register("192.0.2.7:5060", "UDP", "sip:a@10.0.0.1", 1)
		for i, dead := range []bool{false, false} {
			same(t, fmt.Sprint("failure ", i), r.Failed(udp, false), dead)
		}
		r.Alive(udp)
		same(t, "after an answer", r.Failed(udp, false), false)
		same(t, "again", r.Failed(udp, false), false)
		udp = register("192.0.2.7:5060", "UDP", "sip:a@10.0.0.1", 2) // a REGISTER is a sign of life
		same(t, "after a refresh", r.Failed(udp, false), false)
		same(t, "2", r.Failed(udp, false), false)
		same(t, "3", r.Failed(udp, false), true)
		same(t, "bindings", r.Count(), 0)

		register("192.0.2.7:50000", "TCP", "sip:a@10.0.0.1:5;transport=tcp", 1)
		register("192.0.2.7:50001", "WSS", "sip:x@abc.invalid;transport=ws", 1)
		r.FlowClosed(netip.MustParseAddrPort("192.0.2.7:50000"))
		r.FlowClosed(netip.MustParseAddrPort("192.0.2.7:50009"))
		same(t, "left", r.Count(), 1)
		wss := r.bindings("dev-a", time.Now())[0]
		same(t, "a connection that is not there", r.Failed(wss, true), true)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		same(t, "stored", len(store.rows), 0)
		same(t, "told", strings.Join(told, " "), "utrue ufalse utrue ufalse")
		cancel()
		<-done
	})
}

func TestR34OnlyPhonesBehindNATArePinged(t *testing.T) {
	for _, tc := range []struct {
		source, transport, contact string
		path                       []string
		want                       bool
	}{
		{"192.0.2.7:5060", "UDP", "sip:a@192.0.2.7", nil, false},
		{"192.0.2.7:5060", "UDP", "sip:a@192.0.2.7:5060;ob", nil, false},
		{"192.0.2.7:1024", "UDP", "sip:a@192.0.2.7", nil, true},
		{"192.0.2.7:5060", "UDP", "sip:a@10.0.0.1", nil, true},
		{"192.0.2.7:5060", "UDP", "sip:a@phone.local", nil, true},
		{"[2001:db8::1]:5060", "UDP", "sip:a@[2001:db8::1]", nil, false},
		{"192.0.2.7:5060", "UDP", "sip:a@10.0.0.1", []string{"sip:p;lr"}, false},
		{"192.0.2.7:5061", "TCP", "sip:a@10.0.0.1", nil, false},
	} {
		got := needsPing(&Registration{Source: tc.source, Transport: tc.transport, Contact: tc.contact, Path: tc.path})
		if got != tc.want {
			t.Errorf("%s %s %s: %v", tc.source, tc.transport, tc.contact, got)
		}
	}
}

// BenchmarkRegistrations reports what a registered phone costs in memory, and a refresh in time.
func BenchmarkRegistrations(b *testing.B) {
	const phones = 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	r := NewRegistrar(RegistrarOptions{Store: nowhere{}})
	devices := make([]*Device, phones)
	request := func(i int, seq uint32, now time.Time) RegisterRequest {
		// As from the wire: every text is part of a larger message.
		msg := strings.Repeat("x", 600) + fmt.Sprintf("sip:agent%06d@10.1.%d.%d:5060;ob", i, i>>8&255, i&255)
		return RegisterRequest{
			Device: devices[i], CallID: fmt.Sprintf("%032x", i), CSeq: seq, Source: fmt.Sprintf("203.0.%d.%d:%d", i>>8&255, i&255, 1024+i%60000),
			Contacts:  []RegisterContact{{URI: msg[600:], InstanceID: fmt.Sprintf(`"<urn:uuid:00000000-0000-1000-8000-%012x>"`, i)}},
			Transport: "UDP", UserAgent: "Some Desk Phone T46S 66.86.0.15", Now: now,
		}
	}
	now := time.Now()
	for i := range devices {
		devices[i] = testDevice(fmt.Sprintf("agent%06d", i), fmt.Sprintf("user-%06d", i))
	}
	before := heap()
	for i := range phones {
		if res := r.Register(context.Background(), request(i, 1, now)); res.Status != 200 {
			b.Fatal(res)
		}
	}
	each := float64(heap()-before) / phones
	seq, i := uint32(1), 0
	for b.Loop() {
		if i = (i + 1) % phones; i == 0 {
			seq++
		}
		now = now.Add(time.Millisecond)
		r.Register(context.Background(), request(i, seq+1, now))
	}
	b.ReportMetric(each, "B/phone")
	if each > 1024 {
		b.Errorf("a phone costs %.0f bytes", each)
	}
	runtime.KeepAlive(devices)
}

type nowhere struct{}

func (nowhere) PutRegistrations(context.Context, string, []Registration) error    { return nil }
func (nowhere) RefreshRegistrations(context.Context, []RegistrationRefresh) error { return nil }
func (nowhere) Registrations(context.Context) ([]Registration, error)             { return nil, nil }
