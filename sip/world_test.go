package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/call"
	"ullim/sip/siptest"
)

// worlds is how many seeds the tests below go through; ULLIM_TEST_SEEDS makes it more.
func worlds() int {
	if n, err := strconv.Atoi(os.Getenv("ULLIM_TEST_SEEDS")); err == nil {
		return n
	}
	return worldsUnderTest
}

// world is an endpoint on a network with faults, with a carrier, two phones of one user, and gateways.
type world struct {
	*stage
	rng      *rand.Rand
	net      *siptest.Network
	carrier  *siptest.Carrier
	phones   []*siptest.Phone
	gateways []*siptest.Phone

	mu       sync.Mutex
	dialed   []*dialed
	theirs   []*siptest.Call // every call of a phone or carrier
	released int
	deaf     bool // a phone may not have heard that its call is over
	traceMu  sync.Mutex
	trace    []string
}

func newWorld(t *testing.T, seed int64) *world {
	t.Helper()
	w := &world{rng: rand.New(rand.NewPCG(uint64(seed), 11))}
	w.net = siptest.NewNetwork(siptest.NetworkOptions{Seed: seed, Delay: time.Duration(1+w.rng.IntN(20)) * time.Millisecond})
	conn, err := w.net.Listen(ourAddr)
	if err != nil {
		t.Fatal(err)
	}
	w.stage = newStage(t, func(o *Options) { o.Packets = []net.PacketConn{conn} })
	options := func(o siptest.PhoneOptions) siptest.PhoneOptions {
		o.Server, o.Listen = ourAddr, w.net.Listen
		o.Misbehave.NoRTP = true
		o.Trace = w.note
		if w.rng.IntN(2) == 0 {
			o.Reliable = true
		}
		if w.rng.IntN(2) == 0 {
			o.SessionExpires, o.Refresher = 90*time.Second, []string{"", "uac", "uas"}[w.rng.IntN(3)]
		}
		return o
	}
	if w.carrier, err = siptest.NewCarrier(options(siptest.PhoneOptions{Local: trunkAddr})); err != nil {
		t.Fatal(err)
	}
	w.watch(w.carrier.Phone)
	for i := range 2 {
		p, perr := siptest.NewPhone(options(siptest.PhoneOptions{
			Name: deviceName, Password: deviceWord, Local: fmt.Sprintf("203.0.113.%d:5060", 5+i),
		}))
		if perr != nil {
			t.Fatal(perr)
		}
		if perr = p.Register(t.Context()); perr != nil {
			t.Fatal(perr)
		}
		w.phones = append(w.phones, p)
		w.watch(p)
	}
	for i := range 3 {
		g, gerr := siptest.NewPhone(options(siptest.PhoneOptions{Local: fmt.Sprintf("192.0.2.3%d:5060", 1+i)}))
		if gerr != nil {
			t.Fatal(gerr)
		}
		w.gateways = append(w.gateways, g)
		w.watch(g)
	}
	return w
}

// note keeps the first line of every message, to be shown if something is wrong.
func (w *world) note(sent bool, peer net.Addr, b []byte) {
	first, _, _ := strings.Cut(string(b), "\r\n")
	field := func(name string) string {
		_, rest, _ := strings.Cut(string(b), "\r\n"+name+": ")
		v, _, _ := strings.Cut(rest, "\r\n")
		return v
	}
	arrow := "<-"
	if sent {
		arrow = "->"
	}
	w.traceMu.Lock()
	defer w.traceMu.Unlock()
	w.trace = append(w.trace, fmt.Sprint(time.Now().Format("04:05.000 "), field("Call-ID"), " ", arrow, " ", peer, " ", first, " [", field("CSeq"), "] ",
		field("To"), " ", field("Contact")))
}

// watch keeps the calls that a phone gets.
func (w *world) watch(p *siptest.Phone) {
	go func() {
		for c := range p.Calls() {
			w.keep(c)
		}
	}()
}

func (w *world) keep(c *siptest.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.theirs = append(w.theirs, c)
}

// serve makes the owner of the calls do what a call does, with pauses of its own.
func (w *world) serve() {
	w.owner.onCall = func(c *ownedCall) {
		w.mu.Lock()
		ring, early, wait := w.rng.IntN(3) > 0, w.rng.IntN(2) == 0, time.Duration(w.rng.IntN(1500))*time.Millisecond
		refuse := w.rng.IntN(12) == 0
		w.mu.Unlock()
		c.then = func(e call.LegEvent) { obey(c.leg, e) }
		if ring {
			c.leg.Ring()
		}
		if early {
			c.leg.Progress([]byte(sdpAnswer))
		}
		time.AfterFunc(wait+1, func() {
			if refuse {
				c.leg.Reject(486, "Busy Here", 0)
				return
			}
			c.leg.Answer([]byte(sdpAnswer))
		})
	}
}

// obey answers what a leg asks of its owner.
func obey(leg call.Leg, e call.LegEvent) {
	switch e.Kind {
	case call.LegOffer:
		leg.AnswerOffer([]byte(sdpAnswer))
	case call.LegRefer:
		leg.Notify(100, "Trying")
		time.AfterFunc(2*time.Second, func() { leg.Notify(200, "OK") })
	default:
	}
}

// dial calls the user's phones, or the gateways by a plan.
func (w *world) dial(gateways bool) *dialed {
	c := &dialed{}
	c.then = func(e call.LegEvent) {
		w.mu.Lock()
		leg := c.leg
		w.mu.Unlock()
		if leg != nil {
			obey(leg, e)
		}
	}
	t := call.Target{InstanceID: "inst-1", UserID: contactUser, FromNumber: "+821012345678"}
	w.mu.Lock()
	defer w.mu.Unlock()
	if gateways {
		p := plan{release: func() { w.mu.Lock(); w.released++; w.mu.Unlock() }}
		for _, g := range w.gateways {
			p.hops = append(p.hops, hop{
				network: "UDP", addr: g.Addr(), target: uriOf("sip:+8221234@" + g.Addr().String()), from: caller(t),
				to: party{uri: uriOf("sip:+8221234@carrier.example")}, trunk: &Trunk{},
			})
		}
		t.UserID, t.Number = "", "+8221234"
		c.leg = w.ep.dialBy(func(context.Context, call.Target) (plan, error) { return p, nil }, t, []byte(sdpAnswer), c.add)
	} else {
		w.released++ // nothing to release: counted so that the sums agree
		c.leg = w.ep.Dial(t, []byte(sdpAnswer), c.add)
	}
	w.dialed = append(w.dialed, c)
	return c
}

// after runs f in the world's time.
func (w *world) after(most int, f func()) {
	w.mu.Lock()
	d := time.Duration(w.rng.IntN(most)) * time.Millisecond
	w.mu.Unlock()
	time.AfterFunc(d+1, f)
}

func (w *world) n(most int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(most)
}

// behaviour is what a phone does with a call.
func (w *world) behaviour() siptest.AnswerBehaviour {
	b := siptest.AnswerBehaviour{
		After: time.Duration(w.n(2000)) * time.Millisecond, Early: w.n(2) == 0, NoRing: w.n(4) == 0, Tags: w.n(3), Answers: w.n(5) / 4,
	}
	switch w.n(8) {
	case 0:
		b.Reject = []int{486, 503, 603, 480, 408}[w.n(5)]
	case 1:
		b.RingOnly = true
	case 2:
		b.NoAnswer = true
	}
	return b
}

// misbehaviour is what goes wrong on a phone's side.
func (w *world) misbehaviour() siptest.Misbehaviour {
	ms := func(n int) time.Duration { return time.Duration(w.n(n)) * time.Millisecond }
	list := []siptest.Misbehaviour{
		{},
		{DropACK: 1 + w.n(4)},
		{NeverACK: true},
		{DropFirst200: true},
		{Repeat200: 20},
		{CancelOn: siptest.OnInvite, CancelAfter: ms(1500), EarlyCancel: true},
		{CancelOn: siptest.OnProvisional, CancelAfter: ms(1500)},
		{CancelOn: siptest.OnAnswer, CancelAfter: ms(50)},
		{ByeOnAnswer: true},
		{ByeBeforeACK: true},
		{AckDelay: ms(3000)},
		{NoPrack: true},
		{NoRefresh: true},
		{IgnoreBye: true},
	}
	m := list[w.n(len(list))]
	m.NoRTP = true
	if m.IgnoreBye {
		w.mu.Lock()
		w.deaf = true
		w.mu.Unlock()
	}
	return m
}

// changes lets both sides change the session at about the same time, again and again, with a transfer in between.
func (w *world) changes(leg call.Leg, theirs func() *siptest.Call, until time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), until)
	for range w.n(4) {
		w.after(int(until/time.Millisecond), func() { leg.Offer([]byte(sdpHold)) })
		w.after(int(until/time.Millisecond), func() { leg.Digit('5', 100*time.Millisecond) })
	}
	for range w.n(4) {
		w.after(int(until/time.Millisecond), func() {
			c := theirs()
			if c == nil {
				return
			}
			switch w.n(6) {
			case 0:
				_ = c.Hold(ctx, false)
			case 1:
				_ = c.Offer(ctx, nil)
			case 2:
				_ = c.Refer(ctx, "100", nil)
			case 3:
				_ = c.SendInfoDigit(ctx, '7')
			case 4:
				_, _ = c.Request(ctx, "UPDATE", "application/sdp", []byte(sdpOffer))
			default:
				_ = c.Resume(ctx)
			}
		})
	}
	time.AfterFunc(until, cancel)
}

// play runs a handful of calls of all kinds through the world's faults.
func (w *world) play() {
	w.serve()
	for i := range 6 {
		life := time.Duration(1+w.n(120)) * time.Second
		switch i % 3 {
		case 0: // they call
			m := w.misbehaviour()
			c, err := w.carrier.Call(context.Background(), "+82212345678", fmt.Sprintf("0101234%04d", i), siptest.CallOptions{
				Misbehave: &m, NoSDP: w.n(4) == 0,
			})
			if err != nil {
				w.t.Fatal(err)
			}
			w.keep(c)
			time.AfterFunc(4*time.Second, func() {
				for _, o := range w.owned() {
					if o.leg.CallID() == c.CallID() {
						w.changes(o.leg, func() *siptest.Call { return c }, life)
					}
				}
			})
			if w.n(2) == 0 {
				time.AfterFunc(life, c.Hangup)
			}
		default: // we call
			for _, p := range append(append([]*siptest.Phone{}, w.phones...), w.gateways...) {
				p.SetAnswer(w.behaviour())
				p.Misbehave(w.misbehaviour())
			}
			d := w.dial(i%3 == 1)
			w.changes(d.leg, func() *siptest.Call { return w.of(d.leg.CallID()) }, life)
			switch w.n(3) {
			case 0:
				w.after(2500, func() { d.leg.Hangup("caller left") })
			case 1:
				time.AfterFunc(life, func() { w.hangup(d.leg.CallID()) })
			}
		}
		time.Sleep(time.Duration(w.n(3000)) * time.Millisecond)
	}
	time.Sleep(3 * time.Minute)
}

func (w *world) owned() []*ownedCall {
	w.owner.mu.Lock()
	defer w.owner.mu.Unlock()
	return append([]*ownedCall(nil), w.owner.calls...)
}

// of is a call of a phone by its Call-ID.
func (w *world) of(id string) *siptest.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.theirs {
		if c.CallID() == id && c.Status().State == siptest.Answered {
			return c
		}
	}
	return nil
}

func (w *world) hangup(id string) {
	if c := w.of(id); c != nil {
		c.Hangup()
	}
}

// finish ends what is still there and proves that nothing is left, on either side.
func (w *world) finish() {
	t := w.t
	t.Helper()
	for _, c := range w.owned() {
		c.leg.Hangup("the world ends")
	}
	w.mu.Lock()
	ours := append([]*dialed(nil), w.dialed...)
	w.mu.Unlock()
	for _, c := range ours {
		c.leg.Hangup("the world ends")
	}
	time.Sleep(3 * 64 * timerT1)
	if st := w.ep.Stats(); st.Legs != 0 {
		t.Errorf("%d legs are left", st.Legs)
		for _, l := range w.ep.index.legs() {
			t.Logf("leg %s is %s", l.callID, l.state)
		}
	}
	for _, c := range ours {
		if ended, late := c.ends(); ended != 1 || late != 0 {
			t.Errorf("dialled call: LegEnded came %d times, %d events after it: %s", ended, late, c.kinds())
		}
	}
	w.mu.Lock()
	if w.released != len(ours) {
		t.Errorf("%d of %d plans were released", w.released, len(w.dialed))
	}
	for _, c := range w.theirs {
		if s := c.Status(); s.State != siptest.Over && !w.deaf {
			t.Errorf("a phone's call %s is still %v: %+v", c.CallID(), s.State, s)
			for _, line := range w.trace {
				if strings.Contains(line, c.CallID()) {
					t.Log(line)
				}
			}
		}
	}
	w.mu.Unlock()
	if n := w.ep.Stats().Panics; n != 0 {
		t.Errorf("%d panics: %s", n, w.log.with("panic contained"))
	}
}

func (w *world) closeAll() {
	for _, p := range append(append([]*siptest.Phone{w.carrier.Phone}, w.phones...), w.gateways...) {
		_ = p.Close()
	}
	w.close()
	_ = w.net.Close()
}

// Whatever the network and the peers do, in both directions, over many seeds: every leg ends once, nothing is left.
func TestWhateverHappensEveryLegEndsOnceAndNothingIsLeft(t *testing.T) {
	for part := range 4 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < worlds(); seed += 4 {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, int64(seed))
					defer w.closeAll()
					if seed%4 != 0 {
						w.net.SetFaults(siptest.NetworkOptions{
							Seed: int64(seed), Loss: w.rng.Float64() * 0.15, Duplicate: w.rng.Float64() * 0.1, Reorder: w.rng.Float64() * 0.1,
							Delay: time.Duration(w.rng.IntN(30)) * time.Millisecond, Jitter: time.Duration(w.rng.IntN(20)) * time.Millisecond,
						})
					}
					w.play()
					w.net.SetFaults(siptest.NetworkOptions{Seed: int64(seed), Delay: time.Millisecond})
					w.finish()
				})
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}
