package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// maxGroup bounds the writes of one commit, and so how long the first of them waits for the others. patience is how long
// a write that nobody waits for looks for company. spacing is the least time from one commit to the next while that brings
// writes together: a commit costs the same for ten of them as for one, and on a disk that is quick nobody would meet.
const (
	maxGroup = 256
	patience = 20 * time.Millisecond
	spacing  = 10 * time.Millisecond
	// alone is for how many commits nobody is kept waiting after a wait that was for nothing: who writes one thing after the
	// other would never find company.
	alone = 100
)

// group is the one writer of a SQLite database: a goroutine that owns the connection and commits what waits together.
//
//	do ─────> ops ───> gather ──> BEGIN IMMEDIATE, for each: SAVEPOINT, fn, RELEASE or ROLLBACK TO, COMMIT ──> done
//	later ──> patient ───┘ (with the next that somebody waits for, or after patience)
type group struct {
	db      *DB
	conn    *sql.Conn
	ops     chan *op
	working atomic.Bool   // a batch is being committed
	closing chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine has ended
	once    sync.Once

	// Of the goroutine alone.
	last    time.Time // when the last commit began
	hurried int       // commits that are not kept waiting

	mu      sync.Mutex // of the next three
	patient []*op
	over    bool          // the goroutine takes no more of them
	ring    *time.Timer   // rings when patience is over; nil: never needed yet
	bell    chan struct{} // room for one
}

// op is a write on its way.
type op struct {
	fn    func(context.Context, tx) error
	state atomic.Int32
	done  chan error  // room for one: the writer never waits for a caller
	then  func(error) // instead of done, for what nobody waits for
}

// States of an op: the caller may give up while it waits, and the writer may take it, whoever comes first.
const (
	opWaiting int32 = iota
	opTaken
	opAbandoned
)

func newGroup(db *DB, conn *sql.Conn) *group {
	g := &group{
		db: db, conn: conn, ops: make(chan *op, maxGroup), closing: make(chan struct{}), stopped: make(chan struct{}),
		bell: make(chan struct{}, 1),
	}
	go g.run()
	return g
}

func (g *group) isClosed() bool {
	select {
	case <-g.closing:
		return true
	default:
		return false
	}
}

// do hands fn to the writer and waits for its commit, or for the end of ctx.
func (g *group) do(ctx context.Context, fn func(context.Context, tx) error, abandoned func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if g.isClosed() {
		return errClosed()
	}
	o := &op{fn: fn, done: make(chan error, 1)}
	select {
	case g.ops <- o:
	case <-g.closing:
		return errClosed()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-g.stopped:
		select {
		case err := <-o.done:
			return err
		default:
			return errClosed() // came in as the writer left
		}
	case <-ctx.Done():
	}
	if o.state.CompareAndSwap(opWaiting, opAbandoned) {
		return ctx.Err() // it will never happen
	}
	if abandoned != nil {
		g.db.pending.Go(func() {
			if <-o.done == nil {
				abandoned()
			}
		})
	}
	return ctx.Err()
}

// later hands fn to the writer without waiting. then hears how it went, in a goroutine that it shares with others.
func (g *group) later(fn func(context.Context, tx) error, then func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		g.db.pending.Go(func() { then(errClosed()) })
		return
	}
	g.patient = append(g.patient, &op{fn: fn, then: then})
	switch {
	case len(g.patient) == maxGroup:
		g.wake()
	case len(g.patient) > 1:
	case g.ring == nil:
		g.ring = time.AfterFunc(patience, g.wake)
	default:
		g.ring.Reset(patience)
	}
}

func (g *group) wake() {
	select {
	case g.bell <- struct{}{}:
	default:
	}
}

func (g *group) run() {
	defer close(g.stopped)
	for {
		select {
		case o := <-g.ops:
			waited := g.space()
			batch := g.gather(o)
			if waited && awaited(batch) < 2 {
				g.hurried = alone
			}
			g.last = time.Now()
			g.commit(batch)
		case <-g.bell:
			g.commit(g.gather(nil))
		case <-g.closing:
			for {
				select {
				case o := <-g.ops:
					g.commit(g.gather(o))
					continue
				default:
				}
				rest := g.gather(nil)
				if len(rest) == 0 {
					return
				}
				g.commit(rest)
			}
		}
	}
}

// space keeps the next commit waiting if the last one has just begun and it is known, or worth finding out, that others come.
func (g *group) space() (waited bool) {
	wait := spacing - time.Since(g.last)
	switch {
	case wait <= 0 || g.last.IsZero():
		return false
	case g.hurried > 0:
		g.hurried--
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.closing:
	}
	return true
}

// awaited is for how many writes of a batch somebody waits.
func awaited(batch []*op) (n int) {
	for _, o := range batch {
		if o.then == nil {
			n++
		}
	}
	return n
}

// gather takes what waits behind first, leaving out what was given up, and what waits with patience as far as there is room.
func (g *group) gather(first *op) []*op {
	var batch []*op
	take := func(o *op) {
		if o.state.CompareAndSwap(opWaiting, opTaken) {
			batch = append(batch, o)
		}
	}
	if first != nil {
		take(first)
	}
	for waiting := true; waiting && len(batch) < maxGroup; {
		select {
		case o := <-g.ops:
			take(o)
		default:
			waiting = false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.patient), maxGroup-len(batch))
	batch = append(batch, g.patient[:n]...)
	if g.patient = slices.Delete(g.patient, 0, n); len(g.patient) > 0 {
		g.wake()
	} else if n > 0 {
		g.ring.Stop()
	}
	g.over = len(batch) == 0 && g.isClosed()
	return batch
}

// commit runs a batch in one transaction and tells every caller its result. If the transaction is lost under way (disk
// full, I/O error), each write is tried again alone, so that only what cannot be done fails.
func (g *group) commit(batch []*op) {
	if len(batch) == 0 {
		return
	}
	g.working.Store(true)
	results, err := g.transact(batch)
	g.working.Store(false)
	if err != nil && len(batch) > 1 {
		for _, o := range batch {
			g.commit([]*op{o})
		}
		return
	}
	var told []func()
	for i, o := range batch {
		result := err
		if err == nil {
			result = results[i]
		}
		if o.then != nil {
			told = append(told, func() { o.then(result) })
			continue
		}
		o.done <- result
	}
	if len(told) > 0 {
		g.db.pending.Go(func() {
			roomToWork(0)
			for _, tell := range told {
				tell()
			}
		})
	}
}

// roomToWork makes the stack of a goroutine that has just begun as large as those who are told need, in one step. It would grow
// to that in three, and each copies what is there.
//
//go:noinline
func roomToWork(at int) byte {
	var room [10 << 10]byte
	return room[at]
}

// transact runs a batch and gives each write's own result. An error of its own means that nothing was committed.
func (g *group) transact(batch []*op) (results []error, err error) {
	// The statements are not tied to any caller's context: SQLite answers an interrupt inside a transaction by rolling
	// all of it back, also what others wrote.
	ctx := context.Background()
	begin := time.Now()
	if _, err = g.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			// It fails if SQLite has rolled back already, which is what is wanted.
			_, _ = g.conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	t := g.db.tx(g.conn)
	results = make([]error, len(batch))
	good := 0
	for i, o := range batch {
		if len(batch) == 1 {
			if results[0] = contained(ctx, t, o.fn); results[0] != nil { // the transaction is its own
				_, _ = g.conn.ExecContext(ctx, "ROLLBACK") // fails if SQLite has done so already
				return results, nil
			}
		} else if results[i], err = g.one(ctx, t, o); err != nil {
			return nil, err
		}
		if results[i] == nil {
			good++
		}
	}
	if _, err = g.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return nil, err
	}
	g.db.committed(good, time.Since(begin))
	return results, nil
}

// one runs a write behind a savepoint. failed is its own error; err means that the transaction is lost.
func (g *group) one(ctx context.Context, t tx, o *op) (failed, err error) {
	if _, err = g.conn.ExecContext(ctx, "SAVEPOINT w"); err != nil {
		return nil, err
	}
	if failed = contained(ctx, t, o.fn); failed != nil {
		if _, err = g.conn.ExecContext(ctx, "ROLLBACK TO w"); err != nil {
			return nil, errors.Join(failed, err)
		}
	}
	_, err = g.conn.ExecContext(ctx, "RELEASE w")
	return failed, err
}

// contained runs fn and makes a panic an error: it must not take the writer, and everybody's calls, with it.
func contained(ctx context.Context, t tx, fn func(context.Context, tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("storage: panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx, t)
}

// close commits what waits and ends the goroutine. The connection is given back.
func (g *group) close() error {
	var err error
	g.once.Do(func() {
		close(g.closing)
		<-g.stopped
		if err = g.conn.Close(); err != nil {
			err = errs.Wrap(err, errs.Internal, "storage: closing the writer")
		}
	})
	<-g.stopped
	return err
}
