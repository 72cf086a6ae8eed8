package siptest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// socket lets a phone speak over streams as if over datagrams: it is a net.PacketConn of whole messages. Connections are
// opened when there is something to send and none is there.
type socket struct {
	o      PhoneOptions
	local  netip.AddrPort
	listen net.Listener // of TCP and TLS; nil for WebSocket

	ctx    context.Context //nolint:containedctx // the life of the socket
	cancel context.CancelFunc
	wg     sync.WaitGroup
	in     chan socketMessage

	mu    sync.Mutex
	conns map[netip.AddrPort]*socketConn
}

type socketMessage struct {
	from *net.UDPAddr
	b    []byte
}

// socketConn is one connection.
type socketConn struct {
	net.Conn
	peer netip.AddrPort
	mu   sync.Mutex // of writing
}

var _ net.PacketConn = (*socket)(nil)

func openSocket(o PhoneOptions) (*socket, error) {
	s := &socket{o: o, in: make(chan socketMessage, 1024), conns: map[netip.AddrPort]*socketConn{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if o.Transport == "WS" || o.Transport == "WSS" {
		s.local, _ = netip.ParseAddrPort(o.Local)
		return s, nil
	}
	listen := o.ListenStream
	if listen == nil {
		listen = func(addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
		}
	}
	var err error
	if s.listen, err = listen(o.Local); err != nil {
		return nil, err
	}
	s.local, err = netip.ParseAddrPort(s.listen.Addr().String())
	s.wg.Go(s.accept)
	return s, err
}

func (s *socket) accept() {
	for {
		conn, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			if s.o.Transport == "TLS" {
				secure := tls.Server(conn, s.o.TLS)
				if secure.HandshakeContext(s.ctx) != nil {
					_ = conn.Close()
					return
				}
				conn = secure
			}
			peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
			if err == nil {
				s.serve(conn, unmap(peer))
			}
		})
	}
}

// serve adds a connection and reads it until it ends.
func (s *socket) serve(conn net.Conn, peer netip.AddrPort) *socketConn {
	c := &socketConn{Conn: conn, peer: peer}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		_ = conn.Close()
		return c
	}
	s.conns[peer] = c
	s.wg.Go(func() { s.read(c) })
	return c
}

func (s *socket) read(c *socketConn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		if s.conns[c.peer] == c {
			delete(s.conns, c.peer)
		}
		s.mu.Unlock()
	}()
	from := net.UDPAddrFromAddrPort(c.peer)
	var buf []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := c.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			message, rest, pings := cutMessage(buf)
			for range pings {
				_ = c.write([]byte("\r\n"))
			}
			buf = rest
			if message == nil {
				break
			}
			select {
			case s.in <- socketMessage{from, message}:
			case <-s.ctx.Done():
				return
			}
		}
		if n == 0 && err != nil {
			return
		}
	}
}

// cutMessage takes the first whole message from a stream.
func cutMessage(buf []byte) (message, rest []byte, pings int) {
	for bytes.HasPrefix(buf, []byte("\r\n")) {
		if bytes.HasPrefix(buf, []byte("\r\n\r\n")) {
			pings++
			buf = buf[2:]
		}
		buf = buf[2:]
	}
	end := bytes.Index(buf, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, buf, pings
	}
	size := end + 4
	for line := range strings.SplitSeq(string(buf[:end]), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			n, _ := strconv.Atoi(strings.TrimSpace(value))
			size += n
		}
	}
	if size > len(buf) {
		return nil, buf, pings
	}
	return bytes.Clone(buf[:size]), buf[size:], pings
}

func (c *socketConn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Write(b)
	return err
}

// dial opens a connection for the phone's transport.
func (s *socket) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	dial := s.o.Dial
	if dial == nil {
		dial = func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}).DialContext(ctx, "tcp", to.String())
		}
	}
	raw := func(ctx context.Context) (net.Conn, error) { return dial(ctx, s.local.Addr(), to) }
	switch s.o.Transport {
	case "TLS":
		conn, err := raw(ctx)
		if err != nil {
			return nil, err
		}
		config := s.o.TLS.Clone()
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if config.ServerName == "" {
			config.ServerName = to.Addr().String()
		}
		secure := tls.Client(conn, config)
		if err = secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	case "WS", "WSS":
		return s.dialWebSocket(ctx, to, raw)
	}
	return raw(ctx)
}

// dialWebSocket does the opening handshake of RFC 7118 §4.1.
func (s *socket) dialWebSocket(ctx context.Context, to netip.AddrPort, raw func(context.Context) (net.Conn, error)) (net.Conn, error) {
	t := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return raw(ctx) },
		TLSClientConfig:   s.o.TLS,
		DisableKeepAlives: true,
	}
	header := http.Header{}
	if s.o.Origin != "" {
		header.Set("Origin", s.o.Origin)
	}
	ws, res, err := websocket.Dial(ctx, strings.ToLower(s.o.Transport)+"://"+to.String()+"/sip", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: t}, HTTPHeader: header, Subprotocols: []string{"sip"},
	})
	if err != nil {
		return nil, err
	}
	if res.Body != nil {
		_ = res.Body.Close() // an upgraded connection's does nothing
	}
	if ws.Subprotocol() != "sip" {
		return nil, errors.Join(errors.New("siptest: the server did not choose the subprotocol sip"), ws.CloseNow())
	}
	return websocket.NetConn(s.ctx, ws, websocket.MessageText), nil //nolint:contextcheck // it outlives the dialling
}

// ReadFrom gives the next message.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case m := <-s.in:
		return copy(p, m.b), m.from, nil
	case <-s.ctx.Done():
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a message over the connection to an address, which it opens if there is none.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("siptest: the destination is no *net.UDPAddr")
	}
	peer := unmap(u.AddrPort())
	s.mu.Lock()
	c := s.conns[peer]
	s.mu.Unlock()
	if c == nil {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		conn, err := s.dial(ctx, peer)
		if err != nil {
			return 0, err
		}
		c = s.serve(conn, peer)
	}
	return len(b), c.write(b)
}

// drop closes every connection, and says nothing.
func (s *socket) drop() {
	s.mu.Lock()
	var list []*socketConn
	for _, c := range s.conns {
		list = append(list, c)
	}
	clear(s.conns)
	s.mu.Unlock()
	for _, c := range list {
		_ = c.Close()
	}
}

// Close ends everything and waits.
func (s *socket) Close() error {
	s.cancel()
	if s.listen != nil {
		_ = s.listen.Close()
	}
	s.drop()
	s.wg.Wait()
	return nil
}

// LocalAddr is where the phone listens, or would.
func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.local) }

// SetDeadline does nothing.
func (*socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*socket) SetWriteDeadline(time.Time) error { return nil }
