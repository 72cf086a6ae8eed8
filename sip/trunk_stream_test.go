package sip

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/resource"
)

// TestR16T08RegistrationOverEveryTransport registers with another endpoint over UDP, TCP and TLS. A certificate that cannot
// be verified is refused, and taken only by the trunk that says so (threat 8).
func TestR16T08RegistrationOverEveryTransport(t *testing.T) {
	for name, c := range map[string]struct {
		transport string
		insecure  bool
		want      EnrolState
	}{
		"UDP": {"UDP", false, EnrolRegistered}, "TCP": {"TCP", false, EnrolRegistered},
		"TLS, certificate not known": {"TLS", false, EnrolFailing}, "TLS, insecure": {"TLS", true, EnrolRegistered},
	} {
		t.Run(name, func(t *testing.T) {
			conf := &trunkConfig{}
			conf.set(t)
			inHouse(t, "198.51.100.1", func(h *house) {
				const there = "192.0.2.20"
				cert, _ := testCertificate(t, there)
				packets, err := h.network.Listen(there + ":5060")
				if err != nil {
					t.Fatal(err)
				}
				plain, err := h.network.ListenStream(there + ":5060")
				if err != nil {
					t.Fatal(err)
				}
				secure, err := h.network.ListenStream(there + ":5061")
				if err != nil {
					t.Fatal(err)
				}
				registrar := NewRegistrar(RegistrarOptions{Store: &memoryStore{}})
				empty, _ := NewTrunkTable(nil)
				far, err := NewEndpoint(Options{
					Packets: []net.PacketConn{packets}, Listeners: []net.Listener{plain}, Secure: []net.Listener{secure},
					ServerTLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}, Realm: realm,
					Trunks: func() *TrunkTable { return empty }, Devices: h.ep.opt.Devices, Registrar: registrar,
					Limits: NewLimits(LimitOptions{}), Admitter: &owner{},
					Dial: func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
						return h.network.DialStream(ctx, from, to)
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				far.Start()
				defer far.Close()
				conf.set(t, &Trunk{
					Meta: resource.Meta{ID: "t", InstanceID: "inst-1", Name: "t"}, Gateways: []Gateway{{Host: there, Transport: c.transport}},
					Login: Login{Username: deviceName, Secret: deviceWord}, Register: Register{Enabled: true}, TLSInsecure: c.insecure,
					ProbeSeconds: -1,
				})
				h.ep.SyncTrunks()
				time.Sleep(time.Second)
				synctest.Wait()
				st, _ := h.ep.TrunkState("t")
				if st.Registration != c.want {
					t.Errorf("state is %+v", st)
				}
				reg, there2 := registrar.Lookup(contactUser, time.Now())
				if there2 != (c.want == EnrolRegistered) || there2 && !strings.EqualFold(reg.Transport, c.transport) {
					t.Errorf("the registrar has %+v, %v", reg, there2)
				}
				h.ep.Close()
				synctest.Wait()
				if _, still := registrar.Lookup(contactUser, time.Now()); still {
					t.Error("it is registered after the shutdown")
				}
			}, func(o *Options) {
				o.Trunks = conf.get
				o.OpenSecret = func(k *Trunk) (string, error) { return k.Login.Secret, nil }
			})
		})
	}
}
