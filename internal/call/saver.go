package call

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ullim/internal/contact"
)

// saver writes a call's records in the order of the call's decisions, without the call waiting. An update waits saveDelay
// for the next one, which takes its place: what a process that dies leaves unwritten is a moment of a call that died with
// it, and the commits of a short call are two. A final record that the store does not take for a while is spilled to the
// local disk, from where the next start brings it in.
type saver struct {
	store  Store
	lazy   lazyStore // nil: the store has no such thing
	spill  func(*contact.Record) error
	closed func(*contact.Record)
	log    *slog.Logger

	mu    sync.Mutex
	ops   []saveOp
	idle  *sync.Cond
	busy  bool
	later *time.Timer // of a lone update; nil: none waits
}

// lazyStore is a Store that writes a final record together with what others write, soon, and says when that is done. The
// end of a call then wakes no goroutine to wait for the disk, and has no commit to itself.
type lazyStore interface {
	CloseContactLater(r *contact.Record, done func(error))
}

type saveKind int

const (
	saveUpdate saveKind = iota
	saveCreate
	saveClose
)

type saveOp struct {
	kind   saveKind
	record *contact.Record // others have it, too
	done   func()
	last   bool // of the call: nobody waits for it but its own end
}

// How long a final record is offered to the store before it is spilled, and the pause after the first refusal.
const (
	saveTries = 6
	savePause = 100 * time.Millisecond
	saveDelay = 250 * time.Millisecond
)

func (s *saver) save(r *contact.Record)   { s.add(saveOp{kind: saveUpdate, record: r}) }
func (s *saver) create(r *contact.Record) { s.add(saveOp{kind: saveCreate, record: r}) }
func (s *saver) close(r *contact.Record, done func()) {
	s.add(saveOp{kind: saveClose, record: r, done: done})
}

// closeLast is close for the record that ends the call.
func (s *saver) closeLast(r *contact.Record, done func()) {
	s.add(saveOp{kind: saveClose, record: r, done: done, last: true})
}

func (s *saver) add(op saveOp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.ops); n > 0 && s.ops[n-1].kind == saveUpdate && s.ops[n-1].record.ID == op.record.ID {
		s.ops = s.ops[:n-1]
	}
	s.ops = append(s.ops, op)
	switch {
	case s.busy:
	case op.kind == saveUpdate && len(s.ops) == 1:
		if s.later == nil {
			s.later = time.AfterFunc(saveDelay, s.begin)
		}
	default:
		s.start()
	}
}

// begin ends the delay.
func (s *saver) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
}

// start writes what there is. The caller holds mu.
func (s *saver) start() {
	if s.later != nil {
		s.later.Stop()
		s.later = nil
	}
	switch {
	case s.busy || len(s.ops) == 0:
	case s.lazy != nil && len(s.ops) == 1 && s.ops[0].last:
		s.busy = true
		op := s.ops[0]
		s.ops = nil
		s.lazy.CloseContactLater(op.record, func(err error) { s.closedLater(op, err) })
	default:
		s.busy = true
		go s.drain()
	}
}

// closedLater goes on when the last record is written; if it is not, that is tried again in the ordinary way.
func (s *saver) closedLater(op saveOp, err error) {
	if err == nil {
		s.closed(op.record)
		op.done()
		s.drain() // nothing, as a rule
		return
	}
	s.log.Error("contact record not stored", "contact_id", op.record.ID, "error", err)
	s.mu.Lock()
	s.ops = append([]saveOp{op}, s.ops...)
	s.mu.Unlock()
	go s.drain()
}

// flush waits until everything so far is written.
func (s *saver) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
	for s.busy {
		s.idle.Wait()
	}
}

func (s *saver) drain() {
	for {
		s.mu.Lock()
		if len(s.ops) == 0 {
			s.busy = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		op := s.ops[0]
		s.ops = s.ops[1:]
		s.mu.Unlock()
		s.write(op)
		if op.done != nil {
			op.done()
		}
	}
}

//nolint:contextcheck // the record outlives whoever brought the event that made it
func (s *saver) write(op saveOp) {
	r := *op.record
	r.LastUpdateTimestamp = time.Now()
	pause := savePause
	for try := 1; ; try++ {
		// The contact may have ended long ago: its record is written all the same, so no context of the call is used.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var err error
		switch op.kind {
		case saveUpdate:
			err = s.store.UpdateContact(ctx, &r)
		case saveCreate:
			err = s.store.CreateContact(ctx, &r)
		case saveClose:
			err = s.store.CloseContact(ctx, &r)
		}
		cancel()
		if err == nil {
			if op.kind == saveClose {
				s.closed(&r)
			}
			return
		}
		s.log.Error("contact record not stored", "contact_id", r.ID, "try", try, "error", err)
		if try == saveTries {
			break
		}
		time.Sleep(pause)
		pause *= 2
	}
	if op.kind != saveClose {
		return // a later write carries the same facts
	}
	if err := s.spill(&r); err != nil {
		s.log.Error("contact record lost: neither stored nor spilled", "contact_id", r.ID, "error", err)
	}
	s.closed(&r)
}
