package prompts

import (
	"context"
	"time"

	"ullim/internal/resource"
)

// Prompt is a stored prompt of an instance. Its audio lies in the blob store under Key.
type Prompt struct {
	resource.Meta
	Description string `json:"description,omitempty"`
	Key         string `json:"key"` // blob key of the WAV as uploaded
}

// Kind is prompt.
func (*Prompt) Kind() resource.Kind { return resource.KindPrompt }

// Refs is empty.
func (*Prompt) Refs() []resource.Ref { return nil }

// Audio is sound ready to be sent: 20 ms frames per codec, made once, shared by all calls, read-only.
type Audio struct {
	Name   string
	Length time.Duration
	frames map[string][][]byte
}

// Frames gives the frames for a codec by its RTP encoding name (PCMU, PCMA); nil for another.
func (a *Audio) Frames(codec string) [][]byte { return a.frames[codec] }

// Encoder turns 8 kHz mono PCM into the payload of one codec, byte for sample (G.711).
type Encoder func(pcm []int16) []byte

// Speech asks for text to be spoken.
type Speech struct {
	Text     string
	SSML     bool
	Language string // BCP 47, "ko-KR", "en-US"; empty: the provider's default
	Voice    string // the provider's name of a voice; empty: its default for the language
}

// Synthesizer turns text into PCM. Synthesize gives 16-bit mono samples at the given rate in hertz; it ends with ctx.
type Synthesizer interface {
	Name() string
	Synthesize(ctx context.Context, s Speech) (pcm []int16, rate int, err error)
}
