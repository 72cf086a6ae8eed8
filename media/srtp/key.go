package srtp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"strings"

	pion "github.com/pion/srtp/v3"

	"ullim/internal/errs"
)

// Suite is a transform: how packets are encrypted and authenticated.
type Suite uint8

// Suites. The number is that of RFC 5764 §4.1.2 and RFC 7714 §14.2, where it has one.
const (
	None                    Suite = 0
	AES_CM_128_HMAC_SHA1_80 Suite = 0x01 //nolint:revive // the name of RFC 4568
	AES_CM_128_HMAC_SHA1_32 Suite = 0x02 //nolint:revive // the name of RFC 4568
	AES_256_CM_HMAC_SHA1_80 Suite = 0x03 //nolint:revive // the name of RFC 6188
	AES_256_CM_HMAC_SHA1_32 Suite = 0x04 //nolint:revive // the name of RFC 6188
	AEAD_AES_128_GCM        Suite = 0x07 //nolint:revive // the name of RFC 7714
	AEAD_AES_256_GCM        Suite = 0x08 //nolint:revive // the name of RFC 7714
)

// Suites are all suites that can be taken, the cheapest first.
func Suites() []Suite {
	return []Suite{
		AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, AEAD_AES_256_GCM, AES_256_CM_HMAC_SHA1_80,
		AES_CM_128_HMAC_SHA1_32, AES_256_CM_HMAC_SHA1_32,
	}
}

// ParseSuite finds a suite by its name in SDP.
func ParseSuite(name string) (Suite, bool) {
	for _, s := range Suites() {
		if strings.EqualFold(name, s.String()) {
			return s, true
		}
	}
	return None, false
}

// String is the name in SDP; empty for None.
func (s Suite) String() string {
	switch s {
	case AES_CM_128_HMAC_SHA1_80:
		return "AES_CM_128_HMAC_SHA1_80"
	case AES_CM_128_HMAC_SHA1_32:
		return "AES_CM_128_HMAC_SHA1_32"
	case AES_256_CM_HMAC_SHA1_80:
		return "AES_256_CM_HMAC_SHA1_80"
	case AES_256_CM_HMAC_SHA1_32:
		return "AES_256_CM_HMAC_SHA1_32"
	case AEAD_AES_128_GCM:
		return "AEAD_AES_128_GCM"
	case AEAD_AES_256_GCM:
		return "AEAD_AES_256_GCM"
	case None:
	}
	return ""
}

// lengths are those of the master key and the master salt, in bytes.
func (s Suite) lengths() (key, salt int) {
	switch s {
	case AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32:
		return 16, 14 // RFC 3711 §8.2
	case AES_256_CM_HMAC_SHA1_80, AES_256_CM_HMAC_SHA1_32:
		return 32, 14 // RFC 6188 §7
	case AEAD_AES_128_GCM:
		return 16, 12 // RFC 7714 §12
	case AEAD_AES_256_GCM:
		return 32, 12
	case None:
	}
	return 0, 0
}

// maxMaterial is the longest master key with its salt.
const maxMaterial = 32 + 14

// maxMKI is the longest master key identifier that is taken (RFC 3711 allows 255; nobody sends more than 4).
const maxMKI = 16

// Key is a master key with its salt. It hides its material from everything that prints: the material is behind a
// pointer, so also a struct that holds a Key prints an address at most.
type Key struct {
	suite    Suite
	material *[maxMaterial]byte
	mki      string // that the packets carry; empty: none
}

// NewKey makes a random key.
func NewKey(s Suite) Key {
	k := Key{suite: s, material: new([maxMaterial]byte)}
	_, _ = rand.Read(k.bytes()) // never fails
	return k
}

// ParseKey reads the base64 of a master key and its salt as SDP has it, padded or not. errs.Invalid: the wrong length,
// or no base64; the text is not repeated.
func ParseKey(s Suite, inline, mki string) (Key, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(inline, "="))
	if err != nil {
		return Key{}, errs.New(errs.Invalid, "SRTP: the key of %s is no base64", s)
	}
	return keyOf(s, b, mki)
}

func keyOf(s Suite, material []byte, mki string) (Key, error) {
	key, salt := s.lengths()
	if key == 0 || len(material) != key+salt {
		return Key{}, errs.New(errs.Invalid, "SRTP: the key of %s has %d bytes and must have %d", s, len(material), key+salt)
	}
	if len(mki) > maxMKI {
		return Key{}, errs.New(errs.Invalid, "SRTP: a key identifier of %d bytes, at most %d are taken", len(mki), maxMKI)
	}
	k := Key{suite: s, material: new([maxMaterial]byte), mki: mki}
	copy(k.bytes(), material)
	return k, nil
}

// DTLSKeys are the keys of both directions out of what a DTLS handshake exported (RFC 5764 §4.2): first both master keys,
// then both salts.
func DTLSKeys(s Suite, exported []byte) (client, server Key, err error) {
	key, salt := s.lengths()
	if key == 0 || len(exported) != 2*(key+salt) {
		return Key{}, Key{}, errs.New(errs.Invalid, "SRTP: %d bytes were exported for %q, must be %d", len(exported), s, 2*(key+salt))
	}
	join := func(n int) Key {
		k := Key{suite: s, material: new([maxMaterial]byte)}
		copy(k.material[:key], exported[n*key:])
		copy(k.material[key:key+salt], exported[2*key+n*salt:])
		return k
	}
	return join(0), join(1), nil
}

// Exported is how many bytes a DTLS handshake must export for a suite.
func (s Suite) Exported() int {
	key, salt := s.lengths()
	return 2 * (key + salt)
}

func (k Key) bytes() []byte {
	key, salt := k.suite.lengths()
	return k.material[:key+salt]
}

// Suite is what the key is for; None for the zero Key.
func (k Key) Suite() Suite { return k.suite }

// Equal compares in constant time.
func (k Key) Equal(other Key) bool {
	if k.suite != other.suite || k.mki != other.mki {
		return false
	}
	return k.suite == None || subtle.ConstantTimeCompare(k.bytes(), other.bytes()) == 1
}

// Inline is the key as SDP writes it. The only way out.
func (k Key) Inline() string {
	if k.suite == None {
		return ""
	}
	return base64.StdEncoding.EncodeToString(k.bytes())
}

// String hides the key.
func (k Key) String() string {
	if k.suite == None {
		return "(none)"
	}
	return k.suite.String() + " (secret)"
}

// GoString hides the key from %#v.
func (k Key) GoString() string { return "srtp.Key{" + k.String() + "}" }

// LogValue hides the key from logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText hides the key from everything that encodes.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// replayWindow is how far behind the newest a packet may be (RFC 3711 §3.3.2 asks for 64 at least).
const replayWindow = 128

// context makes the transform of one direction. replay is set for what comes in.
func (k Key) context(replay bool) (*pion.Context, error) {
	if k.suite == None {
		return nil, errs.New(errs.Invalid, "SRTP: no key")
	}
	var options []pion.ContextOption
	if replay {
		options = append(options, pion.SRTPReplayProtection(replayWindow), pion.SRTCPReplayProtection(replayWindow))
	}
	if k.mki != "" {
		options = append(options, pion.MasterKeyIndicator([]byte(k.mki)))
	}
	key, salt := k.suite.lengths()
	c, err := pion.CreateContext(k.material[:key], k.material[key:key+salt], pion.ProtectionProfile(k.suite), options...)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "SRTP: the key of %s cannot be used", k.suite)
	}
	return c, nil
}
