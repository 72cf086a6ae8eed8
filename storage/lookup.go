package storage

import (
	"context"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// AllResources is a page of a kind's resources in all instances, in order of name and id: what a process needs that
// serves all of them (trunks, devices, numbers).
func AllResources[T resource.Object](
	ctx context.Context, db *DB, kind resource.Kind, make func() T, p resource.Page,
) ([]T, string, error) {
	return page(ctx, db, kind, make, p, `kind = $1`, string(kind))
}

// EveryResource reads every page of AllResources.
func EveryResource[T resource.Object](ctx context.Context, db *DB, kind resource.Kind, make func() T) ([]T, error) {
	return everyPage(func(p resource.Page) ([]T, string, error) { return AllResources(ctx, db, kind, make, p) })
}

func everyPage[T any](get func(resource.Page) ([]T, string, error)) ([]T, error) {
	var out []T
	p := resource.Page{Max: maxPage}
	for {
		vs, next, err := get(p)
		if err != nil {
			return nil, err
		}
		out = append(out, vs...)
		if next == "" {
			return out, nil
		}
		p.Token = next
	}
}

// Instances are all instances, by alias.
func (db *DB) Instances(ctx context.Context) ([]*identity.Instance, error) {
	newInstance := func() *identity.Instance { return &identity.Instance{} }
	return everyPage(func(p resource.Page) ([]*identity.Instance, string, error) {
		return page(ctx, db, resource.KindInstance, newInstance, p, `kind = $1`, string(resource.KindInstance))
	})
}

// FindAccessKey finds an access key of any instance by its access key id (its name). errs.NotFound.
func (db *DB) FindAccessKey(ctx context.Context, keyID string) (*identity.AccessKey, error) {
	return db.findAccessKey(ctx, keyID, `SELECT `+resourceColumns+` FROM resource WHERE kind = 'access-key' AND name = $1`)
}

// FindByTokenHash finds the access key of any instance whose bearer token has this SHA-256 (as in
// identity.AccessKey.TokenSHA256). errs.NotFound.
func (db *DB) FindByTokenHash(ctx context.Context, hash string) (*identity.AccessKey, error) {
	k, err := db.findAccessKey(ctx, hash, `SELECT `+resourceColumns+` FROM resource WHERE kind = 'access-key' AND lookup = $1`)
	if errs.Is(err, errs.NotFound) {
		return nil, errs.New(errs.NotFound, "there is no access key with this token") // the hash is not for logs
	}
	return k, err
}

func (db *DB) findAccessKey(ctx context.Context, value, query string) (*identity.AccessKey, error) {
	if value == "" || !storable(value) {
		return nil, errs.New(errs.NotFound, "there is no such access key")
	}
	return findOne(ctx, db, resource.KindAccessKey, value,
		func() *identity.AccessKey { return &identity.AccessKey{} }, query, value)
}
