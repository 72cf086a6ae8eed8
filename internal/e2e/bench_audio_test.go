package e2e

import (
	"bufio"
	wire "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sink is the ear of all callers of a load: one socket that takes everybody's audio, told apart by SSRC. The kernel notes
// when a packet arrived, so that a sink that is late itself does not blame the sender.
type sink struct {
	conn *net.UDPConn
	port int

	mu       sync.Mutex
	streams  map[uint32]*stream
	all      int
	sound    int
	missing  int
	interval []float64 // ms between packets of one stream; only while measuring
	timing   bool
}

type stream struct {
	at       int64 // ns, of the last packet
	sequence uint16
}

// gapStats are the times between the packets of a call, over all calls.
type gapStats struct {
	p50, p99, worst float64 // ms
	late            float64 // share over 40 ms
	n               int
}

func (g gapStats) String() string {
	return fmt.Sprintf("gaps of %.1f ms (p50), %.1f (p99), %.1f (longest), %.2f %% over 40 ms, n=%d", g.p50, g.p99, g.worst, 100*g.late, g.n)
}

func newSink(b *testing.B) *sink {
	b.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	raw, err := conn.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var serr error
	if err = raw.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }); err != nil || serr != nil {
		b.Fatal(err, serr)
	}
	s := &sink{conn: conn, port: int(conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()), streams: map[uint32]*stream{}}
	var reading sync.WaitGroup
	reading.Go(s.read)
	b.Cleanup(func() { _ = conn.Close(); reading.Wait() })
	return s
}

func (s *sink) read() {
	buf, oob := make([]byte, 1500), make([]byte, 64)
	for {
		n, no, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		at := time.Now().UnixNano()
		if no >= 32 { // cmsghdr and timespec on 64 bits
			at = int64(wire.NativeEndian.Uint64(oob[16:]))*1e9 + int64(wire.NativeEndian.Uint64(oob[24:])) // a time
		}
		s.take(buf[:n], at, from)
	}
}

// alive is a packet of silence: callers who never say anything are taken for dead after a while.
const aliveEvery = 250 // packets heard

func (s *sink) take(p []byte, at int64, from netip.AddrPort) {
	sequence, ssrc := wire.BigEndian.Uint16(p[2:]), wire.BigEndian.Uint32(p[8:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all++
	if payload := p[12:]; slices.ContainsFunc(payload, func(c byte) bool { return c != payload[0] }) {
		s.sound++
	}
	last := s.streams[ssrc]
	if last == nil {
		s.streams[ssrc] = &stream{at, sequence}
		return
	}
	if step := sequence - last.sequence; step > 1 && step < 1000 {
		s.missing += int(step) - 1
	}
	if s.timing {
		s.interval = append(s.interval, float64(at-last.at)/1e6)
	}
	last.at, last.sequence = at, sequence
	if sequence%aliveEvery == 0 {
		silence := append([]byte{0x80, 0}, p[2:12]...)
		silence = append(silence, slices.Repeat([]byte{0xff}, 160)...)
		_, _ = s.conn.WriteToUDPAddrPort(silence, from)
	}
}

// measure begins to note the times between packets.
func (s *sink) measure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timing, s.interval = true, nil
}

// gaps ends what measure began.
func (s *sink) gaps() gapStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timing = false
	v := slices.Sorted(slices.Values(s.interval))
	if len(v) == 0 {
		return gapStats{}
	}
	over, _ := slices.BinarySearch(v, 40)
	return gapStats{v[len(v)/2], v[len(v)*99/100], v[len(v)-1], float64(len(v)-over) / float64(len(v)), len(v)}
}

func (s *sink) packets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

func (s *sink) lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing
}

// sounding is the share of packets that are not silence.
func (s *sink) sounding() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.sound) / float64(max(1, s.all))
}

// bareEnv makes this binary the yardstick: so many sockets, and the port to send to (0: only wait, with a goroutine a
// socket).
const bareEnv = "ULLIM_BENCH_BARE"

// TestBareProcess is no test: it is the process of bareSender and bareMemory.
func TestBareProcess(t *testing.T) {
	what := os.Getenv(bareEnv)
	if what == "" {
		t.Skip("only the benchmarks run it")
	}
	var n, port int
	if _, err := fmt.Sscan(what, &n, &port); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, "begin")
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	conns := make([]*net.UDPConn, n)
	for i := range conns {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		if port == 0 {
			go func() { _, _, _ = c.ReadFromUDPAddrPort(make([]byte, 1501)) }()
		}
	}
	over := make(chan struct{})
	go func() { _, _ = in.ReadString('\n'); close(over) }()
	fmt.Fprintln(os.Stdout, "ready")
	if port == 0 {
		<-over
		return
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)) // a port
	packet := append([]byte{0x80, 0}, make([]byte, 170)...)
	for next, frame := time.Now(), 0; ; frame++ {
		wire.BigEndian.PutUint16(packet[2:], uint16(frame)) // wraps
		wire.BigEndian.PutUint32(packet[4:], uint32(frame*160))
		for i, c := range conns {
			wire.BigEndian.PutUint32(packet[8:], uint32(i+1)) // small
			_, _ = c.WriteToUDPAddrPort(packet, to)
		}
		next = next.Add(20 * time.Millisecond)
		select {
		case <-over:
			return
		case <-time.After(time.Until(next)):
		}
	}
}

// bareChild runs TestBareProcess; at begins and ends the two phases.
func bareChild(b *testing.B, sockets, port int, begun, ready func(pid int)) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBareProcess$")
	cmd.Env = append(os.Environ(), "ULLIM_BIN=none", bareEnv+"="+strings.Join([]string{strconv.Itoa(sockets), strconv.Itoa(port)}, " "))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	begun(cmd.Process.Pid)
	fmt.Fprintln(in)
	lines.Scan()
	ready(cmd.Process.Pid)
	_ = in.Close()
	for lines.Scan() { // to its end
	}
	if err = cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// bareSender gives the CPU time, in microseconds a packet, of a process that does nothing but send the packets of so many
// calls, one tick in 20 ms, a socket each.
func bareSender(b *testing.B, calls, windows int, window time.Duration) (perPacket []float64) {
	b.Helper()
	s := newSink(b)
	bareChild(b, calls, s.port, func(int) {}, func(pid int) {
		for range windows {
			before := s.packets()
			cost := costs(b, pid, func() { time.Sleep(window) })
			perPacket = append(perPacket, 1000*cost/float64(s.packets()-before))
		}
	})
	return perPacket
}

// bareMemory gives the resident bytes that one socket with a goroutine and a packet's buffer takes.
func bareMemory(b *testing.B, sockets int) (each float64) {
	b.Helper()
	before := 0.0
	bareChild(b, sockets, 0, func(pid int) { before = residentOf(b, pid) }, func(pid int) {
		each = (residentOf(b, pid) - before) / float64(sockets)
	})
	return each
}
