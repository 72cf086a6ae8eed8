package ivr

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed advice.json
var adviceFile embed.FS

// advice is what there is to say about a sort of problem beside its English message: the name of the rule, what to do
// next, and both in Korean. It is found by the format of the message.
type advice struct {
	Format string `json:"format"`
	Rule   string `json:"rule"`
	Fix    string `json:"fix"`
	Ko     string `json:"ko"`
	KoFix  string `json:"koFix"`
}

// advices reads the file; a test holds it complete.
func advices() map[string]advice {
	data, err := adviceFile.ReadFile("advice.json")
	if err != nil {
		return nil
	}
	var list []advice
	if err := json.Unmarshal(data, &list); err != nil {
		return nil
	}
	out := make(map[string]advice, len(list))
	for _, a := range list {
		out[a.Format] = a
	}
	return out
}

// ruleUnnamed is the rule of a problem that the file does not know.
const ruleUnnamed = "parameter"

// Say gives the report's messages in a language: "ko" and its variants are Korean, everything else English.
func (r *Report) Say(language string) { r.say(language, advices()) }

func (r *Report) say(language string, texts map[string]advice) {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	for i := range r.Findings {
		f := &r.Findings[i]
		a, ok := texts[f.problem.format]
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
