package media

// sequence follows the sequence numbers of what is received, as RFC 3550 §A.1 does, but takes a jump at its word at once:
// a transfer upstream must not cost the first seconds of the new party.
type sequence struct {
	heard    bool
	ssrc     uint32
	newest   uint16
	seen     uint64 // bit n: newest-n came
	expected uint64 // since the last jump
	received uint64 // since the last jump, duplicates not counted
	lostPast uint64 // before the last jump
}

// What counts as a jump rather than as loss or lateness.
const (
	maxDropout  = 3000
	maxMisorder = 100
)

type arrival int

const (
	arrivalNext      arrival = iota // new, perhaps after a loss
	arrivalLate                     // older than the newest, and not seen before
	arrivalDuplicate                // seen before, or too old to know
	arrivalFresh                    // the stream begins, or begins anew
)

// add counts a packet in.
func (s *sequence) add(ssrc uint32, number uint16) arrival {
	ahead := int(int16(number - s.newest))
	switch {
	case !s.heard || ssrc != s.ssrc || ahead > maxDropout || ahead < -maxMisorder:
		*s = sequence{heard: true, ssrc: ssrc, newest: number, seen: 1, expected: 1, received: 1, lostPast: s.lost()}
		return arrivalFresh
	case ahead > 0:
		s.newest, s.expected, s.received = number, s.expected+uint64(ahead), s.received+1
		s.seen = s.seen<<min(ahead, 64) | 1
		return arrivalNext
	case ahead <= -64 || s.seen&(1<<-ahead) != 0:
		return arrivalDuplicate
	}
	s.seen |= 1 << -ahead
	s.received++
	return arrivalLate
}

// lost is the number of packets that never came.
func (s *sequence) lost() uint64 {
	if s.expected < s.received {
		return s.lostPast
	}
	return s.lostPast + s.expected - s.received
}
