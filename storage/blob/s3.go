package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"ullim/internal/errs"
)

// S3Options say where a bucket is.
type S3Options struct {
	Endpoint  string // URL, "https://s3.ap-northeast-2.amazonaws.com" or "http://127.0.0.1:7070"
	Region    string // empty: us-east-1, or what the server says
	Bucket    string
	Prefix    string // before every key, without a slash at its ends; may be empty
	AccessKey string // empty: from the environment (AWS_ACCESS_KEY_ID ...) or the machine's role
	SecretKey string

	// PathStyle puts the bucket into the path instead of the host name, as most servers but Amazon's want it.
	PathStyle bool
	// ReadBack makes Put read every object back and compare its checksum. Without it, the server checks the MD5 of each
	// part that it receives, and Put compares the size and the checksum that the server then reports.
	ReadBack bool
	// PartSize is how much goes in one request, and how much memory an upload takes; 0: 16 MiB, never under 5 MiB.
	PartSize uint64
	// Encryption is what the server does; see Seal for our own.
	Encryption Encryption
	// Transport is for tests and proxies; nil: a transport of its own.
	Transport http.RoundTripper
}

// S3 keeps objects in a bucket of an S3-compatible server. The checksum is kept as metadata of the object
// (x-amz-meta-sha256).
type S3 struct {
	o         S3Options
	client    *minio.Client
	transport http.RoundTripper
	sse       encrypt.ServerSide // nil: as the bucket is set
}

var _ Store = (*S3)(nil)

// metaSHA256 is the metadata that holds the checksum; servers change the case of the name.
const metaSHA256 = "Sha256"

// Bounds of a part.
const (
	defaultPart = 16 << 20
	leastPart   = 5 << 20
)

// maxRetries is how often the client repeats a request by itself; the upload job repeats the whole, with more patience.
const maxRetries = 3

// NewS3 makes the store. It does not talk to the server: what is uploaded waits for the server if need be.
func NewS3(o S3Options) (*S3, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errs.Field("Endpoint", "must be http://host:port or https://host; is %q", o.Endpoint)
	}
	if o.Prefix != "" {
		if err = checkKey(o.Prefix); err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "blob: the prefix %q cannot be used", o.Prefix)
		}
	}
	if o.PartSize == 0 {
		o.PartSize = defaultPart
	}
	o.PartSize = max(o.PartSize, leastPart)
	secure := u.Scheme == "https"
	sse, err := o.Encryption.serverSide(secure)
	if err != nil {
		return nil, err
	}
	transport := o.Transport
	if transport == nil {
		if transport, err = minio.DefaultTransport(secure); err != nil {
			return nil, fmt.Errorf("blob: %w", err)
		}
	}
	creds := credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	if o.AccessKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{}})
	}
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: creds, Secure: secure, Region: o.Region, BucketLookup: lookup, Transport: transport, MaxRetries: maxRetries,
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "blob: S3 at %s", o.Endpoint)
	}
	return &S3{o: o, client: client, transport: transport, sse: sse}, nil
}

// Close ends idle connections.
func (s *S3) Close() error {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// Check tells whether the server answers, knows us and has the bucket; create makes a missing bucket.
func (s *S3) Check(ctx context.Context, create bool) error {
	exists, err := s.client.BucketExists(ctx, s.o.Bucket)
	if err != nil {
		return s.wrap(ctx, err, "")
	}
	if exists {
		return nil
	}
	if !create {
		return errs.New(errs.NotFound, "there is no bucket %q at %s", s.o.Bucket, s.o.Endpoint)
	}
	err = s.client.MakeBucket(ctx, s.o.Bucket, minio.MakeBucketOptions{Region: s.o.Region})
	if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou {
		return nil // another node was faster
	}
	return s.wrap(ctx, err, "")
}

// name is the object's name in the bucket.
func (s *S3) name(key string) string {
	if s.o.Prefix == "" {
		return key
	}
	return s.o.Prefix + "/" + key
}

// Put implements Store.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	if err := checkPut(key, size, sum); err != nil {
		return err
	}
	source := newVerifier(ctx, r, key, size, sum)
	if size == 0 {
		// The client does not read an empty source.
		if _, err := source.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return err
		}
	}
	_, err := s.client.PutObject(ctx, s.o.Bucket, s.name(key), source, size, minio.PutObjectOptions{
		UserMetadata:   map[string]string{metaSHA256: sum},
		ContentType:    contentType(key),
		SendContentMd5: true, // the server refuses a part that it received otherwise
		PartSize:       s.o.PartSize,

		ServerSideEncryption: s.sse,
	})
	if err != nil {
		return s.wrap(ctx, err, key)
	}
	if err = s.verify(ctx, key, size, sum); err == nil {
		return nil
	}
	if ctx.Err() != nil || errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Conflict) {
		return err // unknown, or not ours; putting it again is no error
	}
	return errors.Join(err, s.Delete(ctx, key))
}

// verify asks the server what it has.
func (s *S3) verify(ctx context.Context, key string, size int64, sum string) error {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	if len(info.SHA256) == len(sum) && info.SHA256 != sum {
		return errs.New(errs.Conflict, "blob: %s was replaced by another object meanwhile", key)
	}
	if info.Size != size || info.SHA256 != sum {
		return fmt.Errorf("blob: %s: the server has %d bytes with SHA-256 %q, not %d with %s", key, info.Size, info.SHA256, size, sum)
	}
	if !s.o.ReadBack {
		return nil
	}
	body, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	hash := sha256.New()
	if _, err = io.Copy(hash, body); err != nil {
		return s.wrap(ctx, err, key)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("blob: %s: read back, its SHA-256 is %s, not %s", key, got, sum)
	}
	return nil
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	return s.open(ctx, key)
}

func (s *S3) open(ctx context.Context, key string) (*minio.Object, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	object, err := s.client.GetObject(ctx, s.o.Bucket, s.name(key), s.reading())
	if err != nil {
		return nil, Info{}, s.wrap(ctx, err, key)
	}
	st, err := object.Stat() // the request is made here
	if err != nil {
		_ = object.Close()
		return nil, Info{}, s.wrap(ctx, err, key)
	}
	return object, infoOf(key, st), nil
}

// Stat implements Store.
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	st, err := s.client.StatObject(ctx, s.o.Bucket, s.name(key), s.reading())
	if err != nil {
		return Info{}, s.wrap(ctx, err, key)
	}
	return infoOf(key, st), nil
}

func infoOf(key string, st minio.ObjectInfo) Info {
	info := Info{Key: key, Size: st.Size, Modified: st.LastModified.UTC()}
	for name, value := range st.UserMetadata {
		if strings.EqualFold(name, metaSHA256) {
			info.SHA256 = value
		}
	}
	return info
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := s.wrap(ctx, s.client.RemoveObject(ctx, s.o.Bucket, s.name(key), minio.RemoveObjectOptions{}), key)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}

// wrap gives an error of the client a kind; nil stays nil.
func (s *S3) wrap(ctx context.Context, err error, key string) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*errs.Error](err); ok {
		return known // of the source that was to be put
	}
	if ctx.Err() != nil {
		return fmt.Errorf("blob: %w", context.Cause(ctx))
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == minio.NoSuchKey && key != "":
		return notFound(key)
	case r.StatusCode == http.StatusPreconditionFailed:
		return errs.Wrap(err, errs.Conflict, "blob: %s was replaced by another object meanwhile", key)
	case r.Code == minio.NoSuchBucket:
		return errs.Wrap(err, errs.Unavailable, "there is no bucket %q at %s", s.o.Bucket, s.o.Endpoint)
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		return errs.Wrap(err, errs.Denied, "the object store at %s refuses our access key", s.o.Endpoint)
	case r.StatusCode == 0, r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= http.StatusInternalServerError:
		// Without a status there was no answer at all.
		return errs.Wrap(err, errs.Unavailable, "the object store at %s does not answer", s.o.Endpoint)
	}
	return fmt.Errorf("blob: %s: %w", key, err)
}

// contentType is for people who open the bucket with a browser.
func contentType(key string) string {
	switch path.Ext(key) {
	case ".wav":
		return "audio/wav"
	case ".flac":
		return "audio/flac"
	case ".opus":
		return "audio/ogg"
	case ".json":
		return "application/json"
	}
	return "application/octet-stream"
}
