package ivr

import (
	"context"
	"errors"

	"ullim/internal/errs"
)

// maxModules is how deep modules may invoke each other.
const maxModules = 5

// invokeModule runs a module and goes on when it returns (Invoke module), by the condition that the module's result
// meets. A module has flow attributes and loops of its own, and may be given input ($.Modules.Input); everything else it
// shares with the flow. What it returns is $.Modules.Result and $.Modules.ResultData, until the next one returns.
type invokeModule struct {
	module value
	input  any
}

func (a *invokeModule) read(p *params) {
	p.need("FlowModuleId")
	a.module = p.whole("FlowModuleId")
	a.input, _ = p.tree("Input")
}

func (a *invokeModule) rules() rules {
	return rules{flows: inboundTransferQueue(), errors: []string{errNoMatch}, conditions: func(w *wiring) {
		if len(w.n.conditions) > 0 {
			w.equals()
		}
		if w.n.next == "" && w.n.errorTarget(errNoCondition) == "" {
			w.problem("Transitions.NextAction", "is required: connect the branch for success")
		}
	}}
}

func (a *invokeModule) run(ctx context.Context, s *session) step {
	ref := s.text(a.module)
	switch {
	case s.engine.Modules == nil:
		return failedBy(ErrNotSupported)
	case ref == "":
		return failedBy(errors.New("ivr: the attribute with the module is empty"))
	case len(s.callers) >= maxModules:
		return failedBy(errs.New(errs.Limit, "modules invoke each other more than %d deep", maxModules))
	}
	f, err := s.engine.Modules.Module(ctx, s.info().InstanceID, ref)
	if err != nil {
		return s.failure(ctx, err)
	}
	doc, err := s.engine.document(f)
	if err != nil {
		return s.failure(ctx, err)
	}
	input := s.fill(a.input)
	s.callers = append(s.callers, s.frame)
	s.begin(f, doc)
	s.input = input
	return done()
}

// endModule goes back to whoever invoked the module (Return), with a result that names a branch, and data.
type endModule struct {
	result value
	data   any
}

func (a *endModule) read(p *params) {
	a.result = p.whole("Result")
	a.data, _ = p.tree("ResultData")
}

func (*endModule) rules() rules { return rules{flows: []FlowType{TypeModule}, last: true} }

func (a *endModule) run(_ context.Context, s *session) step {
	if len(s.callers) == 0 {
		return failedBy(errors.New("ivr: no module runs"))
	}
	name := s.text(a.result)
	s.memory.returned(name, s.fill(a.data))
	return step{returned: true, result: name}
}
