package sip

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// dialed is an outgoing call of the stage.
type dialed struct {
	leg call.Leg
	eventLog
	phone *farEnd
}

// dial registers the device and calls it.
func (s *stage) dial() *dialed {
	s.t.Helper()
	s.register(deviceAddr)
	c := &dialed{phone: s.phone(deviceAddr)}
	c.leg = s.ep.Dial(call.Target{
		InstanceID: "inst-1", UserID: contactUser, FromNumber: "+821012345678", FromName: "Kim \"x\"", ContactID: "contact-1",
	}, []byte(sdpOffer), c.add)
	c.phone.settle()
	if len(c.phone.requests(sipgo.INVITE)) != 1 {
		s.t.Fatalf("no INVITE at the phone: %s", c.kinds())
	}
	return c
}

func (c *dialed) invite() *sipgo.Request { return c.phone.requests(sipgo.INVITE)[0] }

// ok answers the INVITE with 200.
func (c *dialed) ok(tag string) {
	c.phone.answer(c.invite(), 200, "OK", tag, "Contact: <sip:agent7@10.9.9.9:5060>", sdpAnswer)
}

func TestDialRingsTheDeviceAndIsAnswered(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		req := c.invite()
		same(t, "Request-URI", req.Recipient.String(), "sip:agent7@10.9.9.9:5060")
		same(t, "From", req.From().Address.String(), "sip:+821012345678@198.51.100.1")
		same(t, "name", req.From().DisplayName, `Kim \"x\"`)
		same(t, "To", req.To().Address.String(), "sip:agent7@198.51.100.1")
		same(t, "Contact", req.Contact().Address.String(), "sip:ullim@198.51.100.1:5060")
		same(t, "contact id", req.GetHeader("X-Ullim-Contact-Id").Value(), "contact-1")
		same(t, "offer", string(req.Body()), sdpOffer)
		same(t, "Call-ID", c.leg.CallID(), callIDOf(req))
		c.phone.answer(req, 100, "Trying", "")
		c.phone.answer(req, 180, "Ringing", "dt")
		c.phone.settle()
		c.ok("dt")
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(180) answered")
		same(t, "answer", string(c.all()[1].SDP), sdpAnswer)
		acks := c.phone.requests(sipgo.ACK)
		same(t, "ACKs", len(acks), 1)
		same(t, "ACK CSeq", acks[0].CSeq().SeqNo, req.CSeq().SeqNo)
		same(t, "ACK tag", tagOf(acks[0].To().Params), "dt")
		c.leg.Hangup("")
		c.phone.settle()
		byes := c.phone.requests(sipgo.BYE)
		same(t, "BYEs", len(byes), 1)
		same(t, "BYE CSeq", byes[0].CSeq().SeqNo, req.CSeq().SeqNo+1)
		c.phone.answer(byes[0], 200, "OK", "")
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(180) answered ended(local)")
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestDeviceSpeaksInItsDialog(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.ok("dt")
		c.phone.settle()
		d := &dlg{
			p: c.phone, callID: c.leg.CallID(), from: "dt", to: tagOf(c.invite().From().Params),
			uri: "sip:ullim@198.51.100.1",
		}
		d.send("INVITE", 77, sdpOffer)
		c.phone.settle()
		c.leg.AnswerOffer([]byte(sdpAnswer))
		c.phone.settle()
		d.send("ACK", 77, "")
		d.send("INFO", 78, "5", "Content-Type: application/dtmf")
		d.send("BYE", 79, "", "Reason: Q.850;cause=16")
		c.phone.settle()
		same(t, "events", c.kinds(), "answered offer digit(5) ended(bye)")
		same(t, "reason", c.all()[3].Text, "Q.850;cause=16")
		same(t, "re-INVITE", c.phone.responses("77 INVITE"), []int{200})
		same(t, "BYE", c.phone.responses("79 BYE"), []int{200})
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestNoDeviceIsAnEvent(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		for _, target := range []call.Target{
			{InstanceID: "inst-1", UserID: contactUser},
			{InstanceID: "inst-1", UserID: "nobody"},
		} {
			var c dialed
			c.leg = s.ep.Dial(target, []byte(sdpOffer), c.add)
			s.trunk.settle()
			same(t, "events", c.kinds(), "ended(rejected)")
			same(t, "code", c.all()[0].Code, 480)
		}
		s.register(deviceAddr)
		var c dialed
		c.leg = s.ep.Dial(call.Target{InstanceID: "inst-2", UserID: contactUser}, []byte(sdpOffer), c.add) // another tenant's
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(rejected)")
		c.leg.Hangup("")
		c.leg.Ring()
		c.leg.Answer(nil)
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(rejected)")
	})
}

func TestDeviceRefuses(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 486, "Busy Here", "dt")
		c.phone.settle()
		same(t, "events", c.kinds(), "ended(rejected)")
		same(t, "code", c.all()[0].Code, 486)
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 1)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestDeviceThatChallengesGetsNoCredentials(t *testing.T) { // threat 7
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 401, "Unauthorized", "dt", `WWW-Authenticate: Digest realm="test.example", nonce="x"`)
		time.Sleep(time.Minute)
		same(t, "events", c.kinds(), "ended(rejected)")
		same(t, "INVITEs", len(c.phone.requests(sipgo.INVITE)), 1)
	})
}

func TestSilentDeviceTimesOut(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		time.Sleep(31 * time.Second)
		same(t, "events before 32 s", c.kinds(), "")
		time.Sleep(2 * time.Second)
		same(t, "events after", c.kinds(), "ended(timeout)")
		same(t, "INVITEs", len(c.phone.requests(sipgo.INVITE)), 7)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

// S4.
func TestS04EveryCopyOfA200GetsAnAckOfItsOwn(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		for range 20 {
			c.ok("dt")
		}
		c.phone.settle()
		same(t, "events", c.kinds(), "answered")
		branches := make(map[string]bool)
		acks := c.phone.requests(sipgo.ACK)
		for _, ack := range acks {
			same(t, "Vias", len(ack.GetHeaders("Via")), 1)
			b, _ := ack.Via().Params.Get("branch")
			branches[b] = true
		}
		same(t, "ACKs", len(acks), 20)
		same(t, "branches", len(branches), 20)
		same(t, "BYEs", len(c.phone.requests(sipgo.BYE)), 0)
		c.leg.Hangup("")
		c.phone.settle()
		c.phone.answer(c.phone.requests(sipgo.BYE)[0], 200, "OK", "")
		c.phone.settle()
		same(t, "legs", s.ep.Stats().Legs, 0)
		c.ok("dt") // the leg is gone, the peer still repeats
		c.phone.settle()
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 21)
	})
}

// S5.
func TestS05CancelIsHeldUntilThePhoneAnswersAnything(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.leg.Hangup("caller left")
		c.phone.settle()
		same(t, "events", c.kinds(), "ended(local)")
		same(t, "CANCELs before", len(c.phone.requests(sipgo.CANCEL)), 0)
		c.phone.answer(c.invite(), 180, "Ringing", "dt")
		c.phone.settle()
		cancels := c.phone.requests(sipgo.CANCEL)
		if len(cancels) != 1 {
			t.Fatalf("%d CANCELs, want 1", len(cancels))
		}
		same(t, "Via", cancels[0].Via().Value(), c.invite().Via().Value())
		same(t, "CSeq", cancels[0].CSeq().SeqNo, c.invite().CSeq().SeqNo)
		same(t, "To tag", tagOf(cancels[0].To().Params), "")
		same(t, "Request-URI", cancels[0].Recipient.String(), c.invite().Recipient.String())
		c.phone.answer(cancels[0], 200, "OK", "dt")
		c.phone.answer(c.invite(), 487, "Request Terminated", "dt")
		c.phone.settle()
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 1)
		same(t, "legs", s.ep.Stats().Legs, 0)
		same(t, "events", c.kinds(), "ended(local)")
	})
}

// S6.
func TestS06CancelThatCrossesA200IsFollowedByAckAndBye(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 180, "Ringing", "dt")
		c.phone.settle()
		c.leg.Hangup("")
		c.phone.settle()
		c.ok("dt")
		c.phone.settle()
		c.phone.answer(c.phone.requests(sipgo.CANCEL)[0], 481, "Call/Transaction Does Not Exist", "dt")
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 1)
		byes := c.phone.requests(sipgo.BYE)
		if len(byes) != 1 {
			t.Fatalf("%d BYEs, want 1", len(byes))
		}
		first := c.phone.times(func(m sipgo.Message) bool { return isRequest(m, sipgo.ACK) || isRequest(m, sipgo.BYE) })
		same(t, "messages", len(first), 2)
		c.phone.answer(byes[0], 200, "OK", "dt")
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(180) ended(local)")
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func isRequest(m sipgo.Message, method sipgo.RequestMethod) bool {
	req, ok := m.(*sipgo.Request)
	return ok && req.Method == method
}

// CANCEL at every offset around the 200, in both directions of the crossing.
func TestS06CancelAtEveryOffsetLeavesNothing(t *testing.T) {
	for offset := -20 * time.Millisecond; offset <= 20*time.Millisecond; offset += 4 * time.Millisecond {
		run(t, func(s *stage) {
			t := s.t
			c := s.dial()
			c.phone.hear(func(m sipgo.Message) {
				if req, ok := m.(*sipgo.Request); ok && (req.Method == sipgo.BYE || req.Method == sipgo.CANCEL) {
					c.phone.answer(req, 200, "OK", "dt")
				}
			})
			c.phone.answer(c.invite(), 180, "Ringing", "dt")
			c.phone.settle()
			time.AfterFunc(50*time.Millisecond, func() { c.ok("dt") })
			time.AfterFunc(50*time.Millisecond+offset, func() { c.leg.Hangup("") })
			time.Sleep(64 * timerT1)
			same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 1)
			same(t, "BYEs", len(c.phone.requests(sipgo.BYE)), 1)
			if ended, _ := c.ends(); !strings.HasSuffix(c.kinds(), "ended(local)") || ended != 1 {
				t.Errorf("events are %q", c.kinds())
			}
			same(t, "legs", s.ep.Stats().Legs, 0)
		})
	}
}

// S8.
func TestS08CancelWithoutA487IsGivenUpAfter64T1(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 180, "Ringing", "dt")
		c.phone.settle()
		c.leg.Hangup("")
		c.phone.settle()
		c.phone.answer(c.phone.requests(sipgo.CANCEL)[0], 200, "OK", "dt")
		time.Sleep(31 * time.Second)
		same(t, "legs before", s.ep.Stats().Legs, 1)
		time.Sleep(2 * time.Second)
		same(t, "legs after", s.ep.Stats().Legs, 0)
	})
}

func TestS08CopiesOfARefusalThatTheLegHasNotSeenYetGetTheirAck(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		busy := make(chan struct{})
		s.ep.index.legs()[0].post(func() { <-busy })
		const copies = 5
		for range copies {
			c.phone.answer(c.invite(), 486, "Busy Here", "dt")
			c.phone.settle()
		}
		same(t, "ACKs meanwhile", len(c.phone.requests(sipgo.ACK)), 1) // the library's
		close(busy)
		c.phone.settle()
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), copies)
		same(t, "events", c.kinds(), "ended(rejected)")
	})
}

func TestS08Repeated487IsAcknowledgedEachTime(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 180, "Ringing", "dt")
		c.phone.settle()
		c.leg.Hangup("")
		for range 3 {
			c.phone.answer(c.invite(), 487, "Request Terminated", "dt")
			time.Sleep(6 * time.Second) // sipgo answers a copy after T2
		}
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 3)
	})
}

// S17: a lost BYE and one that finds nothing.
func TestS17ByeThatFindsNobodyEndsTheLeg(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.ok("dt")
		c.phone.settle()
		c.leg.Hangup("")
		c.phone.settle()
		c.phone.answer(c.phone.requests(sipgo.BYE)[0], 481, "Call/Transaction Does Not Exist", "")
		c.phone.settle()
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestS17ByeThatIsNeverAnsweredEndsTheLeg(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.ok("dt")
		c.phone.settle()
		c.leg.Hangup("")
		time.Sleep(40 * time.Second) // never answered
		same(t, "legs", s.ep.Stats().Legs, 0)
		if n := len(c.phone.requests(sipgo.BYE)); n < 8 {
			t.Errorf("BYE was sent %d times, want it repeated", n)
		}
	})
}

// S18.
func TestS18Second200OfAForkIsEnded(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.ok("one")
		c.phone.settle()
		c.ok("two")
		c.phone.settle()
		c.ok("two")
		c.phone.settle()
		same(t, "events", c.kinds(), "answered")
		tags := map[string]int{}
		for _, ack := range c.phone.requests(sipgo.ACK) {
			tags[tagOf(ack.To().Params)]++
		}
		same(t, "ACKs", tags, map[string]int{"one": 1, "two": 2})
		byes := c.phone.requests(sipgo.BYE)
		if len(byes) != 1 || tagOf(byes[0].To().Params) != "two" {
			t.Fatalf("BYEs are %v, want one for the second", byes)
		}
		c.phone.answer(byes[0], 200, "OK", "")
		c.leg.Hangup("")
		c.phone.settle()
	})
}

// S19.
func TestS19EarlyMediaOfOneTagAndAnswerOfAnother(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		early := strings.Replace(sdpAnswer, "5000", "6000", 1)
		res := sipgo.NewSDPResponseFromRequest(c.invite(), []byte(early))
		res.StatusCode, res.Reason = 183, "Session Progress"
		setTag(&res.To().Params, "one")
		c.phone.send(res.String())
		c.phone.settle()
		c.ok("two")
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(183) answered")
		same(t, "early media", string(c.all()[0].SDP), early)
		same(t, "answer", string(c.all()[1].SDP), sdpAnswer)
		c.leg.Hangup("")
		c.phone.settle()
	})
}

func Test200WithoutSDPEndsTheCall(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.phone.answer(c.invite(), 200, "OK", "dt", "Contact: <sip:agent7@10.9.9.9>")
		c.phone.settle()
		same(t, "events", c.kinds(), "ended(protocol)")
		same(t, "ACKs", len(c.phone.requests(sipgo.ACK)), 1)
		same(t, "BYEs", len(c.phone.requests(sipgo.BYE)), 1)
	})
}

func TestLostMessagesAreRepeated(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		chance := rand.New(rand.NewPCG(1, 2)) // the same every time
		s.net.lose = func(_, _ string, _ []byte) bool { return chance.IntN(10) < 4 }
		c := &dialed{phone: s.phone(deviceAddr)}
		c.phone.hear(func(m sipgo.Message) {
			req, ok := m.(*sipgo.Request)
			switch {
			case !ok || req.Method == sipgo.ACK:
			case req.Method == sipgo.INVITE:
				c.phone.answer(req, 200, "OK", "dt", "Contact: <sip:agent7@10.9.9.9>", sdpAnswer)
			default:
				c.phone.answer(req, 200, "OK", "")
			}
		})
		s.register(deviceAddr)
		c.leg = s.ep.Dial(call.Target{InstanceID: "inst-1", UserID: contactUser}, []byte(sdpOffer), c.add)
		time.Sleep(20 * time.Second)
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		time.Sleep(40 * time.Second)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

// S8: the library would wait four seconds before it acknowledges a copy, holding the transaction's lock meanwhile.
func TestS08EveryCopyOfARefusalGetsItsAckAtOnce(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		const copies = 5
		for range copies {
			c.phone.answer(c.invite(), 486, "Busy Here", "dt")
			c.phone.settle()
		}
		acks := c.phone.requests(sipgo.ACK)
		same(t, "ACKs", len(acks), copies)
		for _, ack := range acks {
			branch, _ := ack.Via().Params.Get("branch")
			invited, _ := c.invite().Via().Params.Get("branch")
			same(t, "branch", branch, invited)
			same(t, "tag", tagOf(ack.To().Params), "dt")
			same(t, "CSeq", ack.CSeq().SeqNo, c.invite().CSeq().SeqNo)
		}
		same(t, "events", c.kinds(), "ended(rejected)")
	})
}
