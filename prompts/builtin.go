package prompts

import (
	"math"
	"time"

	"github.com/google/uuid"

	"ullim/internal/resource"
)

// Names of the built-in prompts that every instance has.
const (
	BeepName    = "Beep.wav"
	MusicName   = "Music_Default"
	SilenceName = "Silence_5sec"
)

// builtinPrefix marks the keys of built-in prompts: they lie in no blob store.
const builtinPrefix = "builtin/"

// Builtins are the prompts that an instance has without uploading any. They are generated or spoken, not stored; their ids are
// derived from the instance's, so they are the same on every node and after every start.
func Builtins(instanceID string) []*Prompt {
	var out []*Prompt
	for _, b := range append([]spoken{
		{name: BeepName, description: "A short high tone"},
		{name: MusicName, description: "Quiet music for waiting, a loop of 16 seconds"},
		{name: SilenceName, description: "Five seconds of silence"},
	}, builtinTexts()...) {
		out = append(out, &Prompt{
			Meta: resource.Meta{
				ID:         uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:ullim:"+instanceID+":prompt:"+b.name)).String(),
				InstanceID: instanceID, Name: b.name, Version: 1,
			},
			Description: b.description, Key: builtinPrefix + b.name,
		})
	}
	return out
}

// builtinSound makes the sound of a built-in prompt.
func builtinSound(name string) ([]int16, bool) {
	switch name {
	case BeepName:
		return Beep(), true
	case MusicName:
		return Music(), true
	case SilenceName:
		return Silence(5 * time.Second), true
	}
	return nil, false
}

// Music is the hold music: sixteen seconds at 8 kHz of soft plucked chords, about -18 dBFS, that loop without a seam. It
// was written for ullim and is generated here, so nobody has rights in it that a user would need to clear.
func Music() []int16 {
	const bars, beats = 8, 8 // of 2 s and of 250 ms
	length := bars * 2 * Rate
	sum := make([]float64, length)
	// C, a minor, F, G, e minor, a minor, d minor, G: half tones from C4, as bass and three voices.
	chords := [bars][4]int{
		{-12, 4, 7, 12},
		{-15, 0, 4, 9},
		{-19, 0, 5, 9},
		{-17, 2, 7, 11},
		{-20, -1, 4, 7},
		{-15, 0, 4, 9},
		{-22, 2, 5, 9},
		{-17, -1, 5, 7},
	}
	pattern := [beats]int{1, 2, 3, 2, 1, 3, 2, 3}
	for bar, chord := range chords {
		at := bar * 2 * Rate
		pluck(sum, at, chord[0], 0.60, 1.6)
		for i, voice := range chord[1:] {
			pluck(sum, at+(i+1)*Rate/40, voice-12, 0.22, 1.8) // strummed: notes that begin together are a bang
		}
		for beat, voice := range pattern {
			pluck(sum, at+beat*Rate/4+Rate/10, chord[voice], 0.26, 0.7)
		}
	}
	power := 0.0
	for _, s := range sum {
		power += s * s
	}
	scale := math.MaxInt16 * math.Pow(10, -18.0/20) / math.Sqrt(power/float64(length))
	pcm := make([]int16, length)
	for i, s := range sum {
		pcm[i] = int16(math.Round(max(-30000, min(30000, s*scale))))
	}
	return pcm
}

// pluck adds one note, which fades over so many seconds. What sounds beyond the end goes on at the beginning: that is
// what makes the loop seamless.
func pluck(sum []float64, at, halfTone int, volume, fade float64) {
	const attack = 0.025
	hz := 261.626 * math.Pow(2, float64(halfTone)/12)
	for i := range int(fade * 4 * Rate) {
		t := float64(i) / Rate
		gain := volume * math.Exp(-t/fade*1.7)
		if t < attack {
			gain *= 0.5 - 0.5*math.Cos(math.Pi*t/attack)
		}
		if left := fade*4 - t; left < 0.2 {
			gain *= left / 0.2
		}
		phase := 2 * math.Pi * hz * t
		// Overtones die sooner than the tone itself, as on a string.
		soft := math.Exp(-t / fade * 4)
		v := math.Sin(phase) + 0.30*soft*math.Sin(2*phase) + 0.08*soft*math.Sin(3*phase)
		sum[(at+i)%len(sum)] += gain * v
	}
}
