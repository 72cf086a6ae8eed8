package jitter

import (
	"math"
	"testing"
)

// voice is a buzz of a pitch with overtones.
func voice(pitch float64, rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		x := 2 * math.Pi * pitch * float64(i) / float64(rate)
		out[i] = int16(4000*math.Sin(x) + 2500*math.Sin(2*x+1) + 1500*math.Sin(5*x+2))
	}
	return out
}

func power(pcm []int16) float64 { return energy(pcm) }

func steepest(pcm []int16) (most int) {
	for i := 1; i < len(pcm); i++ {
		most = max(most, int(pcm[i])-int(pcm[i-1]), int(pcm[i-1])-int(pcm[i]))
	}
	return most
}

func TestALostFrameOfAVoiceGoesOnAsTheVoiceDid(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		frame := rate / 50
		for _, pitch := range []float64{85, 120, 200, 330} {
			in := voice(pitch, rate, 20*frame)
			out := append([]int16(nil), in...)
			c := NewConcealer(rate)
			for i := range 20 {
				f := out[i*frame : (i+1)*frame]
				if i == 10 {
					clear(f)
					c.Conceal(f)
				} else {
					c.Good(f)
				}
			}
			var noise float64
			lost := out[10*frame : 10*frame+frame/2] // before it fades
			for i, v := range lost {
				d := float64(v) - float64(in[10*frame+i])
				noise += d * d
			}
			if snr := 10 * math.Log10(power(lost)*float64(len(lost))/(noise+1)); snr < 10 {
				t.Errorf("%d Hz, a voice of %v Hz: what was made up is %.1f dB over its error", rate, pitch, snr)
			}
			if got, was := steepest(out), steepest(in); got > was*3/2 {
				t.Errorf("%d Hz, a voice of %v Hz: a click: a step of %d, the voice has %d", rate, pitch, got, was)
			}
		}
	}
}

func TestALongGapFadesIntoSilenceAndComesBackSoftly(t *testing.T) {
	in := voice(130, 8000, 160*20)
	c := NewConcealer(8000)
	if !c.Silent() {
		t.Error("nothing was heard yet")
	}
	for i := range 10 {
		c.Good(in[i*160 : (i+1)*160])
	}
	var made [160 * 5]int16
	before := 1e12
	for i := range 5 {
		f := made[i*160 : (i+1)*160]
		c.Conceal(f)
		p := power(f)
		if p > before {
			t.Errorf("frame %d of the gap is louder than the one before", i)
		}
		before = p
	}
	if before != 0 || !c.Silent() {
		t.Error("after 100 ms something is still made up")
	}
	next := append([]int16(nil), in[1640:1800]...)
	c.Good(next)
	if next[0] > 400 || next[0] < -400 || next[100] != in[1740] || c.Silent() {
		t.Errorf("the voice comes back with %d, and %d where it was %d", next[0], next[100], in[1740])
	}
}

func TestNothingIsMadeUpOfNothing(t *testing.T) {
	c := NewConcealer(8000)
	f := []int16{1, 2, 3}
	c.Conceal(f)
	if f[0] != 0 || f[2] != 0 {
		t.Errorf("%v", f)
	}
}

func TestComfortNoiseHasTheLevelOfThePacket(t *testing.T) {
	for _, p := range [][]byte{{40}, {60}, {30, 127, 127}, {50, 200, 100, 127, 90}, {45, 60, 190, 110, 140, 127, 120, 130, 127, 127, 127}} {
		var n Noise
		if !n.Payload(p) {
			t.Fatalf("%v refused", p)
		}
		pcm := make([]int16, 16000)
		n.Fill(pcm)
		if got := 10 * math.Log10(power(pcm[800:])/(32768*32768)); math.Abs(got+float64(p[0])) > 1.5 {
			t.Errorf("%v: %.1f dBov, want -%d", p, got, p[0])
		}
	}
	var n Noise
	if n.Payload(nil) || n.Payload([]byte{200}) || n.Present() {
		t.Error("no packet was taken for one")
	}
	if n.Fill([]int16{5}); n.Payload([]byte{127}) == false {
		t.Error("the least level was refused")
	}
}

func TestTheNoiseBehindAVoiceIsFound(t *testing.T) {
	var n Noise
	n.Level(55)
	var f Floor
	frame := make([]int16, 160)
	loud := voice(150, 8000, 160)
	for i := range 500 {
		n.Fill(frame)
		if i%60 < 35 { // words and pauses
			copy(frame, loud)
		}
		f.Add(frame)
	}
	if got := f.Level(); got < 50 || got > 58 {
		t.Errorf("-%d dBov, want about -55", got)
	}
}

func TestAStretchedSoundKeepsItsPitchAndHasNoClick(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		s := newStretcher(rate)
		in := voice(180, rate, rate/25)
		for _, grow := range []bool{false, true} {
			pcm := append(make([]int16, 0, 2*len(in)), in...)
			lag, like := s.period(pcm)
			if like < 0.95 {
				t.Errorf("%d: a steady voice is %.2f like itself", rate, like)
			}
			want := len(in) - lag
			if grow {
				pcm, want = s.longer(pcm, lag), len(in)+lag
			} else {
				pcm = s.shorter(pcm, lag)
			}
			if len(pcm) != want {
				t.Errorf("%d: %d samples, want %d", rate, len(pcm), want)
			}
			if got, was := steepest(pcm), steepest(in); got > was*5/4 {
				t.Errorf("%d: a step of %d, the voice has %d", rate, got, was)
			}
		}
	}
}

func TestHidingALossAllocatesNothing(t *testing.T) {
	c := NewConcealer(16000)
	var n Noise
	n.Level(50)
	f := voice(150, 16000, 320)
	if a := testing.AllocsPerRun(100, func() {
		c.Good(f)
		c.Conceal(f)
		n.Fill(f)
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func FuzzNoise(f *testing.F) {
	f.Add([]byte{40, 127, 255, 0, 1})
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, p []byte) {
		var n Noise
		if n.Payload(p) != (len(p) > 0 && p[0] < 128) {
			t.Fatal("taken for what it is not")
		}
		var pcm [320]int16
		n.Fill(pcm[:])
		for _, v := range n.state {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%x: the filter does not stand", p)
			}
		}
	})
}

func BenchmarkConceal20ms(b *testing.B) {
	c := NewConcealer(8000)
	in := voice(150, 8000, 160)
	var f [160]int16
	for b.Loop() {
		c.Good(in)
		c.Conceal(f[:])
	}
}
