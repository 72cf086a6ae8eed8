package connect

import (
	"context"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/calendar"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// maxEffectiveDays is how many days GetEffectiveHoursOfOperations answers for.
const maxEffectiveDays = 366

func (s *service) hoursParents(t *rest.Table, one string) {
	rest.Op(t, "AssociateHoursOfOperations", "POST", one+"/associate-hours", identity.HoursEdit, s.associateHours)
	rest.Op(t, "DisassociateHoursOfOperations", "POST", one+"/disassociate-hours", identity.HoursEdit, s.disassociateHours)
	rest.Op(t, "ListChildHoursOfOperations", "GET", one+"/hours", identity.HoursView, s.listChildHours)
	rest.Op(t, "GetEffectiveHoursOfOperations", "GET", "/effective-hours-of-operations/{InstanceId}/{HoursOfOperationId}",
		identity.HoursView, s.effectiveHours)
}

type parentHours struct {
	ID string `json:"HoursOfOperationId" ref:"operating-hours"`
}

type hoursIdentifier struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string `json:"Name"`
}

func identifierOf(h *acd.Hours) hoursIdentifier {
	return hoursIdentifier{ID: h.ID, ARN: resource.ARN(h.InstanceID, h.Kind(), h.ID), Name: h.Name}
}

// family reads all hours of the instance, by id.
func (s *service) family(ctx context.Context, instanceID string) (func(id string) *acd.Hours, error) {
	all, err := resource.All(ctx, s.Hours, instanceID)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*acd.Hours, len(all))
	for _, h := range all {
		byID[h.ID] = h
	}
	return func(id string) *acd.Hours { return byID[id] }, nil
}

type associateHoursInput struct {
	InstanceID string        `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string        `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	Parents    []parentHours `json:"ParentHoursOfOperationConfigs"`
}

// associateHours adds parents after those that are there; one that is there already stays where it is.
func (s *service) associateHours(ctx context.Context, c *rest.Call, in *associateHoursInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		for _, p := range in.Parents {
			if !slices.Contains(h.Parents, p.ID) {
				h.Parents = append(h.Parents, p.ID)
			}
		}
		find, err := s.family(ctx, c.Instance())
		if err != nil {
			return err
		}
		if err = acd.CheckParents(h, find); err != nil {
			return err
		}
		_, err = acd.CompileHours(h, find)
		return err
	})
	return done(err)
}

type disassociateHoursInput struct {
	InstanceID string   `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string   `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	Parents    []string `json:"ParentHoursOfOperationIds" ref:"operating-hours"`
}

func (s *service) disassociateHours(ctx context.Context, c *rest.Call, in *disassociateHoursInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		for _, id := range in.Parents {
			i := slices.Index(h.Parents, id)
			if i < 0 {
				return errs.New(errs.NotFound, "%s is no parent of these hours", id)
			}
			h.Parents = slices.Delete(h.Parents, i, i+1)
		}
		return nil
	})
	return done(err)
}

type listChildHoursOutput struct {
	List      []hoursIdentifier `json:"ChildHoursOfOperationsSummaryList"`
	NextToken string            `json:"NextToken,omitempty"`
}

// listChildHours looks through all hours of the instance page by page; there are at most some hundred.
func (s *service) listChildHours(ctx context.Context, c *rest.Call, in *listOverridesInput) (*listChildHoursOutput, error) {
	if _, err := s.Hours.Get(ctx, c.Instance(), in.HoursID); err != nil {
		return nil, err
	}
	hs, next, err := page(ctx, s.Hours, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listChildHoursOutput{List: []hoursIdentifier{}, NextToken: next}
	for _, h := range hs {
		if slices.Contains(h.Parents, in.HoursID) {
			out.List = append(out.List, identifierOf(h))
		}
	}
	return out, nil
}

type effectiveHoursInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	HoursID    string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	FromDate   string `json:"-" query:"fromDate"`
	ToDate     string `json:"-" query:"toDate"`
}

type effectiveHoursOutput struct {
	TimeZone  string              `json:"TimeZone"`
	Hours     []effectiveDay      `json:"EffectiveHoursOfOperationList"`
	Overrides []effectiveOverride `json:"EffectiveOverrideHoursList"`
}

type effectiveDay struct {
	Date  string            `json:"Date"`
	Hours []operationalHour `json:"OperationalHours"`
}

type operationalHour struct {
	Start *timeSlice `json:"Start"`
	End   *timeSlice `json:"End"`
}

type effectiveOverride struct {
	Date  string         `json:"Date"`
	Hours []overrideHour `json:"OverrideHours"`
}

type overrideHour struct {
	Start  *timeSlice `json:"Start"`
	End    *timeSlice `json:"End"`
	Name   string     `json:"OverrideName"`
	Status string     `json:"OperationalStatus"`
}

// effectiveHours answers day by day; the end of a day is 00:00. A holiday counts as an override of its name.
func (s *service) effectiveHours(ctx context.Context, c *rest.Call, in *effectiveHoursInput) (*effectiveHoursOutput, error) {
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	from, err := calendar.ParseDate("FromDate", in.FromDate)
	if err != nil {
		return nil, err
	}
	to, err := calendar.ParseDate("ToDate", in.ToDate)
	if err != nil {
		return nil, err
	}
	if to < from || to-from >= maxEffectiveDays {
		return nil, errs.Field("ToDate", "must be %s or later, and at most %d days in all", from, maxEffectiveDays)
	}
	find, err := s.family(ctx, c.Instance())
	if err != nil {
		return nil, err
	}
	schedule, err := acd.CompileHours(h, find)
	if err != nil {
		return nil, err
	}
	out := &effectiveHoursOutput{TimeZone: h.Hours.Zone, Hours: []effectiveDay{}, Overrides: []effectiveOverride{}}
	for d := from; d <= to; d++ {
		day, special := effectiveOf(schedule.Day(d))
		out.Hours = append(out.Hours, effectiveDay{Date: d.String(), Hours: day})
		if len(special) > 0 {
			out.Overrides = append(out.Overrides, effectiveOverride{Date: d.String(), Hours: special})
		}
	}
	return out, nil
}

func effectiveOf(day []calendar.Stretch) (hours []operationalHour, special []overrideHour) {
	hours = []operationalHour{}
	open := 0 // minute up to which the last of hours reaches
	for _, st := range day {
		start, end := minuteOf(st.From), minuteOf(st.To)
		if st.Open {
			if n := len(hours); n > 0 && open == st.From {
				hours[n-1].End = end
			} else {
				hours = append(hours, operationalHour{start, end})
			}
			open = st.To
		}
		o := overrideHour{Start: start, End: end, Status: "CLOSED"}
		if st.Open {
			o.Status = "OPEN"
		}
		switch {
		case st.Why.Override != nil:
			o.Name = st.Why.Override.Name
		case st.Why.Holiday != nil:
			o.Name = st.Why.Holiday.Name
		default:
			continue
		}
		special = append(special, o)
	}
	return hours, special
}

// minuteOf writes a minute of the day; the end of the day is 00:00.
func minuteOf(m int) *timeSlice {
	hour, minute := m/60%24, m%60
	return &timeSlice{Hours: &hour, Minutes: &minute}
}
