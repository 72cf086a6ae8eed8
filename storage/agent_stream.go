package storage

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"ullim/internal/errs"
	"ullim/internal/records"
)

var _ records.AgentStore = (*DB)(nil)

// AgentCursor implements records.AgentStore.
func (db *DB) AgentCursor(ctx context.Context, instanceID string, since time.Time) (int64, error) {
	return write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		_, err := t.exec(ctx, `INSERT INTO agent_told (instance_id, seq) VALUES ($1, COALESCE(
			(SELECT MAX(seq) FROM agent_event WHERE instance_id = $1 AND at_us < $2), 0)) ON CONFLICT DO NOTHING`, instanceID, micros(since))
		if err != nil {
			return 0, err
		}
		var seq int64
		err = t.row(ctx, `SELECT seq FROM agent_told WHERE instance_id = $1`, instanceID).Scan(&seq)
		return seq, err
	})
}

// TellAgents implements records.AgentStore.
func (db *DB) TellAgents(ctx context.Context, owner, instanceID string, from, to int64, items []records.Item) error {
	items = slices.Clone(items)
	for i := range items {
		if !storable(items[i].Key) || !storable(items[i].InstanceID) || !storable(string(items[i].Body)) || !json.Valid(items[i].Body) {
			return errs.New(errs.Invalid, "storage: item %s cannot be stored", items[i].ID)
		}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if err := leads(ctx, t, records.LeadFollower, owner); err != nil {
			return struct{}{}, err
		}
		n, err := t.exec(ctx, `UPDATE agent_told SET seq = $3 WHERE instance_id = $1 AND seq = $2`, instanceID, from, to)
		if err == nil && n == 0 {
			err = errs.New(errs.Conflict, "agents of %s are told by somebody else", instanceID)
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, addItems(ctx, t, items)
	})
	return err
}

// ForgetAgents implements records.AgentStore.
func (db *DB) ForgetAgents(ctx context.Context, keep []string) error {
	told, err := read(ctx, db, func(ctx context.Context, t tx) ([]string, error) {
		return collect(ctx, t, scanText, `SELECT instance_id FROM agent_told`)
	})
	if err != nil {
		return err
	}
	for _, id := range told {
		if slices.Contains(keep, id) {
			continue
		}
		_, err = write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
			return t.exec(ctx, `DELETE FROM agent_told WHERE instance_id = $1`, id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
