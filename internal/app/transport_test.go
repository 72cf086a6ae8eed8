package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ullim/internal/config"
	"ullim/sip/siptest"
)

// A node with a certificate serves HTTPS, secure WebSocket on the same port, and SIP over TLS with the same certificate.
func TestOneCertificateServesHTTPSWebSocketAndTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := issued(t, dir)
	cfg, err := config.Load("", []string{
		"ULLIM_DATA_FOLDER=" + filepath.Join(dir, "data"), "ULLIM_HTTP_LISTEN=127.0.0.1:0", "ULLIM_HTTP_TLS_CERTIFICATE=" + cert,
		"ULLIM_HTTP_TLS_KEY=" + key, "ULLIM_SIP_TLS_LISTEN=127.0.0.1:0", "ULLIM_SIP_UDP=127.0.0.1:0", "ULLIM_SIP_TCP=127.0.0.1:0",
		"ULLIM_RTP_BIND=127.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s, err := Serve(t.Context(), cfg, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if serr := s.Shutdown(ended); serr != nil {
			t.Error(serr)
		}
	}()
	m := regexp.MustCompile(`HTTP on https://(\S+), SIP on udp \S+, SIP on tcp \S+, SIP on tls (\S+), data`).FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("it says %q", out.String())
	}
	secure := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+m[1]+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for _, want := range []string{`ullim_tls_certificate_remaining_seconds{section="http.tls"} `, `{section="sip.tls"} `, `ullim_sip_connections{transport="WSS"} 0`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	for transport, server := range map[string]string{"WSS": m[1], "TLS": m[2]} {
		phone, err := siptest.NewPhone(siptest.PhoneOptions{Server: server, Transport: transport, TLS: secure.Clone(), Password: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if err = phone.Register(t.Context()); err == nil || !strings.Contains(err.Error(), "credentials") { // there is no such device
			t.Errorf("%s: %v", transport, err)
		}
		_ = phone.Close()
	}
}

// issued writes a certificate for 127.0.0.1 and its key.
func issued(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	for path, b := range map[string][]byte{cert: chain, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err = os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}
