package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// side is how a baresip is connected, speaks and protects what it says.
type side struct{ transport, codec, media string }

func (s side) String() string { return strings.Trim(s.transport+"-"+s.codec+"-"+s.media, "-") }

// proofs is what baresip says of a media encryption that is on.
var proofs = map[string]string{"srtp": "SRTP is Enabled", "srtp-mand": "SRTP is Enabled", "dtls_srtp": "DTLS-SRTP complete"}

// policies is what a device must be set to, to be offered it.
var policies = map[string]string{"": "", "srtp-mand": "sdes", "dtls_srtp": "dtls", "srtp": "optional"}

// TestBaresipMatrix has somebody else's callers and agents on every transport, with every codec of both, and every protection
// (R32), in both directions: callers call us, we call agents. Each hears the other, judged by correlation.
func TestBaresipMatrix(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	b := ports.take(t)
	secure := fmt.Sprintf("127.0.0.1:%d", b.tls())
	c := newCenterAt(t, b, "ULLIM_SIP_TLS_LISTEN="+secure, "ULLIM_SIP_TLS_CERTIFICATE="+cert, "ULLIM_SIP_TLS_KEY="+key)
	places := make(chan int, 2)
	places <- 0
	places <- 2
	t.Run("calls", func(t *testing.T) {
		for i, row := range []struct{ caller, agent side }{
			{side{"tcp", "pcmu", ""}, side{"tcp", "pcma", ""}},
			{side{"tls", "pcmu", ""}, side{"tls", "pcma", ""}},
			{side{"udp", "g722", ""}, side{"udp", "g722", ""}},
			{side{"udp", "g722", ""}, side{"tcp", "pcmu", ""}},
			{side{"udp", "pcma", ""}, side{"udp", "g722", ""}},
			{side{"udp", "pcmu", "srtp"}, side{"udp", "pcma", ""}},
			{side{"tls", "pcmu", "srtp-mand"}, side{"udp", "pcma", ""}},
			{side{"udp", "pcmu", "dtls_srtp"}, side{"udp", "pcma", ""}},
			{side{"udp", "pcmu", ""}, side{"tls", "pcma", "srtp-mand"}},
			{side{"udp", "pcmu", ""}, side{"udp", "pcma", "dtls_srtp"}},
			{side{"udp", "pcmu", ""}, side{"udp", "pcma", "srtp"}},
			{side{"tls", "g722", "srtp-mand"}, side{"tls", "g722", "dtls_srtp"}},
		} {
			t.Run(row.caller.String()+" to "+row.agent.String(), func(t *testing.T) {
				t.Parallel()
				place := <-places
				defer func() { places <- place }()
				c.in(t).matrixCall(place, i, row.caller, row.agent, secure)
			})
		}
	})
	c.atRest()
	if strings.Contains(c.log.String(), "inline:") {
		t.Error("a key is in the log")
	}
}

func (c *center) matrixCall(place, i int, from, to side, secure string) {
	t := c.t
	server := func(s side) string {
		if s.transport == "tls" {
			return secure
		}
		return c.server
	}
	account := func(user, server string, s side) string {
		out := fmt.Sprintf("<sip:%s@%s;transport=%s>;audio_codecs=%s", user, server, s.transport, s.codec)
		if s.media != "" {
			out += ";mediaenc=" + s.media
		}
		return out
	}
	queueID, profileID := c.queue(fmt.Sprintf("Queue %d", i))
	number := fmt.Sprintf("+82255506%02d", i)
	c.number(number, queueFlow(queueID))
	userID, d := c.agentWith(fmt.Sprintf("hana%d", i), profileID, map[string]any{"Encryption": policies[to.media]})
	callerVoice, agentVoice := siptest.Voice(fmt.Sprintf("caller %d", i)), siptest.Voice(fmt.Sprintf("agent %d", i))
	agent := c.baresip(place, account(d.Username, server(to), to)+fmt.Sprintf(";auth_user=%s;auth_pass=%s;answermode=auto;regint=60", d.Username, d.Password), agentVoice)
	c.until("baresip is registered", func() bool {
		var out struct {
			Device struct{ Registrations []struct{ Contact string } }
		}
		c.admin(http.MethodGet, "/devices/"+d.ID, nil, &out)
		return len(out.Device.Registrations) == 1
	})
	c.setAvailable(userID)
	caller := c.baresip(place+1, account("+821055500001", fmt.Sprintf("127.0.0.1:%d", c.ports.baresip(place+1)), from)+";regint=0", callerVoice,
		"-e", "/dial sip:"+number+"@"+server(from)+";transport="+from.transport)
	var id string
	c.until("caller and agent are connected", func() bool {
		for _, s := range c.contacts() {
			if a := c.contact(*s.Id).AgentInfo; a != nil && *a.Id == userID && a.ConnectedToAgentTimestamp != nil {
				id = *s.Id
				return true
			}
		}
		return false
	})
	for _, s := range []side{from, to} {
		if n := c.metrics()[fmt.Sprintf("ullim_sip_connections{transport=%q}", strings.ToUpper(s.transport))]; s.transport != "udp" && n < 1 {
			t.Errorf("no connection over %s", s.transport)
		}
	}
	talk(t, 7*time.Second)
	callerHeard := caller.hangUp(t)
	c.until("the contact is closed", func() bool { return c.contact(id).DisconnectTimestamp != nil })
	agentHeard := agent.hangUp(t)
	wantVoice(t, "the caller", clearest(last(callerHeard, 6*time.Second), agentVoice), agentVoice)
	wantVoice(t, "the agent", clearest(last(agentHeard, 6*time.Second), callerVoice), callerVoice)
	for b, s := range map[*baresip]side{caller: from, agent: to} {
		if proof := proofs[s.media]; proof != "" && !strings.Contains(b.out.String(), proof) {
			t.Errorf("baresip %s does not say %q", s, proof)
		}
	}
}

// clearest is the three seconds in which most of a voice was heard: a busy machine lets a baresip stand still for a moment.
func clearest(heard []int16, voice siptest.Source) []int16 {
	best, share := heard, -1.0
	for at := 0; at+3*8000 <= len(heard); at += 8000 {
		if w := heard[at : at+3*8000]; follow(w, voice) > share {
			best, share = w, follow(w, voice)
		}
	}
	return best
}
