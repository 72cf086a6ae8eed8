package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// menuFlow has a menu with a prompt of more than half a minute, and then stores a number. What was pressed is kept as attributes.
var menuFlow = fmt.Sprintf(`{"Version": "2019-10-30", "StartAction": "Menu", "Metadata": {}, "Actions": [
	{"Identifier": "Menu", "Type": "GetParticipantInput", "Parameters": {"Text": %q, "StoreInput": "False", "InputTimeLimitSeconds": "30"},
		"Transitions": {"NextAction": "End", "Conditions": [{"NextAction": "Two", "Condition": {"Operator": "Equals", "Operands": ["2"]}}],
			"Errors": [{"ErrorType": "InputTimeLimitExceeded", "NextAction": "End"}, {"ErrorType": "NoMatchingCondition", "NextAction": "End"},
				{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Two", "Type": "UpdateContactAttributes", "Parameters": {"Attributes": {"choice": "two"}},
		"Transitions": {"NextAction": "Ask", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Ask", "Type": "GetParticipantInput", "Parameters": {"Text": "Your number, please.", "StoreInput": "True", "InputTimeLimitSeconds": "30",
		"InputValidation": {"CustomValidation": {"MaximumLength": "10"}}},
		"Transitions": {"NextAction": "Keep", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Keep", "Type": "UpdateContactAttributes", "Parameters": {"Attributes": {"pressed": "$.StoredCustomerInput"}},
		"Transitions": {"NextAction": "End", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}`,
	strings.Repeat("For sales press one, for support press two, for everything else stay on the line. ", 8))

// TestR08KeysReachAFlow lets somebody else's phones press keys at the real binary: into a prompt, which stops, and ahead of
// the question that they answer.
func TestR08KeysReachAFlow(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	const number = "+8225550800"
	c.number(number, menuFlow)
	for name, call := range map[string]func(c *center){
		"SIPp by INFO": func(c *center) { c.sipp(0, "sipp/keys_info", number, "-m", "1", "-key", "from", "01055580001") },
		"baresip by RFC 4733": func(c *center) {
			b := c.baresip(0, fmt.Sprintf("<sip:+821055580002@127.0.0.1:%d>;audio_codecs=pcmu;regint=0", c.ports.baresip(0)), siptest.Voice("presses"),
				"-e", "/dial sip:"+number+"@"+c.server)
			c.until("the flow speaks to baresip", func() bool {
				for _, s := range c.contacts() {
					if d := c.contact(*s.Id); d.DisconnectTimestamp == nil && d.ConnectedToSystemTimestamp != nil {
						return true
					}
				}
				return false
			})
			talk(c.t, time.Second)
			b.press(c.t, "24711#")
			c.until("the flow has ended the call", func() bool { return strings.Contains(b.out.String(), "terminated") || c.idleCalls() })
			b.hangUp(c.t)
		},
	} {
		t.Run(name, func(t *testing.T) { call(c.in(t)) })
	}
	for _, r := range c.closed(2) {
		if r.Attributes["choice"] != "two" || r.Attributes["pressed"] != "4711" {
			t.Errorf("%s pressed %v", *r.CustomerEndpoint.Address, r.Attributes)
		}
		if took := r.DisconnectTimestamp.Sub(*r.ConnectedToSystemTimestamp); took > 25*time.Second {
			t.Errorf("%s had to listen for %s: the key did not stop the prompt", *r.CustomerEndpoint.Address, took)
		}
	}
	c.atRest()
}

// idleCalls reports whether no contact is open.
func (c *center) idleCalls() bool {
	for _, s := range c.contacts() {
		if s.DisconnectTimestamp == nil {
			return false
		}
	}
	return true
}

// press sends keys as the user of a baresip would type them.
func (b *baresip) press(t testing.TB, keys string) {
	t.Helper()
	conn, err := net.Dial("tcp", b.control)
	if err != nil {
		t.Fatalf("baresip cannot be told anything: %v", err)
	}
	defer conn.Close()
	for _, key := range keys {
		command, _ := json.Marshal(map[string]string{"command": "sndcode", "params": string(key)})
		if _, err = fmt.Fprintf(conn, "%d:%s,", len(command), command); err != nil {
			t.Fatal(err)
		}
		talk(t, 400*time.Millisecond)
	}
}
