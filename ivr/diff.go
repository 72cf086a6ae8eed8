package ivr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"ullim/internal/errs"
)

// Diff is what has changed between two contents of a flow. Actions are the same when they have the same identifier.
type Diff struct {
	// Same: byte for byte. SameActions: what contacts get is the same; only the layout or the writing differs.
	Same        bool           `json:"Same"`
	SameActions bool           `json:"SameActions"`
	Flow        []FieldChange  `json:"Flow,omitempty"` // StartAction, Metadata and whatever else stands at the top
	Added       []DiffAction   `json:"Added,omitempty"`
	Removed     []DiffAction   `json:"Removed,omitempty"`
	Changed     []ActionChange `json:"Changed,omitempty"`
}

// DiffAction names an action.
type DiffAction struct {
	ActionID string `json:"ActionId"`
	Type     string `json:"Type"`
}

// ActionChange is what has changed of one action.
type ActionChange struct {
	DiffAction
	Fields []FieldChange `json:"Fields"`
}

// FieldChange is one field; Before or After is absent where the field is.
type FieldChange struct {
	Field  string          `json:"Field"`
	Before json.RawMessage `json:"Before,omitempty"`
	After  json.RawMessage `json:"After,omitempty"`
}

// DiffOf compares two contents. errs.Invalid when one of them is not a JSON object.
func DiffOf(before, after string) (*Diff, error) {
	a, err := readTree("before", before)
	if err != nil {
		return nil, err
	}
	b, err := readTree("after", after)
	if err != nil {
		return nil, err
	}
	d := &Diff{Same: before == after}
	actionsA, idsA := actionTrees(a)
	actionsB, idsB := actionTrees(b)
	delete(a, "Actions")
	delete(b, "Actions")
	d.Flow = changes("", a, b, nil)
	for _, id := range idsA {
		if _, ok := actionsB[id]; !ok {
			d.Removed = append(d.Removed, actionOf(id, actionsA[id]))
		}
	}
	for _, id := range idsB {
		old, ok := actionsA[id]
		if !ok {
			d.Added = append(d.Added, actionOf(id, actionsB[id]))
			continue
		}
		if fields := changes("", old, actionsB[id], nil); len(fields) > 0 {
			d.Changed = append(d.Changed, ActionChange{actionOf(id, actionsB[id]), fields})
		}
	}
	layout := !slices.ContainsFunc(d.Flow, func(f FieldChange) bool { return f.Field != "Metadata" && !strings.HasPrefix(f.Field, "Metadata.") })
	d.SameActions = layout && len(d.Added)+len(d.Removed)+len(d.Changed) == 0
	return d, nil
}

func readTree(which, content string) (map[string]any, error) {
	dec := json.NewDecoder(strings.NewReader(content))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, errs.Field(which, "is not a JSON object: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || m == nil {
		return nil, errs.Field(which, "is not a JSON object")
	}
	return m, nil
}

// actionTrees are the actions by identifier, and the identifiers in order. Of those without one, the place is the name.
func actionTrees(top map[string]any) (byID map[string]any, ids []string) {
	list, _ := top["Actions"].([]any)
	byID = make(map[string]any, len(list))
	for i, v := range list {
		m, _ := v.(map[string]any)
		id, ok := m["Identifier"].(string)
		if _, twice := byID[id]; !ok || twice {
			id = fmt.Sprintf("Actions[%d]", i)
		}
		byID[id] = v
		ids = append(ids, id)
	}
	return byID, ids
}

func actionOf(id string, v any) DiffAction {
	m, _ := v.(map[string]any)
	t, _ := m["Type"].(string)
	return DiffAction{ActionID: id, Type: t}
}

// changes appends what differs between two values, as deep as it can be told apart.
func changes(at string, a, b any, out []FieldChange) []FieldChange {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			keys := sortedKeys(x)
			for _, key := range sortedKeys(y) {
				if _, both := x[key]; !both {
					keys = append(keys, key)
				}
			}
			slices.Sort(keys)
			for _, key := range keys {
				inX, okX := x[key]
				inY, okY := y[key]
				field := strings.TrimPrefix(at+"."+key, ".")
				if okX && okY {
					out = changes(field, inX, inY, out)
				} else {
					out = append(out, FieldChange{Field: field, Before: raw(inX, okX), After: raw(inY, okY)})
				}
			}
			return out
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range max(len(x), len(y)) {
				field := fmt.Sprintf("%s[%d]", at, i)
				switch {
				case i >= len(x):
					out = append(out, FieldChange{Field: field, After: raw(y[i], true)})
				case i >= len(y):
					out = append(out, FieldChange{Field: field, Before: raw(x[i], true)})
				default:
					out = changes(field, x[i], y[i], out)
				}
			}
			return out
		}
	}
	if !reflect.DeepEqual(a, b) {
		out = append(out, FieldChange{Field: at, Before: raw(a, true), After: raw(b, true)})
	}
	return out
}

func raw(v any, there bool) json.RawMessage {
	if !there {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null") // what came from JSON always encodes
	}
	return json.RawMessage(bytes.TrimSpace(b.Bytes()))
}

// Text is the diff for people: a line for each change, "+" added, "-" removed, "~" changed.
func (d *Diff) Text() string {
	if d.Same {
		return "no difference\n"
	}
	var b strings.Builder
	for _, a := range d.Removed {
		fmt.Fprintf(&b, "- %s %q\n", a.Type, a.ActionID)
	}
	for _, a := range d.Added {
		fmt.Fprintf(&b, "+ %s %q\n", a.Type, a.ActionID)
	}
	for _, a := range d.Changed {
		fmt.Fprintf(&b, "~ %s %q\n", a.Type, a.ActionID)
		for _, f := range a.Fields {
			b.WriteString(f.text())
		}
	}
	layout := 0
	for _, f := range d.Flow {
		if f.Field == "Metadata" || strings.HasPrefix(f.Field, "Metadata.") {
			layout++
			continue
		}
		b.WriteString("~ flow\n" + f.text())
	}
	if layout > 0 {
		fmt.Fprintf(&b, "~ layout: %d changes of Metadata\n", layout)
	}
	if b.Len() == 0 {
		return "only the writing differs (spaces, order of keys)\n"
	}
	return b.String()
}

func (f FieldChange) text() string {
	side := func(m json.RawMessage) string {
		if m == nil {
			return "(nothing)"
		}
		return string(m)
	}
	return fmt.Sprintf("    %s: %s -> %s\n", f.Field, side(f.Before), side(f.After))
}
