package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ullim/internal/audit"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// maxName bounds a name in bytes, so that it fits an index of PostgreSQL (2,704 bytes a row). The kinds have narrower
// rules of their own.
const maxName = 1000

// maxTags is how many tags a resource may have.
const maxTags = 50

// resources keeps one kind.
type resources[T resource.Object] struct {
	db   *DB
	kind resource.Kind
	make func() T
}

// Resources is the store of one kind; make gives an empty T to decode into.
//
// Instances (resource.KindInstance) belong to no instance but to themselves: Create makes InstanceID the ID, an
// instanceID of "" reaches all of them in every method, and any other only the one with this id. An instance that still
// has resources is in use.
func Resources[T resource.Object](db *DB, kind resource.Kind, make func() T) resource.Store[T] {
	return &resources[T]{db: db, kind: kind, make: make}
}

// row is a resource as it is stored.
type row struct {
	id, instanceID, name string
	lookup               *string
	version              int64
	created, modified    int64
	body                 string
}

const resourceColumns = `id, instance_id, name, version, created_us, modified_us, body`

func scanResource(s scanner) (row, error) {
	var r row
	err := s.Scan(&r.id, &r.instanceID, &r.name, &r.version, &r.created, &r.modified, &r.body)
	return r, err
}

// headed is what decode needs of a resource.
type headed interface{ Head() *resource.Meta }

// decode fills v from a row: the columns win over the body.
func decode[T headed](r row, kind resource.Kind, v T) (T, error) {
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		return v, fmt.Errorf("storage: body of %s %s: %w", kind, r.id, err)
	}
	m := v.Head()
	m.ID, m.InstanceID, m.Name, m.Version = r.id, r.instanceID, r.name, r.version
	m.CreatedAt, m.ModifiedAt = fromMicros(r.created), fromMicros(r.modified)
	if kind == resource.KindInstance {
		m.InstanceID = r.id
	}
	return v, nil
}

// scope is the instance_id column of a resource.
func (s *resources[T]) scope(instanceID string) string {
	if s.kind == resource.KindInstance {
		return ""
	}
	return instanceID
}

// foreign tells that id is an instance that a caller bound to instanceID does not see.
func (s *resources[T]) foreign(instanceID, id string) bool {
	return s.kind == resource.KindInstance && instanceID != "" && instanceID != id
}

func (s *resources[T]) notFound(what string) error {
	return errs.New(errs.NotFound, "there is no %s %q", s.kind, what)
}

// check applies the rules that hold for every resource, then the kind's own.
func (s *resources[T]) check(v T) error {
	m := v.Head()
	switch {
	case v.Kind() != s.kind:
		return fmt.Errorf("storage: a %s in the store of %s", v.Kind(), s.kind)
	case m.InstanceID == "":
		return errs.Field("InstanceId", "must not be empty")
	case s.foreign(m.InstanceID, m.ID):
		return errs.Field("InstanceId", "of an instance must be its own id")
	case !storable(m.ID) || !storable(m.InstanceID):
		return errs.Field("Id", "must be UTF-8 without NUL")
	case m.Name == "" || len(m.Name) > maxName || !storable(m.Name):
		return errs.Field("Name", "must be 1 to %d bytes of UTF-8 without NUL", maxName)
	case len(m.Tags) > maxTags:
		return errs.Field("Tags", "must be at most %d; are %d", maxTags, len(m.Tags))
	}
	return v.Validate()
}

// encode makes the row of a checked resource. Everything that a write needs is copied here, on the caller's goroutine.
func (s *resources[T]) encode(v T) (row, error) {
	m := v.Head()
	body, err := json.Marshal(v)
	if err != nil {
		return row{}, fmt.Errorf("storage: encoding %s %s: %w", s.kind, m.ID, err)
	}
	r := row{
		id: m.ID, instanceID: s.scope(m.InstanceID), name: m.Name, version: m.Version,
		created: micros(m.CreatedAt), modified: micros(m.ModifiedAt), body: string(body),
	}
	if k, ok := any(v).(*identity.AccessKey); ok && k.TokenSHA256 != "" {
		r.lookup = &k.TokenSHA256
	}
	return r, nil
}

// Create implements resource.Store.
func (s *resources[T]) Create(ctx context.Context, v T) (err error) {
	m := v.Head()
	before := *m
	defer func() {
		if err != nil {
			*m = before
		}
	}()
	if m.ID == "" {
		id, idErr := uuid.NewV7()
		if idErr != nil {
			return fmt.Errorf("storage: making an id: %w", idErr)
		}
		m.ID = id.String()
	}
	if s.kind == resource.KindInstance && m.InstanceID == "" {
		m.InstanceID = m.ID
	}
	m.Version = 1
	m.CreatedAt = now()
	m.ModifiedAt = m.CreatedAt
	if err = s.check(v); err != nil {
		return err
	}
	r, err := s.encode(v)
	if err != nil {
		return err
	}
	refs, instanceID := refsOf(v), m.InstanceID
	_, err = writeThen(ctx, s.db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, s.insert(ctx, t, r, instanceID, refs)
	}, s.hint(instanceID, r.id))
	if err == nil {
		audit.Touch(ctx, string(s.kind), r.id, r.name, nil, []byte(r.body))
	}
	return err
}

func (s *resources[T]) insert(ctx context.Context, t tx, r row, instanceID string, refs []resource.Ref) error {
	if err := checkRefs(ctx, t, instanceID, refs); err != nil {
		return err
	}
	n, err := t.exec(ctx, `INSERT INTO resource (id, kind, instance_id, name, lookup, version, created_us, modified_us, body)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8) ON CONFLICT DO NOTHING`,
		r.id, string(s.kind), r.instanceID, r.name, r.lookup, r.created, r.modified, r.body)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.taken(r.name)
	}
	return putRefs(ctx, t, r.id, refs)
}

// taken says that a name is not free. An id or a token that is not free, which only chance or a mistake of ours can
// bring about, is reported the same.
func (s *resources[T]) taken(name string) error {
	return errs.New(errs.Duplicate, "there is a %s %q already", s.kind, name)
}

// hint is the change to tell once a write is done.
func (s *resources[T]) hint(instanceID, id string) func() {
	return func() { s.db.changed(resource.Change{Kind: s.kind, InstanceID: instanceID, ID: id}) }
}

// Get implements resource.Store.
func (s *resources[T]) Get(ctx context.Context, instanceID, id string) (T, error) {
	var none T
	if !storable(instanceID) || !storable(id) || s.foreign(instanceID, id) {
		return none, s.notFound(id)
	}
	return s.one(ctx, id, `SELECT `+resourceColumns+` FROM resource WHERE id = $1 AND kind = $2 AND instance_id = $3`,
		id, string(s.kind), s.scope(instanceID))
}

// GetByName implements resource.Store.
func (s *resources[T]) GetByName(ctx context.Context, instanceID, name string) (T, error) {
	var none T
	if !storable(instanceID) || !storable(name) {
		return none, s.notFound(name)
	}
	v, err := s.one(ctx, name,
		`SELECT `+resourceColumns+` FROM resource WHERE instance_id = $1 AND kind = $2 AND name = $3`,
		s.scope(instanceID), string(s.kind), name)
	if err == nil && s.foreign(instanceID, v.Head().ID) {
		return none, s.notFound(name)
	}
	return v, err
}

func (s *resources[T]) one(ctx context.Context, what, query string, args ...any) (T, error) {
	return findOne(ctx, s.db, s.kind, what, s.make, query, args...)
}

// findOne reads one resource; errs.NotFound names what was looked for.
func findOne[T headed](ctx context.Context, db *DB, kind resource.Kind, what string, make func() T, query string, args ...any) (T, error) {
	var none T
	r, err := read(ctx, db, func(ctx context.Context, t tx) (row, error) {
		return scanResource(t.row(ctx, query, args...))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return none, errs.New(errs.NotFound, "there is no %s %q", kind, what)
	}
	if err != nil {
		return none, err
	}
	return decode(r, kind, make())
}

// Update implements resource.Store.
func (s *resources[T]) Update(ctx context.Context, v T) (err error) {
	m := v.Head()
	before := *m
	defer func() {
		if err != nil {
			*m = before
		}
	}()
	version := m.Version
	m.Version++
	m.ModifiedAt = now()
	if err = s.check(v); err != nil {
		return err
	}
	r, err := s.encode(v)
	if err != nil {
		return err
	}
	refs, instanceID := refsOf(v), m.InstanceID
	was := s.was(ctx, r.id)
	created, err := writeThen(ctx, s.db, func(ctx context.Context, t tx) (int64, error) {
		return s.replace(ctx, t, r, instanceID, version, refs)
	}, s.hint(instanceID, r.id))
	if err != nil {
		return err
	}
	audit.Touch(ctx, string(s.kind), r.id, r.name, was, []byte(r.body))
	m.CreatedAt = fromMicros(created)
	return nil
}

// was is a resource before it is changed, for the audit trail. The change is a compare-and-set on the version that was
// read before this, so nothing comes between.
func (s *resources[T]) was(ctx context.Context, id string) []byte {
	if !audit.Watched(ctx) {
		return nil
	}
	body, err := read(ctx, s.db, func(ctx context.Context, t tx) (string, error) {
		return scanText(t.row(ctx, `SELECT body FROM resource WHERE id = $1 AND kind = $2`, id, string(s.kind)))
	})
	if err != nil {
		return nil // the change itself will say what is wrong
	}
	return []byte(body)
}

// replace writes a row over the one that has this version, and gives when that was created.
func (s *resources[T]) replace(
	ctx context.Context, t tx, r row, instanceID string, version int64, refs []resource.Ref,
) (created int64, err error) {
	if err = checkRefs(ctx, t, instanceID, refs); err != nil {
		return 0, err
	}
	err = t.row(ctx, `UPDATE resource SET name = $5, lookup = $6, version = version + 1, modified_us = $7, body = $8
		WHERE id = $1 AND kind = $2 AND instance_id = $3 AND version = $4 RETURNING created_us`,
		r.id, string(s.kind), r.instanceID, version, r.name, r.lookup, r.modified, r.body).Scan(&created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, s.outrun(ctx, t, r)
	case err != nil && t.problem(err) == problemUnique:
		return 0, s.taken(r.name)
	case err != nil:
		return 0, err
	}
	return created, putRefs(ctx, t, r.id, refs)
}

// outrun says why a compare-and-set found nothing: deleted, or changed by somebody else.
func (s *resources[T]) outrun(ctx context.Context, t tx, r row) error {
	var version int64
	err := t.row(ctx, `SELECT version FROM resource WHERE id = $1 AND kind = $2 AND instance_id = $3`,
		r.id, string(s.kind), r.instanceID).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return s.notFound(r.id)
	}
	if err != nil {
		return err
	}
	return errs.New(errs.Conflict, "%s %q was changed by somebody else meanwhile", s.kind, r.name)
}

// Delete implements resource.Store.
func (s *resources[T]) Delete(ctx context.Context, instanceID, id string) error {
	if !storable(instanceID) || !storable(id) || s.foreign(instanceID, id) {
		return s.notFound(id)
	}
	if s.kind == resource.KindInstance {
		instanceID = id
	}
	was := s.was(ctx, id)
	_, err := writeThen(ctx, s.db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, s.remove(ctx, t, instanceID, id)
	}, s.hint(instanceID, id))
	if err == nil {
		audit.Touch(ctx, string(s.kind), id, "", was, nil)
	}
	return err
}

func (s *resources[T]) remove(ctx context.Context, t tx, instanceID, id string) error {
	var name string
	err := t.row(ctx, `SELECT name FROM resource WHERE id = $1 AND kind = $2 AND instance_id = $3 /*for-update*/`,
		id, string(s.kind), s.scope(instanceID)).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return s.notFound(id)
	}
	if err != nil {
		return err
	}
	if err = checkUnused(ctx, t, s.kind, id, name); err != nil {
		return err
	}
	// What belongs to the resource and is no resource itself goes with it.
	switch s.kind { //nolint:exhaustive // the others have nothing
	case resource.KindDevice:
		_, err = t.exec(ctx, `DELETE FROM registration WHERE device_id = $1`, id)
	case resource.KindUser:
		_, err = t.exec(ctx, `DELETE FROM agent_state WHERE instance_id = $1 AND user_id = $2`, instanceID, id)
	}
	if err != nil {
		return err
	}
	if _, err = t.exec(ctx, `DELETE FROM resource_ref WHERE from_id = $1`, id); err != nil {
		return err
	}
	_, err = t.exec(ctx, `DELETE FROM resource WHERE id = $1`, id)
	return err
}

// List implements resource.Store.
func (s *resources[T]) List(ctx context.Context, instanceID string, p resource.Page) ([]T, string, error) {
	if s.kind == resource.KindInstance && instanceID != "" {
		v, err := s.Get(ctx, instanceID, instanceID)
		if errs.Is(err, errs.NotFound) {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		return []T{v}, "", nil
	}
	if !storable(instanceID) {
		return nil, "", nil
	}
	return page(ctx, s.db, s.kind, s.make, p,
		`instance_id = $1 AND kind = $2`, s.scope(instanceID), string(s.kind))
}

// page reads a page of the resources that where selects, in order of name and id.
func page[T headed](
	ctx context.Context, db *DB, kind resource.Kind, make func() T, p resource.Page, where string, args ...any,
) ([]T, string, error) {
	n, err := pageSize(p)
	if err != nil {
		return nil, "", err
	}
	from, err := parseCursor(p.Token)
	if err != nil {
		return nil, "", err
	}
	if from != nil {
		where += fmt.Sprintf(` AND (name, id) > ($%d, $%d)`, len(args)+1, len(args)+2)
		args = append(args, from.Name, from.ID)
	}
	query := fmt.Sprintf(`SELECT %s FROM resource WHERE %s ORDER BY name, id LIMIT $%d`, resourceColumns, where, len(args)+1)
	args = append(args, n+1) // one more tells whether there is another page
	rows, err := read(ctx, db, func(ctx context.Context, t tx) ([]row, error) {
		return collect(ctx, t, scanResource, query, args...)
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > n {
		rows = rows[:n]
		next = cursor{Name: rows[n-1].name, ID: rows[n-1].id}.token()
	}
	var out []T
	for _, r := range rows {
		v, err := decode(r, kind, make())
		if err != nil {
			return nil, "", err
		}
		out = append(out, v)
	}
	return out, next, nil
}
