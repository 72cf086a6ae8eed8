package app

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Waits of a gate: a store that does not answer is asked by one job, after waits that double up to the most.
const (
	gateFirst = time.Second
	gateMost  = 30 * time.Second
	gateTrial = 3 * time.Minute       // how long a trial may take before another is made
	gateStep  = 20 * time.Millisecond // between jobs that wait behind it
	gateRange = 5 * time.Minute       // over which they are spread at most
)

// gates keep jobs from a store that does not answer, a gate for each bucket: an instance whose bucket is gone holds up
// nobody else. While a gate is shut one job tries now and then, and all others are put off; so a store that is away for a day
// costs a request every half a minute, whatever waits for it.
type gates struct {
	mu   sync.Mutex
	shut map[string]*gate
	now  func() time.Time
}

type gate struct {
	fails  int
	until  time.Time // when the next trial is
	putOff int       // jobs since the gate was shut
}

func newGates() *gates { return &gates{shut: map[string]*gate{}, now: time.Now} }

// enter says whether a job may go on. If not, again is when it should ask once more.
func (g *gates) enter(bucket string) (again time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, now := g.shut[bucket], g.now()
	if s == nil {
		return time.Time{}, true
	}
	if !now.Before(s.until) { // this one tries
		s.until = now.Add(gateTrial)
		return time.Time{}, true
	}
	s.putOff++
	spread := min(time.Duration(s.putOff)*gateStep, gateRange)
	// Not before the trial that is due next: while one is under way, its end is not known.
	return now.Add(min(s.until.Sub(now), gateMost) + time.Duration(rand.Int64N(int64(spread)+1))), false
}

// failed shuts the gate and says when whoever failed should try again.
func (g *gates) failed(bucket string) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shut[bucket]
	if s == nil {
		s = &gate{}
		g.shut[bucket] = s
	}
	s.fails++
	wait := gateFirst
	for i := 1; i < s.fails && wait < gateMost; i++ {
		wait *= 2
	}
	wait = min(wait, gateMost)
	wait = wait/2 + time.Duration(rand.Int64N(int64(wait/2)+1))
	s.until = g.now().Add(wait)
	return s.until
}

// works opens the gate and tells whether it had been shut: then what was put off may come at once.
func (g *gates) works(bucket string) (reopened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, reopened = g.shut[bucket]
	delete(g.shut, bucket)
	return reopened
}

// count is how many buckets do not answer.
func (g *gates) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.shut)
}
