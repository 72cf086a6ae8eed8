package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// deafLoop is a Loop whose sockets nobody reads and whose packets go nowhere.
type deafLoop struct{}

type deafPort struct{ addr netip.AddrPort }

func (deafLoop) Open(conn net.PacketConn, _ Handler) (Port, error) {
	return deafPort{addrPort(conn.LocalAddr())}, conn.Close()
}
func (deafLoop) Add(Ticker)       {}
func (deafLoop) Remove(Ticker)    {}
func (deafLoop) Stats() LoopStats { return LoopStats{} }
func (deafLoop) Close() error     { return nil }

func (deafPort) Send([]byte, netip.AddrPort) error { return nil }
func (p deafPort) Addr() netip.AddrPort            { return p.addr }
func (deafPort) Close() error                      { return nil }

// deafConn has an address and nothing else.
type deafConn struct {
	net.PacketConn
	addr *net.UDPAddr
}

func (c deafConn) LocalAddr() net.Addr { return c.addr }
func (deafConn) Close() error          { return nil }

func fuzzSession(tb testing.TB, p *Plane, offer string) *Session {
	tb.Helper()
	s, err := p.Open(SessionOptions{Codecs: []string{"PCMU", "PCMA", "G722", "opus"}, HearTones: true})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err = s.Answer([]byte(offer)); err != nil {
		tb.Fatal(err)
	}
	return s
}

// FuzzReceive hands a series of packets to a session that is joined, recorded and listened to, and then to one in a
// conference: whatever comes, nothing panics, nothing grows, and what is sent is RTP of ours.
func FuzzReceive(f *testing.F) {
	rtp := func(payload byte, n int) []byte {
		return append([]byte{0x80, payload, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4}, make([]byte, n)...)
	}
	series := func(list ...[]byte) (out []byte) {
		for _, p := range list {
			out = append(binary.BigEndian.AppendUint16(out, uint16(len(p))), p...)
		}
		return out
	}
	f.Add(series(rtp(0, 160), rtp(8, 160), rtp(9, 160), rtp(101, 4), rtp(13, 1), rtp(111, 40)), byte(0))
	f.Add(series([]byte{0x80, 200, 0, 6, 1, 2, 3, 4}, []byte{0x81, 201, 0, 7}, rtp(0, 1480)), byte(1))
	f.Add(series([]byte{0xBF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, []byte{0, 1, 0, 0}, []byte{22, 254, 253}), byte(2))
	f.Fuzz(fuzzOne)
}

func fuzzOne(t *testing.T, data []byte, mode byte) {
	t.Helper()
	port := 30000
	p, err := New(Options{
		Loop: deafLoop{}, Bind: netip.MustParseAddr("192.0.2.1"), Listen: func(netip.AddrPort) (net.PacketConn, error) {
			port++
			return deafConn{addr: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	formats := []string{"0 101", "9 101", "111 101"}[mode%3]
	maps := "\na=rtpmap:9 G722/8000\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\n"
	a := fuzzSession(t, p, "v=0\nc=IN IP4 192.0.2.50\nm=audio 4000 RTP/AVP 0 8 9 13 111 101"+maps)
	b := fuzzSession(t, p, "v=0\nc=IN IP4 192.0.2.51\nm=audio 4000 RTP/AVP "+formats+maps)
	now := time.Now()
	if mode&64 != 0 {
		c := p.Conference()
		defer c.Close()
		for _, s := range []*Session{a, b} {
			if err := c.Add(s, Speaker, nil); err != nil {
				t.Fatal(err)
			}
		}
		defer c.Tick(now, 3, 0)
	} else if _, err := Join(a, b); err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.0.2.50:4000")
	buf := make([]byte, MaxPacket+Room)
	for n := 0; len(data) >= 2 && n < 64; n++ {
		size := min(int(binary.BigEndian.Uint16(data)), len(data)-2, MaxPacket)
		packet := buf[:copy(buf, data[2:2+size])]
		data = data[2+size:]
		now = now.Add(time.Duration(n%5) * 10 * time.Millisecond)
		if n%7 == 6 {
			sideHandler{a}.HandlePacket(packet, from, now)
		} else {
			a.HandlePacket(packet, from, now)
		}
		b.Tick(now, 1+n%3, n%2)
		a.Tick(now, 1, 0)
	}
	q := a.Close()
	if q.Received > 64 || q.MOS < 0 || q.MOS > 5 || q.Jitter < 0 {
		t.Errorf("%+v", q)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
