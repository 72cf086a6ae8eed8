package app

import (
	"context"

	"ullim/internal/call"
	"ullim/ivr"
	"ullim/prompts"
)

var (
	_ ivr.KeyDropper = voice{}
	_ ivr.Background = voice{}
	_ ivr.Requeuer   = voice{}
)

// DropKeys forgets the keys that nobody has asked for.
func (v voice) DropKeys() { v.c.DropDigits() }

// PlayBackground plays a list again and again until stop is called.
func (v voice) PlayBackground(list []*prompts.Audio) (stop func()) {
	audio := make([]call.Audio, len(list))
	for i, a := range list {
		audio[i] = a
	}
	if _, err := v.c.Start(audio, true); err != nil {
		return func() {}
	}
	return v.c.StopPlay
}

// Requeue moves the contact to another queue; if that does not take it, the target queue is what it was.
func (v voice) Requeue(ctx context.Context, q ivr.QueueRef) error {
	was := v.c.Snapshot().Target
	if err := left(v.c.SetTarget(call.TargetQueue{ID: q.ID, Name: q.Name})); err != nil {
		return err
	}
	err := left(v.c.Move(ctx))
	if err != nil {
		_ = v.c.SetTarget(was)
	}
	return err
}
