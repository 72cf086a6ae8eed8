package siptest

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// media is the audio of one call: one socket, a goroutine that receives, and from the answer on one that sends.
type media struct {
	conn  net.PacketConn
	write func(b []byte, to netip.AddrPort) error
	read  func(b []byte) (int, netip.AddrPort, error)
	local netip.AddrPort
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	remote  netip.AddrPort
	codecs  []codec // payload types that may come
	sending codec   // decode is nil until it is agreed
	events  uint8
	hasEv   bool
	quiet   bool // held, or told not to send
	stopAt  time.Time
	digits  []digit
	sent    uint64
	sentAll uint64 // packets of any kind, events included
	ear     ear
}

// listener opens a socket; see PhoneOptions.Listen.
type listener func(addr string) (net.PacketConn, error)

func listenUDP(addr string) (net.PacketConn, error) {
	var lc net.ListenConfig
	return lc.ListenPacket(context.Background(), "udp", addr)
}

func addrPortOf(a net.Addr) (netip.AddrPort, error) {
	u, ok := a.(*net.UDPAddr)
	if !ok || u == nil {
		return netip.AddrPort{}, errors.New("siptest: no UDP address")
	}
	return unmap(u.AddrPort()), nil
}

func openMedia(listen listener, host string, keep time.Duration) (*media, error) {
	conn, err := listen(net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	local, err := addrPortOf(conn.LocalAddr())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	m := &media{conn: conn, local: local, done: make(chan struct{})}
	m.ear.limit = count(keep)
	m.write, m.read = packetIO(conn)
	return m, nil
}

// packetIO uses the methods without allocation where the connection has them.
func packetIO(conn net.PacketConn) (
	write func([]byte, netip.AddrPort) error, read func([]byte) (int, netip.AddrPort, error),
) {
	type addrPorter interface {
		ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
		WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	}
	if c, ok := conn.(addrPorter); ok {
		return func(b []byte, to netip.AddrPort) error {
			_, err := c.WriteToUDPAddrPort(b, to)
			return err
		}, c.ReadFromUDPAddrPort
	}
	return func(b []byte, to netip.AddrPort) error {
			_, err := conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
			return err
		}, func(b []byte) (int, netip.AddrPort, error) {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return 0, netip.AddrPort{}, err
			}
			ap, err := addrPortOf(from)
			return n, ap, err
		}
}

// agree sets what was negotiated: ours is what we may receive, theirs where and what we send.
func (m *media) agree(ours, theirs session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remote = theirs.addr
	m.codecs = ours.codecs
	m.events, m.hasEv = theirs.events, theirs.hasEvents && ours.hasEvents
	m.quiet = !sends(ours.direction) || !receives(theirs.direction)
	m.sending = codec{}
	for _, c := range theirs.codecs {
		for _, o := range ours.codecs {
			if c.name == o.name {
				m.sending = c
				return
			}
		}
	}
}

// answered starts the timeline of what is heard.
func (m *media) answered(now time.Time, stopAfter time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ear.origin = now
	if stopAfter > 0 {
		m.stopAt = now.Add(stopAfter)
	}
}

func (m *media) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	close(m.done)
	m.ear.release()
	_ = m.conn.Close() // it is ours alone: nothing can go wrong that matters now
}

// receive reads until the socket is closed.
func (m *media) receive() {
	b := make([]byte, 2048)
	var packet rtp.Packet
	for failures := 0; failures < 100; {
		n, from, err := m.read(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			failures++
			continue
		}
		failures = 0
		if n >= 2 && b[1] >= 192 && b[1] <= 223 { // RTCP, RFC 5761 §4
			continue
		}
		if packet.Unmarshal(b[:n]) != nil {
			continue
		}
		m.mu.Lock()
		m.hear(&packet, unmap(from), time.Now())
		m.mu.Unlock()
	}
}

func (m *media) hear(packet *rtp.Packet, from netip.AddrPort, now time.Time) {
	if m.closed || m.ear.origin.IsZero() { // early media is not heard
		return
	}
	if from != m.remote {
		m.ear.stats.Strangers++
	}
	if m.hasEv && packet.PayloadType == m.events {
		m.ear.event(packet)
		return
	}
	for _, c := range m.codecs {
		if c.payload == packet.PayloadType {
			m.ear.audio(packet, c.decode, now)
			return
		}
	}
	m.ear.stats.WrongPayload++
}

// talk sends a frame every 20 ms until the call ends.
func (m *media) talk(voice Source, start time.Time) {
	s := &speaker{
		m: m, voice: voice, ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), base: rand.Uint32(),
		b: make([]byte, 12+frameSamples), mark: true,
	}
	timer := time.NewTimer(frameTime)
	defer timer.Stop()
	for tick := 0; ; {
		due := int(time.Since(start)/frameTime) + 1
		if due-tick > 3 { // the machine was busy: what is too late is lost, never bunched
			tick = due - 1
		}
		for ; tick < due; tick++ {
			s.frame(tick)
		}
		wait := time.Until(start.Add(time.Duration(tick) * frameTime))
		if wait <= 0 { // a timer's channel that is due already upsets the race detector in a synctest bubble
			continue
		}
		timer.Reset(wait)
		select {
		case <-m.done:
			return
		case <-timer.C:
		}
	}
}

// speaker makes the packets of one stream. Only its goroutine touches it.
type speaker struct {
	m     *media
	voice Source
	coded []byte // one round of voice in the codec of law
	law   string
	ssrc  uint32
	seq   uint16
	base  uint32
	mark  bool
	b     []byte
}

func (s *speaker) frame(tick int) {
	m := s.m
	m.mu.Lock()
	law, to := m.sending, m.remote
	stopped := !m.stopAt.IsZero() && !time.Now().Before(m.stopAt)
	if m.closed || law.encode == nil || m.quiet || stopped || !to.IsValid() {
		m.mu.Unlock()
		s.mark = true
		return
	}
	event, ok := m.nextEvent(s.base + uint32(tick*frameSamples))
	payload := m.events
	if !ok {
		m.sent++
	}
	m.sentAll++
	m.mu.Unlock()
	if ok {
		s.header(payload, event.marker, event.ts)
		s.b[12], s.b[13] = event.code, event.flags
		binary.BigEndian.PutUint16(s.b[14:], event.duration)
		if !event.lost {
			_ = m.write(s.b[:16], to) // an unreachable peer is no error of the phone
		}
		s.seq++
		return
	}
	if s.law != law.name {
		s.law, s.coded = law.name, s.voice.encode(law.name)
	}
	s.header(law.payload, s.mark, s.base+uint32(tick*frameSamples))
	s.mark = false
	at := tick * frameSamples % len(s.coded)
	for out := s.b[12 : 12+frameSamples]; len(out) > 0; at = 0 {
		out = out[copy(out, s.coded[at:]):]
	}
	_ = m.write(s.b[:12+frameSamples], to)
	s.seq++
}

// RFC 3550 §5.1
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	|                           timestamp                           |
//	|                             SSRC                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func (s *speaker) header(payload uint8, marker bool, ts uint32) {
	s.b[0], s.b[1] = 0x80, payload&0x7f
	if marker {
		s.b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(s.b[2:], s.seq)
	binary.BigEndian.PutUint32(s.b[4:], ts)
	binary.BigEndian.PutUint32(s.b[8:], s.ssrc)
}
