package agent

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/call"
)

// rawTab opens a socket by hand and throws away what comes, counting bytes: a client that costs next to nothing.
func rawTab(b *testing.B, address, user string, bytes *atomic.Int64) net.Conn {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET /agent/v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer uls_%s\r\n\r\n", user)
	if err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 512)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	go func() {
		buf := make([]byte, 512)
		for {
			n, readErr := r.Read(buf)
			bytes.Add(int64(n))
			if readErr != nil {
				return
			}
		}
	}()
	return conn
}

// BenchmarkAThousandAgents has a thousand agents on the phone, a socket each, and changes one agent after the other. It tells how
// many changes a second reach their panels, and what a socket costs, its hub and the client's few bytes included.
func BenchmarkAThousandAgents(b *testing.B) {
	const agents = 1000
	users := make([]string, agents)
	for i := range users {
		users[i] = fmt.Sprint("u", i)
	}
	w := newFakeWorld(users...)
	w.signIn(users...)
	s := w.service(b)
	for i, u := range users {
		w.talk(u, fmt.Sprint("c", i), acd.SlotConnected)
	}
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	var bytes atomic.Int64
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := heap()
	conns := make([]io.Closer, 0, agents)
	for _, u := range users {
		conns = append(conns, rawTab(b, server.Listener.Addr().String(), u, &bytes))
	}
	after := heap()
	b.ResetTimer()
	for i := range b.N {
		id := fmt.Sprint("c", i%agents)
		w.change(func() {
			l := w.live[id]
			l.Parties = append([]call.Participant(nil), l.Parties...)
			l.Parties[0].OnHold = !l.Parties[0].OnHold
			w.live[id] = l
		})
		s.Wake(users[i%agents])
		for s.Counts().Events.Load()+64 < uint64(i) { // as many on the way as a busy centre has
			time.Sleep(50 * time.Microsecond)
		}
	}
	for s.Counts().Events.Load() < uint64(b.N)*9/10 { // changes that come together are one event
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(after-before)/agents, "B/socket")
	b.ReportMetric(float64(s.Counts().Events.Load())/b.Elapsed().Seconds(), "events/s")
	for _, c := range conns {
		_ = c.Close()
	}
}
