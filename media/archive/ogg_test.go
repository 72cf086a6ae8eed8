//go:build opus

package archive

import (
	"encoding/binary"
	"math"
	"testing"

	"ullim/media/opus"
)

// unOgg takes a file apart by the standards, and decodes it at 16 kHz: what is before the first sample and behind the last
// is cut off.
func unOgg(t *testing.T, b []byte) (left, right []int16, head []byte) {
	t.Helper()
	var packets [][]byte
	var current []byte
	var last int64
	for number := uint32(0); len(b) > 0; number++ {
		segments := int(b[26])
		size := 27 + segments
		for _, n := range b[27 : 27+segments] {
			size += int(n)
		}
		page := append([]byte{}, b[:size]...)
		sum := binary.LittleEndian.Uint32(page[22:])
		clear(page[22:26])
		if string(page[:4]) != "OggS" || oggSum(page) != sum || binary.LittleEndian.Uint32(page[18:]) != number {
			t.Fatalf("page %d is damaged", number)
		}
		if first, end := page[5]&2 != 0, page[5]&4 != 0; first != (number == 0) || end != (len(b) == size) {
			t.Fatalf("page %d has flags %#x", number, page[5])
		}
		position := int64(binary.LittleEndian.Uint64(page[6:]))
		if position < last {
			t.Fatalf("page %d goes back to %d", number, position)
		}
		last = position
		at := 27 + segments
		for _, n := range page[27 : 27+segments] {
			current = append(current, page[at:at+int(n)]...)
			at += int(n)
			if n < 255 {
				packets = append(packets, current)
				current = nil
			}
		}
		b = b[size:]
	}
	head = packets[0]
	var decoded [2][]int16
	for c := range 2 {
		d, err := opus.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, 960)
		for i, p := range packets[2:] {
			n, skip := int(p[1]), 2
			if n >= 252 {
				n, skip = n+int(p[2])*4, 3
			}
			one := append([]byte{p[0]}, p[skip:skip+n]...)
			if c == 1 {
				one = p[skip+n:]
			}
			if m := d.Decode(pcm, one); m != 320 {
				t.Fatalf("packet %d of channel %d gives %d samples", i, c, m)
			}
			decoded[c] = append(decoded[c], pcm[:320]...)
		}
	}
	skip, end := int(binary.LittleEndian.Uint16(head[10:]))/3, int(last)/3
	return decoded[0][skip:end], decoded[1][skip:end], head
}

// level is how much of a frequency there is, in samples at 16 kHz.
func level(pcm []int16, hertz float64) float64 {
	var re, im float64
	for i, v := range pcm {
		a := 2 * math.Pi * hertz * float64(i) / 16000
		re, im = re+float64(v)*math.Cos(a), im+float64(v)*math.Sin(a)
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

func TestOpusKeepsLengthAndChannels(t *testing.T) {
	for _, n := range []int{0, 1, 159, 160, 161, 8000, 40_001} {
		b := converted(t, file(t, call(n), 2), Opus)
		left, right, head := unOgg(t, b)
		if len(left) != 2*n || len(right) != 2*n {
			t.Errorf("%d frames: %d left, %d right, want %d", n, len(left), len(right), 2*n)
		}
		if string(head[:8]) != "OpusHead" || head[9] != 2 || binary.LittleEndian.Uint32(head[12:]) != 8000 {
			t.Errorf("the head is %q", head)
		}
		if n < 8000 {
			continue
		}
		left, right = left[1600:14400], right[1600:14400]
		if a, b := level(left, 400), level(right, 1000); a < 4000 || a > 8000 || b < 8000 || b > 16000 {
			t.Errorf("%d frames: the tones have %.0f and %.0f", n, a, b)
		}
		if a, b := level(left, 1000), level(right, 400); a > 300 || b > 300 {
			t.Errorf("%d frames: one side leaks into the other: %.0f, %.0f", n, a, b)
		}
	}
}
