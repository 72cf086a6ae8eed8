package connect

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/calendar"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) hoursOverrides(t *rest.Table, one string) {
	all := one + "/overrides"
	single := all + "/{HoursOfOperationOverrideId}"
	rest.Op(t, "CreateHoursOfOperationOverride", "PUT", all, identity.HoursEdit, s.createOverride)
	rest.Op(t, "ListHoursOfOperationOverrides", "GET", all, identity.HoursView, s.listOverrides)
	rest.Op(t, "DescribeHoursOfOperationOverride", "GET", single, identity.HoursView, s.describeOverride)
	rest.Op(t, "UpdateHoursOfOperationOverride", "POST", single, identity.HoursEdit, s.updateOverride)
	rest.Op(t, "DeleteHoursOfOperationOverride", "DELETE", single, identity.HoursEdit, s.deleteOverride)
}

// overrideConfig is an entry of an override. Without times it is the whole day; without a day, whichever day it is.
type overrideConfig struct {
	Day       string     `json:"Day,omitempty"`
	StartTime *timeSlice `json:"StartTime,omitempty"`
	EndTime   *timeSlice `json:"EndTime,omitempty"`
}

type recurrenceConfig struct {
	Pattern *recurrencePattern `json:"RecurrencePattern"`
}

// recurrencePattern has lists where one value is allowed, as in Connect.
type recurrencePattern struct {
	Frequency           string `json:"Frequency"`
	Interval            int    `json:"Interval"`
	ByMonth             []int  `json:"ByMonth,omitempty"`
	ByMonthDay          []int  `json:"ByMonthDay,omitempty"`
	ByWeekdayOccurrence []int  `json:"ByWeekdayOccurrence,omitempty"`
}

func (r *recurrenceConfig) read() (*calendar.Recurrence, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // no recurrence is one of the possibilities
	}
	p := r.Pattern
	out := &calendar.Recurrence{Frequency: calendar.Frequency(p.Frequency), Interval: p.Interval}
	for _, m := range []struct {
		name string
		from []int
		to   *int
	}{{"ByMonth", p.ByMonth, &out.Month}, {"ByMonthDay", p.ByMonthDay, &out.MonthDay}, {"ByWeekdayOccurrence", p.ByWeekdayOccurrence, &out.Occurrence}} {
		field := "RecurrenceConfig.RecurrencePattern." + m.name
		switch {
		case len(m.from) > 1:
			return nil, errs.Field(field, "must have one value")
		case len(m.from) == 1 && m.from[0] == 0:
			return nil, errs.Field(field, "must not be 0")
		case len(m.from) == 1:
			*m.to = m.from[0]
		}
	}
	return out, nil
}

func recurrenceOf(r *calendar.Recurrence) *recurrenceConfig {
	if r == nil {
		return nil
	}
	list := func(n int) []int {
		if n == 0 {
			return nil
		}
		return []int{n}
	}
	return &recurrenceConfig{Pattern: &recurrencePattern{
		Frequency: string(r.Frequency), Interval: r.Interval, ByMonth: list(r.Month), ByMonthDay: list(r.MonthDay),
		ByWeekdayOccurrence: list(r.Occurrence),
	}}
}

func overrideSlots(config []overrideConfig) []calendar.Slot {
	slots := make([]calendar.Slot, 0, len(config))
	for _, c := range config {
		slot := calendar.Slot{Day: c.Day}
		if c.StartTime != nil {
			slot.Start = clockOf(c.StartTime)
		}
		if c.EndTime != nil {
			slot.End = clockOf(c.EndTime)
		}
		slots = append(slots, slot)
	}
	return slots
}

type createOverrideInput struct {
	InstanceID    string            `json:"-" path:"InstanceId" ref:"instance"`
	HoursID       string            `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	Name          string            `json:"Name"`
	Description   string            `json:"Description,omitempty"`
	Config        []overrideConfig  `json:"Config,omitempty"`
	EffectiveFrom string            `json:"EffectiveFrom"`
	EffectiveTill string            `json:"EffectiveTill"`
	OverrideType  string            `json:"OverrideType,omitempty"`
	Recurrence    *recurrenceConfig `json:"RecurrenceConfig,omitempty"`
}

type createOverrideOutput struct {
	ID string `json:"HoursOfOperationOverrideId"`
}

func (s *service) createOverride(ctx context.Context, c *rest.Call, in *createOverrideInput) (*createOverrideOutput, error) {
	recurrence, err := in.Recurrence.read()
	if err != nil {
		return nil, err
	}
	o := calendar.Override{
		ID: uuid.NewString(), Name: in.Name, Description: in.Description, Type: calendar.OverrideType(in.OverrideType),
		From: in.EffectiveFrom, Till: in.EffectiveTill, Slots: overrideSlots(in.Config), Recurrence: recurrence,
	}
	if o.Type == "" {
		o.Type = calendar.Standard
	}
	_, err = resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		h.Hours.Overrides = append(h.Hours.Overrides, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.Note("override_id", o.ID)
	return &createOverrideOutput{ID: o.ID}, nil
}

type overrideInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	OverrideID string `json:"-" path:"HoursOfOperationOverrideId"`
}

type hoursOverride struct {
	ID            string            `json:"HoursOfOperationOverrideId"`
	HoursID       string            `json:"HoursOfOperationId"`
	HoursARN      string            `json:"HoursOfOperationArn"`
	Name          string            `json:"Name"`
	Description   string            `json:"Description,omitempty"`
	Config        []overrideConfig  `json:"Config"`
	EffectiveFrom string            `json:"EffectiveFrom"`
	EffectiveTill string            `json:"EffectiveTill"`
	OverrideType  string            `json:"OverrideType"`
	Recurrence    *recurrenceConfig `json:"RecurrenceConfig,omitempty"`
}

func overrideOf(h *acd.Hours, o *calendar.Override) hoursOverride {
	out := hoursOverride{
		ID: o.ID, HoursID: h.ID, HoursARN: resource.ARN(h.InstanceID, h.Kind(), h.ID), Name: o.Name, Description: o.Description,
		Config: make([]overrideConfig, 0, len(o.Slots)), EffectiveFrom: o.From, EffectiveTill: o.Till, OverrideType: string(o.Type),
		Recurrence: recurrenceOf(o.Recurrence),
	}
	for _, slot := range o.Slots {
		out.Config = append(out.Config, overrideConfig{Day: slot.Day, StartTime: sliceOf(slot.Start), EndTime: sliceOf(slot.End)})
	}
	return out
}

// findOverride gives the place of an override. errs.NotFound.
func findOverride(h *acd.Hours, id string) (int, error) {
	i := slices.IndexFunc(h.Hours.Overrides, func(o calendar.Override) bool { return o.ID == id })
	if i < 0 {
		return 0, errs.New(errs.NotFound, "override not found")
	}
	return i, nil
}

type describeOverrideOutput struct {
	Override hoursOverride `json:"HoursOfOperationOverride"`
}

func (s *service) describeOverride(ctx context.Context, c *rest.Call, in *overrideInput) (*describeOverrideOutput, error) {
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	i, err := findOverride(h, in.OverrideID)
	if err != nil {
		return nil, err
	}
	return &describeOverrideOutput{Override: overrideOf(h, &h.Hours.Overrides[i])}, nil
}

type listOverridesInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listOverridesOutput struct {
	List               []hoursOverride `json:"HoursOfOperationOverrideList"`
	LastModifiedTime   rest.Time       `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string          `json:"LastModifiedRegion"`
	NextToken          string          `json:"NextToken,omitempty"`
}

// listOverrides pages by id: the token is the last one given.
func (s *service) listOverrides(ctx context.Context, c *rest.Call, in *listOverridesInput) (*listOverridesOutput, error) {
	p, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	from := 0
	if p.Token != "" {
		if from, err = findOverride(h, p.Token); err != nil {
			return nil, errs.Field("NextToken", "is of an override that is gone; begin anew")
		}
		from++
	}
	out := &listOverridesOutput{List: []hoursOverride{}, LastModifiedTime: rest.At(h.ModifiedAt), LastModifiedRegion: resource.Region}
	for i := from; i < min(from+p.Max, len(h.Hours.Overrides)); i++ {
		out.List = append(out.List, overrideOf(h, &h.Hours.Overrides[i]))
	}
	if n := from + len(out.List); n < len(h.Hours.Overrides) {
		out.NextToken = h.Hours.Overrides[n-1].ID
	}
	return out, nil
}

type updateOverrideInput struct {
	InstanceID    string            `json:"-" path:"InstanceId" ref:"instance"`
	HoursID       string            `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	OverrideID    string            `json:"-" path:"HoursOfOperationOverrideId"`
	Name          *string           `json:"Name,omitempty"`
	Description   *string           `json:"Description,omitempty"`
	Config        *[]overrideConfig `json:"Config,omitempty"`
	EffectiveFrom *string           `json:"EffectiveFrom,omitempty"`
	EffectiveTill *string           `json:"EffectiveTill,omitempty"`
	OverrideType  *string           `json:"OverrideType,omitempty"`
	Recurrence    *recurrenceConfig `json:"RecurrenceConfig,omitempty"`
}

// updateOverride changes what was sent. An override that becomes STANDARD loses its recurrence.
func (s *service) updateOverride(ctx context.Context, c *rest.Call, in *updateOverrideInput) (*rest.Empty, error) {
	recurrence, err := in.Recurrence.read()
	if err != nil {
		return nil, err
	}
	_, err = resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		i, missing := findOverride(h, in.OverrideID)
		if missing != nil {
			return missing
		}
		o := &h.Hours.Overrides[i]
		set(&o.Name, in.Name)
		set(&o.Description, in.Description)
		set(&o.From, in.EffectiveFrom)
		set(&o.Till, in.EffectiveTill)
		if in.OverrideType != nil {
			if o.Type = calendar.OverrideType(*in.OverrideType); o.Type == calendar.Standard {
				o.Recurrence = nil
			}
		}
		if in.Config != nil {
			o.Slots = overrideSlots(*in.Config)
		}
		if recurrence != nil {
			o.Recurrence = recurrence
		}
		return nil
	})
	return done(err)
}

func (s *service) deleteOverride(ctx context.Context, c *rest.Call, in *overrideInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		i, err := findOverride(h, in.OverrideID)
		if err != nil {
			return err
		}
		h.Hours.Overrides = slices.Delete(h.Hours.Overrides, i, i+1)
		return nil
	})
	return done(err)
}
