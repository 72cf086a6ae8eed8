package ivr

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// knownTypes are the types of actions that public exported flows and the service's documentation name. Each must be
// importable; what this version cannot run is told of, and takes its error branch.
func knownTypes() []string {
	return []string{
		"AssociateContactToCustomerProfile", "AuthenticateParticipant", "CheckHoursOfOperation", "CheckMetricData",
		"CheckOutboundCallStatus", "CheckSegmentMembership", "CheckVoiceId", "Compare", "CompleteOutboundCall",
		"ConnectParticipantWithLexBot", "CreateCallbackContact", "CreateCase", "CreateContact", "CreateCustomerProfile",
		"CreatePersistentContactAssociation", "CreateTask", "CreateWisdomSession", "DequeueContactAndTransferToQueue",
		"DisconnectParticipant", "DistributeByPercentage", "EndFlowExecution", "EndFlowModuleExecution",
		"EvaluateDataTableValues", "GetCalculatedAttributesForCustomerProfile", "GetCase", "GetCustomerProfile",
		"GetCustomerProfileObject", "GetMetricData", "GetParticipantInput", "InvokeFlowModule", "InvokeLambdaFunction",
		"ListDataTableValues", "LoadContactContent", "Loop", "MessageParticipant", "MessageParticipantIteratively",
		"RenderMessageTemplate", "ResumeContact", "ShowView", "StartOutboundChatContact", "StartOutboundEmailContact",
		"StartVoiceIdStream", "StoreUserInput", "TagContact", "TransferContactToAgent", "TransferContactToQueue",
		"TransferParticipantToThirdParty", "TransferToFlow", "UnTagContact", "UntagContact", "UpdateCase",
		"UpdateContactAttributes", "UpdateContactCallbackNumber", "UpdateContactData", "UpdateContactEventHooks",
		"UpdateContactMediaProcessing", "UpdateContactMediaStreamingBehavior",
		"UpdateContactRecordingAndAnalyticsBehavior", "UpdateContactRecordingBehavior", "UpdateContactRoutingBehavior",
		"UpdateContactTargetQueue", "UpdateContactTextToSpeechVoice", "UpdateCustomerProfile", "UpdateFlowAttributes",
		"UpdateFlowLoggingBehavior", "UpdatePreviousContactParticipantState", "UpdateRoutingCriteria",
		"UpsertDataTableValues", "Wait",
	}
}

func TestEveryTypeOfActionThatExportsHaveImports(t *testing.T) {
	l := library()
	var items []Item
	for _, kind := range knownTypes() {
		items = append(items, Item{Name: kind, Type: TypeInbound, Content: doc(
			act("a", kind, `"LambdaFunctionARN":"arn:aws:lambda:us-east-1:1:function:f","Text":"x","Unknown":{"deep":[1,true,null]}`, "end",
				"!NoMatchingError>end", "!NoMatchingCondition>end", "!SomethingNew>end"),
			act("end", "DisconnectParticipant", ""))})
	}
	got, err := l.Import(t.Context(), "i-1", items)
	if err != nil {
		t.Fatal(err)
	}
	lacking := 0
	for i, g := range got {
		kind := items[i].Name
		if g.Result != ImportCreated {
			t.Errorf("%s: %s %s", kind, g.Result, g.Error)
		}
		_, unknown := newAction(kind).(unsupported)
		if told := slices.Contains(g.Unsupported, kind); told != unknown {
			t.Errorf("%s: unknown %t, told so %t", kind, unknown, told)
		}
		if unknown {
			lacking++
			if g.Status != Published {
				t.Errorf("%s is not supported and keeps the flow from being published: %s", kind, g.Error)
			}
		}
	}
	if lacking == 0 || lacking > len(got)/2 {
		t.Errorf("%d of %d are not supported", lacking, len(got))
	}
}

// TestTheSpellingsOfExportsAreTaken: each can be published as it is.
func TestTheSpellingsOfExportsAreTaken(t *testing.T) {
	const end = `{"Identifier":"end","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}`
	const failures = `"Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"},{"NextAction":"end","ErrorType":"NoMatchingCondition"},{"NextAction":"end","ErrorType":"InputTimeLimitExceeded"}]`
	for name, tt := range map[string]struct {
		t           FlowType
		action, top string
	}{
		"numbers for strings": {TypeInbound, `"Type":"GetParticipantInput","Parameters":{"Text":"x","InputTimeLimitSeconds":8},"Transitions":{"NextAction":"end",` + failures +
			`,"Conditions":[{"NextAction":"end","Condition":{"Operator":"Equals","Operands":[1]}}]}`, ""},
		"booleans for strings":         {TypeInbound, `"Type":"GetParticipantInput","Parameters":{"Text":"x","StoreInput":true,"DTMFConfiguration":{"DisableCancelKey":false},"InputValidation":{"CustomValidation":{"MaximumLength":10}}},"Transitions":{"NextAction":"end",` + failures + `}`, ""},
		"true and false in lower case": {TypeInbound, `"Type":"GetParticipantInput","Parameters":{"Text":"x","StoreInput":"false"},"Transitions":{"NextAction":"end",` + failures + `,"Conditions":[]}`, ""},
		"an older name of a time":      {TypeInbound, `"Type":"GetParticipantInput","Parameters":{"Text":"x","InputTimeoutSeconds":"5"},"Transitions":{"NextAction":"end",` + failures + `,"Conditions":[]}`, ""},
		"an operator of another page": {TypeInbound, `"Type":"DistributeByPercentage","Parameters":{},"Transitions":{"NextAction":"end",` + failures +
			`,"Conditions":[{"NextAction":"end","Condition":{"Operator":"NumericLessThan","Operands":["51"]}}]}`, ""},
		"conditions beside next": {TypeInbound, `"Type":"Loop","Parameters":{"LoopCount":"3"},"Transitions":{"NextAction":"end","Conditions":[{"NextAction":"end","Condition":{"Operator":"Equals","Operands":["ContinueLooping"]}},{"NextAction":"end","Condition":{"Operator":"Equals","Operands":["DoneLooping"]}}]}`, ""},
		"no errors at all":       {TypeInbound, `"Type":"MessageParticipant","Parameters":{"Text":"x"},"Transitions":{"NextAction":"end"}`, ""},
		"null where nothing is":  {TypeInbound, `"Type":"MessageParticipant","Parameters":{"Text":"x"},"Transitions":{"NextAction":"end","Errors":null,"Conditions":null}`, ""},
		"members nobody knows":   {TypeInbound, `"Type":"MessageParticipant","Note":[1],"Parameters":{"Text":"x","DefaultVoice":{"a":1}},"Transitions":{"NextAction":"end","X":1}`, `,"Settings":{"InputParameters":[],"Transitions":[{"DisplayName":"Success"}]}`},
		"Metadata of the designer": {
			TypeInbound, `"Type":"MessageParticipant","Parameters":{"Text":"x"},"Transitions":{"NextAction":"end"}`,
			`,"Metadata":{"entryPointPosition":{"x":40.5,"y":-1},"snapToGrid":false,"Annotations":[{"type":"default","id":"n","content":"메모","actionId":"a","isFolded":true,"position":{"x":1,"y":2},"size":{"height":295,"width":300}}],` +
				`"ActionMetadata":{"a":{"position":{"x":1e2,"y":0},"parameters":{"Text":{"useDynamic":true}},"conditionMetadata":[{"id":"c","operator":{"name":"Equals","value":"Equals","shortDisplay":"="},"value":"1"}],"audio":[{"type":"Text"}],"overrideConsoleVoice":true},"gone":{}},` +
				`"name":"Main","description":"","type":"contactFlow","status":"published","hash":{}}`,
		},
		"Metadata of the documentation": {TypeInbound, `"Type":"MessageParticipant","Parameters":{"Text":"x"},"Transitions":{"NextAction":"end"}`, `,"Metadata":{"EntryPointPosition":{"X":20,"Y":20},"ActionMetadata":{"a":{"Position":{"X":1,"Y":2}}}}`},
		"Metadata of another shape":     {TypeInbound, `"Type":"MessageParticipant","Parameters":{"Text":"x"},"Transitions":{"NextAction":"end"}`, `,"Metadata":{"ActionMetadata":[{"a":1}],"name":7,"type":[]}`},
		"attributes with a default":     {TypeInbound, `"Type":"UpdateContactAttributes","Parameters":{"Attributes":{"a b":"$.Attributes.['first name']","n":1,"t":true}},"Transitions":{"NextAction":"end",` + failures + `}`, ""},
		"a voice by its whole name":     {TypeInbound, `"Type":"UpdateContactTextToSpeechVoice","Parameters":{"TextToSpeechVoice":"Joanna","TextToSpeechEngine":"Neural","TextToSpeechStyle":"None"},"Transitions":{"NextAction":"end",` + failures + `}`, ""},
		"an action of another product":  {TypeCustomerQueue, `"Type":"NobodyKnowsThis","Parameters":{"x":["$.y"]},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"Anything"}],"Conditions":[{"NextAction":"end","Condition":{"Operator":"Like","Operands":["a","b"]}}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			content := fmt.Sprintf(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a",%s},%s]%s}`, tt.action, end, tt.top)
			l := library()
			got, err := l.Import(t.Context(), "i-1", []Item{{Name: "x", Type: tt.t, Content: content}})
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Status != Published || got[0].Error != "" {
				t.Errorf("%s %s", got[0].Status, got[0].Error)
			}
			f, err := l.Flows.Published(t.Context(), "i-1", "x")
			if err != nil || f.Published != content {
				t.Fatal(f, err)
			}
			out, err := (&house{}).engine().Run(t.Context(), Run{Flow: f, Participant: newScript(t, "1"), Contact: newScript(t)})
			if err != nil || out != Disconnected && !strings.Contains(name, "another product") {
				t.Errorf("it runs to %s, %v", out, err)
			}
		})
	}
}
