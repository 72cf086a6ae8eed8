package ivr

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ullim/prompts"
)

// speech checks marked-up text. What data paths will hold is not known yet; it will be escaped.
func (in *inspection) speech() {
	for at, text := range in.texted("Parameters", in.n.parameters) {
		if !strings.HasSuffix(at, ".SSML") {
			continue
		}
		if n := utf8.RuneCountInString(text); n > maxSSML {
			in.fail(at, "has %d characters, at most %d are allowed", n, maxSSML)
			continue
		}
		if err := prompts.CheckSSML(text); err != nil { // it knows data paths, also as values of attributes
			why := err.Error()
			if e, ok := asError(err); ok {
				why = e.Message
			}
			in.fail(at, "is not good SSML: %s", why)
		}
	}
}

// maxSSML is the room for text with its mark-up (A1.10).
const maxSSML = 6000

// paths tells of data paths that can never have a value in a flow of this type.
func (in *inspection) paths() {
	for at, text := range in.texted("Parameters", in.n.parameters) {
		in.path(at, parseWhole(text))
	}
	for i, c := range in.n.conditions {
		for _, o := range c.when.Operands {
			in.path(fmt.Sprintf("Transitions.Conditions[%d].Condition.Operands", i), o)
		}
	}
}

func (in *inspection) path(at string, v value) {
	for _, p := range v.parts {
		if p.path == nil {
			continue
		}
		shown := "$." + strings.Join(p.path, ".")
		switch p.path[0] {
		case "Agent":
			if !slices.Contains(withAgent(), in.t) {
				in.warn(at, "%s has no value in a flow of type %s: there is no agent yet", shown, in.t)
			}
		case "Customer", "Case", "Wisdom", "DataTables", "Email":
			in.warn(at, "%s never has a value: what fills it is not part of ullim", shown)
		}
	}
}

// withAgent are the types of flows in which the agent is known (A1.9); of a module it depends on who calls it.
func withAgent() []FlowType {
	return []FlowType{
		TypeCustomerWhisper, TypeAgentWhisper, TypeOutboundWhisper, TypeCustomerHold, TypeAgentHold, TypeAgentTransfer, TypeModule,
	}
}

// texted walks through all text in parameters, with where it stands, in a fixed order.
func (in *inspection) texted(at string, v any) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) { walkText(at, v, yield) }
}

func walkText(at string, v any, yield func(string, string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(at, v)
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if !walkText(at+"."+key, v[key], yield) {
				return false
			}
		}
	case []any:
		for i := range v {
			if !walkText(fmt.Sprintf("%s[%d]", at, i), v[i], yield) {
				return false
			}
		}
	}
	return true
}
