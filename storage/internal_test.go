package storage

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
)

func TestStatementsAreRewrittenForEachDatabase(t *testing.T) {
	lite, pg := &dialect{name: SQLite}, &dialect{name: Postgres, postgres: true}
	tests := []struct{ text, lite, pg string }{
		{"SELECT $2, $1", "SELECT ?2, ?1", "SELECT $2, $1"},
		{"$10 $1", "?10 ?1", "$10 $1"},
		{"LIMIT $1 /*skip-locked*/", "LIMIT ?1 /*skip-locked*/", "LIMIT $1 FOR UPDATE SKIP LOCKED"},
		{"x /*for-update*/ /*for-key*/", "x /*for-update*/ /*for-key*/", "x FOR UPDATE FOR KEY SHARE"},
	}
	for range 2 { // the second time from the cache
		for _, tt := range tests {
			if got := lite.sql(tt.text); got != tt.lite {
				t.Errorf("SQLite: %q, want %q", got, tt.lite)
			}
			if got := pg.sql(tt.text); got != tt.pg {
				t.Errorf("PostgreSQL: %q, want %q", got, tt.pg)
			}
		}
	}
}

func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	list, err := migrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 2 || SchemaVersion() != len(list) {
		t.Errorf("%d migrations, version %d", len(list), SchemaVersion())
	}
	for name, files := range map[string][]string{
		"gap":      {"0001_a.sql", "0003_b.sql"},
		"twice":    {"0001_a.sql", "0001_b.sql"},
		"from two": {"0002_a.sql"},
		"letters":  {"first_a.sql"},
		"no name":  {"0001.sql"},
	} {
		dir := fstest.MapFS{}
		for _, f := range files {
			dir["migrations/"+f] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		if _, err = migrations(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAMigrationThatFailsLeavesTheSchemaAsItWas(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "ullim.db"), SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	list, err := migrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	broken := migration{version: len(list) + 1, name: "broken", text: "CREATE TABLE half (a BIGINT); CREATE TABLE half (a BIGINT);"}
	if err = db.migrate(t.Context(), append(list, broken)); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Fatalf("error: %v", err)
	}
	whole := migration{version: len(list) + 1, name: "whole", text: "CREATE TABLE half (a BIGINT);"}
	if err = db.migrate(t.Context(), append(list, whole)); err != nil {
		t.Fatal(err)
	}
	// And now the schema is newer than this program.
	err = db.Migrate(t.Context())
	if !errs.Is(err, errs.InvalidRequest) || !strings.Contains(err.Error(), "newer ullim") {
		t.Errorf("error: %v", err)
	}
}

func TestOneWriteThatPanicsOrFailsHurtsNoOther(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: Memory})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	put := func(key string) func(context.Context, tx) error {
		return func(ctx context.Context, t tx) error {
			_, execErr := t.exec(ctx, `INSERT INTO setting (key, value) VALUES ($1, $2)`, key, []byte(key))
			return execErr
		}
	}
	// One batch, made by hand so that all are surely in one transaction.
	failed := errors.New("own mistake")
	e := db.engine.(*sqliteEngine)
	batch := []*op{
		{fn: put("a")},
		{fn: func(ctx context.Context, t tx) error { _ = put("b")(ctx, t); return failed }},
		{fn: func(ctx context.Context, t tx) error { _ = put("c")(ctx, t); panic("bug") }},
		{fn: put("a")}, // unique
		{fn: func(ctx context.Context, t tx) error { _, execErr := t.exec(ctx, `no SQL`); return execErr }},
		{fn: put("d")},
	}
	for _, o := range batch {
		o.done = make(chan error, 1)
	}
	stats := db.Stats()
	done := make(chan struct{})
	// Through the writer's goroutine, which owns the connection.
	err = e.group.do(t.Context(), func(context.Context, tx) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { e.group.commit(batch); close(done) }()
	<-done
	var got []string
	for _, o := range batch {
		err := <-o.done
		switch {
		case err == nil:
			got = append(got, "ok")
		case errors.Is(err, failed):
			got = append(got, "own")
		case strings.Contains(err.Error(), "panic"):
			got = append(got, "panic")
		case e.problem(err) == problemUnique:
			got = append(got, "unique")
		default:
			got = append(got, "other")
		}
	}
	if d := cmp.Diff([]string{"ok", "own", "panic", "unique", "other", "ok"}, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
	if now := db.Stats(); now.Writes-stats.Writes != 3 || now.Commits-stats.Commits != 2 {
		t.Errorf("stats %+v, before %+v", now, stats)
	}
	for key, want := range map[string]bool{"a": true, "b": false, "c": false, "d": true} {
		if _, err := db.Setting(t.Context(), key); (err == nil) != want {
			t.Errorf("setting %s: %v", key, err)
		}
	}
}

func TestATransactionLostUnderWayIsTriedWriteByWrite(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: Memory})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	put := func(ctx context.Context, t tx, key string) error {
		_, execErr := t.exec(ctx, `INSERT INTO setting (key, value) VALUES ($1, $2)`, key, []byte(key))
		return execErr
	}
	batch := []*op{
		{fn: func(ctx context.Context, t tx) error { return put(ctx, t, "a") }},
		// What SQLite does by itself when the disk is full: the whole transaction is gone.
		{fn: func(ctx context.Context, t tx) error {
			_, execErr := t.exec(ctx, `ROLLBACK`)
			return errors.Join(execErr, errors.New("disk full"))
		}},
		{fn: func(ctx context.Context, t tx) error { return put(ctx, t, "b") }},
	}
	for _, o := range batch {
		o.done = make(chan error, 1)
	}
	db.engine.(*sqliteEngine).group.commit(batch)
	a, lost, b := <-batch[0].done, <-batch[1].done, <-batch[2].done
	if a != nil || b != nil || lost == nil {
		t.Errorf("results %v, %v, %v", a, lost, b)
	}
	for _, key := range []string{"a", "b"} {
		if _, err = db.Setting(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
}

func TestAWriteThatWasGivenUpWhileWaitingNeverHappens(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "ullim.db"), SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	started, release := make(chan struct{}), make(chan struct{})
	slow := make(chan error, 1)
	var told, toldOfWaiting bool
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, slowErr := writeThen(ctx, db, func(ctx context.Context, t tx) (int64, error) {
			close(started)
			<-release
			return t.exec(ctx, `INSERT INTO setting (key, value) VALUES ('taken', $1)`, []byte("x"))
		}, func() { told = true })
		slow <- slowErr
	}()
	<-started
	waiting, cancelWaiting := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelWaiting()
	_, err = writeThen(waiting, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `INSERT INTO setting (key, value) VALUES ('waiting', $1)`, []byte("x"))
	}, func() { toldOfWaiting = true })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: %v", err)
	}
	cancel()
	if err = <-slow; !errors.Is(err, context.Canceled) { // its caller does not wait for the disk
		t.Errorf("taken: %v", err)
	}
	close(release)
	db.pending.Wait()
	if !told || toldOfWaiting {
		t.Errorf("told of the one that happened: %v, of the other: %v", told, toldOfWaiting)
	}
	if _, err = db.Setting(t.Context(), "taken"); err != nil {
		t.Error(err)
	}
	if _, err = db.Setting(t.Context(), "waiting"); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

func TestTheDatabaseItselfKeepsWhatIsNeeded(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: Memory})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = write(t.Context(), db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `INSERT INTO resource (id, kind, instance_id, name, version, created_us, modified_us, body)
			VALUES ('a', 'k', 'i', 'a', 1, 0, 0, '{}'), ('b', 'k', 'i', 'b', 1, 0, 0, '{}')`)
	})
	if err != nil {
		t.Fatal(err)
	}
	var problems []problem
	for _, statement := range []string{
		`INSERT INTO resource_ref (from_id, to_id) VALUES ('a', 'b')`, // good
		`DELETE FROM resource WHERE id = 'b'`,
		`INSERT INTO resource_ref (from_id, to_id) VALUES ('a', 'nobody')`,
		`DELETE FROM resource WHERE id = 'a'`, // good
	} {
		var found problem
		_, err = write(t.Context(), db, func(ctx context.Context, t tx) (int64, error) {
			n, execErr := t.exec(ctx, statement)
			if execErr != nil {
				found = t.problem(execErr)
			}
			return n, execErr
		})
		if err == nil {
			found = -1
		}
		problems = append(problems, found)
	}
	if d := cmp.Diff([]problem{-1, problemForeign, problemForeign, -1}, problems); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{Name: "a", ID: "b"}.token())
	f.Add(cursor{At: -5, ID: "b"}.token())
	f.Add("")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := parseCursor(token)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if c == nil {
			return
		}
		again, err := parseCursor(c.token())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, again); d != "" {
			t.Error(d)
		}
	})
}
