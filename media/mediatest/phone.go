package mediatest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Heard is a packet that a Phone received.
type Heard struct {
	At       time.Time
	From     netip.AddrPort
	Marker   bool
	Payload  uint8
	Sequence uint16
	Stamp    uint32
	SSRC     uint32
	Data     []byte
}

// Phone is a far end: it notes every RTP packet that it receives, and sends what it is told to. It is no phone in the
// sense of SIP; a test writes its descriptions with SDP.
type Phone struct {
	// Sequence, Stamp and SSRC are those of the next packet.
	Sequence uint16
	Stamp    uint32
	SSRC     uint32

	conn net.PacketConn
	done chan struct{}

	mu      sync.Mutex
	heard   []Heard
	reports [][]byte
}

// NewPhone listens on a conn until Close.
func NewPhone(conn net.PacketConn) *Phone {
	p := &Phone{conn: conn, done: make(chan struct{}), Sequence: 100, Stamp: 5000, SSRC: 0xF0}
	go p.listen()
	return p
}

func (p *Phone) listen() {
	defer close(p.done)
	buf := make([]byte, 2000)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		source, _ := netip.ParseAddrPort(from.String())
		if buf[1] >= 192 && buf[1] <= 223 { // RFC 5761 §4
			p.mu.Lock()
			p.reports = append(p.reports, append([]byte(nil), buf[:n]...))
			p.mu.Unlock()
			continue
		}
		h := Heard{
			At: time.Now(), From: source, Marker: buf[1]&0x80 != 0, Payload: buf[1] & 0x7F,
			Sequence: binary.BigEndian.Uint16(buf[2:]), Stamp: binary.BigEndian.Uint32(buf[4:]),
			SSRC: binary.BigEndian.Uint32(buf[8:]), Data: append([]byte(nil), buf[12:n]...),
		}
		p.mu.Lock()
		p.heard = append(p.heard, h)
		p.mu.Unlock()
	}
}

// Addr is where the phone listens.
func (p *Phone) Addr() netip.AddrPort {
	a, _ := netip.ParseAddrPort(p.conn.LocalAddr().String())
	return a
}

// Heard is everything since the last call of Forget.
func (p *Phone) Heard() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Heard(nil), p.heard...)
}

// Reports are the RTCP packets that came to the same port.
func (p *Phone) Reports() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]byte(nil), p.reports...)
}

// Forget forgets what was heard.
func (p *Phone) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
}

// Send sends one packet of audio, and counts its numbers on.
func (p *Phone) Send(to netip.AddrPort, payload uint8, data []byte) {
	p.SendEvent(to, payload, p.Stamp, data)
	p.Stamp += uint32(len(data))
}

// SendEvent sends a packet under a timestamp of its own.
func (p *Phone) SendEvent(to netip.AddrPort, payload uint8, stamp uint32, data []byte) {
	b := []byte{0x80, payload}
	b = binary.BigEndian.AppendUint16(b, p.Sequence)
	b = binary.BigEndian.AppendUint32(b, stamp)
	b = binary.BigEndian.AppendUint32(b, p.SSRC)
	p.Sequence++
	p.SendRaw(to, append(b, data...))
}

// SendRaw sends any bytes.
func (p *Phone) SendRaw(to netip.AddrPort, b []byte) {
	_, _ = p.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// Press sends a key as RFC 4733 asks: a packet every 20 ms, then the end three times.
func (p *Phone) Press(to netip.AddrPort, payload, event uint8, packets int) {
	stamp := p.Stamp
	for i := range packets {
		p.SendEvent(to, payload, stamp, []byte{event, 10, byte(160 * (i + 1) >> 8), byte(160 * (i + 1))})
		time.Sleep(20 * time.Millisecond)
	}
	for range 3 {
		p.SendEvent(to, payload, stamp, []byte{event, 0x80 | 10, byte(160 * packets >> 8), byte(160 * packets)})
	}
	p.Stamp += uint32(160 * packets)
}

// SDP is a description of the phone: an m-line with the given formats, and more lines, each ended by "\r\n".
func (p *Phone) SDP(formats, more string) []byte {
	a := p.Addr()
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\n%s",
		a.Addr(), a.Addr(), a.Port(), formats, more)
}

// Close stops listening.
func (p *Phone) Close() {
	_ = p.conn.Close()
	<-p.done
}
