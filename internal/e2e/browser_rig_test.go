package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// chrome is one Chromium, driven by browser/driver.js. All its tabs have the same microphone.
type chrome struct {
	t      testing.TB
	voice  siptest.Source
	origin string
	child  *child
	in     io.Writer
	events *buffer

	mu      sync.Mutex
	last    int
	answers map[int]chan answer
}

type answer struct {
	Result json.RawMessage
	Error  string
}

// newChrome starts a browser that trusts a certificate, and serves the page of the phone with it.
func newChrome(t testing.TB, cert, key string) *chrome {
	t.Helper()
	if _, err := os.Stat("browser/node_modules/jssip"); err != nil {
		t.Fatal("this test needs JsSIP and Playwright: make browser")
	}
	c := &chrome{t: t, voice: siptest.Voice("browser"), events: &buffer{}, answers: map[int]chan answer{}}
	voice := filepath.Join(t.TempDir(), "microphone.wav")
	sayFile(t, voice, c.voice)
	cmd := exec.Command(program(t, "node", "nodejs"), "browser/driver.js", cert, key, publicKey(t, cert), voice, program(t, "chromium", "chromium"))
	cmd.Stderr = c.events
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, lines := io.Pipe()
	cmd.Stdout = lines
	if c.child, err = start(cmd); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go c.read(out, ready)
	t.Cleanup(func() {
		_ = c.in.(io.Closer).Close() // it closes the browser and ends
		select {
		case <-c.child.ended:
		case <-time.After(20 * time.Second):
			c.child.kill()
		}
		_ = lines.Close()
		if t.Failed() {
			t.Logf("the browser:\n%s", c.events)
		}
	})
	select {
	case c.origin = <-ready:
	case <-c.child.ended:
		t.Fatalf("the browser's driver ended: %v\n%s", c.child.err, c.events)
	case <-time.After(patience):
		t.Fatalf("the browser does not start:\n%s", c.events)
	}
	return c
}

// publicKey is what Chromium calls the SPKI of a certificate.
func publicKey(t testing.TB, cert string) string {
	t.Helper()
	b, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// read takes what the driver says.
func (c *chrome) read(out io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m struct {
			ID         int
			Ready, Tab string
			Event      string
			answer
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			fmt.Fprintln(c.events, lines.Text())
			continue
		}
		switch {
		case m.Ready != "":
			ready <- m.Ready
		case m.Event != "":
			fmt.Fprintf(c.events, "%s %s: %s\n", time.Now().UTC().Format("15:04:05.000"), m.Tab, m.Event)
		default:
			c.mu.Lock()
			ch := c.answers[m.ID]
			delete(c.answers, m.ID)
			c.mu.Unlock()
			if ch != nil {
				ch <- m.answer
			}
		}
	}
}

// ask tells the driver to do something and waits until it is done.
func (c *chrome) ask(order map[string]any, result any) error {
	ch := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	order["id"] = c.last
	c.answers[c.last] = ch
	b, err := json.Marshal(order)
	if err == nil {
		_, err = c.in.Write(append(b, '\n'))
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case a := <-ch:
		if a.Error != "" {
			return errors.New(a.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-c.child.ended:
		return errors.New("the driver has ended")
	case <-time.After(patience):
		return fmt.Errorf("no answer to %s", b)
	}
}

// tab is a page with a phone.
type tab struct {
	*chrome
	name string
}

// tabState is what a page says of its phone.
type tabState struct {
	Connected, Registered bool
	Calls, Live           int
	Call                  struct {
		State, Keys, Direction, From, Cause string
		Held, HeldByThem                    bool
	}
	ICE, SDP string
}

// open opens a tab whose phone registers over a line as a device.
func (c *chrome) open(t testing.TB, name, profile string, l *line, d device, instance string) *tab {
	t.Helper()
	p := &tab{chrome: c, name: name}
	if err := c.ask(map[string]any{"op": "open", "tab": name, "profile": profile}, nil); err != nil {
		t.Fatalf("no tab: %v", err)
	}
	p.do("start", map[string]string{
		"server": "wss://" + l.addr + "/sip", "user": d.Username, "password": d.Password, "domain": d.Realm, "instance": instance,
	})
	return p
}

// do calls a function of the page.
func (p *tab) do(name string, args ...any) {
	p.t.Helper()
	p.get(name, nil, args...)
}

func (p *tab) get(name string, result any, args ...any) {
	p.t.Helper()
	if err := p.ask(map[string]any{"op": "call", "tab": p.name, "name": name, "args": args}, result); err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, name, err)
	}
}

func (p *tab) state() tabState {
	p.t.Helper()
	var s tabState
	p.get("state", &s)
	return s
}

// until waits for a state of the page.
func (p *tab) until(what string, ok func(s tabState) bool) {
	p.t.Helper()
	until(p.t, patience, p.name+" "+what, func() bool { return ok(p.state()) })
}

func (p *tab) registered() {
	p.t.Helper()
	p.until("is registered", func(s tabState) bool { return s.Registered })
}

func (p *tab) ringing(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("rings for the call %d", n), func(s tabState) bool { return s.Calls == n && s.Call.State == "ringing" })
}

func (p *tab) confirmed() {
	p.t.Helper()
	p.until("is in a call", func(s tabState) bool { return s.Call.State == "confirmed" })
}

func (p *tab) over() {
	p.t.Helper()
	p.until("has no call", func(s tabState) bool { return s.Live == 0 })
}

// heard is what a tab heard in the last seconds.
func (p *tab) heard(seconds int) []int16 {
	p.t.Helper()
	var text string
	p.get("heard", &text, seconds)
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		p.t.Fatal(err)
	}
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(b[2*i]) | int16(b[2*i+1])<<8
	}
	return pcm
}

// hears waits until a tab hears a voice.
func (p *tab) hears(voice siptest.Source, whose string) {
	p.t.Helper()
	loud := 0.0
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s: the loudness of the last second was %.0f", p.name, loud)
		}
	}()
	until(p.t, patience, p.name+" hears "+whose, func() bool {
		pcm := p.heard(1)
		loud = siptest.RMS(pcm)
		return within(pcm, voice)
	})
}

// within reports whether a fifth of a second of what was heard is a voice. That is enough to know whose it is, and that it
// comes now; more would be asked of the machine and not of the engine when both of its processors are busy.
func within(pcm []int16, voice siptest.Source) bool {
	const part = 1600
	for i := 0; i+part <= len(pcm); i += part / 2 {
		if r, _ := siptest.Correlate(pcm[i:i+part], voice); r > 0.8 {
			return true
		}
	}
	return false
}

// silent waits until a tab hears nothing of a voice for a second.
func (p *tab) silent(voice siptest.Source, whose string) {
	p.t.Helper()
	until(p.t, patience, p.name+" hears no more of "+whose, func() bool {
		pcm := p.heard(1)
		return len(pcm) == 8000 && !within(pcm, voice)
	})
}

// line is the network between a browser and the engine: what comes to its address goes to the engine until it is cut.
type line struct {
	addr string

	mu     sync.Mutex
	change *sync.Cond
	down   bool
	deaf   bool // nothing gets to the browser
	mute   bool // nothing gets from the browser to the engine
	conns  map[net.Conn]bool
}

func newLine(t testing.TB, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: ln.Addr().String(), conns: map[net.Conn]bool{}}
	l.change = sync.NewCond(&l.mu)
	t.Cleanup(func() { _ = ln.Close(); l.cut() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go l.carry(conn, to)
		}
	}()
	return l
}

func (l *line) carry(near net.Conn, to string) {
	defer near.Close()
	// From an address of its own, for what comes from 127.0.0.1 over UDP is the carrier.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}}
	far, err := dialer.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	down := l.down
	if !down {
		l.conns[near], l.conns[far] = true, true
	}
	l.mu.Unlock()
	if down {
		return
	}
	ended := make(chan struct{}, 2)
	go func() { l.copy(near, far, &l.deaf); ended <- struct{}{} }()
	go func() { l.copy(far, near, &l.mute); ended <- struct{}{} }()
	<-ended
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, near)
	delete(l.conns, far)
}

// copy carries one direction, which may be stopped. What was stopped when the line is cut is lost.
func (l *line) copy(to, from net.Conn, stopped *bool) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		l.mu.Lock()
		for *stopped && !l.down {
			l.change.Wait()
		}
		lost := l.down
		l.mu.Unlock()
		if lost || err != nil {
			return
		}
		if _, err = to.Write(b[:n]); err != nil {
			return
		}
	}
}

// stop lets nothing through any more, to the browser or from it, until the line is cut.
func (l *line) stop(deaf, mute bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf, l.mute = deaf, mute
}

// cut breaks all connections and lets no new one through until mend.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	l.change.Broadcast()
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.deaf, l.mute = false, false, false
}

// away cuts the line for five seconds (R33).
func (l *line) away(t testing.TB) {
	t.Helper()
	l.cut()
	talk(t, 5*time.Second)
	l.mend()
}

// registrations are those of a device.
func (c *center) registrations(d device) (contacts []string) {
	c.t.Helper()
	var out struct {
		Device struct{ Registrations []struct{ Contact string } }
	}
	c.admin(http.MethodGet, "/devices/"+d.ID, nil, &out)
	for _, r := range out.Device.Registrations {
		contacts = append(contacts, r.Contact)
	}
	return contacts
}

// secureCenter is a contact centre whose HTTP, and so WebSocket, is over TLS.
func secureCenter(t testing.TB) (c *center, l *line, b *chrome) {
	t.Helper()
	cert, key := certificate(t)
	b = newChrome(t, cert, key)
	c = newCenter(t, "ULLIM_HTTP_TLS_CERTIFICATE="+cert, "ULLIM_HTTP_TLS_KEY="+key, "ULLIM_SIP_WEBSOCKET_ORIGINS="+strings.TrimPrefix(b.origin, "https://"))
	return c, newLine(t, strings.TrimPrefix(c.url, "https://")), b
}
