package dtmf

import "math"

// InBand finds key presses in sound: 8,000 samples a second, as the network speaks it. The zero value is ready.
//
// The sound is cut into blocks of 8 ms. Two blocks make a window; the windows overlap by half. A window shows a key if it
// holds one tone of either group, both loud enough, neither much louder than the other, and little else (ITU-T Q.24). From one
// window to the next the phase of a tone turns by its exact frequency: a voice that passes by a tone, or whose
// overtones sweep, is told by that. Three windows in a row are a press: 32 to 40 ms of sound. It ends when three blocks in a
// row lack its tones: interruptions of 10 ms do not end it, pauses of 40 ms do.
type InBand struct {
	ready bool
	n     int           // samples in the block
	s     [8][2]float32 // the resonators (Goertzel)
	sum   float32       // of squares in the block
	old   block         // the block before
	last  [8]complex64  // the window before
	hits  int           // windows in a row that show key
	key   int8          // that is shown, -1 none
	held  int8          // that was reported and is still there, -1 none
	gap   int           // blocks in a row that lack the tones of held
	loud  [2]float32    // power of the tones of held
}

type block struct {
	x     [8]complex64 // the spectrum at the eight frequencies
	power [8]float32
	sum   float32
}

const (
	blockSize = 64
	needed    = 3 // windows in a row
	gone      = 3 // blocks in a row

	// Powers are mean squares. The faintest tone is at -32 dBm0; a sine of full scale is at +3.14 (ITU-T Q.24 asks for -24 and
	// lets -29 be ignored).
	faintest = 32767.0 * 32767 / 2 / 3243 // 35.1 dB
	pure     = 0.75                       // share of a window's power in the two tones
	purest   = 0.9                        // the same, when the frequencies are known exactly
	single   = 4.0                        // times the power of any other tone of the group, 6 dB
	twistUp  = 4.0                        // the higher tone over the lower, 6 dB (Q.24: 4)
	twistOff = 10.0                       // the lower tone over the higher, 10 dB (Q.24: 8)
	even     = 0.6                        // of the power of one block in the other: a tone neither swells nor begins here
	drift    = 0.026                      // of the frequency: Q.24 asks for 1.5%, and for 3.5% to be ignored
	faded    = 0.25                       // of the power of a tone: it is missing from a block
)

// hertz are the tones: four rows, four columns.
//
//nolint:gochecknoglobals // a constant of the standard
var hertz = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}

// keypad is the keys by row and column.
const keypad = "123A456B789C*0#D"

// turn holds what depends on the frequencies only.
type turn struct {
	coefficient [8]float32   // 2 cos w
	back        [8]complex64 // e^-jw
	start       [8]complex64 // e^-jw(N-1): a spectrum counts from the beginning of its block
	step        [8]complex64 // e^-jwN: from one block to the next
}

//nolint:gochecknoglobals // constants, computed once
var turns = func() (t turn) {
	for i, f := range hertz {
		w := 2 * math.Pi * f / 8000
		at := func(n float64) complex64 {
			sin, cos := math.Sincos(-w * n)
			return complex(float32(cos), float32(sin))
		}
		t.coefficient[i] = float32(2 * math.Cos(w))
		t.back[i], t.start[i], t.step[i] = at(1), at(blockSize-1), at(blockSize)
	}
	return t
}()

// Reset forgets what was heard.
func (d *InBand) Reset() { *d = InBand{} }

// Active reports whether a key is heard now.
func (d *InBand) Active() bool { return d.ready && d.held >= 0 }

// Feed takes samples, any number, and appends the keys that were recognised in them to dst: each once, when it has lasted long
// enough.
func (d *InBand) Feed(dst []byte, pcm []int16) []byte {
	if !d.ready {
		d.ready, d.key, d.held = true, -1, -1
	}
	for len(pcm) > 0 {
		n := min(blockSize-d.n, len(pcm))
		d.listen(pcm[:n])
		pcm = pcm[n:]
		if d.n += n; d.n == blockSize {
			if key := d.judge(); key >= 0 {
				dst = append(dst, keypad[key])
			}
		}
	}
	return dst
}

// listen runs the resonators over samples.
func (d *InBand) listen(pcm []int16) {
	sum := d.sum
	for _, v := range pcm {
		sum += float32(v) * float32(v)
	}
	d.sum = sum
	for i := 0; i < 8; i += 2 { // two at a time: each waits for itself
		c, e := turns.coefficient[i], turns.coefficient[i+1]
		a1, a2, b1, b2 := d.s[i][0], d.s[i][1], d.s[i+1][0], d.s[i+1][1]
		for _, v := range pcm {
			x := float32(v)
			a1, a2 = x+c*a1-a2, a1
			b1, b2 = x+e*b1-b2, b1
		}
		d.s[i], d.s[i+1] = [2]float32{a1, a2}, [2]float32{b1, b2}
	}
}

// judge ends a block and returns a key that has just been recognised, or -1.
func (d *InBand) judge() int8 {
	now := block{sum: d.sum / blockSize}
	var window [8]complex64
	for i := range now.x {
		y := complex(d.s[i][0], 0) - turns.back[i]*complex(d.s[i][1], 0)
		now.x[i] = y * turns.start[i]
		// A tone of power P fills a block with a spectrum of sqrt(2 P) N / 2.
		now.power[i] = (real(y)*real(y) + imag(y)*imag(y)) * 2 / (blockSize * blockSize)
		window[i] = d.old.x[i] + now.x[i]*turns.step[i]
	}
	key := d.show(&window, d.old.sum+now.sum, &now)
	if key >= 0 && key == d.key && !d.steady(&window, d.old.sum+now.sum, key) {
		key = -1
	}
	if key >= 0 && key == d.key {
		d.hits++
	} else {
		d.key, d.hits = key, 1
	}
	found := d.follow(&now)
	d.old, d.last = now, window
	d.n, d.sum, d.s = 0, 0, [8][2]float32{}
	return found
}

// show is the key that a window shows, or -1.
func (d *InBand) show(window *[8]complex64, sum float32, now *block) int8 {
	var power [8]float32
	for i, w := range window {
		power[i] = (real(w)*real(w) + imag(w)*imag(w)) / (2 * blockSize * blockSize)
	}
	if now.sum < even*d.old.sum || d.old.sum < even*now.sum {
		return -1
	}
	row, ok := loudest(power[:4])
	column, ok2 := loudest(power[4:])
	if !ok || !ok2 {
		return -1
	}
	column += 4
	low, high := d.old.power[row]+now.power[row], d.old.power[column]+now.power[column]
	if min(low, high) < 2*faintest || high > low*twistUp || low > high*twistOff || low+high < pure*sum {
		return -1
	}
	return int8(4*row + column - 4)
}

// loudest is the one tone of a group; false: there is another.
func loudest(power []float32) (at int, ok bool) {
	for i, p := range power {
		if p > power[at] {
			at = i
		}
	}
	for i, p := range power {
		if i != at && p*single > power[at] {
			return at, false
		}
	}
	return at, true
}

// steady reports whether both tones of a key have had their frequency since the window before, and are nearly all there is.
func (d *InBand) steady(window *[8]complex64, sum float32, key int8) bool {
	var power float64
	for _, i := range [2]int8{key / 4, 4 + key%4} {
		was := d.last[i]
		turned := window[i] * complex(real(was), -imag(was)) * turns.step[i]
		off := math.Atan2(float64(imag(turned)), float64(real(turned))) / (2 * math.Pi) * 8000 / blockSize
		if math.Abs(off) > drift*hertz[i] {
			return false
		}
		// A tone beside the middle of its filter shows less than it is.
		x := math.Pi * off * 2 * blockSize / 8000
		loss := 1.0
		if x != 0 {
			loss = math.Sin(x) / x
		}
		w := window[i]
		power += float64(real(w)*real(w)+imag(w)*imag(w)) / (2 * blockSize * blockSize) / (loss * loss)
	}
	return power > purest*float64(sum)/2
}

// follow keeps to a key until its tones are gone, and returns one that is new, or -1.
func (d *InBand) follow(now *block) int8 {
	if d.hits >= needed && d.key >= 0 && d.key != d.held {
		d.held, d.gap = d.key, 0
		d.loud = [2]float32{now.power[d.key/4], now.power[4+d.key%4]}
		return d.held
	}
	if d.held < 0 {
		return -1
	}
	low, high := now.power[d.held/4], now.power[4+d.held%4]
	if low >= faded*d.loud[0] && high >= faded*d.loud[1] {
		d.gap = 0
		d.loud[0] += (low - d.loud[0]) / 4
		d.loud[1] += (high - d.loud[1]) / 4
	} else if d.gap++; d.gap >= gone {
		d.held, d.key, d.hits = -1, -1, 0
	}
	return -1
}
