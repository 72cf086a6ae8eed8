package siptest

import (
	"hash/fnv"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"time"

	"github.com/zaf/g711"
)

// Audio is 8 kHz, mono, 16 bit, in frames of 20 ms, as G.711 has it.
const (
	sampleRate   = 8000
	frameSamples = 160
	frameTime    = 20 * time.Millisecond
)

// Source is what a phone says: samples at 8 kHz, said again and again. Make one with Voice or Tone, or from a file.
type Source []int16

// voiceSamples is 4.1 seconds: whoever listens that long has heard all of a voice.
const voiceSamples = 1 << 15

// Voice makes a sound as wide as speech (300 to 3400 Hz, about -13 dBFS) that is always the same for the same name and
// unlike that of any other: what somebody heard proves whom they heard. It is a noise of 4.1 s without a seam.
func Voice(name string) Source {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	rng := rand.New(rand.NewPCG(h.Sum64(), 0x756c6c696d))
	// Every frequency of the band at the same level, each with a phase of its own.
	const low, high = 300 * voiceSamples / sampleRate, 3400 * voiceSamples / sampleRate
	const rms = 7300 // -13 dBFS: peaks of four times that are cut, there are next to none
	level := rms * math.Sqrt(2/float64(high-low))
	wave := make([]complex128, voiceSamples)
	for k := low; k < high; k++ {
		wave[k] = cmplx.Rect(level, 2*math.Pi*rng.Float64())
	}
	fft(wave, unity(voiceSamples))
	pcm := make(Source, voiceSamples)
	for i, v := range wave {
		pcm[i] = clip(real(v))
	}
	return pcm
}

// Tone is a sine of one second at about -13 dBFS; hz is rounded to a whole number, so that it has no seam.
func Tone(hz float64) Source {
	hz = math.Round(hz)
	pcm := make(Source, sampleRate)
	for i := range pcm {
		pcm[i] = clip(10300 * math.Sin(2*math.Pi*hz*float64(i)/sampleRate))
	}
	return pcm
}

// Frames is one round of the source as payloads of 20 ms, for "PCMU" or "PCMA"; nil for another codec. The last frame
// is filled from the beginning.
func (s Source) Frames(codec string) [][]byte {
	coded := s.encode(codec)
	if len(coded) == 0 {
		return nil
	}
	frames := make([][]byte, (len(coded)+frameSamples-1)/frameSamples)
	for i := range frames {
		frames[i] = make([]byte, frameSamples)
		for k := range frames[i] {
			frames[i][k] = coded[(i*frameSamples+k)%len(coded)]
		}
	}
	return frames
}

// encode is one round of the source, a byte a sample.
func (s Source) encode(codec string) []byte {
	c, ok := codecByName(codec)
	if !ok {
		return nil
	}
	b := make([]byte, len(s))
	for i, v := range s {
		b[i] = c.encode(v)
	}
	return b
}

// codec is one of the two laws of G.711.
type codec struct {
	name    string
	payload uint8 // static payload type, RFC 3551 §6
	encode  func(int16) uint8
	decode  func(uint8) int16
}

func codecByName(name string) (codec, bool) {
	switch name {
	case "PCMU":
		return codec{name: name, payload: 0, encode: g711.EncodeUlawFrame, decode: g711.DecodeUlawFrame}, true
	case "PCMA":
		return codec{name: name, payload: 8, encode: g711.EncodeAlawFrame, decode: g711.DecodeAlawFrame}, true
	}
	return codec{}, false
}

func clip(v float64) int16 {
	return int16(max(-32768, min(32767, math.Round(v))))
}

// RMS is the level of samples, 0 to 32768. Full scale, 0 dBFS, is 32768 here.
func RMS(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(pcm)))
}

// Goertzel is the amplitude (0 to 32768) of one frequency in samples.
func Goertzel(pcm []int16, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	coefficient := 2 * math.Cos(2*math.Pi*hz/sampleRate)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+coefficient*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - coefficient*s1*s2
	return 2 * math.Sqrt(max(0, power)) / float64(len(pcm))
}

// silenceLevel is the RMS below which a frame is silent: -50 dBFS, well above the idle noise of A-law.
const silenceLevel = 100

// Segment is a part of what was heard.
type Segment struct {
	From, To time.Duration
}

// Silence finds the silent parts that last at least so long.
func Silence(pcm []int16, atLeast time.Duration) []Segment {
	return segments(pcm, atLeast, func(frame []int16) bool { return RMS(frame) < silenceLevel })
}

// Sound finds the parts that are not silent and last at least so long.
func Sound(pcm []int16, atLeast time.Duration) []Segment {
	return segments(pcm, atLeast, func(frame []int16) bool { return RMS(frame) >= silenceLevel })
}

func segments(pcm []int16, atLeast time.Duration, is func(frame []int16) bool) []Segment {
	var found []Segment
	start := -1
	end := func(at int) {
		if start >= 0 && samples(at-start) >= atLeast {
			found = append(found, Segment{From: samples(start), To: samples(at)})
		}
		start = -1
	}
	for i := 0; i < len(pcm); i += frameSamples {
		switch yes := is(pcm[i:min(i+frameSamples, len(pcm))]); {
		case !yes:
			end(i)
		case start < 0:
			start = i
		}
	}
	end(len(pcm))
	return found
}

// samples is how long n samples last; count is its inverse.
func samples(n int) time.Duration { return time.Duration(n) * time.Second / sampleRate }
func count(d time.Duration) int   { return int(d * sampleRate / time.Second) }
