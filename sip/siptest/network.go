package siptest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The largest UDP payload over IPv4, and how many datagrams wait in a socket before new ones are dropped: about what
// Linux keeps in its default receive buffer.
const (
	maxDatagram  = 65507
	defaultQueue = 512
)

// NetworkOptions say what the in-memory network does to datagrams. The zero value is a perfect network. Rates are
// probabilities from 0 to 1, drawn for each datagram from Seed, the two addresses and the number of the datagram
// between them: so a fault does not depend on what other pairs send meanwhile, and a run can be repeated by its seed.
type NetworkOptions struct {
	Seed      int64
	Loss      float64
	Duplicate float64
	// Reorder holds a datagram back for up to 40 ms, so that later ones overtake it.
	Reorder float64
	// Delay is the way from one end to the other; Jitter is the most that is added to it. Jitter alone does not
	// reorder: a datagram never overtakes one of the same pair unless Reorder says so.
	Delay  time.Duration
	Jitter time.Duration
	// Queue is how many datagrams wait in a socket, default 512. What comes beyond is dropped and counted.
	Queue int
	// Host stands in for an address without host or with an unspecified one (":0", "0.0.0.0:5060"). Default
	// 127.0.0.1.
	Host string
}

// Verdict is what a filter wants done with one datagram. The zero value delivers it.
type Verdict struct {
	Drop   bool          // it never arrives
	Copies int           // so many more of it arrive
	Delay  time.Duration // it arrives so much later, and may be overtaken
	Exempt bool          // the random faults of NetworkOptions do not touch it
}

// Filter judges one datagram. It runs in the goroutine that sends, possibly under that sender's locks: it must return
// at once and must not call methods of a Phone or Call. b is only valid during the call.
type Filter func(from, to net.Addr, b []byte) Verdict

// NetworkStats counts datagrams.
type NetworkStats struct {
	Sent        uint64 // written by a socket, or injected
	Delivered   uint64 // put into a receiver's queue, copies included
	Lost        uint64 // by chance (Loss)
	Filtered    uint64 // dropped by the filter
	Duplicated  uint64
	Reordered   uint64
	Overflowed  uint64 // the receiver's queue was full
	Unreachable uint64 // nobody listens there
}

// Network is an in-memory datagram network with faults, made for virtual time: it starts no goroutine, and its one
// timer runs only while datagrams are under way. A datagram without delay is in the receiver's queue when WriteTo
// returns.
type Network struct {
	host  netip.Addr
	queue int

	mu     sync.RWMutex // conns, ports, closed
	conns  map[netip.AddrPort]*Conn
	ports  map[netip.Addr]uint16 // the last port picked for an address
	closed bool

	faults atomic.Pointer[faults]

	streams networkStreams

	pairsMu sync.Mutex
	pairs   map[pairKey]*pair
	flight  flight

	stats struct {
		sent, delivered, lost, filtered, duplicated, reordered, overflowed, unreachable atomic.Uint64
	}
}

// NewNetwork makes a network. Close it.
func NewNetwork(o NetworkOptions) *Network {
	n := &Network{
		host:  netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		queue: o.Queue,
		conns: map[netip.AddrPort]*Conn{},
		ports: map[netip.Addr]uint16{},
		pairs: map[pairKey]*pair{},
	}
	if n.queue <= 0 {
		n.queue = defaultQueue
	}
	if a, err := netip.ParseAddr(o.Host); err == nil {
		n.host = a
	}
	n.flight.land = n.arrive
	n.faults.Store(&faults{o: o})
	return n
}

// SetFaults changes the faults from now on: Loss, Duplicate, Reorder, Delay, Jitter. Seed, Queue and Host stay. What is
// under way arrives as it would have.
func (n *Network) SetFaults(o NetworkOptions) {
	for {
		old := n.faults.Load()
		o.Seed = old.o.Seed
		if n.faults.CompareAndSwap(old, &faults{o: o, filter: old.filter}) {
			return
		}
	}
}

// SetFilter puts every datagram before f from now on; nil takes the filter away.
func (n *Network) SetFilter(f Filter) {
	for {
		old := n.faults.Load()
		if n.faults.CompareAndSwap(old, &faults{o: old.o, filter: f}) {
			return
		}
	}
}

// Stats is what happened so far.
func (n *Network) Stats() NetworkStats {
	s := &n.stats
	return NetworkStats{
		Sent: s.sent.Load(), Delivered: s.delivered.Load(), Lost: s.lost.Load(), Filtered: s.filtered.Load(),
		Duplicated: s.duplicated.Load(), Reordered: s.reordered.Load(), Overflowed: s.overflowed.Load(),
		Unreachable: s.unreachable.Load(),
	}
}

// Listen opens a socket on an address such as "10.0.0.1:5060". Port 0 picks a free one. The connection is a *Conn.
func (n *Network) Listen(addr string) (net.PacketConn, error) {
	ap, err := n.parse(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: net.ErrClosed}
	}
	if ap.Port() == 0 {
		if ap, err = n.pick(ap.Addr()); err != nil {
			return nil, &net.OpError{Op: "listen", Net: "udp", Err: err}
		}
	}
	if n.conns[ap] != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(ap), Err: syscall.EADDRINUSE}
	}
	c := newConn(n, ap)
	n.conns[ap] = c
	return c, nil
}

// ListenPacket is Listen in the shape of net.ListenConfig. The context and the network name are not used.
func (n *Network) ListenPacket(_ context.Context, _, addr string) (net.PacketConn, error) {
	return n.Listen(addr)
}

// Listening is the number of open sockets: a test sees leaked ports by it.
func (n *Network) Listening() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.conns)
}

// Inject sends a datagram from an address that need not exist: a spoofed source, a stranger's RTP.
func (n *Network) Inject(from, to string, b []byte) error {
	src, err := n.parse(from)
	if err != nil {
		return err
	}
	dst, err := n.parse(to)
	if err != nil {
		return err
	}
	if len(b) > maxDatagram {
		return syscall.EMSGSIZE
	}
	n.send(src, net.UDPAddrFromAddrPort(src), dst, b)
	return nil
}

// Close closes every socket and forgets what is under way. It is safe twice.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	conns := make([]*Conn, 0, len(n.conns))
	for _, c := range n.conns {
		conns = append(conns, c)
	}
	n.mu.Unlock()
	n.flight.close()
	n.streams.close()
	for _, c := range conns {
		_ = c.Close() // a second close is all that can go wrong
	}
	return nil
}

func (n *Network) parse(addr string) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", addr, err)
	}
	ip := n.host
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("the in-memory network knows addresses only, no names: %w", err)
		}
		if ip = ip.Unmap(); ip.IsUnspecified() {
			ip = n.host
		}
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// pick finds a free port of an address: ascending, so that a port is not used again at once.
func (n *Network) pick(ip netip.Addr) (netip.AddrPort, error) {
	const first, last = 40000, 65535
	port := n.ports[ip]
	for range last - first + 1 {
		if port < first || port == last {
			port = first
		} else {
			port++
		}
		if ap := netip.AddrPortFrom(ip, port); n.conns[ap] == nil {
			n.ports[ip] = port
			return ap, nil
		}
	}
	return netip.AddrPort{}, syscall.EADDRINUSE
}

func (n *Network) find(ap netip.AddrPort) *Conn {
	n.mu.RLock()
	c := n.conns[ap]
	n.mu.RUnlock()
	return c
}

func (n *Network) remove(c *Conn) {
	n.mu.Lock()
	if n.conns[c.local] == c {
		delete(n.conns, c.local)
	}
	n.mu.Unlock()
}

// send puts one datagram on its way.
func (n *Network) send(from netip.AddrPort, src *net.UDPAddr, to netip.AddrPort, b []byte) {
	n.stats.sent.Add(1)
	if f := n.faults.Load(); !f.perfect() || n.flight.pending.Load() > 0 {
		n.faulty(f, from, src, to, b)
		return
	}
	n.arrive(src, to, b)
}

// arrive puts a datagram into the queue of whoever listens.
func (n *Network) arrive(src *net.UDPAddr, to netip.AddrPort, b []byte) {
	c := n.find(to)
	if c == nil {
		n.stats.unreachable.Add(1)
		return
	}
	if c.push(src, b) {
		n.stats.delivered.Add(1)
	} else {
		n.stats.overflowed.Add(1)
	}
}
