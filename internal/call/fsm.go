package call

import (
	"fmt"
	"maps"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Step decides what an event means for a call: the new state and what is to be done, in order. It is pure: same
// arguments, same results, nothing touched.
func Step(s State, e Event, now time.Time) (State, []Effect) {
	st := &step{State: s, now: now}
	st.Record = copyRecord(s.Record)
	st.Hooks = maps.Clone(s.Hooks)
	switch e := e.(type) {
	case customerLeg:
		st.customerLeg(e.LegEvent)
	case agentLeg:
		if e.Gen == s.AgentGen && e.Gen != 0 {
			st.agentLeg(e.LegEvent)
		}
	case flowDone:
		st.flowDone(e)
	case enqueueAsked:
		st.enqueueAsked(e)
	case enqueueDone:
		st.enqueueDone(e.Err)
	case offered:
		st.offered(e.Offer)
	case timerFired:
		st.timer(e)
	case mediaDead:
		st.mediaDead(e)
	case recordingDone:
		st.recordingDone(e)
	case attributesSet, targetSet, hookSet, recordingSet, voiceSet:
		st.changed(e)
	case qualityKnown:
		st.qualityKnown(e)
	case stopAsked:
		st.end(e.Reason, e.Detail)
	case stored:
		if s.Phase == PhaseEnding {
			st.Phase = PhaseEnded
		}
	}
	st.complete()
	return st.State, st.effects
}

// step is a State being changed.
type step struct {
	State
	now     time.Time
	effects []Effect
}

func (s *step) do(es ...Effect) { s.effects = append(s.effects, es...) }

func (s *step) tell(kind, format string, args ...any) {
	s.do(tell{Kind: kind, Detail: fmt.Sprintf(format, args...)})
}

func (s *step) save() { s.do(save{Record: copyRecord(s.Record)}) }

// run starts a flow for somebody in the place of what runs there.
func (s *step) run(who int, kind FlowKind, flowID string) {
	s.Gen++
	s.Flow[who] = s.Gen
	s.do(startFlow{For: who, Gen: s.Gen, Kind: kind, FlowID: flowID})
}

func (s *step) stopFlow(who int) {
	if s.Flow[who] != 0 {
		s.Flow[who] = 0
		s.do(stopFlow{For: who})
	}
}

func (s *step) customerLeg(e LegEvent) {
	switch e.Kind {
	case LegAnswered:
		if e.SDP != nil {
			s.do(negotiate{SDP: e.SDP})
		}
		if s.Phase == PhaseNew {
			s.Phase = PhaseFlow
			s.Record.ConnectedToSystemTimestamp = s.now
			s.tell("CONNECTED_TO_SYSTEM", "answered")
			s.run(ofCustomer, FlowInbound, s.Record.FlowID)
			s.save()
		}
	case LegOffer:
		s.do(negotiate{SDP: e.SDP, Offer: true})
	case LegEnded:
		reason := contact.CustomerDisconnect
		detail := "customer hung up"
		switch e.Cause {
		case CauseCancelled:
			detail = "customer gave up before the answer"
		case CauseTimeout, CauseTransport, CauseProtocol, CauseRejected:
			reason, detail = contact.TelecomProblem, e.Text
		case CauseBye, CauseLocal:
		}
		s.end(reason, detail)
	case LegProgress, LegDigit: // digits reach the flow beside the actor
	}
}

func (s *step) flowDone(e flowDone) {
	who := ofCustomer
	if e.Kind == FlowAgentWhisper {
		who = ofAgent
	}
	if s.Flow[who] != e.Gen {
		return // of a flow that was ended
	}
	s.Flow[who] = 0
	if e.Outcome == FlowDisconnected && who == ofCustomer {
		s.end(contact.ContactFlowDisconnect, "the contact flow ended the contact")
		return
	}
	switch e.Kind {
	case FlowInbound, FlowDisconnect:
		// FlowQueued: the queue has the contact, or its answer is on the way.
		if e.Outcome != FlowQueued && (s.Phase == PhaseFlow || s.Phase == PhaseRemaining) {
			detail := "the contact flow came to its end"
			if e.Outcome == FlowFailed {
				detail = "the contact flow failed"
			}
			s.end(contact.ContactFlowDisconnect, detail)
		}
	case FlowCustomerQueue: // the contact simply stays in line
	case FlowAgentWhisper:
		if s.Phase == PhaseAgentWhisper {
			s.whisperCustomer()
		}
	case FlowCustomerWhisper:
		if s.Phase == PhaseCustomerWhisper {
			s.join()
		}
	}
}

func (s *step) enqueueAsked(e enqueueAsked) {
	switch {
	case e.Gen != s.Flow[ofCustomer] || e.Gen == 0, s.Phase != PhaseFlow && s.Phase != PhaseRemaining:
		s.do(replyQueue{Err: errs.New(errs.InvalidRequest, "the contact is in a queue or with an agent already")})
	case s.Target.ID == "":
		s.do(replyQueue{Err: errs.New(errs.InvalidRequest, "no working queue is set")})
	case s.Phase == PhaseRemaining:
		s.Enqueue = e.NewID
		s.nextSegment()
	default:
		s.takeQueue()
	}
}

func (s *step) takeQueue() {
	s.Phase = PhaseEnqueueing
	s.Record.Queue = &contact.QueueInfo{ID: s.Target.ID, Name: s.Target.Name, EnqueueTimestamp: s.now}
	s.do(takeQueue{Enqueue: Enqueue{
		InstanceID: s.Record.InstanceID, ContactID: s.Record.ID, QueueID: s.Target.ID, Channel: contact.Voice, Since: s.now,
	}})
}

// nextSegment begins the segment that a disconnect flow asked for, once the recording of this one is complete.
func (s *step) nextSegment() {
	if s.Enqueue == "" || s.Recording {
		return
	}
	old := copyRecord(s.Record)
	old.DisconnectTimestamp, old.DisconnectReason = s.now, contact.AgentDisconnect
	old.NextContactID = s.Enqueue
	s.do(closeSegment{Record: old})
	initial := old.InitialContactID
	if initial == "" {
		initial = old.ID
	}
	s.Record = contact.Record{
		ID: s.Enqueue, InstanceID: old.InstanceID, InitialContactID: initial, PreviousContactID: old.ID, Node: old.Node,
		CallID: old.CallID, TrunkID: old.TrunkID, Channel: old.Channel, InitiationMethod: contact.Disconnect,
		FlowID: s.Hooks[FlowDisconnect], CustomerEndpoint: old.CustomerEndpoint, SystemEndpoint: old.SystemEndpoint,
		InitiationTimestamp: s.now, ConnectedToSystemTimestamp: s.now, Attributes: old.Attributes,
	}
	s.Enqueue, s.Reason = "", ""
	s.do(openSegment{Record: copyRecord(s.Record)})
	s.takeQueue()
}

func (s *step) enqueueDone(err error) {
	switch {
	case s.Phase == PhaseEnqueueing && err != nil:
		s.Phase = PhaseFlow
		s.Record.Queue = nil
		s.do(replyQueue{Err: err})
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
	s.do(replyQueue{})
	s.run(ofCustomer, FlowCustomerQueue, s.Hooks[FlowCustomerQueue])
	s.save()
}

func (s *step) changed(e Event) {
	switch e := e.(type) {
	case attributesSet:
		if s.Record.Attributes == nil {
			s.Record.Attributes = make(map[string]string, len(e.Set))
		}
		maps.Copy(s.Record.Attributes, e.Set)
		s.save()
	case targetSet:
		s.Target = e.Target
	case hookSet:
		if s.Hooks == nil {
			s.Hooks = make(map[FlowKind]string)
		}
		s.Hooks[e.Kind] = e.FlowID
	case recordingSet:
		s.ToRecord = e.On
	case voiceSet:
		s.Voice = e.Voice
	}
}

func (s *step) recordingDone(e recordingDone) {
	s.Recording = false
	if n := len(s.Record.Recordings); n > 0 {
		r := &s.Record.Recordings[n-1]
		r.Stop, r.Spool, r.Bytes, r.SHA256 = e.Recording.Stop, e.Recording.Spool, e.Recording.Bytes, e.Recording.SHA256
		if e.Err != nil {
			r.Status, r.Reason = contact.RecordingFailed, e.Err.Error()
			s.tell("recording", "failed: %v", e.Err)
		}
	}
	s.nextSegment()
}

func (s *step) qualityKnown(e qualityKnown) {
	q := e.Quality
	if e.Agent {
		s.AgentMedia = false
		if s.Record.Agent != nil {
			s.Record.AgentQuality = &q
		}
		return
	}
	s.CustomerMedia = false
	s.Record.CustomerQuality = &q
}

// end releases everything, whatever the phase; complete closes the record when all of it is done.
func (s *step) end(reason contact.DisconnectReason, detail string) {
	if s.Phase >= PhaseEnding {
		return
	}
	if s.Phase == PhaseEnqueueing || s.Enqueue != "" {
		s.Enqueue = ""
		s.do(replyQueue{Err: ErrLeft})
	}
	if s.Phase == PhaseQueued {
		s.Record.Queue.DequeueTimestamp = s.now
		s.do(leaveQueue{ContactID: s.Record.ID})
	}
	s.stopFlow(ofCustomer)
	s.releaseAgent()
	s.Phase = PhaseEnding
	if s.Reason != "" {
		reason = s.Reason
	}
	s.Record.DisconnectReason, s.Record.DisconnectDetail = reason, detail
	s.Record.DisconnectTimestamp = s.now
	s.do(hangupCustomer{Cause: "contact ended"})
	if s.CustomerMedia {
		s.do(closeMedia{})
	}
	s.tell("DISCONNECTED", "%s: %s", reason, detail)
}

// complete writes the final record when nothing is outstanding.
func (s *step) complete() {
	if s.Phase != PhaseEnding || s.Closing || s.Recording || s.CustomerMedia || s.AgentMedia {
		return
	}
	s.Closing = true
	s.do(closeSegment{Record: copyRecord(s.Record), Last: true})
}
