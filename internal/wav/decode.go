package wav

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Sound is decoded audio. PCM holds the channels interleaved.
type Sound struct {
	Rate     int
	Channels int
	PCM      []int16
}

// Length is how long the sound plays.
func (s Sound) Length() time.Duration {
	if s.Rate <= 0 || s.Channels <= 0 {
		return 0
	}
	return time.Duration(len(s.PCM)/s.Channels) * time.Second / time.Duration(s.Rate)
}

// Mono is the sound with its channels mixed into one.
func (s Sound) Mono() Sound {
	if s.Channels <= 1 {
		return s
	}
	pcm := make([]int16, len(s.PCM)/s.Channels)
	for i := range pcm {
		sum := 0
		for _, v := range s.PCM[i*s.Channels : (i+1)*s.Channels] {
			sum += int(v)
		}
		pcm[i] = int16(sum / s.Channels)
	}
	return Sound{Rate: s.Rate, Channels: 1, PCM: pcm}
}

// Decode reads a whole WAV file of at most maxBytes: PCM of 8, 16, 24 or 32 bits, 32-bit float, A-law and µ-law. A data
// chunk whose size is zero, 0xFFFFFFFF or larger than the file, as streaming writers and espeak-ng leave it, means "to
// the end". Errors are ErrFormat, ErrUnsupported, ErrTooLarge, or the reader's own.
func Decode(r io.Reader, maxBytes int64) (Sound, error) {
	all, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return Sound{}, fmt.Errorf("wav: read: %w", err)
	}
	if int64(len(all)) > maxBytes {
		return Sound{}, wrapf(ErrTooLarge, "more than %d bytes", maxBytes)
	}
	if len(all) < riffHeader || !bytes.Equal(all[:4], []byte("RIFF")) || !bytes.Equal(all[8:12], []byte("WAVE")) {
		return Sound{}, wrapf(ErrFormat, "no RIFF WAVE header")
	}
	var f format
	known := false
	for rest := all[riffHeader:]; len(rest) >= chunkHeader; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[chunkHeader:]
		if name == "data" {
			if !known {
				return Sound{}, wrapf(ErrFormat, "data before fmt")
			}
			if size == 0 || size > int64(len(body)) {
				size = int64(len(body))
			}
			return f.decode(body[:size]), nil
		}
		if size > int64(len(body)) {
			return Sound{}, wrapf(ErrFormat, "chunk %q says %d bytes, %d are left", name, size, len(body))
		}
		if name == "fmt " {
			if f, err = parseFormat(body[:size]); err != nil {
				return Sound{}, err
			}
			known = true
		}
		rest = body[min(size+size%2, int64(len(body))):]
	}
	return Sound{}, wrapf(ErrFormat, "no data chunk")
}

// decode turns the bytes of the data chunk into samples; an incomplete frame at the end is left out.
func (f format) decode(b []byte) Sound {
	b = b[:len(b)-len(b)%f.frame()]
	pcm := make([]int16, len(b)*8/f.bits)
	switch {
	case f.tag == tagULaw:
		for i := range pcm {
			pcm[i] = fromULaw(b[i])
		}
	case f.tag == tagALaw:
		for i := range pcm {
			pcm[i] = fromALaw(b[i])
		}
	case f.tag == tagFloat:
		for i := range pcm {
			pcm[i] = fromFloat(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case f.bits == 8: // the one unsigned size
		for i := range pcm {
			pcm[i] = (int16(b[i]) - 128) << 8
		}
	default: // 16, 24, 32: the two most significant bytes are last
		step := f.bits / 8
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(b[step*i+step-2:]))
		}
	}
	return Sound{Rate: f.rate, Channels: f.channels, PCM: pcm}
}

func fromFloat(v float32) int16 {
	switch {
	case v != v: // NaN
		return 0
	case v >= 1:
		return math.MaxInt16
	case v <= -1:
		return math.MinInt16
	}
	return int16(v * math.MaxInt16)
}

// fromULaw expands one µ-law byte (ITU-T G.711): sign, three bits of segment, four of mantissa, all inverted.
func fromULaw(u byte) int16 {
	u = ^u
	v := (int16(u&0x0F)<<3 + 0x84) << (u >> 4 & 7)
	if u&0x80 != 0 {
		return 0x84 - v
	}
	return v - 0x84
}

// fromALaw expands one A-law byte (ITU-T G.711); every other bit is inverted on the line.
func fromALaw(a byte) int16 {
	a ^= 0x55
	v := int16(a&0x0F)<<4 + 8
	if segment := a >> 4 & 7; segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if a&0x80 == 0 {
		return -v
	}
	return v
}

// wrapf adds details to one of the package's errors.
func wrapf(err error, text string, args ...any) error {
	return fmt.Errorf("%w: %s", err, fmt.Sprintf(text, args...))
}
