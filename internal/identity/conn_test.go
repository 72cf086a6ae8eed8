package identity_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// oneConn is a listener with one connection whose client has sent a request and waits.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
	end    sync.Once
}

func newOneConn(wire []byte) *oneConn {
	l := &oneConn{closed: make(chan struct{})}
	l.conn = &wireConn{r: bytes.NewReader(wire), l: l}
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.once.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, io.EOF
}

func (l *oneConn) Close() error   { l.end.Do(func() { close(l.closed) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

type wireConn struct {
	r *bytes.Reader
	l *oneConn
}

func (c *wireConn) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *wireConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *wireConn) Close() error                { return c.l.Close() }
func (c *wireConn) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (c *wireConn) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1234} }

func (*wireConn) SetDeadline(time.Time) error      { return nil }
func (*wireConn) SetReadDeadline(time.Time) error  { return nil }
func (*wireConn) SetWriteDeadline(time.Time) error { return nil }
