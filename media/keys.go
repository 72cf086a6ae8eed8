package media

import (
	"cmp"
	"slices"
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
	held   []heldKey
}

// heldKey is a key that came by SIP INFO from a far end that has pressed keys by RFC 4733 before. If this press comes so as
// well, a joined far end gets it as the packets that are forwarded; if not, it is pressed there when its time is over.
type heldKey struct {
	digit byte
	due   time.Time
}

// Bounds of held keys. Packets are sent from the press on, INFO mostly when the key is let go: it hardly ever comes first.
const (
	holdKey = 300 * time.Millisecond
	maxHeld = 16
)

// hold keeps a key back that came by INFO.
func (k *keyed) hold(digit byte, now time.Time) {
	if len(k.held) < maxHeld {
		k.held = append(k.held, heldKey{digit, now.Add(holdKey)})
	}
}

// due gives a key that came by INFO alone; 0: none is due.
func (k *keyed) due(now time.Time) byte {
	if len(k.held) == 0 || now.Before(k.held[0].due) {
		return 0
	}
	digit := k.held[0].digit
	k.held = k.held[1:]
	return digit
}

// agree decides whether tones are listened for.
func (k *keyed) agree(a *agreement, asked bool) {
	if !asked && a.events {
		k.tones = nil
	} else if k.tones == nil {
		k.tones = new(toneEar)
	}
}

// event takes a packet of RFC 4733 and gives the key if it is a new one. told: one that came by INFO, and was held back from a
// joined far end.
func (k *keyed) event(payload []byte, stamp uint32, now time.Time) (pressed, told byte) {
	k.byRTP = true
	digit, ok := k.events.Packet(payload, stamp, now)
	if !ok {
		return 0, 0
	}
	if k.merge.Press(digit, dtmf.ByEvent, now) {
		return digit, 0
	}
	if i := slices.IndexFunc(k.held, func(h heldKey) bool { return h.digit == digit }); i >= 0 {
		k.held = slices.Delete(k.held, i, i+1)
		return 0, digit
	}
	return 0, 0
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
	if s.passInfo(digit, byRTP) {
		s.rx.mu.Lock()
		s.rx.keys.hold(digit, now)
		s.rx.mu.Unlock()
	}
	if s.o.OnDigit != nil {
		s.o.OnDigit(digit)
	}
}

// passInfo presses a key that came by INFO at a joined far end. wait: not yet, for it may come as packets that are forwarded.
func (s *Session) passInfo(digit byte, maybeRTP bool) (wait bool) {
	to := s.reaches.Load()
	if to == nil {
		return false
	}
	to.tx.mu.Lock()
	defer to.tx.mu.Unlock()
	a := to.tx.agreement
	switch {
	case to.tx.peer != s || a == nil:
		return false
	case maybeRTP && a.EventSend != sdp.None:
		return true
	}
	to.tx.press(digit)
	return false
}

// passes reports whether a packet of RFC 4733 can be forwarded as it is: to a far end that takes such, on the same clock.
func (a *agreement) passes(p *taken, tones bool) bool {
	return a.EventSend != sdp.None && !tones && p.clock == a.EventClock
}

// passKey sees to it that a joined far end gets the key that a packet shows, if the packet itself is not forwarded to it. A
// tone in the sound reaches it as sound; if it agreed on RFC 4733 that takes the place of the rest of the tone.
func (t *sender) passKey(p *taken, tones bool) {
	key := cmp.Or(p.pressed, p.told)
	if key == 0 {
		return
	}
	byTone := p.kind != kindEvent
	switch {
	case byTone && (t.agreement.EventSend == sdp.None || tones):
	case !byTone && t.hears == nil && t.agreement.passes(p, tones) && !t.keys.active():
	default:
		t.press(key)
	}
}

// press sends a key that a joined far end pressed. The caller holds mu.
func (t *sender) press(digit byte) {
	if !t.closed && t.agreement != nil {
		t.keys.add(string(rune(digit)), nil)
	}
}
