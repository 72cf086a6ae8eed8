package media

import (
	"net/netip"
	"time"
)

// source decides whose packets are taken. Everything that is not the far end is foreign: it is counted, and neither
// heard, recorded nor answered.
//
//	announced by SDP         always the far end, also after somebody else was learned
//	learned                  one address, once for each negotiation, within the window after it; NAT needs that
//	everybody else           foreign
//
// If it is known where the signalling comes from, only that host and the announced host can be learned. A negotiation
// opens the window again, but while the far end is still heard nobody displaces it.
type source struct {
	announced netip.AddrPort // where their SDP says they are; may be private, a name (invalid), or unspecified for hold
	host      netip.Addr     // where their signalling comes from; invalid if not known
	far       netip.AddrPort // whom we listen to and send to; invalid until known
	heard     time.Time      // when far was last heard
	until     time.Time      // end of the window
	locked    bool           // far was heard since the last negotiation
	pinned    bool           // ICE says who far is: nobody else is, announced or not, but by a path that ICE found, too
}

type verdict int

const (
	foreign   verdict = iota
	farEnd            // the one we listen to
	learnable         // would be taken if the packet proves to be RTP of ours
	proven            // of the far end by another path that ICE has found; it stays where it is until it says so
)

// live is how recently the far end must have been heard to keep another from taking its place.
const live = 200 * time.Millisecond

// announce takes a new negotiation in. Without change of the announced address the far end stays as it was learned.
func (s *source) announce(at netip.AddrPort, now time.Time, window time.Duration) {
	s.until, s.locked = now.Add(window), false
	if at.Addr().IsValid() && at.Addr().IsUnspecified() { // hold: they have not moved
		return
	}
	if at == s.announced {
		return
	}
	s.announced, s.far, s.heard = at, netip.AddrPort{}, time.Time{}
	if at.Addr().IsValid() {
		s.far = at
	}
}

// pin takes the word of ICE, and reports whether they are elsewhere than thought.
func (s *source) pin(far netip.AddrPort) (moved bool) {
	moved = s.far != far
	s.far, s.pinned = far, true
	return moved
}

// judge looks at where a packet comes from.
func (s *source) judge(from netip.AddrPort, now time.Time) verdict {
	switch {
	case from == s.far:
		return farEnd
	case s.pinned:
		return foreign
	case from == s.announced:
		return learnable
	case s.locked || now.After(s.until) || now.Sub(s.heard) < live:
		return foreign
	case s.host.IsValid() && from.Addr() != s.host && from.Addr() != s.announced.Addr():
		return foreign
	}
	return learnable
}

// hear notes a packet that was judged to be theirs, and reports whether they turned out to be elsewhere than thought.
func (s *source) hear(from netip.AddrPort, now time.Time) (moved bool) {
	if moved = from != s.far && !s.pinned; moved {
		s.far = from
	}
	s.heard, s.locked = now, true
	return moved
}

// String is for the chain of a session.
func (s *source) String() string {
	switch {
	case !s.far.IsValid():
		return "unknown"
	case s.locked:
		return s.far.String() + " (heard)"
	}
	return s.far.String() + " (announced)"
}
