package media

import (
	"net/netip"
	"sync"
	"time"

	"ullim/media/record"
)

// receiver is the state of what comes in.
type receiver struct {
	mu        sync.Mutex
	closed    bool
	agreement *agreement
	shield    shield // nil: plain RTP
	source    source
	sequence  sequence
	stale     uint32 // the stream of the session that had the port before; 0: none
	keys      keyed
	tap       *record.Tap
	seat      *seat     // in a conference
	heard     time.Time // anything of theirs, RTCP too
	packet    time.Time // the last RTP packet; zero: none since anything is expected
	dead      bool      // it was said

	received, foreign uint64
	maxGap            time.Duration
	report            reporting
}

// taken is a packet of theirs.
type taken struct {
	header
	kind    kind
	clock   int // of its timestamps
	how     arrival
	pressed byte // the key that it shows, the first time that it is heard of; 0 for none
	told    byte // or the key that came by INFO shortly before, and was held back from a joined far end
	moved   bool // they were learned elsewhere than where we send
}

// agree starts a new part of the session; what is counted goes on.
func (r *receiver) agree(a *agreement, window time.Duration, tones bool) {
	r.agreement = a
	r.packet = time.Time{}
	r.keys.agree(a, tones)
	r.source.announce(a.Remote, a.at, window)
	r.follow()
}

// follow takes the word of the shield for where the far end is, and reports whether that is news.
func (r *receiver) follow() (moved bool) {
	if r.shield == nil {
		r.source.pinned = false
		return false
	}
	far := r.shield.Far()
	r.source.pinned = far.IsValid()
	return far.IsValid() && r.source.pin(far)
}

// HandlePacket implements Handler: it takes one packet through the whole chain.
func (s *Session) HandlePacket(p []byte, from netip.AddrPort, now time.Time) {
	c := &s.plane.stats
	c.packetsIn.Add(1)
	s.rx.mu.Lock()
	var t taken
	p, ok := s.rx.take(p, from, now, c, &t)
	if t.moved {
		s.tx.mu.Lock()
		s.tx.to = s.rx.source.far
		s.tx.mu.Unlock()
	}
	s.rx.mu.Unlock()
	if !ok {
		return
	}
	s.overhear(TrackFrom, &t, p[t.from:t.to], now)
	if to := s.reaches.Load(); to != nil {
		to.forward(s, p, &t, now)
	}
	if t.pressed != 0 && s.o.OnDigit != nil {
		s.o.OnDigit(t.pressed)
	}
}

// take decides whether a packet is theirs and what it is, and gives it in the clear. Only what is heard of the far end
// changes anything.
func (r *receiver) take(p []byte, from netip.AddrPort, now time.Time, c *counters, t *taken) (plain []byte, ok bool) {
	if r.closed || r.agreement == nil {
		c.dropped.Add(1)
		return p, false
	}
	if r.shield != nil && isControl(p) {
		r.control(p, from, now, t)
		return p, false
	}
	verdict := r.source.judge(from, now)
	if verdict == foreign && r.shield != nil && r.shield.Knows(from) {
		verdict = proven
	}
	if verdict == foreign {
		r.foreign++
		c.foreign.Add(1)
		return p, false
	}
	if r.shield != nil {
		if p, ok = r.shield.Open(p); !ok {
			c.refused.Add(1)
			return p, false
		}
	}
	if isRTCP(p) { // a sign of life from whom we know; nobody is learned by it
		if verdict == farEnd || verdict == proven {
			r.heard = now
			r.report.take(p, now)
		}
		return p, false
	}
	if t.header, ok = parseHeader(p); ok {
		t.kind = r.agreement.kinds[t.payload]
	}
	if t.kind == kindNone {
		c.dropped.Add(1)
		return p, false
	}
	if verdict == learnable && t.ssrc == r.stale && r.stale != 0 && from != r.source.announced { // RFC 3550 §8; M5
		r.foreign++
		c.foreign.Add(1)
		return p, false
	}
	if t.clock = t.kind.clock(); t.kind == kindEvent {
		t.clock = r.agreement.clocks[t.payload]
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
		return p, false
	}
	r.received++
	if t.how == arrivalFresh {
		r.keys.reset()
	}
	if !r.agreement.Recv { // the last packets before hold, or a far end that does not do as it said
		return p, false
	}
	r.listen(p[t.from:t.to], t, now, c)
	return p, true
}

// listen looks into a packet that is to be heard.
func (r *receiver) listen(payload []byte, t *taken, now time.Time, c *counters) {
	switch {
	case t.kind == kindEvent:
		t.pressed, t.told = r.keys.event(payload, t.stamp, now)
		return
	case t.kind.audio():
		r.report.hear(t, now)
		t.pressed = r.keys.sound(t, payload, now)
		if r.tap != nil && !r.tap.Put(now, t.stamp, t.kind.taped(), payload) {
			c.recordDropped.Add(1)
		}
	}
	if r.seat != nil {
		r.seat.in.put(t, payload, now)
	}
}

// control hands STUN and DTLS to the shield, and follows where it finds the far end.
func (r *receiver) control(p []byte, from netip.AddrPort, now time.Time, t *taken) {
	r.shield.Control(p, from, now)
	t.moved = r.follow() || t.moved
	if r.source.pinned && from == r.source.far {
		r.heard = now // only of whom is proven: a stranger keeps no call alive
	}
}

// due is what a tick has to tell.
type due struct {
	why    string         // the far end seems dead; said once
	report bool           // RTCP is to be sent
	key    byte           // that came by INFO alone, for a joined far end; 0: none
	moved  netip.AddrPort // where a handshake has found the far end meanwhile; invalid: no news
}

// tick closes keys whose end was lost, and says what is due.
func (r *receiver) tick(d DeadPolicy, now time.Time) (t due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.agreement == nil {
		return due{}
	}
	r.keys.events.Tick(now)
	t.key = r.keys.due(now)
	if r.shield != nil {
		r.shield.Tick(now)
		if r.follow() {
			t.moved = r.source.far
		}
	}
	t.report = !now.Before(r.report.due)
	if r.dead {
		return t
	}
	t.why = d.judge(life{agreed: r.agreement.at, heard: r.heard, held: !r.agreement.Recv}, now)
	r.dead = t.why != ""
	return t
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
