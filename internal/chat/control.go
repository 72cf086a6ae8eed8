package chat

import (
	"context"
	"slices"
	"sync"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Control is the hand of one flow on its contact. Its methods end with errs.Denied when the flow is not the one that
// runs any more.
type Control struct {
	a    *actor
	gen  int64
	kind FlowKind
}

// Kind is for what the flow runs.
func (c *Control) Kind() FlowKind { return c.kind }

// Snapshot is the contact as it is now. It is shared: do not change it.
func (c *Control) Snapshot() *State { return c.a.snap.Load() }

// Keep is a value that all flows of the contact share, made by the first that asks. It ends with the process.
func (c *Control) Keep(fresh func() any) any {
	c.a.keepOnce.Do(func() { c.a.kept = fresh() })
	return c.a.kept
}

// Say writes a message, which is stored when Say returns.
func (c *Control) Say(ctx context.Context, text, contentType string) error {
	if err := CheckMessage(contentType, text); err != nil {
		return err
	}
	_, err := c.a.ask(ctx, Event{Kind: EvSay, Gen: c.gen, Content: text, ContentType: contentType})
	return err
}

// Next is what the customer wrote, the oldest that no flow has read; ok is false when d has passed without any.
func (c *Control) Next(ctx context.Context, d time.Duration) (said Typed, ok bool, err error) {
	t := time.NewTimer(max(d, time.Nanosecond))
	defer t.Stop()
	for {
		if said, ok = c.a.typed.take(); ok {
			return said, true, nil
		}
		select {
		case <-c.a.typed.bell:
		case <-t.C:
			said, ok = c.a.typed.take()
			return said, ok, nil
		case <-ctx.Done():
			return Typed{}, false, ctx.Err()
		}
	}
}

// Await is what a flow waits for beside the time.
type Await struct{ Returned, BotGone bool }

// Wait lets d pass, or ends sooner: when the customer comes back, by a message or a new connection, or when the last bot has
// left. It tells which of those that were asked for has happened.
func (c *Control) Wait(ctx context.Context, d time.Duration, w Await) (Await, error) {
	var returned, botGone <-chan struct{}
	if w.Returned {
		drain(c.a.typed.returned)
		returned = c.a.typed.returned
	}
	if w.BotGone {
		drain(c.a.typed.botGone)
		if !c.HasBot() {
			return Await{BotGone: true}, nil
		}
		botGone = c.a.typed.botGone
	}
	t := time.NewTimer(max(d, time.Nanosecond))
	defer t.Stop()
	select {
	case <-returned:
		return Await{Returned: true}, nil
	case <-botGone:
		return Await{BotGone: true}, nil
	case <-t.C:
		return Await{}, nil
	case <-ctx.Done():
		return Await{}, ctx.Err()
	}
}

// HasBot tells whether a bot is in the chat.
func (c *Control) HasBot() bool {
	return slices.ContainsFunc(c.Snapshot().Participants, func(p Participant) bool { return p.Role == CustomBot && p.Present() })
}

// Update changes the contact; change may run once, and its error means that nothing has changed.
func (c *Control) Update(ctx context.Context, change func(*State) error) error {
	_, err := c.a.ask(ctx, Event{Kind: EvUpdate, Update: func(s *State) error {
		if !s.Run.On || s.Run.Gen != c.gen {
			return errStale()
		}
		return change(s)
	}})
	return err
}

// Queue hands the contact to a queue, or to its target queue if q is empty. errs.Limit: the queue is full.
func (c *Control) Queue(ctx context.Context, q Queue) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	_, err := c.a.ask(ctx, Event{Kind: EvQueue, Gen: c.gen, Queue: q})
	return err
}

// Requeue moves a contact that waits in a queue to another one, as a new segment. On an error it stays where it is.
func (c *Control) Requeue(ctx context.Context, q Queue) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return c.a.look(ctx, func(a *actor) error {
		s := a.state
		switch {
		case !s.Run.On || s.Run.Gen != c.gen:
			return errStale()
		case s.Phase != Queued:
			return errs.New(errs.InvalidRequest, "the contact is in no queue, or is being offered to an agent")
		}
		e := Event{Kind: EvRequeue, Gen: c.gen, Queue: q, ContactID: a.m.o.NewID()}
		a.m.lead(e.ContactID, a) // an offer may be faster than we are: it waits until this is done
		limited, cancel := context.WithTimeout(ctx, enqueueTime)
		defer cancel()
		err := a.m.o.Queues.Enqueue(limited, Enqueue{
			InstanceID: s.InstanceID, ContactID: e.ContactID, QueueID: q.ID, Channel: s.Channel, Routing: s.Routing,
			Method: contact.QueueTransfer, Since: time.Now(),
		})
		if err != nil {
			return err
		}
		if _, err, _ = a.happen(a.m.ctx, e); err != nil { //nolint:contextcheck // the flow that it starts outlives this one
			a.m.o.Queues.Leave(e.ContactID)
		}
		return err
	})
}

// Forget drops what the customer has written and no flow has read.
func (c *Control) Forget() { c.a.typed.clear() }

// Associate lets the chat go on from an earlier one.
func (c *Control) Associate(ctx context.Context, source string, entire bool) error {
	s := c.Snapshot()
	past := &State{}
	if err := c.a.m.goOn(ctx, past, StartChat{InstanceID: s.InstanceID, Source: source, Entire: entire}); err != nil {
		return err
	}
	return c.Update(ctx, func(s *State) error {
		if len(s.Sources) > 0 {
			return errs.New(errs.InvalidRequest, "the chat goes on from an earlier one already")
		}
		s.Sources, s.SourceSegment, s.ContinuedFrom = past.Sources, past.SourceSegment, past.ContinuedFrom
		return nil
	})
}

// Gone reports whether an error means that the flow has nobody to talk to any more.
func Gone(err error) bool { return errs.Is(err, errs.Denied) }

// inbox is what the customer has written and no flow has read.
type inbox struct {
	mu       sync.Mutex
	list     []Typed
	bell     chan struct{}
	returned chan struct{}
	botGone  chan struct{}
}

// Typed is something that the customer has written.
type Typed struct{ Text, ContentType string }

func (b *inbox) init() {
	b.bell, b.returned, b.botGone = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
}

func (b *inbox) put(text Typed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) < maxTyped {
		b.list = append(b.list, text)
	}
	ring(b.bell)
}

func (b *inbox) take() (Typed, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		return Typed{}, false
	}
	text := b.list[0]
	b.list = b.list[1:]
	if len(b.list) > 0 {
		ring(b.bell)
	}
	return text, true
}

func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = nil
}

func (b *inbox) back() { ring(b.returned) }

// drain forgets what happened before anybody waited for it.
func drain(bell chan struct{}) {
	select {
	case <-bell:
	default:
	}
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
