package sip

import (
	"strconv"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

func TestO02O03ReinviteIsOfferedAndAnswered(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("hold")
		d.send("INVITE", 2, sdpOffer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered offer")
		same(t, "offer", string(c.all()[1].SDP), sdpOffer)
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("2 INVITE"), []int{200})
		time.Sleep(600 * time.Millisecond)
		same(t, "repeated without ACK", s.trunk.responses("2 INVITE"), []int{200, 200})
		d.send("ACK", 2, "")
		time.Sleep(10 * time.Second)
		same(t, "answers", s.trunk.responses("2 INVITE"), []int{200, 200})
		same(t, "events", c.kinds(), "answered offer")

		d.send("INVITE", 3, sdpOffer) // refused: the session stays
		s.trunk.settle()
		c.leg.AnswerOffer(nil)
		c.leg.AnswerOffer([]byte(sdpAnswer)) // nothing is pending any more
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("3 INVITE"), []int{488})

		d.send("INVITE", 4, "") // they ask for our offer; the answer is in the ACK
		s.trunk.settle()
		c.leg.AnswerOffer([]byte(sdpOffer))
		s.trunk.settle()
		d.send("ACK", 4, sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered offer offer offer answered")
		same(t, "answer", string(c.all()[4].SDP), sdpAnswer)
		d.send("BYE", 5, "")
		s.trunk.settle()
	})
}

// S12, S13: in one burst, in every order; the ACK may be lost.
func TestS12S13ReinviteInOneBurstWithTheAck(t *testing.T) {
	for _, order := range []string{"ack first", "reinvite first", "ack lost"} {
		t.Run(order, func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				d := s.trunk.dialog("burst")
				d.invite()
				c := s.owner.call(t, 0)
				c.leg.Answer([]byte(sdpAnswer))
				s.trunk.settle()
				d.learn(200)
				if order == "ack first" {
					d.send("ACK", 1, "")
				}
				d.send("INVITE", 2, sdpOffer)
				if order == "reinvite first" {
					time.Sleep(50 * time.Millisecond)
					same(t, "events before the ACK", c.kinds(), "")
					d.send("ACK", 1, "")
				}
				time.Sleep(time.Second)
				same(t, "events", c.kinds(), "answered offer")
				c.leg.AnswerOffer([]byte(sdpAnswer))
				s.trunk.settle()
				same(t, "answers", s.trunk.responses("2 INVITE"), []int{200})
				d.send("ACK", 2, "")
				d.send("BYE", 3, "")
				s.trunk.settle()
				same(t, "events", c.kinds(), "answered offer ended(bye)")
			})
		})
	}
}

// S12, with the offer in our 200.
func TestS12ReinviteWhileOurOfferIsOpenGets491(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("glare")
		s.trunk.send(d.text("INVITE", 1, "glare-1", ""))
		s.trunk.settle()
		c := s.owner.call(t, 0)
		c.leg.Answer([]byte(sdpOffer))
		s.trunk.settle()
		d.learn(200)
		d.send("INVITE", 2, sdpOffer)
		d.send("UPDATE", 3, sdpOffer)
		time.Sleep(time.Second)
		same(t, "re-INVITE", s.trunk.responses("2 INVITE")[0], 491)
		same(t, "UPDATE", s.trunk.responses("3 UPDATE"), []int{491})
		d.send("ACK", 1, sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered")
		d.send("BYE", 4, "")
		s.trunk.settle()
	})
}

// S15, S16.
func TestS15S16SecondOfferWhileTheFirstIsUnansweredGets500(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("second")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Ring()
		s.trunk.settle()
		d.learn(180)
		d.send("INVITE", 2, sdpOffer) // before the first is answered at all
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("2 INVITE"), []int{500})
		wait := s.trunk.response("2 INVITE", 500).GetHeader("Retry-After")
		if wait == nil {
			t.Fatal("no Retry-After")
		}
		if n, err := strconv.Atoi(wait.Value()); err != nil || n < 0 || n > 10 {
			t.Errorf("Retry-After is %q, want 0 to 10", wait.Value())
		}
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		d.send("ACK", 1, "")
		d.send("INVITE", 3, sdpOffer)
		s.trunk.settle()
		d.send("INVITE", 4, sdpOffer)
		d.send("UPDATE", 5, sdpOffer)
		s.trunk.settle()
		same(t, "second re-INVITE", s.trunk.responses("4 INVITE"), []int{500})
		same(t, "UPDATE", s.trunk.responses("5 UPDATE"), []int{500})
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "first re-INVITE", s.trunk.responses("3 INVITE"), []int{200})
		d.send("ACK", 3, "")
		d.send("UPDATE", 6, sdpOffer)
		s.trunk.settle()
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "UPDATE", string(s.trunk.response("6 UPDATE", 200).Body()), sdpAnswer)
		same(t, "events", c.kinds(), "answered offer offer")
		d.send("BYE", 7, "")
		s.trunk.settle()
	})
}

func TestOfferThatItsOwnerForgetsIsRefused(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("forgot")
		d.send("INVITE", 2, sdpOffer)
		time.Sleep(offerWait + time.Second)
		same(t, "answers", s.trunk.responses("2 INVITE")[0], 500)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S11.
func TestS11ByeWhileAReinviteIsPending(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("byepending")
		d.send("INVITE", 2, sdpOffer)
		s.trunk.settle()
		d.send("BYE", 3, "")
		s.trunk.settle()
		same(t, "re-INVITE", s.trunk.responses("2 INVITE"), []int{487})
		same(t, "BYE", s.trunk.responses("3 BYE"), []int{200})
		same(t, "events", c.kinds(), "answered offer ended(bye)")
	})
}

func TestCancelOfAReinviteLeavesTheCallAlone(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("cancelre")
		s.trunk.send(d.text("INVITE", 2, "re", sdpOffer))
		s.trunk.settle()
		s.trunk.send(d.text("CANCEL", 2, "re", ""))
		s.trunk.settle()
		same(t, "CANCEL", s.trunk.responses("2 CANCEL"), []int{200})
		same(t, "re-INVITE", s.trunk.responses("2 INVITE"), []int{487})
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.send(d.text("ACK", 2, "re", ""))
		s.trunk.settle()
		same(t, "re-INVITE", s.trunk.responses("2 INVITE"), []int{487})
		same(t, "events", c.kinds(), "answered offer")
		d.send("BYE", 3, "")
		s.trunk.settle()
	})
}

func TestS13RequestsAreTakenInTheOrderOfTheirCSeq(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("order")
		dtmf := []string{"Content-Type: application/dtmf-relay"}
		press := func(seq int, key string) { d.send("INFO", seq, "Signal="+key+"\r\nDuration=160\r\n", dtmf...) }
		press(4, "3")
		press(3, "2")
		time.Sleep(20 * time.Millisecond)
		same(t, "events before the first came", c.kinds(), "answered")
		press(2, "1")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered digit(1) digit(2) digit(3)")

		press(6, "5") // 5 never comes
		time.Sleep(gapWait - time.Millisecond)
		same(t, "events before the wait is over", len(c.all()), 4)
		time.Sleep(2 * time.Millisecond)
		same(t, "events after it", c.kinds(), "answered digit(1) digit(2) digit(3) digit(5)")
		press(5, "4")
		s.trunk.settle()
		same(t, "the late one", s.trunk.responses("5 INFO"), []int{500})
		d.send("INVITE", 3, sdpOffer)
		s.trunk.settle()
		same(t, "re-INVITE with a lower CSeq", s.trunk.responses("3 INVITE"), []int{500})
		d.send("BYE", 7, "")
		s.trunk.settle()
	})
}

// Two neighbours are reversed now and then by the library's goroutine for each message.
func TestBurstsOfDigitsKeepTheirOrder(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("digits")
		want := ""
		for i := range 200 {
			key := string("0123456789*#ABCD"[i%16])
			want += key
			d.send("INFO", 2+i, key, "Content-Type: application/dtmf")
		}
		time.Sleep(time.Second)
		got := ""
		for _, e := range c.all() {
			if e.Kind == call.LegDigit {
				got += string(e.Digit)
			}
		}
		same(t, "digits", got, want)
		d.send("BYE", 500, "")
		time.Sleep(time.Second)
		same(t, "BYE after a gap", s.trunk.responses("500 BYE"), []int{200})
	})
}

func TestInfoBodies(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("info")
		for i, tc := range []struct {
			body, contentType string
			code              int
		}{
			{"", "text/plain", 200},
			{"Signal= 11\r\n", "application/dtmf-relay", 200},
			{"Duration=100\r\nSignal=a\r\n", "Application/DTMF-Relay;x=y", 200},
			{"Signal=77", "application/dtmf-relay", 400},
			{"x", "application/dtmf", 400},
			{"<xml/>", "application/media_control+xml", 415},
		} {
			seq := i + 2
			d.send("INFO", seq, tc.body, "Content-Type: "+tc.contentType)
			s.trunk.settle()
			same(t, tc.body, s.trunk.responses(strconv.Itoa(seq)+" INFO"), []int{tc.code})
		}
		same(t, "events", c.kinds(), "answered digit(#) digit(A)")
		d.send("BYE", 20, "")
		time.Sleep(time.Second)
	})
}

func TestWrongTagsGet481(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("tags")
		right := *d
		d.to = "nobody"
		d.send("BYE", 2, "")
		d.to, d.from = right.to, "somebody-else"
		d.send("BYE", 3, "")
		d.from, d.callID = right.from, "another-call"
		d.send("BYE", 4, "")
		d.send("INVITE", 5, sdpOffer)
		d.send("INFO", 6, "")
		d.send("OPTIONS", 7, "")
		s.trunk.settle()
		for _, cseq := range []string{"2 BYE", "3 BYE", "4 BYE", "5 INVITE", "6 INFO", "7 OPTIONS"} {
			same(t, cseq, s.trunk.responses(cseq), []int{481})
		}
		*d = right
		d.to = ""
		d.send("BYE", 8, "") // no tag at all
		d.send("UPDATE", 9, sdpOffer)
		s.trunk.settle()
		same(t, "BYE without a dialog", s.trunk.responses("8 BYE"), []int{481})
		same(t, "UPDATE without a dialog", s.trunk.responses("9 UPDATE"), []int{481})
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestNewContactAndRouteSetAreFollowed(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		moved := s.phone("192.0.2.10:7000")
		d, c := s.up("moved")
		d.send("INVITE", 2, sdpOffer, "Contact: <sip:kim@192.0.2.10:7000>") // the later of two is taken by sipgo
		s.trunk.settle()
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		d.send("ACK", 2, "")
		c.leg.Hangup("")
		s.trunk.settle()
		if len(moved.requests(sipgo.BYE)) != 1 {
			t.Errorf("BYE did not go to the new Contact:\n%s", s.trunk.dump())
		}

		proxy := s.phone("192.0.2.20:5070")
		d = s.trunk.dialog("routed")
		s.trunk.send(d.text("INVITE", 1, "routed-1", sdpOffer, "Record-Route: <sip:192.0.2.20:5070;lr>, <sip:192.0.2.21;lr>"))
		s.trunk.settle()
		c = s.owner.call(t, 1)
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "Record-Route in the 200", len(s.trunk.response("1 INVITE", 200).GetHeaders("Record-Route")), 2)
		d.learn(200)
		d.send("ACK", 1, "")
		c.leg.Hangup("")
		s.trunk.settle()
		byes := proxy.requests(sipgo.BYE)
		if len(byes) != 1 {
			t.Fatalf("%d BYEs at the proxy, want 1", len(byes))
		}
		same(t, "Request-URI", byes[0].Recipient.String(), "sip:kim@192.0.2.10:5060")
		same(t, "Route", byes[0].Route().Value(), "<sip:192.0.2.20:5070;lr>")
		same(t, "Routes", len(byes[0].GetHeaders("Route")), 2)
	})
}

func TestDestination(t *testing.T) {
	uri := uriOf
	for _, tc := range []struct{ name, network, target, route, source, want string }{
		{"contact", "UDP", "sip:a@192.0.2.7:5080", "", "192.0.2.9:1234", "192.0.2.7:5080"},
		{"default port", "UDP", "sip:a@192.0.2.7", "", "192.0.2.9:1234", "192.0.2.7:5060"},
		{"name is never resolved", "UDP", "sip:a@pbx.example", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"behind a NAT", "UDP", "sip:a@10.1.2.3:5060", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"our own network", "UDP", "sip:a@10.1.2.3:5060", "", "10.9.9.9:1234", "10.1.2.3:5060"},
		{"other family", "UDP", "sip:a@[2001:db8::1]:5060", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"route", "UDP", "sip:a@192.0.2.7:5080", "sip:192.0.2.8:5070;lr", "192.0.2.9:1234", "192.0.2.8:5070"},
		{"multicast", "UDP", "sip:a@224.0.0.1", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"nowhere", "UDP", "sip:a@0.0.0.0", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"connection", "TCP", "sip:a@192.0.2.7:5080", "", "192.0.2.9:1234", "192.0.2.9:1234"},
		{"loopback from outside", "UDP", "sip:a@127.0.0.1:25", "", "192.0.2.9:1234", "192.0.2.9:1234"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := dialog{network: tc.network, target: uri(tc.target)}
			d.heard(tc.source)
			if tc.route != "" {
				d.routes = []sipgo.Uri{uri(tc.route)}
			}
			same(t, "destination", d.destination().String(), tc.want)
		})
	}
}

func TestFullMailboxEndsTheLeg(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("flood")
		block := make(chan struct{})
		c.leg.(*Leg).post(func() { <-block })
		for i := range maxMail + 20 {
			d.send("INFO", 2+i, "1", "Content-Type: application/dtmf")
		}
		s.trunk.settle()
		close(block)
		s.trunk.settle()
		if k := c.all(); k[len(k)-1].Kind != call.LegEnded || k[len(k)-1].Cause != call.CauseProtocol {
			t.Errorf("last event is %+v, want LegEnded", k[len(k)-1])
		}
		same(t, "overflows", s.ep.Stats().Overflows, 1)
		time.Sleep(time.Minute)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func uriOf(text string) (u sipgo.Uri) {
	if err := sipgo.ParseUri(text, &u); err != nil {
		panic(err)
	}
	return u
}
