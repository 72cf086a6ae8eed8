package chat

import (
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// retryEnqueue is how long a contact waits that could not get its place in line back.
const retryEnqueue = 5 * time.Second

// systemName is what messages of flows are signed with, as in Amazon Connect.
const systemName = "SYSTEM_MESSAGE"

// run starts a flow in the place of the one that runs.
func (m *machine) run(kind FlowKind, id string) {
	m.s.Run = run{Gen: m.s.Run.Gen + 1, Kind: kind, ID: id, On: true}
	m.do(Action{Kind: DoRunFlow})
}

// stopFlow ends the flow that runs.
func (m *machine) stopFlow() {
	if m.s.Run.On {
		m.s.Run.On = false
		m.do(Action{Kind: DoStopFlow})
	}
}

// stale reports whether the event comes from a flow that does not run any more.
func (m *machine) stale() bool { return !m.s.Run.On || m.e.Gen != m.s.Run.Gen }

func errStale() error { return errs.New(errs.Denied, "the flow has ended") }

// say is a message of the flow. A whisper is for one role only.
func (m *machine) say() error {
	if m.stale() {
		return errStale()
	}
	if m.s.Channel != contact.Chat {
		return nil // nobody reads it (A1.8: no effect)
	}
	if m.s.Seq >= maxItems {
		return errs.New(errs.Limit, "a chat has at most %d messages", maxItems)
	}
	m.count(System)
	it := Item{
		Type: TypeMessage, Content: m.e.Content, ContentType: m.e.ContentType, ParticipantID: m.s.systemID(),
		ParticipantRole: System, DisplayName: systemName,
	}
	switch m.s.Run.Kind {
	case FlowAgentWhisper:
		it.Audience = Agent
	case FlowCustomerWhisper:
		it.Audience = Customer
	case FlowInbound, FlowCustomerQueue, FlowDisconnect, FlowPause, FlowResume:
	}
	m.put(it)
	return nil
}

// systemID is the participant id of the flow.
func (s *State) systemID() string { return "system-" + s.ID }

// queue is the flow's wish to wait for an agent.
func (m *machine) queue() error {
	if m.stale() {
		return errStale()
	}
	target := m.e.Queue
	if target.ID == "" {
		target = m.s.Target
	}
	if target.ID == "" {
		return errs.New(errs.InvalidRequest, "no queue is chosen")
	}
	if !m.s.Paused.IsZero() {
		return errs.New(errs.InvalidRequest, "the task is paused")
	}
	switch m.s.Phase {
	case Flowing:
	case Remaining:
		m.segment(contact.Disconnect, m.id())
	case Scheduled, Waiting, Enqueueing, Queued, Offered, Talking, Ended:
		return errs.New(errs.InvalidRequest, "the contact is queued already, or with an agent")
	}
	m.s.Target = target
	m.s.Record.Queue = &contact.QueueInfo{ID: target.ID, Name: target.Name, EnqueueTimestamp: m.e.At}
	m.touch()
	m.phase(Enqueueing)
	m.do(Action{Kind: DoEnqueue})
	return nil
}

// requeue moves a contact that waits to another queue, in which it has its place already.
func (m *machine) requeue() error {
	if m.stale() {
		return errStale()
	}
	if m.s.Phase != Queued {
		return errs.New(errs.InvalidRequest, "the contact is in no queue, or is being offered to an agent")
	}
	m.do(Action{Kind: DoLeave, ContactID: m.s.Record.ID})
	m.segment(contact.QueueTransfer, m.e.ContactID)
	m.s.Target = m.e.Queue
	m.s.Record.Queue = &contact.QueueInfo{ID: m.e.Queue.ID, Name: m.e.Queue.Name, EnqueueTimestamp: m.e.At}
	m.run(FlowCustomerQueue, m.s.Hooks[FlowCustomerQueue])
	m.do(Action{Kind: DoTell, Timeline: "QUEUED"})
	return nil
}

// segment closes the present record and begins a new one, linked with it.
func (m *machine) segment(method contact.InitiationMethod, id string) {
	old := &m.s.Record
	old.NextContactID, old.TransferCompletedTimestamp = id, m.e.At
	reason := contact.AgentDisconnect
	if method == contact.QueueTransfer {
		reason = contact.Other
	}
	m.closeSegment(reason, "the contact goes on as "+id)
	next := contact.Record{
		ID: id, InstanceID: old.InstanceID, InitialContactID: m.s.ID, PreviousContactID: old.ID, Node: old.Node, Channel: old.Channel,
		InitiationMethod: method, FlowID: old.FlowID, CustomerEndpoint: old.CustomerEndpoint, SystemEndpoint: old.SystemEndpoint,
		InitiationTimestamp: m.e.At, ConnectedToSystemTimestamp: m.e.At, LastUpdateTimestamp: m.e.At,
		Attributes: old.Attributes, Name: old.Name, Description: old.Description, CustomerID: old.CustomerID, References: old.References,
		Tags: old.Tags, RelatedContactID: old.RelatedContactID, Subtype: old.Subtype,
	}
	m.s.Waiting = nil
	m.s.Record = cloneRecord(next)
	m.fx.Create = &m.s.Record
}

// enqueued is the ACD's answer.
func (m *machine) enqueued() {
	if m.s.Phase != Enqueueing {
		return
	}
	if m.e.Err != nil { // the flow takes its error branch
		if !m.s.Run.On { // after a restart: nobody else can be asked what to do, so it is tried again
			m.s.RetryAt = m.e.At.Add(retryEnqueue)
			return
		}
		m.s.Record.Queue = nil
		m.touch()
		m.phase(Flowing)
		if m.s.Run.Kind == FlowDisconnect {
			m.phase(Remaining)
		}
		return
	}
	m.phase(Queued)
	m.s.RetryAt = time.Time{}
	m.run(FlowCustomerQueue, m.s.Hooks[FlowCustomerQueue])
	m.do(Action{Kind: DoTell, Timeline: "QUEUED"})
}

// flowEnded is the end of a flow by itself.
func (m *machine) flowEnded() {
	if m.stale() {
		return
	}
	m.s.Run.On = false
	kind, out := m.s.Run.Kind, m.e.Outcome
	switch {
	case out == FlowDisconnected && kind != FlowAgentWhisper && kind != FlowCustomerWhisper:
		reason := contact.ContactFlowDisconnect
		if kind == FlowDisconnect {
			reason = contact.AgentDisconnect
		}
		m.end(reason, "the flow disconnects")
		return
	case kind == FlowAgentWhisper:
		m.whisper(FlowCustomerWhisper)
		return
	}
	switch m.s.Phase {
	case Flowing:
		switch out {
		case FlowFailed:
			m.end(contact.Other, "the flow failed")
		default:
			m.end(contact.ContactFlowDisconnect, "the flow has come to its end")
		}
	case Remaining:
		m.end(contact.AgentDisconnect, "the agent has left, and the disconnect flow has come to its end")
	case Scheduled, Waiting, Enqueueing, Queued, Offered, Talking, Ended:
	}
}

// whisper runs a whisper if the contact has one: chats whisper only what their flow has chosen.
func (m *machine) whisper(kind FlowKind) {
	if id := m.s.Hooks[kind]; id != "" {
		m.run(kind, id)
		return
	}
	if kind == FlowAgentWhisper {
		m.whisper(FlowCustomerWhisper)
	}
}

// resumed puts a contact back to work after a restart; see the package comment.
func (m *machine) resumed() {
	m.s.Run.On = false
	switch m.s.Phase {
	case Flowing:
		m.run(FlowInbound, m.s.FlowID)
	case Remaining:
		m.run(FlowDisconnect, m.s.Hooks[FlowDisconnect])
	case Enqueueing, Queued, Offered:
		m.s.Offer, m.s.OfferUntil = nil, time.Time{}
		if !m.s.Paused.IsZero() {
			m.phase(Queued)
			break
		}
		m.phase(Enqueueing)
		m.do(Action{Kind: DoEnqueue})
	case Scheduled, Waiting, Talking, Ended:
	}
	m.tick()
}
