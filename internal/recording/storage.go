package recording

import (
	"regexp"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// ResourceType is a sort of file that an instance stores, as in the Connect API.
type ResourceType string

// The sorts of files whose place can be chosen.
const (
	CallRecordings  ResourceType = "CALL_RECORDINGS"
	ChatTranscripts ResourceType = "CHAT_TRANSCRIPTS"
)

// StorageConfig is where an instance wants one sort of file: a bucket among those that the operator allows, and what keys
// begin with there. Its name is its ResourceType, so there is one of each. Who has none gets the operator's own bucket and
// connect/<alias>. Keys, endpoints and credentials are the operator's.
type StorageConfig struct {
	resource.Meta
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix"`             // before /CallRecordings/...
	KMSKeyID string `json:"kmsKeyId,omitempty"` // SSE-KMS with this key; empty: as the operator has set
}

var _ resource.Object = (*StorageConfig)(nil)

// Kind is KindStorageConfig.
func (*StorageConfig) Kind() resource.Kind { return resource.KindStorageConfig }

// Refs are none.
func (*StorageConfig) Refs() []resource.Ref { return nil }

// ResourceType is the sort of file.
func (c *StorageConfig) ResourceType() ResourceType { return ResourceType(c.Name) }

// Limits of a prefix: what is left of a key's 1,024 bytes is for the rest of it.
const maxPrefix = 512

// Validate checks all but whether the operator allows the bucket and whose the prefix is.
func (c *StorageConfig) Validate() error {
	switch {
	case c.ResourceType() != CallRecordings && c.ResourceType() != ChatTranscripts:
		return errs.Field("ResourceType", "must be %s or %s; is %q", CallRecordings, ChatTranscripts, c.Name)
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(c.Bucket):
		return errs.Field("StorageConfig.S3Config.BucketName", "must be 3 to 63 lower-case letters, digits, - or .")
	case len(c.KMSKeyID) > 1024 || strings.ContainsFunc(c.KMSKeyID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errs.Field("StorageConfig.S3Config.EncryptionConfig.KeyId", "must have at most 1024 printable ASCII characters")
	}
	return checkPrefix(c.Prefix)
}

func checkPrefix(prefix string) error {
	const field = "StorageConfig.S3Config.BucketPrefix"
	if prefix == "" || len(prefix) > maxPrefix {
		return errs.Field(field, "must have 1 to %d bytes", maxPrefix)
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part[0] == '.' || len(part) > 200 ||
			strings.Trim(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz0123456789._-=+@") != "" {
			return errs.Field(field, "must be parts of letters, digits and . _ - = + @ with a slash between, none beginning with a dot")
		}
	}
	return nil
}

// DefaultPrefix is what keys of an instance begin with unless it chose otherwise.
func DefaultPrefix(alias string) string { return "connect/" + alias }

// CheckOwner refuses a prefix that lies where another instance keeps its own: everything below connect/ belongs to whoever's
// alias comes next.
func (c *StorageConfig) CheckOwner(alias string) error {
	first, rest, _ := strings.Cut(c.Prefix, "/")
	owner, _, _ := strings.Cut(rest, "/")
	if first == "connect" && owner != alias {
		return errs.Field("StorageConfig.S3Config.BucketPrefix", "what begins with connect/ must go on with the alias of the instance: %s", DefaultPrefix(alias))
	}
	return nil
}

// Place is where a file goes.
type Place struct {
	Bucket string // empty: the operator's own
	Key    string
	KMSKey string // empty: as the operator has set
}

// PlaceOf moves a key that was made for the default (connect/<alias>/...) to where the instance wants it. c may be nil.
func PlaceOf(c *StorageConfig, alias, key, operators string) Place {
	if c == nil {
		return Place{Key: key}
	}
	if rest, ok := strings.CutPrefix(key, DefaultPrefix(alias)+"/"); ok {
		key = c.Prefix + "/" + rest
	}
	p := Place{Bucket: c.Bucket, Key: key, KMSKey: c.KMSKeyID}
	if p.Bucket == operators {
		p.Bucket = ""
	}
	return p
}

// WaveformKey is where the peaks of a recording lie: beside CallRecordings, so that a listing of recordings shows nothing
// but recordings.
func WaveformKey(key string) string {
	if i := strings.LastIndex(key, "/CallRecordings/"); i >= 0 {
		key = key[:i] + "/Waveforms/" + key[i+len("/CallRecordings/"):]
	}
	if dot := strings.LastIndexByte(key, '.'); dot > strings.LastIndexByte(key, '/') {
		key = key[:dot]
	}
	return key + ".json"
}
