package dtmf

import "time"

// How a key press was heard.
type How uint8

// The ways of a key press.
const (
	ByEvent How = iota // RFC 4733
	ByInfo             // SIP INFO
	ByTone             // in the sound
)

// Together is how far apart in time the ways of one press may be heard: INFO is sent when the key is let go, tones are heard when
// they have lasted.
const Together = 1500 * time.Millisecond

// Merge makes one key press of what is heard of it in several ways. The zero value is ready.
//
// A way never reports one press twice: that is for its detector to see. So what is heard in a second way belongs to the oldest
// press of the same key, not long ago, that this way has not reported yet nor passed by; if there is none, it is a press.
type Merge struct {
	presses [16]known // a ring, oldest overwritten first
	next    int
}

type known struct {
	digit byte
	heard uint8 // by which ways: one bit each
	at    time.Time
}

// Press reports whether this is a press that was not heard in another way before. at is when it was heard; for INFO with a
// duration, that much earlier.
func (m *Merge) Press(digit byte, how How, at time.Time) bool {
	bit := uint8(1) << (how & 7)
	var match *known
	for i := range m.presses { // oldest first
		p := &m.presses[(m.next+i)%len(m.presses)]
		if p.heard == 0 || at.Sub(p.at) > Together || p.at.Sub(at) > Together {
			continue
		}
		if p.heard&bit != 0 { // ways report in order: what is older was passed by
			match = nil
		} else if match == nil && p.digit == digit {
			match = p
		}
	}
	if match != nil {
		match.heard |= bit
		return false
	}
	m.presses[m.next] = known{digit: digit, heard: bit, at: at}
	m.next = (m.next + 1) % len(m.presses)
	return true
}

// Reset forgets all presses.
func (m *Merge) Reset() { *m = Merge{} }
