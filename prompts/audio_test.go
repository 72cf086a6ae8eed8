package prompts

import (
	"math"
	"testing"
	"time"
)

func TestAudioIsWholeFramesPerCodec(t *testing.T) {
	pcm := Tone(440, 50*time.Millisecond, -6)
	a := NewAudio("x", pcm, 8000, encoders())
	if a.Length != 60*time.Millisecond || len(a.Frames("PCMU")) != 3 || len(a.Frames("PCMA")) != 3 || a.Frames("opus") != nil {
		t.Fatal(a.Length, len(a.Frames("PCMU")), len(a.Frames("PCMA")))
	}
	for _, f := range a.Frames("PCMU") {
		if len(f) != FrameSamples || cap(f) != FrameSamples {
			t.Fatalf("a frame of %d bytes, room for %d", len(f), cap(f))
		}
	}
	got := joined(a, "PCMU")
	check(t, raw(pcm), got[:400])
	check(t, make([]byte, 80), got[400:]) // padded with silence
	if len(pcm) != 400 {
		t.Error("the caller's samples were touched")
	}
}

func TestAudioOfAnyRateKeepsItsLength(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 44100, 48000} {
		a := NewAudio("x", make([]int16, rate*2), rate, encoders())
		check(t, 2*time.Second, a.Length)
		check(t, 100, len(a.Frames("PCMA")))
	}
	a := NewAudio("x", nil, 8000, encoders())
	if a.Length != 0 || len(a.Frames("PCMU")) != 0 {
		t.Error("nothing became something")
	}
}

func TestTonesDoNotClick(t *testing.T) {
	for name, pcm := range map[string][]int16{"beep": Beep(), "low": Tone(200, time.Second, 0), "very short": Tone(1000, time.Millisecond, 0)} {
		if first, last := pcm[0], pcm[len(pcm)-1]; abs(first) > 100 || abs(last) > 100 {
			t.Errorf("%s begins with %d and ends with %d", name, first, last)
		}
	}
	if got := dBFS(Tone(500, time.Second, -12)); math.Abs(got+12+3.01) > 0.2 {
		t.Errorf("a tone of -12 dB is at %.1f dBFS", got)
	}
	if len(Silence(20*time.Millisecond)) != FrameSamples {
		t.Error("silence of the wrong length")
	}
}

func TestTheMusicIsCalmLoopsWithoutASeamAndHasNoClicks(t *testing.T) {
	music := Music()
	if d := time.Duration(len(music)) * time.Second / Rate; d < 16*time.Second || d > 20*time.Second || len(music)%FrameSamples != 0 {
		t.Errorf("it is %v long", d)
	}
	if got := dBFS(music); math.Abs(got+18) > 0.5 {
		t.Errorf("it is at %.1f dBFS", got)
	}
	// A click is a step between neighbours; the seam is a place like any other.
	worst, peak, where := 0.0, int16(0), 0
	for i, s := range music {
		next := music[(i+1)%len(music)]
		if step := math.Abs(float64(next) - float64(s)); step > worst {
			worst, where = step, i
		}
		peak = max(peak, abs(s))
	}
	if worst > 4500 {
		t.Errorf("a step of %.0f at sample %d", worst, where)
	}
	if seam := math.Abs(float64(music[0]) - float64(music[len(music)-1])); seam > 1000 {
		t.Errorf("a step of %.0f at the seam", seam)
	}
	if peak > 24000 {
		t.Errorf("its peak is %d", peak)
	}
	for second := range len(music) / Rate {
		if got := dBFS(music[second*Rate : (second+1)*Rate]); got < -26 || got > -12 {
			t.Errorf("second %d is at %.1f dBFS", second, got)
		}
	}
	check(t, music, Music()) // the same on every node
}

func abs(s int16) int16 { return max(s, -s) }
