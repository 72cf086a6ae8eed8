package rtcp

import (
	"math"
	"time"
)

// Codec is what the E-model must know of a codec.
type Codec uint8

// Codecs.
const (
	G711 Codec = iota
	G722
	Opus
)

// Quality is what the ear gets.
type Quality struct {
	Codec  Codec
	Loss   float64       // share lost or too late, 0 to 1
	Burst  float64       // burst ratio of ITU-T G.107: 1 random, more: in bursts; 0 means 1
	Delay  time.Duration // one way, mouth to ear
	Jitter time.Duration // what a jitter buffer must absorb and Delay does not have in it yet
}

// The default rating of ITU-T G.107: what remains of 100 when nothing is done to the voice but telephone band and quantising; and
// that of wideband, ITU-T G.107.1.
const (
	narrowband = 93.2
	wideband   = 129
)

// impairment is what a codec takes from the rating (Ie), and how well it stands loss (Bpl). Those of G.711 with concealment are in
// ITU-T G.113 Appendix I, the Ie of G.722 at 64 kbit/s in Appendix IV. The others are estimates of ours: G.113 has none.
func (c Codec) impairment() (base, ie, bpl float64) {
	switch c {
	case G722:
		return wideband, 13, 13
	case Opus:
		return wideband, 7, 15
	default:
		return narrowband, 0, 25.1
	}
}

// R is the transmission rating of ITU-T G.107: to 93 for telephone band, to 129 for wideband (G.107.1), which is the same scale
// prolonged. Echo is not in it: both ends are taken to cancel theirs.
func (q Quality) R() float64 {
	base, ie, bpl := q.Codec.impairment()
	loss := 100 * min(max(q.Loss, 0), 1)
	burst := max(q.Burst, 1)
	ie += (95 - ie) * loss / (loss/burst + bpl) // G.107, equation 7-29
	// A jitter buffer holds back about twice the mean deviation.
	return max(base-ie-delayed(q.Delay+2*q.Jitter), 0)
}

// delayed is the impairment by delay, Idd of G.107 (equations 7-27 and 7-28).
func delayed(d time.Duration) float64 {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 100 {
		return 0
	}
	x := math.Log2(ms / 100)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
}

// MOS is the mean opinion score that belongs to R (G.107 Annex B), 1 to 4.5.
func (q Quality) MOS() float64 {
	r := min(q.R(), 100)
	if r <= 6.5 {
		return 1
	}
	return 1 + 0.035*r + r*(r-60)*(100-r)*7e-6
}
