package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
)

var (
	_ records.PumpStore = (*DB)(nil)
	_ records.Keeper    = (*DB)(nil)
)

const cursorColumns = `seq, refill_from_us, refill_to_us, refill_id`

func scanCursor(s scanner) (records.Cursor, error) {
	var c records.Cursor
	var from, to int64
	err := s.Scan(&c.Seq, &from, &to, &c.RefillID)
	c.RefillFrom, c.RefillTo = fromMicros(from), fromMicros(to)
	return c, err
}

// Cursor implements records.PumpStore.
func (db *DB) Cursor(ctx context.Context, instanceID, destinationID string, since time.Time) (records.Cursor, error) {
	const one = `SELECT ` + cursorColumns + ` FROM stream_cursor WHERE destination_id = $1`
	there := func(ctx context.Context, t tx) (records.Cursor, error) {
		return scanCursor(t.row(ctx, one, destinationID))
	}
	c, err := read(ctx, db, there)
	if !errors.Is(err, sql.ErrNoRows) {
		return c, err
	}
	return write(ctx, db, func(ctx context.Context, t tx) (records.Cursor, error) {
		c := records.Cursor{}
		seq, err := seqBefore(ctx, t, since)
		if err != nil {
			return c, err
		}
		_, err = t.exec(ctx, `INSERT INTO stream_cursor (destination_id, instance_id, `+cursorColumns+`)
			VALUES ($1, $2, $3, 0, 0, '') ON CONFLICT DO NOTHING`, destinationID, instanceID, seq)
		if err != nil {
			return c, err
		}
		return there(ctx, t)
	})
}

// seqBefore is the number behind which everything came into the log at a time or later.
func seqBefore(ctx context.Context, t tx, at time.Time) (int64, error) {
	var first sql.NullInt64
	err := t.row(ctx, `SELECT MIN(seq) FROM (SELECT seq FROM stream_item WHERE added_us >= $1 ORDER BY added_us, seq LIMIT 1) AS s`, micros(at)).Scan(&first)
	if err != nil {
		return 0, err
	}
	if first.Valid {
		return first.Int64 - 1, nil
	}
	var last sql.NullInt64
	err = t.row(ctx, `SELECT MAX(seq) FROM stream_item`).Scan(&last)
	return last.Int64, err
}

// Items implements records.PumpStore.
func (db *DB) Items(ctx context.Context, instanceID string, after int64, n int) ([]records.Logged, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]records.Logged, error) {
		return collect(ctx, t, func(s scanner) (records.Logged, error) {
			l := records.Logged{Item: records.Item{InstanceID: instanceID}}
			var at, added int64
			var kind, body string
			err := s.Scan(&l.Seq, &kind, &l.Key, &l.Number, &l.ID, &l.Type, &at, &added, &body)
			l.Kind, l.At, l.Added, l.Body = records.Kind(kind), fromMicros(at), fromMicros(added), json.RawMessage(body)
			return l, err
		}, `SELECT seq, kind, key, number, id, type, at_us, added_us, body FROM stream_item
			WHERE instance_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, instanceID, after, n)
	})
}

// Ended implements records.PumpStore.
func (db *DB) Ended(ctx context.Context, instanceID string, from, to time.Time, id string, n int) ([]*contact.Record, error) {
	return db.endedContacts(ctx, instanceID, from, to, id, n)
}

// Advance implements records.PumpStore.
func (db *DB) Advance(
	ctx context.Context, owner, instanceID, destinationID string, from, to records.Cursor, dead []records.DeadLetter,
) error {
	bodies := make([]string, len(dead))
	dead = slices.Clone(dead)
	for i := range dead {
		b, err := json.Marshal(&dead[i].Item)
		if err != nil {
			return fmt.Errorf("storage: dead letter %s: %w", dead[i].Item.ID, err)
		}
		bodies[i] = string(b)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if err := leads(ctx, t, records.LeadPump(destinationID), owner); err != nil {
			return struct{}{}, err
		}
		n, err := t.exec(ctx, `UPDATE stream_cursor SET seq = $2, refill_from_us = $3, refill_to_us = $4, refill_id = $5
			WHERE destination_id = $1 AND seq = $6 AND refill_from_us = $7 AND refill_to_us = $8 AND refill_id = $9`,
			destinationID, to.Seq, micros(to.RefillFrom), micros(to.RefillTo), to.RefillID,
			from.Seq, micros(from.RefillFrom), micros(from.RefillTo), from.RefillID)
		if err == nil && n == 0 {
			err = errs.New(errs.Conflict, "the stream was moved")
		}
		if err != nil {
			return struct{}{}, err
		}
		for i, d := range dead {
			_, err = t.exec(ctx, `INSERT INTO stream_dead (destination_id, instance_id, at_us, tries, reason, item_id, body)
				VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (destination_id, item_id) DO UPDATE SET at_us = $3, tries = $4, reason = $5, body = $7`,
				destinationID, instanceID, micros(d.At), d.Tries, shorten(d.Reason), d.Item.ID, bodies[i])
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// ReplayStream sends a destination everything again that came into the log at a time or later, and before that the records
// of contacts that ended since then and are no longer in the log. It takes effect at once, wherever the stream is.
func (db *DB) ReplayStream(ctx context.Context, instanceID, destinationID string, from time.Time) error {
	return db.moveStream(ctx, instanceID, destinationID, func(ctx context.Context, t tx) (records.Cursor, error) {
		c := records.Cursor{}
		var oldest sql.NullInt64
		if err := t.row(ctx, `SELECT MIN(added_us) FROM stream_item`).Scan(&oldest); err != nil {
			return c, err
		}
		upTo := now()
		if oldest.Valid {
			upTo = fromMicros(oldest.Int64)
		}
		if from.Before(upTo) {
			c.RefillFrom, c.RefillTo = from, upTo
		}
		var err error
		c.Seq, err = seqBefore(ctx, t, from)
		return c, err
	})
}

// SeekStream sends a destination everything behind a place in the log.
func (db *DB) SeekStream(ctx context.Context, instanceID, destinationID string, seq int64) error {
	return db.moveStream(ctx, instanceID, destinationID, func(context.Context, tx) (records.Cursor, error) {
		return records.Cursor{Seq: max(seq, 0)}, nil
	})
}

func (db *DB) moveStream(ctx context.Context, instanceID, destinationID string, to func(context.Context, tx) (records.Cursor, error)) error {
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		c, err := to(ctx, t)
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `INSERT INTO stream_cursor (destination_id, instance_id, `+cursorColumns+`) VALUES ($1, $2, $3, $4, $5, '')
			ON CONFLICT (destination_id) DO UPDATE SET seq = $3, refill_from_us = $4, refill_to_us = $5, refill_id = ''`,
			destinationID, instanceID, c.Seq, micros(c.RefillFrom), micros(c.RefillTo))
		return struct{}{}, err
	})
	return err
}

// StreamState looks at a destination.
func (db *DB) StreamState(ctx context.Context, instanceID, destinationID string) (records.State, error) {
	return read(ctx, db, func(ctx context.Context, t tx) (records.State, error) {
		var s records.State
		c, err := scanCursor(t.row(ctx, `SELECT `+cursorColumns+` FROM stream_cursor WHERE destination_id = $1`, destinationID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return s, err
		}
		s.Cursor = c
		if err == nil {
			var oldest sql.NullInt64
			err = t.row(ctx, `SELECT COUNT(*), MIN(added_us) FROM (SELECT added_us FROM stream_item WHERE instance_id = $1 AND seq > $2
				ORDER BY seq LIMIT 10000) AS s`, instanceID, c.Seq).Scan(&s.Waiting, &oldest)
			if err != nil {
				return s, err
			}
			s.Oldest = fromMicros(oldest.Int64)
		}
		err = t.row(ctx, `SELECT COUNT(*) FROM stream_dead WHERE destination_id = $1`, destinationID).Scan(&s.DeadLetters)
		return s, err
	})
}

// DeadLetters are those of a destination behind a letter, oldest first.
func (db *DB) DeadLetters(ctx context.Context, destinationID string, after int64, n int) ([]records.DeadLetter, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]records.DeadLetter, error) {
		return collect(ctx, t, scanDead(destinationID), `SELECT id, at_us, tries, reason, body FROM stream_dead
			WHERE destination_id = $1 AND id > $2 ORDER BY id LIMIT $3`, destinationID, after, n)
	})
}

func scanDead(destinationID string) func(scanner) (records.DeadLetter, error) {
	return func(s scanner) (records.DeadLetter, error) {
		d := records.DeadLetter{DestinationID: destinationID}
		var at int64
		var body string
		if err := s.Scan(&d.ID, &at, &d.Tries, &d.Reason, &body); err != nil {
			return d, err
		}
		d.At = fromMicros(at)
		if err := json.Unmarshal([]byte(body), &d.Item); err != nil {
			return d, fmt.Errorf("storage: dead letter %d: %w", d.ID, err)
		}
		return d, nil
	}
}

// RemoveDeadLetters removes letters that were delivered after all, or are given up.
func (db *DB) RemoveDeadLetters(ctx context.Context, destinationID string, ids []int64) error {
	ids = slices.Clone(ids)
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		for _, id := range ids {
			if _, err := t.exec(ctx, `DELETE FROM stream_dead WHERE destination_id = $1 AND id = $2`, destinationID, id); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// DropStream forgets a destination: its cursor and its dead letters.
func (db *DB) DropStream(ctx context.Context, destinationID string) error {
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if _, err := t.exec(ctx, `DELETE FROM stream_cursor WHERE destination_id = $1`, destinationID); err != nil {
			return struct{}{}, err
		}
		_, err := t.exec(ctx, `DELETE FROM stream_dead WHERE destination_id = $1`, destinationID)
		return struct{}{}, err
	})
	return err
}

// trimBatch is how many items go in one transaction.
const trimBatch = 2000

// TrimStream implements records.Keeper.
func (db *DB) TrimStream(ctx context.Context, done, always time.Time) (removed, missed int, err error) {
	counts, err := write(ctx, db, func(ctx context.Context, t tx) (n [2]int64, err error) {
		if n[1], err = t.exec(ctx, `DELETE FROM stream_item WHERE seq IN (SELECT seq FROM stream_item WHERE added_us < $1
			AND seq > COALESCE((SELECT MIN(c.seq) FROM stream_cursor c WHERE c.instance_id = stream_item.instance_id), seq)
			ORDER BY added_us, seq LIMIT $2)`, micros(always), trimBatch); err != nil {
			return n, err
		}
		n[0], err = t.exec(ctx, `DELETE FROM stream_item WHERE seq IN (SELECT seq FROM stream_item WHERE added_us < $1
			AND seq <= COALESCE((SELECT MIN(c.seq) FROM stream_cursor c WHERE c.instance_id = stream_item.instance_id), seq)
			ORDER BY added_us, seq LIMIT $2)`, micros(done), trimBatch)
		return n, err
	})
	return int(counts[0] + counts[1]), int(counts[1]), err
}
