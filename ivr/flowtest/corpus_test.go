package flowtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ullim/internal/contact"
	"ullim/ivr"
)

// corpusFiles are the test files of the corpus.
func corpusFiles(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("corpus/*.test.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no corpus: %v", err)
	}
	return files
}

func runFile(tb testing.TB, file string) []*Result {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Parse(b)
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	r := Runner{Suite: s, Load: Beside(file)}
	results, err := r.Run(tb.Context())
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	return results
}

func TestCorpusFlowsDoWhatTheirScriptsExpect(t *testing.T) {
	for _, file := range corpusFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".test.json"), func(t *testing.T) {
			results := runFile(t, file)
			var b strings.Builder
			if failed, err := Report(&b, file, results, false); err != nil || failed > 0 {
				t.Error(b.String())
			}
		})
	}
}

func TestCorpusFlowsArePublishable(t *testing.T) {
	for _, file := range corpusFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		docs := map[string]ivr.FlowType{s.Flow.File: s.Type}
		note := func(m map[string]Source, kind ivr.FlowType) {
			for _, src := range m {
				if k := src.Type; k != "" {
					docs[src.File] = k
				} else {
					docs[src.File] = kind
				}
			}
		}
		note(s.Given.Flows, s.Type)
		note(s.Given.Modules, ivr.TypeModule)
		for _, test := range s.Tests {
			note(test.Given.Flows, s.Type)
			note(test.Given.Modules, ivr.TypeModule)
		}
		for name, kind := range docs {
			doc, err := os.ReadFile(filepath.Join("corpus", name))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if strings.HasPrefix(name, "draft-") {
				continue // what cannot be published, and can still be met in an import
			}
			if err := ivr.Check(string(doc), kind); err != nil {
				t.Errorf("%s (%s): %v", name, kind, err)
			}
		}
	}
}

// noCondition tells whether a step went on because none of its conditions held.
func noCondition(s *Suite, docs map[string]written, step Step) bool {
	file := s.Flow.File
	for _, m := range []map[string]Source{s.Given.Flows, s.Given.Modules} {
		if src, ok := m[step.Flow]; ok {
			file = src.File
		}
	}
	for _, a := range docs[file].Actions {
		if a.Identifier != step.Action || step.ErrorType != "" || step.Next == "" {
			continue
		}
		for _, c := range a.Transitions.Conditions {
			if c.NextAction == step.Next {
				return false
			}
		}
		for _, e := range a.Transitions.Errors {
			if e.ErrorType == "NoMatchingCondition" && e.NextAction == step.Next {
				return true
			}
		}
	}
	return false
}

// written is a flow document as it is written.
type written struct {
	Metadata struct {
		ActionMetadata map[string]any `json:"ActionMetadata"`
	} `json:"Metadata"`
	Actions []struct {
		Identifier, Type string
		Transitions      struct {
			Conditions []struct {
				NextAction string
				Condition  struct{ Operator string }
			}
			Errors []struct{ NextAction, ErrorType string }
		}
	}
}

// corpusDocuments are the flows of the corpus by file name.
func corpusDocuments(tb testing.TB) map[string]written {
	tb.Helper()
	files, err := filepath.Glob("corpus/*.json")
	if err != nil {
		tb.Fatal(err)
	}
	docs := map[string]written{}
	for _, file := range files {
		if strings.HasSuffix(file, ".test.json") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		var doc written
		if err := json.Unmarshal(b, &doc); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		docs[filepath.Base(file)] = doc
	}
	return docs
}

// Every action type, and every error type that one can give, is taken by a test of the corpus.
func TestCorpusCoversEveryActionAndEveryErrorBranch(t *testing.T) {
	seen := map[string]bool{}
	types := map[ivr.FlowType]bool{}
	channels := map[contact.Channel]bool{}
	conditions := map[string]bool{}
	docs := corpusDocuments(t)
	for _, file := range corpusFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		types[s.Type] = true
		for _, r := range runFile(t, file) {
			channels[r.Channel] = true
			for _, step := range r.Steps {
				seen[step.Type] = true
				seen[step.Type+" "+step.ErrorType] = true
				if noCondition(s, docs, step) {
					seen[step.Type+" NoMatchingCondition"] = true
				}
			}
		}
	}
	for file, doc := range docs {
		for _, a := range doc.Actions {
			if doc.Metadata.ActionMetadata[a.Identifier] == nil {
				t.Errorf("%s: action %q has no place in the designer", file, a.Identifier)
			}
			for _, c := range a.Transitions.Conditions {
				conditions[c.Condition.Operator] = true
			}
		}
	}
	if len(docs) < 40 {
		t.Errorf("%d flow documents, at least 40 are wanted", len(docs))
	}
	for _, name := range ivr.ActionTypes() {
		info, ok := ivr.Describe(name)
		if !ok {
			t.Errorf("%s is listed and not known", name)
		}
		if !seen[name] {
			t.Errorf("no test runs %s", name)
		}
		for _, e := range info.Errors {
			if !seen[name+" "+e] {
				t.Errorf("no test takes %s of %s", e, name)
			}
		}
	}
	for _, k := range ivr.FlowTypes() {
		if !types[k] {
			t.Errorf("no test has a flow of type %s", k)
		}
	}
	for _, c := range []contact.Channel{contact.Voice, contact.Chat, contact.Task} {
		if !channels[c] {
			t.Errorf("no test is on %s", c)
		}
	}
	for _, op := range []string{
		"Equals", "TextStartsWith", "TextEndsWith", "TextContains", "NumberGreaterThan", "NumberGreaterOrEqualTo", "NumberLessThan",
		"NumberLessOrEqualTo", "Ullim.Exists", "Ullim.IsEmpty", "Ullim.EqualsIgnoreCase", "Ullim.MatchesRegex", "Ullim.DateBefore",
		"Ullim.DateAfter", "Ullim.DateBetween",
	} {
		if !conditions[op] {
			t.Errorf("no flow of the corpus uses the operator %s", op)
		}
	}
	if t.Failed() {
		var all []string
		for k := range seen {
			all = append(all, k)
		}
		slices.Sort(all)
		t.Log(fmt.Sprint(len(all)), "pairs are taken")
	}
}
