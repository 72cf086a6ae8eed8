package flowtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expect is what is to be seen in the end. What is not there is not looked at.
type Expect struct {
	Outcome string `json:"outcome,omitempty"` // ended, disconnected, queued, transferred, failed, left
	// Heard are texts that are heard in this order, each as a part of something said, asked or played.
	Heard    []string `json:"heard,omitempty"`
	NotHeard []string `json:"notHeard,omitempty"`
	// Path is every action that runs, in order; Visits are some of them in order; Avoids never run.
	Path       []string          `json:"path,omitempty"`
	Visits     []string          `json:"visits,omitempty"`
	Avoids     []string          `json:"avoids,omitempty"`
	Errors     []ActionError     `json:"errors,omitempty"`    // exactly these, in order
	AnyErrors  bool              `json:"anyErrors,omitempty"` // errors do not matter; without it and Errors there must be none
	Queue      *string           `json:"queue,omitempty"`
	Transfer   string            `json:"transfer,omitempty"` // number of the third party
	Attributes map[string]string `json:"attributes,omitempty"`
	Absent     []string          `json:"absentAttributes,omitempty"`
	Hooks      map[string]string `json:"hooks,omitempty"`
	Recording  *string           `json:"recording,omitempty"`
	Events     []Happened        `json:"events,omitempty"` // in this order, among others
	Webhooks   []Asked           `json:"webhooks,omitempty"`
	Elapsed    *Span             `json:"elapsed,omitempty"` // seconds
	Stopped    bool              `json:"stopped,omitempty"` // the run is ended by a limit, or has no end
	Hidden     []string          `json:"hidden,omitempty"`  // texts that appear nowhere: secrets
}

// ActionError is an action that takes an error branch.
type ActionError struct {
	Action string `json:"action"`
	Error  string `json:"error"`
}

// Happened is an event of a kind whose text has the words.
type Happened struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Asked is a call of a function, with some of the parameters that it got.
type Asked struct {
	Function   string         `json:"function"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

// Span is a range of seconds.
type Span struct {
	Min float64 `json:"min,omitempty"`
	Max float64 `json:"max,omitempty"`
}

// check says what is not as expected.
func (e *Expect) check(r *Result) []string {
	var bad []string
	wrong := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if e.Outcome != "" && e.Outcome != string(r.Outcome) {
		wrong("outcome is %s, not %s%s", r.Outcome, e.Outcome, because(r))
	}
	if !e.Stopped && r.Stopped != "" {
		wrong("the run was ended: %s", r.Stopped)
	}
	if e.Stopped && r.Stopped == "" {
		wrong("the run ended by itself")
	}
	e.checkHeard(r, wrong)
	e.checkPath(r, wrong)
	e.checkContact(r, wrong)
	e.checkEvents(r, wrong)
	if s := e.Elapsed; s != nil && (r.Seconds < s.Min || s.Max > 0 && r.Seconds > s.Max) {
		wrong("it took %.3f seconds, not %g to %g", r.Seconds, s.Min, s.Max)
	}
	if len(e.Hidden) > 0 {
		all, err := json.Marshal(r)
		for _, secret := range e.Hidden {
			if err != nil || strings.Contains(string(all), secret) {
				wrong("%q can be seen in the run", secret)
			}
		}
	}
	return bad
}

func because(r *Result) string {
	for _, s := range slices.Backward(r.Steps) {
		if s.Error != "" {
			return fmt.Sprintf(" (action %q took %s: %s)", s.Action, s.ErrorType, s.Error)
		}
	}
	if r.Error != "" {
		return " (" + r.Error + ")"
	}
	return ""
}

func heard(k string) bool { return k == "said" || k == "asked" || k == "played" || k == "view" }

func (e *Expect) checkHeard(r *Result, wrong func(string, ...any)) {
	var all []Event
	for _, ev := range r.w.events {
		if heard(ev.Kind) {
			all = append(all, ev)
		}
	}
	rest := all
	for _, want := range e.Heard {
		i := slices.IndexFunc(rest, func(ev Event) bool { return strings.Contains(ev.Text, want) })
		if i < 0 {
			wrong("%q is not heard%s; heard is: %s", want, where(rest, all), transcript(all))
			return
		}
		rest = rest[i+1:]
	}
	for _, not := range e.NotHeard {
		if i := slices.IndexFunc(all, func(ev Event) bool { return strings.Contains(ev.Text, not) }); i >= 0 {
			wrong("%q is heard after %.1f s", not, all[i].At)
		}
	}
}

func where(rest, all []Event) string {
	if n := len(all) - len(rest); n > 0 {
		return fmt.Sprintf(" after %q", all[n-1].Text)
	}
	return ""
}

func transcript(all []Event) string {
	if len(all) == 0 {
		return "nothing"
	}
	texts := make([]string, len(all))
	for i, ev := range all {
		texts[i] = fmt.Sprintf("%q", ev.Text)
	}
	return strings.Join(texts, ", ")
}

func (e *Expect) checkPath(r *Result, wrong func(string, ...any)) {
	var path []string
	var errors []ActionError
	for _, s := range r.Steps {
		path = append(path, s.Action)
		if s.ErrorType != "" {
			errors = append(errors, ActionError{s.Action, s.ErrorType})
		}
	}
	if len(e.Path) > 0 && !slices.Equal(e.Path, path) {
		i := 0
		for i < min(len(path), len(e.Path)) && path[i] == e.Path[i] {
			i++
		}
		wrong("the path departs at its action %d: it is %s, not %s", i+1, strings.Join(path, " > "), strings.Join(e.Path, " > "))
	}
	rest := path
	for _, want := range e.Visits {
		i := slices.Index(rest, want)
		if i < 0 {
			wrong("action %q is not visited in its turn; the path is %s", want, strings.Join(path, " > "))
			break
		}
		rest = rest[i+1:]
	}
	for _, not := range e.Avoids {
		if slices.Contains(path, not) {
			wrong("action %q is visited; the path is %s", not, strings.Join(path, " > "))
		}
	}
	if !e.AnyErrors && !slices.Equal(e.Errors, errors) {
		wrong("error branches taken are %v, not %v%s", errors, e.Errors, because(r))
	}
}

func (e *Expect) checkContact(r *Result, wrong func(string, ...any)) {
	for _, k := range slices.Sorted(maps.Keys(e.Attributes)) {
		if got, ok := r.Attributes[k]; !ok || got != e.Attributes[k] {
			wrong("attribute %q is %q, not %q", k, got, e.Attributes[k])
		}
	}
	for _, k := range e.Absent {
		if got, ok := r.Attributes[k]; ok {
			wrong("attribute %q is %q, it should not be there", k, got)
		}
	}
	if e.Queue != nil && *e.Queue != r.Queue {
		wrong("the contact is put into queue %q, not %q", r.Queue, *e.Queue)
	}
	if e.Transfer != "" && e.Transfer != r.w.third {
		wrong("the contact is joined with %q, not %q", r.w.third, e.Transfer)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Hooks)) {
		if got := r.w.hooks[k]; got != e.Hooks[k] {
			wrong("the flow for %s is %q, not %q", k, got, e.Hooks[k])
		}
	}
	if e.Recording != nil && *e.Recording != r.w.recording {
		wrong("recorded are %q, not %q", r.w.recording, *e.Recording)
	}
}

func (e *Expect) checkEvents(r *Result, wrong func(string, ...any)) {
	rest := r.w.events
	for _, want := range e.Events {
		i := slices.IndexFunc(rest, func(ev Event) bool { return ev.Kind == want.Kind && strings.Contains(ev.Text, want.Text) })
		if i < 0 {
			var of []Event
			for _, ev := range r.w.events {
				if ev.Kind == want.Kind {
					of = append(of, ev)
				}
			}
			wrong("event %s %q does not happen in its turn; of its kind: %s", want.Kind, want.Text, transcript(of))
			break
		}
		rest = rest[i+1:]
	}
	for i, want := range e.Webhooks {
		if i >= len(r.w.webhooks) {
			wrong("function %q is not called as number %d", want.Function, i+1)
			break
		}
		got := r.w.webhooks[i]
		if !strings.Contains(got.Function, want.Function) {
			wrong("call %d is of function %q, not %q", i+1, got.Function, want.Function)
			continue
		}
		details, _ := got.Event["Details"].(map[string]any)
		parameters, _ := details["Parameters"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(want.Parameters)) {
			if fmt.Sprint(parameters[k]) != fmt.Sprint(want.Parameters[k]) {
				wrong("parameter %q of function %q is %v, not %v", k, want.Function, parameters[k], want.Parameters[k])
			}
		}
	}
	if n := len(e.Webhooks); n > 0 && len(r.w.webhooks) > n {
		wrong("%d calls of functions, not %d", len(r.w.webhooks), n)
	}
}
