package ivr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"ullim/internal/errs"
)

// DocumentVersion is the only version of the flow language there is.
const DocumentVersion = "2019-10-30"

// Bounds of a document (A1.1).
const (
	maxIdentifier    = 50
	maxConditionDeep = 5
	maxSubConditions = 50
	maxOperands      = 10
)

// Document is a flow's content, read. It is immutable and may be shared by sessions. Fields that are not known stay in
// the content, which is what is stored and exported, byte for byte.
type Document struct {
	Start   string
	Actions []*Node // in the order of the document

	byID     map[string]*Node
	problems []Problem
	names    map[nameKey]string // what Metadata calls the things that actions refer to by ARN or id
	kinds    catalogue          // while it is read
}

// Node is one action of a document with its transitions.
type Node struct {
	ID, Type string

	next       string
	conditions []branch
	errors     []errorBranch
	act        action
	parameters map[string]any
}

type branch struct {
	next string
	when *Condition
}

type errorBranch struct{ next, errorType string }

// Parse reads a flow's content. errs.Invalid when it has not the shape of a flow; what has the shape but breaks a rule is
// told by Validate.
func Parse(content string) (*Document, error) {
	if err := checkDraft(content); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(content))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, errs.Field("Content", "is not JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errs.Field("Content", "has something after the flow")
	}
	top, ok := tree.(map[string]any)
	if !ok {
		return nil, errs.Field("Content", "is not a JSON object")
	}
	if v, _ := scalar(top["Version"]); v != DocumentVersion {
		return nil, errs.Field("Version", "must be %q", DocumentVersion)
	}
	d := &Document{byID: make(map[string]*Node), names: displayNames(top), kinds: kinds()}
	if d.Start, ok = top["StartAction"].(string); !ok {
		return nil, errs.Field("StartAction", "must be the identifier of an action")
	}
	list, ok := top["Actions"].([]any)
	if !ok {
		return nil, errs.Field("Actions", "must be a list")
	}
	for i, a := range list {
		if err := d.add(fmt.Sprintf("Actions[%d]", i), a); err != nil {
			return nil, err
		}
	}
	d.kinds = nil
	return d, nil
}

// add reads one action. at says where it stands, for errors about shape.
func (d *Document) add(at string, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return errs.Field(at, "must be an object")
	}
	n := &Node{}
	if n.ID, ok = m["Identifier"].(string); !ok {
		return errs.Field(at+".Identifier", "must be a string")
	}
	if n.Type, ok = m["Type"].(string); !ok || n.Type == "" {
		return errs.Field(at+".Type", "must be a string")
	}
	parameters, err := object(at+".Parameters", m["Parameters"])
	if err != nil {
		return err
	}
	transitions, err := object(at+".Transitions", m["Transitions"])
	if err != nil {
		return err
	}
	if err := n.readTransitions(at+".Transitions", transitions); err != nil {
		return err
	}
	if why := badIdentifier(n.ID); why != "" {
		d.problem(n.ID, "Identifier", "%s", why)
	}
	if _, twice := d.byID[n.ID]; twice {
		d.problem(n.ID, "Identifier", "is used by more than one action: give each its own")
	} else {
		d.byID[n.ID] = n
	}
	d.Actions = append(d.Actions, n)
	n.act, n.parameters = d.kinds.make(n.Type), parameters
	n.act.read(&params{doc: d, id: n.ID, at: "Parameters", m: parameters})
	return nil
}

func (d *Document) problem(id, field, format string, args ...any) {
	d.problems = append(d.problems, newProblem(id, field, format, args...))
}

func (n *Node) readTransitions(at string, m map[string]any) (err error) {
	if n.next, err = optionalText(at+".NextAction", m["NextAction"]); err != nil {
		return err
	}
	if n.conditions, err = readList(at+".Conditions", m["Conditions"], readBranch); err != nil {
		return err
	}
	n.errors, err = readList(at+".Errors", m["Errors"], readErrorBranch)
	return err
}

func readList[T any](at string, v any, read func(at string, v any) (T, error)) ([]T, error) {
	l, err := list(at, v)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(l))
	for i := range l {
		if out[i], err = read(fmt.Sprintf("%s[%d]", at, i), l[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readBranch(at string, v any) (b branch, err error) {
	m, err := object(at, v)
	if err != nil {
		return b, err
	}
	if b.next, err = optionalText(at+".NextAction", m["NextAction"]); err != nil {
		return b, err
	}
	left := maxSubConditions
	b.when, err = readCondition(at+".Condition", m["Condition"], 1, &left)
	return b, err
}

func readErrorBranch(at string, v any) (e errorBranch, err error) {
	m, err := object(at, v)
	if err != nil {
		return e, err
	}
	if e.next, err = optionalText(at+".NextAction", m["NextAction"]); err != nil {
		return e, err
	}
	e.errorType, err = optionalText(at+".ErrorType", m["ErrorType"])
	return e, err
}

// readCondition reads a condition; left is how many more there may be inside the outermost one.
func readCondition(at string, v any, deep int, left *int) (*Condition, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errs.Field(at, "must be an object")
	}
	if deep > maxConditionDeep {
		return nil, errs.Field(at, "nests more than %d deep", maxConditionDeep)
	}
	if *left--; *left < 0 {
		return nil, errs.Field(at, "has more than %d conditions inside", maxSubConditions)
	}
	name, ok := m["Operator"].(string)
	if !ok {
		return nil, errs.Field(at+".Operator", "must be a string")
	}
	operands, err := list(at+".Operands", m["Operands"])
	if err != nil {
		return nil, err
	}
	if len(operands) > maxOperands {
		return nil, errs.Field(at+".Operands", "has %d entries, at most %d are allowed", len(operands), maxOperands)
	}
	c := &Condition{Operator: operator(name)}
	for i, o := range operands {
		if s, ok := scalar(o); ok {
			c.Operands = append(c.Operands, parseWhole(s))
			continue
		}
		sub, err := readCondition(fmt.Sprintf("%s.Operands[%d]", at, i), o, deep+1, left)
		if err != nil {
			return nil, err
		}
		c.Sub = append(c.Sub, sub)
	}
	c.prepare()
	return c, nil
}

// scalar is a string, a number or a boolean as the string that the language writes for it.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	}
	return "", false
}

// object is a JSON object; absent is empty.
func object(at string, v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, errs.Field(at, "must be an object")
	}
	return m, nil
}

// list is a JSON list; absent is empty.
func list(at string, v any) ([]any, error) {
	l, ok := v.([]any)
	if !ok && v != nil {
		return nil, errs.Field(at, "must be a list")
	}
	return l, nil
}

func optionalText(at string, v any) (string, error) {
	s, ok := v.(string)
	if !ok && v != nil {
		return "", errs.Field(at, "must be a string")
	}
	return s, nil
}

// badIdentifier says what is wrong with an identifier, or nothing (A1.1).
func badIdentifier(id string) string {
	if n := utf8.RuneCountInString(id); n < 1 || n > maxIdentifier {
		return fmt.Sprintf("must have 1 to %d characters, it has %d", maxIdentifier, n)
	}
	if strings.ContainsAny(id, `%:(\/)=$,;[]{}`) {
		return `must not contain any of % : ( \ / ) = $ , ; [ ] { }`
	}
	switch id {
	case "__proto__", "constructor", "prototype", "toString", "toLocaleString", "valueOf", "hasOwnProperty",
		"isPrototypeOf", "propertyIsEnumerable", "__defineGetter__", "__defineSetter__", "__lookupGetter__",
		"__lookupSetter__":
		return "is a reserved word: choose another"
	}
	return ""
}
