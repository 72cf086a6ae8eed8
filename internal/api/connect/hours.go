package connect

import (
	"context"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/calendar"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) hours(t *rest.Table) {
	const (
		all = "/hours-of-operations/{InstanceId}"
		one = all + "/{HoursOfOperationId}"
	)
	rest.Op(t, "CreateHoursOfOperation", "PUT", all, identity.HoursCreate, s.createHours)
	rest.Op(t, "DescribeHoursOfOperation", "GET", one, identity.HoursView, s.describeHours)
	rest.Op(t, "ListHoursOfOperations", "GET", "/hours-of-operations-summary/{InstanceId}", identity.HoursView, s.listHours)
	rest.Op(t, "UpdateHoursOfOperation", "POST", one, identity.HoursEdit, s.updateHours)
	rest.Op(t, "DeleteHoursOfOperation", "DELETE", one, identity.HoursDelete, s.deleteHours)
	s.hoursOverrides(t, one)
	s.hoursParents(t, one)
	s.hoursSearch(t)
}

type timeSlice struct {
	Hours   *int `json:"Hours"`
	Minutes *int `json:"Minutes"`
}

type hoursConfig struct {
	Day       string     `json:"Day"`
	StartTime *timeSlice `json:"StartTime"`
	EndTime   *timeSlice `json:"EndTime"`
}

func clockOf(t *timeSlice) calendar.Clock { return calendar.Clock{Hour: *t.Hours, Minute: *t.Minutes} }

func sliceOf(c calendar.Clock) *timeSlice { return &timeSlice{Hours: &c.Hour, Minutes: &c.Minute} }

func slotsOf(config []hoursConfig) []calendar.Slot {
	slots := make([]calendar.Slot, 0, len(config))
	for _, c := range config {
		slots = append(slots, calendar.Slot{Day: c.Day, Start: clockOf(c.StartTime), End: clockOf(c.EndTime)})
	}
	return slots
}

type createHoursInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"Name"`
	Description string            `json:"Description,omitempty"`
	TimeZone    string            `json:"TimeZone"`
	Config      []hoursConfig     `json:"Config,omitempty"`
	Tags        map[string]string `json:"Tags,omitempty"`
	Parents     []parentHours     `json:"ParentHoursOfOperationConfigs,omitempty"`
}

type createHoursOutput struct {
	HoursOfOperationARN string `json:"HoursOfOperationArn"`
	HoursOfOperationID  string `json:"HoursOfOperationId"`
}

func (s *service) createHours(ctx context.Context, c *rest.Call, in *createHoursInput) (*createHoursOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	h := &acd.Hours{
		Meta: meta, Description: in.Description, Hours: calendar.Hours{Zone: in.TimeZone, Slots: slotsOf(in.Config)},
	}
	for _, p := range in.Parents {
		h.Parents = append(h.Parents, p.ID)
	}
	if err = s.Hours.Create(ctx, h); err != nil {
		return nil, err
	}
	c.Note("hours_id", h.ID)
	return &createHoursOutput{HoursOfOperationARN: resource.ARN(h.InstanceID, h.Kind(), h.ID), HoursOfOperationID: h.ID}, nil
}

type hoursInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
}

type hoursOfOperation struct {
	HoursOfOperationID  string            `json:"HoursOfOperationId"`
	HoursOfOperationARN string            `json:"HoursOfOperationArn"`
	Name                string            `json:"Name"`
	Description         string            `json:"Description,omitempty"`
	TimeZone            string            `json:"TimeZone"`
	Config              []hoursConfig     `json:"Config"`
	Tags                map[string]string `json:"Tags,omitempty"`
	LastModifiedTime    rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion  string            `json:"LastModifiedRegion"`
	Parents             []hoursIdentifier `json:"ParentHoursOfOperations,omitempty"`
}

type describeHoursOutput struct {
	HoursOfOperation hoursOfOperation `json:"HoursOfOperation"`
}

func (s *service) describeHours(ctx context.Context, c *rest.Call, in *hoursInput) (*describeHoursOutput, error) {
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	parents := make(map[string]*acd.Hours, len(h.Parents))
	for _, id := range h.Parents {
		if parents[id], err = s.Hours.Get(ctx, c.Instance(), id); err != nil {
			return nil, err
		}
	}
	return &describeHoursOutput{HoursOfOperation: hoursOf(h, parents)}, nil
}

type listHoursOutput struct {
	List      []summary `json:"HoursOfOperationSummaryList"`
	NextToken string    `json:"NextToken,omitempty"`
}

func (s *service) listHours(ctx context.Context, c *rest.Call, in *listInput) (*listHoursOutput, error) {
	hs, next, err := page(ctx, s.Hours, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listHoursOutput{List: summaries(hs), NextToken: next}, nil
}

func summaries[T resource.Object](vs []T) []summary {
	out := make([]summary, 0, len(vs))
	for _, v := range vs {
		out = append(out, summaryOf(v))
	}
	return out
}

type updateHoursInput struct {
	InstanceID  string         `json:"-" path:"InstanceId" ref:"instance"`
	HoursID     string         `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	Name        *string        `json:"Name,omitempty"`
	Description *string        `json:"Description,omitempty"`
	TimeZone    *string        `json:"TimeZone,omitempty"`
	Config      *[]hoursConfig `json:"Config,omitempty"`
}

func (s *service) updateHours(ctx context.Context, c *rest.Call, in *updateHoursInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		set(&h.Name, in.Name)
		set(&h.Description, in.Description)
		set(&h.Hours.Zone, in.TimeZone)
		if in.Config != nil {
			h.Hours.Slots = slotsOf(*in.Config)
		}
		return nil
	})
	return done(err)
}

func (s *service) deleteHours(ctx context.Context, c *rest.Call, in *hoursInput) (*rest.Empty, error) {
	return done(s.Hours.Delete(ctx, c.Instance(), in.HoursID))
}
