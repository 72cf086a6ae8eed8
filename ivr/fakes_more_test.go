package ivr

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/prompts"
)

// Update writes down what is changed, in a fixed order.
func (s *script) Update(_ context.Context, u Update) error {
	var l []string
	add := func(format string, args ...any) { l = append(l, fmt.Sprintf(format, args...)) }
	if d := u.Data; d != nil {
		for _, f := range []struct {
			name string
			v    *string
		}{{"name", d.Name}, {"description", d.Description}, {"customer", d.CustomerID}} {
			if f.v != nil {
				add("%s=%s", f.name, *f.v)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(d.References)) {
			add("%s=%s:%s", k, d.References[k].Type, d.References[k].Value)
		}
	}
	if u.Priority != nil {
		add("priority=%d", *u.Priority)
	}
	if u.AgeAdjustment != nil {
		add("age=%v", *u.AgeAdjustment)
	}
	for _, c := range u.Criteria {
		add("criteria=%s/%v", c.Expression, c.Expiry)
	}
	for _, k := range slices.Sorted(maps.Keys(u.Tag)) {
		add("tag %s=%s", k, u.Tag[k])
	}
	for _, k := range u.Untag {
		add("untag %s", k)
	}
	if u.CallbackNumber != "" {
		add("callback=%s", u.CallbackNumber)
	}
	if u.Logging != nil {
		add("logging=%t", *u.Logging)
	}
	return s.do("update", "%s", strings.Join(l, " "))
}

// able is a participant and a contact that can do everything that only some can.
type able struct {
	*script
	reply Reply
	event string
	view  ViewReply
	bot   BotResult
}

var (
	_ Texter           = able{}
	_ Waiter           = able{}
	_ ThirdPartyCaller = able{}
	_ OutboundCaller   = able{}
	_ Holder           = able{}
	_ Streamer         = able{}
	_ Converser        = able{}
	_ KeyDropper       = able{}
	_ Background       = able{}
	_ Requeuer         = able{}
	_ AgentCaller      = able{}
	_ Viewer           = able{}
	_ Resumer          = able{}
	_ Persistent       = able{}
	_ MessageProcessor = able{}
	_ Related          = able{}
)

func (a able) SayText(_ context.Context, text string) error { return a.do("write", "%s", text) }

func (a able) AskText(_ context.Context, text string, d time.Duration) (Reply, error) {
	return a.reply, a.do("ask", "%s %v", text, d)
}

func (a able) Wait(_ context.Context, d time.Duration, events []string) (string, error) {
	return a.event, a.do("wait", "%v %v", d, events)
}

func (a able) CallThirdParty(_ context.Context, t ThirdParty) error {
	return a.do("call", "%s from %s %q digits %s for %v resume %t", t.Number, t.CallerNumber, t.CallerName, t.Digits, t.Limit, t.Resume)
}

func (a able) CompleteCall(_ context.Context, caller string, limit time.Duration) error {
	return a.do("dial", "%s %v", caller, limit)
}

func (a able) SetHold(_ context.Context, h HoldState) error { return a.do("hold", "%s", h) }

func (a able) StartStream(_ context.Context, s Stream) error {
	return a.do("stream", "%s from %t to %t", s.URL, s.From, s.To)
}

func (a able) StopStream(context.Context) error { return a.do("stream", "stops") }

func (a able) Converse(_ context.Context, b Bot) (BotResult, error) {
	return a.bot, a.do("talk", "%s %v %v", b.URL, b.Parameters, b.Limit)
}

func (a able) DropKeys() { _ = a.do("drop", "") }

func (a able) PlayBackground(list []*prompts.Audio) func() {
	_ = a.do("meanwhile", "%s", list[0].Name)
	return func() { _ = a.do("meanwhile", "stops") }
}

func (a able) Requeue(_ context.Context, q QueueRef) error { return a.do("requeue", "%s", q.Name) }
func (a able) CallAgent(context.Context) error             { return a.do("agent", "") }

func (a able) ShowView(_ context.Context, v View) (ViewReply, error) {
	return a.view, a.do("view", "%s %s %s %v hidden %t", v.ID, v.Version, v.Data, v.Limit, v.Hidden)
}

func (a able) Resume(context.Context) error { return a.do("resume", "") }

func (a able) Associate(_ context.Context, rehydration, source string) error {
	return a.do("associate", "%s %s", rehydration, source)
}

func (a able) SetProcessor(_ context.Context, function string, unprocessed bool) error {
	return a.do("processor", "%s %t", function, unprocessed)
}

func (a able) SetRelatedAttributes(_ context.Context, set map[string]string) error {
	return a.do("related", "%v", set)
}

func (a able) SetFlowRecording(_ context.Context, on bool) error {
	return a.do("record flows", "%t", on)
}

func (a able) UpdateRelated(_ context.Context, d ContactData) error {
	return a.do("related data", "%v", d.Name != nil)
}

// office is what the engine's ports are in tests: it answers from its fields and writes down what it is asked.
type office struct {
	s       *script
	answer  string
	metrics QueueMetrics
}

func (o *office) Invoke(ctx context.Context, f Function) (json.RawMessage, error) {
	if err := o.s.do("invoke", "%s %v async %t", f.Ref, f.Limit, f.Async); err != nil {
		return nil, err
	}
	if o.answer == "slow" {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return json.RawMessage(o.answer), nil
}

func (o *office) QueueMetrics(_ context.Context, _, queueID, agentID string, c contact.Channel) (QueueMetrics, error) {
	return o.metrics, o.s.do("metrics", "%s %s %s", queueID, agentID, c)
}

func (o *office) CreateCallback(_ context.Context, c Callback) error {
	return o.s.do("callback", "%s on %s delay %v attempts %d retry %v flow %s from %s", c.Number, c.Queue.Name, c.Delay, c.Attempts, c.RetryDelay, c.FlowID, c.CallerNumber)
}

func (o *office) CreateTask(_ context.Context, t Task) (string, error) {
	return "t-1", o.s.do("task", "%s %q %q %v %v later %t", t.FlowID, t.Name, t.Description, t.References, t.Attributes, !t.At.IsZero())
}

func (o *office) File(_ context.Context, _, uri string) (*prompts.Audio, error) {
	return &prompts.Audio{Name: "file:" + uri, Length: time.Second}, o.s.fail["file"]
}

func (o *office) StartOutboundChat(_ context.Context, c OutboundChat) (string, error) {
	return "c-9", o.s.do("sms", "%s to %s by %s: %s related %t", c.Source, c.Destination, c.FlowRef, c.Message, c.Related)
}

func (h *house) Module(_ context.Context, _, ref string) (*Flow, error) {
	if f, ok := h.modules[ref]; ok {
		return f, nil
	}
	return nil, errs.New(errs.NotFound, "no module %q", ref)
}

func (h *house) AgentQueue(_ context.Context, _, ref string) (QueueRef, error) {
	if ref == "lee" {
		return QueueRef{ID: "q-lee", ARN: "arn:q-lee", Name: "lee", AgentID: "lee"}, nil
	}
	return QueueRef{}, errs.New(errs.NotFound, "no agent %q", ref)
}
