package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCommitsKeepTheirDistanceWhileThatPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{closing: make(chan struct{})}
		waits := func() (d time.Duration, waited bool) {
			since := time.Now()
			waited = g.space()
			return time.Since(since), waited
		}
		if d, waited := waits(); waited || d != 0 {
			t.Errorf("the first commit waited %s", d)
		}
		g.last = time.Now()
		time.Sleep(4 * time.Millisecond)
		if d, waited := waits(); !waited || d != spacing-4*time.Millisecond {
			t.Errorf("a commit soon after another waited %s, %v", d, waited)
		}
		if d, waited := waits(); waited || d != 0 {
			t.Errorf("a commit long after another waited %s", d)
		}
		g.hurried, g.last = 2, time.Now()
		for range 2 {
			if d, waited := waits(); waited || d != 0 {
				t.Errorf("a commit waited %s although nobody comes", d)
			}
		}
		if _, waited := waits(); !waited {
			t.Error("it was not tried again whether somebody comes")
		}
		g.last = time.Now()
		time.AfterFunc(time.Millisecond, func() { close(g.closing) })
		if d, _ := waits(); d != time.Millisecond {
			t.Errorf("the end waited %s", d)
		}
	})
}

func TestOnlyWritesThatSomebodyWaitsForAreCompany(t *testing.T) {
	if n := awaited([]*op{{}, {then: func(error) {}}, {}}); n != 2 {
		t.Errorf("%d", n)
	}
}
