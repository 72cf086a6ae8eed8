package media

import (
	"fmt"
	"time"
)

// DeadPolicy says how long missing media is waited for. Anything from the far end counts as life: audio, comfort noise,
// keys, RTCP. So does every negotiation, hold and resume among them. Zero means the default, negative means for ever.
type DeadPolicy struct {
	NeverStarted time.Duration // nothing at all came; 30 s
	Stopped      time.Duration // it came and stopped; 60 s
	Held         time.Duration // nothing is expected, because they hold us or only listen; for ever
}

func (d DeadPolicy) withDefaults() DeadPolicy {
	if d.NeverStarted == 0 {
		d.NeverStarted = 30 * time.Second
	}
	if d.Stopped == 0 {
		d.Stopped = 60 * time.Second
	}
	if d.Held == 0 {
		d.Held = -1
	}
	return d
}

// life is what is known of a far end's.
type life struct {
	agreed time.Time // of the last negotiation
	heard  time.Time // of the last packet; zero: never
	held   bool      // nothing is expected of it
}

// judge says why a far end is dead at now; empty: it is not, or not yet.
func (d DeadPolicy) judge(l life, now time.Time) string {
	since, limit, text := l.agreed, d.NeverStarted, "no audio ever came"
	if l.heard.After(since) {
		since = l.heard
	}
	switch {
	case l.held:
		limit, text = d.Held, "nothing was heard while on hold"
	case !l.heard.IsZero():
		limit, text = d.Stopped, "audio stopped"
	}
	if limit < 0 || now.Sub(since) < limit {
		return ""
	}
	return fmt.Sprintf("%s: %s without a packet", text, limit)
}
