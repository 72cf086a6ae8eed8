package prompts

import (
	"context"
	"hash/fnv"
	"time"
	"unicode/utf8"
)

// ToneSynthesizer is a test voice: it needs no child process, so it works in virtual time, and it gives every text a
// sequence of tones of its own, so that a test can tell by the sound what was said. A character sounds 50 ms (at least
// 200 ms, at most 30 s in all), in tones of 100 ms between 400 and 1,500 Hz. It is not meant for callers.
type ToneSynthesizer struct{}

var _ Synthesizer = ToneSynthesizer{}

// Name is tone.
func (ToneSynthesizer) Name() string { return "tone" }

// Synthesize gives the tones, at 8 kHz.
func (ToneSynthesizer) Synthesize(ctx context.Context, s Speech) ([]int16, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, context.Cause(ctx)
	}
	const step = 100 * time.Millisecond
	steps := max(2, min(300, (utf8.RuneCountInString(s.Text)+1)/2))
	h := fnv.New64a()
	for _, part := range []string{s.Language, "\x00", s.Voice, "\x00", s.Text} {
		_, _ = h.Write([]byte(part)) // a hash takes everything
	}
	state := h.Sum64()
	pcm := make([]int16, 0, steps*int(step*Rate/time.Second))
	for range steps {
		pcm = append(pcm, Tone(400+100*float64(state>>60%12), step, -12)...)
		state = state*6364136223846793005 + 1442695040888963407
	}
	return pcm, Rate, nil
}
