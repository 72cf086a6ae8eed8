package ivr

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"ullim/internal/events"
)

// ActionRun is what a run log keeps of one action that ran. Nothing in it is secret: what was typed and what attributes
// hold is left out.
type ActionRun struct {
	InstanceID, ContactID string
	FlowID, FlowName      string // of the module, while one runs
	FlowVersion           int
	FlowType              FlowType
	ActionID, ActionType  string
	Result                string // what conditions were compared with; empty if it is not for logs, or there was none
	Outcome               Outcome
	ErrorType             string // the action failed and took this branch, or NoMatchingError
	Error                 string // why, for people
	Next                  string // identifier of the action that follows; empty: none
	Start                 time.Time
	Duration              time.Duration
	Logged                bool // the flow, or an earlier one, has asked for a log of each action
}

// ran is an action that ran, and where.
type ran struct {
	frame
	start time.Time
	took  time.Duration
}

// report logs, counts and records how an action ended. What a contact typed or holds in attributes is not told.
func (s *session) report(ctx context.Context, did ran, st step, goesOn bool) {
	n := did.node
	outcome, label := "ok", n.Type
	switch {
	case st.outcome != "":
		outcome = string(st.outcome)
	case st.errorType != "":
		outcome = st.errorType
	}
	if !n.supported() {
		label = "unsupported"
	}
	if s.engine.Observe != nil {
		s.engine.Observe(label, outcome)
	}
	shown := ""
	if st.judged && !st.secret {
		shown = st.result
	}
	s.write(ctx, did, st, outcome, shown)
	if s.engine.Ran == nil && s.engine.Events == nil {
		return
	}
	info := s.info()
	if s.engine.Events != nil {
		s.engine.Events.Record(events.Event{
			At: s.engine.now(), Kind: "flow", InstanceID: info.InstanceID, ContactID: info.ContactID,
			Detail: fmt.Sprintf("%s %q: %s", n.Type, n.ID, cmp.Or(shown, outcome)),
		})
	}
	if s.engine.Ran != nil {
		r := ActionRun{
			InstanceID: info.InstanceID, ContactID: info.ContactID, FlowID: did.flow.ID, FlowName: did.flow.Name,
			FlowVersion: did.flow.PublishedVersion, FlowType: did.flow.Type, ActionID: n.ID, ActionType: n.Type, Result: shown,
			Outcome: st.outcome, ErrorType: st.errorType, Start: did.start, Duration: did.took,
			Logged: s.memory.logging(s.inherited),
		}
		if st.why != nil {
			r.Error = st.why.Error()
		}
		if goesOn {
			r.Next = s.node.ID
		}
		s.engine.Ran(r)
	}
}

// write logs an action: always when it failed, else when the flow wants its actions logged.
func (s *session) write(ctx context.Context, did ran, st step, outcome, shown string) {
	level, message := slog.LevelDebug, "flow action"
	switch {
	case st.why != nil:
		level, message = slog.LevelWarn, "flow action took its error branch"
	case s.memory.logging(s.inherited):
		level = slog.LevelInfo
	}
	if !did.log.Enabled(ctx, level) {
		return
	}
	attrs := []any{
		"action_id", did.node.ID, "action_type", did.node.Type, "outcome", outcome, "result", shown, "took", did.took,
	}
	if st.why != nil {
		attrs = append(attrs, "error", st.why)
	}
	did.log.Log(ctx, level, message, attrs...) //nolint:sloglint // the two messages are constants above
}
