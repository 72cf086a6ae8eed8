package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"syscall"
	"time"

	"github.com/google/uuid"

	"ullim/internal/errs"
)

// Files keeps objects as files of a folder, the key being the path. It never leaves the folder, not through a symbolic
// link either (os.Root).
//
// An object is written to a file of its own in .partial, made durable (fsync) and renamed, so that whoever sees the name
// sees all of it, also after a power cut. The checksum is not kept: Stat and Get read the file for it.
type Files struct {
	root *os.Root
}

var _ Store = (*Files)(nil)

// partial is the folder of files being written. No key begins with a dot.
const partial = ".partial"

// partialAge is when an unfinished file counts as left behind: another process may have the folder open too.
const partialAge = 24 * time.Hour

// NewFiles opens the folder, made if it is missing, and removes what an earlier process left unfinished.
func NewFiles(folder string) (*Files, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "blob: cannot make the folder %s", folder)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "blob: cannot open the folder %s", folder)
	}
	s := &Files{root: root}
	if err = root.MkdirAll(partial, 0o700); err == nil {
		err = s.tidy()
	}
	if err != nil {
		return nil, errors.Join(errs.Wrap(err, errs.Invalid, "blob: cannot write to the folder %s", folder), root.Close())
	}
	return s, nil
}

// tidy removes unfinished files that nobody can be writing any more.
func (s *Files) tidy() error {
	list, err := fs.ReadDir(s.root.FS(), partial)
	if err != nil {
		return err
	}
	for _, e := range list {
		if info, infoErr := e.Info(); infoErr == nil && time.Since(info.ModTime()) > partialAge {
			if err = s.root.Remove(partial + "/" + e.Name()); err != nil && !missing(err) {
				return err
			}
		}
	}
	return nil
}

// Close gives the folder back.
func (s *Files) Close() error { return s.root.Close() }

// Put implements Store.
func (s *Files) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) (err error) {
	if err = checkPut(key, size, sum); err != nil {
		return err
	}
	temporary := partial + "/" + uuid.NewString()
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError(err, key)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed already unless the copy failed
			_ = s.root.Remove(temporary)
		}
	}()
	if _, err = io.Copy(f, newVerifier(ctx, r, key, size, sum)); err != nil {
		return fileError(err, key)
	}
	if err = f.Sync(); err != nil {
		return fileError(err, key)
	}
	if err = f.Close(); err != nil {
		return fileError(err, key)
	}
	if err = s.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return fileError(err, key)
	}
	if err = s.root.Rename(temporary, key); err != nil {
		return fileError(err, key)
	}
	// The names are durable when their folders are.
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		if err = s.syncFolder(dir); err != nil {
			return fileError(err, key)
		}
		if dir == "." {
			return nil
		}
	}
}

func (s *Files) syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be opened for it
	}
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements Store.
func (s *Files) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	f, info, err := s.open(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return nil, Info{}, errors.Join(fileError(err, key), f.Close())
	}
	return f, info, nil
}

// Open implements Store.
func (s *Files) Open(_ context.Context, key string) (io.ReadSeekCloser, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, Info{}, fileError(err, key)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = notFound(key)
	}
	if err != nil {
		return nil, Info{}, errors.Join(fileError(err, key), f.Close())
	}
	return f, Info{Key: key, Size: st.Size(), Modified: st.ModTime().UTC()}, nil
}

// Stat implements Store.
func (s *Files) Stat(ctx context.Context, key string) (Info, error) {
	f, info, err := s.open(ctx, key)
	if err != nil {
		return Info{}, err
	}
	return info, f.Close()
}

// open opens a file and reads it once, for its checksum.
func (s *Files) open(ctx context.Context, key string) (f *os.File, info Info, err error) {
	if err = checkKey(key); err != nil {
		return nil, Info{}, err
	}
	f, err = s.root.Open(key)
	if err != nil {
		return nil, Info{}, fileError(err, key)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, Info{}, fileError(err, key)
	}
	if !st.Mode().IsRegular() {
		return nil, Info{}, notFound(key)
	}
	hash := sha256.New()
	n, err := io.Copy(hash, &contextReader{ctx.Err, f})
	if err != nil {
		return nil, Info{}, fileError(err, key)
	}
	return f, Info{Key: key, Size: n, SHA256: hex.EncodeToString(hash.Sum(nil)), Modified: st.ModTime().UTC()}, nil
}

// Delete implements Store. Folders that become empty stay: removing them races with a Put.
func (s *Files) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	st, err := s.root.Lstat(key)
	if err == nil && st.IsDir() {
		return nil // no object has this key
	}
	if err == nil {
		err = s.root.Remove(key)
	}
	if err == nil || missing(err) {
		return nil
	}
	return fileError(err, key)
}

// missing tells that no object has the key: also if a part of the path is a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func notFound(key string) error { return errs.New(errs.NotFound, "there is no object %q", key) }

// fileError gives an error of the file system a kind.
func fileError(err error, key string) error {
	_, known := errors.AsType[*errs.Error](err)
	switch {
	case known:
		return err
	case missing(err):
		return notFound(key)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("blob: %w", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS):
		return errs.Wrap(err, errs.Unavailable, "the recording store cannot be written to")
	}
	return fmt.Errorf("blob: %s: %w", key, err)
}
