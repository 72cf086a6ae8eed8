package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/call"
)

const (
	// gatewayWait is for the first word of a gateway when there is another one to try: with three gateways, the first
	// dead and the second refusing, the third is reached in time (R25). RFC 3261 would wait for 32 seconds.
	gatewayWait = 2 * time.Second

	elsewhere = `SIP;cause=200;text="Call completed elsewhere"` // RFC 3326, as RFC 7462 §4.2 writes it

	maxRedirects = 5  // of one call
	maxBranches  = 20 // INVITEs of one call
)

// errNoAnswer is the outcome of a gateway that says nothing.
var errNoAnswer = errors.New("sip: no answer to our INVITE")

// fork is an outgoing call before and after it is answered: one Leg for each place that is tried, at the same time or in
// turn, of which the first to answer has the call. They share the Call-ID and have each a tag of their own, so that the
// call has one name in every record.
//
// What happens to a fork is done by one goroutine at a time, in order; it is started when there is something to do.
type fork struct {
	ep     *Endpoint
	log    *slog.Logger
	callID string
	target call.Target
	offer  []byte
	events func(call.LegEvent)

	mu      sync.Mutex // of the mailbox
	mail    []func()
	running bool

	stopPlanning context.CancelFunc
	plan         plan
	next         int // hop to try next, in turn
	branches     []*branch
	tried        int
	redirections int
	visited      map[string]struct{} // redirected to already
	winner       *branch
	named        atomic.Pointer[Leg] // the winner's, for Dialog
	media        *branch             // whose early media is heard
	wish         []byte              // our offer until there is somebody to make it to
	worst        call.LegEvent       // the failure that tells most
	failed       bool
	ended        bool
}

var _ call.Leg = (*fork)(nil)

// branch is one place that is tried.
type branch struct {
	hop    hop
	leg    *Leg
	heard  bool
	rang   bool
	left   bool // not waited for any more
	told   bool
	silent *time.Timer
}

// post gives the fork something to do. It never blocks.
func (f *fork) post(do func()) {
	f.mu.Lock()
	f.mail = append(f.mail, do)
	if f.running {
		f.mu.Unlock()
		return
	}
	f.running = true
	f.mu.Unlock()
	if !f.ep.spawn(f.work) {
		f.work()
	}
}

func (f *fork) work() {
	for {
		f.mu.Lock()
		if len(f.mail) == 0 {
			f.mail, f.running = nil, false
			f.mu.Unlock()
			return
		}
		do := f.mail[0]
		f.mail = f.mail[1:]
		f.mu.Unlock()
		f.contained(do)
	}
}

// contained runs one step; a panic ends this call and not the process.
func (f *fork) contained(do func()) {
	defer func() {
		if p := recover(); p != nil {
			f.ep.panicked("call "+f.callID, p)
			for _, b := range f.branches { // the owner hears of the end when the last of them is gone
				b.leg.Hangup("SIP;cause=500")
			}
			if len(f.branches) == 0 {
				f.post(func() { f.end(call.LegEvent{Cause: call.CauseProtocol, Code: 500, Text: "internal error"}) })
			}
		}
	}()
	do()
}

// CallID is the SIP Call-ID of every branch.
func (f *fork) CallID() string { return f.callID }

// Ring is for calls that come in, as are Progress, Answer and Reject.
func (*fork) Ring() {}

// Progress does nothing.
func (*fork) Progress([]byte) {}

// Answer does nothing.
func (*fork) Answer([]byte) {}

// Reject does nothing.
func (*fork) Reject(int, string, time.Duration) {}

// AnswerOffer answers the offer of the last LegOffer.
func (f *fork) AnswerOffer(sdp []byte) {
	f.post(func() {
		if b := f.spokesman(); b != nil {
			b.leg.AnswerOffer(sdp)
		}
	})
}

// Offer offers a change of session, as soon as there is somebody to offer it to.
func (f *fork) Offer(sdp []byte) {
	f.post(func() {
		switch b := f.spokesman(); {
		case f.ended:
		case b == nil || f.winner == nil && len(f.plan.hops) > 1 && f.plan.together:
			f.wish = sdp
		default:
			b.leg.Offer(sdp)
		}
	})
}

// Digit sends a key by SIP INFO.
func (f *fork) Digit(digit byte, d time.Duration) {
	f.post(func() {
		if f.winner != nil {
			f.winner.leg.Digit(digit, d)
		}
	})
}

// Notify tells how the transfer they asked for goes.
func (f *fork) Notify(code int, reason string) {
	f.post(func() {
		if f.winner != nil {
			f.winner.leg.Notify(code, reason)
		}
	})
}

// Hangup gives up, or ends what was answered.
func (f *fork) Hangup(cause string) {
	f.post(func() {
		if f.ended {
			return
		}
		for _, b := range f.branches {
			b.leg.Hangup(cause)
		}
		if f.winner == nil { // else the leg says when it ends
			f.end(call.LegEvent{Cause: call.CauseLocal, Text: cause})
		}
	})
}

// spokesman is the branch that the owner speaks with.
func (f *fork) spokesman() *branch {
	switch {
	case f.winner != nil:
		return f.winner
	case f.media != nil:
		return f.media
	}
	for _, b := range f.branches {
		if !b.left {
			return b
		}
	}
	return nil
}

// emit tells the owner. After the end nothing is told.
func (f *fork) emit(e call.LegEvent) {
	if !f.ended {
		f.events(e)
	}
}

// end tells LegEnded, once, and gives back what the plan took.
func (f *fork) end(e call.LegEvent) {
	if f.ended {
		return
	}
	f.ended = true
	f.stopPlanning()
	for _, b := range f.branches {
		b.stopWaiting()
	}
	if f.plan.release != nil {
		f.plan.release()
	}
	e.Kind = call.LegEnded
	if f.winner == nil {
		f.log.Info("call not answered", "cause", causeText(e.Cause), "code", e.Code, "text", e.Text)
	}
	f.events(e)
}

// planned takes the plan and begins.
func (f *fork) planned(p plan, err error) {
	switch {
	case err != nil:
		f.end(notPlanned(err))
		return
	case f.ended: // hung up meanwhile
		p.release()
		return
	}
	f.plan = p
	if !p.together {
		f.tryNext()
		return
	}
	for _, h := range p.hops {
		f.try(h)
	}
	if len(f.branches) == 0 {
		f.giveUp()
	}
}

// tryNext goes on to the next hop of a plan in turn, or gives up.
func (f *fork) tryNext() {
	for f.next < len(f.plan.hops) {
		f.next++
		if f.try(f.plan.hops[f.next-1]) {
			return
		}
	}
	f.giveUp()
}

func (f *fork) giveUp() {
	if !f.failed {
		f.worst = call.LegEvent{Cause: call.CauseRejected, Code: 503, Text: "nobody could be called"}
	}
	f.end(f.worst)
}

// try calls one hop.
func (f *fork) try(h hop) bool {
	if f.tried >= maxBranches {
		return false
	}
	f.tried++
	b := &branch{hop: h}
	b.leg = f.ep.newOutgoing(f.callID, f.target, f.offer, h, f.plan.together)
	b.leg.log = f.log
	b.leg.events = func(e call.LegEvent) { f.post(func() { f.happened(b, e) }) }
	b.leg.out.onHeard = func() { f.post(func() { b.heard = true; b.stopWaiting() }) }
	f.branches = append(f.branches, b)
	if !f.plan.together && f.next < len(f.plan.hops) {
		b.silent = time.AfterFunc(gatewayWait, func() { f.post(func() { f.silence(b) }) })
	}
	b.leg.start()
	return true
}

func (b *branch) stopWaiting() {
	if b.silent != nil {
		b.silent.Stop()
	}
}

// silence leaves a gateway that has said nothing at all. Its leg closes what may still come by itself.
func (f *fork) silence(b *branch) {
	if b.heard || b.left || f.ended || f.winner != nil {
		return
	}
	f.log.Info("gateway says nothing, the next one is tried", "gateway", b.hop.addr.String())
	f.fail(b, call.LegEvent{Cause: call.CauseTimeout, Code: 408, Text: "no answer to our INVITE"})
	b.left = true
	b.tell(outcome{err: errNoAnswer})
	b.leg.Hangup("")
	f.tryNext()
}

// tell says how a hop did, once.
func (b *branch) tell(o outcome) {
	if !b.told && b.hop.tell != nil {
		b.hop.tell(o)
	}
	b.told = true
}

// happened is an event of a branch.
func (f *fork) happened(b *branch, e call.LegEvent) {
	switch {
	case e.Kind == call.LegEnded:
		f.branchEnded(b, e)
	case b == f.winner:
		f.emit(e)
	case f.ended || f.winner != nil || b.left:
		if e.Kind == call.LegOffer {
			b.leg.AnswerOffer(nil)
		}
	case e.Kind == call.LegAnswered:
		f.answered(b, e)
	case e.Kind == call.LegProgress:
		if b.rang = b.rang || e.Code >= 180; b.rang && b.hop.rang != nil {
			b.hop.rang()
		}
		if f.media == nil && e.SDP != nil {
			f.media = b
		}
		if f.media != nil && f.media != b { // two at once cannot be heard
			e.SDP = nil
		}
		f.emit(e)
	case e.Kind == call.LegOffer && f.media != nil && f.media != b:
		b.leg.AnswerOffer(nil)
	default:
		f.emit(e)
	}
}

// answered gives a branch the call and ends the others.
func (f *fork) answered(b *branch, e call.LegEvent) {
	f.winner, e.Device = b, b.hop.device
	f.named.Store(b.leg)
	b.tell(outcome{status: 200})
	for _, other := range f.branches {
		other.stopWaiting()
		if other != b {
			other.left = true
			other.leg.Hangup(elsewhere)
		}
	}
	f.emit(e)
	if f.wish != nil {
		b.leg.Offer(f.wish)
		f.wish = nil
	}
}

// branchEnded goes on without a branch.
func (f *fork) branchEnded(b *branch, e call.LegEvent) {
	b.stopWaiting()
	if e.Cause != call.CauseLocal || b.heard {
		o := result(e)
		o.retryAfter = b.leg.out.retryAfter
		b.tell(o)
	}
	switch {
	case b == f.winner:
		f.end(e)
		return
	case f.ended || f.winner != nil || b.left:
		return
	}
	b.left = true
	if f.media == b {
		f.media = nil
	}
	if f.redirect(b, e) {
		return
	}
	f.fail(b, e)
	if e.Code >= 600 { // RFC 3261 §16.7: nobody else need be asked
		for _, other := range f.branches {
			other.leg.Hangup(fmt.Sprintf("SIP;cause=%d", e.Code))
		}
		f.end(e)
		return
	}
	switch {
	case f.plan.together:
		for _, other := range f.branches {
			if !other.left {
				return
			}
		}
		f.giveUp()
	case failsOver(b, e):
		f.tryNext()
	default:
		f.end(f.worst)
	}
}

// failsOver reports that another gateway may do better. Whoever has rung is not called twice.
func failsOver(b *branch, e call.LegEvent) bool {
	if b.rang {
		return false
	}
	switch e.Cause {
	case call.CauseTimeout, call.CauseTransport:
		return true
	case call.CauseRejected:
		return e.Code == 408 || e.Code >= 500 && e.Code < 600
	default:
		return false
	}
}

func result(e call.LegEvent) outcome {
	switch e.Cause {
	case call.CauseTimeout, call.CauseTransport:
		return outcome{err: fmt.Errorf("sip: %s", e.Text)}
	case call.CauseLocal:
		return outcome{status: 487}
	default:
		return outcome{status: e.Code}
	}
}

// fail keeps the failure that says most about the called party: it refused, rather than a device of it could not be
// reached. RFC 3261 §16.7.
func (f *fork) fail(_ *branch, e call.LegEvent) {
	if !f.failed || weight(e) > weight(f.worst) || !f.plan.together && weight(e) == weight(f.worst) {
		f.worst, f.failed = e, true
	}
}

func weight(e call.LegEvent) int {
	switch {
	case e.Code >= 600:
		return 5
	case e.Cause == call.CauseProtocol:
		return 1
	case e.Cause != call.CauseRejected:
		return 0
	case e.Code >= 500, e.Code == 401, e.Code == 407:
		return 2
	case e.Code == 408, e.Code == 480, e.Code == 404:
		return 3
	}
	return 4
}
