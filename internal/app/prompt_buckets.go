package app

import (
	"context"
	"io"
	"strings"

	"ullim/internal/config"
	"ullim/internal/errs"
	"ullim/prompts"
	"ullim/storage/blob"
)

// promptBuckets are the buckets from which prompts may be fetched, by name.
type promptBuckets map[string]blob.Store

// Fetch reads an object of a bucket that the operator allows. errs.Denied, errs.NotFound, errs.Invalid (too large).
func (b promptBuckets) Fetch(ctx context.Context, bucket, key string) ([]byte, error) {
	store := b[bucket]
	if store == nil {
		return nil, errs.New(errs.Denied, "the bucket %.63q is not one that prompts may be fetched from (prompts.buckets of the configuration)", bucket)
	}
	body, info, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if info.Size > prompts.MaxUpload {
		return nil, errs.Field("S3Uri", "names an object of %d bytes; at most %d are possible", info.Size, prompts.MaxUpload)
	}
	data, err := io.ReadAll(io.LimitReader(body, prompts.MaxUpload+1))
	switch {
	case err != nil:
		return nil, errs.Wrap(err, errs.Unavailable, "the object could not be read")
	case len(data) > prompts.MaxUpload:
		return nil, errs.Field("S3Uri", "names an object of more than %d bytes", prompts.MaxUpload)
	}
	return data, nil
}

// promptBucketsOf opens the buckets of the configuration.
func promptBucketsOf(cfg *config.Config) (promptBuckets, error) {
	out := promptBuckets{}
	for _, name := range cfg.Prompts.Buckets {
		s, err := blob.NewS3(s3Of(cfg.Recordings.S3, name))
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

// s3Of is how another bucket of the configured store is opened.
func s3Of(s config.S3, bucket string) blob.S3Options {
	scheme := "https://"
	if !s.TLS {
		scheme = "http://"
	}
	return blob.S3Options{
		Endpoint: scheme + s.Endpoint, Bucket: bucket, AccessKey: s.AccessKey.Reveal(), SecretKey: s.SecretKey.Reveal(),
		Region: s.Region, PathStyle: !strings.HasSuffix(s.Endpoint, ".amazonaws.com"),
	}
}
