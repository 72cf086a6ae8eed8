//go:build unix

package media_test

import (
	"bufio"
	"encoding/base64"
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

	"github.com/pion/srtp/v3"

	"ullim/media"
)

// The relay benchmark measures what a packet costs that comes in on one leg and goes out on the other: the CPU time of this
// process, as the kernel counts it, by the packets relayed, over real sockets on loopback. The phones are another process
// (this binary, run again), so that their CPU is not counted. Beside the bridge runs a yardstick: the least a Go program can
// do, a goroutine a socket and nothing else. Both are measured in turns, and the medians compared.
//
//	go test -run '^$' -bench Relay -benchtime 1x ./media
//	go test -run '^$' -bench Relay/srtp -benchtime 1x ./media
//
// ULLIM_BENCH_CALLS (100) and ULLIM_BENCH_SECONDS (3) change the load.

const (
	phonesEnv = "ULLIM_BENCH_PHONES"                  // set in the process that plays the phones: their number
	phonesKey = "ULLIM_BENCH_PHONES_SRTP"             // and this, if they speak SRTP
	benchKey  = "0123456789abcdef" + "01234567890123" // master key and salt of all of them (RFC 4568)
)

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
	packet := make([]byte, 172, 256)
	packet[0] = 0x80
	for i := range packet[12:] {
		packet[12+i] = byte(i * 37) // something to decode
	}
	seal := sealer(len(conns))
	next := time.Now()
	for step := 0; ; step++ {
		frame := step / groups
		binary.BigEndian.PutUint16(packet[2:], uint16(frame))
		binary.BigEndian.PutUint32(packet[4:], uint32(frame*160))
		for i := step % groups; i < len(conns); i += groups {
			binary.BigEndian.PutUint32(packet[8:], uint32(i+1))
			if _, err := conns[i].WriteToUDPAddrPort(seal(i, packet), to[i]); err == nil {
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

// sealer protects the packets of each phone, if they speak SRTP.
func sealer(phones int) func(phone int, packet []byte) []byte {
	if os.Getenv(phonesKey) == "" {
		return func(_ int, packet []byte) []byte { return packet }
	}
	contexts, out := make([]*srtp.Context, phones), make([]byte, 0, 300)
	for i := range contexts {
		c, err := srtp.CreateContext([]byte(benchKey[:16]), []byte(benchKey[16:]), srtp.ProtectionProfileAes128CmHmacSha1_80)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		contexts[i] = c
	}
	return func(phone int, packet []byte) []byte {
		sealed, err := contexts[phone].EncryptRTP(out[:0], packet, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return sealed
	}
}

// crowd is a running process of phones.
type crowd struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ports []uint16
}

func newCrowd(b *testing.B, n int, key bool) *crowd {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), phonesEnv+"="+strconv.Itoa(n))
	if key {
		cmd.Env = append(cmd.Env, phonesKey+"=1")
	}
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

// work is what a plane does with its phones in a benchmark.
type work struct {
	name  string
	offer func(i, port int) []byte // what phone i describes itself as
	join  func(b *testing.B, p *media.Plane, all []*media.Session)
	key   bool // the phones speak SRTP
}

// plain is a phone that speaks G.711 and keys by RFC 4733.
func plain(_, port int) []byte {
	return fmt.Appendf(nil, "v=0\nc=IN IP4 127.0.0.1\nm=audio %d RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n", port)
}

// pairs joins neighbours.
func pairs(b *testing.B, _ *media.Plane, all []*media.Session) {
	b.Helper()
	for i := 0; i+1 < len(all); i += 2 {
		if _, err := media.Join(all[i], all[i+1]); err != nil {
			b.Fatal(err)
		}
	}
}

func works() []work {
	return []work{
		{name: "bridge", offer: plain, join: pairs},
		{name: "srtp", offer: func(_, port int) []byte {
			return fmt.Appendf(nil, "v=0\nc=IN IP4 127.0.0.1\nm=audio %d RTP/SAVP 0 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n"+
				"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s\n", port, base64.StdEncoding.EncodeToString([]byte(benchKey)))
		}, join: pairs, key: true},
		{name: "recorded", offer: plain, join: func(b *testing.B, p *media.Plane, all []*media.Session) {
			b.Helper()
			pairs(b, p, all)
			for i := 0; i+1 < len(all); i += 2 {
				id := "call-" + strconv.Itoa(i)
				if _, err := p.Record(media.RecordOptions{ContactID: id, Key: id, Left: all[i : i+1], Right: all[i+1 : i+2]}); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "transcode", offer: func(i, port int) []byte { // every second phone has G.722 only
			if i%2 == 0 {
				return plain(i, port)
			}
			return fmt.Appendf(nil, "v=0\nc=IN IP4 127.0.0.1\nm=audio %d RTP/AVP 9 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n", port)
		}, join: pairs},
		{name: "conference", offer: plain, join: func(b *testing.B, p *media.Plane, all []*media.Session) {
			b.Helper()
			for ; len(all) >= 6; all = all[6:] {
				c := p.Conference()
				for _, s := range all[:6] {
					if err := c.Add(s, media.Speaker, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
		}},
	}
}

// carry is a relay that does a piece of work.
func (w work) carry(b *testing.B, phones []uint16) ([]uint16, func()) {
	b.Helper()
	p, err := media.New(media.Options{Bind: loopback, SpoolDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	ports, all := make([]uint16, len(phones)), make([]*media.Session, len(phones))
	for i, phone := range phones {
		var near *media.Session
		if i%2 == 1 {
			near = all[i-1]
		}
		if all[i], err = p.Open(media.SessionOptions{Near: near}); err != nil {
			b.Fatal(err)
		}
		answer, err := all[i].Answer(w.offer(i, int(phone)))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(answer), "m=audio ")
		if _, err := fmt.Sscan(rest, &ports[i]); err != nil {
			b.Fatal(err)
		}
	}
	w.join(b, p, all)
	return ports, func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	}
}

func measure(b *testing.B, r relay, calls int, key bool, d time.Duration) (perPacket, lost float64) {
	b.Helper()
	c := newCrowd(b, 2*calls, key)
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
	for _, w := range works() {
		b.Run(w.name, func(b *testing.B) {
			var bare, real, lost []float64
			for range b.N {
				for range 3 {
					y, _ := measure(b, yardstick, calls, false, d)
					u, l := measure(b, w.carry, calls, w.key, d)
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
			b.ReportMetric(median(real)*6000/1e6, "CPU-s/call-min")
			b.ReportMetric(median(lost), "lost-%")
		})
	}
}
