package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"ullim/internal/errs"
)

// Headers of a delivery.
const (
	HeaderSignature = "Ullim-Signature" // t=<unix seconds>,v1=<hex>[,v1=<hex>]
	HeaderDelivery  = "Ullim-Delivery"  // an id, the same over all attempts
	HeaderAttempt   = "Ullim-Attempt"   // 1, 2 ...
)

// secretPrefix marks a secret of ours, for those who look for secrets in the wrong places.
const secretPrefix = "whsec_"

// NewSecret makes a secret of 256 random bits.
func NewSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// CheckSecret refuses a secret that could be guessed.
func CheckSecret(s string) error {
	if len(s) < 24 || len(s) > 256 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errs.Field("Secret", "must have 24 to 256 printable ASCII characters without spaces; leave it out and one is made")
	}
	return nil
}

// Sign gives the value of HeaderSignature: an HMAC-SHA256 of "<time>.<body>" by each of the secrets, the newest first.
// No secrets: empty.
func Sign(secrets []string, at time.Time, body []byte) string {
	if len(secrets) == 0 {
		return ""
	}
	t := strconv.FormatInt(at.Unix(), 10)
	var b strings.Builder
	b.WriteString("t=")
	b.WriteString(t)
	for _, s := range secrets {
		b.WriteString(",v1=")
		b.WriteString(hex.EncodeToString(mac(s, t, body)))
	}
	return b.String()
}

func mac(secret, t string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Verify is the receiver's side: one signature of the header must be by the secret, and its time within tolerance of now.
// errs.Denied.
func Verify(header, secret string, now time.Time, tolerance time.Duration, body []byte) error {
	bad := errs.New(errs.Denied, "the signature is not valid")
	t, rest, found := strings.Cut(header, ",")
	t, stamped := strings.CutPrefix(t, "t=")
	seconds, err := strconv.ParseInt(t, 10, 64)
	if !found || !stamped || err != nil || len(header) > 1024 {
		return bad
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > tolerance || d < -tolerance {
		return errs.New(errs.Denied, "the signature is too old, or of the future")
	}
	want := mac(secret, t, body)
	for part := range strings.SplitSeq(rest, ",") {
		text, ok := strings.CutPrefix(part, "v1=")
		if got, err := hex.DecodeString(text); ok && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return bad
}
