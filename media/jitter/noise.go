package jitter

import "math"

// Noise is comfort noise (RFC 3389): what is played while the far end sends none of its own silence. The zero value is silence.
type Noise struct {
	scale   float32 // of the white noise
	order   int
	k       [noiseOrder]float32 // reflection coefficients
	state   [noiseOrder + 1]float32
	random  uint32
	present bool
}

// noiseOrder is how many coefficients are used; senders use about ten, and the rest of a longer packet is fine detail.
const noiseOrder = 12

// Payload takes the payload of a comfort-noise packet. False: it is not one.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|0|    level    |  N1  ...  NM  |   RFC 3389 §3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The level is in -dBov; N are reflection coefficients. A filter of those makes the noise louder, so that is taken back.
func (n *Noise) Payload(p []byte) bool {
	if len(p) == 0 || p[0]&0x80 != 0 {
		return false
	}
	n.order = min(len(p)-1, noiseOrder)
	gain := 1.0
	for i := range n.order {
		k := (float64(p[1+i]) - 127) / 128 // RFC 3389 §3.2
		k = min(max(k, -0.98), 0.98)       // a filter that rings for ever would not be noise
		n.k[i] = float32(k)
		gain *= 1 - k*k
	}
	level := 32768 * math.Pow(10, -float64(p[0])/20)
	// White noise evenly spread over ±1 has a power of a third.
	n.scale = float32(level * math.Sqrt(3*gain))
	n.present = true
	return true
}

// Level sets white noise of a level in -dBov.
func (n *Noise) Level(level uint8) { n.Payload([]byte{level & 0x7F}) }

// Present reports whether a level is known.
func (n *Noise) Present() bool { return n.present }

// Reset makes it silent.
func (n *Noise) Reset() { *n = Noise{} }

// Fill makes the next samples.
func (n *Noise) Fill(dst []int16) {
	if !n.present {
		clear(dst)
		return
	}
	for i := range dst {
		n.random = n.random*1664525 + 1013904223
		f := n.scale * float32(int32(n.random)) / (1 << 31)
		for j := n.order - 1; j >= 0; j-- { // an all-pole lattice
			f -= n.k[j] * n.state[j]
			n.state[j+1] = n.state[j] + n.k[j]*f
		}
		n.state[0] = f
		dst[i] = int16(min(max(f, -32768), 32767))
	}
}

// Floor estimates the noise behind a voice: it follows the quietest frames. The zero value is ready.
type Floor struct {
	power float64
	known bool
}

// Add takes a frame.
func (f *Floor) Add(pcm []int16) {
	if len(pcm) == 0 {
		return
	}
	power := energy(pcm)
	switch {
	case !f.known:
		f.power, f.known = power, true
	case power < f.power:
		f.power += (power - f.power) * 0.25
	default:
		f.power += min(power-f.power, f.power*0.02+0.02) // 4 dB a second: a word is over before it counts as noise
	}
}

// Level is the noise in -dBov, 0 to 127, as RFC 3389 sends it.
func (f *Floor) Level() uint8 {
	if f.power < 1e-6 {
		return 127
	}
	return uint8(min(max(-10*math.Log10(f.power/(32768*32768)), 0), 127))
}

// energy is the mean square.
func energy(pcm []int16) float64 {
	var sum int64
	for _, v := range pcm {
		sum += int64(v) * int64(v)
	}
	return float64(sum) / float64(max(len(pcm), 1))
}

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }
