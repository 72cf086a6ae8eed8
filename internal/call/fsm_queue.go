package call

import (
	"maps"
	"slices"
	"time"

	"ullim/internal/contact"
)

func (s *step) enqueueAsked(e enqueueAsked) {
	if s.isTransferFlow(e.Gen) {
		if e.Move {
			s.do(replyFlow{For: ofAgent, Err: errBusy("the contact is being transferred")})
			return
		}
		s.transferToQueue(e.NewID)
		return
	}
	if e.Move {
		s.moveAsked(e)
		return
	}
	switch {
	case e.Gen != s.Flow[ofCustomer] || e.Gen == 0, s.Phase != PhaseFlow && s.Phase != PhaseRemaining:
		s.refuseFlow(e.Gen, errBusy("the contact is in a queue or with an agent already"))
	case s.Target.ID == "":
		s.refuseFlow(e.Gen, errBusy("no working queue is set"))
	case s.Phase == PhaseRemaining:
		s.NextID = e.NewID
		s.nextSegment(segment{Method: contact.Disconnect, FlowID: s.Hooks[FlowDisconnect]})
		s.takeQueue(s.now, false)
	default:
		s.takeQueue(s.now, false)
	}
}

// refuseFlow answers a flow that asked for what cannot be.
func (s *step) refuseFlow(gen int, err error) {
	who := max(slices.Index(s.Flow[:], gen), ofCustomer)
	s.do(replyFlow{For: who, Err: err})
}

// takeQueue asks for a place in line; owed: whatever the queue's capacity. What a segment reports as its wait does not
// begin before the segment, however old the place is.
func (s *step) takeQueue(since time.Time, owed bool) {
	s.Phase, s.Requeued, s.Place = PhaseEnqueueing, false, since
	entered := since
	if entered.Before(s.Record.InitiationTimestamp) {
		entered = s.Record.InitiationTimestamp
	}
	s.edit().Queue = &contact.QueueInfo{ID: s.Target.ID, Name: s.Target.Name, EnqueueTimestamp: entered}
	s.do(takeQueue{Enqueue: Enqueue{
		InstanceID: s.Record.InstanceID, ContactID: s.Record.ID, QueueID: s.Target.ID, Channel: contact.Voice, Since: since,
		Routing: s.Rank, Owed: owed, Number: s.callerNumber(),
	}})
}

// callerNumber is the number of a customer who has called.
func (s *State) callerNumber() string {
	r := s.Record
	if r.InitiationMethod == contact.Callback || r.InitiationMethod == contact.Outbound || r.CustomerEndpoint.Type != contact.TelephoneNumber {
		return ""
	}
	return r.CustomerEndpoint.Address
}

func (s *step) enqueueDone(e enqueueDone) {
	err := e.Err
	switch {
	case s.Aside.Stage == asideAsking && e.ContactID == s.Aside.ID:
		s.asideEnqueued(err)
	case e.ContactID != "" && e.ContactID != s.Record.ID: // nobody waits for it any more
		if err == nil && e.ContactID != s.Aside.ID {
			s.do(leaveQueue{ContactID: e.ContactID})
		}
	case s.Phase == PhaseEnqueueing && err != nil && s.Moving.ID != "":
		s.moveRefused(err)
	case s.Phase == PhaseEnqueueing && err != nil && s.Requeued:
		s.edit().Queue = nil
		s.end(contact.Other, "the queue does not take the contact back: "+err.Error())
	case s.Phase == PhaseEnqueueing && err != nil:
		s.Phase = PhaseFlow
		s.edit().Queue = nil
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
	Since  time.Time         // when what led to it began; zero: now
}

// nextSegment ends the record of this segment and begins the next. What belongs to the old one and is not complete yet,
// its recording and the qualities of its legs, delays its closing and nothing else.
func (s *step) nextSegment(g segment) {
	next := s.segmentAfter(g, s.NextID)
	s.settle(s.NextID)
	s.Record = next
	s.NextID = ""
	s.do(openSegment{Record: s.given()})
}

// settle ends the record of this segment; next is the id of the one that follows.
func (s *step) settle(next string) {
	s.endHold()
	s.endSupervision()
	old := copyRecord(s.Record)
	old.DisconnectTimestamp, old.DisconnectReason = s.now, contact.AgentDisconnect
	if s.Reason != "" {
		old.DisconnectReason = s.Reason
	}
	old.NextContactID = next
	endStreams(old, s.now)
	s.Settling = append(s.Settling, old)
	s.Reason, s.OfferIDs = "", nil
}

// segmentAfter is the record of a segment that follows this one.
func (s *step) segmentAfter(g segment, id string) *contact.Record {
	old := copyRecord(s.Record)
	initial := old.InitialContactID
	if initial == "" {
		initial = old.ID
	}
	going := endStreams(old, s.now)
	r := &contact.Record{
		ID: id, InstanceID: old.InstanceID, InitialContactID: initial, PreviousContactID: old.ID, Node: old.Node,
		CallID: old.CallID, TrunkID: old.TrunkID, Channel: old.Channel, InitiationMethod: g.Method, FlowID: g.FlowID,
		CustomerEndpoint: old.CustomerEndpoint, SystemEndpoint: old.SystemEndpoint, InitiationTimestamp: s.now,
		ConnectedToSystemTimestamp: s.now, Attributes: old.Attributes, Attestation: old.Attestation,
		Name: old.Name, Description: old.Description, CustomerID: old.CustomerID, References: old.References, Tags: maps.Clone(old.Tags),
		RelatedContactID: old.RelatedContactID, Streams: going,
	}
	if g.System != nil {
		r.SystemEndpoint = *g.System
	}
	if !g.Since.IsZero() {
		r.InitiationTimestamp = g.Since
	}
	return r
}
