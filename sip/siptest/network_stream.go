package siptest

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// streamWindow is how much of what was written waits to be read, as in TCP.
const streamWindow = 256 << 10

// ListenStream listens for connections on an address, as TCP does. Port 0 picks a free one. Streams of a Network have no
// faults of their own but Cut: bytes arrive at once.
func (n *Network) ListenStream(addr string) (net.Listener, error) {
	ap, err := n.parse(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	n.streams.mu.Lock()
	defer n.streams.mu.Unlock()
	if ap.Port() == 0 {
		ap = netip.AddrPortFrom(ap.Addr(), n.streams.port())
	}
	if n.streams.listeners[ap] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: net.TCPAddrFromAddrPort(ap), Err: syscall.EADDRINUSE}
	}
	l := &streamListener{n: n, at: ap, next: make(chan net.Conn, 128), closed: make(chan struct{})}
	if n.streams.listeners == nil {
		n.streams.listeners = map[netip.AddrPort]*streamListener{}
	}
	n.streams.listeners[ap] = l
	return l, nil
}

// DialStream connects to a listener, from an address that need not be anybody's; not valid: the Network's own.
func (n *Network) DialStream(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	if !from.IsValid() {
		from = n.host
	}
	to = unmap(to)
	n.streams.mu.Lock()
	l, local := n.streams.listeners[to], netip.AddrPortFrom(from.Unmap(), n.streams.port())
	n.streams.mu.Unlock()
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	if l == nil {
		return fail(syscall.ECONNREFUSED)
	}
	there, back := newHalf(), newHalf()
	near := &streamEnd{in: back, out: there, local: local, remote: to, n: n}
	far := &streamEnd{in: there, out: back, local: to, remote: local, n: n}
	n.streams.mu.Lock()
	if n.streams.ends == nil {
		n.streams.ends = map[*streamEnd]struct{}{}
	}
	n.streams.ends[near] = struct{}{}
	n.streams.ends[far] = struct{}{}
	n.streams.mu.Unlock()
	var err error
	select {
	case l.next <- far:
		return near, nil
	case <-l.closed:
		err = syscall.ECONNREFUSED
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = near.Close(), far.Close() // in memory
	return fail(err)
}

// Cut breaks every stream that has an end at an address, as when a network cable is pulled and both ends notice.
func (n *Network) Cut(at netip.Addr) {
	n.streams.mu.Lock()
	var list []*streamEnd
	for e := range n.streams.ends {
		if e.local.Addr() == at || e.remote.Addr() == at {
			list = append(list, e)
		}
	}
	n.streams.mu.Unlock()
	for _, e := range list {
		_ = e.Close() // in memory
	}
}

// Streams is the number of open ends of streams: a test sees leaked ones by it.
func (n *Network) Streams() int {
	n.streams.mu.Lock()
	defer n.streams.mu.Unlock()
	return len(n.streams.ends)
}

type networkStreams struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*streamListener
	ends      map[*streamEnd]struct{}
	last      uint16
}

// port is a fresh one.
func (s *networkStreams) port() uint16 {
	if s.last < 50000 || s.last == 65535 {
		s.last = 50000
	}
	s.last++
	return s.last
}

func (s *networkStreams) close() {
	s.mu.Lock()
	var all []io.Closer
	for _, l := range s.listeners {
		all = append(all, l)
	}
	for e := range s.ends {
		all = append(all, e)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // in memory
	}
}

type streamListener struct {
	n      *Network
	at     netip.AddrPort
	next   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept gives the next connection.
func (l *streamListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.next:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close frees the address.
func (l *streamListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.n.streams.mu.Lock()
		delete(l.n.streams.listeners, l.at)
		l.n.streams.mu.Unlock()
		for {
			select {
			case c := <-l.next: // nobody will take it any more
				_ = c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr is a *net.TCPAddr.
func (l *streamListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// half is one direction of a stream.
type half struct {
	mu       sync.Mutex
	changed  sync.Cond // waiting on it is durably blocking in a synctest bubble
	buf      []byte
	eof      bool // the writer is gone
	dead     bool // the reader is gone
	deadline [2]time.Time
	expiry   [2]*time.Timer
}

// Which deadline.
const (
	reading = iota
	writing
)

func newHalf() *half {
	h := &half{}
	h.changed.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.dead:
			return 0, net.ErrClosed
		case h.past(reading):
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.changed.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.eof:
			return 0, net.ErrClosed
		case h.dead:
			return 0, syscall.EPIPE
		case h.past(writing):
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) < streamWindow:
			h.buf = append(h.buf, p...)
			h.changed.Broadcast()
			return len(p), nil
		}
		h.changed.Wait()
	}
}

func (h *half) past(which int) bool {
	d := h.deadline[which]
	return !d.IsZero() && !time.Now().Before(d)
}

func (h *half) setDeadline(which int, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline[which] = t
	if h.expiry[which] != nil {
		h.expiry[which].Stop()
		h.expiry[which] = nil
	}
	if d := time.Until(t); !t.IsZero() && d > 0 {
		h.expiry[which] = time.AfterFunc(d, h.stir)
	}
	h.changed.Broadcast()
}

func (h *half) stir() {
	h.mu.Lock()
	h.changed.Broadcast()
	h.mu.Unlock()
}

func (h *half) end(writer bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if writer {
		h.eof = true
	} else {
		h.dead = true
	}
	for i, t := range h.expiry {
		if t != nil && (i == writing) == writer {
			t.Stop()
			h.expiry[i] = nil
		}
	}
	h.changed.Broadcast()
}

// streamEnd is one end of a stream, a net.Conn.
type streamEnd struct {
	in, out       *half
	local, remote netip.AddrPort
	n             *Network
	once          sync.Once
}

var _ net.Conn = (*streamEnd)(nil)

// Read reads.
func (e *streamEnd) Read(p []byte) (int, error) { return e.in.read(p) }

// Write writes; it waits when the other end does not read.
func (e *streamEnd) Write(p []byte) (int, error) { return e.out.write(p) }

// LocalAddr is a *net.TCPAddr.
func (e *streamEnd) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(e.local) }

// RemoteAddr is a *net.TCPAddr.
func (e *streamEnd) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(e.remote) }

// Close ends both directions.
func (e *streamEnd) Close() error {
	e.once.Do(func() {
		e.in.end(false)
		e.out.end(true)
		e.n.streams.mu.Lock()
		delete(e.n.streams.ends, e)
		e.n.streams.mu.Unlock()
	})
	return nil
}

// SetDeadline is for reading and writing.
func (e *streamEnd) SetDeadline(t time.Time) error {
	e.in.setDeadline(reading, t)
	e.out.setDeadline(writing, t)
	return nil
}

// SetReadDeadline ends reads at t.
func (e *streamEnd) SetReadDeadline(t time.Time) error {
	e.in.setDeadline(reading, t)
	return nil
}

// SetWriteDeadline ends writes at t.
func (e *streamEnd) SetWriteDeadline(t time.Time) error {
	e.out.setDeadline(writing, t)
	return nil
}
