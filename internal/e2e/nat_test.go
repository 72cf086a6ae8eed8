package e2e

import (
	wire "encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ullim/sip/siptest"
)

// The addresses of these tests are those for documentation (RFC 5737), on lo while a test runs: the engine, the address that the
// office has in the world, and the carrier. Inside the office there is 10.0.0.0/24 only, as everywhere.
const (
	natEngine  = "198.51.100.1"
	natOffice  = "198.51.100.2"
	natCarrier = "198.51.100.3"
	natPhone   = "10.0.0.2"
)

// TestR04PhoneBehindNATHearsAndIsHeard has a baresip in a network namespace of its own, behind a router that translates addresses
// and ports and lets nobody in whom the phone has not called. Contact and c= say 10.0.0.2, where nobody can send. Meanwhile a
// stranger sends audio to the caller's port: nobody hears it, and nothing comes back.
func TestR04PhoneBehindNATHearsAndIsHeard(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: network namespaces need root; nothing is proved about NAT here")
	}
	router, err := newNAT(t)
	if err != nil {
		t.Skipf("SKIPPED: this machine does not let us make network namespaces (%v); nothing is proved about NAT here", err)
	}
	b := ports.take(t)
	server := fmt.Sprintf("%s:%d", natEngine, b.sip())
	c := newCenterAt(t, b, "ULLIM_SIP_UDP="+server, "ULLIM_SIP_ADVERTISE="+natEngine, "ULLIM_RTP_BIND="+natEngine, "ULLIM_RTP_ADVERTISE="+natEngine)
	c.admin(http.MethodPost, "/trunks", map[string]any{"Name": "world", "Addresses": []string{natCarrier + "/32"}, "Region": "KR"}, nil)
	queueID, profileID := c.queue("Support")
	c.number("+8225550520", queueFlow(queueID))
	userID, d := c.agent("hana", profileID)
	agentVoice := siptest.Voice("agent behind NAT")
	agent := c.baresipIn(router.space, natPhone, 0, fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=pcma;regint=60",
		d.Username, server, d.Username, d.Password), agentVoice)
	c.until("baresip is registered", func() bool {
		return strings.Contains(string(c.raw(http.MethodGet, "/devices/"+d.ID, nil)), "baresip")
	})
	c.setAvailable(userID)
	var port atomic.Int64 // of the engine's audio for the caller
	media := regexp.MustCompile(`(?s)^SIP/2.0 200 .*m=audio (\d+) `)
	carrier, err := siptest.NewCarrier(siptest.PhoneOptions{
		Name: "carrier", Server: server, Local: natCarrier + ":0", Trace: func(sent bool, _ net.Addr, b []byte) {
			if m := media.FindSubmatch(b); m != nil && !sent {
				n, _ := strconv.Atoi(string(m[1]))
				port.Store(int64(n))
			}
		},
	})
	c.must(err)
	defer carrier.Close()
	call := c.answered(carrier, "+8225550520", mobile(1))
	hears(t, call, agentVoice, "the agent behind the NAT")
	foreign := c.metrics()["ullim_rtp_packets_foreign_total"]
	got := inject(t, fmt.Sprintf("%s:%d", natEngine, port.Load()), siptest.Voice("stranger"), 4*time.Second)
	if got > 0 {
		t.Errorf("the stranger was sent %d packets of the call", got)
	}
	if n := c.metrics()["ullim_rtp_packets_foreign_total"] - foreign; n < 100 {
		t.Errorf("%g packets of the stranger were counted", n)
	}
	hears(t, call, agentVoice, "the agent behind the NAT")
	call.Hangup()
	c.closed(1)
	wantVoice(t, "the agent behind the NAT", last(agent.hangUp(t), 3*time.Second), siptest.Voice(mobile(1)))
	if n := router.strangers(); n > 0 {
		t.Logf("the router turned %d packets away", n)
	}
	c.atRest()
}

// inject sends a voice as RTP from a third address for a while, 500 packets a second, and tells how many packets came back.
func inject(t *testing.T, to string, voice siptest.Source, d time.Duration) (got int) {
	t.Helper()
	dst := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(natOffice)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	packet := make([]byte, 172)
	packet[0] = 0x80 // PCMU
	buf := make([]byte, 2048)
	for n, begun := 0, time.Now(); time.Since(begun) < d; n++ {
		wire.BigEndian.PutUint16(packet[2:], uint16(n))
		wire.BigEndian.PutUint32(packet[4:], uint32(160*n))
		for i := range 160 {
			packet[12+i] = byte(voice[(160*n+i)%len(voice)] >> 8)
		}
		_, _ = u.WriteToUDP(packet, dst)
		_ = u.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		if _, _, err := u.ReadFromUDP(buf); err == nil {
			got++
		}
	}
	return got
}

// router is an office's: it translates addresses and ports, and lets in only answers (RFC 4787: address and port dependent
// filtering). It is a program and no table of the kernel, so that the test needs nothing to be installed.
type router struct {
	space string // network namespace of the office
	tun   *os.File

	mu     sync.Mutex
	out    map[uint16]*mapping // by port of the phone
	denied int
}

type mapping struct {
	conn  *net.UDPConn
	known map[netip.AddrPort]bool
}

func newNAT(t *testing.T) (*router, error) {
	t.Helper()
	r := &router{space: fmt.Sprintf("ullim%d", os.Getpid()), out: map[uint16]*mapping{}}
	for _, a := range []string{natEngine, natOffice, natCarrier} {
		if err := ip("address", "add", a+"/32", "dev", "lo"); err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = ip("address", "del", a+"/32", "dev", "lo") })
	}
	if err := ip("netns", "add", r.space); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = ip("netns", "del", r.space) })
	if err := r.open(); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"address", "add", natPhone + "/24", "dev", "wan"}, {"link", "set", "lo", "up"}, {"link", "set", "wan", "up"}, {"route", "add", "default", "dev", "wan"},
	} {
		if err := ip(append([]string{"-n", r.space}, args...)...); err != nil {
			return nil, err
		}
	}
	var running sync.WaitGroup
	running.Go(r.outwards)
	t.Cleanup(func() {
		_ = r.tun.Close()
		r.mu.Lock()
		for _, m := range r.out {
			_ = m.conn.Close()
		}
		r.mu.Unlock()
		running.Wait()
	})
	return r, nil
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// open makes the device in the office's namespace. The thread that went there ends there.
func (r *router) open() error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- func() error {
			space, err := os.Open("/run/netns/" + r.space)
			if err != nil {
				return err
			}
			defer space.Close()
			if err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
			if err != nil {
				return err
			}
			req, err := unix.NewIfreq("wan")
			if err != nil {
				return err
			}
			req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
				return errors.Join(err, unix.Close(fd))
			}
			r.tun = os.NewFile(uintptr(fd), "tun")
			return nil
		}()
	}()
	return <-done
}

// outwards takes what the office sends.
func (r *router) outwards() {
	buf := make([]byte, 65536)
	for {
		n, err := r.tun.Read(buf)
		if err != nil {
			return
		}
		p := buf[:n]
		if n < 28 || p[0] != 0x45 || p[9] != unix.IPPROTO_UDP { // IPv4 without options, UDP
			continue
		}
		from, to := wire.BigEndian.Uint16(p[20:]), netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[16:20])), wire.BigEndian.Uint16(p[22:]))
		if m := r.mapping(from, to); m != nil {
			_, _ = m.conn.WriteToUDPAddrPort(p[28:], to)
		}
	}
}

// mapping is what stands for a port of the phone in the world.
func (r *router) mapping(from uint16, to netip.AddrPort) *mapping {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.out[from]
	if m == nil {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(natOffice)})
		if err != nil {
			return nil
		}
		m = &mapping{conn: conn, known: map[netip.AddrPort]bool{}}
		r.out[from] = m
		go r.inwards(from, m)
	}
	m.known[to] = true
	return m
}

// inwards takes what the world sends to a mapping.
func (r *router) inwards(to uint16, m *mapping) {
	buf := make([]byte, 65536)
	for {
		n, from, err := m.conn.ReadFromUDPAddrPort(buf[28:])
		if err != nil {
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		r.mu.Lock()
		known := m.known[from]
		if !known {
			r.denied++
		}
		r.mu.Unlock()
		if !known {
			continue
		}
		p := buf[:28+n]
		copy(p, []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, unix.IPPROTO_UDP, 0, 0})
		wire.BigEndian.PutUint16(p[2:], uint16(len(p)))
		src, dst := from.Addr().As4(), netip.MustParseAddr(natPhone).As4()
		copy(p[12:], src[:])
		copy(p[16:], dst[:])
		wire.BigEndian.PutUint16(p[10:], checksum(p[:20]))
		wire.BigEndian.PutUint16(p[20:], from.Port())
		wire.BigEndian.PutUint16(p[22:], to)
		wire.BigEndian.PutUint16(p[24:], uint16(8+n))
		p[26], p[27] = 0, 0 // UDP over IPv4 needs none
		_, _ = r.tun.Write(p)
	}
}

func (r *router) strangers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.denied
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(wire.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
