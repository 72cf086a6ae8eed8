package call

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
)

// Instance is what a call must know of its tenant.
type Instance struct {
	ID      string
	Alias   string
	Inbound bool // calls are taken
}

// Options are a Manager's collaborators. All are needed except Opened, Closed and Events.
type Options struct {
	Node      string
	Media     MediaPlane
	Dialer    Dialer
	Flows     Flows
	Queues    Queues
	Numbers   NumberLookup
	Instances func(id string) (Instance, bool)
	// Nearest names the claimed number that is most like one that nobody claimed; FlowReady is an error if a flow cannot
	// run; CheckOffer is an error if an offer could not be answered. All may be nil.
	Nearest    func(trunkID, called string) string
	FlowReady  func(instanceID, flowID string) error
	CheckOffer func(offer []byte, p Profile) error
	Store      Store
	Spill      func(*contact.Record) error    // keeps a final record that the store does not take
	Opened     func(contactID, callID string) // told of every segment when it is stored
	Closed     func(*contact.Record)          // told after a final record was committed, or spilled
	Events     *events.Recorder
	Log        *slog.Logger
	NewID      func() string
	MaxCalls   int // 0: no limit
}

// Stats are counters of a Manager, for the exporter.
type Stats struct {
	Admitted  atomic.Uint64
	Panics    atomic.Uint64
	Overflows atomic.Uint64
	Ended     sync.Map // contact.DisconnectReason -> *atomic.Uint64; the reasons are few
}

// Manager is all calls of this process.
type Manager struct {
	o      Options
	ctx    context.Context //nolint:containedctx // the life of the manager: flows of all calls end with it
	cancel context.CancelFunc
	stats  Stats

	mu       sync.Mutex
	calls    map[string]*actor // by contact id
	draining bool
	admits   int // calls being admitted
	empty    chan struct{}
}

// NewManager makes a Manager.
func NewManager(o Options) *Manager {
	if o.Opened == nil {
		o.Opened = func(string, string) {}
	}
	if o.Closed == nil {
		o.Closed = func(*contact.Record) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Manager{o: o, ctx: ctx, cancel: cancel, calls: make(map[string]*actor), empty: make(chan struct{})}
}

// Stats are the live counters.
func (m *Manager) Stats() *Stats { return &m.stats }

func (m *Manager) logFor(contactID, callID string) *slog.Logger {
	return m.o.Log.With("contact_id", contactID, "call_id", callID)
}

// Admit takes over an incoming leg: finds the number's flow, opens media, writes the contact row, and only then lets
// the leg be answered. Errors: NotFound (nobody claimed the number, or it has no flow), Denied (the instance takes no
// calls), Invalid (SDP), Unavailable (draining, too many calls, no port, store away).
func (m *Manager) Admit(ctx context.Context, in Inbound, leg Leg) (func(LegEvent), error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	n, inst, err := m.match(in, nil)
	if err != nil {
		return nil, err
	}
	id := m.o.NewID()
	a := m.newActor(id, inst, n, in, leg)
	media, err := m.o.Media.Open(MediaOptions{
		ContactID: id, Peer: "customer", Host: in.Source, Profile: in.Profile, OnDigit: a.press,
		OnDead: func(why string) { a.post(mediaDead{Why: why}) },
	})
	if err != nil {
		return nil, err
	}
	a.customerMedia = media
	if in.SDP == nil {
		a.answer, err = media.Offer()
	} else {
		a.answer, err = media.Answer(in.SDP)
	}
	if err == nil {
		err = errs.Wrap(m.o.Store.CreateContact(ctx, &a.state.Record), errs.Unavailable, "the contact could not be stored")
	}
	if err != nil {
		media.Close()
		return nil, err
	}
	m.o.Opened(id, in.CallID)
	m.mu.Lock()
	m.calls[id] = a
	m.mu.Unlock()
	m.stats.Admitted.Add(1)
	a.publish()
	a.tell("INITIATED", in.From.Address+" calls "+in.Called)
	go a.run() //nolint:contextcheck // the call outlives its INVITE
	return a.legEvent, nil
}

func (m *Manager) newActor(id string, inst Instance, n Number, in Inbound, leg Leg) *actor {
	from := in.From
	a := &actor{
		m: m, log: m.logFor(id, in.CallID), customer: leg, headers: in.Headers,
		mailbox: make(chan Event, mailboxSize), overflow: make(chan struct{}), digits: make(chan byte, digitsSize),
		done: make(chan struct{}),
		state: State{Phase: PhaseNew, Alias: inst.Alias, CustomerMedia: true, Record: contact.Record{
			ID: id, InstanceID: inst.ID, InitialContactID: id, Node: m.o.Node, CallID: in.CallID, TrunkID: in.TrunkID,
			Channel: contact.Voice, InitiationMethod: contact.Inbound, FlowID: n.FlowID, CustomerEndpoint: from,
			SystemEndpoint:      contact.Endpoint{Type: contact.TelephoneNumber, Address: n.Name},
			InitiationTimestamp: in.Received, LastUpdateTimestamp: in.Received,
		}},
	}
	a.saver = &saver{store: m.o.Store, spill: m.o.Spill, closed: m.o.Closed, log: m.o.Log}
	a.saver.idle = sync.NewCond(&a.saver.mu)
	return a
}

// legEvent is where the customer's leg reports.
func (a *actor) legEvent(e LegEvent) {
	if e.Kind == LegDigit {
		a.press(e.Digit)
		return
	}
	a.post(customerLeg{e})
}

// Offer rings an agent for a waiting contact. The result goes to Queues.OfferResult, always.
func (m *Manager) Offer(o Offer) {
	a := m.find(o.ContactID)
	if a == nil || !a.post(offered{Offer: o}) {
		m.o.Queues.OfferResult(o.ID, OfferCallerLeft)
	}
}

// Count is how many calls live.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.calls)
}

func (m *Manager) find(contactID string) *actor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[contactID]
}

// enter counts a call that is being admitted, so that Drain waits for it too.
func (m *Manager) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return errs.New(errs.Unavailable, "shutting down")
	}
	if m.o.MaxCalls > 0 && len(m.calls)+m.admits >= m.o.MaxCalls {
		return errs.New(errs.Unavailable, "%d calls are up, which is the limit", m.o.MaxCalls)
	}
	m.admits++
	return nil
}

func (m *Manager) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.admits--
	m.checkEmpty()
}

// rename gives a call the id of its new segment.
func (m *Manager) rename(a *actor, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.calls, func(_ string, v *actor) bool { return v == a })
	m.calls[id] = a
}

func (m *Manager) forget(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.calls, func(_ string, v *actor) bool { return v == a })
	m.checkEmpty()
}

func (m *Manager) checkEmpty() {
	if m.draining && len(m.calls) == 0 && m.admits == 0 {
		select {
		case <-m.empty:
		default:
			close(m.empty)
		}
	}
}

func (m *Manager) closed(r *contact.Record) {
	n, _ := m.stats.Ended.LoadOrStore(r.DisconnectReason, new(atomic.Uint64))
	n.(*atomic.Uint64).Add(1) //nolint:forcetypeassert,errcheck // only this line stores
}

// Drain refuses new calls from now on, lets the live ones finish until ctx ends, then ends those that are left and
// waits until every record is final. It may be called twice.
func (m *Manager) Drain(ctx context.Context) {
	m.mu.Lock()
	m.draining = true
	m.checkEmpty()
	m.mu.Unlock()
	select {
	case <-m.empty:
	case <-ctx.Done():
		m.mu.Lock()
		for _, a := range m.calls {
			a.post(stopAsked{Reason: contact.Other, Detail: "ullim was shut down"})
		}
		m.mu.Unlock()
		select {
		case <-m.empty:
		case <-time.After(30 * time.Second):
			m.o.Log.Error("calls still up after the end of draining", "calls", m.Count())
		}
	}
	m.cancel()
}
