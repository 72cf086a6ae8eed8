package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// RawPath is the path of a request as it stood in the request line, still escaped: what the client signed, and so also
// what must be routed by.
func RawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// canonicalRequest is the text of which a signature is made (AWS Signature Version 4, "Create a canonical request").
func canonicalRequest(r *http.Request, c *credential, query url.Values, payloadHash string) (string, error) {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	// Services other than S3 escape the path, which is escaped already, once more.
	b.WriteString(escape(RawPath(r), "/"))
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(query))
	b.WriteByte('\n')
	for _, name := range c.signed {
		values, err := signedValues(r, name)
		if err != nil {
			return "", err
		}
		b.WriteString(name)
		b.WriteByte(':')
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(squeeze(v))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.signed, ";"))
	b.WriteByte('\n')
	b.WriteString(payloadHash)
	return b.String(), nil
}

// signedValues are the values of a header that the client says it signed. net/http keeps two of them elsewhere.
func signedValues(r *http.Request, name string) ([]string, error) {
	switch name {
	case "host":
		return []string{r.Host}, nil
	case "content-length":
		if r.ContentLength >= 0 {
			return []string{strconv.FormatInt(r.ContentLength, 10)}, nil
		}
	}
	values := r.Header.Values(name)
	if len(values) == 0 {
		return nil, malformed("signed header %s is missing", name)
	}
	return values, nil
}

// squeeze trims a header value and makes runs of spaces one.
func squeeze(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	space := false
	for i := range len(s) {
		if s[i] != ' ' || !space {
			b.WriteByte(s[i])
		}
		space = s[i] == ' '
	}
	return b.String()
}

// canonicalQuery sorts the parameters by escaped name, then by escaped value, without the signature itself.
func canonicalQuery(query url.Values) string {
	type pair struct{ name, value string }
	var pairs []pair
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, pair{escape(name, ""), escape(v, "")})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if d := strings.Compare(a.name, b.name); d != 0 {
			return d
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// escape percent-encodes all but the unreserved characters of RFC 3986 §2.3 and those of keep.
func escape(s, keep string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' ||
			c == '~' || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

// sign makes the signature of a canonical request with a secret.
func sign(secret string, c *credential, canonical string) []byte {
	sum := sha256.Sum256([]byte(canonical))
	text := algorithm + "\n" + c.date.Format(amzTime) + "\n" + c.scope + "\n" + hex.EncodeToString(sum[:])
	key := mac([]byte("AWS4"+secret), c.day)
	key = mac(key, c.region)
	key = mac(key, c.service)
	key = mac(key, "aws4_request")
	return mac(key, text)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
