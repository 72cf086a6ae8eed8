package identity

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ullim/internal/errs"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	amzTime   = "20060102T150405Z"
	amzDay    = "20060102"

	// maxAuthorization bounds the Authorization header and each credential parameter of a presigned query.
	maxAuthorization = 4096
	maxPresign       = 7 * 24 * time.Hour
)

// credential is what a request says of who signed it.
type credential struct {
	keyID     string
	scope     string // 20261122/local/connect/aws4_request
	day       string
	region    string
	service   string
	signed    []string // names of the signed headers, lower case, sorted
	signature []byte
	date      time.Time
	expires   time.Duration // presigned only; 0 for the header form
	presigned bool
}

// parseAuthorization reads the header form:
//
//	AWS4-HMAC-SHA256 Credential=<key id>/<day>/<region>/<service>/aws4_request, SignedHeaders=a;b, Signature=<hex>
func parseAuthorization(header string) (*credential, error) {
	if len(header) > maxAuthorization {
		return nil, malformed("Authorization header is too long")
	}
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return nil, malformed("Authorization must be %s or Bearer", algorithm)
	}
	values := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found {
			return nil, malformed("Authorization header holds a part without =")
		}
		if _, twice := values[name]; twice {
			return nil, malformed("Authorization header names a part twice")
		}
		values[name] = value
	}
	if len(values) != 3 {
		return nil, malformed("Authorization header must have Credential, SignedHeaders and Signature")
	}
	c := &credential{}
	return c, c.fill(values["Credential"], values["SignedHeaders"], values["Signature"])
}

// parsePresigned reads the query form (X-Amz-Credential, ...).
func parsePresigned(q url.Values) (*credential, error) {
	one := func(name string) string {
		if v := q[name]; len(v) == 1 && len(v[0]) <= maxAuthorization {
			return v[0]
		}
		return ""
	}
	if one("X-Amz-Algorithm") != algorithm {
		return nil, malformed("X-Amz-Algorithm must be %s", algorithm)
	}
	c := &credential{presigned: true}
	if err := c.fill(one("X-Amz-Credential"), one("X-Amz-SignedHeaders"), one("X-Amz-Signature")); err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi(one("X-Amz-Expires"))
	if err != nil || seconds < 1 || seconds > int(maxPresign/time.Second) {
		return nil, malformed("X-Amz-Expires must be 1 to %d seconds", int(maxPresign/time.Second))
	}
	c.expires = time.Duration(seconds) * time.Second
	return c, c.setDate(one("X-Amz-Date"))
}

// fill checks the three parts that both forms share.
func (c *credential) fill(scope, signedHeaders, signature string) error {
	id, scope, _ := strings.Cut(scope, "/")
	parts := strings.Split(scope, "/")
	if !plainWord(id, 128) || len(parts) != 4 || len(parts[0]) != len(amzDay) || !plainWord(parts[1], 64) ||
		!plainWord(parts[2], 64) || parts[3] != "aws4_request" {
		return malformed("Credential must be <key id>/<date>/<region>/<service>/aws4_request")
	}
	c.keyID, c.scope = id, scope
	c.day, c.region, c.service = parts[0], parts[1], parts[2]

	c.signed = strings.Split(signedHeaders, ";")
	for _, name := range c.signed {
		if !plainWord(name, 256) || name != strings.ToLower(name) {
			return malformed("SignedHeaders must be header names in lower case, separated by ;")
		}
	}
	if !slices.IsSorted(c.signed) || len(slices.Compact(slices.Clone(c.signed))) != len(c.signed) {
		return malformed("SignedHeaders must be sorted, each once")
	}
	if !slices.Contains(c.signed, "host") {
		return malformed("the Host header must be signed")
	}
	sig, err := hex.DecodeString(signature)
	if err != nil || len(sig) != 32 {
		return malformed("Signature must be 64 hexadecimal digits")
	}
	c.signature = sig
	return nil
}

func (c *credential) setDate(text string) error {
	t, err := time.Parse(amzTime, text)
	if err != nil {
		return malformed("X-Amz-Date must be like 20260102T150405Z")
	}
	if t.Format(amzDay) != c.day {
		return malformed("the date of the credential scope is not that of X-Amz-Date")
	}
	c.date = t
	return nil
}

// finishHeaderForm adds the date of the header form, and insists that what decides is signed.
func (c *credential) finishHeaderForm(h http.Header) error {
	dates := h.Values("X-Amz-Date")
	if len(dates) != 1 {
		return malformed("X-Amz-Date is required, once")
	}
	if !slices.Contains(c.signed, "x-amz-date") {
		return malformed("X-Amz-Date must be signed")
	}
	return c.setDate(dates[0])
}

// plainWord reports whether s is 1 to most of letters, digits and -_. (key ids, regions, services, header names).
func plainWord(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func malformed(format string, args ...any) error {
	return errs.Wrap(ErrMalformed, errs.Unauthenticated, format, args...)
}
