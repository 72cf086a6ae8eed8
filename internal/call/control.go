package call

import (
	"context"
	"errors"
	"sync"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// ErrLeft says that the person a flow talks to is gone, or that another flow has taken over.
var ErrLeft = errors.New("call: participant has left")

// Control is a flow's hand on its call. It belongs to one flow and one person; when that flow is ended, every method
// gives ErrLeft at once. Its methods are called from the flow's goroutine and may block it, never the call.
type Control struct {
	actor  *actor
	gen    int
	who    int
	kind   FlowKind
	media  Media
	ctx    context.Context //nolint:containedctx // a Control is the flow's run, and lives exactly as long
	cancel context.CancelFunc

	playing sync.Mutex // of media and ended: between a late Start and the flow that comes after
	ended   bool
}

// Snapshot is the contact as it is now.
func (c *Control) Snapshot() *Snapshot { return c.actor.snapshot.Load() }

// Start plays a list of audio, again and again if loop is set. The channel is closed when it is over, whatever ended
// it.
func (c *Control) Start(list []Audio, loop bool) (<-chan struct{}, error) {
	c.playing.Lock()
	defer c.playing.Unlock()
	if c.ended {
		return nil, ErrLeft
	}
	done := make(chan struct{})
	if c.media == nil {
		return nil, ErrLeft
	}
	c.media.Play(list, loop, func(bool) { close(done) })
	return done, nil
}

// StopPlay ends what is played.
func (c *Control) StopPlay() {
	c.playing.Lock()
	defer c.playing.Unlock()
	if !c.ended && c.media != nil {
		c.media.StopPlay()
	}
}

// reseat lets the flow speak to another person: the one it spoke to has been transferred.
func (c *Control) reseat(media Media) {
	c.playing.Lock()
	defer c.playing.Unlock()
	c.media = media
}

// Digits gives the customer's keys in the order pressed, also those pressed before anybody asked.
func (c *Control) Digits() <-chan byte {
	switch {
	case c.who == ofCustomer:
		return c.actor.digits
	case c.kind == FlowAgentTransfer || c.kind == FlowQueueTransfer:
		return c.actor.keys
	}
	return nil
}

// Agent is the user whom the flow is about who is an agent: the one whom a transfer is for, or who hears the whisper. Empty:
// the one of the record.
func (c *Control) Agent() string {
	if c.kind == FlowAgentTransfer || c.who == ofAside {
		return c.Snapshot().Destination
	}
	return ""
}

// Enqueue puts the contact in its target queue. errs.Limit: at capacity. After nil the flow is over.
func (c *Control) Enqueue(ctx context.Context) error {
	reply := make(chan error, 1)
	return c.asked(ctx, askQueue{gen: c.gen, who: c.who, reply: reply}, reply)
}

// Move takes the contact from the queue it waits in to its target queue, as a new segment. errs.Limit: at capacity, and
// it waits where it was. After nil the flow is over.
func (c *Control) Move(ctx context.Context) error {
	reply := make(chan error, 1)
	return c.asked(ctx, askQueue{gen: c.gen, who: c.who, move: true, reply: reply}, reply)
}

// CallThirdParty joins the customer with somebody outside, and returns when they talk, or with Resume when they have
// talked. ErrCallFailed, ErrNoAnswer; errs.Denied: the instance places no calls; errs.InvalidRequest: not now.
func (c *Control) CallThirdParty(ctx context.Context, o Outcall) error {
	if inst, ok := c.actor.m.o.Instances(c.Snapshot().Record.InstanceID); !ok || !inst.Outbound {
		return errs.New(errs.Denied, "the instance places no calls")
	}
	reply := make(chan error, 1)
	return c.asked(ctx, askOutward{outwardAsked{Gen: c.gen, Outcall: o}, c.who, reply}, reply)
}

// CallAgent hands the contact to the agent whom the transfer is for. errs.Limit: busy or away; errs.InvalidRequest: this is
// no transfer to an agent. After nil the flow is over.
func (c *Control) CallAgent(ctx context.Context) error {
	reply := make(chan error, 1)
	return c.asked(ctx, askAgent{gen: c.gen, who: c.who, reply: reply}, reply)
}

// asked waits for the answer of the call.
func (c *Control) asked(ctx context.Context, e Event, reply <-chan error) error {
	if !c.actor.post(e) {
		return ErrLeft
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ErrLeft
	case <-c.actor.done:
		return ErrLeft
	}
}

// SetAttributes adds attributes to the contact, all or nothing.
func (c *Control) SetAttributes(set map[string]string) error {
	total := 0
	all := c.Snapshot().Record.Attributes
	for k, v := range all {
		if _, replaced := set[k]; !replaced {
			total += len(k) + len(v)
		}
	}
	for k, v := range set {
		total += len(k) + len(v)
	}
	if total > contact.MaxAttributeBytes {
		return errs.New(errs.Limit, "attributes would take %d bytes; at most %d are kept", total, contact.MaxAttributeBytes)
	}
	return c.change(attributesSet{Set: set})
}

// SetTarget chooses the queue for Enqueue.
func (c *Control) SetTarget(t TargetQueue) error { return c.change(targetSet{Target: t}) }

// SetHook chooses the flow for a place in the call; an empty id restores the default.
func (c *Control) SetHook(k FlowKind, flowID string) error {
	return c.change(hookSet{Kind: k, FlowID: flowID})
}

// SetRecording switches recording on or off for when an agent is joined.
func (c *Control) SetRecording(on bool) error { return c.change(recordingSet{On: on}) }

// SetData changes what is known about the contact. errs.Limit: more tags than a contact may have.
func (c *Control) SetData(d Data) error {
	if tags := merged(c.Snapshot().Record.Tags, d.Tag); len(d.Tag) > 0 {
		for _, k := range d.Untag {
			delete(tags, k)
		}
		if len(tags) > MaxTags {
			return errs.New(errs.Limit, "a contact may have %d tags, it would have %d", MaxTags, len(tags))
		}
	}
	return c.change(dataSet{Data: d})
}

// SetRouting changes the order in which the contact is served; what is zero stays.
func (c *Control) SetRouting(r Routing) error { return c.change(routingSet{Routing: r}) }

// Hold puts the customer or the agent on hold, or takes them off. errs.InvalidRequest: nobody talks.
func (c *Control) Hold(ctx context.Context, agent, on bool) error {
	who := int(c.actor.customer.Load())
	if agent {
		who = 0
		for i := range c.Snapshot().Parties {
			if p := &c.Snapshot().Parties[i]; p.Role == RoleAgent {
				who = p.ID
			}
		}
	}
	reply := make(chan error, 1)
	return c.asked(ctx, askEvent{event: holdAsked{Party: who, On: on, ByFlow: true}, reply: reply}, reply)
}

// SetVoice chooses how text is spoken from here on.
func (c *Control) SetVoice(v Voice) error { return c.change(voiceSet{Voice: v}) }

// change posts a change and waits until it is in the snapshot, so that the flow's next action sees it.
func (c *Control) change(e Event) error {
	applied := make(chan struct{})
	if c.ctx.Err() != nil || !c.actor.post(askChange{event: e, applied: applied}) {
		return ErrLeft
	}
	select {
	case <-applied:
		return nil
	case <-c.ctx.Done():
		return ErrLeft
	case <-c.actor.done:
		return ErrLeft
	}
}

// stop ends the flow: its context, and its say over the media.
func (c *Control) stop() {
	c.playing.Lock()
	c.ended = true
	c.playing.Unlock()
	c.cancel()
}
