package blob

import (
	"strings"

	"ullim/internal/errs"
)

// Bounds of a key: S3 takes 1,024 bytes, file systems 255 bytes for a name.
const (
	maxKey  = 1024
	maxPart = 255
)

// checkKey makes sure that a key is a clean relative path of ordinary characters. Keys are made by us, so anything else
// is a mistake, or somebody's attempt to leave the folder.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return errs.New(errs.Invalid, "blob: a key must have 1 to %d bytes; has %d", maxKey, len(key))
	}
	for part := range strings.SplitSeq(key, "/") {
		switch {
		case part == "":
			return errs.New(errs.Invalid, "blob: key %q has an empty part", key)
		case strings.HasPrefix(part, "."):
			// Also keeps temporary files and "..", "." out.
			return errs.New(errs.Invalid, "blob: a part of key %q begins with a dot", key)
		case len(part) > maxPart:
			return errs.New(errs.Invalid, "blob: a part of key %q has more than %d bytes", key, maxPart)
		}
	}
	for _, c := range []byte(key) {
		// '.', '-' and '_' of course, ':' in the time of a recording, '/' between parts, '=' and '+' in base64.
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._-:/=+@", c) >= 0:
		default:
			return errs.New(errs.Invalid, "blob: key %q has the byte %#x", key, c)
		}
	}
	return nil
}

// checkPut makes sure that an object can be what it is said to be: the checksum is 64 hexadecimal digits in lower case.
func checkPut(key string, size int64, sum string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if size < 0 {
		return errs.New(errs.Invalid, "blob: %s: a size of %d bytes", key, size)
	}
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return errs.New(errs.Invalid, "blob: SHA-256 must be 64 hexadecimal digits; is %q", sum)
	}
	return nil
}
