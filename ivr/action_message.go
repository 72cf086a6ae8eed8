package ivr

import (
	"context"
	"errors"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/prompts"
)

// messageParticipant plays or speaks a message to its end (Play prompt).
type messageParticipant struct{ message message }

func (a *messageParticipant) read(p *params) { a.message = readMessage(p, true) }

func (a *messageParticipant) rules() rules {
	return rules{flows: append(inboundTransferQueue(), whispers()...), next: true, pauses: true}
}

// run: a task has nobody who listens, which is no failure (A1.8).
func (a *messageParticipant) run(ctx context.Context, s *session) step {
	switch s.info().Channel {
	case contact.Task:
		return done()
	case contact.Voice:
	default:
		return a.write(ctx, s)
	}
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

func (a *messageParticipant) write(ctx context.Context, s *session) step {
	t, err := s.texter()
	if err != nil {
		return failedBy(err)
	}
	text, err := s.words(a.message)
	if err != nil {
		return failedBy(err)
	}
	if strings.TrimSpace(text) == "" {
		return done()
	}
	if err := s.interact(func() error { return t.SayText(ctx, text) }); err != nil {
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
	if err := s.only(contact.Voice); err != nil {
		return failedBy(err)
	}
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
	every := 0
	if a.every.given() {
		var ok bool
		if every, ok = wholeNumber(s.text(a.every), 1, 604_800); !ok {
			return failedBy(errors.New("ivr: InterruptFrequencySeconds is not a number of seconds"))
		}
	}
	err := s.interact(func() error { return s.participant.Repeat(ctx, list, time.Duration(every)*time.Second) })
	if err != nil {
		return s.failure(ctx, err)
	}
	return result(messagesInterrupted)
}
