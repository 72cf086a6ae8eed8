package sip

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Who is trusted how much, decided for every packet before anything of it is read:
//
//	trunk       a carrier's configured address or one on the allow-list: no limit here, never banned
//	registered  the socket that a device authenticated from: a budget of its own, so that phones keep service while
//	            strangers flood, and phones behind one NAT do not share
//	unknown     everybody else, IPv6 by /64: a small budget each, and one for all of them together
//
// A device is promoted when it authenticates and demoted when its registration ends, when it keeps sending too much, or
// when what it sends is bad (bans.go counts). The table of strangers has a fixed size and is made once; nothing here
// allocates for a packet.

// TrustOptions bounds what each level may send. A zero field has the default in brackets.
type TrustOptions struct {
	StrangerRate  float64        // messages a second from one unknown source (100)
	StrangersRate float64        // messages a second from all unknown sources together (2000)
	StrangerSize  int            // bytes of one packet (16384)
	PhoneRate     float64        // messages a second from one registered device (100)
	Allow         []netip.Prefix // proxies and monitors that are trusted as a trunk is
	BanFor        time.Duration  // first ban of a source; each further one is twice as long, up to a day (10 min)
	MaxBans       int            // sources banned at once (65536)
}

func (o *TrustOptions) fill() {
	if o.StrangerRate <= 0 {
		o.StrangerRate = 100
	}
	if o.StrangersRate <= 0 {
		o.StrangersRate = 2000
	}
	if o.StrangerSize <= 0 {
		o.StrangerSize = 16 << 10
	}
	if o.PhoneRate <= 0 {
		o.PhoneRate = 100
	}
	if o.BanFor <= 0 {
		o.BanFor = 10 * time.Minute
	}
	if o.MaxBans <= 0 {
		o.MaxBans = 1 << 16
	}
}

// admission is what becomes of a packet.
type admission uint8

const (
	admitPass admission = iota
	admitShed           // read just enough to say 503, if at all
	admitDrop           // not read
)

// trustLevel is how well a source is known.
type trustLevel uint8

const (
	trustUnknown trustLevel = iota
	trustRegistered
	trustTrunk
)

const (
	strangerSets = 2048 // of strangerWays sources each
	strangerWays = 4
	maxKnown     = 1 << 18
	maxExpected  = 1 << 14
	expectFor    = time.Hour // since the last call or registration there
	burstSeconds = 2         // a quiet source may send this many seconds' worth at once
	excessDemote = 500       // messages over the budget of a device, since it authenticated, until it is a stranger again
)

// trust is the table. Its methods may be called at the same time.
type trust struct {
	opt    TrustOptions
	trunks func() *TrunkTable
	seed   maphash.Seed

	mu        sync.Mutex
	known     map[netip.AddrPort]*knownFlow
	expected  map[netip.Addr]int64 // hosts of gateways: until when
	strangers []stranger
	all       budget // of all strangers
	allShed   budget
	bans      banList

	stats trustStats
}

// trustStats counts packets by what became of them.
type trustStats struct {
	Shed, Dropped, Banned, Oversize uint64
	Promoted, Demoted               uint64
}

// budget is a token bucket.
type budget struct {
	tokens float32
	last   int64 // nanoseconds
}

// take takes a token. rate is what comes back in a second; burst is the most there can be.
func (b *budget) take(rate, burst float64, now int64) bool {
	if b.last == 0 {
		b.tokens = float32(burst)
		b.last = now
	} else if d := now - b.last; d > 0 {
		b.tokens = float32(min(burst, float64(b.tokens)+float64(d)*1e-9*rate))
		b.last = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// knownFlow is a socket that authenticated.
type knownFlow struct {
	until  int64
	budget budget
	excess int
	score  float32
}

// stranger is what is remembered of an unknown source.
type stranger struct {
	key        [16]byte
	last       int64
	pass, shed budget
	suspicion
}

func newTrust(opt TrustOptions, trunks func() *TrunkTable) *trust {
	opt.fill()
	return &trust{
		opt: opt, trunks: trunks, seed: maphash.MakeSeed(), known: make(map[netip.AddrPort]*knownFlow),
		expected:  make(map[netip.Addr]int64),
		strangers: make([]stranger, strangerSets*strangerWays), bans: newBanList(opt.MaxBans),
	}
}

// sourceKey is what sources are told apart by: an IPv4 address, or the /64 that an IPv6 customer has.
func sourceKey(a netip.Addr) [16]byte {
	k := a.Unmap().As16()
	if !a.Unmap().Is4() {
		clear(k[8:])
	}
	return k
}

// admit decides on one packet of size bytes.
func (t *trust) admit(src netip.AddrPort, size int, now time.Time) admission {
	if t.trusted(src) {
		return admitPass
	}
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expectedLocked(src.Addr(), at) {
		return admitPass
	}
	key := sourceKey(src.Addr())
	ban := t.bans.find(key, src.Addr(), at)
	if f := t.known[src]; f != nil && (ban == nil || !ban.manual) {
		if f.until > at {
			return t.admitKnown(src, f, at)
		}
		delete(t.known, src)
	}
	if ban != nil {
		ban.dropped++
		t.stats.Banned++
		return admitDrop
	}
	if size > t.opt.StrangerSize {
		t.stats.Oversize++
		return admitDrop
	}
	s := t.stranger(key, at)
	rate := t.opt.StrangerRate
	switch {
	case s.pass.take(rate, rate*burstSeconds, at) && t.all.take(t.opt.StrangersRate, t.opt.StrangersRate, at):
		return admitPass
	case s.shed.take(rate, rate, at) && t.allShed.take(t.opt.StrangersRate, t.opt.StrangersRate, at):
		t.stats.Shed++
		return admitShed
	}
	t.stats.Dropped++
	return admitDrop
}

func (t *trust) admitKnown(src netip.AddrPort, f *knownFlow, at int64) admission {
	if f.budget.take(t.opt.PhoneRate, t.opt.PhoneRate*burstSeconds, at) {
		return admitPass
	}
	t.stats.Shed++
	if f.excess++; f.excess > excessDemote {
		t.demoteLocked(src)
	}
	return admitShed
}

// trusted reports a trunk's address or one on the allow-list.
func (t *trust) trusted(src netip.AddrPort) bool {
	addr := src.Addr().Unmap()
	for i := range t.opt.Allow {
		if t.opt.Allow[i].Contains(addr) {
			return true
		}
	}
	return t.trunks().knows(src)
}

// level is how well a source is known now.
func (t *trust) level(src netip.AddrPort, now time.Time) trustLevel {
	if t.trusted(src) {
		return trustTrunk
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expectedLocked(src.Addr(), now.UnixNano()) {
		return trustTrunk
	}
	if f := t.known[src]; f != nil && f.until > now.UnixNano() {
		return trustRegistered
	}
	return trustUnknown
}

// promote trusts a socket until then: somebody has authenticated from it.
func (t *trust) promote(src netip.AddrPort, until, now time.Time) {
	if !src.IsValid() || t.trusted(src) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stranger(sourceKey(src.Addr()), now.UnixNano()).cleared(now.UnixNano())
	f := t.known[src]
	if f == nil {
		if len(t.known) >= maxKnown {
			t.sweepLocked(now.UnixNano())
			if len(t.known) >= maxKnown {
				return // still a stranger, with a stranger's budget
			}
		}
		f = &knownFlow{}
		t.known[src] = f
		t.stats.Promoted++
	}
	f.until = max(f.until, until.UnixNano())
}

// expect trusts a host that we send calls to by ourselves, as a gateway found by DNS, as much as a trunk's address: its
// answers come from there, and with a carrier that we register at its calls, too.
func (t *trust) expect(host netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.expected) < maxExpected || t.expected[host.Unmap()] != 0 {
		t.expected[host.Unmap()] = now.Add(expectFor).UnixNano()
	}
}

// expectedLocked reports a host that expect was told of.
func (t *trust) expectedLocked(a netip.Addr, at int64) bool { return t.expected[a.Unmap()] > at }

func (t *trust) demoteLocked(src netip.AddrPort) {
	if _, ok := t.known[src]; ok {
		delete(t.known, src)
		t.stats.Demoted++
	}
}

// sweep forgets what is over.
func (t *trust) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked(now.UnixNano())
	t.bans.sweep(now.UnixNano())
}

func (t *trust) sweepLocked(at int64) {
	for src, f := range t.known {
		if f.until <= at {
			delete(t.known, src)
		}
	}
	for host, until := range t.expected {
		if until <= at {
			delete(t.expected, host)
		}
	}
}

// stranger finds or makes the entry of a source. A full set forgets the one of least suspicion that was silent longest.
func (t *trust) stranger(key [16]byte, at int64) *stranger {
	set := int(maphash.Bytes(t.seed, key[:])%strangerSets) * strangerWays
	ways := t.strangers[set : set+strangerWays]
	worst := 0
	for i := range ways {
		if ways[i].last != 0 && ways[i].key == key {
			ways[i].last = at
			return &ways[i]
		}
		if a, b := &ways[i], &ways[worst]; a.score < b.score || a.score == b.score && a.last < b.last {
			worst = i
		}
	}
	ways[worst] = stranger{key: key, last: at}
	return &ways[worst]
}

// snapshot reads the counters and how many are known and banned.
func (t *trust) snapshot() (s trustStats, known, banned int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats, len(t.known), t.bans.size()
}

// knows reports whether an enabled trunk may send from src, without saying why not: asked for every packet.
func (tt *TrunkTable) knows(src netip.AddrPort) bool {
	if tt == nil {
		return false
	}
	addr := src.Addr().Unmap().WithZone("")
	for _, bits := range tt.bits {
		if bits > addr.BitLen() {
			continue
		}
		prefix, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		for _, e := range tt.byPrefix[prefix] {
			if !e.trunk.Disabled && (e.port == 0 || e.port == src.Port()) {
				return true
			}
		}
	}
	return false
}
