package resample_test

import (
	"math"
	"testing"

	"ullim/prompts/resample"
)

func tone(hz float64, rate int, seconds float64) []int16 {
	out := make([]int16, int(float64(rate)*seconds))
	for i := range out {
		out[i] = int16(math.Round(16000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}

// level is the amplitude of everything in the middle of the sound, in dB against the test tone.
func level(pcm []int16) float64 {
	mid := pcm[len(pcm)/4 : len(pcm)*3/4]
	sum := 0.0
	for _, s := range mid {
		sum += float64(s) * float64(s)
	}
	return 10*math.Log10(sum/float64(len(mid))+1e-9) - 20*math.Log10(16000/math.Sqrt2)
}

// levelAt is the amplitude at one frequency, in dB against the test tone.
func levelAt(pcm []int16, hz float64, rate int) float64 {
	mid := pcm[len(pcm)/4 : len(pcm)*3/4]
	re, im := 0.0, 0.0
	for i, s := range mid {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(mid)))
		a := 2 * math.Pi * hz * float64(i) / float64(rate)
		re += w * float64(s) * math.Cos(a)
		im += w * float64(s) * math.Sin(a)
	}
	return 20*math.Log10(4*math.Hypot(re, im)/float64(len(mid))+1e-9) - 20*math.Log10(16000)
}

func TestATonInThePassbandIsKept(t *testing.T) {
	for _, from := range []int{8000, 11025, 16000, 22050, 24000, 44100, 48000, 22051} {
		for _, hz := range []float64{50, 300, 1000, 2000, 3000, 3400} {
			out := resample.Convert(tone(hz, from, 1), from, 8000)
			if len(out) != 8000 {
				t.Errorf("%d Hz: one second gives %d samples", from, len(out))
			}
			if got := levelAt(out, hz, 8000); math.Abs(got) > 0.1 {
				t.Errorf("from %d: tone of %v Hz changed by %.2f dB", from, hz, got)
			}
			if got := level(out); math.Abs(got) > 0.1 {
				t.Errorf("from %d: total with a tone of %v Hz is %.2f dB", from, hz, got)
			}
		}
	}
}

func TestWhatWouldFoldBackIsMoreThanFiftyDecibelsDown(t *testing.T) {
	for _, from := range []int{11025, 16000, 22050, 24000, 44100, 48000, 22051} {
		for _, hz := range []float64{4050, 4300, 4500, 5000, 5500, 7000, 8000, 10000, 12000, 16000, 20000} {
			if hz >= float64(from)/2 {
				continue
			}
			if got := level(resample.Convert(tone(hz, from, 1), from, 8000)); got > -55 {
				t.Errorf("from %d: tone of %v Hz leaves %.1f dB", from, hz, got)
			}
		}
	}
}

func TestRaisingTheRateMakesNoImages(t *testing.T) {
	out := resample.Convert(tone(3000, 8000, 1), 8000, 48000)
	if got := levelAt(out, 3000, 48000); math.Abs(got) > 0.1 {
		t.Errorf("tone changed by %.2f dB", got)
	}
	if got := levelAt(out, 5000, 48000); got > -55 {
		t.Errorf("image at %.1f dB", got)
	}
}

func TestAConstantStaysConstantAndLoudSoundsAreClippedNotWrapped(t *testing.T) {
	in := make([]int16, 4410)
	for i := range in {
		in[i] = 32767
	}
	for i, s := range resample.Convert(in, 44100, 8000)[100:700] {
		if s < 32700 {
			t.Fatalf("sample %d is %d", i+100, s)
		}
	}
	square := make([]int16, 4410)
	for i := range square {
		square[i] = 32767
		if i/50%2 == 1 {
			square[i] = -32768
		}
	}
	out := resample.Convert(square, 44100, 8000)
	for i := 20; i < len(out)-20; i++ {
		// A wrap would put a full-scale sample of the wrong sign between two of the right one.
		if out[i] > 30000 && out[i-1] < -30000 && out[i+1] < -30000 || out[i] < -30000 && out[i-1] > 30000 && out[i+1] > 30000 {
			t.Fatalf("sample %d wrapped", i)
		}
	}
}

func TestNothingGivesNothing(t *testing.T) {
	for _, out := range [][]int16{
		resample.Convert(nil, 8000, 16000),
		resample.Convert([]int16{1}, 0, 8000),
		resample.Convert([]int16{1}, 8000, -1),
	} {
		if out != nil {
			t.Errorf("got %v", out)
		}
	}
	in := []int16{1, 2, 3}
	out := resample.Convert(in, 8000, 8000)
	out[0] = 9
	if in[0] != 1 {
		t.Error("the input was handed out")
	}
}
