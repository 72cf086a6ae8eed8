package app

import (
	"context"
	"log/slog"
	"sync"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
	"ullim/internal/identity"
)

// centers is one acd.Center for each instance, and both adapters between calls and them: call.Queues, and acd.Ringer
// through ringer.
type centers struct {
	o    centersOptions
	mu   sync.RWMutex
	byID map[string]*acd.Center

	chats  *chat.Manager                                              // contacts without audio; set before the centers start
	claim  func(context.Context, call.Enqueue) (claimed, bool, error) // the place of a callback; set before calls come; nil: there are none
	offers sync.Map                                                   // offer id -> *acd.Center, while the offer lives
}

type centersOptions struct {
	Node  string
	Store acd.Store
	// AgentEvents keeps what agents do; OnAgentEvent is told of it at once, and must not block. Either may be nil.
	AgentEvents  acd.AgentEvents
	OnAgentEvent func(acd.AgentEvent)
	Dir          *directory
	Devices      func(userID string) bool
	Alive        func(ctx context.Context, userID string) bool // nil: not asked
	Calls        func() *call.Manager
	Routed       func(instanceID string) // told that a center has published something; must not block
	Events       *events.Recorder
	Log          *slog.Logger
}

var _ call.Queues = (*centers)(nil)

func newCenters(o centersOptions) *centers {
	return &centers{o: o, byID: map[string]*acd.Center{}}
}

// sync starts a center for every instance that has none, and tells the others that the configuration is new.
func (c *centers) sync(instanceIDs []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range instanceIDs {
		if center := c.byID[id]; center != nil {
			center.ConfigChanged()
			continue
		}
		r := &ringer{c: c, instanceID: id}
		r.center = acd.New(acd.Options{
			// A center ends the reservations of its own node when it starts: another instance's are not its own.
			InstanceID: id, Node: c.o.Node + "/" + id, Store: c.o.Store,
			Config: func(ctx context.Context) (acd.Config, error) { return c.o.Dir.Config(ctx, id) },
			Keep:   c.keeps, AgentEvents: c.o.AgentEvents, OnAgentEvent: c.o.OnAgentEvent,
			Published: func() { c.o.Routed(id) },
			Ringer:    r, Devices: phones{c}, Events: c.o.Events, Log: c.o.Log,
		})
		c.byID[id] = r.center
		r.center.Start()
	}
}

func (c *centers) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, center := range c.byID {
		center.Stop()
		delete(c.byID, id)
	}
}

func (c *centers) of(instanceID string) (*acd.Center, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if center := c.byID[instanceID]; center != nil {
		return center, nil
	}
	return nil, errs.New(errs.NotFound, "no instance %s", instanceID)
}

func (c *centers) each(f func(instanceID string, center *acd.Center)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, center := range c.byID {
		f(id, center)
	}
}

// deviceChanged tells every center that a user's phones came or went; ids are unique among instances.
func (c *centers) deviceChanged(userID string) {
	c.each(func(_ string, center *acd.Center) { center.DeviceChanged(userID) })
}

// Enqueue puts a contact in line.
func (c *centers) Enqueue(ctx context.Context, e call.Enqueue) error {
	center, err := c.of(e.InstanceID)
	if err != nil {
		return err
	}
	steps, err := criteriaOf(e.Routing.Steps)
	if err != nil {
		return err
	}
	var criteria *acd.Criteria
	if len(steps) > 0 {
		criteria = &acd.Criteria{Steps: steps}
	}
	var place claimed
	if c.claim != nil && e.Number != "" {
		var promised bool
		if place, promised, err = c.claim(ctx, e); err != nil { // they wait as anybody does, and are called back
			c.o.Log.Error("the place of a callback is not known", "contact_id", e.ContactID, "error", err)
		}
		if promised {
			e.Owed = true
			if place.since.Before(e.Since) {
				e.Since = place.since
			}
		}
	}
	err = center.Enqueue(ctx, acd.Waiting{
		ContactID: e.ContactID, QueueID: e.QueueID, Channel: e.Channel, Since: e.Since,
		Priority: e.Routing.Priority, AgeAdjustment: e.Routing.AgeAdjustment, Owed: e.Owed, Criteria: criteria,
	})
	if err != nil && place.undo != nil {
		place.undo()
	}
	return err
}

// Leave takes a contact out of every center: it knows its own.
func (c *centers) Leave(contactID string) {
	c.each(func(_ string, center *acd.Center) { center.Leave(contactID) })
}

// Reorder changes the order in which a waiting contact is served.
func (c *centers) Reorder(contactID string, r call.Routing) {
	o := acd.Order{Priority: r.Priority, AgeAdjustment: r.AgeAdjustment}
	var err error
	if o.Criteria, err = criteriaOf(r.Steps); err != nil { // they were read when they were set
		c.o.Log.Error("routing criteria cannot be used", "contact_id", contactID, "error", err)
	}
	c.each(func(_ string, center *acd.Center) { center.Reorder(contactID, o) })
}

// criteriaOf reads the steps of routing criteria.
func criteriaOf(steps []call.RoutingStep) ([]acd.CriteriaStep, error) {
	var out []acd.CriteriaStep
	for _, s := range steps {
		e, err := acd.ParseExpression(s.Expression)
		if err != nil {
			return nil, err
		}
		out = append(out, acd.CriteriaStep{Expression: e, Expiry: s.Expiry})
	}
	return out, nil
}

// OfferResult reports how an offer came out.
func (c *centers) OfferResult(offerID string, r call.OfferResult) {
	results := map[call.OfferResult]acd.Result{
		call.OfferAnswered: acd.Answered, call.OfferMissed: acd.Missed, call.OfferRejected: acd.Rejected,
		call.OfferDeviceFailed: acd.DeviceFailed, call.OfferCallerLeft: acd.CallerLeft, call.OfferAgentLeft: acd.AgentLeft,
		call.OfferTaken: acd.Taken,
	}
	c.offer(offerID, r != call.OfferAnswered, func(center *acd.Center) { center.OfferResult(offerID, results[r]) })
}

// Joined reports that customer and agent talk.
func (c *centers) Joined(offerID string) {
	c.offer(offerID, false, func(center *acd.Center) { center.Joined(offerID) })
}

// AgentDone reports that the agent's part is over.
func (c *centers) AgentDone(offerID string) {
	c.offer(offerID, true, func(center *acd.Center) { center.AgentDone(offerID) })
}

func (c *centers) offer(id string, last bool, f func(*acd.Center)) {
	v, ok := c.offers.Load(id)
	if last {
		c.offers.Delete(id)
	}
	if center, isCenter := v.(*acd.Center); ok && isCenter {
		f(center)
	}
}

// ringer rings an agent of an instance through the call that waits.
type ringer struct {
	c          *centers
	instanceID string
	center     *acd.Center
}

// Ring hands the offer to the call; the call reports how it came out.
func (r *ringer) Ring(o acd.Offer) {
	if o.Channel != contact.Voice {
		r.c.offerChat(r.instanceID, o)
		return
	}
	r.c.offers.Store(o.ID, r.center)
	r.c.o.Calls().Offer(call.Offer{
		ID: o.ID, ContactID: o.ContactID, QueueID: o.QueueID, RingTime: o.RingTime, AutoAccept: o.AutoAccept,
		ACWTimeout: o.ACWTimeout, Shared: o.Shared,
		Agent: contact.AgentInfo{
			ID: o.Agent.UserID, Username: o.Agent.Username, RoutingProfileID: o.Agent.RoutingProfileID,
			RoutingProfileName: o.RoutingProfileName, HierarchyGroups: r.c.o.Dir.hierarchy(r.instanceID, o.Agent.UserID),
		},
	})
}

// phones tells a center of the phones of agents.
type phones struct{ c *centers }

var _ acd.Devices = phones{}

// Reachable reports whether a device of the user is registered.
func (p phones) Reachable(userID string) bool { return p.c.o.Devices(userID) }

// Alive proves that a phone of the user is there.
func (p phones) Alive(ctx context.Context, userID string) bool {
	return p.c.o.Alive == nil || p.c.o.Alive(ctx, userID)
}

// OnCall reports whether the user talks by a call of their own.
func (p phones) OnCall(userID string) bool {
	m := p.c.o.Calls()
	return m != nil && m.OnCall(userID)
}

// skillsOf are a user's proficiencies as routing reads them.
func skillsOf(u *identity.User) map[acd.Skill]float64 {
	if len(u.Proficiencies) == 0 {
		return nil
	}
	out := make(map[acd.Skill]float64, len(u.Proficiencies))
	for _, p := range u.Proficiencies {
		out[acd.Skill{Name: p.Name, Value: p.Value}] = p.Level
	}
	return out
}
