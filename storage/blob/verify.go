package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"ullim/internal/errs"
)

// verifier reads a source that must have so many bytes with this checksum. It gives the last bytes only when they are
// known to be right, so that who copies from it never completes an object that is wrong: not a file, and not a request
// to an object store either, which waits for as many bytes as were announced.
type verifier struct {
	r    io.Reader
	hash hash.Hash
	key  string
	left int64
	sum  string
	err  error // what every further Read gives
}

func newVerifier(ctx context.Context, r io.Reader, key string, size int64, sum string) *verifier {
	return &verifier{r: &contextReader{ctx.Err, r}, hash: sha256.New(), key: key, left: size, sum: sum}
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	var err error
	if v.left > 0 {
		n, err = v.r.Read(p[:min(int64(len(p)), v.left)])
		_, _ = v.hash.Write(p[:n]) // a hash never fails
		v.left -= int64(n)
	}
	switch {
	case v.left == 0:
		v.err = v.finish()
	case errors.Is(err, io.EOF):
		v.err = errs.New(errs.Invalid, "blob: %s: the source ends %d bytes too soon", v.key, v.left)
	case err != nil:
		v.err = err
	default:
		return n, nil
	}
	if errors.Is(v.err, io.EOF) {
		return n, io.EOF
	}
	return 0, v.err
}

// finish is io.EOF if all was right.
func (v *verifier) finish() error {
	var more [1]byte
	if n, err := io.ReadFull(v.r, more[:]); n > 0 {
		return errs.New(errs.Invalid, "blob: %s: the source is longer than was said", v.key)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.sum {
		return errs.New(errs.Invalid, "blob: %s: SHA-256 is %s, not %s", v.key, got, v.sum)
	}
	return io.EOF
}

// contextReader ends with its context: err is the context's Err.
type contextReader struct {
	err func() error
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
