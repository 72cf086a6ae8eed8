package storage

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ullim/internal/jobs"
)

// JobsAbout are live jobs of a kind whose payload has a text in it, by when they are due: at most so many.
func (db *DB) JobsAbout(ctx context.Context, kind, text string, most int) ([]jobs.Job, error) {
	if !storable(kind + text) {
		return nil, nil
	}
	like := "%" + strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(text) + "%"
	return read(ctx, db, func(ctx context.Context, t tx) ([]jobs.Job, error) {
		return collect(ctx, t, func(s scanner) (jobs.Job, error) {
			return scanWaiting(s, kind)
		}, `SELECT key, payload, ready_us FROM job WHERE kind = $1 AND NOT buried AND payload LIKE $2 ESCAPE '!' ORDER BY ready_us LIMIT $3`,
			kind, like, most)
	})
}

// DropJob takes back a job that is alive, also one at work: what it does is not interrupted, and it does not come again.
// false: there is none.
func (db *DB) DropJob(ctx context.Context, kind, key string) (bool, error) {
	if !storable(kind + key) {
		return false, nil
	}
	n, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `DELETE FROM job WHERE kind = $1 AND key = $2 AND NOT buried`, kind, key)
	})
	return n > 0, err
}

// EditJob changes what a job that is alive is about, and when it is due. false: there is none.
func (db *DB) EditJob(ctx context.Context, kind, key string, payload json.RawMessage, due time.Time) (bool, error) {
	if !storable(kind + key) {
		return false, nil
	}
	n, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `UPDATE job SET payload = $3, ready_us = $4 WHERE kind = $1 AND key = $2 AND NOT buried`,
			kind, key, string(payload), micros(due))
	})
	return n > 0, err
}
