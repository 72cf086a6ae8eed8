package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/storage"
)

// Thing is a resource of the suite's own.
type Thing struct {
	resource.Meta
	Note  string         `json:"note"`
	Needs []resource.Ref `json:"needs,omitempty"`
	kind  resource.Kind
	bad   bool // Validate fails
}

var _ resource.Object = (*Thing)(nil)

// Kinds of the suite.
const (
	kindThing resource.Kind = "thing"
	kindOther resource.Kind = "other"
)

// Kind is what the thing was made as.
func (t *Thing) Kind() resource.Kind { return t.kind }

// Refs are what the test wants.
func (t *Thing) Refs() []resource.Ref { return t.Needs }

// Validate refuses a thing that is bad.
func (t *Thing) Validate() error {
	if t.bad {
		return errs.Field("Note", "is bad")
	}
	return nil
}

func things(db *storage.DB, k resource.Kind) resource.Store[*Thing] {
	return storage.Resources(db, k, func() *Thing { return &Thing{kind: k} })
}

func newThing(instance, name string, needs ...resource.Ref) *Thing {
	return &Thing{Meta: resource.Meta{InstanceID: instance, Name: name}, Needs: needs, kind: kindThing}
}

var thingOptions = cmp.AllowUnexported(Thing{}) //nolint:gochecknoglobals // an option of the comparison, never changed

func wantThing(t *testing.T, got, want *Thing) {
	t.Helper()
	if d := cmp.Diff(want, got, thingOptions); d != "" {
		t.Fatalf("thing (-want +got):\n%s", d)
	}
}

func testResources(t *testing.T, open Open) {
	t.Helper()
	t.Run("what is created is got back, whole", func(t *testing.T) { createAndGet(t, open) })
	t.Run("update and delete are compare-and-set", func(t *testing.T) { updateAndDelete(t, open) })
	t.Run("names are unique in kind and instance", func(t *testing.T) { names(t, open) })
	t.Run("lists come in pages, by name", func(t *testing.T) { lists(t, open) })
	t.Run("changes are told after the commit", func(t *testing.T) { hints(t, open) })
	t.Run("of writers at once one wins each version", func(t *testing.T) { racingUpdates(t, open) })
	t.Run("bad input", func(t *testing.T) { badResources(t, open) })
}

func createAndGet(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	before := time.Now().Add(-time.Second)
	v := newThing("i1", "BasicQueue")
	v.Note = "π \x00 \"quoted\" ' ; DROP TABLE resource"
	v.Tags = map[string]string{"a": "b", "": "빈"}
	must(t, s.Create(ctx, v))
	if v.ID == "" || v.Version != 1 || v.CreatedAt.Before(before) || !v.CreatedAt.Equal(v.ModifiedAt) {
		t.Fatalf("head after create: %+v", v.Meta)
	}
	got, err := s.Get(ctx, "i1", v.ID)
	must(t, err)
	wantThing(t, got, v)
	got, err = s.GetByName(ctx, "i1", "BasicQueue")
	must(t, err)
	wantThing(t, got, v)
	got.Tags["a"] = "changed" // a private copy
	again, err := s.Get(ctx, "i1", v.ID)
	must(t, err)
	wantThing(t, again, v)

	chosen := newThing("i1", "with an id of its own")
	chosen.ID = "5f9c3c5e-0000-4000-8000-000000000001"
	must(t, s.Create(ctx, chosen))
	if chosen.ID != "5f9c3c5e-0000-4000-8000-000000000001" {
		t.Errorf("id became %s", chosen.ID)
	}
	for what, look := range map[string]func() error{
		"another instance's":         func() error { _, err := s.Get(ctx, "i2", v.ID); return err },
		"another instance's, named":  func() error { _, err := s.GetByName(ctx, "i2", "BasicQueue"); return err },
		"another kind's":             func() error { _, err := things(db, kindOther).Get(ctx, "i1", v.ID); return err },
		"another name":               func() error { _, err := s.GetByName(ctx, "i1", "basicqueue"); return err },
		"another instance's, delete": func() error { return s.Delete(ctx, "i2", v.ID) },
		"another kind's, delete":     func() error { return things(db, kindOther).Delete(ctx, "i1", v.ID) },
		"unknown":                    func() error { _, err := s.Get(ctx, "i1", "nobody"); return err },
	} {
		if err := look(); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func updateAndDelete(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	v := newThing("i1", "one")
	must(t, s.Create(ctx, v))
	stale, err := s.Get(ctx, "i1", v.ID)
	must(t, err)

	created := v.CreatedAt
	v.Name, v.Note, v.CreatedAt = "renamed", "new", time.Time{}
	must(t, s.Update(ctx, v))
	if v.Version != 2 || !v.CreatedAt.Equal(created) || v.ModifiedAt.Before(created) {
		t.Fatalf("head after update: %+v", v.Meta)
	}
	got, err := s.GetByName(ctx, "i1", "renamed")
	must(t, err)
	wantThing(t, got, v)

	was := *stale
	stale.Note = "lost"
	wantKind(t, s.Update(ctx, stale), errs.Conflict)
	if d := cmp.Diff(was.Meta, stale.Meta); d != "" {
		t.Errorf("a refused update changed the head:\n%s", d)
	}
	edited, err := resource.Edit(ctx, s, "i1", v.ID, func(v *Thing) error { v.Note = "edited"; return nil })
	must(t, err)
	if edited.Version != 3 {
		t.Errorf("version %d", edited.Version)
	}
	moved := *edited
	moved.InstanceID = "i2"
	wantKind(t, s.Update(ctx, &moved), errs.NotFound)

	must(t, s.Delete(ctx, "i1", v.ID))
	wantKind(t, s.Delete(ctx, "i1", v.ID), errs.NotFound)
	wantKind(t, s.Update(ctx, edited), errs.NotFound)
	_, err = s.Get(ctx, "i1", v.ID)
	wantKind(t, err, errs.NotFound)
	must(t, s.Create(ctx, newThing("i1", "renamed"))) // the name is free again
}

func names(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	must(t, s.Create(ctx, newThing("i1", "a")))
	v := newThing("i1", "a")
	wantKind(t, s.Create(ctx, v), errs.Duplicate)
	if v.ID != "" || v.Version != 0 || !v.CreatedAt.IsZero() {
		t.Errorf("a refused create changed the head: %+v", v.Meta)
	}
	must(t, s.Create(ctx, newThing("i2", "a")))
	must(t, s.Create(ctx, newThing("i1", "A")))
	other := newThing("i1", "a")
	other.kind = kindOther
	must(t, things(db, kindOther).Create(ctx, other))
	second := newThing("i1", "b")
	must(t, s.Create(ctx, second))
	second.Name = "a"
	wantKind(t, s.Update(ctx, second), errs.Duplicate)
	sameID := newThing("i1", "c")
	sameID.ID = second.ID
	wantKind(t, s.Create(ctx, sameID), errs.Duplicate)

	var won atomic.Int32
	together(16, func(int) {
		switch err := s.Create(ctx, newThing("i1", "contended")); {
		case err == nil:
			won.Add(1)
		case !errs.Is(err, errs.Duplicate):
			t.Errorf("loser: %v", err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d of 16 creators of one name won", won.Load())
	}
}

func lists(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	// By byte on both databases: digits, upper case, lower case, then other scripts.
	want := []string{"0", "B", "Z", "a", "a b", "a-", "aa", "b", "é", "가"}
	for i := range want {
		must(t, s.Create(ctx, newThing("i1", want[(i*7+3)%len(want)])))
	}
	must(t, s.Create(ctx, newThing("i2", "C")))
	for size := 1; size <= len(want)+1; size++ {
		var got []string
		p := resource.Page{Max: size}
		for pages := 0; ; pages++ {
			vs, next, err := s.List(ctx, "i1", p)
			must(t, err)
			for _, v := range vs {
				got = append(got, v.Name)
			}
			if len(vs) > size || pages > len(want) {
				t.Fatalf("page %d of size %d has %d", pages, size, len(vs))
			}
			if next == "" {
				break
			}
			p.Token = next
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", size, d)
		}
	}
	all, err := resource.All(ctx, s, "i2")
	must(t, err)
	if len(all) != 1 || all[0].Name != "C" {
		t.Errorf("the other instance has %v", all)
	}
	// A page goes on where it was, also when its last row is gone.
	first, token, err := s.List(ctx, "i1", resource.Page{Max: 3})
	must(t, err)
	must(t, s.Delete(ctx, "i1", first[2].ID))
	rest, _, err := s.List(ctx, "i1", resource.Page{Max: 3, Token: token})
	must(t, err)
	if rest[0].Name != "a" {
		t.Errorf("after Z comes %q", rest[0].Name)
	}
	none, token, err := s.List(ctx, "i3", resource.Page{})
	must(t, err)
	if len(none) != 0 || token != "" {
		t.Errorf("an empty list has %d, token %q", len(none), token)
	}
}

func hints(t *testing.T, open Open) {
	t.Helper()
	var seen changes
	db := open(t, func(o *storage.Options) { o.OnChange = seen.add })
	ctx, s := t.Context(), things(db, kindThing)
	want := func(n int, id string) {
		t.Helper()
		var list []resource.Change
		for range n {
			list = append(list, resource.Change{Kind: kindThing, InstanceID: "i1", ID: id})
		}
		if d := cmp.Diff(list, seen.take()); d != "" {
			t.Errorf("changes (-want +got):\n%s", d)
		}
	}
	v := newThing("i1", "a")
	must(t, s.Create(ctx, v))
	want(1, v.ID)
	wantKind(t, s.Create(ctx, newThing("i1", "a")), errs.Duplicate)
	want(0, "")
	must(t, s.Update(ctx, v))
	want(1, v.ID)
	stale := *v
	stale.Version = 1
	wantKind(t, s.Update(ctx, &stale), errs.Conflict)
	want(0, "")
	must(t, s.Delete(ctx, "i1", v.ID))
	want(1, v.ID)
}

func racingUpdates(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	v := newThing("i1", "a")
	must(t, s.Create(ctx, v))
	var done, lost atomic.Int64
	together(8, func(i int) {
		for range 10 {
			w, err := s.Get(ctx, "i1", v.ID)
			if err != nil {
				t.Error(err)
				return
			}
			w.Note += fmt.Sprintf("%d", i)
			switch err = s.Update(ctx, w); {
			case err == nil:
				done.Add(1)
			case errs.Is(err, errs.Conflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		}
	})
	got, err := s.Get(ctx, "i1", v.ID)
	must(t, err)
	if got.Version != 1+done.Load() || int64(len(got.Note)) != done.Load() || done.Load()+lost.Load() != 80 {
		t.Errorf("%d won, %d lost; version %d, %d marks", done.Load(), lost.Load(), got.Version, len(got.Note))
	}
}

func badResources(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	for what, v := range map[string]*Thing{
		"empty name":       newThing("i1", ""),
		"name too long":    newThing("i1", strings.Repeat("n", 1001)),
		"NUL in the name":  newThing("i1", "a\x00b"),
		"name not UTF-8":   newThing("i1", "\xff"),
		"no instance":      newThing("", "a"),
		"instance UTF-8":   newThing("\xff", "a"),
		"own rule":         {Meta: resource.Meta{InstanceID: "i1", Name: "a"}, kind: kindThing, bad: true},
		"NUL in the id":    {Meta: resource.Meta{InstanceID: "i1", Name: "a", ID: "\x00"}, kind: kindThing},
		"ref that is none": newThing("i1", "a", resource.Ref{Kind: kindThing, ID: "\x00\xff"}),
	} {
		if err := s.Create(ctx, v); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Create(ctx, &Thing{Meta: resource.Meta{InstanceID: "i1", Name: "a"}, kind: kindOther}); err == nil {
		t.Error("a thing of another kind was taken")
	}
	must(t, s.Create(ctx, newThing("i1", strings.Repeat("한", 333))))
	for _, bad := range []string{"x", "!", "e30", "bnVsbA", "eyJpIjoiAA", strings.Repeat("A", 1<<16), "\x00", "W10", "eyJuIjoxfQ"} {
		_, _, err := s.List(ctx, "i1", resource.Page{Token: bad})
		wantKind(t, err, errs.Invalid)
		_, _, err = db.Contacts(ctx, "i1", time.Time{}, day(), resource.Page{Token: bad})
		wantKind(t, err, errs.Invalid)
	}
	for _, size := range []int{-1, 1001} {
		_, _, err := s.List(ctx, "i1", resource.Page{Max: size})
		wantKind(t, err, errs.Invalid)
	}
	for _, id := range []string{"", "\x00", "\xff", strings.Repeat("x", 1<<16), "' OR 1=1 --"} {
		_, err := s.Get(ctx, "i1", id)
		wantKind(t, err, errs.NotFound)
		_, err = s.Get(ctx, id, "x")
		wantKind(t, err, errs.NotFound)
		_, err = s.GetByName(ctx, "i1", id)
		wantKind(t, err, errs.NotFound)
		wantKind(t, s.Delete(ctx, "i1", id), errs.NotFound)
		_, err = db.FindAccessKey(ctx, id)
		wantKind(t, err, errs.NotFound)
		_, err = db.FindByTokenHash(ctx, id)
		wantKind(t, err, errs.NotFound)
	}
	if err := s.Create(ended(t), newThing("i1", "late")); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	_, err := s.GetByName(ctx, "i1", "late")
	wantKind(t, err, errs.NotFound)
	if _, err = s.Get(ended(t), "i1", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}
