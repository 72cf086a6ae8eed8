package app

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"ullim/internal/config"
	"ullim/internal/egress"
	"ullim/internal/errs"
	"ullim/prompts"
	"ullim/prompts/provider"
)

// synthesizerOf is who speaks by the configuration.
func synthesizerOf(c config.Speech, log *slog.Logger) (*provider.Chain, error) {
	var members []provider.Member
	for _, name := range c.Providers {
		s, err := providerOf(name, c)
		if err != nil {
			return nil, err
		}
		members = append(members, provider.Member{Synthesizer: s, Timeout: c.Timeout, Concurrent: c.Concurrent, Queue: c.Wait})
	}
	return provider.NewChain(log, members...), nil
}

// providerOf is one of them.
func providerOf(name string, c config.Speech) (prompts.Synthesizer, error) {
	lists := map[string][]string{"openai": c.OpenAI.Voices, "polly": c.Polly.Voices, "program": c.Program.Voices}
	voices, err := provider.ParseVoices(lists[name])
	if err != nil {
		return nil, err
	}
	switch name {
	case "openai":
		return provider.NewOpenAI(provider.OpenAIOptions{
			URL: c.OpenAI.URL, Key: c.OpenAI.Key.Reveal(), Model: c.OpenAI.Model, Format: c.OpenAI.Format, Rate: c.OpenAI.Rate, Voice: c.OpenAI.Voice, Voices: voices,
		}), nil
	case "polly":
		return provider.NewPolly(provider.PollyOptions{
			Region: c.Polly.Region, AccessKey: c.Polly.AccessKey.Reveal(), SecretKey: c.Polly.SecretKey.Reveal(), Engine: c.Polly.Engine,
			Endpoint: c.Polly.Endpoint, Voices: voices,
		}), nil
	case "program":
		return &provider.Program{
			Path: c.Program.Path, Arguments: strings.Fields(c.Program.Arguments), Voice: c.Program.Voice, Voices: voices, Timeout: c.Timeout,
		}, nil
	}
	return &prompts.Espeak{Command: c.Command, Timeout: c.Timeout}, nil
}

// openVoices makes the catalogue of prompts and the speaker, each of which uses the other.
func (a *App) openVoices() {
	enc := encoders()
	synth := a.o.Synthesizer
	if synth == nil {
		synth = provider.NewChain(a.log, provider.Member{Synthesizer: &prompts.Espeak{}})
	}
	// A chain has places for each provider; one more bound before it would let a slow provider hold up the others.
	places := 2
	if chain, ok := synth.(*provider.Chain); ok {
		chain.Observe, places = a.metrics.Speech, 1024
	}
	a.prompts = prompts.NewCatalogue(a.stores.prompts, blobReader{a.blobs}, enc, 0)
	a.speaker = prompts.NewSpeaker(synth, enc, prompts.SpeakerOptions{Concurrent: places, Sounds: a.prompts, Fetcher: fetcher{a}, Log: a.log})
	a.prompts.SpeakWith(a.speaker)
}

// fetcher gets the sounds of audio tags from https addresses, by the one guarded way to the outside.
type fetcher struct{ a *App }

var _ prompts.Fetcher = fetcher{}

// Fetch gets a file.
func (f fetcher) Fetch(ctx context.Context, instanceID, address string, atMost int64) ([]byte, error) {
	if f.a.outside == nil {
		return nil, errs.New(errs.Unavailable, "sounds are not fetched yet")
	}
	res, err := f.a.outside.client.Do(ctx, egress.Request{InstanceID: instanceID, Method: http.MethodGet, URL: address, MaxBody: atMost, Redirects: 3})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, errs.New(errs.Unavailable, "the address of a sound answered %d", res.Status)
	}
	return res.Body, nil
}
