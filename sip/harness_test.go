package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/resource"
)

const (
	ourAddr     = "198.51.100.1:5060"
	trunkAddr   = "192.0.2.10:5060"
	deviceAddr  = "203.0.113.5:40000"
	realm       = "test.example"
	sdpOffer    = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	sdpAnswer   = "v=0\r\no=- 2 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
	deviceName  = "agent7"
	deviceWord  = "open sesame"
	contactUser = "user-7"
)

// wire is a network of packets: what is written arrives at once and in order, unless lose says otherwise.
type wire struct {
	mu    sync.Mutex
	conns map[string]*wireConn
	lose  func(from, to string, data []byte) bool
}

type wireConn struct {
	w      *wire
	addr   *net.UDPAddr
	in     chan wirePacket
	closed chan struct{}
	once   sync.Once
}

type wirePacket struct {
	from *net.UDPAddr
	data []byte
}

func (w *wire) listen(addr string) *wireConn {
	c := &wireConn{
		w: w, addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)), in: make(chan wirePacket, 4096),
		closed: make(chan struct{}),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = make(map[string]*wireConn)
	}
	w.conns[c.addr.String()] = c
	return c
}

func (c *wireConn) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case pk := <-c.in:
		return copy(p, pk.data), pk.from, nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *wireConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	c.w.mu.Lock()
	to := c.w.conns[addr.String()]
	lost := c.w.lose != nil && c.w.lose(c.addr.String(), addr.String(), p)
	c.w.mu.Unlock()
	if to != nil && !lost {
		select {
		case to.in <- wirePacket{c.addr, append([]byte(nil), p...)}:
		default:
		}
	}
	return len(p), nil
}

func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
func (c *wireConn) LocalAddr() net.Addr            { return c.addr }
func (*wireConn) SetDeadline(time.Time) error      { return nil }
func (*wireConn) SetReadDeadline(time.Time) error  { return nil }
func (*wireConn) SetWriteDeadline(time.Time) error { return nil }

// owner is the Admitter of the tests.
type owner struct {
	mu     sync.Mutex
	calls  []*ownedCall
	refuse error
	onCall func(*ownedCall) // in Admit, before it returns
}

type ownedCall struct {
	in  call.Inbound
	leg call.Leg
	eventLog
}

// eventLog collects the events of a leg.
type eventLog struct {
	mu     sync.Mutex
	events []call.LegEvent
	ended  int
	late   int // events after LegEnded
	then   func(call.LegEvent)
}

func (e *eventLog) add(ev call.LegEvent) {
	e.mu.Lock()
	if e.ended > 0 {
		e.late++
	}
	e.events = append(e.events, ev)
	if ev.Kind == call.LegEnded {
		e.ended++
	}
	then := e.then
	e.mu.Unlock()
	if then != nil {
		then(ev)
	}
}

func (e *eventLog) all() []call.LegEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]call.LegEvent(nil), e.events...)
}

// ends is how often the end was told, and how many events came after it.
func (e *eventLog) ends() (ended, late int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended, e.late
}

// kinds is the log as one line: "answered ended(bye)".
func (e *eventLog) kinds() string {
	var words []string
	for _, ev := range e.all() {
		switch ev.Kind {
		case call.LegProgress:
			words = append(words, fmt.Sprintf("progress(%d)", ev.Code))
		case call.LegAnswered:
			words = append(words, "answered")
		case call.LegOffer:
			words = append(words, "offer")
		case call.LegChanged:
			words = append(words, "changed")
		case call.LegUnchanged:
			words = append(words, fmt.Sprintf("unchanged(%d)", ev.Code))
		case call.LegRefer:
			words = append(words, "refer("+ev.Refer.Target+")")
		case call.LegDigit:
			words = append(words, "digit("+string(ev.Digit)+")")
		case call.LegEnded:
			words = append(words, "ended("+causeText(ev.Cause)+")")
		}
	}
	return strings.Join(words, " ")
}

func (o *owner) Admit(_ context.Context, in call.Inbound, leg call.Leg) (func(call.LegEvent), error) {
	o.mu.Lock()
	if o.refuse != nil {
		defer o.mu.Unlock()
		return nil, o.refuse
	}
	c := &ownedCall{in: in, leg: leg}
	o.calls = append(o.calls, c)
	onCall := o.onCall
	o.mu.Unlock()
	if onCall != nil {
		onCall(c)
	}
	return c.add, nil
}

func (o *owner) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.calls)
}

func (o *owner) call(t *testing.T, i int) *ownedCall {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.calls) <= i {
		t.Fatalf("%d calls were admitted, want at least %d", len(o.calls), i+1)
	}
	return o.calls[i]
}

// memoryStore is a RegistrationStore.
type memoryStore struct {
	mu sync.Mutex
	m  map[string][]Registration
}

func (s *memoryStore) PutRegistrations(_ context.Context, id string, rs []Registration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[string][]Registration)
	}
	s.m[id] = rs
	return nil
}

func (s *memoryStore) Registrations(context.Context) ([]Registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Registration
	for _, rs := range s.m {
		all = append(all, rs...)
	}
	return all, nil
}

// lines is a slog handler that keeps what was written.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func (l *lines) with(parts ...string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			return line
		}
	}
	return ""
}

// stage is an endpoint with a trunk, a device and their phones.
type stage struct {
	t     *testing.T
	net   *wire
	ep    *Endpoint
	owner *owner
	trunk *farEnd
	log   *lines
	reg   *Registrar
	lim   *Limits
}

func newStage(t *testing.T, change ...func(*Options)) *stage {
	t.Helper()
	s := &stage{t: t, net: &wire{}, owner: &owner{}, log: &lines{}, lim: NewLimits(LimitOptions{})}
	trunks, err := NewTrunkTable([]*Trunk{
		{Meta: resource.Meta{ID: "trunk-1", Name: "carrier"}, Addresses: []string{"192.0.2.10"}, MaxChannels: 100, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-2", Name: "small"}, Addresses: []string{"192.0.2.11"}, MaxChannels: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	md5Hex, shaHex := HA1(deviceName, realm, deviceWord)
	devices := NewDeviceTable([]*Device{{
		Meta: resource.Meta{ID: "device-7", InstanceID: "inst-1", Name: deviceName}, UserID: contactUser, HA1MD5: md5Hex, HA1SHA256: shaHex,
	}})
	s.reg = NewRegistrar(RegistrarOptions{Store: &memoryStore{}})
	opt := Options{
		Log:    slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Realm:  realm,
		Trunks: func() *TrunkTable { return trunks }, Devices: func() *DeviceTable { return devices },
		Registrar: s.reg, Limits: s.lim, Admitter: s.owner, UserAgent: "ullim-test",
		Packets: []net.PacketConn{s.net.listen(ourAddr)},
	}
	for _, f := range change {
		f(&opt)
	}
	s.ep, err = NewEndpoint(opt)
	if err != nil {
		t.Fatal(err)
	}
	s.ep.Start()
	s.trunk = s.phone(trunkAddr)
	return s
}

// register puts the device at an address, without a REGISTER.
func (s *stage) register(addr string) {
	s.t.Helper()
	d, _ := s.ep.opt.Devices().ByName(deviceName)
	res := s.reg.Register(s.t.Context(), RegisterRequest{
		Device: d, Contacts: []RegisterContact{{URI: "sip:agent7@10.9.9.9:5060"}}, CallID: "reg", CSeq: 1,
		Source: addr, Transport: "UDP", Now: time.Now(),
	})
	if res.Status != 200 {
		s.t.Fatalf("registration refused: %+v", res)
	}
}

// close ends the stage and checks that nothing is left.
func (s *stage) close() {
	s.t.Helper()
	for _, c := range s.net.conns {
		if c.addr.String() != ourAddr {
			_ = c.Close()
		}
	}
	s.ep.Close()
	synctest.Wait()
	if st := s.ep.Stats(); st.Legs != 0 || st.Transactions != 0 || st.Streams != 0 {
		s.t.Errorf("left after Close: %+v", st)
	}
	if n := s.lim.Calls(); n != 0 {
		s.t.Errorf("%d channels are still taken", n)
	}
	for i, c := range s.owner.calls {
		if ended, late := c.ends(); ended != 1 || late != 0 {
			s.t.Errorf("call %d: LegEnded came %d times, %d events after it: %s", i, ended, late, c.kinds())
		}
	}
}

// farEnd is a phone or carrier that speaks SIP by hand.
type farEnd struct {
	s    *stage
	conn *wireConn
	addr string
	mu   sync.Mutex
	got  []received
	on   func(m sipgo.Message) // called for every message, in order
}

type received struct {
	at  time.Time
	msg sipgo.Message
}

func (s *stage) phone(addr string) *farEnd {
	p := &farEnd{s: s, conn: s.net.listen(addr), addr: addr}
	go func() {
		buf := make([]byte, maxMessage)
		for {
			n, _, err := p.conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			msg, err := sipgo.ParseMessage(append([]byte(nil), buf[:n]...))
			if err != nil {
				s.t.Errorf("%s got what is not SIP: %v\n%s", addr, err, buf[:n])
				continue
			}
			p.mu.Lock()
			p.got = append(p.got, received{time.Now(), msg})
			on := p.on
			p.mu.Unlock()
			if on != nil {
				on(msg)
			}
		}
	}()
	return p
}

// hear sets what is done with every message from now on.
func (p *farEnd) hear(on func(sipgo.Message)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
}

func (p *farEnd) send(text string) {
	p.s.t.Helper()
	if _, err := p.conn.WriteTo([]byte(text), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ourAddr))); err != nil {
		p.s.t.Fatal(err)
	}
}

// settle waits until nothing moves.
func (p *farEnd) settle() { synctest.Wait() }

// responses are the status codes received for a CSeq, in order, without 100.
func (p *farEnd) responses(cseq string) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var codes []int
	for _, r := range p.got {
		if res, ok := r.msg.(*sipgo.Response); ok && res.CSeq().Value() == cseq && res.StatusCode != 100 {
			codes = append(codes, res.StatusCode)
		}
	}
	return codes
}

// response is the last response for a CSeq with a status.
func (p *farEnd) response(cseq string, code int) *sipgo.Response {
	p.s.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Backward(p.got) {
		if res, ok := r.msg.(*sipgo.Response); ok && res.CSeq().Value() == cseq && res.StatusCode == code {
			return res
		}
	}
	p.s.t.Fatalf("no %d for %q; received:\n%s", code, cseq, p.dump())
	return nil
}

// requests are the requests received with a method.
func (p *farEnd) requests(method sipgo.RequestMethod) []*sipgo.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*sipgo.Request
	for _, r := range p.got {
		if req, ok := r.msg.(*sipgo.Request); ok && req.Method == method {
			list = append(list, req)
		}
	}
	return list
}

func (p *farEnd) times(match func(sipgo.Message) bool) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []time.Time
	for _, r := range p.got {
		if match(r.msg) {
			list = append(list, r.at)
		}
	}
	return list
}

func (p *farEnd) dump() string {
	var b strings.Builder
	for _, r := range p.got {
		first, _, _ := strings.Cut(r.msg.String(), "\r\n")
		fmt.Fprintf(&b, "  %s %s [%s]\n", r.at.Format("05.000"), first, r.msg.CSeq().Value())
	}
	return b.String()
}

// dlg writes the requests of one dialog of a phone.
type dlg struct {
	p       *farEnd
	callID  string
	from    string // our tag
	to      string // their tag
	branchN int
	uri     string
}

func (p *farEnd) dialog(callID string) *dlg {
	return &dlg{p: p, callID: callID, from: "ft-" + callID, uri: "sip:+82212345678@198.51.100.1"}
}

// text writes a request; extra are complete header lines or empty.
func (d *dlg) text(method string, seq int, branch, body string, extra ...string) string {
	to := "<sip:+82212345678@198.51.100.1>"
	if d.to != "" {
		to += ";tag=" + d.to
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", method, d.uri)
	fmt.Fprintf(&b, "Via: SIP/2.0/UDP %s;branch=z9hG4bK-%s;rport\r\n", d.p.addr, branch)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: \"Kim\" <sip:01012345678@192.0.2.10>;tag=%s\r\nTo: %s\r\n", d.from, to)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d %s\r\n", d.callID, seq, method)
	if method == "INVITE" || method == "UPDATE" {
		fmt.Fprintf(&b, "Contact: <sip:kim@%s>\r\n", d.p.addr)
	}
	if body != "" && !strings.Contains(strings.Join(extra, "\n"), "Content-Type") {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	for _, e := range extra {
		b.WriteString(e + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

func (d *dlg) send(method string, seq int, body string, extra ...string) {
	d.p.s.t.Helper()
	d.branchN++
	d.p.send(d.text(method, seq, fmt.Sprintf("%s-%d-%d", d.callID, seq, d.branchN), body, extra...))
}

// invite sends the first INVITE and waits.
func (d *dlg) invite() { d.p.send(d.text("INVITE", 1, d.callID+"-1", sdpOffer)); d.p.settle() }

// learn takes the tag out of an answer to the first INVITE.
func (d *dlg) learn(code int) {
	d.p.s.t.Helper()
	d.to = tagOf(d.p.response("1 INVITE", code).To().Params)
	if d.to == "" {
		d.p.s.t.Fatal("answer without a To tag")
	}
}

// up makes a confirmed call.
func (s *stage) up(callID string) (*dlg, *ownedCall) {
	s.t.Helper()
	n := s.owner.count()
	d := s.trunk.dialog(callID)
	d.invite()
	c := s.owner.call(s.t, n)
	c.leg.Ring()
	c.leg.Answer([]byte(sdpAnswer))
	s.trunk.settle()
	d.learn(200)
	d.send("ACK", 1, "")
	s.trunk.settle()
	if c.kinds() != "answered" {
		s.t.Fatalf("events are %q, want answered\n%s", c.kinds(), s.trunk.dump())
	}
	return d, c
}

func cutHeader(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	return name, strings.TrimSpace(value), ok
}
