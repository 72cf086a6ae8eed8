package resample

import (
	"math"
	"slices"
	"testing"
)

func tone(hertz, rate, level float64, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(level * math.Sin(2*math.Pi*hertz*float64(i)/rate)))
	}
	return out
}

// level is how loud a sound is in dB beside a sine of 10000, its first 100 samples left out.
func level(pcm []int16) float64 {
	var power float64
	for _, v := range pcm[100:] {
		power += float64(v) * float64(v)
	}
	return 10 * math.Log10(power/float64(len(pcm)-100)/(10000*10000/2)+1e-12)
}

// noiseAround is what is left of a tone of a known frequency and any phase when that tone is taken out, in dB.
func noiseAround(pcm []int16, hertz, rate float64) float64 {
	pcm = pcm[320:] // whole periods of whatever is a multiple of 50 Hz
	var s, c float64
	for i, v := range pcm {
		w := 2 * math.Pi * hertz * float64(i) / rate
		s += float64(v) * math.Sin(w)
		c += float64(v) * math.Cos(w)
	}
	s, c = 2*s/float64(len(pcm)), 2*c/float64(len(pcm))
	var power float64
	for i, v := range pcm {
		w := 2 * math.Pi * hertz * float64(i) / rate
		e := float64(v) - s*math.Sin(w) - c*math.Cos(w)
		power += e * e
	}
	return 10 * math.Log10(power/float64(len(pcm))/(10000*10000/2)+1e-12)
}

func TestTheVoiceGoesThroughBothWaysUnchanged(t *testing.T) {
	for _, hertz := range []float64{50, 300, 1000, 2000, 3000, 3400, 3600} {
		var u Up
		var d Down
		up := make([]int16, 16000)
		if n := u.Process(up, tone(hertz, 8000, 10000, 8000)); n != 16000 {
			t.Fatalf("%d samples", n)
		}
		if got := level(up); math.Abs(got) > 0.4 {
			t.Errorf("up, %v Hz: gain %.2f dB", hertz, got)
		}
		if got := noiseAround(up, hertz, 16000); hertz <= 3400 && got > -60 {
			t.Errorf("up, %v Hz: image and noise at %.1f dB", hertz, got)
		}
		down := make([]int16, 8000)
		if n := d.Process(down, tone(hertz, 16000, 10000, 16000)); n != 8000 {
			t.Fatalf("%d samples", n)
		}
		if got := level(down); math.Abs(got) > 0.4 {
			t.Errorf("down, %v Hz: gain %.2f dB", hertz, got)
		}
	}
}

func TestWhatEightKilohertzCannotHoldIsTakenOut(t *testing.T) {
	for _, hertz := range []float64{4600, 5000, 6000, 7000, 7900} {
		var d Down
		down := make([]int16, 8000)
		d.Process(down, tone(hertz, 16000, 10000, 16000))
		if got := level(down); got > -58 {
			t.Errorf("%v Hz: folded back at %.1f dB", hertz, got)
		}
	}
}

func TestTheLoudestSoundIsLimitedAndDoesNotWrap(t *testing.T) {
	square := make([]int16, 1600)
	for i := range square {
		square[i] = int16(i/16%2*65535 - 32768)
	}
	var u Up
	out := make([]int16, 3200)
	u.Process(out, square)
	for i := 64; i < len(out); i++ {
		if at := (i - 27) % 32; at > 8 && at < 24 && (out[i] > 0) != (square[(i-27)/2] > 0) {
			t.Fatalf("sample %d: %d", i, out[i])
		}
	}
}

func TestFramesOfAnySizeGiveTheSameStream(t *testing.T) {
	in := tone(700, 8000, 9000, 4000)
	var a, b Up
	whole, parts := make([]int16, 8000), make([]int16, 0, 8000)
	a.Process(whole, in)
	for at, size := 0, 1; at < len(in); at, size = at+size, size%400+1 {
		size = min(size, len(in)-at)
		var buf [800]int16
		parts = append(parts, buf[:b.Process(buf[:], in[at:at+size])]...)
	}
	if !slices.Equal(whole, parts) {
		t.Error("up: the stream depends on how it is cut")
	}
	var c, d Down
	low, again := make([]int16, 4000), slices.Clone(whole)
	c.Process(low, whole)
	parts = parts[:0]
	for at, size := 0, 2; at < len(again); at, size = at+size, size%700+2 {
		size = min(size, len(again)-at)
		n := d.Process(again[at:at+size], again[at:at+size]) // in place
		parts = append(parts, again[at:at+n]...)
	}
	if !slices.Equal(low, parts) {
		t.Error("down: the stream depends on how it is cut")
	}
	for i := 100; i < 4000; i++ { // there and back
		if want := in[i-27]; low[i]-want > 20 || want-low[i] > 20 {
			t.Fatalf("there and back: sample %d is %d, want about %d", i, low[i], want)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var u Up
	var d Down
	low, high := tone(300, 8000, 9000, 160), make([]int16, 320)
	if n := testing.AllocsPerRun(100, func() {
		u.Process(high, low)
		d.Process(low, high)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkUp20ms(b *testing.B) {
	var u Up
	in, out := tone(300, 8000, 9000, 160), make([]int16, 320)
	for b.Loop() {
		u.Process(out, in)
	}
}

func BenchmarkDown20ms(b *testing.B) {
	var d Down
	in, out := tone(300, 16000, 9000, 320), make([]int16, 160)
	for b.Loop() {
		d.Process(out, in)
	}
}
