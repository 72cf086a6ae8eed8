package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/storage"
)

func testWhole(t *testing.T, open Open) {
	t.Helper()
	t.Run("closing twice, and using it afterwards", func(t *testing.T) { closed(t, open) })
	t.Run("migrating again changes nothing", func(t *testing.T) {
		db := open(t, nil)
		for range 2 {
			must(t, db.Migrate(t.Context()))
		}
		must(t, db.Ping(t.Context()))
	})
	t.Run("writers whose contexts end leave whole rows or none", func(t *testing.T) { abandoned(t, open) })
	t.Run("everything at once", func(t *testing.T) { mixed(t, open) })
}

func closed(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	must(t, db.CreateContact(ctx, record("c1")))
	for range 2 {
		must(t, db.Close())
	}
	wantKind(t, db.CreateContact(ctx, record("c2")), errs.Unavailable)
	_, err := db.Contact(ctx, "i1", "c1")
	wantKind(t, err, errs.Unavailable)
	wantKind(t, db.Ping(ctx), errs.Unavailable)
	wantKind(t, db.Migrate(ctx), errs.Unavailable)
}

// abandoned lets contexts end at every moment of a write that has two parts.
func abandoned(t *testing.T, open Open) {
	t.Helper()
	var seen changes
	db := open(t, func(o *storage.Options) { o.OnChange = seen.add })
	s := things(db, kindThing)
	needed := newThing("i1", "needed")
	must(t, s.Create(t.Context(), needed))
	seen.take()
	const n = 60
	results := make([]error, n)
	together(n, func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*100*time.Microsecond) //nolint:contextcheck // a context of its own
		defer cancel()
		results[i] = s.Create(ctx, newThing("i1", fmt.Sprint(i), resource.Ref{Kind: kindThing, ID: needed.ID}))
	})
	told := make(map[string]bool)
	for i, err := range results {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d: %v", i, err)
		}
	}
	must(t, db.Close()) // what was taken up is over now
	if db.Options().URL == storage.Memory {
		return // and everything else too
	}
	for _, c := range seen.take() {
		told[c.ID] = true
	}
	db = reopen(t, db)
	s = things(db, kindThing)
	all, err := resource.All(t.Context(), s, "i1")
	must(t, err)
	there := make(map[string]bool)
	for _, v := range all {
		there[v.Name] = true
		if v.Name != "needed" && !told[v.ID] {
			t.Errorf("nobody was told of %s", v.Name)
		}
	}
	for i, err := range results {
		if err == nil && !there[fmt.Sprint(i)] {
			t.Errorf("%d was acknowledged and is not there", i)
		}
	}
	for _, v := range all {
		if v.Name != "needed" {
			must(t, s.Delete(t.Context(), "i1", v.ID))
		}
	}
	must(t, s.Delete(t.Context(), "i1", needed.ID)) // no reference without its resource
}

// reopen opens the database of a closed DB again.
func reopen(t *testing.T, db *storage.DB) *storage.DB {
	t.Helper()
	again, err := storage.Open(t.Context(), db.Options())
	must(t, err)
	t.Cleanup(func() { _ = again.Close() })
	return again
}

// mixed has good and bad writers side by side: nobody's failure is another's.
func mixed(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := things(db, kindThing)
	must(t, s.Create(ctx, newThing("i1", "taken")))
	var good, bad atomic.Int64
	together(24, func(i int) {
		for k := range 10 {
			var err error
			switch i % 3 {
			case 0:
				err = s.Create(ctx, newThing("i1", fmt.Sprintf("%d-%d", i, k)))
			case 1:
				if err = s.Create(ctx, newThing("i1", "taken")); errs.Is(err, errs.Duplicate) {
					bad.Add(1)
					continue
				}
				t.Errorf("taken: %v", err)
			case 2:
				err = db.CreateContact(ctx, record(fmt.Sprintf("%d-%d", i, k)))
				if err == nil {
					_, err = db.Contact(ctx, "i1", fmt.Sprintf("%d-%d", i, k)) // one's own write is visible
				}
			}
			if err != nil {
				t.Errorf("%d-%d: %v", i, k, err)
				continue
			}
			good.Add(1)
		}
	})
	all, err := resource.All(ctx, s, "i1")
	must(t, err)
	if len(all) != 81 || good.Load() != 160 || bad.Load() != 80 {
		t.Errorf("%d things, %d good, %d bad", len(all), good.Load(), bad.Load())
	}
}
