package flowtest

import (
	"context"
	"encoding/json"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
)

// Backing answers what the test does not: the real flows, queues and hours of an instance, in the simulator. Each may be
// nil.
type Backing struct {
	Flows   ivr.Flows
	Modules ivr.Modules
	Queues  ivr.Directory
	Prompts ivr.Prompts
	// Open tells whether hours are open at a moment.
	Open func(ctx context.Context, instanceID, ref string, at time.Time) (bool, error)
	// InstanceID is theirs.
	InstanceID string
}

// house is the contact centre.
type house struct{ w *world }

var (
	_ ivr.Flows      = (*house)(nil)
	_ ivr.Modules    = (*house)(nil)
	_ ivr.Directory  = (*house)(nil)
	_ ivr.Prompts    = (*house)(nil)
	_ ivr.Speaker    = (*house)(nil)
	_ ivr.Functions  = (*house)(nil)
	_ ivr.Metrics    = (*house)(nil)
	_ ivr.Callbacks  = (*house)(nil)
	_ ivr.Tasks      = (*house)(nil)
	_ ivr.Chats      = (*house)(nil)
	_ ivr.MediaFiles = (*house)(nil)
)

// find looks a thing up by name, id or ARN.
func find[T any](m map[string]T, ref string, id func(T) string) (name string, v T, ok bool) {
	if v, ok = m[ref]; ok {
		return ref, v, true
	}
	last := path.Base(ref)
	if i := strings.LastIndexByte(last, ':'); i >= 0 && strings.HasPrefix(ref, "arn:") { // a version or an alias
		last = last[:i]
	}
	for n, v := range m {
		if x := id(v); x != "" && (x == ref || x == last) || n == last {
			return n, v, true
		}
	}
	return "", v, false
}

func flowID(f *ivr.Flow) string { return f.ID }

// Published finds a flow of the test.
func (h *house) Published(ctx context.Context, _, ref string) (*ivr.Flow, error) {
	if _, f, ok := find(h.w.flows, ref, flowID); ok && f.Type != ivr.TypeModule {
		return f, nil
	}
	if b := h.w.backing; b.Flows != nil {
		return b.Flows.Published(ctx, b.InstanceID, ref)
	}
	return nil, errs.New(errs.NotFound, "no flow %q is given in the test", ref)
}

// Default is the flow of the test that has the type.
func (h *house) Default(ctx context.Context, _ string, t ivr.FlowType) (*ivr.Flow, error) {
	if b := h.w.backing; b.Flows != nil {
		return b.Flows.Default(ctx, b.InstanceID, t)
	}
	return nil, errs.New(errs.NotFound, "no default flow of type %s is given in the test", t)
}

// Module finds a module of the test.
func (h *house) Module(ctx context.Context, _, ref string) (*ivr.Flow, error) {
	if _, f, ok := find(h.w.flows, ref, flowID); ok && f.Type == ivr.TypeModule {
		return f, nil
	}
	if b := h.w.backing; b.Modules != nil {
		return b.Modules.Module(ctx, b.InstanceID, ref)
	}
	return nil, errs.New(errs.NotFound, "no module %q is given in the test", ref)
}

// Queue finds a queue.
func (h *house) Queue(ctx context.Context, _, ref string) (ivr.QueueRef, error) {
	if name, q, ok := find(h.w.given.Queues, ref, func(q Queue) string { return q.ID }); ok {
		return q.ref(name, name), nil
	}
	if b := h.w.backing; b.Queues != nil {
		return b.Queues.Queue(ctx, b.InstanceID, ref)
	}
	return ivr.QueueRef{}, errs.New(errs.NotFound, "no queue %q is given in the test", ref)
}

// AgentQueue is the queue of an agent.
func (h *house) AgentQueue(ctx context.Context, _, ref string) (ivr.QueueRef, error) {
	if name, q, ok := find(h.w.given.Agents, ref, func(q Queue) string { return q.ID }); ok {
		r := q.ref(name, name)
		r.AgentID = name
		return r, nil
	}
	if b := h.w.backing; b.Queues != nil {
		return b.Queues.AgentQueue(ctx, b.InstanceID, ref)
	}
	return ivr.QueueRef{}, errs.New(errs.NotFound, "no agent %q is given in the test", ref)
}

func (q Queue) ref(name, id string) ivr.QueueRef {
	if q.ID != "" {
		id = q.ID
	}
	return ivr.QueueRef{
		ID: id, ARN: resource.ARN(InstanceID, resource.KindQueue, id), Name: name, HoursID: q.Hours, OutboundNumber: q.Number,
	}
}

// Open tells whether hours are open at the test's time.
func (h *house) Open(ctx context.Context, _, ref string) (bool, error) {
	if err := h.w.fails("Open"); err != nil {
		return false, err
	}
	name, hours, ok := find(h.w.given.Hours, ref, func(h Hours) string { return h.ID })
	switch {
	case !ok && h.w.backing.Open != nil:
		return h.w.backing.Open(ctx, h.w.backing.InstanceID, ref, h.w.clock)
	case !ok:
		return false, errs.New(errs.NotFound, "no hours %q are given in the test", ref)
	case hours.Open != nil:
		return *hours.Open, nil
	}
	s, err := calendar.Compile(hours.Hours)
	if err != nil {
		return false, errs.Wrap(err, errs.Invalid, "hours %q of the test: %v", name, err)
	}
	return s.Open(h.w.clock), nil
}

// Prompt is a prompt: its name stands for its sound.
func (h *house) Prompt(ctx context.Context, _, ref, language string) (*prompts.Audio, error) {
	if err := h.w.fails("Prompt"); err != nil {
		return nil, err
	}
	name, p, ok := find(h.w.given.Prompts, ref, func(p Prompt) string { return p.ID })
	switch {
	case ok:
		length := seconds(p.Seconds)
		if length == 0 {
			length = 3 * time.Second
		}
		return &prompts.Audio{Name: "prompt " + name, Length: length}, nil
	case h.w.backing.Prompts != nil:
		a, err := h.w.backing.Prompts.Prompt(ctx, h.w.backing.InstanceID, ref, language)
		if err != nil {
			return nil, err
		}
		return &prompts.Audio{Name: "prompt " + a.Name, Length: a.Length}, nil
	}
	return nil, errs.New(errs.NotFound, "no prompt %q is given in the test", ref)
}

// Speak gives text a length.
func (h *house) Speak(_ context.Context, s prompts.Speech) (*prompts.Audio, error) {
	if err := h.w.fails("Speak"); err != nil {
		return nil, err
	}
	return &prompts.Audio{Name: s.Text, Length: time.Duration(utf8.RuneCountInString(s.Text)) * SpeechPerRune}, nil
}

// File is audio from elsewhere; its address stands for its sound.
func (h *house) File(_ context.Context, _, uri string) (*prompts.Audio, error) {
	if err := h.w.fails("File"); err != nil {
		return nil, err
	}
	return &prompts.Audio{Name: "file " + uri, Length: 3 * time.Second}, nil
}

// Invoke answers as the test says, after the time that it says.
func (h *house) Invoke(_ context.Context, f ivr.Function) (json.RawMessage, error) {
	w := h.w
	var event map[string]any
	if err := json.Unmarshal(f.Event, &event); err != nil {
		return nil, err
	}
	w.webhooks = append(w.webhooks, Hook{Function: f.Ref, Event: event, Async: f.Async})
	w.note("webhook", "%s", f.Ref)
	name, answers, ok := find(w.given.Webhooks, f.Ref, func([]Answer) string { return "" })
	if !ok || len(answers) == 0 {
		for n := range w.given.Webhooks { // by the name of the function in its ARN
			if strings.HasSuffix(f.Ref, ":function:"+n) {
				name, answers, ok = n, w.given.Webhooks[n], true
			}
		}
	}
	if !ok || len(answers) == 0 {
		return nil, errs.New(errs.NotFound, "no answer of function %q is given in the test", f.Ref)
	}
	if f.Async {
		return nil, nil
	}
	a := answers[w.turn("webhook "+name, len(answers))]
	if seconds(a.Takes) > f.Limit {
		if err := w.pass(f.Limit); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.Unavailable, "the function did not answer within %s", f.Limit)
	}
	if err := w.pass(seconds(a.Takes)); err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, errs.New(errs.Unavailable, "%s", a.Error)
	}
	return a.Answer, nil
}

// QueueMetrics are as the test says.
func (h *house) QueueMetrics(_ context.Context, _, queueID, agentID string, _ contact.Channel) (ivr.QueueMetrics, error) {
	if err := h.w.fails("QueueMetrics"); err != nil {
		return ivr.QueueMetrics{}, err
	}
	from := h.w.given.Queues
	if agentID != "" {
		from, queueID = h.w.given.Agents, agentID
	}
	_, q, ok := find(from, queueID, func(q Queue) string { return q.ID })
	if !ok {
		return ivr.QueueMetrics{}, nil
	}
	return ivr.QueueMetrics{
		Size: q.Size, Oldest: time.Duration(q.Oldest) * time.Second, Online: q.Online, Available: q.Available, Staffed: q.Staffed,
		AfterContactWork: q.AfterContact, Busy: q.Busy,
	}, nil
}

// CreateCallback writes a callback down.
func (h *house) CreateCallback(_ context.Context, c ivr.Callback) error {
	if err := h.w.fails("CreateCallback"); err != nil {
		return err
	}
	h.w.callbacks = append(h.w.callbacks, c)
	h.w.note("callback", "to %s in queue %s after %s, %d attempts", c.Number, c.Queue.Name, c.Delay, c.Attempts)
	return nil
}

// CreateTask writes a task down.
func (h *house) CreateTask(_ context.Context, t ivr.Task) (string, error) {
	if err := h.w.fails("CreateTask"); err != nil {
		return "", err
	}
	h.w.tasks = append(h.w.tasks, t)
	h.w.note("task", "%s", t.Name)
	return "22222222-2222-4222-8222-222222222222", nil
}

// StartOutboundChat writes a message down.
func (h *house) StartOutboundChat(_ context.Context, c ivr.OutboundChat) (string, error) {
	if err := h.w.fails("StartOutboundChat"); err != nil {
		return "", err
	}
	h.w.note("message", "to %s: %s", c.Destination, c.Message)
	return "33333333-3333-4333-8333-333333333333", nil
}
