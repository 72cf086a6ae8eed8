package dtmf

import (
	"encoding/binary"
	"strings"
)

// Event is one packet of telephone-event to be sent.
type Event struct {
	Payload [4]byte
	Marker  bool
	Stamp   uint32 // RTP timestamp of the press
}

// Sender makes the packets of key presses (RFC 4733 §2.5.1). It has no clock: Next is called once per packet time with the RTP
// timestamp of now. All numbers of ticks are of the clock of the stream; zero means the default.
type Sender struct {
	Frame  int   // ticks per packet, default 160
	Length int   // ticks of a press, default 800 (100 ms)
	Gap    int   // ticks between presses, default 480 (60 ms)
	Volume uint8 // -dBm0, 1 to 63, default 10

	queue [64]byte // events that wait
	first int
	wait  int

	sending bool
	event   byte
	segment uint32 // timestamp of this part of the press
	before  int    // ticks of the press in earlier parts
	start   uint32
	last    int // ticks said in the last packet
	ends    int // end packets sent
	resting bool
	rest    uint32 // until then there is a pause
}

// Events are the keys by their event codes.
const Events = "0123456789*#ABCD"

// Press queues keys: 0-9 * # A-D. False: another character, or too many wait; then none is queued.
func (s *Sender) Press(keys string) bool {
	if len(keys) > len(s.queue)-s.wait {
		return false
	}
	for i := range len(keys) {
		if strings.IndexByte(Events, keys[i]) < 0 {
			return false
		}
	}
	for i := range len(keys) {
		s.queue[(s.first+s.wait)%len(s.queue)] = byte(strings.IndexByte(Events, keys[i]))
		s.wait++
	}
	return true
}

// Busy reports whether a press is being sent or waits.
func (s *Sender) Busy() bool { return s.sending || s.wait > 0 }

// Next is the packet to send now. ok false: none. While Busy, audio is not sent even so: that is the pause between keys.
func (s *Sender) Next(stamp uint32) (e Event, ok bool) {
	begins := false
	if !s.sending {
		if s.resting && int32(stamp-s.rest) < 0 {
			return e, false
		}
		s.resting = false
		if s.wait == 0 {
			return e, false
		}
		s.begin(stamp)
		begins = true
	}
	said := s.duration(stamp)
	e = Event{Marker: begins, Stamp: s.segment} // the marker is on the first packet of a press only: RFC 4733 §2.5.1.1
	volume := either(int(s.Volume), 10)
	e.Payload[0] = s.event
	e.Payload[1] = byte(min(volume, 63))
	if s.ends > 0 {
		e.Payload[1] |= endBit
	}
	binary.BigEndian.PutUint16(e.Payload[2:], uint16(said))
	if s.ends == 3 { // the end is sent three times: RFC 4733 §2.5.1.4
		s.sending, s.resting = false, true
		s.rest = s.start + uint32(either(s.Length, 800)+either(s.Gap, 480))
	}
	return e, true
}

func (s *Sender) begin(stamp uint32) {
	s.event = s.queue[s.first]
	s.first = (s.first + 1) % len(s.queue)
	s.wait--
	s.sending, s.start, s.segment, s.before, s.ends = true, stamp, stamp, 0, 0
}

// duration is what the packet of now says of how long this part of the press has lasted. It counts the end packets.
func (s *Sender) duration(stamp uint32) int {
	length := either(s.Length, 800)
	all := min(int(stamp-s.start)+either(s.Frame, 160), length)
	if s.ends > 0 { // the same again
		s.ends++
		return length - s.before
	}
	if all-s.before > fullSpan {
		if s.last != fullSpan { // this part is said to be full before the next one begins: RFC 4733 §2.5.1.3
			s.last = fullSpan
			return fullSpan
		}
		s.before += fullSpan
		s.segment += fullSpan
	}
	s.last = min(all-s.before, fullSpan)
	if all == length && length-s.before <= fullSpan {
		s.ends = 1
	}
	return s.last
}

func either(v, standard int) int {
	if v <= 0 {
		return standard
	}
	return v
}
