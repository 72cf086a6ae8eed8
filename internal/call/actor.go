package call

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/internal/events"
)

const (
	mailboxSize = 128 // a call whose events pile up so far is ended
	digitsSize  = 64  // keys kept until a flow reads them
)

// Snapshot is a call as others may see it. It is never changed after it was published.
type Snapshot struct {
	Phase    Phase
	Record   *contact.Record
	Target   TargetQueue
	Voice    Voice
	Callback string // the number to call back; empty: the customer's
	Logging  *bool  // of flows, as one of them chose
	Offer    Offer
	Parties  []Party
	Headers  map[string]string
	Secret   bool // a flow asks for keys that nobody else may learn: no audio of the customer is to leave the call
	Taped    bool // it is being recorded
	Paused   bool // what is recorded is silence, because somebody wants it so
	// Destination is the user whom a transfer is for: of a flow that an agent hears who transfers. Consulted is the contact
	// of whom the agent consults, while they talk.
	Destination string
	NextID      string // of the segment that a transfer would begin
	Consulted   string

	lines []*line
}

// actor is one live call. Only who works for it (see mailbox) touches the fields below the line.
type actor struct {
	m        *Manager
	log      *slog.Logger
	mail     mailbox
	digits   chan byte
	keys     chan byte // of the agent who hears a transfer flow
	done     chan struct{}
	snapshot atomic.Pointer[Snapshot]
	customer atomic.Int64 // the party whose keys are for the flow
	asker    atomic.Int64 // ... for the transfer flow; 0: none runs
	byInfo   atomic.Bool  // somebody takes keys by SIP INFO alone
	headers  map[string]string
	keep     keep
	saver    *saver

	// ---
	flooded   bool // it is being ended for that
	state     State
	local     []Event // made by effects; stepped before the mailbox
	lines     []*line
	given     []*line // to other calls: what was posted before is sent after them
	referrer  *line   // to whom the outcome of a transfer is owed, who may be gone
	bridge    bridge
	recording Recording
	taping    string // key of the recording
	heard     hearing
	flows     [places]*Control
	timers    map[timerKey]*time.Timer
	flowReply [places]chan error
	reply     chan error       // of the one who asked for something
	aliases   []string         // contacts of ours by which we are found, too
	newcomer  *askTakeOver     // who wants a place in this call
	engaged   []string         // users who are in this call by themselves
	waiting   []func(code int) // those who want one when the other end has answered
}

// timerKey names a running timer.
type timerKey struct {
	timer Timer
	gen   int
}

// Asks are events that carry a way to answer; the loop unwraps them.
type (
	askQueue struct {
		gen   int
		who   int
		move  bool
		reply chan error
	}
	askOutward struct {
		outwardAsked
		who   int
		reply chan error
	}
	askAgent struct {
		gen   int
		who   int
		reply chan error
	}
	askChange struct {
		event   Event
		applied chan struct{}
	}
	// askEvent wants to know how the event was taken.
	askEvent struct {
		event Event
		reply chan error
	}
	// askTakeOver brings a line that is to take the place of a party. done is called once; if there is an error the line
	// is the caller's again.
	askTakeOver struct {
		takeOver
		line *line
		done func(next string, err error)
		// reached is called once, with 0 or a status, if done was called with errStillRings.
		reached func(code int)
	}
	// askMoved is moved, with the line that has come back if it was not taken.
	askMoved struct {
		moved
		line *line
	}
	// keyed: a key that whoever is joined with the party may have to be told of by SIP INFO.
	keyed struct {
		Party int
		Digit byte
	}
)

func (askQueue) isEvent()    {}
func (askOutward) isEvent()  {}
func (askAgent) isEvent()    {}
func (askChange) isEvent()   {}
func (askEvent) isEvent()    {}
func (askTakeOver) isEvent() {}
func (keyed) isEvent()       {}

// press keeps a key for the flow; when nobody reads, the oldest are worth more.
func (a *actor) press(keys chan byte, d byte) {
	select {
	case keys <- d:
	default:
		a.log.Warn("digit dropped: too many keys nobody waits for")
	}
}

// receive steps one event and all that its effects caused at once.
func (a *actor) receive(e Event) {
	var applied chan struct{}
	switch ask := e.(type) {
	case askQueue:
		a.flowReply[ask.who] = ask.reply
		e = enqueueAsked{Gen: ask.gen, NewID: a.m.o.NewID(), Move: ask.move}
	case askOutward:
		a.flowReply[ask.who], e = ask.reply, ask.outwardAsked
	case askAgent:
		a.flowReply[ask.who], e = ask.reply, agentAsked{Gen: ask.gen, NewID: a.m.o.NewID()}
	case askChange:
		e, applied = ask.event, ask.applied
	case askEvent:
		a.reply, e = ask.reply, ask.event
	case askTakeOver:
		a.newcomer, e = &ask, ask.takeOver
		if ask.reached != nil && ask.From != nil && a.state.mayAnswer(ask.Party) {
			a.waiting = append(a.waiting, ask.reached)
		}
	case askMoved:
		e = ask.moved
	case keyed:
		a.relayKey(ask)
		return
	case askDigits:
		if l := a.line(ask.party); l != nil && l.media != nil && l.leg != nil {
			l.send(ask.digits)
		}
		return
	case timerFired:
		if l := a.line(ask.Gen); l != nil && l.media != nil && ask.Timer == TimerEarly {
			ask.Packets = l.media.Stats().Received
			e = ask
		}
	case partyLeg, mediaDead:
		if a.isGiven(e) {
			return
		}
	}
	a.local = append(a.local, e)
	for len(a.local) > 0 {
		e, a.local = a.local[0], a.local[1:]
		effects := a.advance(e)
		if a.state.NextID == "" && a.state.Phase >= PhaseTalking && a.state.Phase < PhaseEnding {
			a.state.NextID = a.m.o.NewID() // an event may end a segment from now on
		}
		a.customer.Store(int64(a.state.Customer))
		a.asker.Store(int64(a.state.asker()))
		a.publish() // before a flow begins that reads it
		for _, eff := range effects {
			a.perform(eff)
		}
	}
	a.tellWaiting()
	if own := a.state.ownUsers(); !slices.Equal(own, a.engaged) {
		were := a.engaged
		a.engaged = own
		a.m.engage(a, were, own)
	}
	if !slices.Equal(a.snapshot.Load().lines, a.lines) {
		a.publish()
	}
	a.tellUsers()
	if applied != nil {
		close(applied)
	}
}

// advance is Step, for a state that is too large to be handed around by value: neither the stack of whoever works for the
// call has to hold it several times while effects are performed, nor the heap for each event.
func (a *actor) advance(e Event) []Effect {
	st, ok := a.m.steps.Get().(*step)
	if !ok {
		st = &step{}
	}
	st.State = a.state
	st.decide(e, time.Now())
	a.state = st.State
	effects := st.effects
	*st = step{}
	a.m.steps.Put(st)
	return effects
}

// tellWaiting tells those who want a place in this call that it has been answered, or has come to nothing.
func (a *actor) tellWaiting() {
	if len(a.waiting) == 0 || a.state.Phase == PhaseCalling || a.state.Phase == PhaseOutboundWhisper {
		return
	}
	code := 0
	if a.state.Phase != PhaseTalking {
		code = cmp.Or(a.state.Failed, 487)
	}
	for _, reached := range a.waiting {
		go reached(code) // to another call, which may ask us for something at this very moment
	}
	a.waiting = nil
}

// isGiven sends an event after the line that it comes from, if that is not ours any more.
func (a *actor) isGiven(e Event) bool {
	if len(a.given) == 0 {
		return false
	}
	party := 0
	switch e := e.(type) {
	case partyLeg:
		party = e.Party
	case mediaDead:
		party = e.Party
	}
	if p := a.state.party(party); p != nil && p.Stage != partyLent {
		return false
	}
	for _, l := range a.given {
		if l.was == party {
			l.forward(e)
			return true
		}
	}
	return false
}

func (a *actor) addLine(l *line) {
	a.lines = append(a.lines, l)
	if l.profile.Digits == DigitsInfo {
		a.byInfo.Store(true)
	}
}

// line finds the line of a party; nil if there is none.
func (a *actor) line(party int) *line {
	for _, l := range a.lines {
		if l.id == party {
			return l
		}
	}
	return nil
}

// publish shares what the state points to: the next step changes copies of it.
func (a *actor) publish() {
	a.snapshot.Store(&Snapshot{
		Phase: a.state.Phase, Record: a.state.Record, Target: a.state.Target, Voice: a.state.Voice,
		Callback: a.state.Callback, Logging: a.state.Logging,
		Offer: a.state.Offer, Parties: a.state.Parties, Headers: a.headers, Secret: a.state.Secret != 0, lines: slices.Clone(a.lines),
		Taped: a.state.Taping != "", Paused: a.state.Paused,
		NextID: a.state.NextID, Destination: a.state.destination(), Consulted: a.state.Aside.recordID(),
	})
}

func (a *actor) tell(kind, detail string) {
	a.log.Info("contact event", "event", kind, "detail", detail)
	a.m.o.Events.Record(events.Event{
		At: time.Now(), Kind: kind, InstanceID: a.state.Record.InstanceID, ContactID: a.state.Record.ID,
		CallID: a.state.Record.CallID, Detail: detail,
	})
}

// emergency releases by hand what a panicking step has left, and closes the record.
func (a *actor) emergency() {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic while ending a call", "panic", fmt.Sprint(p))
		}
	}()
	r := copyRecord(a.state.Record)
	if a.referrer != nil {
		a.referrer.leg.Notify(500, "Server Internal Error")
	}
	for _, l := range a.lines {
		if p := a.state.party(l.id); p == nil || p.Stage != partyLent {
			l.end("internal error")
		}
	}
	for _, reply := range a.flowReply {
		if reply != nil {
			reply <- ErrLeft
		}
	}
	if a.newcomer != nil {
		a.newcomer.done("", ErrLeft)
	}
	if a.state.Offer.ID != "" {
		a.m.o.Queues.OfferResult(a.state.Offer.ID, OfferCallerLeft)
		a.m.o.Queues.AgentDone(a.state.Offer.ID)
	}
	for _, r := range a.state.Rivals {
		a.m.o.Queues.OfferResult(r.Offer.ID, OfferCallerLeft)
	}
	a.m.o.Queues.Leave(r.ID)
	for _, rec := range []Recording{a.recording, a.heard.rec} {
		if rec != nil {
			finished := make(chan struct{})
			rec.Stop(func(contact.Recording, error) { close(finished) })
			<-finished
		}
	}
	a.bridge.end()
	for _, old := range a.state.Settling {
		a.saver.close(old, func() {})
	}
	r.DisconnectReason, r.DisconnectDetail, r.DisconnectTimestamp = contact.Other, "internal error", time.Now()
	stored := make(chan struct{})
	a.saver.close(r, func() { close(stored) })
	<-stored
}

func (a *actor) startFlow(e startFlow) {
	a.endFlow(e.For)
	var media Media
	if l := a.line(e.Party); l != nil {
		media = l.media
	}
	ctx, cancel := context.WithCancel(a.m.ctx)
	c := &Control{actor: a, gen: e.Gen, who: e.For, kind: e.Kind, media: media, ctx: ctx, cancel: cancel}
	a.flows[e.For] = c
	a.mail.uses.Add(1)
	go func() {
		roomToWork(0)
		defer a.release()
		defer cancel()
		outcome := FlowFailed
		defer func() {
			if p := recover(); p != nil {
				a.m.stats.Panics.Add(1)
				a.log.Error("panic in contact flow", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			a.do(flowDone{Gen: e.Gen, Kind: e.Kind, Outcome: outcome})
		}()
		outcome = a.m.o.Flows.Run(ctx, FlowRun{Kind: e.Kind, FlowID: e.FlowID, Control: c})
	}()
}

// roomToWork makes the stack of a goroutine that has just begun as large as a flow needs, in one step. It would grow to that in
// three, and each copies what is there.
//
//go:noinline
func roomToWork(at int) byte {
	var room [10 << 10]byte
	return room[at]
}

func (a *actor) endFlow(who int) {
	if c := a.flows[who]; c != nil {
		c.stop()
		a.flows[who] = nil
	}
}
