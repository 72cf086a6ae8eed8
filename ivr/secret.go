package ivr

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Stored input is encrypted to a public key (InputEncryption): what is kept, shown and sent is a JSON Web Encryption in
// its compact form (RFC 7516 §7.1), which every language has a library for. Only the holder of the private key can read
// it; ullim never has that key. The header's kid is the flow's EncryptionKeyId.
//
//	RSA key (2048 bits or more)         alg RSA-OAEP-256 (RFC 7518 §4.3), enc A256GCM
//	EC key on P-256, P-384 or P-521     alg ECDH-ES (RFC 7518 §4.6), enc A256GCM
const (
	contentEncryption = "A256GCM"
	contentKeyBytes   = 32
	minRSABits        = 2048
	maxKeyText        = 16 << 10
)

// sealKey is a public key that input can be encrypted to: one of the two.
type sealKey struct {
	rsa *rsa.PublicKey
	ec  *ecdh.PublicKey
	crv string // name of the curve
}

// parseSealKey reads a public key in PEM: a certificate (as Connect has it), a SubjectPublicKeyInfo, or an RSA key of
// PKCS #1. The line ends may be missing, as they are where the PEM has been an attribute.
func parseSealKey(text string) (sealKey, error) {
	if len(text) > maxKeyText {
		return sealKey{}, errors.New("is too long for a public key")
	}
	block, _ := pem.Decode([]byte(withLines(text)))
	if block == nil {
		return sealKey{}, errors.New("is not a public key in PEM")
	}
	var (
		key any
		err error
	)
	switch block.Type {
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return sealKey{}, fmt.Errorf("is a %.40s, a public key or a certificate is needed", block.Type)
	}
	if err != nil {
		return sealKey{}, fmt.Errorf("cannot be read as a public key: %w", err)
	}
	return usableKey(key)
}

// withLines puts the lines of a PEM back: attributes and forms lose them, or spell them.
func withLines(text string) string {
	const rule = "-----"
	parts := strings.Split(strings.ReplaceAll(text, `\n`, "\n"), rule)
	if len(parts) != 5 {
		return text
	}
	body := strings.Join(strings.Fields(parts[2]), "")
	return rule + parts[1] + rule + "\n" + body + "\n" + rule + parts[3] + rule + "\n"
}

func usableKey(key any) (sealKey, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return sealKey{}, fmt.Errorf("has %d bits, an RSA key needs at least %d", key.N.BitLen(), minRSABits)
		}
		return sealKey{rsa: key}, nil
	case *ecdsa.PublicKey:
		k, err := key.ECDH()
		if err != nil || !slices.Contains([]string{"P-256", "P-384", "P-521"}, key.Curve.Params().Name) {
			return sealKey{}, errors.New("must be an elliptic curve key on P-256, P-384 or P-521")
		}
		return sealKey{ec: k, crv: key.Curve.Params().Name}, nil
	}
	return sealKey{}, errors.New("must be an RSA or an elliptic curve key")
}

// jweHeader is the protected header (RFC 7516 §4.1).
type jweHeader struct {
	Alg string `json:"alg"`
	Enc string `json:"enc"`
	Kid string `json:"kid,omitempty"`
	Epk *jwk   `json:"epk,omitempty"`
}

// jwk is an elliptic curve public key (RFC 7518 §6.2).
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// seal encrypts text to the key, as a compact JWE.
func (k sealKey) seal(keyID, text string) (string, error) {
	header := jweHeader{Enc: contentEncryption, Kid: keyID}
	var content, wrapped []byte
	switch {
	case k.rsa != nil:
		header.Alg, content = "RSA-OAEP-256", make([]byte, contentKeyBytes)
		if _, err := rand.Read(content); err != nil {
			return "", err
		}
		var err error
		if wrapped, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, k.rsa, content, nil); err != nil {
			return "", err
		}
	case k.ec != nil:
		ephemeral, err := k.ec.Curve().GenerateKey(rand.Reader)
		if err != nil {
			return "", err
		}
		secret, err := ephemeral.ECDH(k.ec)
		if err != nil {
			return "", err
		}
		header.Alg, header.Epk = "ECDH-ES", k.ephemeral(ephemeral.PublicKey())
		content = concatKDF(secret, contentEncryption, "", "", contentKeyBytes) // direct: there is no wrapped key
	default:
		return "", errors.New("ivr: there is no key to encrypt to")
	}
	return sealed(header, content, wrapped, text)
}

// ephemeral is a key of ours as a JWK: an uncompressed point is 4, X, Y (SEC 1 §2.3.3).
func (k sealKey) ephemeral(p *ecdh.PublicKey) *jwk {
	point := p.Bytes()[1:]
	half := len(point) / 2
	return &jwk{Kty: "EC", Crv: k.crv, X: b64(point[:half]), Y: b64(point[half:])}
}

func sealed(header jweHeader, content, wrapped []byte, text string) (string, error) {
	protected, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(content)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	head := b64(protected)
	out := gcm.Seal(nil, nonce, []byte(text), []byte(head))
	body, tag := out[:len(out)-gcm.Overhead()], out[len(out)-gcm.Overhead():]
	return head + "." + b64(wrapped) + "." + b64(nonce) + "." + b64(body) + "." + b64(tag), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// concatKDF derives a key from an agreed secret (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.1). size is at most 32.
func concatKDF(secret []byte, algorithm, apu, apv string, size int) []byte {
	h := sha256.New()
	number := func(n int) { _ = binary.Write(h, binary.BigEndian, uint32(n)) } //nolint:gosec // lengths of short texts
	number(1)                                                                  // one round gives 32 bytes
	h.Write(secret)
	for _, part := range []string{algorithm, apu, apv} {
		number(len(part))
		h.Write([]byte(part))
	}
	number(size * 8)
	return h.Sum(nil)[:size]
}
