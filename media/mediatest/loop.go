package mediatest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/media"
)

// Kit is what the behaviour suite needs to know about an implementation of media.Loop.
type Kit struct {
	New    func() media.Loop
	Listen func(t *testing.T) net.PacketConn        // on an address that others can send to
	Bubble func(t *testing.T, f func(t *testing.T)) // runs one test: synctest.Test, or just f in real time
	Slack  time.Duration                            // how exact the clock must be: 0 in virtual time
}

// Loop tests that an implementation keeps what media.Loop promises.
func Loop(t *testing.T, k Kit) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Kit){
		"packets are handed over in order, with their sender":    packetsInOrder,
		"what is sent arrives":                                   sendArrives,
		"too large a packet is dropped, the next one is not":     dropsLarge,
		"a closed port hands nothing over and cannot send":       portCloses,
		"tickers tick on the grid and are owed what they missed": ticksOnGrid,
		"a slow ticker does not slow the clock":                  slowTicker,
		"many tickers tick at the same pace":                     manyTickers,
		"a flood on one port does not keep the others waiting":   floods,
		"a port can be closed and opened while packets come":     churns,
		"a ticker added twice ticks once, and can remove itself": removesItself,
		"the clock starts again after it was idle":               startsAgain,
		"close ends everything, twice":                           closes,
	} {
		t.Run(name, func(t *testing.T) {
			k.Bubble(t, func(t *testing.T) {
				t.Helper()
				test(t, k)
			})
		})
	}
}

type received struct {
	bytes string
	from  netip.AddrPort
}

type handler struct {
	got     chan received
	working atomic.Int32
	overlap atomic.Bool
}

func newHandler() *handler { return &handler{got: make(chan received, 1000)} }

// HandlePacket implements media.Handler.
func (h *handler) HandlePacket(p []byte, from netip.AddrPort, _ time.Time) {
	if h.working.Add(1) > 1 {
		h.overlap.Store(true)
	}
	h.got <- received{string(p), from}
	for i := range p[:len(p)+media.Room] { // the packet is the handler's to change, and the room behind it
		p[:cap(p)][i] = 0
	}
	h.working.Add(-1)
}

// next waits for a packet; real time gives it ten seconds, virtual time as long as anything can still happen.
func (h *handler) next(t *testing.T) received {
	t.Helper()
	select {
	case r := <-h.got:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no packet came")
		return received{}
	}
}

func open(t *testing.T, k Kit, l media.Loop, h media.Handler) (media.Port, netip.AddrPort) {
	t.Helper()
	p, err := l.Open(k.Listen(t), h)
	if err != nil {
		t.Fatal(err)
	}
	return p, p.Addr()
}

func end(t *testing.T, l media.Loop) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func packetsInOrder(t *testing.T, k Kit) {
	t.Helper()
	l, h := k.New(), newHandler()
	defer end(t, l)
	_, addr := open(t, k, l, h)
	from := k.Listen(t)
	defer func() { _ = from.Close() }()
	for i := range 100 {
		if _, err := from.WriteTo(binary.BigEndian.AppendUint32(nil, uint32(i)), net.UDPAddrFromAddrPort(addr)); err != nil {
			t.Fatal(err)
		}
	}
	sender := from.LocalAddr().String()
	for i := range 100 {
		r := h.next(t)
		if got := binary.BigEndian.Uint32([]byte(r.bytes)); got != uint32(i) || r.from.String() != sender {
			t.Fatalf("packet %d from %s, want %d from %s", got, r.from, i, sender)
		}
	}
	if h.overlap.Load() {
		t.Error("two packets of one port were handled at the same time")
	}
}

func sendArrives(t *testing.T, k Kit) {
	t.Helper()
	l, a, b := k.New(), newHandler(), newHandler()
	defer end(t, l)
	one, from := open(t, k, l, a)
	_, to := open(t, k, l, b)
	packet := []byte("first")
	if err := one.Send(packet, to); err != nil {
		t.Fatal(err)
	}
	copy(packet, "later") // Send does not keep it
	if r := b.next(t); r.bytes != "first" || r.from != from {
		t.Errorf("got %q from %s", r.bytes, r.from)
	}
}

func dropsLarge(t *testing.T, k Kit) {
	t.Helper()
	l, a, b := k.New(), newHandler(), newHandler()
	defer end(t, l)
	one, _ := open(t, k, l, a)
	_, to := open(t, k, l, b)
	for _, p := range [][]byte{make([]byte, media.MaxPacket+1), make([]byte, media.MaxPacket)} {
		if err := one.Send(p, to); err != nil {
			t.Fatal(err)
		}
	}
	if r := b.next(t); len(r.bytes) != media.MaxPacket {
		t.Errorf("%d bytes were handed over", len(r.bytes))
	}
}

func portCloses(t *testing.T, k Kit) {
	t.Helper()
	l, a, b := k.New(), newHandler(), newHandler()
	defer end(t, l)
	one, addr := open(t, k, l, a)
	two, _ := open(t, k, l, b)
	for range 2 {
		if err := one.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := one.Send([]byte("x"), two.Addr()); err == nil {
		t.Error("a closed port sent")
	}
	_ = two.Send([]byte("x"), addr) // nobody there
	if len(a.got) != 0 {
		t.Error("a closed port handed a packet over")
	}
}

// ticker notes its ticks.
type ticker struct {
	mu    sync.Mutex
	ticks []tick
	on    func(n int) // called in each tick
	wake  chan struct{}
}

type tick struct {
	now        time.Time
	owed, lost int
}

func newTicker(on func(int)) *ticker { return &ticker{on: on, wake: make(chan struct{}, 1)} }

// Tick implements media.Ticker.
func (c *ticker) Tick(now time.Time, owed, lost int) {
	c.mu.Lock()
	c.ticks = append(c.ticks, tick{now, owed, lost})
	n := len(c.ticks)
	c.mu.Unlock()
	if c.on != nil {
		c.on(n)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// await waits for n ticks and gives them.
func (c *ticker) await(t *testing.T, n int) []tick {
	t.Helper()
	give := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		got := append([]tick(nil), c.ticks...)
		c.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-c.wake:
		case <-give:
			t.Fatalf("%d ticks, want %d", len(got), n)
		}
	}
}

// onGrid checks that between the first tick and the last every frame was owed or lost, once.
func onGrid(t *testing.T, k Kit, ticks []tick) {
	t.Helper()
	frames := 0
	for _, c := range ticks[1:] {
		if c.owed < 1 || c.owed > media.MaxOwed || c.lost < 0 {
			t.Errorf("a tick owes %d and lost %d", c.owed, c.lost)
		}
		frames += c.owed + c.lost
	}
	off := ticks[len(ticks)-1].now.Sub(ticks[0].now) - time.Duration(frames)*media.Frame
	if off > k.Slack || off < -k.Slack {
		t.Errorf("the clock is off by %v after %d frames", off, frames)
	}
}

func ticksOnGrid(t *testing.T, k Kit) {
	t.Helper()
	l, a, b := k.New(), newTicker(nil), newTicker(nil)
	defer end(t, l)
	l.Add(a)
	l.Add(b)
	onGrid(t, k, a.await(t, 25))
	onGrid(t, k, b.await(t, 25))
}

func slowTicker(t *testing.T, k Kit) {
	t.Helper()
	l := k.New()
	defer end(t, l)
	slow := newTicker(func(n int) {
		switch n {
		case 2:
			<-time.After(media.Frame * 5 / 2) // two frames are owed afterwards
		case 4:
			<-time.After(media.Frame * 21 / 2) // hopeless
		}
	})
	other := newTicker(nil)
	l.Add(slow)
	l.Add(other)
	onGrid(t, k, other.await(t, 10))
	ticks := slow.await(t, 10)
	onGrid(t, k, ticks)
	if k.Slack == 0 {
		if ticks[2].owed != 2 || ticks[2].lost != 0 {
			t.Errorf("after 50 ms: owes %d, lost %d", ticks[2].owed, ticks[2].lost)
		}
		if ticks[4].owed != 1 || ticks[4].lost != 9 {
			t.Errorf("after 210 ms: owes %d, lost %d", ticks[4].owed, ticks[4].lost)
		}
	}
	if late := l.Stats().Late; late < 9 {
		t.Errorf("%d frames counted as late", late)
	}
}

func manyTickers(t *testing.T, k Kit) {
	t.Helper()
	l := k.New()
	defer end(t, l)
	all := make([]*ticker, 50)
	for i := range all {
		all[i] = newTicker(nil)
		l.Add(all[i])
	}
	for _, c := range all {
		onGrid(t, k, c.await(t, 10))
	}
	if n := l.Stats().Tickers; n != len(all) {
		t.Errorf("%d tickers counted, want %d", n, len(all))
	}
	for _, c := range all {
		l.Remove(c)
	}
	if n := l.Stats().Tickers; n != 0 {
		t.Errorf("%d tickers left", n)
	}
}

// counting is a handler that only counts.
type counting struct{ n atomic.Int64 }

// HandlePacket implements media.Handler.
func (c *counting) HandlePacket([]byte, netip.AddrPort, time.Time) { c.n.Add(1) }

func floods(t *testing.T, k Kit) {
	t.Helper()
	l, h, flooded := k.New(), newHandler(), new(counting)
	defer end(t, l)
	_, addr := open(t, k, l, h)
	_, victim := open(t, k, l, flooded)
	from := k.Listen(t)
	defer func() { _ = from.Close() }()
	for i := range 20 {
		for range 50 {
			if _, err := from.WriteTo(make([]byte, 172), net.UDPAddrFromAddrPort(victim)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := from.WriteTo([]byte{byte(i)}, net.UDPAddrFromAddrPort(addr)); err != nil {
			t.Fatal(err)
		}
		if r := h.next(t); r.bytes[0] != byte(i) {
			t.Fatalf("packet %d, want %d", r.bytes[0], i)
		}
	}
	for give := time.Now().Add(10 * time.Second); flooded.n.Load() < 500 && time.Now().Before(give); {
		<-time.After(media.Frame)
	}
	if n := flooded.n.Load(); n < 500 { // the socket's buffer may lose some on a busy machine
		t.Errorf("%d of 1000 packets of the flood were read", n)
	}
}

func churns(t *testing.T, k Kit) {
	t.Helper()
	l, h := k.New(), newHandler()
	defer end(t, l)
	keep, addr := open(t, k, l, h)
	for i := range 50 {
		c := new(counting)
		p, other := open(t, k, l, c)
		if err := keep.Send([]byte("x"), other); err != nil {
			t.Fatal(err)
		}
		if err := p.Send([]byte{byte(i)}, addr); err != nil {
			t.Fatal(err)
		}
		if r := h.next(t); r.bytes[0] != byte(i) || r.from != other {
			t.Fatalf("packet %d from %s, want %d from %s", r.bytes[0], r.from, i, other)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Stats().Ports; n != 1 {
		t.Errorf("%d ports counted, want 1", n)
	}
}

func removesItself(t *testing.T, k Kit) {
	t.Helper()
	l := k.New()
	defer end(t, l)
	var once *ticker
	once = newTicker(func(n int) {
		if n == 3 {
			l.Remove(once)
		}
	})
	other := newTicker(nil)
	l.Add(once)
	l.Add(once)
	l.Add(other)
	l.Remove(newTicker(nil)) // not there
	other.await(t, 10)
	if n := len(once.await(t, 3)); n != 3 {
		t.Errorf("%d ticks, want 3", n)
	}
}

func startsAgain(t *testing.T, k Kit) {
	t.Helper()
	l, a, b := k.New(), newTicker(nil), newTicker(nil)
	defer end(t, l)
	l.Add(a)
	a.await(t, 2)
	l.Remove(a)
	<-time.After(10 * media.Frame)
	l.Add(b)
	ticks := b.await(t, 5)
	onGrid(t, k, ticks)
	if ticks[0].lost != 0 {
		t.Errorf("%d frames lost while nobody listened", ticks[0].lost)
	}
}

func closes(t *testing.T, k Kit) {
	t.Helper()
	l, h, c := k.New(), newHandler(), newTicker(nil)
	p, _ := open(t, k, l, h)
	l.Add(c)
	c.await(t, 1)
	end(t, l)
	end(t, l)
	n := len(c.await(t, 1))
	<-time.After(3 * media.Frame)
	if len(c.await(t, 1)) != n {
		t.Error("ticks after Close")
	}
	if err := p.Send([]byte("x"), p.Addr()); err == nil {
		t.Error("a port of a closed loop sent")
	}
	conn := k.Listen(t)
	if _, err := l.Open(conn, h); !errs.Is(err, errs.Unavailable) {
		t.Errorf("open after close: %v", err)
	}
	if _, err := conn.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(p.Addr())); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the refused conn was left open: %v", err)
	}
}
