package app

import (
	"slices"
	"strings"

	"ullim/internal/config"
	"ullim/internal/errs"
	"ullim/storage/blob"
)

// filesBucket is what the folder of recordings is called where an API speaks of buckets.
const filesBucket = "files"

// places are where files lie: the operator's own bucket or folder, and with S3 further buckets of the same server that
// instances may choose. Credentials and address are the same for all of them, and so is our own encryption.
type places struct {
	own    blob.Store
	name   string // bucket of own
	s3     *blob.S3
	more   []string // buckets that may be chosen besides
	sealed func(blob.Store) blob.Store
}

// placesOf opens the place of recordings.
func placesOf(cfg *config.Config) (*places, error) {
	r := &cfg.Recordings
	p := &places{name: filesBucket, sealed: func(s blob.Store) blob.Store { return s }}
	if r.Encryption == "envelope" {
		ring, err := blob.ParseKeyRing(r.KeyRing.Reveal())
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "recordings.key_ring: %s", err.Error())
		}
		p.sealed = func(s blob.Store) blob.Store { return blob.Seal(s, ring) }
	}
	if r.Store != "s3" {
		files, err := blob.NewFiles(cfg.RecordingsFolder())
		if err != nil {
			return nil, err
		}
		p.own = p.sealed(files)
		return p, nil
	}
	s, scheme := r.S3, "https://"
	if !s.TLS {
		scheme = "http://"
	}
	e := blob.Encryption{Type: map[string]string{"sse-s3": blob.SSES3, "sse-kms": blob.SSEKMS, "sse-c": blob.SSEC}[r.Encryption], KMSKeyID: r.KMSKey}
	if e.Type == blob.SSEC {
		e.CustomerKey, _ = r.CustomerKey() // config checks it
	}
	store, err := blob.NewS3(blob.S3Options{
		Endpoint: scheme + s.Endpoint, Bucket: s.Bucket, AccessKey: s.AccessKey.Reveal(), SecretKey: s.SecretKey.Reveal(),
		Region: s.Region, PathStyle: !strings.HasSuffix(s.Endpoint, ".amazonaws.com"), Encryption: e,
	})
	if err != nil {
		return nil, err
	}
	p.s3, p.name, p.more, p.own = store, s.Bucket, s.Buckets, p.sealed(store)
	return p, nil
}

// Own is the bucket of who has chosen none.
func (p *places) Own() string { return p.name }

// Allowed refuses a bucket that the operator does not offer, and a key where nobody uses keys.
func (p *places) Allowed(bucket, kmsKey string) error {
	if bucket != p.name && !slices.Contains(p.more, bucket) {
		return errs.Field("StorageConfig.S3Config.BucketName", "must be one that the operator offers: %s", strings.Join(append([]string{p.name}, p.more...), ", "))
	}
	if kmsKey != "" && p.s3 == nil {
		return errs.Field("StorageConfig.S3Config.EncryptionConfig", "needs an object store: files are encrypted by the operator's setting")
	}
	return nil
}

// at is the store of a bucket; empty: the operator's own. What was stored in a bucket that is no longer offered can be read.
func (p *places) at(bucket, kmsKey string) (blob.Store, error) {
	if (bucket == "" || bucket == p.name) && kmsKey == "" {
		return p.own, nil
	}
	if p.s3 == nil {
		return nil, errs.New(errs.NotFound, "the file lies in the bucket %q, and this server keeps files in a folder", bucket)
	}
	s, err := p.s3.In(bucket, kmsKey)
	if err != nil {
		return nil, err
	}
	return p.sealed(s), nil
}
