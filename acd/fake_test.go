package acd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// acw is what was written of a contact's after-contact work.
type acw struct{ start, end time.Time }

// fakeStore is a Store in memory. One operation in n fails, half of them after they have done their work. (Not exactly
// every n-th: with a small n the ones that are repeated would fall into step with it and never succeed.) Reserve checks
// the rules that the database would.
type fakeStore struct {
	mu     sync.Mutex
	n      int
	r      *rand.Rand
	down   bool
	delay  time.Duration
	stuck  string // saving this user's state takes forever
	states map[string]AgentState
	rows   map[string]Reservation
	work   map[string]acw
	broken []string // rules that a caller has broken
}

var errStore = errors.New("the database is away")

func newFakeStore() *fakeStore {
	return &fakeStore{r: rand.New(rand.NewPCG(7, 7)), states: map[string]AgentState{}, rows: map[string]Reservation{}, work: map[string]acw{}}
}

// do runs one operation, or not.
func (s *fakeStore) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	delay := s.delay
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := s.down || s.n > 0 && s.r.IntN(s.n) == 0
	if fail && (s.down || s.r.IntN(2) == 0) {
		return errStore
	}
	err := f()
	if fail {
		return errStore
	}
	return err
}

func (s *fakeStore) AgentStates(ctx context.Context, _ string) (out []AgentState, err error) {
	err = s.do(ctx, func() error {
		for _, v := range s.states {
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

func (s *fakeStore) PutAgentState(ctx context.Context, v AgentState) (version int64, err error) {
	s.mu.Lock()
	stuck := s.stuck == v.UserID
	s.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	err = s.do(ctx, func() error {
		if s.states[v.UserID].Version != v.Version {
			return errs.New(errs.Conflict, "version %d is not %d", v.Version, s.states[v.UserID].Version)
		}
		v.Version++
		version = v.Version
		s.states[v.UserID] = v
		return nil
	})
	return version, err
}

func (s *fakeStore) Reserve(ctx context.Context, r Reservation, was int64, limit int) (version int64, ok bool, err error) {
	err = s.do(ctx, func() error {
		v := s.states[r.UserID]
		held := 0
		for _, row := range s.rows {
			if row.ContactID == r.ContactID && (row.State == SlotOffered && (!row.Shared || !r.Shared) || row.State == SlotConnected) {
				return nil
			}
			if row.UserID == r.UserID && row.Channel == r.Channel {
				held++
			}
		}
		if v.Version != was || held >= limit {
			return nil
		}
		v.UserID, v.Version = r.UserID, v.Version+1
		s.states[r.UserID], s.rows[r.OfferID] = v, r
		version, ok = v.Version, true
		return nil
	})
	return version, ok, err
}

func (s *fakeStore) Reservations(ctx context.Context, _ string) (out []Reservation, err error) {
	err = s.do(ctx, func() error {
		for _, r := range s.rows {
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

func (s *fakeStore) MoveReservation(ctx context.Context, id string, to SlotState, at time.Time) error {
	return s.do(ctx, func() error {
		r, ok := s.rows[id]
		if !ok {
			return errs.New(errs.NotFound, "reservation %s has ended", id)
		}
		r.State, r.Since = to, at
		s.rows[id] = r
		return nil
	})
}

func (s *fakeStore) EndReservation(ctx context.Context, id string) error {
	return s.do(ctx, func() error {
		delete(s.rows, id)
		return nil
	})
}

func (s *fakeStore) EndReservationsOfNode(ctx context.Context, node string) (n int, err error) {
	err = s.do(ctx, func() error {
		for id, r := range s.rows {
			if r.Node == node {
				delete(s.rows, id)
				n++
			}
		}
		return nil
	})
	return n, err
}

func (s *fakeStore) PutAfterContactWork(ctx context.Context, id string, start, end time.Time) error {
	return s.do(ctx, func() error {
		if old, ok := s.work[id]; ok && !old.end.IsZero() && end.IsZero() {
			s.broken = append(s.broken, "after-contact work of "+id+" was opened again")
		}
		s.work[id] = acw{start, end}
		return nil
	})
}

// set changes how the store behaves.
func (s *fakeStore) set(f func(*fakeStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// row is the stored reservation of an offer.
func (s *fakeStore) row(offerID string) (Reservation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[offerID]
	return r, ok
}

// count is how many reservations are stored.
func (s *fakeStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

var _ Store = (*fakeStore)(nil)

// world is a Center with everything around it faked, inside a synctest bubble.
type world struct {
	t      *testing.T
	store  *fakeStore
	c      *Center
	mu     sync.Mutex
	cfg    Config
	cfgErr error
	deaf   map[string]bool
	talks  map[string]bool // by calls of their own
	dead   map[string]bool // registered, but the phone does not answer
	asked  int             // proofs
	rung   []Offer
	onRing func(Offer)
}

func (w *world) Reachable(userID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.deaf[userID]
}

func (w *world) OnCall(userID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.talks[userID]
}

func (w *world) Alive(_ context.Context, userID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return !w.dead[userID]
}

func (w *world) Ring(o Offer) {
	if _, ok := w.store.row(o.ID); !ok {
		w.t.Errorf("offer %s rings without a stored reservation", o.ContactID)
	}
	w.mu.Lock()
	w.rung = append(w.rung, o)
	f := w.onRing
	w.mu.Unlock()
	if f != nil {
		f(o)
	}
}

func (w *world) readConfig(context.Context) (Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cfg, w.cfgErr
}

// edit changes the configuration, as a new snapshot.
func (w *world) edit(f func(*Config)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg = Config{
		Queues: maps.Clone(w.cfg.Queues), Hours: maps.Clone(w.cfg.Hours), Profiles: maps.Clone(w.cfg.Profiles),
		Statuses: maps.Clone(w.cfg.Statuses), Agents: maps.Clone(w.cfg.Agents),
	}
	f(&w.cfg)
}

// newWorld has queues q and vip, agents a, b, c ... with the given after-contact work limit, all offline.
func newWorld(t *testing.T, agents int, acwTimeout time.Duration) *world {
	t.Helper()
	w := &world{t: t, store: newFakeStore(), deaf: map[string]bool{}, talks: map[string]bool{}, dead: map[string]bool{}}
	w.cfg = Config{
		Queues: map[string]*Queue{}, Hours: map[string]*Hours{}, Profiles: map[string]*RoutingProfile{},
		Statuses: map[string]*AgentStatus{}, Agents: map[string]Agent{},
	}
	for _, id := range []string{"q", "vip"} {
		q := &Queue{HoursID: "h", Status: QueueEnabled}
		q.ID, q.Name = id, "queue "+id
		w.cfg.Queues[id] = q
	}
	h := &Hours{Hours: calendar.Hours{Zone: "Asia/Seoul", Slots: []calendar.Slot{{Day: "MONDAY"}}}}
	h.ID, h.Name = "h", "hours"
	w.cfg.Hours["h"] = h
	p := profileOf(contact.Voice, "vip 1 0", "q 2 0")
	p.ID = "p"
	w.cfg.Profiles["p"] = p
	for id, typ := range map[string]StatusType{"available": Routable, "offline": Offline, "lunch": Custom, "old": Custom} {
		s := &AgentStatus{Type: typ, Disabled: id == "old"}
		s.ID, s.Name = id, id
		w.cfg.Statuses[id] = s
	}
	for i := range agents {
		id := string(rune('a' + i))
		w.cfg.Agents[id] = Agent{UserID: id, Username: "user " + id, RoutingProfileID: "p", ACWTimeout: acwTimeout}
	}
	w.c = w.center()
	return w
}

// center makes a Center on the world's store: the first, or the next after a restart.
func (w *world) center() *Center {
	return New(Options{InstanceID: "i", Node: "n", Store: w.store, Config: w.readConfig, Ringer: w, Devices: w})
}

// start starts and stops with the test.
func (w *world) start() {
	w.t.Helper()
	w.c.Start()
	w.t.Cleanup(w.c.Stop)
	synctest.Wait()
}

func (w *world) status(user, status string) {
	w.t.Helper()
	if err := w.c.SetStatus(w.t.Context(), user, status, time.Now()); err != nil {
		w.t.Fatalf("status of %s: %v", user, err)
	}
	synctest.Wait()
}

func (w *world) enqueue(id, queue string) {
	w.t.Helper()
	if err := w.c.Enqueue(w.t.Context(), Waiting{ContactID: id, QueueID: queue, Since: time.Now()}); err != nil {
		w.t.Fatalf("enqueue %s: %v", id, err)
	}
	synctest.Wait()
}

func (w *world) result(o Offer, r Result) {
	w.t.Helper()
	w.c.OfferResult(o.ID, r)
	synctest.Wait()
}

// talk answers an offer and joins the two.
func (w *world) talk(o Offer) {
	w.t.Helper()
	w.c.OfferResult(o.ID, Answered)
	w.c.Joined(o.ID)
	synctest.Wait()
}

func (w *world) done(o Offer) {
	w.t.Helper()
	w.c.AgentDone(o.ID)
	synctest.Wait()
}

// offered takes the offers that have rung since the last look, and wants them to be "contact-agent ...".
func (w *world) offered(want ...string) []Offer {
	w.t.Helper()
	w.mu.Lock()
	list := w.rung
	w.rung = nil
	w.mu.Unlock()
	slices.SortFunc(list, func(a, b Offer) int {
		return cmp.Or(cmp.Compare(a.ContactID, b.ContactID), cmp.Compare(a.Agent.UserID, b.Agent.UserID))
	})
	var got []string
	for _, o := range list {
		got = append(got, o.ContactID+"-"+o.Agent.UserID)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("offers %v, want %v", got, want)
	}
	return list
}

// agent describes an agent: "status>next: contact STATE ...".
func (w *world) agent(id, want string) {
	w.t.Helper()
	a, err := w.c.CurrentAgent(id)
	if err != nil {
		w.t.Fatal(err)
	}
	got := a.StatusID
	if a.NextStatusID != "" {
		got += ">" + a.NextStatusID
	}
	got += ":"
	for _, s := range a.Slots {
		got += fmt.Sprintf(" %s %s", s.ContactID, s.State)
	}
	if got != want {
		w.t.Fatalf("agent %s is %q, want %q", id, got, want)
	}
}

// line is who waits, in order.
func (w *world) line(want ...string) {
	w.t.Helper()
	var got []string
	for _, v := range w.c.Waiting() {
		got = append(got, v.ContactID)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("waiting %v, want %v", got, want)
	}
}

var (
	_ Ringer  = (*world)(nil)
	_ Devices = (*world)(nil)
)
