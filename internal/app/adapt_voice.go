package app

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
)

// voice lets a contact flow talk to a person on the phone: ivr.Participant on a call.Control.
type voice struct {
	c    *call.Control
	out  *outside     // nil: nothing outside can be reached
	busy *atomic.Bool // something is played while the flow waits
}

var _ ivr.Participant = voice{}

// Say plays audio to the end.
func (v voice) Say(ctx context.Context, a *prompts.Audio) error {
	done, err := v.c.Start([]call.Audio{a}, false)
	if err != nil {
		return ivr.ErrLeft
	}
	return v.wait(ctx, done, nil)
}

// Repeat plays a list in a loop, for at most d if d > 0.
func (v voice) Repeat(ctx context.Context, list []*prompts.Audio, d time.Duration) error {
	audio := make([]call.Audio, len(list))
	for i, a := range list {
		audio[i] = a
	}
	done, err := v.c.Start(audio, true)
	if err != nil {
		return ivr.ErrLeft
	}
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	return v.wait(ctx, done, over)
}

// wait is until the audio or the time is over, or the person is gone.
func (v voice) wait(ctx context.Context, done <-chan struct{}, over <-chan time.Time) error {
	select {
	case <-done:
		if ctx.Err() != nil {
			return ivr.ErrLeft
		}
		return nil
	case <-over:
		v.c.StopPlay()
		return nil
	case <-ctx.Done():
		return ivr.ErrLeft
	}
}

// Gather plays a prompt and collects keys. Keys pressed earlier and not yet read count first, across actions and flows.
func (v voice) Gather(ctx context.Context, g ivr.Gather) (ivr.Gathered, error) {
	if g.Secret {
		if err := v.c.SetSecret(true); err != nil {
			return ivr.Gathered{}, ivr.ErrLeft
		}
		defer func() { _ = v.c.SetSecret(false) }()
	}
	var prompt <-chan struct{}
	if g.Prompt != nil && len(v.c.Digits()) == 0 {
		done, err := v.c.Start([]call.Audio{g.Prompt}, false)
		if err != nil {
			return ivr.Gathered{}, ivr.ErrLeft
		}
		prompt = done
	}
	wait := time.NewTimer(g.FirstDigit)
	defer wait.Stop()
	if prompt != nil {
		wait.Stop()
	}
	digits := ""
	for {
		select {
		case <-ctx.Done():
			return ivr.Gathered{}, ivr.ErrLeft
		case <-prompt:
			prompt = nil
			if ctx.Err() != nil {
				return ivr.Gathered{}, ivr.ErrLeft
			}
			if digits == "" {
				wait.Reset(g.FirstDigit)
			}
		case <-wait.C:
			return ivr.Gathered{Digits: digits, TimedOut: digits == ""}, nil
		case d := <-v.c.Digits():
			if prompt != nil { // barge-in
				v.c.StopPlay()
				prompt = nil
			}
			over := false
			if digits, over = press(digits, d, g); over {
				return ivr.Gathered{Digits: digits}, nil
			}
			wait.Reset(g.Interdigit)
		}
	}
}

// press adds a key to what was typed and tells whether the input is over.
func press(digits string, d byte, g ivr.Gather) (string, bool) {
	if g.CancelKey != 0 && d == g.CancelKey {
		return "", false
	}
	digits += string(d)
	if g.Terminator != "" && strings.HasSuffix(digits, g.Terminator) {
		return strings.TrimSuffix(digits, g.Terminator), true
	}
	return digits, g.Max > 0 && len(digits) >= g.Max
}

// Queue hands the contact to its target queue.
func (v voice) Queue(ctx context.Context) error {
	err := v.c.Enqueue(ctx)
	if err != nil && errs.KindOf(err) == errs.Internal {
		return ivr.ErrLeft
	}
	return err
}

// Hangup has nothing to do: the call ends when the flow says that it disconnected.
func (v voice) Hangup(context.Context) {}

// flowContact is what a flow sees and changes of its contact: ivr.Contact on a call.Control.
type flowContact struct {
	c       *call.Control
	dir     *directory
	out     *outside
	related relations
}

var _ ivr.Contact = flowContact{}

// Info is the contact as it is now.
func (f flowContact) Info() ivr.Info {
	s := f.c.Snapshot()
	r := s.Record
	info := ivr.Info{
		ContactID: r.ID, InitialContactID: r.InitialContactID, PreviousContactID: r.PreviousContactID,
		InstanceID: r.InstanceID, InstanceARN: resource.ARN(r.InstanceID, resource.KindInstance, r.InstanceID), Channel: r.Channel,
		InitiationMethod: r.InitiationMethod, Customer: r.CustomerEndpoint, System: r.SystemEndpoint,
		Language: s.Voice.Language, Voice: s.Voice.Name, Attributes: r.Attributes, SIPHeaders: s.Headers,
	}
	known(&info, s)
	info.MediaStream = f.out.mediaStream(f.c.CustomerLine())
	if info.Language == "" {
		info.Language = f.dir.language(r.InstanceID)
	}
	if s.Target.ID != "" {
		if q, err := f.dir.queue(r.InstanceID, s.Target.ID); err == nil {
			info.Queue = &q
		}
	}
	id := f.c.Agent()
	if id == "" && r.Agent != nil {
		id = r.Agent.ID
	}
	if id != "" {
		a := f.dir.agent(r.InstanceID, id)
		info.Agent = &a
	}
	return info
}

// SetAttributes adds attributes, all or nothing.
func (f flowContact) SetAttributes(_ context.Context, set map[string]string) error {
	return left(f.c.SetAttributes(set))
}

// SetTargetQueue chooses the queue.
func (f flowContact) SetTargetQueue(_ context.Context, q ivr.QueueRef) error {
	return left(f.c.SetTarget(call.TargetQueue{ID: q.ID, Name: q.Name}))
}

// SetHook chooses the flow for a place in the call.
func (f flowContact) SetHook(_ context.Context, h ivr.Hook, flowID string) error {
	if k, ok := hookKinds()[h]; ok {
		return left(f.c.SetHook(k, flowID))
	}
	return ivr.ErrNotSupported
}

// hookKinds are the places of a call at which a flow may be chosen.
func hookKinds() map[ivr.Hook]call.FlowKind {
	return map[ivr.Hook]call.FlowKind{
		ivr.HookCustomerQueue: call.FlowCustomerQueue, ivr.HookCustomerWhisper: call.FlowCustomerWhisper,
		ivr.HookAgentWhisper: call.FlowAgentWhisper, ivr.HookCustomerRemaining: call.FlowDisconnect,
		ivr.HookCustomerHold: call.FlowCustomerHold, ivr.HookAgentHold: call.FlowAgentHold,
	}
}

// SetRecording chooses whether the talk is recorded: one file with both sides, or none.
func (f flowContact) SetRecording(_ context.Context, agent, customer bool) error {
	return left(f.c.SetRecording(agent || customer))
}

// SetVoice chooses voice and language.
func (f flowContact) SetVoice(_ context.Context, name, language string) error {
	return left(f.c.SetVoice(call.Voice{Name: name, Language: language}))
}

// left translates the call's word for "gone" to the flow's.
func left(err error) error {
	if err != nil && errs.KindOf(err) == errs.Internal {
		return ivr.ErrLeft
	}
	return err
}
