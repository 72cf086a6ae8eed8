package acd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPhoneThatIsNotThereDoesNotRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.dead["a"] = true
		w.start()
		w.status("a", "available")
		time.Sleep(time.Second)
		w.status("b", "available")
		w.enqueue("1", "q")
		w.offered("1-b") // at once: the caller does not wait for a ring time
		w.agent("a", "available:")
		if n := w.c.Counts().Unproven.Load(); n != 1 {
			t.Errorf("%d phones are counted as not there", n)
		}
		w.enqueue("2", "q")
		w.offered() // left alone for a moment
		w.mu.Lock()
		w.dead["a"] = false
		w.mu.Unlock()
		time.Sleep(deviceBackoff)
		synctest.Wait()
		w.offered("2-a")
	})
}

func TestAProofThatNeverComesStrandsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.c.o.Devices = mute{w}
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.offered()
		time.Sleep(2 * proofTime)
		synctest.Wait()
		w.offered("1-a")
	})
}

// mute is devices that panic when they are asked for a proof, after a long time.
type mute struct{ *world }

func (m mute) Alive(ctx context.Context, _ string) bool {
	<-ctx.Done()
	time.Sleep(proofTime)
	panic("no proof")
}
