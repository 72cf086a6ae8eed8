package sip

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	sipgo "github.com/emiago/sipgo/sip"
)

// WebSocketPath is where browsers connect.
const WebSocketPath = "/sip"

// WebSocket is the handler for WebSocketPath: SIP over WebSocket, RFC 7118. origins are the hosts (or scheme://host) of
// pages that may use it beside those of this host itself; a client that names no Origin is no browser and may.
func (ep *Endpoint) WebSocket(origins []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				ep.panicked("websocket", p)
			}
		}()
		ep.upgrade(w, r, origins)
	})
}

func (ep *Endpoint) upgrade(w http.ResponseWriter, r *http.Request, origins []string) {
	network := "WS"
	if r.TLS != nil {
		network = "WSS"
	}
	if !offersSIP(r.Header.Values("Sec-WebSocket-Protocol")) { // RFC 7118 §4.1
		http.Error(w, `the WebSocket subprotocol must be "sip" (RFC 7118)`, http.StatusBadRequest)
		return
	}
	src, err := netip.ParseAddrPort(r.RemoteAddr)
	local, ok := localOf(r)
	if err != nil || !ok {
		http.Error(w, "no address", http.StatusInternalServerError)
		return
	}
	src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	conn := &messageStream{}
	c := newStream(ep, network, src, local, false, conn.cut)
	conn.c = c
	c.pulse.pings, c.pulse.pongs = true, true // RFC 6455 §5.5.2 makes everybody answer
	if !ep.streams.add(ep, c) {
		ep.count.reaped.Add(1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"sip"}, OriginPatterns: origins,
		OnPingReceived: func(context.Context, []byte) bool { c.hear(false); return true },
		OnPongReceived: func(context.Context, []byte) { c.hear(true) },
	})
	if err != nil { // it has answered
		ep.log.Info("websocket refused", "source", src.String(), "origin", clip(r.Header.Get("Origin"), 200), "error", err)
		c.drop()
		return
	}
	ws.SetReadLimit(maxMessage)
	if !conn.set(ws) || !ep.streams.enter(c) {
		c.drop()
		return
	}
	c.serve(conn, &wsFace{streamConn: c})
}

// overWebSocket reports a request that came from a page.
func overWebSocket(req *sipgo.Request) bool {
	network := sipgo.NetworkToUpper(req.Transport())
	return network == "WS" || network == "WSS"
}

// offersSIP reports whether a client asks for the subprotocol.
func offersSIP(headers []string) bool {
	return slices.ContainsFunc(headers, func(h string) bool {
		for p := range strings.SplitSeq(h, ",") {
			if strings.EqualFold(strings.TrimSpace(p), "sip") {
				return true
			}
		}
		return false
	})
}

// localOf is the address that an HTTP request came to.
func localOf(r *http.Request) (netip.AddrPort, bool) {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return netip.AddrPort{}, false
	}
	ap, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), err == nil
}

// messageStream is a WebSocket: every message is a SIP message, or a keep-alive.
type messageStream struct {
	c *streamConn

	mu   sync.Mutex
	ws   *websocket.Conn
	over bool
}

// set gives it its connection; false if it was cut before.
func (m *messageStream) set(ws *websocket.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ws = ws
	if m.over {
		_ = ws.CloseNow()
	}
	return !m.over
}

func (m *messageStream) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	if m.ws != nil {
		_ = m.ws.CloseNow()
	}
}

func (m *messageStream) next(c *streamConn) ([]byte, error) {
	for {
		_, data, err := m.ws.Read(c.ep.ctx)
		if err != nil {
			if websocket.CloseStatus(err) != -1 {
				return nil, context.Canceled // they said good-bye
			}
			return nil, err
		}
		c.hear(false)
		if !keepAlive(data) {
			c.spoke()
			return data, nil
		}
		if bytes.HasPrefix(data, []byte("\r\n\r\n")) {
			c.send([]byte("\r\n")) // RFC 7118 §6
		}
	}
}

func (m *messageStream) write(p []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), streamWrite)
	defer cancel()
	kind := websocket.MessageText
	if !utf8.Valid(p) { // RFC 7118 §4.2: either will do
		kind = websocket.MessageBinary
	}
	return m.ws.Write(ctx, kind, p)
}

// ping asks for a sign of life; the pulse judges.
func (m *messageStream) ping(c *streamConn) {
	c.ep.spawn(func() {
		ctx, cancel := context.WithTimeout(c.ep.ctx, streamPong+time.Second)
		defer cancel()
		_ = m.ws.Ping(ctx) // a failed one closes the connection
	})
}

func (m *messageStream) close() { m.cut() }

// wsFace is how sipgo sees a WebSocket that is already open and whose messages are judged: as a connection that asks for
// the upgrade and then sends frames. sipgo's own server side answers no ping, knows no Origin, and would do the upgrade
// of one client while the others wait.
type wsFace struct {
	*streamConn
	hello   bool   // the request for the upgrade was given
	in      []byte // frames that sipgo has not read yet
	scratch [packetRoom]byte

	out     []byte // what sipgo has written of a frame
	greeted bool   // its answer to the upgrade is through
}

const wsHello = "GET /sip HTTP/1.1\r\nHost: sip.invalid\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"

// Read gives sipgo the next bytes of a frame, masked with zeros as a client's must be masked. RFC 6455 §5.2.
func (f *wsFace) Read(p []byte) (int, error) {
	if !f.hello {
		f.hello, f.in = true, []byte(wsHello)
	}
	if len(f.in) == 0 {
		n, err := f.streamConn.Read(f.scratch[:])
		if err != nil {
			return 0, err
		}
		frame := make([]byte, 0, 8+n)
		frame = append(frame, 0x81) // a whole message of text
		if n < 126 {
			frame = append(frame, 0x80|byte(n))
		} else {
			frame = append(frame, 0x80|126)
			frame = binary.BigEndian.AppendUint16(frame, uint16(n))
		}
		frame = append(frame, 0, 0, 0, 0)
		f.in = append(frame, f.scratch[:n]...)
	}
	n := copy(p, f.in)
	f.in = f.in[n:]
	return n, nil
}

// Write takes sipgo's frames apart again. sipgo writes one at a time.
func (f *wsFace) Write(p []byte) (int, error) {
	f.out = append(f.out, p...)
	if !f.greeted {
		_, rest, ok := bytes.Cut(f.out, []byte("\r\n\r\n"))
		if !ok {
			return len(p), nil
		}
		f.greeted, f.out = true, rest
	}
	for {
		payload, size := frameOf(f.out)
		if size == 0 {
			return len(p), nil
		}
		if len(payload) > 0 {
			if _, err := f.streamConn.Write(payload); err != nil {
				return 0, err
			}
		}
		f.out = f.out[size:]
	}
}

// frameOf is the first whole frame of what a server writes, unmasked; size 0 asks for more. RFC 6455 §5.2.
func frameOf(b []byte) (payload []byte, size int) {
	if len(b) < 2 {
		return nil, 0
	}
	head, n := 2, uint64(b[1]&0x7f)
	switch n {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	if len(b) < head {
		return nil, 0
	}
	switch head {
	case 4:
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		n = binary.BigEndian.Uint64(b[2:])
	}
	if n > uint64(len(b)-head) {
		return nil, 0
	}
	size = head + int(n)
	return b[head:size], size
}
