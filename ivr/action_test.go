package ivr

import (
	"testing"
	"time"
)

func TestStoredInputFollowsItsSettings(t *testing.T) {
	tests := []struct {
		name, parameters, key, want string
		errors                      []string
		gather                      Gather
	}{
		{
			name: "defaults", parameters: `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"10"}}`,
			key: "1234", want: "got 1234",
			gather: Gather{FirstDigit: 5 * time.Second, Interdigit: 5 * time.Second, Max: 10, Terminator: "#", CancelKey: '*'},
		},
		{
			name: "everything set, as numbers and booleans",
			parameters: `"StoreInput":true,"InputTimeLimitSeconds":30,"InputValidation":{"CustomValidation":{"MaximumLength":4}},
				"DTMFConfiguration":{"InputTerminationSequence":"*#","DisableCancelKey":true,"InterdigitTimeLimitSeconds":3}`,
			key: "99", want: "got 99",
			gather: Gather{FirstDigit: 30 * time.Second, Interdigit: 3 * time.Second, Max: 4, Terminator: "*#"},
		},
		{
			name: "no key is stored as Timeout when no branch says otherwise", parameters: `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"10"}}`,
			want:   "got Timeout",
			gather: Gather{FirstDigit: 5 * time.Second, Interdigit: 5 * time.Second, Max: 10, Terminator: "#", CancelKey: '*'},
		},
		{
			name: "no key takes its branch where there is one", parameters: `"InputTimeoutSeconds":"7","StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"10"}}`,
			errors: []string{"!InputTimeLimitExceeded>time"}, want: "time",
			gather: Gather{FirstDigit: 7 * time.Second, Interdigit: 5 * time.Second, Max: 10, Terminator: "#", CancelKey: '*'},
		},
		{
			name: "a local number becomes E.164", parameters: `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"KR"}}`,
			key: "01012345678", want: "got +821012345678",
			gather: Gather{FirstDigit: 5 * time.Second, Interdigit: 5 * time.Second, Max: 20, Terminator: "#", CancelKey: '*'},
		},
		{
			name: "an international number is taken with its country code", parameters: `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}}`,
			key: "12065550100", want: "got +12065550100",
			gather: Gather{FirstDigit: 5 * time.Second, Interdigit: 5 * time.Second, Max: 20, Terminator: "#", CancelKey: '*'},
		},
		{
			name: "a wrong number is InvalidPhoneNumber", parameters: `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"KR"}}`,
			key: "12", errors: []string{"!InvalidPhoneNumber>phone"}, want: "phone",
			gather: Gather{FirstDigit: 5 * time.Second, Interdigit: 5 * time.Second, Max: 20, Terminator: "#", CancelKey: '*'},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.key)
			transitions := append([]string{"say", "!NoMatchingError>bad"}, tt.errors...)
			out, err := run(t, s, &house{}, doc(act("a", "GetParticipantInput", tt.parameters, transitions...),
				act("say", "MessageParticipant", `"Text":"got $.StoredCustomerInput"`, "end"), mark("bad", "end"), mark("time", "end"),
				mark("phone", "end"), act("end", "DisconnectParticipant", "")))
			if err != nil || out != Disconnected {
				t.Fatal(out, err)
			}
			check(t, []string{"gather -", "say text:" + tt.want + ":en-US", "hangup "}, s.did)
			check(t, []Gather{tt.gather}, s.gather)
		})
	}
}

func TestAMenuTakesOneKeyAndTheStarIsAChoice(t *testing.T) {
	s := newScript(t, "*")
	_, err := run(t, s, &house{}, doc(act("a", "GetParticipantInput", `"InputTimeLimitSeconds":"9"`, "=*>end", "!NoMatchingError>bad"),
		mark("bad", "end"), act("end", "DisconnectParticipant", "")))
	if err != nil {
		t.Fatal(err)
	}
	check(t, []Gather{{FirstDigit: 9 * time.Second, Interdigit: 5 * time.Second, Max: 1}}, s.gather)
	check(t, []string{"gather -", "hangup "}, s.did)
}

func TestALoopCountsAndBeginsAgain(t *testing.T) {
	s := newScript(t)
	content := doc(
		act("count", "Loop", `"LoopCount":"$.Attributes.n"`, "=ContinueLooping>body", "=DoneLooping>outer"),
		mark("body", "count"),
		act("outer", "Loop", `"LoopCount":1`, "=ContinueLooping>again", "=DoneLooping>end"),
		mark("again", "count"),
		act("end", "DisconnectParticipant", ""),
	)
	s.info.Attributes["n"] = "2"
	if out, err := run(t, s, &house{}, content); err != nil || out != Disconnected {
		t.Fatal(out, err)
	}
	check(t, append(said("body", "body", "again", "body", "body"), "hangup "), s.did)
	s = newScript(t)
	s.info.Attributes["n"] = "many" // cannot count: does not loop
	if out, err := run(t, s, &house{}, content); err != nil || out != Disconnected {
		t.Fatal(out, err)
	}
	check(t, append(said("again"), "hangup "), s.did)
}

func TestFlowAttributesEndWithTheirFlow(t *testing.T) {
	show := func(next string) string {
		return act("show"+next, "MessageParticipant", `"Text":"<$.FlowAttributes.a|$.FlowAttributes.b>"`, next)
	}
	h := &house{flows: map[string]*Flow{"two": flowOf(TypeInbound, doc(show("end"), act("end", "DisconnectParticipant", "")))}}
	s := newScript(t)
	out, err := run(t, s, h, doc(
		act("set", "UpdateFlowAttributes", `"FlowAttributes":{"a":{"Value":"1"},"b":"$.Channel"}`, "set2"),
		act("set2", "UpdateFlowAttributes", `"FlowAttributes":{"a":{"Value":"2"}}`, "showgo"),
		show("go"), act("go", "TransferToFlow", `"ContactFlowId":"two"`, "!NoMatchingError>showgo"),
	))
	if err != nil || out != Disconnected {
		t.Fatal(out, err)
	}
	check(t, []string{"say text:<2|VOICE>:en-US", "say text:<|>:en-US", "hangup "}, s.did)
}

func TestSharesOfADistributionAddUp(t *testing.T) {
	content := doc(`"Identifier":"a","Type":"DistributeByPercentage","Parameters":{},"Transitions":{"NextAction":"rest","Conditions":[
		{"NextAction":"ten","Condition":{"Operator":"NumericLessThan","Operands":["11"]}},
		{"NextAction":"thirty","Condition":{"Operator":"NumberLessThan","Operands":["41"]}}],
		"Errors":[{"NextAction":"rest","ErrorType":"NoMatchingCondition"}]}`,
		mark("ten", "end"), mark("thirty", "end"), mark("rest", "end"), act("end", "DisconnectParticipant", ""))
	if err := Check(content, TypeInbound); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	e := (&house{}).engine()
	for roll := range 100 {
		e.Random = func(n int) int {
			if n != 100 {
				t.Fatalf("asked for one of %d", n)
			}
			return roll
		}
		s := newScript(t)
		if _, err := e.Run(t.Context(), Run{Flow: flowOf(TypeInbound, content), Participant: s, Contact: s}); err != nil {
			t.Fatal(err)
		}
		counts[s.did[0]]++
	}
	check(t, map[string]int{said("ten")[0]: 10, said("thirty")[0]: 30, said("rest")[0]: 60}, counts)
}
