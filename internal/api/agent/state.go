package agent

import (
	"time"

	"ullim/internal/contact"
)

// Time is a moment as panels read it: UTC, milliseconds, so that it sorts as text.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes it.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.String() + `"`), nil
}

// String is the moment as it is written.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

func at(t time.Time) Time { return Time{t} }

// State is what a panel shows.
type State struct {
	Agent        Agent        `json:"agent"`
	Availability Availability `json:"availability"`
	Setup        Setup        `json:"setup"`
	Contacts     []Contact    `json:"contacts"` // in the order in which they came to the agent
}

// Agent is who the panel is of.
type Agent struct {
	UserID     string `json:"userId"`
	Username   string `json:"username"`
	FirstName  string `json:"firstName,omitempty"`
	LastName   string `json:"lastName,omitempty"`
	InstanceID string `json:"instanceId"`
	Instance   string `json:"instance"` // alias
	PhoneType  string `json:"phoneType"`
	AutoAccept bool   `json:"autoAccept"`
}

// Availability is what routing thinks of the agent.
type Availability struct {
	Status     Status                            `json:"status"`
	Since      Time                              `json:"since,omitzero"`
	NextStatus *Status                           `json:"nextStatus,omitempty"` // applied when the last contact is cleared
	Activity   string                            `json:"activity,omitempty"`   // what a supervisor sees beside the status
	Reachable  bool                              `json:"reachable"`            // a device can ring
	Slots      map[contact.Channel]ChannelsSlots `json:"slots"`
}

// ChannelsSlots are how many contacts of a channel an agent may have, has, and could have now.
type ChannelsSlots struct {
	Max       int `json:"max"`
	Active    int `json:"active"`
	Available int `json:"available"`
}

// Status is an agent status. Type is ROUTABLE, OFFLINE or CUSTOM.
type Status struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
}

// Setup is what is configured for an agent.
type Setup struct {
	Agent          Agent                     `json:"-"`
	Statuses       []Status                  `json:"statuses"` // those that can be chosen, in their order
	RoutingProfile RoutingProfile            `json:"routingProfile"`
	QuickConnects  map[string][]QuickConnect `json:"quickConnects"` // by queue id
	Dispositions   []Disposition             `json:"dispositions"`
}

// RoutingProfile is which queues an agent serves.
type RoutingProfile struct {
	ID                   string  `json:"id"`
	Name                 string  `json:"name"`
	DefaultOutboundQueue Queue   `json:"defaultOutboundQueue"`
	Queues               []Queue `json:"queues"`
}

// Queue names a queue.
type Queue struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// QuickConnect is somewhere a contact can be sent. Type is USER, QUEUE, PHONE_NUMBER or FLOW.
type QuickConnect struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	UserID string `json:"userId,omitempty"`
	Queue  string `json:"queueId,omitempty"`
	Number string `json:"number,omitempty"`
	FlowID string `json:"flowId,omitempty"` // of USER and QUEUE: the transfer flow; of FLOW: where the contact goes
}

// Disposition is a code that a contact can be closed with.
type Disposition struct {
	Code  string `json:"code"`
	Label string `json:"label,omitempty"`
	// QueueIDs are the queues whose contacts may be closed with it; empty: all.
	QueueIDs []string `json:"queueIds,omitempty"`
}

// Contact is a contact as its agent sees it. State is that of amazon-connect-streams: CONNECTING, CONNECTED,
// CONNECTED_ONHOLD, MISSED, REJECTED, ERROR, ENDED (after-contact work).
type Contact struct {
	ContactID         string                       `json:"contactId"`
	InitialContactID  string                       `json:"initialContactId,omitempty"`
	PreviousContactID string                       `json:"previousContactId,omitempty"`
	RelatedContactID  string                       `json:"relatedContactId,omitempty"`
	Channel           contact.Channel              `json:"channel"`
	State             string                       `json:"state"`
	Since             Time                         `json:"since,omitzero"`
	Arrived           Time                         `json:"arrived"`           // when it came to the agent
	AcceptBy          Time                         `json:"acceptBy,omitzero"` // of an offer
	Role              string                       `json:"role"`              // AGENT, THIRD_PARTY or SUPERVISOR
	Hears             string                       `json:"hears,omitempty"`   // of a supervisor: MONITOR, COACH or BARGE
	OwnCall           bool                         `json:"ownCall,omitempty"` // no queue gave it
	WrapUpBy          Time                         `json:"wrapUpBy,omitzero"` // end of after-contact work; absent: the agent ends it
	Ending            bool                         `json:"ending,omitempty"`  // the talk is over
	InitiationMethod  contact.InitiationMethod     `json:"initiationMethod,omitempty"`
	Queue             *Queue                       `json:"queue,omitempty"`
	Customer          *Endpoint                    `json:"customer,omitempty"`
	System            *Endpoint                    `json:"system,omitempty"`
	Initiated         Time                         `json:"initiated,omitzero"`
	Enqueued          Time                         `json:"enqueued,omitzero"`
	Connected         Time                         `json:"connected,omitzero"` // to this agent
	Disconnected      Time                         `json:"disconnected,omitzero"`
	DisconnectReason  contact.DisconnectReason     `json:"disconnectReason,omitempty"`
	Name              string                       `json:"name,omitempty"`
	Description       string                       `json:"description,omitempty"`
	Attributes        map[string]string            `json:"attributes,omitempty"`
	References        map[string]contact.Reference `json:"references,omitempty"`
	Recording         string                       `json:"recording,omitempty"` // OFF, ON or SUSPENDED
	Participants      []Participant                `json:"participants,omitempty"`
	Me                int                          `json:"me,omitempty"`                // participant id of the agent in a call
	ChatParticipantID string                       `json:"chatParticipantId,omitempty"` // of the agent in a chat
	Disposition       string                       `json:"disposition,omitempty"`
	Notes             string                       `json:"notes,omitempty"`
}

// Endpoint is one end of a contact.
type Endpoint struct {
	Type        contact.EndpointType `json:"type,omitempty"`
	Address     string               `json:"address,omitempty"`
	DisplayName string               `json:"displayName,omitempty"`
}

// Participant is somebody in a call.
type Participant struct {
	ID      int    `json:"id"`
	Role    string `json:"role"` // CUSTOMER, AGENT, THIRD_PARTY or SUPERVISOR
	State   string `json:"state"`
	UserID  string `json:"userId,omitempty"`
	Address string `json:"address,omitempty"`
	Hears   string `json:"hears,omitempty"`  // of a supervisor: MONITOR, COACH or BARGE
	OnHold  bool   `json:"onHold,omitempty"` // we have put them on hold
	Held    bool   `json:"held,omitempty"`   // they have put us on hold
	Muted   bool   `json:"muted,omitempty"`
}
