// Package wav reads, writes and repairs WAV files: the sound that people upload as prompts, that a speech synthesiser
// hands over, and that calls are recorded into.
//
//	RIFF <size> WAVE { chunk }           all numbers little-endian
//	chunk:  <4 letters> <size> <size bytes> [pad byte if size is odd]
//	"fmt ": encoding, channels, rate, bytes a second, bytes a frame, bits a sample [, more]
//	"data": the samples, channel after channel, frame after frame
//
// Decode takes what is found in the wild and gives 16-bit samples. Writer streams: the two sizes are zero until Close
// patches them, so a crash leaves a file whose samples are all there and whose sizes are not. Repair patches such a
// file from its length.
//
// Nothing here imports another package of ours; errors are the Err values below, wrapped with the details.
package wav

import (
	"encoding/binary"
	"errors"
)

// Errors of this package; compare with errors.Is.
var (
	ErrFormat      = errors.New("wav: not a WAV file")              // broken structure
	ErrUnsupported = errors.New("wav: unsupported sample encoding") // a WAV file, but MP3 or the like inside
	ErrTooLarge    = errors.New("wav: too large")                   // more bytes than allowed, or than the format can count
)

// Encodings as numbered in the fmt chunk.
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagULaw       = 0x0007
	tagExtensible = 0xFFFE
)

const (
	riffHeader  = 12 // RIFF, size, WAVE
	chunkHeader = 8  // letters, size
	maxRate     = 384_000
	maxChannels = 8
)

// format is a parsed fmt chunk.
type format struct {
	tag      uint16
	channels int
	rate     int
	bits     int
}

// frame is the size of one sample of every channel in bytes.
func (f format) frame() int { return f.channels * f.bits / 8 }

// parseFormat reads a fmt chunk; an extensible one names its encoding in the first two bytes of its GUID.
func parseFormat(b []byte) (format, error) {
	if len(b) < 16 {
		return format{}, wrapf(ErrFormat, "fmt chunk of %d bytes", len(b))
	}
	f := format{
		tag:      binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == tagExtensible {
		if len(b) < 26 {
			return format{}, wrapf(ErrFormat, "extensible fmt chunk of %d bytes", len(b))
		}
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	if f.channels < 1 || f.channels > maxChannels {
		return format{}, wrapf(ErrUnsupported, "%d channels, 1 to %d are read", f.channels, maxChannels)
	}
	if f.rate < 1000 || f.rate > maxRate {
		return format{}, wrapf(ErrUnsupported, "%d samples a second, 1000 to %d are read", f.rate, maxRate)
	}
	ok := false
	switch f.tag {
	case tagPCM:
		ok = f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32
	case tagFloat:
		ok = f.bits == 32
	case tagALaw, tagULaw:
		ok = f.bits == 8
	}
	if !ok {
		return format{}, wrapf(ErrUnsupported, "encoding %#04x with %d bits a sample", f.tag, f.bits)
	}
	return f, nil
}
