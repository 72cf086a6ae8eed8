package record

import (
	"time"

	"ullim/media/g711"
)

// Side is a channel of the file.
type Side int

// Sides.
const (
	Left  Side = iota // the customer
	Right             // the agent, and whoever helps
)

// Decoder turns the payloads of one stream, one after the other, into samples of Rate. It gives the number of samples;
// dst holds 120 ms.
type Decoder interface {
	Decode(dst []int16, payload []byte) int
}

// track is what one speaker said: from the tap through the decoder onto the timeline. All but the tap is the writer's.
type track struct {
	Tap
	side     Side
	clock    stampClock
	line     timeline
	decoders [codecs]Decoder // made when they are needed
}

// drain lays everything that the tap holds onto the timeline, whose first sample that was not written is at from. What may
// have been said in a pause is left out: a packet that begins anew, so that nobody knows when it was said, just after one.
func (t *track) drain(w *workspace, decode func(Codec) Decoder, from int64) {
	for tail := t.tail.Load(); tail != t.head.Load(); {
		s := &t.ring[tail%slots]
		payload := s.data[:s.size]
		tail++
		if s.more {
			n := copy(w.packet[:], payload)
			for more := true; more; tail++ {
				piece := &t.ring[tail%slots]
				n += copy(w.packet[n:], piece.data[:piece.size])
				more = piece.more
			}
			payload = w.packet[:n]
		}
		n := t.decode(w.pcm[:], s.codec, payload, decode)
		arrived := int64(s.at) * Rate / int64(time.Second)
		if n > 0 {
			at := t.clock.place(s.stamp, clockOf(s.codec), n, arrived)
			if !t.clock.anew || !hidden(arrived, w.pauses) {
				t.line.put(from, at, w.pcm[:n])
			}
		}
		t.tail.Store(tail)
	}
}

// hidden reports whether there was a pause in the second before a position.
func hidden(at int64, pauses []span) bool {
	for _, p := range pauses {
		if at >= p.from && (p.to == 0 || at < p.to+afterwards) {
			return true
		}
	}
	return false
}

// afterwards is how long after a pause what was said in it may still arrive.
const afterwards = Rate

// decode gives the samples of a payload; 0: nobody understands it.
func (t *track) decode(dst []int16, c Codec, payload []byte, decode func(Codec) Decoder) int {
	switch c {
	case ULaw:
		return g711.DecodeULaw(dst, payload)
	case ALaw:
		return g711.DecodeALaw(dst, payload)
	case G722, Opus, codecs:
	}
	if c >= codecs || decode == nil {
		return 0
	}
	if t.decoders[c] == nil {
		if t.decoders[c] = decode(c); t.decoders[c] == nil {
			return 0
		}
	}
	return t.decoders[c].Decode(dst, payload)
}

// over reports whether the track has nothing more to say after a position.
func (t *track) over(from int64) bool {
	return t.ended.Load() && t.tail.Load() == t.head.Load() && t.line.end <= from
}
