package ssml

import (
	"cmp"
	"math"
	"strings"
	"time"
)

// Options say in what a document is spoken.
type Options struct {
	Language, Voice string
	// LanguageOf tells which language a voice speaks; nil: nobody knows.
	LanguageOf func(voice string) (string, bool)
}

// Pauses of the structure.
const (
	betweenSentences  = 300 * time.Millisecond
	betweenParagraphs = 600 * time.Millisecond
)

// Parts takes the document apart, in the order in which it is heard.
func (d *Document) Parts(o Options) []Part {
	w := &walker{o: o}
	w.walk(d.root, state{Voicing: Voicing{Language: o.Language, Voice: o.Voice, Rate: 1, Pitch: 1}})
	return tidy(w.parts)
}

// state is what holds for a node and what is in it.
type state struct {
	Voicing

	emphasis string
}

type walker struct {
	o     Options
	parts []Part
}

func (w *walker) walk(n *node, s state) {
	if n.tag == "" {
		w.say(Run{Text: n.text, Emphasis: s.emphasis}, s)
		return
	}
	switch n.tag {
	case "break":
		w.pause(breakOf(n), false)
		return
	case "p", "s":
		gap := betweenSentences
		if n.tag == "p" {
			gap = betweenParagraphs
		}
		w.pause(gap, true)
		defer w.pause(gap, true)
	case "prosody":
		s.prosody(n)
	case "lang":
		s.speak(n.attr["xml:lang"])
	case "voice":
		s.Voice = n.attr["name"]
		if w.o.LanguageOf != nil {
			if l, ok := w.o.LanguageOf(s.Voice); ok {
				s.Language = l
			}
		}
	case "emphasis":
		s.emphasis = cmp.Or(n.attr["level"], "moderate")
		if s.emphasis == "none" {
			s.emphasis = ""
		}
	case "phoneme":
		w.say(Run{Text: flat(n), Emphasis: s.emphasis, Alphabet: cmp.Or(n.attr["alphabet"], "ipa"), Sound: n.attr["ph"]}, s)
		return
	case "sub":
		w.say(Run{Text: cmp.Or(n.attr["alias"], flat(n)), Emphasis: s.emphasis}, s)
		return
	case "say-as":
		w.sayAs(n, s)
		return
	case "audio":
		inner := &walker{o: w.o}
		for _, c := range n.children {
			inner.walk(c, s)
		}
		if src := strings.TrimSpace(n.attr["src"]); source(src) {
			w.parts = append(w.parts, Part{Audio: src, Else: tidy(inner.parts)})
		} else {
			w.parts = append(w.parts, inner.parts...)
		}
		return
	case "desc": // a description of a sound, for readers
		return
	case "amazon:effect":
		s.effect(n)
	}
	for _, c := range n.children {
		w.walk(c, s)
	}
}

// speak changes the language; the voice stays only if it is of that language.
func (s *state) speak(language string) {
	if !languageTag(language) {
		return
	}
	before, _, _ := strings.Cut(s.Language, "-")
	after, _, _ := strings.Cut(language, "-")
	if !strings.EqualFold(before, after) {
		s.Voice = ""
	}
	s.Language = language
}

// prosody changes rate, pitch and loudness; what is in another multiplies.
func (s *state) prosody(n *node) {
	if f, ok := rate(n.attr["rate"]); ok {
		s.Rate = min(max(s.Rate*f, 0.2), 2)
	}
	if f, ok := pitch(n.attr["pitch"]); ok {
		s.Pitch = min(max(s.Pitch*f, 0.5), 2)
	}
	if f, ok := volume(n.attr["volume"]); ok {
		s.Gain = min(max(s.Gain+f, -100), 12)
	}
}

// effect does what can be done of Amazon's effects without their voices: a whisper is soft and slow.
func (s *state) effect(n *node) {
	switch {
	case n.attr["name"] == "whispered":
		s.Gain, s.Rate = max(s.Gain-8, -100), max(s.Rate*0.9, 0.2)
	case n.attr["phonation"] == "soft":
		s.Gain = max(s.Gain-4, -100)
	}
}

func breakOf(n *node) time.Duration {
	if t, ok := duration(n.attr["time"]); ok {
		return min(t, maxBreak)
	}
	t, ok := strength(n.attr["strength"])
	if !ok {
		t, _ = strength("medium")
	}
	return t
}

// say adds a run to the part that is being made, or begins another.
func (w *walker) say(r Run, s state) {
	if r.Text == "" {
		return
	}
	if n := len(w.parts); n > 0 && len(w.parts[n-1].Runs) > 0 && w.parts[n-1].Voicing == s.Voicing {
		last := &w.parts[n-1]
		if k := len(last.Runs) - 1; r.plain() && last.Runs[k].plain() {
			last.Runs[k].Text += r.Text
		} else {
			last.Runs = append(last.Runs, r)
		}
		return
	}
	w.parts = append(w.parts, Part{Voicing: s.Voicing, Runs: []Run{r}})
}

func (w *walker) pause(d time.Duration, structural bool) {
	if d > 0 {
		w.parts = append(w.parts, Part{Pause: d, structural: structural})
	}
}

// flat is the text in a node.
func flat(n *node) string {
	if n.tag == "" {
		return n.text
	}
	var b strings.Builder
	for _, c := range n.children {
		b.WriteString(flat(c))
	}
	return b.String()
}

// tidy collapses white space, drops what is empty, and leaves of neighbouring pauses what should be heard: explicit ones add
// up, structural ones give way.
func tidy(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		switch {
		case len(p.Runs) > 0:
			if p.Runs = squeeze(p.Runs); len(p.Runs) == 0 {
				continue
			}
			out = append(out, p)
		case p.Audio != "":
			out = append(out, p)
		case p.structural && len(out) == 0:
		default:
			out = addPause(out, p)
		}
	}
	if n := len(out); n > 0 && out[n-1].structural {
		out = out[:n-1]
	}
	return out
}

func addPause(out []Part, p Part) []Part {
	n := len(out)
	if n == 0 || out[n-1].Pause == 0 {
		return append(out, p)
	}
	last := &out[n-1]
	switch {
	case last.structural && p.structural:
		last.Pause = max(last.Pause, p.Pause)
	case last.structural:
		*last = p
	case p.structural:
	default:
		last.Pause += p.Pause
	}
	return out
}

// squeeze makes one space of all white space, and none at the ends.
func squeeze(runs []Run) []Run {
	var out []Run
	space := true
	for _, r := range runs {
		var b strings.Builder
		for _, c := range r.Text {
			if c == ' ' || c == '\u00a0' || c == '\r' || c == '\n' || c == '\t' {
				if !space {
					b.WriteByte(' ')
				}
				space = true
				continue
			}
			b.WriteRune(c)
			space = false
		}
		if r.Text = b.String(); r.Text != "" {
			out = append(out, r)
		}
	}
	for n := len(out); n > 0; n = len(out) {
		if out[n-1].Text = strings.TrimRight(out[n-1].Text, " "); out[n-1].Text != "" {
			break
		}
		out = out[:n-1]
	}
	return out
}

// Gain is a gain in dB as a factor.
func Gain(dB float64) float64 {
	if dB <= -100 {
		return 0
	}
	return math.Pow(10, dB/20)
}
