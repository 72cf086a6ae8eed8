package siptest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is a socket of a Network. It behaves as an unconnected *net.UDPConn does: datagrams to nobody vanish, a small
// read buffer cuts. Reading and writing allocate nothing once the queue has grown to what it needs.
type Conn struct {
	n     *Network
	local netip.AddrPort
	addr  *net.UDPAddr

	mu       sync.Mutex
	arrived  sync.Cond  // waiting on it is durably blocking in a synctest bubble
	slots    []datagram // a ring; buffers are used again
	head     int
	count    int
	closed   bool
	deadline time.Time
	expiry   *time.Timer
}

type datagram struct {
	src *net.UDPAddr // shared and never written to
	b   []byte
}

var _ net.PacketConn = (*Conn)(nil)

func newConn(n *Network, local netip.AddrPort) *Conn {
	c := &Conn{n: n, local: local, addr: net.UDPAddrFromAddrPort(local)}
	c.arrived.L = &c.mu
	return c
}

// LocalAddr is a *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.addr }

// ReadFrom reads one datagram. The address is a *net.UDPAddr that must not be changed.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, src, err := c.read(b)
	if err != nil {
		return 0, nil, err
	}
	return n, src, nil
}

// ReadFromUDPAddrPort is as that of *net.UDPConn.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, src, err := c.read(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return n, unmap(src.AddrPort()), nil
}

// WriteTo sends one datagram to a *net.UDPAddr.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok || u == nil {
		return 0, c.opError("write", errors.New("the destination is no *net.UDPAddr"))
	}
	return c.WriteToUDPAddrPort(b, u.AddrPort())
}

// WriteToUDPAddrPort is as that of *net.UDPConn.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if len(b) > maxDatagram {
		return 0, c.opError("write", syscall.EMSGSIZE)
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return 0, c.opError("write", net.ErrClosed)
	}
	c.n.send(c.local, c.addr, unmap(to), b)
	return len(b), nil
}

// Close ends all reads with net.ErrClosed and frees the address.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.slots, c.head, c.count = nil, 0, 0
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.arrived.Broadcast()
	c.mu.Unlock()
	c.n.remove(c)
	return nil
}

// SetDeadline is SetReadDeadline: writes never wait.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes never wait.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline ends reads at t with os.ErrDeadlineExceeded; the zero time takes the deadline away.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	c.deadline = t
	switch {
	case t.IsZero():
		if c.expiry != nil {
			c.expiry.Stop()
		}
	case c.expiry == nil:
		c.expiry = time.AfterFunc(time.Until(t), c.wake)
	default:
		c.expiry.Reset(time.Until(t))
	}
	c.arrived.Broadcast() // a reader may have to go on with a deadline that has passed already
	return nil
}

// SetReadBuffer does nothing: NetworkOptions.Queue is the bound.
func (*Conn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing: writes never wait.
func (*Conn) SetWriteBuffer(int) error { return nil }

func (c *Conn) wake() {
	c.mu.Lock()
	c.arrived.Broadcast()
	c.mu.Unlock()
}

func (c *Conn) read(b []byte) (int, *net.UDPAddr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return 0, nil, c.opError("read", net.ErrClosed)
		}
		if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
			return 0, nil, c.opError("read", os.ErrDeadlineExceeded)
		}
		if c.count > 0 {
			d := &c.slots[c.head]
			n, src := copy(b, d.b), d.src
			c.head = (c.head + 1) % len(c.slots)
			c.count--
			return n, src, nil
		}
		c.arrived.Wait()
	}
}

// push queues a datagram; false if there is no room. A closed socket takes everything and keeps nothing.
func (c *Conn) push(src *net.UDPAddr, b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return true
	}
	if c.count == len(c.slots) {
		if c.count >= c.n.queue {
			return false
		}
		c.grow()
	}
	d := &c.slots[(c.head+c.count)%len(c.slots)]
	d.src, d.b = src, append(d.b[:0], b...)
	c.count++
	c.arrived.Signal()
	return true
}

func (c *Conn) grow() {
	size := min(max(4, 2*len(c.slots)), c.n.queue)
	slots := make([]datagram, 0, size)
	slots = append(slots, c.slots[c.head:]...)
	slots = append(slots, c.slots[:c.head]...)
	c.slots, c.head = slots[:size], 0
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.addr, Err: err}
}

func unmap(ap netip.AddrPort) netip.AddrPort {
	if a := ap.Addr(); a.Is4In6() {
		return netip.AddrPortFrom(a.Unmap(), ap.Port())
	}
	return ap
}
