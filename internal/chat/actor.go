package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
	"ullim/internal/events"
)

// How long things may take, and how many may wait.
const (
	commitTime  = 10 * time.Second
	enqueueTime = 10 * time.Second
	firstRetry  = 200 * time.Millisecond
	lastRetry   = 5 * time.Second
	mailRoom    = 64
	socketRoom  = 256 // items that a socket may lag behind
	maxSockets  = 5   // of one participant
	maxTyped    = 100 // messages that no flow has read yet
)

// actor owns one contact. Only its goroutine touches it, but for snap and typed.
type actor struct {
	m     *Manager
	log   *slog.Logger
	state *State
	snap  atomic.Pointer[State] // the state as of the last commit
	mail  chan message
	done  chan struct{} // closed when no mail is taken any more
	typed inbox

	subs     []*Subscription // oldest first
	stopFlow context.CancelFunc
	work     sync.WaitGroup // flows

	keepOnce sync.Once
	kept     any // what flows of the contact share, for their adapter
}

// message is something for the actor: an event, or a look at what it has.
type message struct {
	event  Event
	look   func(*actor) error
	answer chan answer // nil: nobody waits, and the event is tried until it is stored
}

type answer struct {
	fx  Effects
	err error
}

func newActor(m *Manager, s *State) *actor {
	a := &actor{
		m: m, state: s, log: m.o.Log.With("contact_id", s.Record.ID, "chat_id", s.ID), mail: make(chan message, mailRoom), done: make(chan struct{}),
	}
	a.typed.init()
	a.snap.Store(s)
	return a
}

// run is the life of the actor: until the contact has ended, or ctx.
func (a *actor) run(ctx context.Context) {
	defer func() {
		a.cancelFlow()
		for _, s := range a.subs {
			close(s.items)
		}
		a.subs = nil
		close(a.done)
		a.work.Wait()
		a.m.gone(a)
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for a.state.Phase != Ended {
		if at := a.state.Deadline(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(time.Until(at), time.Nanosecond))
		}
		select {
		case <-ctx.Done():
			return
		case msg := <-a.mail:
			a.take(ctx, msg)
		case <-timer.C:
			a.insist(ctx, Event{Kind: EvTick})
		}
	}
}

func (a *actor) take(ctx context.Context, msg message) {
	switch {
	case msg.look != nil:
		msg.answer <- answer{err: msg.look(a)}
	case msg.answer != nil:
		fx, refused, failed := a.happen(ctx, msg.event)
		msg.answer <- answer{fx, errors.Join(refused, failed)}
	default:
		a.insist(ctx, msg.event)
	}
}

// insist has an event happen that nobody waits for, however long the store is away.
func (a *actor) insist(ctx context.Context, e Event) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		_, err, _ := a.happen(ctx, e) //nolint:revive // what the ACD said is in the state already
		if err == nil || !errs.Is(err, errs.Unavailable) {
			if err != nil {
				a.log.Debug("chat ignores an event", "event", int(e.Kind), "error", err)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// happen decides, commits, tells and does. refused: nothing has happened; failed: it has, and the ACD gave no place.
func (a *actor) happen(ctx context.Context, e Event) (fx Effects, refused, failed error) {
	e.At = time.Now()
	next, fx, err := a.step(e)
	if err != nil {
		return fx, err, nil
	}
	if next != a.state && !fx.Quiet {
		if err = a.commit(ctx, next, fx); err != nil {
			a.log.Error("chat could not be stored", "event", int(e.Kind), "error", err)
			return fx, errs.Wrap(err, errs.Unavailable, "the chat could not be stored: try again"), nil
		}
		a.state = next
		a.snap.Store(next)
		a.m.moved(a)
	}
	a.tell(fx.Items)
	a.tell(fx.Live)
	for i := range fx.Close {
		a.m.closed(&fx.Close[i])
	}
	return fx, nil, a.perform(ctx, fx.Actions)
}

// step is Step; a panic in it loses the event and not the chat.
func (a *actor) step(e Event) (next *State, fx Effects, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.m.counts.Panics.Add(1)
			a.log.Error("chat panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("chat: panic: %v", p)
		}
	}()
	return Step(a.state, e, a.m.o.NewID)
}

func (a *actor) commit(ctx context.Context, next *State, fx Effects) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	next.Version = a.state.Version + 1
	c := Commit{State: next, Items: fx.Items, Marks: fx.Marks, Create: fx.Create, Close: fx.Close}
	if fx.Update {
		r := cloneRecord(next.Record)
		c.Update = &r
	}
	return a.m.o.Store.SaveChat(ctx, c)
}

// tell sends items to everybody who is connected and may see them. Who does not keep up is closed.
func (a *actor) tell(items []Item) {
	for i := range items {
		it := items[i]
		for k := 0; k < len(a.subs); {
			s := a.subs[k]
			own := s.participantID == it.ParticipantID && (it.Type == TypeMetadata || it.ContentType == EventTyping)
			if own || !it.VisibleTo(s.role) {
				k++
				continue
			}
			select {
			case s.items <- it:
				k++
			default:
				a.m.counts.SocketsSlow.Add(1)
				a.drop(k)
			}
		}
		if it.Type == TypeMessage || it.Type == TypeAttachment {
			a.m.counts.Messages.Add(1)
		}
	}
}

// drop closes a socket.
func (a *actor) drop(i int) {
	close(a.subs[i].items)
	a.subs = append(a.subs[:i:i], a.subs[i+1:]...)
}

// perform does what a stored event asks for. The error is the ACD's, for the flow that asked for a queue.
func (a *actor) perform(ctx context.Context, actions []Action) error {
	var failed error
	for _, d := range actions {
		if d.Timeline != "" {
			a.m.o.Events.Record(events.Event{At: time.Now(), Kind: d.Timeline, InstanceID: a.state.InstanceID, ContactID: a.state.Record.ID})
		}
		switch d.Kind {
		case DoRunFlow:
			a.runFlow(ctx)
		case DoStopFlow:
			a.cancelFlow()
		case DoHear:
			a.typed.put(Typed{d.Text, d.ContentType})
		case DoReturned:
			a.typed.back()
		case DoBotGone:
			ring(a.typed.botGone)
		case DoForget:
			if a.state.Phase == Talking {
				a.typed.clear()
			}
		case DoEnqueue:
			failed = a.enqueue(ctx)
		case DoLeave:
			a.m.o.Queues.Leave(d.ContactID)
		case DoReorder:
			a.m.o.Queues.Reorder(d.ContactID, a.state.Routing)
		case DoResult:
			a.m.o.Queues.OfferResult(a.state.InstanceID, d.OfferID, d.Result)
		case DoJoined:
			a.m.o.Queues.Joined(a.state.InstanceID, d.OfferID)
		case DoAgentDone:
			a.m.o.Queues.AgentDone(a.state.InstanceID, d.OfferID)
		case DoParticipant:
			a.disconnect(d.ParticipantID)
		case DoTell:
		}
	}
	return failed
}

// enqueue asks the ACD, and tells the contact what it said.
func (a *actor) enqueue(ctx context.Context) error {
	s := a.state
	limited, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	e := Enqueue{
		InstanceID: s.InstanceID, ContactID: s.Record.ID, QueueID: s.Target.ID, Channel: s.Channel, Routing: s.Routing,
		Method: s.Record.InitiationMethod, Owed: !s.Run.On,
	}
	if s.Record.Queue != nil {
		e.Since = s.Record.Queue.EnqueueTimestamp
	}
	err := a.m.o.Queues.Enqueue(limited, e)
	a.insist(ctx, Event{Kind: EvEnqueued, Err: err})
	return err
}

// disconnect closes the sockets of a participant who has left, after what was told them already.
func (a *actor) disconnect(participantID string) {
	for i := 0; i < len(a.subs); {
		if a.subs[i].participantID == participantID {
			a.drop(i)
		} else {
			i++
		}
	}
}

// runFlow runs the flow of the state in a goroutine of its own, in the place of the one that runs.
func (a *actor) runFlow(ctx context.Context) {
	a.cancelFlow()
	r := a.state.Run
	if !r.On {
		return
	}
	flowCtx, cancel := context.WithCancel(ctx)
	a.stopFlow = cancel
	a.work.Go(func() {
		defer cancel()
		out := a.m.o.Flows.Run(flowCtx, FlowRun{Kind: r.Kind, FlowID: r.ID, Control: &Control{a: a, gen: r.Gen, kind: r.Kind}})
		if flowCtx.Err() != nil {
			return
		}
		select {
		case a.mail <- message{event: Event{Kind: EvFlowEnded, Gen: r.Gen, Outcome: out}}:
		case <-flowCtx.Done():
		}
	})
}

func (a *actor) cancelFlow() {
	if a.stopFlow != nil {
		a.stopFlow()
		a.stopFlow = nil
	}
}

// ask has an event happen and waits for it.
func (a *actor) ask(ctx context.Context, e Event) (Effects, error) {
	return a.send(ctx, message{event: e, answer: make(chan answer, 1)})
}

// patient is a context for what ends the flow that asks for it: its answer is waited for all the same.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), enqueueTime+commitTime)
}

// look runs f in the actor.
func (a *actor) look(ctx context.Context, f func(*actor) error) error {
	_, err := a.send(ctx, message{look: f, answer: make(chan answer, 1)})
	return err
}

func (a *actor) send(ctx context.Context, msg message) (Effects, error) {
	select {
	case a.mail <- msg:
	case <-a.done:
		return Effects{}, errEnded()
	case <-ctx.Done():
		return Effects{}, errs.Wrap(ctx.Err(), errs.Unavailable, "the chat is busy")
	}
	select {
	case r := <-msg.answer:
		return r.fx, r.err
	case <-a.done:
		select {
		case r := <-msg.answer:
			return r.fx, r.err
		default:
			return Effects{}, errEnded()
		}
	case <-ctx.Done():
		return Effects{}, errs.Wrap(ctx.Err(), errs.Unavailable, "the chat did not answer in time")
	}
}

// post brings an event that nobody waits for.
func (a *actor) post(e Event) bool {
	select {
	case a.mail <- message{event: e}:
		return true
	case <-a.done:
		return false
	}
}
