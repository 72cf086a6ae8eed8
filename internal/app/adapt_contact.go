package app

import (
	"context"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

// Update changes what else flows can change of a contact.
func (f flowContact) Update(ctx context.Context, u ivr.Update) error {
	if len(u.Criteria) > 0 { // the queue knows no skills yet: the flow is told, and takes its error branch
		return ivr.ErrNotSupported
	}
	if u.HoldCustomer != nil {
		if err := left(f.c.Hold(ctx, false, *u.HoldCustomer)); err != nil {
			return err
		}
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
	if u.Priority == nil && u.AgeAdjustment == nil {
		return nil
	}
	var r call.Routing
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
	r := &s.Record
	info.Name, info.Description, info.CustomerID, info.Tags = r.Name, r.Description, r.CustomerID, r.Tags
	info.CallbackNumber, info.Logging = s.Callback, s.Logging
	if len(r.References) > 0 {
		info.References = make(map[string]ivr.Reference, len(r.References))
		for k, v := range r.References {
			info.References[k] = ivr.Reference{Type: v.Type, Value: v.Value}
		}
	}
}

// AgentQueue is the queue of one agent.
func (d *directory) AgentQueue(_ context.Context, _, ref string) (ivr.QueueRef, error) {
	return ivr.QueueRef{}, errs.New(errs.NotFound, "agent %q has no queue of their own", ref)
}
