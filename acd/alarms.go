package acd

import (
	"container/heap"
	"time"
)

// alarm is work at a time. Alarms are never taken back: what they do looks first whether it still applies.
type alarm struct {
	at  time.Time
	run func(now time.Time)
}

// alarms is a heap of them, earliest first.
type alarms []alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarms) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *alarms) Push(x any) {
	if v, ok := x.(alarm); ok {
		*h = append(*h, v)
	}
}

// Pop is for container/heap.
func (h *alarms) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = alarm{}
	*h = old[:len(old)-1]
	return last
}

// set adds an alarm.
func (h *alarms) set(at time.Time, run func(now time.Time)) { heap.Push(h, alarm{at, run}) }

// due runs everything whose time has come.
func (h *alarms) due(now time.Time) {
	for len(*h) > 0 && !(*h)[0].at.After(now) {
		if v, ok := heap.Pop(h).(alarm); ok {
			v.run(now)
		}
	}
}

// next is how long until the first alarm; ok is false if there is none.
func (h *alarms) next(now time.Time) (wait time.Duration, ok bool) {
	if len(*h) == 0 {
		return 0, false
	}
	return max((*h)[0].at.Sub(now), 0), true
}

// backoff is first, twice that, and so on, up to most.
func backoff(first, most time.Duration, tries int) time.Duration {
	d := first
	for range tries {
		if d *= 2; d >= most {
			return most
		}
	}
	return d
}
