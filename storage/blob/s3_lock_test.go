package blob_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ullim/internal/errs"
	"ullim/storage/blob"
)

// TestErasingTakesEveryVersionAndHonoursTheLock has a bucket with versions and object lock.
func TestErasingTakesEveryVersionAndHonoursTheLock(t *testing.T) {
	address := gateway(t, "--versioning-dir", t.TempDir())
	o := blob.S3Options{Endpoint: address, Region: "us-east-1", Bucket: "locked", AccessKey: accessKey, SecretKey: secretKey, PathStyle: true}
	client, err := minio.New(strings.TrimPrefix(address, "http://"), &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err = client.MakeBucket(ctx, "locked", minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		t.Fatal(err)
	}
	s := s3(t, o)
	versions := func() (n int) {
		for v := range client.ListObjects(ctx, "locked", minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
			if v.Err != nil {
				t.Fatal(v.Err)
			}
			n++
		}
		return n
	}
	put(t, s, "free", noise(10))
	put(t, s, "free", noise(20))
	if n := versions(); n != 2 {
		t.Fatalf("%d versions, want 2", n)
	}
	if err = s.Erase(ctx, "free"); err != nil {
		t.Fatal(err)
	}
	if n := versions(); n != 0 {
		t.Errorf("%d versions are left", n)
	}

	put(t, s, "kept", noise(10))
	until, mode := time.Now().Add(time.Hour), minio.Governance
	if err = client.PutObjectRetention(ctx, "locked", "kept", minio.PutObjectRetentionOptions{RetainUntilDate: &until, Mode: &mode}); err != nil {
		t.Fatal(err)
	}
	err = s.Erase(ctx, "kept")
	if wantKind(t, err, errs.Conflict); err == nil || !strings.Contains(err.Error(), "GOVERNANCE") || !strings.Contains(err.Error(), until.UTC().Format("2006-01-02T15:")) {
		t.Errorf("the error does not say what holds it and until when: %v", err)
	}
	wantObject(t, s, "kept", noise(10))

	held := minio.LegalHoldEnabled
	put(t, s, "held", noise(10))
	if err = client.PutObjectLegalHold(ctx, "locked", "held", minio.PutObjectLegalHoldOptions{Status: &held}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Erase(ctx, "held"), errs.Conflict)
	wantObject(t, s, "held", noise(10))
}

func TestAPresignedURLGivesTheObjectAndNothingElse(t *testing.T) {
	o := blob.S3Options{Endpoint: gateway(t), Region: "us-east-1", Bucket: "recordings", AccessKey: accessKey, SecretKey: secretKey, PathStyle: true}
	s := s3(t, o)
	if err := s.Check(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a.wav", noise(1000))
	link, err := s.Presign(t.Context(), "a.wav", time.Minute, url.Values{"response-content-type": {"audio/wav"}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(u, byteRange string) (int, []byte, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		if byteRange != "" {
			req.Header.Set("Range", byteRange)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b, resp.Header
	}
	if status, b, _ := get(link, ""); status != http.StatusOK || !bytes.Equal(b, noise(1000)) {
		t.Errorf("status %d, %d bytes", status, len(b))
	}
	if status, b, _ := get(link, "bytes=100-199"); status != http.StatusPartialContent || !bytes.Equal(b, noise(1000)[100:200]) {
		t.Errorf("of a part: status %d, %d bytes", status, len(b))
	}
	if status, _, _ := get(strings.Replace(link, "a.wav", "b.wav", 1), ""); status == http.StatusOK {
		t.Error("the signature is good for another object")
	}
}

// TestEncryptionByTheStoreIsAskedForInEveryRequest looks at the headers: the server of the tests encrypts nothing.
func TestEncryptionByTheStoreIsAskedForInEveryRequest(t *testing.T) {
	seen := map[string]http.Header{}
	b := noise(10)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.Method] = r.Header.Clone()
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("X-Amz-Meta-Sha256", sum(b))
		if r.Method != http.MethodPut {
			w.Header().Set("Content-Length", "10")
		}
		if r.Method == http.MethodGet {
			_, _ = w.Write(b)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	const head = "X-Amz-Server-Side-Encryption"
	for _, tt := range []struct {
		e          blob.Encryption
		url        string
		header     string
		want       string
		whenRead   bool
		kms, other string // a key of its own, by In
	}{
		{e: blob.Encryption{Type: blob.SSES3}, url: plain.URL, header: head, want: "AES256"},
		{e: blob.Encryption{Type: blob.SSEKMS, KMSKeyID: "key-1"}, url: plain.URL, header: head + "-Aws-Kms-Key-Id", want: "key-1"},
		{e: blob.Encryption{Type: blob.SSES3}, url: plain.URL, kms: "key-2", header: head + "-Aws-Kms-Key-Id", want: "key-2"},
		{e: blob.Encryption{Type: blob.SSEC, CustomerKey: noise(32)}, url: secure.URL, header: head + "-Customer-Algorithm", want: "AES256", whenRead: true},
	} {
		s, err := s3(t, blob.S3Options{
			Endpoint: tt.url, Region: "r", Bucket: "bucket", AccessKey: "a", SecretKey: "s", PathStyle: true, Encryption: tt.e, Transport: secure.Client().Transport,
		}).In("", tt.kms)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "x", b)
		body, _, err := s.Get(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
		if got := seen[http.MethodPut].Get(tt.header); got != tt.want {
			t.Errorf("%+v: PUT has %s %q", tt.e.Type, tt.header, got)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := seen[method].Get(tt.header); (got == tt.want) != tt.whenRead {
				t.Errorf("%+v: %s has %s %q", tt.e.Type, method, tt.header, got)
			}
		}
	}
	for name, e := range map[string]blob.Encryption{"unknown": {Type: "ROT13"}, "short": {Type: blob.SSEC, CustomerKey: noise(31)}} {
		if _, err := blob.NewS3(blob.S3Options{Endpoint: "https://s3.example.com", Bucket: "b", Encryption: e}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := blob.NewS3(blob.S3Options{Endpoint: "http://s3.example.com", Bucket: "b", Encryption: blob.Encryption{Type: blob.SSEC, CustomerKey: noise(32)}}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a key in clear text over the network: %v", err)
	}
	withKey := s3(t, blob.S3Options{Endpoint: secure.URL, Bucket: "bucket", Encryption: blob.Encryption{Type: blob.SSEC, CustomerKey: noise(32)}})
	_, err := withKey.Presign(context.Background(), "x", time.Minute, nil)
	wantKind(t, err, errs.InvalidRequest)
}
