package ivr

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"ullim/internal/resource"
)

// Bounds of the run log.
const (
	MaxRunsOfContact = 2000             // kept of one contact; errors have as many again
	MaxRunsWaiting   = 20_000           // not yet written; more are dropped and counted
	runBatch         = 500              // of one commit
	runInterval      = time.Second      // a run is written after that at the latest, while the database keeps up
	runRetention     = time.Hour        // how often what is old is cleared away
	runForget        = 10 * time.Minute // a contact that was quiet for so long is counted anew
	maxRunText       = 500              // characters of a result or an error
	// DefaultRunDays is how long runs are kept when nothing else is set.
	DefaultRunDays = 30
)

// StoredRun is an action that ran, in the run log. ID is a UUID that grows with time.
type StoredRun struct {
	ID string
	ActionRun
}

// RunStore keeps the run log.
type RunStore interface {
	// PutRuns adds runs, all or none. Runs that are there already stay as they are.
	PutRuns(ctx context.Context, runs []StoredRun) error
	// DeleteRuns deletes at most so many runs of an instance that began before, and tells how many.
	DeleteRuns(ctx context.Context, instanceID string, before time.Time, most int) (int, error)
}

// RunReader searches the run log.
type RunReader interface {
	// Runs of a contact come in the order in which they ran, others the newest first.
	Runs(ctx context.Context, q RunQuery, p resource.Page) ([]StoredRun, string, error)
}

// RunQuery says which runs. What is empty does not matter.
type RunQuery struct {
	InstanceID                                         string // required
	ContactID, FlowID, ActionID, ActionType, ErrorType string
	Failed                                             bool // only those that took an error branch
	From, To                                           time.Time
}

// RunLogOptions are what a RunLog works on. Store is required.
type RunLogOptions struct {
	Store RunStore
	// Always tells whether an instance logs every action, whatever its flows say; nil: none does.
	Always func(instanceID string) bool
	// Keep gives the instances and for how many days each keeps its log; nil: nothing is ever cleared away.
	Keep func() map[string]int
	Log  *slog.Logger
	// Written is told how many runs were written, and how many were dropped because the database did not keep up.
	Written func(written, dropped int)
}

// RunLog keeps what the actions of contacts did, for people who ask why a call went where it went. Errors are always
// kept, other actions when the flow (UpdateFlowLoggingBehavior) or the instance asks for it. Nothing that was typed and
// no attribute is in it: the Engine leaves that out.
//
// Ran never waits: runs are written behind the call, many in one commit, and a database that does not keep up costs log
// lines, never a call. Start begins writing, Close writes what is left.
type RunLog struct {
	o RunLogOptions

	mu      sync.Mutex
	waiting []StoredRun
	dropped int
	counts  map[string]*runCount
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// runCount is how much of a contact is in the log.
type runCount struct {
	plain, failed int
	last          time.Time
}

// NewRunLog makes a log that does not write yet.
func NewRunLog(o RunLogOptions) *RunLog {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &RunLog{o: o, counts: make(map[string]*runCount), wake: make(chan struct{}, 1)}
}

// Ran takes a run: Engine.Ran.
func (l *RunLog) Ran(r ActionRun) {
	failed := r.ErrorType != ""
	if !failed && !r.Logged && (l.o.Always == nil || !l.o.Always(r.InstanceID)) {
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		return // no random numbers: the machine has other troubles
	}
	r.Result, r.Error = cut(r.Result, maxRunText), cut(r.Error, maxRunText)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.count(r.ContactID, failed, r.Start) {
		return
	}
	if len(l.waiting) >= MaxRunsWaiting {
		l.dropped++
		return
	}
	l.waiting = append(l.waiting, StoredRun{id.String(), r})
	if len(l.waiting) >= runBatch {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// count tells whether there is still room for a contact. The lock is held.
func (l *RunLog) count(contactID string, failed bool, at time.Time) bool {
	c := l.counts[contactID]
	if c == nil {
		c = &runCount{}
		l.counts[contactID] = c
	}
	c.last = at
	n := &c.plain
	if failed {
		n = &c.failed
	}
	*n++
	return *n <= MaxRunsOfContact
}

// Start writes in a goroutine of its own until Close.
func (l *RunLog) Start(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		tick, clear := time.NewTicker(runInterval), time.NewTicker(runRetention)
		defer tick.Stop()
		defer clear.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			case <-tick.C:
			case <-clear.C:
				l.clear(ctx)
			}
			l.flush(ctx)
		}
	}()
}

// Close writes what is left, for as long as ctx lasts. Runs that come later are not written.
func (l *RunLog) Close(ctx context.Context) {
	if l.stop != nil {
		l.stop()
		<-l.done
	}
	l.flush(ctx)
}

// flush writes what waits, batch by batch, until it fails: then it waits for the next time.
func (l *RunLog) flush(ctx context.Context) {
	for {
		l.mu.Lock()
		n, dropped := min(len(l.waiting), runBatch), l.dropped
		batch := l.waiting[:n:n]
		l.dropped = 0
		l.forget()
		l.mu.Unlock()
		if dropped > 0 {
			l.o.Log.WarnContext(ctx, "run log: the database does not keep up, runs are dropped", "dropped", dropped)
			l.told(0, dropped)
		}
		if n == 0 {
			return
		}
		if err := l.o.Store.PutRuns(ctx, batch); err != nil {
			if ctx.Err() == nil {
				l.o.Log.ErrorContext(ctx, "run log: runs are not written, they are tried again", "waiting", n, "error", err)
			}
			return
		}
		l.told(n, 0)
		l.mu.Lock()
		l.waiting = append([]StoredRun(nil), l.waiting[n:]...)
		l.mu.Unlock()
	}
}

// forget drops the counts of contacts that have been quiet. The lock is held.
func (l *RunLog) forget() {
	if len(l.counts) < 1000 {
		return
	}
	for id, c := range l.counts {
		if time.Since(c.last) > runForget {
			delete(l.counts, id)
		}
	}
}

func (l *RunLog) told(written, dropped int) {
	if l.o.Written != nil {
		l.o.Written(written, dropped)
	}
}

// clear deletes what is older than its instance keeps, a batch at a time.
func (l *RunLog) clear(ctx context.Context) {
	if l.o.Keep == nil {
		return
	}
	for instanceID, days := range l.o.Keep() {
		before := time.Now().AddDate(0, 0, -days)
		for ctx.Err() == nil {
			n, err := l.o.Store.DeleteRuns(ctx, instanceID, before, 2*runBatch)
			if err != nil {
				l.o.Log.ErrorContext(ctx, "run log: old runs are not deleted", "error", err)
				return
			}
			if n < 2*runBatch {
				break
			}
			l.flush(ctx) // those that wait come first
		}
	}
}
