package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3" // also registers the driver "sqlite3"

	"ullim/internal/errs"
)

// sqliteEngine is a SQLite file with one connection to write and several to read, or a database in memory with one
// connection for both.
type sqliteEngine struct {
	db      *DB
	writer  *sql.DB
	readers *sql.DB // nil: in memory
	group   *group
}

var _ engine = (*sqliteEngine)(nil)

// busyTimeout is how long a statement waits for another process's lock (`ullim backup`, `ullim migrate`).
const busyTimeout = 10 * time.Second

func openSQLite(ctx context.Context, db *DB) (engine, error) {
	if db.o.URL == "" {
		return nil, errs.Field("database.url", "must be the path of the SQLite file")
	}
	memory := db.o.URL == Memory
	if !memory {
		if err := createPrivate(db.o.URL); err != nil {
			return nil, err
		}
	}
	e := &sqliteEngine{db: db}
	var err error
	if e.writer, err = sql.Open("sqlite3", sqliteDSN(db.o, false)); err != nil {
		return nil, fmt.Errorf("storage: opening %s: %w", db.o.URL, err)
	}
	e.writer.SetMaxOpenConns(1)
	e.writer.SetMaxIdleConns(1)
	conn, err := e.writer.Conn(ctx)
	if err != nil {
		_ = e.writer.Close()
		return nil, sqliteOpenError(db.o.URL, err)
	}
	if !memory {
		if e.readers, err = sql.Open("sqlite3", sqliteDSN(db.o, true)); err != nil {
			_ = conn.Close()
			_ = e.writer.Close()
			return nil, fmt.Errorf("storage: opening %s to read: %w", db.o.URL, err)
		}
		n := db.o.MaxConns
		if n <= 0 {
			n = max(4, runtime.GOMAXPROCS(0))
		}
		e.readers.SetMaxOpenConns(n)
		e.readers.SetMaxIdleConns(n)
	}
	e.group = newGroup(db, conn) //nolint:contextcheck // a commit belongs to many callers: none of their contexts
	return e, nil
}

// sqliteOpenError names the usual mistake: a file that is something else.
func sqliteOpenError(path string, err error) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrNotADB {
		return errs.Wrap(err, errs.Invalid, "storage: %s is not a SQLite database", path)
	}
	return fmt.Errorf("storage: opening %s: %w", path, err)
}

// createPrivate makes the file readable for its owner only: it holds password hashes and keys. SQLite gives its
// companion files (-wal, -shm) the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return errs.Field("database.url", "the folder of %s does not exist", path)
	}
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "storage: cannot open %s", path)
	}
	return f.Close()
}

// sqliteDSN is the URI of the file. Its path is absolute and escaped, so that no character of a folder's name is read
// as an option.
func sqliteDSN(o Options, readOnly bool) string {
	q := url.Values{
		"_busy_timeout":    {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys":    {"1"},
		"_stmt_cache_size": {"100"},
		"_txlock":          {"immediate"},
	}
	if o.URL == Memory {
		return "file::memory:?" + q.Encode()
	}
	path := o.URL
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if readOnly {
		q.Set("mode", "ro")
		q.Set("_query_only", "1")
	} else {
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL") // a commit survives a power cut
		q.Set("_cache_size", "-65536")
		if o.SyncOff {
			q.Set("_synchronous", "OFF")
		}
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path)) + "?" + q.Encode()
}

func (e *sqliteEngine) write(ctx context.Context, fn func(context.Context, tx) error, abandoned func()) error {
	return e.group.do(ctx, fn, abandoned)
}

func (e *sqliteEngine) later(fn func(context.Context, tx) error, then func(error)) {
	e.group.later(fn, then)
}

func (e *sqliteEngine) migrate(ctx context.Context, fn func(context.Context, tx) error) error {
	// BEGIN IMMEDIATE excludes every other writer of the file.
	return e.group.do(ctx, fn, nil)
}

func (e *sqliteEngine) read(ctx context.Context, fn func(context.Context, tx) error) error {
	if e.readers == nil {
		return e.group.do(ctx, fn, nil)
	}
	if e.group.isClosed() {
		return errClosed()
	}
	return fn(ctx, e.db.tx(e.readers))
}

func (e *sqliteEngine) close() error {
	err := e.group.close()
	if e.readers != nil {
		// The readers first: the last connection to close tidies the write-ahead log away, and it must be able to write.
		err = errors.Join(err, closeAll(e.readers))
	}
	return errors.Join(err, closeAll(e.writer))
}

func (*sqliteEngine) problem(err error) problem {
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, os.ErrClosed) {
		return problemAway
	}
	e, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return problemOther
	}
	switch e.ExtendedCode {
	case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey:
		return problemUnique
	case sqlite3.ErrConstraintForeignKey, sqlite3.ErrConstraintTrigger: // RESTRICT reports as a trigger
		return problemForeign
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrReadonly, sqlite3.ErrCantOpen,
		sqlite3.ErrNomem:
		return problemAway
	}
	return problemOther
}
