package blob

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"ullim/internal/errs"
)

// Erase implements Store.
func (s *Files) Erase(ctx context.Context, key string) error {
	if err := s.Delete(ctx, key); err != nil {
		return err
	}
	if _, err := s.root.Lstat(key); err == nil || !missing(err) {
		return errors.Join(err, errs.New(errs.Unavailable, "blob: %s is still there", key))
	}
	return nil
}

// Erase implements Store. In a bucket with versions, deleting the name leaves the content where it is, so each version is
// deleted by its id; what the bucket's object lock keeps is left, all of it, and the error says until when.
func (s *S3) Erase(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	versions, err := s.versions(ctx, key)
	if err != nil {
		return err
	}
	for _, id := range versions {
		if err = s.locked(ctx, key, id); err != nil {
			return err
		}
	}
	if len(versions) == 0 {
		versions = []string{""}
	}
	for _, id := range versions {
		err = s.wrap(ctx, s.client.RemoveObject(ctx, s.o.Bucket, s.name(key), minio.RemoveObjectOptions{VersionID: id}), key)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if errs.Is(err, errs.Denied) { // an object lock is told by the same status as a key that may not delete
			return errs.Wrap(err, errs.Conflict, "the object store refuses to delete %s: it is locked, or our access key may not delete", key)
		}
		if err != nil {
			return err
		}
	}
	if _, err = s.Stat(ctx, key); err == nil {
		return errs.New(errs.Unavailable, "blob: %s is still there after it was deleted", key)
	} else if !errs.Is(err, errs.NotFound) {
		return err
	}
	left, err := s.versions(ctx, key)
	if err == nil && len(left) > 0 {
		err = errs.New(errs.Unavailable, "blob: %d versions of %s are still there", len(left), key)
	}
	return err
}

// versions are the ids of an object's versions, delete markers included. A bucket without versions, or a server that does not
// know of any, has none.
func (s *S3) versions(ctx context.Context, key string) ([]string, error) {
	config, err := s.client.GetBucketVersioning(ctx, s.o.Bucket)
	if err != nil {
		switch minio.ToErrorResponse(err).StatusCode {
		case http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusForbidden, http.StatusBadRequest, http.StatusNotFound:
			return nil, nil // the deletion itself tells what there is to tell
		}
		return nil, s.wrap(ctx, err, "")
	}
	if config.Status == "" { // never switched on
		return nil, nil
	}
	name := s.name(key)
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	var ids []string
	for o := range s.client.ListObjects(listing, s.o.Bucket, minio.ListObjectsOptions{Prefix: name, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			return nil, s.wrap(ctx, o.Err, "")
		}
		if o.Key == name && o.VersionID != "" {
			ids = append(ids, o.VersionID)
		}
	}
	return ids, nil
}

// locked is errs.Conflict if the bucket's object lock keeps a version. The lock is read off the answer to a HEAD: what servers
// answer to the requests for locks differs more.
func (s *S3) locked(ctx context.Context, key, version string) error {
	options := s.reading()
	options.VersionID = version
	info, err := s.client.StatObject(ctx, s.o.Bucket, s.name(key), options)
	if ctx.Err() != nil {
		return fmt.Errorf("blob: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil //nolint:nilerr // a delete marker, or nothing to be known: the deletion tells
	}
	mode := info.Metadata.Get("X-Amz-Object-Lock-Mode")
	until, err := time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err == nil && time.Now().Before(until) {
		return errs.New(errs.Conflict, "the bucket's object lock (%s) keeps %s until %s", mode, key, until.UTC().Format(time.RFC3339))
	}
	if info.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == string(minio.LegalHoldEnabled) {
		return errs.New(errs.Conflict, "a legal hold in the bucket keeps %s", key)
	}
	return nil
}
