package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// The UDP side of the guard. sipgo remembers every source address for as long as one reader lives, so a reader is
// replaced when it has seen maxSources of them; it lingers a while, so that answers still find their way.
const (
	maxSources    = 8192
	sourceLinger  = 5 * time.Second
	packetRoom    = 32 << 10 // what sipgo reads at once
	readErrorWait = 100 * time.Millisecond

	// maxTransactions is how many requests of half a minute may be remembered before strangers are shed: some 200 MB.
	maxTransactions = 20000

	// knownTransactions may be as many more for those who are known: what strangers fill up is not theirs (R21).
	knownTransactions = 10000
)

// arrival is where a message came from.
type arrival struct {
	source  netip.AddrPort
	local   netip.AddrPort
	network string
	stream  bool // of bytes: Content-Length is the only end that a message has
	shed    bool // more than its source may send: 503 at best
}

// verdict is what becomes of a message: pass is what sipgo may see, reply what goes back, both perhaps nil.
type verdict struct {
	pass  []byte
	reply []byte
	to    netip.AddrPort // where reply goes over UDP
}

// judge decides on one whole message. It runs in the order of the wire, before sipgo has seen the message. A panic is
// contained to the message.
func (ep *Endpoint) judge(data []byte, in arrival) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			ep.panicked("guard", p)
			v = verdict{}
		}
	}()
	ep.count.received.Add(1)
	size := len(data)
	if in.network != "" && in.network != "UDP" {
		size = 0 // a connection has its own bounds, and nobody can claim another's address on it
	}
	switch ep.trust.admit(in.source, size, time.Now()) {
	case admitDrop:
		ep.count.dropped.Add(1)
		ep.count.rateLimited.Add(1)
		return verdict{}
	case admitShed:
		in.shed = true
	case admitPass:
	}
	m, ok := scanMessage(data)
	if !ok {
		ep.offence(in.source, malformed, "not SIP")
		ep.count.dropped.Add(1)
		return verdict{}
	}
	if ep.opt.OnMessage != nil {
		ep.opt.OnMessage(Message{At: time.Now(), Network: in.network, Local: in.local, Remote: in.source, Raw: data})
	}
	if m.method != "" && m.method != "ACK" {
		if r := ep.shed(m, in); r != nil {
			return ep.refuse(m, r, in)
		}
	}
	if r := m.check(in); r != nil {
		if r.code != 0 {
			ep.count.malformed.Add(1)
		}
		return ep.refuse(m, r, in)
	}
	if m.method == "" {
		if via, _ := m.get("via"); !ep.ownBranch(viaParam(firstValue(via), "branch")) {
			ep.count.dropped.Add(1) // an answer to a question that we did not ask
			return verdict{}
		}
	}
	out := m.bytes(data)
	msg, err := ep.parser.ParseSIP(out)
	if err != nil {
		ep.count.malformed.Add(1)
		r := bad(err.Error())
		if m.method == "" || m.method == "ACK" {
			r = &refusal{why: r.why}
		}
		return ep.refuse(m, r, in)
	}
	if !in.stream && len(out) > packetRoom {
		ep.count.malformed.Add(1)
		return ep.refuse(m, &refusal{code: 513, reason: "Message Too Large", why: "over 32 KiB in one packet"}, in)
	}
	if req, isRequest := msg.(*sipgo.Request); isRequest {
		return ep.intercept(m, req, out, in)
	}
	if res, ok := msg.(*sipgo.Response); ok && ep.refusedAgain(res) {
		return verdict{}
	}
	return verdict{pass: out}
}

// refusedAgain answers copies of a refusal of an INVITE of ours with a copy of its ACK. RFC 3261 §17.1.1.2. The library
// would do so after four seconds only, during which it holds the transaction's lock.
func (ep *Endpoint) refusedAgain(res *sipgo.Response) bool {
	if res.StatusCode < 300 || res.CSeq().MethodName != sipgo.INVITE {
		return false
	}
	branch, _ := res.Via().Params.Get("branch")
	ack, again := ep.index.refusal(branch)
	if ack != nil {
		ep.ackRefusal(ack)
	}
	return again
}

// refused keeps the ACK of a refusal for copies of it, and sends those that copies are owed already. The library has sent
// the first.
func (ep *Endpoint) refused(invite *sipgo.Request, res *sipgo.Response) {
	branch, _ := invite.Via().Params.Get("branch")
	ack := ackOfRefusal(invite, res)
	for range ep.index.keepAck(branch, ack) {
		ep.ackRefusal(ack)
	}
}

func (ep *Endpoint) ackRefusal(ack *sipgo.Request) {
	if err := ep.transports.WriteMsg(ack.Clone()); err != nil {
		ep.log.LogAttrs(context.Background(), slogInfo, "ack not sent", callIDAttr(ack), errAttr(err))
	}
}

// shed refuses a request from a source that sends too many, or from any stranger when there are too many transactions
// in all, before anything is done for it. Trunks known by their address have limits of their own.
func (ep *Endpoint) shed(m *rawMessage, in arrival) *refusal {
	now := time.Now()
	ok, wait, room := !in.shed, time.Second, int64(maxTransactions)
	if ep.trust.level(in.source, now) != trustUnknown {
		room += knownTransactions
	} else if ok {
		if sign := scannerSign(m); sign != "" {
			ep.offence(in.source, scanner, sign)
			return &refusal{why: sign}
		}
		ok, wait = ep.opt.Limits.AllowRequest(in.source.Addr(), now)
	}
	if ep.count.transactions.Load() > room {
		to, _ := m.get("to")
		ok = ok && strings.Contains(to, "tag=") // what is in a dialog goes on
	}
	if ok {
		return nil
	}
	if t, _ := ep.opt.Trunks().MatchSource(in.source); t != nil {
		return nil
	}
	ep.count.rateLimited.Add(1)
	switch m.method {
	case "INVITE", "REGISTER", "OPTIONS":
	default:
		return &refusal{why: "too many requests"}
	}
	if !ep.shedAnswers.allow(now) { // an answer to each would double the flood
		return &refusal{why: "too many requests"}
	}
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	return &refusal{
		code: 503, reason: "Service Unavailable", headers: []string{"Retry-After: " + strconv.Itoa(seconds)},
		why: "too many requests from this source",
	}
}

// refuse makes the stateless answer, or silence.
func (ep *Endpoint) refuse(m *rawMessage, r *refusal, in arrival) verdict {
	if m.method == "INVITE" && r.code != 0 {
		ep.count.refused.Add(1)
		callID, _ := m.get("call-id")
		from, _ := m.get("from")
		ep.logRefused(refusedInvite{
			code: r.code, why: r.why, callID: callID, source: in.source.String(), from: from, to: m.uri,
		})
	}
	if r.code >= 400 && r.code < 500 {
		ep.offence(in.source, malformed, r.why)
	}
	if r.code == 0 {
		ep.count.dropped.Add(1)
		return verdict{}
	}
	return ep.reply(m, r, statelessTag(ep.secret, m), in)
}

func (ep *Endpoint) reply(m *rawMessage, r *refusal, toTag string, in arrival) verdict {
	via, _ := m.get("via")
	return verdict{reply: m.answer(r, toTag, ep.opt.UserAgent, in.source), to: answerTo(via, in.source)}
}

// intercept takes out of the wire's order what sipgo would answer too early or in the wrong order, and passes the rest.
func (ep *Endpoint) intercept(m *rawMessage, req *sipgo.Request, out []byte, in arrival) verdict {
	switch req.Method {
	case sipgo.CANCEL:
		// RFC 3261 §9.2: answered for itself, hop by hop; what it cancels is up to the leg.
		found, toTag := ep.cancelInvite(req, in.source)
		r := &refusal{code: 200, reason: "OK"}
		if !found {
			r = &refusal{code: 481, reason: "Call/Transaction Does Not Exist"}
		}
		if toTag == "" {
			toTag = statelessTag(ep.secret, m)
		}
		return ep.reply(m, r, toTag, in)
	case sipgo.ACK:
		// Only the ACK of a refusal belongs to a transaction. RFC 3261 §13.3.1.4: the ACK of a 200 is the dialog's.
		if leg := ep.index.leg(callIDOf(req), tagOf(req.To().Params)); leg != nil {
			leg.ack(req)
		}
		if !ep.index.knowsInvite(txKey(req)) {
			return verdict{}
		}
	case sipgo.INVITE:
		if leg := ep.index.noteInvite(req, in.source); leg != nil {
			leg.inviteAgain(req.CSeq().SeqNo)
		}
	default:
	}
	return verdict{pass: out}
}

// cancelInvite finds the INVITE that a CANCEL is for and tells its leg.
func (ep *Endpoint) cancelInvite(req *sipgo.Request, source netip.AddrPort) (found bool, toTag string) {
	leg, toTag, found := ep.index.cancel(txKey(req), source)
	if leg != nil {
		leg.cancelled(req.CSeq().SeqNo)
	}
	return found, toTag
}

// packetGuard is one UDP socket of ours with the guard before it.
type packetGuard struct {
	ep    *Endpoint
	conn  net.PacketConn
	local netip.AddrPort
	done  chan struct{} // closed by close
	once  sync.Once
}

func (g *packetGuard) close() {
	g.once.Do(func() {
		close(g.done)
		_ = g.conn.Close() // nobody waits for anything from it any more
	})
}

// packetView is the socket as one reader of sipgo sees it.
type packetView struct {
	*packetGuard
	reading chan struct{} // closed when sipgo reads for the first time
	first   sync.Once
	from    packetReader
	buf     []byte
	sources map[netip.AddrPort]peerAddr
}

var _ net.PacketConn = (*packetView)(nil)

func (g *packetGuard) view() *packetView {
	return &packetView{
		packetGuard: g, reading: make(chan struct{}), from: readerOf(g.conn), buf: make([]byte, maxMessage),
		sources: make(map[netip.AddrPort]peerAddr),
	}
}

// serve runs sipgo's reader on a new view and returns when it reads.
func (g *packetGuard) serve() {
	v := g.view()
	stopped := make(chan struct{})
	ok := g.ep.spawn(func() {
		defer close(stopped)
		if err := g.ep.transports.ServeUDP(v); err != nil {
			g.ep.log.Error("udp listener failed", "local", g.local.String(), "error", err)
		}
	})
	if !ok {
		return
	}
	select {
	case <-v.reading:
	case <-stopped:
	}
}

// ReadFrom gives the next message that sipgo may see.
func (v *packetView) ReadFrom(p []byte) (int, net.Addr, error) {
	v.first.Do(func() { close(v.reading) })
	if len(v.sources) >= maxSources {
		v.serve() // the successor reads from here on
		select {
		case <-time.After(sourceLinger):
		case <-v.done:
		}
		return 0, nil, net.ErrClosed
	}
	for {
		n, src, err := v.from.read(v.buf)
		if err != nil {
			if v.over(err) {
				return 0, nil, net.ErrClosed
			}
			continue
		}
		if !src.IsValid() || keepAlive(v.buf[:n]) {
			continue
		}
		j := v.ep.judge(v.buf[:n], arrival{source: src, local: v.local, network: "UDP"})
		if j.reply != nil {
			_, _ = v.WriteTo(j.reply, net.UDPAddrFromAddrPort(j.to)) // a lost answer is asked for again
		}
		if j.pass == nil || len(j.pass) > len(p) {
			continue
		}
		addr, known := v.sources[src]
		if !known {
			addr = newPeerAddr(src)
			v.sources[src] = addr
		}
		return copy(p, j.pass), addr, nil
	}
}

// over reports whether a read error is the end; another one costs a short pause.
func (v *packetView) over(err error) bool {
	select {
	case <-v.done:
		return true
	default:
	}
	if errors.Is(err, net.ErrClosed) {
		return true
	}
	v.ep.log.Warn("udp read failed", "local", v.local.String(), "error", err)
	select {
	case <-v.done:
		return true
	case <-time.After(readErrorWait):
		return false
	}
}

// WriteTo sends.
func (v *packetView) WriteTo(p []byte, addr net.Addr) (int, error) {
	if v.ep.opt.OnMessage != nil {
		if to, ok := addrPort(addr); ok {
			v.ep.sent("UDP", v.local, to, p)
		}
	}
	return v.conn.WriteTo(p, addr)
}

// LocalAddr is the socket's.
func (v *packetView) LocalAddr() net.Addr { return v.conn.LocalAddr() }

// Close does nothing: the socket is the endpoint's, not a reader's.
func (*packetView) Close() error { return nil }

// SetDeadline is not for a shared socket, nor are the other two.
func (*packetView) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*packetView) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*packetView) SetWriteDeadline(time.Time) error { return nil }

// keepAlive reports a packet that is there to keep a NAT open: CRLFs or zeros. RFC 5626 §3.5.1.
func keepAlive(p []byte) bool {
	for _, c := range p {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

// addrPort is the address and port of a net.Addr of any kind.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	if a == nil {
		return netip.AddrPort{}, false
	}
	if u, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
	}
	ap, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), err == nil
}
