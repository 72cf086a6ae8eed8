package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// credentials answers the first challenge of a 401.
func credentials(t *testing.T, res *sipgo.Response, method, uri, user, word string) string {
	t.Helper()
	chal, err := digest.ParseChallenge(res.GetHeader("WWW-Authenticate").Value())
	if err != nil {
		t.Fatal(err)
	}
	cred, err := digest.Digest(chal, digest.Options{Method: method, URI: uri, Username: user, Password: word, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: " + cred.String()
}

func TestUnknownSourceIsChallengedAndADeviceMayCall(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		d := p.dialog("dev")
		d.invite()
		same(t, "answers", p.responses("1 INVITE"), []int{401})
		res := p.response("1 INVITE", 401)
		same(t, "challenges", len(res.GetHeaders("WWW-Authenticate")), 2)
		if line := s.log.with("invite refused", "call_id=dev"); !strings.Contains(line, "nearest is trunk") ||
			!strings.Contains(line, "no credentials") || !strings.Contains(line, "source="+deviceAddr) {
			t.Errorf("log line is %q", line)
		}
		d.send("INVITE", 2, sdpOffer, credentials(t, res, "INVITE", d.uri, deviceName, deviceWord),
			"P-Asserted-Identity: <sip:+8215441234@x>", "X-Account: 17")
		p.settle()
		c := s.owner.call(t, 0)
		same(t, "from", c.in.From, contact.Endpoint{Type: contact.VoIP, Address: deviceName}) // whatever From says
		same(t, "user", c.in.DeviceUser, contactUser)
		same(t, "trunk", c.in.TrunkID, "")
		same(t, "PAI of a device", c.in.Headers["P-Asserted-Identity"], "")
		same(t, "own header", c.in.Headers["X-Account"], "17")
		c.leg.Reject(486, "Busy Here", 0)
		p.settle()
	})
}

// Threat 13: the same for a user that is known and one that is not.
func TestWrongPasswordAndUnknownUserGetTheSameAnswer(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		var answers []string
		for i, user := range []string{deviceName, "nobody"} {
			d := p.dialog("w" + user)
			d.invite()
			d.send("INVITE", 2+i, sdpOffer, credentials(t, p.response("1 INVITE", 401), "INVITE", d.uri, user, "wrong"))
			p.settle()
			res := p.response([]string{"2 INVITE", "3 INVITE"}[i], 401)
			var names []string
			for _, h := range res.Headers() {
				names = append(names, h.Name())
			}
			answers = append(answers, res.Reason+" "+strings.Join(names, " "))
		}
		same(t, "answers", answers[0], answers[1])
		same(t, "calls", s.owner.count(), 0)
		if s.log.with("invite refused", "status=401") == "" {
			t.Error("no log line")
		}
	})
}

func TestRefusalsNameTheirRule(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		code   int
		header string
	}{
		{"number", errs.New(errs.NotFound, "no such number"), 404, ""},
		{"queue", errs.New(errs.Limit, "queue at capacity"), 486, ""},
		{"node", errs.New(errs.Unavailable, "no port free"), 503, "Retry-After"},
		{"codec", errs.New(errs.InvalidRequest, "no common codec"), 488, ""},
		{"bug", errs.New(errs.Internal, "database"), 500, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				s.owner.refuse = tc.err
				d := s.trunk.dialog("no")
				d.invite()
				same(t, "answers", s.trunk.responses("1 INVITE")[0], tc.code)
				if tc.header != "" && s.trunk.response("1 INVITE", tc.code).GetHeader(tc.header) == nil {
					t.Errorf("no %s", tc.header)
				}
				if s.log.with("invite refused", "call_id=no", tc.err.Error()) == "" {
					t.Error("the log does not say why")
				}
				same(t, "legs", s.ep.Stats().Legs, 0)
				same(t, "refused", s.ep.Stats().InvitesRefused, 1)
			})
		})
	}
}

func TestInvitesThatAreRefusedBeforeAnyoneIsAsked(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		for i, tc := range []struct {
			text  func(*dlg) string
			code  int
			why   string
			extra string
		}{
			{func(d *dlg) string { return d.text("INVITE", 1, "a", "x", "Content-Type: text/plain") }, 415, "body is text/plain", "Accept"},
			{func(d *dlg) string { return d.text("INVITE", 1, "b", sdpOffer, "Accept: text/html") }, 406, "Accept names no", ""},
			{func(d *dlg) string {
				return strings.Replace(d.text("INVITE", 1, "c", sdpOffer), "Contact:", "X-Contact:", 1)
			}, 400, "without a Contact", ""},
		} {
			d := s.trunk.dialog("pre" + string(rune('a'+i)))
			s.trunk.send(tc.text(d))
			s.trunk.settle()
			res := s.trunk.response("1 INVITE", tc.code)
			if tc.extra != "" && res.GetHeader(tc.extra) == nil {
				t.Errorf("%d without %s", tc.code, tc.extra)
			}
			if s.log.with("invite refused", d.callID, tc.why) == "" {
				t.Errorf("the log does not say %q", tc.why)
			}
		}
		same(t, "calls", s.owner.count(), 0)
	})
}

func TestTrunkChannelsAreCountedAndGivenBack(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		small := s.phone("192.0.2.11:5060")
		first := small.dialog("one")
		first.invite()
		small.dialog("two").invite()
		same(t, "second call", small.responses("1 INVITE"), []int{486})
		if s.log.with("invite refused", "channels of trunk", "call_id=two") == "" {
			t.Error("the log does not name the limit")
		}
		s.owner.call(t, 0).leg.Reject(486, "Busy Here", 0)
		small.settle()
		small.dialog("three").invite()
		same(t, "calls", s.owner.count(), 2)
		s.owner.call(t, 1).leg.Hangup("")
		small.settle()
	})
}

func TestMergedAndLoopedInvitesGet482(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("merged")
		d.invite()
		s.trunk.send(d.text("INVITE", 1, "another-way", sdpOffer))
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{482})
		same(t, "calls", s.owner.count(), 1)
		s.owner.call(t, 0).leg.Reject(486, "Busy Here", 0)

		c := s.dial()
		back := c.invite().Clone() // the device's server sends our own INVITE to us
		back.Via().Params.Add("branch", "z9hG4bK-back")
		s.trunk.send(back.String())
		s.trunk.settle()
		same(t, "looped", s.trunk.responses(back.CSeq().Value())[0], 482)
		same(t, "calls", s.owner.count(), 1)
		c.phone.answer(c.invite(), 486, "Busy Here", "dt")
		c.phone.settle()
	})
}

func TestDrainRefusesNewCallsAndKeepsTheOthers(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("kept")
		s.ep.Drain()
		s.trunk.dialog("new").invite()
		same(t, "new call", s.trunk.responses("1 INVITE"), []int{180, 200, 503})
		same(t, "Retry-After", s.trunk.response("1 INVITE", 503).GetHeader("Retry-After").Value(), drainRetry)
		s.trunk.send(message("-CSeq", "CSeq: 9 OPTIONS"))
		s.trunk.settle()
		same(t, "ping", s.trunk.responses("9 OPTIONS"), []int{503})
		d.send("INVITE", 2, sdpOffer)
		s.trunk.settle()
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "re-INVITE", s.trunk.responses("2 INVITE"), []int{200})
		d.send("ACK", 2, "")
		d.send("BYE", 3, "")
		s.trunk.settle()
		same(t, "BYE", s.trunk.responses("3 BYE"), []int{200})
		if !s.ep.Stats().Draining {
			t.Error("Stats does not say that it drains")
		}
	})
}

func TestLegsAreBounded(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("one")
		s.trunk.dialog("two").invite()
		same(t, "second", s.trunk.responses("1 INVITE"), []int{180, 200, 503})
		s.register(deviceAddr)
		var out eventLog
		s.ep.Dial(call.Target{InstanceID: "inst-1", UserID: contactUser}, nil, out.add)
		s.trunk.settle()
		same(t, "dialled", out.kinds(), "ended(rejected)")
		c.leg.Hangup("")
		s.trunk.settle()
	}, func(o *Options) { o.MaxCalls = 1 })
}

func TestRegisterAndBeCalled(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		const uri = "sip:198.51.100.1"
		register := func(seq int, user string, extra ...string) {
			lines := append([]string{
				"=REGISTER " + uri + " SIP/2.0", "-Via", "Via: SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bK-r" + string(rune('a'+seq)),
				"-CSeq", "CSeq: " + string(rune('0'+seq)) + " REGISTER", "-To", "To: <sip:" + user + "@198.51.100.1>",
				"-From", "From: <sip:" + user + "@198.51.100.1>;tag=r",
			}, extra...)
			p.send(message(lines...))
			p.settle()
		}
		contactLine := "Contact: <sip:agent7@10.0.0.9:5060>;expires=300;+sip.instance=\"<urn:uuid:1>\""
		register(1, deviceName, contactLine)
		same(t, "first", p.responses("1 REGISTER"), []int{401})
		auth := credentials(t, p.response("1 REGISTER", 401), "REGISTER", uri, deviceName, deviceWord)
		register(2, deviceName, contactLine, auth)
		same(t, "second", p.responses("2 REGISTER"), []int{200})
		got := p.response("2 REGISTER", 200).Contact()
		same(t, "binding", got.Address.String(), "sip:agent7@10.0.0.9:5060")
		expires, _ := got.Params.Get("expires")
		same(t, "expires", expires, "300")
		register(3, deviceName, contactLine, auth) // a replay
		same(t, "replay", p.responses("3 REGISTER"), []int{401})
		if !strings.Contains(p.response("3 REGISTER", 401).GetHeader("WWW-Authenticate").Value(), "stale=true") {
			t.Error("the replay is not told that its nonce is old")
		}
		auth = credentials(t, p.response("3 REGISTER", 401), "REGISTER", uri, deviceName, deviceWord)
		register(4, "agent8", contactLine, auth) // somebody else's address of record
		same(t, "another's", p.responses("4 REGISTER"), []int{403})
		register(5, deviceName)
		auth = credentials(t, p.response("5 REGISTER", 401), "REGISTER", uri, deviceName, deviceWord)
		register(6, deviceName, "Contact: <sip:agent7@10.0.0.9:5060>;expires=10", auth)
		same(t, "brief", p.responses("6 REGISTER"), []int{423})
		same(t, "Min-Expires", p.response("6 REGISTER", 423).GetHeader("Min-Expires").Value(), "60")

		var out eventLog
		s.ep.Dial(call.Target{InstanceID: "inst-1", UserID: contactUser, FromNumber: "+8210"}, []byte(sdpOffer), out.add)
		p.settle()
		invites := p.requests(sipgo.INVITE)
		if len(invites) != 1 { // at the source address, not at the Contact
			t.Fatalf("%d INVITEs", len(invites))
		}
		same(t, "Request-URI", invites[0].Recipient.String(), "sip:agent7@10.0.0.9:5060")
		p.answer(invites[0], 486, "Busy Here", "x")
		p.settle()
	})
}

func TestPanicOfTheOwnerIsContained(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		s.owner.onCall = func(*ownedCall) { panic("admission") }
		s.trunk.dialog("p1").invite()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{500})
		s.owner.onCall = nil
		s.owner.calls = nil
		d, c := s.up("p2")
		c.then = func(e call.LegEvent) {
			if e.Kind == call.LegDigit {
				panic("event")
			}
		}
		d.send("INFO", 2, "1", "Content-Type: application/dtmf")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered digit(1) ended(protocol)")
		same(t, "panics", s.ep.Stats().Panics, 2)
		s.trunk.answer(s.trunk.requests(sipgo.BYE)[0], 200, "OK", "") // the peer was told
		s.trunk.settle()
		same(t, "channels", s.lim.Calls(), 0)
		same(t, "legs", s.ep.Stats().Legs, 0)
		ringing := s.trunk.dialog("p4") // a panic before the answer gives the INVITE one
		ringing.invite()
		c = s.owner.call(t, 1)
		c.leg.(*Leg).post(func() { panic("step") })
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(protocol)")
		same(t, "legs", s.ep.Stats().Legs, 0)
		_, c = s.up("p3") // and the next call is served
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestEventsBeforeAdmitReturnedAreKept(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("slow")
		s.owner.onCall = func(*ownedCall) { time.Sleep(3 * time.Second) } // the database is slow
		s.trunk.send(d.text("INVITE", 1, "slow-1", sdpOffer))
		time.Sleep(time.Second)
		s.trunk.send(d.text("CANCEL", 1, "slow-1", ""))
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("1 INVITE")[0], 487)
		time.Sleep(5 * time.Second)
		c := s.owner.call(t, 0)
		same(t, "events", c.kinds(), "ended(cancelled)")
		same(t, "Trying", s.trunk.response("1 INVITE", 100).StatusCode, 100)
	})
}

func TestCloseHangsUpAndLeavesNothing(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, up := s.up("up")
		s.trunk.dialog("ringing").invite()
		ringing := s.owner.call(t, 1)
		d := s.trunk.dialog("unacked")
		d.invite()
		unacked := s.owner.call(t, 2)
		unacked.leg.Answer([]byte(sdpAnswer))
		out := s.dial()
		s.ep.Close()
		same(t, "BYEs", len(s.trunk.requests(sipgo.BYE)) > 0, true)
		for name, k := range map[string]string{"up": up.kinds(), "ringing": ringing.kinds(), "unacked": unacked.kinds(), "out": out.kinds()} {
			if !strings.HasSuffix(k, "ended(local)") {
				t.Errorf("%s: events are %q", name, k)
			}
		}
		var late eventLog
		s.ep.Dial(call.Target{InstanceID: "inst-1", UserID: contactUser}, nil, late.add)
		same(t, "dialled after Close", late.kinds(), "ended(local)")
		up.leg.Hangup("again")
		s.ep.Close()
	})
}

// Some phones give up when they see an algorithm that they do not know, wherever it stands.
func TestAPhoneThatDoesNotComeBackWithSHA256IsOfferedMD5Alone(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		register := func(seq int, extra ...string) int {
			n := string(rune('0' + seq))
			lines := append([]string{
				"=REGISTER sip:198.51.100.1 SIP/2.0", "-Via", "Via: SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bK-m" + n,
				"-CSeq", "CSeq: " + n + " REGISTER", "-To", "To: <sip:agent7@198.51.100.1>",
				"-From", "From: <sip:agent7@198.51.100.1>;tag=m", "Contact: <sip:agent7@10.0.0.9:5060>",
			}, extra...)
			p.send(message(lines...))
			p.settle()
			if p.responses(n + " REGISTER")[0] != 401 {
				return 0
			}
			return len(p.response(n+" REGISTER", 401).GetHeaders("WWW-Authenticate"))
		}
		same(t, "known to give up", register(1, "User-Agent: baresip v1.0.0 (x86_64/linux)"), 1)
		same(t, "first challenge", register(2), 2)
		same(t, "it did not come back", register(3), 1)
		auth := credentials(t, p.response("2 REGISTER", 401), "REGISTER", "sip:198.51.100.1", deviceName, deviceWord)
		same(t, "it did, with SHA-256", register(4, auth), 0)
		same(t, "so it is offered again", register(5), 2)
	})
}
