package sip

import (
	"slices"
	"strconv"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// serverInvite is an INVITE of the peer's, first or later, and the 200 that we repeat until its ACK comes.
type serverInvite struct {
	inRequest
	seq     uint32
	noOffer bool // our 200 carries the offer, the ACK the answer
	final   bool // answered
	ok      *sipgo.Response
	again   time.Duration
	stops   []func()
}

func (s *serverInvite) stop() {
	for _, f := range s.stops {
		f()
	}
	s.stops = nil
}

// offer is a change of session that the owner has to answer.
type offer struct {
	serverInvite
	update bool
}

func (l *Leg) ring() {
	if l.state != legProceeding {
		return
	}
	l.provisional(180, "Ringing", nil)
	l.keepRinging()
}

// progress is Progress.
func (l *Leg) progress(sdp []byte) {
	if l.state != legProceeding {
		return
	}
	l.provisional(183, "Session Progress", sdp)
	l.keepRinging()
}

// keepRinging repeats a provisional answer now and then, so that no proxy gives up. RFC 3261 §13.3.1.1.
func (l *Leg) keepRinging() {
	if l.ringing != nil {
		l.ringing()
	}
	l.ringing = l.after(ringAgain, l.ring)
}

func (l *Leg) answer(sdp []byte) {
	if l.state != legProceeding {
		return
	}
	if a := l.rel.open; a != nil && a.sdp { // RFC 3262 §3: not before they have what was said about the session
		l.rel.accept = sdp
		return
	}
	if l.rel.open != nil {
		l.rel.open.stop()
		l.rel.late, l.rel.open = l.rel.open, nil
	}
	l.rel.next = nil
	if l.rel.theirs { // their answer is here already: another SDP would be another offer
		sdp, l.first.noOffer = nil, false
	}
	l.state = legAnswered
	l.accept(l.first, sdp)
}

// accept sends a 200 and repeats it. RFC 3261 §13.3.1.4: at T1, then twice as long each time up to T2, over every
// transport, until the ACK; after 64*T1 the session is over.
func (l *Leg) accept(s *serverInvite, sdp []byte) {
	s.final, s.again = true, timerT1
	s.ok = l.response(s.req, 200, "OK", sdp, l.timerOfRequest(s.req)...)
	if sdp != nil {
		l.localSDP = sdp
	}
	if offer, ok := sdpOf(s.req); ok && offer != nil {
		l.remoteSDP = offer
	}
	l.unacked = append(l.unacked, s)
	l.ep.respond(s.req, s.tx, s.ok)
	l.repeat(s)
	s.stops = append(s.stops, l.after(timerB, func() { l.neverAcked(s) }))
}

func (l *Leg) repeat(s *serverInvite) {
	s.stops = append(s.stops, l.after(s.again, func() {
		if !slices.Contains(l.unacked, s) {
			return
		}
		l.sendAgain(s)
		s.again = min(2*s.again, timerT2)
		l.repeat(s)
	}))
}

func (l *Leg) sendAgain(s *serverInvite) {
	l.ep.count.retransmits.Add(1)
	l.ep.respond(s.req, s.tx, s.ok)
}

func (l *Leg) neverAcked(s *serverInvite) {
	if !slices.Contains(l.unacked, s) {
		return
	}
	l.stopAll()
	l.log.Warn("no ACK for our 200", "seq", s.seq)
	l.sayBye("SIP;cause=408;text=\"ACK timeout\"")
	l.finish(call.CauseTimeout, 408, "no ACK for our 200")
	l.settle()
}

// inviteAgain is called by the guard when a copy of an INVITE arrives: who has not seen our 200 gets it again.
func (l *Leg) inviteAgain(seq uint32) {
	l.postRemote(func() {
		for _, s := range l.unacked {
			if s.seq == seq {
				l.sendAgain(s)
			}
		}
	})
}

// cancelled is called by the guard, which answers the CANCEL before this has begun. After our final answer it has no effect.
// RFC 3261 §9.2.
func (l *Leg) cancelled(seq uint32) {
	l.postRemote(func() {
		switch {
		case l.first != nil && l.first.seq == seq && !l.first.final:
			l.respondFirst(487, "Request Terminated")
			l.finish(call.CauseCancelled, 487, "caller gave up")
			l.settle()
		case l.pending != nil && !l.pending.update && l.pending.seq == seq:
			l.refusePending(487, "Request Terminated")
			l.takeHeld(false)
			l.propose()
		}
	})
}

// ack is called by the guard with every ACK of this dialog.
func (l *Leg) ack(req *sipgo.Request) {
	l.doRemote(func() { l.onAck(req) })
}

func (l *Leg) onAck(req *sipgo.Request) {
	seq := req.CSeq().SeqNo
	i := slices.IndexFunc(l.unacked, func(s *serverInvite) bool { return s.seq == seq })
	if i < 0 || tagOf(req.From().Params) != l.d.remoteTag {
		return
	}
	s := l.unacked[i]
	s.stop()
	l.unacked = slices.Delete(l.unacked, i, i+1)
	if l.byeWant && len(l.unacked) == 0 {
		l.sayBye(l.byeOwed)
		l.settle()
		return
	}
	if l.state != legEnding {
		l.confirmed(s, req)
	}
	l.takeHeld(false)
	l.propose()
}

// confirmed tells of an ACK, and of the answer in it if the offer was ours.
func (l *Leg) confirmed(s *serverInvite, ack *sipgo.Request) {
	e := call.LegEvent{Kind: call.LegAnswered}
	if s.noOffer {
		sdp, ok := sdpOf(ack)
		if !ok || sdp == nil { // RFC 3261 §13.2.1: the answer must be in the ACK
			l.sayBye("SIP;cause=488;text=\"no answer in the ACK\"")
			l.finish(call.CauseProtocol, 488, "no answer to our offer in the ACK")
			l.settle()
			return
		}
		e.SDP, l.remoteSDP = sdp, sdp
	}
	if l.state == legAnswered {
		l.state = legConfirmed
		l.emit(e)
		return
	}
	if e.SDP != nil {
		l.emit(e)
	}
}

func (l *Leg) reject(code int, reason string, wait time.Duration) {
	if l.state != legProceeding {
		return
	}
	if code < 300 || code > 699 {
		code, reason = 480, "Temporarily Unavailable"
	}
	var hs []sipgo.Header
	if wait > 0 {
		hs = append(hs, header("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second))))
	}
	l.respondFirst(code, quotedText(reason, 100), hs...)
	l.finish(call.CauseLocal, code, reason)
	l.settle()
}

// respondFirst gives the INVITE its final refusal.
func (l *Leg) respondFirst(code int, reason string, hs ...sipgo.Header) {
	l.first.final = true
	if a := l.rel.open; a != nil {
		a.stop()
		l.rel.open = nil
	}
	l.respond(l.first.inRequest, code, reason, nil, hs...)
}

// transactionOver is called when the INVITE's transaction ends by itself: the connection broke.
func (l *Leg) transactionOver() {
	l.post(func() {
		if l.first != nil && !l.first.final {
			l.first.final = true
			l.finish(call.CauseTransport, 0, "the caller's connection is gone")
			l.settle()
		}
	})
}

// onReinvite is a change of session. RFC 3261 §14.2.
func (l *Leg) onReinvite(r inRequest) {
	if l.ep.index.bind(r.in, l) {
		l.respond(r, 487, "Request Terminated", nil)
		return
	}
	switch {
	case l.state == legProceeding || l.pending != nil: // one of theirs is unanswered
		l.respond(r, 500, "Server Internal Error", nil, retryAfter())
		return
	case l.state == legCalling || l.offering(): // one of ours is
		l.respond(r, 491, "Request Pending", nil)
		return
	case l.ep.tooBrief(r.req):
		l.respond(r, 422, "Session Interval Too Small", nil, l.ep.minSE())
		return
	}
	l.know(r.req)
	l.change(r, false)
}

// onUpdate is a change of session without a new transaction of three messages. RFC 3311 §5.2.
func (l *Leg) onUpdate(r inRequest) {
	sdp, ok := sdpOf(r.req)
	switch {
	case !ok:
		l.respond(r, 415, "Unsupported Media Type", nil, header("Accept", "application/sdp"))
	case l.ep.tooBrief(r.req):
		l.respond(r, 422, "Session Interval Too Small", nil, l.ep.minSE())
	case sdp == nil:
		l.d.refresh(r.req)
		l.know(r.req)
		l.respond(r, 200, "OK", nil, l.timerOfRequest(r.req)...)
	case l.pending != nil || l.state == legProceeding && !l.earlyAgreed():
		l.respond(r, 500, "Server Internal Error", nil, retryAfter())
	case l.state == legCalling && !l.earlyAgreed() || l.offering():
		l.respond(r, 491, "Request Pending", nil)
	default:
		l.change(r, true)
	}
}

// offering reports an offer of ours that waits for its answer.
func (l *Leg) offering() bool {
	return l.proposed != nil || slices.ContainsFunc(l.unacked, func(s *serverInvite) bool { return s.noOffer })
}

func (l *Leg) change(r inRequest, update bool) {
	sdp, ok := sdpOf(r.req)
	if !ok {
		l.respond(r, 415, "Unsupported Media Type", nil, header("Accept", "application/sdp"))
		return
	}
	if l.state == legAnswered { // they have our 200, or would not send this: the ACK was lost. RFC 5407 §3.1.4
		l.state = legConfirmed
		l.emit(call.LegEvent{Kind: call.LegAnswered})
	}
	l.d.refresh(r.req)
	o := &offer{update: update}
	o.inRequest, o.seq, o.noOffer = r, r.req.CSeq().SeqNo, sdp == nil
	o.stops = append(o.stops, l.after(offerWait, func() {
		if l.pending == o {
			l.log.Error("offer was never answered by its owner")
			l.refusePending(500, "Server Internal Error")
			l.takeHeld(false)
			l.propose()
		}
	}))
	l.pending = o
	l.emit(call.LegEvent{Kind: call.LegOffer, SDP: sdp})
}

func (l *Leg) answerOffer(sdp []byte) {
	o := l.pending
	if o == nil {
		return
	}
	if sdp == nil {
		l.refusePending(488, "Not Acceptable Here")
		l.takeHeld(false)
		l.propose()
		return
	}
	l.pending = nil
	o.stop()
	if o.update {
		var hs []sipgo.Header
		if o.req.Method == sipgo.UPDATE {
			hs = l.timerOfRequest(o.req)
		}
		l.respond(o.inRequest, 200, "OK", sdp, hs...)
		l.localSDP = sdp
		l.remoteSDP, _ = sdpOf(o.req)
	} else {
		l.accept(&o.serverInvite, sdp)
	}
	l.takeHeld(false)
	l.propose()
}

// refusePending refuses the change that waits for its owner, if there is one. The session stays as it was.
func (l *Leg) refusePending(code int, reason string) {
	o := l.pending
	if o == nil {
		return
	}
	l.pending = nil
	o.stop()
	l.respond(o.inRequest, code, reason, nil)
}
