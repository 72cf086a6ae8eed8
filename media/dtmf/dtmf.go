// Package dtmf counts key presses in a stream of RFC 4733 telephone-event packets: each press once, whatever is lost,
// repeated or reordered on the way.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     event     |E|R| volume    |          duration             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// All packets of one press carry the RTP timestamp of its beginning, so the timestamp is its identity: a press is
// reported at the first packet that shows a new one. That needs neither the marker bit (some carriers never set it),
// nor the first packet, nor the three end packets. The one exception is a press longer than the 16-bit duration can say:
// it goes on under a new timestamp that continues the old one exactly (RFC 4733 §2.5.1.3) and is still one press.
//
// The detector is a plain state machine: no clock, no goroutine. Its caller passes packets of one source in, and calls
// Reset when the stream begins anew (another SSRC, a jump).
package dtmf

import (
	"encoding/binary"
	"time"
)

const (
	endBit   = 0x80
	fullSpan = 0xFFFF // the longest duration; a longer press is sent in segments of this length

	// old is how far behind the newest timestamp a packet counts as late rather than as a stream that began anew.
	old = 8000 * 10

	// Lost is how long nothing is heard of a press before it counts as over although no end packet came. Gaps of
	// 1.6 s within one press have been seen.
	Lost = 3 * time.Second
)

// Detector finds the key presses of one stream. The zero value is ready.
type Detector struct {
	heard bool   // event, stamp and ended mean something
	ended bool   // an end packet came, or Lost went by
	event byte   // of the newest press
	stamp uint32 // RTP timestamp of the newest press
	last  time.Time
}

// Packet takes the payload of one packet and its RTP timestamp. ok is true if it shows a key that has not been reported:
// then digit is one of 0-9 * # A-D.
func (d *Detector) Packet(payload []byte, stamp uint32, now time.Time) (digit byte, ok bool) {
	if len(payload) < 4 || payload[0] > 15 { // 16 is flash; the rest are tones of modems and lines
		return 0, false
	}
	event, ended := payload[0], payload[1]&endBit != 0
	duration := binary.BigEndian.Uint16(payload[2:])
	if d.heard {
		switch ahead := int32(stamp - d.stamp); {
		case ahead == 0 && event == d.event:
			d.last, d.ended = now, d.ended || ended
			return 0, false
		case ahead < 0 && ahead > -old:
			return 0, false // a late packet of an earlier press
		case event == d.event && !d.ended && continues(ahead, duration):
			d.stamp, d.last, d.ended = stamp, now, ended
			return 0, false
		}
	}
	*d = Detector{heard: true, ended: ended, event: event, stamp: stamp, last: now}
	return "0123456789*#ABCD"[event], true
}

// continues reports whether a packet so many samples ahead of a press that has not ended is its next segment.
func continues(ahead int32, duration uint16) bool {
	// Some count the segment as 0xFFFF, some as 0x10000 samples; the last packets of a segment may be lost.
	return (ahead == fullSpan || ahead == fullSpan+1) && duration > 0
}

// Tick closes a press whose end was lost. The next press of the same key is then a new one whatever its timestamp says.
func (d *Detector) Tick(now time.Time) {
	if d.heard && !d.ended && now.Sub(d.last) >= Lost {
		d.ended = true
	}
}

// Active reports whether a key is held down: begun and not ended.
func (d *Detector) Active() bool { return d.heard && !d.ended }

// Reset forgets the stream: its timestamps do not go on.
func (d *Detector) Reset() { *d = Detector{} }
