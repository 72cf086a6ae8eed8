package prompts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"ullim/internal/errs"
	"ullim/prompts/sound"
)

// Limits of text to be spoken (A1.10): characters that are heard, and all with their mark-up.
const (
	MaxSpokenText = 3000
	MaxText       = 6000
)

// Times for which what is not for ever is remembered.
const (
	substituteTime = time.Minute      // said by another provider than the one wanted
	fetchedTime    = 10 * time.Minute // got from an address
	maxFetch       = 10 << 20         // bytes of it
)

// Sounds finds stored prompts for audio tags; *Catalogue does.
type Sounds interface {
	Prompt(ctx context.Context, instanceID, ref, language string) (*Audio, error)
}

// Fetcher gets files from https addresses that tenants wrote. It guards against addresses that are none of their business, and
// gives at most so many bytes.
type Fetcher interface {
	Fetch(ctx context.Context, instanceID, address string, atMost int64) ([]byte, error)
}

// Speaker speaks text and remembers what it has spoken. Make one with NewSpeaker; it is safe for concurrent use.
type Speaker struct {
	synth Synthesizer
	enc   map[string]Encoder
	cache *cache
	whole wholes
	hush  map[string][]byte // a frame of silence per codec
	o     SpeakerOptions
}

// SpeakerOptions bound a Speaker; zero values mean the defaults.
type SpeakerOptions struct {
	CacheBytes int64        // room for spoken audio; 128 MB
	Concurrent int          // syntheses at the same time; 2
	Sounds     Sounds       // nil: audio tags name nothing
	Fetcher    Fetcher      // nil: addresses are not fetched
	Log        *slog.Logger // nil: nowhere
}

// NewSpeaker makes a Speaker that asks synth and encodes for the codecs of enc.
func NewSpeaker(synth Synthesizer, enc map[string]Encoder, o SpeakerOptions) *Speaker {
	if o.CacheBytes <= 0 {
		o.CacheBytes = 128 << 20
	}
	if o.Concurrent <= 0 {
		o.Concurrent = 2
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Speaker{synth: synth, enc: enc, cache: newCache(o.CacheBytes, o.Concurrent), hush: map[string][]byte{}, o: o}
	for codec, frames := range NewAudio("", Silence(FrameLength), Rate, enc).frames {
		s.hush[codec] = frames[0]
	}
	return s
}

// Speak gives the text as audio. errs.Invalid: no text, too long, mark-up that is not well-formed, a language that the
// provider does not speak; errs.Unavailable: no provider is there. Those who ask the same at the same time share one
// synthesis. Of a long text only the beginning is there when Speak returns; the audio grows until ctx ends or it is
// abandoned. What fails later than its beginning ends the audio and is logged.
func (s *Speaker) Speak(ctx context.Context, sp Speech) (*Audio, error) {
	if a := s.whole.get(sp, time.Now()); a != nil {
		return a, nil
	}
	list, err := units(sp)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 && list[0].pause == 0 {
		return s.unit(ctx, list[0])
	}
	name := "speech/" + digest(sp.Language, sp.Voice, sp.Text)[:12]
	var have []*Audio
	spoken, named := false, false
	for i, u := range list {
		named = named || u.audio != "" // what it names may change at any time
		if spoken && u.pause == 0 && (u.audio != "" || !s.cache.has(u.key(s.synth.Name()))) {
			return s.rest(ctx, join(name, have), list[i:]), nil
		}
		a, err := s.unit(ctx, u)
		if err != nil {
			return nil, err
		}
		have, spoken = append(have, a), spoken || u.pause == 0
	}
	a := join(name, have)
	if !named {
		s.whole.put(sp, a, time.Now())
	}
	return a, nil
}

// rest makes what is left while the beginning is played.
func (s *Speaker) rest(ctx context.Context, begun *Audio, list []unit) *Audio {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := begun.grow(cancel)
	detach := context.AfterFunc(ctx, cancel)
	go func() {
		defer cancel()
		defer detach()
		defer a.finish()
		for _, u := range list {
			more, err := s.unit(work, u)
			if work.Err() != nil {
				return // nobody listens any more
			}
			if err != nil {
				s.o.Log.WarnContext(work, "speech cut short", "audio", a.Name, "error", err)
				return
			}
			a.add(more)
		}
	}()
	return a
}

// unit makes one unit.
func (s *Speaker) unit(ctx context.Context, u unit) (*Audio, error) {
	switch {
	case u.audio != "":
		a, err := s.sound(ctx, u)
		if err == nil || ctx.Err() != nil || len(u.other) == 0 {
			return a, err
		}
		s.o.Log.InfoContext(ctx, "sound in spoken text not played", "error", err)
		var list []*Audio
		for _, o := range u.other {
			if a, err = s.unit(ctx, o); err != nil {
				return nil, err
			}
			list = append(list, a)
		}
		return join("speech/other", list), nil
	case u.pause > 0:
		return s.silence(u.pause), nil
	}
	key := u.key(s.synth.Name())
	return s.cache.get(ctx, key, func(ctx context.Context) (*Audio, time.Duration, error) {
		pcm, rate, first, err := s.synthesize(ctx, u.speech)
		if err != nil {
			return nil, 0, err
		}
		if u.tight {
			pcm = trim(pcm, rate)
		}
		amplify(pcm, u.gain)
		keep := time.Duration(0)
		if !first {
			keep = substituteTime
		}
		// The text may be personal: the name that logs show is its digest.
		return NewAudio("speech/"+key[:12], pcm, rate, s.enc), keep, nil
	})
}

func (s *Speaker) synthesize(ctx context.Context, sp Speech) (pcm []int16, rate int, first bool, err error) {
	if by, ok := s.synth.(Substitute); ok {
		return by.SynthesizeBy(ctx, sp)
	}
	pcm, rate, err = s.synth.Synthesize(ctx, sp)
	return pcm, rate, true, err
}

// sound is what an audio tag names: an https address, or a prompt.
func (s *Speaker) sound(ctx context.Context, u unit) (*Audio, error) {
	if !strings.HasPrefix(u.audio, "https://") {
		if s.o.Sounds == nil {
			return nil, errs.New(errs.NotFound, "there are no prompts")
		}
		return s.o.Sounds.Prompt(ctx, u.speech.InstanceID, strings.TrimPrefix(u.audio, "prompt:"), u.speech.Language)
	}
	if s.o.Fetcher == nil {
		return nil, errs.New(errs.Unavailable, "sounds are not fetched from addresses here")
	}
	key := digest("fetched", u.speech.InstanceID, u.audio)
	return s.cache.get(ctx, key, func(ctx context.Context) (*Audio, time.Duration, error) {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		data, err := s.o.Fetcher.Fetch(limited, u.speech.InstanceID, u.audio, maxFetch)
		if err != nil {
			return nil, 0, err
		}
		file, err := sound.Decode(limited, data, MaxLength)
		if err != nil {
			return nil, 0, err
		}
		return NewAudio("fetched/"+key[:12], file.PCM, file.Rate, s.enc), fetchedTime, nil
	})
}

// silence is a pause; all its frames are one.
func (s *Speaker) silence(d time.Duration) *Audio {
	n := int((d + FrameLength - 1) / FrameLength)
	a := &Audio{Name: "pause", Length: time.Duration(n) * FrameLength, frames: map[string][][]byte{}}
	for codec, frame := range s.hush {
		list := make([][]byte, n)
		for i := range list {
			list[i] = frame
		}
		a.frames[codec] = list
	}
	return a
}

// Stats tells how the cache does.
func (s *Speaker) Stats() CacheStats { return s.cache.snapshot() }

// digest is one name for several texts.
func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
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
