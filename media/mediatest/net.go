// Package mediatest helps to test what carries sound: a network in memory, a far end that counts what it hears, and the
// behaviour that every media.Loop must show.
//
// Nothing here touches the real network, and all of it runs in virtual time (testing/synctest).
package mediatest

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Net is a network in memory. Its conns are net.PacketConn with UDP addresses. Delivery takes Delay, or what its fate says.
type Net struct {
	// Delay is how long every packet takes.
	Delay time.Duration

	fateMu sync.Mutex
	fate   func(packet []byte, from, to netip.AddrPort) []time.Duration

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
	c := &conn{net: n, addr: addr, wake: make(chan struct{}, 1), done: make(chan struct{})}
	n.conns[addr] = c
	return c, nil
}

// InUse is the number of open conns.
func (n *Net) InUse() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// deliver puts a packet into the queue of its receiver, behind all that arrive no later.
func (n *Net) deliver(p packet, to netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.conns[to]
	if c == nil || len(c.queue) >= queueSize {
		return
	}
	at := len(c.queue)
	for at > 0 && c.queue[at-1].due.After(p.due) {
		at--
	}
	c.queue = slices.Insert(c.queue, at, p)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// queueSize is what is on its way to a conn and in its buffer.
const queueSize = 4096

type packet struct {
	due   time.Time
	bytes []byte
	from  netip.AddrPort
}

type conn struct {
	net   *Net
	addr  netip.AddrPort
	queue []packet // of the net's lock
	wake  chan struct{}
	once  sync.Once
	done  chan struct{}
}

var _ net.PacketConn = (*conn)(nil)

// ReadFrom implements net.PacketConn.
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		select {
		case <-c.done:
			return 0, nil, net.ErrClosed
		default:
		}
		p, wait, ok := c.pop()
		if ok {
			return copy(b, p.bytes), net.UDPAddrFromAddrPort(p.from), nil
		}
		var arrives <-chan time.Time // never, if nothing is on its way
		if wait > 0 {
			arrives = time.After(wait)
		}
		select {
		case <-c.done:
		case <-c.wake:
		case <-arrives:
		}
	}
}

// pop takes the next packet that has arrived, or says when one will; 0: nothing is on its way.
func (c *conn) pop() (p packet, wait time.Duration, ok bool) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if len(c.queue) == 0 {
		return p, 0, false
	}
	p = c.queue[0]
	if wait = time.Until(p.due); wait > 0 {
		return p, wait, false
	}
	c.queue = slices.Delete(c.queue, 0, 1)
	return p, 0, true
}

// SetFate lets f decide for each packet how often it arrives and how much later than Delay; none: it is lost. It is called
// for one packet at a time, and may be set while packets fly.
func (n *Net) SetFate(f func(packet []byte, from, to netip.AddrPort) []time.Duration) {
	n.fateMu.Lock()
	defer n.fateMu.Unlock()
	n.fate = f
}

// WriteTo implements net.PacketConn.
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
	p := packet{due: time.Now().Add(c.net.Delay), bytes: append([]byte(nil), b...), from: c.addr}
	c.net.fateMu.Lock()
	defer c.net.fateMu.Unlock()
	if c.net.fate == nil {
		c.net.deliver(p, dest)
		return len(b), nil
	}
	for _, extra := range c.net.fate(p.bytes, c.addr, dest) {
		late := p
		late.due = p.due.Add(extra)
		c.net.deliver(late, dest)
	}
	return len(b), nil
}

// Close implements net.PacketConn.
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

// LocalAddr implements net.PacketConn.
func (c *conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

// SetDeadline implements net.PacketConn, and does nothing.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn, and does nothing.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn, and does nothing.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
