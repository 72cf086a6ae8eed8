package app

import (
	"context"
	"time"

	"ullim/internal/call"
	"ullim/internal/events"
	"ullim/ivr"
	"ullim/media"
)

var (
	_ ivr.FlowRecorder   = voice{}
	_ call.HeardRecorder = plane{}
)

// SetFlowRecording has the part with flows recorded from here on, or not.
func (v voice) SetFlowRecording(_ context.Context, on bool) error {
	return left(v.c.SetHeardRecording(on))
}

// RecordHeard records what somebody says, and what is said to them.
func (p plane) RecordHeard(contactID, key string, m call.Media) (call.Recording, error) {
	list := sessions([]call.Media{m})
	if len(list) != 1 {
		return nil, call.ErrLeft
	}
	if err := p.room(); err != nil {
		return nil, err
	}
	rec, err := p.Plane.RecordHeard(media.RecordOptions{
		ContactID: contactID, Key: key,
		OnFailed: func(err error) {
			p.events.Record(events.Event{
				At: time.Now(), Kind: "recording", ContactID: contactID, Detail: "of the flow failed, the call goes on: " + err.Error(),
			})
		},
	}, list[0])
	if err != nil {
		return nil, err
	}
	return tape{rec}, nil
}
