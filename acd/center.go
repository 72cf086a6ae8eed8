package acd

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
)

// Offer is an agent reserved for a waiting contact: ring this agent for RingTime, and tell how it came out with
// OfferResult.
type Offer struct {
	ID                 string
	ContactID          string
	QueueID            string
	QueueName          string
	Channel            contact.Channel
	Agent              Agent
	RoutingProfileName string
	RingTime           time.Duration
	ACWTimeout         time.Duration
	AutoAccept         bool
	Shared             bool // other agents are rung for the contact at the same time: the first to answer has it
}

// Result is how an offer came out. Missed, rejected, device failed and caller left are four different things (R11).
type Result int

// Offer results.
const (
	Answered     Result = iota // the agent picked up; Joined follows, or AgentLeft, or CallerLeft
	Missed                     // rang for the whole ring time
	Rejected                   // the agent refused
	DeviceFailed               // no device, or it failed: the agent is not to blame
	CallerLeft                 // the caller left first: the agent is as before
	AgentLeft                  // the agent picked up, and was gone before the two were joined
	Taken                      // another agent, who was rung too, was faster: the agent is as before
)

// Ringer rings phones (an adapter on the calls implements it). Ring should not block; it is called from a goroutine of
// its own and may call back into Center.
type Ringer interface {
	Ring(o Offer)
}

// Devices knows which agents have a phone that can ring (an adapter on the registrar implements it). It is asked often:
// it must answer from memory.
type Devices interface {
	Reachable(userID string) bool
	// OnCall reports whether the agent talks by a call that no queue gave: then no voice contact rings beside it.
	OnCall(userID string) bool
	// Alive proves, before a phone is to ring, that it is there. It may ask the phone, and takes a second or two at most.
	Alive(ctx context.Context, userID string) bool
}

// Options are what a Center needs. All but Events and Log are required.
type Options struct {
	InstanceID string
	Node       string // the name of this process, the same after a restart
	Store      Store
	Config     func(ctx context.Context) (Config, error) // reads the configuration anew
	Ringer     Ringer
	Devices    Devices
	// Keep is asked for each reservation of this node that a process before has left on a channel without audio: such a
	// contact outlives the process. True: agent and contact are together still. Nil: none is kept.
	Keep func(r Reservation) bool
	// Published is told, by the actor, that CurrentAgents and Waiting may give something new; it must not block. May be nil.
	Published func()
	// AgentEvents keeps the timeline of agents, written behind; nil: nobody does.
	AgentEvents AgentEvents
	// OnAgentEvent is told of every event of an agent, by the actor; it must not block. Nil: nobody is.
	OnAgentEvent func(AgentEvent)
	Events       *events.Recorder
	Log          *slog.Logger
}

// Counts grow with what happened since the start.
type Counts struct {
	Offers, Answered, Joined, Missed, Rejected, DeviceFailed, CallerLeft, AgentLeft, Taken atomic.Uint64
	Unproven                                                                               atomic.Uint64 // offers that did not ring because the phone, which is registered, did not answer
	Estimates                                                                              Estimates
	Lost                                                                                   atomic.Uint64 // reservations that failed or that somebody else won
	StoreErrors                                                                            atomic.Uint64
	EventsLost                                                                             atomic.Uint64 // agent events dropped because the store was away for too long
	Overdue                                                                                atomic.Uint64 // offers whose result never came: a fault in what rings
	Panics                                                                                 atomic.Uint64 // messages to the actor that panicked: a fault here
}

// Center routes the contacts of one instance. All methods are safe from any goroutine.
type Center struct {
	o        Options
	mail     *mailbox
	counts   Counts
	snapshot atomic.Pointer[snapshot]
	witness  func(a *actor, got []Match, now time.Time)                         // of tests: is told every decision before it is carried out
	stepped  func(before AgentView, e Event, after AgentView, effects []Effect) // of tests: is told every step of an agent

	mu      sync.Mutex
	cancel  context.CancelFunc // set by Start
	stopped bool
	ready   chan struct{} // closed when the first snapshot is published
	done    chan struct{} // closed when everything is over
}

// New makes a Center; Start makes it work.
func New(o Options) *Center {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Published == nil {
		o.Published = func() {}
	}
	return &Center{o: o, mail: newMailbox(), ready: make(chan struct{}), done: make(chan struct{})}
}

// Start reads configuration and agent states, ends the reservations that this node left behind, and begins to offer. It
// returns at once; what is asked meanwhile waits. Safe twice, nothing happens after Stop.
func (c *Center) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil || c.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	a := newActor(c)
	go func() {
		defer close(c.done)
		defer c.mail.close()
		a.run(ctx)
	}()
}

// Stop ends the Center and returns when all its goroutines have ended. Reservations that are left are ended by the next
// Start. Safe twice, and before Start.
func (c *Center) Stop() {
	c.mu.Lock()
	cancel := c.cancel
	first := !c.stopped
	c.stopped = true
	c.mu.Unlock()
	if cancel == nil {
		if first {
			c.mail.close()
			close(c.done)
		}
		return
	}
	cancel()
	<-c.done
}

// Ready is closed when configuration and agent states have been read and routing works.
func (c *Center) Ready() <-chan struct{} { return c.ready }

// Counts are the counters, for metrics.
func (c *Center) Counts() *Counts { return &c.counts }

// Enqueue puts a contact in line and says at once whether it may wait there. A contact that waits already keeps its
// place if the queue is the same, and moves to the end of another queue's line. errs.NotFound: no such queue, or it is
// disabled; errs.Limit: it is full; errs.InvalidRequest: the contact is being offered, or with an agent.
func (c *Center) Enqueue(ctx context.Context, w Waiting) error {
	return c.ask(ctx, true, func(a *actor, now time.Time, r *request) { r.reply(a.enqueue(w, now)) })
}

// Leave takes a contact out, whatever it is doing here. Safe for a contact that is not here.
func (c *Center) Leave(contactID string) {
	c.mail.put(func(a *actor, now time.Time) { a.leave(contactID, now) })
}

// Order is in which order, and by whom, a contact is served.
type Order struct {
	Priority      int64 // 1 is best; 0 means 5
	AgeAdjustment time.Duration
	Criteria      []CriteriaStep // nil: as before; they begin anew
}

// Reorder changes the order of a contact that waits. Safe for one that is not here.
func (c *Center) Reorder(contactID string, o Order) {
	c.mail.put(func(a *actor, now time.Time) { a.reorder(contactID, o, now) })
}

// OfferResult tells how an offer came out; late and doubled results are ignored.
func (c *Center) OfferResult(offerID string, r Result) {
	c.mail.put(func(a *actor, now time.Time) { a.result(offerID, r, now) })
}

// Joined tells that customer and agent talk.
func (c *Center) Joined(offerID string) {
	c.mail.put(func(a *actor, now time.Time) { a.joined(offerID, now) })
}

// AgentDone tells that the agent's part is over: after-contact work begins.
func (c *Center) AgentDone(offerID string) {
	c.mail.put(func(a *actor, now time.Time) {
		a.step(a.offers[offerID], Event{Kind: EventDone, OfferID: offerID, At: now})
	})
}

// DeviceChanged tells that a user's device was registered or is gone, or that a call of their own began or ended. It is a
// hint: Devices is asked.
func (c *Center) DeviceChanged(userID string) {
	c.mail.put(func(a *actor, now time.Time) { a.lookAtDevice(a.agents[userID], now) })
}

// ConfigChanged tells that something in the configuration changed. It is a hint: Options.Config is asked.
func (c *Center) ConfigChanged() {
	c.mail.put(func(a *actor, _ time.Time) { a.wantConfig = true })
}

// SetStatus chooses an agent's status, as PutUserStatus does: at once, or as next status if the agent is being offered
// a contact or talks. It returns when the choice is stored. errs.NotFound: no such user or status; errs.InvalidRequest:
// the status is disabled; errs.Unavailable: the choice counts if it was heard at all, but is not stored yet.
func (c *Center) SetStatus(ctx context.Context, userID, statusID string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	return c.ask(ctx, false, func(a *actor, _ time.Time, r *request) { a.choose(userID, statusID, now, r) })
}

// Dismiss clears a contact from an agent, as DismissUserContact does. errs.NotFound: the agent has no such contact;
// errs.InvalidRequest: it is not in MISSED, REJECTED, ERROR or after-contact work.
func (c *Center) Dismiss(ctx context.Context, userID, contactID string) error {
	return c.ask(ctx, true, func(a *actor, now time.Time, r *request) { r.reply(a.dismiss(userID, contactID, now)) })
}

// ask puts a question to the actor. prompt: the actor answers as soon as it has taken the question.
func (c *Center) ask(ctx context.Context, prompt bool, f func(a *actor, now time.Time, r *request)) error {
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Unavailable, "routing was not asked")
	}
	r := newRequest()
	gone := errs.New(errs.Unavailable, "routing has stopped")
	if !c.mail.put(func(a *actor, now time.Time) {
		if r.take() {
			f(a, now, r)
		}
	}) {
		return gone
	}
	select {
	case err := <-r.answer:
		return err
	case <-c.done:
		return gone
	case <-ctx.Done():
	}
	if r.take() || !prompt {
		return errs.Wrap(ctx.Err(), errs.Unavailable, "routing did not answer in time")
	}
	select {
	case err := <-r.answer:
		return err
	case <-c.done:
		return gone
	}
}
