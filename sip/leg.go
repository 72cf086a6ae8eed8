package sip

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// The times of a leg that are ours to choose.
const (
	gapWait     = 150 * time.Millisecond // for the request that is missing before this one
	offerWait   = 10 * time.Second       // for the owner to answer an offer
	ringAgain   = time.Minute            // RFC 3261 §13.3.1.1: a provisional answer every minute
	inviteLimit = 10 * time.Minute       // for a final answer to our INVITE, whatever the owner does
	maxHeld     = maxMail                // requests that wait for their predecessor
	maxMail     = 256                    // messages from the peer that wait for the leg
)

// legState is where a leg is in its life; see the package comment.
type legState int

const (
	legProceeding legState = iota
	legCalling
	legAnswered
	legConfirmed
	legEnding
	legGone
)

func (s legState) String() string {
	return [...]string{"proceeding", "calling", "answered", "confirmed", "ending", "gone"}[s]
}

// Leg is one dialog with a trunk or a device, in either direction: call.Leg. What is below the mailbox is touched by one
// goroutine at a time, the one that works for the leg at that moment; everything else posts. A leg has no goroutine of its
// own: whoever finds it idle works for it (do), or starts a goroutine that does (post), so that a packet is handled where it
// was read, without waking anybody.
type Leg struct {
	ep       *Endpoint
	callID   string
	localTag string
	log      *slog.Logger
	done     chan struct{} // closed when the leg is gone
	theirTag atomic.Value  // string: of the peer, for others than who works for the leg
	self     *legRef       // what the INVITEs of the dialog know of us

	mu     sync.Mutex // of the mailbox
	mail   []func()
	remote int  // messages of the peer in mail
	busy   bool // somebody works for the leg, or run was not called yet
	killed bool
	full   bool

	state   legState
	d       dialog
	release func() // gives the channel back

	events func(call.LegEvent)
	early  []call.LegEvent // until events is known
	ended  bool            // LegEnded is out

	// Incoming.
	first   *serverInvite   // their INVITE
	unacked []*serverInvite // 200 sent, ACK owed
	pending *offer          // their re-INVITE or UPDATE that the owner has not answered
	ringing func()          // stops the next 180
	byeOwed string          // Hangup came before the ACK: BYE when it comes
	byeWant bool

	rel reliable

	// Outgoing.
	out *clientInvite
	hop hop

	// Both.
	region    string // for national numbers in a Refer-To
	referable bool   // the peer may transfer the call
	trunked   bool   // the peer is a trunk: it speaks from its own addresses
	texter    Text   // whose text messages they are
	far       far
	localSDP  []byte // what we said last and was agreed
	remoteSDP []byte
	wanted    *proposal // change of ours that has not left
	proposed  *proposal // and the one that waits for its answer
	retry     func()    // stops the wait before the next try
	session   session
	refer     *referral
	lingers   bool // for its last NOTIFY
	theyLeft  bool // by BYE
	keys      []keyPress

	held   []inRequest // in the order of CSeq
	gap    *time.Timer
	byes   int // BYEs of ours that are not answered yet
	timers []*legTimer
}

var _ call.Leg = (*Leg)(nil)

// inRequest is a request inside the dialog with its transaction.
type inRequest struct {
	req *sipgo.Request
	tx  *sipgo.ServerTx
	in  *invite // of an INVITE
}

func newLeg(ep *Endpoint, callID, localTag string) *Leg {
	l := &Leg{
		ep: ep, callID: callID, localTag: localTag, log: ep.log.With("call_id", callID),
		done: make(chan struct{}), busy: true,
	}
	l.self = &legRef{l, localTag}
	return l
}

// run makes the leg findable and alive, until work ends it. ok is false if the endpoint is closed.
func (l *Leg) run() (ok bool) {
	l.ep.index.add(l)
	if !l.ep.hold() {
		return false
	}
	l.mu.Lock()
	l.busy = len(l.mail) > 0
	begin := l.busy
	l.mu.Unlock()
	if begin {
		go l.work()
	}
	return true
}

// CallID is the SIP Call-ID.
func (l *Leg) CallID() string { return l.callID }

// Ring sends 180.
func (l *Leg) Ring() { l.post(l.ring) }

// Progress sends 183 with our SDP.
func (l *Leg) Progress(sdp []byte) { l.post(func() { l.progress(sdp) }) }

// Offer offers a change of session.
func (l *Leg) Offer(sdp []byte) { l.post(func() { l.offer(sdp) }) }

// Digit sends a key by SIP INFO.
func (l *Leg) Digit(digit byte, d time.Duration) {
	l.post(func() { l.press(keyPress{digit, d}) })
}

// Notify tells how the transfer they asked for goes.
func (l *Leg) Notify(code int, reason string) { l.post(func() { l.notify(code, reason) }) }

// Answer sends 200 with our SDP.
func (l *Leg) Answer(sdp []byte) { l.do(func() { l.answer(sdp) }) }

// Reject ends an unanswered incoming leg.
func (l *Leg) Reject(code int, reason string, retryAfter time.Duration) {
	l.post(func() { l.reject(code, reason, retryAfter) })
}

// AnswerOffer answers the offer of the last LegOffer.
func (l *Leg) AnswerOffer(sdp []byte) { l.post(func() { l.answerOffer(sdp) }) }

// Hangup ends the leg as its state needs.
func (l *Leg) Hangup(cause string) { l.post(func() { l.hangup(cause) }) }

// post gives the leg something to do. It never blocks, and nothing of the leg runs before it returns.
func (l *Leg) post(f func()) {
	if l.put(f) {
		go l.work()
	}
}

// do gives the leg something to do, and does it here and now if nobody else works for the leg. It is for callers that hold
// no lock and may be kept for a moment; sockets never block, and owners take events without waiting.
func (l *Leg) do(f func()) {
	if l.put(f) {
		l.work()
	}
}

// put fills the mailbox. work says that the caller has to see to it.
func (l *Leg) put(f func()) (work bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed {
		return false
	}
	l.mail = append(l.mail, f)
	work, l.busy = !l.busy, true
	return work
}

// postRemote is post for what the peer causes: bounded. ok is false if the leg is gone. A full mailbox ends the leg.
func (l *Leg) postRemote(f func()) (ok bool) {
	ok, work := l.putRemote(f)
	if work {
		go l.work()
	}
	return ok
}

// doRemote is do for what the peer causes.
func (l *Leg) doRemote(f func()) (ok bool) {
	ok, work := l.putRemote(f)
	if work {
		l.work()
	}
	return ok
}

func (l *Leg) putRemote(f func()) (ok, work bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.killed:
		return false, false
	case l.remote < maxMail:
		l.remote++
		l.mail = append(l.mail, func() {
			l.mu.Lock()
			l.remote--
			l.mu.Unlock()
			f()
		})
	case !l.full:
		l.full = true
		l.ep.count.overflows.Add(1)
		l.mail = append(l.mail, func() {
			l.finish(call.CauseProtocol, 0, "too many messages at once")
			l.sayBye("SIP;text=\"too many messages\"")
			l.settle()
		})
	}
	work, l.busy = !l.busy, true
	return true, work
}

// kill ends the leg at once: the endpoint closes.
func (l *Leg) kill() {
	l.post(func() {
		l.finish(call.CauseLocal, 0, "endpoint closed")
		l.leave()
	})
}

// work does what is in the mailbox until it is empty. One goroutine at a time is here: the one that made the leg busy.
func (l *Leg) work() {
	for {
		l.mu.Lock()
		if len(l.mail) == 0 {
			l.busy = false
			l.mu.Unlock()
			return
		}
		f := l.mail[0]
		l.mail[0] = nil
		if l.mail = l.mail[1:]; len(l.mail) == 0 {
			l.mail = nil
		}
		l.mu.Unlock()
		l.contained(f)
		if l.state == legGone {
			close(l.done)
			l.ep.wg.Done()
			return
		}
	}
}

// contained runs one step; a panic ends this leg and not the process. The peer is told, as far as that still works.
func (l *Leg) contained(f func()) {
	if l.guarded(f) {
		return
	}
	l.guarded(func() { l.finish(call.CauseProtocol, 500, "internal error") })
	told := l.guarded(func() {
		if l.first != nil && !l.first.final {
			l.respondFirst(500, "Server Internal Error")
		}
		l.sayBye("SIP;cause=500")
	})
	if !told || !l.guarded(l.settle) {
		l.leave()
	}
}

// guarded runs f and reports whether it came to its end.
func (l *Leg) guarded(f func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			l.ep.panicked("leg "+l.callID, p)
		}
	}()
	f()
	return true
}

// legTimer is a timer of a leg. One that was stopped lets go of the leg at once: the runtime keeps it for a while.
type legTimer struct {
	leg   atomic.Pointer[Leg] // nil: stopped, or over
	run   func()
	timer *time.Timer
}

func (t *legTimer) fire() {
	if l := t.leg.Load(); l != nil {
		l.do(t.due)
	}
}

// due runs as work for the leg.
func (t *legTimer) due() {
	if run := t.run; t.forget() {
		run()
	}
}

// stop is called by who works for the leg.
func (t *legTimer) stop() {
	if t.forget() {
		t.timer.Stop()
	}
}

// forget takes the timer out of the leg's list, once.
func (t *legTimer) forget() (first bool) {
	l := t.leg.Swap(nil)
	if l == nil {
		return false
	}
	t.run = nil
	if i := slices.Index(l.timers, t); i >= 0 {
		l.timers = slices.Delete(l.timers, i, i+1)
	}
	return true
}

// after runs f as work for the leg after d, unless the leg is gone or stop was called.
func (l *Leg) after(d time.Duration, f func()) (stop func()) {
	t := &legTimer{run: f}
	t.leg.Store(l)
	l.timers = append(l.timers, t)
	t.timer = time.AfterFunc(d, t.fire)
	return t.stop
}

// attach gives the leg its owner's event function; what happened before is told now. The leg may be leaving at this very
// moment and never come to what was posted: then nobody works for it any more, and it is told from here. Either way the
// owner hears of the end exactly once.
func (l *Leg) attach(events func(call.LegEvent)) {
	told := make(chan struct{})
	l.do(func() {
		l.tellEarly(events)
		close(told)
	})
	select {
	case <-told:
	case <-l.done:
		select {
		case <-told:
		default:
			l.tellEarly(events)
		}
	}
}

func (l *Leg) tellEarly(events func(call.LegEvent)) {
	l.events = events
	for _, e := range l.early {
		events(e)
	}
	l.early = nil
}

// emit tells the owner. After LegEnded nothing is told.
func (l *Leg) emit(e call.LegEvent) {
	if l.ended {
		return
	}
	l.ended = e.Kind == call.LegEnded
	if l.events == nil {
		if len(l.early) < maxMail || l.ended {
			l.early = append(l.early, e)
		}
		return
	}
	l.events(e)
}

// finish tells LegEnded, gives the channel back and enters ending. It is safe twice.
func (l *Leg) finish(cause call.LegCause, code int, text string) {
	if l.ended {
		return
	}
	l.log.Info("leg ended", "cause", causeText(cause), "code", code, "text", text, "state", l.state.String())
	if l.state < legEnding {
		l.state = legEnding
	}
	if l.release != nil {
		l.release()
	}
	l.session.stop()
	l.wanted = nil
	if l.retry != nil {
		l.retry()
		l.retry = nil
	}
	l.emit(call.LegEvent{Kind: call.LegEnded, Cause: cause, Code: code, Text: text})
}

// settle leaves if nothing is owed any more.
func (l *Leg) settle() {
	if l.state != legEnding || l.byes > 0 || len(l.unacked) > 0 || l.byeWant {
		return
	}
	if l.out != nil && !l.out.over || l.proposed != nil && !l.proposed.update || l.referOutlives() {
		return
	}
	l.leave()
}

// leave ends the leg.
func (l *Leg) leave() {
	if l.state == legGone {
		return
	}
	if l.first != nil && !l.first.final { // a transaction without an answer would stay for ever
		l.respondFirst(500, "Server Internal Error")
	}
	l.refusePending(500, "Server Internal Error")
	if f := l.refer; f != nil && !f.taken {
		l.respond(f.inRequest, 481, "Call/Transaction Does Not Exist", nil)
	}
	l.state = legGone
	for len(l.timers) > 0 {
		l.timers[len(l.timers)-1].stop()
	}
	if l.gap != nil {
		l.gap.Stop()
	}
	l.ep.index.remove(l, l.d.remoteTag)
	for _, r := range l.held {
		l.respond(r, 481, "Call/Transaction Does Not Exist", nil)
	}
	l.held = nil
	l.mu.Lock()
	rest := l.mail
	l.mail, l.killed = nil, true
	l.mu.Unlock()
	// What is still in the mailbox may be a request that waits for an answer, or the owner's event function.
	for _, f := range rest {
		l.contained(f)
	}
}

// causeText is a cause for the log.
func causeText(c call.LegCause) string {
	switch c {
	case call.CauseBye:
		return "bye"
	case call.CauseCancelled:
		return "cancelled"
	case call.CauseRejected:
		return "rejected"
	case call.CauseTimeout:
		return "timeout"
	case call.CauseTransport:
		return "transport"
	case call.CauseProtocol:
		return "protocol"
	default:
		return "local"
	}
}
