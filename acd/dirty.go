package acd

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// dirty is who has changed since the index was last brought up to date, and since the last decision.
type dirty struct {
	agents   []*agent
	contacts []*waiter
	freeNow  []*agent  // changed since the last decision, and can take something
	waitNow  []*waiter // changed since the last decision, and can be picked
}

// touch notes that an agent has changed.
func (a *actor) touch(g *agent) {
	a.changed = true
	if g != nil && !g.dirty {
		g.dirty = true
		a.dirty.agents = append(a.dirty.agents, g)
	}
}

// touchContact notes that a contact has changed.
func (a *actor) touchContact(w *waiter) {
	a.changed = true
	if w != nil && !w.dirty {
		w.dirty = true
		a.dirty.contacts = append(a.dirty.contacts, w)
	}
}

// touchKey notes that the store has begun or ended to work for an agent or contact.
func (a *actor) touchKey(key string) {
	if id, ok := strings.CutPrefix(key, "a/"); ok {
		a.touch(a.agents[id])
	} else if id, ok = strings.CutPrefix(key, "c/"); ok {
		a.touchContact(a.waiters[id])
	}
}

// touchAll is for a configuration that changes what everybody may do.
func (a *actor) touchAll() {
	for _, g := range a.agents {
		a.touch(g)
	}
	for _, w := range a.waiters {
		a.touchContact(w)
	}
}

// reindex brings the index, and what is published, up to date.
func (a *actor) reindex(now time.Time) {
	for _, g := range a.dirty.agents {
		g.dirty = false
		if g.shown != nil {
			a.index.removeAgent(&g.shown.candidate)
		}
		if a.agents[g.UserID] != g {
			a.unlist(g)
			continue
		}
		s := &agentSnapshot{g.Agent, g.view, a.candidate(g)}
		a.list(g, s)
		if a.index.addAgent(&s.candidate, now) && !g.fresh {
			g.fresh = true
			a.dirty.freeNow = append(a.dirty.freeNow, g)
		}
	}
	for _, w := range a.dirty.contacts {
		w.dirty = false
		a.index.removeContact(w.shown)
		if a.waiters[w.ContactID] != w {
			continue
		}
		s := a.present(w)
		i, ok := slices.BinarySearchFunc(a.shown, s, compareWaiters)
		if !ok {
			continue
		}
		w.shown, a.shown[i] = s, s
		if a.index.addContact(s, now) && !w.fresh {
			w.fresh = true
			a.dirty.waitNow = append(a.dirty.waitNow, w)
		}
		a.arm(w, now)
	}
	clear(a.dirty.agents)
	clear(a.dirty.contacts)
	a.dirty.agents, a.dirty.contacts = a.dirty.agents[:0], a.dirty.contacts[:0]
}

// fresh takes who has changed since the last decision.
func (a *actor) fresh(now time.Time) (agents []*Candidate, contacts []*Waiting) {
	for _, g := range a.dirty.freeNow {
		g.fresh = false
		if g.shown != nil && a.agents[g.UserID] == g && g.shown.candidate.busy(now) == "" {
			agents = append(agents, &g.shown.candidate)
		}
	}
	for _, w := range a.dirty.waitNow {
		w.fresh = false
		if a.waiters[w.ContactID] == w && (w.shown.busy(now) == "" || w.shown.joinable(now)) {
			contacts = append(contacts, w.shown)
		}
	}
	clear(a.dirty.freeNow)
	clear(a.dirty.waitNow)
	a.dirty.freeNow, a.dirty.waitNow = a.dirty.freeNow[:0], a.dirty.waitNow[:0]
	return agents, contacts
}

// present is a contact as routing and readers see it; it never changes afterwards.
func (a *actor) present(w *waiter) *Waiting {
	s := w.Waiting
	s.Settling = a.ops.busy(contactKey(w.ContactID))
	s.OfferID, s.Ringing = "", len(w.offers)
	if len(w.offers) > 0 {
		s.OfferID = w.offers[0]
	}
	if q := a.setup.Queues[w.QueueID]; q != nil {
		s.Distribution, s.Width = q.Distribution, q.width(w.Channel)
	}
	return &s
}

// arm sets an alarm for the next moment at which time makes something possible for a contact: a delay of a profile has
// passed, or a step of its criteria begins.
func (a *actor) arm(w *waiter, now time.Time) {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, delay := range a.setup.delays[lineKey{w.QueueID, w.Channel}] {
		sooner(w.Since.Add(delay))
	}
	if _, until := w.Criteria.step(now); !until.IsZero() {
		sooner(until)
	}
	if next.IsZero() || w.armed.After(now) && !next.Before(w.armed) {
		return
	}
	w.armed = next
	a.alarms.set(next, func(time.Time) {
		if a.waiters[w.ContactID] == w && w.armed.Equal(next) {
			w.armed = time.Time{}
			a.touchContact(w)
		}
	})
}

// list shows an agent to readers, in order of id.
func (a *actor) list(g *agent, s *agentSnapshot) {
	i, ok := slices.BinarySearchFunc(a.listed, g.UserID, compareShown)
	if !ok {
		a.listed = slices.Insert(a.listed, i, s)
	}
	g.shown, a.listed[i] = s, s
}

// unlist shows an agent no longer.
func (a *actor) unlist(g *agent) {
	g.shown = nil
	if _, again := a.agents[g.UserID]; again {
		return
	}
	if i, ok := slices.BinarySearchFunc(a.listed, g.UserID, compareShown); ok {
		a.listed = slices.Delete(a.listed, i, i+1)
	}
}

func compareShown(s *agentSnapshot, userID string) int { return cmp.Compare(s.UserID, userID) }

// takeBack ends a contact's part in an offer: it waits for another agent, unless others ring.
func (a *actor) takeBack(w *waiter, offerID string) {
	w.offers = slices.DeleteFunc(slices.Clone(w.offers), func(id string) bool { return id == offerID })
	w.Answered = w.Answered && len(w.offers) > 0
	a.touchContact(w)
}
