package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// listenGuard is one TCP or TLS listener of ours.
type listenGuard struct {
	net.Listener
	ep     *Endpoint
	secure *tls.Config // nil: TCP
}

// serve accepts until the listener is closed. Nothing that a peer does or leaves undone holds it up.
func (g *listenGuard) serve() {
	for {
		conn, err := g.Accept()
		switch {
		case err == nil:
			g.ep.accept(conn, g.secure)
		case errors.Is(err, net.ErrClosed) || g.ep.ctx.Err() != nil:
			return
		default:
			g.ep.log.Warn("accept failed", "local", g.Addr().String(), "error", err)
			select { // too many open files, most likely: it passes
			case <-time.After(readErrorWait):
			case <-g.ep.ctx.Done():
				return
			}
		}
	}
}

// accept serves a connection that somebody has opened to us, if there is room for it.
func (ep *Endpoint) accept(conn net.Conn, secure *tls.Config) {
	src, ok := addrPort(conn.RemoteAddr())
	local, okLocal := addrPort(conn.LocalAddr())
	network := "TCP"
	if secure != nil {
		network = "TLS"
	}
	c := newStream(ep, network, src, local, false, func() { _ = conn.Close() })
	if !ok || !okLocal || !ep.streams.add(ep, c) {
		ep.count.reaped.Add(1)
		_ = conn.Close()
		return
	}
	started := ep.spawn(func() {
		on := conn
		if secure != nil {
			var err error
			if on, err = ep.shake(ep.ctx, conn, tls.Server(conn, secure)); err != nil {
				ep.log.Debug("tls handshake failed", "source", src.String(), "error", err)
				c.drop()
				return
			}
		}
		if !ep.streams.enter(c) {
			c.drop()
			return
		}
		c.serve(newByteStream(on, false), c)
	})
	if !started {
		c.drop()
	}
}

// shake does the handshake of TLS within its time.
func (ep *Endpoint) shake(ctx context.Context, conn net.Conn, secure *tls.Conn) (net.Conn, error) {
	err := conn.SetDeadline(time.Now().Add(streamHandshake))
	if err == nil {
		err = secure.HandshakeContext(ctx)
	}
	if err != nil {
		ep.count.handshakes.Add(1)
		return nil, err
	}
	return secure, conn.SetDeadline(time.Time{})
}

func newByteStream(conn net.Conn, ours bool) *byteStream {
	return &byteStream{Conn: conn, frames: framer{pinged: ours}, chunk: make([]byte, 4096)}
}
