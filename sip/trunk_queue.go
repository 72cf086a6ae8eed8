package sip

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// How long an outgoing call waits for a place on its trunk, and how many wait.
const (
	waitPerson   = 5 * time.Second
	waitCampaign = 8 * time.Second
	maxWaiting   = 2000 // of one trunk

	// cpsWindow is the sliding window of MaxCPS for calls that come in. What goes out is counted over a longer one: an
	// INVITE leaves a little after it got its place, and the carrier counts what arrives.
	cpsWindow = time.Second
	cpsGuard  = 50 * time.Millisecond
)

// channels is what a trunk uses now, and who waits for it. Limits.callMu guards it.
type channels struct {
	trunk     *Trunk // as configured last
	used      int    // both directions
	campaigns int    // of those, for campaigns
	admitted  []time.Time
	sent      []sentCall // in the last window
	waiting   [int(call.PriorityCampaign) + 1]turns
	timer     *time.Timer
}

type sentCall struct {
	at       time.Time
	campaign bool
}

// turns is a queue of queues: each group gives one, then it is the next one's turn.
type turns struct {
	groups []*turnGroup
	n      int
}

type turnGroup struct {
	key  string
	list []*waiter
}

// waiter is an outgoing call without a place. granted is closed with the lock held.
type waiter struct {
	priority call.Priority
	granted  chan struct{}
	done     bool
}

func (q *turns) push(key string, w *waiter) {
	q.n++
	for _, g := range q.groups {
		if g.key == key {
			g.list = append(g.list, w)
			return
		}
	}
	q.groups = append(q.groups, &turnGroup{key: key, list: []*waiter{w}})
}

// pop takes the one whose turn it is; its group goes to the end of the round.
func (q *turns) pop() *waiter {
	g := q.groups[0]
	w := g.list[0]
	g.list = g.list[1:]
	q.groups = q.groups[1:]
	if len(g.list) > 0 {
		q.groups = append(q.groups, g)
	}
	q.n--
	return w
}

// drop takes out one that waits no longer.
func (q *turns) drop(w *waiter) {
	for i, g := range q.groups {
		if at := slices.Index(g.list, w); at >= 0 {
			if g.list = slices.Delete(g.list, at, at+1); len(g.list) == 0 {
				q.groups = slices.Delete(q.groups, i, i+1)
			}
			q.n--
			return
		}
	}
}

// placeAsk is who wants a place on a trunk.
type placeAsk struct {
	priority  call.Priority
	group     string
	emergency bool // a call to the emergency services: no limit of ours holds it up
}

func (a placeAsk) wait() time.Duration {
	if a.priority == call.PriorityCampaign {
		return waitCampaign
	}
	return waitPerson
}

// tryPlace takes a place for an outgoing call at once, or says why there is none. It does not push in before those who wait.
func (l *Limits) tryPlace(t *Trunk, a placeAsk) (release func(), why string) {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	c := l.channelsOf(t)
	if a.emergency {
		return c.take(l, a.priority, time.Now()), ""
	}
	for p := range a.priority + 1 {
		if c.waiting[p].n > 0 {
			return nil, fmt.Sprintf("%d calls wait for trunk %q", c.waiting[p].n, t.Name)
		}
	}
	why, _ = c.refuses(a.priority, time.Now())
	if why != "" {
		return nil, why
	}
	return c.take(l, a.priority, time.Now()), ""
}

// waitPlace waits for a place, in turn: by priority, then group by group. errs.Throttled says what was missing.
func (l *Limits) waitPlace(ctx context.Context, t *Trunk, a placeAsk) (release func(), err error) {
	l.callMu.Lock()
	c := l.channelsOf(t)
	now := time.Now()
	n := 0
	for i := range c.waiting {
		n += c.waiting[i].n
	}
	if n >= maxWaiting {
		l.callMu.Unlock()
		return nil, errs.New(errs.Throttled, "%d calls wait for trunk %q already", n, t.Name)
	}
	w := &waiter{priority: a.priority, granted: make(chan struct{})}
	c.waiting[a.priority].push(a.group, w)
	c.pump(l, now)
	l.callMu.Unlock()
	timer := time.NewTimer(a.wait())
	defer timer.Stop()
	gone := error(nil)
	select {
	case <-w.granted:
	case <-timer.C:
	case <-ctx.Done():
		gone = ctx.Err()
	}
	l.callMu.Lock()
	defer l.callMu.Unlock()
	if w.done {
		release = c.releaser(l, a.priority)
		if gone != nil { // hung up in the same moment
			go release()
			return nil, errs.Wrap(gone, errs.Throttled, "the call was given up")
		}
		return release, nil
	}
	c.waiting[a.priority].drop(w)
	if gone != nil {
		return nil, errs.Wrap(gone, errs.Throttled, "the call was given up")
	}
	why, _ := c.refuses(a.priority, time.Now())
	if why == "" {
		why = fmt.Sprintf("calls of a higher priority wait for trunk %q", t.Name)
	}
	return nil, errs.New(errs.Throttled, "%s; waited %s", why, a.wait())
}

// channelsOf finds or makes the trunk's entry, with its newest configuration. l.callMu is held.
func (l *Limits) channelsOf(t *Trunk) *channels {
	c := l.trunks[t.ID]
	if c == nil {
		c = &channels{}
		l.trunks[t.ID] = c
	}
	c.trunk = t
	return c
}

// share is the part of a limit that campaigns may use.
func (t *Trunk) share(limit int) int {
	if t.CampaignShare == 0 || limit == 0 {
		return limit
	}
	return max(1, limit*t.CampaignShare/100)
}

// refuses says why a call of a priority may not go out now, and when to look again if only time is missing.
func (c *channels) refuses(p call.Priority, now time.Time) (why string, again time.Duration) {
	t, campaign := c.trunk, p == call.PriorityCampaign
	if t.MaxChannels > 0 {
		if c.used >= t.MaxChannels {
			return fmt.Sprintf("all %d channels of trunk %q are in use", t.MaxChannels, t.Name), 0
		}
		if most := t.share(t.MaxChannels); campaign && c.campaigns >= most {
			return fmt.Sprintf("all %d channels of trunk %q for campaigns are in use", most, t.Name), 0
		}
	}
	if t.MaxCPS == 0 {
		return "", 0
	}
	c.sent = slices.DeleteFunc(c.sent, func(s sentCall) bool { return now.Sub(s.at) >= cpsWindow+cpsGuard })
	mine, most := 0, t.MaxCPS
	oldest := time.Time{}
	if campaign {
		most = t.share(t.MaxCPS)
	}
	for _, s := range c.sent {
		if s.campaign && campaign {
			if mine++; oldest.IsZero() {
				oldest = s.at
			}
		}
	}
	switch {
	case len(c.sent) >= t.MaxCPS:
		return fmt.Sprintf("trunk %q had its %d new calls of this second", t.Name, t.MaxCPS),
			cpsWindow + cpsGuard - now.Sub(c.sent[0].at)
	case campaign && mine >= most:
		return fmt.Sprintf("trunk %q had its %d new calls for campaigns of this second", t.Name, most),
			cpsWindow + cpsGuard - now.Sub(oldest)
	}
	return "", 0
}

// take books a place.
func (c *channels) take(l *Limits, p call.Priority, now time.Time) (release func()) {
	c.book(p, now)
	return c.releaser(l, p)
}

func (c *channels) book(p call.Priority, now time.Time) {
	c.used++
	if p == call.PriorityCampaign {
		c.campaigns++
	}
	if c.trunk.MaxCPS > 0 {
		c.sent = append(c.sent, sentCall{now, p == call.PriorityCampaign})
	} else {
		c.sent = nil
	}
}

func (c *channels) releaser(l *Limits, p call.Priority) func() {
	return sync.OnceFunc(func() {
		l.callMu.Lock()
		defer l.callMu.Unlock()
		c.used--
		if p == call.PriorityCampaign {
			c.campaigns--
		}
		c.pump(l, time.Now())
	})
}

// pump gives places to those who wait, the most urgent first. It is called when something became free, and by a timer
// when the window moves on.
func (c *channels) pump(l *Limits, now time.Time) {
	for p := range c.waiting {
		q := &c.waiting[p]
		for q.n > 0 {
			why, again := c.refuses(call.Priority(p), now)
			if why != "" {
				if again > 0 {
					c.wakeAfter(l, again)
				}
				return // those below have no more right to it
			}
			w := q.pop()
			c.book(w.priority, now)
			w.done = true
			close(w.granted)
		}
	}
}

func (c *channels) wakeAfter(l *Limits, d time.Duration) {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(max(d, time.Nanosecond), func() {
		l.callMu.Lock()
		defer l.callMu.Unlock()
		c.pump(l, time.Now())
	})
}

// within keeps the times of the last window. Callers may come slightly out of order, so every time is looked at.
func within(times []time.Time, now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= window })
}

// trunkLoad is how much of a trunk is used.
type trunkLoad struct{ channels, campaigns, cps, waiting int }

func (l *Limits) load(trunkID string) trunkLoad {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	c := l.trunks[trunkID]
	if c == nil {
		return trunkLoad{}
	}
	out := trunkLoad{channels: c.used, campaigns: c.campaigns}
	now := time.Now()
	for _, s := range c.sent {
		if now.Sub(s.at) < cpsWindow {
			out.cps++
		}
	}
	for i := range c.waiting {
		out.waiting += c.waiting[i].n
	}
	return out
}

// forget drops the entry of a trunk that is gone, when nothing of it is in use.
func (l *Limits) forget(trunkID string) {
	l.callMu.Lock()
	defer l.callMu.Unlock()
	if c := l.trunks[trunkID]; c != nil && c.used == 0 && c.waiting[0].n+c.waiting[1].n+c.waiting[2].n == 0 {
		delete(l.trunks, trunkID)
	}
}
