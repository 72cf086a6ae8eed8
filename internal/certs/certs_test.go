package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// issue writes a self-signed certificate and its key, valid until an instant.
func issue(t *testing.T, dir, name string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// File systems count time in steps: a test is quicker than one.
	if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(time.Duration(len(text))*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// shown is the name in the certificate that a client gets.
func shown(t *testing.T, f *Files) string {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close() //nolint:errcheck // in memory
	go func() {
		_ = tls.Server(far, f.Server()).Handshake() // the client judges
		_ = far.Close()
	}()
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, ServerName: "x"}) //nolint:gosec // it is the name that is looked at
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestOpenNamesTheFieldThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	good := Options{Name: "sip.tls", Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, tc := range map[string]struct {
		prepare func()
		change  func(*Options)
		want    string
	}{
		"no certificate": {func() {}, func(o *Options) { o.Certificate = "" }, "sip.tls.certificate: must name a file in PEM form"},
		"no such key":    {func() {}, func(o *Options) { o.Key += "x" }, "sip.tls.key: cannot be read"},
		"expired": {
			func() { issue(t, dir, "old", time.Now().Add(-time.Hour)) },
			func(*Options) {}, "sip.tls.certificate: must not be expired",
		},
		"not PEM":       {func() { write(t, dir, "cert.pem", "hello") }, func(*Options) {}, "do not fit together"},
		"no CA":         {func() {}, func(o *Options) { o.ClientCA = o.Key }, "sip.tls.client_ca: must hold a certificate"},
		"no CA to read": {func() {}, func(o *Options) { o.ClientCA = o.Key + "x" }, "sip.tls.client_ca: cannot be read"},
	} {
		issue(t, dir, "a.example", time.Now().Add(24*time.Hour))
		tc.prepare()
		o := good
		tc.change(&o)
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A renewed certificate is noticed without a restart; a bad one is logged once and the old one stays.
func TestNewFilesAreTakenAndBadOnesAreNot(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		issue(t, dir, "first.example", time.Now().Add(24*time.Hour))
		f, err := Open(Options{
			Name: "sip.tls", Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"),
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		look := func(want string) {
			t.Helper()
			time.Sleep(2 * every)
			synctest.Wait()
			if got := shown(t, f); got != want {
				t.Errorf("the certificate is of %s, want %s", got, want)
			}
		}
		look("first.example")
		write(t, dir, "cert.pem", "half a fi")
		look("first.example")
		time.Sleep(10 * every)
		cancel()
		<-done
		if n := strings.Count(log.String(), "new certificate refused"); n != 1 {
			t.Errorf("the bad file was logged %d times:\n%s", n, log.String())
		}
		ctx, cancel = context.WithCancel(t.Context())
		done = make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		issue(t, dir, "second.example", time.Now().Add(96*time.Hour))
		look("second.example")
		issue(t, dir, "expired.example", time.Now().Add(-time.Hour))
		look("second.example")
		cancel()
		<-done
	})
}

func TestClientsMustShowACertificateIfThereIsAClientCA(t *testing.T) {
	dir := t.TempDir()
	issue(t, dir, "a.example", time.Now().Add(24*time.Hour))
	o := Options{Name: "sip.tls", Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	o.ClientCA = o.Certificate
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]*tls.Config{
		"none": {InsecureSkipVerify: true},                                 //nolint:gosec // the server judges
		"ours": {InsecureSkipVerify: true, GetClientCertificate: f.Client}, //nolint:gosec // the server judges
	} {
		near, far := net.Pipe()
		judged := make(chan error, 1)
		go func() {
			s := tls.Server(far, f.Server())
			err := s.Handshake()
			judged <- err
			_ = far.Close()
		}()
		go func() { _, _ = tls.Client(near, client).Read(make([]byte, 1)) }()
		if err := <-judged; (err == nil) != (name == "ours") {
			t.Errorf("%s: %v", name, err)
		}
		_ = near.Close()
	}
}
