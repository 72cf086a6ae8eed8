package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t testing.TB) (cert, key string) {
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
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// trusting is a client that trusts a certificate.
func trusting(t testing.TB, file string) *http.Client {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
}

// TestBaresipOverTCPAndTLS has somebody else's caller and agent on streams, with audio both ways.
func TestBaresipOverTCPAndTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	b := ports.take(t)
	secure := fmt.Sprintf("127.0.0.1:%d", b.tls())
	c := newCenterAt(t, b, "ULLIM_SIP_TLS_LISTEN="+secure, "ULLIM_SIP_TLS_CERTIFICATE="+cert, "ULLIM_SIP_TLS_KEY="+key)
	queueID, profileID := c.queue("Support")
	c.number("+8225550500", queueFlow(queueID))
	for i, tc := range []struct{ transport, server string }{{"tcp", c.server}, {"tls", secure}} {
		t.Run(tc.transport, func(t *testing.T) {
			userID, d := c.agent("hana-"+tc.transport, profileID)
			callerVoice, agentVoice := siptest.Voice("caller "+tc.transport), siptest.Voice("agent "+tc.transport)
			agent := c.baresip(2*i, fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=pcma;regint=60",
				d.Username, tc.server, tc.transport, d.Username, d.Password), agentVoice)
			c.until("baresip is registered", func() bool {
				var out struct {
					Device struct{ Registrations []struct{ Contact string } }
				}
				c.admin(http.MethodGet, "/devices/"+d.ID, nil, &out)
				return len(out.Device.Registrations) == 1 && strings.Contains(out.Device.Registrations[0].Contact, "transport="+tc.transport)
			})
			c.setAvailable(userID)
			before := len(c.contacts())
			caller := c.baresip(2*i+1, fmt.Sprintf("<sip:+821055500001@127.0.0.1:%d;transport=%s>;regint=0;audio_codecs=pcmu",
				c.ports.baresip(2*i+1), tc.transport), callerVoice, "-e", "/dial sip:+8225550500@"+tc.server+";transport="+tc.transport)
			c.until("caller and agent are connected", func() bool {
				for _, s := range c.contacts() {
					if a := c.contact(*s.Id).AgentInfo; len(c.contacts()) > before && a != nil && *a.Id == userID && a.ConnectedToAgentTimestamp != nil {
						return true
					}
				}
				return false
			})
			if n := c.metrics()[fmt.Sprintf("ullim_sip_connections{transport=%q}", strings.ToUpper(tc.transport))]; n < 2 {
				t.Errorf("%v connections over %s", n, tc.transport)
			}
			talk(t, 7*time.Second)
			callerHeard := caller.hangUp(t)
			c.closed(before + 1)
			agentHeard := agent.hangUp(t)
			wantVoice(t, "the caller", last(callerHeard, 5*time.Second), agentVoice)
			wantVoice(t, "the agent", last(agentHeard, 5*time.Second), callerVoice)
		})
	}
	c.atRest()
}
