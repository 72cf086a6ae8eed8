package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// clientInvite is our INVITE. acks and base are also used by the transaction's callback, which outlives the leg.
type clientInvite struct {
	req  *sipgo.Request
	tx   *sipgo.ClientTx
	seq  uint32
	base dialog // as dialled: what a dialog of another branch of a fork is made of

	mu   sync.Mutex
	acks map[string]*sipgo.Request // by To tag: never changed, copied for every sending

	provisional bool // they answer: from now on it can be cancelled
	cancelWant  bool
	cancelSent  bool
	cancelCause string
	answered    bool
	over        bool   // no transaction of ours waits for anything
	early       []byte // SDP of the last 1xx
	earlyTag    string
}

// Dial calls the device that a user has registered last.
func (ep *Endpoint) Dial(t call.Target, offer []byte, events func(call.LegEvent)) call.Leg {
	ep.count.dialed.Add(1)
	l := newLeg(ep, newTag(), newTag())
	l.state, l.events, l.out = legCalling, events, &clientInvite{acks: make(map[string]*sipgo.Request)}
	if t.ContactID != "" {
		l.log = l.log.With("contact_id", t.ContactID)
	}
	l.d = dialog{callID: l.callID, localTag: l.localTag}
	l.post(func() { l.dial(t, offer) })
	if !l.run() {
		l.out.over = true
		l.finish(call.CauseLocal, 503, "endpoint is closed")
		l.leave()
	}
	return l
}

// dial sends the INVITE, or ends the leg with the reason why not.
func (l *Leg) dial(t call.Target, offer []byte) {
	if l.state != legCalling { // hung up at once
		l.out.over = true
		l.settle()
		return
	}
	if why := l.aim(t); why != "" {
		l.out.over = true
		l.finish(call.CauseRejected, 480, why)
		l.settle()
		return
	}
	req := l.d.request(l.ep, sipgo.INVITE)
	if t.ContactID != "" {
		req.AppendHeader(header("X-Ullim-Contact-Id", strings.Map(printable, clip(t.ContactID, 100))))
	}
	if t.AutoAccept { // no RFC says how; these two are what phones understand
		req.AppendHeader(header("Call-Info", "<sip:"+l.d.via.Host+">;answer-after=0"))
		req.AppendHeader(header("Alert-Info", "<http://"+l.d.via.Host+">;info=alert-autoanswer;delay=0"))
	}
	if len(offer) > 0 {
		ct := sipgo.ContentTypeHeader("application/sdp")
		req.AppendHeader(&ct)
		req.SetBody(offer)
	}
	l.out.req, l.out.seq, l.out.base = req, l.d.localSeq, l.d
	if err := l.sendInvite(req); err != nil {
		l.out.over = true
		l.finish(call.CauseTransport, 503, err.Error())
		l.settle()
		return
	}
	l.after(inviteLimit, func() {
		if !l.out.over && !l.out.answered {
			l.cancelInvite("SIP;cause=408")
			l.finish(call.CauseTimeout, 408, "no final answer")
			l.settle()
		}
	})
}

// aim finds where the user is.
func (l *Leg) aim(t call.Target) (why string) {
	ep := l.ep
	if ep.full() {
		return "all calls of this node are in use"
	}
	reg, ok := ep.opt.Registrar.Lookup(t.UserID, time.Now())
	if !ok || reg.InstanceID != t.InstanceID {
		return "no device is registered"
	}
	source, err := netip.ParseAddrPort(reg.Source)
	if err != nil {
		return "registration has no usable source address"
	}
	d := &l.d
	d.source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
	d.network, d.behind = strings.ToUpper(reg.Transport), true
	switch d.network {
	case "UDP":
		g := ep.packetFor(d.source.Addr())
		if g == nil {
			return "no UDP socket of the device's address family"
		}
		d.laddr = g.local
		d.via = ep.face(g.local, d.source)
	default:
		_, via, err := ep.reach(ep.ctx, hop{network: d.network, addr: d.source, flow: true})
		if err != nil {
			return "the device's connection is gone"
		}
		d.via = via
	}
	if err := sipgo.ParseUri(reg.Contact, &d.target); err != nil {
		return "registered Contact is not a URI"
	}
	name := d.target.User
	if dev, ok := ep.opt.Devices().ByID(reg.DeviceID); ok {
		name = dev.Name
	}
	d.remote = party{uri: sipgo.Uri{Scheme: "sip", User: escapeUser(name), Host: d.via.Host}}
	d.local = caller(t, d.via.Host)
	d.localSeq = rand.Uint32N(1 << 16)
	return ""
}

// caller is what the called device shows.
func caller(t call.Target, host string) party {
	if t.FromNumber == "" {
		return party{name: "Anonymous", uri: sipgo.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	}
	return party{name: quotedText(t.FromName, 100), uri: sipgo.Uri{Scheme: "sip", User: escapeUser(t.FromNumber), Host: host}}
}

// sendInvite starts the transaction and its reader.
func (l *Leg) sendInvite(req *sipgo.Request) error {
	l.ep.enlarge(req)
	tx, err := l.ep.transactions.NewClientTransaction(l.ep.ctx, req)
	if err != nil {
		return err
	}
	l.out.tx = tx
	tx.OnRetransmission(l.copyOf200)
	if !l.ep.spawn(func() { l.readAnswers(tx) }) {
		tx.Terminate()
		return errors.New("endpoint is closed")
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return err
	}
	return nil
}

// readAnswers posts every answer until the final one. It may be the transaction's lock that waits for us, so it does
// nothing else.
func (l *Leg) readAnswers(tx *sipgo.ClientTx) {
	for {
		select {
		case res := <-tx.Responses():
			l.post(func() { l.onAnswer(res) })
			if !res.IsProvisional() {
				return
			}
		case <-tx.Done():
			err := tx.Err()
			l.post(func() { l.noAnswer(err) })
			return
		}
	}
}

// onAnswer is an answer to our INVITE.
func (l *Leg) onAnswer(res *sipgo.Response) {
	o := l.out
	switch {
	case res.IsSuccess(): // even if a copy of it was quicker
		l.on200(res)
	case o.over:
	case res.IsProvisional():
		l.onProvisional(res)
	default: // sipgo has sent the ACK
		o.over = true
		branch, _ := o.req.Via().Params.Get("branch")
		l.ep.index.keepAck(branch, ackOfRefusal(o.req, res))
		l.finish(call.CauseRejected, res.StatusCode, plainText(res.Reason, 100))
		l.settle()
	}
}

func (l *Leg) onProvisional(res *sipgo.Response) {
	o := l.out
	if o.answered {
		return
	}
	o.provisional = true
	if o.cancelWant { // RFC 3261 §9.1: held until now
		l.cancelInvite(o.cancelCause)
	}
	if res.StatusCode == 100 || l.state != legCalling {
		return
	}
	e := call.LegEvent{Kind: call.LegProgress, Code: res.StatusCode, Text: plainText(res.Reason, 100)}
	if sdp, ok := sdpOf(res); ok && sdp != nil {
		e.SDP, o.early, o.earlyTag = sdp, sdp, tagOf(res.To().Params)
	}
	l.emit(e)
}

// on200 is a 2xx, of this or of another branch of a fork. RFC 3261 §13.2.2.4.
func (l *Leg) on200(res *sipgo.Response) {
	o := l.out
	if o.answered || o.acked(res) {
		o.fork(l.ep, res)
		return
	}
	o.answered, o.over = true, true
	l.d.confirm(res)
	l.d.heard(res.Source())
	if l.d.behind && l.d.network == "UDP" {
		l.d.source = o.base.source // the registration is authenticated, the answer's address is not
	}
	l.ep.sendAck(o.remember(l.ep, &l.d, res))
	if l.state != legCalling { // it crossed our CANCEL
		l.sayBye(o.cancelCause)
		l.settle()
		return
	}
	sdp, ok := sdpOf(res)
	if sdp == nil && ok && o.earlyTag == l.d.remoteTag {
		sdp = o.early // some say it in 183 only
	}
	if sdp == nil {
		l.state = legConfirmed
		l.sayBye("SIP;cause=488;text=\"no SDP in the 200\"")
		l.finish(call.CauseProtocol, 488, "no answer to our offer in the 200")
		l.settle()
		return
	}
	l.state = legConfirmed
	l.emit(call.LegEvent{Kind: call.LegAnswered, Code: res.StatusCode, SDP: sdp, Host: l.d.source.Addr()})
}

// noAnswer is the end of our INVITE's transaction without a final answer.
func (l *Leg) noAnswer(err error) {
	if l.out.over {
		return
	}
	l.out.over = true
	switch {
	case errors.Is(err, sipgo.ErrTransactionTimeout):
		l.finish(call.CauseTimeout, 408, "no answer to our INVITE")
	default:
		l.finish(call.CauseTransport, 503, "our INVITE could not be delivered")
	}
	l.settle()
}

// cancelInvite sends CANCEL as soon as that is allowed. RFC 3261 §9.1.
func (l *Leg) cancelInvite(cause string) {
	o := l.out
	if o.over || o.answered || o.cancelSent {
		return
	}
	o.cancelWant, o.cancelCause = true, cause
	if !o.provisional || o.req == nil {
		return
	}
	o.cancelSent = true
	l.ep.ask(cancelOf(o.req, cause), func(int) {})
	l.after(timerB, func() { // no final answer to what was cancelled: RFC 3261 §9.1
		if !o.over && !o.answered {
			o.over = true
			o.tx.Terminate()
			l.finish(call.CauseTimeout, 408, "no final answer after CANCEL")
			l.settle()
		}
	})
}

func cancelOf(invite *sipgo.Request, cause string) *sipgo.Request {
	req := beside(invite, sipgo.CANCEL, invite.To())
	if cause != "" {
		req.AppendHeader(reasonHeader(cause))
	}
	return req
}

// ackOfRefusal is the ACK of a final answer that is no 2xx: part of the INVITE's own transaction. RFC 3261 §17.1.1.3.
func ackOfRefusal(invite *sipgo.Request, res *sipgo.Response) *sipgo.Request {
	return beside(invite, sipgo.ACK, res.To())
}

// beside is a request with the branch of an INVITE, for the same hop.
func beside(invite *sipgo.Request, method sipgo.RequestMethod, to *sipgo.ToHeader) *sipgo.Request {
	req := sipgo.NewRequest(method, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	sipgo.CopyHeaders("Route", invite, req)
	forwards := sipgo.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sipgo.HeaderClone(invite.From()))
	req.AppendHeader(sipgo.HeaderClone(to))
	callID := sipgo.CallIDHeader(callIDOf(invite))
	req.AppendHeader(&callID)
	req.AppendHeader(&sipgo.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	return req
}

// copyOf200 is called by the transaction with every further 2xx: a copy of one that was acknowledged gets a new ACK, also
// when the leg is long gone.
func (l *Leg) copyOf200(res *sipgo.Response) {
	l.out.mu.Lock()
	ack := l.out.acks[tagOf(res.To().Params)]
	l.out.mu.Unlock()
	if ack != nil {
		l.ep.sendAck(ack)
		return
	}
	if !l.postRemote(func() { l.on200(res) }) {
		l.out.fork(l.ep, res)
	}
}

func (o *clientInvite) acked(res *sipgo.Response) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.acks[tagOf(res.To().Params)] != nil
}

// remember builds the ACK of a 200 and keeps it for copies.
func (o *clientInvite) remember(ep *Endpoint, d *dialog, res *sipgo.Response) *sipgo.Request {
	ack := d.build(ep, sipgo.ACK, o.seq)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.acks[tagOf(res.To().Params)] == nil {
		o.acks[tagOf(res.To().Params)] = ack
	}
	return ack
}

// fork ends a second dialog that the same INVITE has made: the first to answer has the call. RFC 3261 §13.2.2.4.
func (o *clientInvite) fork(ep *Endpoint, res *sipgo.Response) {
	o.mu.Lock()
	known, many := o.acks[tagOf(res.To().Params)], len(o.acks) >= 8
	o.mu.Unlock()
	switch {
	case known != nil:
		ep.sendAck(known)
		return
	case many:
		return
	}
	d := o.base
	d.confirm(res)
	ep.sendAck(o.remember(ep, &d, res))
	bye := d.request(ep, sipgo.BYE)
	bye.AppendHeader(reasonHeader(`SIP;cause=487;text="answered elsewhere"`))
	ep.ask(bye, func(int) {})
}

// sendAck sends a copy of an ACK with a branch of its own. RFC 3261 §17.1.1.3 is for refusals only: this one is no part of
// a transaction.
func (ep *Endpoint) sendAck(ack *sipgo.Request) {
	c := ack.Clone()
	if ep.detour(c, func() { ep.sendAck(c) }, func() {}) {
		return
	}
	c.Via().Params.Add("branch", ep.prefix+newTag())
	if err := ep.transports.WriteMsg(c); err != nil {
		ep.log.LogAttrs(context.Background(), slogInfo, "ack not sent", callIDAttr(ack), errAttr(err))
	}
}
