package ivr

import (
	"fmt"
	"slices"
	"strings"

	"ullim/internal/errs"
)

// Problem is something that stops a flow from being published, with what to do about it. ActionID is the action's
// identifier; empty when it is about the whole flow.
type Problem struct {
	ActionID string `json:"actionId,omitempty"`
	Field    string `json:"field"`
	Message  string `json:"message"`

	format string // of Message, by which advice.go knows the rule and other languages
	args   []any
}

func newProblem(id, field, format string, args ...any) Problem {
	return Problem{ActionID: id, Field: field, Message: fmt.Sprintf(format, args...), format: format, args: args}
}

// String is the problem on one line.
func (p Problem) String() string {
	if p.ActionID == "" {
		return p.Field + ": " + p.Message
	}
	return fmt.Sprintf("action %q: %s: %s", p.ActionID, p.Field, p.Message)
}

// ProblemsError is the error of publishing a flow that has problems. Its kind is errs.Invalid.
type ProblemsError struct{ Problems []Problem }

// Error tells the first problem and how many there are.
func (e *ProblemsError) Error() string {
	if len(e.Problems) == 0 {
		return "the flow has problems"
	}
	first := e.Problems[0].String()
	if n := len(e.Problems) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more)", first, n)
	}
	return first
}

// Unwrap gives the error its kind.
func (e *ProblemsError) Unwrap() error {
	return &errs.Error{Kind: errs.Invalid, Field: "Content", Message: e.Error()}
}

// Check reads a flow's content and validates it without looking elsewhere: nil, or a *ProblemsError. Inspect tells more.
func Check(content string, t FlowType) error {
	d, err := Parse(content)
	if err != nil {
		return &ProblemsError{Problems: []Problem{shapeProblem(err)}}
	}
	if problems := Validate(d, t); len(problems) > 0 {
		return &ProblemsError{Problems: problems}
	}
	return nil
}

// shapeProblem is the problem of content that Parse refuses.
func shapeProblem(err error) Problem {
	if e, ok := asError(err); ok {
		return newProblem("", e.Field, "%s", e.Message)
	}
	return newProblem("", "Content", "%s", err.Error())
}

// Validate lists what must be put right before a flow of type t can be published; nil if nothing.
func Validate(d *Document, t FlowType) []Problem {
	w := &wiring{doc: d, problems: slices.Clone(d.problems)}
	if len(d.Actions) == 0 {
		w.problems = append(w.problems, newProblem("", "Actions", "is empty: a flow needs at least one action"))
	} else if d.byID[d.Start] == nil {
		w.problems = append(w.problems, newProblem("", "StartAction", "names %q, which is not an action of this flow", d.Start))
	}
	for _, n := range d.Actions {
		w.check(n, t)
	}
	return w.problems
}

// targets are all actions that may follow.
func (n *Node) targets() []string {
	out := []string{n.next}
	for _, c := range n.conditions {
		out = append(out, c.next)
	}
	for _, e := range n.errors {
		out = append(out, e.next)
	}
	return out
}

func (d *Document) reachable() map[string]bool {
	reached := make(map[string]bool, len(d.Actions))
	todo := []string{d.Start}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := d.byID[id]
		if n == nil || reached[id] {
			continue
		}
		reached[id] = true
		todo = append(todo, n.targets()...)
	}
	return reached
}

// wiring checks the transitions of one action after the other.
type wiring struct {
	doc      *Document
	problems []Problem
	n        *Node // at present
}

func (w *wiring) problem(field, format string, args ...any) {
	w.problems = append(w.problems, newProblem(w.n.ID, field, format, args...))
}

func (w *wiring) check(n *Node, t FlowType) {
	w.n = n
	r := n.act.rules()
	if t != TypeModule && !r.allowedIn(t) { // which flows a module will be called by, it cannot know
		names := make([]string, len(r.flows))
		for i, f := range r.flows {
			names[i] = string(f)
		}
		w.problem("Type", "%s cannot be used in a flow of type %s, only in %s", n.Type, t, strings.Join(names, ", "))
	}
	if r.last {
		if n.next != "" || len(n.conditions) > 0 || len(n.errors) > 0 {
			w.problem("Transitions", "must be empty: %s ends the flow", n.Type)
		}
		return
	}
	if r.next && n.next == "" {
		w.problem("Transitions.NextAction", "is required: connect the branch for success")
	}
	if n.next != "" {
		w.target("Transitions.NextAction", n.next)
	}
	for i, c := range n.conditions {
		at := fmt.Sprintf("Transitions.Conditions[%d]", i)
		w.target(at+".NextAction", c.next)
		w.operator(at+".Condition", c.when)
	}
	w.checkErrors(r)
	switch {
	case r.conditions != nil:
		r.conditions(w)
	case len(n.conditions) > 0:
		w.problem("Transitions.Conditions", "must be empty: %s has no result to compare", n.Type)
	}
}

func (w *wiring) checkErrors(r rules) {
	seen := make(map[string]bool)
	for i, e := range w.n.errors {
		at := fmt.Sprintf("Transitions.Errors[%d]", i)
		w.target(at+".NextAction", e.next)
		switch {
		case e.errorType == "":
			w.problem(at+".ErrorType", "is required")
		case seen[e.errorType]:
			w.problem(at+".ErrorType", "%s is there twice: keep one", e.errorType)
		}
		seen[e.errorType] = true
	}
	for _, need := range r.errors {
		if !seen[need] {
			w.problem("Transitions.Errors", "needs a branch for %s", need)
		}
	}
}

func (w *wiring) target(field, id string) {
	switch {
	case id == "":
		w.problem(field, "is required: connect this branch to an action")
	case w.doc.byID[id] == nil:
		w.problem(field, "names %q, which is not an action of this flow", id)
	}
}

func (w *wiring) operator(at string, c *Condition) {
	least, most, known := operands(c.Operator)
	n := len(c.Operands)
	switch {
	case !w.n.supported():
	case !known:
		w.problem(at+".Operator", "%q is not an operator", c.Operator)
	case n >= least && n <= most && len(c.Sub) == 0:
	case most == 1:
		w.problem(at+".Operands", "must have exactly one value for %s", c.Operator)
	default:
		w.problem(at+".Operands", "must have %d values for %s", most, c.Operator)
	}
}

// amongst allows Equals conditions with these results only, each once.
func (w *wiring) amongst(results ...string) map[string]bool {
	seen := make(map[string]bool)
	for i, c := range w.n.conditions {
		at := fmt.Sprintf("Transitions.Conditions[%d].Condition", i)
		if c.when.Operator != opEquals {
			w.problem(at+".Operator", "must be Equals for %s", w.n.Type)
		}
		for _, o := range c.when.Operands {
			switch {
			case !slices.Contains(results, o.raw):
				w.problem(at+".Operands", "%q is not a result of %s: use one of %s", o.raw, w.n.Type, strings.Join(results, ", "))
			case seen[o.raw]:
				w.problem(at+".Operands", "%q is there twice: keep one", o.raw)
			}
			seen[o.raw] = true
		}
	}
	return seen
}

// exactly allows Equals conditions with these results and needs all of them.
func (w *wiring) exactly(results ...string) {
	seen := w.amongst(results...)
	for _, r := range results {
		if !seen[r] {
			w.problem("Transitions.Conditions", "needs a condition Equals %s", r)
		}
	}
}

// keys allows Equals conditions with one key of a telephone each.
func (w *wiring) keys() {
	w.amongst("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#")
}

// any needs at least one condition, of any operator.
func (w *wiring) any() {
	if len(w.n.conditions) == 0 {
		w.problem("Transitions.Conditions", "needs at least one condition")
	}
	for i, c := range w.n.conditions {
		at := fmt.Sprintf("Transitions.Conditions[%d].Condition.Operands", i)
		for _, o := range c.when.Operands {
			switch {
			case !o.isStatic() && !o.isPath():
				w.problem(at, "must be fixed text or exactly one data path, not both")
			case o.isPath() && !knownPath(o.parts[0].path):
				w.problem(at, "%s is not a data path that flows have", o.raw)
			case o.isStatic():
				if why := wrongOperand(c.when.Operator, o.raw); why != "" {
					w.problem(at, "%s", why)
				}
			}
		}
	}
}

// percentages needs a rising chain of NumberLessThan up to 101: the result is a number from 1 to 100.
func (w *wiring) percentages() {
	before := 0
	for i, c := range w.n.conditions {
		at := fmt.Sprintf("Transitions.Conditions[%d].Condition", i)
		if c.when.Operator != opLess {
			w.problem(at+".Operator", "must be NumberLessThan for %s", w.n.Type)
		}
		for _, o := range c.when.Operands {
			n, ok := wholeNumber(o.raw, before+1, 101)
			if !ok {
				w.problem(at+".Operands", "must be a whole number above %d and at most 101: the shares are added up", before)
				continue
			}
			before = n
		}
	}
}
