package media

import (
	"time"

	"ullim/media/dtmf"
	"ullim/media/jitter"
	"ullim/media/resample"
	"ullim/media/sdp"
)

// keyed is how the keys of a far end are heard: each press once, in whatever ways it comes (R8).
//
//	RFC 4733      events, always
//	SIP INFO      Session.Key, always
//	in the sound  toneEar: only where RFC 4733 was not agreed, or it is asked for; it is the one that costs something
type keyed struct {
	events dtmf.Detector
	merge  dtmf.Merge
	tones  *toneEar
	byRTP  bool // RFC 4733 was ever heard
}

// agree decides whether tones are listened for.
func (k *keyed) agree(a *agreement, asked bool) {
	if !asked && a.events {
		k.tones = nil
	} else if k.tones == nil {
		k.tones = new(toneEar)
	}
}

// event takes a packet of RFC 4733 and gives the key if it is a new one.
func (k *keyed) event(payload []byte, stamp uint32, now time.Time) byte {
	k.byRTP = true
	if digit, ok := k.events.Packet(payload, stamp, now); ok && k.merge.Press(digit, dtmf.ByEvent, now) {
		return digit
	}
	return 0
}

// sound listens for tones.
func (k *keyed) sound(p *taken, payload []byte, now time.Time) byte {
	if k.tones == nil || p.how == arrivalLate {
		return 0
	}
	for _, digit := range k.tones.feed(p.kind, payload) {
		if k.merge.Press(digit, dtmf.ByTone, now) {
			return digit
		}
	}
	return 0
}

// reset begins a new stream.
func (k *keyed) reset() {
	k.events.Reset()
	if k.tones != nil {
		k.tones.detector.Reset()
	}
}

// toneEar finds keys in the sound of one stream. Packets are taken as they come: what is lost is a hole of 20 ms in a tone
// that must last 40.
type toneEar struct {
	detector dtmf.InBand
	kind     kind
	decoder  jitter.Decoder
	down     resample.Down
	pcm      [wide * 120 / 1000]int16
	found    [8]byte
}

// feed gives the keys that were recognised in a payload.
func (e *toneEar) feed(k kind, payload []byte) []byte {
	if e.kind != k {
		e.kind, e.decoder = k, k.newDecoder()
	}
	if e.decoder == nil {
		return nil
	}
	n := e.decoder.Decode(e.pcm[:], payload)
	if k.rate() == wide {
		n = e.down.Process(e.pcm[:], e.pcm[:n])
	}
	return e.detector.Feed(e.found[:0], e.pcm[:n])
}

// Key tells of a key that the far end pressed by SIP INFO. It is told to OnDigit like the others, unless the same press was
// heard already.
func (s *Session) Key(digit byte) {
	now := s.plane.o.Now()
	s.rx.mu.Lock()
	fresh := !s.rx.closed && s.rx.keys.merge.Press(digit, dtmf.ByInfo, now)
	byRTP := s.rx.keys.byRTP
	s.rx.mu.Unlock()
	if !fresh {
		return
	}
	if to := s.reaches.Load(); to != nil {
		to.tx.mu.Lock()
		if a := to.tx.agreement; to.tx.peer == s && (!byRTP || a == nil || a.EventSend == sdp.None) {
			to.tx.press(digit) // it does not come as a packet that is forwarded
		}
		to.tx.mu.Unlock()
	}
	if s.o.OnDigit != nil {
		s.o.OnDigit(digit)
	}
}

// passes reports whether a packet of RFC 4733 can be forwarded as it is: to a far end that takes such, on the same clock.
func (a *agreement) passes(p *taken, tones bool) bool {
	return a.EventSend != sdp.None && !tones && p.clock == a.EventClock
}

// passKey sees to it that a joined far end gets the key that a packet shows, if the packet itself is not forwarded to it. A
// tone in the sound reaches it as sound; if it agreed on RFC 4733 that takes the place of the rest of the tone.
func (t *sender) passKey(p *taken, tones bool) {
	if p.pressed == 0 {
		return
	}
	byTone := p.kind != kindEvent
	switch {
	case byTone && (t.agreement.EventSend == sdp.None || tones):
	case !byTone && t.hears == nil && t.agreement.passes(p, tones) && !t.keys.active():
	default:
		t.press(p.pressed)
	}
}

// press sends a key that a joined far end pressed. The caller holds mu.
func (t *sender) press(digit byte) {
	if !t.closed && t.agreement != nil {
		t.keys.add(string(rune(digit)), nil)
	}
}
