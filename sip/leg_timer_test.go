package sip

import (
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// upWith makes a confirmed call whose INVITE has header lines of its own.
func (s *stage) upWith(callID string, extra ...string) (*dlg, *ownedCall) {
	s.t.Helper()
	n := s.owner.count()
	d := s.trunk.dialog(callID)
	d.inviteWith(sdpOffer, extra...)
	c := s.owner.call(s.t, n)
	c.leg.Answer([]byte(sdpAnswer))
	s.trunk.settle()
	d.learn(200)
	d.send("ACK", 1, "")
	s.trunk.settle()
	return d, c
}

const allowUpdate = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"

func TestR15WeRefreshAtHalfByUpdateIfItIsAllowed(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.upWith("uasrefresh", "Supported: timer", "Session-Expires: 90;refresher=uas", allowUpdate)
		s.trunk.autoBye()
		same(t, "Session-Expires", s.trunk.response("1 INVITE", 200).GetHeader("Session-Expires").Value(), "90;refresher=uas")
		for i := range 3 { // and it stays ours, however often
			time.Sleep(44 * time.Second)
			same(t, "UPDATEs before half", len(s.trunk.distinct(sipgo.UPDATE)), i)
			time.Sleep(2 * time.Second)
			up := s.trunk.distinct(sipgo.UPDATE)
			same(t, "UPDATEs at half", len(up), i+1)
			same(t, "body", len(up[i].Body()), 0)
			same(t, "Session-Expires", up[i].GetHeader("Session-Expires").Value(), "90;refresher=uac")
			s.trunk.answer(up[i], 200, "OK", "", "Session-Expires: 90;refresher=uac")
			s.trunk.settle()
			if i == 1 { // one by them between: who refreshes, stays
				d.send("UPDATE", 2, "", "Supported: timer", "Session-Expires: 90")
				s.trunk.settle()
				same(t, "kept", s.trunk.response("2 UPDATE", 200).GetHeader("Session-Expires").Value(), "90;refresher=uas")
			}
		}
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestR15WeRefreshByReinviteWithTheSameSDPIfUpdateIsNotAllowed(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.upWith("reinviterefresh", "Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE, ACK, BYE, CANCEL")
		s.trunk.autoBye()
		for i := range 3 {
			time.Sleep(46 * time.Second)
			re := s.trunk.distinct(sipgo.INVITE)
			same(t, "re-INVITEs", len(re), i+1)
			same(t, "SDP", string(re[i].Body()), sdpAnswer)
			s.trunk.okSDP(re[i], sdpOffer, "Session-Expires: 90;refresher=uac")
			s.trunk.settle()
		}
		same(t, "events", c.kinds(), "answered") // the owner hears nothing of it, nor does the caller
		same(t, "UPDATEs", len(s.trunk.requests(sipgo.UPDATE)), 0)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// S26.
func TestS26RefresherThatDisappearsIsHungUpOnShortlyBeforeTheEnd(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.upWith("vanish", "Supported: timer", "Session-Expires: 90;refresher=uac", allowUpdate)
		s.trunk.autoBye()
		ok := s.trunk.response("1 INVITE", 200)
		same(t, "Session-Expires", ok.GetHeader("Session-Expires").Value(), "90;refresher=uac")
		same(t, "Require", ok.GetHeader("Require").Value(), "timer")
		time.Sleep(45 * time.Second)
		d.send("UPDATE", 2, "", "Supported: timer", "Session-Expires: 90;refresher=uac")
		s.trunk.settle()
		same(t, "kept", s.trunk.response("2 UPDATE", 200).GetHeader("Session-Expires").Value(), "90;refresher=uac")
		time.Sleep(59 * time.Second)
		same(t, "events", c.kinds(), "answered")
		time.Sleep(2 * time.Second)
		same(t, "events", c.kinds(), "answered ended(timeout)")
		same(t, "BYEs", len(s.trunk.requests(sipgo.BYE)), 1)
		same(t, "UPDATEs of ours", len(s.trunk.requests(sipgo.UPDATE)), 0)
	})
}

func TestR15WhoRefreshesStaysThroughReinvitesOfBothSides(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.upWith("keep", "Supported: timer", "Session-Expires: 120;refresher=uac", allowUpdate)
		s.trunk.autoBye()
		for i := range 3 {
			time.Sleep(30 * time.Second)
			c.leg.Offer([]byte(sdpHold))
			s.trunk.settle()
			re := s.trunk.last(sipgo.INVITE)
			same(t, "ours", re.GetHeader("Session-Expires").Value(), "120;refresher=uas") // they are the UAS of this one
			s.trunk.okSDP(re, sdpAnswer, "Session-Expires: 120;refresher=uas")
			s.trunk.settle()
			time.Sleep(30 * time.Second)
			d.send("INVITE", 2+i, sdpOffer, "Supported: timer", "Session-Expires: 120")
			s.trunk.settle()
			c.leg.AnswerOffer([]byte(sdpAnswer))
			s.trunk.settle()
			cseq := string(rune('2'+i)) + " INVITE"
			same(t, "theirs", s.trunk.response(cseq, 200).GetHeader("Session-Expires").Value(), "120;refresher=uac")
			d.send("ACK", 2+i, "")
			s.trunk.settle()
		}
		same(t, "UPDATEs of ours", len(s.trunk.requests(sipgo.UPDATE)), 0)
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestR15TooShortASessionIs422BothWays(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("brief")
		d.inviteWith(sdpOffer, "Supported: timer", "Session-Expires: 60")
		same(t, "answers", s.trunk.responses("1 INVITE"), []int{422})
		same(t, "Min-SE", s.trunk.response("1 INVITE", 422).GetHeader("Min-SE").Value(), "90")
		// A proxy has put it there, the phone knows nothing of it: it is made longer. RFC 4028 §9.
		d2, c2 := s.upWith("proxybrief", "Session-Expires: 60")
		same(t, "made longer", s.trunk.response("1 INVITE", 200).GetHeader("Session-Expires").Value(), "90;refresher=uas")
		d2.send("BYE", 2, "")
		s.trunk.settle()
		same(t, "events", c2.kinds(), "answered ended(bye)")

		c := s.dial()
		same(t, "ours", c.invite().GetHeader("Session-Expires").Value(), "1800")
		same(t, "ours", c.invite().GetHeader("Min-SE").Value(), "90")
		c.phone.answer(c.invite(), 422, "Session Interval Too Small", "x", "Min-SE: 3600")
		c.phone.settle()
		again := c.phone.distinct(sipgo.INVITE)
		same(t, "INVITEs", len(again), 2)
		same(t, "Session-Expires", again[1].GetHeader("Session-Expires").Value(), "3600")
		same(t, "Min-SE", again[1].GetHeader("Min-SE").Value(), "3600")
		same(t, "Call-ID", callIDOf(again[1]), c.leg.CallID())
		c.phone.okSDP(again[1], sdpAnswer, "Session-Expires: 3600;refresher=uas")
		c.phone.settle()
		same(t, "events", c.kinds(), "answered")
		c.phone.autoBye()
		time.Sleep(3600*time.Second - 33*time.Second)
		same(t, "events", c.kinds(), "answered")
		time.Sleep(2 * time.Second)
		same(t, "events", c.kinds(), "answered ended(timeout)")
	})
}

func TestR15NoTimerForThoseWhoDoNotKnowIt(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.upWith("notimer")
		s.trunk.autoBye()
		if h := s.trunk.response("1 INVITE", 200).GetHeader("Session-Expires"); h != nil {
			t.Errorf("200 has Session-Expires %q", h.Value())
		}
		time.Sleep(2 * time.Hour)
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

// An UPDATE that is refused after all is followed by a re-INVITE, and a refresh that fails is tried again.
func TestR15RefreshFindsAnotherWay(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		_, c := s.upWith("fallback", "Supported: timer", "Session-Expires: 160;refresher=uas", allowUpdate)
		s.trunk.autoBye()
		time.Sleep(81 * time.Second)
		s.trunk.answer(s.trunk.last(sipgo.UPDATE), 405, "Method Not Allowed", "")
		s.trunk.settle()
		s.trunk.answer(s.trunk.last(sipgo.INVITE), 488, "Not Acceptable Here", "")
		time.Sleep(21 * time.Second)
		same(t, "re-INVITEs", len(s.trunk.distinct(sipgo.INVITE)), 2)
		s.trunk.okSDP(s.trunk.last(sipgo.INVITE), sdpOffer, "Session-Expires: 160;refresher=uac")
		time.Sleep(70 * time.Second)
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}
