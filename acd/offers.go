package acd

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"ullim/internal/contact"
)

// pick offers waiting contacts to agents, as Pick decides.
func (a *actor) pick(now time.Time) {
	for {
		a.reindex(now)
		agents, contacts := a.fresh(now)
		if len(agents)+len(contacts) == 0 {
			return
		}
		matches := a.index.match(a.setup, agents, contacts, now)
		if a.center.witness != nil {
			a.center.witness(a, matches, now)
		}
		a.decided(contacts, matches, now)
		for _, m := range matches {
			g, w := a.agents[m.UserID], a.waiters[m.ContactID]
			// The hint that a phone is gone, or that the agent has called somebody, may be late.
			if a.lookAtDevice(g, now); (!g.reachable || g.onCall) && w.Channel == contact.Voice {
				a.touchContact(w)
				continue
			}
			a.offer(g, w, now)
		}
	}
}

// candidate is an agent as routing sees it.
func (a *actor) candidate(g *agent) Candidate {
	c := Candidate{
		UserID: g.UserID, Routable: a.setup.routable(g.view.StatusID), Leaving: g.view.NextStatusID != "",
		Reachable: g.reachable, Settling: a.ops.busy(agentKey(g.UserID)), NotBefore: g.notBefore, Slots: g.view.Slots,
		AvailableSince: g.view.LastActivity, Skills: g.Skills, OnCall: g.onCall, Turns: g.turns,
	}
	if !g.removed {
		c.Profile = a.setup.profiles[g.RoutingProfileID]
	}
	if c.Profile != nil && c.Profile.AvailabilityTimer == SinceLastInbound {
		c.AvailableSince = g.view.LastInbound
	}
	if c.AvailableSince.Before(g.view.StatusSince) {
		c.AvailableSince = g.view.StatusSince
	}
	return c
}

// offer takes an agent for a contact.
func (a *actor) offer(g *agent, w *waiter, now time.Time) {
	id := uuid.NewString()
	w.offers = append(slices.Clone(w.offers), id)
	a.touchContact(w)
	a.offers[id] = g
	a.takeTurn(g, w)
	s := Slot{
		OfferID: id, ContactID: w.ContactID, QueueID: w.QueueID, Channel: w.Channel, Inbound: w.inbound(),
		ACWTimeout: g.acw(w.Channel),
	}
	if q := a.setup.Queues[w.QueueID]; q != nil {
		s.OnMiss = q.Missed
	}
	a.step(g, Event{Kind: EventOffered, At: now, Slot: s})
}

// leave takes a contact out of everything.
func (a *actor) leave(contactID string, now time.Time) {
	live := []string{a.talks[contactID]}
	if w := a.waiters[contactID]; w != nil {
		live = w.offers
	}
	for _, id := range slices.Clone(live) {
		a.step(a.offers[id], Event{Kind: EventCallerLeft, OfferID: id, At: now})
	}
	a.unqueue(contactID)
}

// result takes the outcome of an offer.
func (a *actor) result(offerID string, r Result, now time.Time) {
	g := a.offers[offerID]
	if g == nil {
		a.log.Debug("acd ignores the result of an offer that is over", "offer_id", offerID, "result", int(r))
		return
	}
	e := Event{OfferID: offerID, At: now}
	kind := ""
	switch r {
	case Answered:
		e.Kind, kind = EventAnswered, "answered"
		a.counts.Answered.Add(1)
		if s, ok := g.slot(offerID); ok && a.waiters[s.ContactID] != nil {
			a.waiters[s.ContactID].Answered = true
			a.touchContact(a.waiters[s.ContactID])
		}
	case Missed:
		e.Kind, kind = EventMissed, "missed"
		a.counts.Missed.Add(1)
	case Rejected:
		e.Kind, kind = EventRejected, "rejected"
		a.counts.Rejected.Add(1)
	case DeviceFailed:
		e.Kind, kind = EventDeviceGone, "device_failed"
		a.counts.DeviceFailed.Add(1)
		if a.lookAtDevice(g, now); g.reachable {
			e.Kind = EventDeviceFailed
		}
	case CallerLeft:
		e.Kind, kind = EventCallerLeft, "caller_left"
		a.counts.CallerLeft.Add(1)
	case AgentLeft:
		e.Kind, kind = EventAgentLeft, "agent_left"
		a.counts.AgentLeft.Add(1)
	case Taken:
		e.Kind, kind = EventTaken, "taken"
		a.counts.Taken.Add(1)
	default:
		a.log.Error("acd ignores an unknown result", "offer_id", offerID, "result", int(r))
		return
	}
	if s, ok := g.slot(offerID); ok {
		a.record(kind, s.ContactID, g.Username, now)
	}
	a.step(g, e)
}

// joined tells that customer and agent talk.
func (a *actor) joined(offerID string, now time.Time) {
	g := a.offers[offerID]
	if g == nil {
		a.log.Warn("acd was told of a joined call whose offer is over", "offer_id", offerID)
		return
	}
	a.counts.Joined.Add(1)
	s, _ := g.slot(offerID)
	var others []string
	if w := a.waiters[s.ContactID]; w != nil && slices.Contains(w.offers, offerID) {
		others = w.offers
		a.served(w, now)
	}
	a.step(g, Event{Kind: EventJoined, OfferID: offerID, At: now})
	for _, id := range others { // who rang with this one and has not been told yet
		if id != offerID {
			a.step(a.offers[id], Event{Kind: EventTaken, OfferID: id, At: now})
		}
	}
}

// slot finds an offer in an agent's hands.
func (g *agent) slot(offerID string) (Slot, bool) {
	for _, s := range g.view.Slots {
		if s.OfferID == offerID {
			return s, true
		}
	}
	return Slot{}, false
}

// step lets something happen to an agent; nil is nobody.
func (a *actor) step(g *agent, e Event) {
	if g == nil {
		return
	}
	before := g.view.Slots
	view, effects := Step(g.view, e)
	if a.center.stepped != nil {
		a.center.stepped(g.view, e, view, effects)
	}
	g.view = view
	a.touch(g)
	for _, s := range before {
		now, ok := g.slot(s.OfferID)
		if !ok {
			delete(a.offers, s.OfferID)
		}
		if s.State == SlotConnected && (!ok || now.State != SlotConnected) {
			delete(a.talks, s.ContactID)
		}
	}
	for _, s := range g.view.Slots {
		if s.State == SlotConnected {
			a.talks[s.ContactID] = s.OfferID
		}
	}
	for _, f := range effects {
		a.perform(g, f, e.At)
	}
	a.note(g, e.At)
	a.forget(g)
}

// perform does what a step asks for.
func (a *actor) perform(g *agent, f Effect, now time.Time) {
	s := f.Slot
	w := a.waiters[s.ContactID]
	if w != nil && !slices.Contains(w.offers, s.OfferID) {
		w = nil // the contact has moved on
	}
	both := []string{agentKey(g.UserID), contactKey(s.ContactID)}
	switch f.Kind {
	case EffectReserve:
		a.reserve(g, s)
	case EffectMove:
		a.until("move reservation", both, func(ctx context.Context) error {
			return a.store.MoveReservation(ctx, s.OfferID, s.State, s.Since)
		})
	case EffectEnd:
		a.until("end reservation", both, func(ctx context.Context) error {
			return a.store.EndReservation(ctx, s.OfferID)
		})
	case EffectRequeue:
		if w != nil {
			a.takeBack(w, s.OfferID)
		}
	case EffectRefused:
		if w != nil {
			w.refusedBy(g.UserID)
			a.touchContact(w)
		}
	case EffectUnqueue:
		if w != nil {
			a.unqueue(s.ContactID)
		}
	case EffectBackoff:
		a.pause(g, now.Add(backoff(deviceBackoff, maxDeviceBackoff, g.failures)))
		g.failures++
	case EffectMissed:
		a.alarms.set(now.Add(time.Duration(s.OnMiss.WaitSeconds)*time.Second), func(now time.Time) {
			a.step(a.offers[s.OfferID], Event{Kind: EventMissOver, OfferID: s.OfferID, At: now})
		})
	case EffectForgive:
		g.failures = 0
	case EffectACWStarted:
		a.record("acw", s.ContactID, g.Username, now)
		a.until("start of after-contact work", both[1:], func(ctx context.Context) error {
			return a.store.PutAfterContactWork(ctx, s.ContactID, s.Since, time.Time{})
		})
		if s.ACWTimeout > 0 {
			a.alarms.set(now.Add(s.ACWTimeout), func(now time.Time) {
				a.step(a.offers[s.OfferID], Event{Kind: EventACWOver, OfferID: s.OfferID, At: now})
			})
		}
	case EffectACWEnded:
		a.record("acw_end", s.ContactID, g.Username, now)
		a.until("end of after-contact work", both[1:], func(ctx context.Context) error {
			return a.store.PutAfterContactWork(ctx, s.ContactID, s.Since, now)
		})
	case EffectSave:
		a.save(g)
	}
}

// refusedBy notes that an agent did not take w. The list is shared with snapshots: it is replaced, not changed.
func (w *waiter) refusedBy(userID string) {
	if slices.Contains(w.Refused, userID) {
		return
	}
	w.Refused = append(append(make([]string, 0, len(w.Refused)+1), w.Refused...), userID)
}

// pause keeps offers from an agent until a time.
func (a *actor) pause(g *agent, until time.Time) {
	if until.After(g.notBefore) {
		g.notBefore = until
		a.touch(g)
		a.alarms.set(until, func(time.Time) { a.touch(g) })
	}
}

// reserve makes an offer durable, then rings.
func (a *actor) reserve(g *agent, s Slot) {
	var (
		version int64
		ok      bool
	)
	begin := func() func(context.Context) error {
		if _, here := g.slot(s.OfferID); !here {
			return nil // the caller has left already; nothing was stored
		}
		r := Reservation{
			OfferID: s.OfferID, InstanceID: a.instanceID, UserID: g.UserID, ContactID: s.ContactID, QueueID: s.QueueID,
			Channel: s.Channel, State: SlotOffered, Node: a.node, Since: s.Since, Shared: a.shares(s),
		}
		was, limit := g.version, 1
		if p := a.setup.profiles[g.RoutingProfileID]; p != nil {
			limit = max(limit, p.channels[s.Channel].Limit)
		}
		return func(ctx context.Context) (err error) {
			version, ok, err = a.store.Reserve(ctx, r, was, limit)
			return err
		}
	}
	end := func(err error, now time.Time) bool {
		if err == nil && ok {
			g.version, g.losses = version, 0
			a.prove(g, s, now)
			return false
		}
		a.lost(g, s, now)
		return false
	}
	a.ops.add(&op{
		what: "reserve agent", keys: []string{agentKey(g.UserID), contactKey(s.ContactID)}, begin: begin, end: end,
	})
}

// ring lets the phone ring, if the caller is still there.
func (a *actor) ring(g *agent, s Slot, now time.Time) {
	i := -1
	for k := range g.view.Slots {
		if g.view.Slots[k].OfferID == s.OfferID {
			i = k
		}
	}
	if i < 0 {
		return
	}
	g.view.Slots = append([]Slot(nil), g.view.Slots...) // snapshots share the old one
	g.view.Slots[i].Rung = true
	a.touch(g)
	o := Offer{
		ID: s.OfferID, ContactID: s.ContactID, QueueID: s.QueueID, Channel: s.Channel, Agent: g.Agent, RingTime: a.setup.ringTime(s.QueueID),
		ACWTimeout: s.ACWTimeout, AutoAccept: g.autoAccept(s.Channel), Shared: a.shares(s),
	}
	if q := a.queueOf(s.QueueID); q != nil {
		o.QueueName = q.Name
	}
	if p := a.setup.Profiles[g.RoutingProfileID]; p != nil {
		o.RoutingProfileName = p.Name
	}
	a.rings = append(a.rings, o)
	a.counts.Offers.Add(1)
	a.changed = true
	a.record("offer", s.ContactID, g.Username, now)
	// The call tells how it came out. If it does not, nobody may be stranded.
	a.alarms.set(now.Add(o.RingTime+ringGrace), func(now time.Time) {
		if g := a.offers[s.OfferID]; g != nil {
			if v, ok := g.slot(s.OfferID); ok && v.State == SlotOffered && !v.Answered {
				a.counts.Overdue.Add(1)
				a.log.Error("acd gives up an offer without a result", "offer_id", s.OfferID, "contact_id", s.ContactID)
				a.result(s.OfferID, Missed, now)
			}
		}
	})
}

// lost gives a reservation up whose outcome is unknown or that somebody else won.
func (a *actor) lost(g *agent, s Slot, now time.Time) {
	a.counts.Lost.Add(1)
	g.stale = true
	a.pause(g, now.Add(backoff(storeBackoff, maxStoreBackoff, g.losses)))
	g.losses++
	if w := a.waiters[s.ContactID]; w != nil && slices.Contains(w.offers, s.OfferID) {
		w.NotBefore = now.Add(backoff(storeBackoff, maxStoreBackoff, w.losses))
		w.losses++
		a.alarms.set(w.NotBefore, func(time.Time) { a.touchContact(w) })
	}
	a.step(g, Event{Kind: EventLost, OfferID: s.OfferID, At: now})
	a.save(g)
}
