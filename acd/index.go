package acd

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
)

// index finds what Pick would find, without looking at everybody. It holds the contacts that can be picked by line, and
// the agents who can take something by profile and channel, each list in order.
//
// After every turn of the actor no free agent and no waiting contact are left that could have each other: whoever could
// was offered. So only pairs are looked at of which one side has changed, and time that makes a pair possible (a delay, a
// back-off, a step of criteria) is an alarm that touches its contact or agent. The model test compares every decision
// with Pick over everything.
type index struct {
	lines  map[lineKey]*line
	own    map[string]int // contacts that wait in an agent's own queue
	adjust map[*line]int  // contacts of a line whose age is not what orders them
	rings  map[*Waiting]bool
	pools  map[poolKey]*pool
	free   map[string]*Candidate // agents in pools, by id
}

// poolKey names the agents of a profile who can take a contact of a channel now.
type poolKey struct {
	profile *Profile
	channel contact.Channel
}

// pool is such a list, longest available first.
type pool struct{ order []*Candidate }

// server is a profile that serves a line, and how.
type server struct {
	profile *Profile
	line    ProfileQueue
}

// bulk is the number of changed contacts from which on all free agents are looked at, and not the best for each.
const bulk = 32

func newIndex() *index {
	return &index{
		lines: make(map[lineKey]*line), own: make(map[string]int), adjust: make(map[*line]int), rings: make(map[*Waiting]bool),
		pools: make(map[poolKey]*pool), free: make(map[string]*Candidate),
	}
}

// addContact lets a contact be found. It must not change afterwards.
func (x *index) addContact(w *Waiting, now time.Time) (pickable bool) {
	if w.joinable(now) {
		x.rings[w] = true
		return true
	}
	if w.busy(now) != "" {
		return false
	}
	key := lineKey{w.QueueID, w.Channel}
	l := x.lines[key]
	if l == nil {
		l = &line{byAge: true}
		x.lines[key] = l
	}
	i, _ := slices.BinarySearchFunc(l.order, w, (*Waiting).compare)
	l.order = slices.Insert(l.order, i, w)
	if w.odd() {
		x.adjust[l]++
		l.byAge = false
	}
	if userID, own := OfAgentQueue(w.QueueID); own {
		x.own[userID]++
	}
	return true
}

// removeContact takes a contact out, if it is in.
func (x *index) removeContact(w *Waiting) {
	if w == nil {
		return
	}
	delete(x.rings, w)
	key := lineKey{w.QueueID, w.Channel}
	l := x.lines[key]
	if l == nil {
		return
	}
	i, ok := slices.BinarySearchFunc(l.order, w, (*Waiting).compare)
	if !ok || l.order[i] != w {
		return
	}
	l.order = cut(l.order, i)
	if w.odd() {
		if x.adjust[l]--; x.adjust[l] == 0 {
			delete(x.adjust, l)
			l.byAge = true
		}
	}
	if userID, own := OfAgentQueue(w.QueueID); own {
		if x.own[userID]--; x.own[userID] == 0 {
			delete(x.own, userID)
		}
	}
	if len(l.order) == 0 {
		delete(x.lines, key)
	}
}

// odd reports whether something else than its age says where in its line a contact stands.
func (w *Waiting) odd() bool { return w.priority() != defaultPriority || w.AgeAdjustment != 0 }

// addAgent lets an agent be found, on the channels on which there is room.
func (x *index) addAgent(c *Candidate, now time.Time) (free bool) {
	if c.busy(now) != "" {
		return false
	}
	for ch := range c.Profile.channels {
		if c.full(ch) != "" {
			continue
		}
		key := poolKey{c.Profile, ch}
		p := x.pools[key]
		if p == nil {
			p = &pool{}
			x.pools[key] = p
		}
		i, _ := slices.BinarySearchFunc(p.order, c, compareAvailable)
		p.order = slices.Insert(p.order, i, c)
		x.free[c.UserID] = c
		free = true
	}
	return free
}

// removeAgent takes an agent out, if it is in.
func (x *index) removeAgent(c *Candidate) {
	if c == nil || c.Profile == nil {
		return
	}
	if x.free[c.UserID] != c {
		return
	}
	delete(x.free, c.UserID)
	for ch := range c.Profile.channels {
		key := poolKey{c.Profile, ch}
		p := x.pools[key]
		if p == nil {
			continue
		}
		if i, ok := slices.BinarySearchFunc(p.order, c, compareAvailable); ok && p.order[i] == c {
			if p.order = cut(p.order, i); len(p.order) == 0 {
				delete(x.pools, key)
			}
		}
	}
}

// cut removes one element, moving the shorter part of the list.
func cut[T any](list []*T, i int) []*T {
	if i >= len(list)/2 {
		return slices.Delete(list, i, i+1)
	}
	copy(list[1:i+1], list[:i])
	list[0] = nil
	return list[1:]
}

// gather gives the agents whom a contact wants most, at most n.
func (x *index) gather(s *setup, w *Waiting, n int, now time.Time) []*Candidate {
	var out []*Candidate
	if userID, own := OfAgentQueue(w.QueueID); own {
		c := x.free[userID]
		if c == nil || against(w, c, now) != "" {
			return nil
		}
		return []*Candidate{c}
	}
	plain := w.Distribution != RoundRobin && w.Distribution != Weighted
	for _, v := range s.serving[lineKey{w.QueueID, w.Channel}] {
		p := x.pools[poolKey{v.profile, w.Channel}]
		if p == nil || !eligible(w, v.line, now) {
			continue
		}
		good := 0
		for _, c := range p.order {
			if plain && good >= n {
				break
			}
			if w.Criteria != nil && !w.wants(c, now) {
				continue
			}
			out = append(out, c)
			if !slices.Contains(w.Refused, c.UserID) {
				good++
			}
		}
	}
	slices.SortFunc(out, w.prefer)
	return out[:min(n, len(out))]
}

// best is what picker.best is, on the index.
func (x *index) best(a *Candidate, now time.Time, takes func(*Waiting) bool) *Waiting {
	var best *Waiting
	class := 0
	lines := a.Profile.lines
	if x.own[a.UserID] > 0 {
		lines = append(a.Profile.ownLines(a.UserID), lines...)
	}
	for _, q := range lines {
		if best != nil && q.Priority > class {
			break
		}
		l := x.lines[lineKey{q.QueueID, q.Channel}]
		if l == nil || a.full(q.Channel) != "" {
			continue
		}
		if w := firstOf(l.order, l.byAge, a, q, now, takes); w != nil && (best == nil || w.compare(best) < 0) {
			best, class = w, q.Priority
		}
	}
	return best
}

// match gives the matches that agents and contacts make possible that have changed.
func (x *index) match(s *setup, agents []*Candidate, contacts []*Waiting, now time.Time) []Match {
	held := court(x.suitors(s, agents, contacts, now), func(a *Candidate, takes func(*Waiting) bool) *Waiting {
		return x.best(a, now, takes)
	})
	var out []Match
	matched := make(map[*Candidate]bool, len(held))
	for w, a := range held {
		matched[a] = true
		out = append(out, Match{ContactID: w.ContactID, UserID: a.UserID})
	}
	for _, w := range x.ringers(agents, contacts, held, matched) {
		room := w.Width - w.Ringing
		if held[w] != nil {
			room = w.Width - 1
		}
		for _, a := range x.gather(s, w, room+len(matched)+len(w.Refused), now) {
			if matched[a] || slices.Contains(w.Refused, a.UserID) {
				continue
			}
			if room--; room < 0 {
				break
			}
			matched[a] = true
			out = append(out, Match{ContactID: w.ContactID, UserID: a.UserID})
		}
	}
	slices.SortFunc(out, compareMatches)
	return out
}

// suitors are the agents who may get something, longest available first: those who have changed, and for each contact
// that has changed as many of the others as it could lose to the other changed ones.
func (x *index) suitors(s *setup, agents []*Candidate, contacts []*Waiting, now time.Time) []*Candidate {
	list := slices.Clone(agents)
	n := 0
	for _, w := range contacts {
		if w.OfferID == "" {
			n++
		}
	}
	if n > bulk {
		for _, p := range x.pools {
			list = append(list, p.order...)
		}
	} else {
		for _, w := range contacts {
			if w.OfferID == "" {
				list = append(list, x.gather(s, w, n, now)...)
			}
		}
	}
	slices.SortFunc(list, compareAvailable)
	return slices.Compact(list)
}

// ringers are the contacts that ring all and may take one more agent, in order.
func (x *index) ringers(agents []*Candidate, contacts []*Waiting, held map[*Waiting]*Candidate, matched map[*Candidate]bool) []*Waiting {
	var list []*Waiting
	for w := range held {
		if w.Distribution == RingAll && w.Width > 1 {
			list = append(list, w)
		}
	}
	for _, w := range contacts {
		if x.rings[w] {
			list = append(list, w)
		}
	}
	for w := range x.rings {
		if slices.ContainsFunc(agents, func(a *Candidate) bool {
			_, serves := a.line(w.QueueID, w.Channel)
			return serves && !matched[a]
		}) {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b *Waiting) int { return cmp.Or(a.compare(b), cmp.Compare(a.OfferID, b.OfferID)) })
	return slices.Compact(list)
}
