package ivr

import (
	"context"
	"errors"
	"time"

	"ullim/prompts"
)

// messageParticipant plays or speaks a message to its end (Play prompt).
type messageParticipant struct{ message message }

func (a *messageParticipant) read(p *params) { a.message = readMessage(p, true) }

func (a *messageParticipant) rules() rules {
	return rules{flows: append(inboundTransferQueue(), whispers()...), next: true, pauses: true}
}

func (a *messageParticipant) run(ctx context.Context, s *session) step {
	audio, err := s.audio(ctx, a.message)
	if err != nil {
		return s.failure(ctx, err)
	}
	if audio == nil { // an attribute that is empty: nothing to say is said
		return done()
	}
	if err := s.interact(func() error { return s.participant.Say(ctx, audio) }); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// messagesInterrupted is the result of messageIteratively when its time has passed.
const messagesInterrupted = "MessagesInterrupted"

// messageIteratively plays a list again and again, for a time or for ever (Loop prompts).
type messageIteratively struct {
	messages []message
	every    value // seconds
}

func (a *messageIteratively) read(p *params) {
	for _, item := range p.items("Messages") {
		a.messages = append(a.messages, readMessage(item, true))
	}
	if len(a.messages) == 0 {
		p.problem("Messages", "needs at least one message")
	}
	a.every = p.numberOrPath("InterruptFrequencySeconds", 1, 604_800)
}

func (a *messageIteratively) rules() rules {
	return rules{
		flows: append(holds(), TypeCustomerQueue), pauses: true,
		conditions: func(w *wiring) {
			if a.every.given() {
				w.exactly(messagesInterrupted)
			} else {
				w.amongst(messagesInterrupted)
			}
		},
	}
}

func (a *messageIteratively) run(ctx context.Context, s *session) step {
	var list []*prompts.Audio
	var bad []error
	for _, m := range a.messages {
		audio, err := s.audio(ctx, m)
		switch {
		case err != nil && s.left(ctx, err):
			return ended(Left)
		case err != nil: // the rest of the list is better than silence
			s.log.WarnContext(ctx, "flow message skipped", "action_id", s.node.ID, "error", err)
			bad = append(bad, err)
		case audio != nil && audio.Length > 0:
			list = append(list, audio)
		}
	}
	if len(list) == 0 {
		return failedBy(errors.Join(append(bad, errors.New("ivr: none of the messages can be played"))...))
	}
	seconds := 0
	if a.every.given() {
		var ok bool
		if seconds, ok = wholeNumber(s.text(a.every), 1, 604_800); !ok {
			return failedBy(errors.New("ivr: InterruptFrequencySeconds is not a number of seconds"))
		}
	}
	err := s.interact(func() error { return s.participant.Repeat(ctx, list, time.Duration(seconds)*time.Second) })
	if err != nil {
		return s.failure(ctx, err)
	}
	return result(messagesInterrupted)
}
