package call

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"ullim/internal/contact"
)

// mailbox is what waits for a call. A call has no goroutine of its own: whoever brings an event and finds nobody at work
// takes the step there and then (do), or has a goroutine take it (post), if locks are held or time is short. So one
// goroutine at a time works for a call, and a packet that ends it wakes nobody on its way to the record.
type mailbox struct {
	mu      sync.Mutex
	events  []Event
	busy    bool // somebody works for the call, or it has not begun
	over    bool // nobody will read what comes now
	flooded bool // more came than is kept

	uses atomic.Int32 // the call itself, and its flows that have not returned
}

// put adds an event. ok is false if the call is over; work says that the caller has to see to the mailbox. With most > 0
// what would be more than that is lost, and ends the call: something is very wrong with it.
func (b *mailbox) put(e Event, most int) (ok, work bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return false, false
	case most > 0 && len(b.events) >= most:
		b.flooded = true
	default:
		b.events, ok = append(b.events, e), true
	}
	work, b.busy = !b.busy, true
	return ok, work
}

// next takes the oldest event; ok is false if there is none, and then nobody is at work any more.
func (b *mailbox) next() (e Event, flooded, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flooded {
		b.flooded = false
		return nil, true, true
	}
	if len(b.events) == 0 {
		b.events, b.busy = nil, false
		return nil, false, false
	}
	e = b.events[0]
	b.events[0] = nil
	b.events = b.events[1:]
	return e, false, true
}

// end closes the mailbox and gives what was never read.
func (b *mailbox) end() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := b.events
	b.events, b.over = nil, true
	return rest
}

// post gives the call an event and never blocks; false if the call is over. A full mailbox ends the call.
func (a *actor) post(e Event) bool {
	ok, work := a.mail.put(e, mailboxSize)
	if work {
		go a.work()
	}
	return ok
}

// do is post for a caller without locks that may be kept for some steps: they are taken here if nobody else takes them.
func (a *actor) do(e Event) bool {
	ok, work := a.mail.put(e, mailboxSize)
	if work {
		a.work()
	}
	return ok
}

// deliver is do for an event that must not be lost. false: the call is over, and it will not be seen.
func (a *actor) deliver(e Event) bool {
	ok, work := a.mail.put(e, 0)
	if work {
		a.work()
	}
	return ok
}

// begin lets the call live; its first step is taken here.
func (a *actor) begin() {
	if a.step(begun{}) {
		a.work()
	}
}

// work takes steps until the mailbox is empty, or the call is over. One goroutine at a time is here: the one that made the
// mailbox busy.
func (a *actor) work() {
	for {
		e, flooded, ok := a.mail.next()
		if !ok {
			return
		}
		if flooded {
			if a.flooded {
				continue
			}
			a.flooded = true
			a.m.stats.Overflows.Add(1)
			a.log.Error("mailbox full: ending the call")
			e = stopAsked{Reason: contact.Other, Detail: "overload: the call's events piled up"}
		}
		if !a.step(e) {
			return
		}
	}
}

// step takes one event. It is false if the call is over.
func (a *actor) step(e Event) (goOn bool) {
	if !a.received(e) {
		go func() { // it waits for the recording and the store, as nobody who brings an event may
			a.emergency()
			a.bury()
		}()
		return false
	}
	if a.state.Phase == PhaseEnded {
		a.bury()
		return false
	}
	return true
}

// received is receive; it is false after a panic.
func (a *actor) received(e Event) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			a.m.stats.Panics.Add(1)
			a.log.Error("panic in call", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	a.receive(e)
	return true
}

// bury is the one place of death.
func (a *actor) bury() {
	for i := range a.flows {
		a.endFlow(i)
	}
	for _, t := range a.timers {
		t.Stop()
	}
	a.m.engage(a, a.engaged, nil)
	rest := a.mail.end()
	close(a.done)
	a.refuse(rest)
	for _, reached := range a.waiting { // it ended by a panic
		go reached(480)
	}
	a.release()
}

// release is called by the call when it is over and by each of its flows; the last one has the call forgotten.
func (a *actor) release() {
	if a.mail.uses.Add(-1) == 0 {
		a.m.forget(a)
	}
}

// refuse answers what was posted and never read, because the call ended: whoever waits for it must not wait for ever.
func (a *actor) refuse(rest []Event) {
	for _, e := range rest {
		switch e := e.(type) {
		case enqueueDone:
			if e.Err == nil {
				a.m.o.Queues.Leave(a.state.Record.ID)
			}
		case offered:
			a.m.o.Queues.OfferResult(e.Offer.ID, OfferCallerLeft)
		case askTakeOver:
			e.done("", ErrLeft)
		case askEvent:
			e.reply <- ErrLeft
		case askMoved:
			if e.Err != nil {
				e.line.end("contact ended")
			}
		}
	}
}
