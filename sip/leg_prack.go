package sip

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// Reliable provisional answers, RFC 3262, from both sides.

// maxEarly is how many early dialogs of one INVITE are told apart.
const maxEarly = 8

// reliable are our reliable answers to an INVITE of theirs.
type reliable struct {
	can, must bool   // they take them, they take nothing else
	seq       uint32 // of the last one
	open      *reliableAnswer
	late      *reliableAnswer // was open when the 200 left: its PRACK may still come
	next      *waitingAnswer  // to be sent when the open one is acknowledged; a newer one takes its place
	accept    []byte          // the 200 that waits for the PRACK
	agreed    bool            // offer and answer are exchanged
	theirs    bool            // our offer was answered in the PRACK: the 200 has nothing left to say
}

// reliableAnswer waits for its PRACK.
type reliableAnswer struct {
	res   *sipgo.Response
	seq   uint32
	sdp   bool
	offer bool // the SDP in it is an offer
	again time.Duration
	stops []func()
}

type waitingAnswer struct {
	code   int
	reason string
	sdp    []byte
}

func (a *reliableAnswer) stop() {
	for _, f := range a.stops {
		f()
	}
	a.stops = nil
}

func isReliable(res *sipgo.Response) bool {
	return res.StatusCode > 100 && res.IsProvisional() && has(res, "100rel", "Require")
}

// provisional sends a 1xx, reliably if they insist, or can and it matters that it arrives.
func (l *Leg) provisional(code int, reason string, sdp []byte) {
	// An offer needs a way back for its answer, and is made once. RFC 3262 §5.
	if sdp != nil && (l.first.noOffer && !l.rel.can || l.rel.theirs) {
		sdp = nil
	}
	if !l.rel.must && (!l.rel.can || sdp == nil) {
		res := l.response(l.first.req, code, reason, sdp)
		l.ep.respond(l.first.req, l.first.tx, res)
		return
	}
	if l.rel.open != nil { // RFC 3262 §3: one after the other
		if l.rel.next == nil || sdp != nil || l.rel.next.sdp == nil {
			l.rel.next = &waitingAnswer{code, reason, sdp}
		}
		return
	}
	if l.rel.seq == 0 {
		l.rel.seq = rand.Uint32N(1 << 16) // RFC 3262 §3: any number to begin with
	}
	l.rel.seq++
	a := &reliableAnswer{seq: l.rel.seq, sdp: sdp != nil, offer: sdp != nil && l.first.noOffer && !l.rel.agreed, again: timerT1}
	a.res = l.response(l.first.req, code, reason, sdp, header("Require", "100rel"), header("RSeq", strconv.Itoa(int(a.seq))))
	l.rel.open = a
	l.ep.respond(l.first.req, l.first.tx, a.res)
	l.repeatReliable(a)
	a.stops = append(a.stops, l.after(timerB, func() { l.neverPracked(a) }))
	if sdp != nil {
		l.localSDP = sdp
	}
}

// repeatReliable sends it again at T1, then twice as long each time. RFC 3262 §3.
func (l *Leg) repeatReliable(a *reliableAnswer) {
	a.stops = append(a.stops, l.after(a.again, func() {
		if l.rel.open != a || l.state != legProceeding {
			return
		}
		l.ep.respond(l.first.req, l.first.tx, a.res)
		a.again *= 2
		l.repeatReliable(a)
	}))
}

// neverPracked gives the INVITE up: who cannot acknowledge a 183 has not got it. RFC 3262 §3.
func (l *Leg) neverPracked(a *reliableAnswer) {
	if l.rel.open != a || l.state != legProceeding {
		return
	}
	a.stop()
	l.respondFirst(504, "Server Time-out")
	l.finish(call.CauseTimeout, 504, "no PRACK for our reliable answer")
	l.settle()
}

// onPrack takes the acknowledgement of a reliable answer, with what it says about the session.
func (l *Leg) onPrack(r inRequest) {
	a := l.rel.open
	if late := l.rel.late; a == nil && late != nil && acknowledges(headerOf(r.req, "RAck"), late.seq, l.first.seq) {
		l.rel.late = nil
		l.respond(r, 200, "OK", nil)
		return
	}
	if a == nil || !acknowledges(headerOf(r.req, "RAck"), a.seq, l.first.seq) {
		l.respond(r, 481, "Call/Transaction Does Not Exist", nil)
		return
	}
	sdp, ok := sdpOf(r.req)
	if !ok {
		l.respond(r, 415, "Unsupported Media Type", nil, header("Accept", "application/sdp"))
		return
	}
	a.stop()
	l.rel.open = nil
	switch {
	case a.offer && sdp == nil: // RFC 3262 §5: the answer must be here
		l.respond(r, 400, "Bad Request", nil)
		l.respondFirst(400, "Bad Request")
		l.finish(call.CauseProtocol, 400, "no answer to our offer in the PRACK")
		l.settle()
		return
	case a.offer:
		l.rel.agreed, l.rel.theirs, l.remoteSDP = true, true, sdp
		l.respond(r, 200, "OK", nil)
		l.emit(call.LegEvent{Kind: call.LegChanged, SDP: sdp})
	case sdp != nil && l.pending == nil && (a.sdp || l.rel.agreed): // a new offer
		l.rel.agreed = true
		l.change(r, true)
	default:
		l.rel.agreed = l.rel.agreed || a.sdp
		l.respond(r, 200, "OK", nil)
	}
	l.acknowledged()
}

// acknowledged goes on with what waited for the PRACK.
func (l *Leg) acknowledged() {
	if l.state != legProceeding {
		return
	}
	if sdp := l.rel.accept; sdp != nil {
		l.rel.accept = nil
		l.answer(sdp)
		return
	}
	if n := l.rel.next; n != nil {
		l.rel.next = nil
		l.provisional(n.code, n.reason, n.sdp)
	}
	l.propose()
}

// acknowledges reports whether a RAck is for an answer: its number, and the CSeq of the INVITE. RFC 3262 §7.2.
func acknowledges(rack string, rseq, cseq uint32) bool {
	f := strings.Fields(rack)
	return len(f) == 3 && f[0] == strconv.FormatUint(uint64(rseq), 10) && f[1] == strconv.FormatUint(uint64(cseq), 10) && f[2] == "INVITE"
}

// acknowledge sends PRACK for a reliable answer to our INVITE. ok is false for one that was here before, or that comes too
// early: it is sent again, after the one that is missing. RFC 3262 §4.
func (l *Leg) acknowledge(e *early, res *sipgo.Response) (ok bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(valueOf(res, "RSeq")), 10, 32)
	if err != nil || n == 0 || e.rseq != 0 && uint32(n) != e.rseq+1 {
		return false
	}
	e.rseq = uint32(n)
	l.d.confirm(res)
	req := l.d.request(l.ep, sipgo.PRACK)
	req.AppendHeader(header("RAck", strconv.FormatUint(n, 10)+" "+strconv.FormatUint(uint64(l.out.seq), 10)+" INVITE"))
	e.d = l.d
	l.out.spent(l.d.localSeq)
	l.queryAs(req, &challenges{}, func(*sipgo.Response) {}) // the INVITE says how it ends
	return true
}
