// Package events records what happens to contacts and agents for whoever watches: the timeline of `ullim try`, logs,
// later webhooks and streams. Recording never blocks what it observes: a full queue drops the event and counts it. What
// must not be lost belongs in storage, not here.
package events

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Event is one thing that happened. Kind is one of the Connect contact events (INITIATED, CONNECTED_TO_SYSTEM, QUEUED,
// CONNECTED_TO_AGENT, DISCONNECTED) or one of ours in lower case ("offer", "missed", "digit", "flow", "recording").
type Event struct {
	At         time.Time
	Kind       string
	InstanceID string
	ContactID  string
	CallID     string
	Detail     string
}

// Recorder hands events to subscribers. The zero Recorder, and a nil one, drop everything.
type Recorder struct {
	mu      sync.Mutex
	subs    map[*subscriber]struct{}
	taps    []*func(Event)
	dropped atomic.Uint64
}

type subscriber struct{ ch chan Event }

// Record offers e to every subscriber and never blocks.
func (r *Recorder) Record(e Event) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tap := range r.taps {
		(*tap)(e)
	}
	for s := range r.subs {
		select {
		case s.ch <- e:
		default:
			r.dropped.Add(1)
		}
	}
}

// Subscribe gives a channel of the events from now on, with room for n, and a function that ends it.
func (r *Recorder) Subscribe(n int) (<-chan Event, func()) {
	s := &subscriber{ch: make(chan Event, n)}
	r.mu.Lock()
	if r.subs == nil {
		r.subs = make(map[*subscriber]struct{})
	}
	r.subs[s] = struct{}{}
	r.mu.Unlock()
	return s.ch, sync.OnceFunc(func() {
		r.mu.Lock()
		delete(r.subs, s)
		close(s.ch)
		r.mu.Unlock()
	})
}

// Tap has f called with every event from now on, one at a time, by whoever records it: without a queue and without waking
// anybody. It must be quick and not record events itself. The function that Tap gives ends it.
func (r *Recorder) Tap(f func(Event)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taps = append(r.taps, &f)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taps = slices.DeleteFunc(r.taps, func(t *func(Event)) bool { return t == &f })
	}
}

// Dropped is how many events found a full queue.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }
