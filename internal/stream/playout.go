package stream

import "sync"

// How much of what a program says is kept, and how it is evened out.
const (
	MaxPlayout = 60 * 8000 // bytes: 60 s of µ-law; what comes on top is dropped
	maxMarks   = 256
	cushion    = 5 * FrameBytes // with so much at hand, or
	patience   = 3              // after so many frames, playing begins when there was nothing before
)

// playout is what a program said and is not played yet. It is filled by the reader and drawn by the media clock.
type playout struct {
	marked func(name string) // must not wait

	mu      sync.Mutex
	buf     []byte
	at      int    // in buf: the next byte to play
	played  uint64 // bytes, ever
	marks   []markAt
	idle    bool
	waited  int           // frames since something came after nothing
	dropped uint64        // bytes
	empty   chan struct{} // closed when all is played; nil: nobody waits
}

// markAt is a mark, reached when so many bytes have been played.
type markAt struct {
	name string
	at   uint64
}

func newPlayout(marked func(string)) *playout { return &playout{marked: marked, idle: true} }

// add takes sound in, and tells how many bytes there was no room for.
func (p *playout) add(ulaw []byte) (dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if room := MaxPlayout - (len(p.buf) - p.at); len(ulaw) > room {
		dropped = len(ulaw) - room
		ulaw = ulaw[:room]
		p.dropped += uint64(dropped)
	}
	if p.at > 0 && len(p.buf)+len(ulaw) > cap(p.buf) { // move instead of growing
		p.buf = p.buf[:copy(p.buf, p.buf[p.at:])]
		p.at = 0
	}
	p.buf = append(p.buf, ulaw...)
	return dropped
}

// mark sets a mark behind what is there; false: there are too many.
func (p *playout) mark(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marks) >= maxMarks {
		return false
	}
	p.marks = append(p.marks, markAt{name, p.played + uint64(len(p.buf)-p.at)})
	p.reach()
	return true
}

// clear forgets what is not played yet. Its marks count as reached, so that the program knows where it was cut off.
func (p *playout) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.played += uint64(len(p.buf) - p.at)
	p.buf, p.at, p.idle, p.waited = nil, 0, true, 0
	p.reach()
}

// reach tells of the marks that have been passed. The caller holds mu.
func (p *playout) reach() {
	n := 0
	for n < len(p.marks) && p.marks[n].at <= p.played {
		p.marked(p.marks[n].name)
		n++
	}
	p.marks = p.marks[n:]
	if p.at == len(p.buf) && p.empty != nil {
		close(p.empty)
		p.empty = nil
	}
}

// drained is closed when all that is there now has been played.
func (p *playout) drained() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.empty == nil {
		p.empty = make(chan struct{})
	}
	c := p.empty
	p.reach()
	return c
}

// fill gives the next frame to the media clock; 0: silence.
func (p *playout) fill(frame []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := len(p.buf) - p.at
	if left == 0 {
		p.idle, p.waited = true, 0
		p.buf, p.at = p.buf[:0], 0
		return 0
	}
	if p.idle && left < cushion && p.waited < patience {
		p.waited++
		return 0
	}
	p.idle = false
	n := copy(frame, p.buf[p.at:])
	p.at += n
	p.played += uint64(n)
	p.reach()
	return n
}
