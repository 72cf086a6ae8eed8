package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"

	"ullim/internal/errs"
)

func TestTheClockOwesWhatItMissed(t *testing.T) {
	next := time.Now()
	for _, c := range []struct {
		late       time.Duration
		send, lost int
		then       time.Duration
	}{
		{-1, 0, 0, 0},
		{0, 1, 0, Frame},
		{Frame - 1, 1, 0, Frame},
		{Frame, 2, 0, 2 * Frame},
		{2 * Frame, 3, 0, 3 * Frame},
		{3*Frame - 1, 3, 0, 3 * Frame},
		{3 * Frame, 1, 3, 4 * Frame},
		{time.Hour, 1, 180_000, time.Hour + Frame},
	} {
		send, lost, then := owed(next, next.Add(c.late))
		if send != c.send || lost != c.lost || then.Sub(next) != c.then {
			t.Errorf("%v late: send %d, lost %d, then in %v", c.late, send, lost, then.Sub(next))
		}
	}
}

func TestHeadersAreReadAsAnotherLibraryWritesThem(t *testing.T) {
	p := rtp.Packet{
		Header: rtp.Header{
			Version: 2, Marker: true, PayloadType: 101, SequenceNumber: 65535, Timestamp: 1 << 31, SSRC: 0xCAFEBABE, CSRC: []uint32{1, 2},
		},
		Payload: []byte("sound"),
	}
	if err := p.SetExtension(1, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	p.Padding, p.PaddingSize = true, 4
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h, ok := parseHeader(b)
	if !ok || !h.marker || h.payload != 101 || h.sequence != 65535 || h.stamp != 1<<31 || h.ssrc != 0xCAFEBABE || string(b[h.from:h.to]) != "sound" {
		t.Errorf("%v %+v", ok, h)
	}
	out := b[h.from-headerSize : h.to]
	putHeader(out, false, 0, 7, 8, 9)
	var back rtp.Packet
	if err := back.Unmarshal(out); err != nil {
		t.Fatal(err)
	}
	want := rtp.Header{Version: 2, SequenceNumber: 7, Timestamp: 8, SSRC: 9}
	back.CSRC = nil
	if d := cmp.Diff(want, back.Header); d != "" || string(back.Payload) != "sound" {
		t.Errorf("%s %q", d, back.Payload)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte("\x80\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01sound"))
	f.Add([]byte("\xB2\x80\x00\x01\x00\x00\x00\x01\x00\x00\x00\x011111222\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		isRTCP(b)
		if h, ok := parseHeader(b); ok && (h.from < headerSize || h.from > h.to || h.to > len(b)) {
			t.Errorf("payload %d to %d of %d bytes", h.from, h.to, len(b))
		}
	})
}

func TestSequenceNumbersTellLossAndJumps(t *testing.T) {
	type step struct {
		ssrc   uint32
		number uint16
		want   arrival
	}
	for name, c := range map[string]struct {
		steps []step
		lost  uint64
	}{
		"in order":              {[]step{{1, 65534, arrivalFresh}, {1, 65535, arrivalNext}, {1, 0, arrivalNext}}, 0},
		"one lost":              {[]step{{1, 10, arrivalFresh}, {1, 12, arrivalNext}}, 1},
		"one late":              {[]step{{1, 10, arrivalFresh}, {1, 12, arrivalNext}, {1, 11, arrivalLate}}, 0},
		"one twice":             {[]step{{1, 10, arrivalFresh}, {1, 10, arrivalDuplicate}, {1, 11, arrivalNext}, {1, 10, arrivalDuplicate}}, 0},
		"late, twice":           {[]step{{1, 10, arrivalFresh}, {1, 13, arrivalNext}, {1, 11, arrivalLate}, {1, 11, arrivalDuplicate}}, 1},
		"older than known":      {[]step{{1, 1000, arrivalFresh}, {1, 1064, arrivalNext}, {1, 1000, arrivalDuplicate}}, 63},
		"another source":        {[]step{{1, 10, arrivalFresh}, {1, 13, arrivalNext}, {2, 14, arrivalFresh}, {2, 16, arrivalNext}}, 3},
		"a jump ahead":          {[]step{{1, 10, arrivalFresh}, {1, 5000, arrivalFresh}, {1, 5001, arrivalNext}}, 0},
		"a jump back":           {[]step{{1, 5000, arrivalFresh}, {1, 4000, arrivalFresh}}, 0},
		"a long loss":           {[]step{{1, 10, arrivalFresh}, {1, 2010, arrivalNext}}, 1999},
		"before the very first": {[]step{{1, 10, arrivalFresh}, {1, 9, arrivalLate}, {1, 11, arrivalNext}}, 0},
	} {
		var s sequence
		for i, st := range c.steps {
			if got := s.add(st.ssrc, st.number); got != st.want {
				t.Errorf("%s: step %d is %d, want %d", name, i, got, st.want)
			}
		}
		if s.lost() != c.lost {
			t.Errorf("%s: %d lost, want %d", name, s.lost(), c.lost)
		}
	}
}

func TestM01OnlyTheFarEndIsHeard(t *testing.T) { // M1, threats row 9
	ap := netip.MustParseAddrPort
	announced, nat, stranger, port := ap("10.0.0.5:4000"), ap("203.0.113.5:61000"), ap("198.51.100.66:666"), ap("10.0.0.5:4002")
	host := nat.Addr()
	const window = 3 * time.Second
	type step struct {
		at   time.Duration
		from netip.AddrPort
		want verdict
	}
	for name, c := range map[string]struct {
		host  netip.Addr
		steps []step
	}{
		"announced":                          {netip.Addr{}, []step{{0, announced, farEnd}, {time.Second, stranger, foreign}, {2 * time.Second, announced, farEnd}}},
		"learned once":                       {netip.Addr{}, []step{{0, nat, learnable}, {1, stranger, foreign}, {time.Second, stranger, foreign}, {2 * time.Second, nat, farEnd}}},
		"not learned after the window":       {netip.Addr{}, []step{{window + 1, nat, foreign}}},
		"announced wins over a stranger":     {netip.Addr{}, []step{{0, stranger, learnable}, {1, announced, learnable}, {2, stranger, foreign}, {time.Hour, announced, farEnd}}},
		"announced wins after the window":    {netip.Addr{}, []step{{0, stranger, learnable}, {time.Hour, announced, learnable}, {time.Hour + 1, stranger, foreign}}},
		"only where the signalling is":       {host, []step{{0, stranger, foreign}, {1, nat, learnable}, {2, stranger, foreign}}},
		"or the announced host":              {host, []step{{0, stranger, foreign}, {1, port, learnable}}},
		"the same host, another port, later": {host, []step{{0, nat, learnable}, {time.Second, ap("203.0.113.5:61001"), foreign}}},
	} {
		now := time.Now()
		s := source{host: c.host}
		s.announce(announced, now, window)
		for i, st := range c.steps {
			got := s.judge(st.from, now.Add(st.at))
			if got != st.want {
				t.Errorf("%s: step %d is %d, want %d", name, i, got, st.want)
			}
			if got != foreign {
				s.hear(st.from, now.Add(st.at))
			}
		}
	}
}

func TestTheFarEndMayMoveAfterANegotiation(t *testing.T) {
	ap := netip.MustParseAddrPort
	now, window := time.Now(), 3*time.Second
	old, nat, next, stranger := ap("10.0.0.5:4000"), ap("203.0.113.5:61000"), ap("203.0.113.7:62000"), ap("198.51.100.66:666")
	s := source{}
	s.announce(old, now, window)
	s.hear(nat, now)

	now = now.Add(time.Minute)
	s.hear(nat, now)
	s.announce(old, now, window) // a refresh: they are where they were
	if s.far != nat || s.judge(stranger, now.Add(live-1)) != foreign {
		t.Error("a refresh let a stranger displace a far end that is heard")
	}
	if s.judge(next, now.Add(live)) != learnable {
		t.Error("a far end that moved without saying so was not learned")
	}
	s.announce(ap("0.0.0.0:4000"), now, window) // hold
	if s.far != nat || s.judge(nat, now) != farEnd {
		t.Error("hold made the far end unknown")
	}
	s.announce(old, now, window) // resume
	if s.far != nat {
		t.Error("resume made the far end unknown")
	}
	s.announce(next, now, window)
	if s.far != next || s.judge(nat, now) != learnable || s.judge(next, now) != farEnd {
		t.Error("a new announced address was not taken")
	}
	s.announce(netip.AddrPortFrom(netip.Addr{}, 4000), now, window)
	if s.far.IsValid() || s.judge(nat, now) != learnable {
		t.Error("a name instead of an address must be learned")
	}
}

func TestR31DeadMediaIsToldFromQuietMedia(t *testing.T) { // R31
	d := DeadPolicy{NeverStarted: 30 * time.Second, Stopped: 60 * time.Second, Held: time.Hour}
	agreed := time.Now()
	at := func(s int) time.Time { return agreed.Add(time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		life life
		now  int
		want string
	}{
		"waiting for the first":    {life{agreed: agreed}, 29, ""},
		"never came":               {life{agreed: agreed}, 30, "no audio ever came"},
		"stopped lately":           {life{agreed: agreed, heard: at(5)}, 64, ""},
		"stopped":                  {life{agreed: agreed, heard: at(5)}, 65, "audio stopped"},
		"resumed just now":         {life{agreed: at(100), heard: at(5)}, 159, ""},
		"resumed, but nobody came": {life{agreed: at(100), heard: at(5)}, 160, "audio stopped"},
		"held":                     {life{agreed: agreed, heard: at(5), held: true}, 3604, ""},
		"held too long":            {life{agreed: agreed, heard: at(5), held: true}, 3605, "on hold"},
	} {
		if got := d.judge(c.life, at(c.now)); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	off := DeadPolicy{NeverStarted: -1, Stopped: -1}.withDefaults()
	for _, l := range []life{{agreed: agreed}, {agreed: agreed, heard: agreed}, {agreed: agreed, held: true}} {
		if got := off.judge(l, at(1e6)); got != "" {
			t.Errorf("switched off, and yet %q", got)
		}
	}
}

// taken is a Listen that knows which ports other programs hold.
type listening map[uint16]error

func (l listening) open(port uint16) error {
	if err := l[port]; err != nil {
		return &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)}
	}
	return nil
}

func TestM04M05PortsAreLentInTurnAndRest(t *testing.T) { // M4, M5
	r, err := newPortRange(20001, 20007) // even ones: 2, 4, 6
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	take := func(l listening, want uint16) {
		t.Helper()
		port, err := r.bind(now, l.open)
		if (want == 0) != (err != nil) || port != want {
			t.Fatalf("port %d, %v; want %d", port, err, want)
		}
		if want == 0 && !errs.Is(err, errs.Unavailable) {
			t.Errorf("no port is %v", err)
		}
	}
	none := listening{}
	take(none, 20002)
	r.release(20002, 0, now)
	take(none, 20004)
	take(none, 20006)
	take(none, 0) // 20002 rests
	now = now.Add(drain - 1)
	take(none, 0)
	now = now.Add(1)
	take(none, 20002)
	take(none, 0)
	if r.inUse() != 3 {
		t.Errorf("%d in use", r.inUse())
	}
	for _, p := range []uint16{20002, 20004, 20006} {
		r.release(p, 0, now)
	}
	now = now.Add(drain)
	take(listening{20002: syscall.EADDRINUSE, 20004: syscall.EADDRINUSE}, 20006) // others hold two of them
	take(listening{20002: syscall.EADDRINUSE, 20004: syscall.EADDRINUSE}, 0)
	take(listening{20002: syscall.EACCES, 20004: syscall.EACCES}, 0)
	take(none, 20004) // a failed port is not lost: it went to the end of the line
	take(none, 20002)
	if r.inUse() != 3 {
		t.Errorf("%d in use", r.inUse())
	}
}

func TestCheckPortsTellsTheDoctor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "range")
	if err := os.WriteFile(file, []byte("32768\t60999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		first, last uint16
		warning     string
		bad         bool
	}{
		{20000, 29999, "", false},
		{30000, 40000, "32768-60999", false},
		{61000, 65535, "", false},
		{0, 0, "system", false},
		{20, 4000, "", true},
		{20001, 20001, "", true},
		{30000, 20000, "", true},
	} {
		warning, err := checkPorts(c.first, c.last, file)
		if (err != nil) != c.bad || (warning == "") != (c.warning == "") || !strings.Contains(warning, c.warning) {
			t.Errorf("%d-%d: %q %v", c.first, c.last, warning, err)
		}
	}
	if w, err := checkPorts(30000, 40000, file+"x"); w != "" || err != nil {
		t.Errorf("another system: %q %v", w, err)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkPorts(30000, 40000, file); err == nil {
		t.Error("an unreadable file is no error")
	}
}

func TestIdentityIsDifferentEachTime(t *testing.T) {
	a, b := identity(), identity()
	if a.ssrc == b.ssrc || a.session == b.session || a.stamp == b.stamp {
		t.Errorf("%+v and %+v", a, b)
	}
	if a.sequence >= 1<<15 {
		t.Errorf("sequence starts at %d", a.sequence)
	}
	if len(binary.BigEndian.AppendUint64(nil, a.session)) != 8 || a.session >= 1<<62 {
		t.Errorf("session id %d", a.session)
	}
}
