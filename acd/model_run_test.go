package acd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// run lets the events of a trace happen, each with a random source of its own, so that a part of a trace is a trace.
func (m *model) run(seed uint64, trace []int, failEvery int) {
	m.c.Start()
	defer func() { m.c.Stop() }()
	<-m.c.Ready()
	synctest.Wait()
	for _, n := range trace {
		m.r = rand.New(rand.NewPCG(seed, uint64(n)))
		m.event()
		m.check()
		if n%1000 == 999 {
			m.calm()
			m.store.set(func(s *fakeStore) { s.n = failEvery })
		}
		if n%1500 == 1499 {
			m.restart()
		}
		if m.wrong() != nil {
			return
		}
	}
	m.calm()
	m.end()
	if m.c.Counts().Panics.Load() > 0 {
		m.fail("the actor panicked")
	}
}

// shrink gives the shortest trace found that still breaks a rule, and what it did.
func shrink(t *testing.T, seed uint64, trace []int, failEvery int) ([]int, *model) {
	t.Helper()
	var found *model
	broken := func(part []int) bool {
		var m *model
		synctest.Test(t, func(t *testing.T) {
			m = newModel(t, seed, failEvery)
			m.run(seed, part, failEvery)
		})
		if m.wrong() != nil {
			found = m
		}
		return m.wrong() != nil
	}
	if !broken(trace) {
		return trace, nil
	}
	for size, tries := max(len(trace)/2, 1), 0; tries < 400; tries++ {
		shorter := false
		for from := 0; from < len(trace) && tries < 400; tries++ {
			part := slices.Concat(trace[:from], trace[min(from+size, len(trace)):])
			if broken(part) {
				trace, shorter = part, true
			} else {
				from += size
			}
		}
		if size == 1 && !shorter {
			break
		}
		size = max(size/2, 1)
	}
	return trace, found
}

func TestAHundredThousandRandomEventsKeepTheInvariants(t *testing.T) {
	const perSeed = 5000
	var joined, lost, missed, taken atomic.Uint64
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(20) {
			failEvery := []int{0, 2, 3, 7, 50}[seed%5]
			t.Run(fmt.Sprintf("seed %d, 1 in %d fails", seed, failEvery), func(t *testing.T) {
				t.Parallel()
				trace := make([]int, perSeed)
				for n := range trace {
					trace[n] = n
				}
				var m *model
				synctest.Test(t, func(t *testing.T) {
					m = newModel(t, seed, failEvery)
					m.run(seed, trace, failEvery)
				})
				joined.Add(m.joined)
				lost.Add(m.lost)
				missed.Add(m.missed)
				taken.Add(m.taken)
				if err := m.wrong(); err != nil {
					short, least := shrink(t, seed, trace[:min(m.n, perSeed)], failEvery)
					if least != nil {
						err, m = least.wrong(), least
					}
					t.Fatalf("%v\nthe shortest trace found has %d events: %v\n%s", err, len(short), short[max(0, len(short)-60):], strings.Join(m.log, "\n"))
				}
			})
		}
	})
	t.Logf("%d joined, %d missed, %d taken by others, %d reservations lost", joined.Load(), missed.Load(), taken.Load(), lost.Load())
	if joined.Load() < 2000 || lost.Load() < 300 || missed.Load() < 500 || taken.Load() < 20 {
		t.Error("too little happened to prove anything")
	}
}
