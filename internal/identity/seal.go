package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrSealed is for a sealed secret that cannot be opened: another server key, another owner, or damaged.
var ErrSealed = errors.New("identity: sealed secret cannot be opened")

// sealedPrefix names the form, so that a later form can be told apart.
const sealedPrefix = "sealed:v1:"

// Sealer encrypts secrets that must be kept readable (an access key's secret is needed to check a signature) with the
// server's key: AES-256-GCM, a random nonce each, the owner's name as additional data, so that a sealed secret copied
// to another row does not open.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a Sealer of a key of at least 32 bytes from the data folder.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) < 32 {
		return nil, fmt.Errorf("identity: server key must have at least 32 bytes, has %d", len(key))
	}
	sum := sha256.Sum256(append([]byte("ullim secret seal v1\x00"), key...))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, fmt.Errorf("identity: server key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("identity: server key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts a secret for its owner (for an access key: its id).
func (s *Sealer) Seal(owner, secret string) (string, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("identity: random nonce: %w", err)
	}
	box := s.aead.Seal(nonce, nonce, []byte(secret), []byte(owner))
	return sealedPrefix + base64.RawStdEncoding.EncodeToString(box), nil
}

// Open decrypts what Seal made for the same owner. ErrSealed.
func (s *Sealer) Open(owner, sealed string) (string, error) {
	text, ok := strings.CutPrefix(sealed, sealedPrefix)
	if !ok {
		return "", ErrSealed
	}
	box, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(box) < s.aead.NonceSize() {
		return "", ErrSealed
	}
	n := s.aead.NonceSize()
	secret, err := s.aead.Open(nil, box[:n], box[n:], []byte(owner))
	if err != nil {
		return "", ErrSealed
	}
	return string(secret), nil
}
