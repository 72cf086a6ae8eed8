package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ullim/internal/audit"
	"ullim/internal/errs"
)

var _ audit.Trail = (*DB)(nil)

// AddAudit implements audit.Trail. The row of the chain is locked from its look at the last hash to the commit, so that
// entries of an instance stand in one line whoever writes them.
func (db *DB) AddAudit(ctx context.Context, e audit.Entry) error {
	if e.InstanceID == "" || !storable(e.InstanceID) || !storable(e.UserID) || !storable(e.Operation) || len(e.Operation) > maxName {
		return errs.New(errs.Invalid, "storage: an audit entry of operation %q cannot be stored", e.Operation)
	}
	if len(e.Resource) > maxName || !storable(e.Resource) {
		e.Resource = ""
	}
	e.At = e.At.UTC().Truncate(time.Microsecond)
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		e := e // a write may run twice
		var last string
		err := t.row(ctx, `INSERT INTO audit_chain (instance_id, seq, hash, base_seq, base_hash) VALUES ($1, 1, '', 0, '')
			ON CONFLICT (instance_id) DO UPDATE SET seq = audit_chain.seq + 1 RETURNING seq, hash`, e.InstanceID).Scan(&e.Seq, &last)
		if err != nil {
			return struct{}{}, err
		}
		if e.Hash, err = audit.Chain(last, e); err != nil {
			return struct{}{}, err
		}
		body, err := json.Marshal(&e)
		if err != nil {
			return struct{}{}, fmt.Errorf("storage: audit entry: %w", err)
		}
		_, err = t.exec(ctx, `INSERT INTO audit_entry (instance_id, seq, at_us, user_id, operation, resource, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, e.InstanceID, e.Seq, micros(e.At), e.UserID, e.Operation, e.Resource, clean(string(body)))
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `UPDATE audit_chain SET hash = $2 WHERE instance_id = $1`, e.InstanceID, e.Hash)
		return struct{}{}, err
	})
	return err
}

func scanAudit(s scanner) (audit.Entry, error) {
	var e audit.Entry
	var body string
	if err := s.Scan(&body); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, fmt.Errorf("storage: audit entry: %w", err)
	}
	return e, nil
}

// Audit finds entries, the newest first.
func (db *DB) Audit(ctx context.Context, q audit.Query) ([]audit.Entry, error) {
	if q.Max < 1 || q.Max > maxPage+1 {
		return nil, errs.Field("maxResults", "must be 1 to %d; is %d", maxPage, q.Max)
	}
	c := &clause{}
	c.text.WriteString(`SELECT body FROM audit_entry WHERE instance_id = ` + c.arg(clean(q.InstanceID)))
	for column, v := range map[string]string{"user_id": q.UserID, "operation": q.Operation, "resource": q.Resource} {
		if v != "" {
			c.and(column + ` = ` + c.arg(clean(v)))
		}
	}
	if q.Resource != "" {
		c.and(`resource <> ''`)
	}
	if !q.From.IsZero() {
		c.and(`at_us >= ` + c.arg(micros(q.From)))
	}
	if !q.To.IsZero() {
		c.and(`at_us < ` + c.arg(micros(q.To)))
	}
	if q.Before > 0 {
		c.and(`seq < ` + c.arg(q.Before))
	}
	c.text.WriteString(` ORDER BY seq DESC LIMIT ` + c.arg(q.Max))
	return read(ctx, db, func(ctx context.Context, t tx) ([]audit.Entry, error) {
		return collect(ctx, t.uncached(), scanAudit, c.text.String(), c.args...)
	})
}

// verifyBatch is how many entries are read at once.
const verifyBatch = 1000

// VerifyAudit recomputes an instance's chain from the oldest entry that is kept to the newest.
func (db *DB) VerifyAudit(ctx context.Context, instanceID string) (audit.ChainState, error) {
	var out audit.ChainState
	var seq int64
	var hash string
	if !storable(instanceID) {
		return out, nil
	}
	err := db.chain(ctx, instanceID, &out, &seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return out, nil
	}
	for err == nil && seq < out.Seq {
		var list []audit.Entry
		list, err = read(ctx, db, func(ctx context.Context, t tx) ([]audit.Entry, error) {
			return collect(ctx, t, scanAudit, `SELECT body FROM audit_entry WHERE instance_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`,
				instanceID, seq, out.Seq, verifyBatch)
		})
		if err != nil {
			break
		}
		if len(list) == 0 { // entries at the end are gone
			out.Broken = seq + 1
			return out, nil
		}
		if out.Broken, hash, err = audit.Verify(hash, seq, list); err != nil || out.Broken != 0 {
			return out, err
		}
		seq += int64(len(list))
		out.Entries += int64(len(list))
	}
	if err == nil && hash != out.Hash {
		out.Broken = out.Seq
	}
	return out, err
}

func (db *DB) chain(ctx context.Context, instanceID string, out *audit.ChainState, seq *int64, hash *string) error {
	_, err := read(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, t.row(ctx, `SELECT seq, hash, base_seq, base_hash FROM audit_chain WHERE instance_id = $1`, instanceID).
			Scan(&out.Seq, &out.Hash, seq, hash)
	})
	return err
}

// TrimAudit removes entries of an instance from before a time, a batch at most, and keeps the chain whole: what is left
// is verified from the hash of the last that went. Entries go in the order of their numbers.
func (db *DB) TrimAudit(ctx context.Context, instanceID string, before time.Time, n int) (int, error) {
	return write(ctx, db, func(ctx context.Context, t tx) (int, error) {
		list, err := collect(ctx, t, scanAudit, `SELECT body FROM audit_entry WHERE instance_id = $1 ORDER BY seq LIMIT $2`, instanceID, n)
		if err != nil {
			return 0, err
		}
		if i := slices.IndexFunc(list, func(e audit.Entry) bool { return !e.At.Before(before) }); i >= 0 {
			list = list[:i]
		}
		if len(list) == 0 {
			return 0, nil
		}
		last := list[len(list)-1]
		if _, err = t.exec(ctx, `DELETE FROM audit_entry WHERE instance_id = $1 AND seq <= $2`, instanceID, last.Seq); err != nil {
			return 0, err
		}
		_, err = t.exec(ctx, `UPDATE audit_chain SET base_seq = $2, base_hash = $3 WHERE instance_id = $1`, instanceID, last.Seq, last.Hash)
		return len(list), err
	})
}
