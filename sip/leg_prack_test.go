package sip

import (
	"strconv"
	"strings"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// inviteWith sends the first INVITE with header lines of its own.
func (d *dlg) inviteWith(body string, extra ...string) {
	d.p.send(d.text("INVITE", 1, d.callID+"-1", body, extra...))
	d.p.settle()
}

// rack is the RAck for the last reliable answer.
func rack(res *sipgo.Response) string {
	return "RAck: " + res.GetHeader("RSeq").Value() + " 1 INVITE"
}

func TestS20Reliable183RepeatsUntilItsPrackAndTheAnswerWaitsForIt(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("rel")
		s.trunk.autoBye()
		d.inviteWith(sdpOffer, "Supported: timer,100rel")
		c := s.owner.call(t, 0)
		c.leg.Ring()
		c.leg.Progress([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{180, 183})
		res := s.trunk.response("1 INVITE", 183)
		same(t, "Require", res.GetHeader("Require").Value(), "100rel")
		same(t, "SDP", string(res.Body()), sdpAnswer)
		d.learn(183)
		c.leg.Answer([]byte(sdpAnswer))
		time.Sleep(4 * time.Second) // T1, then twice as long each time
		same(t, "repeated, and no 200 yet", s.trunk.responses("1 INVITE"), []int{180, 183, 183, 183, 183})
		d.send("PRACK", 2, "", "RAck: 99999 1 INVITE") // one that we never sent
		s.trunk.settle()
		same(t, "PRACK for nothing", s.trunk.responses("2 PRACK"), []int{481})
		d.send("PRACK", 3, "", rack(res))
		s.trunk.settle()
		same(t, "PRACK", s.trunk.responses("3 PRACK"), []int{200})
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{180, 183, 183, 183, 183, 200})
		d.send("PRACK", 4, "", rack(res)) // and once more
		s.trunk.settle()
		same(t, "PRACK again", s.trunk.responses("4 PRACK"), []int{481})
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestS20PrackThatCrossesTheAnswerIsTaken(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("crossprack")
		s.trunk.autoBye()
		d.inviteWith(sdpOffer, "Require: 100rel")
		c := s.owner.call(t, 0)
		c.leg.Ring()
		c.leg.Answer([]byte(sdpAnswer)) // no SDP was said yet: it need not wait
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{180, 200})
		d.learn(200)
		d.send("PRACK", 2, "", rack(s.trunk.response("1 INVITE", 180)))
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "PRACK", s.trunk.responses("2 PRACK"), []int{200})
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S18: the second to answer has had a PRACK: our BYE to it counts on from there.
func TestS18SecondAnswerOfABranchThatHadAPrackIsEnded(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		c.provisional(183, "two", 1, sdpAnswer)
		prack := c.phone.last(sipgo.PRACK)
		c.phone.answer(prack, 200, "OK", "")
		c.ok("one")
		c.phone.settle()
		c.ok("two")
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(183) answered")
		bye := c.phone.last(sipgo.BYE)
		same(t, "tag", tagOf(bye.To().Params), "two")
		if bye.CSeq().SeqNo <= prack.CSeq().SeqNo {
			t.Errorf("CSeq of BYE is %d, want it above %d", bye.CSeq().SeqNo, prack.CSeq().SeqNo)
		}
		c.phone.autoBye()
		c.phone.answer(bye, 200, "OK", "")
		c.leg.Hangup("")
		c.phone.settle()
	})
}

func TestS20NoPrackEndsTheInviteWith5xx(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("noprack")
		d.inviteWith(sdpOffer, "Require: 100rel")
		c := s.owner.call(t, 0)
		c.leg.Ring() // they insist: reliable as well
		s.trunk.settle()
		same(t, "Require", s.trunk.response("1 INVITE", 180).GetHeader("Require").Value(), "100rel")
		time.Sleep(33 * time.Second)
		codes := s.trunk.responses("1 INVITE")
		same(t, "180s", len(codes) > 5, true)
		same(t, "events", c.kinds(), "ended(timeout)")
		s.trunk.response("1 INVITE", 504)
	})
}

// RFC 3262 §5: an INVITE without an offer gets ours in the 183, and answers in the PRACK.
func TestS20OfferInTheReliable183IsAnsweredInThePrack(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("relnone")
		s.trunk.autoBye()
		d.inviteWith("", "Supported: 100rel")
		c := s.owner.call(t, 0)
		c.leg.Progress([]byte(sdpOffer))
		s.trunk.settle()
		res := s.trunk.response("1 INVITE", 183)
		d.learn(183)
		d.send("PRACK", 2, sdpAnswer, rack(res))
		s.trunk.settle()
		same(t, "events", c.kinds(), "changed")
		same(t, "answer", string(c.all()[0].SDP), sdpAnswer)
		c.leg.Answer([]byte(sdpOffer))
		s.trunk.settle()
		same(t, "SDP in the 200", len(s.trunk.response("1 INVITE", 200).Body()), 0)
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "events", c.kinds(), "changed answered")
		c.leg.Hangup("")
		s.trunk.settle()

		// Without 100rel there is no way for an offer before the 200.
		d = s.trunk.dialog("unrelnone")
		d.inviteWith("")
		c = s.owner.call(t, 1)
		c.leg.Progress([]byte(sdpOffer))
		s.trunk.settle()
		same(t, "SDP in the 183", len(s.trunk.response("1 INVITE", 183).Body()), 0)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S15, RFC 3311: UPDATE while the call rings, both ways.
func TestS15UpdateOfAnEarlyDialog(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("early")
		s.trunk.autoBye()
		d.inviteWith(sdpOffer, "Supported: 100rel", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK")
		c := s.owner.call(t, 0)
		c.leg.Progress([]byte(sdpAnswer))
		s.trunk.settle()
		d.learn(183)
		d.send("UPDATE", 2, sdpOffer) // before the PRACK: our answer is not known to have come
		s.trunk.settle()
		same(t, "too early", s.trunk.responses("2 UPDATE"), []int{500})
		d.send("PRACK", 3, "", rack(s.trunk.response("1 INVITE", 183)))
		d.send("UPDATE", 4, sdpOffer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "offer")
		d.send("UPDATE", 5, sdpOffer) // the first is not answered yet
		s.trunk.settle()
		same(t, "second", s.trunk.responses("5 UPDATE"), []int{500})
		if s.trunk.response("5 UPDATE", 500).GetHeader("Retry-After") == nil {
			t.Error("no Retry-After")
		}
		c.leg.AnswerOffer([]byte(sdpAnswer))
		s.trunk.settle()
		same(t, "answer", string(s.trunk.response("4 UPDATE", 200).Body()), sdpAnswer)

		c.leg.Offer([]byte(sdpHold)) // ours: they allow UPDATE
		s.trunk.settle()
		up := s.trunk.last(sipgo.UPDATE)
		same(t, "our offer", string(up.Body()), sdpHold)
		d.send("UPDATE", 6, sdpOffer) // crosses it
		s.trunk.settle()
		same(t, "crossing", s.trunk.responses("6 UPDATE"), []int{491})
		s.trunk.okSDP(up, sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "offer changed")
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "events", c.kinds(), "offer changed answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// provisional sends a 1xx to our INVITE; rseq 0 is unreliable.
func (c *dialed) provisional(code int, tag string, rseq int, sdp string) {
	res := sipgo.NewResponseFromRequest(c.invite(), code, "Progress", nil)
	if sdp != "" {
		res = sipgo.NewSDPResponseFromRequest(c.invite(), []byte(sdp))
		res.StatusCode, res.Reason = code, "Progress"
	}
	res.RemoveHeader("Contact")
	res.AppendHeader(sipgo.NewHeader("Contact", "<sip:agent7@"+c.phone.addr+">"))
	res.AppendHeader(sipgo.NewHeader("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE, PRACK"))
	setTag(&res.To().Params, tag)
	if rseq > 0 {
		res.AppendHeader(sipgo.NewHeader("Require", "100rel"))
		res.AppendHeader(sipgo.NewHeader("RSeq", strconv.Itoa(rseq)))
	}
	c.phone.send(res.String())
	c.phone.settle()
}

func TestS20ReliableAnswersArePrackedOnceAndInOrder(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		if !has(c.invite(), "100rel", "Supported") {
			t.Error("INVITE does not say Supported: 100rel")
		}
		racks := func() (list []string) {
			for _, r := range c.phone.requests(sipgo.PRACK) {
				list = append(list, tagOf(r.To().Params)+" "+r.GetHeader("RAck").Value())
				c.phone.answer(r, 200, "OK", "")
			}
			c.phone.settle()
			return list
		}
		seq := strconv.Itoa(int(c.invite().CSeq().SeqNo))
		c.provisional(183, "one", 700, sdpAnswer)
		c.provisional(183, "one", 700, sdpAnswer) // repeated: the PRACK repeats itself
		c.provisional(180, "one", 702, "")        // 701 is missing
		same(t, "RAcks", racks(), []string{"one 700 " + seq + " INVITE"})
		same(t, "events", c.kinds(), "progress(183)")
		c.provisional(180, "one", 701, "")
		c.provisional(180, "two", 9, "") // numbers of its own
		same(t, "RAcks", racks(), []string{
			"one 700 " + seq + " INVITE", "one 701 " + seq + " INVITE", "two 9 " + seq + " INVITE",
		})
		same(t, "events", c.kinds(), "progress(183) progress(180) progress(180)")
		c.phone.answer(c.invite(), 200, "OK", "one", "Contact: <sip:agent7@10.9.9.9>") // the SDP was in the 183
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(183) progress(180) progress(180) answered")
		same(t, "SDP", string(c.all()[3].SDP), sdpAnswer)
		c.phone.autoBye()
		c.leg.Hangup("")
		c.phone.settle()
		if bye := c.phone.last(sipgo.BYE); bye.CSeq().SeqNo <= c.phone.last(sipgo.PRACK).CSeq().SeqNo {
			t.Errorf("CSeq of BYE is %d, want it above that of the PRACKs", bye.CSeq().SeqNo)
		}
	})
}

// A lost PRACK is repeated by its transaction.
func TestS20LostPrackIsRepeated(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		lost := 0
		s.net.lose = func(_, _ string, data []byte) bool {
			if strings.HasPrefix(string(data), "PRACK") && lost < 2 {
				lost++
				return true
			}
			return false
		}
		c.provisional(183, "one", 1, sdpAnswer)
		time.Sleep(2 * time.Second)
		same(t, "PRACKs", len(c.phone.requests(sipgo.PRACK)), 1)
		c.phone.answer(c.phone.last(sipgo.PRACK), 200, "OK", "")
		c.ok("one")
		c.phone.autoBye()
		c.phone.settle()
		c.leg.Hangup("")
		c.phone.settle()
	})
}

// UPDATE in an early dialog of an outgoing call, both ways.
func TestS15UpdateOfAnEarlyDialogThatWeDialled(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c := s.dial()
		d := &dlg{p: c.phone, callID: c.leg.CallID(), from: "one", to: tagOf(c.invite().From().Params), uri: "sip:ullim@198.51.100.1"}
		c.provisional(183, "one", 0, sdpAnswer)
		d.send("UPDATE", 50, sdpOffer) // nothing is agreed yet
		c.phone.settle()
		same(t, "too early", c.phone.responses("50 UPDATE"), []int{491})
		c.provisional(183, "one", 1, sdpAnswer)
		c.phone.answer(c.phone.last(sipgo.PRACK), 200, "OK", "")
		d.send("UPDATE", 51, sdpOffer)
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(183) progress(183) offer")
		c.leg.AnswerOffer([]byte(sdpAnswer))
		c.phone.settle()
		same(t, "answer", string(c.phone.response("51 UPDATE", 200).Body()), sdpAnswer)
		c.leg.Offer([]byte(sdpHold))
		c.phone.settle()
		c.phone.okSDP(c.phone.last(sipgo.UPDATE), sdpAnswer)
		c.phone.settle()
		same(t, "events", c.kinds(), "progress(183) progress(183) offer changed")
		c.ok("one")
		c.phone.autoBye()
		c.phone.settle()
		c.leg.Hangup("")
		c.phone.settle()
	})
}

// R17, O6: 180 after 183, newest SDP of a dialog, a 200 with another SDP and another tag.
func TestO06TheNewestSDPOfTheDialogThatAnswersCounts(t *testing.T) {
	sdp := func(port string) string { return strings.Replace(sdpAnswer, "5000", port, 1) }
	for _, tc := range []struct{ name, tag, body, want string }{
		{"same tag, other SDP", "one", sdp("7000"), sdp("7000")},
		{"same tag, none in the 200", "one", "", sdp("6002")},
		{"other tag", "three", sdp("7000"), sdp("7000")},
		{"tag that has been early", "two", sdp("7000"), sdp("7000")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				c := s.dial()
				c.provisional(183, "one", 0, sdp("6000"))
				c.provisional(180, "one", 0, "")
				c.provisional(180, "two", 0, "")
				c.provisional(183, "one", 0, sdp("6002"))
				lines := []string{"Contact: <sip:agent7@10.9.9.9>"}
				if tc.body != "" {
					lines = append(lines, tc.body)
				}
				c.phone.answer(c.invite(), 200, "OK", tc.tag, lines...)
				c.phone.settle()
				same(t, "events", c.kinds(), "progress(183) progress(180) progress(180) progress(183) answered")
				same(t, "early", string(c.all()[3].SDP), sdp("6002"))
				same(t, "answer", string(c.all()[4].SDP), tc.want)
				same(t, "ACK tag", tagOf(c.phone.last(sipgo.ACK).To().Params), tc.tag)
				c.phone.autoBye()
				c.leg.Hangup("")
				c.phone.settle()
			})
		})
	}
}
