// Package tone makes and recognises the tones of telephone networks.
package tone

import "time"

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
)

// Segment is one part of a cadence: up to three tones at once (Hz, 0 none) for a time.
type Segment struct {
	Hertz  [3]int
	Length time.Duration // 0: for ever
}

// Spec is a tone: its segments, again and again unless Once.
type Spec struct {
	Segments []Segment
	Once     bool
}

// Of returns the tone of a country (ISO 3166 code; others get the default of ITU-T E.180).
func Of(country string, kind Kind) Spec { return Spec{} }

// Generator makes the samples of a Spec.
type Generator struct{}

// NewGenerator begins a tone at a rate of 8,000 or 16,000.
func NewGenerator(s Spec, rate int) *Generator { return &Generator{} }

// Fill writes the next samples and reports whether the tone goes on afterwards.
func (g *Generator) Fill(dst []int16) bool { return false }

// PCM is a prepared tone of a length: for a cadence, rounded up to whole periods so that it can be repeated.
func PCM(s Spec, rate int, length time.Duration) []int16 { return nil }
