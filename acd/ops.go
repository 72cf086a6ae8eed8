package acd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ullim/internal/errs"
)

// opTimeout is how long one try of a store operation may take.
const opTimeout = 10 * time.Second

// op is a store operation. begin and end run in the actor, the work that begin gives in a goroutine of its own.
type op struct {
	what  string
	keys  []string // agent and contact: operations that share a key run in order
	begin func() func(context.Context) error
	end   func(err error, now time.Time) (again bool)
	tries int
	waits int   // earlier operations with a key of this one
	next  []*op // later ones
}

// ops runs the actor's store operations. Only the actor touches it.
type ops struct {
	tail    map[string]*op // the last operation of a key
	ready   []*op
	running int
	touch   func(key string) // is told when work for a key begins or ends
}

func agentKey(userID string) string      { return "a/" + userID }
func contactKey(contactID string) string { return "c/" + contactID }

// busy reports whether an operation of a key is under way or waits.
func (o *ops) busy(key string) bool { return o.tail[key] != nil }

// add puts an operation in line behind the others of its keys.
func (o *ops) add(p *op) {
	for _, key := range p.keys {
		if before := o.tail[key]; before != nil {
			before.next = append(before.next, p)
			p.waits++
		}
		o.tail[key] = p
		o.touch(key)
	}
	if p.waits == 0 {
		o.ready = append(o.ready, p)
	}
}

// finish takes an operation out and wakes the next ones.
func (o *ops) finish(p *op) {
	for _, key := range p.keys {
		if o.tail[key] == p {
			delete(o.tail, key)
			o.touch(key)
		}
	}
	for _, n := range p.next {
		if n.waits--; n.waits == 0 {
			o.ready = append(o.ready, n)
		}
	}
}

// startReady starts what can run, up to the bound.
func (a *actor) startReady(ctx context.Context) {
	for len(a.ops.ready) > 0 && a.ops.running < storeConcurrency {
		p := a.ops.ready[0]
		a.ops.ready = slices.Delete(a.ops.ready, 0, 1)
		work := p.begin()
		if work == nil {
			a.ops.finish(p)
			continue
		}
		a.ops.running++
		a.work.Go(func() {
			err := guarded(ctx, work)
			a.mail.put(func(a *actor, now time.Time) { a.ended(p, err, now) })
		})
	}
}

// guarded runs work with a time limit; a panic of the store becomes an error.
func guarded(ctx context.Context, work func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("acd: store panicked: %v", p)
		}
	}()
	return work(ctx)
}

// ended takes the result of an operation.
func (a *actor) ended(p *op, err error, now time.Time) {
	a.ops.running--
	a.changed = true
	if err != nil {
		a.counts.StoreErrors.Add(1)
		a.log.Warn("acd store operation failed", "operation", p.what, "tries", p.tries+1, "error", err)
	}
	if !p.end(err, now) {
		a.ops.finish(p)
		return
	}
	wait := backoff(storeBackoff, maxStoreBackoff, p.tries)
	p.tries++
	a.alarms.set(now.Add(wait), func(time.Time) { a.ops.ready = append(a.ops.ready, p) })
}

// until is an operation that is repeated until it succeeds, or fails in a way that no repetition mends: what it is about
// does not exist any more, or the store will never have it. Going on is better then than an agent who waits forever.
func (a *actor) until(what string, keys []string, work func(context.Context) error) {
	a.ops.add(&op{
		what:  what,
		keys:  keys,
		begin: func() func(context.Context) error { return work },
		end: func(err error, _ time.Time) bool {
			switch errs.KindOf(err) {
			case errs.NotFound, errs.Conflict, errs.Invalid:
				return false
			default:
				return err != nil
			}
		},
	})
}

// save stores an agent's status. Any number of changes before it begins become one.
func (a *actor) save(g *agent) {
	if g.saving {
		return
	}
	g.saving = true
	var (
		state   AgentState
		version int64
		asked   []*request
	)
	begin := func() func(context.Context) error {
		g.saving = false
		asked = append(asked, g.asked...)
		g.asked = nil
		state = a.stateOf(g)
		stale, known := g.stale, a.knownOffers(g)
		return func(ctx context.Context) (err error) {
			if stale {
				if state.Version, err = a.resync(ctx, state.UserID, known); err != nil {
					return err
				}
			}
			version, err = a.store.PutAgentState(ctx, state)
			return err
		}
	}
	end := func(err error, _ time.Time) bool {
		if err != nil {
			// Somebody was faster, or the outcome is unknown: look before the next try.
			// What is chosen until then goes with it.
			g.stale, g.saving = true, true
			return true
		}
		g.version, g.stale = version, false
		for _, r := range asked {
			r.reply(nil)
		}
		return false
	}
	a.ops.add(&op{what: "save agent state", keys: []string{agentKey(g.UserID)}, begin: begin, end: end})
}

// resync reads the version of an agent's stored state, 0 if there is none, and removes reservations of the agent that
// this process made but does not know any more: nothing else would ever free the agent.
func (a *actor) resync(ctx context.Context, userID string, known map[string]bool) (version int64, err error) {
	rs, err := a.store.Reservations(ctx, a.instanceID)
	if err != nil {
		return 0, err
	}
	for _, r := range rs {
		if r.Node == a.node && r.UserID == userID && !known[r.OfferID] {
			if err = a.store.EndReservation(ctx, r.OfferID); err != nil {
				return 0, err
			}
		}
	}
	states, err := a.store.AgentStates(ctx, a.instanceID)
	if err != nil {
		return 0, err
	}
	for _, s := range states {
		if s.UserID == userID {
			return s.Version, nil
		}
	}
	return 0, nil
}

// stateOf is what is stored of an agent.
func (a *actor) stateOf(g *agent) AgentState {
	return AgentState{
		InstanceID: a.instanceID, UserID: g.UserID,
		StatusID: g.view.StatusID, StatusSince: g.view.StatusSince, NextStatusID: g.view.NextStatusID,
		LastActivity: g.view.LastActivity, LastInbound: g.view.LastInbound, Version: g.version,
	}
}

// knownOffers are the offers in an agent's hands.
func (a *actor) knownOffers(g *agent) map[string]bool {
	known := make(map[string]bool, len(g.view.Slots))
	for _, s := range g.view.Slots {
		known[s.OfferID] = true
	}
	return known
}
