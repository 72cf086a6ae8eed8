package prompts

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Blobs opens stored files. errs.NotFound.
type Blobs interface {
	Open(ctx context.Context, key string) (io.ReadCloser, error)
}

// Catalogue finds prompts as audio. Make one with NewCatalogue; it is safe for concurrent use.
type Catalogue struct {
	store   resource.Store[*Prompt]
	blobs   Blobs
	enc     map[string]Encoder
	cache   *cache
	speaker *Speaker
}

// NewCatalogue makes a catalogue of stored and built-in prompts. Store and blobs may be nil: then only the built-in
// prompts are there. cacheBytes bounds the decoded prompts kept in memory; 0 means 256 MB.
func NewCatalogue(store resource.Store[*Prompt], blobs Blobs, enc map[string]Encoder, cacheBytes int64) *Catalogue {
	if cacheBytes <= 0 {
		cacheBytes = 256 << 20
	}
	return &Catalogue{store: store, blobs: blobs, enc: enc, cache: newCache(cacheBytes, 8)}
}

// SpeakWith says who speaks the built-in prompts that are words. It is called once, before the catalogue is used; without it
// they are not found.
func (c *Catalogue) SpeakWith(s *Speaker) { c.speaker = s }

// Prompt is a prompt as audio. ref is an ARN, an id or a name. Of several languages the contact's is chosen: a variant of
// the prompt (Prompt.Choose), or another prompt of that name, "Welcome@ko-KR", then "Welcome@ko", before "Welcome".
// errs.NotFound; errs.Invalid when the file cannot be played.
func (c *Catalogue) Prompt(ctx context.Context, instanceID, ref, language string) (*Audio, error) {
	p, err := c.Find(ctx, instanceID, ref, language)
	if err != nil {
		return nil, err
	}
	if name, ok := strings.CutPrefix(p.Key, builtinPrefix); ok {
		return c.builtin(ctx, p, name, language)
	}
	blob := p.Choose(language)
	key := fmt.Sprintf("%s/%d/%s", p.InstanceID, p.Version, blob)
	return c.cache.get(ctx, key, func(ctx context.Context) (*Audio, time.Duration, error) {
		a, err := c.load(ctx, p.Name, blob)
		return a, 0, err
	})
}

// builtin is a sound made here, or words spoken.
func (c *Catalogue) builtin(ctx context.Context, p *Prompt, name, language string) (*Audio, error) {
	if text, tag, ok := builtinText(name, language); ok {
		return c.speaker.Speak(ctx, Speech{Text: text, Language: tag, InstanceID: p.InstanceID})
	}
	return c.cache.get(ctx, p.Key, func(context.Context) (*Audio, time.Duration, error) {
		pcm, _ := builtinSound(name)
		return NewAudio(name, pcm, Rate, c.enc), 0, nil
	})
}

// Find is the prompt's description. errs.NotFound.
func (c *Catalogue) Find(ctx context.Context, instanceID, ref, language string) (*Prompt, error) {
	missing := errs.New(errs.NotFound, "there is no prompt %.100q", ref)
	id, isID := ref, uuid.Validate(ref) == nil
	if strings.HasPrefix(ref, "arn:") {
		if id, isID = resource.IDInARN(instanceID, resource.KindPrompt, ref); !isID {
			return nil, missing
		}
	}
	names := []string{ref}
	if base, _, _ := strings.Cut(language, "-"); language != "" {
		names = []string{ref + "@" + language, ref + "@" + base, ref}
	}
	var tries []func() (*Prompt, error)
	if c.store != nil && isID {
		tries = append(tries, func() (*Prompt, error) { return c.store.Get(ctx, instanceID, id) })
	} else if c.store != nil {
		for _, name := range names {
			tries = append(tries, func() (*Prompt, error) { return c.store.GetByName(ctx, instanceID, name) })
		}
	}
	for _, try := range tries {
		p, err := try()
		if err == nil || !errs.Is(err, errs.NotFound) {
			return p, err
		}
	}
	for _, p := range Builtins(instanceID) {
		if (p.Name == ref || isID && p.ID == id) && (c.speaker != nil || !isSpoken(p.Name)) {
			return p, nil
		}
	}
	return nil, missing
}

// Stats tells how the cache does.
func (c *Catalogue) Stats() CacheStats { return c.cache.snapshot() }

func (c *Catalogue) load(ctx context.Context, name, key string) (a *Audio, err error) {
	if c.blobs == nil {
		return nil, errs.New(errs.NotFound, "there is no store of files")
	}
	r, err := c.blobs.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("prompts: opening %s: %w", name, err)
	}
	defer func() { _ = r.Close() }() // it was only read
	_, s, err := readSound(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("prompts: reading %s: %w", name, err)
	}
	return NewAudio(name, s.PCM, s.Rate, c.enc), nil
}
