package blob_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/storage/blob"
)

const (
	accessKey = "ullim-test"
	secretKey = "ullim-test-secret"
)

// gateway starts a versitygw on a free port and gives its URL.
func gateway(t *testing.T, more ...string) string {
	t.Helper()
	bin := versitygw(t)
	dir := t.TempDir()
	data, meta := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
	for _, d := range []string{data, meta} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close()
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		args := append([]string{"--port", addr, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", "--sidecar", meta}, more...)
		cmd := exec.CommandContext(ctx, bin, append(args, data)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err = cmd.Start(); err != nil {
			cancel()
			t.Fatalf("starting %s: %v", bin, err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		if answers(addr, ended) {
			t.Cleanup(func() { cancel(); <-ended })
			return "http://" + addr
		}
		cancel()
		<-ended
		if try == 2 { // the port may have been taken meanwhile
			t.Fatalf("versitygw does not answer:\n%s", out.String())
		}
	}
}

// versitygw is the path of the server's program.
func versitygw(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("ULLIM_VERSITYGW")
	if bin == "" {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			t.Fatalf("go env GOMOD: %v", err)
		}
		bin = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cache", "tools", "versitygw")
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("these tests need the S3 server versitygw v1.8.0: `make test` builds it into .cache/tools; "+
			"or set ULLIM_VERSITYGW to its path: %v", err)
	}
	return bin
}

func answers(addr string, ended <-chan struct{}) bool {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		resp, err := http.Get("http://" + addr + "/") //nolint:noctx // loopback
		if err == nil {
			_ = resp.Body.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

func s3(t *testing.T, o blob.S3Options) *blob.S3 {
	t.Helper()
	s, err := blob.NewS3(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestS3KeepsTheSuite(t *testing.T) {
	url := gateway(t)
	o := blob.S3Options{
		Endpoint: url, Region: "us-east-1", Bucket: "recordings", AccessKey: accessKey, SecretKey: secretKey, PathStyle: true, PartSize: 1,
	}
	s := s3(t, o)
	if err := s.Check(t.Context(), false); !errs.Is(err, errs.NotFound) {
		t.Fatalf("a bucket that is not there: %v", err)
	}
	for range 2 {
		if err := s.Check(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("in the bucket", func(t *testing.T) { suite(t, s) })
	withPrefix := o
	withPrefix.Prefix, withPrefix.ReadBack, withPrefix.PartSize = "site/one", true, 0
	t.Run("under a prefix, reading back", func(t *testing.T) { suite(t, s3(t, withPrefix)) })
	t.Run("encrypted by us", func(t *testing.T) { suite(t, blob.Seal(s3(t, o), ring(t, ringText("k1")))) })
	t.Run("a prefix keeps two sites apart", func(t *testing.T) {
		put(t, s3(t, withPrefix), "mine", noise(10))
		_, err := s.Stat(t.Context(), "mine")
		wantKind(t, err, errs.NotFound)
		wantObject(t, s, "site/one/mine", noise(10))
	})
	t.Run("a wrong secret is denied", func(t *testing.T) {
		wrong := o
		wrong.SecretKey = "guess"
		b := noise(10)
		wantKind(t, s3(t, wrong).Put(t.Context(), "x", bytes.NewReader(b), 10, sum(b)), errs.Denied)
		wantKind(t, s3(t, wrong).Check(t.Context(), true), errs.Denied)
	})
	t.Run("a missing bucket is not available", func(t *testing.T) {
		wrong := o
		wrong.Bucket = "nowhere"
		b := noise(10)
		wantKind(t, s3(t, wrong).Put(t.Context(), "x", bytes.NewReader(b), 10, sum(b)), errs.Unavailable)
	})
}

func TestAnS3ServerThatIsAwayIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := s3(t, blob.S3Options{Endpoint: "http://" + l.Addr().String(), Region: "r", Bucket: "bucket", AccessKey: "a", SecretKey: "s", PathStyle: true})
	b := noise(10)
	wantKind(t, s.Put(t.Context(), "x", bytes.NewReader(b), 10, sum(b)), errs.Unavailable)
	_, err = s.Stat(t.Context(), "x")
	wantKind(t, err, errs.Unavailable)
}

// corrupting is an S3 server that says yes and keeps something else.
func corrupting(t *testing.T, deleted *[]string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
		case http.MethodHead, http.MethodGet:
			w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("X-Amz-Meta-Sha256", sum(noise(10)))
			body := noise(10)
			if strings.HasSuffix(r.URL.Path, "longer") {
				body = noise(11)
			} else {
				body[3] ^= 1
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			if r.Method == http.MethodGet {
				_, _ = w.Write(body)
			}
		case http.MethodDelete:
			*deleted = append(*deleted, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestAServerThatKeepsSomethingElseIsFoundOutAndTidiedUp(t *testing.T) {
	var deleted []string
	s := s3(t, blob.S3Options{
		Endpoint: corrupting(t, &deleted), Region: "r", Bucket: "bucket", AccessKey: "a", SecretKey: "s", PathStyle: true, ReadBack: true,
	})
	for _, key := range []string{"longer", "flipped"} {
		if err := s.Put(t.Context(), key, bytes.NewReader(noise(10)), 10, sum(noise(10))); err == nil {
			t.Errorf("%s: no error", key)
		} else if !strings.Contains(err.Error(), "not") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if strings.Join(deleted, " ") != "/bucket/longer /bucket/flipped" {
		t.Errorf("deleted: %v", deleted)
	}
}

func TestS3OptionsThatCannotWorkAreRefused(t *testing.T) {
	for _, o := range []blob.S3Options{
		{},
		{Endpoint: "s3.example.com"},
		{Endpoint: "ftp://s3.example.com"},
		{Endpoint: "https://s3.example.com/path"},
		{Endpoint: "https://s3.example.com", Prefix: "/a"},
		{Endpoint: "https://s3.example.com", Prefix: "a/"},
		{Endpoint: "https://s3.example.com", Prefix: "../a"},
	} {
		_, err := blob.NewS3(o)
		wantKind(t, err, errs.Invalid)
	}
}
