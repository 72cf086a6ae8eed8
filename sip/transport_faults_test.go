package sip

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	sipgo "github.com/emiago/sipgo/sip"

	"ullim/sip/siptest"
)

const carrierAddr = "192.0.2.10:5061"

// asking is an OPTIONS of a dialog with a peer, as a leg would send it.
func (h *house) asking(network, to string, change ...func(*sipgo.Request)) *sipgo.Request {
	peer := netip.MustParseAddrPort(to)
	g := h.ep.packetFor(peer.Addr())
	d := dialog{
		callID: newTag(), localTag: newTag(), network: network, source: peer, laddr: g.local,
		via:    h.ep.face(g.local, peer),
		target: sipgo.Uri{Scheme: "sip", User: "x", Host: uriHost(peer.Addr()), Port: int(peer.Port())},
		local:  party{uri: sipgo.Uri{Scheme: "sip", User: "us", Host: "ours.example"}},
		remote: party{uri: sipgo.Uri{Scheme: "sip", User: "them", Host: "theirs.example"}},
	}
	req := d.request(h.ep, sipgo.OPTIONS)
	for _, f := range change {
		f(req)
	}
	return req
}

// asked sends it and gives the final status.
func (h *house) asked(req *sipgo.Request) int {
	done := make(chan int, 1)
	h.ep.ask(req, func(status int) { done <- status })
	return <-done
}

// Threat 8: the certificate of a trunk is verified by chain and name, unless the trunk says otherwise.
func TestR24TLSOfATrunkIsVerifiedByChainAndName(t *testing.T) {
	for name, tc := range map[string]struct {
		names   []string
		trusted bool
		change  func(*hop)
		ok      bool
		says    string
	}{
		"good":               {[]string{"carrier.example"}, true, func(*hop) {}, true, ""},
		"name with a dot":    {[]string{"carrier.example"}, true, func(h *hop) { h.server = "carrier.example." }, true, ""},
		"another name":       {[]string{"other.example"}, true, func(*hop) {}, false, "carrier.example"},
		"unknown issuer":     {[]string{"carrier.example"}, false, func(*hop) {}, false, "unknown authority"},
		"address in it":      {[]string{"192.0.2.10"}, true, func(h *hop) { h.server = "" }, true, ""},
		"address not in it":  {[]string{"carrier.example"}, true, func(h *hop) { h.server = "" }, false, "192.0.2.10"},
		"switched off":       {[]string{"other.example"}, false, func(h *hop) { h.insecure = true }, true, ""},
		"only its own phone": {[]string{"carrier.example"}, true, func(h *hop) { h.flow = true }, false, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, "198.51.100.1", func(h *house) {
				t := h.t
				c, pool := h.carrier(t, "TLS", carrierAddr, tc.names...)
				defer c.Close() //nolint:errcheck // in memory
				to := hop{network: "TLS", addr: netip.MustParseAddrPort(carrierAddr), server: "carrier.example"}
				if tc.trusted {
					to.roots = pool
				}
				tc.change(&to)
				_, via, err := h.ep.reach(t.Context(), to)
				if (err == nil) != tc.ok {
					t.Fatalf("error %v", err)
				}
				if !tc.ok {
					if !strings.Contains(err.Error(), tc.says) {
						t.Errorf("%v does not say %q", err, tc.says)
					}
					return
				}
				same(t, "port in the Via", via.Port, 5061)
				same(t, "OPTIONS", h.asked(h.asking("TLS", carrierAddr)), 200)
				logged := h.log.with("not verified", "192.0.2.10") != ""
				same(t, "logged that it is off", logged, to.insecure)
				// A connection that was not verified is not used for a hop that wants it verified.
				to.insecure, to.server = false, "third.example"
				if _, _, err = h.ep.reach(t.Context(), to); err == nil {
					t.Error("a connection for another name was used")
				}
			})
		})
	}
}

// A peer that opens a connection for TLS and says nothing, or nonsense, has it for ten seconds; others are served.
func TestThreat19HandshakesAndConnectionsThatStall(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		dial := func(port, from string) net.Conn {
			c, err := h.network.DialStream(t.Context(), netip.MustParseAddr(from), netip.MustParseAddrPort(h.at(port)))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		silent, half := dial("5061", "203.0.113.7"), dial("5061", "203.0.113.8")
		if _, err := half.Write([]byte{22, 3, 1, 2, 0, 1}); err != nil {
			t.Fatal(err)
		}
		nonsense := dial("5061", "203.0.113.9")
		if _, err := nonsense.Write([]byte("OPTIONS sip:a SIP/2.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		shook := tls.Client(dial("5061", "203.0.113.10"), &tls.Config{RootCAs: h.pool, ServerName: "sip.example", MinVersion: tls.VersionTLS12})
		if err := shook.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := tls.Client(dial("5061", "203.0.113.11"), &tls.Config{RootCAs: h.pool, ServerName: "sip.example", MaxVersion: tls.VersionTLS11}) //nolint:gosec // it is refused
		if err := old.HandshakeContext(t.Context()); err == nil {
			t.Error("TLS 1.1 was taken")
		}
		p := h.device(t, "TLS", "203.0.113.5:40000") // nobody waits for them
		defer p.Close()                              //nolint:errcheck // in memory
		time.Sleep(streamHandshake + streamFirst - 2*time.Second)
		same(t, "still open in 9 s of silence after the handshake", h.ep.Connections()["TLS"] >= 1, true)
		time.Sleep(3 * time.Second)
		same(t, "connections", h.ep.Connections()["TLS"], 1)
		same(t, "handshakes that failed", h.ep.Stats().Handshakes, 4)
		for _, c := range []net.Conn{silent, half, nonsense, shook, old} {
			_ = c.Close()
		}
	})
}

// T4, R24: a stream that is damaged in the middle of a message is closed, and the next message opens a new one; calls on
// other connections do not notice.
func TestT04DamagedStreamIsClosedAndOthersGoOn(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		h.answered()
		first, _ := h.carrier(t, "TCP", "192.0.2.10:5070")
		defer first.Close() //nolint:errcheck // in memory
		p := h.device(t, "TCP", "203.0.113.5:40000")
		defer p.Close() //nolint:errcheck // in memory
		call, err := first.Call(t.Context(), "+82212345678", "+821012345678", siptest.CallOptions{})
		if err != nil {
			t.Fatal(err)
		}
		other, err := p.Invite(t.Context(), "+82212345678", siptest.CallOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*siptest.Call{call, other} {
			if err = c.WaitConfirmed(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err = first.SendRaw([]byte("CANCEL sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.10;branch=z9hG4bKx\r\nFrom: <sip:a>;tag=1\r\n" +
			"To: <sip:b>\r\nCall-ID: damaged\r\nCSeq: 1 CANCEL\r\n\r\n")); err != nil { // sipgo#352: no Content-Length
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		same(t, "connections", h.ep.Connections()["TCP"], 1)
		call.Hangup() // over a new connection
		if _, err = call.WaitEnded(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 2 {
			if c := h.owner.call(t, i); c.in.TrunkID != "" {
				same(t, "the damaged one's call", c.kinds(), "answered ended(bye)")
			} else {
				same(t, "the other call", c.kinds(), "answered")
			}
		}
		if _, err = first.Call(t.Context(), "+82212345678", "+821012345678", siptest.CallOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		same(t, "the next call", h.owner.call(t, 2).kinds(), "answered")
		for i := range 3 {
			h.owner.call(t, i).leg.Hangup("")
		}
		time.Sleep(time.Second)
	})
}

// R24: our BYE reaches a trunk whose connection is gone: we open one to its Contact. A phone's is never ours to open.
func TestR24ByeIsDeliveredOverANewConnection(t *testing.T) {
	for _, transport := range []string{"TCP", "TLS"} {
		t.Run(transport, func(t *testing.T) {
			inHouse(t, "198.51.100.1", func(h *house) {
				t := h.t
				h.answered()
				c, pool := h.carrier(t, transport, carrierAddr, "192.0.2.10")
				defer c.Close()         //nolint:errcheck // in memory
				if transport == "TLS" { // as a probe or a call of ours has done before
					if _, _, err := h.ep.reach(t.Context(), hop{network: "TLS", addr: netip.MustParseAddrPort(carrierAddr), roots: pool}); err != nil {
						t.Fatal(err)
					}
				}
				call, err := c.Call(t.Context(), "+82212345678", "+821012345678", siptest.CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err = call.WaitConfirmed(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.DropConnections()
				synctest.Wait()
				same(t, "the call", h.owner.call(t, 0).kinds(), "answered")
				before := len(h.dials)
				h.owner.call(t, 0).leg.Hangup("")
				ended, err := call.WaitEnded(t.Context())
				if err != nil || ended.Kind != siptest.EndBye {
					t.Errorf("the carrier's call ended with %+v, %v", ended, err)
				}
				same(t, "connections opened", h.dials[before:], []string{carrierAddr})
				same(t, "restored", h.ep.Stats().Restored, 1)
				time.Sleep(time.Second)
			})
		})
	}
}

// hole is a TLS peer that is there and has stopped working: it takes what is sent and says nothing.
type hole struct {
	net.Listener
	config *tls.Config
	mu     sync.Mutex
	n      int
	taken  strings.Builder
}

func (h *hole) serve() {
	for {
		conn, err := h.Accept()
		if err != nil {
			return
		}
		go func() {
			c := tls.Server(conn, h.config)
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				h.mu.Lock()
				h.taken.Write(buf[:n])
				h.mu.Unlock()
				if err != nil {
					_ = conn.Close()
					return
				}
			}
		}()
		h.mu.Lock()
		h.n++
		h.mu.Unlock()
	}
}

// T5, R24: TLS that is up with nobody behind it is found out by a request that gets no answer at all; the request goes out
// again over a connection of its own, to whoever is there by then.
func TestT05SilentTLSPeerIsNoticedAndTheRequestSentAnew(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		cert, pool := testCertificate(t, "carrier.example")
		l, err := h.network.ListenStream(carrierAddr)
		if err != nil {
			t.Fatal(err)
		}
		dead := &hole{Listener: l, config: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}
		go dead.serve()
		to := hop{network: "TLS", addr: netip.MustParseAddrPort(carrierAddr), server: "carrier.example", roots: pool}
		if _, _, err = h.ep.reach(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		status := make(chan int, 1)
		began := time.Now()
		h.ep.ask(h.asking("TLS", carrierAddr), func(s int) { status <- s })
		time.Sleep(time.Second)
		_ = l.Close() // the carrier's new machine has the address from now on, with the same name
		o := h.options("TLS", carrierAddr)
		o.TLS.Certificates = []tls.Certificate{cert}
		alive, err := siptest.NewCarrier(o)
		if err != nil {
			t.Fatal(err)
		}
		defer alive.Close() //nolint:errcheck // in memory
		same(t, "status", <-status, 200)
		if took := time.Since(began); took < streamSilent || took > streamSilent+2*time.Second {
			t.Errorf("it took %v", took)
		}
		same(t, "connections", h.ep.Connections()["TLS"], 1)
		if h.log.with("connection given up", "does not answer") == "" {
			t.Error("it was not logged")
		}
	})
}

// T5: between calls the keep-alive finds out, if the peer has ever answered one. RFC 5626 §4.4.1.
func TestT05KeepAliveFindsThePeerThatStoppedAnswering(t *testing.T) {
	for name, answers := range map[string]int{"answered three": 3, "never answers keep-alives": 0} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, "198.51.100.1", func(h *house) {
				t := h.t
				l, err := h.network.ListenStream("192.0.2.10:5060")
				if err != nil {
					t.Fatal(err)
				}
				var pings atomic.Int64
				done := make(chan struct{})
				go func() {
					defer close(done)
					conn, aerr := l.Accept()
					if aerr != nil {
						return
					}
					buf := make([]byte, 100)
					for {
						n, rerr := conn.Read(buf)
						if rerr != nil {
							_ = conn.Close()
							return
						}
						if string(buf[:n]) == "\r\n\r\n" && int(pings.Add(1)) <= answers {
							_, _ = io.WriteString(conn, "\r\n")
						}
					}
				}()
				if _, _, err = h.ep.reach(t.Context(), hop{network: "TCP", addr: netip.MustParseAddrPort("192.0.2.10:5060")}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(answers)*streamPing + streamPing + streamPong - time.Second)
				same(t, "before its time", h.ep.Connections()["TCP"], 1)
				time.Sleep(2 * time.Second)
				want := 0
				if answers == 0 { // no sign of death: it may be an old stack, RFC 3261 knows no such thing
					want = 1
				}
				same(t, "after it", h.ep.Connections()["TCP"], want)
				_ = l.Close()
				h.network.Cut(netip.MustParseAddr("192.0.2.10"))
				<-done
			})
		})
	}
}

// T6, RFC 3261 §18.1.1: a request over 1300 bytes goes to TCP if the peer has it, else over UDP with one warning; the next
// small one goes over UDP in any case.
func TestT06LargeRequestsGoToTCPAndSmallOnesStayOnUDP(t *testing.T) {
	large := func(req *sipgo.Request) {
		req.AppendHeader(header("X-Long", strings.Repeat("x", 4000)))
	}
	for _, hasTCP := range []bool{true, false} {
		t.Run(fmt.Sprintf("has TCP %v", hasTCP), func(t *testing.T) {
			inHouse(t, "198.51.100.1", func(h *house) {
				t := h.t
				const at = "192.0.2.10:5060"
				udp, _ := h.carrier(t, "UDP", at)
				defer udp.Close() //nolint:errcheck // in memory
				if hasTCP {
					tcp, _ := h.carrier(t, "TCP", at)
					defer tcp.Close() //nolint:errcheck // in memory
				}
				seen := h.overUDP(at)
				for i, tc := range []struct {
					change []func(*sipgo.Request)
					udp    bool
				}{{nil, true}, {[]func(*sipgo.Request){large}, !hasTCP}, {nil, true}, {[]func(*sipgo.Request){large}, !hasTCP}, {nil, true}} {
					before := seen.Load()
					req := h.asking("UDP", at, tc.change...)
					same(t, fmt.Sprintf("status of request %d", i), h.asked(req), 200)
					same(t, fmt.Sprintf("request %d over UDP", i), seen.Load() > before, tc.udp)
					same(t, "Via", req.Via().Transport, map[bool]string{true: "UDP", false: "TCP"}[tc.udp])
				}
				same(t, "warnings", h.log.count("large request goes over UDP"), map[bool]int{true: 0, false: 1}[hasTCP])
				same(t, "dials", len(h.dials), 1)
				// A phone's address is not a place to connect to, however large the request is.
				before := len(h.dials)
				h.ep.ask(h.asking("UDP", "203.0.113.77:5060", large), func(int) {})
				time.Sleep(2 * timerB)
				same(t, "dials to a phone", len(h.dials), before)
			})
		})
	}
}

// overUDP counts the datagrams to an address.
func (h *house) overUDP(to string) *atomic.Int64 {
	var n atomic.Int64
	h.network.SetFilter(func(_, addr net.Addr, _ []byte) siptest.Verdict {
		if addr.String() == to {
			n.Add(1)
		}
		return siptest.Verdict{}
	})
	return &n
}

// count is how many lines have a text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.text {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Trap 10: a browser whose connection is gone is not dialled, and the call to it fails at once.
func TestR33CallToABrowserThatIsGoneFailsAtOnce(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		p := h.device(t, "WSS", "203.0.113.5:40000")
		defer p.Close() //nolint:errcheck // in memory
		p.DropConnections()
		synctest.Wait()
		var gone eventLog
		h.ep.Dial(targetOfDevice(), []byte(sdpOffer), gone.add)
		synctest.Wait()
		same(t, "events", gone.kinds(), "ended(rejected)")
		same(t, "code", gone.all()[0].Code, 480)
		same(t, "dials", h.dials, nil)
	})
}

// R33: the WebSocket is gone for five seconds in the middle of a call; the browser registers again over a new one. The call
// goes on, and either side's BYE finds the other, also one that was said in between.
func TestR33DialogFollowsTheBrowserToItsNewConnection(t *testing.T) {
	for _, who := range []string{"we hang up after", "we hang up in between", "the browser hangs up"} {
		t.Run(who, func(t *testing.T) {
			inHouse(t, "198.51.100.1", func(h *house) {
				t := h.t
				p := h.device(t, "WSS", "203.0.113.5:40000")
				defer p.Close() //nolint:errcheck // in memory
				var events eventLog
				leg := h.ep.Dial(targetOfDevice(), []byte(strings.ReplaceAll(sdpOffer, "192.0.2.10", "198.51.100.1")), events.add)
				call, err := p.NextCall(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err = call.WaitConfirmed(t.Context()); err != nil {
					t.Fatal(err)
				}
				p.DropConnections()
				time.Sleep(2500 * time.Millisecond)
				same(t, "connections", h.ep.Connections()["WSS"], 0)
				if who == "we hang up in between" {
					leg.Hangup("")
				}
				time.Sleep(2500 * time.Millisecond)
				if err = p.Register(t.Context()); err != nil {
					t.Fatal(err)
				}
				switch who {
				case "we hang up after":
					leg.Hangup("")
				case "the browser hangs up":
					call.Hangup()
				}
				ended, err := call.WaitEnded(t.Context())
				if err != nil || ended.Kind != siptest.EndBye {
					t.Fatalf("the browser's call ended with %+v, %v", ended, err)
				}
				time.Sleep(time.Second)
				same(t, "dials", h.dials, nil)
				same(t, "legs", h.ep.Stats().Legs, 0)
				if kinds := events.kinds(); !strings.Contains(kinds, "answered ended(") {
					t.Errorf("events %s", kinds)
				}
			})
		})
	}
}

// R33: the connection breaks as the browser answers. Its 200 was here, but nobody knows whether our ACK was there, and a
// browser does not repeat its 200 over the next connection: so the ACK is. Later there is nothing to repeat.
func TestR33AckOfABrowsersAnswerGoesOutAgainOverItsNextConnection(t *testing.T) {
	for _, tc := range []struct {
		after time.Duration
		acks  int
	}{{100 * time.Millisecond, 2}, {timerB + time.Second, 1}} {
		inHouse(t, "198.51.100.1", func(h *house) {
			t := h.t
			var acks atomic.Int64
			p := h.deviceWith(t, "WSS", "203.0.113.5:40000", func(o *siptest.PhoneOptions) {
				o.Trace = func(sent bool, _ net.Addr, b []byte) {
					if !sent && bytes.HasPrefix(b, []byte("ACK ")) {
						acks.Add(1)
					}
				}
			})
			defer p.Close() //nolint:errcheck // in memory
			var events eventLog
			leg := h.ep.Dial(targetOfDevice(), []byte(strings.ReplaceAll(sdpOffer, "192.0.2.10", "198.51.100.1")), events.add)
			call, err := p.NextCall(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err = call.WaitConfirmed(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(tc.after)
			p.DropConnections()
			time.Sleep(5 * time.Second)
			same(t, "ACKs before", int(acks.Load()), 1)
			if err = p.Register(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			same(t, "ACKs", int(acks.Load()), tc.acks)
			leg.Hangup("")
			if _, err = call.WaitEnded(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A TLS proxy may share its address with a trunk, as on one machine: its browsers are devices, and strangers are nobody.
func TestNobodyIsATrunkOverWebSocket(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		h.answered()
		p := h.device(t, "WSS", "192.0.2.10:40000") // the address of the trunk
		defer p.Close()                             //nolint:errcheck // in memory
		call, err := p.Invite(t.Context(), "+82212345678", siptest.CallOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err = call.WaitAnswered(t.Context()); err != nil {
			t.Fatal(err)
		}
		in := h.owner.call(t, 0).in
		same(t, "trunk", in.TrunkID, "")
		same(t, "a device's", in.DeviceUser != "", true)
		call.Hangup()
		synctest.Wait()
	})
}

// RFC 7118, RFC 6455 §10.2: who may open a WebSocket, and how.
func TestWebSocketIsForPagesOfOursAndForSIPOnly(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return h.network.DialStream(ctx, netip.MustParseAddr("203.0.113.5"), netip.MustParseAddrPort(h.at("8080")))
		}}
		defer transport.CloseIdleConnections()
		for name, tc := range map[string]struct {
			origin   string
			protocol []string
			status   int
		}{
			"our own page":     {"http://198.51.100.1:8080", []string{"sip"}, 101},
			"a page we allow":  {"https://console.example", []string{"sip"}, 101},
			"no browser":       {"", []string{"sip"}, 101},
			"another page":     {"https://evil.example", []string{"sip"}, 403},
			"null":             {"null", []string{"sip"}, 403},
			"another protocol": {"", []string{"chat"}, 400},
			"no protocol":      {"", nil, 400},
			"two protocols":    {"", []string{"chat", "sip"}, 101},
		} {
			header := http.Header{}
			if tc.origin != "" {
				header.Set("Origin", tc.origin)
			}
			ws, res, err := websocket.Dial(t.Context(), "ws://"+h.at("8080")+"/sip", &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Subprotocols: tc.protocol,
			})
			if res == nil {
				t.Fatalf("%s: %v", name, err)
			}
			same(t, name, res.StatusCode, tc.status)
			if ws != nil {
				same(t, "subprotocol", ws.Subprotocol(), "sip")
				_ = ws.CloseNow()
			}
		}
		synctest.Wait()
		same(t, "connections", h.ep.Connections()["WS"], 0)
	})
}
