package storage

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"ullim/internal/errs"
)

// Setting is a value that the server made once and keeps, such as the key of digest nonces. errs.NotFound.
func (db *DB) Setting(ctx context.Context, key string) ([]byte, error) {
	if !storable(key) {
		return nil, errs.New(errs.NotFound, "there is no setting %q", key)
	}
	v, err := read(ctx, db, func(ctx context.Context, t tx) ([]byte, error) { return setting(ctx, t, key) })
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "there is no setting %q", key)
	}
	return v, err
}

func setting(ctx context.Context, t tx, key string) ([]byte, error) {
	v := []byte{}
	err := t.row(ctx, `SELECT value FROM setting WHERE key = $1`, key).Scan(&v)
	return v, err
}

// PutSettingOnce stores value unless there is one already, and gives what is stored: of several nodes that start
// together, all get the value of the first.
func (db *DB) PutSettingOnce(ctx context.Context, key string, value []byte) ([]byte, error) {
	if key == "" || len(key) > maxName || !storable(key) {
		return nil, errs.New(errs.Invalid, "storage: %q is no key of a setting", key)
	}
	value = append([]byte{}, bytes.Clone(value)...) // never NULL
	return write(ctx, db, func(ctx context.Context, t tx) ([]byte, error) {
		if _, err := t.exec(ctx, `INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, key, value); err != nil {
			return nil, err
		}
		return setting(ctx, t, key)
	})
}
