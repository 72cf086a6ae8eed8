package app

import (
	"context"

	"ullim/internal/errs"
	"ullim/ivr"
)

// Update changes what else flows can change of a contact.
func (f flowContact) Update(context.Context, ivr.Update) error { return ivr.ErrNotSupported }

// AgentQueue is the queue of one agent.
func (d *directory) AgentQueue(_ context.Context, _, ref string) (ivr.QueueRef, error) {
	return ivr.QueueRef{}, errs.New(errs.NotFound, "agent %q has no queue of their own", ref)
}
