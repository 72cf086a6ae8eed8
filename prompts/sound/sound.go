// Package sound reads the files that people upload as prompts: WAV of every usual kind, MP3, Ogg Vorbis and FLAC. What a file
// is, is told by its first bytes and never by its name.
//
//	Decode(data, limits) -> Sound: one channel of 16-bit samples at the file's rate
//
// A file may come from anybody and may be made to harm. So: all of it is in memory before it is read, and no larger than
// the caller allows; samples are mixed to one channel as they come, and reading ends at the longest time allowed, so a
// file of a few bytes cannot become hours; headers that decoders would take at their word when they ask for memory (ID3
// tags, the codebooks of Vorbis, pictures in FLAC) are checked or cut off before; a decoder that panics is an error. Loudness is
// left as it is.
package sound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ullim/internal/errs"
	"ullim/internal/wav"
)

// Format is a kind of file.
type Format string

// Formats.
const (
	WAV    Format = "wav"
	MP3    Format = "mp3"
	Vorbis Format = "ogg"
	FLAC   Format = "flac"
)

// ContentType is the media type of a format.
func (f Format) ContentType() string {
	return map[Format]string{WAV: "audio/wav", MP3: "audio/mpeg", Vorbis: "audio/ogg", FLAC: "audio/flac"}[f]
}

// Sound is a decoded file.
type Sound struct {
	Format   Format
	Rate     int
	Channels int // of the file
	PCM      []int16
}

// Length is how long it plays.
func (s Sound) Length() time.Duration {
	if s.Rate <= 0 {
		return 0
	}
	return time.Duration(len(s.PCM)) * time.Second / time.Duration(s.Rate)
}

// Rates that are taken.
const (
	minRate     = 4000
	maxRate     = 192_000
	maxChannels = 8
)

// Sniff tells by its first bytes what a file is; empty: nothing that is known.
func Sniff(data []byte) Format {
	switch {
	case len(data) >= 12 && bytes.Equal(data[:4], []byte("RIFF")) && bytes.Equal(data[8:12], []byte("WAVE")):
		return WAV
	case bytes.HasPrefix(data, []byte("OggS")):
		return Vorbis
	case bytes.HasPrefix(data, []byte("fLaC")):
		return FLAC
	case bytes.HasPrefix(data, []byte("ID3")):
		if rest := withoutID3(data); bytes.HasPrefix(rest, []byte("fLaC")) {
			return FLAC
		}
		return MP3
	case len(data) >= 2 && data[0] == 0xff && data[1]&0xe0 == 0xe0 && data[1]&0x06 != 0: // frame sync, and a layer
		return MP3
	}
	return ""
}

// errTooLong is the end of reading a file that goes on after the longest time allowed.
var errTooLong = errors.New("sound: too long")

// Decode reads a file that plays for less than longest. errs.Invalid says what is wrong with it; the context's error ends it early.
func Decode(ctx context.Context, data []byte, longest time.Duration) (s Sound, err error) {
	format := Sniff(data)
	defer func() {
		if p := recover(); p != nil { // a decoder met something that its author did not think of
			s, err = Sound{}, invalid("is a broken %s file", format)
		}
	}()
	m := &mixer{ctx: ctx, longest: longest}
	switch format {
	case WAV:
		err = decodeWAV(m, data)
	case MP3:
		err = decodeMP3(m, withoutID3(data))
	case Vorbis:
		err = decodeVorbis(m, data)
	case FLAC:
		err = decodeFLAC(m, withoutID3(data))
	default:
		return Sound{}, invalid("is none of WAV, MP3, Ogg Vorbis and FLAC")
	}
	var known *errs.Error
	switch {
	case errors.Is(err, errTooLong):
		return Sound{}, invalid("is longer than %v", longest)
	case err != nil && (ctx.Err() != nil || errors.As(err, &known)):
		return Sound{}, err
	case err != nil:
		return Sound{}, invalid("is a broken %s file: %.200v", format, err)
	case len(m.pcm) == 0:
		return Sound{}, invalid("has no sound in it")
	}
	return Sound{Format: format, Rate: m.rate, Channels: m.channels, PCM: m.pcm}, nil
}

func invalid(text string, args ...any) error { return errs.Field("File", text, args...) }

func decodeWAV(m *mixer, data []byte) error {
	s, err := wav.Decode(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	if err = m.begin(s.Rate, s.Channels); err != nil {
		return err
	}
	if s.Length() >= m.longest {
		return errTooLong
	}
	m.pcm = s.Mono().PCM
	return nil
}

// mixer makes one channel of what a decoder gives, bit by bit, and ends when it is enough.
type mixer struct {
	ctx            context.Context //nolint:containedctx // lives for one Decode
	longest        time.Duration
	rate, channels int
	room           int // samples
	pcm            []int16
}

func (m *mixer) begin(rate, channels int) error {
	if rate < minRate || rate > maxRate || channels < 1 || channels > maxChannels {
		return invalid("has %d channels at %d Hz; 1 to %d at %d to %d can be played", channels, rate, maxChannels, minRate, maxRate)
	}
	m.rate, m.channels = rate, channels
	m.room = int(m.longest.Seconds() * float64(rate))
	return nil
}

// frame adds one sample, the mean of all channels given as -1 to 1.
func (m *mixer) frame(sum float64) error {
	if len(m.pcm) >= m.room {
		return errTooLong
	}
	if len(m.pcm)%16_384 == 0 && m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	v := sum / float64(m.channels) * 32768
	if v != v {
		v = 0
	}
	m.pcm = append(m.pcm, int16(math.Round(min(max(v, math.MinInt16), math.MaxInt16))))
	return nil
}
