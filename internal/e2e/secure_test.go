package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// TestR32BaresipSpeaksSRTPWithAnAgent lets a caller of somebody else's make talk to an agent through SRTP, with keys that come
// by SDES (RFC 4568) and by DTLS (RFC 5764). Each leg is protected by itself; the audio is judged by correlation.
func TestR32BaresipSpeaksSRTPWithAnAgent(t *testing.T) {
	for _, c := range []struct{ name, caller, proof string }{
		{"SDES caller", "srtp-mand", "SRTP is Enabled"},
		{"DTLS caller", "dtls_srtp", "DTLS-SRTP complete"},
		{"optional SDES caller", "srtp", "SRTP is Enabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			secureCall(t, c.caller, c.proof)
		})
	}
}

func secureCall(t *testing.T, callerMedia, proof string) {
	t.Helper()
	c := newCenter(t)
	queueID, profileID := c.queue("Support")
	c.number("+8225550500", queueFlow(queueID))
	userID, d := c.agent("hana", profileID)
	callerVoice, agentVoice := siptest.Voice("baresip caller"), siptest.Voice("baresip agent")
	agent := c.baresip(0, fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=pcma;regint=60",
		d.Username, c.server, d.Username, d.Password), agentVoice)
	c.until("baresip is registered", func() bool {
		var out struct {
			Device struct{ Registrations []struct{ Contact string } }
		}
		c.admin(http.MethodGet, "/devices/"+d.ID, nil, &out)
		return len(out.Device.Registrations) == 1
	})
	c.setAvailable(userID)
	caller := c.baresip(1, fmt.Sprintf("<sip:+821055500001@127.0.0.1:%d;transport=udp>;regint=0;audio_codecs=pcmu;mediaenc=%s", c.ports.baresip(1), callerMedia),
		callerVoice, "-e", "/dial sip:+8225550500@"+c.server)
	c.until("caller and agent are connected", func() bool {
		for _, s := range c.contacts() {
			a := c.contact(*s.Id).AgentInfo
			return a != nil && a.ConnectedToAgentTimestamp != nil
		}
		return false
	})
	talk(t, 7*time.Second)
	callerHeard := caller.hangUp(t)
	c.closed(1)
	agentHeard := agent.hangUp(t)
	wantVoice(t, "the caller", last(callerHeard, 5*time.Second), agentVoice)
	wantVoice(t, "the agent", last(agentHeard, 5*time.Second), callerVoice)
	c.atRest()
	if !strings.Contains(caller.out.String(), proof) {
		t.Errorf("the caller does not say %q", proof)
	}
	if log := c.log.String(); strings.Contains(log, "inline:") {
		t.Error("a key is in the log")
	}
}
