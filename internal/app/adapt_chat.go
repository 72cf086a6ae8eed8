package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/internal/view"
	"ullim/ivr"
	"ullim/prompts"
)

// reader lets a contact flow talk to somebody who reads and writes: ivr.Participant on a chat.Control. On a task nobody
// does: messages have no effect there, questions are not supported.
type reader struct {
	c     *chat.Control
	views view.Store
}

var (
	_ ivr.Participant = reader{}
	_ ivr.Texter      = reader{}
	_ ivr.Waiter      = reader{}
	_ ivr.Requeuer    = reader{}
	_ ivr.KeyDropper  = reader{}
)

func (r reader) task() bool { return r.c.Snapshot().Channel == contact.Task }

// Say has no sound to play: prompts are for voice.
func (r reader) Say(context.Context, *prompts.Audio) error {
	if r.task() {
		return nil
	}
	return ivr.ErrNotSupported
}

// Repeat is for voice.
func (r reader) Repeat(context.Context, []*prompts.Audio, time.Duration) error {
	return ivr.ErrNotSupported
}

// Gather takes what is written next as keys.
func (r reader) Gather(ctx context.Context, g ivr.Gather) (ivr.Gathered, error) {
	reply, err := r.AskText(ctx, "", g.FirstDigit)
	if err != nil || reply.TimedOut {
		return ivr.Gathered{TimedOut: reply.TimedOut}, err
	}
	typed := strings.TrimSpace(reply.Text)
	if g.Terminator != "" {
		typed = strings.TrimSuffix(typed, g.Terminator)
	}
	if strings.Trim(typed, "0123456789*#") != "" || g.Max > 0 && len(typed) > g.Max {
		return ivr.Gathered{}, errs.New(errs.InvalidRequest, "what was written is not up to %d keys", g.Max)
	}
	return ivr.Gathered{Digits: typed}, nil
}

// SayText writes a message, in as many parts as its length needs.
func (r reader) SayText(ctx context.Context, text string) error {
	for _, part := range parts(text, chat.MaxText) {
		if err := gone(r.c.Say(ctx, part, chat.Plain)); err != nil {
			return err
		}
	}
	return nil
}

// parts cuts a text into pieces of at most most characters, where there is a space if there is one.
func parts(text string, most int) []string {
	var out []string
	for text = strings.TrimSpace(text); text != ""; {
		if utf8.RuneCountInString(text) <= most {
			return append(out, text)
		}
		cut, n := 0, 0
		for i := range text {
			if n == most {
				cut = i
				break
			}
			n++
		}
		if space := strings.LastIndexAny(text[:cut], " \n\t"); space > cut/2 {
			cut = space
		}
		out = append(out, strings.TrimSpace(text[:cut]))
		text = strings.TrimSpace(text[cut:])
	}
	return out
}

// AskText writes a message and waits for an answer.
func (r reader) AskText(ctx context.Context, text string, d time.Duration) (ivr.Reply, error) {
	if r.task() {
		return ivr.Reply{}, ivr.ErrNotSupported
	}
	if err := r.SayText(ctx, text); err != nil {
		return ivr.Reply{}, err
	}
	answer, ok, err := r.c.Next(ctx, d)
	if err != nil {
		return ivr.Reply{}, ivr.ErrLeft
	}
	return ivr.Reply{Text: answer.Text, TimedOut: !ok}, nil
}

// Wait lets time pass, until the customer comes back or the last bot leaves if that is asked for.
func (r reader) Wait(ctx context.Context, d time.Duration, events []string) (string, error) {
	const returned, botGone = "CustomerReturned", "BotParticipantDisconnected"
	w := chat.Await{Returned: slices.Contains(events, returned), BotGone: slices.Contains(events, botGone)}
	switch {
	case r.task() && len(events) > 0:
		return "", errs.New(errs.NotFound, "a task has no participants")
	case w.BotGone && !r.c.HasBot():
		return "", errs.New(errs.NotFound, "no bot is in the chat")
	}
	got, err := r.c.Wait(ctx, d, w)
	switch {
	case err != nil:
		return "", ivr.ErrLeft
	case got.Returned:
		return returned, nil
	case got.BotGone:
		return botGone, nil
	}
	return "", nil
}

// Queue hands the contact to its target queue.
func (r reader) Queue(ctx context.Context) error { return gone(r.c.Queue(ctx, chat.Queue{})) }

// Requeue moves a waiting contact to another queue.
func (r reader) Requeue(ctx context.Context, q ivr.QueueRef) error {
	return gone(r.c.Requeue(ctx, chat.Queue{ID: q.ID, Name: q.Name}))
}

// DropKeys forgets what was written before anybody asked.
func (r reader) DropKeys() { r.c.Forget() }

// rehydrateAll is the word for the whole past of a chat.
const rehydrateAll = "ENTIRE_PAST_SESSION"

// Hangup has nothing to do: the contact ends when the flow says that it disconnected.
func (r reader) Hangup(context.Context) {}

// gone translates the chat's word for "gone" to the flow's.
func gone(err error) error {
	if err != nil && (chat.Gone(err) || errors.Is(err, context.Canceled)) {
		return ivr.ErrLeft
	}
	return err
}

// chatContact is what a flow sees and changes of its contact: ivr.Contact on a chat.Control.
type chatContact struct {
	c       *chat.Control
	dir     *directory
	related relations
}

var (
	_ ivr.Contact    = chatContact{}
	_ ivr.Persistent = chatContact{}
)

// Info is the contact as it is now.
func (f chatContact) Info() ivr.Info {
	s := f.c.Snapshot()
	r := &s.Record
	info := ivr.Info{
		ContactID: r.ID, InitialContactID: s.ID, PreviousContactID: r.PreviousContactID,
		InstanceID: r.InstanceID, InstanceARN: resource.ARN(r.InstanceID, resource.KindInstance, r.InstanceID), Channel: r.Channel,
		InitiationMethod: r.InitiationMethod, Customer: r.CustomerEndpoint, System: r.SystemEndpoint, Language: s.Language,
		Attributes: maps.Clone(r.Attributes), Name: r.Name, Description: r.Description, CustomerID: r.CustomerID,
		Tags: maps.Clone(r.Tags), Logging: s.Logging,
	}
	if len(r.References) > 0 {
		info.References = make(map[string]ivr.Reference, len(r.References))
		for k, v := range r.References {
			info.References[k] = ivr.Reference{Type: v.Type, Value: v.Value}
		}
	}
	if info.Language == "" {
		info.Language = f.dir.language(r.InstanceID)
	}
	if s.Target.ID != "" {
		if q, err := f.dir.queue(r.InstanceID, s.Target.ID); err == nil {
			info.Queue = &q
		}
	}
	if r.Agent != nil {
		a := f.dir.agent(r.InstanceID, r.Agent.ID)
		info.Agent = &a
	}
	return info
}

func (f chatContact) update(ctx context.Context, change func(*chat.State) error) error {
	return gone(f.c.Update(ctx, change))
}

// SetAttributes adds attributes, all or nothing.
func (f chatContact) SetAttributes(ctx context.Context, set map[string]string) error {
	return f.update(ctx, func(s *chat.State) error {
		all, err := withAttributes(s.Record.Attributes, set)
		if err == nil {
			s.Record.Attributes = all
		}
		return err
	})
}

// SetTargetQueue chooses the queue.
func (f chatContact) SetTargetQueue(ctx context.Context, q ivr.QueueRef) error {
	return f.update(ctx, func(s *chat.State) error {
		s.Target = chat.Queue{ID: q.ID, Name: q.Name}
		return nil
	})
}

// SetHook chooses the flow for a place in the contact's life. Places to which no chat comes are remembered by nobody.
func (f chatContact) SetHook(ctx context.Context, h ivr.Hook, flowID string) error {
	kinds := map[ivr.Hook]chat.FlowKind{
		ivr.HookCustomerQueue: chat.FlowCustomerQueue, ivr.HookCustomerWhisper: chat.FlowCustomerWhisper,
		ivr.HookAgentWhisper: chat.FlowAgentWhisper, ivr.HookCustomerRemaining: chat.FlowDisconnect,
		ivr.HookPauseContact: chat.FlowPause, ivr.HookResumeContact: chat.FlowResume,
	}
	kind, ok := kinds[h]
	if !ok {
		return ivr.ErrNotSupported
	}
	return f.update(ctx, func(s *chat.State) error {
		if s.Hooks == nil {
			s.Hooks = map[chat.FlowKind]string{}
		}
		s.Hooks[kind] = flowID
		return nil
	})
}

// SetRecording has no effect: what is written is always kept.
func (f chatContact) SetRecording(context.Context, bool, bool) error { return nil }

// SetVoice chooses the language; there is no voice (A1.8: no effect, and no error).
func (f chatContact) SetVoice(ctx context.Context, _, language string) error {
	if language == "" {
		return nil
	}
	return f.update(ctx, func(s *chat.State) error {
		s.Language = language
		return nil
	})
}

// Update changes what else flows can change of a contact, all or nothing.
func (f chatContact) Update(ctx context.Context, u ivr.Update) error {
	if u.CallbackNumber != "" {
		return ivr.ErrNotSupported
	}
	var steps []chat.RoutingStep
	for _, c := range u.Criteria {
		steps = append(steps, chat.RoutingStep{Expression: c.Expression, Expiry: c.Expiry})
	}
	if _, err := criteriaOf(stepsOf(chat.Routing{Steps: steps})); err != nil {
		return err
	}
	return f.update(ctx, func(s *chat.State) error {
		if u.Data != nil {
			setData(&s.Record, &s.Language, u.Data)
		}
		if err := setTags(&s.Record, u); err != nil {
			return err
		}
		if u.Priority != nil {
			s.Routing.Priority = *u.Priority
		}
		if u.AgeAdjustment != nil {
			s.Routing.AgeAdjustment = *u.AgeAdjustment
		}
		if len(steps) > 0 {
			s.Routing.Steps = steps
		}
		if u.Logging != nil {
			on := *u.Logging
			s.Logging = &on
		}
		return nil
	})
}

// setData sets what describes a contact.
func setData(r *contact.Record, language *string, d *ivr.ContactData) {
	for _, m := range []struct{ to, from *string }{
		{&r.Name, d.Name}, {&r.Description, d.Description}, {&r.CustomerID, d.CustomerID}, {language, d.Language},
	} {
		if m.from != nil {
			*m.to = *m.from
		}
	}
	for k, v := range d.References {
		if r.References == nil {
			r.References = map[string]contact.Reference{}
		}
		r.References[k] = contact.Reference{Type: v.Type, Value: v.Value}
	}
}

// setTags adds and removes tags.
func setTags(r *contact.Record, u ivr.Update) error {
	tags := maps.Clone(r.Tags)
	for _, k := range u.Untag {
		delete(tags, k)
	}
	for k, v := range u.Tag {
		if tags == nil {
			tags = map[string]string{}
		}
		tags[k] = v
	}
	if len(tags) > maxContactTags {
		return errs.New(errs.Limit, "a contact has at most %d tags", maxContactTags)
	}
	r.Tags = tags
	return nil
}

// Associate lets the chat go on from an earlier one.
func (f chatContact) Associate(ctx context.Context, rehydration, source string) error {
	return gone(f.c.Associate(ctx, source, rehydration == rehydrateAll))
}

// maxContactTags is how many tags a contact has at most (A3).
const maxContactTags = 6
