package records

import (
	"context"
	"time"

	"ullim/internal/contact"
)

// Mark says that a contact was written. Gen grows with each write: a mark is removed only as it was read.
type Mark struct {
	ContactID, InstanceID string
	Gen                   int64 // 0: there is no mark, the contact was due to be looked at again
}

// Seen is a contact as the follower finds it. Record is nil if the contact is gone.
type Seen struct {
	Record  *contact.Record
	Told    Told
	Working bool // an agent is connected, or at after-contact work, by the ACD's reservations
}

// Telling is what the follower has decided of a contact.
type Telling struct {
	Mark
	Told  Told
	Items []Item
	Again time.Time // when to look at it again even if nobody writes it; zero: never
}

// Cursor is how far a destination is. Everything up to Seq is delivered or dead-lettered. A refill is a replay from the
// records of contacts that ended in [RefillFrom, RefillTo), RefillID being the last of RefillFrom that is done.
type Cursor struct {
	Seq                  int64
	RefillFrom, RefillTo time.Time
	RefillID             string
}

// DeadLetter is an item that a destination did not take.
type DeadLetter struct {
	ID            int64 // of the letter
	DestinationID string
	Item          Item
	Reason        string
	Tries         int
	At            time.Time
}

// FollowStore is what the follower needs of a database. package storage implements it.
type FollowStore interface {
	// Lead makes owner the one who does what name says until a time, if nobody else is. It tells whether owner is.
	Lead(ctx context.Context, name, owner string, until time.Time) (bool, error)
	Marks(ctx context.Context, n int) ([]Mark, error)
	// DueMarks are contacts whose time to be looked at again has come, with Gen 0.
	DueMarks(ctx context.Context, now time.Time, n int) ([]Mark, error)
	Look(ctx context.Context, ids []string) (map[string]Seen, error)
	// Tell commits all of it at once, if owner still leads; errs.Conflict if not.
	Tell(ctx context.Context, owner string, list []Telling) error
	// DropMarks removes marks of contacts that nobody wants to hear of.
	DropMarks(ctx context.Context, list []Mark) error
}

// PumpStore is what a pump needs of a database.
type PumpStore interface {
	Lead(ctx context.Context, name, owner string, until time.Time) (bool, error)
	// Cursor is where a destination is; since is when it was created: it gets what was told from then on.
	Cursor(ctx context.Context, instanceID, destinationID string, since time.Time) (Cursor, error)
	// Items are those of the instance behind seq, in order. Added is when each came into the log.
	Items(ctx context.Context, instanceID string, after int64, n int) ([]Logged, error)
	// Ended are the records of contacts that ended in [from, to), behind the one of from called id, oldest first.
	Ended(ctx context.Context, instanceID string, from, to time.Time, id string, n int) ([]*contact.Record, error)
	// Advance moves a cursor and keeps dead letters, if owner still leads and nobody has moved it since (a replay);
	// errs.Conflict if not.
	Advance(ctx context.Context, owner, instanceID, destinationID string, from, to Cursor, dead []DeadLetter) error
}

// Logged is an item with the time it came into the log, by the database's clock.
type Logged struct {
	Item
	Added time.Time
}

// Keeper removes what has been kept long enough.
type Keeper interface {
	// TrimStream removes items that came into the log before done if every destination has had them, and before always
	// in any case, some thousands at most. It tells how many, and how many of them somebody had not had.
	TrimStream(ctx context.Context, done, always time.Time) (removed, missed int, err error)
}

// Sender delivers one item to a web service. An error of kind errs.Invalid or errs.Denied is a refusal: the service will
// say the same again; any other passes.
type Sender interface {
	Send(ctx context.Context, d *Destination, item *Item, body []byte) error
}

// Blobs keeps objects.
type Blobs interface {
	PutLines(ctx context.Context, key string, body []byte) error
}

// LeadFollower is the name by which a follower leads; a pump leads by LeadPump of its destination.
const LeadFollower = "follower"

// LeadPump is the name by which a pump leads.
func LeadPump(destinationID string) string { return "stream/" + destinationID }

// State is how far a destination is, and what is behind it.
type State struct {
	Cursor      Cursor
	Waiting     int       // items behind the cursor, counted up to 10,000
	Oldest      time.Time // of them, when it came into the log; zero: there is none
	DeadLetters int
}
