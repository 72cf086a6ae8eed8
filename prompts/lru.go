package prompts

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
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
}

// flight is work in progress. It ends when done is closed; its context ends when nobody waits for it any more.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	begun   bool
	audio   *Audio
	err     error
}

func newCache(room int64, slots int) *cache {
	return &cache{
		room: room, slots: make(chan struct{}, max(slots, 1)), order: list.New(),
		entries: make(map[string]*list.Element), flights: make(map[string]*flight),
	}
}

// get gives the audio for key, made by work if it is not there. Failures are not kept.
func (c *cache) get(ctx context.Context, key string, work func(context.Context) (*Audio, error)) (*Audio, error) {
	c.mu.Lock()
	if e, ok := c.entries[key]; ok {
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

func (c *cache) fly(ctx context.Context, key string, f *flight, work func(context.Context) (*Audio, error)) {
	defer f.cancel()
	select {
	case c.slots <- struct{}{}:
		c.mu.Lock()
		f.begun = ctx.Err() == nil
		c.mu.Unlock()
		f.audio, f.err = contained(ctx, work)
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
		c.keep(key, f.audio)
	}
	close(f.done)
}

// contained turns a panic into an error: the caller's recover does not reach this goroutine.
func contained(ctx context.Context, work func(context.Context) (*Audio, error)) (a *Audio, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("prompts: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx)
}

// keep adds an entry and makes room for it; one that is larger than a quarter of the room is not kept, because it would
// push out too much else.
func (c *cache) keep(key string, a *Audio) {
	size := a.bytes()
	if _, ok := c.entries[key]; ok || size > c.room/4 {
		return
	}
	c.entries[key] = c.order.PushFront(&entry{key: key, audio: a})
	c.bytes += size
	for c.bytes > c.room {
		last := c.order.Back()
		old := c.order.Remove(last).(*entry)
		delete(c.entries, old.key)
		c.bytes -= old.audio.bytes()
	}
}

func (c *cache) snapshot() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries, s.Bytes = len(c.entries), c.bytes
	return s
}
