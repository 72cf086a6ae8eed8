package prompts

import (
	"context"
	"fmt"
	"io"
	"strings"

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
	store resource.Store[*Prompt]
	blobs Blobs
	enc   map[string]Encoder
	cache *cache
}

// NewCatalogue makes a catalogue of stored and built-in prompts. Store and blobs may be nil: then only the built-in
// prompts are there. cacheBytes bounds the decoded prompts kept in memory; 0 means 256 MB.
func NewCatalogue(store resource.Store[*Prompt], blobs Blobs, enc map[string]Encoder, cacheBytes int64) *Catalogue {
	if cacheBytes <= 0 {
		cacheBytes = 256 << 20
	}
	return &Catalogue{store: store, blobs: blobs, enc: enc, cache: newCache(cacheBytes, 2)}
}

// Prompt is a prompt as audio. ref is an ARN, an id or a name. When a name has a variant for the language, that is
// taken: "Welcome@ko-KR", then "Welcome@ko", then "Welcome". errs.NotFound; errs.Invalid when the file cannot be played.
func (c *Catalogue) Prompt(ctx context.Context, instanceID, ref, language string) (*Audio, error) {
	p, err := c.Find(ctx, instanceID, ref, language)
	if err != nil {
		return nil, err
	}
	if name, ok := strings.CutPrefix(p.Key, builtinPrefix); ok {
		return c.cache.get(ctx, p.Key, func(context.Context) (*Audio, error) {
			pcm, _ := builtinSound(name)
			return NewAudio(name, pcm, Rate, c.enc), nil
		})
	}
	key := fmt.Sprintf("%s/%s/%d", p.InstanceID, p.ID, p.Version)
	return c.cache.get(ctx, key, func(ctx context.Context) (*Audio, error) { return c.load(ctx, p) })
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
		if p.Name == ref || isID && p.ID == id {
			return p, nil
		}
	}
	return nil, missing
}

// Stats tells how the cache does.
func (c *Catalogue) Stats() CacheStats { return c.cache.snapshot() }

func (c *Catalogue) load(ctx context.Context, p *Prompt) (a *Audio, err error) {
	if c.blobs == nil {
		return nil, errs.New(errs.NotFound, "there is no store of files")
	}
	r, err := c.blobs.Open(ctx, p.Key)
	if err != nil {
		return nil, fmt.Errorf("prompts: opening %s: %w", p.Name, err)
	}
	defer func() { _ = r.Close() }() // it was only read
	u, pcm, err := readSound(r)
	if err != nil {
		return nil, fmt.Errorf("prompts: reading %s: %w", p.Name, err)
	}
	return NewAudio(p.Name, pcm, u.Rate, c.enc), nil
}
