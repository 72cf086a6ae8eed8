package prompts

import (
	"math"
	"time"

	"ullim/prompts/resample"
)

// Rate is the sampling rate of every Audio, in hertz.
const Rate = 8000

// FrameSamples is one frame: 20 ms at 8 kHz.
const FrameSamples = 160

// FrameLength is how long a frame sounds.
const FrameLength = 20 * time.Millisecond

// NewAudio makes mono PCM of any rate into frames for each codec: brought to 8 kHz, padded with silence to whole frames,
// encoded once. The map is from RTP encoding name to encoder. No samples give an Audio without frames.
func NewAudio(name string, pcm []int16, rate int, enc map[string]Encoder) *Audio {
	if rate != Rate {
		pcm = resample.Convert(pcm, rate, Rate)
	}
	if rest := len(pcm) % FrameSamples; rest != 0 {
		padded := make([]int16, len(pcm)+FrameSamples-rest)
		copy(padded, pcm)
		pcm = padded
	}
	n := len(pcm) / FrameSamples
	a := &Audio{Name: name, Length: time.Duration(n) * FrameLength, frames: make(map[string][][]byte, len(enc))}
	for codec, encode := range enc {
		payload := encode(pcm)
		frames := make([][]byte, n)
		for i := range frames {
			at := i * len(payload) / n
			end := (i + 1) * len(payload) / n
			frames[i] = payload[at:end:end]
		}
		a.frames[codec] = frames
	}
	return a
}

// bytes is what the frames take in memory, for the caches.
func (a *Audio) bytes() int64 {
	total := int64(len(a.Name)) + 256
	for _, frames := range a.frames {
		for _, f := range frames {
			total += int64(len(f)) + 24 // and the slice itself
		}
	}
	return total
}

// Silence is d of silence at 8 kHz.
func Silence(d time.Duration) []int16 {
	return make([]int16, int(d*Rate/time.Second))
}

// Tone is a sine tone at 8 kHz with an amplitude in dB of full scale (0 or less). Its first and last 5 ms rise and fall,
// so that it does not click.
func Tone(hz float64, d time.Duration, dBFS float64) []int16 {
	pcm := Silence(d)
	ramp := min(Rate/200, len(pcm)/2)
	amplitude := math.MaxInt16 * math.Pow(10, min(dBFS, 0)/20)
	for i := range pcm {
		gain := 1.0
		if edge := min(i, len(pcm)-1-i); edge < ramp {
			gain = 0.5 - 0.5*math.Cos(math.Pi*float64(edge)/float64(ramp))
		}
		pcm[i] = int16(math.Round(amplitude * gain * math.Sin(2*math.Pi*hz*float64(i)/Rate)))
	}
	return pcm
}

// Beep is the short high tone that an agent or a caller hears before being joined.
func Beep() []int16 { return Tone(880, 250*time.Millisecond, -12) }
