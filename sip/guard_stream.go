package sip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// streamQueue is how many messages wait to be written.
const streamQueue = 64

// carriage is what a connection travels on: bytes with message boundaries in them, or messages.
type carriage interface {
	// next waits for a message. With an error it may give what should still be answered. The slice is valid until the
	// next call.
	next(c *streamConn) (message []byte, err error)
	write(p []byte) error
	ping(c *streamConn)
	close() // in good order, if that is quick
}

// streamConn gives sipgo whole, judged messages and takes its writes without blocking: sipgo writes under the lock of a
// transaction, and a peer that does not read must not hold that.
type streamConn struct {
	ep      *Endpoint
	network string
	src     netip.AddrPort // the peer
	local   netip.AddrPort // what the peer knows us by: of a connection of ours, the port that we listen on
	id      string
	line    hop // what a connection of ours was opened for
	cut     func()
	on      carriage

	pass    []byte // judged, not yet read by sipgo
	reading chan struct{}
	first   sync.Once

	queue   chan []byte
	closing chan struct{}
	wake    chan struct{} // the pulse has changed
	once    sync.Once

	mu    sync.Mutex // of pulse
	pulse pulse
	known atomic.Bool // also in pulse

	owedMu sync.Mutex
	owed   []owedAck
}

var _ net.Conn = (*streamConn)(nil)

// newStream makes a connection that is not yet served; it counts from streams.add on. cut ends it at once.
func newStream(ep *Endpoint, network string, src, local netip.AddrPort, ours bool, cut func()) *streamConn {
	return &streamConn{
		ep: ep, network: network, src: src, local: local, id: newTag()[:10], cut: cut,
		reading: make(chan struct{}), queue: make(chan []byte, streamQueue), closing: make(chan struct{}),
		wake: make(chan struct{}, 1), pulse: pulse{ours: ours, pings: ours, opened: time.Now()},
	}
}

// serve starts the writer and hands the connection to sipgo. It returns when sipgo reads it, or with false.
func (c *streamConn) serve(on carriage, face net.Conn) bool {
	c.on = on
	if !c.ep.spawn(c.write) {
		c.drop()
		return false
	}
	if !c.ep.doors[c.network].enter(face) {
		c.stop()
		return false
	}
	select {
	case <-c.reading:
		return true
	case <-c.closing:
		return false
	}
}

// drop ends a connection that is not served.
func (c *streamConn) drop() {
	c.stop()
	c.cut()
	c.ep.streams.remove(c.ep, c)
}

// Read gives sipgo the next judged bytes; a message never ends in the middle of one.
func (c *streamConn) Read(p []byte) (int, error) {
	c.first.Do(func() { close(c.reading) })
	for len(c.pass) == 0 {
		data, err := c.on.next(c)
		if len(data) > 0 {
			v := c.ep.judge(data, arrival{
				source: c.src, local: c.local, network: c.network, stream: c.network == "TCP" || c.network == "TLS",
			})
			if v.reply != nil {
				c.send(v.reply)
			}
			c.pass = bytes.Clone(v.pass)
		}
		if err != nil {
			c.linger(err)
			return 0, c.end(err)
		}
	}
	n := copy(p, c.pass)
	c.pass = c.pass[n:]
	return n, nil
}

// linger leaves a moment for the answers to good messages that came before the damage: sipgo works on them beside us.
func (c *streamConn) linger(err error) {
	if !errors.Is(err, errFraming) && !errors.Is(err, errTooLong) {
		return
	}
	moment := time.NewTimer(streamLinger)
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-c.closing:
	}
}

// hear is called by the carriage when something has come; pong says that it answers a keep-alive.
func (c *streamConn) hear(pong bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulse.hear(time.Now())
	c.pulse.pongs = c.pulse.pongs || pong
}

// spoke is called by the carriage when a whole message has come.
func (c *streamConn) spoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulse.spoken, c.pulse.begun = true, time.Time{}
}

// begins is called by the carriage when what is there is the beginning of a message. Its deadline is set once.
func (c *streamConn) begins() {
	c.mu.Lock()
	first := c.pulse.begun.IsZero()
	if first {
		c.pulse.begun = time.Now()
	}
	c.mu.Unlock()
	if first {
		c.stir()
	}
}

// trust notes that the peer is known: registered, or with a call.
func (c *streamConn) trust() {
	if c.known.Swap(true) {
		return
	}
	c.mu.Lock()
	c.pulse.known = true
	c.mu.Unlock()
	c.ep.streams.trust(c)
}

func (c *streamConn) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end closes the connection for a reason and tells sipgo that it is over, quietly.
func (c *streamConn) end(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
		c.reap(err)
	}
	c.stop()
	return io.EOF
}

// reap counts a connection that we close for a reason of ours.
func (c *streamConn) reap(err error) {
	select {
	case <-c.closing:
		return // it was counted already
	default:
	}
	c.ep.count.reaped.Add(1)
	c.ep.log.Debug("stream closed", "network", c.network, "source", c.src.String(), "reason", err.Error())
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
		c.reap(errors.New("peer does not read"))
		c.cut()
		c.stop()
		return 0, errors.New("sip: peer does not read")
	}
}

func (c *streamConn) send(p []byte) { _, _ = c.Write(p) } // a lost answer is asked for again

// write is the goroutine that writes and watches the time, until stop or Close.
func (c *streamConn) write() {
	defer c.ep.settleOwed(c) // when it is removed
	defer c.ep.streams.remove(c.ep, c)
	defer c.cut()
	timer := time.NewTimer(streamFirst)
	defer timer.Stop()
	for {
		wait, alive := c.beat()
		if !alive {
			c.stop()
			return
		}
		timer.Reset(wait)
		select {
		case p := <-c.queue:
			if !c.writeOne(p) {
				c.stop()
				return
			}
		case <-timer.C:
		case <-c.wake:
		case <-c.closing:
			for {
				select {
				case p := <-c.queue:
					if !c.writeOne(p) {
						return
					}
				default:
					c.on.close()
					return
				}
			}
		}
	}
}

// beat does what is due and gives the time until something is due again.
func (c *streamConn) beat() (wait time.Duration, alive bool) {
	now := time.Now()
	c.mu.Lock()
	at, end := c.pulse.due()
	due := !at.After(now)
	if due && end == nil {
		c.pulse.ping(now)
		at, _ = c.pulse.due()
	}
	c.mu.Unlock()
	switch {
	case due && end != nil:
		if errors.Is(end, errSilent) || errors.Is(end, errNoPong) {
			c.ep.log.Warn("connection given up", "network", c.network, "peer", c.src.String(), "reason", end.Error())
		}
		c.reap(end)
		return 0, false
	case due:
		c.on.ping(c)
	}
	return max(at.Sub(now), time.Millisecond), true
}

func (c *streamConn) writeOne(p []byte) bool {
	if err := c.on.write(p); err != nil {
		return false
	}
	if len(p) < 20 {
		return true // a keep-alive
	}
	request := !bytes.HasPrefix(p, []byte("SIP/2.0 "))
	if request {
		c.mu.Lock()
		if !bytes.HasPrefix(p, []byte("ACK ")) {
			c.pulse.ask(time.Now())
		}
		c.mu.Unlock()
	}
	if !c.known.Load() && accepted(p, request) {
		c.trust()
	}
	c.ep.sent(c.network, c.local, c.src, p)
	return true
}

// accepted reports a message of ours that says that the peer is no stranger: that it has registered, or has a call.
func accepted(p []byte, request bool) bool {
	if request {
		return bytes.HasPrefix(p, []byte("INVITE "))
	}
	if !bytes.HasPrefix(p, []byte("SIP/2.0 2")) {
		return false
	}
	_, rest, ok := strings.Cut(string(p), "\r\nCSeq: ")
	line, _, _ := strings.Cut(rest, "\r\n")
	return ok && (strings.HasSuffix(line, " REGISTER") || strings.HasSuffix(line, " INVITE"))
}

// stop lets the writer finish what is queued and close.
func (c *streamConn) stop() { c.once.Do(func() { close(c.closing) }) }

// Close ends the connection when what is queued is written, or cannot be.
func (c *streamConn) Close() error {
	c.stop()
	return nil
}

// over reports whether the connection is being closed.
func (c *streamConn) over() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// LocalAddr is what the peer knows us by.
func (c *streamConn) LocalAddr() net.Addr { return flowAddr{c.local, c.id} }

// RemoteAddr is the peer's.
func (c *streamConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.src) }

// SetDeadline does nothing: the pulse has the deadlines. So do the other two.
func (*streamConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*streamConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*streamConn) SetWriteDeadline(time.Time) error { return nil }

// byteStream is TCP or TLS.
type byteStream struct {
	net.Conn
	frames framer
	chunk  []byte
	taken  int // of the message that was given last
}

func (b *byteStream) next(c *streamConn) ([]byte, error) {
	if b.taken > 0 {
		b.frames.take(b.taken)
		b.taken = 0
	}
	for {
		message, pings, head, err := b.frames.frame()
		for range pings {
			c.send([]byte("\r\n")) // RFC 5626 §3.5.1: pong
		}
		if err != nil {
			return head, err
		}
		if len(message) > 0 {
			b.taken = len(message)
			c.spoke()
			return message, nil
		}
		if b.frames.begun() {
			c.begins()
		}
		n, err := b.Read(b.chunk)
		if n == 0 && err != nil {
			return nil, err
		}
		b.frames.buf = append(b.frames.buf, b.chunk[:n]...)
		c.hear(b.frames.pinged && bytes.HasPrefix(b.chunk[:n], []byte("\r\n")))
	}
}

func (b *byteStream) write(p []byte) error {
	if err := b.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	_, err := b.Write(p)
	return err
}

func (*byteStream) ping(c *streamConn) { c.send([]byte("\r\n\r\n")) }

func (b *byteStream) close() {
	_ = b.SetDeadline(time.Now().Add(time.Second)) // TLS says good-bye, if there is room
	_ = b.Close()
}
