package call

import (
	"context"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Destination is whom a contact is transferred to: exactly one of UserID, QueueID, Number and FlowID. TransferFlowID is
// the flow that the transferring agent hears (AGENT_TRANSFER for a user, QUEUE_TRANSFER for a queue); empty: the
// instance's default.
type Destination struct {
	UserID, QueueID, Number, FlowID string
	TransferFlowID                  string
}

// Dial is a number that an agent calls, and the queue whose caller id it is shown; empty: the agent's default outbound
// queue.
type Dial struct {
	Number, QueueID string
}

// Places knows where contacts of an instance can be transferred to, and by which numbers its queues call.
type Places interface {
	// Queue finds a queue, also the own queue of a user. errs.NotFound: no such queue, or disabled.
	Queue(instanceID, id string) (TargetQueue, error)
	// OwnQueue is the queue of a user.
	OwnQueue(p Person) TargetQueue
	// Named is where a name leads to which a user's phone transfers somebody: a quick connect, or a queue. errs.NotFound.
	Named(instanceID, name string) (Destination, error)
	// Reach tells how a user can be reached now. routed: as an agent, by an offer of their own queue; else by their devices,
	// because they do not work as an agent. errs.Limit: they are busy, or away.
	Reach(instanceID, userID string) (routed bool, err error)
	// Outbound is how a queue calls out: its number, name and outbound whisper flow. errs.NotFound.
	Outbound(instanceID, queueID string) (number, name, whisperFlow string, err error)
}

// Transfer hands the customer of a contact over on behalf of its agent, who is released as soon as the customer waits in
// the queue or the other end rings; the transfer flow runs before. If it fails then, the customer goes to the disconnect
// flow, else to the front of the queue they came from. Until then the agent has them back: the event "transfer failed"
// tells. errs.NotFound: the contact is not live, or there is no such destination; errs.Denied; errs.InvalidRequest: not now.
func (m *Manager) Transfer(ctx context.Context, instanceID, contactID, byUserID string, to Destination) error {
	_, err := m.hand(ctx, instanceID, contactID, byUserID, to, false)
	return err
}

// HandOver is Transfer on behalf of whoever serves the contact. It gives the id that the contact of the destination will
// have; there is none if the transfer comes to nothing.
func (m *Manager) HandOver(ctx context.Context, instanceID, contactID string, to Destination) (nextID string, err error) {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return "", err
	}
	r := a.snapshot.Load().Record
	if r.Agent == nil {
		return "", errBusy("nobody serves the contact now: only a contact with an agent can be transferred")
	}
	return m.hand(ctx, instanceID, contactID, r.Agent.ID, to, false)
}

// Consult puts the customer on hold and lets the agent talk with a destination, which cannot be a flow. Afterwards Hold
// takes the customer off hold, Remove sends whom was consulted away, Leave lets the two talk on; Hold also calls it off
// before somebody has answered. Errors as of Transfer.
func (m *Manager) Consult(ctx context.Context, instanceID, contactID, byUserID string, to Destination) error {
	_, err := m.hand(ctx, instanceID, contactID, byUserID, to, true)
	return err
}

func (m *Manager) hand(ctx context.Context, instanceID, contactID, byUserID string, to Destination, consult bool) (nextID string, err error) {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return "", err
	}
	goal := m.goal(instanceID, byUserID, to)
	if goal.Err != nil {
		return "", goal.Err
	}
	s := a.snapshot.Load()
	return s.NextID, m.ask(ctx, instanceID, s.Record.ID, transferAsked{By: byUserID, Goal: goal, Consult: consult})
}

// Leave hangs up a user's own leg of a contact: after a consultation the others talk on.
func (m *Manager) Leave(ctx context.Context, instanceID, contactID, userID string) error {
	return m.ask(ctx, instanceID, contactID, leaveAsked{User: userID})
}

// Decline refuses what rings at a user's devices: an offer of a queue, a transfer or an invitation.
func (m *Manager) Decline(ctx context.Context, instanceID, contactID, userID string) error {
	return m.ask(ctx, instanceID, contactID, declineAsked{User: userID})
}

// Supervise changes what a supervisor of a contact does: listen, coach, or join if the invitation allowed it.
func (m *Manager) Supervise(ctx context.Context, instanceID, contactID, userID string, hears Role) error {
	return m.ask(ctx, instanceID, contactID, superviseAsked{User: userID, Hears: hears})
}

// goal looks a destination up.
func (m *Manager) goal(instanceID, byUserID string, d Destination) resolved {
	given := 0
	for _, s := range []string{d.UserID, d.QueueID, d.Number, d.FlowID} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return resolved{Err: errs.New(errs.Invalid, "a destination is exactly one of a user, a queue, a number and a flow; got %d", given)}
	case d.UserID != "":
		p, ok := m.o.People.User(d.UserID)
		if !ok || p.InstanceID != instanceID {
			return resolved{Err: errs.New(errs.NotFound, "no user %s", d.UserID)}
		}
		return m.toUser(p, d.TransferFlowID)
	case d.QueueID != "":
		if m.o.Places == nil {
			return resolved{Err: errs.New(errs.NotFound, "no queue %s", d.QueueID)}
		}
		q, err := m.o.Places.Queue(instanceID, d.QueueID)
		return resolved{Queue: q, Transfer: d.TransferFlowID, Err: err}
	case d.FlowID != "":
		if m.o.FlowReady != nil {
			if err := m.o.FlowReady(instanceID, d.FlowID); err != nil {
				return resolved{Err: err}
			}
		}
		return resolved{FlowID: d.FlowID}
	}
	return m.reachable(instanceID, byUserID, d.Number)
}

// toUser is a user as a destination.
func (m *Manager) toUser(p Person, flow string) resolved {
	r := resolved{Callee: Callee{Person: &p}, Transfer: flow}
	if m.o.Places != nil {
		r.Queue = m.o.Places.OwnQueue(p)
	}
	return r
}

// named is whom a REFER means: a number of ours, whom its user may call, a quick connect or a queue by its name.
func (m *Manager) named(instanceID, byUserID, target string) resolved {
	r := m.reachable(instanceID, byUserID, target)
	if r.FlowID != "" || r.Callee.Person != nil || r.Callee.Emergency || m.o.Places == nil || errs.Is(r.Err, errs.Limit) {
		return r
	}
	if d, err := m.o.Places.Named(instanceID, target); err == nil {
		return m.goal(instanceID, byUserID, d)
	}
	return r
}

// reachable is whom a user reaches by what they dial.
func (m *Manager) reachable(instanceID, byUserID, target string) resolved {
	if n, ok := m.o.Numbers.Lookup("", target); ok && n.InstanceID == instanceID && n.FlowID != "" {
		return resolved{FlowID: n.FlowID, Number: n.Name}
	}
	callee, err := m.o.People.Find(byUserID, target)
	switch inst, known := m.o.Instances(instanceID); {
	case err != nil:
		return resolved{Err: err}
	case callee.Person != nil:
		return m.toUser(*callee.Person, "")
	case !callee.Emergency && (!known || !inst.Outbound):
		return resolved{Err: errs.New(errs.Denied, "the instance places no calls")}
	}
	return resolved{Callee: callee}
}

// Dial calls a number for an agent: a device of theirs rings first, and answers by itself if it can; then the number is
// called, and shown the number of the queue. It returns when the contact is stored. The agent's status does not matter.
// errs.Denied: the instance places no calls, or not to there; errs.NotFound; errs.Unavailable.
func (m *Manager) Dial(ctx context.Context, instanceID, userID string, d Dial) (contactID string, err error) {
	user, ok := m.o.People.User(userID)
	if !ok || user.InstanceID != instanceID {
		return "", errs.New(errs.NotFound, "no user %s", userID)
	}
	callee, err := m.o.People.Find(userID, d.Number)
	if err != nil {
		return "", err
	}
	inst, known := m.o.Instances(instanceID)
	if !known || callee.Person == nil && !callee.Emergency && !inst.Outbound {
		return "", errs.New(errs.Denied, "the instance of user %s places no calls", user.Username)
	}
	if d.QueueID != "" && callee.Person == nil && !callee.Emergency {
		if m.o.Places == nil {
			return "", errs.New(errs.NotFound, "no queue %s", d.QueueID)
		}
		number, name, whisper, queueErr := m.o.Places.Outbound(instanceID, d.QueueID)
		if queueErr != nil {
			return "", queueErr
		}
		callee.FromName, callee.WhisperFlow = name, whisper
		if number != "" {
			callee.FromNumber = number
		}
	}
	if err = m.enter(callee.Emergency); err != nil {
		return "", err
	}
	defer m.leave()
	id, now := m.o.NewID(), time.Now()
	s := outgoing(callee, Target{InstanceID: instanceID, OnBehalfOf: userID, ContactID: id}, Party{
		ID: firstParty, Role: RoleAgent, Stage: partyDialled, Media: true, Person: user,
		Address: contact.Endpoint{Type: contact.VoIP, Address: user.Username, DisplayName: user.DisplayName},
	})
	s.Alias, s.Caller, s.AgentGen = inst.Alias, firstParty, firstParty
	s.Parties[1].Stage, s.Parties[1].Media = partyPlanned, false
	if callee.WhisperFlow != "" && !callee.Emergency {
		s.Hooks = map[FlowKind]string{FlowOutboundWhisper: callee.WhisperFlow}
	}
	s.Record.ID, s.Record.InitialContactID, s.Record.Node = id, id, m.o.Node
	s.Record.InitiationTimestamp, s.Record.LastUpdateTimestamp = now, now
	s.Record.Agent = agentInfo(user, time.Time{}, time.Time{}, time.Time{})
	if err = m.begin(ctx, m.newActor(s, nil), nil, user.Username+" wants to call "+d.Number); err != nil {
		return "", err
	}
	m.stats.Outgoing.Add(1)
	return id, nil
}
