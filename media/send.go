package media

import (
	"net/netip"
	"sync"
	"time"
)

// sender is the state of what goes out. One stream, one SSRC, for the life of the session; its sequence numbers and
// timestamps go on whoever feeds it: the clock (what is played, or silence) or the packets of a joined session.
type sender struct {
	mu        sync.Mutex
	closed    bool
	agreement *agreement
	to        netip.AddrPort
	ssrc      uint32
	sequence  uint16    // of the next packet
	stamp     uint32    // of the next sample
	due       time.Time // when the next sample is due
	sentAt    time.Time
	marker    bool // the next packet begins a talkspurt
	clocked   bool // the clock feeds
	sent      uint64

	play *playing
	peer *Session // whose packets are forwarded
	forwarding

	pending int // bytes of payload waiting in buf for the packet to be full
	buf     [headerSize + maxPayload]byte
}

// agree starts a new part of the session. The caller holds mu.
func (t *sender) agree(a *agreement, to netip.AddrPort) {
	t.agreement, t.to = a, to
	t.pending = 0 // cut to the old packet time, in the old codec
}

// open reports whether anything may be sent now.
func (t *sender) open() bool {
	a := t.agreement
	return !t.closed && a != nil && a.Send && t.to.IsValid() && !t.to.Addr().IsUnspecified() && t.to.Port() != 0
}

// elapsed is how many samples went by since the next sample was due.
func (t *sender) elapsed(now time.Time) uint32 {
	late := now.Sub(t.due)
	if t.due.IsZero() || late <= 0 {
		return 0
	}
	return uint32(late * sampleRateHz / time.Second)
}

// patience is how long a joined session may say nothing before silence is sent in its place (R31: we always send). It is
// longer than the usual hiccup of a network.
const patience = 200 * time.Millisecond

// sendDue sends the frames that the clock owes.
func (s *Session) sendDue(now time.Time, owed, lost int) {
	t := &s.tx
	t.mu.Lock()
	if t.closed || t.agreement == nil || t.play == nil && t.peer != nil && now.Sub(t.sentAt) < patience {
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
		t.skip(s, uint32(lost)*frameSamples)
	}
	var finished *playing
	for range owed {
		frame := t.agreement.silence[:]
		if t.play != nil {
			next, first := t.play.next(t.agreement.Codec)
			t.marker = t.marker || first
			if next != nil {
				frame = next[:min(len(next), frameSamples)]
			} else {
				finished, t.play = t.play, nil
			}
		}
		t.put(s, frame)
		t.put(s, t.agreement.silence[len(frame):])
	}
	t.due = now.Add(Frame)
	t.mu.Unlock()
	finished.finish(true)
}

// skip lets samples go by unsent: the far end sees a gap, not a stream that is ever later.
func (t *sender) skip(s *Session, samples uint32) {
	t.flush(s)
	t.stamp += samples
	t.marker = true
}

// put adds payload to the stream, and sends what fills a packet.
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
	if t.pending == 0 {
		return
	}
	packet := t.buf[:headerSize+t.pending]
	putHeader(packet, t.marker, t.agreement.Payload, t.sequence, t.stamp-uint32(t.pending), t.ssrc)
	t.pending = 0
	if !t.open() { // time goes on for a far end that does not listen; what it hears next is a new talkspurt
		t.marker = true
		return
	}
	t.sequence++
	t.marker = false
	t.send(s, packet)
}

func (t *sender) send(s *Session, packet []byte) {
	if err := s.port.Send(packet, t.to); err != nil {
		s.plane.stats.sendErrors.Add(1)
		return
	}
	t.sent++
	s.plane.stats.packetsOut.Add(1)
}

// playing is a list of sounds in the middle of being sent.
type playing struct {
	list   []Source
	loop   bool
	done   func(finished bool)
	at     int // in list
	frame  int // in frames: the next one
	codec  string
	frames [][]byte // of list[at] in codec
	begun  bool
}

// next is the next frame, nil at the end; first says that it is the very first.
func (p *playing) next(codec string) (frame []byte, first bool) {
	if codec != p.codec { // also in the middle of a sound: both codecs have frames of the same length
		p.codec = codec
		p.load()
	}
	for range len(p.list) + 1 { // a loop of nothing ends, too
		if p.frame < len(p.frames) {
			first = !p.begun
			p.begun = true
			p.frame++
			return p.frames[p.frame-1], first
		}
		p.frame = 0
		if p.at++; p.at >= len(p.list) {
			if !p.loop {
				break
			}
			p.at = 0
		}
		p.load()
	}
	return nil, false
}

func (p *playing) load() {
	p.frames = nil
	if p.at < len(p.list) && p.list[p.at] != nil {
		p.frames = p.list[p.at].Frames(p.codec)
	}
}

// finish tells, from another goroutine, how playing ended. nil has nobody to tell.
func (p *playing) finish(finished bool) {
	if p != nil && p.done != nil {
		go p.done(finished)
	}
}

// stop takes away what is played. The caller holds mu and calls finish afterwards.
func (t *sender) stop() *playing {
	p := t.play
	t.play = nil
	return p
}

// Play sends the sounds one after the other, again and again if loop is set, instead of whatever is played or joined now.
// It begins when something has been agreed. done may be nil; it is called exactly once, from another goroutine: finished
// is false if something else took the place of the list.
func (s *Session) Play(list []Source, loop bool, done func(finished bool)) {
	p := &playing{list: list, loop: loop, done: done}
	s.tx.mu.Lock()
	old := s.tx.stop()
	closed := s.tx.closed
	if !closed {
		s.tx.play = p
	}
	s.tx.mu.Unlock()
	old.finish(false)
	if closed {
		p.finish(false)
	}
}

// StopPlay ends what is played.
func (s *Session) StopPlay() {
	s.tx.mu.Lock()
	old := s.tx.stop()
	s.tx.mu.Unlock()
	old.finish(false)
}
