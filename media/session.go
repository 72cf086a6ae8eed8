package media

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/media/g711"
	"ullim/media/sdp"
)

// Source is prepared sound: 20 ms of payload each, ready to send, for a codec by its RTP encoding name. The frames are
// shared and never written to.
type Source interface {
	Frames(codec string) [][]byte
}

// Session is the media of one leg. Its methods return at once, are safe for concurrent use, and do nothing after Close.
type Session struct {
	plane *Plane
	o     SessionOptions
	id    random
	loop  Loop
	port  Port
	lent  uint16 // from the plane's range; 0: none

	mu      sync.Mutex // negotiation and death
	local   sdp.Local
	written string // the last description of ours, without its version
	ticking bool
	closed  bool
	quality contact.Quality

	link    *link                   // under the plane's lock
	reaches atomic.Pointer[Session] // who hears this session; the packet path's view of link

	rx receiver
	tx sender
}

var (
	_ Handler = (*Session)(nil)
	_ Ticker  = (*Session)(nil)
)

// kind is what a payload number means.
type kind uint8

const (
	kindNone kind = iota
	kindULaw
	kindALaw
	kindEvent
	kindNoise
)

// agreement is what was negotiated, made ready for the packet path. It is never changed.
type agreement struct {
	sdp.Session
	at      time.Time
	law     kind      // of what we send
	frame   int       // bytes in each packet that we send of our own
	kinds   [128]kind // of what comes in
	silence [frameSamples]byte
}

func newAgreement(n sdp.Session, now time.Time) *agreement {
	a := &agreement{Session: n, at: now, law: lawOf(n.Codec), frame: n.Ptime * samplesPerMs}
	a.kinds[comfortNoise] = kindNoise
	for _, p := range n.Receive {
		if a.kinds[p.Number] = lawOf(p.Codec); p.IsEvent() {
			a.kinds[p.Number] = kindEvent
		}
	}
	b := byte(g711.ULawSilence)
	if a.law == kindALaw {
		b = g711.ALawSilence
	}
	for i := range a.silence {
		a.silence[i] = b
	}
	return a
}

func lawOf(codec string) kind {
	switch codec {
	case sdp.PCMU:
		return kindULaw
	case sdp.PCMA:
		return kindALaw
	}
	return kindNone
}

// fits reports whether a payload of n bytes may be sent as it is.
func (a *agreement) fits(n int) bool {
	if a.Strict {
		return n == a.frame
	}
	return a.MaxPtime == 0 || n <= a.MaxPtime*samplesPerMs
}

// Offer is our offer. It may be asked for again at any time, for a re-INVITE.
func (s *Session) Offer() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version(func(l sdp.Local) []byte { return sdp.Offer(l) }), nil
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
	s.agree(n)
	return nil
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
	_, n, err := sdp.Answer(s.local, d)
	if err != nil {
		return nil, err
	}
	text := s.version(func(l sdp.Local) []byte {
		b, _, _ := sdp.Answer(l, d) // decided above
		return b
	})
	s.agree(n)
	return text, nil
}

// version writes a description of ours; its version goes up by one if it says something new (RFC 3264 §8).
func (s *Session) version(write func(sdp.Local) []byte) []byte {
	l := s.local
	l.Version = 0
	if bare := string(write(l)); bare != s.written {
		s.written = bare
		s.local.Version++
	}
	return write(s.local)
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
func (s *Session) agree(n sdp.Session) {
	if s.closed {
		return
	}
	s.local = s.local.After(n)
	a := newAgreement(n, s.plane.o.Now())
	s.rx.mu.Lock()
	s.rx.agree(a, s.plane.o.Learn)
	s.tx.mu.Lock()
	s.tx.agree(a, s.rx.source.far)
	s.tx.mu.Unlock()
	s.rx.mu.Unlock()
	if !s.ticking {
		s.ticking = true
		s.loop.Add(s)
	}
}

// SetSignallingSource tells where their signalling comes from now; it counts from the next negotiation on.
func (s *Session) SetSignallingSource(a netip.Addr) {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	s.rx.source.host = a.Unmap()
}

// Tick implements Ticker.
func (s *Session) Tick(now time.Time, owed, lost int) {
	if why := s.rx.tick(s.plane.o.Dead, now); why != "" {
		s.plane.o.Log.Warn("media is dead", "contact_id", s.o.ContactID, "peer", s.o.Peer, "why", why)
		if s.o.OnDead != nil {
			s.o.OnDead(why)
		}
	}
	s.sendDue(now, owed, lost)
}

// Close frees the port, and ends what is played and joined. The quality is final, and the same each time.
func (s *Session) Close() contact.Quality {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.quality
	}
	s.closed = true
	s.loop.Remove(s)
	s.plane.unlink(s)
	s.rx.mu.Lock()
	s.rx.closed, s.rx.tap = true, nil
	s.quality = contact.Quality{
		Received: s.rx.received, Lost: s.rx.sequence.lost(), Foreign: s.rx.foreign, MaxGap: s.rx.maxGap,
	}
	s.rx.mu.Unlock()
	s.tx.mu.Lock()
	s.tx.closed = true
	s.quality.Sent = s.tx.sent
	stopped := s.tx.stop()
	s.tx.mu.Unlock()
	stopped.finish(false)
	if err := s.port.Close(); err != nil {
		s.plane.o.Log.Warn("media port not closed", "contact_id", s.o.ContactID, "peer", s.o.Peer, "error", err)
	}
	s.plane.closedSession(s)
	return s.quality
}

func (p *Plane) closedSession(s *Session) {
	p.stats.lost.Add(s.quality.Lost)
	p.release(s.lent, p.o.Now())
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
		if s.tx.play != nil {
			what = "play"
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
