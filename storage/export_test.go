package storage

import (
	"context"

	"ullim/reporting"
)

// Writing reports whether the writer of a SQLite database is committing something now.
func (db *DB) Writing() bool {
	e, ok := db.engine.(*sqliteEngine)
	return ok && e.group.working.Load()
}

// FillFacts stores facts without records, many in one commit: for benchmarks.
func FillFacts(ctx context.Context, db *DB, instanceID string, n int, fact func(i int) map[reporting.Table][]reporting.Fact) error {
	const batch = 10_000
	for from := 0; from < n; from += batch {
		_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
			for i := from; i < min(from+batch, n); i++ {
				if err := insertFacts(ctx, t, instanceID, fact(i)); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
