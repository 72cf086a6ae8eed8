package sip

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

const sdpHold = "v=0\r\no=- 2 3 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\na=sendonly\r\n"

// last is the last request of a method that the far end got.
func (p *farEnd) last(method sipgo.RequestMethod) *sipgo.Request {
	p.s.t.Helper()
	list := p.requests(method)
	if len(list) == 0 {
		p.s.t.Fatalf("no %s at %s:\n%s", method, p.addr, p.dump())
	}
	return list[len(list)-1]
}

// distinct are the requests of a method without repetitions.
func (p *farEnd) distinct(method sipgo.RequestMethod) []*sipgo.Request {
	seen := map[uint32]bool{}
	var list []*sipgo.Request
	for _, r := range p.requests(method) {
		if !seen[r.CSeq().SeqNo] {
			seen[r.CSeq().SeqNo] = true
			list = append(list, r)
		}
	}
	return list
}

// okSDP answers a request of ours with 200 and SDP.
func (p *farEnd) okSDP(req *sipgo.Request, sdp string, extra ...string) {
	p.answer(req, 200, "OK", "", append([]string{"Contact: <sip:kim@" + p.addr + ">", sdp}, extra...)...)
}

// autoBye answers our BYEs.
func (p *farEnd) autoBye() {
	p.hear(func(m sipgo.Message) {
		if req, ok := m.(*sipgo.Request); ok && req.Method == sipgo.BYE {
			p.answer(req, 200, "OK", "")
		}
	})
}

func TestO03WeHoldAndResumeByReinvite(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("ourhold")
		s.trunk.autoBye()
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		re := s.trunk.last(sipgo.INVITE)
		same(t, "offer", string(re.Body()), sdpHold)
		same(t, "From tag", tagOf(re.From().Params), d.to)
		s.trunk.okSDP(re, sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed")
		same(t, "answer", string(c.all()[1].SDP), sdpAnswer)
		acks := s.trunk.requests(sipgo.ACK)
		same(t, "ACKs", len(acks), 1)
		same(t, "ACK CSeq", acks[0].CSeq().SeqNo, re.CSeq().SeqNo)
		s.trunk.okSDP(re, sdpAnswer) // a copy
		s.trunk.settle()
		same(t, "ACKs", len(s.trunk.requests(sipgo.ACK)), 2)

		c.leg.Offer([]byte(sdpOffer)) // refused: the session stays
		s.trunk.settle()
		s.trunk.answer(s.trunk.last(sipgo.INVITE), 488, "Not Acceptable Here", "")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed unchanged(488)")
		same(t, "ACKs", len(s.trunk.requests(sipgo.ACK)), 3)
		c.leg.Hangup("")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed unchanged(488) ended(local)")
	})
}

func TestSecondOfferOfOursTakesThePlaceOfOneThatHasNotLeft(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("replace")
		s.trunk.autoBye()
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		c.leg.Offer([]byte("never seen"))
		c.leg.Offer([]byte(sdpOffer))
		s.trunk.settle()
		same(t, "INVITEs", len(s.trunk.requests(sipgo.INVITE)), 1)
		s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "the next offer", string(s.trunk.last(sipgo.INVITE).Body()), sdpOffer)
		s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed changed")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// R19: 491 each way, then a retry of ours after 2.1 to 4 s (owner of the Call-ID) or 0 to 2 s.
func TestS14TwoReinvitesCross(tt *testing.T) {
	for range 30 { // the waits are random
		run(tt, func(s *stage) {
			t := s.t
			d, c := s.up("cross")
			s.trunk.autoBye()
			crossed := time.Now()
			c.leg.Offer([]byte(sdpHold))
			d.send("INVITE", 2, sdpOffer)
			s.trunk.settle()
			first := s.trunk.last(sipgo.INVITE)
			same(t, "theirs", s.trunk.responses("2 INVITE"), []int{491})
			s.trunk.send(d.text("ACK", 2, "cross-2-1", ""))
			s.trunk.answer(first, 491, "Request Pending", "")
			for len(s.trunk.distinct(sipgo.INVITE)) < 2 {
				time.Sleep(10 * time.Millisecond)
			}
			if wait := time.Since(crossed); wait > 2*time.Second+20*time.Millisecond {
				t.Errorf("retried after %v, want at most 2 s", wait)
			}
			retry := s.trunk.last(sipgo.INVITE)
			same(t, "offer", string(retry.Body()), sdpHold)
			s.trunk.okSDP(retry, sdpAnswer)
			s.trunk.settle()
			d.send("INVITE", 3, sdpOffer)
			s.trunk.settle()
			c.leg.AnswerOffer([]byte(sdpAnswer))
			s.trunk.settle()
			d.send("ACK", 3, "")
			s.trunk.settle()
			same(t, "events", c.kinds(), "answered changed offer")
			c.leg.Hangup("")
			s.trunk.settle()
		})
	}
	for range 10 {
		run(tt, func(s *stage) {
			t := s.t
			c := s.dial()
			c.phone.autoBye()
			c.ok("dt")
			c.phone.settle()
			c.leg.Offer([]byte(sdpHold))
			c.phone.settle()
			crossed := time.Now()
			c.phone.answer(c.phone.last(sipgo.INVITE), 491, "Request Pending", "")
			for len(c.phone.distinct(sipgo.INVITE)) < 3 {
				time.Sleep(10 * time.Millisecond)
			}
			if wait := time.Since(crossed); wait < 2100*time.Millisecond || wait > 4020*time.Millisecond {
				t.Errorf("retried after %v, want 2.1 to 4 s", wait)
			}
			c.phone.okSDP(c.phone.last(sipgo.INVITE), sdpAnswer)
			c.phone.settle()
			same(t, "events", c.kinds(), "answered changed")
			c.leg.Hangup("")
			c.phone.settle()
		})
	}
}

func TestGlareThatNeverEndsIsReported(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("always491")
		s.trunk.hear(func(m sipgo.Message) {
			if req, ok := m.(*sipgo.Request); ok && req.Method == sipgo.INVITE {
				s.trunk.answer(req, 491, "Request Pending", "")
			} else if ok && req.Method == sipgo.BYE {
				s.trunk.answer(req, 200, "OK", "")
			}
		})
		c.leg.Offer([]byte(sdpHold))
		time.Sleep(time.Minute)
		same(t, "events", c.kinds(), "answered unchanged(491)")
		same(t, "tries", len(s.trunk.distinct(sipgo.INVITE)), maxProposals)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S15 from our side: 500 with Retry-After is waited out.
func TestS15OurOfferWaitsForRetryAfter(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("retryafter")
		s.trunk.autoBye()
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		s.trunk.answer(s.trunk.last(sipgo.INVITE), 500, "Server Internal Error", "", "Retry-After: 3")
		time.Sleep(2900 * time.Millisecond)
		same(t, "INVITEs before", len(s.trunk.distinct(sipgo.INVITE)), 1)
		time.Sleep(200 * time.Millisecond)
		same(t, "INVITEs after", len(s.trunk.distinct(sipgo.INVITE)), 2)
		s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S15: an UPDATE of theirs while our re-INVITE is on its way.
func TestS15UpdateCrossesOurReinvite(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("updatecross")
		s.trunk.autoBye()
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		d.send("UPDATE", 2, sdpOffer)
		s.trunk.settle()
		same(t, "theirs", s.trunk.responses("2 UPDATE"), []int{491})
		s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S11: their BYE while ours is pending; its late answer is still acknowledged.
func TestS11LateAnswerToOurReinviteIsAcknowledgedAfterTheirBye(t *testing.T) {
	for _, code := range []int{200, 487} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				d, c := s.up("byere")
				c.leg.Offer([]byte(sdpHold))
				s.trunk.settle()
				re := s.trunk.last(sipgo.INVITE)
				d.send("BYE", 2, "")
				s.trunk.settle()
				same(t, "BYE", s.trunk.responses("2 BYE"), []int{200})
				same(t, "events", c.kinds(), "answered ended(bye)")
				time.Sleep(time.Second)
				if code == 200 {
					s.trunk.okSDP(re, sdpAnswer)
				} else {
					s.trunk.answer(re, code, "Request Terminated", "")
				}
				s.trunk.settle()
				same(t, "ACKs", len(s.trunk.requests(sipgo.ACK)), 1)
				time.Sleep(time.Second)
				same(t, "legs", s.ep.Stats().Legs, 0)
			})
		})
	}
}

// S11: our own BYE while our re-INVITE is pending.
func TestS11OurByeWhileOurReinviteIsPending(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("hangre")
		s.trunk.autoBye()
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		re := s.trunk.last(sipgo.INVITE)
		c.leg.Hangup("")
		s.trunk.settle()
		s.trunk.okSDP(re, sdpAnswer)
		time.Sleep(time.Second)
		same(t, "ACKs", len(s.trunk.requests(sipgo.ACK)), 1)
		same(t, "events", c.kinds(), "answered ended(local)")
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

// S17: whoever answers 408 or 481, or nothing, inside a dialog has no dialog any more.
func TestS17RequestThatFindsNoDialogEndsIt(t *testing.T) {
	for _, code := range []int{408, 481, 0} {
		for _, method := range []sipgo.RequestMethod{sipgo.INVITE, sipgo.INFO} {
			t.Run(fmt.Sprint(method, code), func(t *testing.T) {
				run(t, func(s *stage) {
					t := s.t
					_, c := s.up("gone")
					s.trunk.autoBye()
					if method == sipgo.INVITE {
						c.leg.Offer([]byte(sdpHold))
					} else {
						c.leg.Digit('5', 100*time.Millisecond)
					}
					s.trunk.settle()
					if code != 0 {
						s.trunk.answer(s.trunk.last(method), code, "Gone", "")
					} else {
						time.Sleep(33 * time.Second)
					}
					s.trunk.settle()
					want := "answered ended(timeout)"
					if code == 481 {
						want = "answered ended(protocol)"
					}
					same(t, "events", c.kinds(), want)
					same(t, "BYEs", len(s.trunk.distinct(sipgo.BYE)), 1)
					time.Sleep(time.Second)
					same(t, "legs", s.ep.Stats().Legs, 0)
				})
			})
		}
	}
}

func TestO04RefusedReofferLeavesTheOldSession(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("o4")
		s.trunk.autoBye()
		d.send("INVITE", 2, strings.Replace(sdpOffer, "RTP/AVP 0", "RTP/AVP 18", 1))
		s.trunk.settle()
		c.leg.AnswerOffer(nil)
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("2 INVITE"), []int{488})
		s.trunk.send(d.text("ACK", 2, "o4-2-1", ""))
		d.send("INFO", 3, "1", "Content-Type: application/dtmf")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered offer digit(1)")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// The Contact may change both ways: in their re-INVITE, and in their answer to ours.
func TestContactInTheAnswerToOurReinviteIsFollowed(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		moved := s.phone("192.0.2.10:7001")
		_, c := s.up("movedanswer")
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		s.trunk.answer(s.trunk.last(sipgo.INVITE), 200, "OK", "", "Contact: <sip:kim@192.0.2.10:7001>", sdpAnswer)
		s.trunk.settle()
		c.leg.Hangup("")
		s.trunk.settle()
		same(t, "BYEs at the new place", len(moved.requests(sipgo.BYE)), 1)
	})
}

func TestDigitsOfOursGoOneAfterTheOther(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("keys")
		s.trunk.autoBye()
		for _, k := range []byte("1#x9") {
			c.leg.Digit(k, 100*time.Millisecond)
		}
		s.trunk.settle()
		for i, want := range []string{"Signal=1\r\nDuration=100\r\n", "Signal=#\r\nDuration=100\r\n", "Signal=9\r\nDuration=100\r\n"} {
			infos := s.trunk.distinct(sipgo.INFO)
			same(t, "INFOs", len(infos), i+1)
			same(t, "body", string(infos[i].Body()), want)
			code := 200
			if i == 1 {
				code = 415 // they do not like it: the call goes on
			}
			s.trunk.answer(infos[i], code, "OK", "")
			s.trunk.settle()
		}
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// A stranger who knows the tags is still not the carrier.
func TestRequestsInATrunksDialogComeFromTheTrunk(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("stranger")
		s.trunk.autoBye()
		thief := s.phone("203.0.113.99:5060")
		stolen := *d
		stolen.p = thief
		stolen.send("BYE", 2, "")
		s.trunk.settle()
		same(t, "BYE of a stranger", thief.responses("2 BYE"), []int{403})
		same(t, "events", c.kinds(), "answered")
		same(t, "strangers", s.ep.Stats().Strangers, 1)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}
