package acd

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheWaitIsEstimatedByHowFastTheQueueIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, time.Second)
		w.start()
		w.status("a", "available")
		n := 0
		come := func() {
			n++
			w.enqueue(fmt.Sprint("c", n), "q")
		}
		serve := func() { // a minute for each, wrap-up included
			t.Helper()
			w.mu.Lock()
			o := w.rung[len(w.rung)-1]
			w.mu.Unlock()
			w.talk(o)
			time.Sleep(59 * time.Second)
			w.c.Leave(o.ContactID)
			w.done(o)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		come()
		if p := w.c.Place("c1"); p.Position != 1 || p.EstimatedWait != 0 {
			t.Errorf("nobody was served yet, and the first is told %+v", p)
		}
		for range 4 {
			come()
		}
		for range 20 {
			come()
			serve()
		}
		come()
		p := w.c.Place(fmt.Sprint("c", n))
		if want := time.Duration(p.Position) * time.Minute; p.Position != 6 || p.EstimatedWait < want*8/10 || p.EstimatedWait > want*2 {
			t.Errorf("place %+v", p)
		}
		e := &w.c.Counts().Estimates
		if e.Count.Load() == 0 || e.AbsError.Load() == 0 {
			t.Error("nobody looked whether the estimates were right")
		}
		if p = w.c.Place("nobody"); p != (Place{}) {
			t.Errorf("nobody has the place %+v", p)
		}
		list := w.c.Waiting()
		if last := list[len(list)-1]; last.EstimatedWait != time.Duration(last.Position)*w.c.snapshot.Load().intervals["q"] {
			t.Errorf("listed as %+v", last)
		}
	})
}

func TestIdleTimesDoNotSlowTheEstimate(t *testing.T) {
	var p pace
	at := t0
	for range 10 { // each served in 30 s, and then nobody comes for an hour
		p.advance(at, false)
		at = at.Add(30 * time.Second)
		p.advance(at, true)
		p.served++
		if d := p.interval(); d != 0 && (d < 20*time.Second || d > 40*time.Second) {
			t.Fatalf("one every %s", d)
		}
		at = at.Add(time.Minute)
	}
	if d := p.interval(); d < 25*time.Second || d > 35*time.Second {
		t.Errorf("one every %s", d)
	}
}
