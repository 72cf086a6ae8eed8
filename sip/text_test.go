package sip

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	sipgo "github.com/emiago/sipgo/sip"
)

func TestTextMessagesReachTheHook(tt *testing.T) {
	var mu sync.Mutex
	var got []Text
	run(tt, func(s *stage) {
		t := s.t
		d, c := s.up("text")
		s.trunk.autoBye()
		plain := "Content-Type: text/plain;charset=UTF-8"
		d.send("MESSAGE", 2, "안녕", plain)
		d.send("MESSAGE", 3, "<x/>", "Content-Type: application/xml")
		d.send("MESSAGE", 4, strings.Repeat("x", maxText+1), plain)
		d.send("MESSAGE", 5, "\xff\xfe", plain)
		s.trunk.settle()
		for cseq, code := range map[string]int{"2 MESSAGE": 200, "3 MESSAGE": 415, "4 MESSAGE": 513, "5 MESSAGE": 400} {
			same(t, cseq, s.trunk.responses(cseq), []int{code})
		}
		out := s.trunk.dialog("textout")
		out.send("MESSAGE", 1, "hello", plain)
		stranger := s.phone("203.0.113.77:5060")
		from := stranger.dialog("textstranger")
		from.send("MESSAGE", 1, "buy now", plain)
		s.trunk.settle()
		same(t, "of a trunk", s.trunk.responses("1 MESSAGE"), []int{200})
		same(t, "of a stranger", stranger.responses("1 MESSAGE"), []int{401})
		mu.Lock()
		defer mu.Unlock()
		same(t, "texts", got, []Text{
			{CallID: "text", InDialog: true, TrunkID: "trunk-1", From: "+821012345678", To: "+82212345678", Body: "안녕"},
			{CallID: "textout", TrunkID: "trunk-1", From: "01012345678", To: "+82212345678", Body: "hello"},
		})
		if v := s.trunk.response("1 INVITE", 200).GetHeader("Allow").Value(); !strings.Contains(v, "MESSAGE") {
			t.Errorf("Allow is %q", v)
		}
		c.leg.Hangup("")
		s.trunk.settle()
	}, func(o *Options) {
		o.OnText = func(m Text) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, m)
		}
	})
	run(tt, func(s *stage) { // without a hook it is a method like any other that we do not have
		_, d := s.deviceCall()
		d.send("MESSAGE", 2, "hi", "Content-Type: text/plain")
		out := s.trunk.dialog("textout")
		out.send("MESSAGE", 1, "hi", "Content-Type: text/plain")
		s.trunk.settle()
		for _, res := range []*sipgo.Response{d.p.response("2 MESSAGE", 405), s.trunk.response("1 MESSAGE", 405)} {
			same(s.t, "Allow", res.GetHeader("Allow").Value(), allowed)
		}
	})
}

func TestOptionsInsideAndOutsideACall(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("options")
		s.trunk.autoBye()
		d.send("OPTIONS", 2, "")
		out := s.trunk.dialog("optionsout")
		out.send("OPTIONS", 1, "")
		s.trunk.settle()
		for _, cseq := range []string{"2 OPTIONS", "1 OPTIONS"} {
			res := s.trunk.response(cseq, 200)
			same(t, cseq+" Allow", res.GetHeader("Allow").Value(), allowed)
			same(t, cseq+" Supported", res.GetHeader("Supported").Value(), supported)
		}
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// O2: they ask for our offer in the middle of the call, and answer it in the ACK, or do not.
func TestO02ReinviteWithoutSDPGetsAFullOffer(t *testing.T) {
	for _, answered := range []bool{true, false} {
		t.Run(fmt.Sprint("answered ", answered), func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				d, c := s.up("o2")
				s.trunk.autoBye()
				d.send("INVITE", 2, "")
				s.trunk.settle()
				if e := c.all()[1]; e.SDP != nil {
					t.Errorf("offer is %q, want none", e.SDP)
				}
				c.leg.AnswerOffer([]byte(sdpHold))
				s.trunk.settle()
				same(t, "our offer", string(s.trunk.response("2 INVITE", 200).Body()), sdpHold)
				c.leg.Offer([]byte(sdpOffer)) // waits until this one is through
				s.trunk.settle()
				same(t, "re-INVITEs of ours", len(s.trunk.requests(sipgo.INVITE)), 0)
				body := ""
				if answered {
					body = sdpAnswer
				}
				d.send("ACK", 2, body)
				s.trunk.settle()
				if !answered {
					same(t, "events", c.kinds(), "answered offer ended(protocol)")
					same(t, "BYEs", len(s.trunk.requests(sipgo.BYE)), 1)
					return
				}
				same(t, "events", c.kinds(), "answered offer answered")
				same(t, "answer", string(c.all()[2].SDP), sdpAnswer)
				same(t, "re-INVITEs of ours", len(s.trunk.requests(sipgo.INVITE)), 1)
				s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpAnswer)
				s.trunk.settle()
				same(t, "events", c.kinds(), "answered offer answered changed")
				c.leg.Hangup("")
				s.trunk.settle()
			})
		})
	}
}
