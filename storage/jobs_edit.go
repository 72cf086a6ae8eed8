package storage

import (
	"context"
	"encoding/json"
	"time"
)

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
