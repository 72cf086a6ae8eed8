package app

import (
	"ullim/internal/call"
	"ullim/ivr"
	"ullim/prompts"
)

var (
	_ ivr.KeyDropper = voice{}
	_ ivr.Background = voice{}
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
