package chat

import (
	"context"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// pause puts a task aside: it is offered to nobody until it is resumed. An agent who has it keeps it, and its time stands
// still. The flow that the task has for this runs.
func (m *machine) pause() error {
	switch {
	case m.s.Channel != contact.Task:
		return errs.New(errs.InvalidRequest, "only a task can be paused")
	case !m.s.Paused.IsZero():
		return errs.New(errs.InvalidRequest, "the task is paused already")
	case m.s.Phase == Scheduled || m.s.Phase == Enqueueing:
		return errs.New(errs.InvalidRequest, "the task has not begun, or is on its way into a queue")
	}
	m.s.Paused = m.e.At
	m.s.Record.LastPausedTimestamp = m.e.At
	m.touch()
	switch m.s.Phase {
	case Offered:
		m.do(Action{Kind: DoResult, OfferID: m.s.Offer.ID, Result: OfferCallerLeft})
		m.s.Offer, m.s.OfferUntil = nil, time.Time{}
		m.phase(Queued)
		fallthrough
	case Queued:
		m.do(Action{Kind: DoLeave, ContactID: m.s.Record.ID})
	case Scheduled, Waiting, Flowing, Enqueueing, Talking, Remaining, Ended:
	}
	m.aside(FlowPause)
	m.do(Action{Kind: DoTell, Timeline: "PAUSED"})
	return nil
}

// resume takes a task up again: one that waited is in line where it was.
func (m *machine) resume() error {
	if m.s.Paused.IsZero() {
		return errs.New(errs.InvalidRequest, "the contact is not paused")
	}
	m.s.Paused = time.Time{}
	m.s.Record.LastResumedTimestamp = m.e.At
	m.touch()
	m.do(Action{Kind: DoTell, Timeline: "RESUMED"})
	if m.s.Phase == Queued {
		m.stopFlow()
		m.phase(Enqueueing)
		m.do(Action{Kind: DoEnqueue})
		return nil
	}
	m.aside(FlowResume)
	return nil
}

// aside runs the flow that a contact has for a moment, where no flow decides what becomes of it.
func (m *machine) aside(kind FlowKind) {
	if id := m.s.Hooks[kind]; id != "" && (m.s.Phase == Queued || m.s.Phase == Talking) {
		m.run(kind, id)
	}
}

// Pause puts a task aside.
func (m *Manager) Pause(ctx context.Context, instanceID, contactID string) error {
	return m.change(ctx, instanceID, contactID, Event{Kind: EvPause})
}

// Continue takes a paused task up again.
func (m *Manager) Continue(ctx context.Context, instanceID, contactID string) error {
	return m.change(ctx, instanceID, contactID, Event{Kind: EvResume})
}

// Change changes a live contact, whichever flow runs. errs.NotFound: it is not live.
func (m *Manager) Change(ctx context.Context, instanceID, contactID string, change func(*State) error) error {
	return m.change(ctx, instanceID, contactID, Event{Kind: EvUpdate, Update: change})
}

func (m *Manager) change(ctx context.Context, instanceID, contactID string, e Event) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, e)
	return err
}

// Resume is Continue by a flow of the contact. The flow may be ended by it.
func (c *Control) Resume(ctx context.Context) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	_, err := c.a.ask(ctx, Event{Kind: EvResume})
	return err
}
