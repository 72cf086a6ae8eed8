package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ullim/sip/siptest"
)

// TryOptions are what `ullim try` can be told.
type TryOptions struct {
	Out      io.Writer
	Keep     bool   // stay up for a softphone
	Dir      string // data folder; empty: a new temporary one
	Language string // of what is spoken, "en-US" or "ko-KR"
	Log      *slog.Logger
}

// Try runs the whole system on loopback with real sockets: the engine, a carrier that places five calls at the same time,
// and agents' phones. It tells what happens as it happens, then checks what every side heard and what was recorded, and
// gives an error if anything is not as it should be.
func Try(ctx context.Context, o TryOptions) error {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "ullim-try-")
		if err != nil {
			return err
		}
		o.Dir = dir
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := newTrial(o)
	if err := t.open(ctx); err != nil {
		return err
	}
	defer t.close()
	setup, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := t.setUp(setup); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	if err := t.play(ctx); err != nil {
		return err
	}
	failed := t.report(ctx)
	if o.Keep && ctx.Err() == nil {
		if err := t.keep(ctx); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}

// audible is how much of a talk must be what the other side said. A stranger's voice, music or silence has none of it;
// on a machine that stalls, even a good engine does not have all.
const audible = 0.5

// trial is one run of Try: on loopback for people, or on an in-memory network in virtual time for the tests.
type trial struct {
	o       TryOptions
	start   time.Time
	app     *App
	stage   stage
	server  string
	carrier *siptest.Carrier
	agents  map[string]*tryAgent
	acts    []*act

	share  float64                                   // of a talk that must be heard and recorded as it was said
	listen func(addr string) (net.PacketConn, error) // nil: real sockets
	phones siptest.PhoneOptions                      // what all phones have in common

	mu     sync.Mutex
	labels map[string]string // contact id -> label of the act
	out    sync.Mutex
}

// tryAgent is an agent with a phone.
type tryAgent struct {
	name, userID string
	phone        *siptest.Phone
}

// say prints a line of the timeline.
func (t *trial) say(label, format string, args ...any) {
	t.out.Lock()
	defer t.out.Unlock()
	fmt.Fprintf(t.o.Out, "%7.2fs  %-7s %s\n", time.Since(t.start).Seconds(), label, fmt.Sprintf(format, args...))
}

func (t *trial) print(format string, args ...any) {
	t.out.Lock()
	defer t.out.Unlock()
	fmt.Fprintf(t.o.Out, format, args...)
}

func newTrial(o TryOptions) *trial {
	return &trial{o: o, start: time.Now(), labels: map[string]string{}, agents: map[string]*tryAgent{}, acts: acts(), share: audible}
}

// open starts the engine on loopback, on ports of the kernel's choice.
func (t *trial) open(ctx context.Context) error {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	err = t.serve(ctx, Options{Packets: []net.PacketConn{conn}, RTPBind: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		return err
	}
	t.print("ullim try: the engine listens for SIP on %s, data folder %s\n\n", t.server, t.o.Dir)
	return nil
}

// serve starts the engine with sockets that are given.
func (t *trial) serve(ctx context.Context, o Options) (err error) {
	o.DataDir, o.Log, o.Realm, o.MaxCalls = t.o.Dir, t.o.Log, "ullim", 1000
	o.Instance = InstanceSpec{Alias: "try", Zone: localZone(), Language: t.o.Language, Region: "KR"}
	if t.app, err = New(ctx, o); err != nil {
		return err
	}
	t.server = o.Packets[0].LocalAddr().String()
	t.phones.Server, t.phones.Log, t.phones.Listen = t.server, t.o.Log, t.listen
	t.app.Start()
	t.stage = stage{app: t.app, id: t.app.Instance.ID}
	return nil
}

func (t *trial) close() {
	if t.carrier != nil {
		_ = t.carrier.Close()
	}
	for _, a := range t.agents {
		_ = a.phone.Close()
	}
	_ = t.app.Close()
}

// setUp makes the contact centre of the five acts, and the phones that play them.
func (t *trial) setUp(ctx context.Context) error {
	var err error
	o := t.phones
	o.Name = "carrier"
	t.carrier, err = siptest.NewCarrier(o)
	if err != nil {
		return err
	}
	if err = t.stage.trunk(ctx, "Demo carrier", t.carrier.Addr().String()); err != nil {
		return err
	}
	open, err := t.stage.hours(ctx, "Always", true)
	if err != nil {
		return err
	}
	closed, err := t.stage.hours(ctx, "Hardly ever", false)
	if err != nil {
		return err
	}
	for _, a := range t.acts {
		hours := open
		if a.closed {
			hours = closed
		}
		profile, err := t.stage.queue(ctx, a.queue, hours, a.ring)
		if err != nil {
			return err
		}
		flow, err := t.stage.flow(ctx, a.queue)
		if err != nil {
			return err
		}
		if err = t.stage.number(ctx, a.number, flow); err != nil {
			return err
		}
		for _, name := range a.agents {
			if err = t.addAgent(ctx, name, profile); err != nil {
				return fmt.Errorf("agent %s: %w", name, err)
			}
		}
	}
	return nil
}

// addAgent makes an agent and registers the phone.
func (t *trial) addAgent(ctx context.Context, name, profile string) error {
	userID, password, err := t.stage.agent(ctx, name, profile, 2)
	if err != nil {
		return err
	}
	o := t.phones
	o.Name, o.Password, o.Domain = name, password, "ullim"
	phone, err := siptest.NewPhone(o)
	if err != nil {
		return err
	}
	t.agents[name] = &tryAgent{name: name, userID: userID, phone: phone}
	if err = phone.Register(ctx); err != nil {
		return err
	}
	t.say("", "%s's phone has registered", name)
	return nil
}

// play places all calls at the same time and waits until the last is over and stored.
func (t *trial) play(ctx context.Context) error {
	feed, stop := t.app.events.Subscribe(10_000)
	watched := make(chan struct{})
	go func() { defer close(watched); t.watch(feed) }()
	defer func() { stop(); <-watched }()

	ctx, cancel := context.WithTimeout(ctx, 50*time.Second)
	defer cancel()
	var calls sync.WaitGroup
	for _, a := range t.acts {
		calls.Go(func() {
			if err := a.play(ctx, t, a); err != nil {
				a.check("played to the end", false, "%v", err)
			}
		})
	}
	calls.Wait()
	return t.settle(ctx)
}

// settle waits until every contact is closed, after-contact work is over and every recording is uploaded.
func (t *trial) settle(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		alive, _, err := t.app.db.Count(ctx, "recording.upload")
		if err != nil {
			return err
		}
		if alive == 0 && t.app.calls.Count() == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d calls and %d uploads are not over: %w", t.app.calls.Count(), alive, ctx.Err())
		}
	}
}

// keep stays up and tells how a softphone joins in.
func (t *trial) keep(ctx context.Context) error {
	setup, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	open, err := t.stage.hours(setup, "Round the clock", true)
	if err != nil {
		return err
	}
	profile, err := t.stage.queue(setup, "Your queue", open, 30)
	if err != nil {
		return err
	}
	flow, err := t.stage.flow(setup, "Your queue")
	if err != nil {
		return err
	}
	if err = t.stage.number(setup, "100", flow); err != nil {
		return err
	}
	you, yourPassword, err := t.stage.agent(setup, "you", profile, 5)
	if err != nil {
		return err
	}
	if err = t.stage.status(setup, you, availableName); err != nil {
		return err
	}
	_, friendPassword, err := t.stage.agent(setup, "friend", profile, 5)
	if err != nil {
		return err
	}
	t.print(`
The engine stays up. Join in with any softphone on this machine:

  server    %s (UDP)
  account   you       password %s    an agent of "Your queue", set to Available
  account   friend    password %s    a second account, to call from

Call the number 100 from the second account: press 1, and the first one rings. Ctrl-C ends it.
Recordings appear in %s
`, t.server, yourPassword, friendPassword, filepath.Join(t.o.Dir, "blobs"))
	feed, stop := t.app.events.Subscribe(1000)
	go func() { <-ctx.Done(); stop() }()
	t.watch(feed)
	return nil
}
