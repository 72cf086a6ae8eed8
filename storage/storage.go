// Package storage remembers: one code base, two databases. SQLite serves one node without any set-up, PostgreSQL serves
// several. Only package app imports it; everybody else declares the store that it needs, and this package implements it.
//
// # Layout
//
//	storage.go      Options, Open, DB
//	tx.go           write and read: the two ways in; a transaction as the stores see it
//	sqlite.go       SQLite: connections; the driver is named here only
//	group.go        SQLite: the writer goroutine and its group commit
//	postgres.go     PostgreSQL: pool, retry; the driver is named here only
//	dialect.go      what differs in the text of a statement
//	migrate.go      numbered files under migrations/, forward only
//	resources.go    resource.Store for every kind, on the one table "resource"; refs.go, lookup.go, cursor.go
//	contacts.go     call.Store, call.Reader; marks.go: what goes with each write of a contact
//	search.go       contacts found among millions; late.go: what is changed of contacts afterwards, and their end
//	stream.go       records.FollowStore; pump.go: records.PumpStore, dead letters, replays
//	audit.go        the audit trail
//	agents.go       acd.Store
//	registrations.go, jobs.go, settings.go
//
// # SQL
//
// There is one SQL text for both databases, with $1 placeholders. What has no common form is a marker in a comment
// (/*skip-locked*/) that the dialect of PostgreSQL fills and SQLite reads as a comment. Times are BIGINT microseconds UTC,
// ids are TEXT, and what nobody searches by is JSON in a TEXT column, decoded in Go. So what comes back is cut to
// microseconds and in UTC.
//
// # Writing
//
// A write is a function of a transaction, given to write: it must not touch anything of its caller but what it was
// given and never changes again, because it may be run twice (PostgreSQL asks for it after a serialization failure)
// and may still run when the caller has stopped waiting. A write commits wholly or not at all, and write returns nil
// only after the commit.
//
// SQLite has one writer. A goroutine owns its connection and puts whatever waits into one transaction, each write
// behind a savepoint of its own, so that many writers share one fsync and a write that fails takes nobody with it
// (group.go). With synchronous=FULL in WAL mode a commit survives a power cut. Readers have connections of their own
// and never wait for the writer. An in-memory database has no file for several connections to share: its reads go
// through the writer too.
//
// PostgreSQL runs READ COMMITTED. What two transactions could both believe is decided by a constraint (unique and
// partial unique indexes, foreign keys) or by a compare-and-set on a version, never by a SELECT before the write.
//
// # Errors
//
// Everything that a caller can cause has a kind of package errs. A database that is away, full or locked is
// errs.Unavailable. The rest is a bug and stays internal.
package storage

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Drivers.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Memory as Options.URL is a SQLite database that lives as long as its DB.
const Memory = ":memory:"

// Options say which database to open, and how.
type Options struct {
	Driver string // SQLite or Postgres; empty is SQLite
	URL    string // SQLite: path of the file, or Memory. Postgres: postgres://user:password@host:port/database
	Log    *slog.Logger

	// OnChange is told of every resource that was created, updated or deleted, after the commit and before the method
	// that did it returns, on the caller's goroutine. It may read the DB.
	OnChange func(resource.Change)
	// Observe is told how long each commit took, from the start of its transaction. It must not block.
	Observe func(time.Duration)
	// Streams tells whether anybody is told of an instance's contacts: then each write of one leaves a mark. nil: every one
	// is marked. It is asked on every write and must be quick.
	Streams func(instanceID string) bool
	// Searchable are the names of the attributes by which contacts of an instance can be found. nil: none.
	Searchable func(instanceID string) []string
	// MaxConns bounds the connections that read (SQLite) or all connections (Postgres). 0 is a sensible number.
	MaxConns int
	// SyncOff leaves it to the operating system when data reaches the disk (SQLite). For tests only.
	SyncOff bool
}

// DB is an open database, and the store of everything that is not a resource. It is safe for concurrent use.
type DB struct {
	o       Options
	log     *slog.Logger
	dialect *dialect
	engine  engine
	pending sync.WaitGroup // hints still owed for writes whose callers went away

	commits, writes atomic.Uint64
}

// engine is a database as write and read need it.
type engine interface {
	// write runs fn in a transaction and returns after its commit. When ctx ends first, write returns ctx's error and
	// the transaction happens wholly or not at all; abandoned (may be nil) is then called from another goroutine if it
	// may have happened.
	write(ctx context.Context, fn func(context.Context, tx) error, abandoned func()) error
	// later is write for what nobody waits for: it may wait a moment for others to share their commit with. then is told
	// how it went, from another goroutine.
	later(fn func(context.Context, tx) error, then func(error))
	// read runs fn on a connection for reading.
	read(ctx context.Context, fn func(context.Context, tx) error) error
	// migrate runs fn in a transaction that excludes every other process's migrate.
	migrate(ctx context.Context, fn func(context.Context, tx) error) error
	// problem tells what an error of the driver is about.
	problem(error) problem
	close() error
}

// Stats are counters since Open. Writes shares commits: Writes/Commits is the size of a group.
type Stats struct {
	Commits, Writes uint64
}

// Stats gives the counters.
func (db *DB) Stats() Stats {
	return Stats{Commits: db.commits.Load(), Writes: db.writes.Load()}
}

// Open connects to the database, brings its schema up to date and starts what needs starting. A schema newer than this
// program knows is refused.
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err = db.Migrate(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// connect is Open without migrations.
func connect(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{o: o, log: o.Log}
	var err error
	switch o.Driver {
	case SQLite, "":
		db.dialect = &dialect{name: SQLite}
		db.engine, err = openSQLite(ctx, db)
	case Postgres:
		db.dialect = &dialect{name: Postgres, postgres: true}
		db.engine, err = openPostgres(ctx, db)
	default:
		return nil, errs.Field("database.driver", "must be %q or %q; is %q", SQLite, Postgres, o.Driver)
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close finishes the writes that wait, ends every goroutine and closes the database. It is safe twice; afterwards every
// method fails with errs.Unavailable.
func (db *DB) Close() error {
	err := db.engine.close()
	db.pending.Wait()
	return err
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	_, err := read(ctx, db, func(ctx context.Context, t tx) (int, error) {
		var one int
		err := t.row(ctx, `SELECT 1`).Scan(&one)
		return one, err
	})
	return err
}

// committed counts a commit of n writes that took d.
func (db *DB) committed(n int, d time.Duration) {
	db.commits.Add(1)
	db.writes.Add(uint64(n)) // never negative
	if db.o.Observe != nil {
		db.o.Observe(d)
	}
}

// changed passes a hint on.
func (db *DB) changed(c resource.Change) {
	if db.o.OnChange != nil {
		db.o.OnChange(c)
	}
}

// errClosed is what a closed DB answers.
func errClosed() error { return errs.New(errs.Unavailable, "storage: the database is closed") }

// closeAll closes handles in order and gives the first error.
func closeAll(dbs ...*sql.DB) error {
	var first error
	for _, d := range dbs {
		if err := d.Close(); err != nil && first == nil {
			first = fmt.Errorf("storage: closing: %w", err)
		}
	}
	return first
}

// Options are those that the database was opened with.
func (db *DB) Options() Options { return db.o }
