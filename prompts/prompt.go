package prompts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/prompts/sound"
)

// Limits of an uploaded prompt (A1.10).
const (
	MaxUpload = 50 << 20
	MaxLength = 5 * time.Minute
	// MaxVariants is how many languages a prompt may have.
	MaxVariants = 40
)

// Prompt is a stored prompt of an instance. Its audio lies in the blob store under Key, and that of its variants in other
// languages under theirs, as it was uploaded.
type Prompt struct {
	resource.Meta

	Description string          `json:"description,omitempty"`
	Key         string          `json:"key"`                // of the file that is played when no variant fits
	File        *File           `json:"file,omitempty"`     // what is known of that file; nil of one stored long ago, or not there yet
	Variants    map[string]File `json:"variants,omitempty"` // by language tag (BCP 47)
}

// File is what is known of an uploaded file.
type File struct {
	Key      string       `json:"key"`
	SHA256   string       `json:"sha256"`
	Format   sound.Format `json:"format"`
	Bytes    int64        `json:"bytes"`
	Rate     int          `json:"rate"`
	Channels int          `json:"channels"`
	Millis   int64        `json:"millis"` // how long it plays
}

// Kind is prompt.
func (*Prompt) Kind() resource.Kind { return resource.KindPrompt }

// Refs is empty.
func (*Prompt) Refs() []resource.Ref { return nil }

// Validate checks name, description, keys and languages.
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
	if len(p.Variants) > MaxVariants {
		return errs.Field("Variants", "are %d, at most %d are allowed", len(p.Variants), MaxVariants)
	}
	for tag := range p.Variants {
		if _, err := LanguageTag(tag); err != nil {
			return err
		}
	}
	for key := range p.Keys() {
		if key == "" || len(key) > 1024 || strings.HasPrefix(key, builtinPrefix) {
			return errs.Field("Key", "must name an uploaded file")
		}
	}
	return nil
}

// Keys are the blob keys that the prompt needs.
func (p *Prompt) Keys() map[string]bool {
	keys := map[string]bool{p.Key: true}
	for _, f := range p.Variants {
		keys[f.Key] = true
	}
	return keys
}

// Choose is the key of the file for a language: that of the tag, of the language without its region, of the same language
// elsewhere, and else the prompt's own.
func (p *Prompt) Choose(language string) string {
	if language == "" || len(p.Variants) == 0 {
		return p.Key
	}
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	found, rank := p.Key, 0
	for _, tag := range slices.Sorted(maps.Keys(p.Variants)) {
		r, other := 0, strings.ToLower(tag)
		switch otherBase, _, _ := strings.Cut(other, "-"); {
		case strings.EqualFold(tag, language):
			r = 3
		case other == base:
			r = 2
		case otherBase == base:
			r = 1
		}
		if r > rank {
			found, rank = p.Variants[tag].Key, r
		}
	}
	return found
}

// LanguageTag is the one form of a language tag: "ko-KR", "zh-Hant-TW". errs.Invalid if it is none.
func LanguageTag(tag string) (string, error) {
	parts := strings.Split(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"), "-")
	for i, part := range parts {
		if len(part) > 8 || len(part) < 1 || i == 0 && (len(part) < 2 || len(part) > 3) || strings.ContainsFunc(part, notAlphanumeric) {
			return "", errs.Field("Language", "%.40q is not a language, as ko-KR or en", tag)
		}
		switch {
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + strings.ToLower(part[1:])
		default:
			parts[i] = strings.ToLower(part)
		}
	}
	return strings.Join(parts, "-"), nil
}

func notAlphanumeric(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// CheckUpload reads a file that somebody wants to be a prompt: WAV, MP3, Ogg Vorbis or FLAC, under 50 MB and under 5 minutes.
// errs.Invalid says what is wrong with it. The key is for the caller to choose.
func CheckUpload(ctx context.Context, r io.Reader) (File, error) {
	data, s, err := readSound(ctx, r)
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(data)
	return File{
		SHA256: hex.EncodeToString(sum[:]), Format: s.Format, Bytes: int64(len(data)), Rate: s.Rate, Channels: s.Channels,
		Millis: s.Length().Milliseconds(),
	}, nil
}

func readSound(ctx context.Context, r io.Reader) ([]byte, sound.Sound, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, MaxUpload))
	switch {
	case errors.Is(err, bytes.ErrTooLarge), n >= MaxUpload:
		return nil, sound.Sound{}, errs.Field("File", "must be smaller than %d MB", MaxUpload>>20)
	case err != nil:
		return nil, sound.Sound{}, err // the reader's own: not the file's fault
	}
	s, err := sound.Decode(ctx, b.Bytes(), MaxLength)
	return b.Bytes(), s, err
}
