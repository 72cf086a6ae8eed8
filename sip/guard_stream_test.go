package sip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// pipes is a listener whose connections are in memory.
type pipes struct {
	next   chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{next: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.next:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 5060} }

// pipeEnd is a net.Pipe with addresses.
type pipeEnd struct {
	net.Conn
	local, remote net.Addr
}

func (p *pipeEnd) LocalAddr() net.Addr  { return p.local }
func (p *pipeEnd) RemoteAddr() net.Addr { return p.remote }

// streamCaller is a connection to the stage that collects what it hears.
type streamCaller struct {
	net.Conn
	heard chan sipgo.Message
	eof   chan struct{}
	pongs int
	bytes atomic.Int64 // heard
	mu    sync.Mutex
	raw   []byte // heard and not yet asked for by statuses
}

// statuses are the final statuses heard since the last time, whatever else the answers look like.
func (c *streamCaller) statuses() []int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []int
	for line := range strings.SplitSeq(string(c.raw), "\r\n") {
		if rest, ok := strings.CutPrefix(line, "SIP/2.0 "); ok && len(rest) >= 3 {
			if code, err := strconv.Atoi(rest[:3]); err == nil && code >= 200 {
				list = append(list, code)
			}
		}
	}
	c.raw = nil
	return list
}

func (p *pipes) dial(t *testing.T, from string) *streamCaller {
	t.Helper()
	near, far := net.Pipe()
	src, err := net.ResolveTCPAddr("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	c := &streamCaller{Conn: near, heard: make(chan sipgo.Message, 100), eof: make(chan struct{})}
	go func() {
		defer close(c.eof)
		r := bufio.NewReader(near)
		parser := sipgo.NewParser().NewSIPStream()
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			if err != nil {
				return
			}
			c.bytes.Add(int64(n))
			c.mu.Lock()
			c.raw = append(c.raw, buf[:n]...)
			c.mu.Unlock()
			if string(buf[:n]) == "\r\n" {
				c.pongs++
				continue
			}
			_ = parser.ParseSIPStream(buf[:n], func(m sipgo.Message) { c.heard <- m })
		}
	}()
	select {
	case p.next <- &pipeEnd{Conn: far, local: p.Addr(), remote: src}:
	case <-time.After(time.Second):
		t.Fatal("nobody accepts")
	}
	return c
}

func (c *streamCaller) over() bool {
	synctest.Wait()
	select {
	case <-c.eof:
		return true
	default:
		return false
	}
}

func (c *streamCaller) put(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
}

// codes are the final statuses heard so far.
func (c *streamCaller) codes() []int {
	synctest.Wait()
	var list []int
	for {
		select {
		case m := <-c.heard:
			if res, ok := m.(*sipgo.Response); ok && res.StatusCode >= 200 {
				list = append(list, res.StatusCode)
			}
		default:
			return list
		}
	}
}

// runTCP is run with a stream listener.
func runTCP(t *testing.T, f func(s *stage, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := newStage(t, func(o *Options) { o.Listeners = []net.Listener{p} })
		defer s.close()
		f(s, p)
	})
}

func ping(n int, extra ...string) string {
	return message(append([]string{
		"-Via", fmt.Sprintf("Via: SIP/2.0/TCP 192.0.2.10:5060;branch=z9hG4bK-tcp%d", n),
		"-Call-ID", fmt.Sprintf("Call-ID: tcp%d", n), "Content-Length: 0",
	}, extra...)...)
}

func TestStreamIsCutAtEveryByte(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		whole := ping(0)
		for i := 1; i < len(whole); i += 7 {
			c := p.dial(t, fmt.Sprintf("192.0.2.10:%d", 10000+i))
			text := ping(i)
			c.put(t, text[:i])
			c.put(t, text[i:]+ping(i+100000)+"\r\n\r\n"+ping(i+200000))
			same(t, "answers", c.codes(), []int{200, 200, 200})
			same(t, "pongs", c.pongs, 1)
			_ = c.Close()
		}
		c := p.dial(t, "192.0.2.10:9999")
		for i := range len(whole) {
			c.put(t, whole[i:i+1])
		}
		same(t, "byte by byte", c.codes(), []int{200})
		_ = c.Close()
		synctest.Wait()
		same(t, "streams", s.ep.Stats().Streams, 0)
	})
}

func TestBadFramingClosesTheStreamAndTheNextOneWorks(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		codes []int
	}{
		"no Content-Length":      {message(), []int{400}},
		"two Content-Lengths":    {ping(1, "l: 0"), []int{400}},
		"not a number":           {message("Content-Length: x"), []int{400}},
		"2 GB":                   {message("Content-Length: 2147483647"), nil},
		"over 64 KiB":            {message("Content-Length: 70000"), nil},
		"endless header":         {message()[:20] + strings.Repeat("x", 40000), nil},
		"many headers, no end":   {"OPTIONS sip:a SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 8000), nil},
		"another protocol":       {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", nil},
		"half a CANCEL, no body": {message("=CANCEL sip:a@b SIP/2.0", "-CSeq", "CSeq: 1 CANCEL"), []int{400}},
	} {
		t.Run(name, func(t *testing.T) {
			runTCP(t, func(s *stage, p *pipes) {
				t := s.t
				c := p.dial(t, "192.0.2.10:1000")
				c.put(t, tc.text)
				same(t, "answers", c.codes(), tc.codes)
				time.Sleep(streamLinger)
				if !c.over() {
					t.Error("the connection is still open")
				}
				c = p.dial(t, "192.0.2.10:1001")
				c.put(t, ping(2))
				same(t, "answers", c.codes(), []int{200})
				_ = c.Close()
			})
		})
	}
}

func TestStalledStreamsAreClosed(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		life time.Duration
	}{
		"nothing":        {"", streamFirst},
		"half a head":    {message()[:50], streamMessage},
		"half a body":    {message("Content-Length: 10") + "abc", streamMessage},
		"idle":           {ping(1), streamIdle},
		"only CRLF ping": {"\r\n\r\n", streamFirst},
	} {
		t.Run(name, func(t *testing.T) {
			runTCP(t, func(s *stage, p *pipes) {
				t := s.t
				c := p.dial(t, "203.0.113.1:1000")
				if tc.text != "" {
					c.put(t, tc.text)
				}
				time.Sleep(tc.life - time.Second)
				if c.over() {
					t.Fatal("closed too early")
				}
				time.Sleep(2 * time.Second)
				if !c.over() {
					t.Fatal("still open")
				}
				synctest.Wait()
				same(t, "streams", s.ep.Stats().Streams, 0)
			})
		})
	}
}

// A slow sender cannot keep a message alive byte by byte.
func TestSlowHeadersDoNotExtendTheDeadline(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		c := p.dial(t, "203.0.113.1:1000")
		start := time.Now()
		for i := 0; !c.over() && time.Since(start) < time.Minute; i++ {
			c.put(t, message()[i%40:i%40+1])
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d > streamMessage+2*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

func TestOneSourceCannotTakeAllStreams(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		var open []*streamCaller
		for i := range maxStreamsSource + 20 {
			open = append(open, p.dial(t, fmt.Sprintf("203.0.113.1:%d", 1000+i)))
		}
		synctest.Wait()
		same(t, "streams", s.ep.Stats().Streams, maxStreamsSource)
		c := p.dial(t, "203.0.113.2:1000")
		c.put(t, ping(1))
		same(t, "another source", c.codes(), []int{200})
		for _, o := range append(open, c) {
			_ = o.Close()
		}
		synctest.Wait()
		same(t, "streams", s.ep.Stats().Streams, 0)
	})
}

func TestPeerThatDoesNotReadLosesItsConnection(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		near, far := net.Pipe() // nobody reads near
		p.next <- &pipeEnd{Conn: far, local: p.Addr(), remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 1}}
		go func() {
			for i := range streamQueue * 2 {
				if _, err := io.WriteString(near, ping(i)); err != nil {
					return
				}
			}
		}()
		time.Sleep(streamWrite + time.Second)
		same(t, "streams", s.ep.Stats().Streams, 0)
	})
}

func TestCallOverTCP(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		c := p.dial(t, "192.0.2.10:1000")
		d := s.trunk.dialog("tcp")
		tcp := func(text string) string { return strings.Replace(text, "SIP/2.0/UDP", "SIP/2.0/TCP", 1) }
		c.put(t, tcp(d.text("INVITE", 1, "t1", sdpOffer)))
		synctest.Wait()
		in := s.owner.call(t, 0)
		in.leg.Answer([]byte(sdpAnswer))
		synctest.Wait()
		var ok *sipgo.Response
		for ok == nil {
			m := <-c.heard
			if res, is := m.(*sipgo.Response); is && res.StatusCode == 200 {
				ok = res
			}
		}
		same(t, "Contact", ok.Contact().Address.String(), "sip:ullim@198.51.100.1:5060;transport=tcp")
		d.to = tagOf(ok.To().Params)
		c.put(t, tcp(d.text("ACK", 1, "t2", "")))
		synctest.Wait()
		same(t, "events", in.kinds(), "answered")
		in.leg.Hangup("")
		synctest.Wait()
		bye, is := (<-c.heard).(*sipgo.Request)
		if !is || bye.Method != sipgo.BYE {
			t.Fatalf("no BYE on the connection: %v", bye)
		}
		res := sipgo.NewResponseFromRequest(bye, 200, "OK", nil)
		c.put(t, res.String())
		synctest.Wait()
		same(t, "legs", s.ep.Stats().Legs, 0)
		_ = c.Close()
	})
}

// Threat 5.
func TestInviteAndThenTheConnectionBreaks(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		c := p.dial(t, "192.0.2.10:1000")
		d := s.trunk.dialog("broken")
		c.put(t, strings.Replace(d.text("INVITE", 1, "t1", sdpOffer), "SIP/2.0/UDP", "SIP/2.0/TCP", 1))
		synctest.Wait()
		in := s.owner.call(t, 0)
		in.leg.Ring()
		synctest.Wait()
		_ = c.Close()
		time.Sleep(time.Second)
		same(t, "events", in.kinds(), "ended(transport)")
		same(t, "legs", s.ep.Stats().Legs, 0)
		same(t, "streams", s.ep.Stats().Streams, 0)
	})
}

func TestDeviceWhoseConnectionIsGoneIsNotDialled(t *testing.T) {
	runTCP(t, func(s *stage, p *pipes) {
		t := s.t
		dev, _ := s.ep.opt.Devices().ByName(deviceName)
		s.reg.Register(t.Context(), RegisterRequest{
			Device: dev, Contacts: []RegisterContact{{URI: "sip:agent7@203.0.113.5;transport=tcp"}}, CallID: "r", CSeq: 1,
			Source: "203.0.113.5:40000", Transport: "TCP", Now: time.Now(),
		})
		target := call.Target{InstanceID: "inst-1", UserID: contactUser}
		var gone eventLog
		s.ep.Dial(target, []byte(sdpOffer), gone.add)
		synctest.Wait()
		same(t, "events", gone.kinds(), "ended(rejected)")
		same(t, "code", gone.all()[0].Code, 480)

		c := p.dial(t, "203.0.113.5:40000")
		c.put(t, ping(1))
		c.codes()
		var there eventLog
		leg := s.ep.Dial(target, []byte(sdpOffer), there.add)
		synctest.Wait()
		invite, ok := (<-c.heard).(*sipgo.Request)
		if !ok || invite.Method != sipgo.INVITE {
			t.Fatal("no INVITE on the connection")
		}
		same(t, "Via", invite.Via().Transport, "TCP")
		_ = c.Close() // breaks while it rings
		time.Sleep(time.Second)
		same(t, "events", there.kinds(), "ended(transport)")
		leg.Hangup("")
	})
}
