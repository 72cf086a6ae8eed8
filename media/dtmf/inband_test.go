package dtmf

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ullim/media/g711"
)

// dial describes key presses as a sound.
type dial struct {
	on, off   int     // ms
	low, high float64 // dBm0
	shift     float64 // of the frequencies, in percent
	noise     float64 // dBm0, 0 none
	hole      int     // ms of interruption in the middle of each press
}

func amplitude(dbm float64) float64 { return 32767 * math.Pow(10, (dbm-3.14)/20) }

func (d dial) sound(keys string, lead int) []int16 {
	var out []int16
	silence := func(n int) {
		for range n {
			out = append(out, 0)
		}
	}
	silence(800 + lead)
	for i := range len(keys) {
		at := strings.IndexByte(keypad, keys[i])
		n := d.on * 8
		for k := range n {
			x := 2 * math.Pi * float64(k) / 8000 * (1 + d.shift/100)
			v := amplitude(d.low)*math.Sin(x*hertz[at/4]+1) + amplitude(d.high)*math.Sin(x*hertz[4+at%4])
			if k > n/2 && k < n/2+d.hole*8 {
				v = 0
			}
			out = append(out, int16(max(min(v, 32767), -32768)))
		}
		silence(d.off * 8)
	}
	silence(800)
	if d.noise != 0 {
		for i, v := range out {
			n := rand.NormFloat64() * amplitude(d.noise) / math.Sqrt2
			out[i] = int16(max(min(float64(v)+n, 32767), -32768))
		}
	}
	return out
}

// heard is what is recognised of a sound that came through G.711, in frames of a size.
func heard(pcm []int16, frame int) string {
	coded := make([]byte, len(pcm))
	g711.EncodeALaw(coded, pcm)
	g711.DecodeALaw(pcm, coded)
	var d InBand
	var got []byte
	for ; len(pcm) > 0; pcm = pcm[min(frame, len(pcm)):] {
		got = d.Feed(got, pcm[:min(frame, len(pcm))])
	}
	return string(got)
}

func TestM06KeysAreHeardInTheSound(t *testing.T) {
	usual := dial{on: 100, off: 60, low: -9, high: -7}
	for name, c := range map[string]struct {
		change func(d *dial)
		heard  bool
	}{
		"usual":                         {func(*dial) {}, true},
		"40 ms on, 40 ms off":           {func(d *dial) { d.on, d.off = 40, 40 }, true},
		"long":                          {func(d *dial) { d.on, d.off = 600, 100 }, true},
		"as loud as can be":             {func(d *dial) { d.low, d.high = -3, -3 }, true},
		"quiet":                         {func(d *dial) { d.low, d.high = -25, -25 }, true},
		"too quiet":                     {func(d *dial) { d.low, d.high = -40, -40 }, false},
		"high tone 4 dB louder":         {func(d *dial) { d.low, d.high = -10, -6 }, true},
		"low tone 8 dB louder":          {func(d *dial) { d.low, d.high = -6, -14 }, true},
		"high tone 12 dB louder":        {func(d *dial) { d.low, d.high = -20, -8 }, false},
		"low tone 15 dB louder":         {func(d *dial) { d.low, d.high = -5, -20 }, false},
		"1.5% high":                     {func(d *dial) { d.shift = 1.5 }, true},
		"1.5% low":                      {func(d *dial) { d.shift = -1.5 }, true},
		"3.5% high":                     {func(d *dial) { d.shift = 3.5 }, false},
		"3.5% low":                      {func(d *dial) { d.shift = -3.5 }, false},
		"noise 18 dB under the tones":   {func(d *dial) { d.noise = -24 }, true},
		"10 ms of interruption":         {func(d *dial) { d.on, d.off, d.hole = 150, 60, 10 }, true},
		"22 ms on: a click":             {func(d *dial) { d.on, d.off = 22, 60 }, false},
		"short, quiet, off and twisted": {func(d *dial) { d.on, d.off, d.low, d.high, d.shift = 45, 45, -18, -23, 1.2 }, true},
	} {
		d := usual
		c.change(&d)
		const keys = "1234567890*#ABCD11005599##"
		want := ""
		if c.heard {
			want = keys
		}
		for lead := 0; lead < 64; lead += 13 { // however the presses lie in the blocks
			frame := []int{160, 80, 480, 97}[lead/13%4]
			if got := heard(d.sound(keys, lead), frame); got != want {
				t.Errorf("%s, %d samples later, frames of %d: %q, want %q", name, lead, frame, got, want)
			}
		}
	}
}

// babble is a voice: a pitch that glides, formants that wander, syllables, hisses. It goes by all the tones of the keys again
// and again.
func babble(r *rand.Rand, n int) []int16 {
	out := make([]int16, n)
	var phase, pitch, loud float64 = 0, 120, 0
	formants := [3]float64{500, 1400, 2500}
	var y1, y2 [3]float64
	voiced := true
	for i := range out {
		if i%1600 == 0 { // a new sound every 200 ms
			formants = [3]float64{300 + 700*r.Float64(), 900 + 1200*r.Float64(), 2200 + 800*r.Float64()}
			voiced = r.IntN(4) > 0
			loud = []float64{0, 1, 1, 0.5}[r.IntN(4)]
			pitch = 80 + 200*r.Float64()
		}
		pitch *= 1 + 0.00003*(r.Float64()-0.5)
		phase += pitch / 8000
		source := 0.0
		if voiced {
			if phase >= 1 {
				phase--
				source = 40
			}
		} else {
			source = r.NormFloat64() * 3
		}
		v := 0.0
		for f, hz := range formants { // resonators of 80 Hz
			const radius = 0.969
			w := 2 * math.Pi * hz / 8000
			y := source + 2*radius*math.Cos(w)*y1[f] - radius*radius*y2[f]
			y1[f], y2[f] = y, y1[f]
			v += y / float64(f+1)
		}
		out[i] = int16(max(min(v*loud*60, 32767), -32768))
	}
	return out
}

func TestM06TenMinutesOfSpeechHoldNoKey(t *testing.T) {
	minutes := 10
	if testing.Short() {
		minutes = 2
	}
	r := rand.New(rand.NewPCG(1, 2))
	var d InBand
	var got []byte
	for range minutes * 6 {
		got = d.Feed(got, babble(r, 80000))
	}
	if len(got) > 0 {
		t.Errorf("%q were heard in speech", got)
	}
}

func TestWhatIsNoKeyIsNotHeardAsOne(t *testing.T) {
	sines := func(hz ...float64) []int16 {
		out := make([]int16, 16000)
		for i := range out {
			var v float64
			for _, f := range hz {
				v += 6000 * math.Sin(2*math.Pi*f*float64(i)/8000)
			}
			out[i] = int16(v)
		}
		return out
	}
	for name, pcm := range map[string][]int16{
		"silence": make([]int16, 16000), "one tone": sines(697), "the other": sines(1336), "dial": sines(350, 440), "busy": sines(480, 620),
		"fax": sines(1100), "three tones": sines(697, 1209, 1336), "two rows": sines(697, 770), "music": sines(440, 554, 659, 880, 1109, 1318),
	} {
		if got := heard(pcm, 160); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOurOwnTonesAreKeys(t *testing.T) {
	if got := heard(Tones(nil, "0123456789*#ABCD", 8000), 160); got != "0123456789*#ABCD" {
		t.Errorf("%q", got)
	}
	wide := Tones(nil, "5", 16000)
	half := make([]int16, len(wide)/2)
	for i := range half {
		half[i] = wide[2*i]
	}
	if got := heard(half, 160); got != "5" {
		t.Errorf("16 kHz: %q", got)
	}
	if got := Tones(nil, "x", 8000); len(got) != 1280 || got[100] != 0 {
		t.Errorf("what is no key: %d samples", len(got))
	}
}

func TestListeningAllocatesNothing(t *testing.T) {
	var d InBand
	pcm := Tones(nil, "5", 8000)[:160]
	dst := make([]byte, 0, 8)
	if n := testing.AllocsPerRun(100, func() { dst = d.Feed(dst[:0], pcm) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkInBand20ms(b *testing.B) {
	var d InBand
	pcm := babble(rand.New(rand.NewPCG(1, 2)), 160)
	for b.Loop() {
		d.Feed(nil, pcm)
	}
}
