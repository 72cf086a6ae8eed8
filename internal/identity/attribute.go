package identity

import (
	"slices"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// PredefinedAttribute is a word that routing may use, with the values that it may have: "language" with "ko" and "en".
type PredefinedAttribute struct {
	resource.Meta
	Values   []string `json:"values"`
	Purposes []string `json:"purposes,omitempty"`
	Loose    bool     `json:"loose,omitempty"` // a user may have other values too
}

var _ resource.Object = (*PredefinedAttribute)(nil)

// Bounds of predefined attributes.
const (
	maxAttributeName  = 100
	maxAttributeValue = 128
	maxAttributes     = 500 // values of one
	maxPurposes       = 10
)

// Kind is KindAttribute.
func (*PredefinedAttribute) Kind() resource.Kind { return resource.KindAttribute }

// Refs are none.
func (*PredefinedAttribute) Refs() []resource.Ref { return nil }

// Validate checks name, values and purposes.
func (a *PredefinedAttribute) Validate() error {
	if err := checkLength("Name", a.Name, 1, maxAttributeName); err != nil {
		return err
	}
	switch {
	case len(a.Values) > maxAttributes:
		return errs.Field("Values.StringList", "must be at most %d; are %d", maxAttributes, len(a.Values))
	case hasDoubles(a.Values):
		return errs.Field("Values.StringList", "must have each value once")
	case len(a.Purposes) > maxPurposes || hasDoubles(a.Purposes):
		return errs.Field("Purposes", "must be at most %d, each once", maxPurposes)
	}
	for _, v := range a.Values {
		if err := checkLength("Values.StringList", v, 1, maxAttributeValue); err != nil {
			return err
		}
	}
	for _, p := range a.Purposes {
		if err := checkLength("Purposes", p, 1, 100); err != nil {
			return err
		}
	}
	return nil
}

// CheckProficiencies refuses proficiencies that are not predefined. An instance that has predefined nothing lets users have any.
func CheckProficiencies(list []Proficiency, defined []*PredefinedAttribute) error {
	if len(defined) == 0 {
		return nil
	}
	for _, p := range list {
		i := slices.IndexFunc(defined, func(a *PredefinedAttribute) bool { return a.Name == p.Name })
		switch {
		case i < 0:
			return errs.Field("AttributeName", "must be a predefined attribute; %q is none", p.Name)
		case !defined[i].Loose && !slices.Contains(defined[i].Values, p.Value):
			return errs.Field("AttributeValue", "must be a value of the predefined attribute %q; %q is none", p.Name, p.Value)
		}
	}
	return nil
}
