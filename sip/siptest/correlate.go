package siptest

import (
	"math"
	"math/bits"
	"math/cmplx"
	"time"
)

// Correlation above containsLevel says that the reference was heard. The same voice through both laws of G.711 gives
// above 0.95; two different voices, or speech and a voice, stay under 0.2.
const containsLevel = 0.7

// Correlate finds where heard sounds most like reference. coefficient is the normalised cross-correlation there, from
// 0 (nothing alike) to 1 (the same, at whatever level); offset is where the beginning of the reference lies in heard,
// negative if heard begins in its midst. Only where something was heard does it count, so lost packets and leading
// silence do not lower the coefficient; but at least half a second, or half of what there is, must be alike.
// Take as reference one round of what was said, such as Voice(name), or the beginning of it.
func Correlate(heard, reference []int16) (coefficient float64, offset time.Duration) {
	if len(heard) == 0 || len(reference) == 0 {
		return 0, 0
	}
	active := mask(heard)
	size := 1 << bits.Len(uint(len(heard)+len(reference)-1))
	x, y := make([]complex128, size), make([]complex128, size)
	for i, v := range heard {
		x[i] = complex(float64(v), active[i])
	}
	var energy float64
	for i, v := range reference {
		f := float64(v)
		y[i] = complex(f, f*f)
		energy += f * f
	}
	crossCorrelate(x, y)

	// What was heard under the reference: its energy and how much of it was not silent, by running sums.
	power, sounding := make([]float64, len(heard)+1), make([]float64, len(heard)+1)
	for i, v := range heard {
		power[i+1] = power[i] + float64(v)*float64(v)
		sounding[i+1] = sounding[i] + active[i]
	}
	if energy == 0 || sounding[len(heard)] == 0 {
		return 0, 0
	}
	least := min(sampleRate/2, sounding[len(heard)]/2, float64(len(reference))/2)
	// A voice that goes round is found once a round: of what is as good, the first is meant.
	const asGood = 0.98
	best, first, firstLag := 0.0, 0.0, 0
	climbing := false
	for lag := 1 - len(reference); lag < len(heard); lag++ {
		from, to := max(0, lag), min(len(heard), lag+len(reference))
		if sounding[to]-sounding[from] < least {
			climbing = false
			continue
		}
		at := x[(lag+size)%size]
		norm := (power[to] - power[from]) * imag(at)
		if norm <= 1e-6*energy { // nothing but rounding
			climbing = false
			continue
		}
		c := real(at) / math.Sqrt(norm)
		best = max(best, c)
		switch {
		case c*asGood > first, climbing && c > first:
			first, firstLag, climbing = c, lag, true
		default:
			climbing = false
		}
	}
	return min(best, 1), samples(firstLag)
}

// Contains says whether reference was heard.
func Contains(heard, reference []int16) bool {
	c, _ := Correlate(heard, reference)
	return c >= containsLevel
}

// Share is how much of what was heard, silence left aside, is the given voice: 1 if nothing else was heard. It looks
// at half a second at a time and takes the voice as going round, so it bears gaps, jumps of a jitter buffer, and
// several speakers one after the other.
func Share(heard []int16, voice Source) float64 {
	alike, all := 0, 0
	for i := 0; i+sampleRate/2 <= len(heard); i += sampleRate / 2 {
		part := heard[i : i+sampleRate/2]
		if RMS(part) < silenceLevel {
			continue
		}
		all++
		if c, _ := around(part, voice); c >= containsLevel {
			alike++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(alike) / float64(all)
}

// around correlates a short part with a voice that goes round.
func around(part []int16, voice Source) (coefficient float64, phase time.Duration) {
	round := make([]int16, len(voice)+len(part))
	for i := range round {
		round[i] = voice[i%len(voice)]
	}
	return Correlate(round, part)
}

// mask is 1 for the samples of frames that are not silent.
func mask(pcm []int16) []float64 {
	m := make([]float64, len(pcm))
	for i := 0; i < len(pcm); i += frameSamples {
		end := min(i+frameSamples, len(pcm))
		if RMS(pcm[i:end]) < silenceLevel {
			continue
		}
		for k := i; k < end; k++ {
			m[k] = 1
		}
	}
	return m
}

// crossCorrelate works on two pairs of real signals at once: of x = a + ib and y = c + id it leaves a*c + i(b*d) in x,
// at the index of the lag modulo the length. y is used up.
func crossCorrelate(x, y []complex128) {
	roots := unity(len(x))
	fft(x, roots)
	fft(y, roots)
	n := len(x)
	spectrum := make([]complex128, n)
	for k := range n {
		j := (n - k) % n
		a, b := parts(x[k], x[j])
		c, d := parts(y[k], y[j])
		// Conjugated, so that the forward transform serves as the inverse.
		spectrum[k] = cmplx.Conj(a*cmplx.Conj(c) + 1i*b*cmplx.Conj(d))
	}
	fft(spectrum, roots)
	for k, v := range spectrum {
		x[k] = complex(real(v)/float64(n), -imag(v)/float64(n))
	}
}

// parts separates the spectra of the real and of the imaginary signal, of the values at k and at -k.
func parts(at, mirrored complex128) (re, im complex128) {
	m := cmplx.Conj(mirrored)
	return (at + m) / 2, (at - m) / 2i
}

func unity(n int) []complex128 {
	roots := make([]complex128, n/2)
	for i := range roots {
		roots[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(n))
	}
	return roots
}

// fft is the radix-2 transform in place; len(a) is a power of two.
func fft(a, roots []complex128) {
	n := len(a)
	shift := 65 - bits.Len(uint(n))
	for i := range a {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			a[i], a[j] = a[j], a[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for start := 0; start < n; start += size {
			lo, hi := a[start:start+half], a[start+half:start+size]
			for k := range lo {
				t := hi[k] * roots[k*step]
				lo[k], hi[k] = lo[k]+t, lo[k]-t
			}
		}
	}
}
