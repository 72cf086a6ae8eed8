package sip

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/resource"
)

// zone is a DNS in memory: Resolver.
type zone struct {
	mu    sync.Mutex
	srv   map[string][]*net.SRV // by _service._proto.name
	addrs map[string][]string
	dead  bool // answers nothing
	asked int
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	full := "_" + service + "._" + proto + "." + name
	if err := z.wait(ctx, full); err != nil {
		return "", nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if list := z.srv[full]; len(list) > 0 {
		return full, list, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: full, IsNotFound: true}
}

func (z *zone) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if err := z.wait(ctx, host); err != nil {
		return nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	var out []netip.Addr
	for _, a := range z.addrs[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

func (z *zone) wait(ctx context.Context, name string) error {
	z.mu.Lock()
	z.asked++
	dead := z.dead
	z.mu.Unlock()
	if dead {
		<-ctx.Done()
		return &net.DNSError{Err: "i/o timeout", Name: name, IsTimeout: true, IsTemporary: true}
	}
	return nil
}

func (z *zone) set(change func(*zone)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	change(z)
}

// config holds the trunks of a test, to be changed while it runs.
type trunkConfig struct {
	mu    sync.Mutex
	table *TrunkTable
}

func (c *trunkConfig) get() *TrunkTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table
}

func (c *trunkConfig) set(t *testing.T, trunks ...*Trunk) {
	t.Helper()
	table, err := NewTrunkTable(trunks)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table = table
}

// trunkStage is a stage with trunks of its own and a DNS.
type trunkStage struct {
	*stage
	conf *trunkConfig
	dns  *zone
}

func newTrunkStage(t *testing.T, trunks ...*Trunk) *trunkStage {
	t.Helper()
	conf, dns := &trunkConfig{}, &zone{srv: map[string][]*net.SRV{}, addrs: map[string][]string{}}
	conf.set(t, trunks...)
	s := newStage(t, func(o *Options) {
		o.Trunks, o.Resolver, o.Secret = conf.get, dns, []byte("0123456789abcdef0123456789abcdef")
		o.Region = func(string) string { return "KR" }
		o.OpenSecret = func(k *Trunk) (string, error) { return k.Login.Secret, nil }
	})
	return &trunkStage{stage: s, conf: conf, dns: dns}
}

func (s *trunkStage) change(trunks ...*Trunk) {
	s.conf.set(s.t, trunks...)
	s.ep.SyncTrunks()
}

func (s *trunkStage) state(id string) TrunkState {
	s.t.Helper()
	st, ok := s.ep.TrunkState(id)
	if !ok {
		s.t.Fatalf("trunk %s has no state", id)
	}
	return st
}

// outTrunk is a trunk that calls go out by. Probing is off unless a test wants it.
func outTrunk(name string, edit func(*Trunk), gateways ...Gateway) *Trunk {
	k := &Trunk{
		Meta: resource.Meta{ID: "id-" + name, InstanceID: "inst-1", Name: name}, Gateways: gateways, Region: "KR", ProbeSeconds: -1,
	}
	if edit != nil {
		edit(k)
	}
	return k
}

// registrarEnd is a carrier's registrar: it answers the n-th different request (from 1); nil says nothing.
type registrarEnd struct {
	*farEnd
	mu   sync.Mutex
	seen []*sipgo.Request
	at   []time.Time
}

func (s *trunkStage) registrar(addr string, method sipgo.RequestMethod, answer func(n int, req *sipgo.Request) *sipgo.Response) *registrarEnd {
	r := &registrarEnd{farEnd: s.phone(addr)}
	branches := map[string]int{}
	r.on = func(m sipgo.Message) {
		req, ok := m.(*sipgo.Request)
		if !ok || req.Method != method {
			return
		}
		branch, _ := req.Via().Params.Get("branch")
		r.mu.Lock()
		n := branches[branch]
		if n == 0 {
			r.seen, r.at = append(r.seen, req), append(r.at, time.Now())
			n = len(r.seen)
			branches[branch] = n
		}
		r.mu.Unlock()
		if res := answer(n, req); res != nil {
			r.send(res.String())
		}
	}
	return r
}

func (r *registrarEnd) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

func (r *registrarEnd) request(t *testing.T, n int) (*sipgo.Request, time.Time) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > len(r.seen) {
		t.Fatalf("%d requests came, want %d", len(r.seen), n)
	}
	return r.seen[n-1], r.at[n-1]
}

func reply(req *sipgo.Request, code int, headers ...string) *sipgo.Response {
	res := sipgo.NewResponseFromRequest(req, code, "Test", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		res.AppendHeader(sipgo.NewHeader(headers[i], headers[i+1]))
	}
	return res
}

// granted is a 200 that gives the Contact of the request so many seconds.
func granted(req *sipgo.Request, seconds int) *sipgo.Response {
	return reply(req, 200, "Contact", "<"+req.Contact().Address.String()+">;expires="+strconv.Itoa(seconds))
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
