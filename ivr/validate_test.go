package ivr

import (
	"slices"
	"strings"
	"testing"

	"ullim/internal/errs"
)

// ends are the actions that the others in these tests lead to.
func ends() []string {
	return []string{act("end", "DisconnectParticipant", "")}
}

func TestPublishingNamesTheActionTheFieldAndWhatToDo(t *testing.T) {
	const menuErrors = "!NoMatchingError>end"
	tests := []struct {
		name   string
		t      FlowType
		action string
		want   []string // "field: part of the message"; none: it can be published
	}{
		{name: "a good message", action: act("a", "MessageParticipant", `"Text":"x"`, "end")},
		{name: "an old export without error branches", action: act("a", "MessageParticipant", `"PromptId":"x"`, "end")},
		{name: "a message of nothing", action: act("a", "MessageParticipant", ``, "end"), want: []string{"Parameters: needs one of PromptId"}},
		{name: "two messages in one", action: act("a", "MessageParticipant", `"Text":"x","SSML":"<p/>"`, "end"), want: []string{"Parameters: has more than one"}},
		{name: "an unconnected success", action: act("a", "MessageParticipant", `"Text":"x"`), want: []string{"Transitions.NextAction: is required"}},
		{name: "a dangling success", action: act("a", "MessageParticipant", `"Text":"x"`, "nowhere"), want: []string{`Transitions.NextAction: names "nowhere"`}},
		{name: "a dangling error", action: act("a", "MessageParticipant", `"Text":"x"`, "end", "!NoMatchingError>nowhere"), want: []string{`Transitions.Errors[0].NextAction: names "nowhere"`}},
		{name: "an empty error branch", action: act("a", "MessageParticipant", `"Text":"x"`, "end", "!NoMatchingError>"), want: []string{`Transitions.Errors[0].NextAction: is required`}},
		{name: "an error twice", action: act("a", "MessageParticipant", `"Text":"x"`, "end", "!NoMatchingError>end", "!NoMatchingError>end"), want: []string{`Transitions.Errors[1].ErrorType: NoMatchingError is there twice`}},
		{name: "conditions on a message", action: act("a", "MessageParticipant", `"Text":"x"`, "end", "=1>end"), want: []string{"Transitions.Conditions: must be empty"}},
		{name: "a path that is not there", action: act("a", "MessageParticipant", `"Text":"Hi $.Attribute.x"`, "end"), want: []string{"Parameters.Text: $.Attribute.x is not a data path"}},
		{name: "a prompt id in the middle of text", action: act("a", "MessageParticipant", `"PromptId":"x-$.Attributes.x"`, "end"), want: []string{"Parameters.PromptId: must be fixed text or exactly one data path"}},
		{name: "text too long", action: act("a", "MessageParticipant", `"Text":"`+strings.Repeat("x", 3001)+`"`, "end"), want: []string{"Parameters.Text: has more than 3000"}},
		{name: "a parameter of the wrong sort", action: act("a", "MessageParticipant", `"Text":["x"]`, "end"), want: []string{"Parameters.Text: must be a string", "Parameters: needs one of"}},
		{name: "a message on hold", t: TypeCustomerHold, action: act("a", "MessageParticipant", `"Text":"x"`, "end"), want: []string{"Type: MessageParticipant cannot be used in a flow of type CUSTOMER_HOLD"}},

		{name: "a good menu", action: act("a", "GetParticipantInput", `"Text":"x","StoreInput":"False","InputTimeLimitSeconds":"8"`, "=1>end", "=*>end", menuErrors, "!NoMatchingCondition>end", "!InputTimeLimitExceeded>end")},
		{name: "a menu without its errors", action: act("a", "GetParticipantInput", `"Text":"x"`, "=1>end"), want: []string{
			"Transitions.Errors: needs a branch for NoMatchingError", "Transitions.Errors: needs a branch for NoMatchingCondition", "Transitions.Errors: needs a branch for InputTimeLimitExceeded",
		}},
		{name: "a menu with two keys in one condition", action: act("a", "GetParticipantInput", ``, "=12>end", menuErrors, "!NoMatchingCondition>end", "!InputTimeLimitExceeded>end"), want: []string{`Transitions.Conditions[0].Condition.Operands: "12" is not a result`}},
		{name: "a menu with a key twice", action: act("a", "GetParticipantInput", ``, "=1>end", "=1>end", menuErrors, "!NoMatchingCondition>end", "!InputTimeLimitExceeded>end"), want: []string{`Transitions.Conditions[1].Condition.Operands: "1" is there twice`}},
		{name: "a menu that waits too long", action: act("a", "GetParticipantInput", `"InputTimeLimitSeconds":"0"`, menuErrors, "!NoMatchingCondition>end", "!InputTimeLimitExceeded>end"), want: []string{"Parameters.InputTimeLimitSeconds: must be a whole number from 1 to 180"}},
		{name: "a good stored input", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"}}`, "end", menuErrors)},
		{name: "a stored input under its other name", action: act("a", "StoreUserInput", `"InputValidation":{"CustomValidation":{"MaximumLength":"8"}}`, "end", menuErrors)},
		{name: "a stored input without validation", action: act("a", "GetParticipantInput", `"StoreInput":"True"`, "end", menuErrors), want: []string{"Parameters.InputValidation: needs exactly one of"}},
		{name: "a stored input with both", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"},"PhoneNumberValidation":{"NumberFormat":"E164"}}`, "end", menuErrors), want: []string{"Parameters.InputValidation: needs exactly one of"}},
		{name: "a stored phone number", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"US"}}`, "end", menuErrors, "!InvalidPhoneNumber>end")},
		{name: "a stored phone number without country or branch", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local"}}`, "end", menuErrors), want: []string{"Parameters.InputValidation.PhoneNumberValidation.CountryCode: is required", "Transitions.Errors: needs a branch for InvalidPhoneNumber"}},
		{name: "a country that does not exist", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"XX"}}`, "end", menuErrors, "!InvalidPhoneNumber>end"), want: []string{"CountryCode: must be a two-letter country code"}},
		{name: "a long number without end", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"999"}}`, "end", menuErrors), want: []string{"MaximumLength: must be a whole number from 1 to 128"}},
		{name: "input encrypted to nothing", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"}},"InputEncryption":{"Key":"x"}`, "end", menuErrors), want: []string{"Parameters.InputEncryption.EncryptionKeyId: is required", "Parameters.InputEncryption.Key: is not a public key in PEM"}},
		{name: "a terminator that cancels", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"}},"DTMFConfiguration":{"InputTerminationSequence":"*1"}`, "end", menuErrors), want: []string{"InputTerminationSequence: can have * only when"}},
		{name: "a terminator of letters", action: act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"8"}},"DTMFConfiguration":{"InputTerminationSequence":"ab"}`, "end", menuErrors), want: []string{"InputTerminationSequence: may have up to 5"}},
		{name: "a menu in a whisper", t: TypeAgentWhisper, action: act("a", "GetParticipantInput", ``, menuErrors, "!NoMatchingCondition>end", "!InputTimeLimitExceeded>end"), want: []string{"Type: GetParticipantInput cannot be used"}},

		{name: "good hours", action: act("a", "CheckHoursOfOperation", ``, "=True>end", "=False>end", "!NoMatchingError>end")},
		{name: "hours with half the answers", action: act("a", "CheckHoursOfOperation", ``, "=True>end", "!NoMatchingError>end"), want: []string{"Transitions.Conditions: needs a condition Equals False"}},
		{name: "hours with a third answer", action: act("a", "CheckHoursOfOperation", ``, "=True>end", "=False>end", "=Maybe>end"), want: []string{"Transitions.Errors: needs a branch for NoMatchingError", `"Maybe" is not a result`}},
		{name: "a queue and an agent", action: act("a", "UpdateContactTargetQueue", `"QueueId":"x","AgentId":"y"`, "end", "!NoMatchingError>end"), want: []string{"Parameters: needs exactly one of QueueId and AgentId"}},
		{name: "a good transfer", action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>end", "!NoMatchingError>end")},
		{name: "a transfer without errors", action: act("a", "TransferContactToQueue", ``), want: []string{"needs a branch for QueueAtCapacity", "needs a branch for NoMatchingError"}},
		{name: "a transfer from a queue flow", t: TypeCustomerQueue, action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>end", "!NoMatchingError>end"), want: []string{"Type: TransferContactToQueue cannot be used"}},
		{name: "good loop prompts", t: TypeCustomerQueue, action: act("a", "MessageParticipantIteratively", `"Messages":[{"Text":"x"}],"InterruptFrequencySeconds":"20"`, "=MessagesInterrupted>end")},
		{name: "loop prompts for ever", t: TypeAgentHold, action: act("a", "MessageParticipantIteratively", `"Messages":[{"PromptId":"x"}]`)},
		{name: "loop prompts of nothing", t: TypeCustomerQueue, action: act("a", "MessageParticipantIteratively", `"Messages":[{}]`), want: []string{"Parameters.Messages[0]: needs one of"}},
		{name: "loop prompts interrupted to nowhere", t: TypeCustomerQueue, action: act("a", "MessageParticipantIteratively", `"Messages":[{"Text":"x"}],"InterruptFrequencySeconds":"20"`), want: []string{"needs a condition Equals MessagesInterrupted"}},
		{name: "loop prompts in an inbound flow", action: act("a", "MessageParticipantIteratively", `"Messages":[{"Text":"x"}]`), want: []string{"Type: MessageParticipantIteratively cannot be used"}},

		{name: "a good comparison", action: act("a", "Compare", `"ComparisonValue":"$.Attributes.x"`, "=1>end", "!NoMatchingCondition>end")},
		{name: "a comparison of a constant", action: act("a", "Compare", `"ComparisonValue":"x"`, "=1>end", "!NoMatchingCondition>end"), want: []string{"Parameters.ComparisonValue: must be one data path"}},
		{name: "a comparison with nothing", action: act("a", "Compare", ``), want: []string{"Parameters.ComparisonValue: is required", "needs a branch for NoMatchingCondition", "needs at least one condition"}},
		{name: "a loop", action: act("a", "Loop", `"LoopCount":"3"`, "=ContinueLooping>end", "=DoneLooping>end")},
		{name: "a loop by its wrong results", action: act("a", "Loop", `"LoopCount":"101"`, "=Looping>end", "=Complete>end"), want: []string{
			"Parameters.LoopCount: must be a whole number from 0 to 100", `"Looping" is not a result of Loop: use one of ContinueLooping, DoneLooping`, `"Complete" is not a result`, "needs a condition Equals ContinueLooping", "needs a condition Equals DoneLooping",
		}},
		{name: "an end that goes on", action: act("a", "DisconnectParticipant", ``, "end"), want: []string{"Transitions: must be empty"}},
		{name: "an end of flow in an inbound flow", action: act("a", "EndFlowExecution", ``), want: []string{"Type: EndFlowExecution cannot be used"}},
		{name: "attributes with a bad key", action: act("a", "UpdateContactAttributes", `"Attributes":{"a.b":"x"}`, "end", "!NoMatchingError>end"), want: []string{"Parameters.Attributes.a.b: must have 1 to 256 characters"}},
		{name: "two hooks in one", action: act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerQueue":"x","AgentHold":"y"}`, "end", "!NoMatchingError>end"), want: []string{"Parameters.EventHooks: must have exactly one entry"}},
		{name: "an unknown hook", action: act("a", "UpdateContactEventHooks", `"EventHooks":{"Lunch":"x"}`, "end", "!NoMatchingError>end"), want: []string{"Parameters.EventHooks.Lunch: is not a place"}},
		{name: "recording of a stranger", action: act("a", "UpdateContactRecordingBehavior", `"RecordingBehavior":{"RecordedParticipants":["Boss"]}`, "end"), want: []string{"RecordedParticipants[0]: must be one of Agent, Customer"}},
		{name: "logging by attribute", action: act("a", "UpdateFlowLoggingBehavior", `"FlowLoggingBehavior":"$.Attributes.x"`, "end"), want: []string{"must be fixed text", "must be one of Enabled, Disabled"}},
		{name: "shares that do not rise", action: `"Identifier":"a","Type":"DistributeByPercentage","Transitions":{"Conditions":[
			{"NextAction":"end","Condition":{"Operator":"NumberLessThan","Operands":["51"]}},{"NextAction":"end","Condition":{"Operator":"NumberLessThan","Operands":["20"]}},
			{"NextAction":"end","Condition":{"Operator":"Equals","Operands":["60"]}}],"Errors":[{"NextAction":"end","ErrorType":"NoMatchingCondition"}]}`, want: []string{
			"Conditions[1].Condition.Operands: must be a whole number above 51", "Conditions[2].Condition.Operator: must be NumberLessThan",
		}},
		{name: "a wait for an event without its branch", action: act("a", "Wait", `"TimeoutSeconds":"60","Events":["CustomerReturned"]`, "=WaitCompleted>end", "!NoMatchingError>end"), want: []string{"needs a condition Equals CustomerReturned"}},
		{name: "an unknown operator", action: `"Identifier":"a","Type":"Compare","Parameters":{"ComparisonValue":"$.Channel"},"Transitions":{"Conditions":[
			{"NextAction":"end","Condition":{"Operator":"Resembles","Operands":["x"]}}],"Errors":[{"NextAction":"end","ErrorType":"NoMatchingCondition"}]}`, want: []string{`Operator: "Resembles" is not an operator`}},
		{name: "two operands", action: `"Identifier":"a","Type":"Compare","Parameters":{"ComparisonValue":"$.Channel"},"Transitions":{"Conditions":[
			{"NextAction":"end","Condition":{"Operator":"Equals","Operands":["x","y"]}}],"Errors":[{"NextAction":"end","ErrorType":"NoMatchingCondition"}]}`, want: []string{`Operands: must have exactly one value`}},
		{name: "an action of another product", action: act("a", "CreateCase", `"LinkContactToCase":"true"`, "end", "=Back>end", "!ContactNotLinked>end")},
		{name: "an action of another product that leads nowhere", action: act("a", "CreateCase", ``, "nowhere"), want: []string{`NextAction: names "nowhere"`}},
		{name: "a reserved identifier", action: act("constructor", "MessageParticipant", `"Text":"x"`, "end"), want: []string{"Identifier: is a reserved word"}},
		{name: "an identifier with a colon", action: act("a:b", "MessageParticipant", `"Text":"x"`, "end"), want: []string{"Identifier: must not contain any of"}},
		{name: "an identifier in Korean with spaces", action: act("인사 하기", "MessageParticipant", `"Text":"x"`, "end")},
		{name: "an identifier of 51 characters", action: act(strings.Repeat("가", 51), "MessageParticipant", `"Text":"x"`, "end"), want: []string{"Identifier: must have 1 to 50"}},
		{name: "an identifier twice", action: act("end", "MessageParticipant", `"Text":"x"`, "end"), want: []string{"Identifier: is used by more than one action"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind := tt.t
			if kind == "" {
				kind = TypeInbound
			}
			err := Check(doc(append([]string{tt.action}, ends()...)...), kind)
			problems := ProblemsOf(err)
			if len(problems) != len(tt.want) {
				t.Fatalf("want %d problems, got %v", len(tt.want), problems)
			}
			for i, want := range tt.want {
				if got := problems[i].Field + ": " + problems[i].Message; !strings.Contains(got, want) {
					t.Errorf("want %q in %q", want, got)
				}
				if problems[i].ActionID == "" {
					t.Errorf("%v does not name its action", problems[i])
				}
			}
			if len(tt.want) > 0 && !errs.Is(err, errs.Invalid) {
				t.Errorf("kind is %v", errs.KindOf(err))
			}
		})
	}
}

func TestWhatHasNotTheShapeOfAFlowIsRefusedWithItsPlace(t *testing.T) {
	deep := `"x"`
	for range 6 {
		deep = `{"Operator":"Equals","Operands":[` + deep + `]}`
	}
	wide := `{"Operator":"Equals","Operands":[` + strings.TrimSuffix(strings.Repeat(`{"Operator":"Equals","Operands":["x"]},`, 10), ",") + `]}`
	widest := `{"Operator":"Equals","Operands":[` + strings.TrimSuffix(strings.Repeat(wide+",", 6), ",") + `]}`
	condition := func(c string) string {
		return `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"Compare","Transitions":{"Conditions":[{"NextAction":"a","Condition":` + c + `}]}}]}`
	}
	tests := []struct{ name, content, field, message string }{
		{"nothing", ``, "Content", "must have 1 to 256000"},
		{"half", `{"Version":`, "Content", "is not JSON"},
		{"a list", `[]`, "Content", "is not a JSON object"},
		{"two", `{} {}`, "Content", "is not JSON"},
		{"another version", `{"Version":"2017-01-01"}`, "Version", "2019-10-30"},
		{"no start", `{"Version":"2019-10-30","Actions":[]}`, "StartAction", "identifier"},
		{"no actions", `{"Version":"2019-10-30","StartAction":"a"}`, "Actions", "list"},
		{"an empty list of actions", `{"Version":"2019-10-30","StartAction":"a","Actions":[]}`, "Actions", "at least one"},
		{"an unknown start", `{"Version":"2019-10-30","StartAction":"b","Actions":[{"Identifier":"a","Type":"DisconnectParticipant"}]}`, "StartAction", `"b"`},
		{"an action that is text", `{"Version":"2019-10-30","StartAction":"a","Actions":["a"]}`, "Actions[0]", "object"},
		{"an action without identifier", `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Type":"Loop"}]}`, "Actions[0].Identifier", "string"},
		{"an action without type", `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a"}]}`, "Actions[0].Type", "string"},
		{"parameters that are a list", `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"Loop","Parameters":[]}]}`, "Actions[0].Parameters", "object"},
		{"next that is a number", `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"Loop","Transitions":{"NextAction":1}}]}`, "Actions[0].Transitions.NextAction", "string"},
		{"errors that are an object", `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"Loop","Transitions":{"Errors":{}}}]}`, "Actions[0].Transitions.Errors", "list"},
		{"a condition too deep", condition(deep), "Actions[0].Transitions.Conditions[0].Condition.Operands[0].Operands[0].Operands[0].Operands[0].Operands[0]", "deep"},
		{"too many conditions in one", condition(widest), "", "more than 50"},
		{"too many operands", condition(`{"Operator":"Equals","Operands":["1","2","3","4","5","6","7","8","9","0","1"]}`), "Actions[0].Transitions.Conditions[0].Condition.Operands", "at most 10"},
		{"bytes that are not text", "{\"Version\":\"\xff\"}", "Content", "not JSON"},
		{"too much", `{"x":"` + strings.Repeat("가", MaxContent) + `"}`, "Content", "256000"},
	}
	for _, tt := range tests {
		problems := ProblemsOf(Check(tt.content, TypeInbound))
		if len(problems) != 1 || tt.field != "" && problems[0].Field != tt.field || !strings.Contains(problems[0].Message, tt.message) {
			t.Errorf("%s: %v", tt.name, problems)
		}
	}
	if err := Check(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"DisconnectParticipant","Transitions":{}}],"Metadata":"`+
		strings.Repeat("가", MaxContent-200)+`"}`, TypeInbound); err != nil {
		t.Errorf("a large flow: %v", err) // characters are counted, not bytes
	}
}

func TestWarningsDoNotStopPublishing(t *testing.T) {
	content := doc(act("a", "CreateCase", ``, "end", "!NoMatchingError>end"), mark("lost", "end"), act("end", "DisconnectParticipant", ""))
	if err := Check(content, TypeInbound); err != nil {
		t.Fatal(err)
	}
	d, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range Warnings(d) {
		got = append(got, w.String())
	}
	check(t, []string{
		`action "a": Type: CreateCase is not supported by this version: it will take its NoMatchingError branch`,
		`action "lost": Identifier: nothing leads to this action`,
	}, got)
}

func TestWaysRoundThatNeverWaitAreToldOf(t *testing.T) {
	set := func(id string, transitions ...string) string {
		return act(id, "UpdateContactAttributes", `"Attributes":{"x":"y"}`, transitions...)
	}
	for _, tt := range []struct {
		name    string
		actions []string
		want    []string
	}{
		{"straight on", []string{set("a", "b", "!NoMatchingError>b"), set("b", "end", "!NoMatchingError>end")}, nil},
		{"round", []string{set("a", "b", "!NoMatchingError>end"), set("b", "end", "!NoMatchingError>a")}, []string{"a", "b"}},
		{"to itself", []string{set("a", "a", "!NoMatchingError>end")}, []string{"a"}},
		{"past a round", []string{set("a", "b", "!NoMatchingError>b"), set("b", "b", "!NoMatchingError>end")}, []string{"b"}},
		{"by a message", []string{set("a", "b", "!NoMatchingError>end"), mark("b", "a")}, nil},
		{"by a loop", []string{set("a", "b", "!NoMatchingError>end"), act("b", "Loop", `"LoopCount":"3"`, "=ContinueLooping>a", "=DoneLooping>end")}, nil},
	} {
		d, err := Parse(doc(append(tt.actions, ends()...)...))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range Warnings(d) {
			if w.Field == "Transitions" {
				got = append(got, w.ActionID)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, d := range Defaults("en-US") {
		f.Add(d.Content)
	}
	f.Add(doc(act("a", "GetParticipantInput", `"StoreInput":true,"InputTimeoutSeconds":5,"DTMFConfiguration":{"InterdigitTimeLimitSeconds":"$.Attributes.['x']"}`, "a", "=1>a", "!X>a")))
	f.Add(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"UpdateFlowAttributes","Parameters":{"FlowAttributes":{"x":{"Value":[]}}}}]}`)
	f.Add(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"Wait","Parameters":null,"Transitions":null}]}`)
	f.Fuzz(func(t *testing.T, content string) {
		d, err := Parse(content)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		for _, kind := range FlowTypes() {
			for _, p := range Validate(d, kind) {
				if p.Field == "" || p.Message == "" {
					t.Fatalf("%+v", p)
				}
			}
		}
		Warnings(d)
		// Whatever can be read can be run: it must end, and not panic.
		s := newScript(t, "1", "", "*")
		s.t = nil
		out, err := (&house{}).engine().Run(t.Context(), Run{Flow: flowOf(TypeInbound, content), Participant: s, Contact: s})
		if err != nil && !errs.Is(err, errs.Limit) {
			t.Fatalf("%v: %v", out, err)
		}
	})
}
