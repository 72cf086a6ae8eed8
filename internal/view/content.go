package view

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ullim/internal/errs"
)

// Content is what a view consists of: the choices, and a template that says how it looks. The template is for the client; we
// only read which data it asks for.
type Content struct {
	Actions  []string `json:"actions"`
	Template string   `json:"template"`
}

// check says what is wrong. A draft may be unfinished.
func (c *Content) check(whole bool) error {
	switch {
	case whole && len(c.Actions) == 0:
		return errs.Field("Content.Actions", "must have at least one action: a flow goes on by it")
	case len(c.Actions) > maxActions:
		return errs.Field("Content.Actions", "must be at most %d", maxActions)
	case whole && c.Template == "":
		return errs.Field("Content.Template", "is required")
	case len(c.Template) > maxTemplate:
		return errs.Field("Content.Template", "must have at most %d bytes", maxTemplate)
	}
	for i, a := range c.Actions {
		if n := utf8.RuneCountInString(a); n < 1 || n > maxAction || !plainName(a) {
			return errs.Field("Content.Actions", "must have 1 to %d letters, digits, spaces and _.:/=+-@()'; the one at %d has not", maxAction, i+1)
		}
		if slices.Contains(c.Actions[:i], a) {
			return errs.Field("Content.Actions", "has %q twice", a)
		}
	}
	if c.Template == "" {
		return nil
	}
	var t map[string]any
	if err := json.Unmarshal([]byte(c.Template), &t); err != nil || t == nil {
		return errs.Field("Content.Template", "must be a JSON object")
	}
	return nil
}

// plainName is the pattern that Connect has for names of views and actions.
func plainName(s string) bool {
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), strings.ContainsRune("_.:/=+-@()'", r):
		case i > 0 && unicode.Is(unicode.Z, r):
		default:
			return false
		}
	}
	return utf8.ValidString(s)
}

// InputSchema is a JSON schema of the data that the template asks for: the names of its data paths ("$.Heading").
func (c *Content) InputSchema() string {
	names := map[string]bool{}
	var t any
	if json.Unmarshal([]byte(c.Template), &t) == nil {
		wanted(t, names)
	}
	type property struct{}
	schema := struct {
		Schema     string              `json:"$schema"`
		Type       string              `json:"type"`
		Properties map[string]property `json:"properties"`
		Required   []string            `json:"required,omitempty"`
	}{"http://json-schema.org/draft-07/schema#", "object", map[string]property{}, slices.Sorted(maps.Keys(names))}
	for n := range names {
		schema.Properties[n] = property{}
	}
	b, err := json.Marshal(schema)
	if err != nil {
		return "{}" // names always encode
	}
	return string(b)
}

// maxWanted is how many names are collected: a template with more is somebody's mistake.
const maxWanted = 1000

// wanted collects the first names of the data paths in a template.
func wanted(v any, names map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			wanted(inner, names)
		}
	case []any:
		for _, inner := range v {
			wanted(inner, names)
		}
	case string:
		path, ok := strings.CutPrefix(v, "$.")
		if !ok || len(names) >= maxWanted {
			return
		}
		if i := strings.IndexAny(path, ".["); i >= 0 {
			path = path[:i]
		}
		if path != "" {
			names[path] = true
		}
	}
}
