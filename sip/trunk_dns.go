package sip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ullim/internal/errs"
)

// Resolver asks the DNS. *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, srvs []*net.SRV, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// How long answers are believed. The resolver of the standard library gives no TTL.
const (
	dnsDeadline = 3 * time.Second
	dnsGood     = time.Minute
	dnsBad      = 10 * time.Second
	dnsStale    = 24 * time.Hour // what was right once is used that long while the DNS does not answer
	maxNames    = 4096           // remembered
	maxTargets  = 16             // of one gateway
)

// lookups is the DNS with a memory. An answer that is old is given at once, while a new one is fetched in the background:
// only the first caller ever waits.
type lookups struct {
	dns   Resolver
	spawn func(func()) bool
	ctx   context.Context //nolint:containedctx // the life of the endpoint

	mu    sync.Mutex
	known map[dnsKey]*dnsEntry
}

type dnsKey struct{ service, proto, name string } // service empty: addresses

type dnsEntry struct {
	srvs  []net.SRV
	addrs []netip.Addr
	err   error
	until time.Time     // fresh
	good  time.Time     // when it was last answered, be it that there is no such name
	busy  chan struct{} // closed when the lookup under way is over; nil: none
}

func newLookups(ctx context.Context, dns Resolver, spawn func(func()) bool) *lookups {
	return &lookups{dns: dns, spawn: spawn, ctx: ctx, known: make(map[dnsKey]*dnsEntry)}
}

// get gives what is known, and waits only if that is nothing.
func (x *lookups) get(ctx context.Context, k dnsKey) (dnsEntry, error) {
	k.name = strings.ToLower(strings.TrimSuffix(k.name, "."))
	for {
		now := time.Now()
		x.mu.Lock()
		e := x.known[k]
		if e == nil {
			x.room(now)
			e = &dnsEntry{}
			x.known[k] = e
		}
		if e.busy == nil && !e.until.After(now) {
			e.busy = make(chan struct{})
			if !x.spawn(func() { x.fetch(k, e) }) { //nolint:contextcheck // it serves others than who asked first
				close(e.busy)
				e.busy = nil
				x.mu.Unlock()
				return dnsEntry{}, errs.New(errs.Unavailable, "endpoint is closed")
			}
		}
		// That there is no SRV record is told like a good answer; a host without an address is looked up first.
		usable := e.until.After(now) || now.Sub(e.good) < dnsStale && (e.err == nil || k.service != "")
		got, busy := *e, e.busy
		x.mu.Unlock()
		if usable {
			return got, got.err
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return dnsEntry{}, errs.Wrap(ctx.Err(), errs.Unavailable, "no answer from the DNS for %s", k.name)
		}
	}
}

// room forgets names that nobody has asked for, if there are too many. x.mu is held.
func (x *lookups) room(now time.Time) {
	if len(x.known) < maxNames {
		return
	}
	maps.DeleteFunc(x.known, func(_ dnsKey, e *dnsEntry) bool { return e.busy == nil && !e.until.After(now) })
}

// fetch asks the DNS and remembers the answer. A failure does not take away what was good; that a name does not exist is
// an answer, and only then is it gone.
func (x *lookups) fetch(k dnsKey, e *dnsEntry) {
	ctx, cancel := context.WithTimeout(x.ctx, dnsDeadline)
	defer cancel()
	var srvs []net.SRV
	var addrs []netip.Addr
	var err error
	if k.service != "" {
		var list []*net.SRV
		_, list, err = x.dns.LookupSRV(ctx, k.service, k.proto, k.name)
		for _, s := range list[:min(len(list), maxTargets)] {
			srvs = append(srvs, *s)
		}
		if len(srvs) > 0 {
			err = nil // bad names among good ones
		}
	} else {
		addrs, err = x.dns.LookupNetIP(ctx, "ip", k.name)
		addrs = addrs[:min(len(addrs), maxTargets)]
	}
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case err == nil && len(srvs)+len(addrs) > 0:
		e.srvs, e.addrs, e.err, e.until, e.good = srvs, addrs, nil, now.Add(dnsGood), now
	case err == nil, isNoName(err):
		e.srvs, e.addrs, e.until, e.good = nil, nil, now.Add(dnsBad), now
		e.err = errs.New(errs.NotFound, "the DNS knows no %s", k)
	default:
		e.until = now.Add(dnsBad)
		if now.Sub(e.good) >= dnsStale {
			e.err = errs.New(errs.Unavailable, "the DNS does not answer for %s", k)
		}
	}
	close(e.busy)
	e.busy = nil
}

// String is the name as it is asked for.
func (k dnsKey) String() string {
	if k.service == "" {
		return k.name
	}
	return "_" + k.service + "._" + k.proto + "." + k.name
}

func isNoName(err error) bool {
	d, ok := errors.AsType[*net.DNSError](err)
	return ok && d.IsNotFound
}

// place is one address of a gateway.
type place struct {
	network string
	addr    netip.AddrPort
	server  string // for the certificate
}

// String is the place as it is shown: "UDP 192.0.2.1:5060".
func (p place) String() string { return p.network + " " + p.addr.String() }

// locate finds the places of a gateway in the order in which they are tried. RFC 3263 §4: an address is taken as it is, a
// name with a port has addresses only, a name without goes by SRV if there is one, and never past it.
func (x *lookups) locate(ctx context.Context, g Gateway) ([]place, error) {
	network, port := g.network(), g.Port
	server := strings.TrimSuffix(g.Host, ".")
	if a, ok := hostAddr(g.Host); ok {
		return []place{{network, netip.AddrPortFrom(a, portOr(port, network)), a.String()}}, nil
	}
	if port == 0 {
		service, proto := "sip", strings.ToLower(network)
		if network == "TLS" {
			service, proto = "sips", "tcp"
		}
		e, err := x.get(ctx, dnsKey{service, proto, g.Host})
		if err == nil {
			return x.locateSRV(ctx, e.srvs, network, server)
		}
		if errs.KindOf(err) != errs.NotFound {
			return nil, err // there may be one: its hosts must not be passed over
		}
	}
	return x.addresses(ctx, g.Host, portOr(port, network), network, server)
}

func (x *lookups) locateSRV(ctx context.Context, srvs []net.SRV, network, server string) ([]place, error) {
	var out []place
	var firstErr error
	for _, s := range orderSRV(srvs, rand.IntN) {
		if s.Target == "." || s.Target == "" { // RFC 2782: the service is decidedly not available
			firstErr = errs.New(errs.Unavailable, "%s says in the DNS that it has no SIP over %s", server, network)
			continue
		}
		more, err := x.addresses(ctx, s.Target, s.Port, network, server)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		if out = append(out, more...); len(out) >= maxTargets {
			return out[:maxTargets], nil
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, firstErr
}

func (x *lookups) addresses(ctx context.Context, host string, port uint16, network, server string) ([]place, error) {
	if a, ok := hostAddr(host); ok {
		return []place{{network, netip.AddrPortFrom(a, port), server}}, nil
	}
	e, err := x.get(ctx, dnsKey{name: host})
	if err != nil {
		return nil, err
	}
	out := make([]place, 0, len(e.addrs))
	for _, a := range e.addrs {
		out = append(out, place{network, netip.AddrPortFrom(a.Unmap().WithZone(""), port), server})
	}
	return out, nil
}

func portOr(port int, network string) uint16 {
	switch {
	case port > 0 && port <= 65535:
		return uint16(port)
	case network == "TLS":
		return 5061
	default:
		return 5060
	}
}

// orderSRV puts records in the order in which they are tried: by priority, and at random by weight among those of the
// same. intn gives a number in [0, n). RFC 2782.
func orderSRV(srvs []net.SRV, intn func(int) int) []net.SRV {
	return byWeight(srvs, func(s net.SRV) (int, int) { return int(s.Priority), int(s.Weight) }, intn)
}

// byWeight is the order of RFC 2782 for anything with a priority and a weight. Weight 0 comes last but for luck: as one
// that is asked for "a very small chance".
func byWeight[T any](list []T, of func(T) (priority, weight int), intn func(int) int) []T {
	left := slices.Clone(list)
	slices.SortStableFunc(left, func(a, b T) int {
		pa, _ := of(a)
		pb, _ := of(b)
		return pa - pb
	})
	out := make([]T, 0, len(left))
	for len(left) > 0 {
		first, _ := of(left[0])
		n, sum := 0, 0
		for n < len(left) {
			p, w := of(left[n])
			if p != first {
				break
			}
			sum += 16*w + 1
			n++
		}
		at, pick := 0, intn(sum)
		for ; at < n-1; at++ {
			_, w := of(left[at])
			if pick -= 16*w + 1; pick < 0 {
				break
			}
		}
		out = append(out, left[at])
		left = slices.Delete(left, at, at+1)
	}
	return out
}

var _ fmt.Stringer = place{}
