package call

import (
	"context"
	"maps"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Callback is a contact that waits in a queue for a customer who has hung up: when an agent is there, the customer is
// called (A2.5).
type Callback struct {
	ContactID            string // chosen by whoever keeps the callback, so that it is known after a crash
	InitialContactID     string
	PreviousContactID    string
	InstanceID           string
	Queue                TargetQueue
	Number               string // E.164
	FromNumber, FromName string
	WhisperFlow          string    // that the customer hears before the talk; empty: none
	Since                time.Time // the place in line
	Rank                 Routing
	Attributes           map[string]string
	Hooks                map[FlowKind]string // flows that were chosen before
	Record               bool                // the talk is to be recorded
}

// Callback puts such a contact in line. It returns when the contact is stored; everything else is in its record:
// AttemptTimestamp is not zero if the customer was called. Errors: Denied (the instance places no calls), Unavailable
// (draining, too many calls, store away), Duplicate (there is such a contact).
func (m *Manager) Callback(ctx context.Context, c Callback) error {
	inst, ok := m.o.Instances(c.InstanceID)
	if !ok || !inst.Outbound {
		return errs.New(errs.Denied, "the instance places no calls")
	}
	if err := m.enter(false); err != nil {
		return err
	}
	defer m.leave()
	now := time.Now()
	s := State{
		Phase: PhaseNew, Gen: 1, Customer: 1, Alias: inst.Alias, Target: c.Queue, Rank: c.Rank,
		Dial: &Target{
			InstanceID: c.InstanceID, Number: c.Number, FromNumber: c.FromNumber, FromName: c.FromName, Priority: PriorityAgent,
			ContactID: c.ContactID,
		},
		Parties: []Party{{
			ID: 1, Role: RoleCustomer, Stage: partyPlanned, Address: contact.Endpoint{Type: contact.TelephoneNumber, Address: c.Number},
		}},
		Record: &contact.Record{
			ID: c.ContactID, InstanceID: c.InstanceID, InitialContactID: c.InitialContactID, PreviousContactID: c.PreviousContactID,
			Node: m.o.Node, Channel: contact.Voice, InitiationMethod: contact.Callback,
			CustomerEndpoint:    contact.Endpoint{Type: contact.TelephoneNumber, Address: c.Number},
			SystemEndpoint:      contact.Endpoint{Type: contact.TelephoneNumber, Address: c.FromNumber},
			InitiationTimestamp: now, LastUpdateTimestamp: now, Attributes: c.Attributes,
			Queue: &contact.QueueInfo{ID: c.Queue.ID, Name: c.Queue.Name, EnqueueTimestamp: c.Since},
		},
	}
	s.Hooks, s.ToRecord = maps.Clone(c.Hooks), c.Record
	if c.WhisperFlow != "" {
		if s.Hooks == nil {
			s.Hooks = map[FlowKind]string{}
		}
		s.Hooks[FlowOutboundWhisper] = c.WhisperFlow
	}
	if err := m.begin(ctx, m.newActor(s, nil), nil, "to call back "+c.Number); err != nil {
		return err
	}
	m.stats.Outgoing.Add(1)
	return nil
}

// Note changes what is known about a live contact; one that is not live here is left alone.
func (m *Manager) Note(contactID string, d Data) {
	if a := m.find(contactID); a != nil {
		a.post(dataSet{Data: d})
	}
}

// callbackRing is how long a customer may be rung who is called back: an agent waits meanwhile.
const callbackRing = time.Minute

// planned reports whether the customer has yet to be called.
func (s *State) planned() bool {
	p := s.party(s.Customer)
	return p != nil && p.Stage == partyPlanned
}

// callbackBegun: the place in line was promised when the callback was made, whatever the queue's capacity is now.
func (s *step) callbackBegun() {
	s.takeQueue(s.Record.Queue.EnqueueTimestamp, true)
	s.Requeued = true
}

// callBack: an agent is there and has heard the whisper. That the customer is called is on disk before it is done: after
// a crash nobody is called again for it.
func (s *step) callBack() {
	s.Phase, s.Caller = PhaseCalling, s.AgentGen
	s.do(stopTimer{Timer: TimerWhisper, Gen: s.AgentGen})
	s.party(s.Caller).Early = true // the agent hears the ringing, or the network, from us
	r := s.edit()
	r.Queue.DequeueTimestamp, r.AttemptTimestamp = s.now, s.now
	s.tell("calling back", "%s", s.Dial.Number)
	s.save()
	s.do(commit{})
}

// committed: now the customer may be called.
func (s *step) committed() {
	if s.Phase != PhaseCalling || !s.planned() {
		return
	}
	after := callbackRing
	if s.Record.InitiationMethod == contact.Outbound { // the agent hears it ring, and decides
		after = callRing
	}
	p := s.party(s.Customer)
	p.Stage, p.Media = partyDialled, true
	s.do(dial{Party: p.ID, Target: *s.Dial, Near: s.Caller}, startTimer{Timer: TimerRing, Gen: p.ID, After: after})
}
