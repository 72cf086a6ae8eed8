package ivr

import (
	"context"
	"errors"

	"ullim/internal/errs"
)

// maxModules is how deep modules may invoke each other.
const maxModules = 5

// invokeModule runs a module and goes on when it returns (Invoke module). A module has flow attributes and loops of its
// own; everything else it shares with the flow.
type invokeModule struct{ module value }

func (a *invokeModule) read(p *params) {
	p.need("FlowModuleId")
	a.module = p.whole("FlowModuleId")
}

func (a *invokeModule) rules() rules {
	return rules{flows: inboundTransferQueue(), next: true, errors: []string{errNoMatch}}
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
	s.callers = append(s.callers, s.frame)
	s.begin(f, doc)
	return done()
}

// endModule goes back to whoever invoked the module (Return).
type endModule struct{}

func (endModule) read(*params) {}

func (endModule) rules() rules { return rules{flows: []FlowType{TypeModule}, last: true} }

func (endModule) run(_ context.Context, s *session) step {
	if len(s.callers) == 0 {
		return failedBy(errors.New("ivr: no module runs"))
	}
	return step{returned: true}
}
