package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ullim/internal/errs"
)

// EpollLoop is the Loop of Linux: one goroutine owns all its sockets and the clock.
//
// What a packet costs at ordinary loads is the wake-up, not the copying. So while packets come, the loop wakes on a grid of
// gather, reads all that has arrived, and handles it in one pass; nobody waits longer than that. Its tickers are spread over
// the steps of that grid: what is sent on time leaves evenly and not in one burst every Frame. Without packets it sleeps to
// the next tick, and without tickers until something comes.
type EpollLoop struct {
	epoll, bell int // bell is an eventfd: it ends a sleep
	epoch       time.Time
	running     chan struct{} // closed when the goroutine is over

	late, wakeups, packets atomic.Uint64
	behind                 lateness
	busy                   atomic.Uint64 // share of the last second that was work, in millionths
	counted                atomic.Int64  // when that was, after epoch

	mu      sync.Mutex
	ports   []*epollPort // by slot; nil: free
	free    []int32
	open    int
	steps   [steps]step
	where   map[Ticker]int // in which step a ticker is
	idle    bool           // the goroutine sleeps and does not know of what was added since
	started bool
	closed  bool

	// Of the goroutine alone.
	events  [256]unix.EpollEvent
	ready   []*epollPort
	scratch []Ticker
	buf     [MaxPacket + 1 + Room]byte
	heard   time.Time // the last packet
	work    time.Duration
	since   time.Time // when work began to be added up
}

const (
	// gather is how long packets may wait for each other.
	gather = 2 * time.Millisecond
	steps  = int(Frame / gather)
	// warm is how long after the last packet the loop goes on to wake on the grid.
	warm = 100 * time.Millisecond
	// catchUp is the most that is read from one socket in one pass: a stranger's flood must neither fill the socket's buffer,
	// so that the far end's packets are lost, nor keep the others waiting.
	catchUp = 64
)

// step is the tickers that tick at the same step of the grid.
type step struct {
	tickers []Ticker
	next    time.Time
}

var _ Loop = (*EpollLoop)(nil)

// NewEpollLoop makes a loop; its goroutine starts when it is needed.
func NewEpollLoop() (*EpollLoop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("media: epoll: %w", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return nil, fmt.Errorf("media: eventfd: %w", err)
	}
	return &EpollLoop{
		epoll: epoll, bell: bell, epoch: time.Now(), running: make(chan struct{}), where: make(map[Ticker]int),
	}, nil
}

// Open implements Loop. The socket is taken out of the runtime's poller, which would wake up for it too.
func (l *EpollLoop) Open(conn net.PacketConn, h Handler) (Port, error) {
	p := &epollPort{loop: l, handler: h, addr: addrPort(conn.LocalAddr())}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(errs.New(errs.Unavailable, "the media loop is closed"), conn.Close())
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(errs.New(errs.Internal, "the epoll loop reads UDP sockets only"), conn.Close())
	}
	var err error
	if p.fd, p.six, err = adopt(udp); err != nil {
		return nil, err
	}
	if n := len(l.free); n > 0 {
		p.slot, l.free = l.free[n-1], l.free[:n-1]
		l.ports[p.slot] = p
	} else {
		p.slot = int32(len(l.ports))
		l.ports = append(l.ports, p)
	}
	l.open++
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, p.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: p.slot}); err != nil {
		l.forget(p)
		_ = unix.Close(p.fd)
		return nil, fmt.Errorf("media: epoll: %w", err)
	}
	l.start()
	return p, nil
}

// adopt gives a descriptor of its own for a socket, and closes the original.
func adopt(udp *net.UDPConn) (fd int, six bool, err error) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0, false, errors.Join(err, udp.Close())
	}
	var derr error
	err = raw.Control(func(original uintptr) {
		if fd, derr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0); derr != nil {
			return
		}
		var domain int
		domain, derr = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		six = domain == unix.AF_INET6
		if derr == nil {
			derr = unix.SetNonblock(fd, true)
		}
		if derr != nil {
			_ = unix.Close(fd)
		}
	})
	return fd, six, errors.Join(err, derr, udp.Close())
}

// start starts the goroutine. The caller holds mu.
func (l *EpollLoop) start() {
	if !l.started {
		l.started = true
		go l.run()
	}
}

// forget frees a port's slot. The caller holds mu.
func (l *EpollLoop) forget(p *epollPort) {
	l.ports[p.slot] = nil
	l.free = append(l.free, p.slot)
	l.open--
}

// Add implements Loop.
func (l *EpollLoop) Add(t Ticker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.where[t]; there || l.closed {
		return
	}
	at := 0
	for i := range l.steps { // the step with the fewest
		if len(l.steps[i].tickers) < len(l.steps[at].tickers) {
			at = i
		}
	}
	s := &l.steps[at]
	if len(s.tickers) == 0 {
		s.next = l.after(time.Now(), at)
	}
	s.tickers = append(s.tickers, t)
	l.where[t] = at
	l.start()
	if l.idle {
		l.idle = false
		l.ring()
	}
}

// after is the first moment of a step after now.
func (l *EpollLoop) after(now time.Time, at int) time.Time {
	phase := time.Duration(at) * gather
	return l.epoch.Add(((now.Sub(l.epoch)-phase)/Frame+1)*Frame + phase)
}

// Remove implements Loop.
func (l *EpollLoop) Remove(t Ticker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, there := l.where[t]
	if !there {
		return
	}
	delete(l.where, t)
	list := l.steps[at].tickers
	last := len(list) - 1
	for i := range list {
		if list[i] == t {
			list[i] = list[last]
			break
		}
	}
	list[last] = nil
	l.steps[at].tickers = list[:last]
}

// Stats implements Loop.
func (l *EpollLoop) Stats() LoopStats {
	l.mu.Lock()
	ports, tickers := l.open, len(l.where)
	l.mu.Unlock()
	busy := float64(l.busy.Load()) / 1e6
	if time.Since(l.epoch)-time.Duration(l.counted.Load()) > 2*time.Second { // it has slept since
		busy = 0
	}
	return LoopStats{
		Ports: ports, Tickers: tickers, Late: l.late.Load(), Wakeups: l.wakeups.Load(), Packets: l.packets.Load(),
		Steps: l.behind.read(), Busy: busy,
	}
}

// Close implements Loop.
func (l *EpollLoop) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	started := l.started
	ports := make([]*epollPort, 0, l.open)
	for _, p := range l.ports {
		if p != nil {
			ports = append(ports, p)
		}
	}
	l.ring()
	l.mu.Unlock()
	if started {
		<-l.running
	}
	var err error
	for _, p := range ports {
		err = errors.Join(err, p.Close())
	}
	if first {
		l.mu.Lock()
		err = errors.Join(err, unix.Close(l.epoll), unix.Close(l.bell))
		l.bell = -1
		l.mu.Unlock()
	}
	return err
}

// ring ends a sleep. The caller holds mu.
func (l *EpollLoop) ring() {
	if l.bell >= 0 {
		one := [8]byte{1}
		_, _ = unix.Write(l.bell, one[:]) // full means that it rings already
	}
}

func (l *EpollLoop) run() {
	defer close(l.running)
	for {
		wait, closed := l.plan(time.Now())
		if closed {
			return
		}
		n := l.poll(wait)
		woken := time.Now()
		l.wakeups.Add(1)
		l.receive(n)
		l.account(woken, l.tick(time.Now()))
	}
}

// account adds up how long the work of a pass took.
func (l *EpollLoop) account(from, to time.Time) {
	l.work += to.Sub(from)
	if past := to.Sub(l.since); past >= time.Second {
		l.busy.Store(uint64(1e6 * float64(l.work) / float64(past)))
		l.counted.Store(int64(to.Sub(l.epoch)))
		l.work, l.since = 0, to
	}
}

// plan says how long to sleep for packets: not at all where the grid was kept already, for good where nothing is due.
func (l *EpollLoop) plan(now time.Time) (wait time.Duration, closed bool) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return 0, true
	}
	wait = -1
	for i := range l.steps {
		if s := &l.steps[i]; len(s.tickers) > 0 {
			if d := max(s.next.Sub(now), 0); wait < 0 || d < wait {
				wait = d
			}
		}
	}
	hot := now.Sub(l.heard) < warm
	l.idle = !hot && wait < 0
	l.mu.Unlock()
	if hot {
		nap := gather - now.Sub(l.epoch)%gather
		if wait >= 0 {
			nap = min(nap, wait)
		}
		sleep(nap)
		return 0, false
	}
	return wait, false
}

// sleep sleeps without the runtime's timers, which would wake another thread first.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// poll waits for packets: without end if wait is negative.
func (l *EpollLoop) poll(wait time.Duration) int {
	ms := -1
	if wait >= 0 {
		ms = int((wait + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(l.epoll, l.events[:], ms)
	if err != nil {
		return 0
	}
	return n
}

// receive hands over what has arrived on n sockets.
func (l *EpollLoop) receive(n int) {
	if n == 0 {
		return
	}
	l.ready = l.ready[:0]
	l.mu.Lock()
	for _, e := range l.events[:n] {
		if e.Fd < 0 {
			var b [8]byte
			_, _ = unix.Read(l.bell, b[:])
			continue
		}
		if int(e.Fd) < len(l.ports) && l.ports[e.Fd] != nil {
			l.ready = append(l.ready, l.ports[e.Fd])
		}
	}
	l.mu.Unlock()
	pass := l.wakeups.Load()
	for i, p := range l.ready {
		l.ready[i] = nil
		most := 1
		if p.pass+1 == pass { // a second time in a row: more comes than one packet a Frame
			most = catchUp
		}
		p.pass = pass
		for range most {
			size, from, ok := p.receive(l.buf[:MaxPacket+1])
			if !ok {
				break
			}
			if size > MaxPacket {
				continue
			}
			l.packets.Add(1)
			now := time.Now()
			l.heard = now
			p.handler.HandlePacket(l.buf[:size:size+Room], from, now)
		}
	}
}

// tick ticks whoever is due, and says what time it is after that.
func (l *EpollLoop) tick(now time.Time) time.Time {
	for i := range l.steps {
		s := &l.steps[i]
		l.mu.Lock()
		if len(s.tickers) == 0 || now.Before(s.next) {
			l.mu.Unlock()
			continue
		}
		behind := now.Sub(s.next)
		send, lost, then := owed(s.next, now)
		s.next = then
		l.scratch = append(l.scratch[:0], s.tickers...)
		l.mu.Unlock()
		l.behind.add(behind)
		l.late.Add(uint64(lost + send - 1))
		for j, t := range l.scratch {
			t.Tick(now, send, lost)
			l.scratch[j] = nil
		}
		now = time.Now()
	}
	return now
}

// epollPort is a socket of an EpollLoop.
type epollPort struct {
	loop    *EpollLoop
	handler Handler
	addr    netip.AddrPort
	slot    int32
	six     bool
	pass    uint64 // the last in which there was something to read

	mu     sync.Mutex // the descriptor must not be another's while it is used
	fd     int
	closed bool
}

// receive reads one packet; false: there is none.
func (p *epollPort) receive(b []byte) (n int, from netip.AddrPort, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, from, false
	}
	for {
		n, from, errno := recvfrom(p.fd, b)
		switch errno {
		case 0:
			return n, from, true
		case syscall.EINTR, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH: // of an earlier packet of ours
			continue
		default:
			return 0, from, false
		}
	}
}

// Send implements Port.
func (p *epollPort) Send(packet []byte, to netip.AddrPort) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if errno := sendto(p.fd, packet, to, p.six); errno != 0 {
		return errno
	}
	return nil
}

// Addr implements Port.
func (p *epollPort) Addr() netip.AddrPort { return p.addr }

// Close implements Port.
func (p *epollPort) Close() error {
	p.loop.mu.Lock()
	defer p.loop.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	p.loop.forget(p)
	return unix.Close(p.fd) // and with it out of epoll: nobody else has this descriptor
}
