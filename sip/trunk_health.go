package sip

import (
	"strconv"
	"time"
)

// When a place of a carrier is believed to be dead or alive (R25). One lost OPTIONS is no proof, and calls that go through
// are: real traffic counts both ways.
const (
	missesToDown = 3
	hitsToUp     = 2
	asideFirst   = 10 * time.Second // after a call that got no answer; doubled each time
	asideMost    = 5 * time.Minute
	asideBusy    = 5 * time.Second  // after a 503 that does not say how long
	retryMost    = 15 * time.Minute // the longest Retry-After that is believed
)

// health is what is known about one place. It is a value: every observation gives a new one.
type health struct {
	down    bool
	misses  int // OPTIONS in a row without an answer
	hits    int // with one, while it is down
	noCalls int // calls in a row without an answer
	deaf    bool
	aside   time.Time // until then it is tried after the others
	rest    time.Time // until then the carrier has asked to be left alone (503 with Retry-After)
	why     string    // the last failure
	since   time.Time // of the last change between up and down
	lastOK  time.Time // the last answer to anything
	lastTry time.Time
}

// probed is the outcome of an OPTIONS. Any answer but 503 shows that somebody is there.
func (h health) probed(o outcome, now time.Time) health {
	h.lastTry = now
	if o.answered() && o.status != 503 {
		h.lastOK, h.misses, h.deaf = now, 0, false
		if !h.down {
			return h
		}
		if h.hits++; h.hits >= hitsToUp {
			return h.up(now)
		}
		return h
	}
	h.hits = 0
	if h.deaf { // it never answers OPTIONS, and calls go through
		return h
	}
	h.why = "OPTIONS: " + o.reason()
	if h.misses++; h.misses >= missesToDown && !h.down {
		h.down, h.since = true, now
	}
	return h
}

// called is the outcome of an INVITE or REGISTER.
func (h health) called(o outcome, now time.Time) health {
	h.lastTry = now
	switch {
	case !o.answered():
		h.why = "call: " + o.reason()
		wait := asideFirst << min(h.noCalls, 10)
		h.noCalls++
		h.aside = now.Add(min(wait, asideMost))
		if h.misses++; h.misses >= missesToDown && !h.down {
			h.down, h.since, h.hits = true, now, 0
		}
	case o.status == 503:
		// RFC 3261 §21.5.4: nothing more is sent there for as long as it says.
		h.lastOK, h.why = now, "call: 503"
		wait := asideBusy
		if o.retryAfter > 0 {
			wait = min(o.retryAfter, retryMost)
			h.rest = now.Add(wait)
		}
		h.aside = now.Add(wait)
	default:
		if h.down && h.misses > 0 && h.noCalls == 0 { // only OPTIONS said that it is dead: they are not believed again
			h.deaf = true
		}
		return h.up(now)
	}
	return h
}

func (h health) up(now time.Time) health {
	if h.down {
		h.since = now
	}
	h.down, h.misses, h.hits, h.noCalls, h.why, h.lastOK = false, 0, 0, 0, "", now
	h.aside, h.rest = time.Time{}, time.Time{}
	return h
}

// rank orders places: the good ones first, then those set aside, then the dead, then those that asked to
// be left alone. Nobody is left out.
func (h health) rank(now time.Time) int {
	switch {
	case h.rest.After(now):
		return 3
	case h.down:
		return 2
	case h.aside.After(now):
		return 1
	default:
		return 0
	}
}

// answered reports that the far end said something.
func (o outcome) answered() bool { return o.err == nil && o.status != 0 }

func (o outcome) reason() string {
	switch {
	case o.err != nil:
		return clip(o.err.Error(), 200)
	case o.status == 0:
		return "no answer"
	default:
		return strconv.Itoa(o.status)
	}
}
