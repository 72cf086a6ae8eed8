package connect

import (
	"cmp"
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/internal/resource"
)

func (s *service) contacts(t *rest.Table) {
	rest.Op(t, "DescribeContact", "GET", "/contacts/{InstanceId}/{ContactId}", identity.ContactSearch, s.describeContact)
	rest.Op(t, "SearchContacts", "POST", "/search-contacts", identity.ContactSearch, s.searchContacts, rest.ReadOnly)
	s.contactEdits(t)
}

type describeContactInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ContactID  string `json:"-" path:"ContactId" ref:"contact"`
}

type contactQueue struct {
	ID               string    `json:"Id"`
	EnqueueTimestamp rest.Time `json:"EnqueueTimestamp,omitzero"`
}

type contactAgent struct {
	ID                             string                  `json:"Id"`
	ConnectedToAgentTimestamp      rest.Time               `json:"ConnectedToAgentTimestamp,omitzero"`
	AcceptedByAgentTimestamp       rest.Time               `json:"AcceptedByAgentTimestamp,omitzero"`
	AfterContactWorkDuration       *int                    `json:"AfterContactWorkDuration,omitempty"`
	AfterContactWorkStartTimestamp rest.Time               `json:"AfterContactWorkStartTimestamp,omitzero"`
	AfterContactWorkEndTimestamp   rest.Time               `json:"AfterContactWorkEndTimestamp,omitzero"`
	AgentInitiatedHoldDuration     *int                    `json:"AgentInitiatedHoldDuration,omitempty"`
	HierarchyGroups                map[string]contactGroup `json:"HierarchyGroups,omitempty"`
	StateTransitions               []contactTransition     `json:"StateTransitions,omitempty"`
}

type contactGroup struct {
	ARN string `json:"Arn"`
}

type contactTransition struct {
	State string    `json:"State"`
	Start rest.Time `json:"StateStartTimestamp,omitzero"`
	End   rest.Time `json:"StateEndTimestamp,omitzero"`
}

type contactEndpoint struct {
	Type        contact.EndpointType `json:"Type"`
	Address     string               `json:"Address"`
	DisplayName string               `json:"DisplayName,omitempty"`
}

type contactRecording struct {
	StorageType     string                  `json:"StorageType"`
	Location        string                  `json:"Location"`
	MediaStreamType string                  `json:"MediaStreamType"`
	ParticipantType string                  `json:"ParticipantType"`
	StartTimestamp  rest.Time               `json:"StartTimestamp,omitzero"`
	StopTimestamp   rest.Time               `json:"StopTimestamp,omitzero"`
	Status          contact.RecordingStatus `json:"Status"`
	DeletionReason  string                  `json:"DeletionReason,omitempty"`
}

// disconnectDetails says what may have ended the contact; Detail, which is ours, in one line what did.
type disconnectDetails struct {
	PotentialDisconnectIssue string `json:"PotentialDisconnectIssue,omitempty"`
	Detail                   string `json:"Detail,omitempty"`
}

type contactVoiceActivity struct {
	GreetingStartTimestamp rest.Time `json:"GreetingStartTimestamp,omitzero"`
	GreetingEndTimestamp   rest.Time `json:"GreetingEndTimestamp,omitzero"`
}

type contactCampaign struct {
	CampaignID string `json:"CampaignId"`
}

type contactRecord struct {
	ARN                        string                          `json:"Arn"`
	ID                         string                          `json:"Id"`
	InitialContactID           string                          `json:"InitialContactId,omitempty"`
	PreviousContactID          string                          `json:"PreviousContactId,omitempty"`
	RelatedContactID           string                          `json:"RelatedContactId,omitempty"`
	ContactAssociationID       string                          `json:"ContactAssociationId,omitempty"`
	NextContactID              string                          `json:"NextContactId,omitempty"` // ours
	Channel                    contact.Channel                 `json:"Channel"`
	InitiationMethod           contact.InitiationMethod        `json:"InitiationMethod"`
	InitiationTimestamp        rest.Time                       `json:"InitiationTimestamp,omitzero"`
	ConnectedToSystemTimestamp rest.Time                       `json:"ConnectedToSystemTimestamp,omitzero"`
	RingStartTimestamp         rest.Time                       `json:"RingStartTimestamp,omitzero"`
	DisconnectTimestamp        rest.Time                       `json:"DisconnectTimestamp,omitzero"`
	LastUpdateTimestamp        rest.Time                       `json:"LastUpdateTimestamp,omitzero"`
	LastPausedTimestamp        rest.Time                       `json:"LastPausedTimestamp,omitzero"`
	LastResumedTimestamp       rest.Time                       `json:"LastResumedTimestamp,omitzero"`
	ScheduledTimestamp         rest.Time                       `json:"ScheduledTimestamp,omitzero"`
	QueueInfo                  *contactQueue                   `json:"QueueInfo,omitempty"`
	QueuePriority              *int64                          `json:"QueuePriority,omitempty"`
	QueueTimeAdjustmentSeconds *int64                          `json:"QueueTimeAdjustmentSeconds,omitempty"`
	AgentInfo                  *contactAgent                   `json:"AgentInfo,omitempty"`
	AnsweringMachineDetection  string                          `json:"AnsweringMachineDetectionStatus,omitempty"`
	Campaign                   *contactCampaign                `json:"Campaign,omitempty"`
	CustomerVoiceActivity      *contactVoiceActivity           `json:"CustomerVoiceActivity,omitempty"`
	CustomerEndpoint           *contactEndpoint                `json:"CustomerEndpoint,omitempty"`
	SystemEndpoint             *contactEndpoint                `json:"SystemEndpoint,omitempty"`
	DisconnectReason           contact.DisconnectReason        `json:"DisconnectReason,omitempty"`
	DisconnectDetails          *disconnectDetails              `json:"DisconnectDetails,omitempty"`
	QualityMetrics             *records.QualityMetrics         `json:"QualityMetrics,omitempty"`
	ChatMetrics                *records.ChatMetrics            `json:"ChatMetrics,omitempty"`
	SegmentAttributes          map[string]records.SegmentValue `json:"SegmentAttributes,omitempty"`
	Recordings                 []contactRecording              `json:"Recordings,omitempty"`
	Attributes                 map[string]string               `json:"Attributes,omitempty"`
	Name                       string                          `json:"Name,omitempty"`
	Description                string                          `json:"Description,omitempty"`
	CustomerID                 string                          `json:"CustomerId,omitempty"`
	Tags                       map[string]string               `json:"Tags,omitempty"`
	Disposition                string                          `json:"Disposition,omitempty"` // ours
	Notes                      string                          `json:"Notes,omitempty"`       // ours
}

type describeContactOutput struct {
	Contact contactRecord `json:"Contact"`
}

func (s *service) describeContact(
	ctx context.Context, c *rest.Call, in *describeContactInput,
) (*describeContactOutput, error) {
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	shape := records.RecordOf(r)
	out := contactRecord{
		ARN: resource.ARN(r.InstanceID, rest.KindContact, r.ID), ID: r.ID, InitialContactID: r.InitialContactID,
		PreviousContactID: r.PreviousContactID, RelatedContactID: r.RelatedContactID, ContactAssociationID: shape.ContactAssociationID,
		Channel: r.Channel, InitiationMethod: r.InitiationMethod, InitiationTimestamp: rest.At(r.InitiationTimestamp),
		ConnectedToSystemTimestamp: rest.At(r.ConnectedToSystemTimestamp),
		DisconnectTimestamp:        rest.At(r.DisconnectTimestamp), LastUpdateTimestamp: rest.At(r.LastUpdateTimestamp),
		LastPausedTimestamp: rest.At(r.LastPausedTimestamp), LastResumedTimestamp: rest.At(r.LastResumedTimestamp),
		ScheduledTimestamp: rest.At(r.ScheduledTimestamp), RingStartTimestamp: rest.At(time.Time(shape.RingStartTimestamp)),
		CustomerEndpoint: endpointOf(r.CustomerEndpoint), SystemEndpoint: endpointOf(r.SystemEndpoint),
		DisconnectReason: r.DisconnectReason, Name: r.Name, Description: r.Description, CustomerID: r.CustomerID, Tags: r.Tags,
		AnsweringMachineDetection: r.AnsweringMachineDetection, QueuePriority: shape.QueuePriority,
		QueueTimeAdjustmentSeconds: shape.QueueTimeAdjustmentSeconds, QualityMetrics: shape.QualityMetrics, ChatMetrics: shape.ChatMetrics,
		SegmentAttributes: shape.SegmentAttributes, NextContactID: r.NextContactID, Disposition: r.Disposition, Notes: r.Notes,
	}
	if issue := records.PotentialIssue(r); issue != "" || r.DisconnectDetail != "" {
		out.DisconnectDetails = &disconnectDetails{issue, r.DisconnectDetail}
	}
	if q := r.Queue; q != nil {
		out.QueueInfo = &contactQueue{ID: q.ID, EnqueueTimestamp: rest.At(q.EnqueueTimestamp)}
	}
	if r.Agent != nil {
		out.AgentInfo = agentOf(r, shape)
	}
	if r.CampaignID != "" {
		out.Campaign = &contactCampaign{r.CampaignID}
	}
	if v := shape.CustomerVoiceActivity; v != nil {
		out.CustomerVoiceActivity = &contactVoiceActivity{rest.At(r.GreetingStart), rest.At(r.GreetingEnd)}
	}
	if c.Principal.Can("ContactAttributes.View") {
		out.Attributes = r.Attributes
	}
	out.Recordings = recordingsOf(r)
	return &describeContactOutput{Contact: out}, nil
}

func recordingsOf(r *contact.Record) []contactRecording {
	var out []contactRecording
	for _, rec := range r.Recordings {
		// Here a recording is what lies in the blob store; the one still being uploaded is in /admin/v1.
		if rec.Status == contact.RecordingAvailable || rec.Status == contact.RecordingDeleted {
			out = append(out, contactRecording{
				StorageType: "S3", Location: rec.Location, MediaStreamType: cmp.Or(rec.Media, "AUDIO"), ParticipantType: "ALL",
				StartTimestamp: rest.At(rec.Start), StopTimestamp: rest.At(rec.Stop), Status: rec.Status,
				DeletionReason: deletion(rec),
			})
		}
	}
	return out
}

// deletion is why a recording is gone; other things that can be said of one are in /admin/v1.
func deletion(r contact.Recording) string {
	if r.Status != contact.RecordingDeleted {
		return ""
	}
	return r.Reason
}

func agentOf(r *contact.Record, shape *records.Record) *contactAgent {
	a := r.Agent
	out := &contactAgent{
		ID: a.ID, ConnectedToAgentTimestamp: rest.At(a.ConnectedToAgentTimestamp),
		AcceptedByAgentTimestamp:       rest.At(a.AcceptedByAgentTimestamp),
		AfterContactWorkStartTimestamp: rest.At(a.AfterContactWorkStart),
		AfterContactWorkEndTimestamp:   rest.At(a.AfterContactWorkEnd),
	}
	if !a.AfterContactWorkStart.IsZero() && !a.AfterContactWorkEnd.IsZero() {
		out.AfterContactWorkDuration = new(int(shape.Agent.AfterContactWorkDuration))
	}
	if a.Holds.ByAgent > 0 {
		out.AgentInitiatedHoldDuration = new(int(shape.Agent.AgentInitiatedHoldDuration))
	}
	for level, g := range shape.Agent.HierarchyGroups {
		if out.HierarchyGroups == nil {
			out.HierarchyGroups = map[string]contactGroup{}
		}
		out.HierarchyGroups[level] = contactGroup{g.ARN}
	}
	for _, t := range a.Transitions {
		out.StateTransitions = append(out.StateTransitions, contactTransition{t.State, rest.At(t.Start), rest.At(t.End)})
	}
	return out
}

func endpointOf(e contact.Endpoint) *contactEndpoint {
	if e.Address == "" {
		return nil
	}
	return &contactEndpoint{Type: e.Type, Address: e.Address, DisplayName: e.DisplayName}
}
