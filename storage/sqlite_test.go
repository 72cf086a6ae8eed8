package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/storage"
)

func open(tb testing.TB, o storage.Options) *storage.DB {
	tb.Helper()
	db, err := storage.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func segment(id string) *contact.Record {
	return &contact.Record{ID: id, InstanceID: "i1", Node: "n1", Channel: contact.Voice, InitiationTimestamp: time.Now()}
}

func TestConcurrentWritesShareCommits(t *testing.T) {
	var observed atomic.Uint64
	db := open(t, storage.Options{URL: filepath.Join(t.TempDir(), "ullim.db"), Observe: func(d time.Duration) {
		if d <= 0 {
			t.Errorf("a commit took %v", d)
		}
		observed.Add(1)
	}})
	before := db.Stats()
	var wg sync.WaitGroup
	const writers, each = 32, 20
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := db.CreateContact(t.Context(), segment(fmt.Sprintf("%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	after := db.Stats()
	writes, commits := after.Writes-before.Writes, after.Commits-before.Commits
	if writes != writers*each {
		t.Errorf("%d writes", writes)
	}
	if commits*2 > writes {
		t.Errorf("%d writes needed %d commits", writes, commits)
	}
	if observed.Load() != after.Commits {
		t.Errorf("%d commits observed, %d counted", observed.Load(), after.Commits)
	}
}

func TestSQLiteIsSafeByDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	open(t, storage.Options{URL: path})
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("the file, which holds secrets, has mode %v", st.Mode())
	}
	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var mode string
	if err = raw.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}

func TestAPathWithEveryCharacterIsOpened(t *testing.T) {
	for _, name := range []string{"a b", "a?mode=memory", "100%41", "a#b", "ä한", "a&b=c", "-x", "file:x"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".db")
		db := open(t, storage.Options{URL: path, SyncOff: true})
		if err := db.CreateContact(t.Context(), segment("c1")); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := db.Contact(t.Context(), "i1", "c1"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if st, err := os.Stat(path); err != nil || st.Size() == 0 {
			t.Errorf("%q: the file is not where it should be: %v", name, err)
		}
		_ = db.Close()
	}
	t.Chdir(t.TempDir())
	open(t, storage.Options{URL: "relative.db", SyncOff: true})
	if _, err := os.Stat("relative.db"); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatCannotBeOpenedIsRefusedClearly(t *testing.T) {
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte(strings.Repeat("these are notes, no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		o    storage.Options
		want string
	}{
		"no folder":      {storage.Options{URL: filepath.Join(dir, "none", "x.db")}, "folder"},
		"no path":        {storage.Options{}, "database.url"},
		"other file":     {storage.Options{URL: notes}, "not a SQLite database"},
		"a folder":       {storage.Options{URL: dir}, dir},
		"unknown driver": {storage.Options{Driver: "oracle"}, "oracle"},
		"no URL":         {storage.Options{Driver: storage.Postgres, URL: "host=x port=y"}, "PostgreSQL"},
		"nobody there":   {storage.Options{Driver: storage.Postgres, URL: "postgres://u:hush@127.0.0.1:1/db"}, "does not answer"},
	} {
		db, err := storage.Open(t.Context(), tt.o)
		if err == nil {
			_ = db.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(notes)
	if err != nil || !strings.HasPrefix(string(text), "these are notes") {
		t.Errorf("the notes are now %q, %v", text, err)
	}
}

func TestAnotherProcessWithTheWriteLockDelaysAWriterButNoReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	db := open(t, storage.Options{URL: path})
	if err := db.CreateContact(t.Context(), segment("c1")); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite3", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	lock, err := raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- db.CreateContact(context.Background(), segment("c2")) }()
	for !db.Writing() { // until it stands at the lock
		runtime.Gosched()
	}
	for range 20 {
		if _, err = db.Contact(t.Context(), "i1", "c1"); err != nil {
			t.Fatal(err)
		}
	}
	// Who waits behind it can give up, and then it never happens.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err = db.CreateContact(ctx, segment("c3")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting behind a lock: %v", err)
	}
	if err = lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err = <-written; err != nil {
		t.Error(err)
	}
	if err = db.CreateContact(t.Context(), segment("c4")); err != nil {
		t.Error(err)
	}
	if _, err = db.Contact(t.Context(), "i1", "c3"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the write that was given up: %v", err)
	}
}

func TestSQLiteRunsInVirtualTime(t *testing.T) {
	for name, url := range map[string]string{"file": filepath.Join(t.TempDir(), "ullim.db"), "memory": storage.Memory} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, err := storage.Open(t.Context(), storage.Options{URL: url, SyncOff: true})
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Hour)
						if createErr := db.CreateContact(t.Context(), segment(fmt.Sprint(i))); createErr != nil {
							t.Error(createErr)
						}
						r := acd.Reservation{OfferID: fmt.Sprint(i), InstanceID: "i1", UserID: fmt.Sprint(i), ContactID: fmt.Sprint(i)}
						if _, ok, reserveErr := db.Reserve(t.Context(), r, 0, 1); reserveErr != nil || !ok {
							t.Error(ok, reserveErr)
						}
					})
				}
				wg.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				list, err := db.OpenContacts(ctx, "n1")
				if err != nil || len(list) != 20 {
					t.Errorf("%d contacts, %v", len(list), err)
				}
				if got := list[19].InitiationTimestamp.Sub(list[0].InitiationTimestamp); got != 19*time.Hour {
					t.Errorf("they span %v", got)
				}
				if err = db.Close(); err != nil { // the bubble fails if a goroutine is left
					t.Error(err)
				}
			})
		})
	}
}

// TestARunnerOnSQLite joins internal/jobs and this package in virtual time.
func TestARunnerOnSQLite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := storage.Open(t.Context(), storage.Options{URL: storage.Memory})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var ran []time.Duration
		runner := jobs.New(jobs.Options{
			Store: db, Rand: func() float64 { return 0 }, Backoff: jobs.Backoff{First: 10 * time.Second, Most: time.Minute},
			Handlers: map[string]jobs.Handler{storage.JobUpload: func(_ context.Context, j jobs.Job) error {
				ran = append(ran, time.Since(begin))
				if j.Attempts < 3 {
					return errors.New("server away")
				}
				return nil
			}},
		})
		runner.Start()
		time.Sleep(time.Minute)
		r := segment("c1")
		r.Recordings = []contact.Recording{{Location: "l", Spool: "s", Status: contact.RecordingSpooled}}
		if err = db.CloseContact(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		runner.Wake()
		time.Sleep(time.Hour)
		runner.Stop()
		want := []time.Duration{time.Minute, time.Minute + 5*time.Second, time.Minute + 15*time.Second}
		if fmt.Sprint(ran) != fmt.Sprint(want) {
			t.Errorf("ran at %v, want %v", ran, want)
		}
		alive, buried, err := db.Count(t.Context(), storage.JobUpload)
		if alive+buried != 0 || err != nil {
			t.Errorf("%d alive, %d buried, %v", alive, buried, err)
		}
		if err = db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseEndsEveryGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		db, err := storage.Open(t.Context(), storage.Options{URL: filepath.Join(t.TempDir(), "ullim.db"), SyncOff: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = db.OpenContacts(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if err = db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
