package media

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/media/record"
	"ullim/media/sdp"
)

// Options are what a Plane needs. Only Bind, or Advertise where Bind is unspecified, must be set.
type Options struct {
	Loop      Loop                                              // nil: loops of the plane's own, the best of the system
	Listen    func(addr netip.AddrPort) (net.PacketConn, error) // nil: UDP
	Bind      netip.Addr                                        // where sockets are bound
	Advertise netip.Addr                                        // what SDP says; zero: Bind
	PortMin   uint16                                            // the even ports from PortMin to PortMax are used;
	PortMax   uint16                                            // both 0: the kernel chooses
	SpoolDir  string                                            // where recordings are written; empty: none are made
	Dead      DeadPolicy                                        // zero fields: the defaults
	Learn     time.Duration                                     // how long after each negotiation a far end behind NAT is learned; 0: 3 s
	Log       *slog.Logger                                      // nil: silent
	Now       func() time.Time                                  // nil: time.Now

	OnClosed        func(contact.Quality)                  // the quality of each session, when it has ended; must not block
	CreateRecording func(path string) (record.File, error) // nil: os
}

// Stats are counters since the start, and two gauges.
type Stats struct {
	Sessions   int // now
	PortsInUse int // now

	PacketsIn, PacketsOut uint64
	Foreign               uint64 // from a stranger
	Dropped               uint64 // not RTP, unknown payload number, duplicate, before anything was agreed
	SendErrors            uint64
	Lost                  uint64 // never came; counted when a session ends
	Loops                 []LoopStats
	Recordings            int // now
	RecordingsFailed      uint64
	RecordDropped         uint64 // packets missing in recordings because the disk was slow
	Late                  uint64 // too late to be decoded in time; counted when a session ends
	Refused               uint64 // SRTP that did not authenticate or was replayed
	ReportsOut            uint64 // RTCP
	Conferences           int    // now
}

// counters are Stats as they are counted.
type counters struct {
	packetsIn, packetsOut, foreign, dropped, sendErrors, lost, recordingsFailed, recordDropped atomic.Uint64
	late, refused, reportsOut                                                                  atomic.Uint64
	recordings, conferences                                                                    atomic.Int64
}

// Plane makes sessions, and joins and records them.
type Plane struct {
	o     Options
	ports *portRange // nil: the kernel chooses
	stats counters
	loops []Loop
	own   bool // the loops are closed with the plane

	writer *record.Writer

	mu       sync.Mutex // sessions, and the links between them
	sessions map[*Session]struct{}
	closed   bool

	certificate certificate // of DTLS
}

// New makes a Plane. It opens nothing yet.
func New(o Options) (*Plane, error) {
	p := &Plane{sessions: map[*Session]struct{}{}, writer: record.NewWriter()}
	if !o.Advertise.IsValid() {
		o.Advertise = o.Bind
	}
	o.Bind, o.Advertise = o.Bind.Unmap(), o.Advertise.Unmap()
	if !o.Bind.IsValid() {
		return nil, errs.Field("media.bind", "must be an address")
	}
	if o.Advertise.IsUnspecified() {
		return nil, errs.Field("media.advertise", "must be set, because media.bind is %s and that cannot be called", o.Bind)
	}
	var err error
	if p.ports, err = newPortRange(o.PortMin, o.PortMax); err != nil {
		return nil, err
	}
	if o.SpoolDir != "" {
		if err = os.MkdirAll(o.SpoolDir, 0o750); err != nil {
			return nil, errs.Wrap(err, errs.Unavailable, "the spool folder cannot be made")
		}
	}
	if p.loops = []Loop{o.Loop}; o.Loop == nil {
		if p.loops, err = loopsFor(o.Listen); err != nil {
			return nil, errs.Wrap(err, errs.Unavailable, "no media loop")
		}
		p.own = true
	}
	if o.Listen == nil {
		o.Listen = listenerFor(p.loops)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Learn == 0 {
		o.Learn = 3 * time.Second
	}
	o.Dead = o.Dead.withDefaults()
	p.o = o
	return p, nil
}

// SessionOptions are what a call wants of a new Session. The callbacks come from the media loop and must not block.
type SessionOptions struct {
	ContactID        string
	Peer             string           // "customer" or "agent", for logs
	Codecs           []string         // "PCMU", "PCMA", "G722", "opus" in order of preference; empty: G.711, as the other side prefers
	OnDigit          func(digit byte) // once for each key pressed
	OnDead           func(why string) // at most once: the media that had been agreed never came, or stopped
	HearTones        bool             // keys are looked for in the sound although RFC 4733 was agreed
	Tones            bool             // keys are sent as tones although RFC 4733 was agreed
	Encryption       string           // a policy of sdp: empty, optional, sdes, dtls or webrtc
	Noise            bool             // pauses may come as comfort noise (RFC 3389), and go so to another leg that takes it
	SignallingSource netip.Addr       // where their SIP comes from, if known: who may be learned behind NAT
	Near             *Session         // served by the same loop as this one; nil: by the least busy
}

// loopsFor are loops of our own: the portable one where the sockets are not the system's.
func loopsFor(listen func(netip.AddrPort) (net.PacketConn, error)) ([]Loop, error) {
	if listen != nil {
		return []Loop{NewNetLoop()}, nil
	}
	return newLoops()
}

// loopFor is the loop for a new session: both legs of a call on the same one, so that a packet is handled in one pass
// and nobody waits for a lock.
func (p *Plane) loopFor(near *Session) Loop {
	if near != nil && near.plane == p {
		return near.loop
	}
	if len(p.loops) == 1 {
		return p.loops[0]
	}
	stats := make([]LoopStats, len(p.loops))
	for i, l := range p.loops {
		stats[i] = l.Stats()
	}
	return p.loops[choose(stats)]
}

// Open binds a port. errs.Unavailable: none is free, the address cannot be bound, or the plane is closed.
func (p *Plane) Open(o SessionOptions) (*Session, error) {
	for _, c := range o.Codecs {
		if !kindOf(c).audio() {
			return nil, errs.Field("Codecs", "must be PCMU, PCMA, G722 or opus, got %q", c)
		}
	}
	now := p.o.Now()
	conn, spare, port, err := p.bind(now)
	if err != nil {
		return nil, err
	}
	s := &Session{plane: p, o: o, lent: port, id: identity(), spare: spare}
	s.rx.stale = p.ports.stale(port)
	s.rx.report.ssrc, s.rx.report.cname = s.id.ssrc, cnameOf(s.id)
	s.rx.source.host = o.SignallingSource.Unmap()
	s.tx.ssrc, s.tx.sequence, s.tx.stamp, s.tx.marker = s.id.ssrc, s.id.sequence, s.id.stamp, true
	s.local = sdp.Local{
		ID: s.id.session, Addr: p.o.Advertise, Port: localOf(conn).Port(), Codecs: o.Codecs, Noise: o.Noise,
	}
	if port != 0 {
		s.local.Port = port
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.Join(errs.New(errs.Unavailable, "the media plane is closed"), conn.Close(), s.abandon(now))
	}
	s.loop = p.loopFor(o.Near)
	if s.port, err = s.loop.Open(conn, s); err != nil {
		return nil, errs.Wrap(errors.Join(err, s.abandon(now)), errs.Unavailable, "the media port cannot be read")
	}
	if s.protection, err = p.protect(o, s.port); err != nil {
		return nil, errors.Join(err, s.port.Close(), s.abandon(now))
	}
	p.sessions[s] = struct{}{}
	return s, nil
}

// abandon frees what a session that did not come to be held beside its socket.
func (s *Session) abandon(now time.Time) error {
	s.plane.release(s.lent, 0, now)
	if s.spare == nil {
		return nil
	}
	return s.spare.Close()
}

// bind opens a socket on the next free port and one for RTCP on the port behind it (RFC 3605), or on ports that the kernel
// chooses; then port is 0, and spare may be nil.
func (p *Plane) bind(now time.Time) (conn, spare net.PacketConn, port uint16, err error) {
	open := func(port uint16) error {
		conn, spare, err = p.bindPair(port)
		return err
	}
	if p.ports != nil {
		port, err = p.ports.bind(now, open)
		return conn, spare, port, err
	}
	for range tries {
		if err = open(0); !errors.Is(err, syscall.EADDRINUSE) {
			return conn, spare, 0, errs.Wrap(err, errs.Unavailable, "no media port")
		}
	}
	conn, err = p.o.Listen(netip.AddrPortFrom(p.o.Bind, 0)) // a far end that does not multiplex gets no RTCP
	return conn, nil, 0, errs.Wrap(err, errs.Unavailable, "no media port")
}

// tries is how often the kernel is asked for a port whose neighbour is free, too.
const tries = 8

// bindPair opens a port and the one behind it, or neither (M4).
func (p *Plane) bindPair(port uint16) (conn, spare net.PacketConn, err error) {
	if conn, err = p.o.Listen(netip.AddrPortFrom(p.o.Bind, port)); err != nil {
		return nil, nil, err
	}
	if port == 0 {
		port = localOf(conn).Port()
	}
	if port == 1<<16-1 {
		err = &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
	} else {
		spare, err = p.o.Listen(netip.AddrPortFrom(p.o.Bind, port+1))
	}
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, spare, nil
}

func (p *Plane) release(port uint16, ssrc uint32, now time.Time) {
	if p.ports != nil {
		p.ports.release(port, ssrc, now)
	}
}

// random is what identifies a stream and must not be guessed (RFC 3550 §5.1, §8).
type random struct {
	session  uint64
	ssrc     uint32
	stamp    uint32
	sequence uint16
}

func identity() random {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails
	return random{
		session:  binary.BigEndian.Uint64(b[:]) >> 2, // fits a signed number: some parse it as one
		ssrc:     binary.BigEndian.Uint32(b[8:]),
		stamp:    binary.BigEndian.Uint32(b[12:]),
		sequence: binary.BigEndian.Uint16(b[16:]) >> 1, // no wrap in the first minutes: kind to simple receivers
	}
}

// Stats counts.
func (p *Plane) Stats() Stats {
	c := &p.stats
	p.mu.Lock()
	sessions := len(p.sessions)
	p.mu.Unlock()
	loops := make([]LoopStats, len(p.loops))
	for i, l := range p.loops {
		loops[i] = l.Stats()
	}
	used := sessions
	if p.ports != nil {
		used = p.ports.inUse()
	}
	return Stats{
		Sessions: sessions, PortsInUse: used,
		PacketsIn: c.packetsIn.Load(), PacketsOut: c.packetsOut.Load(), Foreign: c.foreign.Load(),
		Dropped: c.dropped.Load(), SendErrors: c.sendErrors.Load(), Lost: c.lost.Load(), Loops: loops,
		Recordings: int(c.recordings.Load()), RecordingsFailed: c.recordingsFailed.Load(), RecordDropped: c.recordDropped.Load(),
		Late: c.late.Load(), Refused: c.refused.Load(), ReportsOut: c.reportsOut.Load(), Conferences: int(c.conferences.Load()),
	}
}

// Close closes all sessions. Recordings are their callers' to stop.
func (p *Plane) Close() error {
	p.mu.Lock()
	p.closed = true
	sessions := make([]*Session, 0, len(p.sessions))
	for s := range p.sessions {
		sessions = append(sessions, s)
	}
	p.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
	p.writer.Close()
	if !p.own {
		return nil
	}
	var err error
	for _, l := range p.loops {
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	return nil
}
