// Package view has the forms that flows show to customers in a chat (ShowView): the resource, its versions, and those that
// every instance has.
//
// # Layout
//
//	view.go      View, the resource; drafts, publishing, versions
//	content.go   what a view consists of, and the data that its template asks for
//	ref.go       how flows and the API name a view: id, name or ARN, with a version or $SAVED or $LATEST
//	managed.go   the views that Amazon Connect has in every instance, by the same names
//
// A view is SAVED, which nobody is shown, or PUBLISHED. Whoever names no version gets what was published last. A version is a
// copy of what was published, and never changes.
package view

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Status says whether customers can be shown a view.
type Status string

// Statuses, as in the Connect API.
const (
	Saved     Status = "SAVED"
	Published Status = "PUBLISHED"
)

// Bounds of views.
const (
	MaxVersions    = 50
	maxActions     = 1000
	maxAction      = 255
	maxName        = 255
	maxDescription = 4096
	maxTemplate    = 100_000
)

// View is a form with choices.
type View struct {
	resource.Meta
	Description string    `json:"description,omitempty"`
	Draft       Content   `json:"draft"`
	Shown       *Content  `json:"shown,omitempty"` // what was published last
	Versions    []Version `json:"versions,omitempty"`
}

// Version is a copy of what was published.
type Version struct {
	Number      int       `json:"number"`
	Description string    `json:"description,omitempty"`
	Content     Content   `json:"content"`
	CreatedAt   time.Time `json:"createdAt"`
}

var _ resource.Object = (*View)(nil)

// Kind is KindView.
func (*View) Kind() resource.Kind { return resource.KindView }

// Refs are none.
func (*View) Refs() []resource.Ref { return nil }

// Validate checks names, actions and templates.
func (v *View) Validate() error {
	if n := utf8.RuneCountInString(v.Name); n < 1 || n > maxName || !plainName(v.Name) {
		return errs.Field("Name", "must have 1 to %d letters, digits, spaces and _.:/=+-@()'", maxName)
	}
	if utf8.RuneCountInString(v.Description) > maxDescription {
		return errs.Field("Description", "must have at most %d characters", maxDescription)
	}
	if len(v.Versions) > MaxVersions {
		return errs.New(errs.Limit, "a view has at most %d versions: delete an old one", MaxVersions)
	}
	if v.Shown != nil {
		if err := v.Shown.check(true); err != nil {
			return err
		}
	}
	return v.Draft.check(false)
}

// Status is PUBLISHED when the draft is what customers are shown.
func (v *View) Status() Status {
	if v.Shown != nil && v.Shown.Sum() == v.Draft.Sum() {
		return Published
	}
	return Saved
}

// Set replaces the draft, and with PUBLISHED what customers are shown.
func (v *View) Set(c Content, s Status) error {
	switch s {
	case Saved:
	case Published:
		if err := c.check(true); err != nil {
			return err
		}
		shown := c
		v.Shown = &shown
	default:
		return errs.Field("Status", "must be SAVED or PUBLISHED")
	}
	v.Draft = c
	return nil
}

// AddVersion keeps what was published as the next version. sum is "" or what the caller believes it to be. Asked for what the
// newest version has already, it gives that one.
func (v *View) AddVersion(sum, description string, at time.Time) (*Version, error) {
	switch {
	case v.Shown == nil:
		return nil, errs.New(errs.InvalidRequest, "the view has not been published: publish it first")
	case sum != "" && sum != v.Shown.Sum():
		return nil, errs.Field("ViewContentSha256", "is not that of what was published: read the view again")
	case utf8.RuneCountInString(description) > maxDescription:
		return nil, errs.Field("VersionDescription", "must have at most %d characters", maxDescription)
	}
	next := 1
	if n := len(v.Versions); n > 0 {
		last := &v.Versions[n-1]
		if last.Content.Sum() == v.Shown.Sum() {
			return last, nil
		}
		next = last.Number + 1
	}
	v.Versions = append(v.Versions, Version{Number: next, Description: description, Content: *v.Shown, CreatedAt: at})
	return &v.Versions[len(v.Versions)-1], nil
}

// Version finds a version; nil if there is none of the number.
func (v *View) Version(number int) *Version {
	for i := range v.Versions {
		if v.Versions[i].Number == number {
			return &v.Versions[i]
		}
	}
	return nil
}

// RemoveVersion deletes a version. errs.NotFound.
func (v *View) RemoveVersion(number int) error {
	for i := range v.Versions {
		if v.Versions[i].Number == number {
			v.Versions = append(v.Versions[:i:i], v.Versions[i+1:]...)
			return nil
		}
	}
	return errs.New(errs.NotFound, "view %q has no version %d", v.Name, number)
}

// Sum is the SHA-256 of a content, hexadecimal.
func (c *Content) Sum() string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // two strings and a list always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
