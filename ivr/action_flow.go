package ivr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// disconnect ends the contact (Disconnect).
type disconnect struct{}

func (disconnect) read(*params) {}
func (disconnect) rules() rules { return rules{last: true} }

func (disconnect) run(ctx context.Context, s *session) step {
	s.participant.Hangup(ctx)
	return ended(Disconnected)
}

// endFlow ends the flow and leaves the contact where it is (End flow / Resume).
type endFlow struct{}

func (endFlow) read(*params) {}

// rules: the page says whisper and queue flows; a hold flow that ends simply leaves silence, so it may too.
func (endFlow) rules() rules {
	return rules{flows: append(append(whispers(), holds()...), TypeCustomerQueue), last: true}
}

func (endFlow) run(context.Context, *session) step { return ended(Ended) }

// transferToFlow goes on with another flow of the same type, from its start (Transfer to flow).
type transferToFlow struct{ flow value }

func (a *transferToFlow) read(p *params) {
	a.flow = p.whole("ContactFlowId")
	p.need("ContactFlowId")
}

func (a *transferToFlow) rules() rules {
	return rules{flows: inboundAndTransfer(), errors: []string{errNoMatch}}
}

func (a *transferToFlow) run(ctx context.Context, s *session) step {
	ref := s.text(a.flow)
	if ref == "" {
		return failedBy(errors.New("ivr: the attribute with the flow is empty"))
	}
	f, err := s.engine.Flows.Published(ctx, s.info().InstanceID, ref)
	if err != nil {
		return s.failure(ctx, err)
	}
	if f.Type != s.kind {
		return failedBy(errs.New(errs.InvalidRequest, "flow %q is of type %s, not %s", f.Name, f.Type, s.kind))
	}
	doc, err := s.engine.document(f)
	if err != nil {
		return s.failure(ctx, err)
	}
	s.enter(f, doc)
	return done()
}

// flowAttributes sets values that end with this flow (Set contact attributes, flow scope).
type flowAttributes struct{ set map[string]value }

// read takes both forms: {"plan": {"Value": "gold"}} as exports have it, and {"plan": "gold"}.
func (a *flowAttributes) read(p *params) {
	p.need("FlowAttributes")
	group := p.group("FlowAttributes")
	a.set = make(map[string]value, len(group.m))
	for _, key := range group.keys() {
		if badKey(key) {
			group.problem(key, "must have 1 to %d characters and no $ or . in it", maxPathKey)
		}
		if _, nested := group.m[key].(map[string]any); nested {
			a.set[key] = group.group(key).free("Value")
			continue
		}
		a.set[key] = group.free(key)
	}
}

func (a *flowAttributes) rules() rules { return rules{next: true} }

func (a *flowAttributes) run(_ context.Context, s *session) step {
	set, total := make(map[string]string, len(a.set)), 0
	for key, v := range a.set {
		set[key] = s.text(v)
	}
	for key, v := range s.attributes {
		if _, replaced := set[key]; !replaced {
			set[key] = v
		}
	}
	for key, v := range set {
		total += len(key) + len(v)
	}
	if total > maxFlowAttributes {
		return failedBy(errs.New(errs.Limit, "flow attributes would have %d bytes, at most %d are possible", total,
			maxFlowAttributes))
	}
	s.attributes = set
	return done()
}

// maxFlowAttributes is the room for flow attributes, like that of contact attributes.
const maxFlowAttributes = 32 << 10

// badKey tells whether an attribute key could not be named by a data path (A1.9).
func badKey(key string) bool {
	return key == "" || len(key) > maxPathKey || strings.ContainsAny(key, "$.'\"")
}

// flowLogging turns the log of each action on or off (Set logging behavior).
type flowLogging struct{ on bool }

func (a *flowLogging) read(p *params) {
	p.need("FlowLoggingBehavior")
	a.on = p.oneOf("FlowLoggingBehavior", "Enabled", "Disabled") == "Enabled"
}

func (a *flowLogging) rules() rules { return rules{next: true} }

// run: it holds for the rest of the contact, also for later segments.
func (a *flowLogging) run(ctx context.Context, s *session) step {
	on := a.on
	s.memory.log(on)
	if err := s.contact.Update(ctx, Update{Logging: &on}); err != nil && !errors.Is(err, ErrNotSupported) {
		return s.lenient(ctx, err)
	}
	return done()
}

// eventHooks chooses the flow for a place in the contact's life (Set customer queue, hold, whisper, disconnect flow).
type eventHooks struct{ hooks map[Hook]value }

func (a *eventHooks) read(p *params) {
	p.need("EventHooks")
	group := p.group("EventHooks")
	a.hooks = make(map[Hook]value, len(group.m))
	for _, key := range group.keys() {
		if _, ok := hookType(Hook(key)); !ok {
			group.problem(key, "is not a place that a flow can be set for")
		}
		a.hooks[Hook(key)] = group.whole(key)
	}
	if p.has("EventHooks") && len(group.m) != 1 {
		p.problem("EventHooks", "must have exactly one entry, it has %d", len(group.m))
	}
}

func (a *eventHooks) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *eventHooks) run(ctx context.Context, s *session) step {
	for hook, v := range a.hooks {
		want, ok := hookType(hook)
		if !ok {
			return failedBy(fmt.Errorf("ivr: flows for %s: %w", hook, ErrNotSupported))
		}
		if want == TypeCustomerHold || want == TypeAgentHold { // A1.8: nobody is put on hold elsewhere
			if err := s.only(contact.Voice); err != nil {
				return failedBy(err)
			}
		}
		id, ref := "", s.text(v)
		if ref != "" {
			f, err := s.engine.Flows.Published(ctx, s.info().InstanceID, ref)
			if err != nil {
				return s.failure(ctx, err)
			}
			if f.Type != want {
				return failedBy(errs.New(errs.InvalidRequest, "flow %q is of type %s, %s needs %s", f.Name, f.Type, hook, want))
			}
			id = f.ID
		}
		if err := s.contact.SetHook(ctx, hook, id); err != nil {
			return s.failure(ctx, err)
		}
	}
	return done()
}

// hookType is the type of the flows that run at a place.
func hookType(h Hook) (FlowType, bool) {
	switch h {
	case HookCustomerQueue:
		return TypeCustomerQueue, true
	case HookCustomerWhisper:
		return TypeCustomerWhisper, true
	case HookAgentWhisper:
		return TypeAgentWhisper, true
	case HookCustomerRemaining, HookDefaultAgentUI, HookDisconnectAgentUI, HookPauseContact, HookResumeContact:
		return TypeInbound, true
	case HookCustomerHold:
		return TypeCustomerHold, true
	case HookAgentHold:
		return TypeAgentHold, true
	}
	return "", false
}
