package call

import (
	"maps"
	"time"

	"ullim/internal/contact"
)

func (s *step) enqueueAsked(e enqueueAsked) {
	if e.Move {
		s.moveAsked(e)
		return
	}
	switch {
	case e.Gen != s.Flow[ofCustomer] || e.Gen == 0, s.Phase != PhaseFlow && s.Phase != PhaseRemaining:
		s.do(replyFlow{Err: errBusy("the contact is in a queue or with an agent already")})
	case s.Target.ID == "":
		s.do(replyFlow{Err: errBusy("no working queue is set")})
	case s.Phase == PhaseRemaining:
		s.NextID = e.NewID
		s.nextSegment(segment{Method: contact.Disconnect, FlowID: s.Hooks[FlowDisconnect]})
		s.takeQueue(s.now, false)
	default:
		s.takeQueue(s.now, false)
	}
}

// takeQueue asks for a place in line; owed: whatever the queue's capacity. What a segment reports as its wait does not
// begin before the segment, however old the place is.
func (s *step) takeQueue(since time.Time, owed bool) {
	s.Phase, s.Requeued, s.Place = PhaseEnqueueing, false, since
	entered := since
	if entered.Before(s.Record.InitiationTimestamp) {
		entered = s.Record.InitiationTimestamp
	}
	s.Record.Queue = &contact.QueueInfo{ID: s.Target.ID, Name: s.Target.Name, EnqueueTimestamp: entered}
	s.do(takeQueue{Enqueue: Enqueue{
		InstanceID: s.Record.InstanceID, ContactID: s.Record.ID, QueueID: s.Target.ID, Channel: contact.Voice, Since: since,
		Routing: s.Rank, Owed: owed,
	}})
}

func (s *step) enqueueDone(err error) {
	switch {
	case s.Phase == PhaseEnqueueing && err != nil && s.Moving.ID != "":
		s.moveRefused(err)
	case s.Phase == PhaseEnqueueing && err != nil && s.Requeued:
		s.Record.Queue = nil
		s.end(contact.Other, "the queue does not take the contact back: "+err.Error())
	case s.Phase == PhaseEnqueueing && err != nil:
		s.Phase = PhaseFlow
		s.Record.Queue = nil
		s.do(replyFlow{Err: err})
	case s.Phase == PhaseEnqueueing:
		s.inLine()
	case s.Phase >= PhaseEnding && err == nil: // the customer left meanwhile
		s.do(leaveQueue{ContactID: s.Record.ID})
	}
}

// inLine: the ACD has the contact. The flow that asked is answered and gives way to the customer queue flow.
func (s *step) inLine() {
	s.Phase = PhaseQueued
	s.tell("QUEUED", "%s", s.Record.Queue.Name)
	if s.backInLine() {
		return
	}
	if !s.Requeued {
		s.do(replyFlow{})
	}
	s.Requeued, s.Moving = false, TargetQueue{}
	if !s.planned() {
		s.run(ofCustomer, FlowCustomerQueue, s.Hooks[FlowCustomerQueue])
	}
	s.save()
}

// segment is how a new segment begins.
type segment struct {
	Method contact.InitiationMethod
	FlowID string
	System *contact.Endpoint // nil: as before
}

// nextSegment ends the record of this segment and begins the next. What belongs to the old one and is not complete yet,
// its recording and the qualities of its legs, delays its closing and nothing else.
func (s *step) nextSegment(g segment) {
	old := copyRecord(s.Record)
	old.DisconnectTimestamp, old.DisconnectReason = s.now, contact.AgentDisconnect
	if s.Reason != "" {
		old.DisconnectReason = s.Reason
	}
	old.NextContactID = s.NextID
	s.Settling = append(s.Settling, old)
	initial := old.InitialContactID
	if initial == "" {
		initial = old.ID
	}
	s.Record = contact.Record{
		ID: s.NextID, InstanceID: old.InstanceID, InitialContactID: initial, PreviousContactID: old.ID, Node: old.Node,
		CallID: old.CallID, TrunkID: old.TrunkID, Channel: old.Channel, InitiationMethod: g.Method, FlowID: g.FlowID,
		CustomerEndpoint: old.CustomerEndpoint, SystemEndpoint: old.SystemEndpoint, InitiationTimestamp: s.now,
		ConnectedToSystemTimestamp: s.now, Attributes: copyRecord(old).Attributes, Attestation: old.Attestation,
		Name: old.Name, Description: old.Description, CustomerID: old.CustomerID, References: old.References, Tags: maps.Clone(old.Tags),
	}
	if g.System != nil {
		s.Record.SystemEndpoint = *g.System
	}
	s.NextID, s.Reason, s.OfferIDs = "", "", nil
	s.do(openSegment{Record: copyRecord(s.Record)})
}
