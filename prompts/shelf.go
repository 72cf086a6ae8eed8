package prompts

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/prompts/sound"
)

// Files keeps uploaded files by key. Get gives errs.NotFound.
type Files interface {
	PutAudio(ctx context.Context, key string, data []byte) error
	HasAudio(ctx context.Context, key string) (bool, error)
	GetAudio(ctx context.Context, key string) ([]byte, error)
	DeleteAudio(ctx context.Context, key string) error
}

// Shelf puts uploaded files away and takes them out again. A file is kept once in an instance, by the digest of what is in it,
// however many prompts have it; it goes when no prompt needs it any more. One Shelf serves all who upload: between a
// change of prompts and a look at which files they need, nobody else may change them.
type Shelf struct {
	Store resource.Store[*Prompt]
	Files Files
	Log   *slog.Logger

	changing sync.Mutex
}

// Upload is a checked file that is put away and belongs to no prompt yet.
type Upload struct {
	File

	data []byte
}

// Awaited is the key of a file that has not been uploaded yet.
func Awaited(alias, promptID string) string {
	return "connect/" + alias + "/Prompts/awaited/" + promptID
}

// Check reads a file that somebody wants to be a prompt. alias is the instance's, for the key. errs.Invalid says what is wrong.
func (s *Shelf) Check(ctx context.Context, alias string, data []byte) (*Upload, error) {
	f, err := CheckUpload(ctx, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	f.Key = fmt.Sprintf("connect/%s/Prompts/%s.%s", alias, f.SHA256, f.Format)
	return &Upload{File: f, data: data}, nil
}

// Use puts a file away and then lets change make prompts need it. If change fails, what nobody needs is taken away again; no
// prompt ever names a file that is not there.
func (s *Shelf) Use(ctx context.Context, instanceID string, u *Upload, change func() error) error {
	put := func() error { return s.Files.PutAudio(ctx, u.Key, u.data) }
	if err := put(); err != nil { // may take long: not while others wait
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := change(); err != nil {
		s.drop(ctx, instanceID, u.Key)
		return err
	}
	if there, err := s.Files.HasAudio(ctx, u.Key); err != nil || there {
		return err
	}
	return put() // another prompt had it, and was deleted meanwhile
}

// Drop changes prompts so that they need the keys no more, and takes away those files that no other prompt needs.
func (s *Shelf) Drop(ctx context.Context, instanceID string, change func() (keys []string, err error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	keys, err := change()
	if err != nil {
		return err
	}
	s.drop(ctx, instanceID, keys...)
	return nil
}

// Sweep takes away those of the keys that no prompt needs.
func (s *Shelf) Sweep(ctx context.Context, instanceID string, keys ...string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.drop(ctx, instanceID, keys...)
}

// drop deletes what nobody needs. A failure costs disk, not correctness. The caller holds changing.
func (s *Shelf) drop(ctx context.Context, instanceID string, keys ...string) {
	ctx = context.WithoutCancel(ctx)
	all, err := resource.All(ctx, s.Store, instanceID)
	needed := map[string]bool{"": true}
	for _, p := range all {
		for key := range p.Keys() {
			needed[key] = true
		}
	}
	for _, key := range keys {
		if err == nil && !needed[key] {
			err = s.Files.DeleteAudio(ctx, key)
			needed[key] = true
		}
	}
	if err != nil && !errs.Is(err, errs.NotFound) {
		s.Log.WarnContext(ctx, "audio of a prompt not removed", "error", err)
	}
}

// Open reads a file that a prompt needs.
func (s *Shelf) Open(ctx context.Context, key string) ([]byte, error) {
	return s.Files.GetAudio(ctx, key)
}

// ContentTypeOf is the media type of a file by its first bytes.
func ContentTypeOf(data []byte) string {
	if f := sound.Sniff(data); f != "" {
		return f.ContentType()
	}
	return "application/octet-stream"
}

// Put lets a file be that of a prompt for a language; empty: for all that have none of their own. It gives the keys that the
// prompt needs no more.
func (p *Prompt) Put(language string, f File) (before []string) {
	if language == "" {
		before, p.Key, p.File = []string{p.Key}, f.Key, &f
		return before
	}
	before = []string{p.Variants[language].Key}
	if p.Variants == nil {
		p.Variants = map[string]File{}
	}
	p.Variants[language] = f
	return before
}

// Has reports whether the prompt has that very file for a language.
func (p *Prompt) Has(language, sha256 string) bool {
	if language == "" {
		return p.File != nil && p.File.SHA256 == sha256
	}
	return p.Variants[language].SHA256 == sha256
}
