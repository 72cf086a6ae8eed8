package blob

import (
	"context"
	"io"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"ullim/internal/errs"
)

// Encryption is who encrypts in the object store, and how it is told.
type Encryption struct {
	Type        string // "", SSES3, SSEKMS or SSEC
	KMSKeyID    string // of SSEKMS; empty: the store's own
	CustomerKey []byte // of SSEC: 32 bytes, which the store does not keep
}

// Types of encryption by the store; "": as the bucket is set.
const (
	SSES3  = "SSE-S3"
	SSEKMS = "SSE-KMS"
	SSEC   = "SSE-C"
)

// serverSide makes what the client wants.
func (e Encryption) serverSide(secure bool) (encrypt.ServerSide, error) {
	switch e.Type {
	case "":
		return nil, nil
	case SSES3:
		return encrypt.NewSSE(), nil
	case SSEKMS:
		return encrypt.NewSSEKMS(e.KMSKeyID, nil)
	case SSEC:
		if !secure {
			return nil, errs.Field("Encryption", "SSE-C sends the key with every request, so it needs TLS")
		}
		sse, err := encrypt.NewSSEC(e.CustomerKey)
		if err != nil {
			return nil, errs.Field("Encryption", "the key of SSE-C must be 32 bytes")
		}
		return sse, nil
	}
	return nil, errs.Field("Encryption", "must be %s, %s or %s; is %q", SSES3, SSEKMS, SSEC, e.Type)
}

// reading is what a request for an object must carry.
func (s *S3) reading() minio.GetObjectOptions {
	return minio.GetObjectOptions{ServerSideEncryption: s.sse}
}

// Bucket is the store's bucket.
func (s *S3) Bucket() string { return s.o.Bucket }

// In is the same server and credentials with another bucket, or with SSE-KMS by another key; what is empty stays.
func (s *S3) In(bucket, kmsKeyID string) (*S3, error) {
	other := *s
	if bucket != "" {
		other.o.Bucket = bucket
	}
	if kmsKeyID != "" {
		var err error
		if other.sse, err = (Encryption{Type: SSEKMS, KMSKeyID: kmsKeyID}).serverSide(true); err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "blob: the KMS key %q cannot be used", kmsKeyID)
		}
	}
	return &other, nil
}

// Open implements Store.
func (s *S3) Open(ctx context.Context, key string) (io.ReadSeekCloser, Info, error) {
	return s.open(ctx, key)
}

// Presign makes a URL by which anybody can read an object until it expires. errs.InvalidRequest if the store can give
// none: a key of SSE-C would have to be in every request.
func (s *S3) Presign(ctx context.Context, key string, valid time.Duration, answer url.Values) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if s.sse != nil && s.sse.Type() == encrypt.SSEC {
		return "", errs.New(errs.InvalidRequest, "objects that the store encrypts with our key (SSE-C) have no presigned URL")
	}
	u, err := s.client.PresignedGetObject(ctx, s.o.Bucket, s.name(key), valid, answer)
	if err != nil {
		return "", s.wrap(ctx, err, key)
	}
	return u.String(), nil
}
