package media

import (
	"time"

	"ullim/internal/errs"
	"ullim/media/g711"
	"ullim/media/sdp"
)

// link joins two sessions.
type link struct{ a, b *Session }

func (l *link) other(s *Session) *Session {
	if l.a == s {
		return l.b
	}
	return l.a
}

// Join lets two sessions of one plane hear each other, and ends what is played to them. part parts them again: both get
// silence. It is safe twice, and does nothing once one of them was closed. errs.Conflict: one of them is joined already;
// errs.InvalidRequest: closed, or the same session twice.
func Join(a, b *Session) (part func(), err error) {
	if a == b || a.plane != b.plane {
		return nil, errs.New(errs.InvalidRequest, "only two sessions of one plane can be joined")
	}
	p := a.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range []*Session{a, b} {
		if _, alive := p.sessions[s]; !alive {
			return nil, errs.New(errs.InvalidRequest, "%s has left", s.o.Peer)
		}
		if s.link != nil || s.conference != nil {
			return nil, errs.New(errs.Conflict, "%s is joined already", s.o.Peer)
		}
	}
	l := &link{a, b}
	a.link, b.link = l, l
	a.feed(b)
	b.feed(a)
	a.reaches.Store(b)
	b.reaches.Store(a)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if a.link == l {
			p.cut(l)
		}
	}, nil
}

// cut ends a link. The caller holds the plane's lock.
func (p *Plane) cut(l *link) {
	for _, s := range []*Session{l.a, l.b} {
		s.link = nil
		s.reaches.Store(nil)
		s.feed(nil)
	}
}

// unlink parts a session that leaves.
func (p *Plane) unlink(s *Session) {
	p.mu.Lock()
	if s.link != nil {
		p.cut(s.link)
	}
	c := s.conference
	if c != nil {
		s.conference = nil
		s.take(nil)
	}
	delete(p.sessions, s) // from here on it cannot be joined
	p.mu.Unlock()
	if c != nil {
		c.forget(s)
	}
}

// feed makes from's packets the source of the stream, or the clock if from is nil.
func (s *Session) feed(from *Session) {
	s.tx.mu.Lock()
	s.tx.peer = from
	s.tx.hears, s.tx.spare = nil, nil
	s.tx.forwarding, s.tx.pausing = forwarding{}, false
	stopped := s.tx.stop()
	s.tx.mu.Unlock()
	stopped.finish(false)
}

// forwarding maps the numbers of incoming packets to those of our stream: by a constant, so that loss, order and time are
// seen by the far end as they are.
type forwarding struct {
	mapped         bool // stampOffset has been found for this stream
	anchored       bool // sequenceOffset holds too: nothing of our own was sent since
	stampOffset    uint32
	sequenceOffset uint16
	lateSince      time.Time // of the first of the packets in a row whose time was already filled with silence
}

const (
	// jump is how far the timestamps of a stream may be from the clock before they are mapped anew, in seconds.
	jump = 2
	// hiccup is how long late packets are dropped, as a burst after a pause, before the stream counts as slower for good.
	hiccup = 250 * time.Millisecond
)

// place finds the timestamp of a packet of from in our stream; false: its time was filled with silence.
func (t *sender) place(p *taken, now time.Time) (stamp uint32, ok bool) {
	audio := p.kind != kindEvent // the timestamp of a key is that of its beginning, perhaps long ago
	expected := t.stamp + t.elapsed(now)
	stamp = p.stamp + t.stampOffset
	drift, far := int32(stamp-expected), int32(jump*t.agreement.clock)
	keep := t.mapped && p.how != arrivalFresh && (!audio || drift > -far && drift < far)
	behind := audio && int32(stamp-t.stamp) < 0
	switch {
	case keep && t.anchored:
		return stamp, true
	case keep && behind && (t.lateSince.IsZero() || now.Sub(t.lateSince) < hiccup):
		if t.lateSince.IsZero() {
			t.lateSince = now
		}
		return 0, false
	case keep && !behind:
	default:
		stamp, keep = expected, false
	}
	t.marker = t.marker || t.clocked || !keep
	t.stampOffset, t.sequenceOffset = stamp-p.stamp, t.sequence-p.sequence
	t.mapped, t.anchored, t.lateSince = true, true, time.Time{}
	return stamp, true
}

// forward sends a packet that from received, in the buffer it was received in.
func (s *Session) forward(from *Session, packet []byte, p *taken, now time.Time) {
	t := &s.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peer != from || t.closed || t.agreement == nil {
		return
	}
	payload := packet[p.from:p.to]
	if p.kind == kindEvent || p.pressed != 0 {
		t.passKey(p, s.o.Tones)
	}
	number, ok := t.suits(from, p, payload, now, s.o.Tones)
	if !ok {
		t.conceal(p)
		return
	}
	if t.hears != nil || t.play != nil || t.keys.active() || !t.open() {
		return
	}
	stamp, ok := t.place(p, now)
	if !ok {
		t.sentAt = now // they speak again: no more silence in their place
		return
	}
	a := t.agreement
	t.clocked = false
	t.pausing = p.kind == kindNoise
	if p.kind.audio() && !a.fits(len(payload)) {
		t.recut(s, payload, stamp, now)
		return
	}
	if t.pending > 0 {
		t.flush(s)
		t.sequenceOffset = t.sequence - p.sequence
	}
	sequence := p.sequence + t.sequenceOffset
	out := packet[p.from-headerSize : p.to]
	putHeader(out, p.marker || t.marker, number, sequence, stamp, t.ssrc)
	t.marker = false
	t.sentAt = now
	if int16(sequence-t.sequence) >= 0 {
		t.sequence = sequence + 1
	}
	if p.kind.audio() {
		ticks := a.law.ticks(payload)
		if end := stamp + uint32(ticks); int32(end-t.stamp) > 0 {
			t.stamp, t.due = end, now.Add(a.lasts(ticks))
		}
	}
	t.send(s, out)
}

// suits makes a payload fit for our far end and gives its payload number; false: it is not forwarded as it is. What can be
// heard is decoded for us then, and the clock sends it. The caller holds mu.
func (t *sender) suits(from *Session, p *taken, payload []byte, now time.Time, tones bool) (number uint8, ok bool) {
	a := t.agreement
	switch {
	case p.kind == kindEvent:
		return uint8(a.EventSend), t.hears == nil && a.passes(p, tones)
	case p.kind == kindNoise && t.hears == nil && a.NoiseSend != sdp.None && a.clock == p.clock:
		return uint8(a.NoiseSend), true
	case p.kind == a.law:
	case p.kind.g711() && a.law.g711():
		transcode(a.law, payload)
	default: // comfort noise that was not agreed with the other side is heard only where sound is decoded
		if !t.translate(p, payload, now) {
			from.late.Add(1)
		}
		return 0, false
	}
	if t.hears != nil { // they changed to what we speak: nothing need be decoded any more
		t.spare, t.hears = t.hears, nil
	}
	return a.Payload, true
}

// recut puts a payload into packets of the size that this far end wants.
func (t *sender) recut(s *Session, payload []byte, stamp uint32, now time.Time) {
	t.anchored = false // from here on the sequence numbers are our own
	if int32(stamp-t.stamp) < 0 {
		return // late: its place in the stream has been sent
	}
	if stamp != t.stamp {
		t.flush(s)
		t.stamp = stamp
	}
	t.put(s, payload)
	t.sentAt, t.due = now, now.Add(t.agreement.lasts(len(payload)))
}

// conceal closes the hole in the sequence numbers that a packet leaves which is not forwarded, so that the far end does
// not count it as lost.
func (t *sender) conceal(p *taken) {
	if t.anchored && p.how == arrivalNext {
		t.sequenceOffset--
	}
}

func transcode(to kind, payload []byte) {
	if to == kindALaw {
		g711.ULawToALaw(payload)
		return
	}
	g711.ALawToULaw(payload)
}
