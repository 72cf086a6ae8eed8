package contact

import "time"

// Moment is which time of a contact a Query's range and order are about.
type Moment string

// Moments, as in the Connect API.
const (
	ByInitiation Moment = "INITIATION_TIMESTAMP"
	ByDisconnect Moment = "DISCONNECT_TIMESTAMP" // contacts in progress have none and are not found
)

// Query is a search for contacts of one instance. From is inside, To is outside; of each list one value must match, and
// an empty one asks for nothing.
type Query struct {
	InstanceID string
	By         Moment
	From, To   time.Time
	Ascending  bool // oldest first

	IDs          []string
	AgentIDs     []string
	QueueIDs     []string
	Channels     []Channel
	Methods      []InitiationMethod
	Reasons      []DisconnectReason
	Dispositions []string
	Customers    []string // addresses, E.164
	// Attributes must all match, each by one of its values. Only attributes that the instance has declared searchable
	// are found, and only of contacts that have ended.
	Attributes map[string][]string

	Max   int
	Token string
}

// Note is what an agent says of a contact: a disposition code, and words.
type Note struct {
	Disposition string    `json:"disposition,omitempty"`
	Notes       string    `json:"notes,omitempty"`
	By          string    `json:"by,omitempty"` // user
	At          time.Time `json:"at,omitzero"`
}

// MaxNotes is how many characters notes may have.
const MaxNotes = 4096

// MaxTags is how many tags a contact may have.
const MaxTags = 6
