package siptest

import (
	"math/bits"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// A gap is worth noting when more than two packets' time passes without one. A hole in the timestamps of more than
// half a second against the clock starts a new line of placement.
const (
	gapLimit  = 40 * time.Millisecond
	jumpLimit = sampleRate / 2
	maxGaps   = 10000
)

// RTPStats counts the packets of a call.
type RTPStats struct {
	Sent         uint64 // audio packets that we sent
	SentEvents   uint64 // packets of keys that we sent, or pretended to
	Received     uint64 // audio packets, duplicates left aside
	Lost         uint64 // by sequence number
	Duplicates   uint64
	Reordered    uint64 // came after one with a higher sequence number
	Events       uint64 // packets of keys
	WrongPayload uint64 // of a payload type that was not agreed
	Strangers    uint64 // from another address than agreed
	SSRCs        int    // how many streams came one after the other
	Jitter       time.Duration
	First, Last  time.Time // of audio
}

// Gap is a time without audio packets.
type Gap struct {
	At     time.Duration // since the answer
	Length time.Duration
}

// GapReport tells how evenly audio arrived. The percentiles are of the time between two packets, to a millisecond;
// Gaps are those above 40 ms.
type GapReport struct {
	Gaps          []Gap
	P50, P99, Max time.Duration
}

// ear is what one side of a call heard. Its media's mutex guards it.
type ear struct {
	origin time.Time // the answer: position 0
	limit  int       // samples that are kept
	heard  []int16
	waits  []hearing

	stats   RTPStats
	ssrc    uint32
	baseTS  uint32
	basePos int
	highest uint32 // extended sequence number
	first   uint32
	unique  uint64
	seen    uint64 // a bit for each of the 64 sequence numbers up to highest
	jitter  float64
	transit float64

	gaps      []Gap
	histogram []uint32 // milliseconds between packets
	max       time.Duration

	eventTS  uint32
	gotEvent bool
	keys     []byte
}

// hearing waits until so many samples have come.
type hearing struct {
	samples int
	done    chan struct{}
}

func (e *ear) audio(packet *rtp.Packet, decode func(uint8) int16, now time.Time) {
	fresh := e.stats.SSRCs == 0 || packet.SSRC != e.ssrc
	if !e.sequence(packet.SequenceNumber, fresh) {
		e.stats.Duplicates++
		return
	}
	e.ssrc = packet.SSRC
	e.stats.Received++
	e.timing(packet.Timestamp, now, fresh)
	at := count(now.Sub(e.origin))
	pos := e.basePos + int(int32(packet.Timestamp-e.baseTS))
	if fresh || pos-at > jumpLimit || at-pos > jumpLimit {
		e.baseTS, e.basePos, pos = packet.Timestamp, at, at
	}
	e.place(pos, packet.Payload, decode)
}

// place writes samples onto the timeline; where nothing comes it stays silent.
func (e *ear) place(pos int, payload []byte, decode func(uint8) int16) {
	end := min(pos+len(payload), e.limit)
	if end > len(e.heard) {
		e.heard = slices.Grow(e.heard, end-len(e.heard))[:end] // what Grow gives is zero, nothing was ever cut off
	}
	for i, b := range payload {
		if k := pos + i; k >= 0 && k < end {
			e.heard[k] = decode(b)
		}
	}
	for i := 0; i < len(e.waits); {
		if w := e.waits[i]; len(e.heard) >= w.samples || len(e.heard) >= e.limit {
			close(w.done)
			e.waits = slices.Delete(e.waits, i, i+1)
		} else {
			i++
		}
	}
}

// sequence notes a sequence number; false if it came before. RFC 3550 §A.1, A.3.
func (e *ear) sequence(seq uint16, fresh bool) bool {
	if fresh {
		e.finishStream()
		e.stats.SSRCs++
		e.highest, e.first, e.unique, e.seen = uint32(seq)+1<<16, uint32(seq)+1<<16, 1, 1
		return true
	}
	switch ahead := int(int16(seq - uint16(e.highest))); {
	case ahead > 0:
		e.highest += uint32(ahead)
		e.seen = e.seen<<min(ahead, 63)<<max(0, min(ahead-63, 1)) | 1
	case -ahead >= 64:
		return false // too old to know
	case e.seen>>-ahead&1 != 0:
		return false
	default:
		e.seen |= 1 << -ahead
		e.stats.Reordered++
		e.first = min(e.first, e.highest-uint32(-ahead))
	}
	e.unique++
	return true
}

// finishStream adds what the stream so far has lost.
func (e *ear) finishStream() {
	e.stats.Lost += e.lost()
}

func (e *ear) lost() uint64 {
	if e.stats.SSRCs == 0 {
		return 0
	}
	return uint64(e.highest-e.first) + 1 - min(e.unique, uint64(e.highest-e.first)+1)
}

func (e *ear) timing(ts uint32, now time.Time, fresh bool) {
	transit := now.Sub(e.origin).Seconds()*sampleRate - float64(ts)
	if !fresh { // RFC 3550 §6.4.1
		if d := transit - e.transit; d < 1<<31 && d > -1<<31 {
			e.jitter += (max(d, -d) - e.jitter) / 16
		}
	}
	e.transit = transit
	if e.stats.First.IsZero() {
		e.stats.First, e.stats.Last = now, now
		return
	}
	gap := now.Sub(e.stats.Last)
	e.stats.Last = now
	e.max = max(e.max, gap)
	if gap > gapLimit && len(e.gaps) < maxGaps {
		e.gaps = append(e.gaps, Gap{At: now.Add(-gap).Sub(e.origin), Length: gap})
	}
	ms := min(int(gap.Round(time.Millisecond)/time.Millisecond), 2000)
	if ms >= len(e.histogram) {
		size := min(2001, max(64, 1<<bits.Len(uint(ms))))
		e.histogram = append(e.histogram, make([]uint32, size-len(e.histogram))...)
	}
	e.histogram[ms]++
}

func (e *ear) report() GapReport {
	r := GapReport{Gaps: slices.Clone(e.gaps), Max: e.max}
	var all, sum uint64
	for _, n := range e.histogram {
		all += uint64(n)
	}
	for ms, n := range e.histogram {
		before := sum
		sum += uint64(n)
		if before*2 < all && sum*2 >= all {
			r.P50 = time.Duration(ms) * time.Millisecond
		}
		if before*100 < all*99 && sum*100 >= all*99 {
			r.P99 = time.Duration(ms) * time.Millisecond
		}
	}
	return r
}

// event notes a key: once, however many packets it has.
func (e *ear) event(packet *rtp.Packet) {
	e.stats.Events++
	if len(packet.Payload) < 4 || int(packet.Payload[0]) >= len(keys) {
		return
	}
	if e.gotEvent && int32(packet.Timestamp-e.eventTS) <= 0 { // again, or a late one of an earlier key
		return
	}
	e.gotEvent, e.eventTS = true, packet.Timestamp
	e.keys = append(e.keys, keys[packet.Payload[0]])
}

// release lets all go that wait for more.
func (e *ear) release() {
	for _, w := range e.waits {
		close(w.done)
	}
	e.waits = nil
}
