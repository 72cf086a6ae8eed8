package flowtest

import (
	"context"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/ivr"
	"ullim/prompts"
)

// anyone is what all participants can do.
type anyone struct{ w *world }

// voice is a participant on the telephone, chat one who writes, and task one who is not there.
type (
	voice struct{ anyone }
	chat  struct{ anyone }
	task  struct{ anyone }
)

var (
	_ ivr.Participant      = (*voice)(nil)
	_ ivr.ThirdPartyCaller = (*voice)(nil)
	_ ivr.OutboundCaller   = (*voice)(nil)
	_ ivr.Holder           = (*voice)(nil)
	_ ivr.Streamer         = (*voice)(nil)
	_ ivr.Converser        = (*voice)(nil)
	_ ivr.KeyDropper       = (*voice)(nil)
	_ ivr.Background       = (*voice)(nil)
	_ ivr.FlowRecorder     = (*voice)(nil)
	_ ivr.AgentCaller      = (*voice)(nil)
	_ ivr.Requeuer         = (*voice)(nil)
	_ ivr.Texter           = (*chat)(nil)
	_ ivr.Viewer           = (*chat)(nil)
	_ ivr.Converser        = (*chat)(nil)
	_ ivr.Waiter           = (*task)(nil)
)

func words(list []*prompts.Audio) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	return strings.Join(names, " + ")
}

// Say plays to the end.
func (p anyone) Say(_ context.Context, a *prompts.Audio) error {
	if err := p.w.fails("Say"); err != nil {
		return err
	}
	p.w.hear("said", a.Name)
	return p.w.pass(a.Length)
}

// Repeat plays a list for a time, or until somebody ends it. If nobody will, there is nothing more to be seen.
func (p anyone) Repeat(_ context.Context, list []*prompts.Audio, d time.Duration) error {
	if err := p.w.fails("Repeat"); err != nil {
		return err
	}
	p.w.hear("played", words(list))
	if d > 0 {
		return p.w.pass(d)
	}
	if len(p.w.dues) == 0 {
		p.w.stop("the flow plays for ever, and nothing more is in the script")
		return ivr.ErrLeft
	}
	p.w.until(p.w.end, nil)
	return ivr.ErrLeft
}

// Gather collects keys as a telephone does: those pressed before count, and keep the prompt from being played; the first
// key stops it.
func (p anyone) Gather(_ context.Context, g ivr.Gather) (ivr.Gathered, error) {
	w := p.w
	if err := w.fails("Gather"); err != nil {
		return ivr.Gathered{}, err
	}
	heard, said := w.clock, ""
	if g.Prompt != nil {
		said = g.Prompt.Name
		if len(w.keys) == 0 {
			heard = heard.Add(g.Prompt.Length)
		}
	}
	deadline := heard.Add(g.FirstDigit)
	if len(w.keys) > 0 {
		w.note("skipped", "%s", said)
	} else {
		w.hear("asked", said)
		w.answer(heard, deadline)
	}
	digits := ""
	for first := true; ; first = false {
		w.until(deadline, func() bool { return len(w.keys) > 0 })
		if w.left {
			return ivr.Gathered{}, ivr.ErrLeft
		}
		if len(w.keys) == 0 {
			w.typed(digits, g.Secret)
			return ivr.Gathered{Digits: digits, TimedOut: digits == ""}, nil
		}
		if first && w.clock.Before(heard) {
			w.note("interrupted", "%s", said)
		}
		key := w.keys[0]
		w.keys = w.keys[1:]
		deadline = w.clock.Add(g.Interdigit)
		if g.CancelKey != 0 && key == g.CancelKey {
			digits = ""
			continue
		}
		digits += string(rune(key))
		over := g.Max > 0 && len(digits) >= g.Max
		if g.Terminator != "" && strings.HasSuffix(digits, g.Terminator) {
			digits, over = strings.TrimSuffix(digits, g.Terminator), true
		}
		if over {
			w.typed(digits, g.Secret)
			return ivr.Gathered{Digits: digits}, nil
		}
	}
}

// typed writes down what was pressed, unless it is secret.
func (w *world) typed(digits string, secret bool) {
	switch {
	case digits == "":
		w.note("silence", "no key")
	case secret:
		w.note("keys", "%d keys that are not shown", len(digits))
	default:
		w.note("keys", "%s", digits)
	}
}

// Queue hands the contact to its target queue.
func (p anyone) Queue(context.Context) error {
	if err := p.w.fails("Queue"); err != nil {
		return err
	}
	if p.w.info.Queue == nil {
		return errs.New(errs.InvalidRequest, "no queue is chosen")
	}
	return p.w.enqueue(*p.w.info.Queue)
}

func (w *world) enqueue(q ivr.QueueRef) error {
	given, ok := w.given.Queues[q.Name]
	if !ok {
		given = w.given.Agents[q.Name]
	}
	if given.Full {
		return errs.New(errs.Limit, "queue %q is at capacity", q.Name)
	}
	w.queued = q.Name
	w.note("queued", "%s", q.Name)
	return nil
}

// Hangup ends the contact.
func (p anyone) Hangup(context.Context) { p.w.note("disconnected", "the flow ends the contact") }

// Requeue moves the contact to another queue.
func (p anyone) Requeue(_ context.Context, q ivr.QueueRef) error {
	if err := p.w.fails("Requeue"); err != nil {
		return err
	}
	return p.w.enqueue(q)
}

// DropKeys forgets keys.
func (p anyone) DropKeys() { p.w.keys, p.w.inbox = nil, nil }

// Wait lets time pass until an event of the script.
func (p anyone) Wait(_ context.Context, d time.Duration, events []string) (string, error) {
	w := p.w
	if _, gone := w.given.Fail["Wait"]; gone {
		return "", errs.New(errs.NotFound, "%s", w.given.Fail["Wait"])
	}
	got := ""
	w.event = ""
	w.note("waits", "for %s", d)
	w.until(w.clock.Add(d), func() bool {
		for _, e := range events {
			if w.event == e {
				got = e
			}
		}
		return got != ""
	})
	if w.left {
		return "", ivr.ErrLeft
	}
	return got, nil
}

// PlayBackground plays while a function is asked.
func (p *voice) PlayBackground(list []*prompts.Audio) (stop func()) {
	p.w.hear("played", words(list))
	return func() {}
}

// SetFlowRecording has the part with flows recorded, or not.
func (p *voice) SetFlowRecording(_ context.Context, on bool) error {
	if err := p.w.fails("SetFlowRecording"); err != nil {
		return err
	}
	p.w.note("recording", "of flows %t", on)
	return nil
}

// CallThirdParty calls somebody outside.
func (p *voice) CallThirdParty(_ context.Context, t ivr.ThirdParty) error {
	w := p.w
	if err := w.fails("CallThirdParty"); err != nil {
		return err
	}
	w.note("calls", "%s as %s, digits %q, for at most %s", t.Number, or(t.CallerNumber, "the customer"), t.Digits, t.Limit)
	c := w.call("third party")
	if err := w.ring(c, t.Limit); err != nil {
		return err
	}
	w.third = t.Number
	w.note("joined", "%s", t.Number)
	if !t.Resume {
		return nil
	}
	talks := c.Talks
	if talks == 0 {
		talks = 30
	}
	if err := w.pass(seconds(talks)); err != nil {
		return err
	}
	if c.Leaves {
		w.note("left", "the participant leaves")
		w.leave()
		return ivr.ErrLeft
	}
	w.note("back", "the third party has left")
	return nil
}

func (w *world) call(of string) Call {
	if len(w.given.ThirdParty) == 0 {
		return Call{}
	}
	return w.given.ThirdParty[w.turn(of, len(w.given.ThirdParty))]
}

func (w *world) ring(c Call, limit time.Duration) error {
	rings := c.Rings
	if rings == 0 {
		rings = 5
	}
	if c.Result == "timeout" {
		rings = limit.Seconds()
	}
	if err := w.pass(min(seconds(rings), limit)); err != nil {
		return err
	}
	switch {
	case c.Result == "timeout", seconds(rings) > limit:
		return ivr.ErrCallTimeout
	case c.Result == "failed":
		return ivr.ErrCallFailed
	}
	return nil
}

// CompleteCall calls the customer of the contact.
func (p *voice) CompleteCall(_ context.Context, caller string, limit time.Duration) error {
	if err := p.w.fails("CompleteCall"); err != nil {
		return err
	}
	p.w.note("calls", "the customer as %s", or(caller, "the queue's number"))
	return p.w.ring(p.w.call("outbound"), limit)
}

// CallAgent hands the contact to the agent.
func (p *voice) CallAgent(context.Context) error {
	if err := p.w.fails("CallAgent"); err != nil {
		return err
	}
	p.w.note("joined", "the agent")
	return nil
}

// SetHold puts somebody on hold.
func (p *voice) SetHold(_ context.Context, h ivr.HoldState) error {
	if err := p.w.fails("SetHold"); err != nil {
		return err
	}
	p.w.note("hold", "%s", h)
	return nil
}

// StartStream sends audio elsewhere.
func (p *voice) StartStream(_ context.Context, s ivr.Stream) error {
	if err := p.w.fails("StartStream"); err != nil {
		return err
	}
	p.w.note("stream", "from %t to %t %s", s.From, s.To, s.URL)
	return nil
}

// StopStream ends that.
func (p *voice) StopStream(context.Context) error {
	if err := p.w.fails("StopStream"); err != nil {
		return err
	}
	p.w.note("stream", "stopped")
	return nil
}

// Converse lets a program talk.
func (p anyone) Converse(_ context.Context, b ivr.Bot) (ivr.BotResult, error) {
	w := p.w
	w.note("bot", "%s %v", b.URL, b.Parameters)
	if len(w.given.Bots) == 0 {
		return ivr.BotResult{}, errs.New(errs.Unavailable, "the test has no bots")
	}
	a := w.given.Bots[w.turn("bot", len(w.given.Bots))]
	if err := w.pass(min(seconds(a.Takes), b.Limit)); err != nil {
		return ivr.BotResult{}, err
	}
	if a.Error != "" {
		return ivr.BotResult{}, failure{a.Error}
	}
	return ivr.BotResult{Intent: a.Intent, Attributes: a.Attributes}, nil
}

// SayText sends a message.
func (p *chat) SayText(_ context.Context, text string) error {
	if err := p.w.fails("Say"); err != nil {
		return err
	}
	p.w.hear("said", text)
	return p.w.pass(time.Millisecond)
}

// AskText sends a message and waits for what is written.
func (p *chat) AskText(_ context.Context, text string, d time.Duration) (ivr.Reply, error) {
	w := p.w
	if err := w.fails("Gather"); err != nil {
		return ivr.Reply{}, err
	}
	if text != "" {
		w.hear("asked", text)
	}
	if len(w.inbox) == 0 {
		w.answer(w.clock, w.clock.Add(d))
	}
	w.until(w.clock.Add(d), func() bool { return len(w.inbox) > 0 })
	switch {
	case w.left:
		return ivr.Reply{}, ivr.ErrLeft
	case len(w.inbox) == 0:
		w.note("silence", "nothing is written")
		return ivr.Reply{TimedOut: true}, nil
	}
	got := w.inbox[0]
	w.inbox = w.inbox[1:]
	w.note("wrote", "%s", got)
	return ivr.Reply{Text: got}, nil
}

// ShowView shows a form.
func (p *chat) ShowView(_ context.Context, v ivr.View) (ivr.ViewReply, error) {
	w := p.w
	w.hear("view", v.ID+" "+string(v.Data))
	if err := w.fails("ShowView"); err != nil {
		return ivr.ViewReply{}, err
	}
	if len(w.given.Views) == 0 {
		return ivr.ViewReply{TimedOut: true}, w.pass(v.Limit)
	}
	d := w.given.Views[w.turn("view", len(w.given.Views))]
	if d.Action == "" || seconds(d.Takes) > v.Limit {
		return ivr.ViewReply{TimedOut: true}, w.pass(v.Limit)
	}
	w.note("wrote", "%s", d.Action)
	return ivr.ViewReply{Action: d.Action, Data: d.Data}, w.pass(seconds(d.Takes))
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
