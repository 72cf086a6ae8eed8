package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"ullim/sip/siptest"
)

// A pulse says what is due, and when.
func TestPulseRows(t *testing.T) {
	t0 := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	for name, tc := range map[string]struct {
		p    pulse
		want time.Duration
		end  error
	}{
		"new":                    {pulse{opened: t0}, streamFirst, errFirst},
		"only keep-alives":       {pulse{opened: t0, heard: at(5 * time.Second)}, streamFirst, errFirst},
		"stranger":               {pulse{opened: t0, heard: at(time.Second), spoken: true}, time.Second + streamIdle, errIdle},
		"known":                  {pulse{opened: t0, heard: at(time.Second), spoken: true, known: true}, time.Second + streamIdleKnown, errIdle},
		"half a message":         {pulse{opened: t0, heard: at(5 * time.Second), begun: at(time.Second), spoken: true}, time.Second + streamMessage, errHalf},
		"ours":                   {pulse{opened: t0, ours: true, pings: true}, streamPing, nil},
		"ours, heard":            {pulse{opened: t0, ours: true, pings: true, heard: at(time.Minute)}, time.Minute + streamPing, nil},
		"ours, asked":            {pulse{opened: t0, ours: true, pings: true, asked: at(time.Second)}, time.Second + streamSilent, errSilent},
		"trunk, asked":           {pulse{opened: t0, trunk: true, known: true, spoken: true, heard: t0, asked: at(time.Hour)}, time.Hour + streamSilent, errSilent},
		"ping without an answer": {pulse{opened: t0, ours: true, pings: true, pongs: true, pinged: at(time.Minute), beat: at(time.Minute)}, time.Minute + streamPong, errNoPong},
		"never answered a ping":  {pulse{opened: t0, ours: true, pings: true, pinged: at(time.Minute), beat: at(time.Minute)}, 2 * time.Minute, nil},
		"browser":                {pulse{opened: t0, pings: true, pongs: true, spoken: true, known: true, heard: at(time.Second)}, time.Second + streamPing, nil},
		"browser, silent":        {pulse{opened: t0, pings: true, pongs: true}, streamFirst, errFirst},
	} {
		when, end := tc.p.due()
		if got := when.Sub(t0); got != tc.want || end != tc.end { //nolint:errorlint // it is this one
			t.Errorf("%s: after %v %v, want %v %v", name, got, end, tc.want, tc.end)
		}
	}
}

// browser is a WebSocket of a test's own.
func (h *house) browser(t *testing.T, from string) *websocket.Conn {
	t.Helper()
	o := h.options("WS", from)
	raw, err := h.network.DialStream(t.Context(), netip.MustParseAddrPort(from).Addr(), netip.MustParseAddrPort(o.Server))
	if err != nil {
		t.Fatal(err)
	}
	ws, _, err := websocket.Dial(t.Context(), "ws://"+o.Server+"/sip", &websocket.DialOptions{ //nolint:bodyclose // upgraded
		HTTPClient: oneConnection(raw), Subprotocols: []string{"sip"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func TestR33WebSocketMessagesKeepAlivesAndLimits(t *testing.T) {
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		ctx := t.Context()
		wsPing := func(n int, extra ...string) []byte {
			return []byte(strings.Replace(ping(n, extra...), "SIP/2.0/TCP 192.0.2.10:5060", "SIP/2.0/WS abc.invalid", 1))
		}
		ws := h.browser(t, "203.0.113.5:1000")
		answer := func(kind websocket.MessageType, b []byte) string {
			t.Helper()
			if err := ws.Write(ctx, kind, b); err != nil {
				t.Fatal(err)
			}
			_, data, err := ws.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(data), "\r\n")
			return first
		}
		same(t, "text", answer(websocket.MessageText, wsPing(1)), "SIP/2.0 200 OK")
		same(t, "binary", answer(websocket.MessageBinary, wsPing(2)), "SIP/2.0 200 OK")
		same(t, "ping of RFC 5626", answer(websocket.MessageText, []byte("\r\n\r\n")), "")
		noLength := bytes.Replace(wsPing(3), []byte("Content-Length: 0\r\n"), nil, 1)
		same(t, "no Content-Length", answer(websocket.MessageText, noLength), "SIP/2.0 200 OK") // the frame is the end
		same(t, "two messages in one", answer(websocket.MessageText, append(wsPing(4), wsPing(5)...)), "SIP/2.0 200 OK")
		same(t, "not for SIP", answer(websocket.MessageText, []byte("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/WS a;branch=z9hG4bKq\r\n\r\n")),
			"SIP/2.0 400 Bad Request")
		same(t, "31 KiB", answer(websocket.MessageText, wsPing(6, "X-Long: "+strings.Repeat("x", 20000), "X-More: "+strings.Repeat("x", 11000))),
			"SIP/2.0 200 OK")
		go func() { _, _, _ = ws.Read(ctx) }()  // answers pings until the end
		time.Sleep(streamIdle + 10*time.Second) // our pings are heard: a stranger's socket stays
		same(t, "connections", h.ep.Connections()["WS"], 1)
		if err := ws.Write(ctx, websocket.MessageText, bytes.Repeat([]byte("x"), maxMessage+1)); err == nil {
			time.Sleep(time.Second)
		}
		same(t, "after 64 KiB", h.ep.Connections()["WS"], 0)
		_ = ws.CloseNow()

		mute := h.browser(t, "203.0.113.5:1001") // it never reads, so it answers no ping
		if err := mute.Write(ctx, websocket.MessageText, wsPing(7)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(streamPing + streamPong - time.Second)
		same(t, "a browser that hangs", h.ep.Connections()["WS"], 1)
		time.Sleep(3 * time.Second)
		same(t, "is given up", h.ep.Connections()["WS"], 0)
		_ = mute.CloseNow()
	})
}

// Threat 19: strangers cannot take the room of trunks and of hosts that have registered; phones of one office behind one
// address do not count as strangers.
func TestThreat19RoomIsKeptForTrunksAndRegisteredPeers(t *testing.T) {
	const most = 160
	inHouse(t, "198.51.100.1", func(h *house) {
		t := h.t
		p := h.device(t, "TCP", "203.0.113.5:40000")
		defer p.Close() //nolint:errcheck // in memory
		dial := func(from string) net.Conn {
			c, err := h.network.DialStream(t.Context(), netip.MustParseAddr(from), netip.MustParseAddrPort(h.at("5060")))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		var all []net.Conn
		defer func() {
			for _, c := range all {
				_ = c.Close()
			}
		}()
		for i := range 200 {
			all = append(all, dial(fmt.Sprintf("203.0.113.%d", 100+i/50)))
		}
		synctest.Wait()
		same(t, "strangers and one phone", h.ep.Connections()["TCP"], most-most/8+1)
		all = append(all, dial("192.0.2.10"), dial("203.0.113.5")) // a trunk, another phone of the office
		synctest.Wait()
		same(t, "with a trunk and a proven host", h.ep.Connections()["TCP"], most-most/8+3)
		time.Sleep(streamFirst + time.Second)
		same(t, "strangers that say nothing are gone", h.ep.Connections()["TCP"], 2) // the phone and the trunk
	}, func(o *Options) { o.MaxStreams = most })
}

// Threat 18: opening connections costs a stranger as much of its allowance as requests do, and with IPv6 a /64 is one
// stranger.
func TestThreat18ConnectionsOfOneStrangerAreFew(t *testing.T) {
	for host, from := range map[string]string{"198.51.100.1": "203.0.113.%d", "[2001:db8::1]": "2001:db8:0:7::%d"} {
		inHouse(t, host, func(h *house) {
			t := h.t
			dial := func(from string) net.Conn {
				c, err := h.network.DialStream(t.Context(), netip.MustParseAddr(from), netip.MustParseAddrPort(h.at("5060")))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			for range 400 { // one after the other
				c := dial(fmt.Sprintf(from, 7))
				synctest.Wait()
				_ = c.Close()
			}
			if n := h.ep.Stats().Reaped; n < 200 || n >= 400 {
				t.Errorf("%d of 400 were closed at once", n)
			}
			if !strings.Contains(from, "::") {
				return
			}
			time.Sleep(time.Minute)
			var open []net.Conn
			for i := range 90 { // at the same time, each from another address of one line
				open = append(open, dial(fmt.Sprintf(from, 100+i)))
			}
			synctest.Wait()
			same(t, "connections", h.ep.Connections()["TCP"], maxStreamsSource)
			for _, c := range open {
				_ = c.Close()
			}
		})
	}
}

// Whoever watches sees every message, in and out, on every transport, as it was on the wire.
func TestOnMessageSeesEveryMessageAsOnTheWire(t *testing.T) {
	for _, transport := range []string{"UDP", "TCP", "TLS", "WS", "WSS"} {
		t.Run(transport, func(t *testing.T) {
			var mu sync.Mutex
			var seen, traced []string
			trace := func(sent bool, _ net.Addr, b []byte) {
				mu.Lock()
				defer mu.Unlock()
				traced = append(traced, fmt.Sprint(!sent, string(b)))
			}
			inHouse(t, "198.51.100.1", func(h *house) { h.traffic(transport, trace) }, func(o *Options) {
				o.OnMessage = func(m Message) {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, fmt.Sprint(m.Sent, string(m.Raw)))
					if m.Network != transport || m.Local.Addr() != netip.MustParseAddr("198.51.100.1") || m.At.IsZero() ||
						m.Remote.Addr() != netip.MustParseAddr("203.0.113.5") && !strings.HasPrefix(transport, "W") {
						t.Errorf("network %s, local %s, remote %s", m.Network, m.Local, m.Remote)
					}
				}
			})
			count := func(list []string) map[string]int {
				m := map[string]int{}
				for _, s := range list {
					m[s]++
				}
				return m
			}
			same(t, "messages", count(seen), count(traced))
		})
	}
}

// traffic registers, makes a call and says something that is no SIP.
func (h *house) traffic(transport string, trace func(sent bool, peer net.Addr, b []byte)) {
	t := h.t
	o := h.options(transport, "203.0.113.5:40000")
	o.Trace = trace
	p, err := siptest.NewPhone(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // in memory
	if err = p.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.answered()
	call, err := p.Invite(t.Context(), "+82212345678", siptest.CallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err = call.WaitAnswered(t.Context()); err != nil {
		t.Fatal(err)
	}
	call.Hangup()
	time.Sleep(time.Second)
	if err = p.SendRaw([]byte("not SIP at all, but long enough to be a message\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestOnMessageCostsNothingWhenNobodyWatches(t *testing.T) {
	ep := &Endpoint{}
	raw, at := []byte(ping(1)), netip.MustParseAddrPort("192.0.2.1:5060")
	if n := testing.AllocsPerRun(100, func() { ep.sent("UDP", at, at, raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// RFC 3261 §26.2.2: sips only over TLS, and then our Contact is one too.
func TestSipsNeedsTLS(t *testing.T) {
	for transport, want := range map[string]string{"TCP": "416", "TLS": "200"} {
		inHouse(t, "198.51.100.1", func(h *house) {
			t := h.t
			h.answered()
			c, _ := h.carrier(t, transport, "192.0.2.10:5070")
			defer c.Close() //nolint:errcheck // in memory
			call, err := c.Call(t.Context(), "sips:+82212345678@198.51.100.1", "+821012345678", siptest.CallOptions{})
			if err != nil {
				t.Fatal(err)
			}
			err = call.WaitAnswered(t.Context())
			same(t, transport+" answered", err == nil, want == "200")
			if err == nil {
				h.owner.call(t, 0).leg.Hangup("")
				_, err = call.WaitEnded(t.Context())
				same(t, "BYE found it", err, nil)
			}
			time.Sleep(time.Second)
		})
	}
}

// A stranger's stream is cut into the same messages however the network has cut it.
func FuzzStreamFraming(f *testing.F) {
	f.Add([]byte(ping(1)+"\r\n\r\n"+ping(2)), []byte{3, 50, 1})
	f.Add([]byte(message("Content-Length: 70000")), []byte{1})
	f.Add([]byte("\r\n\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl : 3\r\n\r\nabc"), []byte{2, 2, 2})
	f.Add([]byte("A\r\nContent-Length:\r\n 1\r\n\r\nx"), []byte{9})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		run := func(cuts []byte) (out []string, pings int, err error) {
			var fr framer
			for rest, i := data, 0; len(rest) > 0; i++ {
				n := len(rest)
				if len(cuts) > 0 {
					n = min(n, 1+int(cuts[i%len(cuts)]))
				}
				fr.buf = append(fr.buf, rest[:n]...)
				rest = rest[n:]
				for {
					m, p, _, err := fr.frame()
					pings += p
					if err != nil {
						return out, pings, err
					}
					if len(m) == 0 {
						break
					}
					if len(m) > maxMessage {
						t.Fatalf("a message of %d bytes", len(m))
					}
					out = append(out, string(m))
					fr.take(len(m))
				}
				if len(fr.buf) > maxMessage+len(rest)+256 && n <= 256 {
					t.Fatalf("%d bytes are kept", len(fr.buf))
				}
			}
			return out, pings, nil
		}
		whole, pings, err := run(nil)
		cut, cutPings, cutErr := run(cuts)
		if strings.Join(whole, "|") != strings.Join(cut, "|") || (err == nil) != (cutErr == nil) || err == nil && pings != cutPings {
			t.Errorf("whole %q %d %v\ncut   %q %d %v", whole, pings, err, cut, cutPings, cutErr)
		}
	})
}

// What sipgo would write as frames comes out as the same messages.
func FuzzWebSocketFrames(f *testing.F) {
	f.Add([]byte{0x81, 3, 'a', 'b', 'c', 0x81, 0}, 2)
	f.Add([]byte{0x81, 126, 0, 1, 'x'}, 1)
	f.Add([]byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 5)
	f.Fuzz(func(t *testing.T, data []byte, _ int) {
		for len(data) > 0 {
			payload, size := frameOf(data)
			if size == 0 {
				return
			}
			if size < 2 || size > len(data) || len(payload) > size-2 {
				t.Fatalf("size %d of %d, payload %d", size, len(data), len(payload))
			}
			data = data[size:]
		}
	})
}

// oneConnection is an HTTP client that has only this connection.
func oneConnection(c net.Conn) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil },
	}}
}
