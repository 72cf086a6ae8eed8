package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ullim/internal/resource"
)

func trustBench(tb testing.TB, opt TrustOptions) *trust {
	tb.Helper()
	trunks, err := NewTrunkTable([]*Trunk{{Meta: resource.Meta{ID: "t", Name: "carrier"}, Addresses: []string{"192.0.2.0/24", "198.18.0.1:5060"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return newTrust(opt, func() *TrunkTable { return trunks })
}

func src(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(113 + i>>8), byte(i)}), 5060)
}

// Phones keep service while strangers flood, and nobody pays for another's excess.
func TestR21RegisteredPhonesKeepServiceInAFlood(t *testing.T) {
	tr := trustBench(t, TrustOptions{})
	now := time.Unix(1_700_000_000, 0)
	phone, proxy := netip.MustParseAddrPort("203.0.113.7:40000"), netip.MustParseAddrPort("192.0.2.9:5060")
	tr.promote(phone, now.Add(time.Hour), now)
	passed := map[string]int{}
	for second := range 10 {
		for i := range 5000 { // 200 sources, and the phone sits behind the address of one of them
			at := now.Add(time.Duration(second)*time.Second + time.Duration(i)*200*time.Microsecond)
			if tr.admit(src(i%200), 600, at) == admitPass {
				passed["strangers"]++
			}
			if i%500 == 0 && tr.admit(phone, 600, at) == admitPass {
				passed["phone"]++
			}
			if i%10 == 0 && tr.admit(proxy, 600, at) == admitPass {
				passed["trunk"]++
			}
		}
	}
	if passed["phone"] != 100 || passed["trunk"] != 5000 {
		t.Errorf("%v passed, want all 100 of the phone and 5000 of the trunk", passed)
	}
	if n := passed["strangers"]; n > 23_000 || n < 18_000 { // 2000 a second in all, and the first burst
		t.Errorf("%d of 50000 strangers' messages passed", n)
	}
}

func TestR21EachSourceHasItsBudget(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	count := func(tr *trust, a netip.AddrPort, n int) (pass, shed, drop int) {
		for range n {
			switch tr.admit(a, 600, now) {
			case admitPass:
				pass++
			case admitShed:
				shed++
			case admitDrop:
				drop++
			}
		}
		return
	}
	tr := trustBench(t, TrustOptions{StrangerRate: 10})
	if p, s, d := count(tr, src(1), 100); p != 20 || s != 10 || d != 70 {
		t.Errorf("IPv4: %d passed, %d shed, %d dropped", p, s, d)
	}
	if p, _, _ := count(tr, src(2), 5); p != 5 {
		t.Errorf("another source: %d of 5 passed", p)
	}
	if p, _, _ := count(tr, netip.MustParseAddrPort("[2001:db8:1:2::1]:1"), 100); p != 20 {
		t.Errorf("IPv6: %d passed", p)
	}
	if p, _, _ := count(tr, netip.MustParseAddrPort("[2001:db8:1:2:ffff::9]:1"), 100); p != 0 {
		t.Errorf("the same /64: %d passed", p)
	}
	if p, _, _ := count(tr, netip.MustParseAddrPort("[2001:db8:1:3::1]:1"), 100); p != 20 {
		t.Errorf("another /64: %d passed", p)
	}
	now = now.Add(time.Second)
	if p, _, _ := count(tr, src(1), 100); p != 10 {
		t.Errorf("a second later: %d passed", p)
	}
	if got := tr.admit(src(9), 20_000, now); got != admitDrop {
		t.Errorf("a packet of 20 KB from a stranger: %v", got)
	}
}

func TestR21APhoneThatSendsTooMuchIsAStrangerAgain(t *testing.T) {
	tr := trustBench(t, TrustOptions{PhoneRate: 10})
	now := time.Unix(1_700_000_000, 0)
	tr.promote(src(1), now.Add(time.Hour), now)
	for range 20 + excessDemote {
		tr.admit(src(1), 600, now)
	}
	same(t, "before", tr.level(src(1), now), trustRegistered)
	tr.admit(src(1), 600, now)
	same(t, "after", tr.level(src(1), now), trustUnknown)
	tr.promote(src(2), now.Add(time.Hour), now)
	same(t, "registered", tr.level(src(2), now), trustRegistered)
	same(t, "its registration ended", tr.level(src(2), now.Add(time.Hour)), trustUnknown)
	for range 10 {
		tr.offended(src(2), wrongPassword, now)
	}
	same(t, "ten wrong passwords", tr.level(src(2), now), trustUnknown)
	same(t, "and no ban yet", tr.banned(src(2), now), false)
}

func TestR21TenWrongPasswordsAreABanAndItEnds(t *testing.T) {
	tr := trustBench(t, TrustOptions{BanFor: 10 * time.Minute})
	now := time.Unix(1_700_000_000, 0)
	for i := range 9 {
		if _, banned := tr.offended(src(1), wrongPassword, now); banned {
			t.Fatalf("banned after %d", i+1)
		}
	}
	b, banned := tr.offended(src(1), wrongPassword, now)
	if !banned || b.Reason != "wrong passwords" || b.Until != now.Add(10*time.Minute) {
		t.Errorf("%+v, %v", b, banned)
	}
	same(t, "silence", tr.admit(src(1), 100, now.Add(10*time.Minute-1)), admitDrop)
	same(t, "over", tr.admit(src(1), 100, now.Add(10*time.Minute)), admitPass)
	tr.sweep(now.Add(10 * time.Minute))
	for range 10 {
		b, banned = tr.offended(src(1), wrongPassword, now.Add(11*time.Minute))
	}
	same(t, "banned again", banned, true)
	same(t, "the second time", b.Until.Sub(now), 31*time.Minute)
	// A phone with an old password that asks once a minute never comes that far.
	for i := range 1000 {
		if _, banned = tr.offended(src(2), wrongPassword, now.Add(time.Duration(i)*time.Minute)); banned {
			t.Fatalf("banned after %d minutes", i)
		}
	}
	// A trunk and the allow-list are never banned.
	for range 100 {
		if _, banned = tr.offended(netip.MustParseAddrPort("192.0.2.9:5060"), scanner, now); banned {
			t.Fatal("a trunk is banned")
		}
	}
	allow := trustBench(t, TrustOptions{Allow: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	if _, banned = allow.offended(src(1), scanner, now); banned || allow.admit(src(1), 60_000, now) != admitPass {
		t.Error("an allowed proxy is held up")
	}
	if _, banned = tr.offended(netip.MustParseAddrPort("127.0.0.1:5060"), scanner, now); banned {
		t.Error("this machine is banned")
	}
}

func TestR21ManyUsersFromOneSource(t *testing.T) {
	tr := trustBench(t, TrustOptions{})
	now := time.Unix(1_700_000_000, 0)
	bannedAt := -1
	for i := range 200 { // 25 a second, each time another user
		if _, banned := tr.challenged(src(1), fmt.Sprint("10", i), now.Add(time.Duration(i)*40*time.Millisecond)); banned {
			bannedAt = i
			break
		}
	}
	if bannedAt < 25 || bannedAt > 130 {
		t.Errorf("banned at request %d", bannedAt)
	}
	for i := range 10000 { // one phone that asks for ever without credentials
		if _, banned := tr.challenged(src(2), "agent", now.Add(time.Duration(i)*time.Second)); banned {
			t.Fatal("one user's challenges are a ban")
		}
	}
	// A house with 300 phones behind one address that start at once: the first right answer clears them all.
	for i := range 300 {
		at := now.Add(time.Duration(i) * 30 * time.Millisecond)
		if _, banned := tr.challenged(src(3), fmt.Sprint("desk", i), at); banned {
			t.Fatalf("phone %d of a house banned the house", i)
		}
		if i == 3 {
			tr.promote(netip.AddrPortFrom(src(3).Addr(), 40003), at.Add(time.Hour), at)
		}
	}
}

func TestR21OrdinaryCallsNeverScore(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		for i := range 40 {
			d := p.dialog(fmt.Sprint("plain", i))
			d.invite() // a first challenge
			res := p.response("1 INVITE", 401)
			time.Sleep(2 * time.Minute) // longer than a nonce lives
			d.send("INVITE", 2, sdpOffer, credentials(t, res, "INVITE", d.uri, deviceName, deviceWord))
			p.settle()
			if !strings.Contains(p.response("2 INVITE", 401).GetHeader("WWW-Authenticate").Value(), "stale=true") {
				t.Fatal("the nonce is not stale")
			}
		}
		same(t, "bans", len(s.ep.Bans()), 0)
	})
}

func TestR21WrongPasswordsOnTheWireEndInSilenceForTheirSourceOnly(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		for i := range 12 {
			d := p.dialog(fmt.Sprint("guess", i))
			d.invite()
			if i == 10 {
				break
			}
			d.send("INVITE", 2, sdpOffer, credentials(t, p.response("1 INVITE", 401), "INVITE", d.uri, deviceName, fmt.Sprint("guess", i)))
			p.settle()
		}
		bans := s.ep.Bans()
		if len(bans) != 1 || bans[0].Prefix.String() != "203.0.113.5/32" || bans[0].Dropped == 0 {
			t.Fatalf("bans are %+v", bans)
		}
		if s.log.with("alarm", "kind=ban", "203.0.113.5/32") == "" {
			t.Error("no alarm")
		}
		other := s.phone("203.0.113.6:40000") // threat 33: the user is not locked out
		d := other.dialog("owner")
		d.invite()
		d.send("INVITE", 2, sdpOffer, credentials(t, other.response("1 INVITE", 401), "INVITE", d.uri, deviceName, deviceWord))
		other.settle()
		same(t, "calls of the real phone", s.owner.count(), 1)
		s.owner.call(t, 0).leg.Hangup("")
		other.settle()
		if err := s.ep.RemoveBan(netip.MustParsePrefix("203.0.113.5/32")); err != nil {
			t.Fatal(err)
		}
		again := p.dialog("again")
		again.invite()
		same(t, "answered again", len(p.responses("1 INVITE")) > 10, true)
	})
}

func TestR21AScannerGetsNoAnswer(t *testing.T) {
	for _, extra := range []string{"User-Agent: friendly-scanner", "User-Agent: sipcli/v1.8"} {
		run(t, func(s *stage) {
			t := s.t
			p := s.phone("203.0.113.99:5060")
			p.send(p.dialog("scan").text("OPTIONS", 1, "scan", "", extra))
			p.settle()
			p.send(p.dialog("scan2").text("OPTIONS", 1, "scan2", ""))
			p.settle()
			same(t, "messages", len(p.got), 0)
			same(t, "bans", len(s.ep.Bans()), 1)
			s.trunk.send(s.trunk.dialog("known").text("OPTIONS", 1, "known", "", extra)) // a carrier may call itself what it likes
			s.trunk.settle()
			same(t, "the trunk", s.trunk.responses("1 OPTIONS"), []int{200})
		})
	}
}

func TestBansByHand(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		if _, err := s.ep.AddBan(netip.MustParsePrefix("192.0.2.0/24"), "", 0); err == nil || !strings.Contains(err.Error(), "trunk") {
			t.Errorf("a trunk's prefix: %v", err)
		}
		if _, err := s.ep.AddBan(netip.MustParsePrefix("0.0.0.0/0"), "", 0); err == nil {
			t.Error("everybody was banned")
		}
		wide := netip.MustParsePrefix("203.0.112.0/22")
		if _, err := s.ep.AddBan(wide, "nuisance", time.Hour); err != nil {
			t.Fatal(err)
		}
		d, _ := netip.ParseAddrPort(deviceAddr)
		s.ep.trust.promote(d, time.Now().Add(time.Hour), time.Now())
		same(t, "also for phones", s.ep.trust.admit(d, 100, time.Now()), admitDrop)
		time.Sleep(time.Hour)
		same(t, "until it ends", s.ep.trust.admit(d, 100, time.Now()), admitPass)
		same(t, "bans", len(s.ep.Bans()), 0)
		if err := s.ep.RemoveBan(wide); err == nil {
			t.Error("removed twice")
		}
	})
}

func TestAdmitAllocatesNothing(t *testing.T) {
	tr := trustBench(t, TrustOptions{})
	now := time.Unix(1_700_000_000, 0)
	tr.promote(src(7), now.Add(time.Hour), now)
	tr.mu.Lock()
	tr.banLocked(src(8).Addr(), scanner, now)
	tr.mu.Unlock()
	i := 0
	n := testing.AllocsPerRun(1000, func() {
		i++
		now = now.Add(200 * time.Microsecond)
		tr.admit(src(i%200), 600, now)
		tr.admit(src(7), 600, now)
		tr.admit(src(8), 600, now)
		tr.admit(netip.MustParseAddrPort("192.0.2.9:5060"), 600, now)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTrustAdmit is what a bad packet costs before anything of it is read.
func BenchmarkTrustAdmit(b *testing.B) {
	tr := trustBench(b, TrustOptions{})
	now := time.Unix(1_700_000_000, 0)
	sources := make([]netip.AddrPort, 200)
	for i := range sources {
		sources[i] = src(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		now = now.Add(200 * time.Microsecond)
		tr.admit(sources[i%200], 600, now)
	}
}

func TestAGatewayThatWeCallIsExpectedToAnswer(t *testing.T) {
	tr := trustBench(t, TrustOptions{StrangerRate: 1})
	now := time.Unix(1_700_000_000, 0)
	gateway := src(3)
	tr.expect(gateway.Addr(), now)
	for range 10_000 {
		if tr.admit(netip.AddrPortFrom(gateway.Addr(), 5080), 600, now) != admitPass {
			t.Fatal("a gateway's answers are held back")
		}
	}
	if _, banned := tr.offended(gateway, scanner, now); banned {
		t.Error("a gateway is banned")
	}
	same(t, "later", tr.level(gateway, now.Add(expectFor)), trustUnknown)
}

// Threat 15: what a device says of who it is, and who has sent it, is not believed.
func TestThreat15ADeviceDoesNotChooseWhoItIs(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		d := p.dialog("spoof")
		d.invite()
		d.send("INVITE", 2, sdpOffer, credentials(t, p.response("1 INVITE", 401), "INVITE", d.uri, deviceName, deviceWord),
			"P-Asserted-Identity: <sip:+8215441234@x>", "P-Preferred-Identity: <sip:+8215441234@x>", "Remote-Party-ID: <sip:+8215441234@x>",
			"Diversion: <sip:+8215441234@x>", "History-Info: <sip:+8215441234@x>")
		p.settle()
		in := s.owner.call(t, 0).in
		same(t, "from", in.From.Address, deviceName)
		for name, v := range in.Headers {
			if strings.Contains(v, "15441234") {
				t.Errorf("%s is passed on: %s", name, v)
			}
		}
		s.owner.call(t, 0).leg.Hangup("")
		p.settle()
	})
}

// BenchmarkFlood is what a scanner's request costs in all, from 200 sources that send 25 a second each: at first it is read and
// refused, then its source is banned.
func BenchmarkFlood(b *testing.B) {
	ep := fuzzEndpoint(b)
	text := []byte("INVITE sip:900972592000@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1;rport\r\n" +
		"From: <sip:100@198.51.100.1>;tag=1\r\nFrom: <sip:100@198.51.100.1>;tag=1\r\nTo: <sip:900972592000@198.51.100.1>\r\n" +
		"Call-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nUser-Agent: pbx\r\nContent-Length: 0\r\n\r\n")
	sources := make([]netip.AddrPort, 200)
	for i := range sources {
		sources[i] = src(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		ep.judge(text, arrival{source: sources[i%200]})
	}
	b.ReportMetric(float64(len(ep.Bans())), "bans")
}
