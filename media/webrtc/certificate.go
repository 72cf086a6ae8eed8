package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"

	"ullim/internal/errs"
)

// Certificate is the one of this process. Nobody signed it: the far end knows it by the fingerprint in our SDP.
type Certificate struct {
	pair        tls.Certificate
	Fingerprint string // sha-256, as a=fingerprint writes it
}

// NewCertificate makes one: P-256, as RFC 8827 §6.5 asks of everybody. It says nothing about who we are.
func NewCertificate(now time.Time) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "no key for DTLS")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "no serial number for DTLS")
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0), // as long as any process runs
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "no certificate for DTLS")
	}
	hash := sha256.Sum256(der)
	return &Certificate{
		pair:        tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		Fingerprint: colons(hash[:]),
	}, nil
}

func colons(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		if i > 0 {
			s.WriteByte(':')
		}
		fmt.Fprintf(&s, "%02X", c)
	}
	return s.String()
}

// Fingerprint is one that their certificate may have.
type Fingerprint struct{ Hash, Value string }

// matches reports whether a certificate has one of the fingerprints (RFC 8122 §5.1). Hashes weaker than SHA-256 prove
// nothing any more.
func matches(der []byte, list []Fingerprint) bool {
	for _, f := range list {
		var sum []byte
		switch strings.ToLower(f.Hash) {
		case "sha-256":
			h := sha256.Sum256(der)
			sum = h[:]
		case "sha-384":
			h := sha512.Sum384(der)
			sum = h[:]
		case "sha-512":
			h := sha512.Sum512(der)
			sum = h[:]
		default:
			continue
		}
		if strings.EqualFold(colons(sum), f.Value) {
			return true
		}
	}
	return false
}
