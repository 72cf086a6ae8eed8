package provider

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/prompts"
)

// Program speaks with a program of this machine: plain text on standard input, WAV on standard output. In its arguments {voice},
// {language}, {base} (the language without its region) and {rate} (100 is normal) are replaced; no shell sees them.
type Program struct {
	Path      string
	Arguments []string
	Voices    Voices
	Voice     string
	Timeout   time.Duration // 10 s
}

var _ prompts.Synthesizer = (*Program)(nil)

// Name is program.
func (*Program) Name() string { return "program" }

// Synthesize runs the program.
func (p *Program) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	rate := 100
	if s.Rate > 0 {
		rate = int(math.Round(100 * s.Rate))
	}
	base, _, _ := strings.Cut(s.Language, "-")
	voice := p.Voices.For(s, p.Voice)
	for _, v := range []string{voice, s.Language} {
		if len(v) > 100 || strings.HasPrefix(v, "-") || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, 0, errs.Field("Voice", "%.40q is no name of a voice or language", v)
		}
	}
	replace := strings.NewReplacer("{voice}", voice, "{language}", s.Language, "{base}", base, "{rate}", strconv.Itoa(rate))
	args := make([]string, len(p.Arguments))
	for i, a := range p.Arguments {
		args[i] = replace.Replace(a)
	}
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	out, _, err := prompts.RunChild(ctx, prompts.Child{Command: p.Path, Arguments: args, Input: prompts.PlainText(s) + "\n", Timeout: timeout})
	if err != nil {
		return nil, 0, err
	}
	return decodeWAV("the program", out)
}
