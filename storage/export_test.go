package storage

// Writing reports whether the writer of a SQLite database is committing something now.
func (db *DB) Writing() bool {
	e, ok := db.engine.(*sqliteEngine)
	return ok && e.group.working.Load()
}
