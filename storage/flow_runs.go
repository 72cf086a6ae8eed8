package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

var (
	_ ivr.RunStore  = (*DB)(nil)
	_ ivr.RunReader = (*DB)(nil)
)

const flowRunColumns = `id, instance_id, contact_id, at_us, took_us, flow_id, flow_name, flow_version, flow_type, action_id,
	action_type, result, outcome, error_type, error, next`

// PutRuns implements ivr.RunStore: all in one commit. A run that is there already is left as it is.
func (db *DB) PutRuns(ctx context.Context, runs []ivr.StoredRun) error {
	for _, r := range runs {
		if r.ID == "" || !storable(r.ID) || !storable(r.InstanceID) || !storable(r.ContactID) {
			return errs.New(errs.Invalid, "storage: run %q of contact %q has no usable id", r.ID, r.ContactID)
		}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		for i := range runs {
			r := &runs[i]
			_, err := t.exec(ctx, `INSERT INTO flow_run (`+flowRunColumns+`) VALUES (`+placeholders(1, 16)+`) ON CONFLICT (id) DO NOTHING`,
				r.ID, r.InstanceID, r.ContactID, micros(r.Start), r.Duration.Microseconds(), clean(r.FlowID), clean(r.FlowName),
				r.FlowVersion, clean(string(r.FlowType)), clean(r.ActionID), clean(r.ActionType), clean(r.Result),
				clean(string(r.Outcome)), clean(r.ErrorType), clean(r.Error), clean(r.Next))
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// Runs implements ivr.RunReader.
func (db *DB) Runs(ctx context.Context, q ivr.RunQuery, p resource.Page) ([]ivr.StoredRun, string, error) {
	n, err := pageSize(p)
	if err != nil {
		return nil, "", err
	}
	after, err := parseCursor(p.Token)
	if err != nil {
		return nil, "", err
	}
	where, args := []string{"instance_id = $1"}, []any{q.InstanceID}
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, f := range []struct{ column, value string }{
		{"contact_id", q.ContactID},
		{"flow_id", q.FlowID},
		{"action_id", q.ActionID},
		{"action_type", q.ActionType},
		{"error_type", q.ErrorType},
	} {
		if !storable(f.value) {
			return nil, "", nil
		}
		if f.value != "" {
			add(f.column+" = $%d", f.value)
		}
	}
	if q.Failed {
		where = append(where, "error_type <> ''")
	}
	if !q.From.IsZero() {
		add("at_us >= $%d", micros(q.From))
	}
	if !q.To.IsZero() {
		add("at_us < $%d", micros(q.To))
	}
	order, than := "DESC", "<"
	if q.ContactID != "" { // a contact is read from its beginning
		order, than = "ASC", ">"
	}
	if after != nil {
		args = append(args, after.At, after.ID)
		where = append(where, fmt.Sprintf("(at_us, id) %s ($%d, $%d)", than, len(args)-1, len(args)))
	}
	args = append(args, n+1)
	query := `SELECT ` + flowRunColumns + ` FROM flow_run WHERE ` + strings.Join(where, " AND ") +
		fmt.Sprintf(` ORDER BY at_us %s, id %s LIMIT $%d`, order, order, len(args))
	runs, err := read(ctx, db, func(ctx context.Context, t tx) ([]ivr.StoredRun, error) {
		return collect(ctx, t, scanRun, query, args...)
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(runs) > n {
		runs = runs[:n]
		next = cursor{At: micros(runs[n-1].Start), ID: runs[n-1].ID}.token()
	}
	return runs, next, nil
}

func scanRun(s scanner) (ivr.StoredRun, error) {
	var (
		r        ivr.StoredRun
		at, took int64
	)
	err := s.Scan(&r.ID, &r.InstanceID, &r.ContactID, &at, &took, &r.FlowID, &r.FlowName, &r.FlowVersion, &r.FlowType, &r.ActionID,
		&r.ActionType, &r.Result, &r.Outcome, &r.ErrorType, &r.Error, &r.Next)
	r.Start, r.Duration = fromMicros(at), time.Duration(took)*time.Microsecond
	return r, err
}

// DeleteRuns implements ivr.RunStore: the oldest first, at most so many in one commit.
func (db *DB) DeleteRuns(ctx context.Context, instanceID string, before time.Time, most int) (int, error) {
	if !storable(instanceID) {
		return 0, nil
	}
	return write(ctx, db, func(ctx context.Context, t tx) (int, error) {
		n, err := t.exec(ctx, `DELETE FROM flow_run WHERE id IN (SELECT id FROM flow_run WHERE instance_id = $1 AND at_us < $2
			ORDER BY at_us, id LIMIT $3)`, instanceID, micros(before), most)
		return int(n), err
	})
}
