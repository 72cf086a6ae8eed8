package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/jobs"
)

// memory is a Store in memory. While down is set, every method fails.
type memory struct {
	mu     sync.Mutex
	next   int64
	alive  map[int64]*kept
	buried []jobs.Job
	down   bool
	calls  map[string]int
}

type kept struct {
	jobs.Job
	ready time.Time
}

var _ jobs.Store = (*memory)(nil)

var errDown = errors.New("database away")

func newMemory() *memory {
	return &memory{alive: make(map[int64]*kept), calls: make(map[string]int)}
}

func (m *memory) enter(method string) (func(), error) {
	m.mu.Lock()
	m.calls[method]++
	if m.down {
		m.mu.Unlock()
		return func() {}, errDown
	}
	return m.mu.Unlock, nil
}

// called is how often a method was called.
func (m *memory) called(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

func (m *memory) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *memory) Enqueue(_ context.Context, j jobs.Job) error {
	leave, err := m.enter("Enqueue")
	defer leave()
	if err == nil {
		m.next++
		j.ID = m.next
		m.alive[j.ID] = &kept{j, j.Due}
	}
	return err
}

func (m *memory) Claim(_ context.Context, kinds []string, n int, now time.Time, lease time.Duration) ([]jobs.Job, error) {
	leave, err := m.enter("Claim")
	defer leave()
	if err != nil {
		return nil, err
	}
	var due []*kept
	for _, k := range m.alive {
		if slices.Contains(kinds, k.Kind) && !k.ready.After(now) {
			due = append(due, k)
		}
	}
	slices.SortFunc(due, func(a, b *kept) int { return int(a.ID - b.ID) })
	var list []jobs.Job
	for _, k := range due[:min(n, len(due))] {
		k.Attempts++
		k.ready = now.Add(lease)
		list = append(list, k.Job)
	}
	return list, nil
}

func (m *memory) change(method string, id int64, fn func(*kept)) error {
	leave, err := m.enter(method)
	defer leave()
	if err == nil && m.alive[id] != nil {
		fn(m.alive[id])
	}
	return err
}

func (m *memory) Extend(_ context.Context, id int64, until time.Time) error {
	return m.change("Extend", id, func(k *kept) { k.ready = until })
}

func (m *memory) Complete(_ context.Context, id int64) error {
	return m.change("Complete", id, func(*kept) { delete(m.alive, id) })
}

func (m *memory) Retry(_ context.Context, id int64, at time.Time, reason string) error {
	return m.change("Retry", id, func(k *kept) { k.Due, k.ready, k.LastErr = at, at, reason })
}

func (m *memory) Bury(_ context.Context, id int64, reason string) error {
	return m.change("Bury", id, func(k *kept) {
		k.LastErr = reason
		m.buried = append(m.buried, k.Job)
		delete(m.alive, id)
	})
}

func (m *memory) NextDue(_ context.Context, kinds []string) (time.Time, bool, error) {
	leave, err := m.enter("NextDue")
	defer leave()
	var at time.Time
	for _, k := range m.alive {
		if slices.Contains(kinds, k.Kind) && (at.IsZero() || k.ready.Before(at)) {
			at = k.ready
		}
	}
	return at, !at.IsZero() && err == nil, err
}

func (m *memory) Count(context.Context, string) (int, int, error) {
	return len(m.alive), len(m.buried), nil
}

// bench is a Runner in virtual time whose handler says what the test wants.
type bench struct {
	store  *memory
	runner *jobs.Runner
	begin  time.Time
	mu     sync.Mutex
	ran    []string // "seconds key"
}

func newBench(t *testing.T, handler jobs.Handler, change func(*jobs.Options)) *bench {
	t.Helper()
	b := &bench{store: newMemory(), begin: time.Now()}
	o := jobs.Options{
		Store: b.store, Workers: 2, Lease: time.Minute, Poll: 30 * time.Second,
		Backoff: jobs.Backoff{First: 10 * time.Second, Most: time.Minute},
		Rand:    func() float64 { return 0 },
		Handlers: map[string]jobs.Handler{"upload": func(ctx context.Context, j jobs.Job) error {
			b.mu.Lock()
			b.ran = append(b.ran, fmt.Sprintf("%v %s", time.Since(b.begin), j.Key))
			b.mu.Unlock()
			return handler(ctx, j)
		}},
	}
	if change != nil {
		change(&o)
	}
	b.runner = jobs.New(o)
	return b
}

func (b *bench) enqueue(t *testing.T, key string, due time.Duration) {
	t.Helper()
	err := b.store.Enqueue(t.Context(), jobs.Job{Kind: "upload", Key: key, Due: b.begin.Add(due)})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) want(t *testing.T, want ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := cmp.Diff(want, b.ran); d != "" {
		t.Errorf("ran (-want +got):\n%s", d)
	}
}

func TestAJobRunsWhenItIsDueAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, jobs.Job) error { return nil }, nil)
		b.enqueue(t, "later", 7*time.Second)
		b.enqueue(t, "now", 0)
		b.runner.Start()
		time.Sleep(7*time.Second - time.Nanosecond)
		b.want(t, "0s now")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.want(t, "0s now", "7s later")
		b.runner.Stop()
		if s := b.runner.Stats(); s != (jobs.Stats{Done: 2}) || len(b.store.alive) != 0 {
			t.Errorf("stats %+v, %d alive", s, len(b.store.alive))
		}
	})
}

func TestWakeIsAHintAndPollingFindsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, jobs.Job) error { return nil }, nil)
		b.runner.Start()
		time.Sleep(5 * time.Second)
		b.enqueue(t, "hinted", 0)
		for range 10 {
			b.runner.Wake()
		}
		synctest.Wait()
		b.want(t, "5s hinted")
		time.Sleep(time.Second)
		b.enqueue(t, "unhinted", 0)
		time.Sleep(time.Minute)
		b.runner.Stop()
		b.want(t, "5s hinted", "35s unhinted")
	})
}

func TestAnIdleRunnerAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, jobs.Job) error { return nil }, nil)
		b.enqueue(t, "tomorrow", 24*time.Hour)
		b.runner.Start()
		time.Sleep(time.Hour)
		b.runner.Stop()
		if n := b.store.called("Claim"); n < 100 || n > 122 { // every 30 seconds
			t.Errorf("%d claims in an hour", n)
		}
	})
}

func TestAFailingJobBacksOffUpToTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 5
		b := newBench(t, func(context.Context, jobs.Job) error {
			if fails--; fails >= 0 {
				return errors.New("server away")
			}
			return nil
		}, nil)
		b.enqueue(t, "a", 0)
		b.runner.Start()
		time.Sleep(time.Hour)
		b.runner.Stop()
		// Half of 10, 20, 40, 60, 60 seconds: chance is 0 here.
		b.want(t, "0s a", "5s a", "15s a", "35s a", "1m5s a", "1m35s a")
		if s := b.runner.Stats(); s != (jobs.Stats{Done: 1, Retried: 5}) {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWhatAHandlerSaysIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cause := errors.New("no such file")
		var log bytes.Buffer
		b := newBench(t, func(_ context.Context, j jobs.Job) error {
			switch {
			case j.Key == "permanent":
				return fmt.Errorf("upload: %w", jobs.Permanent(cause))
			case j.Key == "snooze" && j.Attempts == 1:
				return fmt.Errorf("upload: %w", jobs.Snooze(begin.Add(time.Hour)))
			case j.Key == "panic" && j.Attempts == 1:
				panic("bug")
			}
			return jobs.Permanent(nil)
		}, func(o *jobs.Options) { o.Workers, o.Log = 4, slog.New(slog.NewTextHandler(&log, nil)) })
		for _, key := range []string{"permanent", "snooze", "panic", "good"} {
			b.enqueue(t, key, 0)
		}
		b.runner.Start()
		time.Sleep(2 * time.Hour)
		b.runner.Stop()
		slices.Sort(b.ran)
		b.want(t, "0s good", "0s panic", "0s permanent", "0s snooze", "1h0m0s snooze", "5s panic")
		if len(b.store.alive) != 0 || len(b.store.buried) != 1 || b.store.buried[0].LastErr != cause.Error() {
			t.Errorf("alive %v, buried %+v", b.store.alive, b.store.buried)
		}
		if s := b.runner.Stats(); s != (jobs.Stats{Done: 3, Retried: 1, Buried: 1, Panics: 1}) {
			t.Errorf("stats %+v", s)
		}
		if text := log.String(); !strings.Contains(text, "panic=bug") || !strings.Contains(text, "key=permanent") {
			t.Errorf("log:\n%s", text)
		}
	})
}

func TestNoMoreJobsRunThanThereAreWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most := 0, 0
		b := newBench(t, func(context.Context, jobs.Job) error {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return nil
		}, func(o *jobs.Options) { o.Workers = 3 })
		for i := range 10 {
			b.enqueue(t, fmt.Sprint(i), 0)
		}
		b.runner.Start()
		time.Sleep(15 * time.Second)
		if n := b.runner.Stats().Running; n != 3 {
			t.Errorf("%d running", n)
		}
		time.Sleep(25*time.Second + time.Nanosecond) // ten jobs of ten seconds, three at a time
		synctest.Wait()
		if s := b.runner.Stats(); s != (jobs.Stats{Done: 10}) || most != 3 {
			t.Errorf("stats %+v, at most %d at once", s, most)
		}
		b.runner.Stop()
	})
}

func TestALongJobKeepsItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(ctx context.Context, _ jobs.Job) error {
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, nil)
		b.enqueue(t, "long", 0)
		b.runner.Start()
		time.Sleep(2 * time.Hour)
		b.runner.Stop()
		b.want(t, "0s long")
		if len(b.store.alive) != 0 {
			t.Error("not completed")
		}
	})
}

func TestAClaimThatCannotBeKeptEndsTheHandlerBeforeTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended time.Duration
		begin := time.Now()
		b := newBench(t, func(ctx context.Context, j jobs.Job) error {
			if j.Attempts > 1 {
				return nil
			}
			<-ctx.Done()
			ended = time.Since(begin)
			return ctx.Err()
		}, nil)
		b.enqueue(t, "a", 0)
		b.runner.Start()
		synctest.Wait()
		b.store.setDown(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if ended == 0 || ended >= time.Minute {
			t.Errorf("the handler's context ended after %v, the lease after 1m", ended)
		}
		b.store.setDown(false)
		time.Sleep(10 * time.Minute)
		b.runner.Stop()
		if s := b.runner.Stats(); s.Done != 1 || len(b.ran) != 2 {
			t.Errorf("stats %+v, ran %v", s, b.ran)
		}
	})
}

func TestAStoreThatIsAwayIsAskedAgainMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context, jobs.Job) error { return nil }, nil)
		b.enqueue(t, "a", 0)
		b.store.setDown(true)
		b.runner.Start()
		time.Sleep(10 * time.Minute)
		if n := b.store.called("Claim"); n < 15 || n > 30 {
			t.Errorf("%d claims in ten minutes", n)
		}
		b.want(t)
		b.store.setDown(false)
		time.Sleep(time.Minute)
		b.runner.Stop()
		if b.runner.Stats().Done != 1 {
			t.Error("not done after the store came back")
		}
	})
}

func TestAnOutcomeThatCannotBeStoredMeansAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(t, func(_ context.Context, j jobs.Job) error {
			b.store.setDown(j.Attempts == 1)
			return nil
		}, nil)
		b.enqueue(t, "a", 0)
		b.runner.Start()
		time.Sleep(50 * time.Second)
		b.store.setDown(false)
		time.Sleep(10 * time.Minute)
		b.runner.Stop()
		if len(b.ran) != 2 || len(b.store.alive) != 0 {
			t.Errorf("ran %v, alive %v", b.ran, b.store.alive)
		}
	})
}

func TestStopWaitsAndGivesJobsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(ctx context.Context, j jobs.Job) error {
			<-ctx.Done()
			time.Sleep(3 * time.Second) // tidying up
			if j.Key == "finishes" {
				return nil
			}
			return ctx.Err()
		}, nil)
		b.enqueue(t, "finishes", 0)
		b.enqueue(t, "gives up", 0)
		b.runner.Start()
		time.Sleep(time.Second)
		b.runner.Stop()
		if d := time.Since(b.begin); d != 4*time.Second {
			t.Errorf("stopped after %v", d)
		}
		list, err := b.store.Claim(t.Context(), []string{"upload"}, 9, time.Now(), time.Minute)
		if err != nil || len(list) != 1 || list[0].Key != "gives up" || !strings.Contains(list[0].LastErr, "stopped") {
			t.Errorf("due after the stop: %+v, %v", list, err)
		}
	})
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	for _, order := range []string{"", "stop", "stop stop", "start stop stop", "start start stop", "stop start stop", "start stop start stop"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(context.Context, jobs.Job) error { return nil }, nil)
			b.enqueue(t, "a", time.Second)
			for step := range strings.FieldsSeq(order) {
				if step == "start" {
					b.runner.Start()
				} else {
					b.runner.Stop()
				}
			}
			b.runner.Wake()
			time.Sleep(time.Minute)
			if len(b.ran) != 0 {
				t.Errorf("%q: a stopped runner ran %v", order, b.ran)
			}
		})
	}
}

func TestARunnerWithoutHandlersDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, func(o *jobs.Options) { o.Handlers = nil })
		b.enqueue(t, "a", 0)
		b.runner.Start()
		time.Sleep(time.Hour)
		b.runner.Stop()
		if len(b.store.calls) != 1 {
			t.Errorf("calls %v", b.store.calls)
		}
	})
}
