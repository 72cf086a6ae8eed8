package chat

import (
	"context"
	"io"
	"time"

	"ullim/internal/contact"
)

// Commit is what one event changes, all or nothing. Version of the State is one more than the stored one.
type Commit struct {
	State  *State
	Items  []Item // new, in order
	Marks  []Mark // receipts of earlier items
	Create *contact.Record
	Update *contact.Record
	Close  []contact.Record // final: with them go the transcript jobs and the reservations
}

// Mark is a receipt for an item of the chat.
type Mark struct {
	ItemID  string
	Receipt Receipt
}

// Source is a chat whose items are read, or one segment of it.
type Source struct {
	ChatID    string
	ContactID string // empty: all segments
}

// ItemQuery asks for items of the sources, in the order of time.
type ItemQuery struct {
	Sources   []Source
	Role      Role   // whose view
	From      *Place // nil: from the end that the direction begins with
	Inclusive bool   // From itself is one of the items
	Backward  bool   // from newer to older
	Limit     int
}

// Place is a place in the order of items.
type Place struct {
	At  time.Time
	Seq int64
	ID  string
}

// Token is a bearer token, by its hash.
type Token struct {
	Hash          string
	Kind          TokenKind
	ChatID        string
	ParticipantID string
	Subject       string // of a file's token: the attachment
	Expires       time.Time
}

// TokenKind is what a token is good for.
type TokenKind string

// Token kinds.
const (
	TokenParticipant TokenKind = "participant" // to connect
	TokenConnection  TokenKind = "connection"  // for everything else
	TokenSocket      TokenKind = "socket"      // one opening of a WebSocket
	TokenUpload      TokenKind = "upload"
	TokenDownload    TokenKind = "download"
)

// Store remembers chats. Every method commits before it returns.
type Store interface {
	// CreateChat adds a chat. errs.Duplicate: there is one of the same instance, channel and client token.
	CreateChat(ctx context.Context, c Commit) error
	// SaveChat changes a chat. errs.Conflict: somebody else has.
	SaveChat(ctx context.Context, c Commit) error
	// Chat is one chat, open or ended. errs.NotFound.
	Chat(ctx context.Context, id string) (*State, error)
	// ChatByClientToken finds what was started with a token. errs.NotFound.
	ChatByClientToken(ctx context.Context, instanceID string, channel contact.Channel, token string) (*State, error)
	// OpenChats are the chats of a node that have not ended.
	OpenChats(ctx context.Context, node string) ([]*State, error)
	// ChatItems reads items. Item finds one of a chat; errs.NotFound.
	ChatItems(ctx context.Context, q ItemQuery) ([]Item, error)
	ChatItem(ctx context.Context, chatID, id string) (Item, error)

	// PutChatToken adds a token; of the participant's tokens of this kind the newest few stay, and expired ones go.
	PutChatToken(ctx context.Context, t Token) error
	// ChatToken finds a token that has not expired. errs.NotFound.
	ChatToken(ctx context.Context, hash string, now time.Time) (Token, error)
	// TakeChatToken finds and removes one: it is good for one use.
	TakeChatToken(ctx context.Context, hash string, now time.Time) (Token, error)

	// Contact is a contact record. errs.NotFound.
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
}

// FlowKind says for what a flow runs.
type FlowKind string

// Places of a contact at which a flow runs.
const (
	FlowInbound         FlowKind = "inbound"
	FlowCustomerQueue   FlowKind = "customerQueue"
	FlowAgentWhisper    FlowKind = "agentWhisper"
	FlowCustomerWhisper FlowKind = "customerWhisper"
	FlowDisconnect      FlowKind = "disconnect"
	FlowPause           FlowKind = "pause"  // a task was paused
	FlowResume          FlowKind = "resume" // ... and resumed
)

// FlowRun asks for a flow to be run. FlowID is empty for the instance's default flow of that kind.
type FlowRun struct {
	Kind    FlowKind
	FlowID  string
	Control *Control
}

// FlowOutcome is how a flow ended.
type FlowOutcome string

// Flow outcomes.
const (
	FlowEnded        FlowOutcome = "ended"
	FlowDisconnected FlowOutcome = "disconnected"
	FlowQueued       FlowOutcome = "queued"
	FlowFailed       FlowOutcome = "failed"
	FlowLeft         FlowOutcome = "left"
)

// Flows runs contact flows (an adapter on ivr implements it).
type Flows interface {
	// Run interprets the flow until it ends or ctx does. It blocks.
	Run(ctx context.Context, r FlowRun) FlowOutcome
}

// OfferResult is how an offer came out.
type OfferResult int

// Offer results.
const (
	OfferAnswered OfferResult = iota
	OfferMissed
	OfferRejected
	OfferCallerLeft
)

// Enqueue is a contact that wants an agent.
type Enqueue struct {
	InstanceID, ContactID, QueueID string
	Channel                        contact.Channel
	Since                          time.Time
	Routing                        Routing
	Method                         contact.InitiationMethod
	Owed                           bool // it was in line before
}

// Queues is the chat's side of the ACD. Only Enqueue can fail; the rest posts.
type Queues interface {
	// Enqueue puts the contact in line. errs.Limit: queue at capacity. errs.NotFound: no such queue, or disabled.
	Enqueue(ctx context.Context, e Enqueue) error
	Leave(contactID string)
	// Reorder changes the order in which a waiting contact is served.
	Reorder(contactID string, r Routing)
	OfferResult(instanceID, offerID string, r OfferResult)
	Joined(instanceID, offerID string)
	AgentDone(instanceID, offerID string)
}

// Blobs keeps transcripts and attachments.
type Blobs interface {
	Put(ctx context.Context, key string, body io.Reader, size int64, sha256hex string) error
	Open(ctx context.Context, key string) (io.ReadCloser, int64, error)
}

// Instances knows the tenants.
type Instances interface {
	// Alias is an instance's name in keys of files. ok is false if there is no such instance.
	Alias(instanceID string) (alias string, ok bool)
}
