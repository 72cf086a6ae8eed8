package e2e

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/wav"
	"ullim/sip/siptest"
)

// baresip is a running baresip: somebody else's SIP and RTP.
type baresip struct {
	dir     string
	control string // where it takes commands
	child   *child
	out     *buffer
}

// baresip starts a baresip that says a voice and keeps what it hears. account is a line of its accounts file.
func (c *center) baresip(place int, account string, voice siptest.Source, args ...string) *baresip {
	c.t.Helper()
	return c.baresipIn("", "127.0.0.1", place, account, voice, args...)
}

// baresipIn starts it at an address of a network namespace; an empty name is ours.
func (c *center) baresipIn(space, address string, place int, account string, voice siptest.Source, args ...string) *baresip {
	c.t.Helper()
	path := program(c.t, "baresip", "baresip-core")
	port := c.ports.baresip(place)
	b := &baresip{dir: c.t.TempDir(), out: &buffer{}, control: fmt.Sprintf("%s:%d", address, port+9)}
	says := filepath.Join(b.dir, "says.wav")
	sayFile(c.t, says, voice)
	config := fmt.Sprintf(`
sip_listen %s:%d
net_interface %s
rtp_ports %d-%d
audio_source aufile,%s
audio_player aufile,%s
audio_alert aufile,%s
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode thread
snd_path %s
module_path %s
module g711.so
module g722.so
module srtp.so
module dtls_srtp.so
module aufile.so
module sndfile.so
module stdio.so
module menu.so
module ctrl_tcp.so
ctrl_tcp_listen %s
module_app account.so
`, address, port, address, port+2, port+8, says, filepath.Join(b.dir, "x.wav"), filepath.Join(b.dir, "x.wav"), b.dir, modules(c.t), b.control)
	for name, text := range map[string]string{"config": config, "accounts": account + "\n", "contacts": ""} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	command := append([]string{path, "-f", b.dir, "-t", "240"}, args...)
	if space != "" {
		command = append([]string{"ip", "netns", "exec", space}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, b.out, b.out
	var err error
	b.child, err = start(cmd)
	c.must(err)
	c.t.Cleanup(func() {
		b.child.kill()
		if c.t.Failed() {
			c.t.Logf("baresip %d:\n%s", place, b.out)
		}
	})
	return b
}

// modules is the folder of baresip's modules.
func modules(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("the modules of baresip are not found: apt install baresip-core")
	return ""
}

// sayFile writes five minutes of a voice: at the end of its file baresip hangs up.
func sayFile(t testing.TB, path string, voice siptest.Source) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := wav.NewWriter(f, wav.PCM16, 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 300*8000; n += len(voice) {
		if err = w.WritePCM(voice); err != nil {
			t.Fatal(err)
		}
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
}

// hangUp ends baresip as its user would, and gives what it heard.
func (b *baresip) hangUp(t testing.TB) []int16 {
	t.Helper()
	b.child.signal(syscall.SIGTERM)
	b.child.wait(t, patience)
	return b.heard(t)
}

// heard is what was heard in the last call, which is over.
func (b *baresip) heard(t testing.TB) []int16 {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if len(files) == 0 {
		t.Fatalf("baresip kept nothing of what it heard:\n%s", b.out)
	}
	f, err := os.Open(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := wav.Decode(f, 64<<20)
	switch {
	case err == nil && s.Rate == 8000:
		return s.Mono().PCM
	case err == nil && s.Rate == 16000:
		return halved(s.Mono().PCM)
	}
	t.Fatalf("what baresip heard: %d Hz, %v", s.Rate, err)
	return nil
}

// halved takes sound at 16 kHz to 8 kHz: a low pass of 31 taps (a sinc with a Hann window), and every other sample.
func halved(in []int16) []int16 {
	const reach = 15
	var taps [2*reach + 1]float64
	for i := range taps {
		taps[i] = 0.5
		if x := float64(i-reach) / 2; x != 0 {
			taps[i] = 0.5 * math.Sin(math.Pi*x) / (math.Pi * x)
		}
		taps[i] *= 0.5 + 0.5*math.Cos(math.Pi*float64(i-reach)/(reach+1))
	}
	var out []int16
	for at := 0; at < len(in); at += 2 {
		sum := 0.0
		for i, tap := range taps {
			if n := at + i - reach; n >= 0 && n < len(in) {
				sum += tap * float64(in[n])
			}
		}
		out = append(out, int16(max(math.MinInt16, min(math.MaxInt16, sum))))
	}
	return out
}

// TestBaresipCallsBaresipThroughAQueue has a caller and an agent of somebody else's make. It proves by correlation what
// each of them heard, and what is on which channel of the recording.
func TestBaresipCallsBaresipThroughAQueue(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	queueID, profileID := c.queue("Support")
	c.number("+8225550500", queueFlow(queueID))
	userID, d := c.agent("hana", profileID)
	callerVoice, agentVoice := siptest.Voice("baresip caller"), siptest.Voice("baresip agent")

	agent := c.baresip(0, fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=pcma;regint=60",
		d.Username, c.server, d.Username, d.Password), agentVoice)
	c.until("baresip is registered", func() bool {
		var out struct {
			Device struct {
				Registrations []struct{ Contact, UserAgent string }
			}
		}
		c.admin(http.MethodGet, "/devices/"+d.ID, nil, &out)
		return len(out.Device.Registrations) == 1 && strings.Contains(out.Device.Registrations[0].UserAgent, "baresip")
	})
	c.setAvailable(userID)
	caller := c.baresip(1, fmt.Sprintf("<sip:+821055500001@127.0.0.1:%d;transport=udp>;regint=0;audio_codecs=pcmu", c.ports.baresip(1)), callerVoice,
		"-e", "/dial sip:+8225550500@"+c.server)

	var id string
	c.until("caller and agent are connected", func() bool {
		for _, s := range c.contacts() {
			id = *s.Id
			a := c.contact(id).AgentInfo
			return a != nil && a.ConnectedToAgentTimestamp != nil
		}
		return false
	})
	connected := time.Now()
	talk(t, 7*time.Second)
	callerHeard := caller.hangUp(t)
	r := c.closed(1)[0]
	agentHeard := agent.hangUp(t)

	wantVoice(t, "the caller", last(callerHeard, 5*time.Second), agentVoice)
	wantVoice(t, "the agent", last(agentHeard, 5*time.Second), callerVoice)
	wantRecord(t, r, userID, queueID, connected)

	recs := c.recordings(id)
	if len(recs) != 1 {
		t.Fatalf("%d recordings", len(recs))
	}
	start := time.UnixMilli(int64(recs[0].StartTime * 1000))
	wantKey(t, recs[0].Location, id, start)
	left, right, length := c.play(id, recs[0].Number)
	wantVoice(t, "left, the caller's side", last(left, 5*time.Second), callerVoice)
	wantVoice(t, "right, the agent's side", last(right, 5*time.Second), agentVoice)
	if want := r.DisconnectTimestamp.Sub(*r.AgentInfo.ConnectedToAgentTimestamp); (length - want).Abs() > time.Second {
		t.Errorf("the recording plays %s, they talked for %s", length, want)
	}
	file := filepath.Join(c.dir, "recordings", filepath.FromSlash(recs[0].Location))
	if info, err := os.Stat(file); err != nil || info.Size() != recs[0].Bytes {
		t.Errorf("the file of the recording: %v, want %d bytes", err, recs[0].Bytes)
	}
	r = c.contact(id) // with what was uploaded meanwhile
	if n := len(r.Recordings); n != 1 || *r.Recordings[0].Location != recs[0].Location {
		t.Errorf("the contact record has %d recordings", n)
	}
	c.atRest()
}

// wantRecord checks that a record tells who, where, when and why.
func wantRecord(t testing.TB, r *types.Contact, userID, queueID string, connected time.Time) {
	t.Helper()
	if *r.AgentInfo.Id != userID || *r.QueueInfo.Id != queueID || *r.DisconnectReason != "CUSTOMER_DISCONNECT" ||
		r.InitiationMethod != types.ContactInitiationMethodInbound || r.Channel != types.ChannelVoice {
		t.Errorf("agent %s, queue %s, reason %s, method %s, channel %s", *r.AgentInfo.Id, *r.QueueInfo.Id, *r.DisconnectReason, r.InitiationMethod, r.Channel)
	}
	if *r.CustomerEndpoint.Address != "+821055500001" || *r.SystemEndpoint.Address != "+8225550500" {
		t.Errorf("from %s to %s", *r.CustomerEndpoint.Address, *r.SystemEndpoint.Address)
	}
	times := []*time.Time{
		r.InitiationTimestamp, r.ConnectedToSystemTimestamp, r.QueueInfo.EnqueueTimestamp, r.AgentInfo.AcceptedByAgentTimestamp,
		r.AgentInfo.ConnectedToAgentTimestamp, r.DisconnectTimestamp,
	}
	for i, at := range times {
		if at == nil {
			t.Fatalf("time %d is missing", i)
		}
		if i > 0 && at.Before(*times[i-1]) {
			t.Errorf("time %d is %s, before %s", i, at, times[i-1])
		}
	}
	if d := connected.Sub(*r.AgentInfo.ConnectedToAgentTimestamp).Abs(); d > 5*time.Second {
		t.Errorf("connected %s off", d)
	}
}
