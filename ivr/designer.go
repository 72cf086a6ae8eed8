package ivr

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"ullim/internal/errs"
)

// The format of the designer before the flow language of 2019-10-30: "modules" with types of their own, branches by the words of
// the designer, parameters as a list of names and values. No official page describes it; what is known comes from exports
// that people have published.

// oldFlow is a flow in that format.
type oldFlow struct {
	Modules  []oldBlock     `json:"modules"`
	Start    string         `json:"start"`
	Type     string         `json:"type"`
	Metadata map[string]any `json:"metadata"`
}

type oldBlock struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Target     string         `json:"target"`
	Branches   []oldBranch    `json:"branches"`
	Parameters []oldParameter `json:"parameters"`
	Metadata   map[string]any `json:"metadata"`
}

type oldBranch struct {
	Condition  string `json:"condition"`
	Operator   string `json:"conditionType"`
	Value      any    `json:"conditionValue"`
	Transition string `json:"transition"`
}

type oldParameter struct {
	Name         string `json:"name"`
	Key          string `json:"key"`
	Value        any    `json:"value"`
	Namespace    string `json:"namespace"`
	ResourceName string `json:"resourceName"`
}

// newFlow is what it becomes.
type newFlow struct {
	Version  string         `json:"Version"`
	Start    string         `json:"StartAction"`
	Metadata map[string]any `json:"Metadata"`
	Actions  []newAct       `json:"Actions"`
}

type newAct struct {
	ID          string         `json:"Identifier"`
	Type        string         `json:"Type"`
	Parameters  map[string]any `json:"Parameters"`
	Transitions newTransitions `json:"Transitions"`
}

type newTransitions struct {
	Next       string         `json:"NextAction,omitempty"`
	Conditions []newCondition `json:"Conditions,omitempty"`
	Errors     []newError     `json:"Errors,omitempty"`
}

type newCondition struct {
	Next      string  `json:"NextAction"`
	Condition newTest `json:"Condition"`
}

type newTest struct {
	Operator string   `json:"Operator"`
	Operands []string `json:"Operands"`
}

type newError struct {
	Next string `json:"NextAction"`
	Type string `json:"ErrorType"`
}

// maxOldBlocks bounds what is converted.
const maxOldBlocks = 5000

// FromDesigner converts a flow of the designer's format before 2019-10-30. ok is false for anything else, which is given back
// as it is. The problems say what could not be converted; such a block stays, as one that takes its error branch.
func FromDesigner(content string) (converted string, problems []Problem, ok bool, err error) {
	var old struct {
		Modules []json.RawMessage `json:"modules"`
		Start   *string           `json:"start"`
		Actions json.RawMessage   `json:"Actions"`
	}
	if json.Unmarshal([]byte(content), &old) != nil || old.Modules == nil || old.Start == nil || old.Actions != nil {
		return content, nil, false, nil //nolint:nilerr // what is not even JSON is told of by whoever reads the flow
	}
	var f oldFlow
	if err = json.Unmarshal([]byte(content), &f); err != nil {
		return "", nil, true, errs.Field("Content", "is in the format of the old designer, and broken: %v", err)
	}
	if len(f.Modules) > maxOldBlocks {
		return "", nil, true, errs.New(errs.Limit, "the flow has %d blocks, at most %d can be converted", len(f.Modules), maxOldBlocks)
	}
	c := &conversion{queueFlow: typeNamed(f.Type) == TypeCustomerQueue}
	out := newFlow{Version: DocumentVersion, Start: f.Start, Actions: []newAct{}}
	beside := map[string]any{}
	for i := range f.Modules {
		b := &f.Modules[i]
		a := c.convert(b)
		out.Actions = append(out.Actions, a)
		entry := map[string]any{}
		if at := b.Metadata["position"]; at != nil {
			entry["position"] = at
		}
		if names := c.names; len(names) > 0 {
			entry["parameters"] = names
		}
		beside[b.ID] = entry
	}
	out.Metadata = map[string]any{"ActionMetadata": beside}
	for _, key := range []string{"entryPointPosition", "name", "description", "type"} {
		if v := f.Metadata[key]; v != nil {
			out.Metadata[key] = v
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return "", nil, true, err
	}
	return string(text), c.problems, true, nil
}

// conversion is one in progress.
type conversion struct {
	queueFlow bool
	problems  []Problem
	block     *oldBlock
	names     map[string]any // of the block: what the designer calls the things that it refers to
	used      map[string]bool
}

func (c *conversion) convert(b *oldBlock) newAct {
	c.block, c.names, c.used = b, map[string]any{}, map[string]bool{}
	a := newAct{ID: b.ID, Parameters: map[string]any{}}
	make, known := oldBlocks()[strings.TrimSuffix(b.Type+" "+b.Target, " ")]
	if !known {
		make, known = oldBlocks()[b.Type]
	}
	if !known {
		a.Type = cmp.Or(b.Type, "Unknown")
		c.warn("Type", "is the block %q of the old designer, which was not converted: it takes its error branch", a.Type)
	} else {
		a.Type = make(c, a.Parameters)
	}
	c.branches(&a)
	c.complete(&a)
	if known {
		c.leftOver()
	}
	return a
}

func (c *conversion) warn(field, format string, args ...any) {
	c.problems = append(c.problems, newProblem(c.block.ID, field, format, args...))
}

// leftOver tells of parameters that nothing here has.
func (c *conversion) leftOver() {
	var left []string
	for _, p := range c.block.Parameters {
		if !c.used[p.Name] && !slices.Contains(left, p.Name) {
			left = append(left, p.Name)
		}
	}
	if len(left) > 0 {
		c.warn("Parameters", "had %s in the old designer, which was left out", strings.Join(left, ", "))
	}
}

// branches sorts the old ones.
func (c *conversion) branches(a *newAct) {
	share := 0
	for _, b := range c.block.Branches {
		switch {
		case b.Transition == "":
		case b.Condition == "Success":
			a.Transitions.Next = b.Transition
		case oldErrors(a.Type)[b.Condition] != "":
			a.Transitions.Errors = append(a.Transitions.Errors, newError{b.Transition, oldErrors(a.Type)[b.Condition]})
		case a.Type == "DistributeByPercentage":
			share += atLeast(text(b.Value))
			a.when(b.Transition, opLess, text(share+1))
		case oldResults()[b.Condition] != "":
			a.when(b.Transition, opEquals, oldResults()[b.Condition])
		case b.Condition == "Evaluate" || strings.HasPrefix(b.Condition, "CheckQueue"):
			op := oldOperators()[b.Operator]
			if op == "" {
				c.warn("Transitions.Conditions", "had the comparison %q in the old designer, which was left out", b.Operator)
				continue
			}
			v := text(b.Value)
			if b.Condition == "CheckQueueTime" { // it was in milliseconds
				v = text(atLeast(v) / 1000)
			}
			a.when(b.Transition, op, v)
		default:
			c.warn("Transitions", "had the branch %q in the old designer, which was left out", b.Condition)
		}
	}
}

func (a *newAct) when(next, operator string, operand string) {
	a.Transitions.Conditions = append(a.Transitions.Conditions, newCondition{next, newTest{operator, []string{operand}}})
}

// complete adds the branches that are needed today: what had no error branch went on as if nothing had happened.
func (c *conversion) complete(a *newAct) {
	act := newAction(a.Type)
	act.read(&params{m: a.Parameters, id: a.ID, at: "Parameters", doc: &Document{}})
	to := a.Transitions.Next
	for _, e := range a.Transitions.Errors {
		if to == "" || e.Type == errNoMatch && a.Transitions.Next == "" {
			to = e.Next
		}
	}
	for _, need := range act.rules().errors {
		if to != "" && !slices.ContainsFunc(a.Transitions.Errors, func(e newError) bool { return e.Type == need }) {
			a.Transitions.Errors = append(a.Transitions.Errors, newError{to, need})
		}
	}
	if act.rules().last {
		a.Transitions = newTransitions{}
	}
}

// Converted adds to a report what was lost on the way from the old designer (FromDesigner).
func (r *Report) Converted(lost []Problem) {
	for _, p := range lost {
		r.Findings = append(r.Findings, Finding{Severity: Warning, ActionID: p.ActionID, Field: p.Field, problem: p})
	}
	if len(lost) > 0 {
		r.Say("en")
	}
}
