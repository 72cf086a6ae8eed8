package records

import (
	"encoding/json"
	"fmt"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
)

// AgentEvent is what happened to an agent, as Amazon Connect's agent event stream tells it (A2.4, A9). What is not known
// is null. The JSON names are Connect's.
type AgentEvent struct {
	AWSAccountID          string         `json:"AWSAccountId"`
	AgentARN              string         `json:"AgentARN"`
	CurrentAgentSnapshot  *AgentSnapshot `json:"CurrentAgentSnapshot"`
	EventID               string         `json:"EventId"`
	EventTimestamp        Instant        `json:"EventTimestamp"`
	EventType             string         `json:"EventType"`
	InstanceARN           string         `json:"InstanceARN"`
	PreviousAgentSnapshot *AgentSnapshot `json:"PreviousAgentSnapshot"`
	Version               string         `json:"Version"`
}

// Instant is a time with milliseconds, null where there is none.
type Instant time.Time

// MarshalJSON implements json.Marshaler.
func (i Instant) MarshalJSON() ([]byte, error) {
	if time.Time(i).IsZero() {
		return []byte("null"), nil
	}
	return millis(i).MarshalJSON()
}

// AgentSnapshot is an agent at a moment.
type AgentSnapshot struct {
	AgentStatus     *AgentStatus    `json:"AgentStatus"`
	NextAgentStatus *NextStatus     `json:"NextAgentStatus"`
	Configuration   *AgentConfig    `json:"Configuration"`
	Contacts        []*AgentContact `json:"Contacts"`
}

// AgentStatus is what the agent has chosen to be, or the system has made them.
type AgentStatus struct {
	ARN            string  `json:"ARN"`
	Name           string  `json:"Name"`
	StartTimestamp Instant `json:"StartTimestamp"`
	Type           string  `json:"Type"`
}

// NextStatus is what the agent becomes after the contacts in hand.
type NextStatus struct {
	ARN  string `json:"ARN"`
	Name string `json:"Name"`
}

// AgentConfig is who the agent is. Names, queues and numbers are those of when the event was told.
type AgentConfig struct {
	Username             string          `json:"Username"`
	FirstName            string          `json:"FirstName"`
	LastName             string          `json:"LastName"`
	AutoAccept           bool            `json:"AutoAccept"`
	SIPAddress           *string         `json:"SipAddress"`
	LanguageCode         *string         `json:"LanguageCode"`
	AgentHierarchyGroups map[string]Line `json:"AgentHierarchyGroups"`
	Proficiencies        []Proficiency   `json:"Proficiencies"`
	RoutingProfile       *AgentProfile   `json:"RoutingProfile"`
}

// Line is a resource with its name.
type Line struct {
	ARN  string `json:"ARN"`
	Name string `json:"Name"`
}

// Proficiency is how well an agent masters something.
type Proficiency struct {
	Name  string  `json:"Name"`
	Value string  `json:"Value"`
	Level float64 `json:"ProficiencyLevel"`
}

// AgentProfile is a routing profile.
type AgentProfile struct {
	ARN                  string        `json:"ARN"`
	Name                 string        `json:"Name"`
	Concurrency          []AgentSlots  `json:"Concurrency"`
	DefaultOutboundQueue *AgentQueue   `json:"DefaultOutboundQueue"`
	InboundQueues        []*AgentQueue `json:"InboundQueues"`
}

// AgentSlots is how many contacts of a channel the agent could take more, and at most.
type AgentSlots struct {
	AvailableSlots int             `json:"AvailableSlots"`
	Channel        contact.Channel `json:"Channel"`
	MaximumSlots   int             `json:"MaximumSlots"`
}

// AgentQueue is a queue that the agent serves.
type AgentQueue struct {
	ARN      string            `json:"ARN"`
	Name     string            `json:"Name"`
	Channels []contact.Channel `json:"Channels"`
}

// AgentContact is a contact in the agent's hands.
type AgentContact struct {
	ContactID                 string          `json:"ContactId"`
	InitialContactID          *string         `json:"InitialContactId"`
	Channel                   contact.Channel `json:"Channel"`
	InitiationMethod          *string         `json:"InitiationMethod"`
	State                     string          `json:"State"` // CONNECTING, CONNECTED, ENDED, MISSED, REJECTED, ERROR
	StateStartTimestamp       Instant         `json:"StateStartTimestamp"`
	ConnectedToAgentTimestamp Instant         `json:"ConnectedToAgentTimestamp"`
	QueueTimestamp            Instant         `json:"QueueTimestamp"`
	Queue                     *Line           `json:"Queue"`
}

// AgentItem is the item that tells an event of a user's; seq is its place among those of the instance. Its id is the event's.
func AgentItem(instanceID, userID string, seq int64, at time.Time, e *AgentEvent) (Item, error) {
	e.AWSAccountID, e.Version = resource.Account, "2017-10-01"
	e.AgentARN = resource.ARN(instanceID, resource.KindUser, userID)
	e.InstanceARN, e.EventTimestamp = resource.ARN(instanceID, resource.KindInstance, instanceID), Instant(at)
	body, err := json.Marshal(e)
	if err != nil {
		return Item{}, fmt.Errorf("records: event %s of agent %s: %w", e.EventID, userID, err)
	}
	return Item{
		InstanceID: instanceID, Kind: KindAgentEvent, Key: userID, Number: seq, ID: e.EventID, Type: e.EventType, At: at, Body: body,
	}, nil
}
