// Package storagetest proves that a database keeps what package storage promises. Run is one suite, the same for SQLite
// and PostgreSQL; Server starts a PostgreSQL for it.
package storagetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/storage"
)

// Open opens an empty database of the test, closed by its clean-up. change may be nil.
type Open func(t *testing.T, change func(*storage.Options)) *storage.DB

// Run runs the suite, each part on a database of its own.
func Run(t *testing.T, open Open) {
	t.Helper()
	parts := []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"resources", testResources},
		{"references", testReferences},
		{"instances and access keys", testAcrossInstances},
		{"flows", testFlows},
		{"runs of flows", testFlowRuns},
		{"contacts", testContacts},
		{"recordings", testRecordings},
		{"agents", testAgents},
		{"jobs", testJobs},
		{"registrations and settings", testSmall},
		{"chats", testChats},
		{"sessions and commands", testSessions},
		{"records", testRecords},
		{"reports", testReports},
		{"the whole", testWhole},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.run(t, open) })
	}
}

// Opener gives an Open for one driver; url makes the address of an empty database.
func Opener(driver string, url func(*testing.T) string) Open {
	return func(t *testing.T, change func(*storage.Options)) *storage.DB {
		t.Helper()
		o := storage.Options{Driver: driver, URL: url(t), SyncOff: true, Log: slog.New(slog.DiscardHandler)}
		if change != nil {
			change(&o)
		}
		db, err := storage.Open(t.Context(), o)
		if err != nil {
			t.Fatalf("opening: %v", err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
		return db
	}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// wantKind checks the kind of an error.
func wantKind(t *testing.T, err error, k errs.Kind) {
	t.Helper()
	if !errs.Is(err, k) {
		t.Fatalf("error is %v (%v), want kind %v", err, errs.KindOf(err), k)
	}
}

// together runs fn n times at once and waits.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// day is a moment for the tests, with microseconds as databases keep them.
func day() time.Time { return time.Date(2026, 11, 22, 8, 30, 0, 123456000, time.UTC) }

// changes collects hints.
type changes struct {
	mu   sync.Mutex
	list []resource.Change
}

func (c *changes) add(ch resource.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, ch)
}

func (c *changes) take() []resource.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.list
	c.list = nil
	return l
}

// ended is a context that is over.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
