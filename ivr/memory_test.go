package ivr

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

func (w *world) run(t *testing.T, in FlowType, content string, m *Memory) Outcome {
	t.Helper()
	out, err := w.e.Run(t.Context(), Run{Flow: flowOf(in, content), Participant: w.able, Contact: w.able, Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func show(text string) string { return act("show", "MessageParticipant", `"Text":"`+text+`"`, "end") }

const theEnd = `"Identifier":"end","Type":"DisconnectParticipant"`

func TestWhatOneFlowOfAContactLeftTheNextOneFinds(t *testing.T) {
	w := newWorld(t, contact.Voice)
	w.keys = []string{"42"}
	w.o.answer = `{"plan":"gold","n":17,"ok":true,"none":null}`
	w.o.metrics = QueueMetrics{Size: 3, Oldest: 95 * time.Second, Online: 7, Available: 2, Staffed: 5, AfterContactWork: 1, Busy: 4, Missed: 6, NonProductive: 8}
	w.bot = BotResult{Intent: "Buy", Attributes: map[string]string{"size": "XL"}}
	m := NewMemory()
	w.run(t, TypeInbound, doc(
		act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"4"}}`, "b", "!NoMatchingError>end"),
		act("b", "InvokeLambdaFunction", `"LambdaFunctionARN":"f"`, "c", "!NoMatchingError>end"),
		act("c", "GetMetricData", `"QueueId":"q-1"`, "d", "!NoMatchingError>end"),
		act("d", "Ullim.ConnectParticipantWithBot", `"Url":"wss://x"`, "=Buy>e", "!NoMatchingCondition>end", "!NoMatchingError>end"),
		act("e", "CreateTask", `"ContactFlowId":"flow","Name":"n"`, "end", "!NoMatchingError>end"),
		theEnd), m)
	all := "$.StoredCustomerInput $.External.plan $.External.n $.External.ok <$.External.none> $.Metrics.Queue.Name $.Metrics.Queue.ARN $.Metrics.Queue.Size " +
		"$.Metrics.Queue.OldestContactAge $.Metrics.Agents.Online.Count $.Metrics.Agents.Available.Count $.Metrics.Agents.Staffed.Count " +
		"$.Metrics.Agents.AfterContactWork.Count $.Metrics.Agents.Busy.Count $.Metrics.Agents.Missed.Count $.Metrics.Agents.NonProductive.Count " +
		"$.Lex.IntentName $.Lex.SessionAttributes.size $.Lex.Slots.size $.Task.ContactId"
	const want = "say text:42 gold 17 true <> BasicQueue arn:q-1 3 95 7 2 5 1 4 6 8 Buy XL XL t-1:en-US"
	for _, in := range []FlowType{TypeCustomerQueue, TypeCustomerWhisper} {
		w.did = nil
		w.run(t, in, doc(show(all), theEnd), m)
		check(t, want, w.did[0])
	}
	w.did = nil
	w.run(t, TypeInbound, doc(show(all), theEnd), nil) // another contact
	check(t, "say text:"+strings.Repeat(" ", 4)+"<>"+strings.Repeat(" ", 15)+":en-US", w.did[0])
}

func TestMetricsOfAnIdleQueueHaveNoValue(t *testing.T) {
	w := newWorld(t, contact.Voice)
	w.run(t, TypeInbound, doc(act("a", "GetMetricData", `"QueueId":"q-1"`, "show", "!NoMatchingError>end"),
		show("$.Metrics.Queue.Name <$.Metrics.Queue.Size><$.Metrics.Queue.OldestContactAge><$.Metrics.Agents.Online.Count>"), theEnd), nil)
	check(t, "say text:BasicQueue <><><>:en-US", w.did[1])
	w.o.metrics.Online, w.did = 1, nil // somebody is there: an empty queue is a figure
	w.run(t, TypeInbound, doc(act("a", "GetMetricData", `"QueueId":"q-1"`, "show", "!NoMatchingError>end"),
		show("<$.Metrics.Queue.Size><$.Metrics.Queue.OldestContactAge><$.Metrics.Agents.Online.Count>"), theEnd), nil)
	check(t, "say text:<0><><1>:en-US", w.did[1])
}

func TestEachAnswerOfAFunctionReplacesTheLast(t *testing.T) {
	w := newWorld(t, contact.Voice)
	m := NewMemory()
	call := func(kind string) string {
		return doc(act("a", "InvokeLambdaFunction", `"LambdaFunctionARN":"f","ResponseValidation":{"ResponseType":"`+kind+`"}`, "show", "!NoMatchingError>show"),
			show("<$.External.a><$.External.b.c[1].d><$.External.b.c><$.External.['a b']>"), theEnd)
	}
	for _, tt := range []struct{ answer, kind, want string }{
		{`{"a":"1","a b":"x"}`, "STRING_MAP", "<1><><><x>"},
		{`{"b":{"c":[0,{"d":2.50}]}}`, "JSON", `<><2.50><[0,{"d":2.50}]><>`},
		{`{"a":{"x":1}}`, "STRING_MAP", "<><><><>"}, // refused: and the answer before is gone
		{`not json`, "JSON", "<><><><>"},
		{``, "JSON", "<><><><>"},
	} {
		w.o.answer, w.did = tt.answer, nil
		w.run(t, TypeInbound, call(tt.kind), m)
		check(t, "say text:"+tt.want+":en-US", w.did[1])
	}
}

func TestFunctionsInARowMayNotKeepTheParticipantWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, contact.Voice)
		w.o.answer = "slow"
		call := func(id, next string) string {
			return act(id, "InvokeLambdaFunction", `"LambdaFunctionARN":"f","InvocationTimeLimitSeconds":"8"`, "end", "!NoMatchingError>"+next)
		}
		var took []time.Duration
		w.e.Ran = func(a ActionRun) { took = append(took, a.Duration) }
		w.run(t, TypeInbound, doc(call("a", "b"), call("b", "c"), call("c", "d"), call("d", "e"), mark("e", "f"), call("f", "end"), theEnd), nil)
		check(t, []time.Duration{8 * time.Second, 8 * time.Second, 4 * time.Second, 0, 0, 8 * time.Second, 0}, took)
	})
}

func TestAFunctionGetsTheRequestOfALambda(t *testing.T) {
	w := newWorld(t, contact.Voice)
	w.info.Attributes["plan"] = "gold"
	w.info.Queue = &QueueRef{ARN: "arn:q", Name: "Sales"}
	w.info.Tags = map[string]string{"a": "b"}
	e := &session{engine: w.e, contact: w.able, memory: NewMemory()}
	e.memory.store("4111")
	got := map[string]any{}
	if err := json.Unmarshal(e.event(map[string]value{"who": parseValue("the $.Channel"), "plan": parseWhole("$.Attributes.plan")}), &got); err != nil {
		t.Fatal(err)
	}
	check(t, map[string]any{
		"Name": "ContactFlowEvent",
		"Details": map[string]any{
			"Parameters": map[string]any{"who": "the VOICE", "plan": "gold"},
			"ContactData": map[string]any{
				"Attributes": map[string]any{"plan": "gold"}, "Channel": "VOICE", "ContactId": "c-1",
				"CustomerEndpoint": map[string]any{"Address": "+821012345678", "Type": "TELEPHONE_NUMBER"}, "CustomerId": nil,
				"Description": nil, "InitialContactId": "c-0", "InitiationMethod": "INBOUND",
				"InstanceARN": "arn:aws:connect:local:1:instance/i-1", "LanguageCode": "en-US", "MediaStreams": nil, "Name": nil,
				"PreviousContactId": "", "Queue": map[string]any{"ARN": "arn:q", "Name": "Sales"}, "References": map[string]any{},
				"SystemEndpoint": map[string]any{"Address": "+8215881234", "Type": "TELEPHONE_NUMBER"}, "Tags": map[string]any{"a": "b"},
			},
		},
	}, got)
}

func TestAModuleReturnsToWhereItWasInvoked(t *testing.T) {
	w := newWorld(t, contact.Voice)
	set := func(id, v, next string) string {
		return act(id, "UpdateFlowAttributes", `"FlowAttributes":{"x":{"Value":"`+v+`"}}`, next)
	}
	say := func(id, next string) string {
		return act(id, "MessageParticipant", `"Text":"`+id+` <$.FlowAttributes.x>"`, next)
	}
	back := act("back", "EndFlowModuleExecution", "")
	w.h.modules["in"] = flowOf(TypeModule, doc(say("first", "s"), set("s", "module", "second"), say("second", "m"),
		act("m", "InvokeFlowModule", `"FlowModuleId":"deeper"`, "third", "!NoMatchingError>third"), say("third", "back"), back))
	w.h.modules["deeper"] = flowOf(TypeModule, doc(say("deep", "back"), back))
	var where []string
	w.e.Ran = func(a ActionRun) { where = append(where, string(a.FlowType)+" "+a.ActionID+">"+a.Next) }
	w.run(t, TypeInbound, doc(set("s", "flow", "m"), act("m", "InvokeFlowModule", `"FlowModuleId":"in"`, "after", "!NoMatchingError>end"), say("after", "end"), theEnd), nil)
	w.did = slices.DeleteFunc(w.did, func(s string) bool { return !strings.HasPrefix(s, "say") })
	check(t, []string{
		"say text:first <>:en-US", "say text:second <module>:en-US", "say text:deep <>:en-US", "say text:third <module>:en-US", "say text:after <flow>:en-US",
	}, w.did)
	check(t, []string{
		"CONTACT_FLOW s>m", "CONTACT_FLOW m>first", "FLOW_MODULE first>s", "FLOW_MODULE s>second", "FLOW_MODULE second>m", "FLOW_MODULE m>deep",
		"FLOW_MODULE deep>back", "FLOW_MODULE back>third", "FLOW_MODULE third>back", "FLOW_MODULE back>after", "CONTACT_FLOW after>end", "CONTACT_FLOW end>",
	}, where)
}

func TestAModuleThatComesToNoEndTakesTheErrorBranchOfItsCaller(t *testing.T) {
	again := act("m", "InvokeFlowModule", `"FlowModuleId":"in"`, "end")
	for name, tt := range map[string]struct {
		module string
		want   []string
	}{
		"a dead end":         {doc(mark("x")), []string{"x", "failed"}},
		"no actions":         {`{"Version":"2019-10-30","StartAction":"x","Actions":[]}`, []string{"failed"}},
		"not a flow":         {`{}`, []string{"failed"}},
		"itself, for ever":   {doc(again, theEnd), []string{"failed"}},
		"a way out":          {doc(theEnd), nil},
		"a transfer to flow": {doc(act("t", "TransferToFlow", `"ContactFlowId":"there"`, "!NoMatchingError>t")), []string{"there"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, contact.Voice)
			w.h.modules["in"] = flowOf(TypeModule, tt.module)
			w.h.flows["there"] = flowOf(TypeInbound, doc(mark("there", "back", "!NoMatchingError>back"), act("back", "EndFlowModuleExecution", "")))
			w.run(t, TypeInbound, doc(act("m", "InvokeFlowModule", `"FlowModuleId":"in"`, "end", "!NoMatchingError>failed"), mark("failed", "end"), theEnd), nil)
			check(t, said(tt.want...), append([]string{}, w.only("say")...))
		})
	}
}

func TestLoggingHoldsForTheContact(t *testing.T) {
	on, off := true, false
	m := NewMemory()
	for _, tt := range []struct {
		set, inherited *bool
		want           bool
	}{{nil, nil, false}, {nil, &on, true}, {&off, &on, false}, {&on, nil, true}, {nil, &off, true}} {
		if tt.set != nil {
			m.log(*tt.set)
		}
		check(t, tt.want, m.logging(tt.inherited))
	}
}

func TestTwoFlowsOfAContactMayRunAtOnce(t *testing.T) {
	w, m := newWorld(t, contact.Voice), NewMemory()
	w.o.answer = `{"a":"b"}`
	content := doc(act("a", "GetMetricData", `"QueueId":"q-1"`, "show", "!NoMatchingError>end"), show("$.Metrics.Queue.Name $.StoredCustomerInput"), theEnd)
	done := make(chan bool)
	for range 2 {
		go func() {
			s := newWorld(t, contact.Voice)
			s.run(t, TypeInbound, content, m)
			m.store("x")
			done <- true
		}()
	}
	<-done
	<-done
}

func TestAllThatIsKnownOfAContactCanBeRead(t *testing.T) {
	s := newScript(t)
	s.info.Name, s.info.Description, s.info.CustomerID, s.info.CallbackNumber = "n", "d", "7", "+8225550000"
	s.info.References = map[string]Reference{"site": {Type: "URL", Value: "https://x"}}
	s.info.Tags, s.info.TaskContactID = map[string]string{"a": "b"}, "t-2"
	s.info.MediaStream = map[string]string{"StreamARN": "arn:s", "StartTimestamp": "1", "StopTimestamp": "2", "StartFragmentNumber": "3"}
	s.info.Attributes["City"] = "Seoul"
	e := &session{contact: s, memory: NewMemory()}
	want := map[string]string{
		"$.Name": "n", "$.Description": "d", "$.CustomerId": "7", "$.CustomerCallbackNumber": "+8225550000",
		"$.References.site.Value": "https://x", "$.References.site.Type": "URL", "$.References.none.Value": "", "$.Tags.a": "b", "$.Task.ContactId": "t-2",
		"$.MediaStreams.Customer.Audio.StreamARN": "arn:s", "$.MediaStreams.Customer.Audio.StartTimestamp": "1",
		"$.MediaStreams.Customer.Audio.StopTimestamp": "2", "$.MediaStreams.Customer.Audio.StartFragmentNumber": "3",
		"Attributes_City": "Seoul", "$.Customer.FirstName": "", "$.Lex.IntentName": "", "$.Views.Action": "", "$.Metrics.Queue.Size": "",
		`$.Attributes["City"]`: "Seoul", "$.Lex.SentimentResponse.Label": "",
	}
	got := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		v := parseWhole(path)
		if !v.isPath() || !knownPath(v.parts[0].path) {
			t.Errorf("%s is not a path", path)
		}
		got[path] = e.text(v)
	}
	check(t, want, got)
	e.memory.viewed(map[string]any{"Action": "Go", "ViewResultData": map[string]any{"a": json.Number("1")}})
	check(t, "Go 1", e.text(parseValue("$.Views.Action $.Views.ViewResultData.a")))
}
