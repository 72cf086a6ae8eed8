package acd

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The journal writes behind: what is in memory when the process is killed is lost, and put right from the other tables
// at the next start (agentrepair.go).
const (
	journalPause = 200 * time.Millisecond // for others to share a commit with
	journalBatch = 500
	journalMost  = 200_000         // events that wait while the database is away; then the newest are dropped
	journalEnd   = 5 * time.Second // for what is left when the Center stops
)

// journal brings agent events to the store, in order, without anybody waiting for it.
type journal struct {
	store  AgentEvents
	counts *Counts
	log    *slog.Logger

	mu   sync.Mutex
	list []AgentEvent
	full bool          // told already
	bell chan struct{} // room for one
}

func newJournal(store AgentEvents, counts *Counts, log *slog.Logger) *journal {
	return &journal{store: store, counts: counts, log: log, bell: make(chan struct{}, 1)}
}

// put adds an event. It never blocks.
func (j *journal) put(e AgentEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.list) >= journalMost {
		j.counts.EventsLost.Add(1)
		if !j.full {
			j.full = true
			j.log.Error("agent events are dropped: the database has been away for too long")
		}
		return
	}
	j.list, j.full = append(j.list, e), false
	select {
	case j.bell <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, and then what is left.
func (j *journal) run(ctx context.Context) {
	for tries := 0; ; {
		select {
		case <-ctx.Done():
		case <-j.bell:
			wait := journalPause
			if tries > 0 {
				wait = backoff(storeBackoff, maxStoreBackoff, tries)
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalEnd)
			defer cancel()
			for j.waiting() > 0 && j.write(end) == nil {
			}
			return
		}
		tries++
		if j.write(ctx) == nil {
			tries = 0
		}
		if j.waiting() > 0 {
			j.ring()
		}
	}
}

func (j *journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.list)
}

// write stores one batch. What is not stored stays in line.
func (j *journal) write(ctx context.Context) error {
	j.mu.Lock()
	batch := j.list[:min(len(j.list), journalBatch)]
	j.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := guarded(ctx, func(ctx context.Context) error { return j.store.PutAgentEvents(ctx, batch) })
	if err != nil {
		j.counts.StoreErrors.Add(1)
		j.log.Warn("agent events are not stored yet", "events", len(batch), "error", err)
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append([]AgentEvent(nil), j.list[len(batch):]...)
	return nil
}

func (j *journal) ring() {
	select {
	case j.bell <- struct{}{}:
	default:
	}
}
