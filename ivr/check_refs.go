package ivr

import (
	"fmt"
	"slices"
	"strings"

	"ullim/internal/resource"
)

// KindFunction is the kind of what InvokeLambdaFunction names, for Known.
const KindFunction resource.Kind = "function"

// FlowRef is what one action of a flow needs from elsewhere. Only what is written out can be told: a reference that
// comes out of a data path is known when the flow runs.
type FlowRef struct {
	ActionID, Field string
	Kind            resource.Kind
	Ref             string   // ARN, id or name
	Name            string   // what Metadata calls it, where an export says so
	Type            FlowType // of a flow: what it must be; empty for any
}

// References lists what a flow needs from elsewhere, in the order of the document.
func (d *Document) References(t FlowType) []FlowRef {
	var out []FlowRef
	for _, n := range d.Actions {
		r := refReader{doc: d, n: n, t: t}
		r.read("Parameters", n.parameters)
		out = append(out, r.found...)
	}
	return out
}

type refReader struct {
	doc   *Document
	n     *Node
	t     FlowType
	found []FlowRef
}

func (r *refReader) read(at string, m map[string]any) {
	for _, key := range sortedKeys(m) {
		field := at + "." + key
		switch v := m[key].(type) {
		case string:
			if kind, want := r.kindOf(key); kind != "" {
				r.add(field, kind, v, want)
			}
		case map[string]any:
			switch key {
			case "EventHooks":
				r.hooks(field, v)
				continue
			case "ViewResource":
				id, _ := v["Id"].(string)
				r.add(field+".Id", resource.KindView, id, "")
				continue
			}
			r.read(field, v)
		case []any:
			for i, item := range v {
				if m, ok := item.(map[string]any); ok {
					r.read(fmt.Sprintf("%s[%d]", field, i), m)
				}
			}
		}
	}
}

// kindOf is what a parameter names, and of a flow which type it must be.
func (r *refReader) kindOf(key string) (kind resource.Kind, want FlowType) {
	switch key {
	case "QueueId":
		return resource.KindQueue, ""
	case "AgentId":
		return resource.KindUser, ""
	case "PromptId":
		return resource.KindPrompt, ""
	case "HoursOfOperationId", "Hours":
		if _, grouped := r.n.parameters[key].(string); grouped || key == "HoursOfOperationId" {
			return resource.KindHours, ""
		}
	case "LambdaFunctionARN":
		return KindFunction, ""
	case "FlowModuleId":
		return resource.KindFlowModule, ""
	case "ContactFlowId":
		switch {
		case r.n.Type == "TransferToFlow" && r.t != TypeModule:
			return resource.KindFlow, r.t
		case r.n.Type == "CreateTask" || r.n.Type == "CreateCallbackContact" || r.n.Type == "StartOutboundChatContact":
			return resource.KindFlow, TypeInbound
		}
		return resource.KindFlow, ""
	}
	return "", ""
}

func (r *refReader) hooks(at string, m map[string]any) {
	for _, key := range sortedKeys(m) {
		if ref, ok := m[key].(string); ok {
			want, _ := hookType(Hook(key))
			r.add(at+"."+key, resource.KindFlow, ref, want)
		}
	}
}

func (r *refReader) add(field string, kind resource.Kind, ref string, want FlowType) {
	if ref == "" || !parseWhole(ref).isStatic() {
		return
	}
	r.found = append(r.found, FlowRef{
		ActionID: r.n.ID, Field: field, Kind: kind, Ref: ref, Name: r.doc.names[nameKey{r.n.ID, ref}], Type: want,
	})
}

// references looks everything up that the flow names.
func (in *inspection) references() {
	if in.known == nil {
		return
	}
	for _, r := range in.doc.References(in.t) {
		in.n = in.doc.byID[r.ActionID]
		target, checked := in.known.Lookup(r.Kind, r.Ref)
		if !checked {
			continue
		}
		if target == nil && r.Name != "" {
			target, _ = in.known.Lookup(r.Kind, r.Name)
		}
		if target == nil {
			in.missing(r)
			continue
		}
		in.fits(r, target)
	}
}

// missing tells of a reference that leads nowhere. What an export names in the instance that it comes from is a warning,
// so that every export can be imported as it is.
func (in *inspection) missing(r FlowRef) {
	shown := r.Ref
	if r.Name != "" {
		shown = r.Name
	}
	if !slices.Contains(in.report.Unresolved, string(r.Kind)+" "+shown) {
		in.report.Unresolved = append(in.report.Unresolved, string(r.Kind)+" "+shown)
	}
	word := kindWord(r.Kind)
	switch {
	case in.elsewhere(r) && r.Name != "":
		in.warn(r.Field, "names the %s %q of another instance, and there is none of this name here", word, r.Name)
	case in.elsewhere(r):
		in.warn(r.Field, "names a %s of another instance: %q", word, r.Ref)
	default:
		in.fail(r.Field, "names the %s %q, which does not exist", word, shown)
	}
}

// elsewhere tells that a reference was made in another instance.
func (in *inspection) elsewhere(r FlowRef) bool {
	base, _ := SplitRef(r.Ref)
	if !strings.HasPrefix(base, "arn:") {
		return r.Name != "" // what an export has been cleaned of, or an id
	}
	_, ours := resource.IDInARN(in.known.InstanceID(), r.Kind, base)
	return !ours || !strings.HasPrefix(base, "arn:aws:connect:"+resource.Region+":"+resource.Account+":")
}

// kindWord is a kind in messages; the report says it in its language.
type kindWord resource.Kind

// String is the English word.
func (k kindWord) String() string {
	switch resource.Kind(k) { //nolint:exhaustive // the others are not referred to
	case resource.KindHours:
		return "hours of operation"
	case resource.KindFlow:
		return "flow"
	case resource.KindFlowModule:
		return "module"
	}
	return string(k)
}

func (k kindWord) korean() string {
	switch resource.Kind(k) { //nolint:exhaustive // the others are not referred to
	case resource.KindQueue:
		return "대기열"
	case resource.KindPrompt:
		return "안내 음성"
	case resource.KindHours:
		return "운영 시간"
	case resource.KindFlow:
		return "흐름"
	case resource.KindFlowModule:
		return "모듈"
	case resource.KindView:
		return "보기"
	case resource.KindUser:
		return "상담원"
	case KindFunction:
		return "함수"
	}
	return string(k)
}

// fits checks what a reference leads to.
func (in *inspection) fits(r FlowRef, t *Target) {
	f := t.Flow
	switch {
	case f == nil:
		return
	case r.Kind == resource.KindFlowModule:
		in.calls(r, f)
	case r.Type != "" && f.Type != r.Type:
		in.fail(r.Field, "names the flow %q of type %s, where one of type %s is needed", f.Name, f.Type, r.Type)
	}
	switch _, qualifier := SplitRef(r.Ref); {
	case f.Archived:
		in.warn(r.Field, "names the %s %q, which is archived: it cannot be run", kindWord(f.Kind()), f.Name)
	case f.Published == "":
		in.warn(r.Field, "names the %s %q, which has not been published", kindWord(f.Kind()), f.Name)
	case r.Kind == resource.KindFlowModule && qualifier != "" && qualifier != QualifierLatest:
		if _, number := versionNumber(qualifier); !number && f.alias(qualifier) == nil {
			in.fail(r.Field, "names the alias %q, which module %q does not have", qualifier, f.Name)
		}
	}
}

// maxModuleDepth bounds how deep modules are followed; what is beyond is a mistake in itself.
const maxModuleDepth = 50

// calls follows the modules that a module calls: one that comes back to itself never ends. known gives the module that
// is being checked by what it will be.
func (in *inspection) calls(r FlowRef, f *Flow) {
	self := in.self()
	if self == "" {
		return
	}
	seen := make(map[string]bool)
	var follow func(f *Flow, chain []string) []string
	follow = func(f *Flow, chain []string) []string {
		chain = append(slices.Clone(chain), f.Name)
		if f.ID == self || len(chain) > maxModuleDepth {
			return chain
		}
		if seen[f.ID] || f.Published == "" {
			return nil
		}
		seen[f.ID] = true
		d, err := Parse(f.Published)
		if err != nil {
			return nil
		}
		for _, inner := range d.References(TypeModule) {
			if inner.Kind != resource.KindFlowModule {
				continue
			}
			t, _ := in.known.Lookup(inner.Kind, inner.Ref)
			if t == nil && inner.Name != "" {
				t, _ = in.known.Lookup(inner.Kind, inner.Name)
			}
			if t != nil && t.Flow != nil {
				if round := follow(t.Flow, chain); round != nil {
					return round
				}
			}
		}
		return nil
	}
	if round := follow(f, nil); round != nil {
		in.fail(r.Field, "calls modules that come back to this one: %s", strings.Join(round, " > "))
	}
}

// self is the id of the module that is being checked; empty for a flow and for one that is not stored yet.
func (in *inspection) self() string {
	if s, ok := in.known.(interface{ Self() string }); ok && in.t == TypeModule {
		return s.Self()
	}
	return ""
}
