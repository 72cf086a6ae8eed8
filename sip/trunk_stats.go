package sip

import (
	"slices"
	"sync"
	"time"
)

// callClass is what became of a call that did not come about.
type callClass int

const (
	classLimit   callClass = iota // our own limit: no place on the trunk in time
	classCarrier                  // 5xx, or no answer of any gateway
	classRefused                  // 4xx and 6xx but the following
	classBusy                     // 486, 600
	classUnheard                  // 480, 408: nobody took it
	classUnknown                  // 404, 410, 484, 604: there is no such number
	classDenied                   // 401, 403, 407: the carrier does not let us
	classGivenUp                  // 487: we hung up
	classes
)

func (c callClass) String() string {
	return [...]string{"limit", "carrier", "refused", "busy", "unanswered", "unknown_number", "denied", "cancelled"}[c]
}

func classOf(o outcome) callClass {
	switch {
	case !o.answered() || o.status >= 500 && o.status < 600:
		return classCarrier
	case o.status == 486 || o.status == 600:
		return classBusy
	case o.status == 480 || o.status == 408:
		return classUnheard
	case o.status == 404 || o.status == 410 || o.status == 484 || o.status == 604:
		return classUnknown
	case o.status == 401 || o.status == 403 || o.status == 407:
		return classDenied
	case o.status == 487:
		return classGivenUp
	default:
		return classRefused
	}
}

// shortCall is an answered call that was over so soon that something may be wrong: carriers watch its share.
const shortCall = 6 * time.Second

// delayBounds are the buckets of the post-dial delay.
func delayBounds() []time.Duration {
	return []time.Duration{
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
		8 * time.Second, 15 * time.Second, 30 * time.Second,
	}
}

// trunkCounts is what a trunk's outgoing calls came to. carrier.mu guards it.
type trunkCounts struct {
	calls, answered, short uint64
	refused                [classes]uint64
	delays                 [10]uint64 // by delayBounds, the last is above
	delaySum               time.Duration
	delayN                 uint64
}

func (c *carrier) counted(f func(*trunkCounts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.counts)
}

// trunkCall measures one outgoing call.
type trunkCall struct {
	c     *carrier
	began time.Time

	mu       sync.Mutex
	ringing  bool
	answered time.Time
	last     outcome
	told1    bool
}

func (c *carrier) begin() *trunkCall {
	c.counted(func(n *trunkCounts) { n.calls++ })
	return &trunkCall{c: c, began: time.Now()}
}

// rang notes the post-dial delay: until the first sign of ringing or talking.
func (t *trunkCall) rang() {
	t.mu.Lock()
	first := !t.ringing
	t.ringing = true
	t.mu.Unlock()
	if !first {
		return
	}
	d := time.Since(t.began)
	t.c.counted(func(n *trunkCounts) {
		i, _ := slices.BinarySearch(delayBounds(), d)
		n.delays[i]++
		n.delaySum += d
		n.delayN++
	})
}

// told is how a gateway did: the last word counts.
func (t *trunkCall) told(o outcome) {
	if o.answered() && o.status < 300 {
		t.rang()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told1, t.last = true, o
	if o.answered() && o.status < 300 && t.answered.IsZero() {
		t.answered = time.Now()
	}
}

// over gives back what the call has taken, and counts what it came to, once.
func (t *trunkCall) over(give func()) func() {
	return sync.OnceFunc(func() {
		give()
		t.mu.Lock()
		answered, last, told := t.answered, t.last, t.told1
		t.mu.Unlock()
		t.c.counted(func(n *trunkCounts) {
			switch {
			case !answered.IsZero():
				n.answered++
				if time.Since(answered) < shortCall {
					n.short++
				}
			case told:
				n.refused[classOf(last)]++
			default:
				n.refused[classGivenUp]++
			}
		})
	})
}

// TrunkState is what a trunk with gateways is doing now.
type TrunkState struct {
	ID, InstanceID, Name string
	Registration         EnrolState
	LastCode             int // of the last REGISTER; 0: no answer
	Reason               string
	NextAttempt          time.Time
	RegisteredUntil      time.Time
	RegisteredSince      time.Time
	RegisteredAt         string // "UDP 192.0.2.1:5060"
	Gateways             []GatewayState
	Channels             int // calls now, both directions
	Campaigns            int // of those, for campaigns
	CallsPerSecond       int // outgoing, in the last second
	Waiting              int // outgoing calls without a place

	Calls, Answered, Short uint64
	Refused                map[string]uint64 // by class
	DelayBuckets           []uint64          // calls that rang within each of DelayBounds, not cumulative; the last is above
	DelaySum               time.Duration
	DelayCount             uint64
}

// GatewayState is one address of a carrier.
type GatewayState struct {
	Transport, Address, Host string
	Up                       bool
	Reason                   string    // why it is down or set aside
	AsideUntil               time.Time // it is tried after the others
	LastAnswer               time.Time
	Since                    time.Time // of the last change
	Unprobed                 bool      // it answers no OPTIONS, and calls go through
}

// DelayBounds are the upper bounds of DelayBuckets.
func DelayBounds() []time.Duration { return delayBounds() }

// TrunkStates is what all trunks with gateways are doing, by name.
func (ep *Endpoint) TrunkStates() []TrunkState {
	out := make([]TrunkState, 0, 8)
	for _, t := range ep.opt.Trunks().Outgoing() {
		if s, ok := ep.TrunkState(t.ID); ok {
			out = append(out, s)
		}
	}
	return out
}

// TrunkState is what one trunk is doing; ok is false for one that is disabled or has no gateway.
func (ep *Endpoint) TrunkState(id string) (TrunkState, bool) {
	c := ep.carriers.of(id)
	if c == nil {
		return TrunkState{}, false
	}
	load, now := ep.opt.Limits.load(id), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e, n := &c.enrolled, &c.counts
	s := TrunkState{
		ID: c.trunk.ID, InstanceID: c.trunk.InstanceID, Name: c.trunk.Name, Registration: e.state, LastCode: e.code,
		Reason: e.why, NextAttempt: e.next, RegisteredUntil: e.until, RegisteredSince: e.since, Channels: load.channels,
		Campaigns: load.campaigns, CallsPerSecond: load.cps, Waiting: load.waiting, Calls: n.calls, Answered: n.answered,
		Short: n.short, Refused: make(map[string]uint64, classes), DelayBuckets: n.delays[:], DelaySum: n.delaySum,
		DelayCount: n.delayN,
	}
	s.DelayBuckets = slices.Clone(s.DelayBuckets)
	if e.until.After(now) {
		s.RegisteredAt = e.place.String()
	}
	for i, k := range n.refused {
		s.Refused[callClass(i).String()] = k
	}
	for _, p := range c.places {
		h := c.health[p]
		g := GatewayState{
			Transport: p.network, Address: p.addr.String(), Host: p.server, Up: !h.down, Reason: h.why, LastAnswer: h.lastOK,
			Since: h.since, Unprobed: h.deaf,
		}
		if h.aside.After(now) {
			g.AsideUntil = h.aside
		}
		s.Gateways = append(s.Gateways, g)
	}
	return s, true
}
