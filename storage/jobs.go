package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"ullim/internal/errs"
	"ullim/internal/jobs"
)

var _ jobs.Store = (*DB)(nil)

// maxReason bounds the reason that is kept of a failure, in bytes.
const maxReason = 1000

// Enqueue implements jobs.Store.
func (db *DB) Enqueue(ctx context.Context, j jobs.Job) error {
	if j.Kind == "" || len(j.Kind)+len(j.Key) > maxName || !storable(j.Kind) || !storable(j.Key) {
		return errs.New(errs.Invalid, "storage: job %q with key %q: kind and key must be UTF-8 of %d bytes together at most", j.Kind, j.Key, maxName)
	}
	if len(j.Payload) > 0 && !json.Valid(j.Payload) {
		return errs.New(errs.Invalid, "storage: the payload of job %q %q is not JSON", j.Kind, j.Key)
	}
	j.Payload = slices.Clone(j.Payload)
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, enqueue(ctx, t, j)
	})
	return err
}

// enqueue adds a job in the transaction of what needs it.
func enqueue(ctx context.Context, t tx, j jobs.Job) error {
	payload := string(j.Payload)
	if payload == "" {
		payload = "null"
	}
	_, err := t.exec(ctx, `INSERT INTO job (kind, key, payload, due_us, ready_us, attempts, buried, last_err)
		VALUES ($1, $2, $3, $4, $4, 0, $5, '') ON CONFLICT DO NOTHING`, j.Kind, j.Key, payload, notBefore(j.Due), false)
	return err
}

// notBefore is a time to the microsecond after it, not before: a handler that puts its job off until a moment must not be
// asked again before that moment.
func notBefore(t time.Time) int64 { return micros(t.Add(time.Microsecond - time.Nanosecond)) }

// inKinds is a condition on kind, and its arguments after those given.
func inKinds(kinds []string, args ...any) (string, []any) {
	from := len(args) + 1
	for _, k := range kinds {
		args = append(args, k)
	}
	return `kind IN (` + placeholders(from, len(kinds)) + `)`, args
}

// Claim implements jobs.Store. On PostgreSQL workers skip the rows that others are taking this moment.
func (db *DB) Claim(ctx context.Context, kinds []string, n int, now time.Time, lease time.Duration) ([]jobs.Job, error) {
	if len(kinds) == 0 || n <= 0 {
		return nil, nil
	}
	in, args := inKinds(kinds, micros(now), micros(now.Add(lease)), n)
	list, err := write(ctx, db, func(ctx context.Context, t tx) ([]jobs.Job, error) {
		return collect(ctx, t, func(s scanner) (jobs.Job, error) {
			var j jobs.Job
			var payload string
			var due int64
			err := s.Scan(&j.ID, &j.Kind, &j.Key, &payload, &due, &j.Attempts, &j.LastErr)
			j.Payload, j.Due = json.RawMessage(payload), fromMicros(due)
			return j, err
		}, `UPDATE job SET ready_us = $2, attempts = attempts + 1 WHERE id IN (
				SELECT id FROM job WHERE NOT buried AND ready_us <= $1 AND `+in+` ORDER BY ready_us, id LIMIT $3 /*skip-locked*/)
			RETURNING id, kind, key, payload, due_us, attempts, last_err`, args...)
	})
	slices.SortFunc(list, func(a, b jobs.Job) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return list, err
}

// Extend implements jobs.Store.
func (db *DB) Extend(ctx context.Context, id int64, until time.Time) error {
	return db.changeJob(ctx, `UPDATE job SET ready_us = $2 WHERE id = $1 AND NOT buried`, id, notBefore(until))
}

// Complete implements jobs.Store.
func (db *DB) Complete(ctx context.Context, id int64) error {
	return db.changeJob(ctx, `DELETE FROM job WHERE id = $1 AND NOT buried`, id)
}

// Retry implements jobs.Store.
func (db *DB) Retry(ctx context.Context, id int64, at time.Time, reason string) error {
	return db.changeJob(ctx, `UPDATE job SET due_us = $2, ready_us = $2, last_err = $3 WHERE id = $1 AND NOT buried`,
		id, notBefore(at), shorten(reason))
}

// Bury implements jobs.Store.
func (db *DB) Bury(ctx context.Context, id int64, reason string) error {
	return db.changeJob(ctx, `UPDATE job SET buried = $2, last_err = $3 WHERE id = $1 AND NOT buried`, id, true, shorten(reason))
}

// changeJob runs a statement on one job. A job that is gone is no error: another worker did it when our lease ran out.
func (db *DB) changeJob(ctx context.Context, query string, args ...any) error {
	_, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) { return t.exec(ctx, query, args...) })
	return err
}

func shorten(reason string) string {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	return clean(reason)
}

// NextDue implements jobs.Store. A claimed job is due again when its lease ends.
func (db *DB) NextDue(ctx context.Context, kinds []string) (time.Time, bool, error) {
	if len(kinds) == 0 {
		return time.Time{}, false, nil
	}
	in, args := inKinds(kinds)
	us, err := read(ctx, db, func(ctx context.Context, t tx) (sql.NullInt64, error) {
		var us sql.NullInt64
		err := t.row(ctx, `SELECT MIN(ready_us) FROM job WHERE NOT buried AND `+in, args...).Scan(&us)
		return us, err
	})
	return fromMicros(us.Int64), us.Valid, err
}

// Count implements jobs.Store.
func (db *DB) Count(ctx context.Context, kind string) (alive, buried int, err error) {
	if !storable(kind) {
		return 0, 0, nil
	}
	n, err := read(ctx, db, func(ctx context.Context, t tx) ([2]int, error) {
		var n [2]int
		scanErr := t.row(ctx, `SELECT COUNT(CASE WHEN NOT buried THEN 1 END), COUNT(CASE WHEN buried THEN 1 END)
			FROM job WHERE kind = $1`, kind).Scan(&n[0], &n[1])
		return n, scanErr
	})
	return n[0], n[1], err
}

// WaitingJobs are live jobs of a kind that are not due yet, by when they are: at most so many.
func (db *DB) WaitingJobs(ctx context.Context, kind string, after time.Time, most int) ([]jobs.Job, error) {
	if !storable(kind) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]jobs.Job, error) {
		return collect(ctx, t, func(s scanner) (jobs.Job, error) {
			return scanWaiting(s, kind)
		}, `SELECT key, payload, ready_us FROM job WHERE kind = $1 AND NOT buried AND ready_us > $2 ORDER BY ready_us LIMIT $3`, kind, micros(after), most)
	})
}

func scanWaiting(s scanner, kind string) (jobs.Job, error) {
	j := jobs.Job{Kind: kind}
	var due int64
	var payload string
	err := s.Scan(&j.Key, &payload, &due)
	j.Payload, j.Due = []byte(payload), fromMicros(due)
	return j, err
}
