package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
)

// querier is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is a transaction, or a connection to read from.
type tx struct {
	q       querier
	d       *dialect
	problem func(error) problem
}

func (db *DB) tx(q querier) tx { return tx{q: q, d: db.dialect, problem: db.engine.problem} }

// uncached is t for statements whose text depends on what is asked for: it is not kept.
func (t tx) uncached() tx {
	t.d = &dialect{name: t.d.name, postgres: t.d.postgres, fresh: true}
	return t
}

// exec runs a statement and tells how many rows it changed.
func (t tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.q.ExecContext(ctx, t.d.sql(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row runs a query for one row.
func (t tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.q.QueryRowContext(ctx, t.d.sql(query), args...)
}

// scanner is *sql.Row and *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// collect runs a query and scans every row.
func collect[T any](ctx context.Context, t tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	return collectSent(ctx, t, scan, t.d.sql(query), args...)
}

// collectUncached is collect for a query that hardly comes again: its text is not kept.
func collectUncached[T any](ctx context.Context, t tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	return collectSent(ctx, t, scan, t.d.rewrite(query), args...)
}

func collectSent[T any](ctx context.Context, t tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, scanErr := scan(rows)
		if scanErr != nil {
			return nil, scanErr
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// write runs fn in a transaction and gives its result after the commit. See the package comment for what fn may do.
func write[T any](ctx context.Context, db *DB, fn func(context.Context, tx) (T, error)) (T, error) {
	return writeThen(ctx, db, fn, nil)
}

// writeThen is write, with a call of after once the transaction has, or may have, been committed: even if ctx ended and
// nobody waits any more.
func writeThen[T any](ctx context.Context, db *DB, fn func(context.Context, tx) (T, error), after func()) (T, error) {
	var result, none T
	err := db.engine.write(ctx, func(ctx context.Context, t tx) error {
		v, err := fn(ctx, t)
		result = v
		return err
	}, after)
	if err != nil {
		// result is not looked at: an abandoned fn may be writing it this moment.
		return none, db.translate(ctx, err)
	}
	if after != nil {
		after()
	}
	return result, nil
}

// read runs fn on a connection that cannot write.
func read[T any](ctx context.Context, db *DB, fn func(context.Context, tx) (T, error)) (T, error) {
	var result, none T
	err := db.engine.read(ctx, func(ctx context.Context, t tx) error {
		v, err := fn(ctx, t)
		result = v
		return err
	})
	if err != nil {
		return none, db.translate(ctx, err)
	}
	return result, nil
}

// problem is what a driver's error is about.
type problem int

const (
	problemOther   problem = iota
	problemAway            // the database is not there, full, locked, read-only: try later
	problemUnique          // a unique constraint
	problemForeign         // a foreign key
	problemRetry           // serialization failure or deadlock: run the transaction again
)

// translate gives an error of the database the kind that a caller can act on.
func (db *DB) translate(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if ctx.Err() != nil {
		// A statement cut short by ctx has its own error in each driver; callers know ctx's.
		return fmt.Errorf("storage: %w", context.Cause(ctx))
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		// A network time-out made from ctx's deadline may come a moment before ctx itself ends.
		return fmt.Errorf("storage: %w: %w", context.DeadlineExceeded, err)
	}
	switch db.engine.problem(err) {
	case problemAway, problemRetry:
		return errs.Wrap(err, errs.Unavailable, "the database is not available")
	case problemUnique, problemForeign, problemOther:
	}
	return fmt.Errorf("storage: %w", err)
}

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is a stored time.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// now is the time as it can be stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// storable tells whether a string can be the value of a TEXT column on both databases: UTF-8 without NUL.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// placeholders is "$from, $from+1, ..." for n values.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}
