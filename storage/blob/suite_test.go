package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/storage/blob"
)

// recording is a key as the product makes it.
const recording = "connect/acme/CallRecordings/2026/11/22/0190-abc_20261122T08:30_UTC.wav"

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func put(t *testing.T, s blob.Store, key string, b []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(b), int64(len(b)), sum(b)); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func wantObject(t *testing.T, s blob.Store, key string, want []byte) {
	t.Helper()
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("object %s has %d bytes (%s), want %d (%s)", key, len(got), sum(got), len(want), sum(want))
	}
	if info.Modified.IsZero() {
		t.Errorf("object %s has no time", key)
	}
	stat, err := s.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("stat %s: %v", key, err)
	}
	wantInfo := blob.Info{Key: key, Size: int64(len(want)), SHA256: sum(want), Modified: stat.Modified}
	if d := cmp.Diff(wantInfo, stat); d != "" {
		t.Errorf("stat (-want +got):\n%s", d)
	}
	info.Modified = stat.Modified // a server may tell it more exactly in one place than in the other
	if d := cmp.Diff(wantInfo, info); d != "" {
		t.Errorf("info of get (-want +got):\n%s", d)
	}
}

func wantKind(t *testing.T, err error, k errs.Kind) {
	t.Helper()
	if !errs.Is(err, k) {
		t.Errorf("error is %v (%v), want kind %v", err, errs.KindOf(err), k)
	}
}

// suite is what every Store promises. dir is a prefix that no other suite uses.
func suite(t *testing.T, s blob.Store) {
	t.Helper()
	t.Run("what is put is got back", func(t *testing.T) {
		for _, size := range []int{0, 1, 44, 64_000} {
			b := noise(size)
			put(t, s, recording, b)
			wantObject(t, s, recording, b)
		}
	})
	t.Run("an object larger than a part", func(t *testing.T) {
		b := noise(11<<20 + 17)
		put(t, s, "large/object.wav", b)
		wantObject(t, s, "large/object.wav", b)
	})
	t.Run("a source that gives a byte at a time, and its end with the last", func(t *testing.T) {
		b := noise(1000)
		r := iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(b)))
		if err := s.Put(t.Context(), "slow", r, 1000, sum(b)); err != nil {
			t.Fatal(err)
		}
		wantObject(t, s, "slow", b)
	})
	t.Run("putting the same again is no error, and another replaces it", func(t *testing.T) {
		b := noise(100)
		put(t, s, "again", b)
		put(t, s, "again", b)
		wantObject(t, s, "again", b)
		put(t, s, "again", b[:50])
		wantObject(t, s, "again", b[:50])
	})
	t.Run("what is not there is not found, and deleting it is no error", func(t *testing.T) {
		_, _, err := s.Get(t.Context(), "no/such/object")
		wantKind(t, err, errs.NotFound)
		_, err = s.Stat(t.Context(), "no/such/object")
		wantKind(t, err, errs.NotFound)
		if err = s.Delete(t.Context(), "no/such/object"); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
	t.Run("deleted is gone", func(t *testing.T) {
		put(t, s, "short/lived", noise(10))
		for range 2 {
			if err := s.Delete(t.Context(), "short/lived"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Stat(t.Context(), "short/lived")
		wantKind(t, err, errs.NotFound)
	})
	t.Run("any part of an object is read alone", func(t *testing.T) { parts(t, s) })
	t.Run("erased is gone, and erasing what is not there is no error", func(t *testing.T) {
		put(t, s, "short/lived", noise(10))
		for range 2 {
			if err := s.Erase(t.Context(), "short/lived"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Stat(t.Context(), "short/lived")
		wantKind(t, err, errs.NotFound)
	})
	t.Run("two workers with the same job do no harm", func(t *testing.T) {
		b := noise(10_000)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := s.Put(context.Background(), "contended", bytes.NewReader(b), 10_000, sum(b)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantObject(t, s, "contended", b)
	})
	t.Run("a bad upload", func(t *testing.T) { badUploads(t, s) })
	t.Run("a bad key", func(t *testing.T) { badKeys(t, s) })
}

// parts reads an object from many places on.
func parts(t *testing.T, s blob.Store) {
	t.Helper()
	b := noise(300_000)
	put(t, s, "parts", b)
	r, info, err := s.Open(t.Context(), "parts")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info.Size != int64(len(b)) || info.SHA256 != "" && info.SHA256 != sum(b) {
		t.Errorf("info is %+v", info)
	}
	for _, at := range []int{299_999, 0, 65_535, 65_536, 65_537, 131_072, 1, 200_000, 300_000} {
		if got, seekErr := r.Seek(int64(at), io.SeekStart); seekErr != nil || got != int64(at) {
			t.Fatalf("seek to %d: %d, %v", at, got, seekErr)
		}
		p := make([]byte, min(70_000, len(b)-at))
		if _, err = io.ReadFull(r, p); err != nil || !bytes.Equal(p, b[at:at+len(p)]) {
			t.Fatalf("%d bytes from %d on are wrong: %v", len(p), at, err)
		}
	}
	if _, err = r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v", err)
	}
	if end, seekErr := r.Seek(-7, io.SeekEnd); seekErr != nil || end != 299_993 {
		t.Errorf("from the end: %d, %v", end, seekErr)
	}
	if rest, readErr := io.ReadAll(r); readErr != nil || !bytes.Equal(rest, b[299_993:]) {
		t.Errorf("the last bytes: %v, %v", rest, readErr)
	}
	_, _, err = s.Open(t.Context(), "no/such/part")
	wantKind(t, err, errs.NotFound)
}

// badUploads leave what was there before, or nothing.
func badUploads(t *testing.T, s blob.Store) {
	t.Helper()
	failed := errors.New("disk on fire")
	small, large := noise(1000), noise(6<<20)
	tests := []struct {
		name string
		r    io.Reader
		size int
		sum  string
		want error // nil: kind Invalid
	}{
		{"wrong checksum", bytes.NewReader(small), 1000, sum(large), nil},
		{"wrong checksum of a large object", bytes.NewReader(large), len(large), sum(small), nil},
		{"wrong checksum of nothing", bytes.NewReader(nil), 0, sum(small), nil},
		{"source too short", bytes.NewReader(small[:999]), 1000, sum(small), nil},
		{"source too long", bytes.NewReader(append(small, 0)), 1000, sum(small), nil},
		{"source of nothing too long", bytes.NewReader(small), 0, sum(nil), nil},
		{"large source too short", bytes.NewReader(large[:len(large)-1]), len(large), sum(large), nil},
		{"source fails", io.MultiReader(bytes.NewReader(small[:500]), iotest.ErrReader(failed)), 1000, sum(small), failed},
		{"size negative", bytes.NewReader(small), -1, sum(small), nil},
		{"checksum in upper case", bytes.NewReader(small), 1000, strings.ToUpper(sum(small)), nil},
		{"checksum too short", bytes.NewReader(small), 1000, sum(small)[:63], nil},
	}
	for _, before := range []bool{false, true} {
		for _, tt := range tests {
			source, seekable := tt.r.(io.Seeker)
			if before && !seekable { // it can be read once, and that was the first time
				continue
			}
			t.Run(tt.name, func(t *testing.T) {
				old := []byte("what was there before")
				if err := s.Delete(t.Context(), "victim"); err != nil {
					t.Fatal(err)
				}
				if before {
					put(t, s, "victim", old)
				}
				if seekable {
					_, _ = source.Seek(0, io.SeekStart)
				}
				err := s.Put(t.Context(), "victim", tt.r, int64(tt.size), tt.sum)
				switch {
				case err == nil:
					t.Error("no error")
				case tt.want != nil && !errors.Is(err, tt.want):
					t.Errorf("error is %v, want %v", err, tt.want)
				case tt.want == nil:
					wantKind(t, err, errs.Invalid)
				}
				if before {
					wantObject(t, s, "victim", old)
					return
				}
				_, err = s.Stat(t.Context(), "victim")
				wantKind(t, err, errs.NotFound)
			})
		}
	}
	t.Run("context over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Put(ctx, "victim2", bytes.NewReader(small), 1000, sum(small))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		_, err = s.Stat(t.Context(), "victim2")
		wantKind(t, err, errs.NotFound)
	})
}

func badKeys(t *testing.T, s blob.Store) {
	t.Helper()
	for _, key := range []string{
		"", "/", "/etc/passwd", "a/", "a//b", "..", "../x", "a/../../x", "a/..", ".", "./a", ".hidden", "a/.partial/x", ".partial/x",
		"a\x00b", "a\\..\\b", "a b", "a\nb", "ä", "a%2e%2e/b", "C:\\x", strings.Repeat("a", 256), strings.Repeat("a/", 600) + "a",
	} {
		b := noise(10)
		wantKind(t, s.Put(t.Context(), key, bytes.NewReader(b), 10, sum(b)), errs.Invalid)
		_, _, err := s.Get(t.Context(), key)
		wantKind(t, err, errs.Invalid)
		_, err = s.Stat(t.Context(), key)
		wantKind(t, err, errs.Invalid)
		_, _, err = s.Open(t.Context(), key)
		wantKind(t, err, errs.Invalid)
		wantKind(t, s.Delete(t.Context(), key), errs.Invalid)
		wantKind(t, s.Erase(t.Context(), key), errs.Invalid)
	}
}
