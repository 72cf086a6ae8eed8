package connect

import (
	"context"
	"strconv"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

type searchPromptsInput struct {
	InstanceID     string          `json:"InstanceId" ref:"instance"`
	SearchCriteria *promptCriteria `json:"SearchCriteria,omitempty"`
	SearchFilter   *promptFilter   `json:"SearchFilter,omitempty"`
	MaxResults     int             `json:"MaxResults,omitempty"`
	NextToken      string          `json:"NextToken,omitempty"`
}

// promptCriteria is what a search asks of a prompt: all of a list, one of a list, a text. It nests.
type promptCriteria struct {
	AndConditions   []promptCriteria `json:"AndConditions,omitempty"`
	OrConditions    []promptCriteria `json:"OrConditions,omitempty"`
	StringCondition *promptText      `json:"StringCondition,omitempty"`
}

type promptText struct {
	FieldName      string `json:"FieldName,omitempty"`
	Value          string `json:"Value,omitempty"`
	ComparisonType string `json:"ComparisonType,omitempty"`
}

type promptFilter struct {
	TagFilter *promptTags `json:"TagFilter,omitempty"`
}

type promptTags struct {
	OrConditions  [][]promptTag `json:"OrConditions,omitempty"`
	AndConditions []promptTag   `json:"AndConditions,omitempty"`
	TagCondition  *promptTag    `json:"TagCondition,omitempty"`
}

type promptTag struct {
	TagKey   string `json:"TagKey,omitempty"`
	TagValue string `json:"TagValue,omitempty"`
}

type searchPromptsOutput struct {
	Prompts               []prompt `json:"Prompts"`
	NextToken             string   `json:"NextToken,omitempty"`
	ApproximateTotalCount int64    `json:"ApproximateTotalCount"`
}

// maxCriteria is how deep conditions may nest.
const maxCriteria = 5

// searchPrompts looks at every prompt of the instance: there are hundreds, not millions. The token counts what was given.
func (s *service) searchPrompts(ctx context.Context, c *rest.Call, in *searchPromptsInput) (*searchPromptsOutput, error) {
	p, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	skip := 0
	if in.NextToken != "" {
		if skip, err = strconv.Atoi(in.NextToken); err != nil || skip < 0 {
			return nil, errs.Field("NextToken", "is not one of ours")
		}
	}
	if err = in.SearchCriteria.check(0); err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Prompts, c.Instance())
	if err != nil {
		return nil, err
	}
	out := &searchPromptsOutput{Prompts: []prompt{}}
	for _, one := range all {
		if !in.SearchCriteria.match(&one.Meta, one.Description) || !in.SearchFilter.match(one.Tags) {
			continue
		}
		if n := int(out.ApproximateTotalCount); n >= skip && len(out.Prompts) < p.Max {
			out.Prompts = append(out.Prompts, promptOf(one))
		}
		out.ApproximateTotalCount++
	}
	if given := skip + len(out.Prompts); int64(given) < out.ApproximateTotalCount {
		out.NextToken = strconv.Itoa(given)
	}
	return out, nil
}

func (p *promptCriteria) check(depth int) error {
	if p == nil {
		return nil
	}
	if depth > maxCriteria {
		return errs.Field("SearchCriteria", "nests more than %d deep", maxCriteria)
	}
	if t := p.StringCondition; t != nil {
		switch strings.ToLower(t.FieldName) {
		case "name", "description", "resourceid":
		default:
			return errs.Field("FieldName", "must be name, description or resourceID; is %.40q", t.FieldName)
		}
		switch t.ComparisonType {
		case "", "STARTS_WITH", "CONTAINS", "EXACT":
		default:
			return errs.Field("ComparisonType", "must be STARTS_WITH, CONTAINS or EXACT; is %.40q", t.ComparisonType)
		}
	}
	for _, list := range [][]promptCriteria{p.AndConditions, p.OrConditions} {
		for i := range list {
			if err := list[i].check(depth + 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// match asks it of anything that has a name and a description.
func (p *promptCriteria) match(m *resource.Meta, description string) bool {
	if p == nil {
		return true
	}
	for i := range p.AndConditions {
		if !p.AndConditions[i].match(m, description) {
			return false
		}
	}
	any := len(p.OrConditions) == 0
	for i := range p.OrConditions {
		any = any || p.OrConditions[i].match(m, description)
	}
	return any && p.StringCondition.match(m, description)
}

// match compares without regard to case, as Connect does.
func (t *promptText) match(m *resource.Meta, description string) bool {
	if t == nil {
		return true
	}
	field := map[string]string{"name": m.Name, "description": description, "resourceid": m.ID}[strings.ToLower(t.FieldName)]
	field, value := strings.ToLower(field), strings.ToLower(t.Value)
	switch t.ComparisonType {
	case "STARTS_WITH":
		return strings.HasPrefix(field, value)
	case "EXACT":
		return field == value
	}
	return strings.Contains(field, value)
}

func (f *promptFilter) match(tags map[string]string) bool {
	if f == nil || f.TagFilter == nil {
		return true
	}
	has := func(t promptTag) bool {
		v, ok := tags[t.TagKey]
		return ok && (t.TagValue == "" || v == t.TagValue)
	}
	every := func(list []promptTag) bool {
		for _, t := range list {
			if !has(t) {
				return false
			}
		}
		return true
	}
	t := f.TagFilter
	any := len(t.OrConditions) == 0
	for _, list := range t.OrConditions {
		any = any || every(list)
	}
	return any && every(t.AndConditions) && (t.TagCondition == nil || has(*t.TagCondition))
}
