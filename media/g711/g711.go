// Package g711 converts between linear samples and the two codecs of the telephone network, ITU-T G.711 µ-law and
// A-law, one byte a sample at 8,000 samples a second.
//
// Everything is a look-up: four tables, filled once at start by zaf/g711 and never written again, so that the packet
// path neither computes nor allocates. Functions with dst write as many samples as fit in the shorter of the two slices
// and return that number.
package g711

import "github.com/zaf/g711"

// Silence in each codec: the byte of a zero sample.
const (
	ULawSilence = 0xFF
	ALawSilence = 0xD5
)

// tables hold every conversion. The encoders need all 65,536 samples only to be exact at the edges of the segments.
type tables struct {
	fromULaw, fromALaw [256]int16
	toULaw, toALaw     [1 << 16]byte
	uToA, aToU         [256]byte
}

//nolint:gochecknoglobals // constants of the standard, too many to write down; filled at start, read-only ever after
var table = fill()

func fill() *tables {
	t := new(tables)
	for i := range 256 {
		b := byte(i)
		t.fromULaw[i], t.fromALaw[i] = g711.DecodeUlawFrame(b), g711.DecodeAlawFrame(b)
		t.uToA[i], t.aToU[i] = g711.Ulaw2AlawFrame(b), g711.Alaw2UlawFrame(b)
	}
	for i := range 1 << 16 {
		t.toULaw[i], t.toALaw[i] = g711.EncodeUlawFrame(int16(i)), g711.EncodeAlawFrame(int16(i))
	}
	return t
}

// EncodeULaw encodes samples.
func EncodeULaw(dst []byte, pcm []int16) int { return encode(&table.toULaw, dst, pcm) }

// EncodeALaw encodes samples.
func EncodeALaw(dst []byte, pcm []int16) int { return encode(&table.toALaw, dst, pcm) }

// DecodeULaw decodes a payload.
func DecodeULaw(dst []int16, payload []byte) int { return decode(&table.fromULaw, dst, payload) }

// DecodeALaw decodes a payload.
func DecodeALaw(dst []int16, payload []byte) int { return decode(&table.fromALaw, dst, payload) }

// ULawToALaw re-encodes a payload in place.
func ULawToALaw(payload []byte) { replace(&table.uToA, payload) }

// ALawToULaw re-encodes a payload in place.
func ALawToULaw(payload []byte) { replace(&table.aToU, payload) }

func encode(t *[1 << 16]byte, dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	for i, v := range pcm[:n] {
		dst[i] = t[uint16(v)]
	}
	return n
}

func decode(t *[256]int16, dst []int16, payload []byte) int {
	n := min(len(dst), len(payload))
	for i, b := range payload[:n] {
		dst[i] = t[b]
	}
	return n
}

func replace(t *[256]byte, payload []byte) {
	for i, b := range payload {
		payload[i] = t[b]
	}
}
