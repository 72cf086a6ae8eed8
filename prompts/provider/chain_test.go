package provider

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/prompts"
)

// fake speaks as the test says.
type fake struct {
	name  string
	mu    sync.Mutex
	calls int
	says  func(ctx context.Context, s prompts.Speech) error
}

func (f *fake) Name() string { return f.name }

func (f *fake) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	f.mu.Lock()
	f.calls++
	says := f.says
	f.mu.Unlock()
	if says != nil {
		if err := says(ctx, s); err != nil {
			return nil, 0, err
		}
	}
	return []int16{1, 2, 3}, 8000, nil
}

func (f *fake) become(says func(context.Context, prompts.Speech) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = says
}

func broken(context.Context, prompts.Speech) error { return errs.New(errs.Unavailable, "broken") }

func hangs(ctx context.Context, _ prompts.Speech) error {
	<-ctx.Done()
	return ctx.Err()
}

// tally is what a chain told.
type tally struct {
	mu   sync.Mutex
	told []string
}

func (y *tally) observe(provider, outcome string, _ time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.told = append(y.told, provider+" "+outcome)
}

func (y *tally) take() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	told := y.told
	y.told = nil
	return told
}

func chainOf(members ...Member) (*Chain, *tally) {
	c, y := NewChain(slog.New(slog.DiscardHandler), members...), &tally{}
	c.Observe = y.observe
	return c, y
}

func same(t *testing.T, want, got any, what string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: want -, got +\n%s", what, d)
	}
}

func TestTheNextIsAskedWhenOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a", says: broken}, &fake{name: "b"}
		c, y := chainOf(Member{Synthesizer: a}, Member{Synthesizer: b})
		ask := func() (bool, error) {
			_, _, first, err := c.SynthesizeBy(t.Context(), prompts.Speech{Text: "x"})
			return first, err
		}
		for range failuresToOpen {
			if first, err := ask(); err != nil || first {
				t.Fatal(first, err)
			}
		}
		y.take()
		_, _ = ask()
		same(t, []string{"a open", "b spoken"}, y.take(), "after three failures")
		same(t, failuresToOpen, a.calls, "calls of a")

		// Its rest is over at the second, not before; one request tries, and while it does nobody else.
		time.Sleep(firstRest - 1)
		_, _ = ask()
		same(t, []string{"a open", "b spoken"}, y.take(), "just before")
		time.Sleep(time.Nanosecond)
		a.become(hangs)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = ask() })
		synctest.Wait()
		_, _ = ask()
		same(t, []string{"a open", "b spoken"}, y.take(), "while one tries")
		wg.Wait()
		same(t, []string{"a timeout", "b spoken"}, y.take(), "the try")

		// It failed: the next rest is longer. Then it is well again.
		time.Sleep(2*firstRest - 1)
		_, _ = ask()
		same(t, []string{"a open", "b spoken"}, y.take(), "the second rest")
		time.Sleep(time.Nanosecond)
		a.become(nil)
		if first, err := ask(); err != nil || !first {
			t.Error(first, err)
		}
		same(t, []string{"a spoken"}, y.take(), "well again")
	})
}

func TestATextThatIsRefusedIsNoFailure(t *testing.T) {
	refuses := func(context.Context, prompts.Speech) error { return errs.Field("Language", "is not spoken here") }
	a, b := &fake{name: "a", says: refuses}, &fake{name: "b"}
	c, y := chainOf(Member{Synthesizer: a}, Member{Synthesizer: b})
	for range 2 * failuresToOpen {
		if _, _, err := c.Synthesize(t.Context(), prompts.Speech{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		same(t, []string{"a refused", "b spoken"}, y.take(), "refused")
	}
	b.become(refuses)
	if _, _, err := c.Synthesize(t.Context(), prompts.Speech{Text: "x"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("refused by all: %v", err)
	}
	b.become(broken)
	if _, _, err := c.Synthesize(t.Context(), prompts.Speech{Text: "x"}); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "not available") {
		t.Errorf("refused and broken: %v", err)
	}
}

func TestASlowProviderHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a", says: hangs}, &fake{name: "b"}
		c, y := chainOf(Member{Synthesizer: a, Concurrent: 2, Timeout: 30 * time.Second, Queue: time.Second}, Member{Synthesizer: b})
		ctx, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, _, err := c.Synthesize(ctx, prompts.Speech{Text: "x"}); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if _, _, err := c.Synthesize(t.Context(), prompts.Speech{Text: "y"}); err != nil {
			t.Error(err)
		}
		same(t, time.Second, time.Since(start), "the wait for a place")
		same(t, []string{"a busy", "b spoken"}, y.take(), "the third")
		hangUp()
		wg.Wait()
		same(t, []string{"a unheard", "a unheard"}, y.take(), "those who hung up")
		a.become(nil)
		if _, _, first, err := c.SynthesizeBy(t.Context(), prompts.Speech{Text: "z"}); err != nil || !first {
			t.Errorf("callers who hang up are no failure of the provider: %v", err)
		}
	})
}

func TestASpeakerForgetsWhatASubstituteSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a", says: broken}, &fake{name: "b"}
		c, _ := chainOf(Member{Synthesizer: a}, Member{Synthesizer: b})
		s := prompts.NewSpeaker(c, map[string]prompts.Encoder{"PCMU": func(pcm []int16) []byte { return make([]byte, len(pcm)) }}, prompts.SpeakerOptions{})
		speak := func() {
			t.Helper()
			if _, err := s.Speak(t.Context(), prompts.Speech{Text: "hello"}); err != nil {
				t.Fatal(err)
			}
		}
		speak()
		a.become(nil)
		time.Sleep(time.Minute - 1)
		speak()
		same(t, 1, b.calls, "asked of b")
		same(t, 1, a.calls, "asked of a within the minute")
		time.Sleep(time.Nanosecond)
		speak()
		same(t, 2, a.calls, "asked of a after it")
		time.Sleep(time.Hour)
		speak()
		same(t, 2, a.calls, "asked of a when it had spoken")
	})
}
