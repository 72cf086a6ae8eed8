package flowtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

// Step is one action that ran, with what was seen and heard of it.
type Step struct {
	Flow      string  `json:"flow"`
	Action    string  `json:"action"`
	Type      string  `json:"type"`
	At        float64 `json:"at"`   // seconds since the contact began
	Took      float64 `json:"took"` // seconds
	Result    string  `json:"result,omitempty"`
	Outcome   string  `json:"outcome,omitempty"`
	ErrorType string  `json:"errorType,omitempty"`
	Error     string  `json:"error,omitempty"`
	Next      string  `json:"next,omitempty"`
	Events    []Event `json:"events,omitempty"`
}

// Result is what became of one contact.
type Result struct {
	Test       string            `json:"test"`
	Channel    contact.Channel   `json:"channel"`
	Outcome    ivr.Outcome       `json:"outcome"`
	Stopped    string            `json:"stopped,omitempty"` // why the run was ended from outside
	Error      string            `json:"error,omitempty"`   // why the outcome is failed
	Seconds    float64           `json:"seconds"`
	Queue      string            `json:"queue,omitempty"` // where the contact was put
	Attributes map[string]string `json:"attributes"`
	Steps      []Step            `json:"steps"`
	Failures   []string          `json:"failures"` // expectations that were not met

	w *world
}

// Passed tells whether all was as expected.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// Loader reads the documents that a test file names.
type Loader func(file string) ([]byte, error)

// NoFiles is for tests that come over the network: everything is in them.
func NoFiles(file string) ([]byte, error) {
	return nil, errs.Field("file", "a document cannot be named here, put it into content; is %q", file)
}

// Runner runs the tests of one file.
type Runner struct {
	Suite   *Suite
	Load    Loader
	Backing Backing
	// Room is how many bytes the events of a run may take; 0: 16 MB.
	Room int
}

// Run runs all tests, each on its channels. The error says why they could not be run.
func (r *Runner) Run(ctx context.Context) ([]*Result, error) {
	var out []*Result
	for i := range r.Suite.Tests {
		t := &r.Suite.Tests[i]
		for _, c := range t.Channels {
			one, err := r.one(ctx, t, c)
			if err != nil {
				return out, fmt.Errorf("flowtest: test %q: %w", t.Name, err)
			}
			if out = append(out, one); ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
		}
	}
	return out, nil
}

// one runs one contact.
func (r *Runner) one(ctx context.Context, t *Test, channel contact.Channel) (*Result, error) {
	begun, err := t.begin()
	if err != nil {
		return nil, err
	}
	limits := t.Limits
	if limits.Actions == 0 {
		limits.Actions = defaultActions
	}
	if limits.Seconds == 0 {
		limits.Seconds = defaultTime
	}
	w := &world{
		given: r.Suite.Given.under(t.Given), backing: r.Backing, channel: channel, begun: begun, clock: begun,
		end: begun.Add(seconds(limits.Seconds)), limit: limits.Actions, room: cmp.Or(r.Room, defaultRoom), turns: map[string]int{}, hooks: map[string]string{},
	}
	main, err := r.documents(w)
	if err != nil {
		return nil, err
	}
	for _, a := range t.Script {
		switch {
		case a.At != nil:
			w.schedule(a, begun.Add(seconds(*a.At)))
		case a.On != "":
			w.waiting = append(w.waiting, a)
		default:
			w.asking = append(w.asking, a)
		}
	}
	w.info = w.infoOf(t.Contact)
	if err := w.targetQueue(ctx, t.Contact.Queue); err != nil {
		return nil, err
	}
	out := &Result{Test: t.Name, Channel: channel, w: w, Failures: []string{}}
	w.run(ctx, main, out)
	out.Failures = append(out.Failures, t.Expect.check(out)...)
	return out, nil
}

func (w *world) targetQueue(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	q, err := (&house{w}).Queue(ctx, "", name)
	if err != nil {
		q, err = (&house{w}).AgentQueue(ctx, "", name)
	}
	w.info.Queue = &q
	return err
}

// run runs the flow until it ends.
func (w *world) run(ctx context.Context, flow *ivr.Flow, out *Result) {
	ctx, w.cancel = context.WithCancel(ctx)
	defer w.cancel()
	h := &house{w}
	engine := &ivr.Engine{
		Flows: h, Directory: h, Prompts: h, Speaker: h, Modules: h, Functions: h, Metrics: h, Callbacks: h, Tasks: h, Chats: h,
		Media: h, Clock: func() time.Time { return w.clock }, Ran: w.ran, Random: w.random,
	}
	var participant ivr.Participant
	switch w.channel {
	case contact.Voice:
		participant = &voice{anyone{w}}
	case contact.Chat:
		participant = &chat{anyone{w}}
	default:
		participant = &task{anyone{w}}
	}
	outcome, err := engine.Run(ctx, ivr.Run{Flow: flow, Participant: participant, Contact: &person{w}})
	out.Outcome, out.Stopped, out.Seconds = outcome, w.stopped, w.seconds()
	out.Queue, out.Attributes, out.Steps = w.queued, w.info.Attributes, w.steps
	if err != nil {
		out.Error = err.Error()
	}
}

// random draws what the test says: DistributeByPercentage asks for 0 to 99.
func (w *world) random(n int) int {
	if len(w.given.Percent) == 0 {
		return n / 2
	}
	return min(max(w.given.Percent[w.turn("percent", len(w.given.Percent))]-1, 0), n-1)
}

// ran makes a step of an action.
func (w *world) ran(r ivr.ActionRun) {
	w.steps = append(w.steps, Step{
		Flow: r.FlowName, Action: r.ActionID, Type: r.ActionType, At: float64(r.Start.Sub(w.begun).Milliseconds()) / 1000,
		Took: float64(r.Duration.Milliseconds()) / 1000, Result: r.Result, Outcome: string(r.Outcome), ErrorType: r.ErrorType,
		Error: r.Error, Next: r.Next, Events: slices.Clone(w.events[w.fresh:]),
	})
	w.fresh = len(w.events)
	if len(w.steps) >= w.limit && r.Next != "" {
		w.stop(fmt.Sprintf("the limit of %d actions is reached", w.limit))
	}
}

// under lays a test's world over that of its file.
func (a World) under(b World) World {
	a.Flows, a.Modules = over(a.Flows, b.Flows), over(a.Modules, b.Modules)
	a.Queues, a.Agents, a.Hours = over(a.Queues, b.Queues), over(a.Agents, b.Agents), over(a.Hours, b.Hours)
	a.Prompts, a.Webhooks, a.Fail = over(a.Prompts, b.Prompts), over(a.Webhooks, b.Webhooks), over(a.Fail, b.Fail)
	if b.ThirdParty != nil {
		a.ThirdParty = b.ThirdParty
	}
	if b.Bots != nil {
		a.Bots = b.Bots
	}
	if b.Views != nil {
		a.Views = b.Views
	}
	if b.Undialable != nil {
		a.Undialable = b.Undialable
	}
	if b.Percent != nil {
		a.Percent = b.Percent
	}
	return a
}

func over[T any](a, b map[string]T) map[string]T {
	out := maps.Clone(a)
	if out == nil {
		out = make(map[string]T, len(b))
	}
	maps.Copy(out, b)
	return out
}

// documents reads the flow that is tested and those that it goes to.
func (r *Runner) documents(w *world) (*ivr.Flow, error) {
	w.flows = map[string]*ivr.Flow{}
	main, err := r.read("flow", r.Suite.Flow, r.Suite.Type)
	if err != nil {
		return nil, err
	}
	for name, s := range w.given.Flows {
		kind := s.Type
		if kind == "" {
			kind = r.Suite.Type
		}
		if w.flows[name], err = r.read(name, s, kind); err != nil {
			return nil, err
		}
	}
	for name, s := range w.given.Modules {
		if w.flows[name], err = r.read(name, s, ivr.TypeModule); err != nil {
			return nil, err
		}
	}
	return main, nil
}

func (r *Runner) read(name string, s Source, kind ivr.FlowType) (*ivr.Flow, error) {
	content := []byte(s.Content)
	if s.File != "" {
		var err error
		if content, err = r.Load(s.File); err != nil {
			return nil, err
		}
	}
	if len(content) == 0 {
		return nil, errors.New("flow " + name + " has neither file nor content")
	}
	f := &ivr.Flow{Type: kind, Content: string(content), Published: string(content), PublishedVersion: 1}
	f.ID, f.Name, f.InstanceID = s.ID, name, InstanceID
	if f.ID == "" {
		f.ID = name
	}
	if _, err := ivr.Parse(f.Published); err != nil {
		return nil, fmt.Errorf("flow %s: %w", name, err)
	}
	return f, nil
}

// Beside reads documents in the folder of a test file, and nowhere else.
func Beside(file string) Loader {
	return func(name string) ([]byte, error) {
		root, err := os.OpenRoot(filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		f, err := root.Open(name)
		if closing := root.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "document %q cannot be read: %v", name, err)
		}
		b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
		if err = errors.Join(err, f.Close()); err != nil || len(b) > MaxFile {
			return nil, errs.New(errs.Invalid, "document %q cannot be read or has more than %d bytes", name, MaxFile)
		}
		return b, nil
	}
}
