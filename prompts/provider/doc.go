// Package provider is who speaks, beside espeak-ng: servers that speak OpenAI's protocol, Amazon Polly, any program of this
// machine; and a Chain of several, of which the next is asked when one fails.
//
//	OpenAI   POST {URL}/audio/speech, as OpenAI, Kokoro-FastAPI, openedai-speech, LocalAI and others have it
//	Polly    SynthesizeSpeech, PCM at 16 kHz
//	Program  text on standard input, WAV on standard output
//	Chain    order, time limits, places, circuits
//	Voices   which voice of a provider speaks for which voice of Amazon's, or for which language
//
// A Chain never lets one provider hold up calls: each has so many places and so long a time to wait for one, each answer has
// a time limit, and a provider that failed three times in a row is left alone for a while (its circuit is open), after
// which one request tries it again. A text that a provider refuses (a language or voice that it does not have) is no
// failure of the provider, but the next one is asked. Outcomes are told to whoever counts them.
//
// The addresses and programs here are the operator's configuration, not tenants' input: private addresses are allowed, because
// that is where people run their own servers.
package provider

import (
	"bytes"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/wav"
	"ullim/prompts"
	"ullim/prompts/ssml"
)

// maxAnswer bounds what a provider may send: about twelve minutes of sound.
const maxAnswer = 32 << 20

// Voices tell which voice of a provider speaks: by a voice of Amazon's ("Seoyeon"), by a language ("ko-KR", "ko"), or "*".
type Voices map[string]string

// ParseVoices reads "Seoyeon=alloy", "ko=nova" ...
func ParseVoices(list []string) (Voices, error) {
	v := Voices{}
	for _, item := range list {
		from, to, ok := strings.Cut(item, "=")
		from, to = strings.ToLower(strings.TrimSpace(from)), strings.TrimSpace(to)
		if !ok || from == "" || to == "" {
			return nil, errs.Field("voices", "%q must be written as Seoyeon=alloy, ko-KR=alloy or *=alloy", item)
		}
		v[from] = to
	}
	return v, nil
}

// For is the voice for a speech; otherwise, what is asked for if it is no name of Amazon's, and then the fallback.
func (v Voices) For(s prompts.Speech, fallback string) string {
	base, _, _ := strings.Cut(s.Language, "-")
	for _, key := range []string{s.Voice, s.Language, base, "*"} {
		if to := v[strings.ToLower(key)]; to != "" && key != "" {
			return to
		}
	}
	if _, amazons := prompts.VoiceLanguage(s.Voice); s.Voice != "" && !amazons {
		return s.Voice
	}
	return fallback
}

// partOf is a speech as a part, for those who write their own mark-up of it.
func partOf(s prompts.Speech) ssml.Part {
	p := ssml.Part{Voicing: ssml.Voicing{Language: s.Language, Rate: s.Rate, Pitch: s.Pitch}}
	if !s.SSML {
		p.Runs = []ssml.Run{{Text: s.Text}}
		return p
	}
	doc, err := ssml.Parse(s.Text)
	if err != nil {
		p.Runs = []ssml.Run{{Text: prompts.PlainText(s)}}
		return p
	}
	for _, part := range doc.Parts(ssml.Options{Language: s.Language}) {
		p.Runs = append(p.Runs, part.Runs...)
	}
	return p
}

// samples are the samples of raw PCM, 16 bits, low byte first.
func samples(raw []byte) []int16 {
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(uint16(raw[2*i]) | uint16(raw[2*i+1])<<8)
	}
	return pcm
}

// decodeWAV is the sound of an answer that is a WAV.
func decodeWAV(who string, data []byte) (pcm []int16, rate int, err error) {
	sound, err := wav.Decode(bytes.NewReader(data), maxAnswer)
	if err != nil || len(sound.PCM) == 0 {
		return nil, 0, errs.Wrap(err, errs.Unavailable, "%s answered with something that is no WAV", who)
	}
	return sound.Mono().PCM, sound.Rate, nil
}
