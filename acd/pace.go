package acd

import (
	"math"
	"sync/atomic"
	"time"
)

// paceHalf is how fast the pace of a queue forgets: what was ten minutes ago counts half.
const paceHalf = 10 * time.Minute

// paceEnough is how many contacts must have been served, with what was forgotten taken off, before anything is said.
const paceEnough = 2

// pace is how fast a queue is served while somebody waits in it: times in which nobody waits say nothing.
type pace struct {
	served float64 // contacts that were joined with an agent
	busy   float64 // seconds in which somebody waited
	at     time.Time
}

// advance brings a pace up to a moment, before which somebody waited or nobody did.
func (p *pace) advance(now time.Time, waited bool) {
	d := now.Sub(p.at).Seconds()
	if p.at.IsZero() || d < 0 {
		d = 0
	}
	p.at = now
	keep := math.Exp2(-d / paceHalf.Seconds())
	p.served *= keep
	p.busy *= keep
	if waited {
		p.busy += d
	}
}

// interval is how long the queue takes for one contact; 0: not known.
func (p *pace) interval() time.Duration {
	if p.served < paceEnough || p.busy <= 0 {
		return 0
	}
	return time.Duration(p.busy / p.served * float64(time.Second))
}

// Estimates count how right the estimates of waiting time were that contacts had when they came.
type Estimates struct {
	Count    atomic.Uint64
	AbsError atomic.Int64 // sum, in nanoseconds
	Error    atomic.Int64 // sum of what the waits were longer than estimated
}

// paceOf is the pace of a queue up to now. It is to be called before the number of those who wait changes.
func (a *actor) paceOf(queueID string, now time.Time) *pace {
	p := a.paces[queueID]
	if p == nil {
		p = &pace{at: now}
		a.paces[queueID] = p
	}
	p.advance(now, a.sizes[queueID] > 0)
	return p
}

// estimate is how long a contact will wait who comes now.
func (a *actor) estimate(queueID string, now time.Time) time.Duration {
	return time.Duration(a.sizes[queueID]+1) * a.paceOf(queueID, now).interval()
}

// served notes that a contact has its agent, and how right the estimate was.
func (a *actor) served(w *waiter, now time.Time) {
	a.paceOf(w.QueueID, now).served++
	if w.estimate == 0 {
		return
	}
	e := now.Sub(w.came) - w.estimate
	a.counts.Estimates.Count.Add(1)
	a.counts.Estimates.Error.Add(int64(e))
	a.counts.Estimates.AbsError.Add(int64(e.Abs()))
}

// intervals are how long the queues take for one contact, of those of which it is known.
func (a *actor) intervals() map[string]time.Duration {
	out := make(map[string]time.Duration, len(a.paces))
	for id, p := range a.paces {
		if a.setup.Queues[id] == nil && a.queueOf(id) == nil {
			delete(a.paces, id)
		} else if d := p.interval(); d > 0 {
			out[id] = d
		}
	}
	return out
}

// Place is where a contact stands in its queue on its channel.
type Place struct {
	Position      int           // from 1; 0: it is not in line
	EstimatedWait time.Duration // from now on, as the queue goes; 0: nobody can tell
}

// Place tells a caller how long it may take.
func (c *Center) Place(contactID string) Place {
	s := c.snapshot.Load()
	if s == nil {
		return Place{}
	}
	var w *Waiting
	for _, v := range s.waiting {
		if v.ContactID == contactID {
			w = v
		}
	}
	if w == nil {
		return Place{}
	}
	p := Place{Position: 1}
	for _, v := range s.waiting {
		if v.QueueID == w.QueueID && v != w && v.compare(w) < 0 {
			p.Position++
		}
	}
	p.EstimatedWait = time.Duration(p.Position) * s.intervals[w.QueueID]
	return p
}
