package agent

import "time"

// bucket is a bucket of tokens. Its user locks it.
type bucket struct {
	rate, burst float64
	left        float64
	last        time.Time
}

// take takes a token; false if there is none.
func (b *bucket) take(now time.Time) bool {
	if b.last.IsZero() {
		b.left = b.burst
	} else {
		b.left = min(b.burst, b.left+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
