package blob

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"

	"ullim/internal/errs"
)

// An encrypted object:
//
//	magic       8  "ULSEAL1\n"
//	key id     33  length, name of the key that wraps, padded with zeros
//	nonce      12  of the wrapping
//	data key   48  AES-256-GCM by the wrapping key, bound to magic, key id and the object's key
//	about      60  AES-256-GCM by the data key: size of the content (8), its SHA-256 (32), size of a chunk (4)
//	chunks         AES-256-GCM by the data key: 64 KiB of content and 16 bytes of tag each, the last one shorter
//
// The nonce of a chunk is its number, that of about the highest number there is: a data key is used for one object. Since the
// size is sealed, an object that was cut off is found out; since a chunk stands at a place that can be computed, any part can
// be read alone.
const (
	sealMagic  = "ULSEAL1\n"
	nonceSize  = 12
	tagSize    = 16
	wrappedAt  = 8 + 1 + idSize
	aboutAt    = wrappedAt + nonceSize + keySize + tagSize
	aboutSize  = 8 + 32 + 4
	headSize   = aboutAt + aboutSize + tagSize
	chunkSize  = 64 << 10
	sealedSize = chunkSize + tagSize
)

// envelope is an object's head, opened or made.
type envelope struct {
	aead cipher.AEAD // of the data key
	size int64       // of the content
	sum  [32]byte
	head [headSize]byte
}

func chunkNonce(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, nonceSize), n) }

// aboutNonce is that of the sealed facts.
const aboutNonce = ^uint64(0)

// newEnvelope makes a data key and the head for content of a size and checksum.
func newEnvelope(ring *KeyRing, key string, size int64, sum string) (*envelope, error) {
	e := &envelope{size: size}
	if n, err := hex.Decode(e.sum[:], []byte(sum)); err != nil || n != len(e.sum) {
		return nil, errs.New(errs.Invalid, "blob: SHA-256 must be 64 hexadecimal digits")
	}
	dataKey := make([]byte, keySize)
	_, _ = rand.Read(dataKey) // never fails: crypto/rand ends the program instead
	var err error
	if e.aead, err = newAEAD(dataKey); err != nil {
		return nil, err
	}
	copy(e.head[:], sealMagic)
	e.head[8] = byte(len(ring.current))
	copy(e.head[9:], ring.current)
	nonce := e.head[wrappedAt : wrappedAt+nonceSize]
	_, _ = rand.Read(nonce)
	_, wrapped := ring.wrap(nonce, dataKey, e.bound(key))
	copy(e.head[wrappedAt+nonceSize:], wrapped)
	about := binary.BigEndian.AppendUint64(nil, uint64(size))
	about = append(about, e.sum[:]...)
	about = binary.BigEndian.AppendUint32(about, chunkSize)
	copy(e.head[aboutAt:], e.aead.Seal(nil, chunkNonce(aboutNonce), about, nil))
	return e, nil
}

// bound is what the wrapped data key belongs to.
func (e *envelope) bound(key string) []byte {
	return append(append([]byte{}, e.head[:wrappedAt]...), key...)
}

// errPlain is of an object that is not encrypted: it was stored before encryption was switched on.
var errPlain = errors.New("blob: not encrypted")

// openEnvelope reads and opens the head of an object; errPlain if it has none.
func openEnvelope(ring *KeyRing, key string, r io.Reader) (*envelope, error) {
	e := &envelope{}
	n, err := io.ReadFull(r, e.head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if n < len(sealMagic) || string(e.head[:len(sealMagic)]) != sealMagic {
		return nil, errPlain
	}
	length := int(e.head[8])
	if n < headSize || length > idSize {
		return nil, errs.New(errs.Internal, "blob: %s: the head of the encrypted file is cut off or damaged", key)
	}
	wrapped := e.head[wrappedAt+nonceSize : aboutAt]
	dataKey, err := ring.unwrap(string(e.head[9:9+length]), e.head[wrappedAt:wrappedAt+nonceSize], wrapped, e.bound(key))
	if err != nil {
		return nil, err
	}
	if e.aead, err = newAEAD(dataKey); err != nil {
		return nil, err
	}
	about, err := e.aead.Open(nil, chunkNonce(aboutNonce), e.head[aboutAt:], nil)
	if err != nil || binary.BigEndian.Uint32(about[40:]) != chunkSize {
		return nil, errs.Wrap(err, errs.Internal, "blob: %s: the head of the encrypted file was changed", key)
	}
	e.size = int64(binary.BigEndian.Uint64(about))
	copy(e.sum[:], about[8:])
	if e.size < 0 {
		return nil, errs.New(errs.Internal, "blob: %s: the head of the encrypted file is damaged", key)
	}
	return e, nil
}

// stored is how many bytes the whole object has.
func (e *envelope) stored() int64 {
	chunks := (e.size + chunkSize - 1) / chunkSize
	return headSize + e.size + chunks*tagSize
}

// sealing is the object, as it is stored, of content that is read from a source.
type sealing struct {
	e      *envelope
	source io.Reader
	number uint64
	plain  []byte
	buffer []byte // of it, what is left to be given
	out    []byte
	err    error
}

func (e *envelope) sealing(source io.Reader) *sealing {
	return &sealing{e: e, source: source, plain: make([]byte, chunkSize), buffer: make([]byte, 0, sealedSize), out: e.head[:]}
}

// Read implements io.Reader.
func (s *sealing) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		n, err := io.ReadFull(s.source, s.plain)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			s.err = io.EOF
		case err != nil:
			s.err = err
		}
		if n > 0 && (s.err == nil || errors.Is(s.err, io.EOF)) {
			s.out = s.e.aead.Seal(s.buffer[:0], chunkNonce(s.number), s.plain[:n], nil)
			s.number++
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// opening is the content of an object, from any place on.
type opening struct {
	e      *envelope
	key    string
	source io.ReadSeekCloser
	at     int64 // in the content
	inside int64 // where the source stands; -1: unknown
	chunk  int64 // that plain holds; -1: none
	plain  []byte
	sealed []byte
}

var _ io.ReadSeekCloser = (*opening)(nil)

func (e *envelope) opening(key string, source io.ReadSeekCloser) *opening {
	return &opening{e: e, key: key, source: source, inside: headSize, chunk: -1, plain: make([]byte, 0, chunkSize), sealed: make([]byte, sealedSize)}
}

// Read implements io.Reader.
func (o *opening) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if o.at >= o.e.size {
		return 0, io.EOF
	}
	if want := o.at / chunkSize; want != o.chunk {
		if err := o.load(want); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain[o.at%chunkSize:])
	o.at += int64(n)
	return n, nil
}

// load opens one chunk.
func (o *opening) load(number int64) error {
	o.chunk = -1
	if place := headSize + number*sealedSize; place != o.inside {
		if _, err := o.source.Seek(place, io.SeekStart); err != nil {
			return err
		}
		o.inside = place
	}
	length := min(o.e.size-number*chunkSize, chunkSize) + tagSize
	if n, err := io.ReadFull(o.source, o.sealed[:length]); err != nil {
		o.inside = -1
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errs.New(errs.Internal, "blob: %s: the encrypted file is cut off in chunk %d after %d bytes", o.key, number, n)
		}
		return err
	}
	o.inside += length
	var err error
	if o.plain, err = o.e.aead.Open(o.plain[:0], chunkNonce(uint64(number)), o.sealed[:length], nil); err != nil {
		return errs.Wrap(err, errs.Internal, "blob: %s: chunk %d of the encrypted file was changed", o.key, number)
	}
	o.chunk = number
	return nil
}

// Seek implements io.Seeker.
func (o *opening) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.e.size
	}
	if offset < 0 {
		return 0, errs.New(errs.Invalid, "blob: %s: a place before the beginning", o.key)
	}
	o.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (o *opening) Close() error { return o.source.Close() }
