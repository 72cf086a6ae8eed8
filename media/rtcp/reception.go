package rtcp

import "time"

// Reception counts what is received of one source after the other (RFC 3550 §6.4.1, A.3, A.8). The zero value is ready.
type Reception struct {
	known    bool
	ssrc     uint32
	base     uint16
	highest  uint16
	cycles   uint32
	received uint64
	bad      uint32 // the number that would show that the source began anew
	hasBad   bool

	rate    int
	epoch   time.Time
	transit int64
	timed   bool
	jitter  float64 // ticks

	expectedBefore, receivedBefore uint64 // at the last report

	expectedEarlier, receivedEarlier uint64 // of sources that are gone
	runs, lostRuns                   uint64 // losses in a row, for Burst

	lastSR   uint32
	lastSRAt time.Time
}

const (
	maxDropout  = 3000 // RFC 3550 A.1
	maxMisorder = 100
)

// Add counts a packet of audio. now is any clock; rate is that of the RTP clock.
func (r *Reception) Add(ssrc uint32, sequence uint16, stamp uint32, rate int, now time.Time) {
	if !r.known || ssrc != r.ssrc {
		r.begin(ssrc, sequence, rate, now)
	} else {
		switch ahead := sequence - r.highest; {
		case ahead == 0: // a duplicate, counted as received: RFC 3550 A.3
		case ahead < maxDropout:
			if sequence < r.highest {
				r.cycles += 1 << 16
			}
			if ahead > 1 {
				r.runs++
				r.lostRuns += uint64(ahead - 1)
			}
			r.highest, r.hasBad = sequence, false
		case ahead <= 0xFFFF-maxMisorder: // a jump: believed when the next packet goes on from there (RFC 3550 A.1)
			if !r.hasBad || sequence != uint16(r.bad) {
				r.bad, r.hasBad = uint32(sequence+1), true
				return
			}
			r.begin(ssrc, sequence, rate, now)
		}
	}
	r.received++
	r.time(stamp, rate, now)
}

// begin counts from a packet on. What was counted before is kept for the totals.
func (r *Reception) begin(ssrc uint32, sequence uint16, rate int, now time.Time) {
	if r.known {
		r.expectedEarlier += r.expected()
		r.receivedEarlier += r.received
	}
	if r.epoch.IsZero() {
		r.epoch = now
	}
	if ssrc != r.ssrc {
		r.lastSR, r.lastSRAt = 0, time.Time{}
	}
	r.known, r.ssrc, r.base, r.highest, r.cycles = true, ssrc, sequence, sequence, 0
	r.received, r.hasBad, r.timed, r.rate = 0, false, false, rate
	r.expectedBefore, r.receivedBefore = 0, 0
}

// time takes the packet into the estimate of jitter (RFC 3550 §6.4.1, A.8).
func (r *Reception) time(stamp uint32, rate int, now time.Time) {
	if rate != r.rate { // another codec: its ticks mean something else
		if r.rate > 0 {
			r.jitter *= float64(rate) / float64(r.rate)
		}
		r.rate, r.timed = rate, false
	}
	since := now.Sub(r.epoch)
	arrival := int64(since/time.Second)*int64(rate) + int64(since%time.Second)*int64(rate)/int64(time.Second)
	transit := int64(uint32(arrival) - stamp)
	if r.timed {
		d := int64(int32(uint32(transit) - uint32(r.transit)))
		if d < 0 {
			d = -d
		}
		if d < int64(rate)*10 { // a jump of the timestamps is not jitter
			r.jitter += (float64(d) - r.jitter) / 16
		}
	}
	r.transit, r.timed = transit, true
}

func (r *Reception) extended() uint32 { return r.cycles + uint32(r.highest) }

func (r *Reception) expected() uint64 {
	if !r.known {
		return 0
	}
	return uint64(r.extended()) - uint64(r.base) + 1
}

// SenderReport remembers when a sender report of theirs came, for LSR and DLSR.
func (r *Reception) SenderReport(ntp uint64, now time.Time) {
	r.lastSR, r.lastSRAt = uint32(ntp>>16), now
}

// Block makes the next report; it begins the next interval of Fraction. False: nothing was received yet.
func (r *Reception) Block(now time.Time) (b Block, ok bool) {
	if !r.known {
		return b, false
	}
	expected := r.expected()
	b = Block{SSRC: r.ssrc, Highest: r.extended(), Jitter: uint32(r.jitter), LastSR: r.lastSR}
	b.Lost = int32(min(max(int64(expected)-int64(r.received), -1<<23), 1<<23-1)) // RFC 3550 A.3: clamped, not wrapped
	due := expected - r.expectedBefore
	lost := int64(due) - int64(r.received-r.receivedBefore)
	if due > 0 && lost > 0 { // duplicates can make it negative: RFC 3550 §6.4.1
		b.Fraction = uint8(min(lost*256/int64(due), 255))
	}
	r.expectedBefore, r.receivedBefore = expected, r.received
	if !r.lastSRAt.IsZero() {
		b.DelaySR = uint32(min(max(now.Sub(r.lastSRAt), 0), 18*time.Hour) * 65536 / time.Second)
	}
	return b, true
}

// Totals are the counts of all sources: packets expected, how many of them never came, and the jitter now.
func (r *Reception) Totals() (expected, lost uint64, jitter time.Duration) {
	expected = r.expectedEarlier + r.expected()
	if received := r.receivedEarlier + r.received; received < expected {
		lost = expected - received
	}
	if r.rate > 0 {
		jitter = time.Duration(r.jitter * float64(time.Second) / float64(r.rate))
	}
	return expected, lost, jitter
}

// Burst is the burst ratio of ITU-T G.107: how long losses in a row are, against how long they would be if they were random. 1 if
// there are too few to tell.
func (r *Reception) Burst() float64 {
	expected, lost, _ := r.Totals()
	if r.runs < 3 || lost == 0 || expected <= lost {
		return 1
	}
	random := 1 / (1 - float64(lost)/float64(expected))
	return max(1, float64(r.lostRuns)/float64(r.runs)/random)
}
