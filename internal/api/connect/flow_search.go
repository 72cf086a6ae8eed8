package connect

import (
	"context"
	"encoding/base64"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

// Bounds of a search: how deep criteria nest, and how many there may be in all.
const (
	maxSearchDepth    = 5
	maxSearchCriteria = 100
)

type stringCondition struct {
	FieldName      string `json:"FieldName,omitempty"`
	Value          string `json:"Value,omitempty"`
	ComparisonType string `json:"ComparisonType,omitempty"`
}

type flowCriteria struct {
	AndConditions   []flowCriteria   `json:"AndConditions,omitempty"`
	OrConditions    []flowCriteria   `json:"OrConditions,omitempty"`
	StringCondition *stringCondition `json:"StringCondition,omitempty"`
	StateCondition  string           `json:"StateCondition,omitempty"`
	StatusCondition string           `json:"StatusCondition,omitempty"`
	TypeCondition   string           `json:"TypeCondition,omitempty"`
}

type tagCondition struct {
	TagKey   string `json:"TagKey,omitempty"`
	TagValue string `json:"TagValue,omitempty"`
}

type tagFilter struct {
	AndConditions []tagCondition   `json:"AndConditions,omitempty"`
	OrConditions  [][]tagCondition `json:"OrConditions,omitempty"`
	TagCondition  *tagCondition    `json:"TagCondition,omitempty"`
}

type flowFilter struct {
	TagFilter           *tagFilter       `json:"TagFilter,omitempty"`
	FlowAttributeFilter rest.Unsupported `json:"FlowAttributeFilter,omitzero"`
}

type searchFlowsInput struct {
	InstanceID     string        `json:"InstanceId" ref:"instance"`
	SearchCriteria *flowCriteria `json:"SearchCriteria,omitempty"`
	SearchFilter   *flowFilter   `json:"SearchFilter,omitempty"`
	MaxResults     int           `json:"MaxResults,omitempty"`
	NextToken      string        `json:"NextToken,omitempty"`
}

type searchFlowsOutput struct {
	ContactFlows          []contactFlow `json:"ContactFlows"`
	NextToken             string        `json:"NextToken,omitempty"`
	ApproximateTotalCount int           `json:"ApproximateTotalCount"`
}

func (s *service) searchFlows(ctx context.Context, c *rest.Call, in *searchFlowsInput) (*searchFlowsOutput, error) {
	found, next, total, err := search(ctx, s.Flows, c, in)
	if err != nil {
		return nil, err
	}
	out := &searchFlowsOutput{ContactFlows: []contactFlow{}, NextToken: next, ApproximateTotalCount: total}
	for _, f := range found {
		out.ContactFlows = append(out.ContactFlows, flowOf(f))
	}
	return out, nil
}

// search goes through all flows, which are few, in order of name; the token is the name of the last one given.
func search(ctx context.Context, flows Flows, c *rest.Call, in *searchFlowsInput) (found []*ivr.Flow, next string, total int, err error) {
	left := maxSearchCriteria
	if err = in.SearchCriteria.check(1, &left); err != nil {
		return nil, "", 0, err
	}
	pg, err := pageOf(in.MaxResults, 500, in.NextToken)
	if err != nil {
		return nil, "", 0, err
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, "", 0, errs.Field("NextToken", "is not a token that this search gave")
	}
	page := resource.Page{Max: 1000}
	for {
		list, more, err := flows.List(ctx, c.Instance(), page)
		if err != nil {
			return nil, "", 0, err
		}
		for _, f := range list {
			if !in.SearchCriteria.match(f) || !in.SearchFilter.match(f) {
				continue
			}
			total++
			switch {
			case f.Name <= string(after) && len(after) > 0:
			case len(found) < pg.Max:
				found = append(found, f)
			default:
				next = base64.RawURLEncoding.EncodeToString([]byte(found[len(found)-1].Name))
			}
		}
		if page.Token = more; more == "" {
			return found, next, total, nil
		}
	}
}

func (q *flowCriteria) check(depth int, left *int) error {
	if q == nil {
		return nil
	}
	if *left--; depth > maxSearchDepth || *left < 0 {
		return errs.Field("SearchCriteria", "has more than %d conditions, or nests more than %d deep", maxSearchCriteria, maxSearchDepth)
	}
	if sc := q.StringCondition; sc != nil {
		switch strings.ToLower(sc.FieldName) {
		case "name", "description", "id", "resourceid":
		default:
			return errs.Field("SearchCriteria.StringCondition.FieldName", "must be name, description or id; is %.60q", sc.FieldName)
		}
		switch sc.ComparisonType {
		case "", "STARTS_WITH", "CONTAINS", "EXACT":
		default:
			return errs.Field("SearchCriteria.StringCondition.ComparisonType", "must be STARTS_WITH, CONTAINS or EXACT; is %.60q", sc.ComparisonType)
		}
	}
	for _, list := range [][]flowCriteria{q.AndConditions, q.OrConditions} {
		for i := range list {
			if err := list[i].check(depth+1, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// match tells whether a flow meets all that is asked.
func (q *flowCriteria) match(f *ivr.Flow) bool {
	if q == nil {
		return true
	}
	for i := range q.AndConditions {
		if !q.AndConditions[i].match(f) {
			return false
		}
	}
	one := len(q.OrConditions) == 0
	for i := range q.OrConditions {
		one = one || q.OrConditions[i].match(f)
	}
	is := func(want, got string) bool { return want == "" || want == got }
	return one && q.StringCondition.match(f) && is(q.StateCondition, flowState(f)) &&
		is(q.StatusCondition, string(flowStatus(f))) && is(q.TypeCondition, string(f.Type))
}

// match compares without regard to case, as the service does.
func (sc *stringCondition) match(f *ivr.Flow) bool {
	if sc == nil {
		return true
	}
	text := f.Name
	switch strings.ToLower(sc.FieldName) {
	case "description":
		text = f.Description
	case "id", "resourceid":
		text = f.ID
	}
	text, value := strings.ToLower(text), strings.ToLower(sc.Value)
	switch sc.ComparisonType {
	case "STARTS_WITH":
		return strings.HasPrefix(text, value)
	case "EXACT":
		return text == value
	}
	return strings.Contains(text, value)
}

func (q *flowFilter) match(f *ivr.Flow) bool { return q == nil || q.TagFilter.match(f.Tags) }

func (q *tagFilter) match(tags map[string]string) bool {
	if q == nil {
		return true
	}
	all := func(list []tagCondition) bool {
		for _, t := range list {
			if !t.match(tags) {
				return false
			}
		}
		return true
	}
	one := len(q.OrConditions) == 0
	for _, list := range q.OrConditions {
		one = one || all(list)
	}
	return one && all(q.AndConditions) && (q.TagCondition == nil || q.TagCondition.match(tags))
}

func (t *tagCondition) match(tags map[string]string) bool {
	v, ok := tags[t.TagKey]
	return ok && (t.TagValue == "" || t.TagValue == v)
}
