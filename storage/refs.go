package storage

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Referential integrity between resources. The table resource_ref has foreign keys, so that no race can leave a resource
// without what it needs; the checks here come first, for an error that a person can act on. On PostgreSQL checkRefs
// locks what it found against deletion, and remove locks what it deletes, so one of the two waits for the other.

// refsOf lists what v needs, each once, in one order everywhere so that two writers do not lock crosswise.
func refsOf(v resource.Object) []resource.Ref {
	refs := slices.Clone(v.Refs())
	slices.SortFunc(refs, func(a, b resource.Ref) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return slices.Compact(refs)
}

// checkRefs makes sure that every ref exists in the instance.
func checkRefs(ctx context.Context, t tx, instanceID string, refs []resource.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	args := []any{instanceID}
	for _, r := range refs {
		if !storable(r.ID) {
			return missing(r)
		}
		args = append(args, r.ID)
	}
	found, err := collect(ctx, t, func(s scanner) (resource.Ref, error) {
		var r resource.Ref
		err := s.Scan(&r.Kind, &r.ID)
		return r, err
	}, `SELECT kind, id FROM resource WHERE instance_id = $1 AND id IN (`+placeholders(2, len(refs))+`) ORDER BY id /*for-key*/`, args...)
	if err != nil {
		return err
	}
	for _, r := range refs {
		if !slices.Contains(found, r) {
			return missing(r)
		}
	}
	return nil
}

func missing(r resource.Ref) error {
	return errs.New(errs.Invalid, "there is no %s %q in this instance", r.Kind, r.ID)
}

// putRefs replaces what id needs.
func putRefs(ctx context.Context, t tx, id string, refs []resource.Ref) error {
	if _, err := t.exec(ctx, `DELETE FROM resource_ref WHERE from_id = $1`, id); err != nil {
		return err
	}
	if len(refs) == 0 {
		return nil
	}
	args := []any{id}
	var values []string
	for _, r := range refs {
		args = append(args, r.ID)
		values = append(values, fmt.Sprintf("($1, $%d)", len(args)))
	}
	_, err := t.exec(ctx, `INSERT INTO resource_ref (from_id, to_id) VALUES `+strings.Join(values, ", ")+` ON CONFLICT DO NOTHING`, args...)
	return err
}

// checkUnused is errs.InUse if something needs the resource, naming one such thing.
func checkUnused(ctx context.Context, t tx, kind resource.Kind, id, name string) error {
	query := `SELECT r.kind, r.name FROM resource_ref f JOIN resource r ON r.id = f.from_id
		WHERE f.to_id = $1 AND f.from_id <> $1 ORDER BY r.kind, r.name LIMIT 1`
	if kind == resource.KindInstance {
		query = `SELECT kind, name FROM resource WHERE instance_id = $1 ORDER BY kind, name LIMIT 1`
	}
	var userKind, userName string
	err := t.row(ctx, query, id).Scan(&userKind, &userName)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return errs.New(errs.InUse, "%s %q is used by %s %q", kind, name, userKind, userName)
}
