package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Chunks of HEP version 3 that are sent; vendor 0.
const (
	hepFamily      = 0x0001
	hepProtocol    = 0x0002
	hepSource4     = 0x0003
	hepTarget4     = 0x0004
	hepSource6     = 0x0005
	hepTarget6     = 0x0006
	hepSourcePort  = 0x0007
	hepTargetPort  = 0x0008
	hepSeconds     = 0x0009
	hepMicros      = 0x000a
	hepKind        = 0x000b
	hepAgent       = 0x000c
	hepKey         = 0x000e
	hepPayload     = 0x000f
	hepCorrelation = 0x0011

	hepSIP = 1
)

// HEP is how a message is wrapped for HOMER. agent is the capture id, key the password of the collector or empty.
// correlation joins the legs of a call.
func HEP(m Message, payload []byte, agent uint32, key, correlation string) []byte {
	from, to := m.Remote, m.Local
	if m.Sent {
		from, to = to, from
	}
	b := append(make([]byte, 0, len(payload)+256), "HEP3\x00\x00"...)
	chunk := func(kind uint16, data ...byte) {
		b = binary.BigEndian.AppendUint16(b, 0)
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(6+len(data)))
		b = append(b, data...)
	}
	two := func(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
	four := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	six := !from.Addr().Unmap().Is4() || !to.Addr().Unmap().Is4()
	if six {
		a, z := from.Addr().As16(), to.Addr().As16()
		chunk(hepFamily, 10) // AF_INET6
		chunk(hepSource6, a[:]...)
		chunk(hepTarget6, z[:]...)
	} else {
		a, z := from.Addr().Unmap().As4(), to.Addr().Unmap().As4()
		chunk(hepFamily, 2) // AF_INET
		chunk(hepSource4, a[:]...)
		chunk(hepTarget4, z[:]...)
	}
	protocol := byte(6) // TCP
	if strings.EqualFold(m.Network, "UDP") {
		protocol = 17
	}
	chunk(hepProtocol, protocol)
	chunk(hepSourcePort, two(from.Port())...)
	chunk(hepTargetPort, two(to.Port())...)
	chunk(hepSeconds, four(uint32(m.At.Unix()))...)
	chunk(hepMicros, four(uint32(m.At.Nanosecond()/1000))...)
	chunk(hepKind, hepSIP)
	chunk(hepAgent, four(agent)...)
	if key != "" {
		chunk(hepKey, []byte(key)...)
	}
	if correlation != "" {
		chunk(hepCorrelation, []byte(correlation)...)
	}
	const most = 60_000 // of one datagram, and of the length of a chunk
	chunk(hepPayload, payload[:min(len(payload), most)]...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

// ExporterOptions are where messages are sent.
type ExporterOptions struct {
	Address string // host:port of the collector, UDP
	Agent   uint32
	Key     string
	// Correlate names the contact of a Call-ID; empty if it has none. What it does not know is exported by its Call-ID.
	Correlate func(callID string) string
	Queue     int           // messages waiting (4096)
	Hold      time.Duration // so long a message waits, until its call is a contact (500 ms)
}

// Exporter sends messages to a HOMER collector. It never blocks what it observes: a full queue drops and counts.
type Exporter struct {
	o       ExporterOptions
	queue   chan waiting
	stop    context.CancelFunc
	running sync.WaitGroup

	sent, dropped atomic.Uint64
}

type waiting struct {
	m       Message
	payload []byte
	callID  string
}

// NewExporter starts to export. The address is looked up by its own goroutine, again and again until it is found.
func NewExporter(o ExporterOptions) (*Exporter, error) {
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return nil, errors.New("trace: the collector must be host:port")
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Hold == 0 {
		o.Hold = 500 * time.Millisecond
	}
	ctx, stop := context.WithCancel(context.Background())
	x := &Exporter{o: o, queue: make(chan waiting, o.Queue), stop: stop}
	x.running.Go(func() { x.run(ctx) })
	return x, nil
}

// Add queues a message. A nil Exporter drops it.
func (x *Exporter) Add(m Message) {
	if x == nil {
		return
	}
	n, ok := read(m.Raw)
	if !ok {
		return
	}
	select {
	case x.queue <- waiting{m: m, payload: Redact(m.Raw, 60_000), callID: n.callID}:
	default:
		x.dropped.Add(1)
	}
}

// Stats is how many messages were sent and dropped.
func (x *Exporter) Stats() (sent, dropped uint64) {
	if x == nil {
		return 0, 0
	}
	return x.sent.Load(), x.dropped.Load()
}

// Close sends nothing more.
func (x *Exporter) Close() {
	if x != nil {
		x.stop()
		x.running.Wait()
	}
}

func (x *Exporter) run(ctx context.Context) {
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for {
		var w waiting
		select {
		case <-ctx.Done():
			return
		case w = <-x.queue:
		}
		if !pause(ctx, x.o.Hold-time.Since(w.m.At)) {
			return
		}
		if conn == nil {
			dial, cancel := context.WithTimeout(ctx, 5*time.Second)
			c, err := (&net.Dialer{}).DialContext(dial, "udp", x.o.Address)
			cancel()
			if err != nil {
				x.dropped.Add(1)
				continue
			}
			conn = c
		}
		correlation := x.o.Correlate(w.callID)
		if correlation == "" {
			correlation = w.callID
		}
		if _, err := conn.Write(HEP(w.m, w.payload, x.o.Agent, x.o.Key, correlation)); err != nil {
			x.dropped.Add(1) // nobody listens there now; UDP tells so at the next write
			continue
		}
		x.sent.Add(1)
	}
}

// pause waits, and reports whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
