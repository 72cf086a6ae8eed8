package blob_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ullim/internal/errs"
	"ullim/storage/blob"
)

// ringText is a key ring whose keys follow from their names.
func ringText(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		key := bytes.Repeat([]byte(name), 32)[:32]
		b.WriteString(name + " " + base64.StdEncoding.EncodeToString(key) + "\n")
	}
	return b.String()
}

func ring(t *testing.T, text string) *blob.KeyRing {
	t.Helper()
	k, err := blob.ParseKeyRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEncryptedFilesKeepTheSuite(t *testing.T) {
	dir := t.TempDir()
	suite(t, blob.Seal(files(t, dir), ring(t, ringText("k1"))))
	b := noise(100_000)
	put(t, blob.Seal(files(t, dir), ring(t, ringText("k1"))), "secret.wav", b)
	stored, err := os.ReadFile(filepath.Join(dir, "secret.wav"))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at+16 < len(b); at += 997 {
		if bytes.Contains(stored, b[at:at+16]) {
			t.Fatalf("what is stored holds the content from %d on", at)
		}
	}
}

func TestKeysAreChangedWithoutLosingWhatIsThere(t *testing.T) {
	in := files(t, t.TempDir())
	old, b := noise(1000), noise(2000)
	put(t, blob.Seal(in, ring(t, ringText("k1"))), "old", old)
	put(t, in, "plain", b)
	s := blob.Seal(in, ring(t, "# of this year\n\n"+ringText("k2", "k1")))
	put(t, s, "new", b)
	wantObject(t, s, "old", old)
	wantObject(t, s, "new", b)
	wantObject(t, s, "plain", b) // from before encryption was switched on
	parts(t, s)
	onlyNew := blob.Seal(in, ring(t, ringText("k2")))
	wantObject(t, onlyNew, "new", b)
	_, _, err := onlyNew.Get(t.Context(), "old")
	if wantKind(t, err, errs.Denied); err == nil || !strings.Contains(err.Error(), `"k1"`) {
		t.Errorf("the error does not name the key: %v", err)
	}
	// The same name with another key.
	other := strings.Replace(ringText("k3"), "k3 ", "k1 ", 1)
	_, err = blob.Seal(in, ring(t, other)).Stat(t.Context(), "old")
	wantKind(t, err, errs.Denied)
}

// TestWhatWasChangedIsFoundOut flips, cuts, swaps and moves.
func TestWhatWasChangedIsFoundOut(t *testing.T) {
	dir := t.TempDir()
	s := blob.Seal(files(t, dir), ring(t, ringText("k1")))
	b := noise(200_000)
	put(t, s, "victim", b)
	path := filepath.Join(dir, "victim")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(key string) error {
		r, _, getErr := s.Get(t.Context(), key)
		if getErr != nil {
			return getErr
		}
		_, copyErr := io.Copy(io.Discard, r)
		return errors.Join(copyErr, r.Close())
	}
	if err = read("victim"); err != nil {
		t.Fatal(err)
	}
	const head, chunk = 161, 64<<10 + 16
	changes := map[string]func(b []byte) []byte{
		"cut":       func(b []byte) []byte { return b[:len(b)-1] },
		"cut chunk": func(b []byte) []byte { return b[:head+chunk] },
		"cut head":  func(b []byte) []byte { return b[:100] },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"swapped": func(b []byte) []byte {
			first := bytes.Clone(b[head : head+chunk])
			copy(b[head:], b[head+chunk:head+2*chunk])
			copy(b[head+chunk:], first)
			return b
		},
	}
	for _, at := range []int{8, 9, 20, 41, 60, 101, 130, 160, head, head + chunk - 1, len(good) - 1} {
		changes["byte "+string(rune('0'+at%10))+" "+strings.Repeat("+", at%7)+string(rune('a'+len(changes)))] = func(b []byte) []byte { b[at] ^= 0x40; return b }
	}
	for name, change := range changes {
		if err = os.WriteFile(path, change(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err = read("victim"); err == nil {
			t.Errorf("%s: nobody noticed", name)
		}
	}
	if err = os.WriteFile(filepath.Join(dir, "elsewhere"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	wantKind(t, read("elsewhere"), errs.Denied) // a file in another's place
}

func TestBadKeyRingsAreRefusedWithoutShowingAKey(t *testing.T) {
	good := ringText("k1")
	key := strings.Fields(good)[1]
	for name, text := range map[string]string{
		"empty": "", "comments": "# a\n", "no key": "k1\n", "three": "k1 " + key + " x\n", "name": "k/1 " + key + "\n",
		"long name": strings.Repeat("k", 33) + " " + key, "short": "k1 " + key[:20] + "\n", "no base64": "k1 " + key[:43] + "!\n", "twice": good + good,
	} {
		_, err := blob.ParseKeyRing(text)
		if wantKind(t, err, errs.Invalid); err != nil && strings.Contains(err.Error(), key[:20]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func FuzzEncryptedObject(f *testing.F) {
	dir := f.TempDir()
	in, err := blob.NewFiles(dir)
	if err != nil {
		f.Fatal(err)
	}
	k, err := blob.ParseKeyRing(ringText("k1"))
	if err != nil {
		f.Fatal(err)
	}
	s := blob.Seal(in, k)
	b := noise(1000)
	if err = s.Put(f.Context(), "x", bytes.NewReader(b), 1000, sum(b)); err != nil {
		f.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add(stored[:161])
	f.Add([]byte("ULSEAL1\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, object []byte) {
		if err := os.WriteFile(filepath.Join(dir, "x"), object, 0o600); err != nil {
			t.Fatal(err)
		}
		r, info, err := s.Open(t.Context(), "x")
		if err != nil {
			return
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		if err == nil && int64(len(got)) != info.Size {
			t.Fatalf("%d bytes, %d were announced", len(got), info.Size)
		}
	})
}
