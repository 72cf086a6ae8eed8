package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// clientInvite is our INVITE. acks and base are also used by the transaction's callback, which outlives the leg.
type clientInvite struct {
	target call.Target
	offer  []byte
	device bool // a phone of our own, known by where it registered from

	req  *sipgo.Request
	tx   *sipgo.ClientTx
	seq  uint32
	base dialog // as dialled: what an early dialog, or one of another branch of a fork, is made of

	mu   sync.Mutex
	acks map[string]*sipgo.Request // by To tag: never changed, copied for every sending
	used uint32                    // the highest CSeq of any dialog that this INVITE has made

	onHeard     func() // once, at the first answer of any kind
	provisional bool   // they answer: from now on it can be cancelled
	cancelWant  bool
	cancelSent  bool
	cancelCause string
	answered    bool
	over        bool              // no transaction of ours waits for anything
	byTag       map[string]*early // by To tag
	contacts    []sipgo.Uri       // of a 3xx
	retryAfter  time.Duration     // of the refusal
	asked       challenges
	expires     time.Duration // the Session-Expires of it
	minSE       time.Duration
	tooBrief    int // 422s
}

// early is an early dialog: what one of those whom our INVITE has reached has said so far. RFC 3261 §12.1.
type early struct {
	d      dialog
	sdp    []byte // the last one
	rseq   uint32 // of the last reliable answer; RFC 3262 §4
	agreed bool   // its answer to our offer came reliably: the session may be changed already
}

// newOutgoing makes the leg that calls one hop. Nothing happens before start.
func (ep *Endpoint) newOutgoing(callID string, t call.Target, offer []byte, h hop, device bool) *Leg {
	l := newLeg(ep, callID, newTag())
	l.state, l.hop = legCalling, h
	l.out = &clientInvite{
		target: t, offer: offer, device: device, acks: make(map[string]*sipgo.Request), byTag: make(map[string]*early),
		expires: ep.opt.SessionExpires,
	}
	l.d = dialog{
		callID: callID, localTag: l.localTag, local: h.from, remote: h.to, target: h.target, routes: h.routes,
		network: h.network, source: h.addr, behind: device, localSeq: rand.Uint32N(1 << 16),
	}
	l.region, l.referable, l.trunked = ep.opt.Region(t.InstanceID), device, !device
	l.texter = Text{InstanceID: t.InstanceID, DeviceUser: t.UserID, From: userPart(&h.to.uri), To: t.FromNumber}
	if h.trunk != nil {
		l.texter.TrunkID, l.referable = h.trunk.ID, device || h.trunk.AllowRefer
	}
	return l
}

// start begins to call.
func (l *Leg) start() {
	l.post(l.connect)
	if !l.run() {
		l.out.over = true
		l.finish(call.CauseLocal, 503, "endpoint is closed")
		l.leave()
	}
}

// connect finds the way to the hop, which may take a while.
func (l *Leg) connect() {
	ctx, cancel := context.WithTimeout(l.ep.ctx, timerB)
	ok := l.ep.spawn(func() {
		defer cancel()
		laddr, via, err := l.ep.reach(ctx, l.hop)
		l.post(func() { l.reached(laddr, via, err) }) //nolint:contextcheck // what the leg does next is not the connecting's
	})
	if !ok {
		cancel()
		l.out.over = true
		l.finish(call.CauseLocal, 503, "endpoint is closed")
		l.settle()
	}
}

// reached sends the INVITE, or ends the leg with the reason why not.
func (l *Leg) reached(laddr netip.AddrPort, via sipgo.Uri, err error) {
	o := l.out
	switch {
	case l.state != legCalling: // hung up meanwhile
		o.over = true
		l.settle()
		return
	case err != nil:
		o.over = true
		if l.hop.flow { // a phone that is not there: nothing has failed
			l.finish(call.CauseRejected, 480, err.Error())
		} else {
			l.finish(call.CauseTransport, 503, err.Error())
		}
		l.settle()
		return
	}
	d := &l.d
	d.laddr, d.via = laddr, via
	for _, p := range []*party{&d.local, &d.remote} {
		if p.uri.Host == "" {
			p.uri.Host = via.Host
		}
	}
	l.after(inviteLimit, func() {
		if !o.over && !o.answered {
			l.cancelInvite("SIP;cause=408")
			l.finish(call.CauseTimeout, 408, "no final answer")
			l.settle()
		}
	})
	l.invite()
}

// invite sends the INVITE, for the first time or with what was missing.
func (l *Leg) invite(more ...sipgo.Header) {
	o := l.out
	o.req, o.over, o.provisional = l.inviteRequest(more), false, false
	o.seq, o.base = l.d.localSeq, l.d
	clear(o.byTag)
	if err := l.sendInvite(o.req); err != nil {
		o.over = true
		l.finish(call.CauseTransport, 503, err.Error())
		l.settle()
	}
}

func (l *Leg) inviteRequest(more []sipgo.Header) *sipgo.Request {
	o := l.out
	req := l.d.request(l.ep, sipgo.INVITE)
	req.SetDestination(l.hop.addr.String()) // whatever a Route says: the hop was chosen
	req.AppendHeader(header("Supported", supported))
	l.timerHeaders(req, o.expires, o.minSE, "")
	for _, h := range slices.Concat(l.hop.headers, more) {
		req.AppendHeader(h)
	}
	if o.target.ContactID != "" && o.device {
		req.AppendHeader(header("X-Ullim-Contact-Id", strings.Map(printable, clip(o.target.ContactID, 100))))
	}
	if o.target.AutoAccept { // no RFC says how; these two are what phones understand
		req.AppendHeader(header("Call-Info", "<sip:"+l.d.via.Host+">;answer-after=0"))
		req.AppendHeader(header("Alert-Info", "<http://"+l.d.via.Host+">;info=alert-autoanswer;delay=0"))
	}
	if len(o.offer) > 0 {
		setSDP(req, o.offer)
	}
	return req
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
	return l.converse(tx, func(res *sipgo.Response) { l.onAnswer(tx, res) }, func(err error) { l.noAnswer(tx, err) })
}

// converse sends the request of a transaction and posts every answer until the final one. It may be the transaction's
// lock that waits for the reader, so that does nothing else.
func (l *Leg) converse(tx *sipgo.ClientTx, answer func(*sipgo.Response), none func(error)) error {
	ok := l.ep.spawn(func() {
		for {
			select {
			case res := <-tx.Responses():
				l.post(func() { answer(res) })
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				err := tx.Err()
				l.post(func() { none(err) })
				return
			}
		}
	})
	if !ok {
		tx.Terminate()
		return errors.New("endpoint is closed")
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return err
	}
	return nil
}

// onAnswer is an answer to our INVITE.
func (l *Leg) onAnswer(tx *sipgo.ClientTx, res *sipgo.Response) {
	o := l.out
	if o.onHeard != nil {
		o.onHeard()
		o.onHeard = nil
	}
	switch {
	case res.IsSuccess(): // even if a copy of it was quicker
		l.on200(res)
	case o.over || tx != o.tx:
	case res.IsProvisional():
		l.onProvisional(res)
	default: // sipgo has sent the ACK
		o.over = true
		l.ep.refused(o.req, res)
		if l.state == legCalling && l.tryAgain(res) {
			return
		}
		if !l.ended { // else whoever owns the leg may be reading them
			o.contacts, o.retryAfter = contactsOf(res), retryWait(res)
		}
		l.finish(call.CauseRejected, res.StatusCode, plainText(res.Reason, 100))
		l.settle()
	}
}

// tryAgain sends the INVITE once more if the refusal only asks for something that we have.
func (l *Leg) tryAgain(res *sipgo.Response) bool {
	o := l.out
	switch res.StatusCode {
	case 401, 407:
		hs, ok := l.credentials(o.req, res, &o.asked)
		if ok {
			l.d = o.base
			l.invite(hs...)
		}
		return ok
	case 422: // RFC 4028 §7.3
		least := seconds(valueOf(res, "Min-SE"))
		if o.tooBrief++; o.tooBrief > 2 || least <= o.expires || least > maxSessionExpires {
			return false
		}
		o.minSE, o.expires = max(o.minSE, least), least
		var hs []sipgo.Header
		for _, name := range []string{"Authorization", "Proxy-Authorization"} {
			if h := o.req.GetHeader(name); h != nil {
				hs = append(hs, h)
			}
		}
		l.d = o.base
		l.invite(hs...)
		return true
	}
	return false
}

// turnTo makes the early dialog with a tag the one in l.d. RFC 3261 §12.1: an INVITE may have many.
func (l *Leg) turnTo(tag string) *early {
	o := l.out
	if l.d.remoteTag != "" {
		if e := o.byTag[l.d.remoteTag]; e != nil {
			e.d = l.d
		}
	}
	e := o.byTag[tag]
	if e == nil {
		if len(o.byTag) >= maxEarly {
			return nil
		}
		e = &early{d: o.base}
		e.d.remoteTag = tag
		o.byTag[tag] = e
	}
	l.d = e.d
	l.theirTag.Store(tag)
	return e
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
	tag := tagOf(res.To().Params)
	if res.StatusCode == 100 || l.state > legCalling && !isReliable(res) {
		return
	}
	var e *early
	if tag != "" {
		if e = l.turnTo(tag); e == nil {
			return
		}
		if isReliable(res) && !l.acknowledge(e, res) {
			return // repeated, or one is missing before it
		}
		l.d.confirm(res)
		l.know(res)
		e.d = l.d
	}
	if l.state != legCalling {
		return
	}
	ev := call.LegEvent{Kind: call.LegProgress, Code: res.StatusCode, Text: plainText(res.Reason, 100)}
	if sdp, ok := sdpOf(res); ok && sdp != nil {
		ev.SDP = sdp
		if e != nil {
			e.sdp, e.agreed = sdp, e.agreed || isReliable(res)
		}
	}
	l.emit(ev)
}

// on200 is a 2xx, of this or of another branch of a fork. RFC 3261 §13.2.2.4.
func (l *Leg) on200(res *sipgo.Response) {
	o := l.out
	if o.answered || o.acked(res) {
		o.fork(l.ep, res)
		return
	}
	o.answered, o.over = true, true
	tag := tagOf(res.To().Params)
	e := l.turnTo(tag)
	if e == nil { // more early dialogs than anybody needs
		l.d = o.base
	}
	l.d.confirm(res)
	l.theirTag.Store(tag)
	l.d.heard(res.Source())
	if l.d.behind && l.d.network == "UDP" {
		l.d.source = o.base.source // the registration is authenticated, the answer's address is not
	}
	l.know(res)
	l.ep.sendAck(o.remember(l.ep, &l.d, res))
	if l.state != legCalling { // it crossed our CANCEL
		l.sayBye(o.cancelCause)
		l.settle()
		return
	}
	sdp, ok := sdpOf(res)
	if sdp == nil && ok && e != nil {
		sdp = e.sdp // said in a 1xx only
	}
	l.state = legConfirmed
	if sdp == nil {
		l.sayBye("SIP;cause=488;text=\"no SDP in the 200\"")
		l.finish(call.CauseProtocol, 488, "no answer to our offer in the 200")
		l.settle()
		return
	}
	l.localSDP, l.remoteSDP = o.offer, sdp
	l.timerOf2xx(res)
	l.emit(call.LegEvent{Kind: call.LegAnswered, Code: res.StatusCode, SDP: sdp, Host: l.d.source.Addr()})
	l.propose()
}

// noAnswer is the end of our INVITE's transaction without a final answer.
func (l *Leg) noAnswer(tx *sipgo.ClientTx, err error) {
	if l.out.over || tx != l.out.tx {
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

// spent notes a CSeq that an early dialog has used.
func (o *clientInvite) spent(seq uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used = max(o.used, seq)
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
	o.mu.Lock()
	d.localSeq = max(d.localSeq, o.used) // it may have had a PRACK already
	o.mu.Unlock()
	bye := d.request(ep, sipgo.BYE)
	bye.AppendHeader(reasonHeader(elsewhere))
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
		return
	}
	ep.owe(c)
}
