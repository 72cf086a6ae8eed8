// Package tone makes and recognises the tones of telephone networks: what a line says about a call without words.
//
// tone.go is the generator, country.go the tables, detect.go the detector. Nothing has a clock, and neither making nor
// listening allocates.
package tone

import (
	"math"
	"time"
)

// Kind is what a tone tells.
type Kind uint8

// Kinds.
const (
	Dial Kind = iota
	Ringback
	Busy
	Congestion
	SIT  // special information: the three rising tones
	CNG  // calling fax, ITU-T T.30
	CED  // called fax or modem, ITU-T V.25
	Beep // leave your message after it
	kinds
)

func (k Kind) String() string {
	if k >= kinds {
		return "none"
	}
	return [kinds]string{"dial", "ringback", "busy", "congestion", "sit", "cng", "ced", "beep"}[k]
}

// Segment is one part of a cadence: up to three tones at once (Hz, 0 none) for a time.
type Segment struct {
	Hertz  [3]int
	Length time.Duration // 0: for ever
	// Modulated is that the first tone swells with the frequency of the second instead of sounding beside it (Japan).
	Modulated bool
}

// Spec is a tone: its segments, again and again unless Once.
type Spec struct {
	Segments []Segment
	Once     bool
}

// Level is how loud a generated tone is, all frequencies together: -13 dBm0 (ITU-T E.180 has -10 ±5 at the subscriber's exchange).
const level = 5112 // peak of a sine of -13 dBm0

// Generator makes the samples of a Spec.
type Generator struct {
	spec Spec
	rate int
	part int // of spec.Segments
	at   int // samples of the part that are over
	over bool
	sine [3]oscillator
}

// oscillator turns a point on a circle: a rotation a sample, no sine.
type oscillator struct {
	x, y     float64
	cos, sin float64
}

func (o *oscillator) start(hertz, rate int) {
	o.x, o.y = 1, 0
	o.sin, o.cos = math.Sincos(2 * math.Pi * float64(hertz) / float64(rate))
}

func (o *oscillator) next() float64 {
	v := o.y
	o.x, o.y = o.x*o.cos-o.y*o.sin, o.x*o.sin+o.y*o.cos
	return v
}

// NewGenerator begins a tone at a rate of 8,000 or 16,000.
func NewGenerator(s Spec, rate int) *Generator {
	g := &Generator{spec: s, rate: rate}
	g.Restart()
	return g
}

// Restart begins the tone anew.
func (g *Generator) Restart() {
	g.part, g.at, g.over = 0, 0, len(g.spec.Segments) == 0
	g.tune()
}

func (g *Generator) tune() {
	if g.over {
		return
	}
	for i, hz := range g.spec.Segments[g.part].Hertz {
		g.sine[i].start(hz, g.rate)
	}
}

func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }

// Fill writes the next samples and reports whether the tone goes on afterwards. What follows the end is silence.
func (g *Generator) Fill(dst []int16) bool {
	for len(dst) > 0 && !g.over {
		s := &g.spec.Segments[g.part]
		n, length := len(dst), samples(s.Length, g.rate)
		if length > 0 {
			n = min(n, length-g.at)
		}
		g.sound(dst[:n], s, length)
		dst = dst[n:]
		if g.at += n; length > 0 && g.at >= length {
			g.at = 0
			if g.part++; g.part == len(g.spec.Segments) {
				g.part, g.over = 0, g.spec.Once
			}
			g.tune()
		}
	}
	clear(dst)
	return !g.over
}

// sound writes n samples of a segment, with soft edges of 2 ms.
func (g *Generator) sound(dst []int16, s *Segment, length int) {
	tones := 0
	for _, hz := range s.Hertz {
		if hz > 0 {
			tones++
		}
	}
	if tones == 0 {
		clear(dst)
		return
	}
	edge := g.rate / 500
	peak := level / math.Sqrt(float64(tones))
	if s.Modulated {
		peak = level
	}
	for i := range dst {
		var v float64
		switch {
		case s.Modulated:
			v = g.sine[0].next() * (1 + 0.85*g.sine[1].next()) / 1.4
		default:
			for k := range tones {
				v += g.sine[k].next()
			}
		}
		v *= peak
		at := g.at + i
		if at < edge {
			v *= float64(at) / float64(edge)
		}
		if left := length - at; length > 0 && left < edge {
			v *= float64(left) / float64(edge)
		}
		dst[i] = int16(v)
	}
}

// period is how long the whole cadence lasts, 0 if it does not end.
func (s Spec) period() (sum time.Duration) {
	for _, p := range s.Segments {
		if p.Length == 0 {
			return 0
		}
		sum += p.Length
	}
	return sum
}

// The longest prepared tone. Longer ones repeat.
const longestPCM = time.Minute

// PCM is a prepared tone of at least a length, at most a minute: a cadence in whole periods, so that it can be repeated; a tone that
// does not end in whole seconds, after which its waves meet; one that is played once as long as it is.
func PCM(s Spec, rate int, length time.Duration) []int16 {
	length = min(max(length, 0), longestPCM)
	period := s.period()
	switch {
	case s.Once:
		length = period
	case period > 0:
		length = (length + period - 1) / period * period
	default:
		length = (length + time.Second - 1) / time.Second * time.Second
	}
	pcm := make([]int16, samples(length, rate))
	g := NewGenerator(s, rate)
	if period == 0 && len(s.Segments) == 1 && len(pcm) > 0 { // no soft edge: its end meets its beginning
		g.at = rate
	}
	g.Fill(pcm)
	return pcm
}
