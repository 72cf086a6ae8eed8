package sip

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

func TestEndpointRefusesWhatItCannotServe(t *testing.T) {
	good := func() Options {
		w := &wire{}
		trunks, _ := NewTrunkTable(nil)
		return Options{
			Packets: []net.PacketConn{w.listen(ourAddr)}, Realm: realm,
			Trunks: func() *TrunkTable { return trunks }, Devices: func() *DeviceTable { return NewDeviceTable(nil) },
			Registrar: NewRegistrar(RegistrarOptions{Store: &memoryStore{}}), Limits: NewLimits(LimitOptions{}), Admitter: &owner{},
		}
	}
	for name, change := range map[string]func(*Options){
		"no socket":           func(o *Options) { o.Packets = nil },
		"no admitter":         func(o *Options) { o.Admitter = nil },
		"advertised port":     func(o *Options) { o.Advertise = "sip.example:99999" },
		"advertised host":     func(o *Options) { o.Advertise = "sip example" },
		"advertised URI":      func(o *Options) { o.Advertise = "sip:example" },
		"advertised injected": func(o *Options) { o.Advertise = "a;b\r\nX: y" },
	} {
		o := good()
		change(&o)
		if ep, err := NewEndpoint(o); err == nil {
			ep.Close()
			t.Errorf("%s: no error", name)
		}
	}
	ep, err := NewEndpoint(good()) // never started
	if err != nil {
		t.Fatal(err)
	}
	ep.Close()
	ep.Close()
}

func TestFaceIsWhatThePeerSees(t *testing.T) {
	const v4, v6 = "127.0.0.1:9999", "[::1]:9999"
	for _, tc := range []struct{ advertise, local, peer, want string }{
		{"", "192.0.2.1:5060", v4, "192.0.2.1:5060"},
		{"", "[2001:db8::1]:5060", v6, "[2001:db8::1]:5060"},
		{"", "0.0.0.0:5070", v4, "127.0.0.1:5070"}, // the address towards the peer
		{"", "[::]:5070", v4, "127.0.0.1:5070"},
		{"sip.example", "0.0.0.0:5070", v4, "sip.example:5070"},
		{"sip.example", "[2001:db8::1]:5070", v6, "sip.example:5070"},
		{"203.0.113.1:5080", "192.0.2.1:5060", v4, "203.0.113.1:5080"},
		{"203.0.113.1:5080", "[2001:db8::1]:5060", v6, "[2001:db8::1]:5060"}, // means nothing to a peer of the other family
		{"2001:db8::5", "[2001:db8::1]:5060", v6, "[2001:db8::5]:5060"},
		{"[2001:db8::5]:5090", "[2001:db8::1]:5060", v6, "[2001:db8::5]:5090"},
		{"[2001:db8::5]:5090", "192.0.2.1:5060", v4, "192.0.2.1:5060"},
	} {
		ep := &Endpoint{ctx: t.Context()}
		if err := ep.advertise(tc.advertise); err != nil {
			t.Errorf("%q: %v", tc.advertise, err)
			continue
		}
		u := ep.face(netip.MustParseAddrPort(tc.local), netip.MustParseAddrPort(tc.peer))
		same(t, tc.advertise+" on "+tc.local, fmt.Sprintf("%s:%d", u.Host, u.Port), tc.want)
	}
}

// The same endpoint on real sockets, and nothing is left of it.
func TestRealSocketsOnLoopback(t *testing.T) {
	before := runtime.NumGoroutine()
	packet, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, net: &wire{}, owner: &owner{}, log: &lines{}, lim: NewLimits(LimitOptions{})}
	trunks, err := NewTrunkTable([]*Trunk{testTrunk("loopback", "127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	s.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdpAnswer)) }
	ep, err := NewEndpoint(Options{
		Packets: []net.PacketConn{packet}, Listeners: []net.Listener{listener}, Realm: realm,
		Trunks: func() *TrunkTable { return trunks }, Devices: func() *DeviceTable { return NewDeviceTable(nil) },
		Registrar: NewRegistrar(RegistrarOptions{Store: &memoryStore{}}), Limits: s.lim, Admitter: s.owner,
	})
	if err != nil {
		t.Fatal(err)
	}
	ep.Start()
	for _, network := range []string{"udp", "tcp"} {
		addr := packet.LocalAddr().String()
		if network == "tcp" {
			addr = listener.Addr().String()
		}
		realCall(t, network, addr)
	}
	ep.Close()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
	same(t, "legs", ep.Stats().Legs, 0)
	same(t, "calls", s.owner.count(), 2)
}

// realCall is INVITE, ACK, BYE over a socket.
func realCall(t *testing.T, network, addr string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	d := (&farEnd{addr: c.LocalAddr().String()}).dialog("real-" + network)
	say := func(text string) {
		if _, err := io.WriteString(c, strings.Replace(text, "SIP/2.0/UDP", "SIP/2.0/"+strings.ToUpper(network), 1)); err != nil {
			t.Fatal(err)
		}
	}
	parser := sipgo.NewParser().NewSIPStream()
	hear := func(cseq string) *sipgo.Response {
		buf := make([]byte, 8192)
		for {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			var final *sipgo.Response
			_ = parser.ParseSIPStream(buf[:n], func(m sipgo.Message) {
				if res, ok := m.(*sipgo.Response); ok && res.StatusCode >= 200 && res.CSeq().Value() == cseq {
					final = res
				}
			})
			if final != nil {
				return final
			}
		}
	}
	say(d.text("INVITE", 1, network+"1", sdpOffer))
	res := hear("1 INVITE")
	same(t, "answer", res.StatusCode, 200)
	same(t, "contact", res.Contact().Address.Host, "127.0.0.1")
	d.to = tagOf(res.To().Params)
	say(d.text("ACK", 1, network+"2", ""))
	say(d.text("BYE", 2, network+"3", ""))
	same(t, "answer to BYE", hear("2 BYE").StatusCode, 200)
}
