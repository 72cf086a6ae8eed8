package tone

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ullim/media/g711"
)

var countries = []string{"KR", "US", "GB", "JP", "DE", "FR", "AU", "CN", "", "ZZ"}

// power is the mean square.
func power(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum / float64(max(len(pcm), 1))
}

// at is the power of a frequency in a sound.
func at(pcm []int16, hertz float64, rate int) float64 {
	var s, c float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hertz * float64(i) / float64(rate))
		s, c = s+float64(v)*sin, c+float64(v)*cos
	}
	n := float64(len(pcm))
	return 2 * (s*s + c*c) / (n * n)
}

func TestEveryToneHasItsFrequenciesItsRhythmAndItsLevel(t *testing.T) {
	for _, country := range countries {
		for kind := range kinds {
			for _, rate := range []int{8000, 16000} {
				s := Of(country, kind)
				if len(s.Segments) == 0 {
					t.Fatalf("%s %v: no tone", country, kind)
				}
				g := NewGenerator(s, rate)
				for i, part := range s.Segments {
					length := part.Length
					if length == 0 {
						length = time.Second
					}
					pcm := make([]int16, samples(length, rate))
					if more := g.Fill(pcm); more == (s.Once && i == len(s.Segments)-1) {
						t.Errorf("%s %v part %d: goes on: %v", country, kind, i, more)
					}
					if part.Hertz[0] == 0 {
						if power(pcm) != 0 {
							t.Errorf("%s %v part %d: a pause that is not silent", country, kind, i)
						}
						continue
					}
					sum := 0.0
					for _, hz := range part.Hertz {
						if hz > 0 && !part.Modulated {
							sum += at(pcm, float64(hz), rate)
						}
					}
					if !part.Modulated && sum < 0.93*power(pcm) {
						t.Errorf("%s %v part %d: %.2f of it is at %v Hz", country, kind, i, sum/power(pcm), part.Hertz)
					}
					if dbm := 10*math.Log10(power(pcm)/(32767*32767/2)) + 3.14; dbm < -16 || dbm > -11 {
						t.Errorf("%s %v part %d: %.1f dBm0", country, kind, i, dbm)
					}
				}
			}
		}
	}
	if len(Of("US", kinds).Segments) != 0 || kinds.String() != "none" || Ringback.String() != "ringback" {
		t.Error("a tone that is none")
	}
}

func TestFramesOfAnySizeGiveTheSameTone(t *testing.T) {
	whole := make([]int16, 40000)
	NewGenerator(Of("GB", Ringback), 8000).Fill(whole)
	g := NewGenerator(Of("GB", Ringback), 8000)
	var parts []int16
	for len(parts) < len(whole) {
		f := make([]int16, min(1+len(parts)%333, len(whole)-len(parts)))
		g.Fill(f)
		parts = append(parts, f...)
	}
	if !slices.Equal(whole, parts) {
		t.Error("the tone depends on how it is cut")
	}
	g.Restart()
	again := make([]int16, 1000)
	if g.Fill(again); !slices.Equal(again, whole[:1000]) {
		t.Error("a tone that begins anew is another")
	}
}

func TestAPreparedToneCanBeRepeated(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		want time.Duration
	}{{Ringback, 6 * time.Second}, {Busy, 5 * time.Second}, {Dial, 5 * time.Second}, {SIT, 990 * time.Millisecond}, {Beep, 500 * time.Millisecond}} {
		pcm := PCM(Of("US", c.kind), 8000, 5*time.Second)
		if len(pcm) != samples(c.want, 8000) {
			t.Errorf("%v: %d samples, want %v", c.kind, len(pcm), c.want)
		}
		if n := len(pcm); c.kind == Dial {
			for i := range 40 { // the waves meet
				if d := int(pcm[i]) - int(PCM(Of("US", Dial), 8000, time.Second)[i]); d > 2 || d < -2 {
					t.Fatalf("sample %d is off by %d", i, d)
				}
			}
			if step := int(pcm[0]) - int(pcm[n-1]); step > 2500 || step < -2500 {
				t.Errorf("a step of %d where it is repeated", step)
			}
		}
	}
	if n := len(PCM(Of("US", Dial), 8000, time.Hour)); n > 60*8000 {
		t.Errorf("%d samples", n)
	}
}

// heard is what is recognised in a sound that came through G.711 with some noise.
func heard(pcm []int16) (got []Kind) {
	for i, v := range pcm {
		pcm[i] = int16(max(min(int(v)+rand.IntN(61)-30, 32767), -32768))
	}
	coded := make([]byte, len(pcm))
	g711.EncodeULaw(coded, pcm)
	g711.DecodeULaw(pcm, coded)
	var d Detector
	for ; len(pcm) > 0; pcm = pcm[min(171, len(pcm)):] {
		if k, ok := d.Feed(pcm[:min(171, len(pcm))]); ok {
			got = append(got, k)
		}
	}
	return got
}

func TestTheTonesOfAllCountriesAreRecognised(t *testing.T) {
	for _, country := range countries[:9] {
		for kind := range kinds {
			pcm := make([]int16, 2000+rand.IntN(500), 14*8000)
			pcm = pcm[:cap(pcm)]
			NewGenerator(Of(country, kind), 8000).Fill(pcm[2000:])
			want := kind
			if kind == Congestion && slices.Contains([]string{"JP", "CN", "AU"}, country) {
				want = Busy // nothing but the rhythm tells them apart, and there it is the one of a busy tone
			}
			if got := heard(pcm); len(got) != 1 || got[0] != want {
				t.Errorf("%q %v: %v", country, kind, got)
			}
		}
	}
}

func TestTheSpecialInformationToneOfAmericaIsRecognised(t *testing.T) {
	for _, f := range [][3]int{{914, 1429, 1777}, {985, 1371, 1777}, {914, 1371, 1777}, {985, 1429, 1777}} { // four meanings
		pcm := make([]int16, 16000)
		NewGenerator(Spec{Once: true, Segments: []Segment{tone(380*ms, f[0]), tone(276*ms, f[1]), tone(380*ms, f[2])}}, 8000).Fill(pcm[1000:])
		if got := heard(pcm); len(got) != 1 || got[0] != SIT {
			t.Errorf("%v: %v", f, got)
		}
	}
}

// babble is a voice with vowels that are held for a while and hisses.
func babble(r *rand.Rand, n int) []int16 {
	out := make([]int16, n)
	var phase, y1, y2, z1, z2 float64
	pitch, f1, f2, loud, voiced := 120.0, 500.0, 1500.0, 1.0, true
	for i := range out {
		if i%1200 == 0 {
			pitch, f1, f2 = 80+170*r.Float64(), 300+500*r.Float64(), 900+1500*r.Float64()
			loud, voiced = []float64{0, 1, 1, 0.6}[r.IntN(4)], r.IntN(4) > 0
		}
		source := r.NormFloat64()
		if voiced {
			source = 0
			if phase += pitch / 8000; phase >= 1 {
				phase--
				source = 30
			}
		}
		const radius = 0.97
		y := source + 2*radius*math.Cos(2*math.Pi*f1/8000)*y1 - radius*radius*y2
		y1, y2 = y, y1
		z := source + 2*radius*math.Cos(2*math.Pi*f2/8000)*z1 - radius*radius*z2
		z1, z2 = z, z1
		out[i] = int16(max(min(60*loud*(y+0.6*z), 32767), -32768))
	}
	return out
}

func TestSpeechIsNoTone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d Detector
	for i := range 60 * 5 {
		if k, ok := d.Feed(babble(r, 8000)); ok {
			t.Errorf("second %d: %v", i, k)
		}
	}
}

func TestAToneIsToldAgainAfterSilence(t *testing.T) {
	var d Detector
	count := 0
	beep := PCM(Of("", Beep), 8000, 0)
	for _, pcm := range [][]int16{beep, make([]int16, 8000), beep, make([]int16, 12*8000), beep, make([]int16, 8000)} {
		for ; len(pcm) > 0; pcm = pcm[min(160, len(pcm)):] {
			if _, ok := d.Feed(pcm[:min(160, len(pcm))]); ok {
				count++
			}
		}
	}
	if count != 2 {
		t.Errorf("told %d times", count)
	}
	if d.Reset(); d.low[0].b0 != 0 {
		t.Error("something is remembered")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	g := NewGenerator(Of("KR", Ringback), 8000)
	var d Detector
	pcm := make([]int16, 160)
	if n := testing.AllocsPerRun(500, func() {
		g.Fill(pcm)
		d.Feed(pcm)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkGenerate20ms(b *testing.B) {
	g := NewGenerator(Of("US", Dial), 8000)
	pcm := make([]int16, 160)
	for b.Loop() {
		g.Fill(pcm)
	}
}

func BenchmarkDetect20ms(b *testing.B) {
	var d Detector
	pcm := babble(rand.New(rand.NewPCG(5, 6)), 160)
	for b.Loop() {
		d.Feed(pcm)
	}
}
