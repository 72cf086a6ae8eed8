package prompts

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/wav"
)

// Limits of an uploaded prompt (A1.10).
const (
	MaxUpload = 50 << 20
	MaxLength = 5 * time.Minute
)

// Validate checks name, description and key.
func (p *Prompt) Validate() error {
	if n := utf8.RuneCountInString(p.Name); n < 1 || n > 256 || strings.TrimSpace(p.Name) != p.Name {
		return errs.Field("Name", "must have 1 to 256 characters and no space at its ends")
	}
	if strings.ContainsFunc(p.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errs.Field("Name", "must not have control characters")
	}
	if n := utf8.RuneCountInString(p.Description); n > 250 {
		return errs.Field("Description", "has %d characters, at most 250 are allowed", n)
	}
	if p.Key == "" || len(p.Key) > 1024 || strings.HasPrefix(p.Key, builtinPrefix) {
		return errs.Field("Key", "must name an uploaded file")
	}
	return nil
}

// Upload is what CheckUpload found.
type Upload struct {
	Rate, Channels int
	Length         time.Duration
}

// CheckUpload reads a file that somebody wants to be a prompt: a WAV under 50 MB and under 5 minutes. errs.Invalid says
// what is wrong with it.
func CheckUpload(r io.Reader) (Upload, error) {
	u, _, err := readSound(r)
	return u, err
}

func readSound(r io.Reader) (Upload, []int16, error) {
	sound, err := wav.Decode(r, MaxUpload-1)
	switch {
	case errors.Is(err, wav.ErrTooLarge):
		return Upload{}, nil, errs.Field("File", "must be smaller than %d MB", MaxUpload>>20)
	case errors.Is(err, wav.ErrFormat), errors.Is(err, wav.ErrUnsupported):
		return Upload{}, nil, &errs.Error{
			Kind: errs.Invalid, Field: "File", Message: "is not a WAV file that can be played: " + err.Error(),
		}
	case err != nil:
		return Upload{}, nil, err // the reader's own: not the file's fault
	case sound.Rate < 4000 || sound.Rate > 192_000 || sound.Channels < 1 || sound.Channels > 8:
		return Upload{}, nil, errs.Field("File", "has %d channels at %d Hz; 1 to 8 at 4,000 to 192,000 can be played",
			sound.Channels, sound.Rate)
	case len(sound.PCM) == 0:
		return Upload{}, nil, errs.Field("File", "has no sound in it")
	}
	u := Upload{Rate: sound.Rate, Channels: sound.Channels, Length: sound.Length()}
	if u.Length >= MaxLength {
		return u, nil, errs.Field("File", "is %v long, it must be shorter than %v", u.Length.Round(time.Second), MaxLength)
	}
	return u, sound.Mono().PCM, nil
}
