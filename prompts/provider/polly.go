package provider

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/polly"
	"github.com/aws/aws-sdk-go-v2/service/polly/types"

	"ullim/internal/errs"
	"ullim/prompts"
	"ullim/prompts/ssml"
)

// Polly speaks with Amazon Polly. Make one with NewPolly.
type Polly struct {
	o      PollyOptions
	client *polly.Client

	mu       sync.Mutex
	standard map[string]bool // voices that turned out not to have the engine
}

// PollyOptions say with whose account, and how.
type PollyOptions struct {
	Region, AccessKey, SecretKey string
	Engine                       string // "neural" (and standard for voices that have none), "standard", "generative", "long-form"
	Endpoint                     string // empty: Amazon's
	Voices                       Voices
}

var _ prompts.Synthesizer = (*Polly)(nil)

// NewPolly makes it.
func NewPolly(o PollyOptions) *Polly {
	o.Engine = cmp.Or(o.Engine, "neural")
	cfg := polly.Options{
		Region: o.Region, Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
		RetryMaxAttempts: 1, // a Chain knows whom to ask next
	}
	if o.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(o.Endpoint)
	}
	return &Polly{o: o, client: polly.New(cfg), standard: map[string]bool{}}
}

// Name is polly.
func (*Polly) Name() string { return "polly" }

// pollyRate is the best that Polly gives as PCM.
const pollyRate = 16_000

// Synthesize asks Polly. errs.Invalid: a language without a voice, or a text that Polly refuses.
func (p *Polly) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	voice := p.voice(s)
	if voice == "" {
		return nil, 0, errs.Field("Language", "%.40q has no voice of Polly's here", s.Language)
	}
	p.mu.Lock()
	engine := p.o.Engine
	if p.standard[voice] {
		engine = "standard"
	}
	p.mu.Unlock()
	pcm, err := p.ask(ctx, s, voice, engine)
	var without *types.EngineNotSupportedException
	if errors.As(err, &without) && engine != "standard" {
		p.mu.Lock()
		if len(p.standard) < 1000 {
			p.standard[voice] = true
		}
		p.mu.Unlock()
		pcm, err = p.ask(ctx, s, voice, "standard")
	}
	if err != nil {
		return nil, 0, pollyError(ctx, err)
	}
	return pcm, pollyRate, nil
}

// voice is the one asked for if it is Amazon's and of the language, or one of the language.
func (p *Polly) voice(s prompts.Speech) string {
	if to := p.o.Voices.For(prompts.Speech{Voice: s.Voice, Language: s.Language}, ""); to != "" {
		return to
	}
	if l, ok := prompts.VoiceLanguage(s.Voice); ok {
		if a, _, _ := strings.Cut(l, "-"); s.Language == "" || strings.EqualFold(a, strings.Split(s.Language, "-")[0]) {
			return s.Voice
		}
	}
	return languageVoice(s.Language)
}

// languageVoice is a voice for a language; they have both engines but where Polly has one only.
func languageVoice(language string) string {
	byTag := map[string]string{
		"en-us": "Joanna", "en-gb": "Amy", "en-au": "Olivia", "en-in": "Kajal", "ko-kr": "Seoyeon", "ja-jp": "Takumi", "zh-cn": "Zhiyu",
		"de-de": "Vicki", "fr-fr": "Lea", "fr-ca": "Gabrielle", "es-es": "Lucia", "es-mx": "Mia", "es-us": "Lupe", "it-it": "Bianca",
		"pt-br": "Camila", "pt-pt": "Ines",
	}
	byBase := map[string]string{
		"en": "Joanna", "ko": "Seoyeon", "ja": "Takumi", "zh": "Zhiyu", "de": "Vicki", "fr": "Lea", "es": "Lucia", "it": "Bianca", "pt": "Camila",
	}
	tag := strings.ToLower(language)
	base, _, _ := strings.Cut(tag, "-")
	return cmp.Or(byTag[tag], byBase[base])
}

func (p *Polly) ask(ctx context.Context, s prompts.Speech, voice, engine string) ([]int16, error) {
	part := partOf(s)
	in := &polly.SynthesizeSpeechInput{
		OutputFormat: types.OutputFormatPcm, SampleRate: aws.String("16000"), VoiceId: types.VoiceId(voice), Engine: types.Engine(engine),
		Text: aws.String(part.Plain()), TextType: types.TextTypeText,
	}
	changed := part.Rate > 0 && part.Rate != 1 || part.Pitch > 0 && part.Pitch != 1
	if changed || !part.IsPlain() {
		// Only the standard engine takes emphasis and pitch; the others refuse the whole text for them.
		in.TextType = types.TextTypeSsml
		in.Text = aws.String(part.Marked(ssml.Dialect{Prosody: true, Emphasis: engine == "standard", Pitch: engine == "standard"}))
	}
	out, err := p.client.SynthesizeSpeech(ctx, in)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.AudioStream.Close() }()
	raw, err := io.ReadAll(io.LimitReader(out.AudioStream, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > maxAnswer:
		return nil, errs.New(errs.Unavailable, "polly: the answer has more than %d bytes", maxAnswer)
	case len(raw) < 2:
		return nil, errs.New(errs.Unavailable, "polly: the answer is empty")
	}
	return samples(raw), nil
}

// pollyError tells what is the text's fault from what is Polly's.
func pollyError(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout) {
		return context.Cause(ctx)
	}
	if _, known := errors.AsType[*errs.Error](err); known {
		return err
	}
	var badText *types.InvalidSsmlException
	var long *types.TextLengthExceededException
	var language *types.LanguageNotSupportedException
	var mark interface{ ErrorCode() string }
	if errors.As(err, &badText) || errors.As(err, &long) || errors.As(err, &language) ||
		errors.As(err, &mark) && mark.ErrorCode() == "ValidationException" {
		return errs.Wrap(err, errs.Invalid, "polly refuses the text or the voice")
	}
	return errs.Wrap(err, errs.Unavailable, "polly does not answer as it should")
}
