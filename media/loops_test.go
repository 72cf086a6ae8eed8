package media

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// A conference whose members are served by different loops: run with the race detector, this shows that they meet in
// rings only.
func TestAConferenceAcrossLoops(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	first, second := NewNetLoop(), NewNetLoop()
	p, err := New(Options{Loop: first, Bind: loopback})
	if err != nil {
		t.Fatal(err)
	}
	c := p.Conference()
	type phone struct {
		conn *net.UDPConn
		to   netip.AddrPort
		got  chan byte
	}
	var phones []*phone
	for i := range 4 {
		p.loops = []Loop{[]Loop{first, second}[i%2]}
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		if err != nil {
			t.Fatal(err)
		}
		s := fuzzSession(t, p, "v=0\nc=IN IP4 127.0.0.1\nm=audio "+portOf(conn)+" RTP/AVP 0\n")
		if err := c.Add(s, Speaker, nil); err != nil {
			t.Fatal(err)
		}
		x := &phone{conn, s.port.Addr(), make(chan byte, 10_000)}
		phones = append(phones, x)
		go func() {
			defer close(x.got)
			b := make([]byte, 2000)
			for {
				n, err := conn.Read(b)
				if err != nil {
					return
				}
				if n == 172 && b[100] != 0xFF {
					x.got <- b[100]
				}
			}
		}()
	}
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(Frame)
		defer tick.Stop()
		packet := make([]byte, 172)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for i, x := range phones {
				putHeader(packet, false, 0, uint16(n), uint32(160*n), uint32(i+1))
				for at := range packet[12:] {
					packet[12+at] = byte(0x10 + 0x80*(at/8%2)) // loud, and about 500 Hz
				}
				_, _ = x.conn.WriteToUDPAddrPort(packet, x.to)
			}
		}
	}()
	for i, x := range phones {
		for range 20 {
			select {
			case <-x.got:
			case <-time.After(20 * time.Second):
				t.Fatalf("phone %d hears nobody", i)
			}
		}
	}
	c.Close()
	close(stop)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, l := range []Loop{first, second} {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, x := range phones {
		_ = x.conn.Close()
	}
}

func portOf(conn *net.UDPConn) string {
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}
