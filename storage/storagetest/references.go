package storagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/storage"
)

func testReferences(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s, others := things(db, kindThing), things(db, kindOther)
	hours := newThing("i1", "hours")
	must(t, s.Create(ctx, hours))
	ref := resource.Ref{Kind: kindThing, ID: hours.ID}
	queue := newThing("i1", "queue", ref, ref)
	queue.kind = kindOther
	must(t, others.Create(ctx, queue))

	t.Run("what is needed must exist, in the same instance, of the right kind", func(t *testing.T) {
		for what, v := range map[string]*Thing{
			"unknown":          newThing("i1", "x", resource.Ref{Kind: kindThing, ID: "nobody"}),
			"another instance": newThing("i2", "x", ref),
			"another kind":     newThing("i1", "x", resource.Ref{Kind: kindOther, ID: hours.ID}),
			"one of two":       newThing("i1", "x", ref, resource.Ref{Kind: kindOther, ID: "nobody"}),
		} {
			err := s.Create(ctx, v)
			wantKind(t, err, errs.Invalid)
			last := v.Needs[len(v.Needs)-1]
			if !strings.Contains(err.Error(), last.ID) || !strings.Contains(err.Error(), string(last.Kind)) {
				t.Errorf("%s: error %q names not %v", what, err, last)
			}
		}
		wrong := *queue
		wrong.Needs = []resource.Ref{{Kind: kindThing, ID: "nobody"}}
		wantKind(t, others.Update(ctx, &wrong), errs.Invalid)
	})
	t.Run("what is in use is not deleted, and the user is named", func(t *testing.T) {
		err := s.Delete(ctx, "i1", hours.ID)
		wantKind(t, err, errs.InUse)
		if !strings.Contains(err.Error(), `"queue"`) || !strings.Contains(err.Error(), string(kindOther)) {
			t.Errorf("error %q names not the queue", err)
		}
	})
	t.Run("an update lets go, and a deletion", func(t *testing.T) {
		second := newThing("i1", "second")
		must(t, s.Create(ctx, second))
		queue.Needs = []resource.Ref{{Kind: kindThing, ID: second.ID}}
		must(t, others.Update(ctx, queue))
		must(t, s.Delete(ctx, "i1", hours.ID))
		wantKind(t, s.Delete(ctx, "i1", second.ID), errs.InUse)
		must(t, others.Delete(ctx, "i1", queue.ID))
		must(t, s.Delete(ctx, "i1", second.ID))
	})
	t.Run("one that needs itself can be deleted", func(t *testing.T) {
		v := newThing("i1", "narcissus")
		must(t, s.Create(ctx, v))
		v.Needs = []resource.Ref{{Kind: kindThing, ID: v.ID}}
		must(t, s.Update(ctx, v))
		must(t, s.Delete(ctx, "i1", v.ID))
	})
	manyReferences(t, db)
}

// manyReferences has one that needs many, and races.
func manyReferences(t *testing.T, db *storage.DB) {
	t.Helper()
	ctx, s := t.Context(), things(db, kindThing)
	t.Run("many", func(t *testing.T) {
		v := newThing("i1", "profile")
		for i := range 120 {
			q := newThing("i1", fmt.Sprintf("queue %d", i))
			must(t, s.Create(ctx, q))
			v.Needs = append(v.Needs, resource.Ref{Kind: kindThing, ID: q.ID})
		}
		must(t, s.Create(ctx, v))
		for _, r := range v.Needs {
			wantKind(t, s.Delete(ctx, "i1", r.ID), errs.InUse)
		}
	})
	t.Run("a race never leaves a user without what it needs", func(t *testing.T) {
		for round := range 10 {
			needed := newThing("i1", fmt.Sprintf("needed %d", round))
			must(t, s.Create(ctx, needed))
			user := newThing("i1", fmt.Sprintf("user %d", round), resource.Ref{Kind: kindThing, ID: needed.ID})
			var created, deleted error
			together(2, func(i int) {
				if i == 0 {
					created = s.Create(ctx, user)
				} else {
					deleted = s.Delete(ctx, "i1", needed.ID)
				}
			})
			switch {
			case created == nil && errs.Is(deleted, errs.InUse), deleted == nil && errs.Is(created, errs.Invalid):
			default:
				t.Fatalf("round %d: create %v, delete %v", round, created, deleted)
			}
		}
	})
}

func testAcrossInstances(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	instances := storage.Resources(db, resource.KindInstance, func() *identity.Instance { return &identity.Instance{} })
	make := func(alias string) *identity.Instance {
		return &identity.Instance{Meta: resource.Meta{Name: alias}, DisplayName: alias, IdentityMode: identity.ConnectManaged}
	}
	acme, zeta := make("acme"), make("zeta")
	must(t, instances.Create(ctx, zeta))
	must(t, instances.Create(ctx, acme))
	if acme.InstanceID != acme.ID {
		t.Errorf("instance %q belongs to %q", acme.ID, acme.InstanceID)
	}
	wantKind(t, instances.Create(ctx, make("acme")), errs.Duplicate)
	all, err := db.Instances(ctx)
	must(t, err)
	if d := cmp.Diff([]*identity.Instance{acme, zeta}, all); d != "" {
		t.Errorf("instances (-want +got):\n%s", d)
	}
	listed, err := resource.All(ctx, instances, "")
	must(t, err)
	if d := cmp.Diff(all, listed); d != "" {
		t.Errorf("list of all:\n%s", d)
	}
	t.Run("an instance sees itself only", func(t *testing.T) {
		own, err := resource.All(ctx, instances, zeta.ID)
		must(t, err)
		if d := cmp.Diff([]*identity.Instance{zeta}, own); d != "" {
			t.Errorf("list:\n%s", d)
		}
		for _, from := range []string{"", zeta.ID} {
			got, getErr := instances.Get(ctx, from, zeta.ID)
			must(t, getErr)
			got2, getErr := instances.GetByName(ctx, from, "zeta")
			must(t, getErr)
			if d := cmp.Diff(got, got2); d != "" {
				t.Error(d)
			}
		}
		_, err = instances.Get(ctx, zeta.ID, acme.ID)
		wantKind(t, err, errs.NotFound)
		_, err = instances.GetByName(ctx, zeta.ID, "acme")
		wantKind(t, err, errs.NotFound)
		wantKind(t, instances.Delete(ctx, zeta.ID, acme.ID), errs.NotFound)
	})
	t.Run("update", func(t *testing.T) {
		acme.DisplayName = "Acme Inc."
		must(t, instances.Update(ctx, acme))
		got, err := instances.Get(ctx, "", acme.ID)
		must(t, err)
		if d := cmp.Diff(acme, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("an instance with resources is in use", func(t *testing.T) {
		v := newThing(acme.ID, "a")
		must(t, things(db, kindThing).Create(ctx, v))
		wantKind(t, instances.Delete(ctx, "", acme.ID), errs.InUse)
		must(t, things(db, kindThing).Delete(ctx, acme.ID, v.ID))
	})
	ofAllInstances(t, db)
	accessKeys(t, db)
	must(t, instances.Delete(ctx, "", acme.ID))
	wantKind(t, instances.Delete(ctx, "", acme.ID), errs.NotFound)
}

func ofAllInstances(t *testing.T, db *storage.DB) {
	t.Helper()
	ctx := t.Context()
	t.Run("a kind of all instances", func(t *testing.T) {
		s := things(db, kindThing)
		var want []string
		for i := range 5 {
			must(t, s.Create(ctx, newThing([]string{"i1", "i2"}[i%2], fmt.Sprintf("t%d", i/2))))
			want = append(want, fmt.Sprintf("t%d", i/2))
		}
		newThing := func() *Thing { return &Thing{kind: kindThing} }
		var got []string
		p := resource.Page{Max: 2}
		for {
			vs, next, err := storage.AllResources(ctx, db, kindThing, newThing, p)
			must(t, err)
			for _, v := range vs {
				got = append(got, v.Name)
			}
			if p.Token = next; next == "" {
				break
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		every, err := storage.EveryResource(ctx, db, kindThing, newThing)
		must(t, err)
		if len(every) != 5 {
			t.Errorf("%d of 5", len(every))
		}
	})
}
