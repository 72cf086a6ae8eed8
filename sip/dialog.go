package sip

import (
	"net/netip"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
)

// dialog is the state that RFC 3261 §12 asks for, and where its messages go. It belongs to who works for its leg.
type dialog struct {
	callID              string
	localTag, remoteTag string
	local, remote       party
	target              sipgo.Uri   // the peer's Contact
	routes              []sipgo.Uri // in the order in which requests pass them
	localSeq, remoteSeq uint32

	network string         // UDP, TCP, TLS, WS or WSS
	laddr   netip.AddrPort // our socket, for UDP
	via     sipgo.Uri      // host and port that the peer should see
	source  netip.AddrPort // where the peer's messages come from
	sips    bool           // the peer called a sips URI: our Contact is one too
	behind  bool           // always answer to source: a device, whose Contact may be anything
}

// party is the address of one side as it stands in From or To.
type party struct {
	name string // as in a quoted string
	uri  sipgo.Uri
}

// contact is our Contact in this dialog.
func (d *dialog) contact() *sipgo.ContactHeader {
	u := sipgo.Uri{Scheme: "sip", User: "ullim", Host: d.via.Host, Port: d.via.Port}
	if d.network != "UDP" {
		u.UriParams = sipgo.HeaderParams{{K: "transport", V: uriTransport(d.network)}}
	}
	if d.sips { // RFC 3261 §12.1.1
		u.Scheme = "sips"
	}
	return &sipgo.ContactHeader{Address: u}
}

// dialogOfInvite is the dialog of an INVITE from the peer. RFC 3261 §12.1.1.
func dialogOfInvite(req *sipgo.Request, localTag string) dialog {
	d := dialog{
		callID: callIDOf(req), localTag: localTag, remoteTag: tagOf(req.From().Params),
		local:     party{name: req.To().DisplayName, uri: *req.To().Address.Clone()},
		remote:    party{name: req.From().DisplayName, uri: *req.From().Address.Clone()},
		remoteSeq: req.CSeq().SeqNo,
		network:   strings.ToUpper(req.Transport()), sips: req.Recipient.Scheme == "sips",
	}
	if c := req.Contact(); c != nil {
		d.target = *c.Address.Clone()
	} else {
		d.target = *req.From().Address.Clone()
	}
	for _, h := range req.GetHeaders("Record-Route") {
		if rr, ok := h.(*sipgo.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	return d
}

// confirm takes from a 2xx (or 1xx) to our INVITE what makes the dialog. RFC 3261 §12.1.2.
func (d *dialog) confirm(res *sipgo.Response) {
	d.remoteTag = tagOf(res.To().Params)
	if c := res.Contact(); c != nil {
		d.target = *c.Address.Clone()
	}
	d.routes = nil
	for _, h := range res.GetHeaders("Record-Route") {
		if rr, ok := h.(*sipgo.RecordRouteHeader); ok {
			d.routes = append([]sipgo.Uri{*rr.Address.Clone()}, d.routes...)
		}
	}
}

// refresh takes the peer's new Contact, and the address it now speaks from. RFC 3261 §12.2.2.
func (d *dialog) refresh(req *sipgo.Request) {
	if c := req.Contact(); c != nil && !c.Address.Wildcard {
		d.target = *c.Address.Clone()
	}
	d.heard(req.Source())
}

// moved takes the peer's new Contact from its answer to a request of ours that may change it. RFC 3261 §12.2.1.2.
func (d *dialog) moved(res *sipgo.Response) {
	if c := res.Contact(); c != nil && !c.Address.Wildcard {
		d.target = *c.Address.Clone()
	}
}

func (d *dialog) heard(source string) {
	if src, err := netip.ParseAddrPort(source); err == nil {
		d.source = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	}
}

// request builds a request inside the dialog. RFC 3261 §12.2.1.1.
func (d *dialog) request(ep *Endpoint, method sipgo.RequestMethod) *sipgo.Request {
	d.localSeq++
	return d.build(ep, method, d.localSeq)
}

// build is request for a CSeq that is already taken: of the INVITE that an ACK is for.
func (d *dialog) build(ep *Endpoint, method sipgo.RequestMethod, seq uint32) *sipgo.Request {
	ep.track(d)
	uri, routes := d.target, d.routes
	if len(routes) > 0 {
		if _, loose := routes[0].UriParams.Get("lr"); !loose { // strict routing: RFC 3261 §12.2.1.1
			uri = *routes[0].Clone()
			routes = append(append([]sipgo.Uri{}, routes[1:]...), d.target)
		}
	}
	uri.Headers = nil
	req := sipgo.NewRequest(method, uri)
	req.AppendHeader(ep.newVia(d))
	for _, r := range routes {
		req.AppendHeader(&sipgo.RouteHeader{Address: *r.Clone()})
	}
	forwards := sipgo.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	from := &sipgo.FromHeader{DisplayName: d.local.name, Address: *d.local.uri.Clone()}
	from.Params.Add("tag", d.localTag)
	req.AppendHeader(from)
	to := &sipgo.ToHeader{DisplayName: d.remote.name, Address: *d.remote.uri.Clone()}
	if d.remoteTag != "" {
		to.Params.Add("tag", d.remoteTag)
	}
	req.AppendHeader(to)
	callID := sipgo.CallIDHeader(d.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sipgo.CSeqHeader{SeqNo: seq, MethodName: method})
	if method == sipgo.INVITE || method == sipgo.UPDATE {
		req.AppendHeader(d.contact())
		req.AppendHeader(ep.allow())
	}
	req.AppendHeader(sipgo.NewHeader("User-Agent", ep.opt.UserAgent))
	req.SetBody(nil)
	d.direct(req)
	ep.noteWay(d)
	return req
}

// direct sets the way a request takes.
func (d *dialog) direct(req *sipgo.Request) {
	req.SetTransport(d.network)
	req.SetDestination(d.destination().String())
	if d.network == "UDP" {
		req.Laddr = sipgoAddr(d.laddr) // else sipgo would open a socket of its own
	}
}

// destination is the next hop: the first route or the target, if it is an IP address that the peer could mean from where
// we are, else where the peer's messages come from. A connection is used as it is.
func (d *dialog) destination() netip.AddrPort {
	if d.behind && len(d.routes) == 0 || d.network != "UDP" {
		return d.source
	}
	hop := &d.target
	if len(d.routes) > 0 {
		hop = &d.routes[0]
	}
	host, ok := hostAddr(hop.Host)
	if !ok || host.IsUnspecified() || host.IsMulticast() {
		return d.source
	}
	if d.source.IsValid() && host.Is4() != d.source.Addr().Is4() {
		return d.source
	}
	if inner(host) && !inner(d.source.Addr()) { // behind a NAT that did not rewrite it
		return d.source
	}
	port := hop.Port
	if port <= 0 || port > 65535 {
		port = sipgo.DefaultUdpPort
	}
	return netip.AddrPortFrom(host, uint16(port))
}
