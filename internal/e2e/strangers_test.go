package e2e

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// stranger is where those come from who are no trunk.
const stranger = "127.0.0.9:0"

func traceHeader(seen *atomic.Bool, header string) func(bool, net.Addr, []byte) {
	return func(sent bool, _ net.Addr, b []byte) {
		if !sent && bytes.Contains(bytes.ToLower(b), []byte(header)) {
			seen.Store(true)
		}
	}
}

func TestACallFromAStrangerIsChallenged(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	c.number("+8225550400", messageFlow("This costs money."))
	var challenged atomic.Bool
	p, err := siptest.NewPhone(siptest.PhoneOptions{
		Name: "scanner", Server: c.server, Local: stranger, Trace: traceHeader(&challenged, "\r\nwww-authenticate: digest"),
	})
	c.must(err)
	defer p.Close()
	ctx, cancel := c.soon()
	defer cancel()
	for _, number := range []string{"+8225550400", "00442079460000", "1000"} {
		call, err := p.Invite(ctx, number, siptest.CallOptions{})
		c.must(err)
		if ended, err := call.WaitEnded(ctx); err != nil || ended.Kind != siptest.EndRejected || ended.Code != 401 {
			t.Errorf("a stranger's call to %s: %s, %v", number, ended, err)
		}
	}
	if !challenged.Load() {
		t.Error("the 401 had no challenge")
	}
	if n := len(c.contacts()); n != 0 {
		t.Errorf("%d contacts", n)
	}
	if n := c.metrics()["ullim_sip_invites_admitted_total"]; n != 0 {
		t.Errorf("%g calls were admitted", n)
	}
	c.atRest()
}

// TestWhoGuessesPasswordsIsSlowedDownAndTheOwnerIsNot guesses from one address; the owner logs in from another.
func TestWhoGuessesPasswordsIsSlowedDownAndTheOwnerIsNot(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "ULLIM_SIP_BAN_TIME=15s")
	_, profileID := c.queue("Support")
	_, d := c.agent("min", profileID)
	register := func(local, password string, within time.Duration) error {
		p, err := siptest.NewPhone(siptest.PhoneOptions{Name: d.Username, Password: password, Server: c.server, Local: local})
		c.must(err)
		defer p.Close()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return p.Register(ctx)
	}
	const soon = 2 * time.Second // a banned source gets no answer at all
	for range 11 {
		if err := register(stranger, "123456", soon); err == nil {
			t.Fatal("a wrong password is good enough")
		}
	}
	if err := register(stranger, d.Password, soon); err == nil {
		t.Error("after eleven wrong passwords the next is tried at once")
	}
	if err := register("127.0.0.1:0", d.Password, patience); err != nil {
		t.Errorf("the owner is kept out: %v", err)
	}
	if log := c.log.String(); !strings.Contains(log, "127.0.0.9") || strings.Contains(log, d.Password) || strings.Contains(log, "123456") {
		t.Errorf("the log must name the guesser's address and no password:\n%s", c.tail())
	}
	until(t, patience, "the guesser may try again some day", func() bool { return register(stranger, d.Password, patience) == nil })
}

// TestBrokenPacketsDoNoHarm sends rubbish over UDP and TCP while a call goes on.
func TestBrokenPacketsDoNoHarm(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	queueID, profileID := c.queue("Support")
	c.number("+8225550401", queueFlow(queueID))
	d := c.desk("lee", profileID)
	c.setAvailable(d.userID)
	carrier := c.carrier()
	caller := c.answered(carrier, "+8225550401", mobile(3))
	agent := c.ring(d)

	for _, local := range []string{"127.0.0.1", "127.0.0.9"} { // the second gets into the rate limit as well
		from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(local), 0))
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(c.server))
		udp, err := net.DialUDP("udp4", from, to)
		c.must(err)
		tcp, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.IP}}).DialContext(t.Context(), "tcp4", c.server)
		c.must(err)
		for range 20 {
			for _, b := range rubbish() {
				_, _ = udp.Write(b)
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, b := range rubbish() {
			_, _ = tcp.Write(b) // may be closed on us
		}
		_ = udp.Close()
		_ = tcp.Close()
	}
	hears(t, agent, siptest.Voice(mobile(3)), "the caller, after the rubbish")
	hears(t, caller, siptest.Voice("lee"), "the agent, after the rubbish")
	caller.Hangup()
	if r := c.closed(1)[0]; *r.DisconnectReason != "CUSTOMER_DISCONNECT" {
		t.Errorf("the contact ended by %s", *r.DisconnectReason)
	}
	c.recordings(*c.contacts()[0].Id)
	c.atRest() // also sees that no panic was contained
}

// rubbish is what scanners and broken phones send.
func rubbish() [][]byte {
	invite := "INVITE sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:c@d>\r\nCall-ID: rubbish\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.9>\r\nMax-Forwards: 70\r\n"
	return [][]byte{
		{0},
		[]byte("\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1400), bytes.Repeat([]byte("A"), 60_000),
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		[]byte("INVITE\r\n\r\n"),
		[]byte("SIP/2.0 200 OK\r\n\r\n"),
		[]byte("SIP/2.0 99999999999999999999 OK\r\nVia: x\r\n\r\n"),
		[]byte(invite + "Content-Length: -1\r\n\r\n"),
		[]byte(invite + "Content-Length: 99999999999\r\n\r\n"),
		[]byte(invite + "Content-Type: application/sdp\r\nContent-Length: 7\r\n\r\nv=0\r\nm="),
		[]byte(invite + "Content-Type: application/sdp\r\nContent-Length: 40\r\n\r\nv=0\r\nm=audio 99999 RTP/AVP 0 0 0 0 0 0 0 "),
		[]byte(strings.Replace(invite, "CSeq: 1 INVITE", "CSeq: 4294967296 BYE", 1) + "\r\n"),
		[]byte(strings.Replace(invite, "Call-ID: rubbish", "Call-ID: "+strings.Repeat("x", 30_000), 1) + "\r\n"),
		[]byte(strings.Replace(invite, "From: <sip:a@b>;tag=1", "From: \"\x00\xff<sip:;;;@[::", 1) + "\r\n"),
		[]byte(strings.Replace(invite, "\r\nTo:", strings.Repeat("\r\nVia: SIP/2.0/UDP x", 500)+"\r\nTo:", 1) + "\r\n"),
		[]byte("REGISTER sip:127.0.0.1 SIP/2.0\r\nAuthorization: Digest " + strings.Repeat("a=\"\\", 2000) + "\r\n\r\n"),
	}
}
