package ivr

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// designed is a flow as the designer before 2019-10-30 exported it, written for this test.
const designed = `{"modules":[
 {"id":"log","type":"SetLoggingBehavior","branches":[{"condition":"Success","transition":"voice"}],"parameters":[{"name":"LoggingBehavior","value":"Enable"}],"metadata":{"position":{"x":1,"y":2}}},
 {"id":"voice","type":"SetVoice","branches":[{"condition":"Success","transition":"rec"}],"parameters":[{"name":"GlobalVoice","value":"Seoyeon"}]},
 {"id":"rec","type":"SetRecordingBehavior","branches":[{"condition":"Success","transition":"set"}],"parameters":[{"name":"RecordingBehaviorOption","value":"Enable"},{"name":"RecordingParticipantOption","value":"Both"}]},
 {"id":"set","type":"SetAttributes","branches":[{"condition":"Success","transition":"fn"},{"condition":"Error","transition":"bye"}],"parameters":[{"name":"Attribute","key":"lang","value":"ko"},{"name":"Attribute","key":"plan","value":"plan","namespace":"External"},{"name":"Attribute","key":"caller","value":"Customer Number","namespace":"System"}]},
 {"id":"fn","type":"InvokeExternalResource","target":"Lambda","branches":[{"condition":"Success","transition":"menu"},{"condition":"Error","transition":"sorry"}],"parameters":[{"name":"FunctionArn","value":"arn:aws:lambda:us-east-1:123456789012:function:look"},{"name":"TimeLimit","value":"4"},{"name":"Parameter","key":"who","value":"my name","namespace":"User Defined"}]},
 {"id":"menu","type":"GetUserInput","target":"Digits","branches":[{"condition":"Evaluate","conditionType":"Equals","conditionValue":"1","transition":"hours"},{"condition":"Evaluate","conditionType":"Equals","conditionValue":"2","transition":"number"},{"condition":"Timeout","transition":"sorry"},{"condition":"NoMatch","transition":"menu"},{"condition":"Error","transition":"bye"}],
  "parameters":[{"name":"Text","value":"<speak>Press 1</speak>"},{"name":"TextToSpeechType","value":"ssml"},{"name":"Timeout","value":"8"},{"name":"MaxDigits","value":"1"}]},
 {"id":"hours","type":"CheckHoursOfOperation","branches":[{"condition":"True","transition":"queue"},{"condition":"False","transition":"sorry"},{"condition":"Error","transition":"sorry"}],"parameters":[]},
 {"id":"queue","type":"SetQueue","branches":[{"condition":"Success","transition":"hook"},{"condition":"Error","transition":"sorry"}],"parameters":[{"name":"Queue","value":"arn:aws:connect:eu-west-2:1:instance/i/queue/q","resourceName":"BasicQueue"}]},
 {"id":"hook","type":"SetContactFlow","branches":[{"condition":"Success","transition":"busy"}],"parameters":[{"name":"ContactFlowId","value":"arn:aws:connect:eu-west-2:1:instance/i/contact-flow/f","resourceName":"Music"},{"name":"Type","value":"CustomerQueue"}]},
 {"id":"busy","type":"CheckQueueStatus","branches":[{"condition":"CheckQueueTime","conditionType":"LessThan","conditionValue":300000,"transition":"first"},{"condition":"NoMatch","transition":"first"},{"condition":"Error","transition":"first"}],"parameters":[]},
 {"id":"first","type":"UpdateRoutingPriority","branches":[{"condition":"Success","transition":"go"}],"parameters":[{"name":"AbsolutePosition","value":1}]},
 {"id":"go","type":"Transfer","target":"Queue","branches":[{"condition":"AtCapacity","transition":"sorry"},{"condition":"Error","transition":"sorry"}],"parameters":[]},
 {"id":"number","type":"StoreUserInput","branches":[{"condition":"Success","transition":"back"},{"condition":"InvalidNumber","transition":"number"},{"condition":"Error","transition":"sorry"}],"parameters":[{"name":"Text","value":"Your number"},{"name":"TextToSpeechType","value":"text"},{"name":"CustomerInputType","value":"PhoneNumber"},{"name":"Timeout","value":"6"},{"name":"PhoneNumberFormat","value":"Local"},{"name":"CountryCode","value":"KR"}]},
 {"id":"back","type":"SetCallBackNumber","branches":[{"condition":"Success","transition":"call"},{"condition":"InvalidPhoneNumber","transition":"number"},{"condition":"NonDialableNumber","transition":"number"}],"parameters":[{"name":"CallBackNumber","value":"Stored customer input","namespace":"System"}]},
 {"id":"call","type":"CreateCallback","branches":[{"condition":"Success","transition":"split"},{"condition":"Error","transition":"sorry"}],"parameters":[{"name":"InitialDelaySeconds","value":5},{"name":"RetryDelaySeconds","value":600},{"name":"MaxRetryAttempts","value":1}]},
 {"id":"split","type":"DistributeByPercentage","branches":[{"condition":"Evaluate","conditionType":"Equals","conditionValue":"30","transition":"is"},{"condition":"Evaluate","conditionType":"Equals","conditionValue":"20","transition":"out"},{"condition":"NoMatch","conditionValue":"50","transition":"bye"}],"parameters":[]},
 {"id":"is","type":"CheckAttribute","branches":[{"condition":"Evaluate","conditionType":"Contains","conditionValue":"gold","transition":"bye"},{"condition":"NoMatch","transition":"odd"}],"parameters":[{"name":"Attribute","value":"plan"},{"name":"Namespace","value":"User Defined"}]},
 {"id":"odd","type":"GetUserInput","target":"Lex","branches":[{"condition":"Error","transition":"bye"}],"parameters":[{"name":"BotName","value":"Bot"}]},
 {"id":"out","type":"Transfer","target":"PhoneNumber","branches":[{"condition":"Success","transition":"bye"},{"condition":"CallFailure","transition":"sorry"},{"condition":"Timeout","transition":"sorry"},{"condition":"Error","transition":"sorry"}],"parameters":[{"name":"PhoneNumber","value":"+12065550100"},{"name":"TimeLimit","value":"20"},{"name":"BlindTransfer","value":"false"},{"name":"Wobble","value":"x"}]},
 {"id":"sorry","type":"PlayPrompt","branches":[{"condition":"Success","transition":"bye"}],"parameters":[{"name":"Text","value":"Sorry, $.Attributes.lang","namespace":null},{"name":"TextToSpeechType","value":"text"}]},
 {"id":"bye","type":"Disconnect","branches":[],"parameters":[]}],
 "version":"1","type":"contactFlow","start":"log","metadata":{"entryPointPosition":{"x":20,"y":20},"name":"Old flow","description":"d","type":"contactFlow","hash":"x"}}`

func TestAFlowOfTheOldDesignerIsConverted(t *testing.T) {
	content, lost, old, err := FromDesigner(designed)
	if err != nil || !old {
		t.Fatal(old, err)
	}
	var said []string
	for _, p := range lost {
		said = append(said, p.String())
	}
	if d := cmp.Diff([]string{
		`action "odd": Type: is the block "GetUserInput" of the old designer, which was not converted: it takes its error branch`,
		`action "out": Parameters: had Wobble in the old designer, which was left out`,
	}, said); d != "" {
		t.Error(d)
	}
	if name, description, kind := About(content); name != "Old flow" || description != "d" || kind != TypeInbound {
		t.Errorf("it is %q, %q, %q", name, description, kind)
	}
	r := Inspect(content, TypeInbound, nil)
	if r.Count(Error) > 0 {
		t.Errorf("it cannot be published: %+v", r.Errors())
	}
	d, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, n := range d.Actions {
		shown[n.ID] = n.Type
	}
	if d := cmp.Diff(map[string]string{
		"log": "UpdateFlowLoggingBehavior", "voice": "UpdateContactTextToSpeechVoice", "rec": "UpdateContactRecordingBehavior",
		"set": "UpdateContactAttributes", "fn": "InvokeLambdaFunction", "menu": "GetParticipantInput", "hours": "CheckHoursOfOperation",
		"queue": "UpdateContactTargetQueue", "hook": "UpdateContactEventHooks", "busy": "CheckMetricData", "first": "UpdateContactRoutingBehavior",
		"go": "TransferContactToQueue", "number": "GetParticipantInput", "back": "UpdateContactCallbackNumber", "call": "CreateCallbackContact",
		"split": "DistributeByPercentage", "is": "Compare", "odd": "GetUserInput", "out": "TransferParticipantToThirdParty",
		"sorry": "MessageParticipant", "bye": "DisconnectParticipant",
	}, shown); d != "" {
		t.Error(d)
	}
	for _, want := range []string{
		`"SSML":"\u003cspeak\u003ePress 1\u003c/speak\u003e"`, `"plan":"$.External.plan"`, `"caller":"$.CustomerEndpoint.Address"`, `"who":"$.Attributes.['my name']"`,
		`"Operator":"NumberLessThan","Operands":["300"]`, `"Operator":"NumberLessThan","Operands":["51"]`, `"CallbackNumber":"$.StoredCustomerInput"`,
		`"MaximumConnectionAttempts":"2"`, `"displayName":"BasicQueue"`, `"ErrorType":"ConnectionTimeLimitExceeded"`, `"CountryCode":"KR"`,
	} {
		if !strings.Contains(content, want) {
			t.Errorf("it has no %s:\n%s", want, content)
		}
	}
	if got := d.names[nameKey{"hook", "arn:aws:connect:eu-west-2:1:instance/i/contact-flow/f"}]; got != "Music" {
		t.Errorf("the flow of the hook is called %q", got)
	}
}

func TestOldFlowsAreImportedWithWarnings(t *testing.T) {
	l := library()
	got, err := l.Import(context.Background(), "i-1", []Item{FromFile("old.json", designed)})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Result != ImportCreated || got[0].Status != Published || got[0].Name != "Old flow" {
		t.Errorf("%+v", got[0])
	}
	n := 0
	for _, f := range got[0].Findings {
		if f.Rule == "old-designer" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d warnings of %+v", n, got[0].Findings)
	}
	again, err := l.Import(context.Background(), "i-1", []Item{FromFile("old.json", designed)})
	if err != nil || again[0].Result != ImportUnchanged {
		t.Errorf("the same again: %+v, %v", again, err)
	}
}

func FuzzFromDesigner(f *testing.F) {
	f.Add(designed)
	f.Add(`{"modules":[{"id":"a","type":"LoopPrompts","parameters":[{"name":"Text","value":1,"key":"ssml"}],"branches":[{"condition":"Timeout","transition":"a"}]}],"start":"a","type":"customerQueue"}`)
	f.Add(`{"modules":[],"start":""}`)
	f.Fuzz(func(t *testing.T, content string) {
		out, lost, old, err := FromDesigner(content)
		if err != nil || !old {
			return
		}
		if _, _, again, _ := FromDesigner(out); again {
			t.Fatal("what was converted is still old")
		}
		for _, p := range lost {
			if p.String() == "" {
				t.Fatal("a problem without words")
			}
		}
		_ = Inspect(out, TypeInbound, nil)
	})
}
