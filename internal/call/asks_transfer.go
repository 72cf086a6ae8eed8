package call

import (
	"context"

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

// Transfer hands the customer of a contact over on behalf of one of its agents, who is released as soon as it has begun.
func (m *Manager) Transfer(_ context.Context, _, _, _ string, _ Destination) error {
	return errs.New(errs.InvalidRequest, "not yet")
}

// Consult puts the customer on hold and lets the agent talk with a destination.
func (m *Manager) Consult(_ context.Context, _, _, _ string, _ Destination) error {
	return errs.New(errs.InvalidRequest, "not yet")
}

// Leave hangs up a user's own leg of a contact.
func (m *Manager) Leave(_ context.Context, _, _, _ string) error {
	return errs.New(errs.InvalidRequest, "not yet")
}

// Dial calls a number for an agent, whose device rings first.
func (m *Manager) Dial(_ context.Context, _, _ string, _ Dial) (contactID string, err error) {
	return "", errs.New(errs.InvalidRequest, "not yet")
}

// Decline refuses an offer that rings at a user's device.
func (m *Manager) Decline(_ context.Context, _, _, _ string) error {
	return errs.New(errs.InvalidRequest, "not yet")
}
