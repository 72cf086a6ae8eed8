package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxAttempts of one delivery: the first, and three more.
const MaxAttempts = 4

// firstWait is waited after the first attempt; each further wait is twice as long.
const firstWait = 100 * time.Millisecond

// attempt is how one attempt came out.
type attempt struct {
	outcome Outcome
	header  http.Header // of the answer; may be nil
}

// again says whether a delivery is tried once more, and after which wait. n counts the attempts so far from 1, left is what
// is left of the limit, chance is in [0, 1).
func again(n int, a attempt, left time.Duration, now time.Time, chance float64) (wait time.Duration, ok bool) {
	if n >= MaxAttempts || !a.outcome.passing() {
		return 0, false
	}
	base := firstWait << (n - 1)
	wait = base/2 + time.Duration(chance*float64(base))
	if asked, told := retryAfter(a.header, now); told {
		wait = max(wait, asked)
	}
	return wait, wait < left
}

// retryAfter reads how long the service asks us to wait: seconds, or a date (RFC 9110 §10.2.3).
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
