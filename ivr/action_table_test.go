package ivr

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// world is what a row of the table can change before its action runs.
type world struct {
	able
	o *office
	h *house
	e *Engine
}

func newWorld(t *testing.T, channel contact.Channel) *world {
	t.Helper()
	s := newScript(t)
	s.info.Channel = channel
	w := &world{able: able{script: s}, o: &office{s: s, answer: `{}`}, h: &house{flows: map[string]*Flow{}, modules: map[string]*Flow{}}}
	w.h.flows["flow"] = flowOf(TypeInbound, doc(act("end", "DisconnectParticipant", "")))
	w.e = w.h.engine()
	w.e.Modules, w.e.Functions, w.e.Metrics, w.e.Callbacks, w.e.Tasks = w.h, w.o, w.o, w.o, w.o
	w.e.Media, w.e.Chats = w.o, w.o
	return w
}

// row is one action in one situation.
type row struct {
	name       string
	kind       string // type of the action
	in         FlowType
	on         contact.Channel
	parameters string
	results    []string // conditions
	operator   string   // of all of them; empty: Equals
	set        func(*world)
	want       []string // what was done
	next       string   // where it led: "ok", a result or an error type; "" where the flow ended
	out        Outcome  // of the flow; empty: Disconnected at the target
}

// errorTypes are all that an action may be wired for.
func errorTypes() []string {
	return []string{
		errNoMatch, errNoCondition, errInputTime, errInvalidPhone, errQueueAtCapacity, errNoParticipant, errCallFailed, errCallTime, errTime,
		errChannel, errRedaction, errBadCallback, errNoCallback,
	}
}

// document is a flow of the action and a place for everything that it can lead to.
func (r row) document(last bool) string {
	targets := append(append([]string{"ok"}, r.results...), errorTypes()...)
	var transitions []string
	if !last {
		transitions = append(transitions, "ok")
		for _, res := range r.results {
			transitions = append(transitions, "="+res+">"+res)
		}
		for _, e := range errorTypes() {
			transitions = append(transitions, "!"+e+">"+e)
		}
	}
	actions := []string{act("a", r.kind, r.parameters, transitions...)}
	for _, target := range targets {
		actions = append(actions, act(target, "DisconnectParticipant", ""))
	}
	content := doc(actions...)
	if r.operator != "" {
		content = strings.ReplaceAll(content, `"Operator":"Equals"`, `"Operator":"`+r.operator+`"`)
	}
	return content
}

func fail(what string, err error) func(*world) { return func(w *world) { w.fail[what] = err } }

var errBroken = errors.New("broken")

func TestEveryActionInEverySituation(t *testing.T) {
	rows := slices.Concat(participantRows(), controlRows(), contactRows(), routingRows(), otherRows())
	tested := map[string]map[string]bool{}
	for _, r := range rows {
		if tested[r.kind] == nil {
			tested[r.kind] = map[string]bool{}
		}
		tested[r.kind][r.next] = true
		t.Run(r.kind+" "+r.name, func(t *testing.T) { r.check(t) })
	}
	for kind, create := range kinds() {
		if tested[kind] == nil {
			t.Errorf("%s is not in the table", kind)
			continue
		}
		for _, need := range create().rules().errors {
			if !tested[kind][need] && kind != "StoreUserInput" {
				t.Errorf("no row of %s takes %s", kind, need)
			}
		}
	}
}

func (r row) check(t *testing.T) {
	t.Helper()
	if r.in == "" {
		r.in = TypeInbound
	}
	if r.on == "" {
		r.on = contact.Voice
	}
	if r.out == "" {
		r.out = Disconnected
	}
	w := newWorld(t, r.on)
	if r.set != nil {
		r.set(w)
	}
	content := r.document(newAction(r.kind).rules().last)
	if err := Check(content, r.in); err != nil {
		t.Fatal(err)
	}
	var did []ActionRun
	w.e.Ran = func(a ActionRun) { did = append(did, a) }
	out, err := w.e.Run(t.Context(), Run{Flow: flowOf(r.in, content), Participant: w.able, Contact: w.able})
	if err != nil {
		t.Fatal(err)
	}
	w.did = slices.DeleteFunc(w.did, func(s string) bool { return s == "hangup " })
	if len(did) == 0 {
		t.Fatal("nothing ran")
	}
	check(t, r.out, out)
	check(t, r.next, did[0].Next)
	check(t, strings.Join(r.want, "\n"), strings.Join(w.did, "\n"))
	if slices.Contains(errorTypes(), did[0].Next) && did[0].Next != errNoCondition && did[0].ErrorType == "" {
		t.Errorf("took %s without an error", did[0].Next)
	}
}

func participantRows() []row {
	const say, menu, stored = "MessageParticipant", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"4"}}`
	const third, phone = "TransferParticipantToThirdParty", `"ThirdPartyPhoneNumber":"+12065550100","ContinueFlowExecution":`
	const loops, bot, view = "MessageParticipantIteratively", "Ullim.ConnectParticipantWithBot", "ShowView"
	return []row{
		{name: "speaks", kind: say, parameters: `"Text":"hi"`, want: []string{"say text:hi:en-US"}, next: "ok"},
		{name: "cannot speak", kind: say, parameters: `"Text":"unspeakable"`, next: errNoMatch},
		{name: "plays a file", kind: say, parameters: `"Media":{"Uri":"s3://b/$.Channel.wav","SourceType":"S3","MediaType":"Audio"}`, want: []string{"say file:s3://b/VOICE.wav"}, next: "ok"},
		{name: "has no file", kind: say, parameters: `"Media":{"Uri":"s3://b/x.wav"}`, next: errNoMatch, set: fail("file", errBroken)},
		{name: "on chat", kind: say, on: contact.Chat, parameters: `"Text":"hi $.Channel"`, want: []string{"write hi CHAT"}, next: "ok"},
		{name: "nothing on chat", kind: say, on: contact.Chat, parameters: `"Text":"$.Attributes.none"`, next: "ok"},
		{name: "a prompt on chat", kind: say, on: contact.Chat, parameters: `"PromptId":"x"`, next: errNoMatch},
		{name: "on a task", kind: say, on: contact.Task, parameters: `"PromptId":"x"`, next: "ok"},

		{name: "goes round", kind: loops, in: TypeCustomerQueue, parameters: `"Messages":[{"Text":"x"}],"InterruptFrequencySeconds":"20"`, results: []string{messagesInterrupted}, want: []string{"repeat text:x:en-US 20s"}, next: messagesInterrupted},
		{name: "on chat", kind: loops, on: contact.Chat, in: TypeCustomerQueue, parameters: `"Messages":[{"Text":"x"}],"InterruptFrequencySeconds":"20"`, results: []string{messagesInterrupted}, next: errNoMatch},
		{name: "of nothing", kind: loops, in: TypeAgentHold, parameters: `"Messages":[{"PromptId":"missing"}]`, next: errNoMatch},

		{name: "a key", kind: menu, parameters: `"Text":"x"`, results: []string{"1", "2"}, set: func(w *world) { w.keys = []string{"2"} }, want: []string{"gather text:x:en-US"}, next: "2"},
		{name: "another key forgets the rest", kind: menu, results: []string{"1"}, set: func(w *world) { w.keys = []string{"2"} }, want: []string{"gather -", "drop "}, next: errNoCondition},
		{name: "no key", kind: menu, results: []string{"1"}, set: func(w *world) { w.keys = []string{""} }, want: []string{"gather -"}, next: errInputTime},
		{name: "no sound", kind: menu, parameters: `"Text":"unspeakable"`, results: []string{"1"}, next: errNoMatch},
		{name: "a typed key", kind: menu, on: contact.Chat, parameters: `"Text":"x","InputTimeLimitSeconds":"9"`, results: []string{"1"}, set: func(w *world) { w.reply.Text = " 1\n" }, want: []string{"ask x 9s"}, next: "1"},
		{name: "a typed sentence", kind: menu, on: contact.Chat, results: []string{"1"}, set: func(w *world) { w.reply.Text = "hello" }, want: []string{"ask  5s"}, next: errNoCondition},
		{name: "nothing typed", kind: menu, on: contact.Chat, results: []string{"1"}, set: func(w *world) { w.reply.TimedOut = true }, want: []string{"ask  5s"}, next: errInputTime},
		{name: "a prompt on chat", kind: menu, on: contact.Chat, parameters: `"PromptId":"x"`, results: []string{"1"}, next: errNoMatch},
		{name: "on a task nobody types", kind: menu, on: contact.Task, results: []string{"1"}, next: errNoMatch},
		{name: "stored", kind: menu, parameters: stored, set: func(w *world) { w.keys = []string{"12"} }, want: []string{"gather -"}, next: "ok"},
		{name: "stored, typed", kind: menu, on: contact.Chat, parameters: stored, set: func(w *world) { w.reply.Text = "12 34#" }, want: []string{"ask  5s"}, next: "ok"},
		{name: "stored, typed too much", kind: menu, on: contact.Chat, parameters: stored, set: func(w *world) { w.reply.Text = "12345" }, want: []string{"ask  5s"}, next: errNoMatch},
		{name: "stored, typed words", kind: menu, on: contact.Chat, parameters: stored, set: func(w *world) { w.reply.Text = "abc" }, want: []string{"ask  5s"}, next: errNoMatch},
		{name: "stored, nothing in time", kind: menu, parameters: stored, set: func(w *world) { w.keys = []string{""} }, want: []string{"gather -"}, next: errInputTime},
		{name: "a number", kind: menu, parameters: `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}}`, set: func(w *world) { w.keys = []string{"1"} }, want: []string{"gather -"}, next: errInvalidPhone},
		{name: "a typed number", kind: menu, on: contact.Chat, parameters: `"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}}`, set: func(w *world) { w.reply.Text = "+1 (206) 555-0100" }, want: []string{"ask  5s"}, next: "ok"},
		{name: "keeps keys", kind: menu, parameters: `"EnableDTMFBuffer":"true"`, next: "ok"},
		{name: "forgets keys", kind: menu, parameters: `"EnableDTMFBuffer":"false"`, want: []string{"drop "}, next: "ok"},
		{name: "keeps keys on chat", kind: menu, on: contact.Chat, parameters: `"EnableDTMFBuffer":"true"`, next: errNoMatch},
		{name: "by its other name", kind: "StoreUserInput", parameters: `"InputValidation":{"CustomValidation":{"MaximumLength":"4"}}`, set: func(w *world) { w.keys = []string{"1"} }, want: []string{"gather -"}, next: "ok"},

		{name: "shown", kind: view, on: contact.Chat, parameters: `"ViewResource":{"Id":"v","Version":"1"},"ViewData":{"a":"$.Channel","n":1},"SensitiveDataConfiguration":{"HideResponseOn":["TRANSCRIPT"]}`, results: []string{"Back"}, set: func(w *world) { w.view.Action = "Back" }, want: []string{`view v 1 {"a":"CHAT","n":1} 6m40s hidden true`}, next: "Back"},
		{name: "answered otherwise", kind: view, on: contact.Chat, parameters: `"ViewResource":{"Id":"v"},"InvocationTimeLimitSeconds":5`, results: []string{"Back"}, set: func(w *world) { w.view.Action = "Next" }, want: []string{`view v  {} 5s hidden false`}, next: errNoCondition},
		{name: "not answered", kind: view, on: contact.Chat, parameters: `"ViewResource":{"Id":"v"}`, set: func(w *world) { w.view.TimedOut = true }, want: []string{`view v  {} 6m40s hidden false`}, next: errTime},
		{name: "filled with too much", kind: view, on: contact.Chat, parameters: `"ViewResource":{"Id":"v"},"ViewData":{"a":"$.Attributes.a"}`, set: func(w *world) { w.info.Attributes["a"] = strings.Repeat("x", maxViewData) }, next: errNoMatch},
		{name: "on voice", kind: view, parameters: `"ViewResource":{"Id":"v"}`, next: errNoMatch},

		{name: "talks", kind: bot, parameters: `"Url":"wss://x","Parameters":{"who":"$.Channel"},"TimeLimitSeconds":30`, results: []string{"Sales"}, set: func(w *world) { w.bot.Intent = "Sales" }, want: []string{"drop ", "talk wss://x map[who:VOICE] 30s"}, next: "Sales"},
		{name: "talks to no end", kind: bot, parameters: `"Url":"wss://x"`, want: []string{"drop ", "talk wss://x map[] 10m0s"}, next: errNoCondition},
		{name: "does not answer", kind: bot, parameters: `"Url":"wss://x"`, set: fail("talk", errBroken), want: []string{"drop ", "talk wss://x map[] 10m0s"}, next: errNoMatch},
		{name: "leaves", kind: bot, parameters: `"Url":"wss://x"`, set: fail("talk", ErrLeft), want: []string{"drop ", "talk wss://x map[] 10m0s"}, out: Left},

		{name: "joined for good", kind: third, parameters: phone + `"False"`, want: []string{`call +12065550100 from  "" digits  for 30s resume false`}, out: Transferred},
		{name: "joined for a while", kind: third, parameters: phone + `"True","ThirdPartyConnectionTimeoutSeconds":"60","ThirdPartyDTMFDigits":"1,2#","CallerId":{"Number":"$.SystemEndpoint.Address","Name":"Us"}`, want: []string{`call +12065550100 from +8215881234 "Us" digits 1,2# for 1m0s resume true`}, next: "ok"},
		{name: "refused", kind: third, parameters: phone + `"True"`, set: fail("call", ErrCallFailed), want: []string{`call +12065550100 from  "" digits  for 30s resume true`}, next: errCallFailed},
		{name: "not answered", kind: third, parameters: phone + `"True"`, set: fail("call", ErrCallTimeout), want: []string{`call +12065550100 from  "" digits  for 30s resume true`}, next: errCallTime},
		{name: "broken", kind: third, parameters: phone + `"False"`, set: fail("call", errBroken), want: []string{`call +12065550100 from  "" digits  for 30s resume false`}, next: errNoMatch},
		{name: "to no number", kind: third, parameters: `"ThirdPartyPhoneNumber":"$.Attributes.none","ContinueFlowExecution":"False"`, next: errNoMatch},
		{name: "on chat", kind: third, on: contact.Chat, parameters: phone + `"False"`, next: errNoMatch},

		{name: "dials", kind: "CompleteOutboundCall", in: TypeOutboundWhisper, parameters: `"CallerId":{"Number":"+8215881234"},"ConnectionTimeLimitSeconds":"20"`, want: []string{"dial +8215881234 20s"}, next: "ok"},
		{name: "cannot dial", kind: "CompleteOutboundCall", set: fail("dial", errBroken), want: []string{"dial  30s"}, next: errNoMatch},
		{name: "on chat", kind: "CompleteOutboundCall", on: contact.Chat, next: errNoMatch},

		{name: "holds", kind: "UpdatePreviousContactParticipantState", parameters: `"PreviousContactParticipantState":"AgentOnHold"`, want: []string{"hold AgentOnHold"}, next: "ok"},
		{name: "cannot hold", kind: "UpdatePreviousContactParticipantState", parameters: `"PreviousContactParticipantState":"OffHold"`, set: fail("hold", errBroken), want: []string{"hold OffHold"}, next: errNoMatch},
		{name: "on chat", kind: "UpdatePreviousContactParticipantState", on: contact.Chat, parameters: `"PreviousContactParticipantState":"OffHold"`, next: errNoMatch},

		{name: "ends", kind: "DisconnectParticipant", out: Disconnected},
	}
}

func controlRows() []row {
	const hours, check, metrics, wait = "CheckHoursOfOperation", "CheckMetricData", "GetMetricData", "Wait"
	answers, open := []string{"CallAnswered", "VoicemailBeep"}, []string{"True", "False"}
	return []row{
		{name: "open", kind: hours, parameters: `"HoursOfOperationId":"h-1"`, results: open, set: func(w *world) { w.h.open = true }, next: "True"},
		{name: "closed", kind: hours, parameters: `"HoursOfOperationId":"h-1"`, results: open, next: "False"},
		{name: "of an agent's queue, which has none", kind: hours, results: open, set: func(w *world) { w.info.Queue = &QueueRef{ID: "q-lee", AgentID: "lee"} }, next: errNoMatch},

		{name: "there are agents", kind: check, parameters: `"MetricType":"NumberOfAgentsAvailable","QueueId":"BasicQueue"`, results: []string{"0"}, operator: opGreater, set: func(w *world) { w.o.metrics.Available = 2 }, want: []string{"metrics q-1  "}, next: "0"},
		{name: "there are no agents", kind: check, parameters: `"MetricType":"NumberOfAgentsOnline","QueueId":"BasicQueue"`, results: []string{"0"}, operator: opGreater, want: []string{"metrics q-1  "}, next: errNoCondition},
		{name: "there is staff", kind: check, parameters: `"MetricType":"NumberOfAgentsStaffed","QueueId":"BasicQueue"`, results: []string{"0"}, operator: opGreater, set: func(w *world) { w.o.metrics.Staffed = 1 }, want: []string{"metrics q-1  "}, next: "0"},
		{name: "of the target queue", kind: check, parameters: `"MetricType":"NumberOfContactsInQueue"`, results: []string{"3"}, set: func(w *world) { w.o.metrics.Size = 3; w.info.Queue = &QueueRef{ID: "q-7"} }, want: []string{"metrics q-7  "}, next: "3"},
		{name: "of an agent", kind: check, parameters: `"MetricType":"OldestContactInQueueAgeSeconds","AgentId":"lee"`, results: []string{"0"}, want: []string{"metrics q-lee lee "}, next: "0"},
		{name: "of no queue", kind: check, parameters: `"MetricType":"NumberOfContactsInQueue"`, results: []string{"3"}, next: errNoMatch},
		{name: "of nobody", kind: check, parameters: `"MetricType":"NumberOfContactsInQueue","AgentId":"kim"`, results: []string{"3"}, next: errNoMatch},
		{name: "not known", kind: check, parameters: `"MetricType":"NumberOfContactsInQueue","QueueId":"q-1"`, results: []string{"3"}, set: fail("metrics", errBroken), want: []string{"metrics q-1  "}, next: errNoMatch},
		{name: "nobody counts", kind: check, parameters: `"MetricType":"NumberOfContactsInQueue","QueueId":"q-1"`, results: []string{"3"}, set: func(w *world) { w.e.Metrics = nil }, next: errNoMatch},

		{name: "a machine", kind: "CheckOutboundCallStatus", results: answers, set: func(w *world) { w.info.CallProgress = "VoicemailBeep" }, next: "VoicemailBeep"},
		{name: "nobody looked", kind: "CheckOutboundCallStatus", results: answers, next: errNoMatch},

		{name: "of a channel", kind: metrics, parameters: `"QueueId":"q-1","QueueChannel":"Chat"`, want: []string{"metrics q-1  CHAT"}, next: "ok"},
		{name: "of a channel that is none", kind: metrics, parameters: `"QueueId":"q-1","QueueChannel":"$.SystemEndpoint.Address"`, next: errNoMatch},
		{name: "not known", kind: metrics, parameters: `"QueueId":"q-1"`, set: fail("metrics", errBroken), want: []string{"metrics q-1  "}, next: errNoMatch},

		{name: "equal", kind: "Compare", parameters: `"ComparisonValue":"$.Channel"`, results: []string{"VOICE"}, next: "VOICE"},
		{name: "not equal", kind: "Compare", parameters: `"ComparisonValue":"$.Channel"`, results: []string{"CHAT"}, next: errNoCondition},
		{name: "the first share", kind: "DistributeByPercentage", results: []string{"31", "101"}, operator: opLess, set: func(w *world) { w.e.Random = func(int) int { return 29 } }, next: "31"},
		{name: "the rest", kind: "DistributeByPercentage", results: []string{"31"}, operator: opLess, set: func(w *world) { w.e.Random = func(int) int { return 30 } }, next: errNoCondition},
		{name: "of none", kind: "Loop", parameters: `"LoopCount":"0"`, results: []string{continueLooping, doneLooping}, next: doneLooping},

		{name: "done", kind: wait, on: contact.Chat, parameters: `"TimeoutSeconds":"60"`, results: []string{waitCompleted}, want: []string{"wait 1m0s []"}, next: waitCompleted},
		{name: "returned", kind: wait, on: contact.Chat, parameters: `"TimeoutSeconds":"60","Events":["CustomerReturned"]`, results: []string{waitCompleted, "CustomerReturned"}, set: func(w *world) { w.event = "CustomerReturned" }, want: []string{"wait 1m0s [CustomerReturned]"}, next: "CustomerReturned"},
		{name: "for nobody", kind: wait, on: contact.Chat, parameters: `"TimeoutSeconds":"60","Events":["BotParticipantDisconnected"]`, results: []string{waitCompleted, "BotParticipantDisconnected"}, set: fail("wait", errs.New(errs.NotFound, "no bot")), want: []string{"wait 1m0s [BotParticipantDisconnected]"}, next: errNoParticipant},
		{name: "on voice", kind: wait, parameters: `"TimeoutSeconds":"60"`, results: []string{waitCompleted}, next: errNoMatch},
		{name: "for how long", kind: wait, on: contact.Chat, parameters: `"TimeoutSeconds":"$.Channel"`, results: []string{waitCompleted}, next: errNoMatch},

		{name: "there", kind: "TransferToFlow", parameters: `"ContactFlowId":"flow"`, next: "end"},
		{name: "nowhere", kind: "TransferToFlow", parameters: `"ContactFlowId":"nowhere"`, next: errNoMatch},
		{name: "ends", kind: "EndFlowExecution", in: TypeCustomerQueue, out: Ended},
		{name: "there", kind: "InvokeFlowModule", parameters: `"FlowModuleId":"m"`, set: func(w *world) { w.h.modules["m"] = flowOf(TypeModule, doc(act("in", "EndFlowModuleExecution", ""))) }, next: "in"},
		{name: "nowhere", kind: "InvokeFlowModule", parameters: `"FlowModuleId":"m"`, next: errNoMatch},
		{name: "without modules", kind: "InvokeFlowModule", parameters: `"FlowModuleId":"m"`, set: func(w *world) { w.e.Modules = nil }, next: errNoMatch},
		{name: "outside of a module", kind: "EndFlowModuleExecution", in: TypeModule, out: Ended},
		{name: "set", kind: "UpdateFlowAttributes", parameters: `"FlowAttributes":{"a":"b"}`, next: "ok"},
		{name: "too much", kind: "UpdateFlowAttributes", parameters: `"FlowAttributes":{"a":"$.Attributes.a"}`, set: func(w *world) { w.info.Attributes["a"] = strings.Repeat("x", 33<<10) }, next: errNoMatch},
		{name: "on", kind: "UpdateFlowLoggingBehavior", parameters: `"FlowLoggingBehavior":"Enabled"`, want: []string{"update logging=true"}, next: "ok"},
		{name: "where it cannot last", kind: "UpdateFlowLoggingBehavior", parameters: `"FlowLoggingBehavior":"Disabled"`, set: fail("update", ErrNotSupported), want: []string{"update logging=false"}, next: "ok"},
	}
}
