package media

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"time"

	"ullim/internal/contact"
	"ullim/media/rtcp"
)

// reporting is what RTCP says and is told (RFC 3550 §6), and what is known of the quality of the leg. It is under the lock
// of the receiver.
type reporting struct {
	reception rtcp.Reception
	ssrc      uint32 // ours: only what is said about us is kept
	kind      kind   // of what was heard last
	cname     string // RFC 7022 §4.2: random, and the same for the whole leg
	due       time.Time
	begun     bool           // a report was sent
	to        netip.AddrPort // where their RTCP comes from, if not multiplexed; invalid: not heard yet

	maxJitter    time.Duration
	remoteLost   uint64
	remoteJitter time.Duration
	trips        int
	tripSum      time.Duration

	theirs, ours rtcp.Report
	buf          [256 + Room]byte
}

// hear counts a packet of sound.
func (r *reporting) hear(t *taken, now time.Time) {
	r.kind = t.kind
	r.reception.Add(t.ssrc, t.sequence, t.stamp, t.clock, now)
}

// take reads what they report.
func (r *reporting) take(p []byte, now time.Time) {
	theirs := &r.theirs
	if !rtcp.Parse(p, r.ssrc, theirs) {
		return
	}
	if theirs.Sender {
		r.reception.SenderReport(theirs.NTP, now)
	}
	if !theirs.HasBlock {
		return
	}
	b := &theirs.Block
	r.remoteLost = uint64(max(b.Lost, 0))
	if r.kind != kindNone {
		r.remoteJitter = time.Duration(b.Jitter) * time.Second / time.Duration(r.kind.clock())
	}
	if trip, ok := rtcp.RoundTrip(b, now); ok {
		r.trips++
		r.tripSum += trip
	}
}

// fill makes the next report of ours, but for what the sender knows.
func (r *reporting) fill(now time.Time) {
	r.ours = rtcp.Report{SSRC: r.ssrc, CNAME: r.cname, NTP: rtcp.NTP(now)}
	if r.ours.Block, r.ours.HasBlock = r.reception.Block(now); r.ours.HasBlock && r.kind != kindNone {
		r.maxJitter = max(r.maxJitter, time.Duration(r.ours.Block.Jitter)*time.Second/time.Duration(r.kind.clock()))
	}
	r.due = now.Add(rtcp.Interval(!r.begun, rand.Float64()))
	r.begun = true
}

// quality fills in what RTCP and the packets tell.
func (r *reporting) quality(q *contact.Quality) {
	expected, _, jitter := r.reception.Totals()
	q.Jitter, q.MaxJitter = jitter, max(r.maxJitter, jitter)
	q.RemoteLost, q.RemoteJitter = r.remoteLost, r.remoteJitter
	if r.trips > 0 {
		q.RoundTrip = r.tripSum / time.Duration(r.trips)
	}
	if expected < enoughToSay {
		return
	}
	loss := float64(q.Lost+q.Late) / float64(expected)
	q.MOS = rtcp.Quality{
		Codec: r.kind.ear(), Loss: min(loss, 1), Delay: q.RoundTrip / 2, Jitter: jitter,
	}.MOS()
}

// enoughToSay is how many packets must have been expected before their quality is judged: a second of them.
const enoughToSay = 50

// report sends a report of ours when it is due; bye: at once, and that it is the last (RFC 3550 §6.3.7).
func (s *Session) report(now time.Time, bye bool) {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	r := &s.rx.report
	if s.rx.agreement == nil || !bye && now.Before(r.due) {
		return
	}
	if r.due.IsZero() && !bye {
		r.due = now.Add(rtcp.Interval(true, rand.Float64()))
		return
	}
	r.fill(now)
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	t := &s.tx
	r.ours.Bye, r.ours.Sender = bye, t.sent > 0
	r.ours.Stamp = t.stamp + t.elapsed(now) // the time that NTP says, on the clock of the stream
	r.ours.Packets, r.ours.Octets = uint32(t.sent), uint32(t.octets)
	n := rtcp.Build(r.buf[:len(r.buf)-Room], &r.ours)
	packet := r.buf[:n]
	if n == 0 || !t.to.IsValid() || t.to.Addr().IsUnspecified() || t.to.Port() == 0 {
		return
	}
	if t.shield != nil {
		var ok bool
		if packet, ok = t.shield.Seal(packet); !ok {
			return
		}
	}
	port, to := s.port, t.to
	if s.side != nil { // RFC 3605: the next port, until theirs is heard from another
		port, to = s.side, netip.AddrPortFrom(to.Addr(), to.Port()+1)
		switch {
		case r.to.IsValid():
			to = r.to
		case s.rx.agreement.RTCP.IsValid() && s.rx.agreement.RTCP != t.to:
			to = s.rx.agreement.RTCP
		}
	}
	if err := port.Send(packet, to); err == nil {
		s.plane.stats.reportsOut.Add(1)
	}
}

// sideHandler hears RTCP on the port beside that of RTP, from a far end that does not multiplex.
type sideHandler struct{ s *Session }

var _ Handler = sideHandler{}

// HandlePacket implements Handler.
func (h sideHandler) HandlePacket(p []byte, from netip.AddrPort, now time.Time) {
	r, c := &h.s.rx, &h.s.plane.stats
	c.packetsIn.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.agreement == nil || from.Addr() != r.source.far.Addr() {
		r.foreign++
		c.foreign.Add(1)
		return
	}
	if r.shield != nil {
		var ok bool
		if p, ok = r.shield.Open(p); !ok {
			c.refused.Add(1)
			return
		}
	}
	if !isRTCP(p) {
		c.dropped.Add(1)
		return
	}
	r.heard, r.report.to = now, from
	r.report.take(p, now)
}

// split decides whether RTCP has a port of its own: it was bound with the session, in case the far end does not multiplex
// (RFC 5761 §5.1.1). The caller holds mu.
func (s *Session) split(mux bool) error {
	switch {
	case s.spare == nil:
		return nil
	case mux:
		err := s.spare.Close()
		s.spare = nil
		return err
	}
	conn := s.spare
	s.spare = nil
	var err error
	s.side, err = s.loop.Open(conn, sideHandler{s})
	return err
}

// closeSide frees the port of RTCP, whichever way it is held. The caller holds mu.
func (s *Session) closeSide() (err error) {
	if s.spare != nil {
		err = s.spare.Close()
	}
	s.rx.mu.Lock()
	side := s.side
	s.side = nil
	s.rx.mu.Unlock()
	if side != nil {
		err = side.Close()
	}
	s.spare = nil
	return err
}

// cnameOf is a name without meaning.
func cnameOf(id random) string {
	b := [8]byte{}
	for i := range b {
		b[i] = byte(id.session >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}
