package connect

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) predefinedAttributes(t *rest.Table) {
	const (
		all = "/predefined-attributes/{InstanceId}"
		one = all + "/{Name}"
	)
	rest.Op(t, "CreatePredefinedAttribute", "PUT", all, identity.AttributesEdit, s.createPredefined)
	rest.Op(t, "DescribePredefinedAttribute", "GET", one, identity.AttributesView, s.describePredefined)
	rest.Op(t, "ListPredefinedAttributes", "GET", all, identity.AttributesView, s.listPredefineds)
	rest.Op(t, "UpdatePredefinedAttribute", "POST", one, identity.AttributesEdit, s.updatePredefined)
	rest.Op(t, "DeletePredefinedAttribute", "DELETE", one, identity.AttributesEdit, s.deletePredefined)
	rest.Op(t, "SearchPredefinedAttributes", "POST", "/search-predefined-attributes", identity.AttributesView, s.searchPredefineds, rest.ReadOnly)
}

// predefinedValues is a union with one member.
type predefinedValues struct {
	StringList []string `json:"StringList,omitempty"`
}

type predefinedConfiguration struct {
	EnableValueValidationOnAssociation bool `json:"EnableValueValidationOnAssociation"`
	IsReadOnly                         bool `json:"IsReadOnly,omitempty"`
}

type createPredefinedInput struct {
	InstanceID    string                   `json:"-" path:"InstanceId" ref:"instance"`
	Name          string                   `json:"Name"`
	Values        *predefinedValues        `json:"Values,omitempty"`
	Purposes      []string                 `json:"Purposes,omitempty"`
	Configuration *predefinedConfiguration `json:"AttributeConfiguration,omitempty"`
}

func (s *service) createPredefined(ctx context.Context, c *rest.Call, in *createPredefinedInput) (*rest.Empty, error) {
	if strings.HasPrefix(in.Name, "connect:") {
		return nil, errs.Field("Name", `must not begin with "connect:": those are the system's`)
	}
	a := &identity.PredefinedAttribute{
		Meta: resource.Meta{InstanceID: c.Instance(), Name: in.Name}, Purposes: in.Purposes,
		Loose: in.Configuration != nil && !in.Configuration.EnableValueValidationOnAssociation,
	}
	if in.Values != nil {
		a.Values = in.Values.StringList
	}
	return done(s.Attributes.Create(ctx, a))
}

type predefinedInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	Name       string `json:"-" path:"Name"`
}

type predefinedAttribute struct {
	Name               string                  `json:"Name"`
	Values             predefinedValues        `json:"Values"`
	Purposes           []string                `json:"Purposes,omitempty"`
	Configuration      predefinedConfiguration `json:"AttributeConfiguration"`
	LastModifiedTime   rest.Time               `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string                  `json:"LastModifiedRegion"`
}

func predefinedOf(a *identity.PredefinedAttribute) predefinedAttribute {
	return predefinedAttribute{
		Name: a.Name, Values: predefinedValues{a.Values}, Purposes: a.Purposes, Configuration: predefinedConfiguration{!a.Loose, false},
		LastModifiedTime: rest.At(a.ModifiedAt), LastModifiedRegion: resource.Region,
	}
}

type describePredefinedOutput struct {
	PredefinedAttribute predefinedAttribute `json:"PredefinedAttribute"`
}

func (s *service) describePredefined(ctx context.Context, c *rest.Call, in *predefinedInput) (*describePredefinedOutput, error) {
	a, err := s.Attributes.GetByName(ctx, c.Instance(), in.Name)
	if err != nil {
		return nil, err
	}
	return &describePredefinedOutput{predefinedOf(a)}, nil
}

type predefinedSummary struct {
	Name               string    `json:"Name"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

type listPredefinedsOutput struct {
	List      []predefinedSummary `json:"PredefinedAttributeSummaryList"`
	NextToken string              `json:"NextToken,omitempty"`
}

func (s *service) listPredefineds(ctx context.Context, c *rest.Call, in *listInput) (*listPredefinedsOutput, error) {
	all, next, err := page(ctx, s.Attributes, c, in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listPredefinedsOutput{List: []predefinedSummary{}, NextToken: next}
	for _, a := range all {
		out.List = append(out.List, predefinedSummary{a.Name, rest.At(a.ModifiedAt), resource.Region})
	}
	return out, nil
}

type updatePredefinedInput struct {
	InstanceID    string                   `json:"-" path:"InstanceId" ref:"instance"`
	Name          string                   `json:"-" path:"Name"`
	Values        *predefinedValues        `json:"Values,omitempty"`
	Purposes      *[]string                `json:"Purposes,omitempty"`
	Configuration *predefinedConfiguration `json:"AttributeConfiguration,omitempty"`
}

// updatePredefined changes what was sent. A value that users have must stay.
func (s *service) updatePredefined(ctx context.Context, c *rest.Call, in *updatePredefinedInput) (*rest.Empty, error) {
	found, err := s.Attributes.GetByName(ctx, c.Instance(), in.Name)
	if err != nil {
		return nil, err
	}
	_, err = resource.Edit(ctx, s.Attributes, c.Instance(), found.ID, func(a *identity.PredefinedAttribute) error {
		if in.Values != nil {
			a.Values = in.Values.StringList
		}
		set(&a.Purposes, in.Purposes)
		if in.Configuration != nil {
			a.Loose = !in.Configuration.EnableValueValidationOnAssociation
		}
		if a.Loose {
			return nil
		}
		if used := s.predefinedUnused(ctx, c, in.Name, a.Values); used != nil {
			return errs.Wrap(used, errs.InvalidRequest, "Values: those that are in use must stay: %v", used)
		}
		return nil
	})
	return done(err)
}

func (s *service) deletePredefined(ctx context.Context, c *rest.Call, in *predefinedInput) (*rest.Empty, error) {
	a, err := s.Attributes.GetByName(ctx, c.Instance(), in.Name)
	if err != nil {
		return nil, err
	}
	if err = s.predefinedUnused(ctx, c, in.Name, nil); err != nil {
		return nil, err
	}
	return done(s.Attributes.Delete(ctx, c.Instance(), a.ID))
}

// predefinedUnused is nil when no user has a value of an attribute beyond those; errs.InUse names one who has.
func (s *service) predefinedUnused(ctx context.Context, c *rest.Call, name string, but []string) error {
	users, err := resource.All(ctx, s.Users, c.Instance())
	if err != nil {
		return err
	}
	for _, u := range users {
		for _, p := range u.Proficiencies {
			if p.Name == name && !slices.Contains(but, p.Value) {
				return errs.New(errs.InUse, "user %q has the proficiency %s %s", u.Name, p.Name, p.Value)
			}
		}
	}
	return nil
}

type searchPredefinedsOutput struct {
	PredefinedAttributes  []predefinedAttribute `json:"PredefinedAttributes"`
	NextToken             string                `json:"NextToken,omitempty"`
	ApproximateTotalCount int64                 `json:"ApproximateTotalCount"`
}

func (s *service) searchPredefineds(ctx context.Context, c *rest.Call, in *searchInput) (*searchPredefinedsOutput, error) {
	looking, err := in.begin(c, fields{texts: []string{"name", "purposes"}})
	if err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Attributes, c.Instance())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *identity.PredefinedAttribute) int { return cmp.Compare(a.Name, b.Name) })
	out := &searchPredefinedsOutput{PredefinedAttributes: []predefinedAttribute{}}
	for _, a := range all {
		f := found{texts: map[string]string{"name": a.Name, "purposes": strings.Join(a.Purposes, "\n")}}
		if in.SearchCriteria.match(f) && in.SearchFilter.match(a.Tags) && looking.take() {
			out.PredefinedAttributes = append(out.PredefinedAttributes, predefinedOf(a))
		}
	}
	out.NextToken, out.ApproximateTotalCount = looking.next(), looking.total
	return out, nil
}
