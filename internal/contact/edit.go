package contact

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"ullim/internal/errs"
)

// Edit changes what is known about a contact; nil and empty stay as they are.
type Edit struct {
	Name, Description *string
	References        map[string]Reference // added, or replaced by name
	Attributes        map[string]string    // added, or replaced; an empty value stays, as in Connect
	Tag               map[string]string
	Untag             []string
}

// Limits of what is known about a contact (A3).
const (
	maxContactName = 512
	maxDescription = 4096
	maxReferences  = 15
)

// Apply changes a record, all or nothing. Its maps are replaced, not written to: others may be reading them.
func (e *Edit) Apply(r *Record) error {
	if err := e.check(); err != nil {
		return err
	}
	attributes := with(r.Attributes, e.Attributes)
	if n := AttributeBytes(attributes); n > MaxAttributeBytes && len(e.Attributes) > 0 {
		return errs.Field("Attributes", "would take %d bytes; a contact has at most %d", n, MaxAttributeBytes)
	}
	references := with(r.References, e.References)
	if len(references) > maxReferences && len(e.References) > 0 {
		return errs.Field("References", "would be %d; a contact has at most %d", len(references), maxReferences)
	}
	tags := with(r.Tags, e.Tag)
	for _, k := range e.Untag {
		delete(tags, k)
	}
	if len(tags) > MaxTags && len(e.Tag) > 0 {
		return errs.Field("Tags", "would be %d; a contact has at most %d", len(tags), MaxTags)
	}
	if e.Name != nil {
		r.Name = *e.Name
	}
	if e.Description != nil {
		r.Description = *e.Description
	}
	r.Attributes, r.References, r.Tags = attributes, references, tags
	return nil
}

func (e *Edit) check() error {
	switch {
	case e.Name != nil && utf8.RuneCountInString(*e.Name) > maxContactName:
		return errs.Field("Name", "must have at most %d characters", maxContactName)
	case e.Description != nil && utf8.RuneCountInString(*e.Description) > maxDescription:
		return errs.Field("Description", "must have at most %d characters", maxDescription)
	}
	for k := range e.Attributes {
		if n := utf8.RuneCountInString(k); n < 1 || n > 32767 {
			return errs.Field("Attributes", "must not have an empty name")
		}
	}
	for k, v := range e.References {
		if k == "" || len(k) > 4096 || len(v.Value) > 4096 {
			return errs.Field("References", "must have a name, and at most 4096 bytes each")
		}
		if !slices.Contains([]string{"URL", "NUMBER", "STRING", "DATE", "EMAIL", "ATTACHMENT"}, v.Type) {
			return errs.Field("References", "%q has the type %q, which is none", k, v.Type)
		}
	}
	for k, v := range e.Tag {
		if n := utf8.RuneCountInString(k); n < 1 || n > 128 || strings.HasPrefix(k, "aws:") || utf8.RuneCountInString(v) > 256 {
			return errs.Field("Tags", `a key must have 1 to 128 characters and not begin with "aws:", a value at most 256`)
		}
	}
	return nil
}

// AttributeBytes is the room that attributes take.
func AttributeBytes(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

// with is a new map with all of both; nil if there is nothing in it.
func with[V any](old, more map[string]V) map[string]V {
	if len(old)+len(more) == 0 {
		return nil
	}
	out := make(map[string]V, len(old)+len(more))
	maps.Copy(out, old)
	maps.Copy(out, more)
	return out
}
