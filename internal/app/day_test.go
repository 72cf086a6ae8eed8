package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/events"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/sip"
	"ullim/sip/siptest"
)

// What a day is made of.
const (
	dayNumber = "+8215880000"
	dayAgents = 50
	dayCalls  = 1000
	breakName = "Break"
)

var dayQueues = [3]string{"Orders", "Delivery", "Complaints"}

// day is a whole day of a call centre in virtual time: the engine without packets, people who call, answer, give up, come
// back, and a process that is killed.
type day struct {
	t      *testing.T
	ctx    context.Context
	seed   uint64
	calls  int
	dir    string
	start  time.Time
	agents []*dayAgent
	byUser map[string]*dayAgent
	people map[string]*dayCaller
	truth  dayTruth

	instance, trunk string

	mu     sync.Mutex
	app    *App
	phones *dayPhones
	net    *siptest.Network
	wrongs []string
}

// engine is the process that runs now; nil while there is none.
func (d *day) engine() (*App, *dayPhones) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.app, d.phones
}

func (d *day) wrong(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.wrongs) < 40 {
		d.wrongs = append(d.wrongs, time.Since(d.start).Round(time.Second).String()+": "+fmt.Sprintf(format, args...))
	}
}

func (d *day) after(wait time.Duration, f func()) { time.AfterFunc(max(wait, time.Nanosecond), f) }

func (d *day) at(when time.Duration, f func()) { d.after(when-time.Since(d.start), f) }

// hear is told whenever two legs are joined.
func (d *day) hear(a, b *dayMedia) {
	d.phones.mu.Lock()
	still := a.with == b && b.with == a && a.leg != nil && b.leg != nil
	d.phones.mu.Unlock()
	if !still || a.leg.who == nil || b.leg.who == nil {
		return
	}
	a.leg.who.talks(a.leg, b.leg)
	b.leg.who.talks(b.leg, a.leg)
}

func (d *day) ringAgent(l *dayLeg, userID string) {
	a := d.byUser[userID]
	l.who = a
	l.id += " of " + a.name()
	a.rings(l)
}

// ringCustomer calls a customer back: three in four answer.
func (d *day) ringCustomer(l *dayLeg, number string) {
	c := d.people[number]
	l.who = c
	c.mu.Lock()
	c.backs++
	draw := c.lot.Float64()
	c.mu.Unlock()
	l.say(call.LegEvent{Kind: call.LegProgress, Code: 180})
	switch {
	case draw < 0.75:
		d.after(time.Duration(2000+draw*8000)*time.Millisecond, func() {
			if l.pickUp() {
				c.mu.Lock()
				c.reached = true
				c.mu.Unlock()
			}
		})
	case draw < 0.85:
		d.after(time.Second, func() { l.end(call.CauseRejected, 486) })
	default: // nobody is there
	}
}

// transfer is an agent who gives the customer to a colleague who is free.
func (d *day) transfer(l, with *dayLeg, c *dayCaller) {
	from := with.who.(*dayAgent)
	for i := range d.agents {
		to := d.agents[(from.n+i)%len(d.agents)]
		to.mu.Lock()
		free := to.working && to.present && to.leg == nil && to != from
		to.expects = to.expects || free && with.up() && l.up()
		to.mu.Unlock()
		if !free || !with.up() || !l.up() {
			continue
		}
		c.mu.Lock()
		c.moved = true
		c.mu.Unlock()
		with.say(call.LegEvent{Kind: call.LegRefer, Refer: &call.Refer{URI: "sip:" + to.name() + "@10.0.0.1", Target: to.name()}})
		return
	}
}

func (d *day) deviceChanged(a *dayAgent) {
	if app, _ := d.engine(); app != nil {
		app.centers.deviceChanged(a.userID)
	}
}

func (d *day) present(userID string) bool {
	d.mu.Lock()
	a := d.byUser[userID]
	d.mu.Unlock()
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.present
}

// open starts a process on a data folder.
func (d *day) open(dir string) {
	d.t.Helper()
	conn, err := d.net.Listen("10.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("ULLIM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	phones := &dayPhones{d: d, media: map[string]*dayMedia{}}
	app, err := New(d.ctx, Options{
		DataDir: dir, Log: log, Realm: "ullim", MaxCalls: 1000, Packets: []net.PacketConn{conn},
		Instance: InstanceSpec{Alias: "day", Zone: "Asia/Seoul", Language: "en-US", Region: "KR"},
		RTPBind:  netip.MustParseAddr("10.0.0.1"), RTPFirst: 20000, RTPLast: 20198,
		RTPListen:   func(a netip.AddrPort) (net.PacketConn, error) { return d.net.Listen(a.String()) },
		Synthesizer: prompts.ToneSynthesizer{},
		people:      &telephony{Media: phones, Dialer: phones, Present: d.present},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	if os.Getenv("ULLIM_DAY_LOG") != "" {
		app.events.Tap(func(e events.Event) {
			fmt.Fprintln(os.Stderr, time.Since(d.start), e.ContactID, e.Kind, e.Detail)
		})
	}
	app.Start()
	d.mu.Lock()
	d.app, d.phones, d.instance = app, phones, app.Instance.ID
	d.mu.Unlock()
}

// kill ends the process as kill -9 would, and starts another on what was on disk at that instant.
func (d *day) kill() {
	synctest.Wait() // no time passes: everything that is due has been done
	d.mu.Lock()
	old, phones := d.app, d.phones
	d.app = nil
	d.mu.Unlock()
	next := filepath.Join(d.t.TempDir(), "after")
	if err := os.CopyFS(next, os.DirFS(d.dir)); err != nil {
		d.t.Fatal(err)
	}
	phones.kill()
	for _, c := range d.people {
		c.die()
	}
	for _, a := range d.agents {
		a.mu.Lock()
		a.leg = nil
		a.mu.Unlock()
	}
	if err := old.Close(); err != nil {
		d.t.Error(err)
	}
	d.dir = next
	d.open(next)
}

// die is how a call feels whose server was killed: silence, until the customer hangs up.
func (c *dayCaller) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.arrived.IsZero() && c.refused == nil && (c.ended.IsZero() || c.backs > 0 && !c.reached) {
		c.killed = true
	}
}

// build makes the centre: three queues, two kinds of agents, a menu.
func (d *day) build() {
	s := stage{app: d.app, id: d.instance}
	must := func(err error) {
		d.t.Helper()
		if err != nil {
			d.t.Fatal(err)
		}
	}
	open, err := s.hours(d.ctx, "Always", true)
	must(err)
	var queues []string
	for _, name := range dayQueues {
		q := &acd.Queue{Meta: s.meta(name), HoursID: open, Status: acd.QueueEnabled}
		must(d.app.stores.queues.Create(d.ctx, q))
		queues = append(queues, q.ID)
	}
	profile := func(name string, ranks ...int) string {
		p := &acd.RoutingProfile{
			Meta: s.meta(name), DefaultOutboundQueueID: queues[0], AvailabilityTimer: acd.SinceLastActivity,
			Concurrencies: []acd.Concurrency{{Channel: contact.Voice, Limit: 1, CrossChannel: acd.CurrentChannelOnly}},
		}
		for i, rank := range ranks {
			if rank > 0 {
				p.Queues = append(p.Queues, acd.ProfileQueue{QueueID: queues[i], Channel: contact.Voice, Priority: rank, Delay: 20 * (rank - 1)})
			}
		}
		must(d.app.stores.routing.Create(d.ctx, p))
		return p.ID
	}
	profiles := []string{profile("Sellers", 1, 2, 0), profile("Helpers", 2, 1, 2), profile("Seniors", 0, 2, 1)}
	must(d.app.stores.statuses.Create(d.ctx, &acd.AgentStatus{Meta: s.meta(breakName), Type: acd.Custom, DisplayOrder: 3}))
	for n := range dayAgents {
		a := &dayAgent{d: d, n: n, lot: lot(d.seed, 1e6+n), present: true}
		a.userID, _, err = s.agent(d.ctx, a.name(), profiles[n%3], 10+a.lot.IntN(30))
		must(err)
		d.agents = append(d.agents, a)
		d.mu.Lock()
		d.byUser[a.userID] = a
		d.mu.Unlock()
	}
	wait := &ivr.Flow{Meta: s.meta("Waiting"), Type: ivr.TypeCustomerQueue, Content: dayWaiting}
	must(d.app.flows.Create(d.ctx, wait, ivr.Published))
	menu := &ivr.Flow{Meta: s.meta("Menu"), Type: ivr.TypeInbound, Content: fmt.Sprintf(dayMenu, wait.ID)}
	must(d.app.flows.Create(d.ctx, menu, ivr.Published))
	must(s.number(d.ctx, dayNumber, menu.ID))
	t := &sip.Trunk{Meta: s.meta("Carrier"), Addresses: []string{"10.0.0.2"}, Region: "KR"}
	must(d.app.stores.trunks.Create(d.ctx, t))
	d.trunk = t.ID
}

// dayLength is from the first login to the last record.
const dayLength = 12 * time.Hour

// run lets the day pass.
func (d *day) run() {
	d.truth.d = d
	for _, a := range d.agents {
		from := time.Duration(a.n%3) * time.Hour / 2
		if a.n%5 == 0 { // the late ones, who call back whoever was promised it
			from = 5 * time.Hour / 2
		}
		a.shift(from, from+9*time.Hour)
		for range a.lot.IntN(2) { // the cable, the battery, the network
			d.at(from+time.Duration(a.lot.Float64()*float64(8*time.Hour)), func() { a.lose(3 * time.Minute) })
		}
	}
	r := lot(d.seed, 2e6)
	for n := range d.calls {
		c := newDayCaller(d, n)
		d.people[c.number] = c
		// Two peaks, in the morning and after lunch, over an even stream.
		when := time.Duration(r.Float64() * float64(10*time.Hour))
		switch {
		case n%10 < 2:
			when = 2*time.Hour + time.Duration(r.NormFloat64()*float64(40*time.Minute))
		case n%10 < 4:
			when = 6*time.Hour + time.Duration(r.NormFloat64()*float64(40*time.Minute))
		}
		d.at(max(when, time.Minute), c.call)
	}
	killAt := 4*time.Hour + time.Duration(r.IntN(3600))*time.Second
	for time.Since(d.start) < dayLength {
		if next := time.Since(d.start) + 30*time.Second; killAt > 0 && killAt < next {
			time.Sleep(max(killAt-time.Since(d.start), time.Nanosecond))
			killAt = 0
			d.kill()
		}
		time.Sleep(30 * time.Second)
		d.stranded()
	}
}

func TestADayOfACallCentre(t *testing.T) {
	calls := dayCalls
	switch {
	case os.Getenv("ULLIM_DAYS") != "":
		calls *= 5
	case raceEnabled: // `make test` lets it pass without the race detector, which makes every idle hour dear
		calls = 50
	}
	for _, seed := range daySeeds() {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			wall := time.Now()
			synctest.Test(t, func(t *testing.T) {
				d := &day{
					t: t, ctx: t.Context(), seed: seed, calls: calls, dir: t.TempDir(), start: time.Now(),
					byUser: map[string]*dayAgent{}, people: map[string]*dayCaller{}, net: siptest.NewNetwork(siptest.NetworkOptions{Seed: int64(seed)}),
				}
				d.open(d.dir)
				d.build()
				d.run()
				d.judge()
			})
			t.Logf("%d calls, real time %s", calls, time.Since(wall).Round(time.Millisecond))
		})
	}
}

// records are all contacts of the day.
func (d *day) records() map[string]*contact.Record {
	all := map[string]*contact.Record{}
	page := resource.Page{Max: 1000}
	for {
		list, next, err := d.app.db.Contacts(d.ctx, d.instance, d.start.Add(-time.Hour), d.start.Add(48*time.Hour), page)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, r := range list {
			all[r.ID] = r
		}
		if page.Token = next; next == "" {
			return all
		}
	}
}
