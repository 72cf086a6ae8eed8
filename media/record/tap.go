package record

import (
	"sync/atomic"
	"time"

	"ullim/media/g711"
)

const (
	slots    = 128 // 2.5 s of 20 ms packets
	slotSize = 240 // bytes; a longer packet takes several slots
)

// slot is a packet, or a piece of one, as it came.
type slot struct {
	at    time.Duration // arrival, since the start
	stamp uint32
	size  uint16
	aLaw  bool
	data  [slotSize]byte
}

// Tap takes the packets of one side of a recording. One goroutine at a time may Put; the writer drains.
type Tap struct {
	start   time.Time
	ended   atomic.Bool
	dropped atomic.Uint64
	head    atomic.Uint64 // slots written; only Put changes it
	tail    atomic.Uint64 // slots read; only the writer changes it
	ring    [slots]slot
	clock   stampClock // of the writer
}

func (t *Tap) init(start time.Time) { t.start = start }

// end makes Put do nothing from now on.
func (t *Tap) end() { t.ended.Store(true) }

// Put takes a payload in, with its RTP timestamp and the moment it came. It never waits; false: there was no room.
func (t *Tap) Put(now time.Time, stamp uint32, aLaw bool, payload []byte) bool {
	if t.ended.Load() || len(payload) == 0 {
		return true
	}
	head := t.head.Load()
	need := uint64(len(payload)+slotSize-1) / slotSize
	if head+need-t.tail.Load() > slots {
		t.dropped.Add(1)
		return false
	}
	at := now.Sub(t.start)
	for len(payload) > 0 {
		s := &t.ring[head%slots]
		s.at, s.stamp, s.aLaw = at, stamp, aLaw
		s.size = uint16(copy(s.data[:], payload))
		payload = payload[s.size:]
		stamp += uint32(s.size)
		head++
	}
	t.head.Store(head)
	return true
}

// drain moves everything into a channel of the timeline.
func (t *Tap) drain(line *timeline, channel int) {
	var pcm [slotSize]int16
	for tail := t.tail.Load(); tail != t.head.Load(); tail++ {
		s := &t.ring[tail%slots]
		n := int(s.size)
		if s.aLaw {
			g711.DecodeALaw(pcm[:n], s.data[:n])
		} else {
			g711.DecodeULaw(pcm[:n], s.data[:n])
		}
		arrived := int64(s.at) * Rate / int64(time.Second)
		line.put(channel, t.clock.place(s.stamp, n, arrived), pcm[:n])
		t.tail.Store(tail + 1)
	}
}
