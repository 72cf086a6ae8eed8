package media

import (
	"net/netip"
	"sync"
	"time"

	"ullim/media/dtmf"
	"ullim/media/record"
)

// receiver is the state of what comes in.
type receiver struct {
	mu        sync.Mutex
	closed    bool
	agreement *agreement
	source    source
	sequence  sequence
	keys      dtmf.Detector
	tap       *record.Tap
	heard     time.Time // anything of theirs, RTCP too
	packet    time.Time // the last RTP packet; zero: none since anything is expected
	dead      bool      // it was said

	received, foreign uint64
	maxGap            time.Duration
}

// taken is a packet of theirs.
type taken struct {
	header
	kind  kind
	how   arrival
	digit byte // a key, 0 for none
	moved bool // they were learned elsewhere than where we send
}

// agree starts a new part of the session; what is counted goes on.
func (r *receiver) agree(a *agreement, window time.Duration) {
	r.agreement = a
	r.packet = time.Time{}
	r.source.announce(a.Remote, a.at, window)
}

// HandlePacket implements Handler: it takes one packet through the whole chain.
func (s *Session) HandlePacket(p []byte, from netip.AddrPort, now time.Time) {
	c := &s.plane.stats
	c.packetsIn.Add(1)
	s.rx.mu.Lock()
	t, ok := s.rx.take(p, from, now, c)
	if t.moved {
		s.tx.mu.Lock()
		s.tx.to = from
		s.tx.mu.Unlock()
	}
	s.rx.mu.Unlock()
	if !ok {
		return
	}
	if t.digit != 0 && s.o.OnDigit != nil {
		s.o.OnDigit(t.digit)
	}
	if to := s.reaches.Load(); to != nil {
		to.forward(s, p, t, now)
	}
}

// take decides whether a packet is theirs and what it is. Only what is heard of the far end changes anything.
func (r *receiver) take(p []byte, from netip.AddrPort, now time.Time, c *counters) (t taken, ok bool) {
	if r.closed || r.agreement == nil {
		c.dropped.Add(1)
		return t, false
	}
	verdict := r.source.judge(from, now)
	if verdict == foreign {
		r.foreign++
		c.foreign.Add(1)
		return t, false
	}
	if isRTCP(p) { // a sign of life from whom we know; nobody is learned by it
		if verdict == farEnd {
			r.heard = now
		}
		return t, false
	}
	if t.header, ok = parseHeader(p); ok {
		t.kind = r.agreement.kinds[t.payload]
	}
	if t.kind == kindNone {
		c.dropped.Add(1)
		return t, false
	}
	t.moved = r.source.hear(from, now)
	r.heard = now
	if !r.packet.IsZero() {
		r.maxGap = max(r.maxGap, now.Sub(r.packet))
	}
	if r.agreement.Recv {
		r.packet = now
	}
	if t.how = r.sequence.add(t.ssrc, t.sequence); t.how == arrivalDuplicate {
		c.dropped.Add(1)
		return t, false
	}
	r.received++
	if t.how == arrivalFresh {
		r.keys.Reset()
	}
	if !r.agreement.Recv { // the last packets before hold, or a far end that does not do as it said
		return t, false
	}
	switch t.kind {
	case kindEvent:
		t.digit, _ = r.keys.Packet(p[t.from:t.to], t.stamp, now)
	case kindULaw, kindALaw:
		if r.tap != nil && !r.tap.Put(now, t.stamp, t.kind == kindALaw, p[t.from:t.to]) {
			c.recordDropped.Add(1)
		}
	case kindNone, kindNoise:
	}
	return t, true
}

// tick closes keys whose end was lost, and says once why the far end seems dead.
func (r *receiver) tick(d DeadPolicy, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.agreement == nil {
		return ""
	}
	r.keys.Tick(now)
	if r.dead {
		return ""
	}
	why := d.judge(life{agreed: r.agreement.at, heard: r.heard, held: !r.agreement.Recv}, now)
	r.dead = why != ""
	return why
}

// attach lets a recording hear what the far end says; false: another one does, or the session is closed.
func (s *Session) attach(tap *record.Tap) bool {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	if s.rx.tap != nil || s.rx.closed {
		return false
	}
	s.rx.tap = tap
	return true
}

func (s *Session) detach(tap *record.Tap) {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	if s.rx.tap == tap {
		s.rx.tap = nil
	}
}
