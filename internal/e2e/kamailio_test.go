package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// kamailio runs kamailio with a configuration, to which the listening socket and the modules are added.
func (c *center) kamailio(port int, modules []string, config string) *buffer {
	c.t.Helper()
	path := program(c.t, "kamailio", "kamailio")
	var folder string
	for _, pattern := range []string{"/usr/lib/kamailio/modules", "/usr/lib/*/kamailio/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			folder = found[0]
		}
	}
	dir, out := c.t.TempDir(), &buffer{}
	var b strings.Builder
	fmt.Fprintf(&b, "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=2\ndisable_tcp=yes\nlisten=udp:127.0.0.1:%d\nmpath=%q\n", port, folder+"/")
	for _, m := range modules {
		fmt.Fprintf(&b, "loadmodule %q\n", m+".so")
	}
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	b.WriteString(strings.ReplaceAll(config, "DIR", dir))
	file := filepath.Join(dir, "kamailio.cfg")
	c.must(os.WriteFile(file, []byte(b.String()), 0o600))
	cmd := exec.Command(path, "-DD", "-E", "-f", file, "-w", dir, "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "64", "-M", "8")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	child, err := start(cmd)
	c.must(err)
	c.t.Cleanup(func() {
		child.signal(os.Interrupt) // with its children
		select {
		case <-child.ended:
		case <-time.After(10 * time.Second):
			child.kill()
		}
		if c.t.Failed() {
			text := out.String()
			c.t.Logf("kamailio:\n%s", text[max(0, len(text)-8000):])
		}
	})
	c.until("kamailio listens", func() bool {
		select {
		case <-child.ended:
			c.t.Fatalf("kamailio ended: %v", child.err)
		default:
		}
		l, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
		}
		return err != nil
	})
	return out
}

// A proxy as it stands before many an office: it records its route, and adds Path to registrations (RFC 3327).
const proxyConfig = `
modparam("rr", "enable_full_lr", 1)
modparam("path", "use_received", 1)
request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not Here"); exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) { add_path_received(); $du = "sip:SERVER"; t_relay(); exit; }
  if ($sp == PORT) {
    if ($(hdr(Route)[0]) =~ "received=") { xlog("L_ERR", "PROXY $rm to the phone by Path\n"); }
    loose_route(); # our Route came by Path, and is the last: what it received decides
    record_route();
    t_relay();
    exit;
  }
  record_route();
  xlog("L_ERR", "PROXY $rm to the server\n");
  $du = "sip:SERVER";
  t_relay();
}
`

// TestBaresipBehindKamailio has both phones behind a record-routing proxy, and a HOMER beside: another kamailio, which prints what
// our HEP says. Everything within the calls goes through the proxy, and both legs have one correlation id.
func TestBaresipBehindKamailio(t *testing.T) {
	t.Parallel()
	b := ports.take(t)
	proxy, homer := b.sipp(2), b.sipp(3)
	c := newCenterAt(t, b, fmt.Sprintf("trace: {hep: \"127.0.0.1:%d\"}", homer))
	captured := c.kamailio(homer, []string{"pv", "xlog", "textops", "db_text", "sipcapture"}, `
modparam("sipcapture", "db_url", "text://DIR/db")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "nonsip_hook", 1)
request_route { drop; }
event_route[sipcapture:request] { xlog("L_ERR", "HEP id=$hep(0x011) {{$hep(0x00f)}}\n"); }
`)
	proxied := c.kamailio(proxy, []string{"kex", "tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "path", "xlog"},
		strings.NewReplacer("SERVER", c.server, "PORT", fmt.Sprint(b.sip())).Replace(proxyConfig))

	queueID, profileID := c.queue("Support")
	c.number("+8225550510", queueFlow(queueID))
	userID, d := c.agent("hana", profileID)
	callerVoice, agentVoice := siptest.Voice("kamailio caller"), siptest.Voice("kamailio agent")
	agent := c.baresip(0, fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=pcma;regint=60;outbound=\"sip:127.0.0.1:%d;transport=udp;lr\"",
		d.Username, c.server, d.Username, d.Password, proxy), agentVoice)
	c.until("baresip is registered through the proxy", func() bool {
		return strings.Contains(string(c.raw(http.MethodGet, "/devices/"+d.ID, nil)), "baresip")
	})
	c.setAvailable(userID)
	caller := c.baresip(1, fmt.Sprintf("<sip:+821055500001@127.0.0.1:%d;transport=udp>;regint=0;audio_codecs=pcmu;outbound=\"sip:127.0.0.1:%d;transport=udp;lr\"",
		c.ports.baresip(1), proxy), callerVoice, "-e", "/dial sip:+8225550510@"+c.server)
	c.connected()
	talk(t, 6*time.Second)
	callerHeard := caller.hangUp(t)
	r := c.closed(1)[0]
	agentHeard := agent.hangUp(t)
	wantVoice(t, "the caller", last(callerHeard, 4*time.Second), agentVoice)
	wantVoice(t, "the agent", last(agentHeard, 4*time.Second), callerVoice)
	for _, way := range []string{"PROXY INVITE to the server", "PROXY INVITE to the phone by Path"} {
		if !strings.Contains(proxied.String(), way) {
			t.Errorf("kamailio has not seen: %s", way)
		}
	}
	c.atRest()

	var legs map[string]string // Call-IDs with the contact's id, and what was said in them
	c.until("HOMER has both legs of the contact, from INVITE to BYE", func() bool {
		legs = map[string]string{}
		for _, m := range regexp.MustCompile(`(?s)HEP id=(\S*) \{\{(.*?)\}\}`).FindAllStringSubmatch(captured.String(), -1) {
			if m[1] == *r.Id {
				first, _, _ := strings.Cut(m[2], "\r\n")
				legs[message{text: m[2]}.callID()] += first + "\n"
			}
		}
		whole := 0
		for _, what := range legs {
			if strings.Contains(what, "INVITE sip:") && strings.Contains(what, "BYE sip:") && strings.Contains(what, "SIP/2.0 200") {
				whole++
			}
		}
		return whole == 2
	})
	if len(legs) != 2 {
		t.Errorf("under the id of the contact %s HOMER has the calls %v, want its two legs", *r.Id, legs)
	}
	if m := c.metrics(); m["ullim_hep_messages_sent_total"] == 0 || m["ullim_hep_messages_dropped_total"] != 0 {
		t.Errorf("%g messages were sent to HOMER, %g dropped", m["ullim_hep_messages_sent_total"], m["ullim_hep_messages_dropped_total"])
	}
}

// connected waits until the newest contact has an agent.
func (c *center) connected() (id string) {
	c.t.Helper()
	c.until("caller and agent are connected", func() bool {
		for _, s := range c.contacts() {
			if s.DisconnectTimestamp != nil {
				continue
			}
			id = *s.Id
			a := c.contact(id).AgentInfo
			return a != nil && a.ConnectedToAgentTimestamp != nil
		}
		return false
	})
	return id
}
