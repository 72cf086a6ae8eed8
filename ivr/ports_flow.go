package ivr

import (
	"context"
	"encoding/json"
	"time"

	"ullim/prompts"
)

// More of what only some participants, contacts or installations can do. As in ports_more.go, an action that does not
// find its interface, or its port of the Engine, takes its error branch.

// KeyDropper forgets the keys (on chat: the messages) that came before anybody asked for them.
type KeyDropper interface {
	DropKeys()
}

// Background plays something while the flow waits for somebody else than the participant, until stop is called.
type Background interface {
	PlayBackground(list []*prompts.Audio) (stop func())
}

// Requeuer waits in a queue and can be moved to another, as a new segment (DequeueContactAndTransferToQueue).
type Requeuer interface {
	// Requeue: errs.Limit: the other queue is at capacity; any error but ErrLeft: the contact stays where it is, because
	// it is not in a queue, or is being joined to an agent. After nil the flow is over (Outcome Queued).
	Requeue(ctx context.Context, q QueueRef) error
}

// AgentCaller can be handed to the agent whom a transfer is for (TransferContactToAgent). After nil the flow is over
// (Outcome Transferred).
type AgentCaller interface {
	CallAgent(ctx context.Context) error
}

// Viewer can be shown a form with choices (ShowView): chat.
type Viewer interface {
	// ShowView sends the view and waits for an answer for at most v.Limit.
	ShowView(ctx context.Context, v View) (ViewReply, error)
}

// View is a form: which one, and what it is filled with.
type View struct {
	ID, Version string
	Data        json.RawMessage // a JSON object, at most 16 KB
	Limit       time.Duration
	Hidden      bool // the answer is not for the transcript
}

// ViewReply is what was chosen in a view, and what was filled in, readable as $.Views.
type ViewReply struct {
	Action   string
	Data     json.RawMessage // a JSON object; may be empty
	TimedOut bool
}

// Resumer is a contact that can be paused: a task (ResumeContact).
type Resumer interface {
	Resume(ctx context.Context) error
}

// Persistent is a chat that can be continued from an earlier one (CreatePersistentContactAssociation).
type Persistent interface {
	// Associate: rehydration is ENTIRE_PAST_SESSION or FROM_SEGMENT.
	Associate(ctx context.Context, rehydration, sourceContactID string) error
}

// MessageProcessor is a chat whose messages can be passed through a function (UpdateContactMediaProcessing).
type MessageProcessor interface {
	// SetProcessor: function is "" for none. unprocessed: deliver messages also when the function fails.
	SetProcessor(ctx context.Context, function string, unprocessed bool) error
}

// Related is a contact that knows the contact it is related to. errs.NotFound: there is none.
type Related interface {
	SetRelatedAttributes(ctx context.Context, set map[string]string) error
	UpdateRelated(ctx context.Context, d ContactData) error
}

// MediaFiles fetches audio from where flows name it: s3://bucket/key, or https addresses of buckets
// (MessageParticipant's Media). Whoever implements it decides which buckets may be read.
type MediaFiles interface {
	File(ctx context.Context, instanceID, uri string) (*prompts.Audio, error)
}

// Chats starts chats with customers, by SMS (StartOutboundChatContact).
type Chats interface {
	StartOutboundChat(ctx context.Context, c OutboundChat) (contactID string, err error)
}

// OutboundChat is one to be started.
type OutboundChat struct {
	InstanceID, ContactID string // of the contact that asks
	Source                string // id, ARN or number of ours
	Destination           string // E.164
	FlowRef               string
	Message               string // said first; may be empty
	Related               bool   // the new contact is related to the one that asks
}
