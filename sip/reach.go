package sip

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/errs"
)

// dialTime is how long a connection may take to be there, its handshake included.
const dialTime = 5 * time.Second

// dialing is a connection that is being opened; whoever wants the same waits for it.
type dialing struct {
	done chan struct{}
	c    *streamConn
	err  error
}

// reach prepares the way to a hop: the socket for UDP; for a stream the connection that is there, or, unless only that
// may be used, a new one. laddr is our socket's address, to be set as the request's Laddr for UDP; via is the host and
// port that the peer should see. It may wait: up to dialTime, less if ctx says so.
func (ep *Endpoint) reach(ctx context.Context, h hop) (laddr netip.AddrPort, via sipgo.Uri, err error) {
	h.network = sipgo.NetworkToUpper(h.network)
	if h.network == "UDP" {
		g := ep.packetFor(h.addr.Addr())
		if g == nil {
			return laddr, via, errs.New(errs.Unavailable, "no UDP socket of the address family of %s", h.addr)
		}
		if !h.flow {
			ep.remember(h)
		}
		return g.local, ep.face(g.local, h.addr), nil
	}
	c, err := ep.connection(ctx, h)
	if err != nil {
		return laddr, via, err
	}
	return c.local, ep.face(c.local, h.addr), nil
}

// connection is the connection for a hop. The browser's and the phone's are theirs to open, a trunk's ours.
func (ep *Endpoint) connection(ctx context.Context, h hop) (*streamConn, error) {
	if c := ep.streams.find(h.network, h.addr); c != nil {
		if c.good(h) {
			return c, nil
		}
		c.cut() // it was not verified, or as somebody else: the hop shall have one of its own
		c.stop()
	}
	if h.flow || h.network != "TCP" && h.network != "TLS" {
		return nil, errs.New(errs.Unavailable, "the connection of %s is gone", h.addr)
	}
	key := flowKey{h.network, h.addr}
	ep.dialMu.Lock()
	d := ep.dials[key]
	if c := ep.streams.find(h.network, h.addr); d == nil && c != nil { // somebody was quicker
		ep.dialMu.Unlock()
		return c, nil
	}
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		started := ep.spawn(func() {
			d.c, d.err = ep.dial(ep.ctx, h)
			ep.dialMu.Lock()
			delete(ep.dials, key)
			ep.dialMu.Unlock()
			close(d.done)
		})
		if !started {
			ep.dialMu.Unlock()
			return nil, errs.New(errs.Unavailable, "endpoint is closed")
		}
		ep.dials[key] = d
	}
	ep.dialMu.Unlock()
	select {
	case <-d.done:
		return d.c, d.err
	case <-ctx.Done():
		return nil, errs.New(errs.Unavailable, "connection to %s: %v", h.addr, context.Cause(ctx))
	}
}

// good reports whether a connection is what a hop asks for: verified, and as the right server. One that the peer has
// opened is the peer's.
func (c *streamConn) good(h hop) bool {
	return !c.pulse.ours || c.network != "TLS" || h.insecure || !c.line.insecure && c.line.server == h.server
}

// dial opens a connection for a hop, verifies it, and gives it to sipgo.
func (ep *Endpoint) dial(ctx context.Context, h hop) (*streamConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	from := ep.boundFor(h.addr.Addr())
	conn, err := ep.opt.Dial(ctx, from, h.addr)
	if err != nil {
		ep.count.dialFailed.Add(1)
		return nil, errs.New(errs.Unavailable, "%s connection to %s: %v", h.network, h.addr, err)
	}
	local, ok := addrPort(conn.LocalAddr())
	if port := ep.listenPort(h.network); ok && port != 0 {
		local = netip.AddrPortFrom(local.Addr(), port) // where the peer may connect to us
	}
	c := newStream(ep, h.network, h.addr, local, true, func() { _ = conn.Close() })
	c.line = h
	if !ep.streams.add(ep, c) {
		_ = conn.Close()
		return nil, errs.New(errs.Unavailable, "no room for another connection")
	}
	on := conn
	if h.network == "TLS" {
		if h.insecure {
			ep.log.Warn("the certificate of a trunk is not verified, as configured", "peer", h.addr.String(), "server", h.server)
		}
		if on, err = ep.shake(ctx, conn, tls.Client(conn, ep.clientTLS(h))); err != nil {
			ep.count.dialFailed.Add(1)
			c.drop()
			return nil, errs.New(errs.Unavailable, "TLS with %s (%s): %v", h.addr, serverName(h), err)
		}
	}
	if !ep.streams.enter(c) || !c.serve(newByteStream(on, true), c) {
		c.drop()
		return nil, errs.New(errs.Unavailable, "connection to %s closed at once", h.addr)
	}
	ep.remember(h)
	ep.log.Info("connected", "network", h.network, "peer", h.addr.String(), "server", h.server)
	return c, nil
}

// clientTLS verifies chain and name unless the trunk says otherwise. Threat 8.
func (ep *Endpoint) clientTLS(h hop) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: serverName(h), RootCAs: h.roots, GetClientCertificate: ep.opt.ClientCertificate,
		InsecureSkipVerify: h.insecure, //nolint:gosec // a trunk may be set so; it is logged
	}
}

// serverName is what the certificate must be for: the configured name, else the address.
func serverName(h hop) string {
	if h.server != "" {
		return strings.TrimSuffix(h.server, ".")
	}
	return h.addr.Addr().String()
}

// dialTCP is the default of Options.Dial.
func dialTCP(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}

// boundFor is the address that our sockets of a family are bound to, so that a carrier sees what it has on its list; not
// valid if that is any.
func (ep *Endpoint) boundFor(peer netip.Addr) netip.Addr {
	for _, l := range ep.listeners {
		if ap, ok := addrPort(l.Addr()); ok && leadsTo(ap.Addr(), peer) {
			return ap.Addr()
		}
	}
	if g := ep.packetFor(peer); g != nil && leadsTo(g.local.Addr(), peer) {
		return g.local.Addr()
	}
	return netip.Addr{}
}

// leadsTo reports whether a socket bound to an address can reach a peer.
func leadsTo(local, peer netip.Addr) bool {
	return local.Is4() == peer.Is4() && !local.IsUnspecified() && local.IsLoopback() == peer.IsLoopback()
}

// How long it is remembered where we have connected to, and how: for a request of a dialog that outlives its
// connection.
const (
	lineLife = 48 * time.Hour
	maxLines = 4096
)

// remember keeps how a peer was connected to.
func (ep *Endpoint) remember(h hop) {
	ep.dialMu.Lock()
	defer ep.dialMu.Unlock()
	if h.network == "UDP" {
		if _, known := ep.lines.get(flowKey{h.network, h.addr}, time.Now()); known {
			return
		}
	}
	line := hop{network: h.network, addr: h.addr, server: h.server, insecure: h.insecure, roots: h.roots}
	ep.lines.put(flowKey{h.network, h.addr}, line, time.Now(), lineLife, maxLines)
}

// line is how a peer was connected to.
func (ep *Endpoint) line(network string, peer netip.AddrPort) (hop, bool) {
	ep.dialMu.Lock()
	defer ep.dialMu.Unlock()
	return ep.lines.get(flowKey{network, peer}, time.Now())
}
