package records

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"
)

// Store is all that a Service needs of a database.
type Store interface {
	FollowStore
	PumpStore
	AgentStore
}

// Options of a Service. All but Log and Agents are required.
type Options struct {
	Node         string // leads by this name: the same after a restart, so that it leads again at once
	Store        Store
	Destinations func(ctx context.Context) ([]*Destination, error) // of all instances
	Sender       Sender
	Blobs        Blobs
	Agents       AgentSource // nil: nothing is told of agents
	Dir          string      // files of destinations are in it
	Log          *slog.Logger
}

// Service follows contacts and serves destinations. Before the first Sync every instance is taken to have a destination,
// so that nothing is missed.
type Service struct {
	o      Options
	follow *follower
	wanted atomic.Pointer[map[string]bool] // instances with a destination; nil: not known yet

	mu      sync.Mutex
	pumps   map[string]*served
	counts  map[string]*Counts // by destination, since the process began
	cancel  context.CancelFunc // of everything; nil: not started
	ctx     context.Context    //nolint:containedctx // the service's own run, from Start to Stop
	wait    sync.WaitGroup
	stopped bool
}

// served is a destination that is being served.
type served struct {
	d      *Destination
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a Service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, pumps: map[string]*served{}, counts: map[string]*Counts{}}
	s.follow = &follower{store: o.Store, owner: o.Node, wants: s.Wants, told: s.woken, idle: s.idle, log: o.Log}
	s.follow.agents.store, s.follow.agents.source = o.Store, o.Agents
	return s
}

// Wants reports whether anybody is told of an instance's contacts.
func (s *Service) Wants(instanceID string) bool {
	m := s.wanted.Load()
	return m == nil || (*m)[instanceID]
}

// idle reports whether nobody is told of anything.
func (s *Service) idle() bool {
	m := s.wanted.Load()
	return m != nil && len(*m) == 0
}

// Start begins; Sync has to have been called. It is safe twice.
func (s *Service) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil || s.stopped {
		return
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wait.Go(func() { s.follow.run(s.ctx) })
	for _, p := range s.pumps {
		s.serve(p)
	}
}

// Stop ends everything and waits. What is not delivered is delivered after the next start. It is safe twice.
func (s *Service) Stop() {
	s.mu.Lock()
	s.stopped = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// Sync reads the destinations and serves them as they are now: after a change, and at the start.
func (s *Service) Sync(ctx context.Context) error {
	list, err := s.o.Destinations(ctx)
	if err != nil {
		return fmt.Errorf("records: destinations: %w", err)
	}
	wanted, byID := map[string]bool{}, map[string]*Destination{}
	for _, d := range list {
		wanted[d.InstanceID], byID[d.ID] = true, d
	}
	s.wanted.Store(&wanted)
	s.follow.agents.want(list)
	s.mu.Lock()
	var gone []*served
	for id, p := range s.pumps {
		if d := byID[id]; d == nil || d.Paused || d.Version != p.d.Version {
			gone = append(gone, p)
			delete(s.pumps, id)
		}
	}
	s.mu.Unlock()
	for _, p := range gone { // without the lock: a delivery may take its time to end
		p.stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, d := range byID {
		if d.Paused || s.pumps[id] != nil {
			continue
		}
		p := &served{d: d, wake: make(chan struct{}, 1)}
		s.pumps[id] = p
		if s.counts[id] == nil {
			s.counts[id] = &Counts{}
		}
		if s.cancel != nil && !s.stopped {
			s.serve(p)
		}
	}
	return nil
}

// serve starts a pump. The caller holds mu.
//
//nolint:contextcheck // a pump runs as long as the service, whoever asked for it
func (s *Service) serve(p *served) {
	ctx, cancel := context.WithCancel(s.ctx)
	p.cancel, p.done = cancel, make(chan struct{})
	run := &pump{
		d: p.d, store: s.o.Store, owner: s.o.Node, sink: s.sink(p.d), log: s.o.Log, counts: s.counts[p.d.ID], wake: p.wake,
	}
	s.wait.Go(func() {
		defer close(p.done)
		run.run(ctx)
	})
}

func (p *served) stop() {
	if p.cancel != nil {
		p.cancel()
		<-p.done
	}
}

func (s *Service) sink(d *Destination) sink {
	switch d.Type {
	case File:
		return &file{dir: path.Join(s.o.Dir, d.ID), now: time.Now}
	case S3:
		return &objects{d: d, blobs: s.o.Blobs}
	default:
		return &hook{d: d, send: s.o.Sender}
	}
}

// woken lets the destinations of an instance look at once.
func (s *Service) woken(instanceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pumps {
		if p.d.InstanceID == instanceID {
			select {
			case p.wake <- struct{}{}:
			default:
			}
		}
	}
}

// Dir is where the files of destinations are, each in a folder called by its id.
func (s *Service) Dir() string { return s.o.Dir }

// Wake lets the destinations of an instance look at once: after a replay, or new items from elsewhere.
func (s *Service) Wake(instanceID string) { s.woken(instanceID) }

// Reading is a destination's figures.
type Reading struct {
	InstanceID, ID, Name      string
	Delivered, Failures, Dead uint64
}

// Readings are the figures of all destinations that are served.
func (s *Service) Readings() []Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Reading, 0, len(s.pumps))
	for id, p := range s.pumps {
		c := s.counts[id]
		out = append(out, Reading{
			InstanceID: p.d.InstanceID, ID: id, Name: p.d.Name, Delivered: c.Delivered.Load(), Failures: c.Failures.Load(), Dead: c.Dead.Load(),
		})
	}
	return out
}

// Followed is how many items were made, and how often following failed.
func (s *Service) Followed() (items, failures uint64) {
	return s.follow.items.Load(), s.follow.failures.Load()
}

// Redeliver sends one item to a web service now: a dead letter that is tried again.
func (s *Service) Redeliver(ctx context.Context, d *Destination, item *Item) error {
	body, err := item.Envelope()
	if err != nil {
		return err
	}
	return s.o.Sender.Send(ctx, d, item, body)
}
