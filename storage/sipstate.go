package storage

import (
	"bytes"
	"context"
	"time"

	"ullim/internal/errs"
	"ullim/sip"
)

var _ sip.StateStore = (*DB)(nil)

// PutStates implements sip.StateStore. What has ended is cleared away on the way.
func (db *DB) PutStates(ctx context.Context, list []sip.State) error {
	for _, s := range list {
		if s.Kind == "" || s.Key == "" || len(s.Key) > maxStateKey || !storable(s.Kind) || !storable(s.Key) {
			return errs.New(errs.Invalid, "storage: %q %q is no name of a fact", s.Kind, s.Key)
		}
	}
	now := micros(time.Now())
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if _, err := t.exec(ctx, `DELETE FROM sip_state WHERE until_us <> 0 AND until_us < $1`, now); err != nil {
			return struct{}{}, err
		}
		for _, s := range list {
			if err := putState(ctx, t, s); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// maxStateKey is the longest key of a fact: three ids and separators.
const maxStateKey = 200

func putState(ctx context.Context, t tx, s sip.State) error {
	if s.Body == nil {
		_, err := t.exec(ctx, `DELETE FROM sip_state WHERE kind = $1 AND key = $2`, s.Kind, s.Key)
		return err
	}
	until := int64(0)
	if !s.Until.IsZero() {
		until = micros(s.Until)
	}
	_, err := t.exec(ctx, `INSERT INTO sip_state (kind, key, until_us, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, key) DO UPDATE SET until_us = $3, body = $4`, s.Kind, s.Key, until, bytes.Clone(s.Body))
	return err
}

// States implements sip.StateStore.
func (db *DB) States(ctx context.Context, kind string) ([]sip.State, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]sip.State, error) {
		return collect(ctx, t, func(s scanner) (sip.State, error) {
			st, until := sip.State{Kind: kind}, int64(0)
			if err := s.Scan(&st.Key, &until, &st.Body); err != nil {
				return st, err
			}
			if until != 0 {
				st.Until = time.UnixMicro(until).UTC()
			}
			return st, nil
		}, `SELECT key, until_us, body FROM sip_state WHERE kind = $1 ORDER BY key`, kind)
	})
}
