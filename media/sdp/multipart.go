package sdp

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// Limits of a multipart body (threat: bodies made to exhaust).
const (
	maxBody  = 64 << 10
	maxParts = 8
	maxDepth = 2
)

// Extract finds the description in the body of a SIP message: the body itself, or the first application/sdp part of a
// multipart body (RFC 5621 §3; O9). nil without an error: there is none. errs.Invalid: the body is broken, or beyond the limits.
func Extract(contentType string, body []byte) ([]byte, error) {
	return extract(contentType, body, 0)
}

func extract(contentType string, body []byte, depth int) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if len(body) > maxBody {
		return nil, invalid("a body of %d bytes, at most %d are read", len(body), maxBody)
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return nil, invalid("Content-Type cannot be read")
	case kind == "application/sdp":
		return body, nil
	case !strings.HasPrefix(kind, "multipart/"):
		return nil, nil
	case depth == maxDepth:
		return nil, invalid("multipart in multipart in multipart")
	case parameters["boundary"] == "" || len(parameters["boundary"]) > 70: // RFC 2046 §5.1.1
		return nil, invalid("multipart without a boundary")
	}
	r := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for n := 0; ; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, invalid("a part of the multipart body is broken")
		}
		if n == maxParts {
			return nil, invalid("more than %d parts", maxParts)
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, invalid("a part of the multipart body is broken")
		}
		kind := part.Header.Get("Content-Type")
		if kind == "" {
			continue // RFC 2046 §5.1: plain text
		}
		if found, err := extract(kind, b, depth+1); found != nil || err != nil {
			return found, err
		}
	}
}
