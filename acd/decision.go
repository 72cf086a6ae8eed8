package acd

import (
	"context"
	"slices"
	"time"

	"ullim/internal/errs"
)

// Bounds of what is remembered of decisions.
const (
	maxDecisions = 16   // of one contact, the newest
	maxVerdicts  = 8    // of one decision
	maxPast      = 1000 // contacts that are not in line any more

	decisionPause = 10 * time.Second // between two looks at a contact that nobody could have
)

// Decision is one look at a contact: who could have had it, who got it, and why some others did not.
type Decision struct {
	At      time.Time
	Serving int       // agents whose profile has queue and channel
	Free    int       // of them, who could take a contact of the channel, were it theirs
	Winners []string  // who is offered it, by user id; nobody: it waits on
	Reasons []Verdict // of some of the others: the first rule that failed
}

// past are the decisions on contacts that are not in line any more.
type past struct {
	by    map[string][]Decision
	order []string
}

// Decisions are the latest decisions on a contact, the newest last. Those on contacts that left long ago are forgotten.
func (c *Center) Decisions(ctx context.Context, contactID string) (list []Decision, err error) {
	err = c.ask(ctx, true, func(a *actor, _ time.Time, r *request) {
		if w := a.waiters[contactID]; w != nil {
			list = slices.Clone(w.decisions)
		} else if list = slices.Clone(a.past.by[contactID]); list == nil {
			r.reply(errs.New(errs.NotFound, "contact %s is not in line, and nothing is remembered of it", contactID))
			return
		}
		r.reply(nil)
	})
	return list, err
}

// decided remembers what was decided about the contacts that were looked at. One that waits on for the same reasons as
// before is not noted again.
func (a *actor) decided(contacts []*Waiting, matches []Match, now time.Time) {
	got := make(map[string]string, len(matches))
	winners := make(map[string][]string, len(matches))
	for _, m := range matches {
		got[m.UserID] = m.ContactID
		winners[m.ContactID] = append(winners[m.ContactID], m.UserID)
	}
	for _, m := range matches {
		if w := a.waiters[m.ContactID]; w != nil && winners[m.ContactID] != nil {
			a.remember(w, winners[m.ContactID], got, now)
			delete(winners, m.ContactID)
		}
	}
	for _, s := range contacts {
		if w := a.waiters[s.ContactID]; w != nil && !slices.ContainsFunc(matches, func(m Match) bool { return m.ContactID == s.ContactID }) {
			a.remember(w, nil, got, now)
		}
	}
}

// remember adds a decision to a contact's.
func (a *actor) remember(w *waiter, winners []string, got map[string]string, now time.Time) {
	d := Decision{At: now, Winners: winners}
	taker := ""
	if len(winners) > 0 {
		taker = winners[0]
	}
	if n := len(w.decisions); n > 0 && taker == "" && len(w.decisions[n-1].Winners) == 0 && now.Sub(w.decisions[n-1].At) < decisionPause {
		return
	}
	look := func(id string) {
		g := a.agents[id]
		if len(d.Reasons) < maxVerdicts && g != nil && g.shown != nil && !slices.Contains(winners, id) {
			d.Reasons = append(d.Reasons, Verdict{id, explain(w.shown, &g.shown.candidate, got[id], taker, now)})
		}
	}
	if userID, own := OfAgentQueue(w.QueueID); own {
		if d.Serving = 1; a.index.free[userID] != nil {
			d.Free = 1
		}
		look(userID)
	}
	for _, v := range a.setup.serving[lineKey{w.QueueID, w.Channel}] {
		d.Serving += a.setup.members[v.profile.ID].count
		if p := a.index.pools[poolKey{v.profile, w.Channel}]; p != nil {
			d.Free += len(p.order)
		}
		for _, id := range a.setup.members[v.profile.ID].some {
			look(id)
		}
	}
	if n := len(w.decisions); n > 0 && len(winners) == 0 && d.like(w.decisions[n-1]) {
		return
	}
	if len(w.decisions) >= maxDecisions {
		w.decisions = slices.Delete(w.decisions, 0, len(w.decisions)-maxDecisions+1)
	}
	w.decisions = append(w.decisions, d)
}

// like reports whether two decisions say the same.
func (d *Decision) like(o Decision) bool {
	return d.Serving == o.Serving && d.Free == o.Free && slices.Equal(d.Winners, o.Winners) && slices.Equal(d.Reasons, o.Reasons)
}

// retire keeps the decisions on a contact that leaves the line.
func (a *actor) retire(w *waiter) {
	if len(w.decisions) == 0 {
		return
	}
	if _, again := a.past.by[w.ContactID]; !again {
		a.past.order = append(a.past.order, w.ContactID)
	}
	a.past.by[w.ContactID] = w.decisions
	if len(a.past.order) > maxPast {
		delete(a.past.by, a.past.order[0])
		a.past.order = a.past.order[1:]
	}
}

// members are the agents with a routing profile: how many, and some of them for explanations.
type members struct {
	count int
	some  []string
}

// countMembers counts the agents of each profile.
func countMembers(agents map[string]Agent) map[string]members {
	out := make(map[string]members)
	for id, g := range agents {
		m := out[g.RoutingProfileID]
		m.count++
		if i, _ := slices.BinarySearch(m.some, id); i < maxVerdicts {
			m.some = slices.Insert(m.some, i, id)
			m.some = m.some[:min(len(m.some), maxVerdicts)]
		}
		out[g.RoutingProfileID] = m
	}
	return out
}
