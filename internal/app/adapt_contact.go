package app

import (
	"context"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

// Update changes what else flows can change of a contact.
func (f flowContact) Update(_ context.Context, u ivr.Update) error {
	var r call.Routing
	for _, s := range u.Criteria {
		r.Steps = append(r.Steps, call.RoutingStep{Expression: s.Expression, Expiry: s.Expiry})
	}
	if _, err := criteriaOf(r.Steps); err != nil {
		return err
	}
	d := call.Data{Tag: u.Tag, Untag: u.Untag, CallbackNumber: u.CallbackNumber, Logging: u.Logging}
	data := len(d.Tag) > 0 || len(d.Untag) > 0 || d.CallbackNumber != "" || d.Logging != nil
	if u.Data != nil {
		data = true
		d.Name, d.Description, d.CustomerID, d.Language = u.Data.Name, u.Data.Description, u.Data.CustomerID, u.Data.Language
		for k, r := range u.Data.References {
			if d.References == nil {
				d.References = make(map[string]contact.Reference, len(u.Data.References))
			}
			d.References[k] = contact.Reference{Type: r.Type, Value: r.Value}
		}
	}
	if data {
		if err := left(f.c.SetData(d)); err != nil {
			return err
		}
	}
	if u.Priority == nil && u.AgeAdjustment == nil && len(r.Steps) == 0 {
		return nil
	}
	if u.Priority != nil {
		r.Priority = *u.Priority
	}
	if u.AgeAdjustment != nil {
		r.AgeAdjustment = *u.AgeAdjustment
	}
	return left(f.c.SetRouting(r))
}

// known fills in what a record knows beside its ends.
func known(info *ivr.Info, s *call.Snapshot) {
	r := s.Record
	info.Name, info.Description, info.CustomerID, info.Tags = r.Name, r.Description, r.CustomerID, r.Tags
	info.CallbackNumber, info.Logging = s.Callback, s.Logging
	if len(r.References) > 0 {
		info.References = make(map[string]ivr.Reference, len(r.References))
		for k, v := range r.References {
			info.References[k] = ivr.Reference{Type: v.Type, Value: v.Value}
		}
	}
}

// AgentQueue is the queue of one agent, by ARN, id or user name.
func (d *directory) AgentQueue(_ context.Context, instanceID, ref string) (ivr.QueueRef, error) {
	t, err := d.tenant(instanceID)
	if err != nil {
		return ivr.QueueRef{}, err
	}
	if id, ok := resource.IDInARN(instanceID, resource.KindUser, ref); ok {
		ref = id
	}
	u := t.users[ref]
	for _, other := range t.users {
		if u == nil && other.Name == ref {
			u = other
		}
	}
	if u == nil {
		return ivr.QueueRef{}, errs.New(errs.NotFound, "no agent %q", ref)
	}
	id := acd.AgentQueueID(u.ID)
	return ivr.QueueRef{ID: id, ARN: resource.ARN(instanceID, resource.KindQueue, id), Name: u.Name, AgentID: u.ID}, nil
}
