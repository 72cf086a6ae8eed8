package sdp

import (
	"strconv"
	"strings"

	"ullim/media/srtp"
)

// Limits of what protects a stream, per m-line; what is more is not read.
const (
	maxCrypto       = 16
	maxFingerprints = 8
	maxCredential   = 256 // RFC 8839 §5.4
)

// Crypto is one a=crypto line: a key, and how to use it. Printing it does not show the key.
type Crypto struct {
	Tag uint32
	Key srtp.Key
}

// Fingerprint is a hash of a certificate, as a=fingerprint has it.
type Fingerprint struct {
	Hash  string // in lower case: sha-256
	Value string // in upper case: AB:CD:...
}

// Setup is who begins the DTLS handshake.
type Setup int

// Setups. As an answer ActPass means nothing.
const (
	NoSetup Setup = iota
	ActPass
	Active // the one who wrote it begins
	Passive
)

// String is the attribute's value.
func (s Setup) String() string {
	switch s {
	case ActPass:
		return "actpass"
	case Active:
		return "active"
	case Passive:
		return "passive"
	case NoSetup:
	}
	return ""
}

// security reads what DTLS-SRTP, ICE and SDES have to say. What cannot be read is as if it were not there: it protects
// nothing, and the policy sees that.
func (p *parser) security(at *Media, name, value string) {
	value = strings.TrimSpace(value)
	switch name {
	case "fingerprint":
		hash, text, ok := strings.Cut(value, " ")
		f := Fingerprint{strings.ToLower(hash), strings.ToUpper(strings.TrimSpace(text))}
		if p.media != nil && len(at.Fingerprints) > 0 && sameList(at.Fingerprints, p.session.Fingerprints) {
			at.Fingerprints = nil // RFC 8122 §5: the media level takes the place of the session level
		}
		if ok && token(f.Hash) && hexBytes(f.Value) && len(at.Fingerprints) < maxFingerprints {
			at.Fingerprints = append(at.Fingerprints, f)
		}
	case "setup":
		switch strings.ToLower(value) {
		case "actpass":
			at.Setup = ActPass
		case "active":
			at.Setup = Active
		case "passive":
			at.Setup = Passive
		}
	case "tls-id":
		if len(value) <= maxCredential {
			at.TLSID = value
		}
	case "ice-ufrag":
		if len(value) >= 4 && iceChars(value) {
			at.Ufrag = value
		}
	case "ice-pwd":
		if len(value) >= 22 && iceChars(value) {
			at.Pwd = value
		}
	case "ice-lite":
		if p.media == nil {
			at.Lite = true
		}
	case "crypto":
		if p.media == nil || len(at.Crypto) >= maxCrypto { // RFC 4568 §5.1: media level only
			return
		}
		if c, ok := parseCrypto(value); ok {
			at.Crypto = append(at.Crypto, c)
		}
	}
}

func sameList(a, b []Fingerprint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// hexBytes reports whether s is AB:CD:..., of 16 to 64 bytes.
func hexBytes(s string) bool {
	if n := (len(s) + 1) / 3; len(s)%3 != 2 || n < 16 || n > 64 {
		return false
	}
	for i, c := range []byte(s) {
		if i%3 == 2 {
			if c != ':' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// iceChars are those of RFC 8839 §5.4.
func iceChars(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '/':
		case c == '-' || c == '_' || c == '=': // seen, and harmless
		default:
			return false
		}
	}
	return len(s) <= maxCredential
}

// parseCrypto reads <tag> <suite> inline:<key>[|lifetime][|MKI:length][;inline:...] [parameters] (RFC 4568 §9.1). False:
// not understood, or with a parameter that would have to be obeyed and is not (§6.3: such a line is not to be chosen).
func parseCrypto(value string) (Crypto, bool) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return Crypto{}, false
	}
	tag, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || len(f[0]) > 9 {
		return Crypto{}, false
	}
	suite, ok := srtp.ParseSuite(f[1])
	if !ok {
		return Crypto{}, false
	}
	for _, parameter := range f[3:] {
		if !harmless(parameter) {
			return Crypto{}, false
		}
	}
	first, _, _ := strings.Cut(f[2], ";") // of several keys the first is the one that is used first
	inline, ok := strings.CutPrefix(first, "inline:")
	if !ok {
		return Crypto{}, false
	}
	parts := strings.Split(inline, "|")
	mki := ""
	for _, part := range parts[1:] { // a lifetime, as 2^20, is longer than any call
		id, length, ok := strings.Cut(part, ":")
		if !ok {
			continue
		}
		if mki, ok = identifier(id, length); !ok {
			return Crypto{}, false
		}
	}
	key, err := srtp.ParseKey(suite, parts[0], mki)
	return Crypto{uint32(tag), key}, err == nil
}

// identifier is a master key identifier as the packets carry it: a number of so many bytes, in network order.
func identifier(id, length string) (string, bool) {
	n, err := strconv.ParseUint(length, 10, 8)
	if err != nil || n == 0 || n > 16 {
		return "", false
	}
	v, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n < 8 && v>>(8*n) != 0 {
		return "", false
	}
	b := make([]byte, n)
	for i := len(b) - 1; i >= 0 && v > 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
	return string(b), true
}

// harmless reports whether a session parameter changes nothing for us: WSH is a wish, KDR=0 the default, and what begins
// with "-" is optional (RFC 4568 §6.3).
func harmless(parameter string) bool {
	return strings.HasPrefix(parameter, "WSH=") || parameter == "KDR=0" || strings.HasPrefix(parameter, "-")
}
