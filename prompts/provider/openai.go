package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/prompts"
)

// OpenAI speaks by a server with OpenAI's protocol. Zero fields mean the defaults. Make its client with NewOpenAI.
type OpenAI struct {
	o      OpenAIOptions
	client *http.Client
}

// OpenAIOptions say which server, and how.
type OpenAIOptions struct {
	URL    string // up to /v1
	Key    string // sent as a bearer token; empty: none
	Model  string // "tts-1"
	Format string // "pcm" or "wav"
	Rate   int    // of pcm; 24000
	Voices Voices
	Voice  string // when Voices has none; "alloy"
}

var _ prompts.Synthesizer = (*OpenAI)(nil)

// NewOpenAI makes it.
func NewOpenAI(o OpenAIOptions) *OpenAI {
	o.Model, o.Format, o.Voice = cmp.Or(o.Model, "tts-1"), cmp.Or(o.Format, "pcm"), cmp.Or(o.Voice, "alloy")
	o.Rate, o.URL = cmp.Or(o.Rate, 24_000), strings.TrimRight(o.URL, "/")
	return &OpenAI{o: o, client: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the key is for that address only
	}}
}

// Name is openai.
func (*OpenAI) Name() string { return "openai" }

// Synthesize asks the server. errs.Unavailable: it does not answer as it should; errs.Invalid: it refuses this text or voice.
func (p *OpenAI) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	body := map[string]any{
		"model": p.o.Model, "input": prompts.PlainText(s), "voice": p.o.Voices.For(s, p.o.Voice), "response_format": p.o.Format,
	}
	if s.Rate > 0 {
		body["speed"] = min(max(s.Rate, 0.25), 4)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.o.URL+"/audio/speech", bytes.NewReader(text))
	if err != nil {
		return nil, 0, errs.Wrap(err, errs.Unavailable, "openai: the address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	if p.o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+p.o.Key)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, 0, p.failure(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, 0, p.refusal(res)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, 0, p.failure(ctx, err)
	case len(data) > maxAnswer:
		return nil, 0, errs.New(errs.Unavailable, "openai: the answer has more than %d bytes", maxAnswer)
	case p.o.Format == "wav":
		return decodeWAV("openai", data)
	case len(data) < 2:
		return nil, 0, errs.New(errs.Unavailable, "openai: the answer is empty")
	}
	return samples(data), p.o.Rate, nil
}

// failure is an error of the connection. Those of net/http name the address; it may hold no password (config sees to it).
func (p *OpenAI) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout) {
		return context.Cause(ctx)
	}
	return errs.Wrap(err, errs.Unavailable, "openai: the server does not answer")
}

// refusal is an answer that is no sound. What the server says goes to the log, cut short; the key that was sent never does.
func (p *OpenAI) refusal(res *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(res.Body, 300)) // what came is enough
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, string(said))
	if p.o.Key != "" {
		text = strings.ReplaceAll(text, p.o.Key, "(key)")
	}
	kind := errs.Unavailable
	if res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusUnprocessableEntity {
		kind = errs.Invalid
	}
	return errs.New(kind, "openai: the server answered %d: %s", res.StatusCode, text)
}
