package app

import (
	"context"
	"encoding/json"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

var (
	_ ivr.MessageProcessor = chatContact{}
	_ ivr.Resumer          = chatContact{}
)

// processTime is how long a message waits for its function.
const processTime = 5 * time.Second

// SetProcessor lets the messages of the chat go through a function; "" ends that.
func (f chatContact) SetProcessor(ctx context.Context, function string, unprocessed bool) error {
	return f.update(ctx, func(s *chat.State) error {
		s.Processor = nil
		if function != "" {
			s.Processor = &chat.Processor{Function: function, Unprocessed: unprocessed}
		}
		return nil
	})
}

// Resume ends the pause of a task.
func (f chatContact) Resume(ctx context.Context) error {
	if f.c.Snapshot().Channel != contact.Task {
		return ivr.ErrNotSupported
	}
	return gone(f.c.Resume(ctx))
}

// processorEvent is what the function of a message processor is sent, as Amazon Connect sends it.
type processorEvent struct {
	Version    string      `json:"version"`
	InstanceID string      `json:"instanceId"`
	Resource   string      `json:"associatedResourceArn"`
	Chat       chatContent `json:"chatContent"`
}

type chatContent struct {
	AbsoluteTime     string `json:"absoluteTime,omitempty"`
	Content          string `json:"content"`
	ContentType      string `json:"contentType"`
	ID               string `json:"id,omitempty"`
	ParticipantID    string `json:"participantId,omitempty"`
	DisplayName      string `json:"displayName,omitempty"`
	ParticipantRole  string `json:"participantRole,omitempty"`
	InitialContactID string `json:"initialContactId,omitempty"`
	ContactID        string `json:"contactId,omitempty"`
}

// processorAnswer is what it answers.
type processorAnswer struct {
	Status string `json:"status"`
	Result struct {
		Content chatContent `json:"processedChatContent"`
	} `json:"result"`
}

// processMessage passes a message of a chat through a function.
func (o *outside) processMessage(ctx context.Context, s *chat.State, p chat.Processor, m chat.Item) (content, contentType string, err error) {
	event, err := json.Marshal(processorEvent{
		Version: "1.0", InstanceID: s.InstanceID, Resource: resource.ARN(s.InstanceID, "contact", s.Record.ID),
		Chat: chatContent{
			AbsoluteTime: m.AbsoluteTime.String(), Content: m.Content, ContentType: m.ContentType, ID: m.ID, ParticipantID: m.ParticipantID,
			DisplayName: m.DisplayName, ParticipantRole: string(m.ParticipantRole), InitialContactID: m.InitialContactID, ContactID: m.ContactID,
		},
	})
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, processTime)
	defer cancel()
	raw, err := o.Invoke(ctx, ivr.Function{InstanceID: s.InstanceID, ContactID: s.Record.ID, Ref: p.Function, Event: event, Limit: processTime})
	if err != nil {
		return "", "", err
	}
	var a processorAnswer
	if err = json.Unmarshal(raw, &a); err != nil {
		return "", "", errs.Wrap(err, errs.Unavailable, "the function's answer is not that of a message processor")
	}
	switch a.Status {
	case "APPROVED":
		return m.Content, m.ContentType, nil
	case "PROCESSED":
		content, contentType = a.Result.Content.Content, a.Result.Content.ContentType
		if contentType == "" {
			contentType = m.ContentType
		}
		return content, contentType, chat.CheckMessage(contentType, content)
	case "REJECTED":
		return "", "", errs.New(errs.Denied, "the message was rejected")
	}
	return "", "", errs.New(errs.Unavailable, "the function could not process the message: its status is %.20q", a.Status)
}
