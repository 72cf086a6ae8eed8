package acd

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
)

// defaultPriority is the priority of a contact that has none of its own (A2.1).
const defaultPriority = 5

// DefaultContactPriority is the priority of a contact that has none of its own (A2.1).
const DefaultContactPriority = defaultPriority

// MaxContactPriority is the largest contact priority: the last to be served (A2.1).
const MaxContactPriority int64 = 9223372036854775807

// Waiting is a contact in line.
type Waiting struct {
	ContactID     string
	QueueID       string
	Channel       contact.Channel
	Since         time.Time                // when it entered the queue; a missed offer does not change it
	Priority      int64                    // 1 is best; 0 means 5, the default
	AgeAdjustment time.Duration            // makes it older (or younger) in the order, not in reports
	Criteria      *Criteria                // which agents it prefers; nil: any. Never changed once it is here
	Owed          bool                     // it was in line before: neither capacity nor the queue's status keeps it out
	Method        contact.InitiationMethod // how the contact began; empty counts as inbound
	Manual        bool                     // nobody is offered it: an agent takes it from the list (Center.Take)
	Distribution  Distribution             // of its queue
	Width         int                      // how many agents ring at once at most, with RING_ALL
	Refused       []string                 // agents that missed, rejected or failed it: asked again only if nobody else is free
	OfferID       string                   // its live offer, or the first of them; empty if it can be picked
	Ringing       int                      // how many live offers it has
	Answered      bool                     // one of them was answered
	NotBefore     time.Time                // back-off after a store error
	Settling      bool                     // a store operation is under way
}

// Candidate is an agent as routing sees it.
type Candidate struct {
	UserID         string
	Profile        *Profile           // nil: none
	Routable       bool               // the status is of type ROUTABLE
	Leaving        bool               // a next status waits
	Reachable      bool               // has a device that can ring
	OnCall         bool               // talks by a call that no queue gave
	Settling       bool               // a store operation is under way
	NotBefore      time.Time          // back-off after a device failure or store error
	AvailableSince time.Time          // the longest available agent goes first
	Slots          []Slot             // what the agent has in hand
	Skills         map[Skill]float64  // levels from 1 to 5
	Turns          map[string]float64 // by queue with ROUND_ROBIN or WEIGHTED: the lower, the sooner it is this one's turn
}

// Match is a contact for an agent.
type Match struct {
	ContactID string
	UserID    string
}

// Pick decides who gets whom. It is the specification; the actor's index finds the same without looking at everybody.
//
// An agent wants the contacts of the best class of the profile that has an eligible one, and within a class those of the
// best contact priority, then the oldest, across queues and channels (A2.3). A contact wants agents who have not refused
// it, and among them the one whom the rule of its queue puts first: the longest available one, unless the queue says
// otherwise. Agents propose and contacts keep the best (deferred acceptance), so no contact and agent that are not
// matched would both rather have each other, and nobody who could take something is left idle beside it.
//
// A contact that rings all takes as many more of the agents who are left as its width allows, also while it rings
// already; of several such contacts the first in order goes first.
//
// The result depends on the arguments alone, not on their order.
func Pick(waiting []Waiting, agents []Candidate, now time.Time) []Match {
	if len(waiting) == 0 {
		return nil
	}
	p := newPicker(waiting, agents, now)
	if len(p.free) == 0 {
		return nil
	}
	held := court(p.free, p.best)
	var out []Match
	matched := make(map[*Candidate]bool, len(held))
	for w, a := range held {
		matched[a] = true
		out = append(out, Match{ContactID: w.ContactID, UserID: a.UserID})
	}
	for _, w := range p.ringers(held) {
		room := w.Width - w.Ringing
		if held[w] != nil {
			room = w.Width - 1
		}
		for _, a := range p.joiners(w, matched) {
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

// compareMatches is the order in which matches are given.
func compareMatches(a, b Match) int {
	return cmp.Or(cmp.Compare(a.ContactID, b.ContactID), cmp.Compare(a.UserID, b.UserID))
}

// court matches agents with contacts by deferred acceptance: each agent proposes to the best contact that would take
// it, and who is given up for a better one proposes again. best gives that contact, nil for none. The agents come in
// order of availability, so with the default rule hardly anybody proposes twice. The result is the one that is best for
// the agents' rules, whatever the order of proposals.
func court(agents []*Candidate, best func(a *Candidate, takes func(*Waiting) bool) *Waiting) map[*Waiting]*Candidate {
	held := make(map[*Waiting]*Candidate)
	var again []*Candidate
	for i := 0; i < len(agents) || len(again) > 0; {
		var a *Candidate
		if n := len(again); n > 0 {
			a, again = again[n-1], again[:n-1]
		} else {
			a = agents[i]
			i++
		}
		w := best(a, func(w *Waiting) bool {
			h := held[w]
			return h == nil || w.prefer(a, h) < 0
		})
		if w == nil {
			continue
		}
		if h := held[w]; h != nil {
			again = append(again, h)
		}
		held[w] = a
	}
	return held
}

// prefer is the order in which a contact wants agents.
func (w *Waiting) prefer(a, b *Candidate) int {
	if len(w.Refused) > 0 {
		if x, y := slices.Contains(w.Refused, a.UserID), slices.Contains(w.Refused, b.UserID); x != y {
			if y {
				return -1
			}
			return 1
		}
	}
	if w.Distribution == RoundRobin || w.Distribution == Weighted {
		if c := cmp.Compare(a.Turns[w.QueueID], b.Turns[w.QueueID]); c != 0 {
			return c
		}
	}
	return compareAvailable(a, b)
}

// compareAvailable is the order of availability: the longest available agent first, ties by id.
func compareAvailable(a, b *Candidate) int {
	return cmp.Or(a.AvailableSince.Compare(b.AvailableSince), cmp.Compare(a.UserID, b.UserID))
}

// picker is the working space of one Pick.
type picker struct {
	waiting []Waiting
	now     time.Time
	free    []*Candidate // agents that can take something, longest available first
	lines   map[lineKey]*line
	own     map[string]bool // agents for whom somebody waits in their own queue
	rings   []*Waiting      // contacts that ring and take more agents
}

// line is those who wait in one queue on one channel, best first.
type line struct {
	order []*Waiting
	byAge bool // in order of real age: the first who is too young ends the search
}

// newPicker sorts agents and contacts. Lines that no free agent serves are not built.
func newPicker(waiting []Waiting, agents []Candidate, now time.Time) *picker {
	p := &picker{waiting: waiting, now: now, lines: make(map[lineKey]*line), own: awaited(waiting)}
	for i := range agents {
		if a := &agents[i]; a.busy(now) == "" {
			p.free = append(p.free, a)
			for _, q := range linesOf(a, p.own) {
				p.lines[lineKey{q.QueueID, q.Channel}] = nil
			}
		}
	}
	slices.SortFunc(p.free, compareAvailable)
	for i := range waiting {
		w := &waiting[i]
		if w.joinable(now) {
			p.rings = append(p.rings, w)
		}
		key := lineKey{w.QueueID, w.Channel}
		l, served := p.lines[key]
		if !served || w.busy(now) != "" {
			continue
		}
		if l == nil {
			l = &line{}
			p.lines[key] = l
		}
		l.order = append(l.order, w)
	}
	for _, l := range p.lines {
		if l != nil {
			l.sort()
		}
	}
	return p
}

// sort puts a line in order.
func (l *line) sort() {
	slices.SortFunc(l.order, (*Waiting).compare)
	l.byAge = true
	for k := 1; k < len(l.order) && l.byAge; k++ {
		l.byAge = !l.order[k].Since.Before(l.order[k-1].Since)
	}
}

// best is the contact that an agent wants most of those that would take it, nil for none.
func (p *picker) best(a *Candidate, takes func(*Waiting) bool) *Waiting {
	var best *Waiting
	class := 0
	for _, q := range linesOf(a, p.own) {
		if best != nil && q.Priority > class {
			break
		}
		l := p.lines[lineKey{q.QueueID, q.Channel}]
		if l == nil || a.full(q.Channel) != "" {
			continue
		}
		if w := firstOf(l.order, l.byAge, a, q, p.now, takes); w != nil && (best == nil || w.compare(best) < 0) {
			best, class = w, q.Priority
		}
	}
	return best
}

// firstOf is the first of a line that an agent may take.
func firstOf(order []*Waiting, byAge bool, a *Candidate, q ProfileQueue, now time.Time, takes func(*Waiting) bool) *Waiting {
	for _, w := range order {
		switch {
		case !eligible(w, q, now):
			if byAge {
				return nil
			}
		case w.Criteria != nil && !w.wants(a, now):
		case takes(w):
			return w
		}
	}
	return nil
}

// ringers are the contacts that ring all and take more agents, those who were just matched included, in order.
func (p *picker) ringers(held map[*Waiting]*Candidate) []*Waiting {
	list := slices.Clone(p.rings)
	for w := range held {
		if w.Distribution == RingAll && w.Width > 1 {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, (*Waiting).compare)
	return list
}

// joiners are the agents who may ring beside others for a contact, the preferred first.
func (p *picker) joiners(w *Waiting, matched map[*Candidate]bool) []*Candidate {
	var out []*Candidate
	for _, a := range p.free {
		if !matched[a] && joins(w, a, p.now) {
			out = append(out, a)
		}
	}
	return out // free agents are in order of availability, and none of these has refused it
}

// joins reports whether an agent may ring beside others for a contact: whoever has refused it is not asked again.
func joins(w *Waiting, a *Candidate, now time.Time) bool {
	return !slices.Contains(w.Refused, a.UserID) && against(w, a, now) == ""
}

// joinable reports whether a contact rings already and takes more agents.
func (w *Waiting) joinable(now time.Time) bool {
	return w.Distribution == RingAll && w.OfferID != "" && !w.Answered && w.Ringing < w.Width && !w.Settling && !w.Manual &&
		!w.NotBefore.After(now)
}

// compare is the order in which contacts of one class are served: contact priority, age with its adjustment, id.
func (w *Waiting) compare(v *Waiting) int {
	return cmp.Or(
		cmp.Compare(w.priority(), v.priority()),
		w.Since.Add(-w.AgeAdjustment).Compare(v.Since.Add(-v.AgeAdjustment)),
		cmp.Compare(w.ContactID, v.ContactID),
	)
}

// priority is the contact priority with its default.
func (w *Waiting) priority() int64 {
	if w.Priority == 0 {
		return defaultPriority
	}
	return w.Priority
}

// inbound reports whether serving w counts for TIME_SINCE_LAST_INBOUND.
func (w *Waiting) inbound() bool {
	switch w.Method {
	case "", contact.Inbound, contact.Transfer, contact.QueueTransfer, contact.Disconnect:
		return true
	case contact.Outbound, contact.Callback, contact.API:
	}
	return false
}

// eligible reports whether w has waited as long as a profile's line asks. The real age counts, not the adjusted one.
func eligible(w *Waiting, q ProfileQueue, now time.Time) bool {
	return now.Sub(w.Since) >= time.Duration(q.Delay)*time.Second
}
