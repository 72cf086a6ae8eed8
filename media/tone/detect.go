package tone

import "math"

// Detector recognises the tones of any network in sound, 8,000 samples a second. The zero value is ready.
//
// Frames of 20 ms are judged one by one: silence, a single tone and its frequency, sound of the band from 300 to 700 Hz only, in
// which all dial, ringing and busy tones lie, or anything else. Kinds are then told by how long each lasts. Countries differ more in
// frequencies than in rhythm, so the rhythm decides: what is on for a second or two and off for longer is ringing; what is
// on and off alike is busy, and quickly so is congestion; what does not end is a dial tone. Only what keeps its rhythm counts: two
// times on for ringing, three for busy. A voice does not.
type Detector struct {
	n   int
	pcm [frame]int16
	low [2]biquad // high-pass
	top [2]biquad // low-pass

	total, band float64 // power, of all and of the band, smoothed over 60 ms
	loudest     float64 // of the run
	hertz       float64 // of the single tone
	power       float64

	now    sort // of the run
	length int  // of the run in frames
	odd    int  // frames in a row that do not fit it

	ons, offs [3]int // rhythm: newest first
	sit       int    // tones of the special information that were heard
	told      [kinds]bool
	silent    int // frames without anything
}

// frame is 20 ms.
const frame = 160

// sort is what a frame holds.
type sort uint8

const (
	nothing sort = iota
	progress
	sitLow
	sitMiddle
	sitHigh
	fax
	answer
	single
	other
)

const (
	hush    = 100 * 100 // mean square: -50 dBov
	inBand  = 0.85      // of the power
	share   = 0.05      // of the power that is not the single tone
	change  = 3         // frames in a row that make another run
	tail    = 5         // frames that smoothing makes a tone longer
	little  = 0.02      // the same for a beep, which may have any frequency
	forgets = 500       // frames of silence, after which a kind is told again
)

// Feed takes samples, any number. ok: a tone has just been recognised. Each kind is told once until ten seconds were silent.
func (d *Detector) Feed(pcm []int16) (kind Kind, ok bool) {
	if d.low[0].b0 == 0 {
		d.tune()
	}
	for len(pcm) > 0 {
		n := copy(d.pcm[d.n:], pcm)
		pcm = pcm[n:]
		if d.n += n; d.n == frame {
			d.n = 0
			if k, found := d.frame(); found && !d.told[k] {
				d.told[k] = true
				kind, ok = k, true
			}
		}
	}
	return kind, ok
}

// Reset forgets what was heard.
func (d *Detector) Reset() { *d = Detector{} }

func (d *Detector) tune() {
	for i, q := range [2]float64{0.541, 1.307} { // Butterworth of the fourth order
		d.low[i], d.top[i] = highPass(240, q), lowPass(880, q)
	}
}

// frame judges a frame and goes on with the run.
func (d *Detector) frame() (Kind, bool) {
	s := d.sort()
	if s == nothing {
		if d.silent++; d.silent >= forgets {
			d.told = [kinds]bool{}
		}
	} else {
		d.silent = 0
	}
	if s == d.now {
		d.length, d.odd = d.length+1, 0
		return d.during()
	}
	if d.odd++; d.odd < change { // where one thing becomes another, frames are half of this and half of that
		d.length++
		return 0, false
	}
	kind, ok := d.ended(d.now, d.length-change+1)
	d.now, d.length, d.odd = s, change, 0
	if more, found := d.during(); found {
		return more, found
	}
	return kind, ok
}

// sort judges a frame.
func (d *Detector) sort() sort {
	var all, band float64
	for _, v := range d.pcm {
		x := float64(v)
		all += x * x
		y := d.top[1].next(d.top[0].next(d.low[1].next(d.low[0].next(x))))
		band += y * y
	}
	all /= frame
	d.total += (all - d.total) * 0.4
	d.band += (band/frame - d.band) * 0.4
	if hz, rest := d.only(); all > hush && rest < share {
		switch {
		case hz >= 890 && hz <= 1010:
			return sitLow
		case hz >= 1060 && hz <= 1140:
			return fax
		case hz >= 1340 && hz <= 1460:
			return sitMiddle
		case hz >= 1740 && hz <= 1860:
			return sitHigh
		case hz >= 2070 && hz <= 2130:
			return answer
		case hz > 700 && hz < 2400 && rest < little && d.still(hz, all):
			return single
		}
	}
	switch {
	case d.total < hush || (d.now == progress || d.now == nothing) && d.total < d.loudest/16:
		d.loudest *= 0.9
		return nothing
	case d.band > inBand*d.total:
		d.loudest = max(d.loudest*0.99, d.total)
		return progress
	}
	return other
}

// still reports whether a single tone goes on as it was: a beep neither glides nor fades.
func (d *Detector) still(hz, power float64) bool {
	same := math.Abs(hz-d.hertz) < 0.02*d.hertz && power < 2*d.power && power > d.power/2
	if d.now != single || d.length < change+1 {
		d.hertz, d.power = hz, power
		return true
	}
	return same
}

// only is the frequency of the single tone that a frame would be, and the share of its power that is something else. Of a sine, a sample
// is the mean of its neighbours but for a factor, which is its frequency.
func (d *Detector) only() (hertz, rest float64) {
	var xy, xx float64
	for i := 1; i < frame-1; i++ {
		x, y := float64(d.pcm[i]), float64(d.pcm[i-1])+float64(d.pcm[i+1])
		xy += x * y
		xx += x * x
	}
	if xx == 0 {
		return 0, 1
	}
	c := min(max(xy/xx, -2), 2)
	for i := 1; i < frame-1; i++ {
		e := float64(d.pcm[i-1]) + float64(d.pcm[i+1]) - c*float64(d.pcm[i])
		rest += e * e
	}
	return math.Acos(c/2) / (2 * math.Pi) * 8000, rest / ((2 + c*c) * xx)
}

// during is what a run tells before it ends.
func (d *Detector) during() (Kind, bool) {
	switch d.now {
	case progress:
		switch d.length {
		case 150:
			return Dial, true
		case change + 1:
			return d.rhythm()
		}
	case sitHigh:
		if d.sit == 2 && d.length == 10 {
			d.sit = 0
			return SIT, true
		}
	case fax:
		if d.length == 20 { // 0.5 s -15%: T.30
			return CNG, true
		}
	case answer:
		if d.length == 50 {
			return CED, true
		}
	case nothing, sitLow, sitMiddle, single, other:
	}
	return 0, false
}

// ended is what a run of so many frames tells at its end.
func (d *Detector) ended(s sort, length int) (Kind, bool) {
	third := length >= 12 && length <= 22 // 274 to 380 ms: E.180 §7
	switch s {
	case sitLow:
		d.sit = 0
		if third {
			d.sit = 1
		}
	case sitMiddle:
		if !third || d.sit != 1 {
			d.sit = 0
		} else {
			d.sit = 2
		}
	case progress:
		d.ons = [3]int{max(length-tail, 1), d.ons[0], d.ons[1]}
		d.offs = [3]int{tail, d.offs[0], d.offs[1]}
	case nothing:
		if d.offs[0] += length; d.sit > 0 && length > 3 {
			d.sit = 0
		}
	case other, sitHigh, fax, answer, single:
		d.ons, d.offs, d.sit = [3]int{}, [3]int{}, 0
	}
	// A beep is a tone alone, with silence behind it.
	beep := (s == single || s == sitLow || s == sitMiddle) && length >= 12 && length <= 100
	return Beep, beep && d.quietNow()
}

// quietNow reports whether the frame that was judged last is silent.
func (d *Detector) quietNow() bool {
	var sum float64
	for _, v := range d.pcm {
		sum += float64(v) * float64(v)
	}
	return sum < hush*frame
}

// rhythm tells what the last times on and off mean, when the tone is on again.
func (d *Detector) rhythm() (Kind, bool) {
	on, off := d.ons[0], d.offs[0]
	on2, off2 := d.ons[1], d.offs[1]
	switch {
	case between(on, 40, 115) && between(off, 80, 240): // 0.8-2.3 s, 1.6-4.8 s
		return Ringback, true
	case between(on, 15, 26) && between(off, 80, 125) && between(on2, 15, 26) && between(off2, 5, 15): // twice, and a pause
		return Ringback, true
	case on2 == 0 || !between(on+off, 18, 85) || !near(on+off, on2+off2):
	case near(on, on2) && on+off <= 28 && between(on, 8, 18):
		return Congestion, true
	case near(on, on2) && near(on, off) && between(on, 13, 42):
		return Busy, true
	case between(on+off, 34, 42) && !near(on, on2): // 0.4 on, 0.35 off, 0.225 on, 0.525 off
		return Congestion, true
	}
	return 0, false
}

func between(v, low, high int) bool { return v >= low && v <= high }

// near reports whether two lengths are alike: within 60 ms or a sixth.
func near(a, b int) bool {
	d := max(a-b, b-a)
	return d <= 3 || d*6 <= a
}

// biquad is a filter of the second order.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	x1, x2             float64
}

func (f *biquad) next(x float64) float64 {
	y := f.b0*x + f.x1
	f.x1 = f.b1*x - f.a1*y + f.x2
	f.x2 = f.b2*x - f.a2*y
	return y
}

func lowPass(hertz, q float64) biquad {
	sin, cos := math.Sincos(2 * math.Pi * hertz / 8000)
	alpha := sin / (2 * q)
	a0 := 1 + alpha
	return biquad{b0: (1 - cos) / 2 / a0, b1: (1 - cos) / a0, b2: (1 - cos) / 2 / a0, a1: -2 * cos / a0, a2: (1 - alpha) / a0}
}

func highPass(hertz, q float64) biquad {
	sin, cos := math.Sincos(2 * math.Pi * hertz / 8000)
	alpha := sin / (2 * q)
	a0 := 1 + alpha
	return biquad{b0: (1 + cos) / 2 / a0, b1: -(1 + cos) / a0, b2: (1 + cos) / 2 / a0, a1: -2 * cos / a0, a2: (1 - alpha) / a0}
}
