package jitter

import "time"

// Buffer is one stream. It is not safe for concurrent use.
type Buffer struct {
	o     Options
	frame int64
	store store
	net   network
	stats Stats

	synced  bool      // the stream has a timeline
	newest  int64     // timestamp of the newest packet, without wrapping
	wire    uint32    // the same as it was sent
	end     int64     // of all that was stored
	play    int64     // the next tick to be played
	begin   int64     // what comes before is the delay at the beginning, not a loss
	starved bool      // the last Pull had nothing
	heard   time.Time // the last packet

	seen    uint64 // of the 64 sequence numbers up to highest
	highest uint16
	spacing int64 // ticks from one packet to the next

	strays    int // packets in a row that are not near the timeline
	stray     uint32
	straySize int
	strayAt   time.Time

	stretched bool  // a Receiver steers the delay: no frames are dropped for it
	wrong     int   // frames in a row of too much delay
	last      int64 // delay at the last Pull
}

// New makes a buffer; all its memory is taken here.
func New(o Options) *Buffer {
	o = o.complete()
	b := &Buffer{o: o, frame: int64(o.Frame), store: newStore(o)}
	b.net.o, b.net.target = o, ticks(o, o.Start)
	return b
}

// Reset forgets the stream (another source begins); counters go on.
func (b *Buffer) Reset() {
	b.store.clear()
	b.synced, b.strays, b.starved = false, 0, false
}

// Put takes a packet of audio; the payload is copied. False: it was late, a duplicate, too much or unfit, and counted so.
func (b *Buffer) Put(sequence uint16, stamp uint32, payload []byte, arrived time.Time) bool {
	b.stats.Received++
	if len(payload) == 0 || b.o.Opaque && len(payload) > largest || !b.o.Opaque && int64(len(payload)) > longest*b.frame {
		b.stats.Unfit++
		return false
	}
	if !b.synced {
		b.anew(sequence, stamp, arrived)
	} else if b.dry(arrived) { // the far end made a pause: where its timeline goes on does not matter
		b.stats.Resync++
		b.anew(sequence, stamp, arrived)
	} else if b.repeated(sequence) {
		b.stats.Duplicate++
		return false
	}
	b.slipped(sequence, stamp, arrived)
	at := b.newest + int64(int32(stamp-b.wire))
	length := b.length(payload)
	if at+length <= b.play || at+length > b.play+b.store.reach() {
		late := at < b.play
		if !b.jumped(stamp, len(payload), arrived) {
			if late {
				b.stats.Late++
			} else {
				b.stats.Overflow++
			}
			return false
		}
		b.stats.Resync++
		b.anew(sequence, stamp, arrived)
		at = b.newest
	}
	b.strays = 0
	b.heard = arrived
	b.advance(at, stamp, sequence)
	b.net.heard(at, arrived)
	if b.starved && at > b.play {
		b.resume(at, arrived)
	}
	if at < b.play { // its beginning is late
		if b.o.Opaque {
			b.stats.Late++
			return false
		}
		payload = payload[b.play-at:]
		at = b.play
	}
	b.store.put(at, payload)
	b.end = max(b.end, at+b.length(payload))
	return true
}

// length is how many ticks a payload lasts, as far as can be told.
func (b *Buffer) length(payload []byte) int64 {
	if b.o.Opaque {
		return b.frame
	}
	return int64(len(payload))
}

// anew begins a timeline with a packet: it is played after the target delay.
func (b *Buffer) anew(sequence uint16, stamp uint32, now time.Time) {
	b.store.clear()
	b.net.begin(now)
	b.synced, b.strays, b.starved, b.wrong = true, 0, false, 0
	b.newest, b.wire = 1<<40, stamp // far from zero: what came before it has a place too
	b.begin, b.end = b.newest, b.newest
	b.play = b.newest - b.whole(b.net.target)
	b.highest, b.seen, b.spacing = sequence, 1, 0
	b.heard = now
}

// whole rounds up to frames.
func (b *Buffer) whole(t int64) int64 { return (t + b.frame - 1) / b.frame * b.frame }

// dry reports whether the far end said nothing for so long that a pause must be meant.
func (b *Buffer) dry(now time.Time) bool { return now.Sub(b.heard) >= dryTime && b.end <= b.play }

// repeated reports whether a packet of this number came before.
func (b *Buffer) repeated(sequence uint16) bool {
	back := b.highest - sequence
	return back < 64 && b.seen>>back&1 == 1
}

// advance remembers a packet's numbers.
func (b *Buffer) advance(at int64, stamp uint32, sequence uint16) {
	switch ahead := sequence - b.highest; {
	case ahead == 0:
	case ahead < 64:
		b.seen = b.seen<<ahead | 1
		if step := (at - b.newest) / int64(ahead); at > b.newest && step <= longest*b.frame {
			b.spacing = step
		}
		b.highest = sequence
	case -ahead < 64:
		b.seen |= 1 << -ahead
	default: // the numbers jumped; the timestamps say where it belongs
		b.seen, b.highest = 1, sequence
	}
	if at > b.newest {
		b.newest, b.wire = at, stamp
	}
}

// slipped goes on without a gap if the next packet in number bears a timestamp that cannot be: not after the one before, or more
// ahead of its time than any packet was. The far end changed its source of sound behind one stream.
func (b *Buffer) slipped(sequence uint16, stamp uint32, now time.Time) {
	ahead := int64(int32(stamp - b.wire))
	next := b.end
	if b.o.Opaque {
		next = b.newest + max(b.spacing, b.frame)
	}
	if sequence != b.highest+1 || b.net.packet < 3 || b.newest+ahead == next {
		return
	}
	if early := b.net.shortest() - (b.net.clock(now) - b.newest - ahead); ahead > 0 && early <= 3*b.frame {
		return
	}
	b.stats.Resync++
	b.wire = stamp - uint32(next-b.newest)
}

// jumped reports whether packets that are not near the timeline are a new one: two that follow each other, and as far
// apart in time as they say. Packets that were held up arrive in a heap, and stay late.
func (b *Buffer) jumped(stamp uint32, size int, now time.Time) bool {
	b.strays++
	ahead := int64(int32(stamp - b.stray))
	apart := ticks(b.o, now.Sub(b.strayAt))
	follows := b.strays > 1 && ahead > 0 && ahead <= longest*b.frame && apart >= ahead/2
	if b.strays == 1 || !follows {
		b.strays = 1
		b.stray, b.straySize, b.strayAt = stamp, size, now
	}
	return follows
}

// resume goes on after an underrun with a packet that does not continue what was played: what lies between is a pause or
// lost. While the position waited the delay grew for nothing.
func (b *Buffer) resume(at int64, now time.Time) {
	b.starved = false
	forward := min(at-b.play, b.delay(now)-b.net.target) / b.frame * b.frame
	if forward > 0 {
		b.skip(forward)
	}
	b.begin = at
}

// skip goes forward over what will not be played, by whole frames.
func (b *Buffer) skip(forward int64) {
	for range forward / b.frame {
		b.store.drop(b.play)
		b.play += b.frame
	}
}

// delay is by how much the position is behind a packet that took the shortest way.
func (b *Buffer) delay(now time.Time) int64 { return b.net.clock(now) - b.net.shortest() - b.play }

// excess is by how much the delay is over the target (below zero: under), in ticks; false while nothing is played.
func (b *Buffer) excess(now time.Time) (int64, bool) {
	if !b.synced || b.starved || b.play < b.begin || b.net.packet < enough {
		return 0, false
	}
	return b.delay(now) - b.net.target, true
}

// Pull is called every 20 ms. The payload is valid until the next call of Pull, and nil unless the state is Frame.
func (b *Buffer) Pull(now time.Time) (payload []byte, state State) {
	if !b.synced {
		return nil, Idle
	}
	b.bound(now)
	if !b.starved && b.play >= b.begin {
		b.last = b.delay(now)
	}
	if payload = b.store.take(b.play); payload != nil {
		b.next()
		b.stats.Frames++
		return payload, Frame
	}
	switch {
	case b.o.Opaque && b.held():
		b.next()
		return nil, Held
	case b.play < b.begin:
		b.next()
		return nil, Idle
	case b.end >= b.play+b.frame: // what follows is here
		b.store.drop(b.play)
		b.next()
		b.stats.Missing++
		return nil, Missing
	case b.dry(now):
		return nil, Idle
	}
	b.starved = true
	if b.delay(now) >= ticks(b.o, b.o.Max) { // waiting longer would only make it later
		b.skip(b.frame)
	}
	b.stats.Underrun++
	return nil, Underrun
}

func (b *Buffer) next() {
	b.play += b.frame
	b.starved = false
}

// covered goes forward over frames that the packet handed out just now covers too.
func (b *Buffer) covered(frames int) {
	for range frames {
		b.store.drop(b.play)
		b.next()
	}
}

// held reports whether the packet before covers this frame.
func (b *Buffer) held() bool {
	if b.spacing <= b.frame {
		return false
	}
	return b.store.lasts(b.play, b.spacing)
}

// bound keeps the delay under its limit, and near its target if nobody else does it more gently.
func (b *Buffer) bound(now time.Time) {
	if b.play < b.begin || b.starved {
		return
	}
	over := b.delay(now) - b.net.target
	if !b.stretched && over > 2*b.frame {
		b.wrong++
	} else {
		b.wrong = 0
	}
	switch {
	case b.net.target+over > ticks(b.o, b.o.Max)+b.frame:
		forward := min(over, b.end-b.play) / b.frame * b.frame
		if forward > 0 {
			b.skip(forward)
			b.stats.Shrunk++
		}
	case b.wrong >= 50: // a second of too much delay: one frame less
		b.skip(b.frame)
		b.stats.Shrunk++
		b.wrong = 0
	}
}

// Stats are the counters.
func (b *Buffer) Stats() Stats {
	s := b.stats
	s.Delay = span(b.o, b.last)
	s.Target = span(b.o, b.net.target)
	s.Jitter = span(b.o, int64(b.net.jitter))
	return s
}
