package prompts

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// cache keeps Audio by key, forgets what was used longest ago when there is no room, and lets all who ask for the same
// missing key at the same time share one piece of work. The zero cache keeps nothing and has no slots: use newCache.
type cache struct {
	room  int64 // bytes
	slots chan struct{}

	mu      sync.Mutex
	bytes   int64
	order   *list.List // of *entry, last used first
	entries map[string]*list.Element
	flights map[string]*flight
	stats   CacheStats
}

// CacheStats counts since the start. Bytes and Entries are of now.
type CacheStats struct {
	Hits, Shared, Misses, Failures uint64
	Entries                        int
	Bytes                          int64
}

type entry struct {
	key   string
	audio *Audio
	until time.Time // zero: as long as there is room
}

// flight is work in progress. It ends when done is closed; its context ends when nobody waits for it any more.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	begun   bool
	audio   *Audio
	keep    time.Duration // 0: as long as there is room
	err     error
}

// maker makes an audio, and says how long it may be kept; 0: as long as there is room.
type maker func(context.Context) (a *Audio, keep time.Duration, err error)

func newCache(room int64, slots int) *cache {
	return &cache{
		room: room, slots: make(chan struct{}, max(slots, 1)), order: list.New(),
		entries: make(map[string]*list.Element), flights: make(map[string]*flight),
	}
}

// get gives the audio for key, made by work if it is not there. Failures are not kept.
func (c *cache) get(ctx context.Context, key string, work maker) (*Audio, error) {
	c.mu.Lock()
	if e, ok := c.fresh(key); ok {
		c.order.MoveToFront(e)
		c.stats.Hits++
		audio := e.Value.(*entry).audio
		c.mu.Unlock()
		return audio, nil
	}
	f, ok := c.flights[key]
	if ok {
		c.stats.Shared++
	} else {
		c.stats.Misses++
		// The work belongs to everyone who waits for it, so it must not end with the first caller's context.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{done: make(chan struct{}), cancel: cancel}
		c.flights[key] = f
		go c.fly(shared, key, f, work)
	}
	f.waiters++
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.audio, f.err
	case <-ctx.Done():
		c.leave(key, f)
		return nil, context.Cause(ctx)
	}
}

// leave takes one waiter off; the last one ends work that has not begun. Work that has begun is finished and kept: callers
// who hang up early must not make the next one begin anew, or a flood of them would speak the same text for ever.
func (c *cache) leave(key string, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	if f.waiters == 0 && !f.begun {
		f.cancel()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
	}
}

func (c *cache) fly(ctx context.Context, key string, f *flight, work maker) {
	defer f.cancel()
	select {
	case c.slots <- struct{}{}:
		c.mu.Lock()
		f.begun = ctx.Err() == nil
		c.mu.Unlock()
		f.audio, f.keep, f.err = contained(ctx, work)
		<-c.slots
	case <-ctx.Done():
		f.err = context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	if f.err != nil {
		c.stats.Failures++
	} else {
		c.keep(key, f.audio, f.keep)
	}
	close(f.done)
}

// contained turns a panic into an error: the caller's recover does not reach this goroutine.
func contained(ctx context.Context, work maker) (a *Audio, keep time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, keep, err = nil, 0, fmt.Errorf("prompts: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx)
}

// keep adds an entry and makes room for it; one that is larger than a quarter of the room is not kept, because it would
// push out too much else.
func (c *cache) keep(key string, a *Audio, d time.Duration) {
	size := a.bytes()
	if _, ok := c.entries[key]; ok || size > c.room/4 {
		return
	}
	e := &entry{key: key, audio: a}
	if d > 0 {
		e.until = time.Now().Add(d)
	}
	c.entries[key] = c.order.PushFront(e)
	c.bytes += size
	for c.bytes > c.room {
		c.forget(c.order.Back())
	}
}

func (c *cache) forget(e *list.Element) {
	old := c.order.Remove(e).(*entry)
	delete(c.entries, old.key)
	c.bytes -= old.audio.bytes()
}

// fresh is the entry of a key whose time is not over. The caller holds mu.
func (c *cache) fresh(key string) (*list.Element, bool) {
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	if until := e.Value.(*entry).until; !until.IsZero() && !time.Now().Before(until) {
		c.forget(e)
		return nil, false
	}
	return e, true
}

// has reports whether get would answer at once.
func (c *cache) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.fresh(key)
	return ok
}

func (c *cache) snapshot() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries, s.Bytes = len(c.entries), c.bytes
	return s
}
