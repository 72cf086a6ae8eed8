package e2e

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// TestSIPpRowsThatTakeTheirTime runs all rows at once in which a timer of an RFC runs off: it takes as long as the longest
// of them, a minute. They are no subtests, for of those only as many run at once as there are processors.
func TestSIPpRowsThatTakeTheirTime(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "ULLIM_INSTANCE_REGION=KR", "ULLIM_RTP_NEVER_STARTED=0s") // SIPp sends no audio
	c.number(talks, messageFlow(strings.Repeat("This message is longer than the caller's patience. ", 40)))
	slow := []string{"-m", "1", "-timeout", "110s"}
	stays := func(*testing.T, *siptest.Call, siptest.Source) {} // the called side hangs up
	called := []calleeRow{
		{name: "S08_never_487", scenario: "s08_never_487", act: giveUp},
		{name: "S11_bye_in_ours", scenario: "s11_bye_in_ours", act: stays},
		{name: "S14_reinvites_cross", scenario: "s14_reinvites_cross", act: stays},
		{name: "S15_update_meets_ours", scenario: "s15_update_meets_ours", act: stays},
	}
	var phones []*siptest.Phone
	for i := range called {
		phones = append(phones, c.outside(i))
	}
	var running sync.WaitGroup
	for place, r := range called {
		r.calls, r.args = 1, slow
		running.Go(func() { c.called(place, phones[place], r) })
	}
	running.Go(func() { c.neverAck(4, slow) })
	running.Go(func() {
		c.fromDevice(5, deviceRow{name: "S20_no_prack", scenario: "s20_no_prack", check: reliable180s(5, 8)}, slow...)
	})
	running.Go(func() {
		begun := time.Now()
		c.sipp(6, "sipp/s26_no_refresh", talks, append(slow, "-key", "from", "01055580026")...)
		if d := time.Since(begun); d < 55*time.Second {
			t.Errorf("S26: ended after %s", d)
		}
	})
	running.Wait()
	c.until("the contacts of all rows are closed", func() bool {
		for _, s := range c.contacts() {
			if s.DisconnectTimestamp == nil {
				return false
			}
			if r := c.contact(*s.Id); r.CustomerEndpoint != nil && *r.CustomerEndpoint.Address == "+821012345678" &&
				*r.DisconnectReason == "CUSTOMER_DISCONNECT" {
				t.Errorf("S02: the contact ended by %s", *r.DisconnectReason)
			}
		}
		return true
	})
	c.atRest()
}

// neverAck is row S02: the 200 is repeated, and the call is over after 64*T1 (RFC 3261 §13.3.1.4).
func (c *center) neverAck(place int, args []string) {
	c.t.Helper()
	begun := time.Now()
	log := c.sipp(place, "never_ack", talks, args...)
	if d := time.Since(begun); d < 30*time.Second {
		c.t.Errorf("S02: given up after %s, not after 64*T1", d)
	}
	answers := len(regexp.MustCompile(`(?m)^SIP/2\.0 200 `).FindAllString(log, -1)) - 1 // one is SIPp's own, for the BYE
	if answers < 8 {
		c.t.Errorf("S02: the 200 was sent %d times, want 10 or 11", answers)
	}
}
