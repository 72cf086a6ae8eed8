package ivr

import (
	"context"

	"ullim/internal/errs"
)

func (s *script) Update(_ context.Context, u Update) error { return s.do("update", "%+v", u) }

func (h *house) AgentQueue(_ context.Context, _, ref string) (QueueRef, error) {
	return QueueRef{}, errs.New(errs.NotFound, "no agent %q", ref)
}
