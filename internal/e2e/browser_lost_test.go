package e2e

import (
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// lostWhileRinging: JsSIP can no longer answer what rang on a connection that is gone. The caller keeps the place, and the
// agent, who is not to blame, is rung again on the new one.
func lostWhileRinging(s *seat) {
	call := s.rung()
	before := s.tab.state().Calls
	s.line.away(s.t)
	s.tab.registered()
	s.tab.ringing(before + 1)
	s.tab.do("answer")
	s.tab.confirmed()
	s.both(call)
	s.tab.do("hangup")
	s.hungUp(call)
}

// lostWhileAnswering: what gets lost is our ACK, or their 200.
func lostWhileAnswering(s *seat) {
	s.t.Run("the ACK", func(t *testing.T) {
		defer s.as(t)()
		call := s.rung()
		s.line.stop(true, false)
		s.tab.do("answer")
		s.heardBy(call)
		s.line.away(t)
		s.tab.registered()
		s.tab.confirmed()
		s.both(call)
		s.tab.do("hangup")
		s.hungUp(call)
		s.idle()
	})
	s.t.Run("the 200", func(t *testing.T) {
		defer s.as(t)()
		call := s.rung()
		before := s.tab.state().Calls
		s.line.stop(false, true)
		s.tab.do("answer")
		s.tab.until("has answered", func(st tabState) bool { return st.Call.State == "answered" })
		s.line.away(t)
		s.tab.registered()
		s.tab.ringing(before + 1)
		s.tab.do("answer")
		s.tab.confirmed()
		s.both(call)
		s.tab.do("hangup")
		s.hungUp(call)
		s.idle()
	})
}

// lostInTalk: talking goes on without signalling, and hanging up works when it is back.
func lostInTalk(s *seat) {
	call := s.talking()
	s.line.cut()
	talk(s.t, 5*time.Second)
	s.both(call) // by the last second, without signalling
	s.line.mend()
	s.tab.registered()
	s.both(call)
	s.tab.do("hangup")
	s.hungUp(call)
}

// lostAndHungUpOn: the BYE waits for the browser.
func lostAndHungUpOn(s *seat) {
	call := s.talking()
	s.line.cut()
	s.tab.until("has noticed", func(st tabState) bool { return !st.Connected })
	call.Hangup()
	talk(s.t, 5*time.Second)
	s.line.mend()
	s.tab.registered()
	s.tab.until("is hung up on", func(st tabState) bool { return st.Call.State == "over" && strings.HasPrefix(st.Call.Cause, "remote") })
}

func lostOnHold(s *seat) {
	call := s.talking()
	s.tab.do("hold")
	s.line.away(s.t)
	s.tab.registered()
	s.tab.do("resume")
	s.both(call)
	s.tab.do("hangup")
	s.hungUp(call)
}

// lostWhileCalling: JsSIP gives the call up, so whoever rings must not ring on.
func lostWhileCalling(s *seat) {
	s.friend.phone.SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
	defer s.friend.phone.SetAnswer(siptest.AnswerBehaviour{})
	s.tab.do("dial", "sip:"+s.friend.device.Username+"@"+s.device.Realm)
	ctx, cancel := s.soon()
	defer cancel()
	call, err := s.friend.phone.NextCall(ctx)
	s.must(err)
	s.tab.until("hears it ring", func(st tabState) bool { return st.Call.State == "ringing" })
	s.line.away(s.t)
	if ended, err := call.WaitEnded(ctx); err != nil || ended.Kind != siptest.EndCancelled {
		s.t.Errorf("whoever was called: %+v, %v", ended, err)
	}
	s.tab.registered()
}

// lostMeansNotOffered: a caller who comes meanwhile waits, the agent is not blamed, and gets the call when back.
func lostMeansNotOffered(s *seat) {
	before := s.tab.state().Calls
	s.line.cut()
	s.tab.until("has noticed", func(st tabState) bool { return !st.Connected })
	s.from++
	call := s.answered(s.carrier, s.number, mobile(s.from))
	talk(s.t, 5*time.Second)
	s.line.mend()
	s.tab.registered()
	s.tab.ringing(before + 1)
	s.tab.do("answer")
	s.tab.confirmed()
	s.both(call)
	s.tab.do("hangup")
	s.hungUp(call)
	if missed := s.metrics()[`ullim_offers_total{result="missed"}`]; missed != 0 {
		s.t.Errorf("%v offers were missed", missed)
	}
}

// secondTabTakesOver: of two tabs with one +sip.instance the one that came last has the calls.
func secondTabTakesOver(s *seat) {
	first := s.tab
	before := first.state().Calls
	second := s.chrome.open(s.t, "second", "hana", s.line, s.device, instanceOne)
	second.registered()
	if regs := s.registrations(s.device); len(regs) != 1 {
		s.t.Errorf("registered: %v", regs)
	}
	s.tab = second
	call := s.talking()
	if n := first.state().Calls; n != before {
		s.t.Error("the first tab rings, too")
	}
	second.do("hangup")
	s.hungUp(call)
	s.idle()

	s.must(s.chrome.ask(map[string]any{"op": "close", "tab": "second"}, nil)) // it crashes
	s.tab = first
	first.do("register")
	call = s.talking()
	first.do("hangup")
	s.hungUp(call)
}

// secondTabPicksUp: the first tab crashes in a call, and its successor takes its place with a Replaces.
func secondTabPicksUp(s *seat) {
	call := s.talking()
	var replaces string
	s.tab.get("dialog", &replaces)
	s.must(s.chrome.ask(map[string]any{"op": "close", "tab": s.tab.name}, nil))
	s.tab = s.chrome.open(s.t, "third", "hana", s.line, s.device, instanceOne)
	s.tab.registered()
	s.tab.do("dial", "sip:"+s.device.Username+"@"+s.device.Realm, replaces)
	s.tab.confirmed()
	s.both(call)
	s.tab.do("hangup")
	s.hungUp(call)
}
