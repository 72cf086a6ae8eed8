package acd

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
)

// The times that routing works with.
const (
	ringGrace         = 10 * time.Second // after the ring time, until an offer without a result is given up
	deviceBackoff     = 5 * time.Second  // after a device failed, doubling
	maxDeviceBackoff  = time.Minute
	storeBackoff      = 200 * time.Millisecond // after a store operation failed, doubling
	maxStoreBackoff   = 5 * time.Second
	statusPatience    = 5 * time.Second // how long SetStatus waits for the store
	devicesAtOnce     = 200
	devicePoll        = 15 * time.Second // hints are not relied on: devices and configuration are looked at again
	configPoll        = time.Minute
	publishPause      = 100 * time.Millisecond // between two snapshots of a large center
	publishAtOnceSize = 256                    // agents and contacts up to which every change is published at once
	storeConcurrency  = 16                     // operations at once; SQLite groups them into one commit
)

// agent is an agent in the actor's hands.
type agent struct {
	Agent
	view      AgentView
	removed   bool // not in the configuration any more; stays until its slots are empty
	reachable bool
	onCall    bool // a call of their own
	version   int64
	stale     bool       // version may be wrong
	saving    bool       // a save waits to begin
	asked     []*request // who waits for it
	failures  int        // device failures in a row
	dirty     bool       // has changed since it was indexed
	fresh     bool       // has changed since the last decision
	shown     *agentSnapshot
	turns     map[string]float64 // Candidate.Turns; replaced, never changed
	losses    int                // lost reservations in a row
	notBefore time.Time
}

// waiter is a waiting contact in the actor's hands.
type waiter struct {
	Waiting
	losses    int
	offers    []string // that live
	dirty     bool     // has changed since it was indexed
	fresh     bool     // has changed since the last decision
	shown     *Waiting // as indexed and published
	armed     time.Time
	decisions []Decision
	came      time.Time     // here, whatever its place in line
	estimate  time.Duration // of its wait, when it came; 0: there was none
}

// actor owns everything that lives in an instance. Only its goroutine touches it, but for work.
type actor struct {
	instanceID, node string
	store            Store
	ringer           Ringer
	devices          Devices
	events           *events.Recorder
	log              *slog.Logger
	mail             *mailbox
	counts           *Counts
	readConfig       func(ctx context.Context) (Config, error)
	keep             func(Reservation) bool
	agentEvents      AgentEvents // nil: nobody keeps them
	center           *Center

	setup   *setup
	agents  map[string]*agent
	states  map[string]AgentState // as stored at the start, of users not seen yet
	offers  map[string]*agent     // by offer
	waiters map[string]*waiter    // by contact
	talks   map[string]string     // the offer of a contact that is with an agent
	sizes   map[string]int        // how many wait in a queue, those who are being offered included
	turns   map[string]float64    // of a queue with ROUND_ROBIN or WEIGHTED: where its turns have come to

	paces  map[string]*pace // of queues
	past   past
	index  *index
	dirty  dirty
	shown  []*Waiting       // all waiting contacts, oldest first
	listed []*agentSnapshot // all agents, by id

	ops    ops
	alarms alarms
	rings  []Offer        // to be rung
	proofs []Slot         // whose agent's phone is to be proven alive first
	work   sync.WaitGroup // goroutines

	wantConfig, readingConfig bool
	timeline                  timeline // what agents do, as events
	changed                   bool     // since the last published snapshot
	published                 time.Time
	publishing                bool // an alarm to publish is set
}

func newActor(c *Center) *actor {
	a := &actor{
		instanceID: c.o.InstanceID, node: c.o.Node, store: c.o.Store, ringer: c.o.Ringer, devices: c.o.Devices,
		events: c.o.Events, log: c.o.Log.With("instance_id", c.o.InstanceID), mail: c.mail, counts: &c.counts,
		readConfig: c.o.Config, keep: c.o.Keep, center: c, agentEvents: c.o.AgentEvents,
		agents: make(map[string]*agent), states: make(map[string]AgentState), offers: make(map[string]*agent),
		waiters: make(map[string]*waiter), talks: make(map[string]string), sizes: make(map[string]int),
		turns: make(map[string]float64), past: past{by: make(map[string][]Decision)}, paces: make(map[string]*pace), index: newIndex(), ops: ops{tail: make(map[string]*op)},
		timeline: newTimeline(&c.o, &c.counts),
	}
	a.ops.touch = a.touchKey
	return a
}

// run is the life of the actor.
func (a *actor) run(ctx context.Context) {
	defer a.timeline.keep(ctx)()
	defer a.work.Wait()
	if !a.load(ctx) {
		return
	}
	timer := time.NewTimer(time.Nanosecond) // a timer that is due from the start upsets the race detector in synctest
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.mail.bell:
		case <-timer.C:
		}
		now := time.Now()
		a.turn(ctx, now)
		if wait, ok := a.alarms.next(now); ok {
			timer.Reset(max(wait, time.Nanosecond))
		} else {
			timer.Stop()
		}
	}
}

// turn is one turn of the loop: what has come, what time brings, what to decide, what to do.
func (a *actor) turn(ctx context.Context, now time.Time) {
	for _, msg := range a.mail.take() {
		a.contain(func() { msg(a, now) })
	}
	a.contain(func() { a.alarms.due(now) })
	for again := true; again; again = len(a.dirty.agents)+len(a.dirty.contacts) > 0 {
		a.contain(func() { a.pick(now) })
		a.act(ctx)
	}
	a.publish(now)
}

// contain keeps a panic from ending the process: the message is lost, the others are not.
func (a *actor) contain(f func()) {
	defer func() {
		if p := recover(); p != nil {
			a.counts.Panics.Add(1)
			a.log.Error("acd actor panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// load reads what is needed to begin. It repeats until it succeeds; false if the Center was stopped before.
func (a *actor) load(ctx context.Context) bool {
	for tries := 0; ; tries++ {
		cfg, states, kept, err := a.read(ctx)
		if err == nil {
			now := time.Now()
			for _, s := range states {
				a.states[s.UserID] = s
			}
			a.configure(cfg, now)
			for _, r := range kept {
				a.restore(r)
			}
			a.beginTimeline(states, kept, now)
			a.poll(now)
			a.changed = true
			a.act(ctx)
			a.publish(now)
			close(a.center.ready)
			return true
		}
		a.log.Error("acd cannot start yet", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(backoff(storeBackoff, maxStoreBackoff, tries)):
		}
	}
}

// read gives configuration and agent states after it has ended what this node left behind. Only reservations of this
// instance are ended: other instances of the process may be at work already.
func (a *actor) read(ctx context.Context) (cfg Config, states []AgentState, kept []Reservation, err error) {
	if cfg, err = a.readConfig(ctx); err != nil {
		return cfg, nil, nil, err
	}
	rs, err := a.store.Reservations(ctx, a.instanceID)
	if err != nil {
		return cfg, nil, nil, err
	}
	if err = a.readPast(ctx, rs); err != nil {
		return cfg, nil, nil, err
	}
	for _, r := range rs {
		if r.Node != a.node {
			a.log.Warn("acd found a reservation of another node", "node", r.Node, "user_id", r.UserID, "contact_id", r.ContactID)
			continue
		}
		if r.Channel != contact.Voice && a.keep != nil && a.keep(r) {
			kept = append(kept, r)
			continue
		}
		if err = a.endWork(ctx, r); err != nil {
			return cfg, nil, nil, err
		}
		if err = a.store.EndReservation(ctx, r.OfferID); err != nil {
			return cfg, nil, nil, err
		}
	}
	states, err = a.store.AgentStates(ctx, a.instanceID)
	return cfg, states, kept, err
}

// restore gives an agent a contact back that a process before has left: the two are together still.
func (a *actor) restore(r Reservation) {
	g := a.agents[r.UserID]
	if g == nil {
		a.until("end reservation of a user who is gone", []string{contactKey(r.ContactID)}, func(ctx context.Context) error {
			return a.store.EndReservation(ctx, r.OfferID)
		})
		return
	}
	s := Slot{
		OfferID: r.OfferID, ContactID: r.ContactID, QueueID: r.QueueID, Channel: r.Channel, State: SlotConnected, Since: r.Since,
		Started: r.Since, Answered: true, Rung: true, Inbound: true, ACWTimeout: g.acw(r.Channel),
	}
	g.view.Slots = append(slices.Clone(g.view.Slots), s)
	a.offers[r.OfferID], a.talks[r.ContactID] = g, r.OfferID
	a.touch(g)
	if r.State != SlotConnected {
		a.until("move reservation", []string{agentKey(g.UserID), contactKey(r.ContactID)}, func(ctx context.Context) error {
			return a.store.MoveReservation(ctx, r.OfferID, SlotConnected, r.Since)
		})
	}
}

// poll looks again at what is otherwise told by hints.
func (a *actor) poll(now time.Time) {
	var devices, config func(time.Time)
	from := ""
	devices = func(now time.Time) { // some at a time: everybody at once would take too long
		i, _ := slices.BinarySearchFunc(a.listed, from, compareShown)
		to := min(i+devicesAtOnce, len(a.listed))
		for _, s := range slices.Clone(a.listed[i:to]) {
			a.lookAtDevice(a.agents[s.UserID], now)
		}
		if from = ""; to < len(a.listed) {
			from = a.listed[to].UserID
		}
		a.alarms.set(now.Add(devicePoll/time.Duration(1+len(a.listed)/devicesAtOnce)), devices)
	}
	config = func(now time.Time) {
		a.wantConfig = true
		a.alarms.set(now.Add(configPoll), config)
	}
	a.alarms.set(now.Add(devicePoll), devices)
	a.alarms.set(now.Add(configPoll), config)
}

// act starts what the messages have asked for: store operations, phones, reading the configuration.
func (a *actor) act(ctx context.Context) {
	a.contain(func() { a.startReady(ctx) })
	a.startProofs(ctx)
	for _, o := range a.rings {
		a.work.Go(func() { a.contain(func() { a.ringer.Ring(o) }) })
	}
	a.rings = nil
	if !a.wantConfig || a.readingConfig {
		return
	}
	a.wantConfig, a.readingConfig = false, true
	a.work.Go(func() {
		var cfg Config
		err := guarded(ctx, func(ctx context.Context) (err error) {
			cfg, err = a.readConfig(ctx)
			return err
		})
		a.mail.put(func(a *actor, now time.Time) {
			a.readingConfig = false
			if err != nil {
				a.log.Error("acd keeps its old configuration", "error", err)
				a.alarms.set(now.Add(maxStoreBackoff), func(time.Time) { a.wantConfig = true })
				return
			}
			a.configure(cfg, now)
		})
	})
}

// configure takes over a configuration.
func (a *actor) configure(cfg Config, now time.Time) {
	s, bad := prepare(cfg, a.setup)
	for _, id := range bad {
		a.log.Error("acd ignores hours that cannot be used", "hours_id", id)
	}
	others := s.routesLike(a.setup)
	a.setup, a.changed = s, true
	if !others {
		a.touchAll()
	}
	for id, who := range cfg.Agents {
		g := a.agents[id]
		if g == nil {
			g = a.newAgent(who, now)
		}
		if g.removed || !g.same(who) {
			a.touch(g)
		}
		g.Agent, g.removed = who, false
		a.lookAtDevice(g, now)
		a.note(g, now)
	}
	for id, g := range a.agents {
		if _, ok := cfg.Agents[id]; !ok {
			g.removed = true
			a.step(g, Event{Kind: EventAgentRemoved, At: now})
		}
	}
}

// newAgent takes in a user that was not there before.
func (a *actor) newAgent(who Agent, now time.Time) *agent {
	g := &agent{Agent: who, view: AgentView{StatusID: a.setup.offline, StatusSince: now}}
	a.agents[who.UserID] = g
	a.touch(g)
	if s, ok := a.states[who.UserID]; ok {
		delete(a.states, who.UserID)
		g.version = s.Version
		g.view.LastActivity, g.view.LastInbound = s.LastActivity, s.LastInbound
		if s.StatusID != "" { // never chosen: the row was made by a reservation
			g.view.StatusID, g.view.StatusSince, g.view.NextStatusID = s.StatusID, s.StatusSince, s.NextStatusID
		}
		if s.NextStatusID != "" { // nothing is left to wait for
			a.step(g, Event{Kind: EventStatusChosen, StatusID: s.NextStatusID, At: now})
		}
	}
	return g
}

// forget drops a removed agent when nothing is left to do for it.
func (a *actor) forget(g *agent) {
	if g.removed && len(g.view.Slots) == 0 {
		delete(a.agents, g.UserID)
		a.states[g.UserID] = a.stateOf(g)
		if b := a.timeline.last[g.UserID]; b != nil {
			a.forgetMoment(g.UserID, b, time.Now())
		}
		a.touch(g)
	}
}

// lookAtDevice asks whether an agent can be rung, and talks already.
func (a *actor) lookAtDevice(g *agent, now time.Time) {
	if g == nil {
		return
	}
	if on := a.devices.OnCall(g.UserID); on != g.onCall {
		g.onCall = on
		a.touch(g)
		a.note(g, now)
	}
	was := g.reachable
	if g.reachable = a.devices.Reachable(g.UserID); g.reachable == was {
		return
	}
	a.touch(g)
	if g.reachable {
		a.step(g, Event{Kind: EventDeviceBack, At: now})
	}
}

// enqueue puts a contact in line.
func (a *actor) enqueue(w Waiting, now time.Time) error {
	q := a.queueOf(w.QueueID)
	switch {
	case w.ContactID == "":
		return errs.Field("ContactId", "is required")
	case q == nil:
		return errs.New(errs.NotFound, "queue %s does not exist", w.QueueID)
	case q.Status == QueueDisabled && !w.Owed:
		return errs.New(errs.NotFound, "queue %s is disabled", q.Name)
	}
	if w.Channel == "" {
		w.Channel = contact.Voice
	}
	if w.Since.IsZero() {
		w.Since = now
	}
	if w.Criteria != nil && w.Criteria.Since.IsZero() {
		w.Criteria = &Criteria{Steps: w.Criteria.Steps, Since: now}
	}
	w.OfferID, w.NotBefore, w.Settling, w.Refused, w.Answered = "", time.Time{}, false, nil, false
	if a.talks[w.ContactID] != "" {
		return errs.New(errs.InvalidRequest, "contact %s is with an agent", w.ContactID)
	}
	old := a.waiters[w.ContactID]
	if old != nil {
		if len(old.offers) > 0 {
			return errs.New(errs.InvalidRequest, "contact %s is being offered to an agent", w.ContactID)
		}
		if old.QueueID == w.QueueID && old.Channel == w.Channel {
			return nil
		}
	}
	if q.MaxContacts > 0 && a.sizes[w.QueueID] >= q.MaxContacts && !w.Owed {
		return errs.New(errs.Limit, "queue %s is at its capacity of %d contacts", q.Name, q.MaxContacts)
	}
	if old != nil {
		a.unqueue(w.ContactID)
	}
	v := &waiter{Waiting: w, came: now, estimate: a.estimate(w.QueueID, now)}
	a.waiters[w.ContactID] = v
	a.sizes[w.QueueID]++
	v.shown = a.present(v)
	i, _ := slices.BinarySearchFunc(a.shown, v.shown, compareWaiters)
	a.shown = slices.Insert(a.shown, i, v.shown)
	a.touchContact(v)
	return nil
}

// compareWaiters is the order of actor.shown.
func compareWaiters(v, w *Waiting) int {
	return cmp.Or(v.Since.Compare(w.Since), cmp.Compare(v.ContactID, w.ContactID))
}

// unqueue takes a contact out of line.
func (a *actor) unqueue(contactID string) {
	w := a.waiters[contactID]
	if w == nil {
		return
	}
	a.paceOf(w.QueueID, time.Now())
	delete(a.waiters, contactID)
	a.retire(w)
	if a.sizes[w.QueueID]--; a.sizes[w.QueueID] == 0 {
		delete(a.sizes, w.QueueID)
	}
	if i, ok := slices.BinarySearchFunc(a.shown, w.shown, compareWaiters); ok {
		a.shown = cut(a.shown, i)
	}
	a.touchContact(w)
}

// choose is SetStatus.
func (a *actor) choose(userID, statusID string, now time.Time, r *request) {
	g, st := a.agents[userID], a.setup.Statuses[statusID]
	switch {
	case g == nil || g.removed:
		r.reply(errs.New(errs.NotFound, "user %s does not exist", userID))
		return
	case st == nil:
		r.reply(errs.New(errs.NotFound, "agent status %s does not exist", statusID))
		return
	case st.Disabled:
		r.reply(errs.New(errs.InvalidRequest, "agent status %s is disabled", st.Name))
		return
	}
	if now.IsZero() {
		now = time.Now()
	}
	g.asked = append(g.asked, r)
	a.step(g, Event{Kind: EventStatusChosen, StatusID: statusID, At: now})
	a.record("status", "", userID+" "+st.Name, now)
}

// dismiss is Dismiss.
func (a *actor) dismiss(userID, contactID string, now time.Time) error {
	g := a.agents[userID]
	if g == nil {
		return errs.New(errs.NotFound, "user %s does not exist", userID)
	}
	found := false
	for _, s := range g.view.Slots {
		if s.ContactID != contactID {
			continue
		}
		found = true
		if CanDismiss(s.State) {
			a.step(g, Event{Kind: EventDismissed, OfferID: s.OfferID, At: now})
			return nil
		}
	}
	if !found {
		return errs.New(errs.NotFound, "user %s has no contact %s", userID, contactID)
	}
	return errs.New(errs.InvalidRequest, "only a contact in MISSED, ERROR, REJECTED or ENDED can be dismissed")
}

// record tells watchers.
func (a *actor) record(kind, contactID, detail string, now time.Time) {
	a.events.Record(events.Event{At: now, Kind: kind, InstanceID: a.instanceID, ContactID: contactID, Detail: detail})
}

// reorder changes the order in which a contact is served; Pick sees it.
func (a *actor) reorder(contactID string, o Order, now time.Time) {
	if w := a.waiters[contactID]; w != nil {
		w.Priority, w.AgeAdjustment = o.Priority, o.AgeAdjustment
		if o.Criteria != nil {
			w.Criteria = &Criteria{Steps: o.Criteria, Since: now}
		}
		a.touchContact(w)
	}
}
