package ivr

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed advice.json
var adviceText string // a list with an entry on each line

// advice is what there is to say about a sort of problem beside its English message: the name of the rule, what to do
// next, and both in Korean. It is found by the format of the message.
type advice struct {
	Format string `json:"format"`
	Rule   string `json:"rule"`
	Fix    string `json:"fix"`
	Ko     string `json:"ko"`
	KoFix  string `json:"koFix"`
}

// adviceOn finds the entry for a format: only its line is read.
func adviceOn(format string) (a advice, ok bool) {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(format); err != nil {
		return a, false
	}
	start := `{"format": ` + strings.TrimSpace(quoted.String()) + ","
	at := strings.Index(adviceText, start)
	if at < 0 {
		return a, false
	}
	line, _, _ := strings.Cut(adviceText[at:], "\n")
	err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimSpace(line), ",")), &a)
	return a, err == nil
}

// ruleUnnamed is the rule of a problem that the file does not know.
const ruleUnnamed = "parameter"

// Say gives the report's messages in a language: "ko" and its variants are Korean, everything else English.
func (r *Report) Say(language string) {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.problem.format == "" {
			continue // read from JSON: the words that it came with
		}
		a, ok := adviceOn(f.problem.format)
		f.Rule, f.Message, f.Fix = a.Rule, f.problem.Message, a.Fix
		if !ok {
			f.Rule = ruleUnnamed
			continue
		}
		if base == "ko" {
			f.Message, f.Fix = fmt.Sprintf(a.Ko, korean(f.problem.args)...), a.KoFix
		}
	}
}

// korean is arguments with the words among them in Korean.
func korean(args []any) []any {
	out := slices.Clone(args)
	for i, v := range out {
		if word, ok := v.(kindWord); ok {
			out[i] = word.korean()
		}
	}
	return out
}

// String is the finding on one line.
func (f Finding) String() string {
	s := string(f.Severity) + ": " + Problem{ActionID: f.ActionID, Field: f.Field, Message: f.Message}.String()
	if f.Fix != "" {
		s += " (" + f.Fix + ")"
	}
	return s + " [" + f.Rule + "]"
}
