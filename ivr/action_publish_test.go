package ivr

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
)

func TestPublishingChecksEveryActionsParameters(t *testing.T) {
	everything := func(kind, parameters string) string {
		transitions := []string{"end"}
		for _, e := range errorTypes() {
			transitions = append(transitions, "!"+e+">end")
		}
		return doc(act("a", kind, parameters, transitions...), theEnd)
	}
	for _, tt := range []struct {
		kind, parameters string
		in               FlowType
		want             []string
	}{
		{"InvokeLambdaFunction", ``, "", []string{"LambdaFunctionARN: is required"}},
		{"InvokeLambdaFunction", `"LambdaFunctionARN":"f","InvocationTimeLimitSeconds":"9","InvocationType":"LATER","ResponseValidation":{"ResponseType":"XML"}`, "", []string{
			"InvocationTimeLimitSeconds: must be a whole number from 1 to 8", "InvocationType: must be one of", "ResponseType: must be one of",
		}},
		{"CheckMetricData", `"MetricType":"$.Attributes.m","QueueId":"a","AgentId":"b"`, "", []string{"has both QueueId and AgentId", "must be fixed text", "MetricType: must be one of", "needs at least one condition"}},
		{"GetMetricData", `"QueueChannel":"Letter"`, "", []string{"QueueChannel: must be Voice, Chat or Task"}},
		{"TransferParticipantToThirdParty", `"ThirdPartyPhoneNumber":"0123"`, "", []string{"ContinueFlowExecution: is required", "ThirdPartyPhoneNumber: must be + and a number"}},
		{"TransferParticipantToThirdParty", `"ThirdPartyPhoneNumber":"+12065550100","ContinueFlowExecution":"True","ThirdPartyConnectionTimeLimitSeconds":"601","ThirdPartyDTMFDigits":"12a"`, "", []string{
			"ThirdPartyConnectionTimeLimitSeconds: must be a whole number from 0 to 600", "ThirdPartyDTMFDigits: may have up to 50",
		}},
		{"CompleteOutboundCall", `"ConnectionTimeLimitSeconds":"0"`, "", []string{"must be a whole number from 1 to 600"}},
		{"UpdatePreviousContactParticipantState", `"PreviousContactParticipantState":"Gone"`, "", []string{"must be one of AgentOnHold, CustomerOnHold, OffHold"}},
		{"UpdatePreviousContactParticipantState", `"PreviousContactParticipantState":"OffHold"`, TypeCustomerQueue, []string{"Type: UpdatePreviousContactParticipantState cannot be used"}},
		{"DequeueContactAndTransferToQueue", ``, TypeCustomerQueue, []string{"needs one of QueueId and AgentId"}},
		{"DequeueContactAndTransferToQueue", `"QueueId":"q"`, "", []string{"Type: DequeueContactAndTransferToQueue cannot be used"}},
		{"TransferContactToAgent", ``, "", []string{"Type: TransferContactToAgent cannot be used"}},
		{"UpdateContactRoutingBehavior", `"QueuePriority":"0"`, "", []string{"QueuePriority: must be a whole number from 1"}},
		{"UpdateContactRoutingBehavior", `"QueuePriority":"9223372036854775807"`, "", nil},
		{"UpdateContactRoutingBehavior", `"QueuePriority":"1","QueueTimeAdjustmentSeconds":"x"`, "", []string{"needs exactly one of", "QueueTimeAdjustmentSeconds: must be a whole number"}},
		{"UpdateRoutingCriteria", ``, "", []string{"RoutingCriteria: is required"}},
		{"UpdateRoutingCriteria", `"RoutingCriteria":{"Steps":[]}`, "", []string{"needs Steps"}},
		{"UpdateRoutingCriteria", `"Steps":[{"Expression":{"AttributeCondition":{"Name":"a","Value":"b","ProficiencyLevel":6}}}]`, "", []string{"Steps: Steps[0].Expression: ProficiencyLevel must be from 1 to 5"}},
		{"UpdateRoutingCriteria", `"RoutingCriteria":{"Steps":[{"Expression":{"OrExpression":[{"AndExpression":[{"Xor":1}]}]}}]}`, "", []string{`OrExpression[0]: AndExpression[0]: "Xor" is not a kind`}},
		{"UpdateRoutingCriteria", `"RoutingCriteria":{"Steps":[{"Expression":{"AttributeCondition":{"Name":"a","Value":"b","ProficiencyLevel":1}},"Expiry":{"DurationInSeconds":0}}]}`, "", []string{"Expiry.DurationInSeconds: must be a whole number from 1"}},
		{"UpdateRoutingCriteria", `"RoutingCriteria":{"Steps":[{"Expression":{"AttributeCondition":{"MatchCriteria":{"AgentsCriteria":{"AgentIds":["x"]}},"ComparisonOperator":"Match"}}}]}`, "", nil},
		{"UpdateRoutingCriteria", `"RoutingCriteria":{"Steps":[{"Expression":{"AttributeCondition":{"Name":"a","Value":"b","ComparisonOperator":"Range","Range":{"MinProficiencyLevel":3,"MaxProficiencyLevel":2}}}}]}`, "", []string{"a range needs"}},
		{"UpdateRoutingCriteria", `"RoutingCriteria":"$.External.criteria"`, "", nil},
		{"UpdateContactCallbackNumber", `"CallbackNumber":"+12065550100"`, "", []string{"CallbackNumber: must be one data path"}},
		{"CreateCallbackContact", `"InitialCallDelaySeconds":"259201","MaximumConnectionAttempts":"0","RetryDelaySeconds":"soon"`, "", []string{
			"InitialCallDelaySeconds: must be", "MaximumConnectionAttempts: must be", "RetryDelaySeconds: must be",
		}},
		{"CreateTask", `"Name":"n","ContactFlowId":"f","TaskTemplateId":"t","DelaySeconds":"5","ScheduledTime":"soon","References":{"a":{"Type":"SONG","Value":"x"}},"Attributes":{"a.b":"x"}`, "", []string{
			"needs exactly one of ContactFlowId and TaskTemplateId", "Type: must be one of URL", `"a.b" cannot be the key`, "has both DelaySeconds and ScheduledTime", "ScheduledTime: must be seconds",
		}},
		{"InvokeFlowModule", ``, "", []string{"FlowModuleId: is required"}},
		{"InvokeFlowModule", `"FlowModuleId":"m"`, TypeModule, nil},
		{"InvokeFlowModule", `"FlowModuleId":"m"`, TypeAgentWhisper, []string{"Type: InvokeFlowModule cannot be used"}},
		{"TagContact", `"Tags":{"aws:x":"1","b":"$.Attribute.c"}`, "", []string{"$.Attribute.c is not a data path", "Tags.aws:x: must have"}},
		{"TagContact", `"Tags":{"1":"","2":"","3":"","4":"","5":"","6":"","7":""}`, "", []string{"Tags: has 7 entries"}},
		{"UnTagContact", `"TagKeys":["$.Attributes.a",5]`, "", []string{"TagKeys[0]: must be the fixed key", "TagKeys[1]: must be the fixed key"}},
		{"UpdateContactRecordingAndAnalyticsBehavior", `"VoiceBehavior":{"VoiceRecordingBehavior":{"RecordedParticipants":["Boss"]}},"ChatBehavior":{"ChatAnalyticsBehavior":{}}`, "", []string{"has both VoiceBehavior and ChatBehavior", "RecordedParticipants[0]: must be one of"}},
		{"UpdateContactMediaStreamingBehavior", `"MediaStreamingState":"Enabled","MediaStreamType":"Video"`, "", []string{"MediaStreamType: must be one of Audio", "Participants: needs a participant"}},
		{"UpdateContactMediaStreamingBehavior", `"MediaStreamingState":"Disabled"`, TypeCustomerHold, []string{"Type: UpdateContactMediaStreamingBehavior cannot be used"}},
		{"UpdateContactMediaProcessing", `"ChatProcessor":{"ProcessingEnabled":"True"}`, "", []string{"LambdaProcessorARN: is required"}},
		{"CreatePersistentContactAssociation", `"RehydrationType":"ALL"`, "", []string{"SourceContactId: is required", "RehydrationType: must be one of"}},
		{"StartOutboundChatContact", `"SourceEndpoint":{"Type":"VOIP","Address":"x"},"DestinationEndpoint":{},"ContactSubtype":"connect:Fax"`, "", []string{
			"DestinationEndpoint.Address: is required", "SourceEndpoint.Type: must be one of", "ContactFlowArn: is required", "ContactSubtype: must be one of",
		}},
		{"ShowView", `"ViewResource":{},"ViewData":"x","InvocationTimeLimitSeconds":"0"`, "", []string{"ViewResource.Id: is required", "ViewData: must be an object", "InvocationTimeLimitSeconds: must be"}},
		{"ShowView", `"ViewResource":{"Id":"v"},"ViewData":{"a":["$.Attribute.x"]}`, "", []string{"ViewData.a[0]: $.Attribute.x is not a data path"}},
		{"Ullim.ConnectParticipantWithBot", `"TimeLimitSeconds":"9999"`, "", []string{"Url: is required", "TimeLimitSeconds: must be"}},
		{"GetParticipantInput", `"EnableDTMFBuffer":"perhaps"`, TypeOutboundWhisper, []string{"EnableDTMFBuffer: must be one of", "Type: GetParticipantInput cannot be used"}},
		{"GetParticipantInput", `"EnableDTMFBuffer":"true"`, TypeOutboundWhisper, nil},
		{"GetParticipantInput", `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}},"InputEncryption":{"EncryptionKeyId":"k","Key":"$.Attributes.k"}`, "", []string{"InputEncryption: is possible with CustomValidation only"}},
		{"AuthenticateParticipant", `"anything":["goes"]`, "", nil}, // of another product
	} {
		if tt.in == "" {
			tt.in = TypeInbound
		}
		problems := ProblemsOf(Check(everything(tt.kind, tt.parameters), tt.in))
		if len(problems) != len(tt.want) {
			t.Errorf("%s %s: want %d problems, got %v", tt.kind, tt.parameters, len(tt.want), problems)
			continue
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Field+": "+p.Message, want) }) {
				t.Errorf("%s %s: want %q in %v", tt.kind, tt.parameters, want, problems)
			}
		}
	}
}

func TestPublishingInsistsOnTheErrorBranchesOfTheService(t *testing.T) {
	// A1.5 to A1.7 of the specification.
	want := map[string][]string{
		"CheckMetricData": {errNoCondition, errNoMatch}, "CheckOutboundCallStatus": {errNoMatch}, "GetMetricData": {errNoMatch},
		"TransferParticipantToThirdParty": {errNoMatch}, "CompleteOutboundCall": {},
		"UpdatePreviousContactParticipantState": {errNoMatch}, "DequeueContactAndTransferToQueue": {errNoMatch, errQueueAtCapacity},
		"TransferContactToQueue": {errNoMatch, errQueueAtCapacity}, "TransferContactToAgent": {}, "UpdateContactRoutingBehavior": {},
		"UpdateRoutingCriteria": {errNoMatch}, "UpdateContactCallbackNumber": {errNoCallback, errBadCallback}, "CreateCallbackContact": {errNoMatch},
		"CreateTask": {errNoMatch}, "InvokeFlowModule": {errNoMatch}, "EndFlowModuleExecution": {}, "TagContact": {errNoMatch}, "UnTagContact": {errNoMatch},
		"UntagContact": {errNoMatch}, "UpdateContactRecordingBehavior": {}, "UpdateContactRecordingAndAnalyticsBehavior": {errChannel, errNoMatch},
		"UpdateContactMediaStreamingBehavior": {errNoMatch}, "UpdateContactMediaProcessing": {errChannel, errNoMatch}, "ResumeContact": {errNoMatch},
		"CreatePersistentContactAssociation": {errNoMatch}, "StartOutboundChatContact": {errNoMatch}, "ShowView": {errNoCondition, errNoMatch, errTime},
		"Ullim.ConnectParticipantWithBot": {errNoCondition, errNoMatch}, "UpdateContactData": {errNoMatch}, "UpdateContactEventHooks": {errNoMatch},
		"InvokeLambdaFunction": {errNoMatch}, "GetParticipantInput": {errInputTime, errNoCondition, errNoMatch}, "Compare": {errNoCondition},
		"DistributeByPercentage": {errNoCondition}, "Loop": {}, "Wait": {errNoMatch}, "TransferToFlow": {errNoMatch}, "CheckHoursOfOperation": {errNoMatch},
		"UpdateContactAttributes": {errNoMatch}, "UpdateFlowLoggingBehavior": {}, "DisconnectParticipant": {}, "EndFlowExecution": {},
		"UpdateContactTargetQueue": {errNoMatch}, "UpdateFlowAttributes": {}, "UpdateContactTextToSpeechVoice": {}, "MessageParticipant": {},
		"MessageParticipantIteratively": {}, "StoreUserInput": {errNoMatch}, "UpdateContactRoutingCriteria": {errNoMatch},
	}
	got := map[string][]string{}
	for kind := range kinds() {
		a := newAction(kind)
		got[kind] = append([]string{}, a.rules().errors...)
		slices.Sort(got[kind])
	}
	check(t, want, got)
	resume := &thirdParty{resume: true}
	check(t, []string{errCallFailed, errNoMatch, errCallTime}, resume.rules().errors)
}

// FuzzAction gives an action any parameters, checks it and runs it against everything, on every channel: it must end, and
// nothing may panic.
func FuzzAction(f *testing.F) {
	for _, rows := range [][]row{participantRows(), controlRows(), contactRows(), routingRows(), otherRows()} {
		for _, r := range rows {
			f.Add(r.kind, r.parameters, "1", r.operator)
		}
	}
	f.Add("Compare", `"ComparisonValue":"$.External.a[0]"`, "(a+)+$", opRegex)
	f.Fuzz(func(t *testing.T, kind, parameters, operand, operator string) {
		content := fmt.Sprintf(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":%q,"Parameters":{%s},"Transitions":{
			"NextAction":"b","Conditions":[{"NextAction":"a","Condition":{"Operator":%q,"Operands":[%q]}}],"Errors":[{"NextAction":"b","ErrorType":"NoMatchingError"}]}},
			{"Identifier":"b","Type":"DisconnectParticipant"}]}`, kind, parameters, operator, operand)
		d, err := Parse(content)
		if err != nil {
			return
		}
		for _, in := range []FlowType{TypeInbound, TypeCustomerQueue, TypeModule} {
			Validate(d, in)
		}
		Warnings(d)
		for _, on := range []contact.Channel{contact.Voice, contact.Chat, contact.Task} {
			w := newWorld(t, on)
			w.keys = []string{"1", "", "12345678901234567890123456789"}
			w.h.modules["m"] = flowOf(TypeModule, content)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			out, err := w.e.Run(ctx, Run{Flow: flowOf(TypeInbound, content), Participant: w.able, Contact: w.able})
			if ctx.Err() != nil {
				t.Fatal("the flow does not end")
			}
			cancel()
			if out == "" || err != nil && strings.Contains(err.Error(), "panic") {
				t.Fatal(out, err)
			}
		}
	})
}

// FuzzCriteria reads anything as routing criteria; what is taken is JSON and is taken again.
func FuzzCriteria(f *testing.F) {
	f.Add(`{"Steps":[{"Expression":{"AttributeCondition":{"Name":"a","Value":"b","ProficiencyLevel":1}},"Expiry":{"DurationInSeconds":30}}]}`)
	f.Add(`[{"Expression":{"OrExpression":[{"NotAttributeCondition":{"Name":"a","Value":"b","ComparisonOperator":"Match"}}]}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := readCriteria(text)
		if err != nil {
			return
		}
		var again []any
		for _, s := range steps {
			var e any
			if err := json.Unmarshal(s.Expression, &e); err != nil {
				t.Fatal(err)
			}
			again = append(again, map[string]any{"Expression": e})
		}
		if _, err := readCriteria(map[string]any{"Steps": again}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
