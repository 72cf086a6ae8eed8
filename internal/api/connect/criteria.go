package connect

import (
	"slices"
	"strconv"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
)

// criteria is what the searches over configuration ask for: all of a list, one of a list, conditions. It nests. Which conditions
// and fields a search takes is for the search to say.
type criteria struct {
	AndConditions       []criteria     `json:"AndConditions,omitempty"`
	OrConditions        []criteria     `json:"OrConditions,omitempty"`
	StringCondition     *promptText    `json:"StringCondition,omitempty"`
	DateCondition       *dateCondition `json:"DateCondition,omitempty"`
	ViewStatusCondition string         `json:"ViewStatusCondition,omitempty"`
	ViewTypeCondition   string         `json:"ViewTypeCondition,omitempty"`
}

type dateCondition struct {
	FieldName      string `json:"FieldName,omitempty"`
	Value          string `json:"Value,omitempty"`
	ComparisonType string `json:"ComparisonType,omitempty"`
}

// found is what a resource has to show to criteria: texts and dates (2026-01-31) by lower-case name.
type found struct {
	texts, dates map[string]string
	status, kind string
}

// fields are the names that a search knows.
type fields struct {
	texts, dates []string
	views        bool
}

func (c *criteria) check(f fields, depth int) error {
	if c == nil {
		return nil
	}
	if depth > maxCriteria {
		return errs.Field("SearchCriteria", "nests more than %d deep", maxCriteria)
	}
	if t := c.StringCondition; t != nil {
		if !slices.Contains(f.texts, strings.ToLower(t.FieldName)) {
			return errs.Field("StringCondition.FieldName", "must be among %v; is %.40q", f.texts, t.FieldName)
		}
		if !slices.Contains([]string{"", "STARTS_WITH", "CONTAINS", "EXACT"}, t.ComparisonType) {
			return errs.Field("StringCondition.ComparisonType", "must be STARTS_WITH, CONTAINS or EXACT; is %.40q", t.ComparisonType)
		}
	}
	if d := c.DateCondition; d != nil {
		if !slices.Contains(f.dates, strings.ToLower(d.FieldName)) {
			return errs.Field("DateCondition.FieldName", "must be among %v; is %.40q", f.dates, d.FieldName)
		}
		if !slices.Contains(dateComparisons(), d.ComparisonType) {
			return errs.Field("DateCondition.ComparisonType", "must be among %v; is %.40q", dateComparisons(), d.ComparisonType)
		}
	}
	if !f.views && (c.ViewStatusCondition != "" || c.ViewTypeCondition != "") {
		return errs.Field("SearchCriteria", "must have no conditions on views: this search is for something else")
	}
	for _, list := range [][]criteria{c.AndConditions, c.OrConditions} {
		for i := range list {
			if err := list[i].check(f, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func dateComparisons() []string {
	return []string{"GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", "EQUAL_TO"}
}

func (c *criteria) match(f found) bool {
	if c == nil {
		return true
	}
	for i := range c.AndConditions {
		if !c.AndConditions[i].match(f) {
			return false
		}
	}
	either := len(c.OrConditions) == 0
	for i := range c.OrConditions {
		either = either || c.OrConditions[i].match(f)
	}
	return either && c.StringCondition.matchText(f.texts) && c.DateCondition.match(f.dates) &&
		(c.ViewStatusCondition == "" || c.ViewStatusCondition == f.status) && (c.ViewTypeCondition == "" || c.ViewTypeCondition == f.kind)
}

// matchText compares without regard to case, as Connect does.
func (t *promptText) matchText(texts map[string]string) bool {
	if t == nil {
		return true
	}
	field, value := strings.ToLower(texts[strings.ToLower(t.FieldName)]), strings.ToLower(t.Value)
	switch t.ComparisonType {
	case "STARTS_WITH":
		return strings.HasPrefix(field, value)
	case "EXACT":
		return field == value
	}
	return strings.Contains(field, value)
}

// match compares dates, which are in the order of their texts.
func (d *dateCondition) match(dates map[string]string) bool {
	if d == nil {
		return true
	}
	order := strings.Compare(dates[strings.ToLower(d.FieldName)], d.Value)
	switch d.ComparisonType {
	case "GREATER_THAN":
		return order > 0
	case "LESS_THAN":
		return order < 0
	case "GREATER_THAN_OR_EQUAL_TO":
		return order >= 0
	case "LESS_THAN_OR_EQUAL_TO":
		return order <= 0
	}
	return order == 0
}

// searching walks what a search looks at: hundreds of things, not millions. The token counts what was given.
type searching struct {
	skip, most int
	total      int64
	given      int
}

func newSearch(maxResults int, token string) (*searching, error) {
	p, err := pageOf(maxResults, 100, token)
	if err != nil {
		return nil, err
	}
	s := &searching{most: p.Max}
	if token != "" {
		if s.skip, err = strconv.Atoi(token); err != nil || s.skip < 0 {
			return nil, errs.Field("NextToken", "is not one of ours")
		}
	}
	return s, nil
}

// take tells whether something that was found is on the page.
func (s *searching) take() bool {
	n := int(s.total)
	s.total++
	if n < s.skip || s.given >= s.most {
		return false
	}
	s.given++
	return true
}

// next is the token of the next page; "" at the end.
func (s *searching) next() string {
	if n := s.skip + s.given; int64(n) < s.total {
		return strconv.Itoa(n)
	}
	return ""
}

// searchInput is the request of such a search.
type searchInput struct {
	InstanceID     string        `json:"InstanceId" ref:"instance"`
	SearchCriteria *criteria     `json:"SearchCriteria,omitempty"`
	SearchFilter   *promptFilter `json:"SearchFilter,omitempty"`
	MaxResults     int           `json:"MaxResults,omitempty"`
	NextToken      string        `json:"NextToken,omitempty"`
}

// begin checks the request.
func (in *searchInput) begin(_ *rest.Call, f fields) (*searching, error) {
	if err := in.SearchCriteria.check(f, 0); err != nil {
		return nil, err
	}
	return newSearch(in.MaxResults, in.NextToken)
}
