package connect

import (
	"context"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) hoursSearch(t *rest.Table) {
	rest.Op(t, "SearchHoursOfOperations", "POST", "/search-hours-of-operations", identity.HoursView, s.searchHours, rest.ReadOnly)
	rest.Op(t, "SearchHoursOfOperationOverrides", "POST", "/search-hours-of-operation-overrides", identity.HoursView, s.searchOverrides, rest.ReadOnly)
}

type searchHoursOutput struct {
	HoursOfOperations     []hoursOfOperation `json:"HoursOfOperations"`
	NextToken             string             `json:"NextToken,omitempty"`
	ApproximateTotalCount int64              `json:"ApproximateTotalCount"`
}

func (s *service) searchHours(ctx context.Context, c *rest.Call, in *searchInput) (*searchHoursOutput, error) {
	looking, err := in.begin(c, fields{texts: []string{"name", "description", "timezone", "resourceid"}})
	if err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Hours, c.Instance())
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*acd.Hours, len(all))
	for _, h := range all {
		byID[h.ID] = h
	}
	out := &searchHoursOutput{HoursOfOperations: []hoursOfOperation{}}
	for _, h := range all {
		f := found{texts: map[string]string{"name": h.Name, "description": h.Description, "timezone": h.Hours.Zone, "resourceid": h.ID}}
		if in.SearchCriteria.match(f) && in.SearchFilter.match(h.Tags) && looking.take() {
			out.HoursOfOperations = append(out.HoursOfOperations, hoursOf(h, byID))
		}
	}
	out.NextToken, out.ApproximateTotalCount = looking.next(), looking.total
	return out, nil
}

type searchOverridesOutput struct {
	Overrides             []hoursOverride `json:"HoursOfOperationOverrides"`
	NextToken             string          `json:"NextToken,omitempty"`
	ApproximateTotalCount int64           `json:"ApproximateTotalCount"`
}

// searchOverrides looks at the overrides of all hours; the tags are those of the hours.
func (s *service) searchOverrides(ctx context.Context, c *rest.Call, in *searchInput) (*searchOverridesOutput, error) {
	looking, err := in.begin(c, fields{
		texts: []string{"name", "description", "hoursofoperationid", "overridetype", "resourceid"},
		dates: []string{"effectivefrom", "effectivetill"},
	})
	if err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Hours, c.Instance())
	if err != nil {
		return nil, err
	}
	out := &searchOverridesOutput{Overrides: []hoursOverride{}}
	for _, h := range all {
		if !in.SearchFilter.match(h.Tags) {
			continue
		}
		for i := range h.Hours.Overrides {
			o := &h.Hours.Overrides[i]
			f := found{
				texts: map[string]string{
					"name": o.Name, "description": o.Description, "hoursofoperationid": h.ID, "overridetype": string(o.Type), "resourceid": o.ID,
				},
				dates: map[string]string{"effectivefrom": o.From, "effectivetill": o.Till},
			}
			if in.SearchCriteria.match(f) && looking.take() {
				out.Overrides = append(out.Overrides, overrideOf(h, o))
			}
		}
	}
	out.NextToken, out.ApproximateTotalCount = looking.next(), looking.total
	return out, nil
}

// hoursOf is what is told of hours; parents are found among those known.
func hoursOf(h *acd.Hours, known map[string]*acd.Hours) hoursOfOperation {
	out := hoursOfOperation{
		HoursOfOperationID: h.ID, HoursOfOperationARN: resource.ARN(h.InstanceID, h.Kind(), h.ID), Name: h.Name,
		Description: h.Description, TimeZone: h.Hours.Zone, Config: []hoursConfig{}, Tags: h.Tags,
		LastModifiedTime: rest.At(h.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	for _, slot := range h.Hours.Slots {
		out.Config = append(out.Config, hoursConfig{Day: slot.Day, StartTime: sliceOf(slot.Start), EndTime: sliceOf(slot.End)})
	}
	for _, id := range h.Parents {
		if p := known[id]; p != nil {
			out.Parents = append(out.Parents, identifierOf(p))
		}
	}
	return out
}
