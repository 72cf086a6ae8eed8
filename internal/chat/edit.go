package chat

import (
	"context"

	"ullim/internal/contact"
)

// Edit changes what is known about a chat or task in progress. When it returns it is stored, and the flow that runs sees
// it. errs.NotFound: it is not in progress here, or another instance's; errs.Invalid.
func (m *Manager) Edit(ctx context.Context, instanceID, contactID string, e contact.Edit) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, Event{Kind: EvUpdate, Update: func(s *State) error { return e.Apply(&s.Record) }})
	return err
}
