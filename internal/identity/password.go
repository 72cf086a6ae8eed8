package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/argon2"

	"ullim/internal/errs"
)

// Parameters of argon2id (RFC 9106): about 50 ms on one core, 19 MiB. A stored hash carries its own, so that these
// may change without a migration.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
	// What a stored hash may ask of us: a row that somebody edited must not take the machine's memory.
	argonMaxTime   = 10
	argonMaxMemory = 256 << 10
)

// HashPassword gives the argon2id hash of a password in the usual encoded form,
// "$argon2id$v=19$m=19456,t=2,p=1$salt$key".
func HashPassword(password string) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("identity: random salt: %w", err)
	}
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// CheckPassword reports whether password is the one that encoded was made of, in time that does not depend on where
// they differ. An empty or damaged hash matches nothing, after the same work, so that a user without a password, or no
// user at all, cannot be told from a wrong password.
func CheckPassword(encoded, password string) bool {
	h, ok := parseHash(encoded)
	if !ok {
		h = argonHash{time: argonTime, memory: argonMemory, threads: argonThreads, salt: make([]byte, argonSalt)}
		h.key = make([]byte, argonKey)
	}
	got := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key))) // bounded by parseHash
	return subtle.ConstantTimeCompare(got, h.key) == 1 && ok
}

type argonHash struct {
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

func parseHash(encoded string) (argonHash, bool) {
	var h argonHash
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil {
		return h, false
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	ok := err1 == nil && err2 == nil && h.time >= 1 && h.time <= argonMaxTime && h.memory >= 8 &&
		h.memory <= argonMaxMemory && h.threads >= 1 && len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.key) >= 16 &&
		len(h.key) <= 64
	return h, ok
}

// CheckNewPassword is the rule for passwords that people choose, as in the Connect API: 8 to 64 characters without
// spaces, with a small letter, a capital letter and a digit.
func CheckNewPassword(password string) error {
	if n := len([]rune(password)); n < 8 || n > 64 {
		return errs.Field("Password", "must have 8 to 64 characters")
	}
	var lower, upper, digit bool
	for _, r := range password {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return errs.Field("Password", "must not hold spaces")
		case r >= 'a' && r <= 'z':
			lower = true
		case r >= 'A' && r <= 'Z':
			upper = true
		case r >= '0' && r <= '9':
			digit = true
		}
	}
	if !lower || !upper || !digit {
		return errs.Field("Password", "must hold a small letter, a capital letter and a digit")
	}
	return nil
}

// NewPassword is a random password of 24 characters (more than 130 bits) that is easy to read aloud: no 0 and O, no
// 1, l and I. It satisfies CheckNewPassword.
func NewPassword() (string, error) {
	const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	for {
		s, err := randomText(letters, 24)
		if err != nil || CheckNewPassword(s) == nil {
			return s, err
		}
	}
}

// randomText gives n characters of an alphabet of at most 256, each as likely as the other.
func randomText(alphabet string, n int) (string, error) {
	out := make([]byte, 0, n)
	fair := 256 - 256%len(alphabet) // bytes from here on would favour the first characters
	buf := make([]byte, n)
	for len(out) < n {
		if _, err := rand.Read(buf); err != nil {
			return "", fmt.Errorf("identity: random text: %w", err)
		}
		for _, b := range buf {
			if int(b) < fair && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
