package sip

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// LimitOptions bounds what strangers and carriers may use. A zero field has the default in brackets.
type LimitOptions struct {
	RequestsPerSecond float64 // per source address, IPv6 per /64 (50)
	Burst             int     // requests at once from a quiet source (twice RequestsPerSecond)
	MaxSources        int     // sources remembered (65536)
	MaxCalls          int     // calls at once on the node (1000)

	// Exempt, if set, names sources that the request limit does not hold for: carriers, whose calls have limits of
	// their own. It is called without a lock.
	Exempt func(netip.Addr) bool
}

// Limits sheds load before work is done for it. Its methods may be called at the same time.
type Limits struct {
	opt LimitOptions

	srcMu   sync.Mutex
	sources map[netip.Addr]*list.Element // of *bucket
	recent  *list.List                   // least recent first

	callMu sync.Mutex
	calls  int
	trunks map[string]*channels
}

type bucket struct {
	addr   netip.Addr
	tokens float64
	last   time.Time
}

// NewLimits makes the limits.
func NewLimits(opt LimitOptions) *Limits {
	if opt.RequestsPerSecond <= 0 {
		opt.RequestsPerSecond = 50
	}
	if opt.Burst <= 0 {
		opt.Burst = max(1, int(2*opt.RequestsPerSecond))
	}
	if opt.MaxSources <= 0 {
		opt.MaxSources = 1 << 16
	}
	if opt.MaxCalls <= 0 {
		opt.MaxCalls = 1000
	}
	return &Limits{
		opt: opt, sources: make(map[netip.Addr]*list.Element), recent: list.New(),
		trunks: make(map[string]*channels),
	}
}

// AllowRequest takes a token of the source's bucket. If there is none, retryAfter is when there will be.
func (l *Limits) AllowRequest(src netip.Addr, now time.Time) (ok bool, retryAfter time.Duration) {
	addr := src.Unmap().WithZone("")
	if l.opt.Exempt != nil && l.opt.Exempt(addr) {
		return true, 0
	}
	if addr.Is6() { // who has one IPv6 address usually has the 2^64 around it
		p, _ := addr.Prefix(64)
		addr = p.Addr()
	}
	l.srcMu.Lock()
	defer l.srcMu.Unlock()
	b := l.bucket(addr, now)
	if elapsed := now.Sub(b.last); elapsed > 0 {
		b.tokens = min(float64(l.opt.Burst), b.tokens+elapsed.Seconds()*l.opt.RequestsPerSecond)
		b.last = now
	}
	if b.tokens < 1 {
		return false, time.Duration((1 - b.tokens) / l.opt.RequestsPerSecond * float64(time.Second))
	}
	b.tokens--
	return true, 0
}

// bucket finds or makes the bucket of addr. A full table forgets the source that was silent longest: it had the best
// chance of a full bucket anyway.
func (l *Limits) bucket(addr netip.Addr, now time.Time) *bucket {
	if e, ok := l.sources[addr]; ok {
		l.recent.MoveToBack(e)
		return e.Value.(*bucket)
	}
	if len(l.sources) >= l.opt.MaxSources {
		e := l.recent.Front()
		delete(l.sources, e.Value.(*bucket).addr)
		l.recent.Remove(e)
	}
	b := &bucket{addr: addr, tokens: float64(l.opt.Burst), last: now}
	l.sources[addr] = l.recent.PushBack(b)
	return b
}

// AcquireChannel takes a call's place: on the node, and on the trunk if t is not nil. If ok, release gives it back, once
// however often it is called. If not, why names the limit, and release is nil.
func (l *Limits) AcquireChannel(t *Trunk, now time.Time) (release func(), why string, ok bool) {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	if l.calls >= l.opt.MaxCalls {
		return nil, fmt.Sprintf("all %d calls of the node are in use", l.opt.MaxCalls), false
	}
	if t == nil {
		l.calls++
		return l.releaser(nil), "", true
	}
	c := l.channelsOf(t)
	if t.MaxChannels > 0 && c.used >= t.MaxChannels {
		return nil, fmt.Sprintf("all %d channels of trunk %q are in use", t.MaxChannels, t.Name), false
	}
	if t.MaxCPS > 0 {
		c.admitted = within(c.admitted, now, cpsWindow)
		if len(c.admitted) >= t.MaxCPS {
			return nil, fmt.Sprintf("trunk %q had its %d new calls of this second", t.Name, t.MaxCPS), false
		}
		c.admitted = append(c.admitted, now)
	} else {
		c.admitted = nil
	}
	c.used++
	l.calls++
	return l.releaser(c), "", true
}

func (l *Limits) releaser(c *channels) func() {
	return sync.OnceFunc(func() {
		l.callMu.Lock()
		defer l.callMu.Unlock()
		l.calls--
		if c != nil {
			c.used--
			c.pump(l, time.Now())
		}
	})
}

// Calls is how many calls hold a place.
func (l *Limits) Calls() int {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	return l.calls
}

// Channels is how many calls a trunk has.
func (l *Limits) Channels(trunkID string) int {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	if c := l.trunks[trunkID]; c != nil {
		return c.used
	}
	return 0
}

// wouldRefuse names the limit that AcquireChannel would meet now, without taking anything; empty: none.
func (l *Limits) wouldRefuse(t *Trunk, now time.Time) string {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	if l.calls >= l.opt.MaxCalls {
		return fmt.Sprintf("all %d calls of the node are in use", l.opt.MaxCalls)
	}
	if t == nil {
		return ""
	}
	c := l.trunks[t.ID]
	if c == nil {
		return ""
	}
	if t.MaxChannels > 0 && c.used >= t.MaxChannels {
		return fmt.Sprintf("all %d channels of trunk %q are in use", t.MaxChannels, t.Name)
	}
	recent := 0
	for _, at := range c.admitted {
		if now.Sub(at) < cpsWindow {
			recent++
		}
	}
	if t.MaxCPS > 0 && recent >= t.MaxCPS {
		return fmt.Sprintf("trunk %q had its %d new calls of this second", t.Name, t.MaxCPS)
	}
	return ""
}
