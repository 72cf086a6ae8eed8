package e2e

import (
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/g711"
)

// page is a web page that makes one call without any signalling of its own: it gives its description to the test and
// takes ours from it, over HTTP, and reports what it heard.
const page = `<!doctype html><audio id=a autoplay></audio><script>
(async () => {
  const say = (path, body) => fetch(path, {method: 'POST', body: body}).then(r => r.text());
  try {
    const pc = new RTCPeerConnection();
    pc.ontrack = e => { document.getElementById('a').srcObject = e.streams[0] || new MediaStream([e.track]); };
    const mic = await navigator.mediaDevices.getUserMedia({audio: true});
    const gathered = () => new Promise(ok => {
      if (pc.iceGatheringState === 'complete') ok();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && ok();
    });
    const rounds = async theirs => {
      if (theirs) {
        await pc.setRemoteDescription({type: 'offer', sdp: await say('/offer', '')});
        if (!pc.getSenders().some(s => s.track)) pc.addTrack(mic.getTracks()[0], mic);
        await pc.setLocalDescription(await pc.createAnswer());
        await gathered();
        await say('/accept', pc.localDescription.sdp);
      } else {
        if (!pc.getSenders().some(s => s.track)) pc.addTrack(mic.getTracks()[0], mic);
        await pc.setLocalDescription(await pc.createOffer());
        await gathered();
        await pc.setRemoteDescription({type: 'answer', sdp: await say('/answer', pc.localDescription.sdp)});
      }
    };
    const packets = async () => {
      let sent = 0, received = 0;
      (await pc.getStats()).forEach(s => {
        if (s.type === 'inbound-rtp') received = s.packetsReceived;
        if (s.type === 'outbound-rtp') sent = s.packetsSent;
      });
      return Math.min(sent, received);
    };
    const talk = async n => { // a slow machine is given the time that it needs
      while (await packets() < n) await new Promise(ok => setTimeout(ok, 100));
    };
    const theirs = location.hash === '#rung';
    await rounds(theirs);
    await talk(125);
    await rounds(!theirs); // a re-offer from the other side, in the middle of the call
    await talk(250);
    const out = {state: pc.connectionState};
    (await pc.getStats()).forEach(s => {
      if (s.type === 'inbound-rtp') Object.assign(out, {received: s.packetsReceived, lost: s.packetsLost, energy: s.totalAudioEnergy});
      if (s.type === 'outbound-rtp') out.sent = s.packetsSent;
      if (s.type === 'transport') Object.assign(out, {dtls: s.dtlsState, role: s.dtlsRole, srtp: s.srtpCipher});
    });
    await say('/report', JSON.stringify(out));
  } catch (e) {
    await say('/report', JSON.stringify({error: String(e)}));
  }
})();
</script>`

// hum is a tone, in frames that are ready to send.
type hum struct{}

func (hum) Frames(codec string) [][]byte {
	out := make([][]byte, 50)
	for n := range out {
		pcm := make([]int16, 160)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(n*160+i)/8000))
		}
		out[n] = make([]byte, 160)
		if codec == "PCMA" {
			g711.EncodeALaw(out[n], pcm)
		} else {
			g711.EncodeULaw(out[n], pcm)
		}
	}
	return out
}

// TestR33AChromiumIsAnsweredAndRung lets a real browser talk to a session: ICE, DTLS-SRTP and G.711, each side the first
// to offer once, and the other side offering again later. SIP over WebSocket has tests of its own.
func TestR33AChromiumIsAnsweredAndRung(t *testing.T) {
	for name, hash := range map[string]string{"they offer": "#calls", "we offer": "#rung"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chromiumCall(t, hash)
		})
	}
}

func chromiumCall(t *testing.T, hash string) {
	t.Helper()
	plane, err := media.New(media.Options{Bind: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	s, err := plane.Open(media.SessionOptions{Encryption: "webrtc", Codecs: []string{"PCMU", "PCMA"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Play([]media.Source{hum{}}, true, nil)
	reports := make(chan string, 1)
	var before uint64 // refused when they negotiated again
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: talkTo(t, s, &before, reports)}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()

	cmd := exec.Command(program(t, "chromium", "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
		"--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns", "--user-data-dir="+t.TempDir(),
		"http://"+ln.Addr().String()+"/"+hash)
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	c, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kill()
	var report string
	select {
	case report = <-reports:
	case <-time.After(2 * patience):
		t.Fatalf("the page says nothing:\n%s", out)
	}
	var r struct {
		Error, State, DTLS, Role, SRTP string
		Received, Lost, Sent           int
		Energy                         float64
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatal(err)
	}
	q := s.Close()
	if r.Error != "" || r.State != "connected" || r.Received < 250 || r.Lost > 5 || r.Energy < 0.01 || r.Sent < 250 {
		t.Errorf("the browser: %s", report)
	}
	// It may have the keys a moment before us: what it says then is refused, and it is not lost, for nothing was heard before.
	if q.Received < 200 || q.Refused != before || q.Lost > 5 || q.Encryption == "" || q.Foreign != 0 {
		t.Errorf("the session: %+v, %d refused at first", q, before)
	}
	if os.Getenv("ULLIM_SHOW") != "" {
		t.Logf("%s\n%+v", report, q)
	}
}

// talkTo is the server of the page. What it asks for comes one after the other; before is what was refused until it last did.
func talkTo(t *testing.T, s *media.Session, before *uint64, reports chan<- string) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	})
	post := func(path string, f func(body string) (string, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
			answer, err := f(string(b))
			if err != nil {
				t.Errorf("%s: %v\n%s", path, err, b)
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if os.Getenv("ULLIM_SHOW") != "" && strings.HasPrefix(answer, "v=0") {
				t.Logf("%s\n%s\n%s", path, b, answer)
			}
			_, _ = io.WriteString(w, answer)
		})
	}
	post("/offer", func(string) (string, error) { *before = s.Stats().Refused; b, err := s.Offer(); return string(b), err })
	post("/accept", func(body string) (string, error) { return "", s.Accept([]byte(body)) })
	post("/answer", func(body string) (string, error) {
		*before = s.Stats().Refused
		b, err := s.Answer([]byte(body))
		return string(b), err
	})
	post("/report", func(body string) (string, error) { reports <- body; return "", nil })
	return mux
}
