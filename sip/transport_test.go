package sip

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/call"
	"ullim/internal/resource"
	"ullim/sip/siptest"
)

// house is an endpoint on all transports of an in-memory network, with a trunk at 192.0.2.10 and a device.
type house struct {
	*stage
	network *siptest.Network
	host    string // of the endpoint, as in a URI
	pool    *x509.CertPool
	web     *http.Server
	dials   []string // that the endpoint made
}

func (h *house) at(port string) string { return h.host + ":" + port }

// testCertificate is a self-signed one for names and addresses.
func testCertificate(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// inHouse runs a test in virtual time. host is the endpoint's address.
func inHouse(t *testing.T, host string, f func(h *house), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{network: siptest.NewNetwork(siptest.NetworkOptions{}), host: host}
		defer h.network.Close() //nolint:errcheck // in memory
		plain := strings.Trim(host, "[]")
		cert, pool := testCertificate(t, plain, "sip.example")
		h.pool = pool
		secure := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
		listen := func(port string) net.Listener {
			l, err := h.network.ListenStream(h.at(port))
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		packets, err := h.network.Listen(h.at("5060"))
		if err != nil {
			t.Fatal(err)
		}
		trunks, err := NewTrunkTable([]*Trunk{{
			Meta: resource.Meta{ID: "trunk-1", Name: "carrier"}, Addresses: []string{"192.0.2.10", "2001:db8::10"}, Region: "KR",
		}})
		if err != nil {
			t.Fatal(err)
		}
		h.stage = newStage(t, append([]func(*Options){func(o *Options) {
			_ = o.Packets[0].Close() // the other network's
			o.Packets, o.Listeners, o.Secure = []net.PacketConn{packets}, []net.Listener{listen("5060")}, []net.Listener{listen("5061")}
			o.ServerTLS, o.Trunks = secure, func() *TrunkTable { return trunks }
			o.Dial = func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
				h.dials = append(h.dials, to.String())
				return h.network.DialStream(ctx, from, to)
			}
		}}, change...)...)
		h.web = &http.Server{
			Handler: h.ep.WebSocket([]string{"console.example"}), ReadHeaderTimeout: time.Minute,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		}
		webDone := make(chan struct{}, 2)
		plainWeb, secureWeb := listen("8080"), listen("8443")
		go func() { _ = h.web.Serve(plainWeb); webDone <- struct{}{} }()
		go func() { _ = h.web.Serve(tls.NewListener(secureWeb, secure)); webDone <- struct{}{} }()
		defer func() {
			_ = h.web.Close()
			<-webDone
			<-webDone
			h.close()
			synctest.Wait()
			if n := h.network.Streams(); n != 0 {
				t.Errorf("%d ends of streams are left", n)
			}
		}()
		f(h)
	})
}

// portOf is where a transport is served.
func portOf(transport string) string {
	return map[string]string{"UDP": "5060", "TCP": "5060", "TLS": "5061", "WS": "8080", "WSS": "8443"}[transport]
}

// options are those of a phone on a transport.
func (h *house) options(transport, local string) siptest.PhoneOptions {
	return siptest.PhoneOptions{
		Name: deviceName, Password: deviceWord, Server: h.at(portOf(transport)), Domain: h.host, Local: local, Transport: transport,
		Listen: h.network.Listen, ListenStream: h.network.ListenStream, Dial: h.network.DialStream,
		TLS: &tls.Config{RootCAs: h.pool, ServerName: "sip.example", MinVersion: tls.VersionTLS12},
	}
}

func (h *house) device(t *testing.T, transport, local string) *siptest.Phone {
	t.Helper()
	return h.deviceWith(t, transport, local, func(*siptest.PhoneOptions) {})
}

// deviceWith is a device with options of its own.
func (h *house) deviceWith(t *testing.T, transport, local string, change func(o *siptest.PhoneOptions)) *siptest.Phone {
	t.Helper()
	o := h.options(transport, local)
	change(&o)
	p, err := siptest.NewPhone(o)
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Register(t.Context()); err != nil {
		_ = p.Close()
		t.Fatalf("%s: %v", transport, err)
	}
	return p
}

// carrier is the trunk, with certificate and listener of its own on TLS.
func (h *house) carrier(t *testing.T, transport, local string, names ...string) (*siptest.Carrier, *x509.CertPool) {
	t.Helper()
	o := h.options(transport, local)
	o.Name, o.Password = "", ""
	if len(names) == 0 {
		names = []string{"carrier.example"}
	}
	cert, pool := testCertificate(t, names...)
	o.TLS.Certificates = []tls.Certificate{cert}
	c, err := siptest.NewCarrier(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, pool
}

// answered makes the owner answer with an SDP of the endpoint's family.
func (h *house) answered() {
	sdp := sdpAnswer
	if strings.HasPrefix(h.host, "[") {
		sdp = strings.ReplaceAll(sdp, "IN IP4 198.51.100.1", "IN IP6 "+strings.Trim(h.host, "[]"))
	}
	h.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdp)) }
}

// Registration, a call from the device and one to it, over every transport and both families of addresses; Via and Contact
// say what the transport needs.
func TestEveryTransportCarriesCallsBothWays(t *testing.T) {
	for _, host := range []string{"198.51.100.1", "[2001:db8::1]"} {
		for _, transport := range []string{"UDP", "TCP", "TLS", "WS", "WSS"} {
			t.Run(transport+" "+host, func(t *testing.T) {
				inHouse(t, host, func(h *house) {
					t := h.t
					local := "203.0.113.5:40000"
					if strings.HasPrefix(host, "[") {
						local = "[2001:db8::5]:40000"
					}
					p := h.device(t, transport, local)
					defer p.Close() //nolint:errcheck // in memory
					h.answered()
					out, err := p.Invite(t.Context(), "+82212345678", siptest.CallOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if err = out.WaitAnswered(t.Context()); err != nil {
						t.Fatal(err)
					}
					out.Hangup()
					synctest.Wait()
					same(t, "events of the call out", h.owner.call(t, 0).kinds(), "answered ended(bye)")

					var in eventLog
					offer := strings.ReplaceAll(sdpOffer, "IN IP4 192.0.2.10", "IN IP4 198.51.100.1")
					if strings.HasPrefix(host, "[") {
						offer = strings.ReplaceAll(sdpOffer, "IN IP4 192.0.2.10", "IN IP6 2001:db8::1")
					}
					leg := h.ep.Dial(targetOfDevice(), []byte(offer), in.add)
					got, err := p.NextCall(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if err = got.WaitConfirmed(t.Context()); err != nil {
						t.Fatal(err)
					}
					synctest.Wait() // the owner hears of the answer a moment after the ACK is out
					leg.Hangup("")
					if _, err = got.WaitEnded(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					if kinds := in.kinds(); !strings.HasSuffix(kinds, "answered ended(local)") {
						t.Errorf("events of the call in: %s", kinds)
					}
					want := "<sip:ullim@" + h.at(portOf(transport)) + map[string]string{
						"UDP": ">", "TCP": ";transport=tcp>", "TLS": ";transport=tls>", "WS": ";transport=ws>", "WSS": ";transport=ws>",
					}[transport]
					same(t, "Contact", got.Header("Contact"), want)
					if via := got.Header("Via"); !strings.HasPrefix(via, "SIP/2.0/"+transport+" "+h.at("")) {
						t.Errorf("Via is %s", via)
					}
					if len(h.dials) > 0 {
						t.Errorf("we have dialled %v", h.dials)
					}
				})
			})
		}
	}
}

func targetOfDevice() call.Target { return call.Target{InstanceID: "inst-1", UserID: contactUser} }
