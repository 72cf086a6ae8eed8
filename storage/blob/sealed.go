package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"ullim/internal/errs"
)

// Sealed encrypts what another Store keeps: each object with a key of its own, which is wrapped by a key of the ring (see
// envelope.go). Sizes and checksums are those of the content. What was stored before encryption was switched on is read as
// it is.
type Sealed struct {
	in   Store
	ring *KeyRing
}

var _ Store = (*Sealed)(nil)

// Seal makes a Sealed.
func Seal(in Store, ring *KeyRing) *Sealed { return &Sealed{in, ring} }

// inMemory is the most that is kept of a source that can be read only once: what is stored must be known before it is.
const inMemory = 32 << 20

// lookAgain is how often an object that others replace is looked at before one gives up.
const lookAgain = 8

// Put implements Store. The source is read twice, so that the checksum of what is stored is known before it is sent.
func (s *Sealed) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	if err := checkPut(key, size, sum); err != nil {
		return err
	}
	source, ok := r.(io.ReadSeeker)
	if !ok {
		if size > inMemory {
			return errs.New(errs.Invalid, "blob: %s: %d bytes from a source that can be read only once are too many to encrypt", key, size)
		}
		all, err := io.ReadAll(newVerifier(ctx, r, key, size, sum))
		if err != nil {
			return err
		}
		source = bytes.NewReader(all)
	}
	begin, err := source.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	e, err := newEnvelope(s.ring, key, size, sum)
	if err != nil {
		return err
	}
	digest := sha256.New()
	if size == 0 { // nothing would be read of it
		if _, err = newVerifier(ctx, source, key, size, sum).Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return err
		}
		_, _ = digest.Write(e.head[:])
	} else if _, err = io.Copy(digest, e.sealing(newVerifier(ctx, source, key, size, sum))); err != nil {
		return err
	}
	if _, err = source.Seek(begin, io.SeekStart); err != nil {
		return err
	}
	err = s.in.Put(ctx, key, e.sealing(io.LimitReader(source, size)), e.stored(), hex.EncodeToString(digest.Sum(nil)))
	for try := 0; errs.Is(err, errs.Conflict) && try < lookAgain; try++ { // another worker has put the same, under a data key of its own
		info, statErr := s.Stat(ctx, key)
		switch {
		case statErr == nil && info.Size == size && info.SHA256 == sum:
			return nil
		case statErr == nil || ctx.Err() != nil:
			return err
		}
		time.Sleep(time.Duration(1+try) * 20 * time.Millisecond) // it is being replaced this moment
	}
	return err
}

// Get implements Store.
func (s *Sealed) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	body, info, err := s.Open(ctx, key)
	if err == nil && info.SHA256 == "" { // not encrypted
		if err = body.Close(); err == nil {
			return s.in.Get(ctx, key)
		}
	}
	return body, info, err
}

// Open implements Store.
func (s *Sealed) Open(ctx context.Context, key string) (io.ReadSeekCloser, Info, error) {
	body, info, err := s.in.Open(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	e, err := openEnvelope(s.ring, key, body)
	if errors.Is(err, errPlain) {
		if _, err = body.Seek(0, io.SeekStart); err == nil {
			info.SHA256 = ""
			return body, info, nil
		}
	}
	if err == nil && info.Size != e.stored() {
		err = errs.New(errs.Internal, "blob: %s: the encrypted file has %d bytes, not %d", key, info.Size, e.stored())
	}
	if err != nil {
		return nil, Info{}, errors.Join(err, body.Close())
	}
	info.Size, info.SHA256 = e.size, hex.EncodeToString(e.sum[:])
	return e.opening(key, body), info, nil
}

// Stat implements Store.
func (s *Sealed) Stat(ctx context.Context, key string) (Info, error) {
	body, info, err := s.Open(ctx, key)
	if err != nil {
		return Info{}, err
	}
	if err = body.Close(); err == nil && info.SHA256 == "" {
		return s.in.Stat(ctx, key)
	}
	return info, err
}

// Delete implements Store.
func (s *Sealed) Delete(ctx context.Context, key string) error { return s.in.Delete(ctx, key) }

// Erase implements Store.
func (s *Sealed) Erase(ctx context.Context, key string) error { return s.in.Erase(ctx, key) }
