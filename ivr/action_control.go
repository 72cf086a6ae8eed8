package ivr

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// compare makes a value of the contact the result, for any operator (Check contact attributes).
type compare struct{ value value }

func (a *compare) read(p *params) {
	a.value = p.whole("ComparisonValue")
	if a.value.given() && a.value.isStatic() {
		p.problem("ComparisonValue", "must be one data path, such as $.Attributes.plan")
	}
	p.need("ComparisonValue")
}

func (a *compare) rules() rules {
	return rules{errors: []string{errNoCondition}, conditions: func(w *wiring) { w.any() }}
}

func (a *compare) run(_ context.Context, s *session) step {
	st := secretResult(s.text(a.value))
	st.absent = a.value.isPath() && !s.exists(a.value.parts[0].path)
	return st
}

// Results of loop.
const (
	continueLooping = "ContinueLooping"
	doneLooping     = "DoneLooping"
)

// loop gives ContinueLooping so many times, then DoneLooping once, and begins again (Loop).
type loop struct{ count value }

func (a *loop) read(p *params) {
	a.count = p.numberOrPath("LoopCount", 0, 100)
	p.need("LoopCount")
}

func (a *loop) rules() rules {
	return rules{pauses: true, conditions: func(w *wiring) { w.exactly(continueLooping, doneLooping) }}
}

func (a *loop) run(ctx context.Context, s *session) step {
	count, ok := wholeNumber(s.text(a.count), 0, 100)
	if !ok { // there is no error branch: a loop that cannot count does not loop
		s.log.WarnContext(ctx, "loop count is not a number from 0 to 100", "action_id", s.node.ID)
	}
	if s.loops[s.node.ID] < count {
		s.loops[s.node.ID]++
		return result(continueLooping)
	}
	delete(s.loops, s.node.ID)
	return result(doneLooping)
}

// distribute gives a random number from 1 to 100 (Distribute by percentage).
type distribute struct{}

func (distribute) read(*params) {}

func (distribute) rules() rules {
	return rules{
		flows: append(inboundTransferQueue(), TypeOutboundWhisper), errors: []string{errNoCondition},
		conditions: func(w *wiring) { w.percentages() },
	}
}

func (distribute) run(_ context.Context, s *session) step {
	random := s.engine.Random
	if random == nil {
		random = rand.IntN
	}
	return result(strconv.Itoa(1 + random(100)))
}

// Bounds and result of wait.
const (
	maxWait       = 604_800 // seconds: seven days
	waitCompleted = "WaitCompleted"
)

// wait lets time pass (Wait). It is for channels on which nobody listens to silence: voice takes the error branch.
type wait struct {
	seconds value
	events  []string
}

func (a *wait) read(p *params) {
	p.rename("TimeLimitSeconds", "TimeoutSeconds")
	a.seconds = p.numberOrPath("TimeoutSeconds", 1, maxWait)
	p.need("TimeoutSeconds")
	a.events = p.texts("Events", "CustomerReturned", "BotParticipantDisconnected")
}

func (a *wait) rules() rules {
	return rules{
		errors: []string{errNoMatch}, pauses: true,
		conditions: func(w *wiring) { w.exactly(append([]string{waitCompleted}, a.events...)...) },
	}
}

func (a *wait) run(ctx context.Context, s *session) step {
	if s.info().Channel == contact.Voice {
		return failedBy(ErrNotSupported)
	}
	n, ok := wholeNumber(s.text(a.seconds), 1, maxWait)
	if !ok {
		return failedBy(errors.New("ivr: TimeoutSeconds is not a number of seconds"))
	}
	event, d := "", time.Duration(n)*time.Second
	err := s.interact(func() (err error) {
		if w, can := s.participant.(Waiter); can {
			event, err = w.Wait(ctx, d, a.events)
			return err
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	switch {
	case err != nil && !s.left(ctx, err) && errs.Is(err, errs.NotFound):
		return step{errorType: errNoParticipant, why: err}
	case err != nil:
		return s.failure(ctx, err)
	case event != "":
		return result(event)
	}
	return result(waitCompleted)
}
