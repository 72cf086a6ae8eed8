package media

import (
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// seat is a session's place in a conference. The two may be served by different loops, so they meet in two rings, each with
// one writer and one reader, and never wait for each other:
//
//	receive path of the session ── inlet ──> conference ── outlet ──> clock of the session
type seat struct {
	in   inlet
	out  outlet
	kind atomic.Uint32 // what the session sends
}

// speaks is the codec of what the session sends.
func (s *seat) speaks() kind { return kind(s.kind.Load()) }

// enter gives the session a seat.
func (s *Session) enter(c *Conference, at *seat) error {
	p := s.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, alive := p.sessions[s]; !alive {
		return errs.New(errs.InvalidRequest, "%s has left", s.o.Peer)
	}
	if s.link != nil || s.conference != nil {
		return errs.New(errs.Conflict, "%s is joined already", s.o.Peer)
	}
	s.conference = c
	s.take(at)
	return nil
}

// leave gives the seat back.
func (s *Session) leave(c *Conference) {
	p := s.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.conference == c {
		s.conference = nil
		s.take(nil)
	}
}

// take sits down, or rises if at is nil. The caller holds the plane's lock.
func (s *Session) take(at *seat) {
	s.rx.mu.Lock()
	s.rx.seat = at
	s.rx.mu.Unlock()
	s.tx.mu.Lock()
	if at != nil && s.tx.agreement != nil {
		at.kind.Store(uint32(s.tx.agreement.law))
	}
	s.tx.seat = at
	var stopped *playing
	if at != nil {
		stopped = s.tx.stop()
	}
	s.tx.mu.Unlock()
	stopped.finish(false)
}

const (
	inletSlots  = 32  // 640 ms of 20 ms packets
	inletBytes  = 640 // 60 ms of G.711, and any speech in Opus
	outletSlots = 8
	outletMost  = 3 // frames that wait before the clocks are seen to have moved apart, or to have been late
)

// packetSlot is a packet as it came.
type packetSlot struct {
	at       time.Time
	kind     kind
	sequence uint16
	size     uint16
	stamp    uint32
	data     [inletBytes]byte
}

// inlet carries packets to the conference.
type inlet struct {
	head, tail atomic.Uint64 // written; read
	dropped    atomic.Uint64
	ring       [inletSlots]packetSlot
}

// put takes a packet in; it never waits.
func (i *inlet) put(t *taken, payload []byte, now time.Time) {
	head := i.head.Load()
	if head-i.tail.Load() >= inletSlots || len(payload) > inletBytes {
		i.dropped.Add(1)
		return
	}
	s := &i.ring[head%inletSlots]
	s.at, s.kind, s.sequence, s.stamp = now, t.kind, t.sequence, t.stamp
	s.size = uint16(copy(s.data[:], payload))
	i.head.Store(head + 1)
}

// frameSlot is a Frame, encoded.
type frameSlot struct {
	kind kind
	size uint16
	data [maxEncoded]byte
}

// outlet carries frames from the conference.
type outlet struct {
	head, tail atomic.Uint64
	last       [maxEncoded]byte // of the reader: what is sent; the slot may be written again meanwhile
	ring       [outletSlots]frameSlot
}

// put hands a frame over; a session that does not send any more leaves it.
func (o *outlet) put(k kind, frame []byte) {
	head := o.head.Load()
	if head-o.tail.Load() >= outletSlots {
		return
	}
	s := &o.ring[head%outletSlots]
	s.kind, s.size = k, uint16(copy(s.data[:], frame))
	o.head.Store(head + 1)
}

// next is the frame to send now; nil: silence. It is valid until the next call.
func (o *outlet) next(k kind) []byte {
	head, tail := o.head.Load(), o.tail.Load()
	if head-tail > outletMost {
		tail = head - 1
	}
	if head == tail {
		o.tail.Store(tail)
		return nil
	}
	s := &o.ring[tail%outletSlots]
	n := copy(o.last[:], s.data[:s.size])
	same := s.kind == k
	o.tail.Store(tail + 1)
	if !same { // encoded before the codec changed
		return nil
	}
	return o.last[:n]
}
