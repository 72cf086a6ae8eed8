package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
)

// Options are what the channel needs. Paper, Manual, Origins and Log may be missing: then there are no disposition codes and
// notes, no picking of contacts, no pages of elsewhere.
type Options struct {
	Routing   Routing
	Calls     Calls
	Moves     Moves
	Chats     Chats
	Contacts  Contacts
	Directory Directory
	Sessions  Sessions
	Auth      rest.Auth
	Journal   Journal
	Paper     Paper
	Manual    Manual
	Origins   []string // hosts of pages that may use the channel beside those of this node
	Log       *slog.Logger
}

// Counts grow with what happened since the start.
type Counts struct {
	Opened, Snapshots, Resumed, Events, Slow, Silent, Refused atomic.Uint64
	Commands, CommandsFailed, Repeated                        atomic.Uint64
	SignIns, SignInsFailed, Panics                            atomic.Uint64
}

// Service is the channel of all agents of this process.
type Service struct {
	o       Options
	counts  Counts
	ctx     context.Context //nolint:containedctx // the life of the service, for hubs that outlive requests
	cancel  context.CancelFunc
	work    sync.WaitGroup
	journal journal
	sockets atomic.Int64

	mu     sync.RWMutex
	hubs   map[string]*hub // by user id
	routed map[string]bool // instances whose routing has published something
	bell   chan struct{}
	closed bool
}

// New makes a Service. It works until Close.
func New(o Options) (*Service, error) {
	if o.Routing == nil || o.Calls == nil || o.Moves == nil || o.Chats == nil || o.Contacts == nil || o.Directory == nil ||
		o.Sessions == nil || o.Auth == nil || o.Journal == nil {
		return nil, errors.New("agent: every part but Paper, Manual, Origins and Log is required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, hubs: map[string]*hub{}, routed: map[string]bool{}, bell: make(chan struct{}, 1)}
	s.journal = journal{store: o.Journal, running: map[string]*running{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(func() { s.goRound(s.ctx) })
	return s, nil
}

// Counts are the counters, for metrics.
func (s *Service) Counts() *Counts { return &s.counts }

// Sockets is how many sockets are open, and Agents how many agents are looked at.
func (s *Service) Sockets() int { return int(s.sockets.Load()) }

// Agents is how many agents are looked at.
func (s *Service) Agents() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.hubs)
}

// Close closes all sockets, which may come back elsewhere, and ends all goroutines but those of requests.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, h := range s.hubs {
		h.mu.Lock()
		for t := range h.tabs {
			t.end(closeAway, "the server stops")
		}
		h.mu.Unlock()
	}
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
}

// Wake tells that something about a user may look different now. It is a hint, and costs next to nothing for those whom
// nobody looks at.
func (s *Service) Wake(userID string) {
	s.mu.RLock()
	h := s.hubs[userID]
	s.mu.RUnlock()
	if h != nil {
		h.nudge()
	}
}

// Configured tells that the configuration of an instance has changed.
func (s *Service) Configured(instanceID string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, h := range s.hubs {
		if h.instanceID == instanceID {
			h.configChanged()
			h.nudge()
		}
	}
}

// Routed tells that routing has published something about some agents of an instance. It never blocks.
func (s *Service) Routed(instanceID string) {
	s.mu.Lock()
	if len(s.hubs) > 0 {
		s.routed[instanceID] = true
	}
	s.mu.Unlock()
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// goRound wakes the hubs whose agents routing thinks otherwise of now, and forgets the keys of old commands.
func (s *Service) goRound(ctx context.Context) {
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-purge.C:
			s.purge(ctx)
			continue
		case <-s.bell:
		}
		s.mu.Lock()
		routed := s.routed
		s.routed = map[string]bool{}
		hubs := make([]*hub, 0, len(s.hubs))
		for _, h := range s.hubs {
			if routed[h.instanceID] {
				hubs = append(hubs, h)
			}
		}
		s.mu.Unlock()
		for _, h := range hubs {
			if snap, err := s.o.Routing.Agent(h.instanceID, h.userID); err != nil || h.glance(&snap) {
				h.nudge()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(routedGap):
		}
	}
}

func (s *Service) purge(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err := errors.Join(s.o.Journal.PurgeCommands(ctx, time.Now().Add(-journalFor)), s.o.Sessions.Purge(ctx))
	if err != nil {
		s.o.Log.Warn("agent channel: old commands and sessions cannot be forgotten", "error", err)
	}
}

// hub gives an agent's hub, which has looked at least once, and holds it: release must be called.
func (s *Service) hub(ctx context.Context, instanceID, userID string) (h *hub, release func(), err error) {
	s.mu.Lock()
	h = s.hubs[userID]
	switch {
	case s.closed:
		err = errs.New(errs.Unavailable, "the server stops")
	case h == nil && len(s.hubs) >= maxHubs:
		err = errs.New(errs.Limit, "%d agents are looked at", maxHubs)
	case h == nil:
		life := make([]byte, 9)
		_, _ = rand.Read(life) // it never fails
		h = newHub(s, instanceID, userID, hex.EncodeToString(life))
		s.hubs[userID] = h
		s.work.Go(func() { h.run(s.ctx) })
	}
	if err != nil {
		s.mu.Unlock()
		return nil, nil, err
	}
	h.mu.Lock()
	h.holders++
	fresh := h.parts == nil
	h.mu.Unlock()
	s.mu.Unlock()
	release = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.holders--; h.holders == 0 && len(h.tabs) == 0 {
			h.idle = time.Now()
		}
	})
	if fresh {
		if err = h.look(ctx); err != nil {
			release()
			return nil, nil, err
		}
	}
	return h, release, nil
}

// retire forgets a hub that nobody has looked at for a while. After true it ends.
func (s *Service) retire(h *hub) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tabs) > 0 || h.holders > 0 || time.Since(h.idle) < linger {
		return false
	}
	delete(s.hubs, h.userID)
	return true
}

// signedOut cuts the tabs of a session, of all of the user's if session is empty.
func (s *Service) signedOut(userID, session, why string) {
	s.mu.RLock()
	h := s.hubs[userID]
	s.mu.RUnlock()
	if h != nil {
		h.endSession(session, why)
	}
}
