package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// TestR21FloodOfStrangers has 200 addresses send 5,000 bad requests a second while a hundred callers listen. No call loses audio,
// users of ours still get through, memory is bounded, and the flood costs less than a core.
func TestR21FloodOfStrangers(t *testing.T) {
	calls, phases := 100, 5*time.Second
	if long() {
		phases = 30 * time.Second
	}
	machine.Lock() // the figures are for it alone
	defer machine.Unlock()
	c := newCenter(t, "ULLIM_INSTANCE_REGION=KR")
	c.number(talks, messageFlow(strings.Repeat("This message is longer than the caller's patience. ", 40)))
	_, profileID := c.queue("Users")
	_, d := c.agent("user", profileID)
	user := c.abroad("user", d)
	carrier := c.carrier()
	var up []*siptest.Call
	for i := range calls {
		up = append(up, c.answered(carrier, talks, mobile(i)))
	}
	received := func() (n, lost uint64) {
		for _, call := range up {
			s := call.RTPStats()
			n, lost = n+s.Received, lost+s.Lost
		}
		return n, lost
	}
	phase := func() (cpu, audio float64, setups []time.Duration) {
		begun, before := time.Now(), cpuOf(t, c.pid())
		first, _ := received()
		for time.Since(begun) < phases {
			setups = append(setups, c.setUp(user))
			time.Sleep(300 * time.Millisecond) // a call is five requests, and a phone may send fifty a second for a while only
		}
		took := time.Since(begun).Seconds()
		n, _ := received()
		slices.Sort(setups)
		return (cpuOf(t, c.pid()) - before).Seconds() / took, float64(n-first) / took, setups
	}
	quietCPU, quietAudio, quiet := phase()
	memory := residentOf(t, c.pid())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	f := flood(ctx, t, c.server)
	floodCPU, floodAudio, flooded := phase()
	stop()
	sent, seconds := f()
	grown := residentOf(t, c.pid()) - memory
	_, lost := received()
	m := c.metrics()
	t.Logf("%d bad requests, %.0f a second, in a flood of %.1f s: %.2f cores beside %.2f without; %.1f MB more; audio %.0f packets a second, before %.0f; %d lost; set-up of a user %s (median; worst %s), before %s; held back: shed %g, dropped %g, banned %g; bans %g",
		sent, float64(sent)/seconds, seconds, floodCPU, quietCPU, grown/1e6, floodAudio, quietAudio, lost, flooded[len(flooded)/2], flooded[len(flooded)-1], quiet[len(quiet)/2],
		m[`ullim_sip_packets_unserved_total{fate="shed"}`], m[`ullim_sip_packets_unserved_total{fate="dropped"}`], m[`ullim_sip_packets_unserved_total{fate="banned"}`], m["ullim_sip_bans_made_total"])
	if float64(sent)/seconds < 4000 {
		t.Logf("this machine sent less than was wanted")
	}
	if lost > 0 {
		t.Errorf("%d packets of the calls were lost", lost)
	}
	if floodAudio < 0.8*quietAudio {
		t.Errorf("%.0f packets of audio a second in the flood, %.0f before", floodAudio, quietAudio)
	}
	for i, call := range up {
		if s := call.Status(); s.State != siptest.Answered {
			t.Errorf("call %d is over: %v", i, s)
		}
	}
	if floodCPU-quietCPU > 1 {
		t.Errorf("the flood costs %.2f cores", floodCPU-quietCPU)
	}
	if grown > 256<<20 { // requests are remembered for half a minute, at most 20,000 of strangers (sip, guard.go)
		t.Errorf("the flood costs %.0f MB", grown/1e6)
	}
	if limit := max(100*time.Millisecond, 4*quiet[len(quiet)/2]); flooded[len(flooded)/2] > limit { // a busy machine is slow without a flood, too
		t.Errorf("a user waits %s for an answer, at most %s", flooded[len(flooded)/2], limit)
	}
	for _, call := range up {
		call.Hangup()
	}
	c.atRest()
}

// setUp is how long a user's call takes from its INVITE to the answer, with the challenge between.
func (c *center) setUp(p *siptest.Phone) time.Duration {
	c.t.Helper()
	ctx, cancel := c.soon()
	defer cancel()
	begun := time.Now()
	call, err := p.Invite(ctx, talks, siptest.CallOptions{})
	c.must(err)
	if err = call.WaitAnswered(ctx); err != nil {
		c.t.Fatalf("a user is not served: %v, %v", err, call.Status())
	}
	took := time.Since(begun)
	call.Hangup()
	_, err = call.WaitEnded(ctx)
	c.must(err)
	return took
}

// flood sends from 127.0.1.1 to 127.0.1.200, 25 a second each, what scanners send, until ctx ends. What it returns says how many
// requests that were, and in what time.
func flood(ctx context.Context, t testing.TB, server string) func() (sent int, seconds float64) {
	t.Helper()
	var socks []*net.UDPConn
	for i := range 200 {
		s, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}), 0)))
		if err != nil {
			t.Fatal(err)
		}
		socks = append(socks, s)
	}
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(server))
	var running sync.WaitGroup
	sent, begun := 0, time.Now()
	var took time.Duration
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			for due := int(time.Since(begun).Seconds() * 5000); sent < due; sent++ {
				_, _ = socks[sent%len(socks)].WriteTo(bad(sent, server), to)
			}
		}
		took = time.Since(begun)
	})
	return func() (int, float64) {
		running.Wait()
		for _, s := range socks {
			_ = s.Close()
		}
		return sent, took.Seconds()
	}
}

// bad is the n-th request of a flood.
func bad(n int, server string) []byte {
	head := func(method, uri string) string {
		return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bK%d\r\nFrom: <sip:%d@%s>;tag=%d\r\nTo: <%s>\r\nCall-ID: flood%d\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContact: <sip:x@10.1.2.3>\r\n",
			method, uri, n, n%10_000, server, n, uri, n, method)
	}
	switch n % 5 {
	case 0:
		return []byte(head("REGISTER", "sip:"+server) + "Content-Length: 0\r\n\r\n")
	case 1:
		return []byte(head("INVITE", fmt.Sprintf("sip:00%d@%s", 44_000_000_000+n, server)) + "User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n")
	case 2:
		return []byte(head("OPTIONS", "sip:100@"+server) + "User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n")
	case 3:
		return []byte(head("REGISTER", "sip:"+server) + fmt.Sprintf("Authorization: Digest username=\"%d\", realm=\"ullim\", nonce=\"x\", uri=\"sip:%s\", response=\"%032d\"\r\nContent-Length: 0\r\n\r\n", n%1000, server, n))
	}
	return []byte(strings.Repeat("\x00\xff not SIP at all ", 20))
}
