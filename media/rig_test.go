package media_test

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
)

const (
	ms    = time.Millisecond
	event = "a=rtpmap:101 telephone-event/8000\r\n"
)

var (
	engineAddr = netip.MustParseAddr("192.0.2.1")
	phoneAddr  = netip.MustParseAddr("192.0.2.50")
)

// rig is a plane on a network in memory.
type rig struct {
	t     *testing.T
	net   *mediatest.Net
	plane *media.Plane
	mu    sync.Mutex
	keys  string
	dead  []string
}

// inBubble runs a test in virtual time on a plane; at the end everything must be closed and every port free.
func inBubble(t *testing.T, change func(*media.Options), f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: &mediatest.Net{Delay: 5 * ms}}
		o := media.Options{Listen: r.net.Listen, Bind: engineAddr, PortMin: 20000, PortMax: 20100}
		if change != nil {
			change(&o)
		}
		p, err := media.New(o)
		if err != nil {
			t.Fatal(err)
		}
		r.plane = p
		f(r)
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if s := p.Stats(); s.Sessions != 0 || s.PortsInUse != 0 || s.Recordings != 0 {
			t.Errorf("left over: %+v", s)
		}
		if n := r.net.InUse(); n != 0 {
			t.Errorf("%d sockets are still open", n)
		}
	})
}

func (r *rig) open(o media.SessionOptions) *media.Session {
	r.t.Helper()
	o.OnDigit = func(d byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.keys += string(d)
	}
	o.OnDead = func(why string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.dead = append(r.dead, why)
	}
	s, err := r.plane.Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) pressed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys
}

func (r *rig) died() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// phone listens at an address of the phones' network; it is closed with the test.
func (r *rig) phone(port uint16) *mediatest.Phone {
	r.t.Helper()
	c, err := r.net.Listen(netip.AddrPortFrom(phoneAddr, port))
	if err != nil {
		r.t.Fatal(err)
	}
	return mediatest.NewPhone(c)
}

// call is a session that has answered a phone's offer.
func (r *rig) call(port uint16, formats, more string) (*media.Session, *mediatest.Phone, netip.AddrPort) {
	r.t.Helper()
	p := r.phone(port)
	s := r.open(media.SessionOptions{Peer: "customer"})
	to := answer(r.t, s, p.SDP(formats, more))
	return s, p, to
}

// answer answers an offer and gives where the answer says that we listen.
func answer(t *testing.T, s *media.Session, offer []byte) netip.AddrPort {
	t.Helper()
	b, err := s.Answer(offer)
	if err != nil {
		t.Fatal(err)
	}
	return addressIn(t, b)
}

func addressIn(t *testing.T, sdp []byte) netip.AddrPort {
	t.Helper()
	_, rest, _ := strings.Cut(string(sdp), "m=audio ")
	port, _, _ := strings.Cut(rest, " ")
	a, err := netip.ParseAddrPort(engineAddr.String() + ":" + port)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sound is n frames of one byte; in A-law of the byte plus one.
type sound struct {
	b byte
	n int
}

func (s sound) Frames(codec string) [][]byte {
	b := s.b
	if codec == "PCMA" {
		b++
	}
	out := make([][]byte, s.n)
	for i := range out {
		out[i] = bytes.Repeat([]byte{b}, 160)
	}
	return out
}

// runs tells what was heard as "0xff*10 0x11*3": the first byte of each packet, runs counted.
func runs(heard []mediatest.Heard) string {
	var b strings.Builder
	for i := 0; i < len(heard); {
		n := i
		for n < len(heard) && heard[n].Data[0] == heard[i].Data[0] {
			n++
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimSuffix(hex(heard[i].Data[0])+"*"+itoa(n-i), "*1"))
		i = n
	}
	return b.String()
}

func hex(b byte) string { return string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]) }

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// continuous checks that a stream has one SSRC, no hole in its sequence numbers, timestamps that follow the payload, and
// the marker at its beginning.
func continuous(t *testing.T, heard []mediatest.Heard) {
	t.Helper()
	if len(heard) == 0 {
		t.Fatal("nothing was heard")
	}
	for i, h := range heard[1:] {
		before := heard[i]
		if h.SSRC != before.SSRC || h.Sequence != before.Sequence+1 || h.Stamp != before.Stamp+uint32(len(before.Data)) {
			t.Fatalf("packet %d: sequence %d after %d, timestamp %d after %d", i+1, h.Sequence, before.Sequence, h.Stamp, before.Stamp)
		}
	}
}

// result notes how something that was played ended, and when.
type result struct {
	mu  sync.Mutex
	got []bool
	at  []time.Time
}

func (d *result) done(finished bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got, d.at = append(d.got, finished), append(d.at, time.Now())
}

func (d *result) is(t *testing.T, what string, want ...bool) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.got) != len(want) || len(want) == 1 && d.got[0] != want[0] {
		t.Errorf("%s: done %v, want %v", what, d.got, want)
	}
}

// long is how much a test of endurance does: less under the race detector, which makes it ten times slower. `make test` runs
// these tests without it, too.
func long(all, raced int) int {
	if raceDetector {
		return raced
	}
	return all
}
