package call

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// bench is a Manager in a world of fakes: what the real ones do is tested with the whole engine in internal/app.
type bench struct {
	*Manager
	leg    *fakeLeg
	store  *fakeStore
	queues *fakeQueues
	flow   func(ctx context.Context, r FlowRun) FlowOutcome
	post   func(LegEvent)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{leg: &fakeLeg{}, store: &fakeStore{}, queues: &fakeQueues{}}
	b.flow = func(ctx context.Context, _ FlowRun) FlowOutcome { <-ctx.Done(); return FlowLeft }
	id := 0
	b.Manager = NewManager(Options{
		Node: "n1", Media: fakePlane{}, Dialer: fakeDialer{}, Flows: flowFunc(func(ctx context.Context, r FlowRun) FlowOutcome {
			return b.flow(ctx, r)
		}),
		Queues: b.queues, Numbers: fakeNumbers{}, Store: b.store, Spill: b.store.spill, Log: slog.New(slog.DiscardHandler),
		Instances: func(id string) (Instance, bool) { return Instance{ID: id, Alias: "acme", Inbound: true}, true },
		NewID:     func() string { id++; return "c" + string(rune('0'+id)) },
	})
	return b
}

// call admits a call and acknowledges its answer.
func (b *bench) call(t *testing.T) {
	t.Helper()
	post, err := b.Admit(t.Context(), Inbound{CallID: "x", Called: "+8215880000", SDP: []byte("offer"), Received: time.Now()}, b.leg)
	if err != nil {
		t.Fatal(err)
	}
	b.post = post
	synctest.Wait()
	if b.leg.count("answer") != 1 {
		t.Fatal("not answered")
	}
	post(LegEvent{Kind: LegAnswered})
	synctest.Wait()
}

func TestTheContactIsStoredBeforeTheCallIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.store.fail = errors.New("disk full")
		_, err := b.Admit(t.Context(), Inbound{Called: "+8215880000", SDP: []byte("o")}, b.leg)
		if !errs.Is(err, errs.Unavailable) || b.leg.count("answer") != 0 || b.Count() != 0 {
			t.Errorf("error %v, answered %d, calls %d", err, b.leg.count("answer"), b.Count())
		}
	})
}

func TestAPanicInAFlowEndsThatFlowAndNotTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.flow = func(context.Context, FlowRun) FlowOutcome { panic("boom") }
		b.call(t)
		if b.Count() != 0 || b.Stats().Panics.Load() != 1 || b.leg.count("hangup") == 0 {
			t.Errorf("calls %d, panics %d, hang-ups %d", b.Count(), b.Stats().Panics.Load(), b.leg.count("hangup"))
		}
		if r := b.store.closed["c1"]; r == nil || r.DisconnectReason != contact.ContactFlowDisconnect {
			t.Errorf("record %+v", r)
		}
	})
}

func TestAFullMailboxEndsTheCallWithARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(t)
		b.leg.block = make(chan struct{})
		go b.post(LegEvent{Kind: LegOffer, SDP: []byte("hold")})
		synctest.Wait() // who works for the call is stuck in the leg, which a real one never does
		for range mailboxSize + 1 {
			b.post(LegEvent{Kind: LegProgress})
		}
		close(b.leg.block)
		synctest.Wait()
		if b.Count() != 0 || b.Stats().Overflows.Load() != 1 || b.store.closed["c1"] == nil {
			t.Errorf("overflows %d, record %v", b.Stats().Overflows.Load(), b.store.closed["c1"])
		}
	})
}

func TestDrainRefusesNewCallsAndEndsTheRestAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		done := make(chan struct{})
		go func() { b.Drain(ctx); close(done) }()
		synctest.Wait()
		if _, err := b.Admit(t.Context(), Inbound{Called: "+8215880000"}, &fakeLeg{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("admitted while draining: %v", err)
		}
		time.Sleep(time.Minute - time.Millisecond)
		synctest.Wait()
		if b.Count() != 1 {
			t.Error("ended before the deadline")
		}
		<-done
		if took := time.Since(start); took != time.Minute {
			t.Errorf("drained after %s", took)
		}
		if r := b.store.closed["c1"]; r == nil || r.DisconnectReason != contact.Other {
			t.Errorf("record %+v", r)
		}
	})
}

func TestAFinalRecordThatTheStoreRefusesIsSpilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(t)
		b.store.set(errors.New("database gone"))
		b.post(LegEvent{Kind: LegEnded, Cause: CauseBye})
		time.Sleep(time.Minute)
		synctest.Wait()
		if b.store.spilled["c1"] == nil || b.Count() != 0 {
			t.Errorf("spilled %v, calls %d", b.store.spilled, b.Count())
		}
	})
}

func TestACallerWhoLeavesDuringEnqueueIsTakenOutOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.queues.delay = time.Second
		b.flow = func(ctx context.Context, r FlowRun) FlowOutcome {
			if err := r.Control.SetTarget(TargetQueue{ID: "q", Name: "q"}); err != nil {
				return FlowLeft
			}
			if err := r.Control.Enqueue(ctx); !errors.Is(err, ErrLeft) {
				t.Errorf("enqueue gave %v", err)
			}
			return FlowLeft
		}
		b.call(t)
		b.post(LegEvent{Kind: LegEnded, Cause: CauseBye})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if in, out := b.queues.entered, b.queues.left; in != 1 || out == 0 {
			t.Errorf("entered %d times, left %d times", in, out)
		}
	})
}

func TestWhatIsPostedAsTheCallEndsIsAnsweredAllTheSame(t *testing.T) {
	b := newBench(t)
	a := &actor{m: b.Manager, done: make(chan struct{}), state: State{Record: &contact.Record{}}}
	a.mail.busy = true // somebody works for it, and takes its last step
	for _, e := range []Event{enqueueDone{}, offered{Offer: offer}, enqueueDone{Err: errors.New("full")}} {
		if !a.post(e) {
			t.Fatal("the call is not over yet")
		}
	}
	a.mail.uses.Store(1)
	a.bury()
	if b.queues.left != 1 || len(b.queues.results) != 1 || b.queues.results[0] != OfferCallerLeft {
		t.Errorf("left %d times, results %v", b.queues.left, b.queues.results)
	}
	if a.post(offered{Offer: offer}) {
		t.Error("posted to a call that is over")
	}
}

type flowFunc func(ctx context.Context, r FlowRun) FlowOutcome

func (f flowFunc) Run(ctx context.Context, r FlowRun) FlowOutcome { return f(ctx, r) }

type fakeLeg struct {
	mu    sync.Mutex
	did   []string
	block chan struct{} // AnswerOffer waits for it, if set
}

func (l *fakeLeg) note(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.did = append(l.did, s)
}

func (l *fakeLeg) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, d := range l.did {
		if d == s {
			n++
		}
	}
	return n
}

func (l *fakeLeg) CallID() string                    { return "x" }
func (l *fakeLeg) Dialog() DialogID                  { return DialogID{CallID: "x", OurTag: "t"} }
func (l *fakeLeg) Ring()                             { l.note("ring") }
func (l *fakeLeg) Answer([]byte)                     { l.note("answer") }
func (l *fakeLeg) Reject(int, string, time.Duration) { l.note("reject") }
func (l *fakeLeg) AnswerOffer([]byte) {
	if l.block != nil {
		<-l.block
	}
}
func (l *fakeLeg) Hangup(string)             { l.note("hangup") }
func (l *fakeLeg) Progress([]byte)           { l.note("progress") }
func (l *fakeLeg) Offer([]byte)              { l.note("offer") }
func (l *fakeLeg) Digit(byte, time.Duration) { l.note("digit") }
func (l *fakeLeg) Notify(int, string)        { l.note("notify") }

type fakePlane struct{}

func (fakePlane) Open(MediaOptions) (Media, error) { return fakeMedia{}, nil }
func (fakePlane) Join(_, _ Media) (func(), error)  { return func() {}, nil }
func (fakePlane) Record(_, _ string, _, _ Media) (Recording, error) {
	return nil, errs.New(errs.Unavailable, "no disk")
}

func (fakePlane) Room() Room { return nil }

type fakeMedia struct{}

func (fakeMedia) Hold(bool)                 {}
func (fakeMedia) Key(byte)                  {}
func (fakeMedia) SendDigits(string, func()) {}
func (fakeMedia) Stats() contact.Quality    { return contact.Quality{} }

func (fakeMedia) Offer() ([]byte, error)                  { return []byte("offer"), nil }
func (fakeMedia) Accept([]byte) error                     { return nil }
func (fakeMedia) Answer([]byte) ([]byte, error)           { return []byte("answer"), nil }
func (fakeMedia) Play([]Audio, bool, func(finished bool)) {}
func (fakeMedia) StopPlay()                               {}
func (fakeMedia) SetHost(netip.Addr)                      {}
func (fakeMedia) Codec() string                           { return "PCMU" }
func (fakeMedia) Close() contact.Quality                  { return contact.Quality{} }

type fakeDialer struct{}

func (fakeDialer) Dial(Target, []byte, func(LegEvent)) Leg { return &fakeLeg{} }

func (fakeDialer) Profile(Target) Profile { return Profile{} }

type fakeNumbers struct{}

func (fakeNumbers) Lookup(string, string) (Number, bool) {
	n := Number{FlowID: "f1"}
	n.Name, n.InstanceID = "+8215880000", "i1"
	return n, true
}

type fakeQueues struct {
	mu            sync.Mutex
	delay         time.Duration
	entered, left int
	results       []OfferResult
}

func (q *fakeQueues) Enqueue(context.Context, Enqueue) error {
	time.Sleep(q.delay)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.entered++
	return nil
}

func (q *fakeQueues) Reorder(string, Routing) {}

func (q *fakeQueues) Leave(string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left++
}

func (q *fakeQueues) OfferResult(_ string, r OfferResult) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.results = append(q.results, r)
}
func (q *fakeQueues) Joined(string)    {}
func (q *fakeQueues) AgentDone(string) {}

type fakeStore struct {
	mu              sync.Mutex
	fail            error
	closed, spilled map[string]*contact.Record
}

func (s *fakeStore) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *fakeStore) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}

func (s *fakeStore) CreateContact(context.Context, *contact.Record) error { return s.err() }
func (s *fakeStore) UpdateContact(context.Context, *contact.Record) error { return s.err() }

func (s *fakeStore) CloseContact(_ context.Context, r *contact.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		if s.closed == nil {
			s.closed = map[string]*contact.Record{}
		}
		s.closed[r.ID] = r
	}
	return s.fail
}

func (s *fakeStore) spill(r *contact.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spilled == nil {
		s.spilled = map[string]*contact.Record{}
	}
	s.spilled[r.ID] = r
	return nil
}
