package call

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
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
	Phase   Phase
	Record  contact.Record
	Target  TargetQueue
	Voice   Voice
	Offer   Offer
	Headers map[string]string
}

// actor is one live call. Only its loop touches the fields below the line.
type actor struct {
	m        *Manager
	log      *slog.Logger
	mailbox  chan Event
	overflow chan struct{}
	once     sync.Once
	digits   chan byte
	done     chan struct{}
	snapshot atomic.Pointer[Snapshot]
	headers  map[string]string
	saver    *saver
	flowsUp  sync.WaitGroup
	answer   []byte // our SDP for the customer's INVITE

	// ---
	state         State
	local         []Event // made by effects; stepped before the mailbox
	customer      Leg
	agent         Leg
	customerMedia Media
	agentMedia    Media
	part          func()
	recording     Recording
	flows         [2]*Control
	timers        [timers]*time.Timer
	queueReply    chan error
}

// Asks are events that carry a way to answer; the loop unwraps them.
type (
	askQueue struct {
		gen   int
		reply chan error
	}
	askChange struct {
		event   Event
		applied chan struct{}
	}
)

func (askQueue) isEvent()  {}
func (askChange) isEvent() {}

// post hands the loop an event and never blocks; false if the call is over. A full mailbox ends the call: something is
// very wrong with it.
func (a *actor) post(e Event) bool {
	if a.over() {
		return false
	}
	select {
	case a.mailbox <- e:
		return !a.over() // if it ended meanwhile, nobody may come to read this
	default:
		a.once.Do(func() { close(a.overflow) })
		return false
	}
}

func (a *actor) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// refuseRest answers what was posted and never read, because the call ended: whoever waits for it must not wait for ever.
func (a *actor) refuseRest() {
	for {
		select {
		case e := <-a.mailbox:
			switch e := e.(type) {
			case enqueueDone:
				if e.Err == nil {
					a.m.o.Queues.Leave(a.state.Record.ID)
				}
			case offered:
				a.m.o.Queues.OfferResult(e.Offer.ID, OfferCallerLeft)
			}
		default:
			return
		}
	}
}

// deliver hands the loop an event that must not be lost; it may wait, and is never called by the loop.
func (a *actor) deliver(e Event) {
	select {
	case a.mailbox <- e:
	case <-a.done:
	}
}

// press keeps a key for the flow; when nobody reads, the oldest are worth more.
func (a *actor) press(d byte) {
	select {
	case a.digits <- d:
	default:
		a.log.Warn("digit dropped: too many keys nobody waits for")
	}
}

// run is the life of the call. Its deferred end is the one place of death.
func (a *actor) run() {
	defer func() {
		if p := recover(); p != nil {
			a.m.stats.Panics.Add(1)
			a.log.Error("panic in call", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a.emergency()
		}
		for i := range a.flows {
			a.endFlow(i)
		}
		close(a.done)
		a.refuseRest()
		a.flowsUp.Wait()
		a.m.forget(a)
	}()
	a.customer.Answer(a.answer)
	for a.state.Phase != PhaseEnded {
		select {
		case e := <-a.mailbox:
			a.receive(e)
		case <-a.overflow:
			a.overflow = nil
			a.m.stats.Overflows.Add(1)
			a.log.Error("mailbox full: ending the call")
			a.receive(stopAsked{Reason: contact.Other, Detail: "overload: the call's events piled up"})
		}
	}
}

// receive steps one event and all that its effects caused at once.
func (a *actor) receive(e Event) {
	var applied chan struct{}
	switch ask := e.(type) {
	case askQueue:
		a.queueReply = ask.reply
		e = enqueueAsked{Gen: ask.gen, NewID: a.m.o.NewID()}
	case askChange:
		e, applied = ask.event, ask.applied
	}
	a.local = append(a.local, e)
	for len(a.local) > 0 {
		e, a.local = a.local[0], a.local[1:]
		next, effects := Step(a.state, e, time.Now())
		a.state = next
		a.publish()
		for _, eff := range effects {
			a.perform(eff)
		}
	}
	if applied != nil {
		close(applied)
	}
}

func (a *actor) publish() {
	a.snapshot.Store(&Snapshot{
		Phase: a.state.Phase, Record: copyRecord(a.state.Record), Target: a.state.Target, Voice: a.state.Voice,
		Offer: a.state.Offer, Headers: a.headers,
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
	a.customer.Hangup("internal error")
	if a.agent != nil {
		a.agent.Hangup("internal error")
	}
	if a.queueReply != nil {
		a.queueReply <- ErrLeft
	}
	if a.state.Offer.ID != "" {
		a.m.o.Queues.OfferResult(a.state.Offer.ID, OfferCallerLeft)
		a.m.o.Queues.AgentDone(a.state.Offer.ID)
	}
	a.m.o.Queues.Leave(r.ID)
	if a.recording != nil {
		finished := make(chan struct{})
		a.recording.Stop(func(contact.Recording, error) { close(finished) })
		<-finished
	}
	a.customerMedia.Close()
	if a.agentMedia != nil {
		a.agentMedia.Close()
	}
	for _, t := range a.timers {
		if t != nil {
			t.Stop()
		}
	}
	r.DisconnectReason, r.DisconnectDetail, r.DisconnectTimestamp = contact.Other, "internal error", time.Now()
	stored := make(chan struct{})
	a.saver.close(r, func() { close(stored) })
	<-stored
}

func (a *actor) startFlow(e startFlow) {
	a.endFlow(e.For)
	media := a.customerMedia
	if e.For == ofAgent {
		media = a.agentMedia
	}
	ctx, cancel := context.WithCancel(a.m.ctx)
	c := &Control{actor: a, gen: e.Gen, who: e.For, media: media, ctx: ctx, cancel: cancel}
	a.flows[e.For] = c
	a.flowsUp.Go(func() {
		defer cancel()
		outcome := FlowFailed
		defer func() {
			if p := recover(); p != nil {
				a.m.stats.Panics.Add(1)
				a.log.Error("panic in contact flow", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			a.post(flowDone{Gen: e.Gen, Kind: e.Kind, Outcome: outcome})
		}()
		outcome = a.m.o.Flows.Run(ctx, FlowRun{Kind: e.Kind, FlowID: e.FlowID, Control: c})
	})
}

func (a *actor) endFlow(who int) {
	if c := a.flows[who]; c != nil {
		c.stop()
		a.flows[who] = nil
	}
}
