package sip

import (
	"log/slog"
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

// Leg is one dialog with a trunk or a device, in either direction: call.Leg. Its goroutine alone touches what is below
// the mailbox; everything else posts.
type Leg struct {
	ep       *Endpoint
	callID   string
	localTag string
	log      *slog.Logger
	done     chan struct{} // closed when the leg is gone
	theirTag atomic.Value  // string: of the peer, for others than the leg's goroutine

	mu     sync.Mutex // of the mailbox
	mail   []func()
	remote int // messages of the peer in mail
	wake   chan struct{}
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
	timers map[*time.Timer]struct{}
}

var _ call.Leg = (*Leg)(nil)

// inRequest is a request inside the dialog with its transaction.
type inRequest struct {
	req *sipgo.Request
	tx  *sipgo.ServerTx
	in  *invite // of an INVITE
}

func newLeg(ep *Endpoint, callID, localTag string) *Leg {
	return &Leg{
		ep: ep, callID: callID, localTag: localTag, log: ep.log.With("call_id", callID),
		done: make(chan struct{}), wake: make(chan struct{}, 1), timers: make(map[*time.Timer]struct{}),
	}
}

// run makes the leg findable and starts its goroutine. ok is false if the endpoint is closed.
func (l *Leg) run() (ok bool) {
	l.ep.index.add(l)
	return l.ep.spawn(l.loop)
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
func (l *Leg) Answer(sdp []byte) { l.post(func() { l.answer(sdp) }) }

// Reject ends an unanswered incoming leg.
func (l *Leg) Reject(code int, reason string, retryAfter time.Duration) {
	l.post(func() { l.reject(code, reason, retryAfter) })
}

// AnswerOffer answers the offer of the last LegOffer.
func (l *Leg) AnswerOffer(sdp []byte) { l.post(func() { l.answerOffer(sdp) }) }

// Hangup ends the leg as its state needs.
func (l *Leg) Hangup(cause string) { l.post(func() { l.hangup(cause) }) }

// post gives the leg's goroutine something to do. It never blocks.
func (l *Leg) post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed {
		return
	}
	l.mail = append(l.mail, f)
	l.signal()
}

// postRemote is post for what the peer causes: bounded. ok is false if the leg is gone. A full mailbox ends the leg.
func (l *Leg) postRemote(f func()) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed {
		return false
	}
	if l.remote >= maxMail {
		if !l.full {
			l.full = true
			l.ep.count.overflows.Add(1)
			l.mail = append(l.mail, func() {
				l.finish(call.CauseProtocol, 0, "too many messages at once")
				l.sayBye("SIP;text=\"too many messages\"")
				l.settle()
			})
			l.signal()
		}
		return true
	}
	l.remote++
	l.mail = append(l.mail, func() {
		l.mu.Lock()
		l.remote--
		l.mu.Unlock()
		f()
	})
	l.signal()
	return true
}

func (l *Leg) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// kill ends the goroutine at once: the endpoint closes.
func (l *Leg) kill() {
	l.post(func() {
		l.finish(call.CauseLocal, 0, "endpoint closed")
		l.leave()
	})
}

func (l *Leg) loop() {
	defer close(l.done)
	for range l.wake {
		for {
			l.mu.Lock()
			if len(l.mail) == 0 {
				l.mail = nil
				l.mu.Unlock()
				break
			}
			f := l.mail[0]
			l.mail[0] = nil
			l.mail = l.mail[1:]
			l.mu.Unlock()
			l.contained(f)
			if l.state == legGone {
				return
			}
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

// after runs f in the leg's goroutine after d, unless the leg is gone or stop was called.
func (l *Leg) after(d time.Duration, f func()) (stop func()) {
	var t *time.Timer
	var stopped atomic.Bool
	t = time.AfterFunc(d, func() {
		l.post(func() {
			if !stopped.Load() {
				delete(l.timers, t)
				f()
			}
		})
	})
	l.timers[t] = struct{}{}
	return func() {
		stopped.Store(true)
		t.Stop()
		delete(l.timers, t)
	}
}

// attach gives the leg its owner's event function; what happened before is told now. The leg may be leaving at this very
// moment and never come to what was posted: then its goroutine is over, and it is told from here. Either way the owner
// hears of the end exactly once.
func (l *Leg) attach(events func(call.LegEvent)) {
	told := make(chan struct{})
	l.post(func() {
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

// leave ends the leg's goroutine.
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
	for t := range l.timers {
		t.Stop()
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
