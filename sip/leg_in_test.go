package sip

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// run is a test in virtual time on a stage that is closed and checked afterwards.
func run(t *testing.T, f func(s *stage), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, change...)
		defer s.close()
		f(s)
	})
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestCallFromATrunkIsAdmittedAnsweredAndEndedByBye(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("basic")
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{180, 200})
		same(t, "trunk", c.in.TrunkID, "trunk-1")
		same(t, "from", c.in.From.Address, "+821012345678")
		same(t, "name", c.in.From.DisplayName, "Kim")
		same(t, "called", c.in.Called, "+82212345678")
		same(t, "offer", string(c.in.SDP), sdpOffer)
		ok := s.trunk.response("1 INVITE", 200)
		same(t, "answer", string(ok.Body()), sdpAnswer)
		same(t, "contact", ok.Contact().Address.String(), "sip:ullim@198.51.100.1:5060")
		d.send("BYE", 2, "")
		s.trunk.settle()
		same(t, "answer to BYE", s.trunk.responses("2 BYE"), []int{200})
		same(t, "events", c.kinds(), "answered ended(bye)")
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestHangupSendsByeWithReason(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.up("hangup")
		c.leg.Hangup("agent left")
		s.trunk.settle()
		byes := s.trunk.requests(sipgo.BYE)
		if len(byes) != 1 {
			t.Fatalf("%d BYEs, want 1", len(byes))
		}
		same(t, "reason", byes[0].GetHeader("Reason").Value(), `SIP;text="agent left"`)
		same(t, "request URI", byes[0].Recipient.String(), "sip:kim@192.0.2.10:5060")
		same(t, "events", c.kinds(), "answered ended(local)")
		s.trunk.answer(byes[0], 200, "OK", "")
		s.trunk.settle()
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

// answer writes a response to a request that we received.
func (p *farEnd) answer(req *sipgo.Request, code int, reason, tag string, extra ...string) {
	res := sipgo.NewResponseFromRequest(req, code, reason, nil)
	if tag != "" {
		setTag(&res.To().Params, tag)
	}
	body := ""
	for _, e := range extra {
		if strings.HasPrefix(e, "v=0") {
			body = e
			continue
		}
		name, value, _ := cutHeader(e)
		res.AppendHeader(sipgo.NewHeader(name, value))
	}
	if body != "" {
		res.AppendHeader(sipgo.NewHeader("Content-Type", "application/sdp"))
		res.SetBody([]byte(body))
	}
	p.send(res.String())
}

// S1.
func TestS01RetransmittedInviteIsOneCall(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("copies")
		for range 5 {
			d.invite()
		}
		same(t, "calls", s.owner.count(), 1)
		c := s.owner.call(t, 0)
		c.leg.Ring()
		s.trunk.settle()
		d.invite()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{180, 180})
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		before := len(s.trunk.responses("1 INVITE"))
		d.invite() // they have not seen the 200
		if got := s.trunk.responses("1 INVITE"); len(got) != before+1 || got[before] != 200 {
			t.Errorf("answers are %v, want one more 200", got)
		}
		d.learn(200)
		d.send("ACK", 1, "")
		s.trunk.settle()
		n := len(s.trunk.responses("1 INVITE"))
		d.invite() // a late copy
		time.Sleep(10 * time.Second)
		same(t, "answers after ACK", len(s.trunk.responses("1 INVITE")), n)
		same(t, "calls", s.owner.count(), 1)
		d.send("BYE", 2, "")
		s.trunk.settle()
	})
}

// S2.
func TestS02AckThatNeverComesEndsTheCallAfter64T1(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("noack")
		d.invite()
		start := time.Now()
		c := s.owner.call(t, 0)
		c.leg.Answer([]byte(sdpAnswer))
		time.Sleep(31900 * time.Millisecond)
		same(t, "events before 32 s", c.kinds(), "")
		time.Sleep(200 * time.Millisecond)
		same(t, "events after 32 s", c.kinds(), "ended(timeout)")
		var gaps []time.Duration
		for _, at := range s.trunk.times(func(m sipgo.Message) bool {
			res, ok := m.(*sipgo.Response)
			return ok && res.StatusCode == 200
		}) {
			gaps = append(gaps, at.Sub(start))
		}
		ms := time.Millisecond
		same(t, "200 sent at", gaps, []time.Duration{
			0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 11500 * ms, 15500 * ms, 19500 * ms, 23500 * ms, 27500 * ms, 31500 * ms,
		})
		byes := s.trunk.requests(sipgo.BYE)
		if len(byes) == 0 {
			t.Fatal("no BYE")
		}
		s.trunk.answer(byes[0], 200, "OK", "")
		time.Sleep(time.Second)
		same(t, "legs", s.ep.Stats().Legs, 0)
		same(t, "channels", s.lim.Calls(), 0)
		time.Sleep(time.Minute)
		same(t, "transactions", s.ep.Stats().Transactions, 0)
	})
}

// S3.
func TestS03AckThatComesAtOnceStopsThe200(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("quickack")
		s.trunk.hear(func(m sipgo.Message) { // from the reader itself: nothing can be quicker
			if res, ok := m.(*sipgo.Response); ok && res.StatusCode == 200 && res.CSeq().MethodName == sipgo.INVITE {
				d.to = tagOf(res.To().Params)
				d.send("ACK", 1, "")
			}
		})
		s.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdpAnswer)) } // before Admit has returned
		d.invite()
		time.Sleep(40 * time.Second)
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{200})
		same(t, "events", s.owner.call(t, 0).kinds(), "answered")
	})
}

// S7, and CANCEL while ringing.
func TestS07CancelEndsARingingCallAndNotAnAnsweredOne(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("cancel")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Ring()
		s.trunk.settle()
		s.trunk.send(d.text("CANCEL", 1, "cancel-1", ""))
		s.trunk.settle()
		same(t, "answer to CANCEL", s.trunk.responses("1 CANCEL"), []int{200})
		same(t, "answers to INVITE", s.trunk.responses("1 INVITE"), []int{180, 487})
		same(t, "one tag", tagOf(s.trunk.response("1 INVITE", 487).To().Params), tagOf(s.trunk.response("1 INVITE", 180).To().Params))
		d.learn(487)
		s.trunk.send(d.text("ACK", 1, "cancel-1", ""))
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(cancelled)")
		c.leg.Answer([]byte(sdpAnswer)) // too late
		time.Sleep(time.Minute)
		same(t, "answers to INVITE", s.trunk.responses("1 INVITE"), []int{180, 487})

		d = s.trunk.dialog("late-cancel")
		d.invite()
		c = s.owner.call(t, 1)
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		s.trunk.send(d.text("CANCEL", 1, "late-cancel-1", ""))
		s.trunk.settle()
		d.learn(200)
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "answer to the late CANCEL", s.trunk.responses("1 CANCEL"), []int{200, 200})
		same(t, "events", c.kinds(), "answered")
		d.send("BYE", 2, "")
		s.trunk.settle()
	})
}

func TestCancelThatOvertakesItsInvite(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("stray")
		s.trunk.send(d.text("CANCEL", 1, "stray-1", ""))
		s.trunk.settle()
		same(t, "answer to CANCEL", s.trunk.responses("1 CANCEL"), []int{481})
		d.invite()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{487})
		same(t, "calls", s.owner.count(), 0)

		d = s.trunk.dialog("stray2") // and in the same burst
		s.trunk.send(d.text("INVITE", 1, "stray2-1", sdpOffer))
		s.trunk.send(d.text("CANCEL", 1, "stray2-1", ""))
		s.trunk.settle()
		got := s.trunk.responses("1 INVITE")
		same(t, "answers", got, []int{487, 487})
	})
}

// S9.
func TestS09ByeBeforeTheAck(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("earlybye")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Answer([]byte(sdpAnswer))
		s.trunk.settle()
		d.learn(200)
		d.send("BYE", 2, "")
		time.Sleep(time.Minute)
		same(t, "answer to BYE", s.trunk.responses("2 BYE"), []int{200})
		same(t, "answers to INVITE", s.trunk.responses("1 INVITE"), []int{200})
		same(t, "events", c.kinds(), "ended(bye)")
	})
}

func TestByeWhileRinging(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("ringbye")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Ring()
		s.trunk.settle()
		d.learn(180)
		d.send("BYE", 2, "")
		s.trunk.settle()
		same(t, "answer to BYE", s.trunk.responses("2 BYE"), []int{200})
		same(t, "answers to INVITE", s.trunk.responses("1 INVITE"), []int{180, 487})
		same(t, "events", c.kinds(), "ended(bye)")
	})
}

// S10.
func TestS10ByeFromBothSidesAtOnce(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("bothbye")
		c.leg.Hangup("")
		s.trunk.settle()
		d.send("BYE", 2, "")
		s.trunk.settle()
		same(t, "answer to theirs", s.trunk.responses("2 BYE"), []int{200})
		s.trunk.answer(s.trunk.requests(sipgo.BYE)[0], 200, "OK", "")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered ended(local)")
		same(t, "legs", s.ep.Stats().Legs, 0)
		d.send("BYE", 3, "") // and once more, when nothing is left but the note
		s.trunk.settle()
		same(t, "answer to a late one", s.trunk.responses("3 BYE"), []int{200})
		time.Sleep(time.Minute)
		d.send("BYE", 4, "")
		s.trunk.settle()
		same(t, "answer a minute later", s.trunk.responses("4 BYE"), []int{481})
	})
}

func TestHangupBeforeTheAckWaitsForIt(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("owed")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Answer([]byte(sdpAnswer))
		c.leg.Hangup("changed my mind")
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(local)")
		same(t, "BYEs before the ACK", len(s.trunk.requests(sipgo.BYE)), 0)
		d.learn(200)
		d.send("ACK", 1, "")
		s.trunk.settle()
		same(t, "BYEs after the ACK", len(s.trunk.requests(sipgo.BYE)), 1)
		s.trunk.answer(s.trunk.requests(sipgo.BYE)[0], 200, "OK", "")
		s.trunk.settle()
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestUnansweredLegIsRejectedWithTheGivenStatus(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("reject")
		d.invite()
		c := s.owner.call(t, 0)
		c.leg.Reject(503, "Queue Full", 7*time.Second)
		c.leg.Reject(486, "again", 0)
		s.trunk.settle()
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{503})
		res := s.trunk.response("1 INVITE", 503)
		same(t, "Retry-After", res.GetHeader("Retry-After").Value(), "7")
		same(t, "reason", res.Reason, "Queue Full")
		same(t, "events", c.kinds(), "ended(local)")
	})
}

func TestO01InviteWithoutOfferGetsOursAndTheAckHasTheAnswer(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("late")
		s.trunk.send(d.text("INVITE", 1, "late-1", ""))
		s.trunk.settle()
		c := s.owner.call(t, 0)
		if c.in.SDP != nil {
			t.Errorf("offer is %q, want none", c.in.SDP)
		}
		c.leg.Answer([]byte(sdpOffer))
		s.trunk.settle()
		d.learn(200)
		d.send("ACK", 1, sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered")
		same(t, "answer", string(c.all()[0].SDP), sdpAnswer)
		d.send("BYE", 2, "")
		s.trunk.settle()

		d = s.trunk.dialog("late2")
		s.trunk.send(d.text("INVITE", 1, "late2-1", ""))
		s.trunk.settle()
		c = s.owner.call(t, 1)
		c.leg.Answer([]byte(sdpOffer))
		s.trunk.settle()
		d.learn(200)
		d.send("ACK", 1, "") // no answer at all
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(protocol)")
		same(t, "BYEs", len(s.trunk.requests(sipgo.BYE)), 1)
	})
}

// A leg may end at the very moment its owner is told whose it is: the owner hears of the end all the same, once.
func TestTheOwnerHearsOfTheEndHoweverCloseItIs(t *testing.T) {
	run(t, func(s *stage) {
		const tries = 2000
		lost := 0
		for range tries {
			l := newLeg(s.ep, newTag(), newTag())
			l.first = &serverInvite{}
			l.first.final = true
			if !l.run() {
				s.t.Fatal("endpoint is closed")
			}
			ended := make(chan struct{}, 2)
			go l.post(func() {
				l.finish(call.CauseBye, 0, "gone")
				l.leave()
			})
			l.attach(func(e call.LegEvent) {
				if e.Kind == call.LegEnded {
					ended <- struct{}{}
				}
			})
			<-l.done
			if len(ended) != 1 {
				lost++
			}
		}
		same(s.t, "ends that were not told once", lost, 0)
	})
}
