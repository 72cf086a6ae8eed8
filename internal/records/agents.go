package records

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// AgentStore is how far instances are with the events of their agents. package storage implements it.
type AgentStore interface {
	// AgentCursor is the event up to which an instance's are told. One that nobody was told of yet begins since a time.
	AgentCursor(ctx context.Context, instanceID string, since time.Time) (int64, error)
	// TellAgents adds items and moves the cursor at once, if owner still leads and nobody has moved it; errs.Conflict if not.
	TellAgents(ctx context.Context, owner, instanceID string, from, to int64, items []Item) error
	// ForgetAgents removes the cursors of all instances but those.
	ForgetAgents(ctx context.Context, keep []string) error
}

// AgentSource gives the items of an instance's agent events behind one, in order, at most so many, and the last event
// that they reach. The same last as behind: there are no more.
type AgentSource func(ctx context.Context, instanceID string, behind int64, most int) (items []Item, last int64, err error)

const agentsEvery = time.Second // looks for events of agents

// agents is the follower's part that tells of agents: from the timeline that the ACD has stored to the log, with a cursor
// that moves in the transaction that adds the items. So each event is in the log once, whenever the process was killed.
type agents struct {
	store  AgentStore
	source AgentSource                          // nil: there are none
	wanted atomic.Pointer[map[string]time.Time] // instances of which somebody wants them, and since when
	seen   *map[string]time.Time                // as it was when cursors were looked through
	at     map[string]int64                     // cursors, as far as they are known
	next   time.Time
}

// want says which destinations there are.
func (g *agents) want(list []*Destination) {
	wanted := map[string]time.Time{}
	for _, d := range list {
		if !d.Wants(KindAgentEvent) {
			continue
		}
		since := d.CreatedAt
		if d.ModifiedAt.After(since) { // it may not have wanted them before
			since = d.ModifiedAt
		}
		if before, ok := wanted[d.InstanceID]; !ok || since.Before(before) {
			wanted[d.InstanceID] = since
		}
	}
	g.wanted.Store(&wanted)
}

// changed reports whether cursors of instances that nobody wants may be left.
func (g *agents) changed() bool { return g.source != nil && g.wanted.Load() != g.seen }

// lost forgets what another process may have changed.
func (g *agents) lost() { g.at, g.seen = nil, nil }

// once tells a batch of each instance. more is true if there is more at once. told is called for instances with news.
func (g *agents) once(ctx context.Context, owner string, told func(instanceID string, n int)) (more bool, err error) {
	wanted := g.wanted.Load()
	if g.source == nil || wanted == nil {
		return false, nil
	}
	if wanted != g.seen {
		if err = g.store.ForgetAgents(ctx, slices.Collect(maps.Keys(*wanted))); err != nil {
			return false, err
		}
		g.seen, g.at, g.next = wanted, map[string]int64{}, time.Time{}
	}
	if time.Now().Before(g.next) {
		return false, nil
	}
	for id, since := range *wanted {
		n, failure := g.instance(ctx, owner, id, since)
		err = errors.Join(err, failure) // of this instance alone
		if n > 0 {
			told(id, n)
		}
		more = more || n == followBatch
	}
	if !more {
		g.next = time.Now().Add(agentsEvery)
	}
	return more, err
}

func (g *agents) instance(ctx context.Context, owner, id string, since time.Time) (int, error) {
	at, ok := g.at[id]
	if !ok {
		var err error
		if at, err = g.store.AgentCursor(ctx, id, since); err != nil {
			return 0, err
		}
		g.at[id] = at
	}
	items, last, err := g.source(ctx, id, at, followBatch)
	if err != nil || last == at {
		return 0, err
	}
	if err = g.store.TellAgents(ctx, owner, id, at, last, items); err != nil {
		delete(g.at, id)
		return 0, err
	}
	g.at[id] = last
	return len(items), nil
}
