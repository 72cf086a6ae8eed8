package chat

import (
	"context"
	"time"

	"ullim/internal/errs"
)

// Processor is a function that messages of customers and agents go through before anybody reads them.
type Processor struct {
	Function    string `json:"function"`
	Unprocessed bool   `json:"unprocessed,omitempty"` // say messages as they are when the function fails
}

// processed is what a participant's message becomes. It is asked for before the message is in the chat, so that nothing that
// a function is to take out is ever stored.
func (m *Manager) processed(ctx context.Context, w Who, content, contentType string) (newContent, newType string, err error) {
	if w.a == nil {
		return content, contentType, nil // the chat has ended: that is said later
	}
	s := w.a.snap.Load()
	p := s.Participant(w.ParticipantID)
	if s.Processor == nil || p == nil || p.Role != Customer && p.Role != Agent || contentType == InteractiveResponse {
		return content, contentType, nil
	}
	if err = CheckMessage(contentType, content); err != nil {
		return "", "", err
	}
	if m.o.Process == nil {
		err = errs.New(errs.Unavailable, "there are no functions")
	} else {
		newContent, newType, err = m.o.Process(ctx, s, *s.Processor, Item{
			ID: m.o.NewID(), AbsoluteTime: Time{time.Now()}, Content: content, ContentType: contentType, ParticipantID: p.ID,
			ParticipantRole: p.Role, DisplayName: p.DisplayName, ContactID: s.Record.ID, InitialContactID: s.ID,
		})
	}
	switch {
	case err == nil:
		return newContent, newType, nil
	case errs.Is(err, errs.Denied): // the function does not want it to be said
		m.counts.Rejected.Add(1)
		return "", "", err
	case s.Processor.Unprocessed:
		w.a.log.Warn("message processor failed, the message is said as it is", "error", err)
		return content, contentType, nil
	}
	w.a.log.Warn("message processor failed, the message is refused", "error", err)
	return "", "", errs.Wrap(err, errs.Unavailable, "the message could not be processed")
}
