package storage

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"ullim/internal/errs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema: migrations/NNNN_name.sql. A file that was released never changes.
type migration struct {
	version int
	name    string
	text    string
}

// migrations lists the steps from 1 without a gap.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var list []migration
	for i, name := range names {
		number, _, ok := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if err != nil || !ok || version != i+1 {
			return nil, fmt.Errorf("storage: migration %s should be number %d", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		list = append(list, migration{version: version, name: path.Base(name), text: string(text)})
	}
	return list, nil
}

// SchemaVersion is the version of the schema that this program needs.
func SchemaVersion() int {
	list, err := migrations(migrationFiles)
	if err != nil {
		return 0 // a test proves that it cannot be
	}
	return len(list)
}

// Migrate brings the schema up to date, each step in a transaction of its own that only one process runs at a time. It
// is safe to call at any time. errs.InvalidRequest if the schema is newer than this program knows.
func (db *DB) Migrate(ctx context.Context) error {
	list, err := migrations(migrationFiles)
	if err != nil {
		return err
	}
	return db.migrate(ctx, list)
}

func (db *DB) migrate(ctx context.Context, list []migration) error {
	for {
		var applied string
		err := db.engine.migrate(ctx, func(ctx context.Context, t tx) error {
			var stepErr error
			applied, stepErr = db.step(ctx, t, list)
			return stepErr
		})
		if err != nil {
			return db.translate(ctx, err)
		}
		if applied == "" {
			return nil
		}
		db.log.Info("database schema changed", "migration", applied)
	}
}

// step applies the next migration, and gives its name; empty if there is none.
func (db *DB) step(ctx context.Context, t tx, list []migration) (string, error) {
	const table = `CREATE TABLE IF NOT EXISTS schema_migration (
		version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_us BIGINT NOT NULL)`
	if _, err := t.exec(ctx, table); err != nil {
		return "", err
	}
	var version int
	if err := t.row(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migration`).Scan(&version); err != nil {
		return "", err
	}
	if version > len(list) {
		return "", errs.New(errs.InvalidRequest,
			"storage: the database has schema version %d, and this ullim knows versions up to %d: use a newer ullim", version, len(list))
	}
	if version == len(list) {
		return "", nil
	}
	m := list[version]
	// No arguments: both drivers then take several statements at once.
	if _, err := t.q.ExecContext(ctx, db.dialect.schema(m.text)); err != nil {
		return "", fmt.Errorf("migration %s: %w", m.name, err)
	}
	_, err := t.exec(ctx, `INSERT INTO schema_migration (version, name, applied_us) VALUES ($1, $2, $3)`,
		m.version, m.name, micros(now()))
	return m.name, err
}
