package record

import (
	"sync/atomic"
	"time"
)

const (
	slots      = 128 // 2.5 s of 20 ms packets
	slotSize   = 240 // bytes; a longer packet takes several slots
	maxPayload = 1500
)

// Codec is how a payload is to be understood.
type Codec uint8

// Codecs. What is neither of the two of G.711 is decoded by Options.Decode.
const (
	ULaw Codec = iota
	ALaw
	G722
	Opus
	codecs
)

// clockOf is the rate of the RTP timestamps of a codec (RFC 3551 §4.5.2: 8000 for G.722 too; RFC 7587 §4.1).
func clockOf(c Codec) int64 {
	if c == Opus {
		return 48000
	}
	return Rate
}

// slot is a packet, or a piece of one, as it came.
type slot struct {
	at    time.Duration // arrival, since the start
	stamp uint32
	size  uint16
	codec Codec
	more  bool // the next slot is of the same packet
	data  [slotSize]byte
}

// Tap takes the packets of one speaker. One goroutine at a time may Put; the writer drains.
type Tap struct {
	start   time.Time
	paused  *atomic.Bool // of the recording; nil: never
	ended   atomic.Bool
	dropped atomic.Uint64
	head    atomic.Uint64 // slots written; only Put changes it
	tail    atomic.Uint64 // slots read; only the writer changes it
	ring    [slots]slot
}

// Put takes a payload in, with its RTP timestamp and the moment it came. It never waits; false: there was no room. What is
// said during a pause is not even kept in memory.
func (t *Tap) Put(now time.Time, stamp uint32, codec Codec, payload []byte) bool {
	if t.ended.Load() || len(payload) == 0 || t.paused != nil && t.paused.Load() {
		return true
	}
	payload = payload[:min(len(payload), maxPayload)]
	head := t.head.Load()
	need := uint64(len(payload)+slotSize-1) / slotSize
	if head+need-t.tail.Load() > slots {
		t.dropped.Add(1)
		return false
	}
	at := now.Sub(t.start)
	for len(payload) > 0 {
		s := &t.ring[head%slots]
		s.at, s.stamp, s.codec = at, stamp, codec
		s.size = uint16(copy(s.data[:], payload))
		payload = payload[s.size:]
		s.more = len(payload) > 0
		head++
	}
	t.head.Store(head)
	return true
}
