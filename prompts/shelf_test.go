package prompts

import (
	"context"
	"log/slog"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// rack keeps files, and does something after each that is put.
type rack struct {
	files map[string][]byte
	after func()
}

func (r *rack) PutAudio(_ context.Context, key string, data []byte) error {
	r.files[key] = data
	if after := r.after; after != nil {
		r.after = nil
		after()
	}
	return nil
}

func (r *rack) HasAudio(_ context.Context, key string) (bool, error) {
	_, ok := r.files[key]
	return ok, nil
}

func (r *rack) GetAudio(_ context.Context, key string) ([]byte, error) {
	if b, ok := r.files[key]; ok {
		return b, nil
	}
	return nil, errs.New(errs.NotFound, "no file")
}

func (r *rack) DeleteAudio(_ context.Context, key string) error {
	delete(r.files, key)
	return nil
}

// List gives all prompts of the shelf.
func (s *shelf) List(_ context.Context, instanceID string, _ resource.Page) ([]*Prompt, string, error) {
	var out []*Prompt
	for _, p := range s.prompts {
		if p.InstanceID == instanceID {
			out = append(out, p)
		}
	}
	return out, "", s.broken
}

func TestAFileIsKeptOnceAsLongAsAPromptNeedsIt(t *testing.T) {
	store, files := &shelf{}, &rack{files: map[string][]byte{}}
	s := &Shelf{Store: store, Files: files, Log: slog.New(slog.DiscardHandler)}
	data := wavFile(8000, 1, make([]int16, 800))
	use := func(id string, fail error) error {
		u, err := s.Check(t.Context(), "acme", data)
		if err != nil {
			t.Fatal(err)
		}
		return s.Use(t.Context(), "i-1", u, func() error {
			if fail == nil {
				p := prompt("i-1", id, id, 1)
				p.Put("", u.File)
				store.prompts = append(store.prompts, p)
			}
			return fail
		})
	}
	remove := func(n int) {
		err := s.Drop(t.Context(), "i-1", func() ([]string, error) {
			key := store.prompts[n].Key
			store.prompts = append(store.prompts[:n], store.prompts[n+1:]...)
			return []string{key}, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	count := func(want int, when string) {
		t.Helper()
		if len(files.files) != want {
			t.Errorf("%d files %s, want %d", len(files.files), when, want)
		}
	}
	if err := use("a", errBroken); err == nil {
		t.Error("the failure is hidden")
	}
	count(0, "after a prompt that was refused")
	for _, id := range []string{"a", "b"} {
		if err := use(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	count(1, "for two prompts")
	if err := use("c", errBroken); err == nil {
		t.Error("the failure is hidden")
	}
	count(1, "after another was refused")
	remove(0)
	count(1, "after one of them went")
	// The last that needs it goes between the moment at which the same file was put and that at which a new prompt needs it.
	files.after = func() { remove(0); count(0, "in between") }
	if err := use("d", nil); err != nil {
		t.Fatal(err)
	}
	count(1, "for the new one")
	remove(0)
	count(0, "at the end")
	// When it is not known which files are needed, none goes.
	if err := use("e", nil); err != nil {
		t.Fatal(err)
	}
	store.broken = errBroken
	remove(0)
	count(1, "when the store is broken")
}
