package sip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The stream side of the guard. Deadlines and caps keep a stalled or hostile connection from holding anything for long;
// known trunks may use the last part of the total that strangers may not.
const (
	streamFirst   = 10 * time.Second // for the first byte of a new connection
	streamMessage = 10 * time.Second // for the rest of a message once it has begun
	streamIdle    = 15 * time.Minute // between messages; phones keep alive every few minutes at most
	streamWrite   = 10 * time.Second
	streamQueue   = 64 // messages waiting to be written

	maxStreams          = 4096
	maxStreamsStrangers = 3584
	maxStreamsSource    = 64
)

// listenGuard is one TCP listener of ours with the guard before it.
type listenGuard struct {
	net.Listener
	ep *Endpoint
}

// Accept gives the next connection within the caps.
func (g *listenGuard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || g.ep.ctx.Err() != nil {
				return nil, net.ErrClosed
			}
			g.ep.log.Warn("accept failed", "local", g.Addr().String(), "error", err)
			select { // too many open files, most likely: it passes
			case <-time.After(readErrorWait):
				continue
			case <-g.ep.ctx.Done():
				return nil, net.ErrClosed
			}
		}
		src, ok := addrPort(conn.RemoteAddr())
		if !ok || !g.ep.streams.add(g.ep, src, conn) {
			g.ep.count.reaped.Add(1)
			_ = conn.Close()
			continue
		}
		return newStreamConn(g.ep, conn, src), nil
	}
}

// streams counts open connections and can close them all.
type streams struct {
	mu     sync.Mutex
	open   map[net.Conn]netip.Addr
	source map[netip.Addr]int
}

func (s *streams) add(ep *Endpoint, src netip.AddrPort, c net.Conn) bool {
	trunk, _ := ep.opt.Trunks().MatchSource(src)
	if ep.trust.banned(src, time.Now()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open, s.source = make(map[net.Conn]netip.Addr), make(map[netip.Addr]int)
	}
	if len(s.open) >= maxStreams || ep.ctx.Err() != nil {
		return false
	}
	if trunk == nil && (len(s.open) >= maxStreamsStrangers || s.source[src.Addr()] >= maxStreamsSource) {
		return false
	}
	s.open[c] = src.Addr()
	s.source[src.Addr()]++
	ep.count.streams.Store(int64(len(s.open)))
	return true
}

func (s *streams) remove(ep *Endpoint, c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addr, ok := s.open[c]
	if !ok {
		return
	}
	delete(s.open, c)
	if s.source[addr]--; s.source[addr] <= 0 {
		delete(s.source, addr)
	}
	ep.count.streams.Store(int64(len(s.open)))
	if peer, known := addrPort(c.RemoteAddr()); known {
		ep.opt.Registrar.FlowClosed(peer)
	}
}

func (s *streams) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close() // the reader notices and removes it
	}
}

// streamConn gives sipgo whole, judged messages and takes its writes without blocking: sipgo writes under the lock of a
// transaction, and a peer that does not read must not hold that.
type streamConn struct {
	net.Conn
	ep  *Endpoint
	src netip.AddrPort

	buf  []byte // received, not yet judged
	pass []byte // judged, not yet read by sipgo
	any  bool   // a message has come
	half bool   // a message has begun, and its deadline is set

	queue   chan []byte
	closing chan struct{}
	once    sync.Once
}

func newStreamConn(ep *Endpoint, conn net.Conn, src netip.AddrPort) *streamConn {
	c := &streamConn{
		Conn: conn, ep: ep, src: src, queue: make(chan []byte, streamQueue), closing: make(chan struct{}),
	}
	if !ep.spawn(c.write) {
		c.stop()
		ep.streams.remove(ep, conn)
		_ = conn.Close()
	}
	return c
}

// Read gives sipgo the next judged bytes; a message never ends in the middle of one.
func (c *streamConn) Read(p []byte) (int, error) {
	for len(c.pass) == 0 {
		size, err := c.frame()
		if err != nil {
			return 0, c.end(err)
		}
		if size > 0 {
			v := c.ep.judge(c.buf[:size], arrival{source: c.src, stream: true})
			if v.reply != nil {
				c.send(v.reply)
			}
			c.any, c.half, c.pass = true, false, bytes.Clone(v.pass)
			c.buf = append(c.buf[:0], c.buf[size:]...)
			continue
		}
		if err := c.fill(); err != nil {
			return 0, c.end(err)
		}
	}
	n := copy(p, c.pass)
	c.pass = c.pass[n:]
	return n, nil
}

var (
	errFraming = errors.New("sip: no message boundary on the stream")
	errTooLong = errors.New("sip: message over 64 KiB")
)

// frame is the length of the first whole message in buf; 0 asks for more.
func (c *streamConn) frame() (int, error) {
	for len(c.buf) >= 2 && c.buf[0] == '\r' && c.buf[1] == '\n' {
		if len(c.buf) >= 4 && c.buf[2] == '\r' && c.buf[3] == '\n' {
			c.send([]byte("\r\n")) // RFC 5626 §3.5.1: pong
			c.buf = c.buf[2:]
		}
		c.buf = c.buf[2:]
	}
	head := bytes.Index(c.buf, []byte("\r\n\r\n"))
	if head < 0 {
		if len(c.buf) > maxHead {
			return 0, errTooLong
		}
		return 0, nil
	}
	if head > maxHead {
		return 0, errTooLong
	}
	length, ok := contentLength(c.buf[:head])
	if !ok {
		// RFC 3261 §18.3: without it nobody knows where the next message begins. The guard answers 400; then we close.
		if v := c.ep.judge(c.buf[:head+4], arrival{source: c.src, stream: true}); v.reply != nil {
			c.send(v.reply)
		}
		return 0, errFraming
	}
	size := head + 4 + length
	if size > maxMessage {
		return 0, errTooLong
	}
	if size > len(c.buf) {
		return 0, nil
	}
	return size, nil
}

// contentLength finds the one Content-Length of a head.
func contentLength(head []byte) (int, bool) {
	found, length := false, 0
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || longName(strings.TrimRight(name, " \t")) != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(value, " \t"), 10, 31)
		if err != nil || found {
			return 0, false
		}
		found, length = true, int(n)
	}
	return length, found
}

// fill reads more, for as long as the state of the connection allows.
func (c *streamConn) fill() error {
	var wait time.Duration
	switch {
	case len(c.buf) > 0 && c.half: // the deadline of a message is set once, when it begins
	case len(c.buf) > 0:
		c.half, wait = true, streamMessage
	case c.any:
		wait = streamIdle
	default:
		wait = streamFirst
	}
	if wait > 0 {
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
	}
	chunk := make([]byte, 4096)
	n, err := c.Conn.Read(chunk)
	c.buf = append(c.buf, chunk[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// end closes the connection for a reason and tells sipgo that it is over, quietly.
func (c *streamConn) end(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.ep.count.reaped.Add(1)
		c.ep.log.Debug("stream closed", "source", c.src.String(), "reason", err.Error())
	}
	c.stop()
	return io.EOF
}

// Write queues a message. A peer that does not read loses its connection.
func (c *streamConn) Write(p []byte) (int, error) {
	select {
	case <-c.closing:
		return 0, net.ErrClosed
	default:
	}
	select {
	case c.queue <- bytes.Clone(p):
		return len(p), nil
	default:
		c.ep.count.reaped.Add(1)
		_ = c.Conn.Close()
		c.stop()
		return 0, errors.New("sip: peer does not read")
	}
}

func (c *streamConn) send(p []byte) { _, _ = c.Write(p) } // a lost answer is asked for again

// write is the goroutine that writes, until stop or Close.
func (c *streamConn) write() {
	defer c.ep.streams.remove(c.ep, c.Conn)
	defer func() { _ = c.Conn.Close() }()
	for {
		select {
		case p := <-c.queue:
			if !c.writeOne(p) {
				return
			}
		case <-c.closing:
			for {
				select {
				case p := <-c.queue:
					if !c.writeOne(p) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

func (c *streamConn) writeOne(p []byte) bool {
	if err := c.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return false
	}
	_, err := c.Conn.Write(p)
	return err == nil
}

// stop lets the writer finish what is queued and close.
func (c *streamConn) stop() { c.once.Do(func() { close(c.closing) }) }

// Close ends the connection when what is queued is written, or cannot be.
func (c *streamConn) Close() error {
	c.stop()
	return nil
}
