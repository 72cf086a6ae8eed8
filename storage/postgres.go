package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"ullim/internal/errs"
)

// postgresEngine is a pool of connections to PostgreSQL.
type postgresEngine struct {
	db     *DB
	pool   *sql.DB
	closed atomic.Bool
}

var _ engine = (*postgresEngine)(nil)

// Retries of a transaction that PostgreSQL asks to run again.
const (
	maxTries  = 12
	firstWait = 2 * time.Millisecond
	mostWait  = 200 * time.Millisecond
)

// migrationLock is the key of the advisory lock that migrations hold ("ullim" in ASCII).
const migrationLock = 0x756c6c696d

func openPostgres(ctx context.Context, db *DB) (engine, error) {
	cfg, err := pgx.ParseConfig(db.o.URL)
	if err != nil {
		// The library's error quotes the URL with its password masked.
		return nil, errs.Wrap(err, errs.Invalid, "storage: database.url is not a PostgreSQL URL")
	}
	e := &postgresEngine{db: db, pool: stdlib.OpenDB(*cfg)}
	n := db.o.MaxConns
	if n <= 0 {
		n = 16
	}
	e.pool.SetMaxOpenConns(n)
	e.pool.SetMaxIdleConns(n)
	e.pool.SetConnMaxIdleTime(5 * time.Minute)
	if err = e.pool.PingContext(ctx); err != nil {
		_ = e.pool.Close()
		return nil, errs.Wrap(err, errs.Unavailable, "storage: PostgreSQL at %s does not answer", cfg.Host)
	}
	return e, nil
}

func (e *postgresEngine) write(ctx context.Context, fn func(context.Context, tx) error, abandoned func()) error {
	wait := firstWait
	for try := 1; ; try++ {
		doubt, err := e.transact(ctx, fn)
		if err != nil && doubt && abandoned != nil {
			abandoned() // the commit was sent and its answer lost: a hint too many does no harm
		}
		if err == nil || try == maxTries || e.problem(err) != problemRetry {
			return err
		}
		t := time.NewTimer(wait/2 + rand.N(wait)) // jitter
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		wait = min(2*wait, mostWait)
	}
}

// laterTime is how long a write that nobody waits for may take.
const laterTime = 10 * time.Second

func (e *postgresEngine) later(fn func(context.Context, tx) error, then func(error)) {
	e.db.pending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), laterTime)
		defer cancel()
		then(e.write(ctx, fn, nil))
	})
}

// transact runs fn once. doubt tells that an error leaves open whether it was committed.
func (e *postgresEngine) transact(ctx context.Context, fn func(context.Context, tx) error) (doubt bool, err error) {
	if e.closed.Load() {
		return false, errClosed()
	}
	begin := time.Now()
	sqlTx, err := e.pool.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	if err = contained(ctx, e.db.tx(sqlTx), fn); err != nil {
		_ = sqlTx.Rollback()
		return false, err
	}
	if err = sqlTx.Commit(); err != nil {
		_, refused := errors.AsType[*pgconn.PgError](err)
		return !refused, err
	}
	e.db.committed(1, time.Since(begin))
	return false, nil
}

func (e *postgresEngine) migrate(ctx context.Context, fn func(context.Context, tx) error) error {
	return e.write(ctx, func(ctx context.Context, t tx) error {
		if _, err := t.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		return fn(ctx, t)
	}, nil)
}

func (e *postgresEngine) read(ctx context.Context, fn func(context.Context, tx) error) error {
	if e.closed.Load() {
		return errClosed()
	}
	return fn(ctx, e.db.tx(e.pool))
}

func (e *postgresEngine) close() error {
	if e.closed.Swap(true) {
		return nil
	}
	return closeAll(e.pool)
}

// problem sorts by SQLSTATE (PostgreSQL manual, appendix A).
func (*postgresEngine) problem(err error) problem {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == "40001", e.Code == "40P01": // serialization_failure, deadlock_detected
			return problemRetry
		case e.Code == "23505": // unique_violation
			return problemUnique
		case e.Code == "23503", e.Code == "23001": // foreign_key_violation, restrict_violation
			return problemForeign
		case strings.HasPrefix(e.Code, "08"), // connection exception
			strings.HasPrefix(e.Code, "53"), // insufficient resources
			strings.HasPrefix(e.Code, "57"), // operator intervention: shutdown, crash, cancelled
			strings.HasPrefix(e.Code, "58"), // system error
			e.Code == "25006":               // read-only: the primary has become a standby
			return problemAway
		}
		return problemOther
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	if refused || network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err) ||
		pgconn.SafeToRetry(err) {
		return problemAway
	}
	return problemOther
}
