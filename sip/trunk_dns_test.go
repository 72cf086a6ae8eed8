package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"ullim/internal/errs"
)

func testLookups(t *testing.T, z Resolver) *lookups {
	t.Helper()
	return newLookups(t.Context(), z, func(f func()) bool { go f(); return true })
}

func placesText(ps []place) string {
	out := make([]string, 0, len(ps))
	for _, p := range ps {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}

func TestR25WhereAGatewayIs(t *testing.T) {
	z := &zone{
		srv: map[string][]*net.SRV{
			"_sip._udp.srv.example":  {{Target: "b.example.", Port: 5070, Priority: 20}, {Target: "a.example.", Port: 5080, Priority: 10}},
			"_sips._tcp.srv.example": {{Target: "a.example.", Port: 5443, Priority: 10}},
			"_sip._udp.none.example": {{Target: "."}},
			"_sip._udp.half.example": {{Target: "gone.example.", Port: 1, Priority: 1}, {Target: "a.example.", Port: 5060, Priority: 2}},
		},
		addrs: map[string][]string{
			"a.example": {"192.0.2.1", "2001:db8::1"}, "b.example": {"192.0.2.2"}, "srv.example": {"192.0.2.99"}, "plain.example": {"192.0.2.3"},
		},
	}
	for name, c := range map[string]struct {
		gateway Gateway
		want    string
		kind    errs.Kind
	}{
		"address":                       {Gateway{Host: "192.0.2.7"}, "UDP 192.0.2.7:5060", 0},
		"address and port":              {Gateway{Host: "192.0.2.7", Port: 5070, Transport: "TCP"}, "TCP 192.0.2.7:5070", 0},
		"IPv6 in brackets":              {Gateway{Host: "[2001:db8::7]", Transport: "TLS"}, "TLS [2001:db8::7]:5061", 0},
		"SRV, not the address record":   {Gateway{Host: "srv.example"}, "UDP 192.0.2.1:5080, UDP [2001:db8::1]:5080, UDP 192.0.2.2:5070", 0},
		"a port: no SRV":                {Gateway{Host: "srv.example", Port: 5060}, "UDP 192.0.2.99:5060", 0},
		"SRV of TLS":                    {Gateway{Host: "srv.example", Transport: "TLS"}, "TLS 192.0.2.1:5443, TLS [2001:db8::1]:5443", 0},
		"no SRV of TCP: addresses":      {Gateway{Host: "srv.example", Transport: "TCP"}, "TCP 192.0.2.99:5060", 0},
		"no SRV at all":                 {Gateway{Host: "plain.example"}, "UDP 192.0.2.3:5060", 0},
		"case and final dot":            {Gateway{Host: "PLAIN.example."}, "UDP 192.0.2.3:5060", 0},
		"decidedly not available":       {Gateway{Host: "none.example"}, "", errs.Unavailable},
		"one of the hosts is not there": {Gateway{Host: "half.example"}, "UDP 192.0.2.1:5060, UDP [2001:db8::1]:5060", 0},
		"no such name":                  {Gateway{Host: "nowhere.example"}, "", errs.NotFound},
	} {
		ps, err := testLookups(t, z).locate(t.Context(), c.gateway)
		if got := placesText(ps); got != c.want || (c.want == "") != (err != nil) || err != nil && errs.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestR25DNSIsAskedOnceAndStaleAnswersServeWhileItIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string][]string{"a.example": {"192.0.2.1"}}}
		x := testLookups(t, z)
		g := Gateway{Host: "a.example"}
		get := func() string {
			t.Helper()
			ps, err := x.locate(t.Context(), g)
			if err != nil {
				return err.Error()
			}
			return placesText(ps)
		}
		for range 5 {
			if got := get(); got != "UDP 192.0.2.1:5060" {
				t.Fatal(got)
			}
		}
		if z.asked != 2 {
			t.Errorf("asked %d times, want once for SRV and once for the address", z.asked)
		}
		z.set(func(z *zone) { z.dead = true })
		time.Sleep(dnsGood + time.Second)
		began := time.Now()
		if got := get(); got != "UDP 192.0.2.1:5060" {
			t.Errorf("with a dead DNS: %s", got)
		}
		time.Sleep(time.Hour)
		if got := get(); got != "UDP 192.0.2.1:5060" || time.Since(began) != time.Hour {
			t.Errorf("an hour later: %s, after %s", got, time.Since(began)-time.Hour)
		}
		z.set(func(z *zone) { z.dead = false; z.addrs["a.example"] = []string{"192.0.2.2"} })
		time.Sleep(dnsDeadline + dnsBad + time.Second)
		get() // what is old is given at once, and fetched anew behind it
		synctest.Wait()
		if got := get(); got != "UDP 192.0.2.2:5060" {
			t.Errorf("after the DNS is back: %s", got)
		}
		z.set(func(z *zone) { delete(z.addrs, "a.example") })
		time.Sleep(dnsGood + time.Second)
		get()
		synctest.Wait()
		if _, err := x.locate(t.Context(), g); !errs.Is(err, errs.NotFound) {
			t.Errorf("a name that was taken out of the DNS: %v", err)
		}
	})
}

func TestR25ADeadDNSHoldsACallNoLongerThanItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := testLookups(t, &zone{dead: true})
		began := time.Now()
		if _, err := x.locate(t.Context(), Gateway{Host: "a.example"}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%v, want Unavailable: an SRV that could not be asked for is not passed over", err)
		}
		if took := time.Since(began); took > dnsDeadline {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		time.Sleep(dnsBad)
		_, _ = x.locate(ctx, Gateway{Host: "b.example"})
		if took := time.Since(began) - dnsBad; took > time.Second {
			t.Errorf("the caller's own deadline was not kept: %s", took)
		}
		time.Sleep(dnsDeadline)
		synctest.Wait()
	})
}

func TestR25RecordsAreTakenByPriorityAndWeight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	srvs := []net.SRV{
		{Target: "last", Priority: 30, Weight: 100},
		{Target: "heavy", Priority: 10, Weight: 30},
		{Target: "light", Priority: 10, Weight: 10},
		{Target: "zero", Priority: 10, Weight: 0},
		{Target: "second", Priority: 20},
	}
	first := map[string]int{}
	const n = 20_000
	for range n {
		got := orderSRV(srvs, r.IntN)
		if len(got) != len(srvs) || got[3].Target != "second" || got[4].Target != "last" {
			t.Fatalf("order is %v", got)
		}
		first[got[0].Target]++
	}
	if heavy := float64(first["heavy"]) / n; heavy < 0.72 || heavy > 0.78 {
		t.Errorf("weight 30 of 40 came first in %.3f of the calls", heavy)
	}
	if zero := float64(first["zero"]) / n; zero == 0 || zero > 0.01 {
		t.Errorf("weight 0 came first in %.4f of the calls", zero)
	}
}

func TestR25OrderOfNothing(t *testing.T) {
	if got := orderSRV(nil, func(int) int { return 0 }); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestR25NamesRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := testLookups(t, &zone{})
		for i := range maxNames + 100 {
			_, _ = x.get(t.Context(), dnsKey{name: fmt.Sprintf("n%d.example", i)})
			if i == maxNames/2 {
				time.Sleep(dnsBad + time.Second)
			}
		}
		if n := len(x.known); n > maxNames {
			t.Errorf("%d names are remembered", n)
		}
	})
}

// TestT03ServerOnLoopbackIsReadByTheStandardResolver checks what virtual time cannot: that the resolver of the standard
// library gives what lookups expects, on the wire.
func TestT03ServerOnLoopbackIsReadByTheStandardResolver(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var queries atomic.Int64
	done := make(chan struct{})
	go func() { defer close(done); serveDNS(server, &queries) }()
	defer func() { _ = server.Close(); <-done }()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	x := testLookups(t, resolver)
	ps, err := x.locate(t.Context(), Gateway{Host: "carrier.test"})
	if got := placesText(ps); err != nil || got != "UDP 192.0.2.1:5061, UDP 192.0.2.2:5062, UDP 192.0.2.3:5063" {
		t.Errorf("got %q, %v", got, err)
	}
	before := queries.Load()
	if _, err = x.locate(t.Context(), Gateway{Host: "carrier.test"}); err != nil || queries.Load() != before {
		t.Errorf("asked again: %d queries more, %v", queries.Load()-before, err)
	}
	ps, err = x.locate(t.Context(), Gateway{Host: "one.carrier.test"}) // no SRV: NXDOMAIN, then its address
	if got := placesText(ps); err != nil || got != "UDP 192.0.2.1:5060" {
		t.Errorf("without SRV: %q, %v", got, err)
	}
	if _, err = x.locate(t.Context(), Gateway{Host: "nobody.test"}); !errs.Is(err, errs.NotFound) {
		t.Errorf("unknown name: %v", err)
	}
}

// serveDNS answers for carrier.test: three SRV records, each with an address.
func serveDNS(c net.PacketConn, queries *atomic.Int64) {
	buf := make([]byte, 1500)
	hosts := map[string][4]byte{
		"one.carrier.test.": {192, 0, 2, 1}, "two.carrier.test.": {192, 0, 2, 2}, "three.carrier.test.": {192, 0, 2, 3},
	}
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		queries.Add(1)
		q := m.Questions[0]
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 5}
		name := strings.ToLower(q.Name.String())
		addr, isHost := hosts[name]
		switch {
		case name == "_sip._udp.carrier.test." && q.Type == dnsmessage.TypeSRV:
			for i, h := range []string{"one.carrier.test.", "two.carrier.test.", "three.carrier.test."} {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.SRVResource{
					Priority: uint16(10 * (i + 1)), Weight: 1, Port: uint16(5061 + i), Target: dnsmessage.MustNewName(h),
				}})
			}
		case isHost && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: addr}})
		case isHost: // no AAAA
		default:
			m.RCode = dnsmessage.RCodeNameError
		}
		if out, err := m.Pack(); err == nil {
			_, _ = c.WriteTo(out, from)
		}
	}
}
