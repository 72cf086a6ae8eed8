package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
)

var _ records.FollowStore = (*DB)(nil)

// Lead implements records.FollowStore and records.PumpStore.
func (db *DB) Lead(ctx context.Context, name, owner string, until time.Time) (bool, error) {
	n, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `INSERT INTO stream_lead (name, owner, until_us) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET owner = $2, until_us = $3
			WHERE stream_lead.owner = $2 OR stream_lead.until_us < $4`, name, owner, micros(until), micros(now()))
	})
	return n == 1, err
}

// leads fails with errs.Conflict unless owner leads, and keeps it so until the transaction ends. So what is numbered in
// transactions of the one who leads is committed in the order of its numbers.
func leads(ctx context.Context, t tx, name, owner string) error {
	n, err := t.exec(ctx, `UPDATE stream_lead SET owner = $2 WHERE name = $1 AND owner = $2`, name, owner)
	if err == nil && n == 0 {
		err = errs.New(errs.Conflict, "somebody else does this now")
	}
	return err
}

// Marks implements records.FollowStore.
func (db *DB) Marks(ctx context.Context, n int) ([]records.Mark, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]records.Mark, error) {
		return collect(ctx, t, scanMark, `SELECT contact_id, instance_id, gen FROM contact_mark LIMIT $1`, n)
	})
}

// DueMarks implements records.FollowStore.
func (db *DB) DueMarks(ctx context.Context, at time.Time, n int) ([]records.Mark, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]records.Mark, error) {
		return collect(ctx, t, scanMark, `SELECT contact_id, instance_id, 0 FROM contact_told
			WHERE again_us <> 0 AND again_us <= $1 ORDER BY again_us LIMIT $2`, micros(at), n)
	})
}

func scanMark(s scanner) (records.Mark, error) {
	var m records.Mark
	err := s.Scan(&m.ContactID, &m.InstanceID, &m.Gen)
	return m, err
}

// named is a value and the contact that it is of.
type named[T any] struct {
	id string
	v  T
}

// Look implements records.FollowStore.
func (db *DB) Look(ctx context.Context, ids []string) (map[string]records.Seen, error) {
	out := make(map[string]records.Seen, len(ids))
	for part := range slices.Chunk(ids, maxPage) {
		in, args := placeholders(1, len(part)), make([]any, 0, len(part))
		for _, id := range part {
			args = append(args, id)
		}
		_, err := read(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
			t = t.uncached()
			told, err := collect(ctx, t, scanTold, `SELECT contact_id, body FROM contact_told WHERE contact_id IN (`+in+`)`, args...)
			if err != nil {
				return struct{}{}, err
			}
			for _, v := range told {
				seen := out[v.id]
				seen.Told = v.v
				out[v.id] = seen
			}
			working, err := collect(ctx, t, scanText, `SELECT contact_id FROM reservation WHERE state IN ('`+
				string(acd.SlotConnected)+`', '`+string(acd.SlotACW)+`') AND contact_id IN (`+in+`)`, args...)
			if err != nil {
				return struct{}{}, err
			}
			for _, id := range working {
				seen := out[id]
				seen.Working = true
				out[id] = seen
			}
			list, err := collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact WHERE id IN (`+in+`)`, args...)
			for _, r := range list {
				seen := out[r.ID]
				seen.Record = r
				out[r.ID] = seen
			}
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func scanText(s scanner) (string, error) {
	var v string
	err := s.Scan(&v)
	return v, err
}

func scanTold(s scanner) (named[records.Told], error) {
	var v named[records.Told]
	var body string
	if err := s.Scan(&v.id, &body); err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(body), &v.v); err != nil {
		return v, fmt.Errorf("storage: what was told of contact %s: %w", v.id, err)
	}
	return v, nil
}

// Tell implements records.FollowStore.
func (db *DB) Tell(ctx context.Context, owner string, list []records.Telling) error {
	list = slices.Clone(list)
	bodies := make([]string, len(list))
	for i := range list {
		b, err := json.Marshal(list[i].Told)
		if err != nil {
			return fmt.Errorf("storage: what was told of contact %s: %w", list[i].ContactID, err)
		}
		bodies[i] = string(b)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if err := leads(ctx, t, records.LeadFollower, owner); err != nil {
			return struct{}{}, err
		}
		for i := range list {
			if err := tell(ctx, t, &list[i], bodies[i]); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

func tell(ctx context.Context, t tx, l *records.Telling, body string) error {
	if err := addItems(ctx, t, l.Items); err != nil {
		return err
	}
	_, err := t.exec(ctx, `INSERT INTO contact_told (contact_id, instance_id, again_us, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (contact_id) DO UPDATE SET again_us = $3, body = $4`, l.ContactID, l.InstanceID, micros(l.Again), body)
	if err != nil || l.Gen == 0 {
		return err
	}
	return dropMark(ctx, t, l.Mark)
}

// dropMark removes a mark as it was read: one that was written again since stays.
func dropMark(ctx context.Context, t tx, m records.Mark) error {
	_, err := t.exec(ctx, `DELETE FROM contact_mark WHERE contact_id = $1 AND gen = $2`, m.ContactID, m.Gen)
	return err
}

// DropMarks implements records.FollowStore.
func (db *DB) DropMarks(ctx context.Context, list []records.Mark) error {
	list = slices.Clone(list)
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		for _, m := range list {
			if err := dropMark(ctx, t, m); err != nil {
				return struct{}{}, err
			}
			if m.Gen == 0 { // nobody wants to hear of it, or it is gone: it is not looked at again
				if _, err := t.exec(ctx, `UPDATE contact_told SET again_us = 0 WHERE contact_id = $1`, m.ContactID); err != nil {
					return struct{}{}, err
				}
			}
		}
		return struct{}{}, nil
	})
	return err
}

// addItems adds items to the log.
func addItems(ctx context.Context, t tx, items []records.Item) error {
	added := micros(now())
	for i := range items {
		it := &items[i]
		_, err := t.exec(ctx, `INSERT INTO stream_item (instance_id, kind, key, number, id, type, at_us, added_us, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			it.InstanceID, string(it.Kind), it.Key, it.Number, it.ID, it.Type, micros(it.At), added, string(it.Body))
		if err != nil {
			return err
		}
	}
	return nil
}

// AddItems adds items that are not about contacts (agent events) to the log, all or none. One follower adds items at a
// time, so that they are seen in the order of their numbers.
func (db *DB) AddItems(ctx context.Context, items []records.Item) error {
	items = slices.Clone(items)
	for i := range items {
		if !storable(items[i].Key) || !storable(items[i].InstanceID) || !storable(string(items[i].Body)) || !json.Valid(items[i].Body) {
			return errs.New(errs.Invalid, "storage: item %s cannot be stored", items[i].ID)
		}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		// The row that whoever adds items holds: on PostgreSQL a number is then seen before any greater one is given.
		_, err := t.exec(ctx, `INSERT INTO stream_lead (name, owner, until_us) VALUES ($1, '', 0)
			ON CONFLICT (name) DO UPDATE SET name = stream_lead.name`, records.LeadFollower)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, addItems(ctx, t, items)
	})
	return err
}

// ended records of contacts, for a refill.
func (db *DB) endedContacts(ctx context.Context, instanceID string, from, to time.Time, id string, n int) ([]*contact.Record, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]*contact.Record, error) {
		return collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact /*by contact_ended*/
			WHERE instance_id = $1 AND NOT open AND (disconnected_us, id) > ($2, $3) AND disconnected_us < $4
			ORDER BY disconnected_us, id LIMIT $5`, instanceID, micros(from), id, micros(to), n)
	})
}
