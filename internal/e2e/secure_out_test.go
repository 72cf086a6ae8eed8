package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ullim/media"
	"ullim/sip/siptest"
)

// TestR32BaresipIsRungThroughSRTP lets a session offer what each policy offers to a baresip that takes nothing less, and
// judges what baresip heard. The signalling is as little as it can be: that of the engine has tests of its own.
func TestR32BaresipIsRungThroughSRTP(t *testing.T) {
	for _, c := range []struct{ policy, theirs, proof string }{
		{"sdes", "srtp-mand", "SRTP is Enabled"},
		{"dtls", "dtls_srtp", "DTLS-SRTP complete"},
		{"optional", "srtp", "SRTP is Enabled"},
	} {
		t.Run(c.policy, func(t *testing.T) {
			t.Parallel()
			ring(t, c.policy, c.theirs, c.proof)
		})
	}
}

func ring(t *testing.T, policy, theirs, proof string) {
	t.Helper()
	plane, err := media.New(media.Options{Bind: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	s, err := plane.Open(media.SessionOptions{Encryption: policy, Codecs: []string{"PCMU"}})
	if err != nil {
		t.Fatal(err)
	}
	ours, voice := siptest.Voice("the engine"), siptest.Voice("baresip")
	s.Play([]media.Source{ours}, true, nil)
	c := &center{engine: &engine{t: t, ports: ports.take(t)}}
	port := c.ports.baresip(0)
	b := c.baresip(0, fmt.Sprintf("<sip:agent@127.0.0.1:%d;transport=udp>;regint=0;answermode=auto;audio_codecs=pcmu;mediaenc=%s", port, theirs), voice)
	c.until("baresip is ready", func() bool { return strings.Contains(b.out.String(), "baresip is ready") })

	u, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	offer, err := s.Offer()
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, tag string, seq int, body []byte) {
		t.Helper()
		kind := ""
		if body != nil {
			kind = "Content-Type: application/sdp\r\n"
		}
		_, failed := fmt.Fprintf(u, "%s sip:agent@127.0.0.1:%d SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
			"From: <sip:test@%s>;tag=a\r\nTo: <sip:agent@127.0.0.1:%d>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:test@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
			method, port, u.LocalAddr(), method, seq, u.LocalAddr(), port, tag, policy, seq, method, u.LocalAddr(), kind, len(body), body)
		if failed != nil {
			t.Fatal(failed)
		}
	}
	send("INVITE", "", 1, offer)
	tag, answer := answered(t, u)
	send("ACK", tag, 1, nil)
	if err = s.Accept(answer); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	talk(t, 6*time.Second)
	send("BYE", tag, 2, nil)
	q := s.Close()
	if q.Encryption == "" || q.Received < 200 || q.Refused > 5 {
		t.Errorf("the session: %+v", q)
	}
	wantVoice(t, "baresip", last(b.hangUp(t), 4*time.Second), ours)
	if !strings.Contains(b.out.String(), proof) {
		t.Errorf("baresip does not say %q", proof)
	}
}

// answered reads until the call is answered, and gives the To tag and the description.
func answered(t *testing.T, u net.Conn) (tag string, sdp []byte) {
	t.Helper()
	if err := u.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8192)
	for {
		n, err := u.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
		status, _, _ := strings.Cut(head, "\r\n")
		switch {
		case strings.HasPrefix(status, "SIP/2.0 1"):
			continue
		case !strings.HasPrefix(status, "SIP/2.0 200"):
			t.Fatalf("%s", buf[:n])
		}
		_, to, _ := strings.Cut(head, "\r\nTo:")
		_, to, _ = strings.Cut(to, ";tag=")
		to, _, _ = strings.Cut(to, "\r\n")
		return ";tag=" + to, []byte(body)
	}
}
