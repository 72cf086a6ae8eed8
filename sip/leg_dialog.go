package sip

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// deliver hands an in-dialog request to the leg. ok is false if the leg is gone.
func (l *Leg) deliver(r inRequest) (ok bool) { return l.doRemote(func() { l.receive(r) }) }

// receive puts requests in the order of their CSeq. RFC 3261 §12.2.2.
func (l *Leg) receive(r inRequest) {
	if tag := tagOf(r.req.From().Params); l.d.remoteTag != tag {
		// While our INVITE is open there may be many dialogs, and one whose answer is still on its way.
		if l.out == nil || l.out.answered || l.turnTo(tag) == nil {
			l.respond(r, 481, "Call/Transaction Does Not Exist", nil)
			return
		}
	}
	if !l.fromPeer(r.req.Source()) {
		l.log.Warn("request in a dialog from somebody else's address", "method", string(r.req.Method), "source", r.req.Source())
		l.ep.count.strangers.Add(1)
		l.respond(r, 403, "Forbidden", nil)
		return
	}
	if l.state == legGone {
		l.afterLife(r)
		return
	}
	seq := r.req.CSeq().SeqNo
	switch {
	case l.d.remoteSeq != 0 && seq <= l.d.remoteSeq:
		l.respond(r, 500, "Server Internal Error", nil, header("Retry-After", "1")) // RFC 3261 §12.2.2
	case l.tooEarly(r):
		l.hold(r)
		if len(l.held) > maxHeld {
			l.takeHeld(true)
		}
	default:
		l.take(r)
		l.takeHeld(false)
	}
}

// tooEarly reports a request that came before its predecessor: a CSeq is missing, or the ACK that was sent before it.
func (l *Leg) tooEarly(r inRequest) bool {
	if l.d.remoteSeq != 0 && r.req.CSeq().SeqNo > l.d.remoteSeq+1 {
		return true
	}
	return len(l.unacked) > 0 && (r.req.Method == sipgo.INVITE || r.req.Method == sipgo.UPDATE)
}

func (l *Leg) hold(r inRequest) {
	l.held = append(l.held, r)
	slices.SortStableFunc(l.held, func(a, b inRequest) int {
		return int(a.req.CSeq().SeqNo) - int(b.req.CSeq().SeqNo)
	})
	if l.gap == nil {
		l.startGap()
	}
}

func (l *Leg) startGap() {
	var t *time.Timer
	t = time.AfterFunc(gapWait, func() {
		l.do(func() {
			if l.gap == t { // else it was stopped while this waited in the mailbox
				l.gap = nil
				l.takeHeld(true)
			}
		})
	})
	l.gap = t
}

// takeHeld takes what need not wait any longer; force takes one more, because its predecessor did not come.
func (l *Leg) takeHeld(force bool) {
	for len(l.held) > 0 && l.state != legGone {
		r := l.held[0]
		if l.tooEarly(r) && !force {
			break
		}
		force = false
		l.held = slices.Delete(l.held, 0, 1)
		if r.req.CSeq().SeqNo <= l.d.remoteSeq {
			l.respond(r, 500, "Server Internal Error", nil, header("Retry-After", "1"))
			continue
		}
		l.take(r)
	}
	switch {
	case len(l.held) == 0 && l.gap != nil:
		l.gap.Stop()
		l.gap = nil
	case len(l.held) > 0 && l.gap == nil && l.state != legGone:
		l.startGap()
	}
}

// take handles a request whose turn it is.
func (l *Leg) take(r inRequest) {
	l.d.remoteSeq = r.req.CSeq().SeqNo
	l.d.heard(r.req.Source())
	if r.req.Method == sipgo.BYE {
		l.onBye(r)
		return
	}
	if l.state == legEnding {
		l.afterLife(r)
		return
	}
	switch r.req.Method {
	case sipgo.INVITE:
		l.onReinvite(r)
	case sipgo.UPDATE:
		l.onUpdate(r)
	case sipgo.INFO:
		l.onInfo(r)
	case sipgo.PRACK:
		l.onPrack(r)
	case sipgo.REFER:
		l.onRefer(r)
	case sipgo.MESSAGE:
		t := l.texter
		t.CallID, t.InDialog = l.callID, true
		code, reason, hs := l.ep.takeText(r.req, t)
		l.respond(r, code, reason, nil, hs...)
	case sipgo.OPTIONS:
		l.respond(r, 200, "OK", nil, l.ep.allow(), header("Accept", "application/sdp"), header("Supported", supported))
	default:
		l.respond(r, 405, "Method Not Allowed", nil, l.ep.allow())
	}
}

// afterLife answers for a dialog that is over for its owner: a BYE that crossed ours is fine, the rest is not.
func (l *Leg) afterLife(r inRequest) {
	if r.req.Method == sipgo.BYE {
		l.respond(r, 200, "OK", nil)
		return
	}
	l.respond(r, 481, "Call/Transaction Does Not Exist", nil)
}

// onBye ends the dialog; what is open ends with it. RFC 3261 §15.1.2.
func (l *Leg) onBye(r inRequest) {
	l.respond(r, 200, "OK", nil)
	l.theyLeft = true
	l.refusePending(487, "Request Terminated")
	if l.first != nil && !l.first.final {
		l.respondFirst(487, "Request Terminated")
	}
	l.stopAll()
	l.byeWant = false
	if l.out != nil && !l.out.over && !l.out.answered {
		l.cancelInvite("")
	}
	l.finish(call.CauseBye, 0, clip(headerOf(r.req, "Reason"), 200))
	l.settle()
}

// stopAll ends the repetition of every 200: whoever says BYE needs none.
func (l *Leg) stopAll() {
	for _, s := range l.unacked {
		s.stop()
	}
	l.unacked = nil
}

// onInfo reports keys. Signal=5 in application/dtmf-relay, the bare key in application/dtmf.
func (l *Leg) onInfo(r inRequest) {
	if len(r.req.Body()) == 0 {
		l.respond(r, 200, "OK", nil)
		return
	}
	var key string
	switch contentType(r.req) {
	case "application/dtmf-relay":
		for line := range strings.Lines(string(r.req.Body())) {
			name, value, _ := strings.Cut(line, "=")
			if strings.EqualFold(strings.TrimSpace(name), "signal") {
				key = strings.TrimSpace(value)
				break
			}
		}
	case "application/dtmf":
		key = strings.TrimSpace(string(r.req.Body()))
	default:
		l.respond(r, 415, "Unsupported Media Type", nil, header("Accept", "application/dtmf-relay, application/dtmf"))
		return
	}
	digit, ok := digitOf(key)
	if !ok {
		l.respond(r, 400, "Bad Request", nil)
		return
	}
	l.respond(r, 200, "OK", nil)
	if l.state == legConfirmed || l.state == legAnswered {
		l.emit(call.LegEvent{Kind: call.LegDigit, Digit: digit})
	}
}

func digitOf(key string) (byte, bool) {
	switch key {
	case "10":
		return '*', true
	case "11":
		return '#', true
	}
	if len(key) != 1 {
		return 0, false
	}
	c := key[0]
	switch {
	case c >= 'a' && c <= 'd':
		return c - 'a' + 'A', true
	case c >= '0' && c <= '9', c >= 'A' && c <= 'D', c == '*', c == '#':
		return c, true
	}
	return 0, false
}

// hangup is Hangup.
func (l *Leg) hangup(cause string) {
	switch l.state {
	case legProceeding:
		var hs []sipgo.Header
		if cause != "" {
			hs = append(hs, reasonHeader(cause))
		}
		l.respondFirst(480, "Temporarily Unavailable", hs...)
		l.finish(call.CauseLocal, 480, cause)
	case legCalling:
		l.cancelInvite(cause)
		l.finish(call.CauseLocal, 0, cause)
	case legAnswered, legConfirmed:
		l.sayBye(cause)
		l.finish(call.CauseLocal, 0, cause)
	case legEnding, legGone:
		return
	}
	l.settle()
}

// sayBye sends BYE, or owes it until the ACK of our 200 comes. RFC 3261 §15: the callee must not send it before.
func (l *Leg) sayBye(cause string) {
	if l.d.remoteTag == "" && l.out != nil || l.first != nil && l.first.ok == nil { // there is no dialog
		return
	}
	l.refusePending(487, "Request Terminated")
	if len(l.unacked) > 0 {
		l.byeWant, l.byeOwed = true, cause
		return
	}
	l.byeWant = false
	req := l.d.request(l.ep, sipgo.BYE)
	if cause != "" {
		req.AppendHeader(reasonHeader(cause))
	}
	l.byes++
	l.queryAs(req, &challenges{}, func(*sipgo.Response) {
		l.byes--
		l.settle()
	})
}

// fromPeer reports a source that the peer may speak from. A phone behind a NAT may turn up anywhere, and knows two tags
// that nobody can guess; a trunk has its addresses, and those that it has named in the dialog.
func (l *Leg) fromPeer(source string) bool {
	if !l.trunked {
		return true
	}
	src, err := netip.ParseAddrPort(source)
	if err != nil {
		return false
	}
	src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	if src.Addr() == l.d.source.Addr() || src.Addr() == l.hop.addr.Addr() {
		return true
	}
	named := []string{l.d.target.Host}
	for i := range l.d.routes {
		named = append(named, l.d.routes[i].Host)
	}
	for _, host := range named {
		if a, ok := hostAddr(host); ok && a == src.Addr() {
			return true
		}
	}
	t, _ := l.ep.opt.Trunks().MatchSource(src)
	return t != nil
}

func header(name, value string) sipgo.Header { return sipgo.NewHeader(name, value) }

// respond answers an in-dialog request.
func (l *Leg) respond(r inRequest, code int, reason string, sdp []byte, hs ...sipgo.Header) {
	l.ep.respond(r.req, r.tx, l.response(r.req, code, reason, sdp, hs...))
}

// response builds an answer with our tag, and our Contact where it makes or refreshes a dialog.
func (l *Leg) response(req *sipgo.Request, code int, reason string, sdp []byte, hs ...sipgo.Header) *sipgo.Response {
	res := l.ep.response(req, code, reason, l.localTag)
	if code < 300 && (req.Method == sipgo.INVITE || req.Method == sipgo.UPDATE) {
		res.AppendHeader(l.d.contact())
		res.AppendHeader(l.ep.allow())
		res.AppendHeader(header("Supported", supported))
	}
	for _, h := range hs {
		res.AppendHeader(h)
	}
	if sdp != nil {
		setSDP(res, sdp)
	}
	return res
}

// retryAfter is a Retry-After of 0 to 10 seconds. RFC 3261 §14.2.
func retryAfter() sipgo.Header { return header("Retry-After", strconv.Itoa(rand.IntN(11))) }
