package stream

import "sync"

// How much waits for a program that reads slowly.
const (
	outboxFrames = 250 // 5 s of one track
	outboxWords  = 256
)

// frame is 20 ms of a track. chunk counts them from 1 where they come in, so that the program sees what was dropped.
type frame struct {
	to    bool
	chunk uint64
	ulaw  [FrameBytes]byte
}

// word is what is not sound.
type word struct {
	event Event
	text  string
}

// outbox is what waits to be sent. Sound that nobody takes is dropped, the oldest first; words go before sound.
type outbox struct {
	wake chan struct{} // something was put in

	mu      sync.Mutex
	ring    [outboxFrames]frame
	first   int
	n       int
	chunks  [2]uint64
	words   []word
	over    bool // nothing comes any more
	dropped uint64
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// frame puts sound in, and reports whether older sound was dropped for it.
func (o *outbox) frame(to bool, ulaw []byte) (dropped bool) {
	o.mu.Lock()
	track := 0
	if to {
		track = 1
	}
	o.chunks[track]++
	if o.over {
		o.mu.Unlock()
		return false
	}
	if dropped = o.n == outboxFrames; dropped {
		o.first, o.n = (o.first+1)%outboxFrames, o.n-1
		o.dropped++
	}
	f := &o.ring[(o.first+o.n)%outboxFrames]
	f.to, f.chunk = to, o.chunks[track]
	copy(f.ulaw[:], ulaw)
	o.n++
	o.mu.Unlock()
	o.hint()
	return dropped
}

// word puts a word in; false: there are too many.
func (o *outbox) word(w word) bool {
	o.mu.Lock()
	ok := !o.over && len(o.words) < outboxWords
	if ok {
		o.words = append(o.words, w)
	}
	o.mu.Unlock()
	o.hint()
	return ok
}

// close says that nothing comes any more; what is there is still sent.
func (o *outbox) close() {
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
	o.hint()
}

func (o *outbox) hint() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// next takes what is to be sent next. Neither: nothing is there now, and over says whether something may still come.
func (o *outbox) next(f *frame) (w word, isWord, isFrame, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.words) > 0:
		w = o.words[0]
		o.words = o.words[1:]
		return w, true, false, false
	case o.n > 0:
		*f = o.ring[o.first]
		o.first, o.n = (o.first+1)%outboxFrames, o.n-1
		return w, false, true, false
	}
	return w, false, false, o.over
}
