package webhook

import (
	"sync"
	"time"
)

// When a service counts as dead, and for how long it is left alone.
const (
	failuresToTrip = 5
	firstRest      = 5 * time.Second
	longestRest    = time.Minute
	probeTime      = 15 * time.Second // after that a probe of which nothing was heard counts as lost
	maxCircuits    = 4096             // services that fail at the same time; more are not watched
)

// circuit is what is known of a service that fails. The zero value is closed: it may be called.
//
//	closed ── five failures in a row ──> open ── rest is over ──> half-open: one call
//	  ^                                   ^                        │
//	  └────────────── success ────────────┼────────────────────────┤
//	                                      └── failure: twice as long
type circuit struct {
	failures int
	rest     time.Duration // 0: closed
	until    time.Time     // open until; while a probe is out: until it counts as lost
}

// allow reports whether a call may be made now.
func (c *circuit) allow(now time.Time) bool {
	if c.rest == 0 {
		return true
	}
	if now.Before(c.until) {
		return false
	}
	c.until = now.Add(probeTime)
	return true
}

// report notes how a call came out.
func (c *circuit) report(dead bool, now time.Time) {
	if !dead {
		*c = circuit{}
		return
	}
	c.failures++
	switch {
	case c.rest > 0:
		c.rest = min(2*c.rest, longestRest)
	case c.failures >= failuresToTrip:
		c.rest = firstRest
	default:
		return
	}
	c.until = now.Add(c.rest)
}

// circuits are those of all services that fail.
type circuits struct {
	mu   sync.Mutex
	list map[string]*circuit
}

func (c *circuits) allow(key string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.list[key]
	return at == nil || at.allow(now)
}

func (c *circuits) report(key string, dead bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.list[key]
	switch {
	case !dead:
		delete(c.list, key)
		return
	case at == nil && len(c.list) >= maxCircuits:
		c.forget(now)
		if len(c.list) >= maxCircuits {
			return
		}
		fallthrough
	case at == nil:
		at = &circuit{}
		c.list[key] = at
	}
	at.report(dead, now)
}

// forget drops what was not called for long.
func (c *circuits) forget(now time.Time) {
	for key, at := range c.list {
		if now.Sub(at.until) > longestRest {
			delete(c.list, key)
		}
	}
}

// open is how many services are left alone.
func (c *circuits) open() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.list {
		if at.rest > 0 {
			n++
		}
	}
	return n
}
