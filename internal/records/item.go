package records

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"ullim/internal/resource"
)

// Kind is what an Item is.
type Kind string

// Kinds of items.
const (
	KindRecord     Kind = "CONTACT_RECORD"
	KindEvent      Kind = "CONTACT_EVENT"
	KindAgentEvent Kind = "AGENT_EVENT"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{KindRecord, KindEvent, KindAgentEvent} }

// Item is one thing to tell. Seq is its place in the log, which the store gives. ID is the same however often it is told.
type Item struct {
	Seq        int64
	InstanceID string
	Kind       Kind
	Key        string // what order is kept for: contact or user
	Number     int64  // counts the items of a contact from 1; grows with each event of an agent; 0: it was made from a record, for a replay
	ID         string
	Type       string // of an event: QUEUED, STATE_CHANGE
	At         time.Time
	Body       json.RawMessage // the detail
}

// Envelope is how an item travels: the shape of Amazon EventBridge, with its number.
type Envelope struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Sequence   int64           `json:"sequence,omitempty"`
	Detail     json.RawMessage `json:"detail"`
}

// Envelope gives the item as it travels.
func (i *Item) Envelope() ([]byte, error) {
	e := Envelope{
		Version: "0", ID: i.ID, Source: "aws.connect", Account: resource.Account, Region: resource.Region,
		Time: i.At.UTC().Format(time.RFC3339Nano), Sequence: i.Number, Detail: i.Body,
		Resources: []string{resource.ARN(i.InstanceID, resource.KindInstance, i.InstanceID)},
	}
	kind := resource.Kind("contact")
	switch i.Kind {
	case KindRecord:
		e.DetailType = "Amazon Connect Contact Record"
	case KindEvent:
		e.DetailType = "Amazon Connect Contact Event"
	case KindAgentEvent:
		e.DetailType, kind = "Amazon Connect Agent Event", resource.KindUser
	}
	e.Resources = append(e.Resources, resource.ARN(i.InstanceID, kind, i.Key))
	return json.Marshal(e)
}

// idOf makes an id that is the same whenever the same thing is told.
func idOf(text string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("ullim/item/"+text)).String()
}
