package media

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// NetLoop is the portable Loop: a goroutine reads each socket, one goroutine is the clock. It runs on every system, on
// any net.PacketConn, and in virtual time.
type NetLoop struct {
	tickers atomic.Pointer[[]Ticker] // replaced as a whole, so that the clock needs no lock
	late    atomic.Uint64
	wakeups atomic.Uint64
	behind  lateness
	wake    chan struct{} // the first ticker was added
	done    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	ports  map[*netPort]struct{}
	clock  bool // the clock's goroutine exists
	closed bool
}

var _ Loop = (*NetLoop)(nil)

// NewNetLoop makes a loop. Its goroutines start when they are needed.
func NewNetLoop() *NetLoop {
	l := &NetLoop{wake: make(chan struct{}, 1), done: make(chan struct{}), ports: map[*netPort]struct{}{}}
	l.tickers.Store(new([]Ticker))
	return l
}

// Open implements Loop. A *net.UDPConn is read and written without allocation.
func (l *NetLoop) Open(conn net.PacketConn, h Handler) (Port, error) {
	p := &netPort{loop: l, conn: conn, addr: localOf(conn)}
	p.udp, _ = conn.(udpConn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(errs.New(errs.Unavailable, "the media loop is closed"), conn.Close())
	}
	l.ports[p] = struct{}{}
	l.running.Go(func() { p.read(h) })
	return p, nil
}

// Add implements Loop.
func (l *NetLoop) Add(t Ticker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.tickers.Load()
	if l.closed || slices.Contains(list, t) {
		return
	}
	list = append(slices.Clip(list), t) // Clip: the clock may be reading the old list
	l.tickers.Store(&list)
	if !l.clock {
		l.clock = true
		l.running.Go(l.run)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Remove implements Loop.
func (l *NetLoop) Remove(t Ticker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.tickers.Load()
	i := slices.Index(list, t)
	if i < 0 {
		return
	}
	list = slices.Delete(slices.Clone(list), i, i+1)
	l.tickers.Store(&list)
}

// Stats implements Loop.
func (l *NetLoop) Stats() LoopStats {
	l.mu.Lock()
	ports := len(l.ports)
	l.mu.Unlock()
	return LoopStats{
		Ports: ports, Tickers: len(*l.tickers.Load()), Late: l.late.Load(), Wakeups: l.wakeups.Load(),
		Steps: l.behind.read(),
	}
}

// Close implements Loop.
func (l *NetLoop) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	ports := make([]*netPort, 0, len(l.ports))
	for p := range l.ports {
		ports = append(ports, p)
	}
	l.mu.Unlock()
	var err error
	for _, p := range ports {
		err = errors.Join(err, p.Close())
	}
	l.running.Wait()
	return err
}

// run is the clock. It sleeps to the next step of the grid, and for good while nobody listens.
func (l *NetLoop) run() {
	timer := time.NewTimer(Frame)
	defer timer.Stop()
	next := time.Now().Add(Frame)
	for {
		if len(*l.tickers.Load()) == 0 {
			select {
			case <-l.done:
				return
			case <-l.wake:
			}
			next = time.Now().Add(Frame)
		}
		timer.Reset(max(time.Until(next), time.Nanosecond))
		select {
		case <-l.done:
			return
		case <-timer.C:
		}
		next = l.step(next, time.Now())
	}
}

// step ticks everybody who is there at now, and gives the next step of the grid.
func (l *NetLoop) step(next, now time.Time) time.Time {
	send, lost, then := owed(next, now)
	if send == 0 {
		return then
	}
	l.wakeups.Add(1)
	l.behind.add(now.Sub(next))
	l.late.Add(uint64(lost + send - 1))
	for _, t := range *l.tickers.Load() {
		t.Tick(now, send, lost)
	}
	return then
}

// udpConn is what *net.UDPConn can do without allocating.
type udpConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

type netPort struct {
	loop   *NetLoop
	conn   net.PacketConn
	udp    udpConn // nil if conn is of another kind
	addr   netip.AddrPort
	to     atomic.Pointer[net.UDPAddr] // the last destination, for conns that want a net.Addr
	closed atomic.Bool
}

// read hands packets over until the socket is closed. A read that fails otherwise (a router's refusal, reported here on
// some systems) is not the end; a socket that does nothing but fail is asked ever more slowly.
func (p *netPort) read(h Handler) {
	buf := make([]byte, MaxPacket+1+Room)
	for failed := 0; ; {
		n, from, err := p.receive(buf[:MaxPacket+1])
		switch {
		case p.closed.Load() || errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if failed++; !p.pause(time.Duration(min(failed, 100)) * time.Millisecond) {
				return
			}
		case n > MaxPacket:
		default:
			failed = 0
			h.HandlePacket(buf[:n:n+Room], from, time.Now())
		}
	}
}

func (p *netPort) receive(buf []byte) (int, netip.AddrPort, error) {
	if p.udp != nil {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, from, err := p.conn.ReadFrom(buf)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	return n, addrPort(from), nil
}

// pause waits, and reports whether the loop still runs.
func (p *netPort) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.loop.done:
		return false
	case <-timer.C:
		return true
	}
}

// Send implements Port.
func (p *netPort) Send(packet []byte, to netip.AddrPort) error {
	if p.udp != nil {
		_, err := p.udp.WriteToUDPAddrPort(packet, to)
		return err
	}
	addr := p.to.Load()
	if addr == nil || addr.AddrPort() != to {
		addr = net.UDPAddrFromAddrPort(to)
		p.to.Store(addr)
	}
	_, err := p.conn.WriteTo(packet, addr)
	return err
}

// Addr implements Port.
func (p *netPort) Addr() netip.AddrPort { return p.addr }

// Close implements Port.
func (p *netPort) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.loop.mu.Lock()
	delete(p.loop.ports, p)
	p.loop.mu.Unlock()
	return p.conn.Close()
}

// localOf is where a socket is bound.
func localOf(conn net.PacketConn) netip.AddrPort {
	if c, ok := conn.(interface{ AddrPort() netip.AddrPort }); ok {
		return c.AddrPort()
	}
	return addrPort(conn.LocalAddr())
}

// addrPort is a net.Addr as a netip.AddrPort, IPv4 always as IPv4.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case nil:
	case *net.UDPAddr:
		ap = a.AddrPort()
	default:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
