package call

import (
	"context"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Edit changes what is known about a live contact. When it returns the flow that runs sees it. errs.NotFound: the contact
// is not live here, or another instance's; errs.Invalid.
func (m *Manager) Edit(ctx context.Context, instanceID, contactID string, e contact.Edit) error {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return err
	}
	r := *a.snapshot.Load().Record
	if err = e.Apply(&r); err != nil { // on a copy: is it allowed?
		return err
	}
	events := []Event{dataSet{Data: Data{Name: e.Name, Description: e.Description, References: e.References, Tag: e.Tag, Untag: e.Untag}}}
	if len(e.Attributes) > 0 {
		events = append(events, attributesSet{Set: e.Attributes})
	}
	for _, event := range events {
		applied := make(chan struct{})
		if !a.post(askChange{event: event, applied: applied}) {
			return errs.New(errs.NotFound, "no contact %s is in progress", contactID)
		}
		select {
		case <-applied:
		case <-a.done:
			return errs.New(errs.NotFound, "no contact %s is in progress", contactID)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Record is the record of a live contact as it is this moment, which the database has a little later.
func (m *Manager) Record(instanceID, contactID string) (contact.Record, bool) {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return contact.Record{}, false
	}
	return *a.snapshot.Load().Record, true
}
