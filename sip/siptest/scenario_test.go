package siptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

func TestEveryKeyArrivesOnceInWhateverWayItIsSent(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    DigitOptions
		no   NetworkOptions
	}{
		{"properly", DigitOptions{}, NetworkOptions{}},
		{"short", DigitOptions{Duration: 40 * time.Millisecond, Gap: 40 * time.Millisecond}, NetworkOptions{}},
		{"long", DigitOptions{Duration: 3 * time.Second}, NetworkOptions{}},
		{"no marker", DigitOptions{NoMarker: true}, NetworkOptions{}},
		{"no end", DigitOptions{LostEnds: 3}, NetworkOptions{}},
		{"no beginning", DigitOptions{LostStarts: 4}, NetworkOptions{}},
		{"bad network", DigitOptions{}, NetworkOptions{Loss: 0.1, Duplicate: 0.2, Reorder: 0.2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, tc.no, PhoneOptions{}, PhoneOptions{}, func(s phones) {
				t := s.t
				out, in := s.call(t, CallOptions{})
				mustWait(t, "answer", out.WaitAnswered)
				mustWait(t, "confirmation", in.WaitConfirmed)
				if err := out.SendDigits("1123*0#aD", tc.o); err != nil {
					t.Fatal(err)
				}
				time.Sleep(40 * time.Second)
				if got := in.ReceivedDigits(); got != "1123*0#AD" {
					t.Errorf("%q", got)
				}
				if err := out.SendDigits("12x"); err == nil {
					t.Error("x is no key")
				}
			})
		})
	}
}

func TestAKeyIsSentAsRFC4733Wants(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		t := s.t
		out, _ := s.call(t, CallOptions{})
		mustWait(t, "answer", out.WaitAnswered)
		time.Sleep(100 * time.Millisecond)
		var mu sync.Mutex
		var got []string
		s.n.SetFilter(func(from, _ net.Addr, b []byte) Verdict {
			if media := out.MediaAddr(); from.String() == media.String() && b[1]&0x7f == eventPayload {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprintf("%d m%d e%d %d", b[12], b[1]>>7, b[13]>>7, int(b[14])<<8|int(b[15])))
			}
			return Verdict{}
		})
		_ = out.SendDigits("5", DigitOptions{Duration: 60 * time.Millisecond})
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		want := "5 m1 e0 160, 5 m0 e0 320, 5 m0 e1 480, 5 m0 e1 480, 5 m0 e1 480"
		if all := strings.Join(got, ", "); all != want {
			t.Errorf("%s\nwant %s", all, want)
		}
	})
}

func TestAKeyByInfo(t *testing.T) {
	inBubble(t, NetworkOptions{Loss: 0.3}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		t := s.t
		out, in := s.call(t, CallOptions{})
		mustWait(t, "answer", out.WaitAnswered)
		for _, key := range "9#" {
			mustWait(t, "INFO", func(ctx context.Context) error { return out.SendInfoDigit(ctx, key) })
		}
		if got := in.ReceivedDigits(); got != "9#" {
			t.Errorf("%q", got)
		}
	})
}

func TestHoldAndResumeFromEitherSide(t *testing.T) {
	inBubble(t, NetworkOptions{Loss: 0.1, Delay: 5 * time.Millisecond}, PhoneOptions{}, PhoneOptions{},
		func(s phones) {
			t := s.t
			out, in := s.call(t, CallOptions{})
			mustWait(t, "answer", out.WaitAnswered)
			mustWait(t, "confirmation", in.WaitConfirmed)
			for name, c := range map[string][2]*Call{"anna": {out, in}, "bert": {in, out}} {
				for _, inactive := range []bool{false, true} {
					mustWait(t, "hold", func(ctx context.Context) error { return c[0].Hold(ctx, inactive) })
					if !c[0].Status().Hold || !c[1].Status().OnHold {
						t.Errorf("%s: %+v %+v", name, c[0].Status(), c[1].Status())
					}
					time.Sleep(5 * time.Second)
					before := c[0].RTPStats().Received
					time.Sleep(time.Second)
					if n := c[0].RTPStats().Received; n != before {
						t.Errorf("%s: a phone on hold sent %d packets", name, n-before)
					}
					mustWait(t, "resume", c[0].Resume)
					time.Sleep(5 * time.Second)
					if n := c[0].RTPStats().Received; n < before+100 || c[0].Status().Hold || c[1].Status().OnHold {
						t.Errorf("%s: after the resumption %d packets, %+v", name, n-before, c[1].Status())
					}
				}
			}
		})
}

func TestAnOfferThatComesWithThe200(t *testing.T) {
	inBubble(t, NetworkOptions{Loss: 0.1, Seed: 4}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		t := s.t
		out, in := s.call(t, CallOptions{NoSDP: true})
		mustWait(t, "answer", out.WaitAnswered)
		mustWait(t, "audio", func(ctx context.Context) error { return in.WaitHeard(ctx, 5*time.Second) })
		mustWait(t, "audio", func(ctx context.Context) error { return out.WaitHeard(ctx, 5*time.Second) })
		hears(t, "bert", in, s.a.Voice(), s.b.Voice())
	})
}

func TestAnOfferOfOnesOwn(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		t := s.t
		out, err := s.a.Invite(t.Context(), "bert", CallOptions{
			SDP: []byte("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n" +
				"m=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n"),
			From: "+82101", DisplayName: "Anna", Headers: map[string]string{"X-Test": "yes"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if e := mustEnd(t, out); e.Code != 488 {
			t.Error(e)
		}
		in, err := s.b.NextCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if in.Header("X-Test") != "yes" || !strings.HasPrefix(in.Header("From"), `"Anna" <sip:+82101@10.0.0.2>`) {
			t.Errorf("%q %q", in.Header("X-Test"), in.Header("From"))
		}
	})
}

func TestACallAnsweredByHand(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{Answer: AnswerBehaviour{Manual: true}},
		func(s phones) {
			t := s.t
			out, in := s.call(t, CallOptions{})
			time.Sleep(time.Second)
			if st := out.Status(); st.State != Calling || st.Code != 100 {
				t.Errorf("%+v", st)
			}
			in.Ring()
			mustWait(t, "ringing", out.WaitRinging)
			in.Answer()
			mustWait(t, "answer", out.WaitAnswered)
			in.Hangup() // the ACK may still be under way
			if e := mustEnd(t, out); e.ByUs || e.Kind != EndBye {
				t.Error(e)
			}
			out, in = s.call(t, CallOptions{})
			in.Reject(480)
			if e := mustEnd(t, out); e.Code != 480 || e.Reason != "Temporarily Unavailable" {
				t.Error(e)
			}
		})
}

// registrar challenges REGISTER and INVITE, and checks the answers.
type registrar struct {
	conn      net.PacketConn
	algorithm string
	password  string

	mu    sync.Mutex
	seen  []string
	nonce string
}

func (r *registrar) serve(t *testing.T) {
	t.Helper()
	b := make([]byte, 65536)
	parser := sip.NewParser()
	for {
		n, from, err := r.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := parser.ParseSIP(append([]byte(nil), b[:n]...))
		req, ok := m.(*sip.Request)
		if err != nil || !ok {
			t.Errorf("%v: %s", err, b[:n])
			continue
		}
		req.SetSource(from.String())
		if req.IsAck() {
			continue
		}
		res := r.answer(t, req)
		_, _ = r.conn.WriteTo([]byte(res.String()), from)
	}
}

func (r *registrar) answer(t *testing.T, req *sip.Request) *sip.Response {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	code, challengeName, answerName := 401, "WWW-Authenticate", "authorization"
	if req.IsInvite() {
		code, challengeName, answerName = 407, "Proxy-Authenticate", "proxy-authorization"
	}
	challenge := digest.Challenge{Realm: "test", Nonce: r.nonce, Algorithm: r.algorithm, QOP: []string{"auth"}}
	h := req.GetHeader(answerName)
	if h != nil {
		given, err := digest.ParseCredentials(h.Value())
		if err != nil {
			t.Error(err)
		}
		if given.Nonce != r.nonce {
			challenge.Stale = true
		} else {
			want, derr := digest.Digest(&challenge, digest.Options{
				Method: string(req.Method), URI: given.URI, Username: "anna", Password: r.password,
				Count: given.Nc, Cnonce: given.Cnonce,
			})
			if derr == nil && want.Response == given.Response && given.URI == req.Recipient.String() {
				r.seen = append(r.seen, string(req.Method)+" "+req.GetHeader("cseq").Value())
				if req.IsInvite() {
					return sip.NewResponseFromRequest(req, 486, "Busy Here", nil)
				}
				res := sip.NewResponseFromRequest(req, 200, "OK", nil)
				for _, c := range req.GetHeaders("contact") {
					res.AppendHeader(sip.NewHeader("Contact", c.Value()+";expires=60"))
				}
				return res
			}
		}
	}
	res := sip.NewResponseFromRequest(req, code, "Unauthorized", nil)
	res.AppendHeader(sip.NewHeader(challengeName, `Digest realm="test", nonce="x", algorithm=SHA-1024`))
	res.AppendHeader(sip.NewHeader(challengeName, challenge.String()))
	return res
}

func TestAPhoneRegistersAndRefreshesAndCallsWithItsPassword(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		t.Run(algorithm, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNetwork(NetworkOptions{Loss: 0.2, Seed: 3})
				defer n.Close()
				r := &registrar{conn: listen(t, n, "10.0.0.9:5060"), algorithm: algorithm, password: "secret", nonce: "one"}
				go r.serve(t)
				p := newPhone(t, PhoneOptions{
					Name: "anna", Password: "secret", Server: "10.0.0.9", Local: "10.0.0.1:0", Listen: n.Listen,
				})
				defer p.Close()
				if p.Registered() {
					t.Error("registered before")
				}
				mustWait(t, "registration", p.Register)
				r.mu.Lock()
				first := len(r.seen)
				r.nonce = "two" // the old one is stale now
				r.mu.Unlock()
				time.Sleep(5 * time.Minute) // given 60 s: refreshed every 30
				r.mu.Lock()
				if refreshed := len(r.seen) - first; refreshed < 9 || refreshed > 15 { // lost answers make more
					t.Errorf("%d refreshes in five minutes", refreshed)
				}
				r.mu.Unlock()
				if !p.Registered() {
					t.Error("not registered after five minutes")
				}
				c, err := p.Invite(t.Context(), "bert", CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if e := mustEnd(t, c); e.Code != 486 {
					t.Error(e)
				}
				mustWait(t, "unregistration", p.Unregister)
				if p.Registered() {
					t.Error("still registered")
				}
				r.mu.Lock()
				r.password = "other"
				r.mu.Unlock()
				if err = p.Register(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
					t.Error("a wrong password:", err)
				}
				n.SetFaults(NetworkOptions{Loss: 1})
				if err = p.Register(t.Context()); err == nil {
					t.Error("registered at nobody")
				}
			})
		})
	}
}

func TestACarrierPlacesManyCalls(t *testing.T) {
	const calls = 100
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{Loss: 0.05, Delay: 10 * time.Millisecond})
		defer n.Close()
		b := newPhone(t, PhoneOptions{Name: "b", Local: "10.0.0.2:5060", Listen: n.Listen, Answer: AnswerBehaviour{After: time.Second}})
		defer b.Close()
		carrier, err := NewCarrier(PhoneOptions{Local: "10.0.0.1:5060", Server: "10.0.0.2:5060", Listen: n.Listen, Voice: Tone(400)})
		if err != nil {
			t.Fatal(err)
		}
		defer carrier.Close()
		bad := errors.New("the seventh is asked to fail")
		start := time.Now()
		err = carrier.CallMany(t.Context(), calls, 10*time.Millisecond, "+8225551234", func(i int) string {
			return ""
		}, func(ctx context.Context, i int, c *Call) error {
			if werr := c.WaitAnswered(ctx); werr != nil {
				return werr
			}
			if i == 7 {
				return bad
			}
			return c.WaitHeard(ctx, 3*time.Second)
		})
		if !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), "call 7") || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
		for range calls {
			in := <-b.Calls()
			mustEnd(t, in)
		}
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("it took %v", d)
		}
		c, err := carrier.Call(t.Context(), "+8225551234", "+8210", CallOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in := <-b.Calls()
		if in.Header("p-asserted-identity") != "<sip:+8210@10.0.0.1>" || in.Header("Request-URI") != "sip:+8225551234@10.0.0.2" {
			t.Error(in.Header("p-asserted-identity"), in.Header("Request-URI"))
		}
		c.Hangup()
		mustEnd(t, in)
		time.Sleep(time.Minute)
		for _, p := range []*Phone{carrier.Phone, b} {
			p.mu.Lock()
			if left := len(p.dialogs) + len(p.clients) + len(p.servers) + len(p.alarms); left != 0 {
				t.Errorf("%d dialogs, %d client and %d server transactions, %d alarms are left", len(p.dialogs),
					len(p.clients), len(p.servers), len(p.alarms))
			}
			p.mu.Unlock()
		}
	})
}

func TestRawBytesReachTheServer(t *testing.T) {
	n := NewNetwork(NetworkOptions{})
	defer n.Close()
	server := listen(t, n, ":5060")
	p := newPhone(t, PhoneOptions{Listen: n.Listen, Server: "127.0.0.1:5060"})
	defer p.Close()
	if err := p.SendRaw([]byte("INVITE rubbish")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if k, _, err := server.ReadFrom(b); err != nil || string(b[:k]) != "INVITE rubbish" {
		t.Error(string(b[:k]), err)
	}
	for _, garbage := range []string{"", "\r\n\r\n", "INVITE sip:x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n", "\x00\x01"} {
		if _, err := server.WriteTo([]byte(garbage+strings.Repeat(" ", 20)), p.conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	options := "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	_, _ = server.WriteTo([]byte(options), p.conn.LocalAddr())
	b = make([]byte, 2000)
	if k, _, err := server.ReadFrom(b); err != nil || !strings.HasPrefix(string(b[:k]), "SIP/2.0 200 OK") {
		t.Error(string(b[:k]), err)
	}
}

func FuzzParseSession(f *testing.F) {
	s := offerOf(netip.MustParseAddrPort("10.0.0.1:4000"), []string{"PCMA", "PCMU"}, "sendonly")
	f.Add(s.bytes(1, 2))
	f.Add([]byte("v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP6 ::1\r\na=inactive\r\n"))
	f.Add([]byte("v=0\r\nm=audio 70000 RTP/AVP 999"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseSession(b)
		if err != nil {
			return
		}
		again, err := parseSession(got.bytes(1, 1))
		if err != nil || again.addr != got.addr || again.direction != got.direction || again.hasEvents != got.hasEvents {
			t.Errorf("%+v\n%+v\n%v", got, again, err)
		}
	})
}

func TestAnHourOfACallIsCheapInVirtualTime(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{KeepHeard: time.Second}, PhoneOptions{KeepHeard: time.Second},
		func(s phones) {
			out, in := s.call(s.t, CallOptions{})
			mustWait(s.t, "answer", out.WaitAnswered)
			time.Sleep(time.Hour)
			if st := in.RTPStats(); st.Received < 179990 || st.Lost != 0 {
				s.t.Errorf("%+v", st)
			}
			if n := len(in.Heard()); n != sampleRate {
				s.t.Errorf("%d samples were kept", n)
			}
		})
}
