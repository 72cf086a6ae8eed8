package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// ErrNotStored is in the error of Admit and Originate when the contact could not be stored.
var ErrNotStored = errors.New("call: not stored")

// nobody is People without anybody.
type nobody struct{}

// User finds nobody.
func (nobody) User(string) (Person, bool) { return Person{}, false }

// Find finds nobody.
func (nobody) Find(_, called string) (Callee, error) {
	return Callee{}, errs.New(errs.NotFound, "nobody has claimed the number %s", called)
}

// Admit takes over an incoming leg. What was called decides what becomes of it: a call of ours that it replaces, the
// flow of a claimed number, or, from a device of ours, another user or a number outside. It opens media and writes the
// contact row, and only then lets the leg be answered. Errors: NotFound (nobody claimed the number, it has no flow, there
// is no call to replace), Denied (the instance takes or places no calls), Invalid (SDP), Unavailable (draining, too many
// calls, no port, store away).
func (m *Manager) Admit(ctx context.Context, in Inbound, leg Leg) (func(LegEvent), error) {
	if in.Replaces != nil {
		return m.pickUp(ctx, in, leg)
	}
	_, claimed := m.o.Numbers.Lookup(in.TrunkID, in.Called)
	if !claimed && in.DeviceUser != "" {
		return m.callOut(ctx, in, leg)
	}
	if err := m.enter(false); err != nil {
		return nil, err
	}
	defer m.leave()
	n, inst, err := m.match(in, nil)
	if err != nil {
		return nil, err
	}
	id := m.o.NewID()
	a := m.incoming(id, in, n, inst)
	l, err := m.openLine(id, "customer", in, leg)
	if err != nil {
		return nil, err
	}
	if err = m.begin(ctx, a, l, in.From.Address+" calls "+in.Called); err != nil {
		return nil, err
	}
	m.stats.Admitted.Add(1)
	return l.event, nil
}

// incoming is the call of somebody who calls a number of ours.
func (m *Manager) incoming(id string, in Inbound, n Number, inst Instance) *actor {
	caller := Party{ID: firstParty, Role: RoleCustomer, Stage: partyComing, Media: true, Address: in.From}
	if in.DeviceUser != "" {
		caller.Person, _ = m.o.People.User(in.DeviceUser)
	}
	return m.newActor(State{
		Phase: PhaseNew, Alias: inst.Alias, Customer: firstParty, Parties: []Party{caller}, Came: cameBy(in, n.Name), Record: contact.Record{
			ID: id, InstanceID: inst.ID, InitialContactID: id, Node: m.o.Node, CallID: in.CallID, TrunkID: in.TrunkID,
			Channel: contact.Voice, InitiationMethod: contact.Inbound, FlowID: n.FlowID, CustomerEndpoint: in.From,
			SystemEndpoint:      contact.Endpoint{Type: contact.TelephoneNumber, Address: n.Name},
			InitiationTimestamp: in.Received, LastUpdateTimestamp: in.Received, Attestation: in.Attested,
		},
	}, in.Headers)
}

// cameBy is what a forwarding of a call will tell of it.
func cameBy(in Inbound, number string) came {
	if in.TrunkID == "" {
		return came{}
	}
	return came{By: append(slices.Clone(in.Diverted), number), Identity: in.Identity}
}

// openLine gives an incoming leg its media and the answer to its SDP.
func (m *Manager) openLine(contactID, peer string, in Inbound, leg Leg) (*line, error) {
	l := &line{leg: leg, profile: in.Profile}
	media, err := m.o.Media.Open(MediaOptions{
		ContactID: contactID, Peer: peer, Host: in.Source, Profile: in.Profile, OnDigit: l.digit, OnDead: l.dead,
	})
	if err != nil {
		return nil, err
	}
	l.media = media
	if in.SDP == nil {
		l.answer, err = media.Offer()
	} else {
		l.answer, err = media.Answer(in.SDP)
	}
	if err != nil {
		media.Close()
		return nil, err
	}
	return l, nil
}

func (m *Manager) newActor(s State, headers map[string]string) *actor {
	a := &actor{
		m: m, log: m.logFor(s.Record.ID, s.Record.CallID), headers: headers, state: s,
		digits: make(chan byte, digitsSize), keys: make(chan byte, digitsSize), done: make(chan struct{}),
	}
	a.mail.busy = true // until it begins
	a.mail.uses.Store(1)
	a.customer.Store(int64(s.Customer))
	a.saver = &saver{store: m.o.Store, spill: m.o.Spill, closed: m.o.Closed, log: m.o.Log}
	a.saver.lazy, _ = m.o.Store.(lazyStore)
	a.saver.idle = sync.NewCond(&a.saver.mu)
	return a
}

// begin stores the contact, makes the call findable and lets it live. On an error the line's media is closed.
func (m *Manager) begin(ctx context.Context, a *actor, l *line, what string) error {
	r := &a.state.Record
	err := m.o.Store.CreateContact(ctx, r)
	if err != nil && a.state.Dial.Priority == PriorityEmergency && a.state.Phase == PhaseCalling {
		a.log.Error("emergency call without a stored contact", "error", err)
		err = nil
	}
	if err != nil {
		if l != nil {
			l.media.Close()
		}
		return errs.Wrap(errors.Join(ErrNotStored, err), errs.Unavailable, "the contact could not be stored")
	}
	if l != nil {
		l.id = firstParty
		a.addLine(l)
		l.give(a, firstParty)
	}
	m.o.Opened(r.ID, r.CallID)
	m.mu.Lock()
	m.calls[r.ID] = a
	m.mu.Unlock()
	a.publish()
	a.tell("INITIATED", what)
	a.begin()
	return nil
}

// callOut is a device of ours that calls another user or a number outside.
func (m *Manager) callOut(ctx context.Context, in Inbound, leg Leg) (func(LegEvent), error) {
	caller, ok := m.o.People.User(in.DeviceUser)
	if !ok {
		return nil, errs.New(errs.Denied, "the device belongs to no user")
	}
	callee, err := m.o.People.Find(in.DeviceUser, in.Called)
	if err != nil {
		return nil, err
	}
	inst, ok := m.o.Instances(caller.InstanceID)
	if callee.Person == nil && !callee.Emergency && (!ok || !inst.Outbound) {
		return nil, errs.New(errs.Denied, "the instance of user %s places no calls", caller.Username)
	}
	if err = m.enter(callee.Emergency); err != nil {
		return nil, err
	}
	defer m.leave()
	id := m.o.NewID()
	first := Party{
		ID: firstParty, Role: RoleAgent, Stage: partyComing, Media: true, Person: caller, Device: in.DeviceID,
		Address: contact.Endpoint{Type: contact.VoIP, Address: caller.Username, DisplayName: caller.DisplayName},
	}
	s := outgoing(callee, Target{InstanceID: caller.InstanceID, OnBehalfOf: caller.ID, ContactID: id}, first)
	s.Alias, s.Caller, s.AgentGen = inst.Alias, firstParty, firstParty
	if callee.WhisperFlow != "" && !callee.Emergency {
		s.Hooks = map[FlowKind]string{FlowOutboundWhisper: callee.WhisperFlow}
	}
	s.Record.ID, s.Record.InitialContactID, s.Record.Node, s.Record.CallID = id, id, m.o.Node, in.CallID
	s.Record.InitiationTimestamp, s.Record.LastUpdateTimestamp = in.Received, in.Received
	s.Record.Agent = agentInfo(caller, time.Time{}, in.Received, time.Time{})
	a := m.newActor(s, in.Headers)
	l, err := m.openLine(id, "agent", in, leg)
	if err != nil {
		return nil, err
	}
	if err = m.begin(ctx, a, l, caller.Username+" calls "+in.Called); err != nil {
		return nil, err
	}
	m.stats.Admitted.Add(1)
	m.stats.Outgoing.Add(1)
	return l.event, nil
}

// outgoing is the state of a call that begins with the dialling of its customer. caller waits for them; without a
// caller a flow speaks to them.
func outgoing(callee Callee, t Target, caller ...Party) State {
	customer := Party{ID: 1, Role: RoleCustomer, Stage: partyDialled, Media: true}
	t.Priority = PriorityAgent
	if callee.Person != nil {
		customer.Person, t.UserID = *callee.Person, callee.Person.ID
		customer.Address = contact.Endpoint{Type: contact.VoIP, Address: callee.Person.Username, DisplayName: callee.Person.DisplayName}
		if len(caller) > 0 {
			t.FromNumber, t.FromName = caller[0].Address.Address, caller[0].Address.DisplayName
		}
	} else {
		customer.Address = contact.Endpoint{Type: contact.TelephoneNumber, Address: callee.Number}
		t.Number, t.FromNumber, t.FromName = callee.Number, callee.FromNumber, callee.FromName
	}
	if callee.Emergency {
		t.Priority = PriorityEmergency
	}
	return State{
		Phase: PhaseCalling, Gen: 1, Customer: 1, Dial: t, Parties: append(caller, customer),
		Record: contact.Record{
			InstanceID: t.InstanceID, Channel: contact.Voice, InitiationMethod: contact.Outbound,
			CustomerEndpoint: customer.Address,
			SystemEndpoint:   contact.Endpoint{Type: contact.TelephoneNumber, Address: t.FromNumber},
		},
	}
}

// Originate is a contact that the engine itself places: the customer is called, and a flow speaks to whoever answers.
type Originate struct {
	InstanceID string
	Number     string // E.164
	TrunkID    string // empty: by the outbound rules
	FlowID     string
	FromNumber string
	FromName   string
	Priority   Priority
	Group      string                   // a campaign: groups that wait for a place on a trunk take turns
	Method     contact.InitiationMethod // default: OUTBOUND
	Attributes map[string]string

	ContactID         string        // chosen by whoever asks, so that asking again is known; empty: a new one
	Queue             TargetQueue   // that the flow finds chosen
	Ring              time.Duration // how long it may ring; 0: as long as the network lets it
	Name, Description string
	References        map[string]contact.Reference
	RelatedContactID  string
}

// Originate begins such a contact and returns its id as soon as it is stored; everything else is in its record. Errors:
// Denied (the instance places no calls), Unavailable (draining, too many calls, store away).
func (m *Manager) Originate(ctx context.Context, o Originate) (contactID string, err error) {
	inst, ok := m.o.Instances(o.InstanceID)
	if !ok || !inst.Outbound {
		return "", errs.New(errs.Denied, "the instance places no calls")
	}
	if err = m.enter(false); err != nil {
		return "", err
	}
	defer m.leave()
	id, now := cmp.Or(o.ContactID, m.o.NewID()), time.Now()
	s := outgoing(Callee{Number: o.Number, FromNumber: o.FromNumber, FromName: o.FromName},
		Target{InstanceID: o.InstanceID, TrunkID: o.TrunkID, ContactID: id})
	s.Dial.Priority, s.Dial.Group, s.Alias = o.Priority, o.Group, inst.Alias
	s.Record.ID, s.Record.InitialContactID, s.Record.Node, s.Record.FlowID = id, id, m.o.Node, o.FlowID
	s.Record.InitiationTimestamp, s.Record.LastUpdateTimestamp = now, now
	s.Record.TrunkID, s.Record.Attributes = o.TrunkID, o.Attributes
	s.Record.Name, s.Record.Description, s.Record.References = o.Name, o.Description, o.References
	s.Record.RelatedContactID, s.Target, s.Ring = o.RelatedContactID, o.Queue, o.Ring
	if o.Method != "" {
		s.Record.InitiationMethod = o.Method
	}
	if err = m.begin(ctx, m.newActor(s, nil), nil, "calling "+o.Number); err != nil {
		return "", err
	}
	m.stats.Outgoing.Add(1)
	return id, nil
}

// findDialog finds the call and the party that a dialog belongs to.
func (m *Manager) findDialog(d DialogID) (*actor, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.calls {
		s := a.snapshot.Load()
		for _, l := range s.lines {
			if l.leg != nil && l.leg.Dialog().matches(d) {
				l.mu.Lock()
				owner, party := l.owner, l.party
				l.mu.Unlock()
				return owner, party
			}
		}
	}
	return nil, 0
}

// pickUp is an INVITE that takes the place of a leg of ours (RFC 3891). Only users may, and only within their instance.
func (m *Manager) pickUp(ctx context.Context, in Inbound, leg Leg) (func(LegEvent), error) {
	if err := m.enter(false); err != nil {
		return nil, err
	}
	defer m.leave()
	user, ok := m.o.People.User(in.DeviceUser)
	if in.DeviceUser == "" || !ok {
		return nil, errs.New(errs.Denied, "only a user's device may take over a call")
	}
	a, party := m.findDialog(*in.Replaces)
	if a == nil {
		return nil, errs.New(errs.NotFound, "there is no such call to replace")
	}
	s := a.snapshot.Load()
	p := partyOf(s.Parties, party)
	switch {
	case s.Record.InstanceID != user.InstanceID: // as unknown as any
		return nil, errs.New(errs.NotFound, "there is no such call to replace")
	case in.Replaces.EarlyOnly && p != nil && p.Stage == partyUp: // RFC 3891 §3
		return nil, errs.New(errs.Limit, "the call to replace has been answered")
	}
	l, err := m.openLine(s.Record.ID, "agent", in, leg)
	if err != nil {
		return nil, err
	}
	taken := make(chan error, 1)
	ask := askTakeOver{
		takeOver: takeOver{Party: party, Newcomer: Party{
			Person:  user,
			Device:  in.DeviceID,
			Address: contact.Endpoint{Type: contact.VoIP, Address: user.Username, DisplayName: user.DisplayName},
		}},
		line: l, done: func(_ string, err error) {
			select {
			case taken <- err:
			default:
			}
		},
	}
	if !a.deliver(ask) {
		ask.done("", errs.New(errs.NotFound, "the call to replace has ended"))
	}
	select {
	case err = <-taken:
	case <-ctx.Done():
		err = errs.New(errs.Unavailable, "the call to replace does not answer")
	}
	if err != nil {
		l.event(LegEvent{Kind: LegEnded, Cause: CauseTransport, Text: err.Error()}) // should it be taken all the same
		l.media.Close()
		return nil, err
	}
	m.stats.Admitted.Add(1)
	return l.event, nil
}

func partyOf(ps []Party, id int) *Party {
	for i := range ps {
		if ps[i].ID == id {
			return &ps[i]
		}
	}
	return nil
}
