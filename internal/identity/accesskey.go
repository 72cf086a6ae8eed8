package identity

import (
	"crypto/sha256"
	"encoding/hex"

	"ullim/internal/resource"
)

const (
	keyIDPrefix = "AKIA"
	tokenPrefix = "ulm_"
)

// NewKey is a fresh access key with what is shown to its owner exactly once.
type NewKey struct {
	Key    *AccessKey // to be stored; Secret is sealed
	ID     string     // AKIA and 16 characters
	Secret string     // 40 characters
	Token  string     // bearer token
}

// NewAccessKey makes an access key of a user: an id and a secret in the form of AWS, so that every client accepts them,
// and a bearer token of 240 random bits, of which only the hash is kept.
func NewAccessKey(s *Sealer, instanceID, userID string) (*NewKey, error) {
	id, err := randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
	if err != nil {
		return nil, err
	}
	id = keyIDPrefix + id
	const secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	secret, err := randomText(secretLetters, 40)
	if err != nil {
		return nil, err
	}
	token, err := randomText(secretLetters[:62], 43)
	if err != nil {
		return nil, err
	}
	token = tokenPrefix + token
	sealed, err := s.Seal(id, secret)
	if err != nil {
		return nil, err
	}
	key := &AccessKey{
		Meta:   resource.Meta{InstanceID: instanceID, Name: id},
		UserID: userID, Secret: sealed, TokenSHA256: TokenHash(token),
	}
	return &NewKey{Key: key, ID: id, Secret: secret, Token: token}, nil
}

// TokenHash is the SHA-256 of a bearer token in hexadecimal: what is stored and looked up.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func validKeyID(id string) bool { return matches(`^AKIA[A-Z2-7]{16}$`, id) }
