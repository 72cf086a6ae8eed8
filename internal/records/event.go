package records

import (
	"encoding/json"
	"fmt"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
)

// EventType is what happened to a contact (A9).
type EventType string

// Contact events, as in Amazon Connect.
const (
	Initiated          EventType = "INITIATED"
	ConnectedToSystem  EventType = "CONNECTED_TO_SYSTEM"
	ContactDataUpdated EventType = "CONTACT_DATA_UPDATED"
	Queued             EventType = "QUEUED"
	ConnectedToAgent   EventType = "CONNECTED_TO_AGENT"
	Disconnected       EventType = "DISCONNECTED"
	Paused             EventType = "PAUSED"
	Resumed            EventType = "RESUMED"
	Completed          EventType = "COMPLETED"
)

// millis is a time with milliseconds, as events have it.
type millis time.Time

// MarshalJSON implements json.Marshaler.
func (m millis) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(m).UTC().Format("2006-01-02T15:04:05.000Z") + `"`), nil
}

// IsZero lets omitzero leave it out.
func (m millis) IsZero() bool { return time.Time(m).IsZero() }

// event is the detail of a contact event.
type event struct {
	EventType                  EventType               `json:"eventType"`
	ContactID                  string                  `json:"contactId"`
	InitialContactID           string                  `json:"initialContactId,omitempty"`
	PreviousContactID          string                  `json:"previousContactId,omitempty"`
	RelatedContactID           string                  `json:"relatedContactId,omitempty"`
	ContactAssociationID       string                  `json:"contactAssociationId,omitempty"`
	Channel                    contact.Channel         `json:"channel"`
	InstanceARN                string                  `json:"instanceArn"`
	InitiationMethod           string                  `json:"initiationMethod"`
	InitiationTimestamp        millis                  `json:"initiationTimestamp,omitzero"`
	ConnectedToSystemTimestamp millis                  `json:"connectedToSystemTimestamp,omitzero"`
	ScheduledTimestamp         millis                  `json:"scheduledTimestamp,omitzero"`
	LastPausedTimestamp        millis                  `json:"lastPausedTimestamp,omitzero"`
	LastResumedTimestamp       millis                  `json:"lastResumedTimestamp,omitzero"`
	DisconnectTimestamp        millis                  `json:"disconnectTimestamp,omitzero"`
	DisconnectReason           string                  `json:"disconnectReason,omitempty"`
	QueueInfo                  *eventQueue             `json:"queueInfo,omitempty"`
	AgentInfo                  *eventAgent             `json:"agentInfo,omitempty"`
	AnsweringMachineDetection  string                  `json:"answeringMachineDetectionStatus,omitempty"`
	Campaign                   *eventCampaign          `json:"campaign,omitempty"`
	CustomerVoiceActivity      *eventVoice             `json:"customerVoiceActivity,omitempty"`
	CustomerID                 string                  `json:"customerId,omitempty"`
	SegmentAttributes          map[string]SegmentValue `json:"segmentAttributes,omitempty"`
	Tags                       map[string]string       `json:"tags,omitempty"`
	ContactDetails             *eventDetails           `json:"contactDetails,omitempty"`
	RoutingCriteria            *RoutingCriteria        `json:"routingCriteria,omitempty"`
	UpdatedProperties          []string                `json:"updatedProperties,omitempty"`
	EventTimestamp             millis                  `json:"eventTimestamp"`
}

type eventQueue struct {
	QueueARN         string `json:"queueArn"`
	QueueType        string `json:"queueType"`
	EnqueueTimestamp millis `json:"enqueueTimestamp,omitzero"`
}

type eventAgent struct {
	AgentARN                  string            `json:"agentArn"`
	ConnectedToAgentTimestamp millis            `json:"connectedToAgentTimestamp,omitzero"`
	HierarchyGroups           map[string]*Group `json:"hierarchyGroups,omitempty"`
	AfterContactWorkStart     millis            `json:"afterContactWorkStartTimestamp,omitzero"`
	AfterContactWorkEnd       millis            `json:"afterContactWorkEndTimestamp,omitzero"`
}

type eventCampaign struct {
	CampaignID string `json:"campaignId"`
}

type eventVoice struct {
	GreetingStartTimestamp millis `json:"greetingStartTimestamp,omitzero"`
	GreetingEndTimestamp   millis `json:"greetingEndTimestamp,omitzero"`
}

type eventDetails struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// eventOf gives the detail of an event that happened at a time.
func eventOf(t EventType, at time.Time, r *contact.Record, updated []string) (json.RawMessage, error) {
	e := event{
		EventType: t, ContactID: r.ID, InitialContactID: r.InitialContactID, PreviousContactID: r.PreviousContactID,
		RelatedContactID: r.RelatedContactID, ContactAssociationID: AssociationOf(r), Channel: r.Channel,
		InstanceARN:      resource.ARN(r.InstanceID, resource.KindInstance, r.InstanceID),
		InitiationMethod: string(r.InitiationMethod), InitiationTimestamp: millis(r.InitiationTimestamp),
		ScheduledTimestamp: millis(r.ScheduledTimestamp), AnsweringMachineDetection: r.AnsweringMachineDetection, CustomerID: r.CustomerID,
		SegmentAttributes: SegmentOf(r), Tags: tagsOf(r), RoutingCriteria: criteriaOf(r.Criteria), UpdatedProperties: updated,
		EventTimestamp: millis(at),
	}
	if t != Initiated {
		e.ConnectedToSystemTimestamp = millis(r.ConnectedToSystemTimestamp)
		e.LastPausedTimestamp, e.LastResumedTimestamp = millis(r.LastPausedTimestamp), millis(r.LastResumedTimestamp)
	}
	if r.Name != "" || r.Description != "" {
		e.ContactDetails = &eventDetails{r.Name, r.Description}
	}
	if r.CampaignID != "" {
		e.Campaign = &eventCampaign{r.CampaignID}
	}
	if !r.GreetingStart.IsZero() {
		e.CustomerVoiceActivity = &eventVoice{millis(r.GreetingStart), millis(r.GreetingEnd)}
	}
	if q := r.Queue; q != nil && t != Initiated && t != ConnectedToSystem {
		e.QueueInfo = &eventQueue{resource.ARN(r.InstanceID, resource.KindQueue, q.ID), "STANDARD", millis(q.EnqueueTimestamp)}
	}
	if a := r.Agent; a != nil && !a.ConnectedToAgentTimestamp.IsZero() && (t == ConnectedToAgent || t == Disconnected || t == Completed) {
		e.AgentInfo = &eventAgent{AgentARN: resource.ARN(r.InstanceID, resource.KindUser, a.ID), HierarchyGroups: groupsOf(r)}
		e.AgentInfo.ConnectedToAgentTimestamp = millis(a.ConnectedToAgentTimestamp)
		if t == Completed {
			e.AgentInfo.AfterContactWorkStart, e.AgentInfo.AfterContactWorkEnd = millis(a.AfterContactWorkStart), millis(a.AfterContactWorkEnd)
		}
	}
	if t == Disconnected || t == Completed {
		e.DisconnectTimestamp, e.DisconnectReason = millis(r.DisconnectTimestamp), string(r.DisconnectReason)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("records: event of %s: %w", r.ID, err)
	}
	return b, nil
}
