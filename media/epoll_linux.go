package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ullim/internal/errs"
)

// EpollLoop is the Loop of Linux: one goroutine owns all its sockets and the clock.
//
// What a packet costs at ordinary loads is the wake-up, not the copying. So while packets come, the loop wakes on a grid of
// gather, reads all that has arrived, and handles it in one pass; nobody waits longer than that. Its tickers are spread over
// the steps of that grid: what is sent on time leaves evenly and not in one burst every Frame. While nobody says anything,
// because all who are there listen, it wakes on a coarser grid of rest. Without tickers there is no call: it stays for linger,
// because another call may come at once, and then sleeps until something comes.
//
// Between two steps it sleeps in the runtime's poller, on a timer descriptor: a goroutine that sleeps in a system call keeps
// the runtime's monitor awake, which looks after it every 20 µs and costs more than the audio. For the same reason the system
// calls of a pass are raw ones: none of them blocks, and each of the others would wake the monitor when it sleeps.
type EpollLoop struct {
	epoll   int
	bell    int      // an eventfd in epoll: it ends the sleep of an idle loop
	clock   int      // a timerfd: it expires when the next step of the grid is due
	timer   *os.File // the same, for the runtime's poller
	expiry  syscall.RawConn
	expired func(uintptr) bool // of sleepUntil; made once, so that a sleep allocates nothing
	epoch   time.Time
	running chan struct{} // closed when the goroutine is over

	late, wakeups, packets atomic.Uint64
	behind                 lateness
	busy                   atomic.Uint64 // share of the last second that was work, in millionths
	counted                atomic.Int64  // when that was, after epoch

	mu      sync.Mutex
	ports   []*epollPort // by slot; nil: free
	free    []int32
	used    int
	steps   [steps]step
	where   map[Ticker]int // in which step a ticker is
	idle    bool           // the goroutine sleeps and does not know of what was added since
	wake    time.Time      // when the timer expires
	started bool
	closed  bool

	// Of the goroutine alone.
	events  [256]unix.EpollEvent
	ready   []*epollPort
	scratch []Ticker
	buf     [MaxPacket + 1 + Room]byte
	armed   bool // by this sleep
	quiet   bool // fewer than few packets came in the last calm
	counter int  // of packets since tallied
	tallied time.Time
	needed  time.Time // when there was a ticker last
	work    time.Duration
	since   time.Time // when work began to be added up
}

const (
	// gather is how long packets may wait for each other.
	gather = 2 * time.Millisecond
	steps  = int(Frame / gather)
	// rest takes its place after a calm in which fewer packets came than a single caller sends who speaks. The first packets
	// of somebody who begins to speak then wait a little longer.
	rest = 10 * time.Millisecond
	calm = 200 * time.Millisecond
	few  = 5
	// linger is how long the clock goes on, once a Frame, when nobody needs it any more: ending and starting it costs a dozen
	// thread switches, and where calls are short that is several times a call.
	linger = time.Second
	// slotBell stands where ports have their slots.
	slotBell = -1
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
	l := &EpollLoop{epoch: time.Now(), running: make(chan struct{}), where: make(map[Ticker]int), epoll: -1, bell: -1}
	if err := l.open(); err != nil {
		l.release()
		return nil, fmt.Errorf("media: epoll: %w", err)
	}
	return l, nil
}

func (l *EpollLoop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.clock, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return err
	}
	l.timer = os.NewFile(uintptr(l.clock), "timerfd")
	if l.expiry, err = l.timer.SyscallConn(); err != nil {
		return err
	}
	l.expired = l.armOnce
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	return l.listen(l.bell, slotBell)
}

func (l *EpollLoop) listen(fd int, slot int32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: slot})
}

// release closes the descriptors of the loop itself.
func (l *EpollLoop) release() {
	for _, fd := range []*int{&l.epoll, &l.bell} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
			*fd = -1
		}
	}
	if l.timer != nil {
		_ = l.timer.Close()
	}
}

// Open implements Loop. The socket is taken out of the runtime's poller, which would wake up for it too.
func (l *EpollLoop) Open(conn net.PacketConn, h Handler) (Port, error) {
	p := &epollPort{loop: l, handler: h, addr: localOf(conn)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(errs.New(errs.Unavailable, "the media loop is closed"), conn.Close())
	}
	var err error
	switch c := conn.(type) {
	case *rawSocket:
		p.fd, p.six, err = c.take()
	case *net.UDPConn:
		p.fd, p.six, err = adopt(c)
	default:
		err = errors.Join(errs.New(errs.Internal, "the epoll loop reads UDP sockets only"), conn.Close())
	}
	if err != nil {
		return nil, err
	}
	if n := len(l.free); n > 0 {
		p.slot, l.free = l.free[n-1], l.free[:n-1]
		l.ports[p.slot] = p
	} else {
		p.slot = int32(len(l.ports))
		l.ports = append(l.ports, p)
	}
	l.used++
	if err := l.listen(p.fd, p.slot); err != nil {
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
	l.used--
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
	} else if next := l.steps[at].next; next.Before(l.wake) { // it sleeps longer than this one may wait
		l.arm(next)
	}
}

// arm lets the timer expire at a time. The caller holds mu.
func (l *EpollLoop) arm(at time.Time) {
	l.wake = at
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(time.Until(at), 1)))} // 0 would disarm it
	_ = unix.TimerfdSettime(l.clock, 0, &spec, nil)                                    // a raw system call, too
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
	ports, tickers := l.used, len(l.where)
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
	ports := make([]*epollPort, 0, l.used)
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
		l.release()
		l.mu.Unlock()
	}
	return err
}

// ring ends a sleep. The caller holds mu.
func (l *EpollLoop) ring() {
	if l.bell >= 0 {
		one := [8]byte{1}
		_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(l.bell), uintptr(unsafe.Pointer(&one[0])), uintptr(len(one))) // full: it rings already
	}
}

func (l *EpollLoop) run() {
	defer close(l.running)
	for {
		n, ok := l.sleep()
		if !ok {
			return
		}
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

// sleep waits for the next step of the grid, or for a packet where nobody ticks. It gives the number of sockets that have
// something to read, and false when the loop was closed.
func (l *EpollLoop) sleep() (n int, ok bool) {
	now := time.Now()
	if now.Sub(l.tallied) >= calm || l.counter >= few {
		l.quiet = l.counter < few
		l.counter, l.tallied = 0, now
	}
	l.mu.Lock()
	if len(l.where) > 0 {
		l.needed = now
	}
	l.idle = now.Sub(l.needed) >= linger
	idle, closed := l.idle, l.closed
	if !idle {
		l.wake = l.following(now)
	}
	l.mu.Unlock()
	if closed {
		return 0, false
	}
	if idle {
		n, err := unix.EpollWait(l.epoll, l.events[:], -1)
		if err != nil {
			n = 0
		}
		return n, true
	}
	l.armed = false
	_ = l.expiry.Read(l.expired) // it cannot fail; if it did, the sleep would be shorter
	return l.poll(), true
}

// following is the next step of the grid after now. The caller holds mu.
func (l *EpollLoop) following(now time.Time) time.Time {
	grid := gather
	switch {
	case len(l.where) == 0:
		grid = Frame
	case l.quiet:
		grid = rest
	}
	return l.epoch.Add((now.Sub(l.epoch)/grid + 1) * grid)
}

// armOnce arms the timer, and says at the second time that it has expired.
func (l *EpollLoop) armOnce(uintptr) (over bool) {
	if l.armed {
		return true
	}
	l.armed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arm(l.wake) // perhaps nearer than a moment ago, for somebody who was added
	return false
}

// poll asks what there is to read, and does not wait.
func (l *EpollLoop) poll() int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])),
		uintptr(len(l.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// receive hands over what has arrived on n sockets.
func (l *EpollLoop) receive(n int) {
	if n == 0 {
		return
	}
	l.ready = l.ready[:0]
	l.mu.Lock()
	for _, e := range l.events[:n] {
		switch {
		case e.Fd == slotBell:
			var drop [8]byte
			_, _, _ = syscall.RawSyscall(unix.SYS_READ, uintptr(l.bell), uintptr(unsafe.Pointer(&drop[0])), uintptr(len(drop)))
		case int(e.Fd) < len(l.ports) && l.ports[e.Fd] != nil:
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
			l.counter++
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
		if l.wake.After(s.next) { // it was meant to wait for others
			behind = now.Sub(l.wake)
		}
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
	return closeRaw(p.fd) // and with it out of epoll: nobody else has this descriptor
}
