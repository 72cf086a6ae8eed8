package agent

import (
	"context"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/identity"
)

// Routing is the acd.Center of each instance.
type Routing interface {
	// Agent is what an agent is doing. errs.NotFound.
	Agent(instanceID, userID string) (acd.AgentSnapshot, error)
	SetStatus(ctx context.Context, instanceID, userID, statusID string) error
	Dismiss(ctx context.Context, instanceID, userID, contactID string) error
}

// Manual lets agents choose contacts themselves out of a queue that offers none.
type Manual interface {
	// Pick offers a waiting contact to an agent. errs.NotFound: nobody waits there; errs.InvalidRequest, errs.Denied.
	Pick(ctx context.Context, instanceID, userID, contactID string) error
	// Pickable are the contacts that wait in the manual queues of an agent's routing profile, oldest first, at most most.
	Pickable(instanceID, userID string, most int) []acd.WaitingSnapshot
}

// Calls is what can be seen of calls, and done in them. *call.Manager implements it.
type Calls interface {
	Live(instanceID, contactID string) (call.Live, bool)
	OwnContacts(userID string) []string
	Hold(ctx context.Context, instanceID, contactID string, participant int, on bool) error
	Mute(ctx context.Context, instanceID, contactID string, participant int, on bool) error
	SendDigits(instanceID, contactID string, participant int, digits string) error
	Tape(ctx context.Context, instanceID, contactID string, do call.TapeAction) error
	Invite(ctx context.Context, instanceID, contactID string, i call.Invitation) error
	Remove(ctx context.Context, instanceID, contactID string, participant int) error
}

// Moves are the ways in which calls begin and change hands. *call.Manager implements it.
type Moves interface {
	Transfer(ctx context.Context, instanceID, contactID, byUserID string, to call.Destination) error
	Consult(ctx context.Context, instanceID, contactID, byUserID string, to call.Destination) error
	Leave(ctx context.Context, instanceID, contactID, userID string) error
	Dial(ctx context.Context, instanceID, userID string, d call.Dial) (contactID string, err error)
	Decline(ctx context.Context, instanceID, contactID, userID string) error
	// Supervise changes how a supervisor who is in a contact already hears and is heard.
	Supervise(ctx context.Context, instanceID, contactID, userID string, hears call.Role) error
}

// Chats is what agents do with chats and tasks. *chat.Manager implements it.
type Chats interface {
	Serving(instanceID, contactID, userID string) (chat.AgentContact, bool)
	Accept(ctx context.Context, instanceID, contactID, userID string) (chat.Credentials, error)
	Reject(ctx context.Context, instanceID, contactID, userID string) error
	Complete(ctx context.Context, instanceID, contactID, userID string) error
}

var (
	_ Calls = (*call.Manager)(nil)
	_ Moves = (*call.Manager)(nil)
	_ Chats = (*chat.Manager)(nil)
)

// Contacts looks records up. call.Reader is one.
type Contacts interface {
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
}

// Paper is what an agent writes about a contact.
type Paper interface {
	// SetDisposition chooses a disposition code; empty takes it away. errs.NotFound: no such code.
	SetDisposition(ctx context.Context, instanceID, contactID, userID, code string) error
	// SetNotes replaces the notes, 4096 characters at most.
	SetNotes(ctx context.Context, instanceID, contactID, userID, notes string) error
}

// Directory is what is configured, answered from memory.
type Directory interface {
	// Setup is what an agent works with. errs.NotFound.
	Setup(instanceID, userID string) (Setup, error)
}

// Sessions lets people in. *identity.Sessions implements it.
type Sessions interface {
	SignIn(ctx context.Context, source string, l identity.Login) (string, identity.Session, *identity.Principal, error)
	Authenticate(ctx context.Context, token string) (identity.Session, *identity.Principal, error)
	Check(ctx context.Context, tokenSHA256 string) (identity.Session, *identity.Principal, error)
	SignOut(ctx context.Context, tokenSHA256 string) error
	Purge(ctx context.Context) error
	SignOutUser(ctx context.Context, instanceID, userID string) (int, error)
}

var _ Sessions = (*identity.Sessions)(nil)

// Journal keeps the keys of commands. *storage.DB implements it.
type Journal interface {
	// BeginCommand commits a key with a digest of the command. fresh is false if it is known: then the stored digest and
	// answer are given, the answer empty while nobody knows it.
	BeginCommand(ctx context.Context, userID, commandID, digest string, at time.Time) (fresh bool, stored string, answer []byte, err error)
	FinishCommand(ctx context.Context, userID, commandID string, answer []byte) error
	PurgeCommands(ctx context.Context, before time.Time) error
}
