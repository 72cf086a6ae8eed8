// Package mediatest helps to test what carries sound: a network in memory, a far end that counts what it hears, and the
// behaviour that every media.Loop must show.
//
// Nothing here touches the real network, and all of it runs in virtual time (testing/synctest).
package mediatest

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Net is a network in memory. Its conns are net.PacketConn with UDP addresses. Delivery takes Delay, or what Fate says.
type Net struct {
	// Delay is how long every packet takes.
	Delay time.Duration
	// Fate, if set, decides for each packet how often it arrives and how much later than Delay; none: it is lost.
	Fate func(packet []byte, from, to netip.AddrPort) []time.Duration

	mu    sync.Mutex
	conns map[netip.AddrPort]*conn
	next  uint16
}

// Listen binds an address; port 0 is any free one. An address in use gives syscall.EADDRINUSE.
func (n *Net) Listen(addr netip.AddrPort) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns, n.next = map[netip.AddrPort]*conn{}, 20000
	}
	for addr.Port() == 0 {
		n.next++
		if try := netip.AddrPortFrom(addr.Addr(), n.next); n.conns[try] == nil {
			addr = try
		}
	}
	if n.conns[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	c := &conn{net: n, addr: addr, queue: make(chan packet, 256), done: make(chan struct{})}
	n.conns[addr] = c
	return c, nil
}

// InUse is the number of open conns.
func (n *Net) InUse() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

func (n *Net) deliver(p packet, to netip.AddrPort, after time.Duration) {
	put := func() {
		n.mu.Lock()
		c := n.conns[to]
		n.mu.Unlock()
		if c == nil {
			return
		}
		select {
		case c.queue <- p:
		default: // a full socket buffer
		}
	}
	if after <= 0 {
		put()
		return
	}
	time.AfterFunc(after, put)
}

type packet struct {
	bytes []byte
	from  netip.AddrPort
}

type conn struct {
	net   *Net
	addr  netip.AddrPort
	queue chan packet
	once  sync.Once
	done  chan struct{}
}

var _ net.PacketConn = (*conn)(nil)

func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-c.done:
		return 0, nil, net.ErrClosed
	default:
	}
	select {
	case <-c.done:
		return 0, nil, net.ErrClosed
	case p := <-c.queue:
		return copy(b, p.bytes), net.UDPAddrFromAddrPort(p.from), nil
	}
}

func (c *conn) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	dest, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, err
	}
	p := packet{bytes: append([]byte(nil), b...), from: c.addr}
	if c.net.Fate == nil {
		c.net.deliver(p, dest, c.net.Delay)
		return len(b), nil
	}
	for _, extra := range c.net.Fate(p.bytes, c.addr, dest) {
		c.net.deliver(p, dest, c.net.Delay+extra)
	}
	return len(b), nil
}

func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		close(c.done)
		c.net.mu.Lock()
		delete(c.net.conns, c.addr)
		c.net.mu.Unlock()
	})
	return err
}

func (c *conn) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(c.addr) }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
