package acd

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
)

// defaultPriority is the priority of a contact that has none of its own (A2.1).
const defaultPriority = 5

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
	Refused       []string                 // agents that missed, rejected or failed it: asked again only if nobody else is free
	OfferID       string                   // its live offer; empty if it can be picked
	NotBefore     time.Time                // back-off after a store error
	Settling      bool                     // a store operation is under way
}

// Candidate is an agent as routing sees it.
type Candidate struct {
	UserID         string
	Profile        *Profile          // nil: none
	Routable       bool              // the status is of type ROUTABLE
	Leaving        bool              // a next status waits
	Reachable      bool              // has a device that can ring
	OnCall         bool              // talks by a call that no queue gave
	Settling       bool              // a store operation is under way
	NotBefore      time.Time         // back-off after a device failure or store error
	AvailableSince time.Time         // the longest available agent goes first
	Slots          []Slot            // what the agent has in hand
	Skills         map[Skill]float64 // levels from 1 to 5
}

// Match is a contact for an agent.
type Match struct {
	ContactID string
	UserID    string
}

// Pick decides who gets whom. Agents choose in order of how long they are available (ties: by id), each at most one
// contact, and an agent's choice is the first contact in the best class of its profile that has an eligible one; within
// a class contact priority, then age decide, across queues and channels (A2.3). Since every contact prefers the longest
// available agent, no contact and agent that are not matched would both rather have each other.
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
	var out []Match
	// A contact that an agent has refused waits for another free agent. If that one prefers somebody else, the next
	// round finds nobody better and asks again, so the rounds end when one of them matches nothing.
	for again := true; again; {
		again = false
		postponed := false
		for i, a := range p.free {
			if p.matched[i] {
				continue
			}
			best, skipped := p.best(i, a)
			postponed = postponed || skipped
			if best < 0 {
				continue
			}
			p.matched[i], p.taken[best], again = true, true, true
			out = append(out, Match{ContactID: waiting[best].ContactID, UserID: a.UserID})
		}
		again = again && postponed
	}
	return out
}

// picker is the working space of one Pick.
type picker struct {
	waiting []Waiting
	now     time.Time
	free    []*Candidate // agents that can take something, longest available first
	matched []bool       // by index of free
	taken   []bool       // by index of waiting
	lines   map[lineKey]*line
	own     map[string]bool // agents for whom somebody waits in their own queue
}

// line is those who wait in one queue on one channel, best first, as indexes of waiting.
type line struct {
	order []int
	head  int  // all before it are taken
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
	if len(p.free) == 0 {
		return p
	}
	slices.SortFunc(p.free, func(a, b *Candidate) int {
		return cmp.Or(a.AvailableSince.Compare(b.AvailableSince), cmp.Compare(a.UserID, b.UserID))
	})
	p.matched = make([]bool, len(p.free))
	p.taken = make([]bool, len(waiting))
	for i := range waiting {
		w := &waiting[i]
		key := lineKey{w.QueueID, w.Channel}
		l, served := p.lines[key]
		if !served || w.busy(now) != "" {
			continue
		}
		if l == nil {
			l = &line{}
			p.lines[key] = l
		}
		l.order = append(l.order, i)
	}
	for _, l := range p.lines {
		if l != nil {
			p.sort(l)
		}
	}
	return p
}

// sort puts a line in order.
func (p *picker) sort(l *line) {
	slices.SortFunc(l.order, func(i, j int) int { return p.waiting[i].compare(&p.waiting[j]) })
	l.byAge = true
	for k := 1; k < len(l.order) && l.byAge; k++ {
		l.byAge = !p.waiting[l.order[k]].Since.Before(p.waiting[l.order[k-1]].Since)
	}
}

// best is the contact that free agent i takes, -1 for none. skipped: one was passed over because somebody else is free
// who has not refused it.
func (p *picker) best(i int, a *Candidate) (best int, skipped bool) {
	best = -1
	class := 0
	for _, q := range linesOf(a, p.own) {
		if best >= 0 && q.Priority > class {
			break
		}
		l := p.lines[lineKey{q.QueueID, q.Channel}]
		if l == nil || a.full(q.Channel) != "" {
			continue
		}
		first, s := p.first(l, i, a, q)
		skipped = skipped || s
		if first >= 0 && (best < 0 || p.waiting[first].compare(&p.waiting[best]) < 0) {
			best, class = first, q.Priority
		}
	}
	return best, skipped
}

// first is the first of a line that free agent i may take.
func (p *picker) first(l *line, i int, a *Candidate, q ProfileQueue) (first int, skipped bool) {
	for l.head < len(l.order) && p.taken[l.order[l.head]] {
		l.head++
	}
	for _, at := range l.order[l.head:] {
		w := &p.waiting[at]
		if p.taken[at] {
			continue
		}
		if !eligible(w, q, p.now) {
			if l.byAge {
				return -1, skipped
			}
			continue
		}
		if w.Criteria != nil && !w.wants(a, p.now) {
			continue
		}
		if slices.Contains(w.Refused, a.UserID) && p.another(w, i) {
			skipped = true
			continue
		}
		return at, skipped
	}
	return -1, skipped
}

// another reports whether a free agent other than i could take w and has not refused it.
func (p *picker) another(w *Waiting, i int) bool {
	for j, b := range p.free {
		if j == i || p.matched[j] || slices.Contains(w.Refused, b.UserID) {
			continue
		}
		if against(w, b, p.now) == "" {
			return true
		}
	}
	return false
}

// NextEligible is when time alone makes a pair of contact and agent possible that is not possible now: a delay of a
// routing profile or a back-off has passed. Zero if nothing will.
func NextEligible(waiting []Waiting, agents []Candidate, now time.Time) time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	delays := make(map[lineKey][]int)
	own := awaited(waiting)
	for i := range agents {
		a := &agents[i]
		switch a.busy(now) {
		case "":
		case WhyAgentBackoff:
			sooner(a.NotBefore)
		default:
			continue
		}
		for _, q := range linesOf(a, own) {
			key := lineKey{q.QueueID, q.Channel}
			if a.full(q.Channel) == "" && !slices.Contains(delays[key], q.Delay) {
				delays[key] = append(delays[key], q.Delay)
			}
		}
	}
	for i := range waiting {
		w := &waiting[i]
		if w.OfferID != "" || w.Settling {
			continue
		}
		if _, until := w.Criteria.step(now); !until.IsZero() { // then it takes others too
			sooner(until)
		}
		for _, delay := range delays[lineKey{w.QueueID, w.Channel}] {
			due := w.Since.Add(time.Duration(delay) * time.Second)
			if w.NotBefore.After(due) {
				due = w.NotBefore
			}
			sooner(due)
		}
	}
	return next
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
