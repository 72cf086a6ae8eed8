package ivr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// shelf is a Known.
type shelf map[string]*Target // by "kind ref"

func (shelf) InstanceID() string { return "i-1" }

func (s shelf) Lookup(kind resource.Kind, ref string) (*Target, bool) {
	if kind == KindFunction || kind == resource.KindPrompt {
		return nil, false
	}
	base, _ := SplitRef(ref)
	return s[string(kind)+" "+base], true
}

func found(r *Report) (out []string) {
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("%s %s %s %s", f.Severity, f.ActionID, f.Field, f.Rule))
	}
	return out
}

func TestWhatTheCheckerFinds(t *testing.T) {
	end := act("end", "DisconnectParticipant", "")
	set := func(id string, transitions ...string) string {
		return act(id, "UpdateContactAttributes", `"Attributes":{"x":"y"}`, transitions...)
	}
	tests := []struct {
		name    string
		t       FlowType
		actions []string
		want    []string
	}{
		{"nothing", TypeInbound, []string{mark("a", "end"), end}, nil},
		{"a loop without end", TypeInbound, []string{set("a", "b", "!NoMatchingError>b"), set("b", "a", "!NoMatchingError>a"), end}, []string{
			"error a Transitions loop-without-end", "error b Transitions loop-without-end", "warning end Identifier unreachable",
		}},
		{"a loop without input that can end", TypeInbound, []string{set("a", "a", "!NoMatchingError>end"), end}, []string{"warning a Transitions loop-without-input"}},
		{"a message for ever", TypeInbound, []string{mark("a", "b"), mark("b", "a")}, []string{"warning a Transitions loop-without-exit"}},
		{"music while waiting", TypeCustomerQueue, []string{mark("a", "b"), mark("b", "a")}, nil},
		{"a branch to nowhere", TypeInbound, []string{mark("a", "lost")}, []string{"error a Transitions.NextAction unknown-target"}},
		{"a dead end", TypeInbound, []string{mark("a"), end}, []string{"error a Transitions.NextAction missing-branch", "warning end Identifier unreachable"}},
		{"no error branch", TypeInbound, []string{act("a", "TransferContactToQueue", "", "!NoMatchingError>end"), end}, []string{"error a Transitions.Errors missing-branch"}},
		{"bad SSML", TypeInbound, []string{act("a", "MessageParticipant", `"SSML":"<speak>x"`, "end"), end}, []string{"error a Parameters.SSML ssml"}},
		{"SSML with data paths", TypeInbound, []string{act("a", "MessageParticipant", `"SSML":"<speak>Hi $.Attributes.name & more</speak>"`, "end"), end}, []string{"error a Parameters.SSML ssml"}},
		{"good SSML with data paths", TypeInbound, []string{act("a", "MessageParticipant", `"SSML":"<speak>Hi <break time=\"1s\"/>$.Attributes.name</speak>"`, "end"), end}, nil},
		{"SSML too long", TypeInbound, []string{act("a", "MessageParticipant", `"SSML":"<speak>`+strings.Repeat("x", 6000)+`</speak>"`, "end"), end}, []string{"error a Parameters.SSML text-length"}},
		{"SSML in a loop of prompts", TypeCustomerQueue, []string{act("a", "MessageParticipantIteratively", `"Messages":[{"Text":"x"},{"SSML":"<p>"}]`)}, []string{"error a Parameters.Messages[1].SSML ssml"}},
		{"text too long", TypeInbound, []string{act("a", "MessageParticipant", `"Text":"`+strings.Repeat("가", 3001)+`"`, "end"), end}, []string{"error a Parameters.Text text-length"}},
		{"the agent before there is one", TypeInbound, []string{act("a", "MessageParticipant", `"Text":"I am $.Agent.FirstName"`, "end"), end}, []string{"warning a Parameters.Text data-path-empty"}},
		{"the agent in a whisper", TypeCustomerWhisper, []string{act("a", "MessageParticipant", `"Text":"I am $.Agent.FirstName"`, "end"), act("end", "EndFlowExecution", "")}, nil},
		{"the agent in a condition", TypeInbound, []string{act("a", "Compare", `"ComparisonValue":"$.Attributes.x"`, "=$.Agent.UserName>end", "!NoMatchingCondition>end"), end}, []string{"warning a Transitions.Conditions[0].Condition.Operands data-path-empty"}},
		{"what another product fills", TypeInbound, []string{act("a", "Compare", `"ComparisonValue":"$.Customer.FirstName"`, "=x>end", "!NoMatchingCondition>end"), end}, []string{"warning a Parameters.ComparisonValue data-path-empty"}},
		{"an action of another product", TypeInbound, []string{act("a", "CreateCase", "", "end", "!NoMatchingError>end"), end}, []string{"warning a Type unsupported"}},
		{"an action of another product without error branch", TypeInbound, []string{act("a", "CreateCase", "", "end"), end}, []string{"warning a Type unsupported", "warning a Transitions.Errors dead-end"}},
		{"a terminator that cancels", TypeInbound, []string{act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"}},"DTMFConfiguration":{"InputTerminationSequence":"*1"}`, "end", "!NoMatchingError>end"), end}, []string{"error a Parameters.DTMFConfiguration.InputTerminationSequence termination"}},
		{"the wrong sort of value", TypeInbound, []string{act("a", "Loop", `"LoopCount":"many"`, "=ContinueLooping>end", "=DoneLooping>end"), end}, []string{"error a Parameters.LoopCount value"}},
		{"the wrong type of flow", TypeCustomerHold, []string{mark("a", "b"), act("b", "EndFlowExecution", "")}, []string{"error a Type flow-type"}},
		{"a module returns", TypeModule, []string{mark("a", "b"), act("b", "EndFlowModuleExecution", "")}, nil},
		{"a flow cannot return", TypeInbound, []string{mark("a", "b"), act("b", "EndFlowModuleExecution", "")}, []string{"error b Type flow-type"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Inspect(doc(tt.actions...), tt.t, nil)
			check(t, tt.want, found(r))
			for _, f := range r.Findings {
				if f.Message == "" || f.Fix == "" || f.ActionID != "" && f.Action == "" {
					t.Errorf("half a finding: %+v", f)
				}
			}
		})
	}
	check(t, []string{"error  Content shape"}, found(Inspect("{", TypeInbound, nil)))
}

func TestReferencesAreLookedUp(t *testing.T) {
	arn := func(kind resource.Kind, id string) string { return resource.ARN("i-1", kind, id) }
	elsewhere := func(kind resource.Kind, id string) string {
		return "arn:aws:connect:ap-northeast-2:123456789012:instance/other/" + string(kind) + "/" + id
	}
	flow := func(name string, kind FlowType, content string) *Target {
		f := flowOf(kind, content)
		f.ID, f.Name = name, name
		return &Target{ID: name, Name: name, Flow: f}
	}
	draft, old := flow("draft", TypeInbound, ""), flow("old", TypeInbound, hello("x"))
	old.Flow.Archived = true
	module := flow("mod", TypeModule, moduleOf("x"))
	module.Flow.Aliases = []Alias{{Name: "live", Version: 1}}
	known := shelf{
		"queue BasicQueue": {ID: "q-1"}, "queue " + arn(resource.KindQueue, "q-1"): {ID: "q-1"}, "operating-hours Day": {ID: "h-1"},
		"contact-flow main": flow("main", TypeInbound, hello("x")), "contact-flow wait": flow("wait", TypeCustomerQueue, hello("x")),
		"contact-flow draft": draft, "contact-flow old": old, "flow-module mod": module, "agent lee": {ID: "u-1"},
		"flow-module " + arn(resource.KindFlowModule, "mod"): module,
	}
	const e = "!NoMatchingError>end"
	queue := func(ref string) string {
		return act("a", "UpdateContactTargetQueue", fmt.Sprintf(`"QueueId":%q`, ref), "end", e)
	}
	for _, tt := range []struct {
		name, action, metadata, want, message string
	}{
		{"a queue by name", queue("BasicQueue"), "", "", ""},
		{"a queue by ARN", queue(arn(resource.KindQueue, "q-1")), "", "", ""},
		{"a queue by a data path", queue("$.Attributes.q"), "", "", ""},
		{"a queue that is not there", queue("Sales"), "", "error a Parameters.QueueId reference", `queue "Sales"`},
		{"our ARN that is not there", queue(arn(resource.KindQueue, "q-2")), "", "error a Parameters.QueueId reference", "q-2"},
		{"an ARN of elsewhere", queue(elsewhere(resource.KindQueue, "q-9")), "", "warning a Parameters.QueueId reference-elsewhere", "another instance"},
		{"an ARN of elsewhere with a name that is here", queue(elsewhere(resource.KindQueue, "q-9")), `"a":{"parameters":{"QueueId":{"displayName":"BasicQueue"}}}`, "", ""},
		{"the same in the older form", queue(elsewhere(resource.KindQueue, "q-9")), `"a":{"queue":{"id":"` + elsewhere(resource.KindQueue, "q-9") + `","text":"BasicQueue"}}`, "", ""},
		{"an ARN of elsewhere with a name that is not here", queue(elsewhere(resource.KindQueue, "q-9")), `"a":{"parameters":{"QueueId":{"displayName":"Sales"}}}`, "warning a Parameters.QueueId reference-elsewhere", `"Sales"`},
		{"an id of elsewhere with its name", queue("11111111-1111-1111-1111-111111111111"), `"a":{"parameters":{"QueueId":{"displayName":"Sales"}}}`, "warning a Parameters.QueueId reference-elsewhere", `"Sales"`},
		{"hours", act("a", "CheckHoursOfOperation", `"HoursOfOperationId":"Night"`, "=True>end", "=False>end", e), "", "error a Parameters.HoursOfOperationId reference", "hours of operation"},
		{"an agent", act("a", "UpdateContactTargetQueue", `"AgentId":"kim"`, "end", e), "", "error a Parameters.AgentId reference", `agent "kim"`},
		{"a flow", act("a", "TransferToFlow", `"ContactFlowId":"main"`, e), "", "", ""},
		{"a flow of the wrong type", act("a", "TransferToFlow", `"ContactFlowId":"wait"`, e), "", "error a Parameters.ContactFlowId reference-type", "CUSTOMER_QUEUE"},
		{"a flow that is a draft", act("a", "TransferToFlow", `"ContactFlowId":"draft"`, e), "", "warning a Parameters.ContactFlowId reference-draft", "not been published"},
		{"a flow that is archived", act("a", "TransferToFlow", `"ContactFlowId":"old"`, e), "", "warning a Parameters.ContactFlowId reference-archived", "archived"},
		{"a flow that is not there", act("a", "TransferToFlow", `"ContactFlowId":"none"`, e), "", "error a Parameters.ContactFlowId reference", `flow "none"`},
		{"a hook", act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerQueue":"wait"}`, "end", e), "", "", ""},
		{"a hook of the wrong type", act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerQueue":"main"}`, "end", e), "", "error a Parameters.EventHooks.CustomerQueue reference-type", "CUSTOMER_QUEUE"},
		{"a disconnect flow", act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerRemaining":"main"}`, "end", e), "", "", ""},
		{"a module", act("a", "InvokeFlowModule", `"FlowModuleId":"mod"`, "end", e), "", "", ""},
		{"a module by an alias", act("a", "InvokeFlowModule", `"FlowModuleId":"`+arn(resource.KindFlowModule, "mod")+`:live"`, "end", e), "", "", ""},
		{"a module by an alias that is not there", act("a", "InvokeFlowModule", `"FlowModuleId":"`+arn(resource.KindFlowModule, "mod")+`:x"`, "end", e), "", "error a Parameters.FlowModuleId reference-alias", `"x"`},
		{"a module that is not there", act("a", "InvokeFlowModule", `"FlowModuleId":"gone"`, "end", e), "", "error a Parameters.FlowModuleId reference", `module "gone"`},
		{"what nothing is known of", act("a", "MessageParticipant", `"PromptId":"gone"`, "end"), "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := doc(tt.action, act("end", "DisconnectParticipant", ""))
			content = strings.TrimSuffix(content, "}") + `,"Metadata":{"ActionMetadata":{` + tt.metadata + `}}}`
			r := Inspect(content, TypeInbound, known)
			check(t, tt.want, strings.Join(found(r), "\n"))
			if tt.want != "" && !strings.Contains(r.Findings[0].Message, tt.message) {
				t.Errorf("the message is %q", r.Findings[0].Message)
			}
			check(t, []string(nil), found(Inspect(content, TypeInbound, nil))) // nothing is looked up offline
		})
	}
}

func TestFindingsSpeakKorean(t *testing.T) {
	r := Inspect(doc(act("a", "UpdateContactTargetQueue", `"QueueId":"Sales"`, "end", "!NoMatchingError>end"), act("end", "DisconnectParticipant", "")),
		TypeInbound, shelf{})
	english := r.Findings[0]
	r.Say("ko-KR")
	f := r.Findings[0]
	check(t, `대기열 "Sales"이(가) 없습니다`, f.Message)
	if f.Fix == english.Fix || f.Rule != english.Rule || f.Field != english.Field {
		t.Errorf("%+v", f)
	}
	r.Say("fr")
	check(t, english.Message, r.Findings[0].Message)
	check(t, []string{"queue Sales"}, r.Unresolved)
}

func TestModulesThatCallEachOtherAreFoundWhenTheyArePublished(t *testing.T) {
	store := newMemory()
	s := NewModules(store)
	s.Finders = map[resource.Kind]Finder{resource.KindFlowModule: FinderOf[*Flow](store, resource.KindFlowModule)}
	calls := func(refs ...string) string {
		var actions []string
		for i, ref := range refs {
			id, next := fmt.Sprint("c", i), fmt.Sprint("c", i+1)
			if i == len(refs)-1 {
				next = "back"
			}
			actions = append(actions, act(id, "InvokeFlowModule", fmt.Sprintf(`"FlowModuleId":%q`, ref), next, "!NoMatchingError>"+next))
		}
		return doc(append(actions, act("back", "EndFlowModuleExecution", ""))...)
	}
	a := stored(t, s.Service, "a", TypeModule, moduleOf("a"), Published)
	b := stored(t, s.Service, "b", TypeModule, calls("a"), Published)
	stored(t, s.Service, "c", TypeModule, calls("a", b.ID, "b"), Published)
	for name, tt := range map[string]struct{ id, content, chain string }{
		"itself":      {a.ID, calls("a"), "a"},
		"in a circle": {a.ID, calls("c"), "c > b > a"},
		"by ARN":      {a.ID, calls(resource.ARN("i-1", resource.KindFlowModule, b.ID) + ":$LATEST"), "b > a"},
	} {
		_, err := s.UpdateContent(t.Context(), "i-1", tt.id, tt.content, Published)
		problems := ProblemsOf(err)
		if len(problems) != 1 || !strings.Contains(problems[0].Message, "come back to this one: "+tt.chain) && name != "in a circle" ||
			!strings.HasSuffix(problems[0].Message, "a") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.UpdateContent(t.Context(), "i-1", b.ID, calls("a", "a"), Published); err != nil {
		t.Errorf("twice the same is no circle: %v", err)
	}
}

func TestAStoreThatDoesNotAnswerIsNoProblemOfTheFlow(t *testing.T) {
	s := NewService(newMemory())
	away := errors.New("away")
	s.Finders = map[resource.Kind]Finder{resource.KindQueue: func(_ context.Context, _, _ string) (*Target, error) { return nil, away }}
	f := &Flow{Meta: resource.Meta{InstanceID: "i-1", Name: "x"}, Type: TypeInbound}
	f.Content = doc(act("a", "UpdateContactTargetQueue", `"QueueId":"Sales"`, "end", "!NoMatchingError>end"), act("end", "DisconnectParticipant", ""))
	if err := s.Create(t.Context(), f, Published); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
	if err := s.Create(t.Context(), f, Saved); err != nil {
		t.Errorf("a draft needs nothing: %v", err)
	}
}

// TestAnExportOfElsewhereRunsAgainstWhatHasTheSameNameHere: what is stored stays as it is, what runs is linked.
func TestAnExportOfElsewhereRunsAgainstWhatHasTheSameNameHere(t *testing.T) {
	const queue = "arn:aws:connect:us-east-1:1:instance/x/queue/q-9"
	content := strings.TrimSuffix(doc(act("a", "UpdateContactTargetQueue", fmt.Sprintf(`"QueueId":%q`, queue), "end", "!NoMatchingError>end"),
		act("end", "DisconnectParticipant", "")), "}") + `,"Metadata":{"ActionMetadata":{"a":{"parameters":{"QueueId":{"displayName":"BasicQueue"}}}}}}`
	s := NewService(newMemory())
	there := false
	s.Finders = map[resource.Kind]Finder{resource.KindQueue: func(_ context.Context, instanceID, ref string) (*Target, error) {
		if there && (ref == "BasicQueue" || ref == resource.ARN(instanceID, resource.KindQueue, "q-1")) {
			return &Target{ID: "q-1", Name: "BasicQueue"}, nil
		}
		return nil, errs.New(errs.NotFound, "none")
	}}
	f := stored(t, s, "export", TypeInbound, content, Published)
	got, err := s.Published(t.Context(), "i-1", f.ID)
	if err != nil || got.Published != content {
		t.Fatal(got, err)
	}
	there = true
	s.Relink()
	if got, err = s.Published(t.Context(), "i-1", f.ID); err != nil || !strings.Contains(got.Published, resource.ARN("i-1", resource.KindQueue, "q-1")) ||
		strings.Contains(got.Published, queue) {
		t.Fatal(got, err)
	}
	e, err := s.Edition(t.Context(), "i-1", f.ID)
	if err != nil || e.Content != content {
		t.Errorf("what is exported was changed: %v", err)
	}
}

func TestDiffsNameActionsAndFields(t *testing.T) {
	a := doc(mark("one", "two"), mark("two", "end"), act("end", "DisconnectParticipant", ""))
	b := doc(`"Identifier":"one","Type":"MessageParticipant","Parameters":{"Text":"uno","X":1},"Transitions":{"NextAction":"three","Conditions":[],"Errors":[]}`,
		mark("three", "end"), act("end", "DisconnectParticipant", ""))
	d, err := DiffOf(a, b)
	if err != nil {
		t.Fatal(err)
	}
	check(t, `- MessageParticipant "two"
+ MessageParticipant "three"
~ MessageParticipant "one"
    Parameters.Text: "one" -> "uno"
    Parameters.X: (nothing) -> 1
    Transitions.NextAction: "two" -> "three"
`, d.Text())
	if d.Same || d.SameActions {
		t.Error("they are not the same")
	}
	for name, tt := range map[string]struct{ before, after, text string }{
		"the same":       {a, a, "no difference\n"},
		"spaces":         {a, a + "\n", "only the writing differs (spaces, order of keys)\n"},
		"layout":         {`{"Actions":[],"Metadata":{"x":1}}`, `{"Actions":[],"Metadata":{"x":2,"y":1}}`, "~ layout: 2 changes of Metadata\n"},
		"start":          {`{"StartAction":"a"}`, `{"StartAction":"b"}`, "~ flow\n    StartAction: \"a\" -> \"b\"\n"},
		"a longer list":  {`{"Actions":[{"Identifier":"a","Type":"T","L":[1]}]}`, `{"Actions":[{"Identifier":"a","Type":"T","L":[1,2]}]}`, "~ T \"a\"\n    L[1]: (nothing) -> 2\n"},
		"a shorter list": {`{"Actions":[{"Identifier":"a","L":[1,2]}]}`, `{"Actions":[{"Identifier":"a","L":[1]}]}`, "~  \"a\"\n    L[1]: 2 -> (nothing)\n"},
	} {
		d, err := DiffOf(tt.before, tt.after)
		if err != nil {
			t.Fatal(name, err)
		}
		check(t, tt.text, d.Text())
		if want := !slices.Contains([]string{"start", "a longer list", "a shorter list"}, name); d.SameActions != want {
			t.Errorf("%s: the same actions: %t", name, d.SameActions)
		}
	}
	for _, bad := range []string{"", "[]", "{}{}", "null", "{"} {
		if _, err := DiffOf(bad, a); err == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, err := DiffOf(a, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
