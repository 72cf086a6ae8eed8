package connect

import (
	"context"
	"slices"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
	"ullim/internal/resource"
)

type searchTimeRange struct {
	Type      contact.Moment `json:"Type"`
	StartTime rest.Time      `json:"StartTime"`
	EndTime   rest.Time      `json:"EndTime"`
}

type searchAttributes struct {
	Criteria  []searchAttribute `json:"Criteria"`
	MatchType string            `json:"MatchType,omitempty"`
}

type searchAttribute struct {
	Key    string   `json:"Key"`
	Values []string `json:"Values"`
}

type searchCriteria struct {
	AgentIDs                    []string                   `json:"AgentIds,omitempty" ref:"agent"`
	QueueIDs                    []string                   `json:"QueueIds,omitempty" ref:"queue"`
	Channels                    []contact.Channel          `json:"Channels,omitempty"`
	InitiationMethods           []contact.InitiationMethod `json:"InitiationMethods,omitempty"`
	SearchableContactAttributes *searchAttributes          `json:"SearchableContactAttributes,omitempty"`

	// Ours: Connect has no such members.
	ContactIDs        []string                   `json:"ContactIds,omitempty" ref:"contact"`
	DisconnectReasons []contact.DisconnectReason `json:"DisconnectReasons,omitempty"`
	Dispositions      []string                   `json:"Dispositions,omitempty"`
	CustomerEndpoints []string                   `json:"CustomerEndpoints,omitempty"`

	Name                        rest.Unsupported `json:"Name,omitzero"`
	AgentHierarchyGroups        rest.Unsupported `json:"AgentHierarchyGroups,omitzero"`
	ContactAnalysis             rest.Unsupported `json:"ContactAnalysis,omitzero"`
	ContactTags                 rest.Unsupported `json:"ContactTags,omitzero"`
	RoutingCriteria             rest.Unsupported `json:"RoutingCriteria,omitzero"`
	AdditionalTimeRange         rest.Unsupported `json:"AdditionalTimeRange,omitzero"`
	SearchableSegmentAttributes rest.Unsupported `json:"SearchableSegmentAttributes,omitzero"`
	ActiveRegions               rest.Unsupported `json:"ActiveRegions,omitzero"`
}

type searchSort struct {
	FieldName contact.Moment `json:"FieldName"`
	Order     string         `json:"Order"`
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
	ARN                 string                          `json:"Arn"`
	ID                  string                          `json:"Id"`
	InitialContactID    string                          `json:"InitialContactId,omitempty"`
	PreviousContactID   string                          `json:"PreviousContactId,omitempty"`
	Channel             contact.Channel                 `json:"Channel"`
	InitiationMethod    contact.InitiationMethod        `json:"InitiationMethod"`
	InitiationTimestamp rest.Time                       `json:"InitiationTimestamp,omitzero"`
	ScheduledTimestamp  rest.Time                       `json:"ScheduledTimestamp,omitzero"`
	DisconnectTimestamp rest.Time                       `json:"DisconnectTimestamp,omitzero"`
	QueueInfo           *contactQueue                   `json:"QueueInfo,omitempty"`
	AgentInfo           *contactSearchAgent             `json:"AgentInfo,omitempty"`
	Name                string                          `json:"Name,omitempty"`
	SegmentAttributes   map[string]records.SegmentValue `json:"SegmentAttributes,omitempty"`
	Tags                map[string]string               `json:"Tags,omitempty"`
	DisconnectReason    contact.DisconnectReason        `json:"DisconnectReason,omitempty"` // ours, as the next two
	CustomerEndpoint    *contactEndpoint                `json:"CustomerEndpoint,omitempty"`
	Disposition         string                          `json:"Disposition,omitempty"`
}

type searchContactsOutput struct {
	Contacts   []contactSearchSummary `json:"Contacts"`
	NextToken  string                 `json:"NextToken,omitempty"`
	TotalCount *int                   `json:"TotalCount,omitempty"` // only when all are on this page: millions are not counted
}

// maxSearchRange is the longest time that one search covers, as in the service.
const maxSearchRange = 8 * 7 * 24 * time.Hour

func (in *searchContactsInput) check() error {
	tr := in.TimeRange
	switch {
	case tr.Type != contact.ByInitiation && tr.Type != contact.ByDisconnect:
		return errs.Field("TimeRange.Type", "must be %s or %s: others are not supported yet", contact.ByInitiation, contact.ByDisconnect)
	case tr.StartTime.IsZero() || tr.EndTime.IsZero():
		return errs.Field("TimeRange", "must have StartTime and EndTime")
	case !tr.StartTime.Before(tr.EndTime.Time):
		return errs.Field("TimeRange", "must begin before it ends")
	case tr.EndTime.Sub(tr.StartTime.Time) > maxSearchRange:
		return errs.Field("TimeRange", "must cover at most eight weeks")
	}
	if st := in.Sort; st != nil {
		switch {
		case st.FieldName != tr.Type:
			return errs.Field("Sort.FieldName", "must be that of the TimeRange, %s", tr.Type)
		case st.Order != "" && st.Order != "ASCENDING" && st.Order != "DESCENDING":
			return errs.Field("Sort.Order", "must be ASCENDING or DESCENDING")
		}
	}
	return nil
}

// query is what the store is asked.
func (s *service) query(ctx context.Context, c *rest.Call, in *searchContactsInput) (contact.Query, error) {
	q := contact.Query{
		InstanceID: c.Instance(), By: in.TimeRange.Type, From: in.TimeRange.StartTime.Time, To: in.TimeRange.EndTime.Time,
		Ascending: in.Sort != nil && in.Sort.Order == "ASCENDING", Max: in.MaxResults, Token: in.NextToken,
	}
	f := in.SearchCriteria
	if f == nil {
		return q, nil
	}
	q.AgentIDs, q.QueueIDs, q.Channels, q.Methods = f.AgentIDs, f.QueueIDs, f.Channels, f.InitiationMethods
	q.IDs, q.Reasons, q.Dispositions, q.Customers = f.ContactIDs, f.DisconnectReasons, f.Dispositions, f.CustomerEndpoints
	a := f.SearchableContactAttributes
	if a == nil {
		return q, nil
	}
	if !c.Principal.Can("ContactAttributes.View") {
		return q, errs.New(errs.Denied, "this needs the permission ContactAttributes.View")
	}
	if a.MatchType != "" && a.MatchType != "MATCH_ALL" {
		return q, errs.Field("SearchableContactAttributes.MatchType", "must be MATCH_ALL: others are not supported yet")
	}
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return q, err
	}
	q.Attributes = map[string][]string{}
	for _, one := range a.Criteria {
		if !slices.Contains(v.SearchableAttributes, one.Key) {
			return q, errs.Field("SearchableContactAttributes", "%q is not among the instance's searchable attributes", one.Key)
		}
		q.Attributes[one.Key] = one.Values
	}
	return q, nil
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
	in.MaxResults = pg.Max
	q, err := s.query(ctx, c, in)
	if err != nil {
		return nil, err
	}
	rs, next, err := s.Contacts.SearchContacts(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &searchContactsOutput{Contacts: make([]contactSearchSummary, 0, len(rs)), NextToken: next}
	for _, r := range rs {
		out.Contacts = append(out.Contacts, searchSummaryOf(r))
	}
	if next == "" && in.NextToken == "" {
		out.TotalCount = new(len(rs))
	}
	return out, nil
}

func searchSummaryOf(r *contact.Record) contactSearchSummary {
	out := contactSearchSummary{
		ARN: resource.ARN(r.InstanceID, rest.KindContact, r.ID), ID: r.ID, InitialContactID: r.InitialContactID,
		PreviousContactID: r.PreviousContactID, Channel: r.Channel, InitiationMethod: r.InitiationMethod,
		InitiationTimestamp: rest.At(r.InitiationTimestamp), DisconnectTimestamp: rest.At(r.DisconnectTimestamp),
		ScheduledTimestamp: rest.At(r.ScheduledTimestamp), Name: r.Name, SegmentAttributes: records.SegmentOf(r), Tags: r.Tags,
		DisconnectReason: r.DisconnectReason, CustomerEndpoint: endpointOf(r.CustomerEndpoint), Disposition: r.Disposition,
	}
	if q := r.Queue; q != nil {
		out.QueueInfo = &contactQueue{ID: q.ID, EnqueueTimestamp: rest.At(q.EnqueueTimestamp)}
	}
	if a := r.Agent; a != nil {
		out.AgentInfo = &contactSearchAgent{ID: a.ID, ConnectedToAgentTimestamp: rest.At(a.ConnectedToAgentTimestamp)}
	}
	return out
}
