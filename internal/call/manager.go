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
	ID       string
	Alias    string
	Inbound  bool // calls are taken
	Outbound bool // numbers outside are called
}

// Options are a Manager's collaborators. All are needed except Opened, Closed, Engaged, Changed, Sounds, People and Events.
type Options struct {
	Node      string
	Media     MediaPlane
	Dialer    Dialer
	Flows     Flows
	Queues    Queues
	Numbers   NumberLookup
	People    People              // nil: nobody calls out
	Places    Places              // nil: there are no queues to transfer to
	Sounds    func(Sound) []Audio // what those hear who wait
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
	Engaged    func(userID string)            // told when OnCall has changed for a user; must not block
	Changed    func(userID string)            // told after every event of a call with a user in it, or who has just left it; must not block
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
	Outgoing  atomic.Uint64 // calls placed for a device, or by the engine itself
	Transfers atomic.Uint64 // REFERs taken
	Moved     atomic.Uint64 // parties that moved from one call to another
	Ended     sync.Map      // contact.DisconnectReason -> *atomic.Uint64; the reasons are few
}

// Manager is all calls of this process.
type Manager struct {
	o      Options
	ctx    context.Context //nolint:containedctx // the life of the manager: flows of all calls end with it
	cancel context.CancelFunc
	stats  Stats
	steps  sync.Pool // of *step

	engaged engagements

	mu       sync.Mutex
	calls    map[string]*actor // by contact id
	beside   map[string]*actor // by the id of another contact of the call: see Aside
	draining bool
	admits   int // calls being admitted
	empty    chan struct{}
}

// NewManager makes a Manager.
func NewManager(o Options) *Manager {
	if o.Opened == nil {
		o.Opened = func(string, string) {}
	}
	if o.Engaged == nil {
		o.Engaged = func(string) {}
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	if o.Closed == nil {
		o.Closed = func(*contact.Record) {}
	}
	if o.Sounds == nil {
		o.Sounds = func(Sound) []Audio { return nil }
	}
	if o.People == nil {
		o.People = nobody{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Manager{
		o: o, ctx: ctx, cancel: cancel, calls: make(map[string]*actor), beside: make(map[string]*actor), empty: make(chan struct{}),
		engaged: engagements{by: make(map[string][]*actor)},
	}
}

// Stats are the live counters.
func (m *Manager) Stats() *Stats { return &m.stats }

func (m *Manager) logFor(contactID, callID string) *slog.Logger {
	return m.o.Log.With("contact_id", contactID, "call_id", callID)
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
	if a := m.calls[contactID]; a != nil {
		return a
	}
	return m.beside[contactID]
}

// alias lets a call be found by another contact of its own, until it is forgotten.
func (m *Manager) alias(a *actor, contactID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beside[contactID] = a
	a.aliases = append(a.aliases, contactID)
}

// enter counts a call that is being admitted, so that Drain waits for it too. An emergency call always passes.
func (m *Manager) enter(emergency bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if emergency {
		m.admits++
		return nil
	}
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
	for _, id := range a.aliases {
		delete(m.beside, id)
	}
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
