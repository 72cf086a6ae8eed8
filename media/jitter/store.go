package jitter

import "math/bits"

// store keeps payload by its place on the timeline: bytes that are ticks in a ring (with a bit for each that is there), or
// whole packets in slots of a frame.
type store struct {
	frame  int64
	opaque bool

	ring []byte   // one byte a tick
	have []uint64 // one bit a tick

	slots []slot
	last  int64 // where the packet lay that was handed out last
	out   []byte
}

type slot struct {
	full  bool
	stamp int64
	size  int
	data  [largest]byte
}

func newStore(o Options) store {
	s := store{frame: int64(o.Frame), opaque: o.Opaque}
	frames := int(o.Max/frameTime) + 2*longest
	if o.Opaque {
		s.slots = make([]slot, 1<<bits.Len(uint(frames)))
		s.out = make([]byte, largest)
		return s
	}
	size := 1 << bits.Len(uint(frames*o.Frame))
	size = max(size, 64)
	s.ring, s.have, s.out = make([]byte, size), make([]uint64, size/64), make([]byte, o.Frame)
	return s
}

// reach is how many ticks fit.
func (s *store) reach() int64 {
	if s.opaque {
		return int64(len(s.slots)) * s.frame
	}
	return int64(len(s.ring))
}

func (s *store) clear() {
	clear(s.have)
	s.last = 0
	for i := range s.slots {
		s.slots[i].full = false
	}
}

// put lays a payload on the timeline. The caller has seen that it fits, and that it does not begin before what is played next.
func (s *store) put(stamp int64, payload []byte) {
	if s.opaque {
		p := s.at(stamp)
		p.full, p.stamp = true, stamp
		p.size = copy(p.data[:], payload)
		return
	}
	at := int(stamp & int64(len(s.ring)-1))
	n := copy(s.ring[at:], payload)
	copy(s.ring, payload[n:])
	s.mark(stamp, len(payload), true)
}

func (s *store) at(stamp int64) *slot {
	return &s.slots[(stamp+s.frame/2)/s.frame&int64(len(s.slots)-1)]
}

// take hands out the frame at a place, nil if it is not whole.
func (s *store) take(stamp int64) []byte {
	if !s.ready(stamp) {
		return nil
	}
	if s.opaque {
		p := s.at(stamp)
		s.last = stamp
		p.full = false
		return s.out[:copy(s.out, p.data[:p.size])]
	}
	at := int(stamp & int64(len(s.ring)-1))
	n := copy(s.out, s.ring[at:])
	copy(s.out[n:], s.ring)
	s.drop(stamp)
	return s.out
}

// drop takes away what lies in the frame at a place.
func (s *store) drop(stamp int64) {
	if s.opaque {
		s.at(stamp).full = false
		return
	}
	s.mark(stamp, len(s.out), false)
}

// lasts reports whether the packet handed out last covers a place, if packets last so long.
func (s *store) lasts(stamp, length int64) bool { return stamp > s.last && stamp < s.last+length }

// ready reports whether the frame at a place is whole.
func (s *store) ready(stamp int64) bool {
	if s.opaque {
		return s.at(stamp).full
	}
	return s.count(stamp, len(s.out)) == len(s.out)
}

// mark sets or clears the bits of n ticks.
func (s *store) mark(stamp int64, n int, there bool) {
	for n > 0 {
		word, bit, take := s.word(stamp, n)
		mask := (^uint64(0) >> (64 - take)) << bit
		if there {
			s.have[word] |= mask
		} else {
			s.have[word] &^= mask
		}
		stamp, n = stamp+int64(take), n-take
	}
}

// count is how many of n ticks are there.
func (s *store) count(stamp int64, n int) (sum int) {
	for n > 0 {
		word, bit, take := s.word(stamp, n)
		mask := (^uint64(0) >> (64 - take)) << bit
		sum += bits.OnesCount64(s.have[word] & mask)
		stamp, n = stamp+int64(take), n-take
	}
	return sum
}

// word is where the bit of a tick lies, and how many of n bits lie in the same word.
func (s *store) word(stamp int64, n int) (word, bit, take int) {
	at := int(stamp & int64(len(s.ring)-1))
	word, bit = at/64, at%64
	return word, bit, min(n, 64-bit)
}
