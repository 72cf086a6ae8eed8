// Package resample changes the sampling rate of PCM with a polyphase windowed-sinc filter.
//
// A rate change by L/M is, in theory: put L-1 zeros between samples, filter out everything above the lower of the two
// Nyquist frequencies, keep each M-th sample. Only the kept samples are computed here, and only from the taps that do
// not meet a zero; so a filter of L phases is prepared once, each phase with the taps for one position between two
// input samples. The window is Kaiser's. With the constants below a tone up to 7/16 of the lower rate passes unchanged
// (3.5 kHz at 8 kHz) and what would fold back from beyond its half is at least 60 dB down.
package resample

import "math"

const (
	halfWidth = 36     // zero crossings of the sinc on each side, counted at the lower rate
	cutoff    = 0.9375 // of the lower Nyquist frequency: the middle of the transition band
	beta      = 7.0    // of the Kaiser window: about 70 dB
	maxPhases = 2048   // rates without a common divisor use the nearest of so many phases (75 dB)
)

// Convert gives the samples at another rate. The length is rounded up, so that no sound is cut off. Rates below 1 and
// an empty input give nil.
func Convert(pcm []int16, from, to int) []int16 {
	if from < 1 || to < 1 || len(pcm) == 0 {
		return nil
	}
	if from == to {
		return append([]int16(nil), pcm...)
	}
	g := gcd(from, to)
	up, down := int64(to/g), int64(from/g)
	f := design(up, down)
	out := make([]int16, (int64(len(pcm))*up+down-1)/down)
	for i := range out {
		at := int64(i) * down
		out[i] = f.at(pcm, int(at/up), int(at%up*int64(len(f.phases))/up))
	}
	return out
}

// filter holds the taps by phase: phase p is for an output sample that lies p/len(phases) after an input sample.
type filter struct {
	reach  int // taps on each side of the input sample
	phases [][]float64
}

func design(up, down int64) *filter {
	scale := cutoff // of the input Nyquist frequency
	if down > up {
		scale = cutoff * float64(up) / float64(down)
	}
	width := halfWidth * cutoff / scale // in input samples
	f := &filter{reach: int(math.Ceil(width)), phases: make([][]float64, min(up, maxPhases))}
	for p := range f.phases {
		shift := float64(p) / float64(len(f.phases))
		taps, sum := make([]float64, 2*f.reach+1), 0.0
		for k := range taps {
			x := float64(k-f.reach) - shift
			taps[k] = sinc(scale*x) * kaiser(x/width)
			sum += taps[k]
		}
		for k := range taps {
			taps[k] /= sum // the same gain for each phase, or a constant would hum
		}
		f.phases[p] = taps
	}
	return f
}

// at is one output sample; beyond the ends of the input there is silence.
func (f *filter) at(pcm []int16, centre, phase int) int16 {
	taps, first := f.phases[phase], centre-f.reach
	lo, hi := max(0, -first), min(len(taps), len(pcm)-first)
	sum := 0.0
	for k := lo; k < hi; k++ {
		sum += taps[k] * float64(pcm[first+k])
	}
	return int16(math.Round(min(max(sum, math.MinInt16), math.MaxInt16)))
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x between -1 and 1; zero outside.
func kaiser(x float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel(beta*math.Sqrt(1-x*x)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
