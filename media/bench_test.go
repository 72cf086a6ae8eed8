//go:build unix

package media_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ullim/media"
)

// The relay benchmark measures what a packet costs that comes in on one leg and goes out on the other: the CPU time of this
// process, as the kernel counts it, by the packets relayed, over real sockets on loopback. The phones are another process
// (this binary, run again), so that their CPU is not counted. Beside the bridge runs a yardstick: the least a Go program can
// do, a goroutine a socket and nothing else. Both are measured in turns, and the medians compared.
//
//	go test -run '^$' -bench Relay -benchtime 1x ./media
//
// ULLIM_BENCH_CALLS (100) and ULLIM_BENCH_SECONDS (3) change the load.

const phonesEnv = "ULLIM_BENCH_PHONES" // set in the process that plays the phones: their number

func benchNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// report is what the phones saw.
type report struct {
	Sent, Heard int64
}

func TestMain(m *testing.M) {
	if n := benchNumber(phonesEnv, 0); n > 0 {
		if err := phones(n, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// phones opens sockets, writes their ports as one line, reads one line with the ports to talk to, talks 20 ms of speech to
// each, spread over the 20 ms, until in ends, and writes a report.
func phones(n int, in io.Reader, out io.Writer) error {
	conns, ports := make([]*net.UDPConn, n), make([]string, n)
	var heard atomic.Int64
	for i := range conns {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		conns[i], ports[i] = c, strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
		go func() {
			buf := make([]byte, 2000)
			for {
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
				heard.Add(1)
			}
		}()
	}
	fmt.Fprintln(out, strings.Join(ports, " "))
	lines := bufio.NewReaderSize(in, 1<<20)
	line, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	var to []netip.AddrPort
	for f := range strings.FieldsSeq(line) {
		port, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return err
		}
		to = append(to, netip.AddrPortFrom(loopback, uint16(port)))
	}
	over := make(chan struct{})
	go func() {
		_, _ = lines.ReadString('\n')
		close(over)
	}()
	sent := speak(conns, to, over)
	time.Sleep(200 * time.Millisecond) // what is still on its way
	return json.NewEncoder(out).Encode(report{sent, heard.Load()})
}

// speak sends the packets of all phones, in twenty groups, one each millisecond.
func speak(conns []*net.UDPConn, to []netip.AddrPort, over chan struct{}) (sent int64) {
	const groups = 20
	packet := make([]byte, 172)
	packet[0] = 0x80
	next := time.Now()
	for step := 0; ; step++ {
		frame := step / groups
		binary.BigEndian.PutUint16(packet[2:], uint16(frame))
		binary.BigEndian.PutUint32(packet[4:], uint32(frame*160))
		for i := step % groups; i < len(conns); i += groups {
			binary.BigEndian.PutUint32(packet[8:], uint32(i+1))
			if _, err := conns[i].WriteToUDPAddrPort(packet, to[i]); err == nil {
				sent++
			}
		}
		next = next.Add(time.Millisecond)
		select {
		case <-over:
			return sent
		case <-time.After(time.Until(next)):
		}
	}
}

// crowd is a running process of phones.
type crowd struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ports []uint16
}

func newCrowd(b *testing.B, n int) *crowd {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), phonesEnv+"="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
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
	c := &crowd{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	line, err := c.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for f := range strings.FieldsSeq(line) {
		port, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			b.Fatal(err)
		}
		c.ports = append(c.ports, uint16(port))
	}
	return c
}

// talk lets the phones talk to ports for a while, and gives the CPU time of this process by the packets they heard.
func (c *crowd) talk(b *testing.B, ports []uint16, d time.Duration) (cpu time.Duration, r report) {
	b.Helper()
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = strconv.Itoa(int(p))
	}
	before := cpuTime(b)
	if _, err := fmt.Fprintln(c.in, strings.Join(text, " ")); err != nil {
		b.Fatal(err)
	}
	time.Sleep(d)
	if err := c.in.Close(); err != nil {
		b.Fatal(err)
	}
	if err := json.NewDecoder(c.out).Decode(&r); err != nil {
		b.Fatal(err)
	}
	cpu = cpuTime(b) - before
	if err := c.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return cpu, r
}

// cpuTime is user and system time of this process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// relay is something that carries packets between neighbours: phone 0 and 1, 2 and 3, and so on. It gives the ports that
// the phones talk to.
type relay func(b *testing.B, phones []uint16) (ports []uint16, end func())

// yardstick does nothing but read, touch the header and write.
func yardstick(b *testing.B, phones []uint16) ([]uint16, func()) {
	b.Helper()
	conns, ports := make([]*net.UDPConn, len(phones)), make([]uint16, len(phones))
	for i := range conns {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		conns[i], ports[i] = c, uint16(c.LocalAddr().(*net.UDPAddr).Port)
	}
	var running sync.WaitGroup
	for i := range conns {
		out, to := conns[i^1], netip.AddrPortFrom(loopback, phones[i^1])
		running.Go(func() {
			buf := make([]byte, 1501)
			for {
				n, _, err := conns[i].ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				binary.BigEndian.PutUint16(buf[2:], binary.BigEndian.Uint16(buf[2:])+1)
				binary.BigEndian.PutUint32(buf[4:], binary.BigEndian.Uint32(buf[4:])+1)
				binary.BigEndian.PutUint32(buf[8:], 7)
				if _, err := out.WriteToUDPAddrPort(buf[:n], to); err != nil {
					return
				}
			}
		})
	}
	return ports, func() {
		for _, c := range conns {
			_ = c.Close()
		}
		running.Wait()
	}
}

// bridge is the real thing.
func bridge(b *testing.B, phones []uint16) ([]uint16, func()) {
	b.Helper()
	p, err := media.New(media.Options{Bind: loopback})
	if err != nil {
		b.Fatal(err)
	}
	ports := make([]uint16, len(phones))
	var other *media.Session
	for i, phone := range phones {
		near := other
		if i%2 == 0 {
			near = nil
		}
		s, err := p.Open(media.SessionOptions{Near: near})
		if err != nil {
			b.Fatal(err)
		}
		answer, err := s.Answer(fmt.Appendf(nil, "v=0\nc=IN IP4 127.0.0.1\nm=audio %d RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n", phone))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(answer), "m=audio ")
		if _, err := fmt.Sscan(rest, &ports[i]); err != nil {
			b.Fatal(err)
		}
		if i%2 == 0 {
			other = s
			continue
		}
		if _, err := media.Join(other, s); err != nil {
			b.Fatal(err)
		}
	}
	return ports, func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	}
}

func measure(b *testing.B, r relay, calls int, d time.Duration) (perPacket, lost float64) {
	b.Helper()
	c := newCrowd(b, 2*calls)
	ports, end := r(b, c.ports)
	defer end()
	cpu, seen := c.talk(b, ports, d)
	if seen.Heard == 0 || seen.Sent == 0 {
		b.Fatalf("%+v", seen)
	}
	relayed := min(seen.Heard, seen.Sent) // a bridge also says a little silence of its own before it is spoken to
	return float64(cpu.Nanoseconds()) / 1000 / float64(relayed), 100 * float64(seen.Sent-relayed) / float64(seen.Sent)
}

func BenchmarkRelay(b *testing.B) {
	calls, d := benchNumber("ULLIM_BENCH_CALLS", 100), time.Duration(benchNumber("ULLIM_BENCH_SECONDS", 3))*time.Second
	var bare, real, lost []float64
	for range b.N {
		for range 3 {
			y, _ := measure(b, yardstick, calls, d)
			u, l := measure(b, bridge, calls, d)
			bare, real, lost = append(bare, y), append(real, u), append(lost, l)
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(calls), "calls")
	b.ReportMetric(median(bare), "yardstick-µs/packet")
	b.ReportMetric(median(real), "bridge-µs/packet")
	b.ReportMetric(median(real)/median(bare), "ratio")
	b.ReportMetric(median(lost), "lost-%")
}
