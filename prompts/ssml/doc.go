// Package ssml reads the mark-up of spoken text (W3C SSML 1.1 as far as Amazon Polly has it) and takes it apart into what is
// spoken, one after the other.
//
//	Parse     text -> Document: a small tree, and the problems found in it
//	Parts     Document -> Parts: speech in one language, voice, rate, pitch and loudness; a pause; a sound
//	Split     long parts into sentences, so that the first is heard while the second is made
//	Marked    a part as mark-up again, with the few tags that a provider may get; Plain: without any
//
// The trick is in Parts: what changes the voice (lang, voice, prosody) ends a part, what is silent (break, p, s) stands
// between parts, and what is a way of reading (say-as, sub) has been turned into words by package say. What is left is
// nearly always plain text, which every provider speaks alike. Nothing that a caller or tenant writes reaches a provider
// as a tag of their own making.
//
// A document that is not well-formed is an error. A tag or a value that is not known is a Problem with line and column:
// bad enough to refuse a flow at publish, no reason to leave a caller in silence, so Parts goes on without it. A value
// with a data path ($.Attributes.x) is not known before the call and is no problem.
package ssml

import (
	"fmt"
	"time"
)

// Limits of a document.
const (
	maxDepth = 50
	maxBreak = 10 * time.Second
	maxNodes = 4000
)

// Document is mark-up that has been read.
type Document struct {
	Problems []Problem
	root     *node
}

// Problem is something in a document that will not be heard as it was meant.
type Problem struct {
	Line, Column int
	Tag, Message string
}

// String is one line for people.
func (p Problem) String() string {
	if p.Tag == "" {
		return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message)
	}
	return fmt.Sprintf("line %d, column %d: <%s> %s", p.Line, p.Column, p.Tag, p.Message)
}

// Error is String: a document that is not well-formed has one problem that is an error.
func (p Problem) Error() string { return p.String() }

// node is a tag, or a text if tag is empty.
type node struct {
	tag      string
	text     string
	attr     map[string]string
	children []*node
}

// Run is a stretch of text. All but Text are for providers that understand mark-up.
type Run struct {
	Text            string
	Emphasis        string // strong, moderate, reduced
	Alphabet, Sound string // phoneme
	As, Format      string // a say-as in a language that package say does not speak
}

// plain reports whether there is nothing but text.
func (r Run) plain() bool { return r.Emphasis == "" && r.Sound == "" && r.As == "" }

// Voicing is how a part is spoken.
type Voicing struct {
	Language, Voice string
	Rate            float64 // 1: as the voice has it
	Pitch           float64 // 1: as the voice has it
	Gain            float64 // dB
}

// Part is one thing heard: Runs in one Voicing, or a pause, or a sound.
type Part struct {
	Voicing

	Runs  []Run
	Pause time.Duration
	Audio string // the src of an audio element
	Else  []Part // heard if that sound cannot be had

	structural bool // a pause between sentences, which yields to a longer one and is nothing at the ends
}
