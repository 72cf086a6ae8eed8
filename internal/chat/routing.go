package chat

import "context"

// Route changes how a live contact is served, also when it waits already. errs.NotFound: it is not live.
func (m *Manager) Route(ctx context.Context, instanceID, contactID string, change func(*Routing)) error {
	a, err := m.contact(instanceID, contactID)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, Event{Kind: EvUpdate, Update: func(s *State) error {
		change(&s.Routing)
		return nil
	}})
	return err
}
