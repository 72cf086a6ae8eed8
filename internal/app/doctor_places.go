package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"

	"ullim/storage"
	"ullim/storage/blob"
)

// Free space below which the doctor speaks up, and what an hour of recording takes: two channels of 16 bits at 8 kHz.
const (
	littleSpace   = 5 << 30
	noSpace       = 256 << 20
	recordingHour = 2 * 2 * 8000 * 3600
)

// doctorPatience is how long the doctor waits for a database or a bucket.
const doctorPatience = 10 * time.Second

// dataFolder is where database, spool and recordings go.
func (d *doctor) dataFolder(context.Context) []finding {
	return folder(d.cfg.Data.Folder, "data.folder")
}

// folder says whether a folder can be written to, or made, and how much room there is.
func folder(path, key string) []finding {
	at, missing := path, false
	for {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return fail("remove it, or set "+key+" to a folder", "%s is not a folder", at)
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(at)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) || parent == at {
			return fail("let the user that runs ullim into it", "%s: %v", at, cause(err))
		}
		at, missing = parent, true
	}
	if err := writable(at); err != nil {
		return fail("give it to the user that runs ullim, or set "+key+" to another folder", "%s cannot be written to: %v", at, cause(err))
	}
	what := path + " is writable"
	if missing {
		what = path + " will be made at the start"
	}
	return room(at, what, key)
}

// writable makes a file and removes it again: permissions alone do not tell about read-only file systems.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".ullim-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func room(at, what, key string) []finding {
	var s unix.Statfs_t
	if err := unix.Statfs(at, &s); err != nil {
		return warn("", "%s; free space unknown: %v", what, err)
	}
	free := s.Bavail * uint64(s.Bsize) // never negative
	text := fmt.Sprintf("%s, %.1f GB free: about %d hours of recording", what, float64(free)/1e9, free/recordingHour)
	switch {
	case free < noSpace:
		return fail("make room, or set "+key+" to a larger disk", "%s", text)
	case free < littleSpace:
		return warn("make room soon", "%s", text)
	}
	return fine("%s", text)
}

// cause is an error without the path that the line names already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// serverKey seals the secrets in the database.
func (d *doctor) serverKey(context.Context) []finding {
	path := filepath.Join(d.cfg.Data.Folder, "server.key")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err = os.Stat(d.cfg.DatabasePath()); err == nil && d.cfg.Database.Driver == storage.SQLite {
			return fail("put it back from the backup; without it every access key must be made anew",
				"%s is missing, but the database is there: what it has sealed cannot be opened", path)
		}
		return fine("%s will be made at the first start", path)
	case err != nil:
		return fail("let the user that runs ullim read it", "%s: %v", path, cause(err))
	case info.Size() != 32:
		return fail("put it back from the backup", "%s has %d bytes, not 32", path, info.Size())
	case info.Mode().Perm()&0o077 != 0:
		return warn("chmod 600 "+path, "%s can be read by other users (%v)", path, info.Mode().Perm())
	}
	if f, err := os.Open(path); err != nil {
		return fail("let the user that runs ullim read it", "%s: %v", path, cause(err))
	} else if err = f.Close(); err != nil {
		return fail("check the disk", "%s: %v", path, err)
	}
	return fine("%s is there; is it in your backup?", path)
}

// database looks at the database without opening it as the engine does, which would bring it up to date. Not for the
// engine's own process: closing the file there would drop SQLite's locks on it (POSIX).
func (d *doctor) database(ctx context.Context) []finding {
	if d.cfg.Database.Driver == storage.Postgres {
		return d.postgres(ctx)
	}
	path := d.cfg.DatabasePath()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fine("%s will be made at the first start", path)
	}
	if err != nil {
		return fail("give it to the user that runs ullim", "%s cannot be opened for writing: %v", path, cause(err))
	}
	defer f.Close() //nolint:errcheck // nothing was written
	magic := make([]byte, 16)
	if _, err = io.ReadFull(f, magic); err != nil || !bytes.Equal(magic, []byte("SQLite format 3\x00")) {
		return fail("put it back from the backup, or set database.url to another file", "%s is not a SQLite database", path)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		b, err := os.OpenFile(path+beside, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fail("give it to the user that runs ullim", "%s cannot be opened for writing: %v", path+beside, cause(err))
		}
		_ = b.Close()
	}
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o007 != 0 {
		return warn("chmod 640 "+path, "%s can be read by everybody on this machine (%v)", path, info.Mode().Perm())
	}
	return fine("%s is a SQLite database and can be written to", path)
}

// postgres asks the server who it is and what we may do.
func (d *doctor) postgres(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	cfg, err := pgx.ParseConfig(d.cfg.Database.URL.Reveal())
	if err != nil {
		return fail("write it as postgres://user@host:5432/name", "database.url is not a PostgreSQL URL")
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close() //nolint:errcheck // nothing was written
	where := fmt.Sprintf("PostgreSQL at %s:%d, database %s", cfg.Host, cfg.Port, cfg.Database)
	var version, encoding string
	var mayCreate bool
	var connections int
	row := db.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_encoding'),
		current_setting('max_connections')::int, has_schema_privilege(current_schema(), 'CREATE')`)
	if err = row.Scan(&version, &encoding, &connections, &mayCreate); err != nil {
		return fail("see that it runs, that database and user exist, that pg_hba.conf lets this machine in, and that the password is right",
			"%s does not let us in: %v", where, err)
	}
	switch {
	case encoding != "UTF8":
		return fail("make the database anew: CREATE DATABASE ... ENCODING 'UTF8'", "%s has the encoding %s", where, encoding)
	case !mayCreate:
		return fail("GRANT CREATE ON SCHEMA public TO "+cfg.User, "%s: user %s may not make tables", where, cfg.User)
	case connections < d.cfg.Database.MaxConnections+3:
		return warn("lower database.max_connections, or raise max_connections of the server",
			"%s takes %d connections, database.max_connections is %d", where, connections, d.cfg.Database.MaxConnections)
	}
	return fine("%s answers (version %s)", where, version)
}

// recordings looks at the place where recordings go.
func (d *doctor) recordings(ctx context.Context) []finding {
	if ring := d.cfg.Recordings.KeyRing.Reveal(); d.cfg.Recordings.Encryption == "envelope" {
		if _, err := blob.ParseKeyRing(ring); err != nil {
			return fail("correct recordings.key_ring; keep every key that a recording was encrypted with", "%v", err)
		}
	}
	if d.cfg.Recordings.Store != "s3" {
		return folder(d.cfg.RecordingsFolder(), "recordings.folder")
	}
	s := d.cfg.Recordings.S3
	where := fmt.Sprintf("bucket %s at %s", s.Bucket, s.Endpoint)
	p, err := placesOf(d.cfg)
	if err != nil {
		return fail("correct recordings.s3", "%s: %v", where, err)
	}
	defer p.s3.Close() //nolint:errcheck // only idle connections
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	for _, name := range append([]string{s.Bucket}, s.Buckets...) {
		bucket, err := p.s3.In(name, "")
		if err == nil {
			err = bucket.Check(ctx, false)
		}
		if err != nil {
			return fail("check endpoint, keys and bucket name in recordings.s3; meanwhile recordings would wait in the spool", "bucket %s at %s: %v", name, s.Endpoint, err)
		}
	}
	return fine("%s answers", where)
}
