package media

import (
	"net/netip"
	"sync"
	"time"
)

// sender is the state of what goes out. One stream, one SSRC, for the life of the session; its sequence numbers and
// timestamps go on whoever feeds it. Several may want to at once; the first of these has it:
//
//	keys          being sent (digits.go); what is played waits, what is joined is lost for that time
//	play          a list of sounds
//	hears         a joined session that speaks another codec: decoded, evened out and encoded on the clock (transcode.go)
//	peer          a joined session: its packets are forwarded when they come (bridge.go), silence if they do not
//	seat          a conference (conference.go)
//	silence
type sender struct {
	mu        sync.Mutex
	closed    bool
	agreement *agreement
	to        netip.AddrPort
	shield    shield // nil: plain RTP
	ssrc      uint32
	sequence  uint16    // of the next packet
	stamp     uint32    // of the next sample
	due       time.Time // when the next sample is due
	sentAt    time.Time
	pausing   bool // what was forwarded last says that a pause begins, or goes on
	marker    bool // the next packet begins a talkspurt
	clocked   bool // the clock feeds
	sent      uint64
	octets    uint64 // of payload

	keys  keying
	play  *playing
	peer  *Session // whose packets are forwarded
	hears *ear     // if they are decoded: by this; nil: they are not
	spare *ear     // by which they were before
	seat  *seat
	forwarding

	pending int // bytes of payload waiting in buf for the packet to be full
	buf     [headerSize + maxPayload + Room]byte
}

// agree starts a new part of the session. The caller holds mu.
func (t *sender) agree(a *agreement, to netip.AddrPort) {
	t.agreement, t.to = a, to
	t.pending = 0 // cut to the old packet time, in the old codec
	if t.seat != nil {
		t.seat.kind.Store(uint32(a.law))
	}
}

// open reports whether anything may be sent now.
func (t *sender) open() bool {
	a := t.agreement
	return !t.closed && a != nil && a.Send && t.to.IsValid() && !t.to.Addr().IsUnspecified() && t.to.Port() != 0
}

// elapsed is how many ticks of the RTP clock went by since the next sample was due.
func (t *sender) elapsed(now time.Time) uint32 {
	late := now.Sub(t.due)
	if t.due.IsZero() || late <= 0 {
		return 0
	}
	return uint32(late * time.Duration(t.agreement.clock) / time.Second)
}

// patience is how long a joined session may say nothing before silence is sent in its place (R31: we always send). It is
// longer than the usual hiccup of a network.
const patience = 200 * time.Millisecond

// pause is the same for one that has sent comfort noise: it says nothing on purpose, and the far end makes the noise. It is
// shorter than what keeps a NAT open, and than what others take for a dead line.
const pause = 10 * time.Second

// waits reports whether the clock has nothing to send now: the packets of another session are forwarded as they come.
func (t *sender) waits(now time.Time) bool {
	limit := patience
	if t.pausing {
		limit = pause
	}
	return t.play == nil && !t.keys.active() && t.hears == nil && t.peer != nil && now.Sub(t.sentAt) < limit
}

// sendDue sends the frames that the clock owes.
func (s *Session) sendDue(now time.Time, owed, lost int) {
	t := &s.tx
	t.mu.Lock()
	if t.closed || t.agreement == nil || t.waits(now) {
		t.mu.Unlock()
		return
	}
	if !t.clocked { // the clock takes over: from where the stream would be by now
		if late := t.elapsed(now); late > 0 {
			t.skip(s, late)
		}
		t.clocked, t.anchored = true, false
	}
	if lost > 0 {
		t.skip(s, uint32(lost*t.agreement.tick))
	}
	for range owed {
		t.step(s, now)
	}
	t.due = now.Add(Frame)
	var finished *playing
	if t.play != nil && t.play.over {
		finished, t.play = t.play, nil
	}
	sent := t.keys.finished()
	t.mu.Unlock()
	finished.finish(true)
	tell(sent)
}

// step sends one frame.
func (t *sender) step(s *Session, now time.Time) {
	other := t.overheard(now) // drawn also while something goes before it, so that its delay stays what it was
	if t.keys.active() && t.sendKeys(s) {
		return
	}
	frame := other
	if t.play != nil {
		next, first := t.play.next(t.agreement.law.name())
		t.marker = t.marker || first
		frame = next
	}
	t.putFrame(s, frame)
}

// overheard is the next frame of those who are joined or in the conference; nil: silence.
func (t *sender) overheard(now time.Time) []byte {
	switch {
	case t.hears != nil:
		return t.hears.next(t.agreement.law, now)
	case t.seat != nil:
		return t.seat.out.next(t.agreement.law)
	}
	return nil
}

// putFrame adds a Frame to the stream; what is missing of it is silence.
func (t *sender) putFrame(s *Session, frame []byte) {
	a := t.agreement
	if a.law.opaque() {
		t.flush(s)
		if len(frame) == 0 || len(frame) > maxPayload {
			frame = a.silence
		}
		t.pending = copy(t.buf[headerSize:], frame)
		t.stamp += uint32(a.tick)
		t.flushTicks(s, a.tick)
		return
	}
	frame = frame[:min(len(frame), len(a.silence))]
	t.put(s, frame)
	t.put(s, a.silence[len(frame):])
}

// skip lets ticks go by unsent: the far end sees a gap, not a stream that is ever later.
func (t *sender) skip(s *Session, ticks uint32) {
	t.flush(s)
	t.stamp += ticks
	t.marker = true
}

// put adds payload of a byte a tick to the stream, and sends what fills a packet.
func (t *sender) put(s *Session, payload []byte) {
	for len(payload) > 0 {
		n := copy(t.buf[headerSize+t.pending:headerSize+t.agreement.frame], payload)
		t.pending += n
		t.stamp += uint32(n)
		payload = payload[n:]
		if t.pending >= t.agreement.frame {
			t.flush(s)
		}
	}
}

// flush sends what is pending, full or not.
func (t *sender) flush(s *Session) {
	if t.pending > 0 {
		t.flushTicks(s, t.pending)
	}
}

// flushTicks sends what is pending and lasts so many ticks.
func (t *sender) flushTicks(s *Session, ticks int) {
	packet := t.buf[:headerSize+t.pending]
	putHeader(packet, t.marker, t.agreement.Payload, t.sequence, t.stamp-uint32(ticks), t.ssrc)
	t.pending = 0
	if !t.open() { // time goes on for a far end that does not listen; what it hears next is a new talkspurt
		t.marker = true
		return
	}
	t.sequence++
	t.marker = false
	t.send(s, packet)
}

// send sends an RTP packet, protected if it must be.
func (t *sender) send(s *Session, packet []byte) {
	payload := len(packet) - headerSize
	s.overhearSent(packet)
	if t.shield != nil {
		var ok bool
		if packet, ok = t.shield.Seal(packet); !ok {
			return
		}
	}
	if err := s.port.Send(packet, t.to); err != nil {
		s.plane.stats.sendErrors.Add(1)
		return
	}
	t.sent++
	t.octets += uint64(payload)
	s.plane.stats.packetsOut.Add(1)
}
