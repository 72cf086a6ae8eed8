package config

import (
	"encoding/base64"
	"time"
)

// Recordings is the section recordings.
type Recordings struct {
	Store  string `yaml:"store" default:"files" oneof:"files s3" doc:"A folder, or an S3-compatible bucket."`
	Folder string `yaml:"folder" doc:"Folder for store files. Empty: recordings in the data folder."`
	S3     S3     `yaml:"s3" doc:"The bucket for store s3."`

	Format     string `yaml:"format" default:"wav" oneof:"wav wav-mulaw flac opus" doc:"How recordings are kept: WAV of 16 bits (115 MB an hour), WAV of mu-law (58 MB), FLAC (every sample as it was, about half), Opus in Ogg (15 MB; needs a program built with -tags opus,nolibopusfile). They are converted when they are uploaded, not during the call."`
	Encryption string `yaml:"encryption" default:"none" oneof:"none envelope sse-s3 sse-kms sse-c" doc:"envelope: encrypted here, each file by a key of its own that a key of key_ring wraps; for files and S3. The others ask the object store to encrypt: with its own keys, with a key of its key service, with customer_key."`
	KeyRing    Secret `yaml:"key_ring" doc:"Reference to the key ring for envelope, usually file:PATH: lines of a name and 32 bytes in base64 (openssl rand -base64 32). The first encrypts; all of them decrypt."`
	KMSKey     string `yaml:"kms_key" doc:"Key for sse-kms. Empty: the object store's own."`
	CustomKey  Secret `yaml:"customer_key" doc:"Reference to the key for sse-c: 32 bytes in base64. Whoever loses it loses the recordings."`

	Workers        int           `yaml:"workers" default:"4" min:"1" max:"64" doc:"Recordings converted and uploaded at once."`
	SpoolLimit     int           `yaml:"spool_limit" default:"0" min:"0" max:"1000000000000000" doc:"Bytes of recordings that may wait on the local disk. 0: as much as fits."`
	SpoolFree      int           `yaml:"spool_free" default:"268435456" min:"0" max:"1000000000000000" doc:"Bytes that must be free on the disk of the data folder, or recordings are not begun."`
	WhenFull       string        `yaml:"when_full" default:"stop" oneof:"stop refuse" doc:"What happens while the spool has no room: calls go on without a recording, or new calls whose flow records are refused with 503. Calls that are up go on in any case, and their recordings as long as there is disk."`
	RetentionEvery time.Duration `yaml:"retention_every" default:"1h" min:"1s" max:"24h" doc:"How often recordings that have been kept long enough are looked for."`
}

// S3 is the section recordings.s3.
type S3 struct {
	Endpoint  string   `yaml:"endpoint" form:"hostport" doc:"Host and optional port, without https://."`
	Bucket    string   `yaml:"bucket" form:"bucket" doc:"Name of the bucket. It must exist."`
	Buckets   []string `yaml:"buckets" form:"bucket" doc:"Further buckets of the same server and access key that an instance may choose for its recordings or transcripts (AssociateInstanceStorageConfig)."`
	AccessKey Secret   `yaml:"access_key" plain:"ok" doc:"Access key, or a file: or env: reference to it."`
	SecretKey Secret   `yaml:"secret_key" doc:"Reference to the secret key."`
	Region    string   `yaml:"region" default:"us-east-1" doc:"Region to sign requests for."`
	TLS       bool     `yaml:"tls" default:"true" doc:"Use TLS, and verify the certificate."`
}

// recordings checks the section.
func (d *decoder) recordings(r *Recordings) {
	if r.Store == "s3" {
		for _, k := range [][2]string{
			{"endpoint", r.S3.Endpoint},
			{"bucket", r.S3.Bucket},
			{"region", r.S3.Region},
			{"access_key", r.S3.AccessKey.Reveal()},
			{"secret_key", r.S3.SecretKey.Reveal()},
		} {
			if k[1] == "" {
				d.failNear("recordings.s3."+k[0], "recordings.store", "must be set for store s3")
			}
		}
	}
	switch r.Encryption {
	case "envelope":
		if r.KeyRing == "" {
			d.failNear("recordings.key_ring", "recordings.encryption", "must be set for encryption envelope")
		}
	case "sse-s3", "sse-kms", "sse-c":
		if r.Store != "s3" {
			d.fail("recordings.encryption", "%s is done by an object store: it needs store s3", r.Encryption)
		}
	}
	if r.Encryption != "sse-c" {
		return
	}
	if _, ok := r.CustomerKey(); !ok {
		d.failNear("recordings.customer_key", "recordings.encryption", "must be set for encryption sse-c: 32 bytes in base64")
	}
	if !r.S3.TLS {
		d.failNear("recordings.s3.tls", "recordings.encryption", "must be true for encryption sse-c: the key is in every request")
	}
}

// CustomerKey is the key of sse-c, decoded.
func (r *Recordings) CustomerKey() ([]byte, bool) {
	key, err := base64.StdEncoding.DecodeString(r.CustomKey.Reveal())
	return key, err == nil && len(key) == 32
}
