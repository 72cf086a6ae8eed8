package jobs

import (
	"fmt"
	"time"
)

// Snooze is what a handler returns to make the job due again at a time. It is no failure: nothing is logged, the last
// error stays.
func Snooze(at time.Time) error { return &snoozeError{at} }

type snoozeError struct{ at time.Time }

func (e *snoozeError) Error() string {
	return fmt.Sprintf("jobs: again at %s", e.at.UTC().Format(time.RFC3339))
}

// Permanent is what a handler returns to say that the job can never succeed: it is buried, with err as the reason. A nil
// err stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return "jobs: permanent: " + e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

// Backoff is how long a failed job waits: First after the first attempt, doubled with each further one, never more than
// Most. Of that time, at least half is waited and the rest by chance, so that what failed together does not return
// together.
type Backoff struct {
	First time.Duration // 0: 2 seconds
	Most  time.Duration // 0: 15 minutes
}

func (b Backoff) orDefault() Backoff {
	if b.First <= 0 {
		b.First = 2 * time.Second
	}
	if b.Most <= 0 {
		b.Most = 15 * time.Minute
	}
	return b
}

// delay is the wait after an attempt, counted from 1; chance is in [0, 1).
func (b Backoff) delay(attempt int, chance float64) time.Duration {
	d := b.First
	for i := 1; i < attempt && d < b.Most; i++ {
		d *= 2
	}
	d = min(d, b.Most)
	return d/2 + time.Duration(chance*float64(d/2))
}
