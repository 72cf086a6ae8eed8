package prompts

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/wav"
	"ullim/prompts/ssml"
)

// Espeak speaks with espeak-ng, run as a child process for each text: the text goes in on standard input and never onto
// the command line, a WAV comes out. The child ends with the context, at the timeout, or when it writes too much. Zero
// fields mean the defaults.
type Espeak struct {
	Command string        // name or path; "espeak-ng"
	Timeout time.Duration // of one synthesis; 10 s
	MaxText int           // characters with mark-up; MaxText
}

var _ Synthesizer = (*Espeak)(nil)

const (
	espeakWordsPerMinute = 150
	espeakPitch          = 50 // of 0 to 99
)

// Name is espeak-ng.
func (*Espeak) Name() string { return "espeak-ng" }

// Synthesize speaks. errs.Unavailable when espeak-ng is not installed or does not end in time; errs.Invalid for a
// language or voice that it does not have.
func (e *Espeak) Synthesize(ctx context.Context, s Speech) ([]int16, int, error) {
	if n, limit := utf8.RuneCountInString(s.Text), e.maxText(); n > limit {
		return nil, 0, errs.Field("Text", "has %d characters, at most %d are allowed", n, limit)
	}
	voice, err := chooseVoice(s)
	if err != nil {
		return nil, 0, err
	}
	args := []string{"--stdin", "--stdout", "-b", "1", "-s", scaled(espeakWordsPerMinute, s.Rate, 80, 450), "-v", voice}
	if s.Pitch > 0 {
		args = append(args, "-p", scaled(espeakPitch, s.Pitch, 0, 99))
	}
	text := s.Text
	if s.SSML {
		if text, err = remark(s); err != nil {
			return nil, 0, err
		}
		args = append(args, "-m")
	} else {
		text = strings.ReplaceAll(strings.Map(speakable, text), "[[", "[ [") // [[ starts phoneme codes
	}
	out, err := e.run(ctx, args, text)
	if err != nil {
		return nil, 0, err
	}
	sound, err := wav.Decode(bytes.NewReader(out), maxChildOutput)
	if err != nil {
		return nil, 0, fmt.Errorf("prompts: output of espeak-ng: %w", err)
	}
	return sound.Mono().PCM, sound.Rate, nil
}

// scaled is an option's value times a factor, within what espeak-ng takes; 0 is no factor.
func scaled(value int, factor float64, low, high int) string {
	if factor > 0 {
		value = int(math.Round(float64(value) * factor))
	}
	return strconv.Itoa(min(max(value, low), high))
}

// remark writes mark-up anew with the tags that espeak-ng may get: an audio tag would make it read files of this host, and
// document types could do worse.
func remark(s Speech) (string, error) {
	doc, err := parseSSML(s.Text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range doc.Parts(ssml.Options{Language: s.Language}) {
		b.WriteString(p.Marked(ssml.Dialect{Emphasis: true}))
	}
	return b.String(), nil
}

// Version is what `espeak-ng --version` says, for those who check the environment. errs.Unavailable if it is missing.
func (e *Espeak) Version(ctx context.Context) (string, error) {
	out, err := e.run(ctx, []string{"--version"}, "")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}

func (e *Espeak) maxText() int {
	if e.MaxText > 0 {
		return e.MaxText
	}
	return MaxText
}

func (e *Espeak) run(ctx context.Context, args []string, input string) ([]byte, error) {
	command, timeout := e.Command, e.Timeout
	if command == "" {
		command = "espeak-ng"
	}
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	out, complaint, err := RunChild(ctx, Child{Command: command, Arguments: args, Input: input, Timeout: timeout, Hint: "apt install espeak-ng"})
	if err != nil && strings.Contains(complaint, "voice does not exist") {
		return nil, errs.Field("Voice", "is not a voice of espeak-ng")
	}
	return out, err
}

// chooseVoice takes the voice that was asked for if its name is harmless. A voice of Amazon's is spoken by the voice of
// its language.
func chooseVoice(s Speech) (string, error) {
	if _, foreign := VoiceLanguage(s.Voice); s.Voice != "" && !foreign {
		if len(s.Voice) > 40 || strings.Trim(s.Voice, "abcdefghijklmnopqrstuvwxyz0123456789+_-") != "" ||
			strings.ContainsAny(s.Voice[:1], "+_-") {
			return "", errs.Field("Voice", "may have lower-case letters, digits, + _ and - only")
		}
		return s.Voice, nil
	}
	language := s.Language
	if language == "" {
		language = guessLanguage(s.Text)
	}
	voice, ok := espeakVoice(language)
	if !ok {
		return "", errs.Field("Language", "%.40q is not spoken by espeak-ng", language)
	}
	return voice, nil
}
