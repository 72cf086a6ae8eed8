package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// crlf makes a message of lines.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// message is a good OPTIONS with some lines replaced: a line beginning with "-Name" takes a header field away.
func message(changes ...string) string {
	lines := []string{
		"OPTIONS sip:test@198.51.100.1 SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-m;rport",
		"Max-Forwards: 70",
		"From: <sip:a@192.0.2.10>;tag=ft",
		"To: <sip:test@198.51.100.1>",
		"Call-ID: m1",
		"CSeq: 1 OPTIONS",
	}
	for _, c := range changes {
		switch {
		case strings.HasPrefix(c, "-"):
			for i, l := range lines {
				if strings.HasPrefix(l, c[1:]) {
					lines = append(lines[:i], lines[i+1:]...)
					break
				}
			}
		case strings.HasPrefix(c, "="): // another start line
			lines[0] = c[1:]
		default:
			lines = append(lines, c)
		}
	}
	return crlf(lines...)
}

func TestMessagesOfEveryForm(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		code int // 0: silence
		head string
	}{
		{"good", message(), 200, "Allow: " + allowed},
		{"folded and spread out", crlf(
			"OPTIONS sip:test@198.51.100.1 SIP/2.0", "v  : SIP  /   2.0", " /UDP", "    192.0.2.10:5060 ;", "  branch  =   z9hG4bKf ; rport",
			"MaX-fOrWaRdS: 0068", "f: sip:a@192.0.2.10 ;   tag    = ft", "TO :", " <sip:test@198.51.100.1>", "i: folded",
			"cseq: 0009", "  OPTIONS"), 200, "CSeq: 9 OPTIONS"},
		{"two To", message("To: <sip:other@198.51.100.1>"), 400, ""},
		{"To and t", message("t: <sip:other@198.51.100.1>"), 400, ""},
		{"two From", message("f: <sip:b@192.0.2.10>;tag=x"), 400, ""},
		{"two Call-ID", message("i: m2"), 400, ""},
		{"two CSeq", message("CSeq: 2 OPTIONS"), 400, ""},
		{"two Content-Length", message("Content-Length: 0", "l: 0"), 400, ""},
		{"two Max-Forwards", message("Max-Forwards: 3"), 400, ""},
		{"two Vias are fine", message("Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK-2"), 200, ""},
		{"two To in one line", message("-To", "To: <sip:a@b>, <sip:c@d>"), 400, ""},
		{"two tags", message("-From", "From: <sip:a@b>;tag=1;tag=2"), 400, ""},
		{"no To", message("-To"), 400, ""},
		{"no From", message("-From"), 400, ""},
		{"no Call-ID", message("-Call-ID"), 400, ""},
		{"no CSeq", message("-CSeq"), 400, ""},
		{"no Via", message("-Via"), 0, ""},
		{"other method in CSeq", message("-CSeq", "CSeq: 1 INVITE"), 400, ""},
		{"huge CSeq", message("-CSeq", "CSeq: 36893488147419103232 OPTIONS"), 400, ""},
		{"CSeq of 2^31", message("-CSeq", "CSeq: 2147483648 OPTIONS"), 400, ""},
		{"negative Content-Length", message("Content-Length: -1"), 400, ""},
		{"Content-Length over the end", message("Content-Length: 10"), 400, ""},
		{"body over Content-Length", message("Content-Length: 2") + "abcdef", 200, ""},
		{"Max-Forwards 0", message("-Max-Forwards", "Max-Forwards: 0"), 483, ""},
		{"Max-Forwards not a number", message("-Max-Forwards", "Max-Forwards: many"), 400, ""},
		{"no Max-Forwards", message("-Max-Forwards"), 200, ""},
		{"Require", message("Require: replaces, nothingSupportsThis"), 420, "Unsupported: nothingSupportsThis"},
		{"empty Require", message("Require:"), 200, ""},
		{"version", message("=OPTIONS sip:test@198.51.100.1 SIP/7.0"), 505, ""},
		{"unknown method", message("=DANCE sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 DANCE"), 501, "Allow: " + allowed},
		{"known method", message("=PUBLISH sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 PUBLISH"), 405, "Allow: " + allowed},
		{"lower-case method", message("=options sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 options"), 501, ""},
		{"unknown scheme", message("=OPTIONS nobodyKnowsThisScheme:x SIP/2.0"), 416, ""},
		{"sips", message("=OPTIONS sips:test@198.51.100.1 SIP/2.0"), 416, ""},
		{"no scheme", message("=OPTIONS test SIP/2.0"), 400, ""},
		{"brackets around the URI", message("=OPTIONS <sip:test@198.51.100.1> SIP/2.0"), 400, ""},
		{"space in the URI", message("=OPTIONS sip:te st@198.51.100.1 SIP/2.0"), 400, ""},
		{"two spaces", message("=OPTIONS  sip:test@198.51.100.1 SIP/2.0"), 400, ""},
		{"space at the end", message("=OPTIONS sip:test@198.51.100.1 SIP/2.0 "), 400, ""},
		{"header without a colon", message("Nonsense"), 400, ""},
		{"non-printable before the colon", message("X-Foo\x01: 1"), 400, ""},
		{"NUL in a value", message("X-Foo: a\x00b"), 400, ""},
		{"open quote", message("-To", "To: \"open <sip:a@b>"), 400, ""},
		{"open bracket", message("-To", "To: <sip:a@b"), 400, ""},
		{"no branch and no From tag", message("-Via", "Via: SIP/2.0/UDP 192.0.2.10:5060", "-From", "From: <sip:a@b>"), 400, ""},
		{"RFC 2543", message("-Via", "Via: SIP/2.0/UDP 192.0.2.10:5060"), 200, ""},
		{"bare LF in a header", message("X-Foo: a\nX-Bar: b"), 400, ""},
		{"CANCEL for nothing", message("=CANCEL sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 CANCEL"), 481, ""},
		{"not SIP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, ""},
		{"LF only", strings.ReplaceAll(message(), "\r\n", "\n"), 0, ""},
		{"no end of the head", strings.TrimSuffix(message(), "\r\n\r\n"), 0, ""},
		{"keep-alive", "\r\n\r\n", 0, ""},
		{"zeros", "\x00\x00\x00\x00", 0, ""},
		{"empty", "", 0, ""},
		{"answer to nothing", crlf("SIP/2.0 200 OK", "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx", "From: <sip:a@b>;tag=1",
			"To: <sip:a@b>;tag=2", "Call-ID: x", "CSeq: 1 INVITE"), 0, ""},
		{"ACK for nothing", message("=ACK sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 ACK"), 0, ""},
		{"bad ACK", message("=ACK sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 INVITE"), 0, ""},
		{"ACK with a bad URI", message("=ACK <sip:x> SIP/2.0", "-CSeq", "CSeq: 1 ACK"), 0, ""},
		{"ACK that requires", message("=ACK sip:test@198.51.100.1 SIP/2.0", "-CSeq", "CSeq: 1 ACK", "Require: x"), 0, ""},
		{"many headers", message(strings.Split(strings.TrimSuffix(strings.Repeat("X: 1\n", 300), "\n"), "\n")...), 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				var answers []string
				s.net.lose = func(from, _ string, data []byte) bool {
					if from == ourAddr {
						answers = append(answers, string(data))
						return true
					}
					return false
				}
				s.trunk.send(tc.text)
				time.Sleep(time.Minute)
				s.trunk.settle()
				switch {
				case tc.code == 0:
					same(t, "answers", answers, nil)
				case len(answers) == 0:
					t.Errorf("no answer, want %d", tc.code)
				case !strings.HasPrefix(answers[0], fmt.Sprintf("SIP/2.0 %d ", tc.code)):
					t.Errorf("answer is\n%s\nwant %d", answers[0], tc.code)
				case !strings.Contains(answers[0], tc.head):
					t.Errorf("answer has no %q:\n%s", tc.head, answers[0])
				}
				same(t, "panics", s.ep.Stats().Panics, 0)
			})
		})
	}
}

func TestAnswersGoToTheSourceAddressOnly(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		to := map[string]int{}
		s.net.lose = func(from, dest string, _ []byte) bool {
			if from == ourAddr {
				to[dest]++
			}
			return false
		}
		via := func(v string) []string { return []string{"-Via", "Via: SIP/2.0/UDP " + v} }
		s.phone("192.0.2.10:7777")
		for i, v := range []string{
			"192.0.2.10:5060;branch=z9hG4bK-1;rport",
			"10.0.0.1:6000;branch=z9hG4bK-2;rport",
			"10.0.0.1:6000;branch=z9hG4bK-3;received=203.0.113.99;maddr=203.0.113.98",
			"203.0.113.97;branch=z9hG4bK-4",
		} {
			s.trunk.send(message(via(v)...))                                                        // sipgo answers
			s.trunk.send(message(append(via(strings.Replace(v, "K-", "K-x", 1)), "Require: x")...)) // the guard answers
			s.trunk.settle()
			same(t, fmt.Sprintf("case %d", i), len(s.trunk.got) > 0, true)
		}
		for dest := range to {
			if a := netip.MustParseAddrPort(dest); a.Addr() != netip.MustParseAddr("192.0.2.10") {
				t.Errorf("an answer went to %s", dest)
			}
		}
		same(t, "answers to the ports asked for", to, map[string]int{"192.0.2.10:5060": 6, "192.0.2.10:6000": 2})
		res := s.trunk.response("1 OPTIONS", 420)
		same(t, "received", viaParam(res.Via().Value(), "received"), "192.0.2.10")
	})
}

func TestAnswersOver1300BytesGoOut(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("big")
		long := "X-Long: " + strings.Repeat("v", 3000)
		var vias []string
		for i := range 30 {
			vias = append(vias, fmt.Sprintf("Via: SIP/2.0/UDP 192.0.2.%d:5060;branch=z9hG4bK-%s", i+30, strings.Repeat("b", 60)))
		}
		s.trunk.send(d.text("INVITE", 1, "big-1", sdpOffer, append(vias, long)...))
		s.trunk.settle()
		c := s.owner.call(t, 0)
		c.leg.Answer([]byte(sdpAnswer + strings.Repeat("a=x-filler:0123456789\r\n", 100)))
		s.trunk.settle()
		if n := len(s.trunk.response("1 INVITE", 200).String()); n < 4000 {
			t.Errorf("answer has %d bytes", n)
		}
		c.leg.Hangup("")
		d.learn(200)
		d.send("ACK", 1, "")
		s.trunk.settle()
	})
}

func TestManySourcesDoNotStay(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("stays")
		pool := s.ep.transports.Pool("udp")
		send := func(i int) {
			src := &wireConn{w: s.net, addr: &net.UDPAddr{IP: net.IPv4(10, byte(i>>16), byte(i>>8), byte(i)), Port: 5060}}
			text := strings.ReplaceAll(message(), "z9hG4bK-m", fmt.Sprintf("z9hG4bK-m%d", i))
			_, _ = src.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ourAddr)))
		}
		for i := range 300 { // what is no SIP leaves nothing at all
			src := &wireConn{w: s.net, addr: &net.UDPAddr{IP: net.IPv4(10, 9, 9, 9), Port: 1000 + i}}
			_, _ = src.WriteTo([]byte("garbage"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ourAddr)))
		}
		synctest.Wait()
		if n := pool.Size(); n > 2 {
			t.Errorf("%d sources are remembered after garbage", n)
		}
		for i := range 3 * maxSources {
			send(i)
			if i%1000 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		if n := pool.Size(); n > maxSources+10 {
			t.Errorf("%d sources are remembered, at most %d may", n, maxSources)
		}
		d.send("INFO", 2, "1", "Content-Type: application/dtmf") // and the calls go on
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered digit(1)")
		c.leg.Hangup("")
		s.trunk.settle()
		same(t, "BYEs", len(s.trunk.requests(sipgo.BYE)), 1)
	})
}

func TestFloodIsShedBeforeWorkIsDone(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		stranger := s.phone("203.0.113.66:5060")
		for i := range 1000 {
			d := stranger.dialog(fmt.Sprintf("flood%d", i))
			stranger.send(d.text("INVITE", 1, fmt.Sprint("flood", i), sdpOffer))
		}
		stranger.settle()
		counts := map[int]int{}
		for _, code := range stranger.responses("1 INVITE") {
			counts[code]++
		}
		if counts[401] == 0 || counts[401] > 150 || counts[503] == 0 || counts[503] > 120 {
			t.Errorf("answers are %v", counts)
		}
		same(t, "Retry-After", stranger.response("1 INVITE", 503).GetHeader("Retry-After").Value(), "1")
		if st := s.ep.Stats(); st.RateLimited < 800 {
			t.Errorf("%d were limited", st.RateLimited)
		}
		s.up("trunk goes on") // and the trunk, which has its own limits, is served
	})
}

func TestValidatorIsTold(t *testing.T) {
	same(t, "tidy", tidyValue(`"a ; b" <sip:x y> ;  tag =  1 , <z>`, false), `"a ; b" <sip:x y>;tag=1,<z>`)
	same(t, "via", tidyValue("SIP /  2.0 / UDP  host : 5060 ; branch = x", true), "SIP/2.0/UDP host : 5060;branch=x")
	same(t, "port", viaPort("SIP/2.0/UDP [2001:db8::1]:5061;branch=x"), 5061)
	same(t, "no port", viaPort("SIP/2.0/UDP [2001:db8::1];branch=x"), 5060)
	src := netip.MustParseAddrPort("192.0.2.1:99")
	same(t, "rport", answerVia("SIP/2.0/UDP h;rport;branch=x;received=1.1.1.1, SIP/2.0/UDP i", src),
		"SIP/2.0/UDP h;rport=99;branch=x;received=192.0.2.1, SIP/2.0/UDP i")
	same(t, "to the source", answerTo("SIP/2.0/UDP h:7000;rport", src).String(), "192.0.2.1:99")
	same(t, "to the port", answerTo("SIP/2.0/UDP h:7000", src).String(), "192.0.2.1:7000")
}

// Whatever arrives: no panic, an answer is well-formed and goes to requests only, and what passes is one message for both
// parsers.
func FuzzGuard(f *testing.F) {
	f.Add([]byte(message()), false)
	f.Add([]byte(message("Content-Length: 3")+"abc"), true)
	f.Add([]byte(message("-To", "To :", " \"x\\\"y\" <sip:a@b> ; tag = 1")), false)
	f.Add([]byte(crlf("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bKx", "From: a", "To: b", "Call-ID: c", "CSeq: 1 A")), false)
	f.Add([]byte("INVITE sip:a@b;x=y?z SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:5;rport\r\nf:<sip:\"@>;tag=\"\r\n\r\n"), false)
	ep := fuzzEndpoint(f)
	f.Fuzz(func(t *testing.T, data []byte, stream bool) {
		before := ep.count.panics.Load()
		v := ep.judge(data, arrival{source: netip.MustParseAddrPort("192.0.2.10:5060"), stream: stream})
		if ep.count.panics.Load() != before {
			t.Fatalf("panic on %q", data)
		}
		if v.reply != nil {
			if strings.HasPrefix(string(data), "SIP/2.0") || strings.HasPrefix(string(data), "ACK ") {
				t.Fatalf("answered %q with %q", data, v.reply)
			}
			if m, ok := scanMessage(v.reply); !ok || m.status == 0 || m.broken != "" || len(m.body) != 0 {
				t.Fatalf("answer is not one message: %q", v.reply)
			}
		}
		if v.pass == nil {
			return
		}
		m, ok := scanMessage(v.pass)
		if !ok || m.check(arrival{stream: stream}) != nil {
			t.Fatalf("what passed does not pass again: %q", v.pass)
		}
		msg, err := sipgo.ParseMessage(v.pass)
		if err != nil {
			t.Fatalf("the library does not read %q: %v", v.pass, err)
		}
		callID, _ := m.get("call-id")
		if msg.CallID() == nil || msg.CallID().Value() != callID || msg.To() == nil || msg.From() == nil || msg.CSeq() == nil ||
			msg.Via() == nil || len(msg.GetHeaders("Call-ID")) != 1 || len(msg.GetHeaders("CSeq")) != 1 {
			t.Fatalf("two views of %q", v.pass)
		}
	})
}

func fuzzEndpoint(f testing.TB) *Endpoint {
	f.Helper()
	w := &wire{}
	trunks, _ := NewTrunkTable(nil)
	ep, err := NewEndpoint(Options{
		Packets: []net.PacketConn{w.listen(ourAddr)}, Realm: realm,
		Trunks: func() *TrunkTable { return trunks }, Devices: func() *DeviceTable { return NewDeviceTable(nil) },
		Registrar: NewRegistrar(RegistrarOptions{Store: &memoryStore{}}),
		Limits:    NewLimits(LimitOptions{RequestsPerSecond: 1e9}), Admitter: &owner{},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(ep.Close)
	return ep
}

func TestTooManyTransactionsShedStrangersOnly(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		s.ep.count.transactions.Add(maxTransactions + 1)
		defer s.ep.count.transactions.Add(-maxTransactions - 1)
		stranger := s.phone("203.0.113.66:5060")
		stranger.dialog("late").invite()
		same(t, "stranger", stranger.responses("1 INVITE"), []int{503})
		_, c := s.up("trunk")
		c.leg.Hangup("")
		s.trunk.settle()
		phone := s.phone(deviceAddr)
		phone.dialog("before").invite()
		same(t, "a phone that nobody knows yet", phone.responses("1 INVITE"), []int{503})
		s.ep.trust.promote(netip.MustParseAddrPort(deviceAddr), time.Now().Add(time.Hour), time.Now())
		phone.dialog("after").invite()
		same(t, "a phone that is known", phone.responses("1 INVITE"), []int{503, 401})
	})
}
