package siptest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// through sends samples through G.711, with every nth frame of 20 ms lost.
func through(pcm []int16, law string, lost int) []int16 {
	c, _ := codecByName(law)
	out := make([]int16, len(pcm))
	for i, v := range pcm {
		if lost > 0 && i/frameSamples%lost == 0 {
			continue
		}
		out[i] = c.decode(c.encode(v))
	}
	return out
}

func said(s Source, from, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = s[(from+i)%len(s)]
	}
	return out
}

func TestAVoiceIsAlwaysTheSameAndAsWideAsSpeech(t *testing.T) {
	v, again := Voice("kim"), Voice("kim")
	for i := range v {
		if v[i] != again[i] {
			t.Fatal("the same name gave two voices")
		}
	}
	if rms := RMS(v); rms < 6500 || rms > 8200 {
		t.Errorf("RMS %.0f", rms)
	}
	in, below, above := 0.0, 0.0, 0.0
	for bin := 41; bin < voiceSamples/2; bin += 41 {
		hz := float64(bin) * sampleRate / voiceSamples
		a := Goertzel(v, hz)
		switch {
		case hz < 290:
			below = max(below, a)
		case hz > 3410:
			above = max(above, a)
		default:
			in = max(in, a)
		}
	}
	if in < 50*below || in < 50*above {
		t.Errorf("in the band %.1f, below %.3f, above %.3f", in, below, above)
	}
	// A seam would show as something above the band when the sound goes round.
	round := said(v, voiceSamples/2, voiceSamples)
	if a := Goertzel(round, 3600); a > 1 {
		t.Errorf("the seam is heard with %.2f", a)
	}
}

func TestCorrelationTellsVoicesApart(t *testing.T) {
	kim, lee, stranger := Voice("kim"), Voice("lee"), Voice("park")
	silence := make([]int16, 1200)
	for _, tc := range []struct {
		name   string
		heard  []int16
		offset time.Duration
	}{
		{"u-law", through(said(kim, 0, 32000), "PCMU", 0), 0},
		{"A-law", through(said(kim, 0, 32000), "PCMA", 0), 0},
		{"both laws", through(through(said(kim, 0, 32000), "PCMA", 0), "PCMU", 0), 0},
		{"leading silence", append(silence[:1200:1200], through(said(kim, 0, 32000), "PCMU", 0)...), 150 * time.Millisecond},
		{"a fifth lost", through(said(kim, 0, 32000), "PCMU", 5), 0},
		{"after somebody else", append(said(lee, 0, 20000), through(said(kim, 0, 12000), "PCMU", 0)...), 2500 * time.Millisecond},
		{"from the midst", through(said(kim, 8000, 24000), "PCMU", 0), -time.Second},
		{"quiet", quieter(said(kim, 0, 32000), 30), 0},
		{"only a second of it", through(said(kim, 0, 8000), "PCMU", 0), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, at := Correlate(tc.heard, kim)
			if c < 0.95 || at != tc.offset {
				t.Errorf("coefficient %.3f at %v, want %v", c, at, tc.offset)
			}
			if c, _ = Correlate(tc.heard[:min(len(tc.heard), 16000)], stranger); c > 0.2 {
				t.Errorf("a stranger: %.3f", c)
			}
		})
	}
	if heard := through(said(kim, 0, 16000), "PCMU", 3); !Contains(heard, kim) || Contains(heard, lee) {
		t.Error("Contains does not agree with Correlate")
	}
	for name, none := range map[string][]int16{"nothing": nil, "silence": silence, "hum": said(Tone(440), 0, 32000)} {
		if c, _ := Correlate(none, kim); c > 0.2 {
			t.Errorf("%s: %.3f", name, c)
		}
	}
}

func TestStrangersStayBelowAThirdForManyVoices(t *testing.T) {
	heard := through(said(Voice("caller"), 4000, 3*sampleRate), "PCMU", 7)
	for i := range 6 {
		if c, _ := Correlate(heard, Voice(string(rune('a'+i)))); c > 0.3 {
			t.Errorf("voice %d: %.3f", i, c)
		}
	}
}

func TestShareSaysHowMuchOfItWasWhom(t *testing.T) {
	kim, lee := Voice("kim"), Voice("lee")
	heard := append(make([]int16, 8000), through(said(kim, 777, 12000), "PCMA", 6)...)
	heard = append(heard, said(lee, 0, 4000)...)
	if s := Share(heard, kim); s != 0.75 {
		t.Errorf("kim %.2f", s)
	}
	if s := Share(heard, lee); s != 0.25 {
		t.Errorf("lee %.2f", s)
	}
	if s := Share(heard, Voice("park")); s != 0 {
		t.Errorf("park %.2f", s)
	}
	if s := Share(said(Tone(440), 0, 16000), Tone(440)); s != 1 {
		t.Errorf("a tone of one second: %.2f", s)
	}
	if s := Share(heard, Voice("kim")[:30000]); s < 0.25 { // a round of another length, cut short
		t.Errorf("part of kim: %.2f", s)
	}
	if s := Share(nil, kim); s != 0 {
		t.Errorf("nothing: %.2f", s)
	}
}

func TestLevelsAndSilence(t *testing.T) {
	tone := Tone(425)
	if a := Goertzel(tone, 425); math.Abs(a-10300) > 20 {
		t.Errorf("425 Hz: %.0f", a)
	}
	if a := Goertzel(tone, 800); a > 20 {
		t.Errorf("800 Hz: %.0f", a)
	}
	if r := RMS(tone); math.Abs(r-10300/math.Sqrt2) > 10 {
		t.Errorf("RMS %.0f", r)
	}
	heard := append(make([]int16, 4000), tone...)
	heard = append(heard, make([]int16, 2000)...)
	got := Silence(heard, 100*time.Millisecond)
	if len(got) != 2 || got[0] != (Segment{0, 500 * time.Millisecond}) || got[1].From != 1500*time.Millisecond {
		t.Errorf("%v", got)
	}
	if s := Sound(heard, time.Second); len(s) != 1 || s[0] != (Segment{500 * time.Millisecond, 1500 * time.Millisecond}) {
		t.Errorf("%v", s)
	}
}

func TestFramesGoRoundAndDecodeToTheSource(t *testing.T) {
	s := Source(said(Voice("x"), 0, 250))
	for _, law := range []string{"PCMU", "PCMA"} {
		f, c := s.Frames(law), mustCodec(t, law)
		if len(f) != 2 || len(f[1]) != frameSamples || f[1][90] != f[0][0] {
			t.Errorf("%s: %d frames", law, len(f))
		}
		if d := int(c.decode(f[0][7])) - int(s[7]); d > 600 || d < -600 {
			t.Errorf("%s: off by %d", law, d)
		}
	}
	if s.Frames("opus") != nil {
		t.Error("frames for an unknown codec")
	}
}

func mustCodec(t *testing.T, name string) codec {
	t.Helper()
	c, ok := codecByName(name)
	if !ok {
		t.Fatal(name)
	}
	return c
}

func quieter(pcm []int16, by int16) []int16 {
	out := make([]int16, len(pcm))
	for i, v := range pcm {
		out[i] = v/by + int16(rand.IntN(3))
	}
	return out
}

func BenchmarkCorrelateTenSeconds(b *testing.B) {
	kim := Voice("kim")
	heard := said(kim, 5000, 10*sampleRate)
	for b.Loop() {
		Correlate(heard, kim)
	}
}
