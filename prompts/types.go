package prompts

import (
	"context"
)

// Encoder turns 8 kHz mono PCM into the payload of one codec, byte for sample (G.711).
type Encoder func(pcm []int16) []byte

// Speech asks for text to be spoken.
type Speech struct {
	Text       string
	SSML       bool
	Language   string  // BCP 47, "ko-KR", "en-US"; empty: the provider's default
	Voice      string  // a name of Amazon's, or the provider's own; empty: its default for the language
	InstanceID string  // whose prompts an audio tag names
	Rate       float64 // 1 or 0: as the voice has it; 0.2 to 2
	Pitch      float64 // 1 or 0: as the voice has it; 0.5 to 2
}

// Synthesizer turns text into PCM. Synthesize gives 16-bit mono samples at the given rate in hertz; it ends with ctx. What it
// gets is one stretch of text in one language; mark-up (SSML) in it has at most emphasis, phoneme and say-as, written by
// this package (see package ssml), and those who cannot use it take PlainText.
type Synthesizer interface {
	Name() string
	Synthesize(ctx context.Context, s Speech) (pcm []int16, rate int, err error)
}

// Substitute is a Synthesizer that knows others to ask. first says that the one that is wanted answered; what another said is
// remembered for a short time only.
type Substitute interface {
	Synthesizer
	SynthesizeBy(ctx context.Context, s Speech) (pcm []int16, rate int, first bool, err error)
}
