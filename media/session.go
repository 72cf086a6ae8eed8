package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/media/opus"
	"ullim/media/sdp"
)

// Source is prepared sound: 20 ms of payload each, ready to send, for a codec by its RTP encoding name. The frames are
// shared and never written to.
type Source interface {
	Frames(codec string) [][]byte
}

// Growing is a Source whose end is still being made while its beginning is played, as speech of a long text is: whoever has
// played all frames sends silence until there are more.
type Growing interface {
	Source
	// Growing reports whether there may be more frames than Frames gives now.
	Growing() bool
	// Abandon says that it is no longer played. It does not block.
	Abandon()
}

// Session is the media of one leg. Its methods return at once, are safe for concurrent use, and do nothing after Close.
type Session struct {
	plane *Plane
	o     SessionOptions
	id    random
	loop  Loop
	port  Port
	lent  uint16 // from the plane's range; 0: none

	mu         sync.Mutex // negotiation and death
	local      sdp.Local
	protection protection // nil: plain RTP only
	written    string     // the last description of ours, without its version
	ticking    bool
	closed     bool
	quality    contact.Quality
	spare      net.PacketConn // for RTCP, until it is known whether it needs a port of its own

	side Port          // of RTCP, if it has one; under the receiver's lock
	late atomic.Uint64 // packets of theirs that came too late to be decoded in time

	link       *link                           // under the plane's lock
	conference *Conference                     // under the plane's lock
	reaches    atomic.Pointer[Session]         // who hears this session; the packet path's view of link
	listeners  atomic.Pointer[[]*eavesdropper] // nil: none; never changed in place (listen.go)

	rx receiver
	tx sender
}

var (
	_ Handler = (*Session)(nil)
	_ Ticker  = (*Session)(nil)
)

// Offer is our offer. It may be asked for again at any time, for a re-INVITE.
func (s *Session) Offer() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.describe(nil); err != nil {
		return nil, err
	}
	return s.version(sdp.Offer(s.bare())), nil
}

// Accept applies an answer to our offer. A later answer to the same offer replaces an earlier one (200 after 183). On
// error (errs.Invalid) what was agreed before stays in force.
func (s *Session) Accept(answer []byte) error {
	d, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := sdp.Accept(s.local, d)
	if err != nil {
		return err
	}
	return s.agree(n)
}

// Answer negotiates their offer, first or later, and gives our answer. On error (errs.Invalid) what was agreed before
// stays in force.
func (s *Session) Answer(offer []byte) ([]byte, error) {
	d, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.describe(&d); err != nil {
		return nil, err
	}
	bare, n, err := sdp.Answer(s.bare(), d)
	if err != nil && len(s.local.Codecs) == 0 { // who offers no G.711 at all gets what costs more
		l := s.bare()
		l.Codecs = otherCodecs()
		var again error
		if bare, n, again = sdp.Answer(l, d); again == nil {
			s.local.Codecs, err = l.Codecs, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return s.version(bare), s.agree(n)
}

// otherCodecs are those that are taken, if nothing was said, from a far end without G.711.
func otherCodecs() []string {
	list := []string{sdp.PCMU, sdp.PCMA, sdp.G722}
	if opus.Available() {
		list = append(list, sdp.Opus)
	}
	return list
}

// Hold makes our next offer or answer say that we send and do not listen (held), or both (RFC 3264 §8.4). What comes in is
// not heard any more from the negotiation on, and not missed.
func (s *Session) Hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local.Direction = sdp.SendRecv
	if held {
		s.local.Direction = sdp.SendOnly
	}
}

// describe completes our side of the next description.
func (s *Session) describe(offer *sdp.Description) error {
	if s.protection == nil {
		return nil
	}
	return s.protection.Describe(&s.local, offer)
}

// bare is our side as if it had no version. The caller holds mu.
func (s *Session) bare() sdp.Local {
	l := s.local
	l.Version = 0
	return l
}

// version completes a description of ours that was written without its version, which goes up by one if it says something
// new (RFC 3264 §8). The caller holds mu.
func (s *Session) version(bare []byte) []byte {
	if string(bare) != s.written {
		s.written = string(bare)
		s.local.Version++
	}
	return sdp.WithVersion(bare, s.local)
}

// Codec is what we send, by its RTP encoding name; empty before anything is agreed.
func (s *Session) Codec() string {
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	if s.tx.agreement == nil {
		return ""
	}
	return s.tx.agreement.Codec
}

// agree puts a negotiation into force. The caller holds mu.
func (s *Session) agree(n sdp.Session) error {
	if s.closed {
		return nil
	}
	var guard shield
	if s.protection != nil {
		var err error
		if guard, err = s.protection.Agree(n); err != nil {
			return err
		}
	}
	if err := s.split(n.RTCPMux); err != nil {
		s.plane.o.Log.Warn("no port for RTCP", "contact_id", s.o.ContactID, "peer", s.o.Peer, "error", err)
	}
	s.local = s.local.After(n)
	a := newAgreement(n, s.plane.o.Now())
	s.rx.mu.Lock()
	s.rx.shield = guard
	s.rx.agree(a, s.plane.o.Learn, s.o.HearTones)
	s.tx.mu.Lock()
	s.tx.shield = guard
	s.tx.agree(a, s.rx.source.far)
	s.tx.mu.Unlock()
	s.rx.mu.Unlock()
	if !s.ticking {
		s.ticking = true
		s.loop.Add(s)
	}
	return nil
}

// SetSignallingSource tells where their signalling comes from now; it counts from the next negotiation on.
func (s *Session) SetSignallingSource(a netip.Addr) {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	s.rx.source.host = a.Unmap()
}

// Tick implements Ticker.
func (s *Session) Tick(now time.Time, owed, lost int) {
	t := s.rx.tick(s.plane.o.Dead, now)
	if t.why != "" {
		s.plane.o.Log.Warn("media is dead", "contact_id", s.o.ContactID, "peer", s.o.Peer, "why", t.why)
		if s.o.OnDead != nil {
			s.o.OnDead(t.why)
		}
	}
	if t.moved.IsValid() {
		s.tx.mu.Lock()
		s.tx.to = t.moved
		s.tx.mu.Unlock()
	}
	if t.key != 0 {
		s.passInfo(t.key, false)
	}
	s.sendDue(now, owed, lost)
	s.tellListeners(owed, now)
	if t.report {
		s.report(now, false)
	}
}

// Stats is the quality so far.
func (s *Session) Stats() contact.Quality {
	s.mu.Lock()
	closed, final := s.closed, s.quality
	s.mu.Unlock()
	if closed {
		return final
	}
	return s.measure()
}

// measure is the quality so far.
func (s *Session) measure() contact.Quality {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	r := &s.rx
	q := contact.Quality{
		Received: r.received, Lost: r.sequence.lost(), Late: s.late.Load(), Foreign: r.foreign, MaxGap: r.maxGap,
	}
	if r.shield != nil {
		q.Encryption, q.Refused = r.shield.String(), r.shield.Refused()
	}
	r.report.quality(&q)
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	q.Sent = s.tx.sent
	if s.tx.agreement != nil {
		q.Codec = s.tx.agreement.law.name()
	}
	return q
}

// Close frees the ports, and ends what is played and joined. The quality is final, and the same each time.
func (s *Session) Close() contact.Quality {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.quality
	}
	s.closed = true
	s.deafen()
	s.loop.Remove(s)
	s.plane.unlink(s)
	s.report(s.plane.o.Now(), true)
	s.quality = s.measure()
	s.rx.mu.Lock()
	s.rx.closed, s.rx.tap = true, nil
	s.rx.mu.Unlock()
	s.tx.mu.Lock()
	s.tx.closed = true
	s.quality.Sent = s.tx.sent
	stopped, keys := s.tx.stop(), s.tx.keys.stop()
	s.tx.mu.Unlock()
	stopped.finish(false)
	tell(keys)
	if err := errors.Join(s.port.Close(), s.closeSide()); err != nil {
		s.plane.o.Log.Warn("media port not closed", "contact_id", s.o.ContactID, "peer", s.o.Peer, "error", err)
	}
	if s.protection != nil {
		s.protection.Close()
	}
	s.plane.closedSession(s)
	return s.quality
}

func (p *Plane) closedSession(s *Session) {
	c := &p.stats
	c.lost.Add(s.quality.Lost)
	c.late.Add(s.quality.Late)
	if p.o.OnClosed != nil {
		p.o.OnClosed(s.quality)
	}
	s.rx.mu.Lock()
	ssrc := s.rx.sequence.ssrc
	s.rx.mu.Unlock()
	p.release(s.lent, ssrc, p.o.Now())
}

// String is the whole chain a packet goes through, for logs.
func (s *Session) String() string {
	s.plane.mu.Lock()
	var other *Session
	if s.link != nil {
		other = s.link.other(s)
	}
	s.plane.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", s.o.Peer, s.port.Addr())
	s.rx.mu.Lock()
	fmt.Fprintf(&b, " <- %s", s.rx.source.String())
	if s.rx.tap != nil {
		b.WriteString(" -> record")
	}
	s.rx.mu.Unlock()
	if other != nil {
		fmt.Fprintf(&b, " -> %s %s", other.o.Peer, other.port.Addr())
	}
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	switch {
	case s.tx.closed:
		b.WriteString("; closed")
	case s.tx.agreement == nil:
		b.WriteString("; nothing agreed")
	default:
		a := s.tx.agreement
		what := "silence"
		if s.tx.keys.active() {
			what = "keys"
		} else if s.tx.play != nil {
			what = "play"
		} else if s.tx.seat != nil {
			what = "conference"
		} else if s.tx.peer != nil {
			what = "joined"
		}
		fmt.Fprintf(&b, "; %s -> %s/%dms -> %s", what, a.Codec, a.Ptime, s.tx.to)
		if !a.Send {
			b.WriteString(" (held)")
		}
	}
	return b.String()
}
