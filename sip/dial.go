package sip

import (
	"context"
	"errors"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// planWait is how long it may take to decide where a call goes: a place on a trunk, a name to be looked up.
const planWait = 10 * time.Second

// planner decides how a target is called; see planFor.
type planner func(ctx context.Context, t call.Target) (plan, error)

// Dial calls a target: the devices of a user together, or the gateways of a trunk one after the other.
func (ep *Endpoint) Dial(t call.Target, offer []byte, events func(call.LegEvent)) call.Leg {
	return ep.dialBy(ep.planFor, t, offer, events)
}

// dialBy is Dial with a decision of its own.
func (ep *Endpoint) dialBy(decide planner, t call.Target, offer []byte, events func(call.LegEvent)) *fork {
	ep.count.dialed.Add(1)
	f := &fork{ep: ep, callID: newTag(), target: t, offer: offer, events: events, visited: make(map[string]struct{})}
	f.log = ep.log.With("call_id", f.callID)
	if t.ContactID != "" {
		f.log = f.log.With("contact_id", t.ContactID)
	}
	ctx, cancel := context.WithTimeout(ep.ctx, planWait)
	f.stopPlanning = cancel
	planned := ep.spawn(func() {
		defer cancel()
		p, err := ep.decide(ctx, decide, t)
		f.post(func() { f.planned(p, err) }) //nolint:contextcheck // what the call does next is not the planning's
	})
	if !planned {
		cancel()
		f.post(func() { f.end(call.LegEvent{Cause: call.CauseLocal, Code: 503, Text: "endpoint is closed"}) })
	}
	return f
}

// decide turns a panic of the planner into an error of this call.
func (ep *Endpoint) decide(ctx context.Context, decide planner, t call.Target) (p plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			ep.panicked("plan", r)
			p, err = plan{}, errs.New(errs.Internal, "planning panicked")
		}
	}()
	if ep.full() {
		return plan{}, errs.New(errs.Unavailable, "all calls of this node are in use")
	}
	p, err = decide(ctx, t)
	if err == nil && len(p.hops) == 0 {
		err = errs.New(errs.NotFound, "nothing to call")
	}
	if err == nil && p.release == nil {
		p.release = func() {}
	}
	return p, err
}

// notPlanned is the end of a call that went nowhere. A missing device is 480, as a phone that is switched off would be.
func notPlanned(err error) call.LegEvent {
	e := call.LegEvent{Cause: call.CauseRejected, Text: err.Error()}
	switch errs.KindOf(err) {
	case errs.NotFound:
		e.Code = 480
	case errs.Denied, errs.Unauthenticated:
		e.Code = 403
	case errs.Limit, errs.Unavailable, errs.Throttled:
		e.Code = 503
	case errs.Invalid, errs.InvalidRequest:
		e.Code = 484
	default:
		e.Code = 500
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Code = 503
	}
	return e
}
