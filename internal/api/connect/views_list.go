package connect

import (
	"context"
	"slices"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/internal/view"
)

type viewSummary struct {
	ID          string `json:"Id"`
	ARN         string `json:"Arn"`
	Name        string `json:"Name"`
	Type        string `json:"Type"`
	Status      string `json:"Status"`
	Description string `json:"Description,omitempty"`
}

type listViewsInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	Type       string `json:"-" query:"type"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listViewsOutput struct {
	List      []viewSummary `json:"ViewsSummaryList"`
	NextToken string        `json:"NextToken,omitempty"`
}

// allViews are those of the instance, and then those of every instance.
func (s *service) allViews(ctx context.Context, c *rest.Call, kind string) ([]*view.Edition, error) {
	var out []*view.Edition
	switch kind {
	case "", customerManaged, awsManaged:
	default:
		return nil, errs.Field("Type", "must be %s or %s", customerManaged, awsManaged)
	}
	if kind != awsManaged {
		own, err := resource.All(ctx, s.Views, c.Instance())
		if err != nil {
			return nil, err
		}
		for _, v := range own {
			out = append(out, &view.Edition{View: v, Status: v.Status(), Content: v.Draft})
		}
	}
	if kind != customerManaged {
		for _, v := range view.Managed() {
			out = append(out, &view.Edition{View: v, Managed: true, Number: 1, Status: view.Published, Content: v.Draft})
		}
	}
	return out, nil
}

func (s *service) listViews(ctx context.Context, c *rest.Call, in *listViewsInput) (*listViewsOutput, error) {
	looking, err := newSearch(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, err := s.allViews(ctx, c, in.Type)
	if err != nil {
		return nil, err
	}
	out := &listViewsOutput{List: []viewSummary{}}
	for _, e := range all {
		if looking.take() {
			b := viewOf(e)
			out.List = append(out.List, viewSummary{b.ID, b.ARN, b.Name, b.Type, b.Status, b.Description})
		}
	}
	out.NextToken = looking.next()
	return out, nil
}

type viewVersionSummary struct {
	ID                 string `json:"Id"`
	ARN                string `json:"Arn"`
	Name               string `json:"Name"`
	Type               string `json:"Type"`
	Description        string `json:"Description,omitempty"`
	Version            int    `json:"Version"`
	VersionDescription string `json:"VersionDescription,omitempty"`
}

type listViewVersionsInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ViewID     string `json:"-" path:"ViewId"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listViewVersionsOutput struct {
	List      []viewVersionSummary `json:"ViewVersionSummaryList"`
	NextToken string               `json:"NextToken,omitempty"`
}

// listViewVersions gives the newest first.
func (s *service) listViewVersions(ctx context.Context, c *rest.Call, in *listViewVersionsInput) (*listViewVersionsOutput, error) {
	looking, err := newSearch(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	e, err := view.Find(ctx, s.Views, c.Instance(), in.ViewID, view.QualifierSaved)
	if err != nil {
		return nil, err
	}
	b := viewOf(e)
	versions := e.View.Versions
	if e.Managed {
		versions = []view.Version{{Number: e.Number}}
	}
	out := &listViewVersionsOutput{List: []viewVersionSummary{}}
	for _, v := range slices.Backward(versions) {
		if looking.take() {
			out.List = append(out.List, viewVersionSummary{
				b.ID, b.ARN, b.Name, b.Type, b.Description, v.Number, v.Description,
			})
		}
	}
	out.NextToken = looking.next()
	return out, nil
}

type searchViewsOutput struct {
	Views                 []viewBody `json:"Views"`
	NextToken             string     `json:"NextToken,omitempty"`
	ApproximateTotalCount int64      `json:"ApproximateTotalCount"`
}

func (s *service) searchViews(ctx context.Context, c *rest.Call, in *searchInput) (*searchViewsOutput, error) {
	looking, err := in.begin(c, fields{texts: []string{"name", "description", "resourceid"}, views: true})
	if err != nil {
		return nil, err
	}
	all, err := s.allViews(ctx, c, "")
	if err != nil {
		return nil, err
	}
	out := &searchViewsOutput{Views: []viewBody{}}
	for _, e := range all {
		b := viewOf(e)
		f := found{
			texts:  map[string]string{"name": b.Name, "description": b.Description, "resourceid": strings.ToLower(b.ID)},
			status: b.Status, kind: b.Type,
		}
		if in.SearchCriteria.match(f) && in.SearchFilter.match(e.View.Tags) && looking.take() {
			out.Views = append(out.Views, b)
		}
	}
	out.NextToken, out.ApproximateTotalCount = looking.next(), looking.total
	return out, nil
}
