package ivr

import (
	"cmp"
	"slices"

	"ullim/internal/resource"
)

// Severity says how bad a finding is.
type Severity string

// An Error stops publishing. A Warning is probably not meant; the flow runs all the same.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that Inspect found. Rule is a stable name for the sort of it; Fix is what to do next. Action is
// the type of the action, and with ActionID empty when it is about the whole flow.
type Finding struct {
	Severity Severity `json:"Severity"`
	ActionID string   `json:"ActionId,omitempty"`
	Action   string   `json:"Action,omitempty"`
	Field    string   `json:"Field"`
	Rule     string   `json:"Rule"`
	Message  string   `json:"Message"`
	Fix      string   `json:"Fix,omitempty"`

	problem Problem
}

// Report is what Inspect found, in the order of the document, the whole flow first.
type Report struct {
	Findings []Finding `json:"Findings"`
	// Unsupported are the types of actions that will take their error branch, each once.
	Unsupported []string `json:"Unsupported,omitempty"`
	// Unresolved are the references that lead nowhere here, each once; empty when references were not checked.
	Unresolved []string `json:"Unresolved,omitempty"`
}

// Count is how many findings have a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Errors are the findings that stop publishing, as problems.
func (r *Report) Errors() []Problem {
	var out []Problem
	for _, f := range r.Findings {
		if f.Severity == Error {
			out = append(out, f.problem)
		}
	}
	return out
}

// Known is what there is in an instance, for references.
type Known interface {
	// InstanceID is the instance's id: it tells our ARNs from those of elsewhere.
	InstanceID() string
	// Lookup tells what a reference (ARN, id or name) leads to: nil if to nothing. checked is false for kinds of which
	// nothing is known.
	Lookup(kind resource.Kind, ref string) (t *Target, checked bool)
}

// Target is what a reference leads to. Flow is set for flows and modules.
type Target struct {
	ID, Name string
	Flow     *Flow
}

// Inspect reads a flow's content and finds everything that stops it from being published as type t, or is probably not
// meant. It is a pure function of the three: known may be nil, then references are not looked up.
func Inspect(content string, t FlowType, known Known) *Report {
	in := &inspection{report: &Report{}, t: t, known: known}
	d, err := Parse(content)
	if err != nil {
		in.add(Error, shapeProblem(err))
		return in.done()
	}
	in.doc = d
	for _, p := range Validate(d, t) {
		in.add(Error, p)
	}
	in.graph()
	for _, n := range d.Actions {
		in.n = n
		in.support()
		in.speech()
		in.paths()
	}
	in.references()
	return in.done()
}

// Warnings lists what does not stop publishing but is probably not meant: actions that this version cannot run (they
// take their error branch), actions that nothing leads to, and ways round that never wait for the participant.
func Warnings(d *Document) []Problem {
	in := &inspection{report: &Report{}, doc: d}
	in.graph()
	for _, n := range d.Actions {
		in.n = n
		in.support()
	}
	var out []Problem
	for _, f := range in.done().Findings {
		out = append(out, f.problem)
	}
	return out
}

// inspection is one run of Inspect.
type inspection struct {
	report *Report
	doc    *Document
	t      FlowType
	known  Known
	n      *Node // at present
}

func (in *inspection) add(s Severity, p Problem) {
	in.report.Findings = append(in.report.Findings, Finding{Severity: s, ActionID: p.ActionID, Field: p.Field, problem: p})
}

func (in *inspection) warn(field, format string, args ...any) {
	in.add(Warning, newProblem(in.n.ID, field, format, args...))
}

func (in *inspection) fail(field, format string, args ...any) {
	in.add(Error, newProblem(in.n.ID, field, format, args...))
}

// done puts the findings in order and gives them their words in English.
func (in *inspection) done() *Report {
	place := make(map[string]int)
	if in.doc != nil {
		for i, n := range in.doc.Actions {
			if _, twice := place[n.ID]; !twice {
				place[n.ID] = i + 1
			}
		}
	}
	slices.SortStableFunc(in.report.Findings, func(a, b Finding) int { return cmp.Compare(place[a.ActionID], place[b.ActionID]) })
	for i := range in.report.Findings {
		f := &in.report.Findings[i]
		if in.doc != nil && in.doc.byID[f.ActionID] != nil {
			f.Action = in.doc.byID[f.ActionID].Type
		}
	}
	in.report.Say("en")
	return in.report
}

// support tells of an action that this version does not know.
func (in *inspection) support() {
	if in.n.supported() {
		return
	}
	in.warn("Type", "%s is not supported by this version: it will take its NoMatchingError branch", in.n.Type)
	if !slices.Contains(in.report.Unsupported, in.n.Type) {
		in.report.Unsupported = append(in.report.Unsupported, in.n.Type)
	}
	if in.n.errorTarget(errNoMatch) == "" {
		in.warn("Transitions.Errors", "has no branch for NoMatchingError, which %s will take: the flow ends here", in.n.Type)
	}
}
