package dtmf

import (
	"math"
	"strings"
)

// The sound of a key: 100 ms, and 60 ms until the next one; the lower tone at -9 dBm0, the higher at -7 (ITU-T Q.23 leaves the levels
// to the network; a long line weakens the higher one).
const (
	toneMs = 100
	restMs = 60
	rampMs = 2

	lowLevel  = 8100  // -9 dBm0: a sine of full scale is at +3.14
	highLevel = 10190 // -7 dBm0
)

// Tones appends the sound of keys, at 8,000 or 16,000 samples a second: 100 ms each and 60 ms of silence after each. What is no
// key is silence.
func Tones(dst []int16, keys string, rate int) []int16 {
	for i := range len(keys) {
		dst = tone(dst, keys[i], rate, toneMs*rate/1000)
		for range restMs * rate / 1000 {
			dst = append(dst, 0)
		}
	}
	return dst
}

func tone(dst []int16, key byte, rate, n int) []int16 {
	at := strings.IndexByte(keypad, key)
	ramp := rampMs * rate / 1000
	for i := range n {
		var v float64
		if at >= 0 {
			x := 2 * math.Pi * float64(i) / float64(rate)
			v = lowLevel*math.Sin(x*hertz[at/4]) + highLevel*math.Sin(x*hertz[4+at%4])
			v *= min(1, float64(min(i, n-i))/float64(ramp))
		}
		dst = append(dst, int16(v))
	}
	return dst
}
