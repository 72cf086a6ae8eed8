package reporting

import (
	"time"

	"ullim/internal/contact"
)

// Quarter is the grain of Agents: every period of a report but perhaps the first and the last begins at a multiple of it.
const Quarter = 15 * time.Minute

// State is what an agent is doing, as far as reports ask.
type State struct {
	UserID           string
	RoutingProfileID string
	Groups           []contact.Group // level 1 first
	Online           bool            // any status but one of type OFFLINE
	Custom           bool            // a status of type CUSTOM
	Contacts         int             // connected, or in after-contact work
	OnCall           bool            // talks by a call that no queue gave
	Ringing          bool            // an offer waits for an answer
	Blocked          bool            // a contact is missed, rejected or in error
}

// Rates are the microseconds that each number of Agents grows by in one microsecond of a state: 0 or 1, or for slotUS the
// number of contacts.
//
//	online   any status but offline
//	custom   non-productive: a custom status, on contact or not
//	contact  on contact, hold and after-contact work included, in a routable status
//	idle     routable and not on contact; ringing is not idle, being in error is
//	error    a contact is missed, rejected or in error
//	slot     contacts in hand while on contact, each on its own: concurrency is slot / contact
func (s *State) Rates() map[Column]int64 {
	routable := s.Online && !s.Custom
	on := s.Contacts > 0 || s.OnCall
	rates := map[Column]int64{
		onlineUS: flag(s.Online), customUS: flag(s.Custom), contactUS: flag(routable && on),
		idleUS: flag(routable && !on && (!s.Ringing || s.Blocked)), errorUS: flag(s.Blocked),
	}
	rates[contactOrIdleUS] = rates[contactUS] + rates[idleUS]
	if routable && on {
		rates[slotUS] = int64(max(s.Contacts, 1))
	}
	return rates
}

// dims says where the agent stands.
func (s *State) dims() map[Dim]string {
	d := map[Dim]string{Agent: s.UserID, RoutingProfile: s.RoutingProfileID}
	for i, level := range levels() {
		if i < len(s.Groups) {
			d[level] = s.Groups[i].ID
		}
	}
	return d
}

// Spans are the time from..to in a state, cut at every multiple of Quarter: At is the beginning of each. Nothing comes of
// a state in which no number grows.
func (s *State) Spans(from, to time.Time) []Span {
	rates := s.Rates()
	idle := true
	for _, r := range rates {
		idle = idle && r == 0
	}
	if idle {
		return nil
	}
	var out []Span
	dims := s.dims()
	from, to = from.UTC().Truncate(time.Microsecond), to.UTC().Truncate(time.Microsecond)
	for from.Before(to) {
		end := from.Truncate(Quarter).Add(Quarter)
		if end.After(to) {
			end = to
		}
		numbers := make(map[Column]int64, len(rates))
		for c, r := range rates {
			numbers[c] = r * end.Sub(from).Microseconds()
		}
		out = append(out, Span{Fact: Fact{At: from, Dims: dims, Numbers: numbers}, To: end})
		from = end
	}
	return out
}

// Span is a piece of an agent's timeline within one quarter of an hour.
type Span struct {
	Fact
	To time.Time
}

// Cut is the part of a span between two moments; ok is false if there is none. Rates are whole numbers, so nothing is lost.
func (s *Span) Cut(from, to time.Time) (Fact, bool) {
	a, b := s.At, s.To
	if from.After(a) {
		a = from
	}
	if to.Before(b) {
		b = to
	}
	if !a.Before(b) {
		return Fact{}, false
	}
	f := Fact{At: a, Dims: s.Dims, Numbers: make(map[Column]int64, len(s.Numbers))}
	whole, part := s.To.Sub(s.At).Microseconds(), b.Sub(a).Microseconds()
	for c, n := range s.Numbers {
		f.Numbers[c] = n / whole * part
	}
	return f, true
}
