package sip

import (
	"context"
	"net/netip"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/errs"
)

// reach opens or finds what a hop is reached by: the socket that we send from, and the host and port that the peer should
// see. It may wait.
func (ep *Endpoint) reach(_ context.Context, h hop) (laddr netip.AddrPort, via sipgo.Uri, err error) {
	if h.network == "UDP" {
		g := ep.packetFor(h.addr.Addr())
		if g == nil {
			return laddr, via, errs.New(errs.Unavailable, "no UDP socket of the peer's address family")
		}
		return g.local, ep.face(g.local, h.addr), nil
	}
	conn, err := ep.transports.GetConnection(h.network, h.addr.String())
	if err != nil {
		return laddr, via, errs.Wrap(err, errs.Unavailable, "the peer's connection is gone")
	}
	laddr, _ = addrPort(conn.LocalAddr())
	_, _ = conn.TryClose() // gives the reference back
	return laddr, ep.face(netip.AddrPortFrom(laddr.Addr(), ep.listenPort()), h.addr), nil
}
