package chat

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"ullim/internal/contact"
)

// Phase is where a contact is in its life; see the package comment.
type Phase string

// Phases.
const (
	Scheduled  Phase = "SCHEDULED"
	Waiting    Phase = "WAITING"
	Flowing    Phase = "FLOW"
	Enqueueing Phase = "ENQUEUEING"
	Queued     Phase = "QUEUED"
	Offered    Phase = "OFFERED"
	Talking    Phase = "TALKING"
	Remaining  Phase = "REMAINING"
	Ended      Phase = "ENDED"
)

// Participant is somebody in a chat. A zero Left: still there.
type Participant struct {
	ID          string    `json:"id"`
	Role        Role      `json:"role"`
	DisplayName string    `json:"displayName"`
	UserID      string    `json:"userId,omitempty"`
	Joined      time.Time `json:"joined,omitzero"`
	Left        time.Time `json:"left,omitzero"`
}

// Present reports whether the participant has not left.
func (p *Participant) Present() bool { return p.Left.IsZero() }

// Queue is the queue that a contact goes to.
type Queue struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Offer is an agent reserved for a waiting contact.
type Offer struct {
	ID         string            `json:"id"`
	ContactID  string            `json:"contactId"`
	Agent      contact.AgentInfo `json:"agent"`
	Name       string            `json:"name"` // what the customer is shown
	RingTime   time.Duration     `json:"ringTime"`
	AutoAccept bool              `json:"autoAccept,omitempty"`
}

// TimerType is what happens when a participant has been silent for long.
type TimerType string

// Timer types.
const (
	TimerIdle       TimerType = "IDLE"
	TimerDisconnect TimerType = "DISCONNECT_NONCUSTOMER"
)

// Timer is one rule for silence; After 0 removes it.
type Timer struct {
	Role  Role          `json:"role"`
	Type  TimerType     `json:"type"`
	After time.Duration `json:"after"`
}

// Attachment is a file of a chat.
type Attachment struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	ContentType   string `json:"contentType"`
	Size          int64  `json:"size"`
	ParticipantID string `json:"participantId"`
	Key           string `json:"key"` // in the blob store
	Uploaded      bool   `json:"uploaded,omitempty"`
	Completed     bool   `json:"completed,omitempty"`
}

// RoutingStep is one step of routing criteria: whom to prefer, and for how long.
type RoutingStep struct {
	Expression json.RawMessage `json:"expression"`
	Expiry     time.Duration   `json:"expiry"`
}

// Routing is how a contact is served in a queue.
type Routing struct {
	Priority      int64         `json:"priority,omitempty"` // 1 is best; 0: the default
	AgeAdjustment time.Duration `json:"ageAdjustment,omitempty"`
	Steps         []RoutingStep `json:"steps,omitempty"`
}

// sent remembers a message by its client token, so that one sent again is not said twice.
type sent struct {
	ParticipantID string `json:"p"`
	Token         string `json:"t"`
	ItemID        string `json:"i"`
	At            Time   `json:"a"`
}

// run is the flow that is running.
type run struct {
	Gen  int64    `json:"gen"` // grows with each flow: late words of the one before are recognised
	Kind FlowKind `json:"kind"`
	ID   string   `json:"id,omitempty"`
	On   bool     `json:"on"`
}

// State is everything about a contact that a restart must not forget. It is a value: Step gives a new one, and nobody
// changes one that was given away.
type State struct {
	ID          string          `json:"id"` // that of the first segment
	InstanceID  string          `json:"instanceId"`
	Alias       string          `json:"alias"` // of the instance, for keys of files
	Node        string          `json:"node"`
	Channel     contact.Channel `json:"channel"`
	ClientToken string          `json:"clientToken,omitempty"`
	Version     int64           `json:"version"`
	Phase       Phase           `json:"phase"`
	Record      contact.Record  `json:"record"` // of the present segment

	Seq      int64     `json:"seq"` // of the last item
	LastItem time.Time `json:"lastItem,omitzero"`

	StartAt   time.Time `json:"startAt,omitzero"`   // of a task that is scheduled
	ConnectBy time.Time `json:"connectBy,omitzero"` // the customer must have connected
	RetryAt   time.Time `json:"retryAt,omitzero"`   // the ACD is asked again
	Expires   time.Time `json:"expires"`

	Participants []Participant       `json:"participants"`
	FlowID       string              `json:"flowId"`
	Run          run                 `json:"run"`
	Hooks        map[FlowKind]string `json:"hooks,omitempty"`
	Target       Queue               `json:"target,omitzero"`
	Offer        *Offer              `json:"offer,omitempty"`
	OfferUntil   time.Time           `json:"offerUntil,omitzero"`

	Timers   []Timer            `json:"timers,omitempty"`
	Activity map[Role]time.Time `json:"activity,omitempty"`
	Idle     map[Role]bool      `json:"idle,omitempty"`

	Attachments []Attachment `json:"attachments,omitempty"`
	Sent        []sent       `json:"sent,omitempty"`

	Sources       []string `json:"sources,omitempty"`       // past chats that this one goes on from, oldest first
	SourceSegment string   `json:"sourceSegment,omitempty"` // of the last source: only this segment
	ContinuedFrom string   `json:"continuedFrom,omitempty"`
	Related       string   `json:"related,omitempty"`

	Views     []Shown            `json:"views,omitempty"`     // that the customer was shown, the last ones
	Hidden    bool               `json:"hidden,omitempty"`    // what the customer fills in is not for the transcript
	Accepts   []string           `json:"accepts,omitempty"`   // content types that the customer's client shows; empty: all
	Processor *Processor         `json:"processor,omitempty"` // messages go through it
	Paused    time.Time          `json:"paused,omitzero"`     // since when nothing is to happen to a task
	Waiting   map[Role]time.Time `json:"waiting,omitempty"`   // since when a role's answer is waited for

	Language string  `json:"language,omitempty"`
	Routing  Routing `json:"routing,omitzero"`
	Logging  *bool   `json:"logging,omitempty"`
}

// clone gives a State that can be changed without changing s.
func (s *State) clone() *State {
	c := *s
	c.Record = cloneRecord(s.Record)
	c.Participants = slices.Clone(s.Participants)
	c.Hooks, c.Activity, c.Idle = maps.Clone(s.Hooks), maps.Clone(s.Activity), maps.Clone(s.Idle)
	c.Timers, c.Attachments, c.Sent = slices.Clone(s.Timers), slices.Clone(s.Attachments), slices.Clone(s.Sent)
	c.Views, c.Waiting = slices.Clone(s.Views), maps.Clone(s.Waiting)
	return &c
}

func cloneRecord(r contact.Record) contact.Record {
	if r.Queue != nil {
		q := *r.Queue
		r.Queue = &q
	}
	if r.Agent != nil {
		a := *r.Agent
		r.Agent = &a
	}
	r.Attributes = maps.Clone(r.Attributes)
	r.Recordings = slices.Clone(r.Recordings)
	r.References, r.Tags = maps.Clone(r.References), maps.Clone(r.Tags)
	r.Streams = slices.Clone(r.Streams)
	if r.ChatMetrics != nil {
		m := *r.ChatMetrics
		r.ChatMetrics = &m
	}
	return r
}

// Participant finds a participant; nil if there is none of this id.
func (s *State) Participant(id string) *Participant {
	if i := slices.IndexFunc(s.Participants, func(p Participant) bool { return p.ID == id }); i >= 0 {
		return &s.Participants[i]
	}
	return nil
}

// AgentPresent is the participant of an agent who is in the chat; nil if they are not.
func (s *State) AgentPresent(userID string) *Participant {
	i := slices.IndexFunc(s.Participants, func(p Participant) bool {
		return p.Role == Agent && p.Present() && p.UserID == userID
	})
	if i < 0 {
		return nil
	}
	return &s.Participants[i]
}

// Attachment finds a file; nil if there is none of this id.
func (s *State) Attachment(id string) *Attachment {
	if i := slices.IndexFunc(s.Attachments, func(a Attachment) bool { return a.ID == id }); i >= 0 {
		return &s.Attachments[i]
	}
	return nil
}
