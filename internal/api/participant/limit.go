package participant

import (
	"sync"
	"time"
)

// limiter is a bucket of tokens for each key. Buckets that are full again are forgotten.
type limiter struct {
	rate, burst float64
	most        int // keys at once

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

// maxKeys is how many keys a limiter knows; while there are more, keys that it does not know wait.
const maxKeys = 100_000

func newLimiter(rate, burst float64) *limiter {
	return &limiter{rate: rate, burst: burst, most: maxKeys, buckets: map[string]*bucket{}}
}

// take takes a token; false if there is none.
func (l *limiter) take(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, time.Now())
	if b == nil || b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (l *limiter) fill(b *bucket, now time.Time) {
	b.left, b.at = min(l.burst, b.left+now.Sub(b.at).Seconds()*l.rate), now
}

// bucket finds a key's bucket; nil if there are too many.
func (l *limiter) bucket(key string, now time.Time) *bucket {
	if now.Sub(l.swept) > time.Minute || len(l.buckets) >= l.most && now.Sub(l.swept) > time.Second {
		l.swept = now
		for k, b := range l.buckets {
			if l.fill(b, now); b.left >= l.burst {
				delete(l.buckets, k)
			}
		}
	}
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= l.most {
			return nil
		}
		b = &bucket{left: l.burst, at: now}
		l.buckets[key] = b
	}
	l.fill(b, now)
	return b
}
