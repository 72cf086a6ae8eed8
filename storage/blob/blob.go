// Package blob keeps files by key: recordings, prompts, exports. Files and S3-compatible object storage implement Store,
// proved by one suite.
package blob

import (
	"context"
	"io"
	"time"
)

// Info describes a stored object.
type Info struct {
	Key      string
	Size     int64
	SHA256   string // hexadecimal
	Modified time.Time
}

// Store keeps objects by key ("connect/acme/CallRecordings/2026/11/22/<id>_20261122T08:30_UTC.wav"). Keys are made by
// us, never by a caller.
type Store interface {
	// Put stores size bytes of r under key, whole or not at all, and verifies what was stored against sha256
	// (hexadecimal, lower case). Putting the same again is no error. A mismatch is errs.Invalid, leaves nothing behind
	// and what was there before in place. Of several that put different objects under one key at once, one stays, and
	// the others may get errs.Conflict. errs.Unavailable: try again later.
	Put(ctx context.Context, key string, r io.Reader, size int64, sha256 string) error
	// Get opens an object. errs.NotFound.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// Open opens an object to be read from any place on. Info has no checksum where all of it would have to be read for it.
	// errs.NotFound.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, Info, error)
	// Stat describes an object. errs.NotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error
	// Erase removes an object with all its versions, and makes sure that it is gone; a missing one is no error.
	// errs.Conflict: the store has locked it, and nothing was removed.
	Erase(ctx context.Context, key string) error
}
