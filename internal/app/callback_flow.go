package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
)

// jobCallbackFlow is the kind of the job that runs the flow with which a callback begins, and makes the callback.
const jobCallbackFlow = "contact.callback.flow"

// callbackFlowTime is how long such a flow may take: there is nobody to listen to it, so it only looks things up.
const callbackFlowTime = 2 * time.Minute

// callbackFlow is what the job remembers. The callback is due when its flow hands it to a queue.
type callbackFlow struct {
	FlowID   string
	Callback callbackJob
	Target   call.TargetQueue // of who asked: the flow may choose another one
}

// begins stores a callback that begins with a flow; the initial delay is not counted (A1.6).
func (c *callbacks) begins(ctx context.Context, key, flowID string, p callbackJob) error {
	f, err := c.engine.Flows.Published(ctx, p.InstanceID, flowID)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(callbackFlow{FlowID: f.ID, Callback: p, Target: p.Queue})
	if err != nil {
		return err
	}
	return c.store.Enqueue(ctx, jobs.Job{Kind: jobCallbackFlow, Key: key, Payload: payload, Due: time.Now()})
}

// handleFlow runs the flow. A process that dies in it runs it again from its start; the callback is made once, because its key
// is that of this job.
func (c *callbacks) handleFlow(ctx context.Context, j jobs.Job) error {
	var p callbackFlow
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	flow, err := c.engine.Flows.Published(ctx, p.Callback.InstanceID, p.FlowID)
	if errs.Is(err, errs.NotFound) {
		return jobs.Permanent(err)
	}
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, callbackFlowTime)
	defer cancel()
	person := &planned{c: c, id: attemptID(j.Key, 0), job: p.Callback}
	out, err := c.engine.Run(limited, ivr.Run{Flow: flow, Participant: plannedPerson{person}, Contact: person})
	log := c.log.With("contact_id", person.id, "flow", flow.Name)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if out != ivr.Queued {
		log.Info("callback is over: its flow has put it in no queue", "outcome", string(out), "error", err)
		return nil
	}
	person.job.Since = time.Now()
	payload, err := json.Marshal(person.job)
	if err != nil {
		return err
	}
	err = c.store.Enqueue(ctx, jobs.Job{Kind: jobCallback, Key: j.Key, Payload: payload, Due: time.Now()})
	if err != nil && !errs.Is(err, errs.Duplicate) {
		return err
	}
	c.wake()
	log.LogAttrs(ctx, slog.LevelDebug, "callback is in line")
	return nil
}

// planned is the contact that a callback will be: ivr.Contact on a job. Nobody is on the line.
type planned struct {
	c   *callbacks
	id  string
	job callbackJob
}

// plannedPerson is the customer, whom nobody has called yet: what needs them takes its error branch.
type plannedPerson struct{ p *planned }

var (
	_ ivr.Contact     = (*planned)(nil)
	_ ivr.Participant = plannedPerson{}
)

var errNobody = errors.Join(errors.New("the customer has not been called yet"), ivr.ErrNotSupported)

// Say is not for nobody.
func (plannedPerson) Say(context.Context, *prompts.Audio) error { return errNobody }

// Repeat is not for nobody.
func (plannedPerson) Repeat(context.Context, []*prompts.Audio, time.Duration) error { return errNobody }

// Gather is not for nobody.
func (plannedPerson) Gather(context.Context, ivr.Gather) (ivr.Gathered, error) {
	return ivr.Gathered{}, errNobody
}

// Queue puts the callback in line.
func (w plannedPerson) Queue(context.Context) error {
	if w.p.job.Queue.ID == "" {
		return errs.New(errs.InvalidRequest, "no queue is chosen")
	}
	return nil
}

// Hangup has nothing to do.
func (plannedPerson) Hangup(context.Context) {}

// Info is what is known of the callback.
func (p *planned) Info() ivr.Info {
	j := &p.job
	number := contact.TelephoneNumber
	info := ivr.Info{
		ContactID: p.id, InitialContactID: j.Initial, PreviousContactID: j.From, InstanceID: j.InstanceID,
		InstanceARN: resource.ARN(j.InstanceID, resource.KindInstance, j.InstanceID), Channel: contact.Voice,
		InitiationMethod: contact.Callback, Customer: contact.Endpoint{Type: number, Address: j.Number},
		System: contact.Endpoint{Type: number, Address: j.FromNumber}, Language: p.c.dir.language(j.InstanceID),
		Attributes: maps.Clone(j.Attributes), CallbackNumber: j.Number,
	}
	if q, err := p.c.dir.queue(j.InstanceID, j.Queue.ID); err == nil {
		info.Queue = &q
	}
	return info
}

// SetAttributes adds attributes.
func (p *planned) SetAttributes(_ context.Context, set map[string]string) error {
	all, err := withAttributes(p.job.Attributes, set)
	if err == nil {
		p.job.Attributes = all
	}
	return err
}

// SetTargetQueue chooses the queue.
func (p *planned) SetTargetQueue(_ context.Context, q ivr.QueueRef) error {
	p.job.Queue = call.TargetQueue{ID: q.ID, Name: q.Name}
	return nil
}

// SetHook chooses a flow for a place in the call.
func (p *planned) SetHook(_ context.Context, h ivr.Hook, flowID string) error {
	kind, ok := hookKinds()[h]
	if !ok {
		return ivr.ErrNotSupported
	}
	if p.job.Hooks == nil {
		p.job.Hooks = map[call.FlowKind]string{}
	}
	p.job.Hooks[kind] = flowID
	return nil
}

// SetRecording chooses whether the talk is recorded.
func (p *planned) SetRecording(_ context.Context, agent, customer bool) error {
	p.job.Record = agent || customer
	return nil
}

// SetVoice has nobody to speak to.
func (p *planned) SetVoice(context.Context, string, string) error { return nil }

// Update changes number and place in line; the rest has no contact yet.
func (p *planned) Update(_ context.Context, u ivr.Update) error {
	if u.Data != nil || len(u.Tag)+len(u.Untag) > 0 {
		return ivr.ErrNotSupported
	}
	var steps []call.RoutingStep
	for _, s := range u.Criteria {
		steps = append(steps, call.RoutingStep{Expression: s.Expression, Expiry: s.Expiry})
	}
	if _, err := criteriaOf(steps); err != nil {
		return err
	}
	if u.CallbackNumber != "" {
		p.job.Number = u.CallbackNumber
	}
	if u.Priority != nil {
		p.job.Rank.Priority = *u.Priority
	}
	if u.AgeAdjustment != nil {
		p.job.Rank.AgeAdjustment = *u.AgeAdjustment
	}
	if len(steps) > 0 {
		p.job.Rank.Steps = steps
	}
	return nil
}
