package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/storage/blob"
)

func files(t *testing.T, dir string) *blob.Files {
	t.Helper()
	s, err := blob.NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestFilesKeepTheSuite(t *testing.T) {
	dir := t.TempDir()
	suite(t, files(t, dir))
	// Nothing unfinished is left behind, also by the uploads that failed.
	list, err := os.ReadDir(filepath.Join(dir, ".partial"))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 0 {
		t.Errorf("%d unfinished files are left", len(list))
	}
}

func TestWritersOfOneFileAtOnceLeaveOneOfTheirObjects(t *testing.T) {
	s := files(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := bytes.Repeat([]byte{byte(i)}, 100_000)
			if err := s.Put(context.Background(), "contended", bytes.NewReader(b), 100_000, sum(b)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r, _, err := s.Get(t.Context(), "contended")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, bytes.Repeat(b[:1], 100_000)) {
		t.Error("the object is a mixture")
	}
}

func TestFilesDoNotFollowASymbolicLinkOutOfTheFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := files(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "link/secret"); err == nil {
		t.Error("read a file outside the folder")
	}
	b := noise(10)
	if err := s.Put(t.Context(), "link/new", bytes.NewReader(b), 10, sum(b)); err == nil {
		t.Error("wrote a file outside the folder")
	}
	if _, err := os.Stat(filepath.Join(outside, "new")); err == nil {
		t.Error("a file appeared outside the folder")
	}
}

func TestAFolderIsNoObject(t *testing.T) {
	s := files(t, t.TempDir())
	b := noise(10)
	put(t, s, "a/b", b)
	_, err := s.Stat(t.Context(), "a")
	wantKind(t, err, errs.NotFound)
	if err = s.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	_, err = s.Stat(t.Context(), "a/b/c") // a file as a folder
	wantKind(t, err, errs.NotFound)
	if err = s.Put(t.Context(), "a", bytes.NewReader(b), 10, sum(b)); err == nil {
		t.Error("a folder was replaced by a file")
	}
	wantObject(t, s, "a/b", b)
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	put(t, files(t, dir), "a/b", noise(10))
	for name, want := range map[string]fs.FileMode{"a": 0o700, "a/b": 0o600} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != want {
			t.Errorf("mode of %s is %v, want %v", name, st.Mode().Perm(), want)
		}
	}
}

func TestOpeningRemovesOnlyOldUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	partial := filepath.Join(dir, ".partial")
	if err := os.Mkdir(partial, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "new": time.Hour} {
		p := filepath.Join(partial, name)
		if err := os.WriteFile(p, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	files(t, dir)
	if _, err := os.Stat(filepath.Join(partial, "old")); err == nil {
		t.Error("the old one is still there")
	}
	if _, err := os.Stat(filepath.Join(partial, "new")); err != nil {
		t.Error("the new one, which somebody may be writing, is gone")
	}
}

func TestAFolderThatCannotBeMadeIsInvalid(t *testing.T) {
	p := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := blob.NewFiles(filepath.Join(p, "folder"))
	wantKind(t, err, errs.Invalid)
}

func FuzzFilesNeverLeaveTheFolder(f *testing.F) {
	for _, key := range []string{"a", "../a", "a/../b", "/a", "a/./b", ".partial/x", "a\x00", recording} {
		f.Add(key)
	}
	parent := f.TempDir()
	s, err := blob.NewFiles(filepath.Join(parent, "blobs"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	b := noise(10)
	f.Fuzz(func(t *testing.T, key string) {
		if err := s.Put(t.Context(), key, bytes.NewReader(b), 10, sum(b)); err == nil {
			wantObject(t, s, key, b)
			if err = s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		list, err := os.ReadDir(parent)
		if err != nil || len(list) != 1 {
			t.Fatalf("key %q: outside are %v, %v", key, list, err)
		}
	})
}
