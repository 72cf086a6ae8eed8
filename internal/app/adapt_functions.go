package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/prompts"
)

// jobFunction is the kind of the job that an asynchronous call of a function is.
const jobFunction = "function.invoke"

// Bounds of asynchronous calls, as in AWS Lambda: nobody waits for them.
const (
	asyncTime = 30 * time.Second // of one job's attempts
	asyncAge  = 6 * time.Hour    // after that it is given up
)

// backgroundAfter is how long somebody waits in silence before they hear something.
const backgroundAfter = time.Second

var (
	_ ivr.Functions  = (*outside)(nil)
	_ ivr.Background = voice{}
)

// functionJob is what an asynchronous call remembers.
type functionJob struct {
	InstanceID, ContactID, Ref, Delivery string
	Event                                json.RawMessage
	Since                                time.Time
}

// Invoke calls a function for a flow: ivr.Functions.
func (o *outside) Invoke(ctx context.Context, f ivr.Function) (json.RawMessage, error) {
	if f.Async {
		return nil, o.later(ctx, f)
	}
	answer, err := o.invoke(ctx, f, uuid.NewString())
	o.told(ctx, f, err)
	switch {
	case err == nil:
		return answer, nil
	case errs.Is(err, errs.NotFound):
		return nil, err
	}
	// Without its cause, which may tell what is inside: it is in the log, and the run of a flow is the tenant's to read.
	return nil, errs.New(errs.Unavailable, "the function failed: %s", webhook.OutcomeOf(err))
}

func (o *outside) invoke(ctx context.Context, f ivr.Function, delivery string) (json.RawMessage, error) {
	x, err := o.index(ctx, f.InstanceID)
	if err != nil {
		return nil, err
	}
	target, err := x.Find(f.Ref)
	if err != nil {
		return nil, err
	}
	secrets, header, err := o.opened(target.Function)
	if err != nil {
		return nil, err
	}
	d := webhook.Delivery{
		ID: delivery, InstanceID: f.InstanceID, URL: target.URL, Secrets: secrets, Header: header, Body: f.Event, Limit: f.Limit,
	}
	if fn := target.Function; fn != nil && !f.Async {
		if fn.Timeout > 0 {
			d.Limit = min(d.Limit, fn.Timeout)
		}
		defer o.passTime(ctx, f.InstanceID, fn.HoldAudio)()
	}
	a, err := o.hooks.Post(ctx, d)
	if err != nil || f.Async {
		return nil, err
	}
	return webhook.CheckAnswer(a.Body, a.Status)
}

// told counts how a call came out, and logs one that failed. Of the URL only the host is logged: the rest may be secret.
func (o *outside) told(ctx context.Context, f ivr.Function, err error) {
	outcome := webhook.OutcomeOf(err)
	if n := o.outcomes[outcome]; n != nil {
		n.Add(1)
	}
	if err == nil {
		return
	}
	ref := f.Ref
	if u, parseErr := url.Parse(ref); parseErr == nil && u.Host != "" {
		ref = u.Host
	}
	o.log.WarnContext(ctx, "function failed", "contact_id", f.ContactID, "function", ref, "outcome", string(outcome), "error", err)
}

// later stores an asynchronous call; a job makes it.
func (o *outside) later(ctx context.Context, f ivr.Function) error {
	x, err := o.index(ctx, f.InstanceID)
	if err != nil {
		return err
	}
	if _, err = x.Find(f.Ref); err != nil {
		o.told(ctx, f, err)
		return err
	}
	j := functionJob{InstanceID: f.InstanceID, ContactID: f.ContactID, Ref: f.Ref, Event: f.Event, Delivery: uuid.NewString(), Since: time.Now()}
	payload, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err = o.queue.Enqueue(ctx, jobs.Job{Kind: jobFunction, Key: j.Delivery, Payload: payload, Due: time.Now()}); err != nil {
		return err
	}
	o.runner.Wake()
	return nil
}

// handle makes an asynchronous call.
func (o *outside) handle(ctx context.Context, j jobs.Job) error {
	var p functionJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	f := ivr.Function{InstanceID: p.InstanceID, ContactID: p.ContactID, Ref: p.Ref, Event: p.Event, Limit: asyncTime, Async: true}
	_, err := o.invoke(ctx, f, p.Delivery)
	if webhook.OutcomeOf(err) == webhook.TooLarge { // it has taken the event; nobody reads what it says
		err = nil
	}
	o.told(ctx, f, err)
	_, tried := errors.AsType[*webhook.Failure](err)
	if err == nil || (!tried || webhook.Passing(err)) && !errs.Is(err, errs.NotFound) && time.Since(p.Since) < asyncAge {
		return err
	}
	return jobs.Permanent(err)
}

// voiceKey finds the person that a flow talks to in the context of what the flow calls.
type voiceKey struct{}

func withVoice(ctx context.Context, v voice) context.Context {
	return context.WithValue(ctx, voiceKey{}, v)
}

// passTime lets the person on the phone hear what a function is set to, unless the flow plays something itself.
func (o *outside) passTime(ctx context.Context, instanceID, what string) (stop func()) {
	v, ok := ctx.Value(voiceKey{}).(voice)
	if !ok || what == webhook.HoldSilence || v.busy.Load() || !v.c.OfCustomer() {
		return func() {}
	}
	if what == webhook.HoldMusic {
		return v.background(o.sounds(call.SoundHold))
	}
	language := v.c.Snapshot().Voice.Language
	if language == "" {
		language = o.dir.language(instanceID)
	}
	a, err := o.prompts.Prompt(ctx, instanceID, what, language)
	if err != nil || a.Length == 0 {
		o.log.WarnContext(ctx, "nothing to play while waiting", "prompt", what, "error", err)
		return func() {}
	}
	return v.background([]call.Audio{a})
}

// PlayBackground plays something while the flow waits for somebody else: ivr.Background. Who is answered within a second
// hears nothing of it.
func (v voice) PlayBackground(list []*prompts.Audio) (stop func()) {
	audio := make([]call.Audio, len(list))
	for i, a := range list {
		audio[i] = a
	}
	return v.background(audio)
}

func (v voice) background(list []call.Audio) (stop func()) {
	v.busy.Store(true)
	var mu sync.Mutex
	stopped, playing := false, false
	t := time.AfterFunc(backgroundAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			_, err := v.c.Start(list, true)
			playing = err == nil
		}
	})
	return func() {
		t.Stop()
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		if playing {
			v.c.StopPlay()
		}
		v.busy.Store(false)
	}
}
