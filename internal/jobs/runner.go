// Package jobs does durable work: what must happen even if the process dies first (a recording to be uploaded, a webhook
// to be sent, something to be cleaned up). A job is enqueued in the transaction of what needs it and done at least once,
// so a handler must be able to do the same job twice.
//
// # Layout
//
//	ports.go    Job, and the Store that package storage implements
//	runner.go   Runner: one goroutine that claims, one goroutine per job that runs
//	result.go   what a handler can say: nil, Snooze, Permanent, any other error; Backoff
//
// # Life of a job
//
//	enqueued ── due ──> claimed ── nil ───────────> gone
//	   ^                   │ ────── Snooze(at) ───> due at a time
//	   │                   │ ────── Permanent ────> buried: kept with its reason, for a person to look at
//	   └── due later ──────┴ ────── other error ──> due after a back-off that doubles
//
// A claim is a lease, extended for as long as the handler runs. If that fails, the handler's context ends a little before
// the lease does, so that of two workers that have the same job in turn only one runs at a time. Who dies with a job in
// hand loses it when the lease runs out.
//
// The table is the truth. Wake is a hint that something was enqueued; without it the runner finds out at the next due
// time that the store reports, or at its poll, whichever is first.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler does one job. It must return when ctx ends, and must be able to do a job twice.
type Handler func(ctx context.Context, j Job) error

// Options of a Runner. Zero values are sensible.
type Options struct {
	Store    Store
	Log      *slog.Logger
	Handlers map[string]Handler // by Job.Kind; other kinds are left alone

	Workers int           // jobs at once; 0: 4
	Lease   time.Duration // how long the job of a process that died is waited for; 0: 2 minutes
	Poll    time.Duration // longest sleep, plus up to a quarter of it; 0: 30 seconds
	Backoff Backoff
	Rand    func() float64 // in [0, 1), for jitter; nil: math/rand
}

// Stats are counters since New. Running is how many handlers run now.
type Stats struct {
	Done, Retried, Buried, Panics uint64
	Running                       int64
}

// Runner claims and runs jobs. Start returns at once, Stop when everything is over; both are safe twice and in any
// order, and a Runner that was stopped stays so.
type Runner struct {
	o     Options
	kinds []string
	wake  chan struct{}
	freed chan struct{} // a worker is free; room for all
	busy  int           // workers at work; the claiming goroutine's own
	work  sync.WaitGroup

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc
	done    chan struct{} // closed when the claiming goroutine and all handlers have ended

	completed, retried, buried, panics atomic.Uint64
	running                            atomic.Int64
}

// New makes a Runner that does nothing yet.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Lease <= 0 {
		o.Lease = 2 * time.Minute
	}
	if o.Poll <= 0 {
		o.Poll = 30 * time.Second
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	o.Backoff = o.Backoff.orDefault()
	return &Runner{
		o: o, kinds: slices.Sorted(maps.Keys(o.Handlers)), wake: make(chan struct{}, 1),
		freed: make(chan struct{}, o.Workers), done: make(chan struct{}),
	}
}

// Start begins to claim.
func (r *Runner) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.stopped {
		return
	}
	r.started = true
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.run(ctx)
		r.work.Wait()
	}()
}

// Stop ends the context of every handler and waits for all of them. What they did not finish is due again at once.
func (r *Runner) Stop() {
	r.mu.Lock()
	started := r.started
	r.stopped = true
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	if started {
		<-r.done
	}
}

// Wake says that something was enqueued. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Stats gives the counters.
func (r *Runner) Stats() Stats {
	return Stats{
		Done: r.completed.Load(), Retried: r.retried.Load(), Buried: r.buried.Load(), Panics: r.panics.Load(),
		Running: r.running.Load(),
	}
}

// run claims until ctx ends.
func (r *Runner) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		var wait time.Duration
		if free := r.o.Workers - r.busy; free > 0 {
			var err error
			if wait, err = r.claim(ctx, free); err != nil && ctx.Err() == nil {
				failures++
				wait = r.o.Backoff.delay(failures, r.o.Rand())
				r.o.Log.Warn("jobs cannot be claimed", "error", err, "again_in", wait)
			} else {
				failures = 0
			}
		} else {
			wait = r.o.Poll // until somebody is free
		}
		r.sleep(ctx, wait)
	}
}

// sleep waits for a hint, a free worker, or the time.
func (r *Runner) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.wake:
	case <-r.freed:
		r.busy--
	case <-ctx.Done():
	}
	for { // whoever else has become free
		select {
		case <-r.freed:
			r.busy--
		default:
			return
		}
	}
}

// claim takes up to free jobs, starts them and tells how long there is nothing to do.
func (r *Runner) claim(ctx context.Context, free int) (time.Duration, error) {
	if len(r.kinds) == 0 {
		return r.o.Poll, nil
	}
	// Not cut short by Stop: what was claimed and never handed over would wait for the end of its lease.
	claimCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	list, err := r.o.Store.Claim(claimCtx, r.kinds, free, time.Now(), r.o.Lease)
	cancel()
	if err != nil {
		return 0, err
	}
	for _, j := range list {
		r.busy++
		r.running.Add(1)
		r.work.Go(func() {
			defer func() {
				r.running.Add(-1)
				r.freed <- struct{}{}
			}()
			r.do(ctx, j)
		})
	}
	if len(list) == free {
		return r.poll(), nil // all are busy: the next free one wakes us
	}
	at, ok, err := r.o.Store.NextDue(ctx, r.kinds)
	if err != nil {
		return 0, err
	}
	wait := r.poll()
	if ok {
		// At least a little: a job that is due and was not claimed is in the hands of another process this moment.
		wait = min(wait, max(time.Until(at), 10*time.Millisecond))
	}
	return wait, nil
}

// poll is the longest sleep, with jitter, so that nodes do not ask together.
func (r *Runner) poll() time.Duration {
	return r.o.Poll + time.Duration(r.o.Rand()*float64(r.o.Poll)/4)
}

// do runs a job and tells the store how it came out.
func (r *Runner) do(ctx context.Context, j Job) {
	log := r.o.Log.With("job", j.ID, "kind", j.Kind, "key", j.Key, "attempt", j.Attempts)
	handlerCtx, cancel := context.WithCancel(ctx)
	extended := make(chan struct{})
	go func() {
		defer close(extended)
		r.extend(handlerCtx, cancel, log, j.ID)
	}()
	err := r.contained(handlerCtx, j)
	cancel()
	<-extended // an extension must not come after the outcome
	stopping := ctx.Err() != nil
	snooze, snoozed := errors.AsType[*snoozeError](err)
	permanent, buried := errors.AsType[*permanentError](err)
	switch {
	case err == nil:
		r.completed.Add(1)
		r.tell(ctx, log, func(ctx context.Context) error { return r.o.Store.Complete(ctx, j.ID) })
	case buried:
		r.buried.Add(1)
		log.Error("job can never succeed, kept for a person to look at", "error", permanent.err)
		r.tell(ctx, log, func(ctx context.Context) error { return r.o.Store.Bury(ctx, j.ID, permanent.err.Error()) })
	case snoozed:
		r.tell(ctx, log, func(ctx context.Context) error { return r.o.Store.Retry(ctx, j.ID, snooze.at, j.LastErr) })
	case stopping:
		r.tell(ctx, log, func(ctx context.Context) error {
			return r.o.Store.Retry(ctx, j.ID, time.Now(), "stopped: "+err.Error())
		})
	default:
		r.retried.Add(1)
		wait := r.o.Backoff.delay(j.Attempts, r.o.Rand())
		log.Warn("job failed", "error", err, "again_in", wait)
		r.tell(ctx, log, func(ctx context.Context) error { return r.o.Store.Retry(ctx, j.ID, time.Now().Add(wait), err.Error()) })
	}
}

// extend keeps the claim until ctx ends, and ends ctx when the claim is about to be lost.
func (r *Runner) extend(ctx context.Context, lose context.CancelFunc, log *slog.Logger, id int64) {
	lost := time.Now().Add(r.o.Lease)
	tick := time.NewTicker(r.o.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		until := time.Now().Add(r.o.Lease)
		tryCtx, cancel := context.WithTimeout(ctx, r.o.Lease/8)
		err := r.o.Store.Extend(tryCtx, id, until)
		cancel()
		switch {
		case err == nil:
			lost = until
		case ctx.Err() != nil:
			return
		case time.Until(lost) < r.o.Lease/2: // before the next tick and its attempt are over
			log.Error("claim of job cannot be kept: it will be done again", "error", err)
			lose()
			return
		}
	}
}

// contained runs the handler and makes a panic an error.
func (r *Runner) contained(ctx context.Context, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.panics.Add(1)
			r.o.Log.Error("job panicked", "job", j.ID, "kind", j.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("jobs: panic: %v", p)
		}
	}()
	return r.o.Handlers[j.Kind](ctx, j)
}

// Telling the store how a job came out is tried so often, whether the runner is stopping or not.
const tellTries = 3

// storeTimeout is how long the store may take.
const storeTimeout = 10 * time.Second

// tell writes an outcome. If it cannot be written, the job is done again when its lease runs out.
func (r *Runner) tell(ctx context.Context, log *slog.Logger, write func(context.Context) error) {
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		tryCtx, cancel := context.WithTimeout(ctx, storeTimeout)
		err := write(tryCtx)
		cancel()
		if err == nil {
			return
		}
		if try == tellTries {
			log.Error("outcome of job not stored: it will be done again", "error", err)
			return
		}
		time.Sleep(r.o.Backoff.delay(try, r.o.Rand()))
	}
}
