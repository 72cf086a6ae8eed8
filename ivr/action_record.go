package ivr

import (
	"context"

	"ullim/internal/contact"
)

// moreRecording is what recording actions say beside who is recorded with an agent.
type moreRecording struct {
	flows  *bool // the part with flows; nil: it is as it was
	screen bool  // taken, and not done: there is no screen
}

func readMoreRecording(behavior *params) moreRecording {
	var m moreRecording
	if v := behavior.oneOf("IVRRecordingBehavior", "Enabled", "Disabled"); v != "" {
		on := v == "Enabled"
		m.flows = &on
	}
	m.screen = len(behavior.texts("ScreenRecordedParticipants", "Agent")) > 0
	return m
}

// set does it. Who cannot be recorded with flows, as in a chat, is none the worse for it.
func (m moreRecording) set(ctx context.Context, s *session) error {
	if m.screen {
		s.log.InfoContext(ctx, "screens are not recorded: there is no screen here", "action_id", s.node.ID)
	}
	if m.flows == nil || s.info().Channel != contact.Voice {
		return nil
	}
	r, ok := s.participant.(FlowRecorder)
	switch {
	case !ok && !*m.flows: // it is not recorded anyway
		return nil
	case !ok:
		return ErrNotSupported
	}
	return r.SetFlowRecording(ctx, *m.flows)
}
