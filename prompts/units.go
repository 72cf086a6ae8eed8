package prompts

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/prompts/ssml"
)

// unit is one thing that a Speaker puts together: a stretch of speech, a pause, or a stored sound.
type unit struct {
	speech Speech
	gain   float64 // dB
	tight  bool    // its neighbours follow closely: the provider's silence around it is cut off
	pause  time.Duration
	audio  string
	other  []unit // instead of audio that cannot be had
}

// units takes a text apart into what is spoken in one go, and checks its limits.
func units(sp Speech) ([]unit, error) {
	if !utf8.ValidString(sp.Text) {
		return nil, errs.Field("Text", "is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(sp.Text); n > MaxText {
		return nil, errs.Field("Text", "has %d characters, at most %d are allowed", n, MaxText)
	}
	if sp.Language == "" {
		sp.Language, _ = VoiceLanguage(sp.Voice)
	}
	var parts []ssml.Part
	if sp.SSML {
		doc, err := parseSSML(sp.Text)
		if err != nil {
			return nil, err
		}
		if sp.Language == "" {
			sp.Language = guessLanguage(plainOf(doc.Parts(ssml.Options{})))
		}
		parts = doc.Parts(ssml.Options{Language: sp.Language, Voice: sp.Voice, LanguageOf: VoiceLanguage})
	} else {
		text := strings.TrimSpace(strings.Map(speakable, sp.Text))
		if text == "" {
			return nil, errs.Field("Text", "is empty")
		}
		if sp.Language == "" {
			sp.Language = guessLanguage(text)
		}
		parts = []ssml.Part{{
			Voicing: ssml.Voicing{Language: sp.Language, Voice: sp.Voice, Rate: 1, Pitch: 1},
			Runs:    []ssml.Run{{Text: text}},
		}}
	}
	if err := checkParts(parts); err != nil {
		return nil, err
	}
	return unitsOf(ssml.Split(parts), sp), nil
}

func unitsOf(parts []ssml.Part, sp Speech) []unit {
	var out []unit
	for _, p := range parts {
		switch {
		case p.Audio != "":
			out = append(out, unit{audio: p.Audio, other: unitsOf(ssml.Split(p.Else), sp), speech: Speech{InstanceID: sp.InstanceID, Language: sp.Language}})
		case len(p.Runs) == 0:
			out = append(out, unit{pause: p.Pause})
		default:
			s := Speech{
				Text: p.Plain(), Language: p.Language, Voice: p.Voice, Rate: factor(p.Rate, sp.Rate), Pitch: factor(p.Pitch, sp.Pitch),
			}
			if s.Text == "" {
				continue
			}
			if !p.IsPlain() {
				s.SSML, s.Text = true, p.Marked(ssml.Dialect{Emphasis: true})
			}
			out = append(out, unit{speech: s, gain: p.Gain})
		}
	}
	for i := range out {
		out[i].tight = len(out) > 1
	}
	return out
}

// factor is a rate or pitch of a part by that of the whole; 1 is written 0, so that the same speech has one key.
func factor(part, whole float64) float64 {
	if whole > 0 {
		part *= whole
	}
	if part = math.Round(part*100) / 100; part == 1 {
		return 0
	}
	return part
}

// key names what is heard, for the cache.
func (u unit) key(provider string) string {
	return digest(provider, u.speech.Voice, u.speech.Language, fmt.Sprint(u.speech.SSML, u.speech.Rate, u.speech.Pitch, u.gain, u.tight), u.speech.Text)
}

// count is how many characters are spoken, and how long the pauses are.
func count(parts []ssml.Part) (heard int, silent time.Duration) {
	for _, p := range parts {
		heard += utf8.RuneCountInString(p.Plain())
		silent += p.Pause
		h, s := count(p.Else)
		heard, silent = heard+h, silent+s
	}
	return heard, silent
}

func plainOf(parts []ssml.Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Plain() + " " + plainOf(p.Else))
	}
	return b.String()
}

// PlainText is the text of speech without its mark-up, for providers that have none.
func PlainText(s Speech) string {
	if !s.SSML {
		return s.Text
	}
	doc, err := ssml.Parse(s.Text)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(plainOf(doc.Parts(ssml.Options{Language: s.Language})))
}

// amplify changes loudness, without going over the top.
func amplify(pcm []int16, dB float64) {
	if dB == 0 {
		return
	}
	gain := ssml.Gain(dB)
	for i, v := range pcm {
		pcm[i] = int16(min(max(float64(v)*gain, math.MinInt16), math.MaxInt16))
	}
}

// trim cuts silence off both ends of speech but for a breath of it: pauses between sentences are ours, and the same whoever
// speaks.
func trim(pcm []int16, rate int) []int16 {
	const quiet = 40 // of 32768: below the noise of any synthesiser
	loud := func(v int16) bool { return v > quiet || v < -quiet }
	first, last := 0, len(pcm)-1
	for first < last && !loud(pcm[first]) {
		first++
	}
	for last > first && !loud(pcm[last]) {
		last--
	}
	breath := rate / 50
	return pcm[max(first-breath, 0):min(last+1+breath, len(pcm))]
}
