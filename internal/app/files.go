package app

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// digestOf gives size and SHA-256 (hexadecimal) of what is left of f, and goes back to the beginning.
func digestOf(f io.ReadSeeker) (int64, string, error) {
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return 0, "", err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}
