package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

var (
	_ ivr.ThirdPartyCaller = voice{}
	_ ivr.OutboundCaller   = voice{}
	_ ivr.Holder           = voice{}
	_ ivr.Requeuer         = voice{}
)

// CallThirdParty joins the customer with somebody outside.
func (v voice) CallThirdParty(ctx context.Context, t ivr.ThirdParty) error {
	err := v.c.CallThirdParty(ctx, call.Outcall{
		Number: t.Number, FromNumber: t.CallerNumber, FromName: t.CallerName, Limit: t.Limit, Digits: t.Digits, Resume: t.Resume,
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, call.ErrNoAnswer):
		return ivr.ErrCallTimeout
	case errors.Is(err, call.ErrLeft):
		return ivr.ErrLeft
	case errors.Is(err, call.ErrCallFailed), errs.Is(err, errs.Denied):
		return errors.Join(ivr.ErrCallFailed, err)
	}
	return err
}

// Requeue takes the contact from the queue it waits in to another.
func (v voice) Requeue(ctx context.Context, q ivr.QueueRef) error {
	if err := left(v.c.SetTarget(call.TargetQueue{ID: q.ID, Name: q.Name})); err != nil {
		return err
	}
	return left(v.c.Move(ctx))
}

// CompleteCall has nothing to do for a customer whom we have called: a flow speaks to them when they have answered.
func (v voice) CompleteCall(context.Context, string, time.Duration) error {
	called := []contact.InitiationMethod{contact.Outbound, contact.API, contact.Callback}
	if slices.Contains(called, v.c.Snapshot().Record.InitiationMethod) {
		return nil
	}
	return errs.New(errs.InvalidRequest, "the customer of this contact has called us: there is nobody to be called")
}

// SetHold puts the customer or the agent on hold, or takes both off.
func (v voice) SetHold(ctx context.Context, h ivr.HoldState) error {
	switch h {
	case ivr.AgentOnHold:
		return left(v.c.Hold(ctx, true, true))
	case ivr.CustomerOnHold:
		return left(v.c.Hold(ctx, false, true))
	case ivr.OffHold:
		return left(errors.Join(v.c.Hold(ctx, true, false), v.c.Hold(ctx, false, false)))
	}
	return errs.Field("State", "%q is not a hold state", string(h))
}
