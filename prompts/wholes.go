package prompts

import (
	"sync"
	"time"
)

// How long whole texts are remembered, and how much of them.
const (
	wholeTime = time.Minute // no longer than anything that they are made of may be kept
	wholeRoom = 20 * time.Minute
)

// wholes remembers for a moment what whole texts came to, so that a message that every caller hears is not taken apart and
// put together for each of them. The zero value is ready.
type wholes struct {
	mu     sync.Mutex
	list   map[Speech]whole
	length time.Duration // of all of them
}

type whole struct {
	audio *Audio
	until time.Time
}

// get gives the audio of a text; nil if it is not remembered.
func (w *wholes) get(s Speech, now time.Time) *Audio {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := w.list[s]; ok && e.until.After(now) {
		return e.audio
	}
	return nil
}

// put remembers a text. Without room for it everything is forgotten: it is made again by whoever needs it.
func (w *wholes) put(s Speech, a *Audio, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.list[s]; ok {
		w.length -= old.audio.Length
	}
	if w.list == nil || w.length+a.Length > wholeRoom {
		w.list, w.length = make(map[Speech]whole), 0
	}
	w.list[s] = whole{a, now.Add(wholeTime)}
	w.length += a.Length
}
