package media_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/wav"
	"ullim/media"
	"ullim/media/mediatest"
)

// bareLoop is a Loop without sockets and without a clock: a test hands packets and ticks in by hand. It is what another
// implementation could look like to a session.
type bareLoop struct {
	handlers []media.Handler
	sent     uint64
	last     [media.MaxPacket]byte
	size     int
}

var _ media.Loop = (*bareLoop)(nil)

type barePort struct {
	loop *bareLoop
	addr netip.AddrPort
}

func (l *bareLoop) Open(conn net.PacketConn, h media.Handler) (media.Port, error) {
	l.handlers = append(l.handlers, h)
	a, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return &barePort{l, a}, err
}
func (l *bareLoop) Add(media.Ticker)       {}
func (l *bareLoop) Remove(media.Ticker)    {}
func (l *bareLoop) Stats() media.LoopStats { return media.LoopStats{} }
func (l *bareLoop) Close() error           { return nil }

func (p *barePort) Send(b []byte, _ netip.AddrPort) error {
	p.loop.sent++
	p.loop.size = copy(p.loop.last[:], b)
	return nil
}
func (p *barePort) Addr() netip.AddrPort { return p.addr }
func (p *barePort) Close() error         { return nil }

// bare is two joined sessions on a bareLoop, and packets from the first phone.
type bare struct {
	loop   *bareLoop
	plane  *media.Plane
	a, b   *media.Session
	from   netip.AddrPort
	packet []byte // the next one; copied for each time, because its handler may change it
	other  []byte // the next one of the others
	work   []byte
	now    time.Time
	part   func()
}

func newBare(tb testing.TB, formatsA, formatsB, moreB string) *bare {
	tb.Helper()
	n := new(mediatest.Net)
	x := &bare{loop: new(bareLoop), from: netip.AddrPortFrom(phoneAddr, 4000), now: time.Now()}
	p, err := media.New(media.Options{Loop: x.loop, Listen: n.Listen, Bind: engineAddr, SpoolDir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	x.plane = p
	open := func(port, formats, more string) *media.Session {
		s, openErr := p.Open(media.SessionOptions{Codecs: []string{"PCMU", "PCMA", "G722", "opus"}})
		if openErr != nil {
			tb.Fatal(openErr)
		}
		offer := "v=0\nc=IN IP4 192.0.2.50\nm=audio " + port + " RTP/AVP " + formats + "\na=rtpmap:101 telephone-event/8000\n" + more
		if _, refused := s.Answer([]byte(offer)); refused != nil {
			tb.Fatal(refused)
		}
		return s
	}
	x.a, x.b = open("4000", formatsA, ""), open("4002", formatsB, moreB)
	if x.part, err = media.Join(x.a, x.b); err != nil {
		tb.Fatal(err)
	}
	x.work = make([]byte, 0, media.MaxPacket+media.Room)
	x.other = append([]byte{0x80, 9, 0, 1, 0, 0, 0, 0, 4, 3, 2, 1}, bytes.Repeat([]byte{0x44}, 160)...)
	x.packet = append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte{0x11}, 160)...)
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return x
}

// translate receives a packet, and lets the other session's clock send what was heard.
func (x *bare) translate() {
	x.receive()
	x.b.Tick(x.now, 1, 0)
}

// confer puts both sessions and more into a conference, and gives a step in which the first speaks and all are sent to.
func (x *bare) confer(tb testing.TB, members int) func(*bare) {
	tb.Helper()
	x.part()
	c := x.plane.Conference()
	tb.Cleanup(c.Close)
	list := []*media.Session{x.a, x.b}
	for len(list) < members {
		s, err := x.plane.Open(media.SessionOptions{})
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := s.Answer([]byte("v=0\nc=IN IP4 192.0.2.50\nm=audio 4010 RTP/AVP 8\n")); err != nil {
			tb.Fatal(err)
		}
		list = append(list, s)
	}
	for _, s := range list {
		if err := c.Add(s, media.Speaker, nil); err != nil {
			tb.Fatal(err)
		}
	}
	at := 0
	return func(x *bare) {
		x.receive()
		for i := range min(3, len(list)) - 1 { // the others: three speak at once
			at++
			binary.BigEndian.PutUint16(x.other[2:], uint16(at/2))
			binary.BigEndian.PutUint32(x.other[4:], uint32(at/2*160))
			x.other[1] = []byte{9, 8}[i]
			x.work = append(x.work[:0], x.other...)
			x.loop.handlers[2*i+2].HandlePacket(x.work, netip.AddrPortFrom(phoneAddr, []uint16{4002, 4010}[i]), x.now)
		}
		c.Tick(x.now, 1, 0)
		for _, s := range list {
			s.Tick(x.now, 1, 0)
		}
	}
}

func conferring(t *testing.T, x *bare) func(*bare) {
	t.Helper()
	return x.confer(t, 6)
}

// receive hands the next packet of the first phone in.
func (x *bare) receive() {
	binary.BigEndian.PutUint16(x.packet[2:], binary.BigEndian.Uint16(x.packet[2:])+1)
	binary.BigEndian.PutUint32(x.packet[4:], binary.BigEndian.Uint32(x.packet[4:])+160)
	x.now = x.now.Add(20 * ms)
	x.work = append(x.work[:0], x.packet...)
	x.loop.handlers[0].HandlePacket(x.work, x.from, x.now)
}

// listened lets somebody hear both directions of the receiving side.
func listened(step func(*bare)) func(*testing.T, *bare) func(*bare) {
	return func(t *testing.T, x *bare) func(*bare) {
		t.Helper()
		if _, err := x.b.Listen(media.ListenOptions{From: true, To: true, Frame: func(media.Track, []byte) {}}); err != nil {
			t.Fatal(err)
		}
		return func(x *bare) {
			step(x)
			x.b.Tick(x.now, 1, 0)
		}
	}
}

func TestThePacketPathAllocatesNothing(t *testing.T) {
	tick := func(s *media.Session) func(*bare) {
		return func(x *bare) {
			x.now = x.now.Add(20 * ms)
			s.Tick(x.now, 1, 0)
		}
	}
	receive := func(x *bare) { x.receive() }
	for name, c := range map[string]struct {
		a, b, more string
		prepare    func(t *testing.T, x *bare) func(*bare)
	}{
		"forward":            {"0", "0", "", func(*testing.T, *bare) func(*bare) { return receive }},
		"transcode to A-law": {"0", "8", "", func(*testing.T, *bare) func(*bare) { return receive }},
		"other packet time":  {"0", "8", "a=ptime:30\n", func(*testing.T, *bare) func(*bare) { return receive }},
		"keys":               {"0 101", "0 101", "", func(_ *testing.T, x *bare) func(*bare) { x.packet[1] = 101; x.packet[12] = 5; return receive }},
		"silence":            {"0", "0", "", func(_ *testing.T, x *bare) func(*bare) { return tick(x.b) }},
		"play":               {"0", "0", "", func(_ *testing.T, x *bare) func(*bare) { return playing(x, tick(x.b)) }},
		"play what grows": {"0", "0", "", func(_ *testing.T, x *bare) func(*bare) {
			x.b.Play([]media.Source{&growing{fixed{sound{0x22, 3}.Frames("PCMU")}}}, true, nil)
			return tick(x.b)
		}},
		"play at 30 ms":        {"0", "0", "a=ptime:30\n", func(_ *testing.T, x *bare) func(*bare) { return playing(x, tick(x.b)) }},
		"forward and record":   {"0", "0", "", recorded(receive)},
		"transcode to G.722":   {"0", "9", "", func(_ *testing.T, x *bare) func(*bare) { return (*bare).translate }},
		"transcode to G.711":   {"9", "0", "", func(_ *testing.T, x *bare) func(*bare) { x.packet[1] = 9; return (*bare).translate }},
		"conference":           {"0", "9", "", conferring},
		"keys were agreed":     {"0 101", "0 101", "", func(*testing.T, *bare) func(*bare) { return receive }},
		"forward and be heard": {"0", "0", "", listened(receive)},
		"be heard in G.722":    {"0", "9", "", listened((*bare).translate)},
		"play live": {"0", "8", "", func(_ *testing.T, x *bare) func(*bare) {
			x.b.PlayLive(func(frame []byte) int { return len(frame) }, nil)
			return tick(x.b)
		}},
		"a report": {"0", "0", "", func(*testing.T, *bare) func(*bare) {
			return func(x *bare) {
				x.now = x.now.Add(10 * time.Second)
				x.a.Tick(x.now, 1, 0)
			}
		}},
		"a stranger's packet": {"0", "0", "", func(_ *testing.T, x *bare) func(*bare) {
			x.receive()
			x.from = netip.AddrPortFrom(phoneAddr, 666)
			return receive
		}},
	} {
		x := newBare(t, c.a, c.b, c.more)
		step := c.prepare(t, x)
		for range 50 { // what is done once is done
			step(x)
		}
		before := x.loop.sent
		if n := testing.AllocsPerRun(1000, func() { step(x) }); n != 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
		if sent := x.loop.sent - before; (sent == 0) != (name == "a stranger's packet") {
			t.Errorf("%s: %d packets were sent", name, sent)
		}
	}
}

// growing is sound at whose end somebody works for ever.
type growing struct{ fixed }

func (*growing) Growing() bool { return true }
func (*growing) Abandon()      {}

func playing(x *bare, step func(*bare)) func(*bare) {
	x.b.Play([]media.Source{&fixed{sound{0x22, 3}.Frames("PCMU")}, &fixed{sound{0x23, 2}.Frames("PCMU")}}, true, nil)
	return step
}

// fixed is sound that is prepared, as prompts are.
type fixed struct{ frames [][]byte }

func (f *fixed) Frames(string) [][]byte { return f.frames }

func recordOf(id, key string, left, right *media.Session) media.RecordOptions {
	return media.RecordOptions{ContactID: id, Key: key, Left: []*media.Session{left}, Right: []*media.Session{right}}
}

func recorded(step func(*bare)) func(*testing.T, *bare) func(*bare) {
	return func(t *testing.T, x *bare) func(*bare) {
		t.Helper()
		r, err := x.plane.Record(recordOf("c-1", "k.wav", x.a, x.b))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			done := make(chan struct{})
			r.Stop(func(contact.Recording, error) { close(done) })
			<-done
		})
		return step
	}
}

func TestR10ARecordingHoldsWhatEachSideSaid(t *testing.T) { // R10
	spool := t.TempDir()
	inBubble(t, func(o *media.Options) { o.SpoolDir = spool }, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "8", "")
		defer p.close()
		rec, err := r.plane.Record(recordOf("c-1", "a/b.wav", p.a, p.b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = r.plane.Record(recordOf("c-2", "a/c.wav", p.b, p.a)); !errs.Is(err, errs.Conflict) {
			t.Errorf("recorded twice: %v", err)
		}
		if _, err = r.plane.Record(recordOf("c-2", "a/c.wav", p.a, p.a)); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("one side twice: %v", err)
		}
		go talk(p.two, p.toTwo, 8, 0x20, 100, 160)
		time.Sleep(time.Second)
		talk(p.one, p.toOne, 0, 0x10, 100, 160)
		p.b.Close() // the agent leaves; the customer goes on
		talk(p.one, p.toOne, 0, 0x10, 50, 160)
		if got := r.plane.Stats().Recordings; got != 1 {
			t.Errorf("%d recordings", got)
		}
		if got := p.a.String(); !strings.Contains(got, "-> record") {
			t.Error(got)
		}
		type end struct {
			rec contact.Recording
			err error
		}
		ended := make(chan end, 1)
		rec.Stop(func(c contact.Recording, err error) { ended <- end{c, err} })
		e := <-ended
		if e.err != nil || e.rec.Location != "a/b.wav" || e.rec.Stop.Sub(e.rec.Start) != 4*time.Second {
			t.Fatalf("%+v", e)
		}
		f, err := os.Open(filepath.Join(spool, e.rec.Spool))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s, err := wav.Decode(f, 1<<20)
		if err != nil || s.Length() != 4*time.Second {
			t.Fatalf("%v %v", s.Length(), err)
		}
		for at, want := range map[int][2]bool{500: {false, true}, 1500: {true, true}, 2500: {true, false}, 3500: {true, false}} {
			got := [2]bool{s.PCM[at*16] != 0, s.PCM[at*16+1] != 0}
			if got != want {
				t.Errorf("at %d ms: left, right speak %v, want %v", at, got, want)
			}
		}
		synctest.Wait()
		if entries, readErr := os.ReadDir(spool); readErr != nil || len(entries) != 1 {
			t.Errorf("the spool holds %v %v", entries, readErr)
		}
		found, err := media.Recover(spool)
		if err != nil || len(found) != 1 || found[0].ContactID != "c-1" || found[0].CutOff || found[0].SHA256 != e.rec.SHA256 {
			t.Errorf("%+v %v", found, err)
		}
	})
}

func TestNoSpoolFolderNoRecording(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, b := r.open(media.SessionOptions{}), r.open(media.SessionOptions{})
		if _, err := r.plane.Record(recordOf("c-1", "k", a, b)); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%v", err)
		}
	})
}

func TestABridgeOnRealSockets(t *testing.T) {
	p, err := media.New(media.Options{Bind: loopback})
	if err != nil {
		t.Fatal(err)
	}
	var phones [2]*mediatest.Phone
	var sessions [2]*media.Session
	var to [2]netip.AddrPort
	for i := range phones {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		phones[i] = mediatest.NewPhone(c)
		defer phones[i].Close()
		if sessions[i], err = p.Open(media.SessionOptions{}); err != nil {
			t.Fatal(err)
		}
		b, err := sessions[i].Answer(phones[i].SDP([]string{"0", "8"}[i], ""))
		if err != nil {
			t.Fatal(err)
		}
		to[i] = netip.AddrPortFrom(loopback, addressIn(t, b).Port())
	}
	if _, err := media.Join(sessions[0], sessions[1]); err != nil {
		t.Fatal(err)
	}
	const packets, most = 200, 180 // on a machine that stands still for a moment, silence takes the place of some
	tick := time.NewTicker(2 * ms) // quicker than speech, but no flood
	defer tick.Stop()
	for i := range packets {
		<-tick.C
		phones[0].Send(to[0], 0, bytes.Repeat([]byte{byte(i)}, 160))
		phones[1].Send(to[1], 8, bytes.Repeat([]byte{byte(i)}, 160))
	}
	speech := func(p *mediatest.Phone) (n int) {
		for _, h := range p.Heard() {
			if h.Data[0] != 0xFF && h.Data[0] != 0xD5 {
				n++
			}
		}
		return n
	}
	for give := time.Now().Add(10 * time.Second); p.Stats().PacketsIn < 2*packets || speech(phones[0]) < most || speech(phones[1]) < most; {
		if time.Now().After(give) {
			t.Fatalf("heard %d and %d of %d packets", speech(phones[0]), speech(phones[1]), packets)
		}
		<-tick.C
	}
	if q := sessions[0].Close(); q.Received != packets || q.Lost != 0 {
		t.Errorf("%+v", q)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if st := p.Stats(); st.Sessions != 0 || st.PacketsIn < 2*packets || st.Foreign != 0 {
		t.Errorf("%+v", st)
	}
}

func BenchmarkForward(b *testing.B) {
	x := newBare(b, "0 101", "0 101", "")
	b.ReportAllocs()
	for b.Loop() {
		x.receive()
	}
}

// BenchmarkForwardListening forwards for a far end that takes no RFC 4733: its sound is searched for keys.
func BenchmarkForwardListening(b *testing.B) {
	x := newBare(b, "0", "0", "")
	b.ReportAllocs()
	for b.Loop() {
		x.receive()
	}
}

func BenchmarkTranscode(b *testing.B) {
	x := newBare(b, "0 101", "8 101", "")
	b.ReportAllocs()
	for b.Loop() {
		x.receive()
	}
}

func BenchmarkPlay(b *testing.B) {
	x := newBare(b, "0 101", "0 101", "")
	playing(x, nil)
	b.ReportAllocs()
	for b.Loop() {
		x.now = x.now.Add(20 * ms)
		x.b.Tick(x.now, 1, 0)
	}
}

func BenchmarkTranscodeWideBand(b *testing.B) {
	x := newBare(b, "0 101", "9 101", "")
	for range 50 {
		x.translate()
	}
	b.ReportAllocs()
	for b.Loop() {
		x.translate()
	}
}

// BenchmarkConference is a Frame of six members, three of whom speak. Beside it: what the same six would cost if everybody
// were joined with everybody's sound by a transcoding of their own.
func BenchmarkConference(b *testing.B) {
	x := newBare(b, "0 101", "9 101", "")
	step := x.confer(b, 6)
	for range 50 {
		step(x)
	}
	b.ReportAllocs()
	for b.Loop() {
		step(x)
	}
}

func BenchmarkRecord(b *testing.B) {
	x := newBare(b, "0 101", "0 101", "")
	r, err := x.plane.Record(recordOf("c-1", "k.wav", x.a, x.b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		x.receive()
	}
	done := make(chan struct{})
	r.Stop(func(contact.Recording, error) { close(done) })
	<-done
}
