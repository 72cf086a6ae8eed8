package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// How requests find their peer when the obvious way is not there: the connection is gone, or they are too large for UDP.
const (
	wayLife     = 2 * timerB
	maxWays     = 1 << 16
	largeUDP    = 1300            // RFC 3261 §18.1.1
	largeWait   = 2 * time.Second // for a TCP connection that a large request would take
	tcpWorks    = time.Hour
	tcpFails    = 10 * time.Minute
	maxTCPPeers = 4096

	retryMark = "again-" // in the branch of a request that was sent anew; tags have no hyphen
)

// way is how requests of a dialog may go if its connection is gone.
type way struct {
	hops  []hop   // to be opened, in this order: we may only with a trunk
	owner flowKey // a device's connection: to wait for its successor
}

// track lets a dialog with a device follow its registration: what is meant for a connection that was lost goes to the one
// that the device has registered from since.
func (ep *Endpoint) track(d *dialog) {
	if d.network != "UDP" && ep.streams.find(d.network, d.source) != nil || d.network == "UDP" && !d.behind {
		return
	}
	at, known, _ := ep.streams.successor(d.network, d.source)
	if !known || at == (flowKey{d.network, d.source}) {
		return
	}
	if at.network == "UDP" {
		g := ep.packetFor(at.peer.Addr())
		if g == nil {
			return
		}
		d.laddr, d.via = g.local, ep.face(g.local, at.peer)
	} else {
		c := ep.streams.find(at.network, at.peer)
		if c == nil {
			return
		}
		d.via = ep.face(c.local, at.peer)
	}
	d.network, d.source = at.network, at.peer
}

// noteWay remembers how to reach the peer of a dialog if its connection breaks while a request is under way.
func (ep *Endpoint) noteWay(d *dialog) {
	if d.network == "UDP" {
		return
	}
	w := way{owner: flowKey{d.network, d.source}}
	line, ours := ep.line(d.network, d.source)
	if !ours && !d.behind {
		t, _ := ep.opt.Trunks().MatchSource(d.source)
		ours = t != nil
	}
	if ours && (d.network == "TCP" || d.network == "TLS") {
		w.hops = ep.fallbacks(d, line)
	}
	ep.dialMu.Lock()
	defer ep.dialMu.Unlock()
	ep.ways.put(dialogKey{d.callID, d.localTag}, w, time.Now(), wayLife, maxWays)
}

// fallbacks are the places where the peer of a dialog over TCP or TLS can be connected to: the next hop of RFC 3261
// §12.2.1.1, then where we have connected to before; a peer whose Contact does not ask for TCP also takes UDP.
func (ep *Endpoint) fallbacks(d *dialog, line hop) []hop {
	var hops []hop
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	transport, _ := next.UriParams.Get("transport")
	if host, ok := hostAddr(next.Host); ok && d.usable(host) {
		port := next.Port
		if port <= 0 || port > 65535 {
			port = sipgo.DefaultPort(sipgo.NetworkToLower(d.network))
		}
		to := netip.AddrPortFrom(host, uint16(port))
		h, known := ep.line(d.network, to) // with its name and issuers
		if !known {
			h = line
		}
		h.network, h.addr = d.network, to
		hops = append(hops, h)
	}
	if line.addr.IsValid() && (len(hops) == 0 || hops[0].addr != line.addr) {
		hops = append(hops, line)
	}
	if d.network == "TCP" && transport == "" && len(hops) > 0 {
		hops = append(hops, hop{network: "UDP", addr: hops[0].addr})
	}
	return hops
}

// usable reports whether a host in the peer's Contact is one that it can be reached at from here.
func (d *dialog) usable(host netip.Addr) bool {
	switch {
	case host.IsUnspecified() || host.IsMulticast():
		return false
	case d.source.IsValid() && host.Is4() != d.source.Addr().Is4():
		return false
	case inner(host) && !inner(d.source.Addr()): // behind a NAT that did not rewrite it
		return false
	}
	return true
}

// detour takes over a request that cannot be sent at once. It calls then when it can be, with the request changed, or
// fail, from another goroutine. false: send it as it is.
func (ep *Endpoint) detour(req *sipgo.Request, then, fail func()) bool {
	if req.Method == sipgo.CANCEL { // goes where its INVITE went, or nowhere
		return false
	}
	if sipgo.NetworkToUpper(req.Transport()) == "UDP" {
		peer, ok := ep.tooLarge(req)
		if !ok || ep.streams.find("TCP", peer) != nil {
			if ok {
				ep.enlarge(req)
			}
			return false
		}
		return ep.spawn(func() {
			ep.enlarge(req)
			then()
		})
	}
	peer, ok := destinationOf(req)
	if !ok || ep.streams.find(sipgo.NetworkToUpper(req.Transport()), peer) != nil {
		return false
	}
	ep.dialMu.Lock()
	w, known := ep.ways.get(dialogKey{callIDOf(req), tagOf(req.From().Params)}, time.Now())
	ep.dialMu.Unlock()
	if !known {
		return false
	}
	return ep.spawn(func() {
		if ep.restore(req, w) {
			then()
			return
		}
		fail()
	})
}

func destinationOf(req *sipgo.Request) (netip.AddrPort, bool) {
	peer, err := netip.ParseAddrPort(req.Destination())
	return peer, err == nil
}

// restore makes a way for a request whose connection is gone.
func (ep *Endpoint) restore(req *sipgo.Request, w way) bool {
	for _, h := range w.hops {
		err := ep.aimAt(ep.ctx, req, h)
		if err == nil {
			ep.count.restored.Add(1)
			return true
		}
		ep.log.Info("way to the peer of a dialog not restored", "call_id", callIDOf(req), "peer", h.addr.String(), "error", err)
	}
	if len(w.hops) > 0 {
		return false
	}
	// A browser comes back within seconds, or does not. Its connection is never ours to open.
	giveUp := time.NewTimer(timerB)
	defer giveUp.Stop()
	for {
		at, known, moved := ep.streams.successor(w.owner.network, w.owner.peer)
		if !known {
			return false
		}
		if at != w.owner && ep.aimAt(ep.ctx, req, hop{network: at.network, addr: at.peer, flow: true}) == nil {
			ep.count.restored.Add(1)
			return true
		}
		select {
		case <-moved:
		case <-giveUp.C:
			return false
		case <-ep.ctx.Done():
			return false
		}
	}
}

// aimAt sends a request that is ready another way: to a hop, with a Via that says so. RFC 3261 §18.1.1.
func (ep *Endpoint) aimAt(ctx context.Context, req *sipgo.Request, h hop) error {
	laddr, face, err := ep.reach(ctx, h)
	if err != nil {
		return err
	}
	via := req.Via()
	via.Transport, via.Host, via.Port = h.network, strings.Trim(face.Host, "[]"), face.Port
	req.SetTransport(h.network)
	req.SetDestination(h.addr.String())
	req.Laddr = sipgo.Addr{}
	if h.network == "UDP" {
		req.Laddr = sipgoAddr(laddr)
	}
	return nil
}

// again is a request whose connection broke before its answer came, to be sent once more over another one: a BYE must
// not be lost. nil: that is not so, or it was done already.
func (ep *Endpoint) again(req *sipgo.Request, err error) *sipgo.Request {
	branch, _ := req.Via().Params.Get("branch")
	if !errors.Is(err, sipgo.ErrTransactionTransport) || req.Method == sipgo.CANCEL || req.Method == sipgo.INVITE ||
		strings.HasPrefix(branch, ep.prefix+retryMark) || ep.ctx.Err() != nil {
		return nil
	}
	c := req.Clone()
	c.Via().Params.Add("branch", ep.prefix+retryMark+newTag())
	c.SetTransport(req.Transport())
	c.SetDestination(req.Destination())
	return c
}

// sizer counts bytes.
type sizer int

// WriteString counts.
func (s *sizer) WriteString(text string) (int, error) {
	*s += sizer(len(text))
	return len(text), nil
}

// tooLarge reports a request that should not go over UDP, to a peer that we may connect to. RFC 3261 §18.1.1.
func (ep *Endpoint) tooLarge(req *sipgo.Request) (peer netip.AddrPort, ok bool) {
	if sipgo.NetworkToUpper(req.Transport()) != "UDP" {
		return peer, false
	}
	var size sizer
	req.StringWrite(&size)
	if size <= largeUDP {
		return peer, false
	}
	peer, err := netip.ParseAddrPort(req.Destination())
	if err != nil {
		return peer, false
	}
	if _, ours := ep.line("UDP", peer); !ours {
		if t, _ := ep.opt.Trunks().MatchSource(peer); t == nil {
			return peer, false
		}
	}
	ep.dialMu.Lock()
	works, known := ep.tcpPeers.get(peer, time.Now())
	ep.dialMu.Unlock()
	return peer, works || !known
}

// enlarge moves a request that is too large for UDP to TCP if the peer has that. It may wait for largeWait, the first time. The next small request goes over UDP again: only this one is changed.
func (ep *Endpoint) enlarge(req *sipgo.Request) {
	peer, ok := ep.tooLarge(req)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ep.ctx, largeWait)
	defer cancel()
	err := ep.aimAt(ctx, req, hop{network: "TCP", addr: peer})
	ep.noteTCP(peer, err == nil)
	if err != nil {
		ep.log.Warn("large request goes over UDP: the peer has no TCP", "call_id", callIDOf(req), "method", string(req.Method),
			"peer", peer.String(), "error", err, "again_in", tcpFails.String())
	}
}

func (ep *Endpoint) noteTCP(peer netip.AddrPort, works bool) {
	life := tcpFails
	if works {
		life = tcpWorks
	}
	ep.dialMu.Lock()
	defer ep.dialMu.Unlock()
	ep.tcpPeers.put(peer, works, time.Now(), life, maxTCPPeers)
}
