package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Speech is the section speech.
type Speech struct {
	Providers  []string      `yaml:"providers" default:"espeak" doc:"Who speaks: espeak, openai, polly, program. The first is wanted; the next are asked, in this order, when one before fails."`
	Command    string        `yaml:"command" default:"espeak-ng" form:"required" doc:"espeak-ng of the provider espeak: its name, or a path."`
	Timeout    time.Duration `yaml:"timeout" default:"10s" min:"1s" max:"5m" doc:"Longest time for one provider to speak one sentence; after that the next is asked, and behind the last the flow takes its error branch."`
	Concurrent int           `yaml:"concurrent" default:"4" min:"1" max:"256" doc:"Sentences that one provider speaks at the same time."`
	Wait       time.Duration `yaml:"wait" default:"2s" min:"10ms" max:"1m" doc:"Longest time to wait for one of these places; after that the next provider is asked."`
	OpenAI     SpeechOpenAI  `yaml:"openai" doc:"A server with OpenAI's protocol for speech: OpenAI, Kokoro-FastAPI, openedai-speech, LocalAI."`
	Polly      SpeechPolly   `yaml:"polly" doc:"Amazon Polly."`
	Program    SpeechProgram `yaml:"program" doc:"A program of this machine: text on standard input, WAV on standard output."`
}

// SpeechOpenAI is the section speech.openai.
type SpeechOpenAI struct {
	URL    string   `yaml:"url" doc:"Address up to /v1, as http://127.0.0.1:8880/v1."`
	Key    Secret   `yaml:"key" doc:"Reference to the key, if the server asks for one."`
	Model  string   `yaml:"model" default:"tts-1" form:"required" doc:"Model."`
	Voice  string   `yaml:"voice" default:"alloy" form:"required" doc:"Voice when none of voices fits."`
	Voices []string `yaml:"voices" doc:"Voices of the server for those of Amazon or for languages, as Seoyeon=nova, ko=nova, *=alloy."`
	Format string   `yaml:"format" default:"pcm" oneof:"pcm wav" doc:"Kind of answer: raw samples, or WAV."`
	Rate   int      `yaml:"rate" default:"24000" min:"8000" max:"48000" doc:"Samples a second of raw samples."`
}

// SpeechPolly is the section speech.polly.
type SpeechPolly struct {
	Region    string   `yaml:"region" doc:"Region, as ap-northeast-2."`
	AccessKey Secret   `yaml:"access_key" plain:"ok" doc:"Access key, or a file: or env: reference to it."`
	SecretKey Secret   `yaml:"secret_key" doc:"Reference to the secret key."`
	Engine    string   `yaml:"engine" default:"neural" oneof:"neural standard generative long-form" doc:"Engine; voices that do not have it speak with standard."`
	Endpoint  string   `yaml:"endpoint" doc:"Address in place of Amazon's, for a private endpoint."`
	Voices    []string `yaml:"voices" doc:"Other voices than those that flows ask for, as Joanna=Ruth, ko=Jihye."`
}

// SpeechProgram is the section speech.program.
type SpeechProgram struct {
	Path      string   `yaml:"path" doc:"Its name, or a path."`
	Arguments string   `yaml:"arguments" doc:"Its arguments between spaces; {voice}, {language}, {base} (ko of ko-KR) and {rate} (100 is normal) are replaced."`
	Voice     string   `yaml:"voice" doc:"Voice when none of voices fits."`
	Voices    []string `yaml:"voices" doc:"Voices of the program for those of Amazon or for languages, as Seoyeon=kss, en=amy."`
}

// speech checks the providers together with their sections.
func (d *decoder) speech(s *Speech) {
	if len(s.Providers) == 0 {
		d.fail("speech.providers", "must name at least one of espeak, openai, polly and program")
	}
	for _, p := range s.Providers {
		if !slices.Contains([]string{"espeak", "openai", "polly", "program"}, p) {
			d.fail("speech.providers", "must be espeak, openai, polly or program; got %q", p)
		}
	}
	need := func(provider string, keys map[string]string) {
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if slices.Contains(s.Providers, provider) && keys[k] == "" {
				d.failNear("speech."+provider+"."+k, "speech.providers", "must be set for provider %s", provider)
			}
		}
	}
	need("openai", map[string]string{"url": s.OpenAI.URL})
	need("polly", map[string]string{"region": s.Polly.Region, "access_key": s.Polly.AccessKey.Reveal(), "secret_key": s.Polly.SecretKey.Reveal()})
	need("program", map[string]string{"path": s.Program.Path})
	for path, address := range map[string]string{"speech.openai.url": s.OpenAI.URL, "speech.polly.endpoint": s.Polly.Endpoint} {
		if address != "" && !isAddress(address) {
			d.fail(path, "must be an address as http://127.0.0.1:8880/v1, without user, password or query")
		}
	}
	for path, list := range map[string][]string{
		"speech.openai.voices": s.OpenAI.Voices, "speech.polly.voices": s.Polly.Voices, "speech.program.voices": s.Program.Voices,
	} {
		for _, v := range list {
			if from, to, ok := strings.Cut(v, "="); !ok || strings.TrimSpace(from) == "" || strings.TrimSpace(to) == "" {
				d.fail(path, "must be written as Seoyeon=nova, ko=nova or *=nova; got %q", v)
			}
		}
	}
}

// isAddress reports whether text is an http address without secrets in it: it may be shown in logs.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
