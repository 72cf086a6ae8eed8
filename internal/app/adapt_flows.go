package app

import (
	"context"
	"log/slog"
	"sync/atomic"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/ivr"
)

// flows runs contact flows against calls: call.Flows on an ivr.Engine.
type flows struct {
	engine *ivr.Engine
	source ivr.Flows
	dir    *directory
	log    *slog.Logger
	out    *outside
	// related is for flows that change the contact to which theirs is related.
	related relations
}

var _ call.Flows = (*flows)(nil)

// Run interprets the flow that the call names, or the instance's default of that kind, until it ends.
func (f *flows) Run(ctx context.Context, r call.FlowRun) call.FlowOutcome {
	instance := r.Control.Snapshot().Record.InstanceID
	flow, err := f.find(ctx, instance, r)
	if ctx.Err() != nil {
		return call.FlowLeft
	}
	if err != nil {
		level := slog.LevelError
		if errs.Is(err, errs.NotFound) && r.FlowID == "" { // no default of this kind: nothing is heard
			level = slog.LevelDebug
		}
		if errs.Is(err, errs.NotFound) && r.FlowID == "" && transfers(r.Kind) {
			return call.FlowNone
		}
		f.log.Log(ctx, level, "no flow to run", "contact_id", r.Control.Snapshot().Record.ID, "flow_id", r.FlowID, "error", err)
		return call.FlowFailed
	}
	v := voice{c: r.Control, out: f.out, busy: &atomic.Bool{}}
	memory, _ := r.Control.Keep(func() any { return ivr.NewMemory() }).(*ivr.Memory)
	out, err := f.engine.Run(withVoice(ctx, v), ivr.Run{
		Flow: flow, Participant: v, Contact: flowContact{c: r.Control, dir: f.dir, out: f.out, related: f.related}, Memory: memory,
	})
	if err != nil {
		f.log.Warn("flow failed", "contact_id", r.Control.Snapshot().Record.ID, "flow", flow.Name, "error", err)
	}
	switch out {
	case ivr.Disconnected:
		return call.FlowDisconnected
	case ivr.Queued:
		return call.FlowQueued
	case ivr.Left:
		return call.FlowLeft
	case ivr.Failed:
		return call.FlowFailed
	case ivr.Transferred:
		return call.FlowTransferred
	case ivr.Ended:
	}
	return call.FlowEnded
}

// transfers reports whether a flow decides what becomes of a transfer; one that is not there lets it be made at once.
func transfers(k call.FlowKind) bool {
	return k == call.FlowAgentTransfer || k == call.FlowQueueTransfer
}

func (f *flows) find(ctx context.Context, instanceID string, r call.FlowRun) (*ivr.Flow, error) {
	if r.FlowID != "" {
		return f.source.Published(ctx, instanceID, r.FlowID)
	}
	switch r.Kind {
	case call.FlowCustomerQueue:
		return f.source.Default(ctx, instanceID, ivr.TypeCustomerQueue)
	case call.FlowAgentWhisper:
		return f.source.Default(ctx, instanceID, ivr.TypeAgentWhisper)
	case call.FlowCustomerWhisper:
		return f.source.Default(ctx, instanceID, ivr.TypeCustomerWhisper)
	case call.FlowCustomerHold:
		return f.source.Default(ctx, instanceID, ivr.TypeCustomerHold)
	case call.FlowAgentHold:
		return f.source.Default(ctx, instanceID, ivr.TypeAgentHold)
	case call.FlowAgentTransfer:
		return f.source.Default(ctx, instanceID, ivr.TypeAgentTransfer)
	case call.FlowQueueTransfer:
		return f.source.Default(ctx, instanceID, ivr.TypeQueueTransfer)
	case call.FlowInbound, call.FlowDisconnect, call.FlowOutboundWhisper:
	}
	return nil, errs.New(errs.NotFound, "no flow is set")
}
