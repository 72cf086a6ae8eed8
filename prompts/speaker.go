package prompts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"ullim/internal/errs"
)

// Limits of text to be spoken (A1.10): characters that are heard, and all with their mark-up.
const (
	MaxSpokenText = 3000
	MaxText       = 6000
)

// Speaker speaks text and remembers what it has spoken. Make one with NewSpeaker; it is safe for concurrent use.
type Speaker struct {
	synth Synthesizer
	enc   map[string]Encoder
	cache *cache
}

// SpeakerOptions bound a Speaker; zero values mean the defaults.
type SpeakerOptions struct {
	CacheBytes int64 // room for spoken audio; 128 MB
	Concurrent int   // syntheses at the same time; 2
}

// NewSpeaker makes a Speaker that asks synth and encodes for the codecs of enc.
func NewSpeaker(synth Synthesizer, enc map[string]Encoder, o SpeakerOptions) *Speaker {
	if o.CacheBytes <= 0 {
		o.CacheBytes = 128 << 20
	}
	if o.Concurrent <= 0 {
		o.Concurrent = 2
	}
	return &Speaker{synth: synth, enc: enc, cache: newCache(o.CacheBytes, o.Concurrent)}
}

// Speak gives the text as audio. errs.Invalid: no text, too long, mark-up that is not well-formed, a language that the
// provider does not speak; errs.Unavailable: the provider is not there. Those who ask the same at the same time share
// one synthesis.
func (s *Speaker) Speak(ctx context.Context, sp Speech) (*Audio, error) {
	sp, err := normalise(sp)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, part := range []string{s.synth.Name(), sp.Voice, sp.Language, fmt.Sprint(sp.SSML), sp.Text} {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part) // a hash takes everything
	}
	key := hex.EncodeToString(sum.Sum(nil))
	return s.cache.get(ctx, key, func(ctx context.Context) (*Audio, error) {
		pcm, rate, err := s.synth.Synthesize(ctx, sp)
		if err != nil {
			return nil, err
		}
		// The text may be personal: the name that logs show is its digest.
		return NewAudio("speech/"+key[:12], pcm, rate, s.enc), nil
	})
}

// Stats tells how the cache does.
func (s *Speaker) Stats() CacheStats { return s.cache.snapshot() }

// normalise checks the limits, drops what cannot be spoken, and brings mark-up to the form that providers get.
func normalise(sp Speech) (Speech, error) {
	if !utf8.ValidString(sp.Text) {
		return sp, errs.Field("Text", "is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(sp.Text); n > MaxText {
		return sp, errs.Field("Text", "has %d characters, at most %d are allowed", n, MaxText)
	}
	var heard string
	if sp.SSML {
		marked, plain, err := cleanSSML(sp.Text)
		if err != nil {
			return sp, err
		}
		sp.Text, heard = marked, plain
	} else {
		sp.Text = strings.TrimSpace(strings.Map(speakable, sp.Text))
		heard = sp.Text
	}
	if n := utf8.RuneCountInString(heard); n > MaxSpokenText {
		return sp, errs.Field("Text", "has %d characters to be spoken, at most %d are allowed", n, MaxSpokenText)
	}
	if sp.Text == "" {
		return sp, errs.Field("Text", "is empty")
	}
	if sp.Language == "" {
		var ok bool
		if sp.Language, ok = VoiceLanguage(sp.Voice); !ok {
			sp.Language = guessLanguage(heard)
		}
	}
	return sp, nil
}

// speakable drops control characters, which providers may take for commands.
func speakable(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return ' '
	case unicode.IsControl(r):
		return -1
	}
	return r
}

// guessLanguage chooses by script when nobody said which language it is.
func guessLanguage(text string) string {
	han := false
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Hangul, r):
			return "ko-KR"
		case unicode.Is(unicode.Hiragana, r), unicode.Is(unicode.Katakana, r):
			return "ja-JP"
		case unicode.Is(unicode.Han, r):
			han = true
		}
	}
	if han {
		return "zh-CN"
	}
	return "en-US"
}
