package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ullim/internal/audit"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

// flows keeps flows or modules with their versions.
type flows struct {
	resources[*ivr.Flow]
}

var _ ivr.Store = (*flows)(nil)

// Flows is the store of flows (resource.KindFlow) or modules (resource.KindFlowModule).
func Flows(db *DB, kind resource.Kind) ivr.Store {
	return &flows{resources[*ivr.Flow]{db: db, kind: kind, make: func() *ivr.Flow { return new(ivr.Flow) }}}
}

// Commit implements ivr.Store.
func (s *flows) Commit(ctx context.Context, f *ivr.Flow, c ivr.Changes) (err error) {
	before := f.Meta
	defer func() {
		if err != nil {
			f.Meta = before
		}
	}()
	version, fresh := f.Version, f.Version == 0
	f.Version, f.ModifiedAt = version+1, now()
	if fresh {
		f.CreatedAt = f.ModifiedAt
		if f.ID == "" {
			id, idErr := uuid.NewV7()
			if idErr != nil {
				return fmt.Errorf("storage: making an id: %w", idErr)
			}
			f.ID = id.String()
		}
	}
	if err = s.check(f); err != nil {
		return err
	}
	for _, v := range c.Keep {
		if !storable(v.Content) || !storable(v.Description) || v.Number < 1 {
			return errs.Field("Content", "must be UTF-8 without NUL")
		}
	}
	r, err := s.encode(f)
	if err != nil {
		return err
	}
	refs, instanceID := refsOf(f), f.InstanceID
	keep, drop := copied(c)
	was := s.was(ctx, r.id)
	created, err := writeThen(ctx, s.db, func(ctx context.Context, t tx) (at int64, err error) {
		if fresh {
			at, err = r.created, s.insert(ctx, t, r, instanceID, refs)
		} else {
			at, err = s.replace(ctx, t, r, instanceID, version, refs)
		}
		if err != nil {
			return 0, err
		}
		return at, putVersions(ctx, t, r.id, keep, drop)
	}, s.hint(instanceID, r.id))
	if err != nil {
		return err
	}
	audit.Touch(ctx, string(s.kind), r.id, r.name, was, []byte(r.body))
	f.CreatedAt = fromMicros(created)
	return nil
}

// copied is changes that their caller cannot change any more.
func copied(c ivr.Changes) (keep []ivr.Version, drop []int) {
	for _, v := range c.Keep {
		keep = append(keep, *v)
	}
	return keep, append(drop, c.Drop...)
}

func putVersions(ctx context.Context, t tx, flowID string, keep []ivr.Version, drop []int) error {
	for _, v := range keep {
		_, err := t.exec(ctx, `INSERT INTO flow_version (flow_id, number, sha256, description, created_us, content)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			flowID, v.Number, v.SHA256, v.Description, micros(v.CreatedAt), v.Content)
		if err != nil {
			return err
		}
	}
	for _, number := range drop {
		if _, err := t.exec(ctx, `DELETE FROM flow_version WHERE flow_id = $1 AND number = $2`, flowID, number); err != nil {
			return err
		}
	}
	return nil
}

// ofFlow limits a statement to versions of a flow of this kind in this instance.
const ofFlow = `EXISTS (SELECT 1 FROM resource r WHERE r.id = flow_id AND r.kind = $2 AND r.instance_id = $3)`

// FlowVersion implements ivr.Store.
func (s *flows) FlowVersion(ctx context.Context, instanceID, flowID string, number int) (*ivr.Version, error) {
	if !storable(instanceID) || !storable(flowID) {
		return nil, s.notFound(flowID)
	}
	v, err := read(ctx, s.db, func(ctx context.Context, t tx) (*ivr.Version, error) {
		return scanVersion(t.row(ctx, `SELECT number, sha256, description, created_us, content FROM flow_version
			WHERE flow_id = $1 AND `+ofFlow+` AND number = $4`, flowID, string(s.kind), instanceID, number))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "%s %q has no version %d", s.kind, flowID, number)
	}
	return v, err
}

// FlowVersions implements ivr.Store.
func (s *flows) FlowVersions(ctx context.Context, instanceID, flowID string, before, limit int) ([]*ivr.Version, error) {
	if !storable(instanceID) || !storable(flowID) {
		return nil, nil
	}
	if limit < 1 || limit > maxPage+1 {
		return nil, errs.Field("MaxResults", "must be 1 to %d; is %d", maxPage, limit)
	}
	return read(ctx, s.db, func(ctx context.Context, t tx) ([]*ivr.Version, error) {
		return collect(ctx, t, scanVersion, `SELECT number, sha256, description, created_us, '' FROM flow_version
			WHERE flow_id = $1 AND `+ofFlow+` AND ($4 = 0 OR number < $4) ORDER BY number DESC LIMIT $5`,
			flowID, string(s.kind), instanceID, before, limit)
	})
}

func scanVersion(s scanner) (*ivr.Version, error) {
	v, created := &ivr.Version{}, int64(0)
	err := s.Scan(&v.Number, &v.SHA256, &v.Description, &created, &v.Content)
	v.CreatedAt = fromMicros(created)
	return v, err
}
