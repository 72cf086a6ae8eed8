package blob

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"

	"ullim/internal/errs"
)

// KeyRing holds the keys that wrap data keys (Seal). New objects are wrapped with the first; the others open what was
// wrapped before. A key is changed by putting a new one before it, and taken out when nothing needs it any more.
type KeyRing struct {
	current string
	keys    map[string]cipher.AEAD
}

// keySize is that of AES-256.
const keySize = 32

// idSize is the room for the name of a key in the head of an object.
const idSize = 32

// ParseKeyRing reads lines "name base64-of-32-bytes", the current key first. Empty lines and those that begin with # are
// left out. Errors never hold a key.
func ParseKeyRing(text string) (*KeyRing, error) {
	ring := &KeyRing{keys: map[string]cipher.AEAD{}}
	line := 0
	for l := range strings.Lines(text) {
		line++
		fields := strings.Fields(l)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, errs.New(errs.Invalid, "line %d of the key ring must be a name and a key in base64", line)
		}
		id := fields[0]
		if len(id) > idSize || strings.Trim(strings.ToLower(id), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			return nil, errs.New(errs.Invalid, "line %d of the key ring: a name must have 1 to %d letters, digits, - _ or .", line, idSize)
		}
		raw, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil || len(raw) != keySize {
			return nil, errs.New(errs.Invalid, "line %d of the key ring: a key must be %d bytes in base64 (openssl rand -base64 %d)", line, keySize, keySize)
		}
		if _, twice := ring.keys[id]; twice {
			return nil, errs.New(errs.Invalid, "line %d of the key ring: %q is named twice", line, id)
		}
		aead, err := newAEAD(raw)
		if err != nil {
			return nil, err
		}
		if ring.current == "" {
			ring.current = id
		}
		ring.keys[id] = aead
	}
	if ring.current == "" {
		return nil, errs.New(errs.Invalid, "the key ring holds no key")
	}
	return ring, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// wrap seals a data key with the current key. bound is what the result is good for only.
func (k *KeyRing) wrap(nonce, dataKey, bound []byte) (id string, wrapped []byte) {
	return k.current, k.keys[k.current].Seal(nil, nonce, dataKey, bound)
}

// errNoKey is of an object whose key is not in the ring.
var errNoKey = errors.New("blob: the key ring does not hold the key")

// unwrap opens a data key.
func (k *KeyRing) unwrap(id string, nonce, wrapped, bound []byte) ([]byte, error) {
	aead := k.keys[id]
	if aead == nil {
		return nil, errs.Wrap(errNoKey, errs.Denied, "the file was encrypted with the key %q, which is not in the key ring", id)
	}
	key, err := aead.Open(nil, nonce, wrapped, bound)
	if err != nil {
		return nil, errs.Wrap(err, errs.Denied, "the file's data key does not open with the key %q: another key, or the file was moved or changed", id)
	}
	return key, nil
}
