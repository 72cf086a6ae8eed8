package webrtc

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// waiting is how many packets of a handshake may wait to be read; what is more is dropped, and repeated by the far end.
const waiting = 32

// pipe is the net.PacketConn that a DTLS handshake reads and writes: packets are fed to it, and it sends by a function.
type pipe struct {
	in    chan []byte
	done  chan struct{}
	once  sync.Once
	local netip.AddrPort
	far   netip.AddrPort
	send  func(packet []byte) error

	mu    sync.Mutex
	timer *time.Timer
	late  chan struct{} // closed when the deadline has passed
}

func newPipe(local, far netip.AddrPort, send func([]byte) error) *pipe {
	return &pipe{
		in: make(chan []byte, waiting), done: make(chan struct{}), local: local, far: far, send: send,
		late: make(chan struct{}),
	}
}

// feed gives a copy of a packet to the reader. It never blocks.
func (p *pipe) feed(packet []byte) {
	select {
	case p.in <- append([]byte(nil), packet...):
	default:
	}
}

// ReadFrom implements net.PacketConn.
func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	late := p.late
	p.mu.Unlock()
	select {
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case packet := <-p.in:
		return copy(b, packet), net.UDPAddrFromAddrPort(p.far), nil
	case <-late:
		return 0, nil, os.ErrDeadlineExceeded
	case <-p.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn. Where it goes is known to send.
func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case <-p.done:
		return 0, net.ErrClosed
	default:
	}
	if err := p.send(b); err != nil {
		return len(b), nil //nolint:nilerr // lost on the way, as any packet may be: the handshake repeats it
	}
	return len(b), nil
}

// Close implements net.PacketConn.
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return p.SetReadDeadline(time.Time{})
}

// LocalAddr implements net.PacketConn.
func (p *pipe) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.local) }

// SetDeadline implements net.PacketConn.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	select {
	case <-p.late:
		p.late = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return nil
	}
	late := p.late
	wait := time.Until(t)
	if wait <= 0 {
		close(late)
		return nil
	}
	p.timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.late != late {
			return
		}
		select {
		case <-late:
		default:
			close(late)
		}
	})
	return nil
}

// SetWriteDeadline implements net.PacketConn: a write does not wait.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
