package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ullim/internal/errs"
	"ullim/prompts"
)

// Outcomes of asking a provider, for those who count.
const (
	OutcomeSpoken  = "spoken"
	OutcomeRefused = "refused" // this text, this voice, this language
	OutcomeFailed  = "failed"
	OutcomeTimeout = "timeout"
	OutcomeBusy    = "busy" // no place became free in time
	OutcomeOpen    = "open" // left alone after failures
	OutcomeUnheard = "unheard"
)

// Outcomes are all of them.
func Outcomes() []string {
	return []string{OutcomeSpoken, OutcomeRefused, OutcomeFailed, OutcomeTimeout, OutcomeBusy, OutcomeOpen, OutcomeUnheard}
}

var (
	errTimeout = errors.New("provider: time is over")
	errBusy    = errors.New("provider: no place became free")
	errOpen    = errors.New("provider: left alone after failures")
)

// Member is a provider in a Chain.
type Member struct {
	Synthesizer prompts.Synthesizer
	Timeout     time.Duration // of one answer; 10 s
	Concurrent  int           // places; 4
	Queue       time.Duration // how long one may wait for a place; 2 s
}

// Chain asks providers in their order until one speaks. Make one with NewChain; it is safe for concurrent use.
type Chain struct {
	// Observe is told every outcome; set it before the first use. nil: nobody.
	Observe func(provider, outcome string, took time.Duration)

	members []*member
	log     *slog.Logger
}

type member struct {
	Member

	places  chan struct{}
	circuit circuit
}

var _ prompts.Substitute = (*Chain)(nil)

// NewChain makes a chain of at least one member.
func NewChain(log *slog.Logger, members ...Member) *Chain {
	c := &Chain{log: log}
	for _, m := range members {
		if m.Timeout <= 0 {
			m.Timeout = 10 * time.Second
		}
		if m.Concurrent <= 0 {
			m.Concurrent = 4
		}
		if m.Queue <= 0 {
			m.Queue = 2 * time.Second
		}
		c.members = append(c.members, &member{Member: m, places: make(chan struct{}, m.Concurrent)})
	}
	return c
}

// Name is that of the first.
func (c *Chain) Name() string { return c.members[0].Synthesizer.Name() }

// Synthesize speaks with the first that can.
func (c *Chain) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	pcm, rate, _, err := c.SynthesizeBy(ctx, s)
	return pcm, rate, err
}

// SynthesizeBy is Synthesize that also tells whether the first spoke. errs.Invalid if all refuse the text, else
// errs.Unavailable.
func (c *Chain) SynthesizeBy(ctx context.Context, s prompts.Speech) (pcm []int16, rate int, first bool, err error) {
	var all []error
	refused := 0
	for i, m := range c.members {
		start := time.Now()
		pcm, rate, err = m.ask(ctx, s)
		outcome := outcomeOf(ctx, err)
		if c.Observe != nil {
			c.Observe(m.Synthesizer.Name(), outcome, time.Since(start))
		}
		switch outcome {
		case OutcomeSpoken:
			return pcm, rate, i == 0, nil
		case OutcomeUnheard:
			return nil, 0, false, err
		case OutcomeRefused:
			refused++
		}
		if outcome != OutcomeOpen && len(c.members) > 1 {
			c.log.WarnContext(ctx, "speech provider did not speak", "provider", m.Synthesizer.Name(), "outcome", outcome, "error", err)
		}
		all = append(all, err)
	}
	if refused == len(all) {
		return nil, 0, false, all[0]
	}
	return nil, 0, false, errs.Wrap(errors.Join(all...), errs.Unavailable, "text-to-speech is not available")
}

func outcomeOf(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return OutcomeSpoken
	case errors.Is(err, errOpen):
		return OutcomeOpen
	case errors.Is(err, errBusy):
		return OutcomeBusy
	case ctx.Err() != nil:
		return OutcomeUnheard
	case errors.Is(err, errTimeout):
		return OutcomeTimeout
	case errs.Is(err, errs.Invalid):
		return OutcomeRefused
	}
	return OutcomeFailed
}

// ask lets one provider speak, if there is a place and its circuit is closed.
func (m *member) ask(ctx context.Context, s prompts.Speech) (pcm []int16, rate int, err error) {
	if m.circuit.open(time.Now()) {
		return nil, 0, errOpen
	}
	if err = m.place(ctx); err != nil {
		return nil, 0, err
	}
	defer func() { <-m.places }()
	may, trial := m.circuit.enter(time.Now())
	if !may { // it opened meanwhile, or another is trying
		return nil, 0, errOpen
	}
	verdict := failure // also if it panics
	defer func() { m.circuit.leave(time.Now(), verdict, trial) }()
	limited, cancel := context.WithTimeoutCause(ctx, m.Timeout, errTimeout)
	defer cancel()
	pcm, rate, err = m.Synthesizer.Synthesize(limited, s)
	switch {
	case err == nil && (len(pcm) == 0 || rate < 1):
		return nil, 0, errs.New(errs.Unavailable, "%s said nothing", m.Synthesizer.Name())
	case err == nil:
		verdict = success
	case ctx.Err() != nil:
		verdict = neither
	case errs.Is(err, errs.Invalid):
		verdict = success
	case limited.Err() != nil:
		err = errors.Join(errTimeout, err)
	}
	return pcm, rate, err
}

// place waits for a place, but not long: the next provider may have one.
func (m *member) place(ctx context.Context) error {
	select {
	case m.places <- struct{}{}:
		return nil
	default:
	}
	t := time.NewTimer(m.Queue)
	defer t.Stop()
	select {
	case m.places <- struct{}{}:
		return nil
	case <-t.C:
		return errBusy
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Rules of a circuit.
const (
	failuresToOpen = 3
	firstRest      = 5 * time.Second
	longestRest    = 2 * time.Minute
)

type verdict int

const (
	success verdict = iota
	failure
	neither
)

// circuit leaves a provider alone that fails, and lets one request try it when its rest is over. The zero value is closed.
type circuit struct {
	mu       sync.Mutex
	failures int
	rest     time.Duration // 0: closed
	until    time.Time
	trying   bool
}

// open reports whether nobody may ask now.
func (c *circuit) open(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest > 0 && (now.Before(c.until) || c.trying)
}

// enter begins a request, and reports whether it may be made, and whether it is the one that tries.
func (c *circuit) enter(now time.Time) (may, trial bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest == 0 {
		return true, false
	}
	if now.Before(c.until) || c.trying {
		return false, false
	}
	c.trying = true
	return true, true
}

// leave ends a request.
func (c *circuit) leave(now time.Time, v verdict, trial bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if trial {
		c.trying = false
	}
	switch v {
	case success:
		c.failures, c.rest = 0, 0
	case failure:
		if c.failures++; trial || c.rest == 0 && c.failures >= failuresToOpen {
			c.rest = min(max(2*c.rest, firstRest), longestRest)
			c.until = now.Add(c.rest)
		}
	case neither:
	}
}
