package connect

import (
	"cmp"
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) contacts(t *rest.Table) {
	rest.Op(t, "DescribeContact", "GET", "/contacts/{InstanceId}/{ContactId}", identity.ContactSearch, s.describeContact)
	rest.Op(t, "SearchContacts", "POST", "/search-contacts", identity.ContactSearch, s.searchContacts, rest.ReadOnly)
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
	ID                             string    `json:"Id"`
	ConnectedToAgentTimestamp      rest.Time `json:"ConnectedToAgentTimestamp,omitzero"`
	AcceptedByAgentTimestamp       rest.Time `json:"AcceptedByAgentTimestamp,omitzero"`
	AfterContactWorkDuration       *int      `json:"AfterContactWorkDuration,omitempty"`
	AfterContactWorkStartTimestamp rest.Time `json:"AfterContactWorkStartTimestamp,omitzero"`
	AfterContactWorkEndTimestamp   rest.Time `json:"AfterContactWorkEndTimestamp,omitzero"`
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

// disconnectDetails says in one line what ended the contact.
type disconnectDetails struct {
	PotentialDisconnectIssue string `json:"PotentialDisconnectIssue"`
}

type contactRecord struct {
	ARN                        string                   `json:"Arn"`
	ID                         string                   `json:"Id"`
	InitialContactID           string                   `json:"InitialContactId,omitempty"`
	PreviousContactID          string                   `json:"PreviousContactId,omitempty"`
	Channel                    contact.Channel          `json:"Channel"`
	InitiationMethod           contact.InitiationMethod `json:"InitiationMethod"`
	InitiationTimestamp        rest.Time                `json:"InitiationTimestamp,omitzero"`
	ConnectedToSystemTimestamp rest.Time                `json:"ConnectedToSystemTimestamp,omitzero"`
	RingStartTimestamp         rest.Time                `json:"RingStartTimestamp,omitzero"`
	DisconnectTimestamp        rest.Time                `json:"DisconnectTimestamp,omitzero"`
	LastUpdateTimestamp        rest.Time                `json:"LastUpdateTimestamp,omitzero"`
	QueueInfo                  *contactQueue            `json:"QueueInfo,omitempty"`
	AgentInfo                  *contactAgent            `json:"AgentInfo,omitempty"`
	CustomerEndpoint           *contactEndpoint         `json:"CustomerEndpoint,omitempty"`
	SystemEndpoint             *contactEndpoint         `json:"SystemEndpoint,omitempty"`
	DisconnectReason           contact.DisconnectReason `json:"DisconnectReason,omitempty"`
	DisconnectDetails          *disconnectDetails       `json:"DisconnectDetails,omitempty"`
	Recordings                 []contactRecording       `json:"Recordings,omitempty"`
	Attributes                 map[string]string        `json:"Attributes,omitempty"`
	Name                       string                   `json:"Name,omitempty"`
	Description                string                   `json:"Description,omitempty"`
	CustomerID                 string                   `json:"CustomerId,omitempty"`
	Tags                       map[string]string        `json:"Tags,omitempty"`
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
	out := contactRecord{
		ARN: resource.ARN(r.InstanceID, rest.KindContact, r.ID), ID: r.ID, InitialContactID: r.InitialContactID,
		PreviousContactID: r.PreviousContactID, Channel: r.Channel, InitiationMethod: r.InitiationMethod,
		InitiationTimestamp:        rest.At(r.InitiationTimestamp),
		ConnectedToSystemTimestamp: rest.At(r.ConnectedToSystemTimestamp),
		DisconnectTimestamp:        rest.At(r.DisconnectTimestamp), LastUpdateTimestamp: rest.At(r.LastUpdateTimestamp),
		CustomerEndpoint: endpointOf(r.CustomerEndpoint), SystemEndpoint: endpointOf(r.SystemEndpoint),
		DisconnectReason: r.DisconnectReason, Name: r.Name, Description: r.Description, CustomerID: r.CustomerID, Tags: r.Tags,
	}
	if r.DisconnectDetail != "" {
		out.DisconnectDetails = &disconnectDetails{PotentialDisconnectIssue: r.DisconnectDetail}
	}
	if q := r.Queue; q != nil {
		out.QueueInfo = &contactQueue{ID: q.ID, EnqueueTimestamp: rest.At(q.EnqueueTimestamp)}
	}
	if a := r.Agent; a != nil {
		out.RingStartTimestamp = rest.At(a.RingStartTimestamp)
		out.AgentInfo = agentOf(a)
	}
	if c.Principal.Can("ContactAttributes.View") {
		out.Attributes = r.Attributes
	}
	for _, rec := range r.Recordings {
		// Here a recording is what lies in the blob store; the one still being uploaded is in /admin/v1.
		if rec.Status == contact.RecordingAvailable || rec.Status == contact.RecordingDeleted {
			out.Recordings = append(out.Recordings, contactRecording{
				StorageType: "S3", Location: rec.Location, MediaStreamType: cmp.Or(rec.Media, "AUDIO"), ParticipantType: "ALL",
				StartTimestamp: rest.At(rec.Start), StopTimestamp: rest.At(rec.Stop), Status: rec.Status,
				DeletionReason: deletion(rec),
			})
		}
	}
	return &describeContactOutput{Contact: out}, nil
}

// deletion is why a recording is gone; other things that can be said of one are in /admin/v1.
func deletion(r contact.Recording) string {
	if r.Status != contact.RecordingDeleted {
		return ""
	}
	return r.Reason
}

func agentOf(a *contact.AgentInfo) *contactAgent {
	out := &contactAgent{
		ID: a.ID, ConnectedToAgentTimestamp: rest.At(a.ConnectedToAgentTimestamp),
		AcceptedByAgentTimestamp:       rest.At(a.AcceptedByAgentTimestamp),
		AfterContactWorkStartTimestamp: rest.At(a.AfterContactWorkStart),
		AfterContactWorkEndTimestamp:   rest.At(a.AfterContactWorkEnd),
	}
	if !a.AfterContactWorkStart.IsZero() && !a.AfterContactWorkEnd.IsZero() {
		out.AfterContactWorkDuration = new(int(a.AfterContactWorkEnd.Sub(a.AfterContactWorkStart) / time.Second))
	}
	return out
}

func endpointOf(e contact.Endpoint) *contactEndpoint {
	if e.Address == "" {
		return nil
	}
	return &contactEndpoint{Type: e.Type, Address: e.Address, DisplayName: e.DisplayName}
}

type searchTimeRange struct {
	Type      string    `json:"Type"`
	StartTime rest.Time `json:"StartTime"`
	EndTime   rest.Time `json:"EndTime"`
}

type searchCriteria struct {
	AgentIDs                    []string                   `json:"AgentIds,omitempty" ref:"agent"`
	QueueIDs                    []string                   `json:"QueueIds,omitempty" ref:"queue"`
	Channels                    []contact.Channel          `json:"Channels,omitempty"`
	InitiationMethods           []contact.InitiationMethod `json:"InitiationMethods,omitempty"`
	Name                        rest.Unsupported           `json:"Name,omitzero"`
	AgentHierarchyGroups        rest.Unsupported           `json:"AgentHierarchyGroups,omitzero"`
	ContactAnalysis             rest.Unsupported           `json:"ContactAnalysis,omitzero"`
	ContactTags                 rest.Unsupported           `json:"ContactTags,omitzero"`
	RoutingCriteria             rest.Unsupported           `json:"RoutingCriteria,omitzero"`
	AdditionalTimeRange         rest.Unsupported           `json:"AdditionalTimeRange,omitzero"`
	SearchableContactAttributes rest.Unsupported           `json:"SearchableContactAttributes,omitzero"`
	SearchableSegmentAttributes rest.Unsupported           `json:"SearchableSegmentAttributes,omitzero"`
	ActiveRegions               rest.Unsupported           `json:"ActiveRegions,omitzero"`
}

type searchSort struct {
	FieldName string `json:"FieldName"`
	Order     string `json:"Order"`
}

type searchContactsInput struct {
	InstanceID     string           `json:"InstanceId" ref:"instance"`
	TimeRange      *searchTimeRange `json:"TimeRange"`
	SearchCriteria *searchCriteria  `json:"SearchCriteria,omitempty"`
	Sort           *searchSort      `json:"Sort,omitempty"`
	MaxResults     int              `json:"MaxResults,omitempty"`
	NextToken      string           `json:"NextToken,omitempty"`
}

type contactSearchAgent struct {
	ID                        string    `json:"Id"`
	ConnectedToAgentTimestamp rest.Time `json:"ConnectedToAgentTimestamp,omitzero"`
}

type contactSearchSummary struct {
	ARN                 string                   `json:"Arn"`
	ID                  string                   `json:"Id"`
	InitialContactID    string                   `json:"InitialContactId,omitempty"`
	PreviousContactID   string                   `json:"PreviousContactId,omitempty"`
	Channel             contact.Channel          `json:"Channel"`
	InitiationMethod    contact.InitiationMethod `json:"InitiationMethod"`
	InitiationTimestamp rest.Time                `json:"InitiationTimestamp,omitzero"`
	DisconnectTimestamp rest.Time                `json:"DisconnectTimestamp,omitzero"`
	QueueInfo           *contactQueue            `json:"QueueInfo,omitempty"`
	AgentInfo           *contactSearchAgent      `json:"AgentInfo,omitempty"`
}

type searchContactsOutput struct {
	Contacts  []contactSearchSummary `json:"Contacts"`
	NextToken string                 `json:"NextToken,omitempty"`
}

// maxSearchRange is the longest time that one search covers, as in the service.
const maxSearchRange = 8 * 7 * 24 * time.Hour

func (in *searchContactsInput) check() error {
	tr := in.TimeRange
	switch {
	case tr.Type != "INITIATION_TIMESTAMP":
		return errs.Field("TimeRange.Type", "must be INITIATION_TIMESTAMP: others are not supported yet")
	case tr.StartTime.IsZero() || tr.EndTime.IsZero():
		return errs.Field("TimeRange", "must have StartTime and EndTime")
	case !tr.StartTime.Before(tr.EndTime.Time):
		return errs.Field("TimeRange", "must begin before it ends")
	case tr.EndTime.Sub(tr.StartTime.Time) > maxSearchRange:
		return errs.Field("TimeRange", "must cover at most eight weeks")
	}
	if st := in.Sort; st != nil && (st.FieldName != "INITIATION_TIMESTAMP" || st.Order != "DESCENDING") {
		return errs.Field("Sort", "must be INITIATION_TIMESTAMP, DESCENDING: others are not supported yet")
	}
	return nil
}

func (s *service) searchContacts(
	ctx context.Context, c *rest.Call, in *searchContactsInput,
) (*searchContactsOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	rs, next, err := s.Contacts.Contacts(ctx, c.Instance(), in.TimeRange.StartTime.Time, in.TimeRange.EndTime.Time, pg)
	if err != nil {
		return nil, err
	}
	out := &searchContactsOutput{Contacts: []contactSearchSummary{}, NextToken: next}
	for _, r := range rs {
		if in.SearchCriteria.match(r) {
			out.Contacts = append(out.Contacts, searchSummaryOf(r))
		}
	}
	return out, nil
}

func (f *searchCriteria) match(r *contact.Record) bool {
	if f == nil {
		return true
	}
	agent, queue := "", ""
	if r.Agent != nil {
		agent = r.Agent.ID
	}
	if r.Queue != nil {
		queue = r.Queue.ID
	}
	return among(f.Channels, r.Channel) && among(f.InitiationMethods, r.InitiationMethod) &&
		among(f.AgentIDs, agent) && among(f.QueueIDs, queue)
}

func searchSummaryOf(r *contact.Record) contactSearchSummary {
	out := contactSearchSummary{
		ARN: resource.ARN(r.InstanceID, rest.KindContact, r.ID), ID: r.ID, InitialContactID: r.InitialContactID,
		PreviousContactID: r.PreviousContactID, Channel: r.Channel, InitiationMethod: r.InitiationMethod,
		InitiationTimestamp: rest.At(r.InitiationTimestamp), DisconnectTimestamp: rest.At(r.DisconnectTimestamp),
	}
	if q := r.Queue; q != nil {
		out.QueueInfo = &contactQueue{ID: q.ID, EnqueueTimestamp: rest.At(q.EnqueueTimestamp)}
	}
	if a := r.Agent; a != nil {
		out.AgentInfo = &contactSearchAgent{ID: a.ID, ConnectedToAgentTimestamp: rest.At(a.ConnectedToAgentTimestamp)}
	}
	return out
}
