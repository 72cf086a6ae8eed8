package config

import (
	"errors"
	"log/slog"
	"os"
	"strings"
)

// Secret is a value that is never printed: not by fmt, slog, JSON or YAML. Reveal gives it to the one who needs it.
type Secret string

// redacted stands for a secret that is set.
const redacted = "(secret)"

// maxSecret bounds a secret file.
const maxSecret = 64 << 10

// Reveal is the value.
func (s Secret) Reveal() string { return string(s) }

// String says only whether there is a value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// isReference reports whether the text says where the secret is, rather than what it is.
func isReference(text string) bool {
	return strings.HasPrefix(text, "file:") || strings.HasPrefix(text, "env:")
}

// dereference reads what a reference points to; other text is itself. Errors never hold the value.
func dereference(text string, env map[string]string) (Secret, error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value, set := env[name]
		if !set {
			return "", errors.New("environment variable " + name + " is not set")
		}
		return Secret(value), nil
	}
	path, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return Secret(text), nil
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSecret {
		err = errors.New("is too large for a secret")
	}
	if err != nil {
		return "", errors.New("file " + path + ": " + cause(err))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", errors.New("file " + path + ": " + cause(err))
	}
	return Secret(strings.TrimRight(string(data), "\r\n")), nil
}
