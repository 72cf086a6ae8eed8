package ivr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"ullim/internal/errs"
	"ullim/internal/events"
)

// Outcome is how a flow ended.
type Outcome string

// Outcomes. After Ended the contact is where it was: a whisper or queue flow has done its work, and an inbound flow has
// come to a dead end (its contact is released). After Failed nothing was said to the participant; the reason is in the
// error.
const (
	Ended        Outcome = "ended"
	Disconnected Outcome = "disconnected"
	Queued       Outcome = "queued"
	Transferred  Outcome = "transferred" // joined with a third party outside
	Failed       Outcome = "failed"
	Left         Outcome = "left"
)

// MaxIdleActions is how many actions may run on end without one that takes the participant's time.
const MaxIdleActions = 1000

// aPause is how long an action with the participant takes at least; a shorter one does not slow down a flow that goes
// round and round.
const aPause = 10 * time.Millisecond

// maxDocuments is how many read flows are kept.
const maxDocuments = 512

// Engine runs flows. Fill in the fields and use it by pointer; one serves all contacts. Directory and Flows are needed;
// without the others the actions that need them take their error branch.
type Engine struct {
	Flows     Flows
	Directory Directory
	Prompts   Prompts
	Speaker   Speaker
	Modules   Modules
	Functions Functions
	Metrics   Metrics
	Callbacks Callbacks
	Tasks     Tasks
	Media     MediaFiles
	Chats     Chats
	Log       *slog.Logger
	// Observe is told of every action that ran, for metrics: the type ("unsupported" for all that are not known, so that
	// there are few labels) and "ok", "left", an outcome, or an error type.
	Observe func(actionType, outcome string)
	// Ran is told of every action that ran, with what a run log keeps of it. It must not block; may be nil.
	Ran    func(ActionRun)
	Events *events.Recorder // gets a "flow" event for each action; may be nil
	Random func(n int) int  // a number from 0 to n-1; nil: math/rand
	Clock  func() time.Time // nil: time.Now; tests of flows run in a time of their own

	mu        sync.Mutex
	documents map[string]*Document // by content, so a flow is read once for each version
}

// Run is one flow to be run on one contact. Memory is what the contact's flows share; nil: this flow begins and ends with
// one of its own.
type Run struct {
	Flow        *Flow // its published content is run
	Participant Participant
	Contact     Contact
	Memory      *Memory
}

// session is one Run in progress.
type session struct {
	engine      *Engine
	participant Participant
	contact     Contact
	memory      *Memory
	inherited   *bool        // whether an earlier segment chose that actions are logged
	base        *slog.Logger // knows the contact

	kind FlowType // of the flow, also while one of its modules runs
	frame
	callers  []frame       // of the modules that run
	entered  bool          // the last action changed the flow
	idle     int           // actions since the participant's time was last taken
	waited   time.Duration // for functions, since then
	snapshot *Info
}

// frame is one flow or module in progress.
type frame struct {
	flow       *Flow
	doc        *Document
	node       *Node
	log        *slog.Logger      // knows the flow too
	attributes map[string]string // of the flow or module
	loops      map[string]int
}

// Run runs a flow until it ends. The error says why when the outcome is Failed, and is nil otherwise.
func (e *Engine) Run(ctx context.Context, r Run) (out Outcome, err error) {
	s := &session{engine: e, participant: r.Participant, contact: r.Contact, memory: r.Memory}
	if s.memory == nil {
		s.memory = NewMemory()
	}
	info := r.Contact.Info()
	s.inherited = info.Logging
	log := e.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s.base = log.With("contact_id", info.ContactID)
	defer func() {
		if p := recover(); p != nil {
			s.base.ErrorContext(ctx, "flow panicked", "panic", p, "stack", string(debug.Stack()))
			out, err = Failed, fmt.Errorf("ivr: panic in flow: %v", p)
		}
	}()
	doc, err := e.document(r.Flow)
	if err != nil {
		s.base.ErrorContext(ctx, "flow cannot be run", "flow_id", r.Flow.ID, "flow", r.Flow.Name, "error", err)
		return Failed, err
	}
	s.enter(r.Flow, doc)
	return s.loop(ctx)
}

// now is what the clock shows.
func (e *Engine) now() time.Time {
	if e.Clock != nil {
		return e.Clock()
	}
	return time.Now()
}

// enter goes to the start of a flow, and out of every module.
func (s *session) enter(f *Flow, doc *Document) {
	s.kind, s.callers = f.Type, nil
	s.begin(f, doc)
}

// begin goes to the start of a flow or module.
func (s *session) begin(f *Flow, doc *Document) {
	s.frame = frame{
		flow: f, doc: doc, node: doc.byID[doc.Start], loops: make(map[string]int),
		log: s.base.With("flow_id", f.ID, "flow", f.Name, "flow_version", f.PublishedVersion),
	}
	s.entered = true
}

// leave goes back to whoever invoked the module that runs, and gives the action that did.
func (s *session) leave() *Node {
	last := len(s.callers) - 1
	s.frame, s.callers = s.callers[last], s.callers[:last]
	return s.node
}

func (s *session) loop(ctx context.Context) (Outcome, error) {
	if s.node == nil {
		s.log.WarnContext(ctx, "flow has no action to start with")
		return Ended, nil
	}
	for {
		if ctx.Err() != nil {
			return Left, nil //nolint:nilerr // that the contact has ended is an outcome, not a failure
		}
		if s.idle++; s.idle > MaxIdleActions {
			err := errs.New(errs.Limit, "flow %q ran %d actions without a pause, it was stopped at action %q", s.flow.Name,
				MaxIdleActions, s.node.ID)
			s.log.ErrorContext(ctx, "flow goes round without a pause", "action_id", s.node.ID, "error", err)
			return Failed, err
		}
		s.snapshot, s.entered = nil, false
		did := ran{frame: s.frame, start: s.engine.now()}
		st := s.node.act.run(ctx, s)
		if st.outcome == "" && ctx.Err() != nil {
			st = ended(Left)
		}
		did.took = s.engine.now().Sub(did.start)
		goesOn := st.outcome == "" && s.advance(ctx, st)
		s.report(ctx, did, st, goesOn)
		switch {
		case st.outcome != "":
			return st.outcome, nil
		case !goesOn:
			return Ended, nil
		}
	}
}

// advance goes on to the action that follows; false: there is none. A module that ends there has failed, and whoever
// invoked it says what then.
func (s *session) advance(ctx context.Context, st step) bool {
	n := s.node
	switch {
	case s.entered:
		if s.node != nil {
			return true
		}
		s.log.WarnContext(ctx, "flow has no action to start with")
	case st.returned:
		n, st = s.leave(), done()
		fallthrough
	default:
		if s.to(ctx, n, st) {
			return true
		}
	}
	for len(s.callers) > 0 {
		if s.to(ctx, s.leave(), failed(errNoMatch)) {
			return true
		}
	}
	return false
}

// to goes to the action that follows n after st; false: there is none.
func (s *session) to(ctx context.Context, n *Node, st step) bool {
	next := s.follow(n, st)
	if next == "" {
		s.log.InfoContext(ctx, "flow ended without a branch to follow", "action_id", n.ID, "error_type", st.errorType)
		return false
	}
	if s.node = s.doc.byID[next]; s.node == nil {
		s.log.WarnContext(ctx, "flow names an action that is not there", "action_id", n.ID, "next", next)
		return false
	}
	return true
}

// follow gives the identifier of the next action; "" if no branch fits.
func (s *session) follow(n *Node, st step) string {
	switch {
	case st.errorType != "":
		if to := n.errorTarget(st.errorType); to != "" {
			return to
		}
		return n.errorTarget(errNoMatch)
	case !st.judged:
		return n.next
	}
	for _, c := range n.conditions {
		if c.when.test(st.result, !st.absent, s.lookup, s.engine.now()) {
			return c.next
		}
	}
	if to := n.errorTarget(errNoCondition); to != "" {
		return to
	}
	return n.next
}

// errorTarget is where an error type leads; "" if there is no branch.
func (n *Node) errorTarget(errorType string) string {
	for _, e := range n.errors {
		if e.errorType == errorType {
			return e.next
		}
	}
	return ""
}

// interact does something with the participant, and notes whether that took time.
func (s *session) interact(f func() error) error {
	start := s.engine.now()
	err := f()
	if s.engine.now().Sub(start) >= aPause {
		s.idle = 0
	}
	s.waited = 0
	return err
}

// left tells whether an error means that there is nobody any more.
func (s *session) left(ctx context.Context, err error) bool {
	return errors.Is(err, ErrLeft) || ctx.Err() != nil
}

// failure is the step for an error: the end if the participant has left, else the error branch.
func (s *session) failure(ctx context.Context, err error) step {
	if s.left(ctx, err) {
		return ended(Left)
	}
	return failedBy(err)
}

// document is a flow's published content, read; reading is done once for each content.
func (e *Engine) document(f *Flow) (*Document, error) {
	if f.Published == "" {
		return nil, errs.New(errs.NotFound, "flow %q has not been published", f.Name)
	}
	e.mu.Lock()
	d, ok := e.documents[f.Published]
	e.mu.Unlock()
	if ok {
		return d, nil
	}
	d, err := Parse(f.Published)
	if err != nil {
		return nil, fmt.Errorf("ivr: flow %q: %w", f.Name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.documents == nil || len(e.documents) >= maxDocuments {
		e.documents = make(map[string]*Document) // old versions pile up: begin anew, reading is cheap
	}
	e.documents[f.Published] = d
	return d, nil
}

// asError finds the *errs.Error in an error's chain.
func asError(err error) (*errs.Error, bool) { return errors.AsType[*errs.Error](err) }
