package telemetry

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes keeps each write by itself.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(p))
	return len(p), nil
}

// lines are how many lines each write had.
func (w *writes) lines() (n []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.list {
		n = append(n, strings.Count(s, "\n"))
	}
	return n
}

func TestOrdinaryLinesWaitForEachOtherAndBadOnesForNobody(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			w := &writes{}
			g := Gather(w)
			log, err := NewLogger(g, "debug", format)
			if err != nil {
				t.Fatal(err)
			}
			want := func(when string, counts ...int) {
				t.Helper()
				synctest.Wait()
				if got := w.lines(); len(got) != len(counts) || len(got) > 0 && got[len(got)-1] != counts[len(counts)-1] {
					t.Errorf("%s, %s: writes of %v lines, want %v", format, when, got, counts)
				}
			}
			log.Info("one")
			time.Sleep(gatherTime - time.Millisecond)
			log.Info("two")
			want("before the time is over")
			time.Sleep(time.Millisecond)
			want("when it is", 2)
			log.Info("three")
			log.Warn("level=INFO is what this is not")
			want("after a warning", 2, 2)
			for _, l := range []slog.Level{slog.LevelError, slog.LevelDebug} {
				log.Log(t.Context(), l, "at once")
			}
			want("after an error and a detail", 2, 2, 1, 1)
			log.Info("four")
			if err = g.Flush(); err != nil {
				t.Fatal(err)
			}
			want("after the end", 2, 2, 1, 1, 1)
			time.Sleep(time.Minute)
			want("much later", 2, 2, 1, 1, 1)
			long := strings.Repeat("x", gatherMost/4)
			for range 4 {
				log.Info(long)
			}
			want("when there is too much", 2, 2, 1, 1, 1, 4)
		})
	}
}
