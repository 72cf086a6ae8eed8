package identity

import (
	"sync"
	"time"
)

// Limits of a Backoff.
const (
	backoffFree    = 5 // failures without consequence
	backoffFirst   = time.Second
	backoffMost    = 5 * time.Minute
	backoffForget  = 15 * time.Minute // after the last failure
	backoffEntries = 8192
	placeFree      = 30 // failed sign-ins from one address without consequence, whoever was tried
)

// Backoff makes guessing slow: after five failures of one key (who is tried, and from where) the key must wait, twice
// as long after each further failure, five minutes at most. Because the source is part of the key, a stranger can lock
// out nobody but himself. Memory is bounded: when the table is full the entry that has been quiet longest goes.
//
// The zero Backoff is ready, and safe for concurrent use.
type Backoff struct {
	mu      sync.Mutex
	entries map[string]*failures
}

type failures struct {
	count int
	noted int // before they count
	last  time.Time
	until time.Time
}

// Wait is how long key must still wait; 0 means go ahead.
func (b *Backoff) Wait(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.entries[key]
	if f == nil || !now.Before(f.until) {
		return 0
	}
	return f.until.Sub(now)
}

// Fail counts a failure of key. first is true when this failure is the one that begins a pause: the moment to raise an
// alarm.
func (b *Backoff) Fail(key string, now time.Time) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.entries[key]
	if f == nil || now.Sub(f.last) > backoffForget {
		b.makeRoom(now)
		f = &failures{}
		b.entries[key] = f
	}
	f.count++
	f.last = now
	if over := f.count - backoffFree; over > 0 {
		pause := backoffMost
		if over < 10 {
			pause = min(backoffMost, backoffFirst<<(over-1))
		}
		f.until = now.Add(pause)
	}
	return f.count == backoffFree+1
}

// Note counts something that is not held against key yet.
func (b *Backoff) Note(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.entries[key]
	if f == nil || now.Sub(f.last) > backoffForget {
		b.makeRoom(now)
		f = &failures{}
		b.entries[key] = f
	}
	f.noted++
	f.last = now
}

// Count is how often Note was told of key lately.
func (b *Backoff) Count(key string, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.entries[key]; f != nil && now.Sub(f.last) <= backoffForget {
		return f.noted
	}
	return 0
}

// Succeed forgets the failures of key.
func (b *Backoff) Succeed(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, key)
}

func (b *Backoff) makeRoom(now time.Time) {
	if b.entries == nil {
		b.entries = make(map[string]*failures)
	}
	if len(b.entries) < backoffEntries {
		return
	}
	oldest, oldestKey := now, ""
	for k, f := range b.entries {
		if now.Sub(f.last) > backoffForget {
			delete(b.entries, k)
		} else if oldestKey == "" || f.last.Before(oldest) {
			oldest, oldestKey = f.last, k
		}
	}
	if len(b.entries) >= backoffEntries {
		delete(b.entries, oldestKey)
	}
}
