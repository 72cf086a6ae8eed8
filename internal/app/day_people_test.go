package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
)

// dayCaller is a customer, and what they have lived through: the truth that records are held against.
type dayCaller struct {
	d        *day
	number   string
	queue    int
	patience time.Duration // from the answer until they give up, if nobody has talked with them
	talk     time.Duration
	agentEnds,
	wantsBack, transfer bool
	lot *rand.Rand

	mu       sync.Mutex
	arrived  time.Time
	refused  error
	contacts map[string]bool // ids of all contacts whose leg this customer was
	talked   []time.Time     // each beginning of a talk with an agent
	with     *dayLeg         // of the last of them
	ended    time.Time
	self     bool // the customer hung up first
	killed   bool // the process died under the call
	moved    bool // was transferred
	backs    int  // times that the customer was called back
	reached  bool
}

var _ dayPerson = (*dayCaller)(nil)

// call is the customer's call, from the first ring.
func (c *dayCaller) call() {
	app, phones := c.d.engine()
	c.mu.Lock()
	c.arrived = time.Now()
	c.mu.Unlock()
	if app == nil {
		c.refuse(errors.New("no server"))
		return
	}
	l := &dayLeg{p: phones, id: "call " + c.number, who: c}
	post, err := app.calls.Admit(c.d.ctx, call.Inbound{
		CallID: l.id, From: contact.Endpoint{Type: contact.TelephoneNumber, Address: c.number}, Called: dayNumber, SDP: []byte(l.id),
		Received: time.Now(), Source: netip.MustParseAddr("10.0.0.2"), TrunkID: c.d.trunk,
	}, l)
	if err != nil {
		c.refuse(err)
		return
	}
	l.mu.Lock()
	l.post = post
	l.mu.Unlock()
	c.d.after(c.patience, func() { c.giveUp(l) })
	c.d.after(2*time.Second, func() { c.press(l, byte('1'+c.queue)) })
	if c.wantsBack {
		for i := 1; i < 20; i++ { // the offer to be called back comes now and then
			c.d.after(time.Duration(i)*15*time.Second, func() { c.press(l, '9') })
		}
	}
}

func (c *dayCaller) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

func (c *dayCaller) press(l *dayLeg, key byte) {
	if l.up() && l.media != nil && !c.talking() && !l.p.isDead() {
		l.media.Key(key)
	}
}

func (c *dayCaller) talking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.talked) > 0
}

func (c *dayCaller) giveUp(l *dayLeg) {
	if !c.talking() {
		l.end(call.CauseBye, 0)
	}
}

// talks begins a conversation with an agent.
func (c *dayCaller) talks(l, with *dayLeg) {
	agent, ok := with.who.(*dayAgent)
	if !ok {
		return
	}
	c.mu.Lock()
	if c.with == with { // given back, after a transfer that came to nothing
		c.mu.Unlock()
		return
	}
	c.talked, c.with = append(c.talked, time.Now()), with
	again := len(c.talked)
	c.contacts[l.media.o.ContactID] = true
	c.mu.Unlock()
	c.d.truth.talk(agent, c)
	if c.transfer && again == 1 {
		c.d.after(c.talk/2, func() { c.d.transfer(l, with, c) })
		c.d.after(2*c.talk, func() { c.part(l, with, again) })
		return
	}
	c.d.after(c.talk, func() { c.part(l, with, again) })
}

// part ends a conversation, if it is still the same one.
func (c *dayCaller) part(l, with *dayLeg, which int) {
	c.mu.Lock()
	same := len(c.talked) == which
	c.mu.Unlock()
	switch {
	case !same:
	case c.agentEnds && with.up():
		with.end(call.CauseBye, 0)
	default:
		l.end(call.CauseBye, 0)
	}
}

func (c *dayCaller) hungUp(l *dayLeg, self bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.self = time.Now(), self
	if l.media != nil {
		c.contacts[l.media.o.ContactID] = true
	}
}

// dayAgent is somebody at work.
type dayAgent struct {
	d        *day
	n        int
	userID   string
	lot      *rand.Rand
	mu       sync.Mutex
	present  bool // the phone is registered
	working  bool // on shift, and not on a break
	leg      *dayLeg
	expects  bool        // a colleague is sending a customer
	statuses []dayStatus // chosen, in order
}

// dayStatus is a choice of an agent.
type dayStatus struct {
	at   time.Time
	name string
}

var _ dayPerson = (*dayAgent)(nil)

func (a *dayAgent) talks(_, _ *dayLeg) {}

// rings is how an agent takes a call: nearly always at once.
func (a *dayAgent) rings(l *dayLeg) {
	a.mu.Lock()
	present, busy := a.present, a.leg
	if busy != nil && busy.isOver() {
		busy = nil
	}
	if present && busy == nil {
		a.leg = l
	}
	direct := a.expects
	a.expects = false
	draw, wait := a.lot.Float64(), time.Duration(800+a.lot.IntN(5000))*time.Millisecond
	a.mu.Unlock()
	if !present {
		l.end(call.CauseRejected, 480)
		return
	}
	if busy != nil && !direct { // a colleague does not know what routing did this moment
		a.d.wrong("%s is rung by %s while %s is not over", a.name(), l.media.o.ContactID, busy.media.o.ContactID)
	}
	if busy != nil {
		l.end(call.CauseRejected, 486)
		return
	}
	l.say(call.LegEvent{Kind: call.LegProgress, Code: 180})
	switch {
	case draw < 0.03: // not at the desk
	case draw < 0.05:
		a.d.after(wait, func() { l.end(call.CauseRejected, 486) })
	default:
		a.d.after(wait, func() { l.pickUp() })
	}
}

func (a *dayAgent) name() string { return fmt.Sprintf("agent-%02d", a.n) }

func (a *dayAgent) hungUp(l *dayLeg, _ bool) {
	l.mu.Lock()
	answered := l.answered
	l.mu.Unlock()
	a.mu.Lock()
	if a.leg == l {
		a.leg = nil
	}
	missed := !answered && a.present
	back := time.Duration(10+a.lot.IntN(50)) * time.Second
	early := a.lot.Float64() < 0.3
	a.mu.Unlock()
	switch {
	case missed: // comes back to the desk and sees it
		a.d.after(back, func() { a.back() })
	case early:
		id := ""
		if l.media != nil {
			id = l.media.o.ContactID
		}
		a.d.after(5*time.Second, func() { a.d.dismiss(a, id) })
	}
}

// back clears a missed contact by choosing to be available again.
func (a *dayAgent) back() {
	a.mu.Lock()
	ok := a.working && a.leg == nil
	a.mu.Unlock()
	if ok {
		a.choose(availableName)
	}
}

func (a *dayAgent) choose(status string) {
	app, _ := a.d.engine()
	if app == nil {
		return
	}
	a.mu.Lock()
	a.working = status == availableName
	a.mu.Unlock()
	if err := (stage{app: app, id: a.d.instance}).status(a.d.ctx, a.userID, status); err != nil {
		a.d.wrong("%s cannot choose %s: %v", a.name(), status, err)
		return
	}
	a.mu.Lock()
	a.statuses = append(a.statuses, dayStatus{time.Now(), status})
	a.mu.Unlock()
}

// lose takes the phone away for a while, with the call that it has.
func (a *dayAgent) lose(length time.Duration) {
	a.mu.Lock()
	a.present = false
	l := a.leg
	a.mu.Unlock()
	if l != nil && l.end(call.CauseTransport, 0) {
		a.d.truth.lost(time.Now())
	}
	a.d.deviceChanged(a)
	a.d.after(length, func() {
		a.mu.Lock()
		a.present = true
		a.mu.Unlock()
		a.d.deviceChanged(a)
	})
}

// shift is the agent's day: from the login to the logout, with a long break and two short ones.
func (a *dayAgent) shift(from, to time.Duration) {
	d := a.d
	d.at(from+time.Duration(a.lot.IntN(600))*time.Second, func() { a.choose(availableName) })
	span := to - from
	for _, b := range []struct {
		at     float64
		length time.Duration
	}{{0.25, 10 * time.Minute}, {0.5, 45 * time.Minute}, {0.78, 10 * time.Minute}} {
		begin := from + time.Duration((b.at+0.1*(a.lot.Float64()-0.5))*float64(span))
		d.at(begin, func() { a.choose(breakName) })
		d.at(begin+b.length, func() { a.choose(availableName) })
	}
	d.at(to+time.Duration(a.lot.IntN(300))*time.Second, func() { a.choose(offlineName) })
}

// lognormal draws a time with the given median.
func lognormal(r *rand.Rand, median time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(sigma*r.NormFloat64()))
}

// newDayCaller draws a customer.
func newDayCaller(d *day, n int) *dayCaller {
	r := lot(d.seed, n)
	return &dayCaller{
		d: d, lot: r, number: "+8210" + strconv.Itoa(10000000+n), queue: r.IntN(3), contacts: map[string]bool{},
		patience: 20*time.Second + time.Duration(r.ExpFloat64()*float64(3*time.Minute)),
		talk:     max(lognormal(r, 150*time.Second, 0.6), 5*time.Second), agentEnds: r.Float64() < 0.45,
		wantsBack: r.Float64() < 0.15, transfer: r.Float64() < 0.08,
	}
}

// snapshotOf is the engine's picture of an agent.
func (d *day) snapshotOf(a *dayAgent) (acd.AgentSnapshot, error) {
	app, _ := d.engine()
	if app == nil {
		return acd.AgentSnapshot{}, errors.New("no server")
	}
	center, err := app.centers.of(d.instance)
	if err != nil {
		return acd.AgentSnapshot{}, err
	}
	return center.CurrentAgent(a.userID)
}

func (d *day) dismiss(a *dayAgent, contactID string) {
	app, _ := d.engine()
	if app == nil {
		return
	}
	if center, err := app.centers.of(d.instance); err == nil {
		_ = center.Dismiss(context.WithoutCancel(d.ctx), a.userID, contactID) // over already: nothing to clear
	}
}
