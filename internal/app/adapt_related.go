package app

import (
	"context"
	"maps"

	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

var (
	_ ivr.Related = flowContact{}
	_ ivr.Related = chatContact{}
)

// relations change the contact that another one is related to, whether it is live or over.
type relations struct{ a *App }

// amend adds attributes and data. errs.NotFound: there is no such contact.
func (r relations) amend(ctx context.Context, instanceID, contactID string, set map[string]string, d ivr.ContactData) error {
	if contactID == "" {
		return errs.New(errs.NotFound, "the contact is related to no other")
	}
	err := r.a.chats.Change(ctx, instanceID, contactID, func(s *chat.State) error { return amended(&s.Record, &s.Language, set, d) })
	if !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Denied) { // denied: it has ended a moment ago
		return err
	}
	refs := make(map[string]contact.Reference, len(d.References))
	for k, v := range d.References {
		refs[k] = contact.Reference{Type: v.Type, Value: v.Value}
	}
	err = r.a.calls.Amend(ctx, instanceID, contactID, set, call.Data{
		Name: d.Name, Description: d.Description, CustomerID: d.CustomerID, Language: d.Language, References: refs,
	})
	if !errs.Is(err, errs.NotFound) {
		return err
	}
	return r.a.db.EditEnded(ctx, instanceID, contactID, func(rec *contact.Record) error {
		language := "" // of a contact that is over nobody speaks any more
		return amended(rec, &language, set, d)
	})
}

// amended changes a record, all or nothing.
func amended(r *contact.Record, language *string, set map[string]string, d ivr.ContactData) error {
	attributes, err := withAttributes(r.Attributes, set)
	if err != nil {
		return err
	}
	r.Attributes = attributes
	setData(r, language, &d)
	return nil
}

// withAttributes is old with set; errs.Limit when that is too much.
func withAttributes(old, set map[string]string) (map[string]string, error) {
	all := maps.Clone(old)
	if all == nil {
		all = make(map[string]string, len(set))
	}
	maps.Copy(all, set)
	n := 0
	for k, v := range all {
		n += len(k) + len(v)
	}
	if n > contact.MaxAttributeBytes {
		return nil, errs.New(errs.Limit, "a contact has at most %d bytes of attributes", contact.MaxAttributeBytes)
	}
	return all, nil
}

// SetRelatedAttributes adds attributes to the contact that this one is related to.
func (f flowContact) SetRelatedAttributes(ctx context.Context, set map[string]string) error {
	r := f.c.Snapshot().Record
	return f.related.amend(ctx, r.InstanceID, r.RelatedContactID, set, ivr.ContactData{})
}

// UpdateRelated changes what describes it.
func (f flowContact) UpdateRelated(ctx context.Context, d ivr.ContactData) error {
	r := f.c.Snapshot().Record
	return f.related.amend(ctx, r.InstanceID, r.RelatedContactID, nil, d)
}

// SetRelatedAttributes adds attributes to the contact that this one is related to.
func (f chatContact) SetRelatedAttributes(ctx context.Context, set map[string]string) error {
	s := f.c.Snapshot()
	return f.related.amend(ctx, s.InstanceID, s.Related, set, ivr.ContactData{})
}

// UpdateRelated changes what describes it.
func (f chatContact) UpdateRelated(ctx context.Context, d ivr.ContactData) error {
	s := f.c.Snapshot()
	return f.related.amend(ctx, s.InstanceID, s.Related, nil, d)
}
