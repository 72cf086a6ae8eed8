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
	roots := unity(size)
	fft(x, roots)
	fft(y, roots)
	correlateSpectra(x, y, roots)

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
// several speakers one after the other; a half second that two of them share belongs to neither.
func Share(heard []int16, voice Source) float64 {
	const window = sampleRate / 2
	if len(voice) == 0 {
		return 0
	}
	y, roots := round(voice, window)
	x := make([]complex128, len(y))
	alike, all := 0, 0
	for i := 0; i+window <= len(heard); i += window {
		part := heard[i : i+window]
		if RMS(part) < silenceLevel {
			continue
		}
		all++
		var power float64
		clear(x)
		for k, m := range mask(part) {
			x[k] = complex(float64(part[k]), m)
			power += float64(part[k]) * float64(part[k])
		}
		fft(x, roots)
		correlateSpectra(x, y, roots)
		for lag := range min(len(voice), len(x)) {
			at := x[(len(x)-lag)%len(x)]
			if norm := power * imag(at); norm > 0 && real(at) >= containsLevel*math.Sqrt(norm) {
				alike++
				break
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(alike) / float64(all)
}

// round is the spectrum of a voice that goes round, for the search of a part of it.
func round(voice Source, part int) (y, roots []complex128) {
	n := len(voice)
	size := n
	if bits.OnesCount(uint(n)) != 1 || n < part { // else its spectrum goes round by itself
		n += part
		size = 1 << bits.Len(uint(n+part))
	}
	y = make([]complex128, size)
	for i := range n {
		v := float64(voice[i%len(voice)])
		y[i] = complex(v, v*v)
	}
	roots = unity(size)
	fft(y, roots)
	return y, roots
}

// mask is 1 where something was heard. It looks at 2.5 ms at a time, since a lost packet begins anywhere.
func mask(pcm []int16) []float64 {
	const window = 20
	m := make([]float64, len(pcm))
	for i := 0; i < len(pcm); i += window {
		end := min(i+window, len(pcm))
		if RMS(pcm[i:end]) < silenceLevel {
			continue
		}
		for k := i; k < end; k++ {
			m[k] = 1
		}
	}
	return m
}

// correlateSpectra works on two pairs of real signals at once: from the spectra of x = a + ib and y = c + id it leaves
// a*c + i(b*d) in x, at the index of the lag modulo the length.
func correlateSpectra(x, y, roots []complex128) {
	n := len(x)
	for k := 0; k <= n/2; k++ {
		j := (n - k) % n
		a, b := parts(x[k], x[j])
		c, d := parts(y[k], y[j])
		ac, bd := a*cmplx.Conj(c), b*cmplx.Conj(d)
		// Conjugated, so that the forward transform serves as the inverse; at -k both are conjugates of those at k.
		x[k] = cmplx.Conj(ac + 1i*bd)
		x[j] = cmplx.Conj(cmplx.Conj(ac) + 1i*cmplx.Conj(bd))
	}
	fft(x, roots)
	for k, v := range x {
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
