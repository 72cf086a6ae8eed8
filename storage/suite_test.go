package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ullim/storage"
	"ullim/storage/storagetest"
)

// server is the PostgreSQL of this test process.
var server storagetest.Server

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crashWriter(os.Getenv(crashEnv))
		return
	}
	if path := os.Getenv(publisherEnv); path != "" {
		publisher(path)
		return
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func file(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "ullim.db")
}

func postgres(t *testing.T) string {
	t.Helper()
	return server.Database(t)
}

func TestSQLiteKeepsTheSuite(t *testing.T) {
	storagetest.Run(t, storagetest.Opener(storage.SQLite, file))
}

func TestSQLiteInMemoryKeepsTheSuite(t *testing.T) {
	storagetest.Run(t, storagetest.Opener(storage.SQLite, func(*testing.T) string { return storage.Memory }))
}

func TestPostgreSQLKeepsTheSuite(t *testing.T) {
	storagetest.Run(t, storagetest.Opener(storage.Postgres, postgres))
}
