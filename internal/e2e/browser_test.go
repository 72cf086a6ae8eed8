package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/sip/siptest"
)

const instanceOne = "8f1fa16a-1165-4a96-8341-785b1ef24f12" // +sip.instance of the browser; a page keeps it (RFC 5626 §4.1)

// seat is an agent in a browser.
type seat struct {
	*center
	t       *testing.T
	line    *line
	chrome  *chrome
	tab     *tab
	userID  string
	device  device
	carrier *siptest.Carrier
	number  string // its flow puts callers into the agent's queue
	from    int    // the last caller
	friend  *desk  // somebody at a desk, not available for callers
}

// as makes everything of a seat report to another test, until what it gives is called.
func (s *seat) as(t *testing.T) func() {
	t.Helper()
	before := s.t
	s.t, s.center.t, s.chrome.t = t, t, t
	return func() { s.t, s.center.t, s.chrome.t = before, before, before }
}

// rung has a caller in the queue, and the browser ring.
func (s *seat) rung() *siptest.Call {
	s.t.Helper()
	before := s.tab.state().Calls
	s.from++
	call := s.answered(s.carrier, s.number, mobile(s.from))
	s.tab.ringing(before + 1)
	return call
}

// talking has a caller whom the browser has answered, and each hears the other.
func (s *seat) talking() *siptest.Call {
	s.t.Helper()
	call := s.rung()
	s.tab.do("answer")
	s.tab.confirmed()
	s.both(call)
	return call
}

// caller is the voice of the last caller.
func (s *seat) caller() siptest.Source { return siptest.Voice(mobile(s.from)) }

// both waits until both sides hear each other.
func (s *seat) both(call *siptest.Call) {
	s.t.Helper()
	s.tab.hears(s.caller(), "the caller")
	s.heardBy(call)
}

// heardBy waits until a call hears the browser.
func (s *seat) heardBy(call *siptest.Call) {
	s.t.Helper()
	until(s.t, patience, "the other side hears the browser", func() bool {
		now := time.Now()
		return within(call.HeardBetween(now.Add(-time.Second), now), s.chrome.voice)
	})
}

// idle waits until nothing is left of any call.
func (s *seat) idle() {
	s.t.Helper()
	s.tab.over()
	s.atRest()
}

// hungUp waits until the caller is hung up on.
func (s *seat) hungUp(call *siptest.Call) {
	s.t.Helper()
	ctx, cancel := s.soon()
	defer cancel()
	if ended, err := call.WaitEnded(ctx); err != nil || ended.ByUs || ended.Kind != siptest.EndBye {
		s.t.Errorf("the caller's call: %+v, %v", ended, err)
	}
}

// TestR33BrowserPhone has an agent with JsSIP in Chromium, over secure WebSocket, DTLS-SRTP and ICE, whose network goes
// away at each stage of a call. Audio is judged at both ends.
func TestR33BrowserPhone(t *testing.T) {
	t.Parallel()
	c, l, b := secureCenter(t)
	queueID, profileID := c.queue("Support")
	s := &seat{center: c, t: t, line: l, chrome: b, carrier: c.carrier(), number: "+8225550500"}
	c.number(s.number, queueFlow(queueID))
	s.userID, s.device = c.agent("hana", profileID)
	s.friend = c.desk("minsu", profileID)
	s.tab = b.open(t, "first", "hana", l, s.device, instanceOne)
	s.tab.registered()
	c.setAvailable(s.userID)
	for _, tc := range []struct {
		name string
		run  func(s *seat)
	}{
		{"is registered over WSS", browserIsRegistered},
		{"is called", browserIsCalled},
		{"is hung up on", browserIsHungUpOn},
		{"presses keys for a flow", browserPressesKeys},
		{"calls", browserCalls},
		{"line lost while it rings", lostWhileRinging},
		{"line lost as it answers", lostWhileAnswering},
		{"line lost in talk", lostInTalk},
		{"line lost in talk, the caller hangs up meanwhile", lostAndHungUpOn},
		{"line lost on hold", lostOnHold},
		{"line lost while it calls", lostWhileCalling},
		{"no call is offered while the line is gone", lostMeansNotOffered},
		{"a second tab takes over", secondTabTakesOver},
		{"a second tab picks up the call of the first", secondTabPicksUp},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer s.as(t)()
			tc.run(s)
			s.idle()
		})
		if t.Failed() {
			break // what follows would fail for the same reason
		}
	}
}

func browserIsRegistered(s *seat) {
	regs := s.registrations(s.device)
	if len(regs) != 1 || !strings.Contains(regs[0], ".invalid;transport=ws") {
		s.t.Errorf("registered: %v", regs)
	}
	if n := s.metrics()[`ullim_sip_connections{transport="WSS"}`]; n != 1 {
		s.t.Errorf("%v connections over WSS", n)
	}
}

// browserIsCalled has audio both ways, keys, hold from either side, and the record.
func browserIsCalled(s *seat) {
	call := s.talking()
	machine.Lock() // to the sample
	until(s.t, patience, "three seconds of both voices", func() bool {
		now := time.Now()
		return follow(s.tab.heard(3), s.caller()) > 0.6 && follow(call.HeardBetween(now.Add(-3*time.Second), now), s.chrome.voice) > 0.6
	})
	machine.Unlock()
	if n := s.metrics()["ullim_sip_legs"]; n != 2 {
		s.t.Errorf("%v legs", n)
	}

	s.keys(call, "12#", "RFC2833")

	s.tab.do("hold")
	until(s.t, patience, "the caller hears the browser no more", func() bool {
		now := time.Now()
		return siptest.Share(call.HeardBetween(now.Add(-time.Second), now), s.chrome.voice) < 0.1
	})
	s.tab.do("resume")
	s.both(call)

	ctx, cancel := s.soon()
	defer cancel()
	s.must(call.Hold(ctx, false))
	s.tab.silent(s.caller(), "the caller")
	s.must(call.Resume(ctx))
	s.both(call)

	var stats struct{ Cipher, DTLS string }
	s.tab.get("stats", &stats)
	s.tab.do("hangup")
	s.hungUp(call)
	r := s.closed(1)[0]
	text := string(s.raw(http.MethodGet, "/contacts/"+*r.Id+"/trace/text", nil))
	if stats.DTLS != "connected" || !strings.HasPrefix(stats.Cipher, "SRTP_") || !strings.Contains(text, strings.TrimPrefix(stats.Cipher, "SRTP_")) {
		s.t.Errorf("the browser: %+v; the contact:\n%s", stats, text)
	}
	if m := s.metrics(); m["ullim_leg_mos_count"] < 2 || m["ullim_srtp_packets_refused_total"] != 0 {
		s.t.Errorf("%v legs with quality, %v packets refused", m["ullim_leg_mos_count"], m["ullim_srtp_packets_refused_total"])
	}
}

// keys has the browser press keys, and the other side get each once. A call uses one way: whoever has once pressed a key
// in the audio is believed to send by INFO only what comes in the audio, too.
func (s *seat) keys(call *siptest.Call, keys, how string) {
	s.t.Helper()
	s.tab.do("press", keys, how)
	until(s.t, patience, "the other side gets "+keys, func() bool { return call.ReceivedDigits() == keys })
}

func browserIsHungUpOn(s *seat) {
	call := s.talking()
	s.keys(call, "90*", "INFO")
	call.Hangup()
}

// browserPressesKeys calls a flow that asks for digits.
func browserPressesKeys(s *seat) {
	s.center.number("+8225550600", keysFlow)
	for _, how := range []string{"RFC2833", "INFO"} {
		s.tab.do("dial", "sip:+8225550600@"+s.device.Realm)
		s.tab.confirmed()
		s.tab.do("press", "4711#", how)
		s.idle()
		var last *types.Contact
		for _, r := range s.contacts() {
			if last == nil || r.InitiationTimestamp.After(*last.InitiationTimestamp) {
				last = s.contact(*r.Id)
			}
		}
		if pressed := last.Attributes["pressed"]; pressed != "4711" {
			s.t.Errorf("%s: the flow has got %q", how, pressed)
		}
	}
}

// keysFlow stores what is pressed as an attribute.
const keysFlow = `{"Version": "2019-10-30", "StartAction": "Ask", "Metadata": {}, "Actions": [
	{"Identifier": "Ask", "Type": "GetParticipantInput", "Parameters": {"Text": "Your number, please.", "StoreInput": "True", "InputTimeLimitSeconds": "60",
		"InputValidation": {"CustomValidation": {"MaximumLength": "10"}}},
		"Transitions": {"NextAction": "Keep", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Keep", "Type": "UpdateContactAttributes", "Parameters": {"Attributes": {"pressed": "$.StoredCustomerInput"}},
		"Transitions": {"NextAction": "End", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}`

// browserCalls calls somebody at a desk phone.
func browserCalls(s *seat) {
	call := s.calls(s.friend)
	s.tab.hears(s.friend.phone.Voice(), "the friend")
	s.heardBy(call)
	s.tab.do("hold")
	s.tab.silent(s.friend.phone.Voice(), "the friend")
	s.tab.do("resume")
	s.tab.hears(s.friend.phone.Voice(), "the friend")
	s.heardBy(call)
	s.tab.do("hangup")
	s.hungUp(call)
}

// calls has the browser call somebody, who answers.
func (s *seat) calls(d *desk) *siptest.Call {
	s.t.Helper()
	s.tab.do("dial", "sip:"+d.device.Username+"@"+s.device.Realm)
	call := s.ring(d)
	s.tab.confirmed()
	return call
}
