package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/internal/errs"
)

// names is a resolver of a test: each lookup of a name gives the next of its answers.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	list := n.answers[host]
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(list) > 1 {
		n.answers[host] = list[1:]
	}
	var out []netip.Addr
	for _, text := range list[0] {
		out = append(out, netip.MustParseAddr(text))
	}
	return out, nil
}

// newGuard is a guard whose connections are noted and not made.
func newGuard(t *testing.T, o Options) (*guard, *[]string) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	dialled := new([]string)
	c.guard.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		*dialled = append(*dialled, address)
		a, b := net.Pipe()
		_ = b.Close()
		return a, nil
	}
	return c.guard, dialled
}

func TestOnlyTheInternetIsCalled(t *testing.T) {
	g, _ := newGuard(t, Options{Own: []netip.Addr{netip.MustParseAddr("198.20.0.7")}})
	refused := []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		"169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.5", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a00:1", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::808:808",
		"64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1", "fe80::1%eth0", "fec0::1",
		"fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "2001:10::1",
		"198.20.0.7", // one of ours
	}
	for _, text := range refused {
		if err := g.check("x", netip.MustParseAddr(text), 443, false); !errs.Is(err, errs.Denied) {
			t.Errorf("%s may be called: %v", text, err)
		}
	}
	for _, text := range []string{
		"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "169.253.0.1", "192.167.1.1", "11.0.0.1",
		"198.17.0.1", "223.255.255.254", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2400:cb00::1",
	} {
		if err := g.check("x", netip.MustParseAddr(text), 443, false); err != nil {
			t.Errorf("%s may not be called: %v", text, err)
		}
	}
}

func TestAddressesOfThisMachineAreNotCalled(t *testing.T) {
	g, _ := newGuard(t, Options{})
	found, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found {
		ip, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if err := g.check("x", ip.Unmap(), 443, false); !errs.Is(err, errs.Denied) {
			t.Errorf("%s of this machine may be called: %v", ip, err)
		}
	}
}

func TestTheOperatorsListLiftsTheRules(t *testing.T) {
	g, _ := newGuard(t, Options{Allow: []string{"10.1.0.0/16", "10.9.9.9:8080", "[fd00::5]:9000", "hooks.internal", "Bots.Internal:7000"}, Ports: []uint16{443, 8443}})
	rows := []struct {
		host, addr string
		port       uint16
		plain, ok  bool
	}{
		{"a", "10.1.2.3", 80, true, true},
		{"a", "10.1.2.3", 9999, false, true},
		{"a", "10.2.2.3", 443, false, false},
		{"a", "10.9.9.9", 8080, true, true},
		{"a", "10.9.9.9", 443, false, false},
		{"a", "fd00::5", 9000, true, true},
		{"a", "fd00::5", 9001, true, false},
		{"hooks.internal", "192.168.3.3", 1234, true, true},
		{"evil.hooks.internal", "192.168.3.3", 443, false, false},
		{"bots.internal", "192.168.3.3", 7000, true, true},
		{"bots.internal", "192.168.3.3", 7001, true, false},
		{"a", "8.8.8.8", 443, true, false},
		{"a", "8.8.8.8", 8443, false, true},
		{"a", "8.8.8.8", 22, false, false},
	}
	for _, r := range rows {
		if err := g.check(r.host, netip.MustParseAddr(r.addr), r.port, r.plain); (err == nil) != r.ok {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for _, bad := range []string{"", "10.1.2.3/8", "x:0", "x:99999", "http://x", "a b", "1.2.3", "*", "[::1]:x", ":80", "::1:80:zz"} {
		if err := ParseAllow(bad); err == nil {
			t.Errorf("%q is taken as an exception", bad)
		}
	}
}

func TestTheConnectionGoesToTheAddressThatWasJudged(t *testing.T) {
	dns := &names{answers: map[string][][]string{
		"rebind.example":  {{"8.8.4.4"}, {"127.0.0.1"}},
		"inside.example":  {{"10.0.0.1", "::1", "::ffff:127.0.0.1"}},
		"mixed.example":   {{"10.0.0.1", "2606:4700::1", "8.8.8.8"}},
		"metadata.google": {{"169.254.169.254"}},
	}}
	g, dialled := newGuard(t, Options{Resolver: dns})
	for _, r := range []struct {
		address, want string
		kind          errs.Kind
	}{
		{"rebind.example:443", "8.8.4.4:443", 0}, // looked up once: the second answer is never asked for
		{"rebind.example:443", "", errs.Denied},  // and judged again for the next connection
		{"inside.example:443", "", errs.Denied},
		{"mixed.example:443", "8.8.8.8:443", 0},
		{"MIXED.example.:443", "8.8.8.8:443", 0},
		{"metadata.google:443", "", errs.Denied},
		{"nobody.example:443", "", errs.Unavailable},
		{"[::ffff:8.8.8.8]:443", "", errs.Denied},
		{"127.1:443", "", errs.Unavailable},
		{"0x7f000001:443", "", errs.Unavailable},
		{"8.8.8.8:25", "", errs.Denied},
	} {
		*dialled = nil
		conn, err := g.open(t.Context(), "tcp", r.address)
		if conn != nil {
			_ = conn.Close()
		}
		got := strings.Join(*dialled, " ")
		if got != r.want || (err == nil) != (r.want != "") || err != nil && errs.KindOf(err) != r.kind {
			t.Errorf("%s: dialled %q, %v; want %q", r.address, got, err, r.want)
		}
	}
	if dns.asked != 8-1 { // each name once, numbers never
		t.Errorf("the resolver was asked %d times", dns.asked)
	}
}

func TestARefusalTellsNothingOfWhatIsInside(t *testing.T) {
	dns := &names{answers: map[string][][]string{"db.corp.example": {{"10.20.30.40"}}}}
	g, _ := newGuard(t, Options{Resolver: dns})
	_, err := g.open(t.Context(), "tcp", "db.corp.example:443")
	e, ok := errors.AsType[*errs.Error](outside(err))
	if !ok || strings.Contains(e.Message, "10.20") || strings.Contains(e.Message, "private") {
		t.Errorf("the caller is told %v", e.Message)
	}
	if !strings.Contains(err.Error(), "10.20.30.40") {
		t.Errorf("the log is not told: %v", err)
	}
}

func TestAURLIsJudgedBeforeAnythingIsResolved(t *testing.T) {
	c, err := New(Options{Allow: []string{"plain.internal:8080", "10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := range []string{
		"https://hooks.example.com/x?y=1", "https://hooks.example.com:443/", "wss://bots.example.com/a", "http://plain.internal:8080/", "https://10.1.1.1/",
		"https://8.8.8.8/",
	} {
		if err := c.Check(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "hooks.example.com", "ftp://x.example/", "file:///etc/passwd", "https://", "https:///x", "https://user:pw@x.example/", "https://x.example/#f",
		"https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest", "https://127.1/", "https://2130706433/",
		"https://0x7f.1/", "https://x.example:0/", "https://x.example:99999/", "https://x.example:/", "https://x.example:22@y/", "gopher://x", "https://ex ample.com/",
		"https://\u0661.example/", "https://x.example/\r\nHost: y", "https://8.8.8.8:8080/", "https://x..example/", "https:opaque", "wss://[fe80::1%25eth0]/",
		"https://" + strings.Repeat("a", 3000) + ".example/",
	} {
		if err := c.Check(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestHeadersThatBelongToHTTPAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"Host": "x", "content-length": "1", "Transfer-Encoding": "chunked", "Ullim-Signature": "x", "Sec-WebSocket-Key": "x", "": "x", "A B": "x", "A:": "x",
		"X-Line": "a\r\nHost: b", "X-Nul": "\x00", "X-Long": strings.Repeat("x", 2000), "X-Ü": "x",
	} {
		if err := CheckHeader(name, value); err == nil {
			t.Errorf("%q: %q is taken", name, value)
		}
	}
	if err := CheckHeader("Authorization", "Bearer abc"); err != nil {
		t.Error(err)
	}
}

func TestSlotsAreBoundedAndForgotten(t *testing.T) {
	s := newSlots(2)
	one, err := s.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	two, _ := s.take(t.Context(), "a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err = s.take(ctx, "a"); err == nil {
		t.Error("a third place was given")
	}
	if free, waits := s.take(t.Context(), "b"); waits != nil {
		t.Error("another key waits")
	} else {
		free()
	}
	one()
	three, err := s.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	two()
	three()
	if len(s.held) != 0 {
		t.Errorf("%d keys are kept", len(s.held))
	}
}

func FuzzAURLThatIsTakenNamesAHostAndNoMore(f *testing.F) {
	for _, s := range []string{"https://a.example/x", "http://10.0.0.1", "https://[::1]:443/", "https://a@b", "wss://a.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parse(text, "https", "http")
		if err != nil {
			return
		}
		if u.User != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, "@/\\ \r\n") || u.Scheme != "https" && u.Scheme != "http" {
			t.Errorf("%q became %+v", text, u)
		}
	})
}
