package call

import (
	"context"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Amend changes attributes and data of a live contact, whichever flow runs, all or nothing. It returns when the contact has it.
// errs.NotFound: no such contact is live; errs.Limit: too many attributes.
func (m *Manager) Amend(ctx context.Context, instanceID, contactID string, set map[string]string, d Data) error {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return err
	}
	if len(set) > 0 {
		if n := attributeBytes(merged(a.snapshot.Load().Record.Attributes, set)); n > contact.MaxAttributeBytes {
			return errs.New(errs.Limit, "attributes would take %d bytes; at most %d are kept", n, contact.MaxAttributeBytes)
		}
		if err = a.amend(ctx, attributesSet{Set: set}); err != nil {
			return err
		}
	}
	if d.Name == nil && d.Description == nil && d.CustomerID == nil && d.Language == nil && len(d.References) == 0 {
		return nil
	}
	return a.amend(ctx, dataSet{Data: d})
}

func attributeBytes(all map[string]string) int {
	n := 0
	for k, v := range all {
		n += len(k) + len(v)
	}
	return n
}

// amend posts a change and waits until it is made.
func (a *actor) amend(ctx context.Context, e Event) error {
	applied := make(chan struct{})
	over := errs.New(errs.NotFound, "the contact has ended")
	if !a.post(askChange{event: e, applied: applied}) {
		return over
	}
	select {
	case <-applied:
		return nil
	case <-a.done:
		return over
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Unavailable, "the call did not answer in time")
	}
}
