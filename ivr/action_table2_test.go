package ivr

import (
	"strings"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func contactRows() []row {
	const attributes, data, hooks, tag, untag = "UpdateContactAttributes", "UpdateContactData", "UpdateContactEventHooks", "TagContact", "UnTagContact"
	const record, analytics, stream, process = "UpdateContactRecordingBehavior", "UpdateContactRecordingAndAnalyticsBehavior", "UpdateContactMediaStreamingBehavior", "UpdateContactMediaProcessing"
	const voices, persist = "UpdateContactTextToSpeechVoice", "CreatePersistentContactAssociation"
	const both = `"MediaStreamingState":"Enabled","MediaStreamType":"Audio","Participants":[{"ParticipantType":"Customer","MediaDirections":["From","To"]}]`
	return []row{
		{name: "set", kind: attributes, parameters: `"Attributes":{"a":"$.Channel"}`, want: []string{"attributes a=VOICE"}, next: "ok"},
		{name: "under a key from a path", kind: attributes, parameters: `"Attributes":{"$.Attributes.k":"b"}`, set: func(w *world) { w.info.Attributes["k"] = "plan" }, want: []string{"attributes plan=b"}, next: "ok"},
		{name: "under a key that is none", kind: attributes, parameters: `"Attributes":{"$.Attributes.k":"b"}`, next: errNoMatch},
		{name: "too much", kind: attributes, parameters: `"Attributes":{"a":"b"}`, set: fail("attributes", errs.New(errs.Limit, "full")), want: []string{"attributes a=b"}, next: errNoMatch},
		{name: "of the related contact", kind: attributes, parameters: `"Attributes":{"a":"b"},"TargetContact":"Related"`, want: []string{"related map[a:b]"}, next: "ok"},

		{
			name: "all of it", kind: data, parameters: `"Name":"n","Description":"$.Channel","CustomerId":"7","LanguageCode":"ko-KR","References":{"site":{"Type":"URL","Value":"https://x"},"k":"v"},"TargetContact":"Current"`,
			want: []string{"update name=n description=VOICE customer=7 k=STRING:v site=URL:https://x", "voice  ko-KR"}, next: "ok",
		},
		{name: "a long customer", kind: data, parameters: `"CustomerId":"$.Attributes.a"`, set: func(w *world) { w.info.Attributes["a"] = strings.Repeat("x", 129) }, next: errNoMatch},
		{name: "of the related contact", kind: data, parameters: `"Name":"n","TargetContact":"Related"`, want: []string{"related data true"}, next: "ok"},
		{name: "of other products", kind: data, parameters: `"WisdomSessionArn":"arn:x"`, next: errNoMatch},
		{name: "refused", kind: data, parameters: `"Name":"n"`, set: fail("update", errBroken), want: []string{"update name=n"}, next: errNoMatch},

		{name: "set", kind: hooks, parameters: `"EventHooks":{"CustomerRemaining":"flow"}`, want: []string{"hook CustomerRemaining f-CONTACT_FLOW"}, next: "ok"},
		{name: "an agent's view", kind: hooks, parameters: `"EventHooks":{"DefaultAgentUI":"flow"}`, want: []string{"hook DefaultAgentUI f-CONTACT_FLOW"}, next: "ok"},
		{name: "after the contact", kind: hooks, parameters: `"EventHooks":{"DisconnectAgentUI":"flow"}`, want: []string{"hook DisconnectAgentUI f-CONTACT_FLOW"}, next: "ok"},
		{name: "a pause", kind: hooks, parameters: `"EventHooks":{"PauseContact":"flow"}`, want: []string{"hook PauseContact f-CONTACT_FLOW"}, next: "ok"},
		{name: "the end of a pause", kind: hooks, parameters: `"EventHooks":{"ResumeContact":"flow"}`, want: []string{"hook ResumeContact f-CONTACT_FLOW"}, next: "ok"},
		{name: "restored", kind: hooks, parameters: `"EventHooks":{"AgentHold":""}`, want: []string{"hook AgentHold "}, next: "ok"},
		{name: "a hold on chat", kind: hooks, on: contact.Chat, parameters: `"EventHooks":{"AgentHold":""}`, next: errNoMatch},
		{name: "a whisper on chat", kind: hooks, on: contact.Chat, parameters: `"EventHooks":{"AgentWhisper":""}`, want: []string{"hook AgentWhisper "}, next: "ok"},
		{name: "of another type", kind: hooks, parameters: `"EventHooks":{"CustomerHold":"flow"}`, next: errNoMatch},

		{name: "with the part of flows", kind: record, parameters: `"RecordingBehavior":{"RecordedParticipants":[],"IVRRecordingBehavior":"Enabled","ScreenRecordedParticipants":["Agent"]}`, want: []string{"record agent=false customer=false", "record flows true"}, next: "ok"},
		{name: "no more of flows", kind: record, parameters: `"RecordingBehavior":{"RecordedParticipants":[],"IVRRecordingBehavior":"Disabled"}`, want: []string{"record agent=false customer=false", "record flows false"}, next: "ok"},
		{name: "both", kind: record, parameters: `"RecordingBehavior":{"RecordedParticipants":["Agent","Customer"]}`, want: []string{"record agent=true customer=true"}, next: "ok"},
		{name: "in the newer form", kind: analytics, parameters: `"VoiceBehavior":{"VoiceRecordingBehavior":{"RecordedParticipants":["Customer"]},"VoiceAnalyticsBehavior":{"Enabled":"True"}}`, want: []string{"record agent=false customer=true"}, next: "ok"},
		{name: "in the older form", kind: analytics, parameters: `"RecordingBehavior":{"RecordedParticipants":[]}`, want: []string{"record agent=false customer=false"}, next: "ok"},
		{name: "for chat on voice", kind: analytics, parameters: `"ChatBehavior":{"ChatAnalyticsBehavior":{"Enabled":"True"}}`, next: errChannel},
		{name: "for voice on chat", kind: analytics, on: contact.Chat, parameters: `"VoiceBehavior":{"VoiceRecordingBehavior":{"RecordedParticipants":[]}}`, next: errChannel},
		{name: "for chat", kind: analytics, on: contact.Chat, parameters: `"ChatBehavior":{"ChatAnalyticsBehavior":{"Enabled":"True"}}`, next: "ok"},
		{name: "that hides words", kind: analytics, on: contact.Chat, parameters: `"ChatBehavior":{"ChatAnalyticsBehavior":{"InFlightChatRedactionConfiguration":{"Enabled":"True"}}}`, next: errRedaction},
		{name: "refused", kind: analytics, parameters: `"VoiceBehavior":{"VoiceRecordingBehavior":{"RecordedParticipants":[]}}`, set: fail("record", errBroken), want: []string{"record agent=false customer=false"}, next: errNoMatch},

		{name: "starts", kind: stream, parameters: both, want: []string{"stream  from true to true"}, next: "ok"},
		{name: "starts elsewhere", kind: stream, parameters: `"MediaStreamingState":"Enabled","Ullim.Url":"wss://x","Participants":[{"ParticipantType":"Customer","MediaDirections":["From"]}]`, want: []string{"stream wss://x from true to false"}, next: "ok"},
		{name: "stops", kind: stream, parameters: `"MediaStreamingState":"Disabled"`, want: []string{"stream stops"}, next: "ok"},
		{name: "cannot", kind: stream, parameters: both, set: fail("stream", errBroken), want: []string{"stream  from true to true"}, next: errNoMatch},
		{name: "on chat", kind: stream, on: contact.Chat, parameters: both, next: errNoMatch},

		{name: "on", kind: process, on: contact.Chat, parameters: `"ChatProcessor":{"ProcessingEnabled":"True","LambdaProcessorARN":"arn:f","ChatProcessorSettings":{"DeliverUnprocessedMessages":"True"}}`, want: []string{"processor arn:f true"}, next: "ok"},
		{name: "off", kind: process, on: contact.Chat, parameters: `"ChatProcessor":{"ProcessingEnabled":"False"}`, want: []string{"processor  false"}, next: "ok"},
		{name: "cannot", kind: process, on: contact.Chat, parameters: `"ChatProcessor":{"ProcessingEnabled":"False"}`, set: fail("processor", errBroken), want: []string{"processor  false"}, next: errNoMatch},
		{name: "on voice", kind: process, parameters: `"ChatProcessor":{"ProcessingEnabled":"False"}`, next: errChannel},

		{name: "set", kind: voices, parameters: `"TextToSpeechVoice":"Seoyeon"`, want: []string{"voice Seoyeon ko-KR"}, next: "ok"},
		{name: "on chat", kind: voices, on: contact.Chat, parameters: `"TextToSpeechVoice":"Seoyeon"`, next: "ok"},
		{name: "refused", kind: voices, parameters: `"TextToSpeechVoice":"Joanna"`, set: fail("voice", errBroken), want: []string{"voice Joanna en-US"}, next: errNoMatch},

		{name: "set", kind: tag, parameters: `"Tags":{"a":"$.Channel","b":"c"}`, want: []string{"update tag a=VOICE tag b=c"}, next: "ok"},
		{name: "by a key from a path", kind: tag, parameters: `"Tags":{"$.Channel":"b"}`, want: []string{"update tag VOICE=b"}, next: "ok"},
		{name: "too many", kind: tag, parameters: `"Tags":{"a":"b"}`, set: fail("update", errs.New(errs.Limit, "6")), want: []string{"update tag a=b"}, next: errNoMatch},
		{name: "too long", kind: tag, parameters: `"Tags":{"a":"$.Attributes.a"}`, set: func(w *world) { w.info.Attributes["a"] = strings.Repeat("x", 257) }, next: errNoMatch},
		{name: "taken away", kind: untag, parameters: `"TagKeys":["a","b"]`, want: []string{"update untag a untag b"}, next: "ok"},
		{name: "not taken away", kind: untag, parameters: `"TagKeys":["a"]`, set: fail("update", errBroken), want: []string{"update untag a"}, next: errNoMatch},
		{name: "taken away, as exports spell it", kind: "UntagContact", parameters: `"TagKeys":["a"]`, want: []string{"update untag a"}, next: "ok"},
		{name: "not taken away", kind: "UntagContact", parameters: `"TagKeys":["a"]`, set: fail("update", errBroken), want: []string{"update untag a"}, next: errNoMatch},

		{name: "goes on", kind: "ResumeContact", on: contact.Task, want: []string{"resume "}, next: "ok"},
		{name: "does not", kind: "ResumeContact", set: fail("resume", errBroken), want: []string{"resume "}, next: errNoMatch},
		{name: "goes on", kind: persist, on: contact.Chat, parameters: `"RehydrationType":"FROM_SEGMENT","SourceContactId":"$.Attributes.a"`, set: func(w *world) { w.info.Attributes["a"] = "c-5" }, want: []string{"associate FROM_SEGMENT c-5"}, next: "ok"},
		{name: "from nothing", kind: persist, on: contact.Chat, parameters: `"RehydrationType":"FROM_SEGMENT","SourceContactId":"$.Attributes.a"`, next: errNoMatch},
		{name: "on voice", kind: persist, parameters: `"RehydrationType":"ENTIRE_PAST_SESSION","SourceContactId":"c"`, next: errNoMatch},
	}
}

func routingRows() []row {
	const target, move, behavior, criteria, callback = "UpdateContactTargetQueue", "DequeueContactAndTransferToQueue", "UpdateContactRoutingBehavior", "UpdateRoutingCriteria", "UpdateContactCallbackNumber"
	const step = `"RoutingCriteria":{"Steps":[{"Expression":{"AndExpression":[{"AttributeCondition":{"Name":"Language","Value":"$.Attributes.l","ProficiencyLevel":"4.0","ComparisonOperator":"NumberGreaterOrEqualTo"}}]},"Expiry":{"DurationInSeconds":"30"}}]}`
	const checked = `update criteria={"AndExpression":[{"AttributeCondition":{"ComparisonOperator":"NumberGreaterOrEqualTo","Name":"Language","ProficiencyLevel":4,"Value":"ko"}}]}/30s`
	language := func(w *world) { w.info.Attributes["l"] = "ko" }
	return []row{
		{name: "by name", kind: target, parameters: `"QueueId":"BasicQueue"`, want: []string{"target BasicQueue"}, next: "ok"},
		{name: "of an agent", kind: target, parameters: `"AgentId":"lee"`, want: []string{"target lee"}, next: "ok"},
		{name: "of nobody", kind: target, parameters: `"AgentId":"kim"`, next: errNoMatch},

		{name: "waits", kind: "TransferContactToQueue", want: []string{"drop ", "queue "}, out: Queued},
		{name: "full", kind: "TransferContactToQueue", set: fail("queue", errs.New(errs.Limit, "full")), want: []string{"drop ", "queue "}, next: errQueueAtCapacity},
		{name: "impossible", kind: "TransferContactToQueue", set: fail("queue", errBroken), want: []string{"drop ", "queue "}, next: errNoMatch},

		{name: "moves", kind: move, in: TypeCustomerQueue, parameters: `"QueueId":"q-1"`, want: []string{"drop ", "requeue BasicQueue"}, out: Queued},
		{name: "moves to an agent", kind: move, in: TypeCustomerQueue, parameters: `"AgentId":"lee"`, want: []string{"drop ", "requeue lee"}, out: Queued},
		{name: "full", kind: move, in: TypeCustomerQueue, parameters: `"QueueId":"q-1"`, set: fail("requeue", errs.New(errs.Limit, "full")), want: []string{"drop ", "requeue BasicQueue"}, next: errQueueAtCapacity},
		{name: "being joined", kind: move, in: TypeCustomerQueue, parameters: `"QueueId":"q-1"`, set: fail("requeue", errs.New(errs.InvalidRequest, "being joined")), want: []string{"drop ", "requeue BasicQueue"}, next: errNoMatch},
		{name: "to nowhere", kind: move, in: TypeCustomerQueue, parameters: `"QueueId":"x"`, next: errNoMatch},

		{name: "joined", kind: "TransferContactToAgent", in: TypeAgentTransfer, want: []string{"agent "}, out: Transferred},
		{name: "busy", kind: "TransferContactToAgent", in: TypeQueueTransfer, set: fail("agent", errBroken), want: []string{"agent "}, next: errNoMatch},
		{name: "on chat", kind: "TransferContactToAgent", in: TypeAgentTransfer, on: contact.Chat, next: errNoMatch},

		{name: "urgent", kind: behavior, parameters: `"QueuePriority":"1"`, want: []string{"update priority=1"}, next: "ok"},
		{name: "later", kind: behavior, parameters: `"QueueTimeAdjustmentSeconds":"-60"`, want: []string{"update age=-1m0s"}, next: "ok"},
		{name: "refused, with a branch", kind: behavior, parameters: `"QueuePriority":"1"`, set: fail("update", errBroken), want: []string{"update priority=1"}, next: errNoMatch},

		{name: "checked", kind: criteria, parameters: step, set: language, want: []string{checked}, next: "ok"},
		{name: "without a language", kind: criteria, parameters: step, next: errNoMatch},
		{name: "without skills", kind: criteria, parameters: step, set: func(w *world) { language(w); w.fail["update"] = ErrNotSupported }, want: []string{checked}, next: errNoMatch},
		{
			name: "as text", kind: "UpdateContactRoutingCriteria", parameters: `"RoutingCriteria":"$.Attributes.c"`,
			set: func(w *world) {
				w.info.Attributes["c"] = `{"Steps":[{"Expression":{"NotAttributeCondition":{"Name":"a","Value":"b","ComparisonOperator":"Match"}}}]}`
			},
			want: []string{`update criteria={"NotAttributeCondition":{"ComparisonOperator":"Match","Name":"a","Value":"b"}}/0s`}, next: "ok",
		},
		{name: "of nothing", kind: "UpdateContactRoutingCriteria", parameters: `"RoutingCriteria":"$.External.c"`, next: errNoMatch},

		{name: "set", kind: callback, parameters: `"CallbackNumber":"$.Attributes.n"`, set: func(w *world) { w.info.Attributes["n"] = "010-1234-5678" }, want: []string{"update callback=+821012345678"}, next: "ok"},
		{name: "not a number", kind: callback, parameters: `"CallbackNumber":"$.Attributes.n"`, next: errBadCallback},
		{name: "not dialable", kind: callback, parameters: `"CallbackNumber":"$.CustomerEndpoint.Address"`, set: fail("update", errs.New(errs.Denied, "not there")), want: []string{"update callback=+821012345678"}, next: errNoCallback},
		{name: "on chat", kind: callback, on: contact.Chat, parameters: `"CallbackNumber":"$.CustomerEndpoint.Address"`, next: errBadCallback},
	}
}

func otherRows() []row {
	const function, callback, task, sms = "InvokeLambdaFunction", "CreateCallbackContact", "CreateTask", "StartOutboundChatContact"
	const arn, outbound = `"LambdaFunctionARN":"arn:f"`, `"SourceEndpoint":{"Type":"CONNECT_PHONENUMBER_ARN","Address":"arn:n"},"DestinationEndpoint":{"Type":"TELEPHONE_NUMBER","Address":"$.CustomerEndpoint.Address"},"ContactFlowArn":"flow","ContactSubtype":"connect:SMS","InitialSystemMessage":{"Content":"hi"},"RelatedContact":"CURRENT"`
	return []row{
		{name: "answers", kind: function, parameters: arn + `,"InvocationTimeLimitSeconds":"8"`, want: []string{"invoke arn:f 8s async false"}, next: "ok"},
		{name: "with something to hear", kind: function, parameters: arn + `,"Ullim.WaitingPromptId":"Music"`, want: []string{"meanwhile prompt:Music:en-US", "invoke arn:f 3s async false", "meanwhile stops"}, next: "ok"},
		{name: "with nothing to hear", kind: function, parameters: arn + `,"Ullim.WaitingPromptId":"missing"`, want: []string{"invoke arn:f 3s async false"}, next: "ok"},
		{name: "later", kind: function, parameters: arn + `,"InvocationType":"ASYNCHRONOUS"`, want: []string{"invoke arn:f 3s async true"}, next: "ok"},
		{name: "fails", kind: function, parameters: arn, set: fail("invoke", errBroken), want: []string{"invoke arn:f 3s async false"}, next: errNoMatch},
		{name: "nested, not allowed", kind: function, parameters: arn, set: func(w *world) { w.o.answer = `{"a":{}}` }, want: []string{"invoke arn:f 3s async false"}, next: errNoMatch},
		{name: "nested, allowed", kind: function, parameters: arn + `,"ResponseValidation":{"ResponseType":"JSON"}`, set: func(w *world) { w.o.answer = `{"a":{}}` }, want: []string{"invoke arn:f 3s async false"}, next: "ok"},
		{name: "no object", kind: function, parameters: arn + `,"ResponseValidation":{"ResponseType":"JSON"}`, set: func(w *world) { w.o.answer = `[1]` }, want: []string{"invoke arn:f 3s async false"}, next: errNoMatch},
		{name: "too much", kind: function, parameters: arn, set: func(w *world) { w.o.answer = `{"a":"` + strings.Repeat("x", 32<<10) + `"}` }, want: []string{"invoke arn:f 3s async false"}, next: errNoMatch},
		{name: "not there", kind: function, parameters: arn, set: func(w *world) { w.e.Functions = nil }, next: errNoMatch},
		{name: "of no name", kind: function, parameters: `"LambdaFunctionARN":"$.Attributes.none"`, next: errNoMatch},

		{
			name: "made", kind: callback, parameters: `"QueueId":"BasicQueue","InitialCallDelaySeconds":"60","MaximumConnectionAttempts":"3","RetryDelaySeconds":"300","CallerId":"+8215881234"`,
			want: []string{"callback +821012345678 on BasicQueue delay 1m0s attempts 3 retry 5m0s flow  from +8215881234"}, next: "ok",
		},
		{
			name: "with a flow, at once", kind: callback, parameters: `"InitialCallDelaySeconds":"60","ContactFlowId":"flow","CallerId":{"Number":"+8215881234"}`,
			set:  func(w *world) { w.info.Queue = &QueueRef{Name: "Sales"}; w.info.CallbackNumber = "+8225550000" },
			want: []string{"callback +8225550000 on Sales delay 0s attempts 1 retry 0s flow f-CONTACT_FLOW from +8215881234"}, next: "ok",
		},
		{name: "to nobody", kind: callback, parameters: `"QueueId":"q-1"`, set: func(w *world) { w.info.Customer.Address = "sip:kim@x" }, next: errNoMatch},
		{name: "without a queue", kind: callback, next: errNoMatch},
		{name: "refused", kind: callback, parameters: `"QueueId":"q-1"`, set: fail("callback", errBroken), want: []string{"callback +821012345678 on BasicQueue delay 0s attempts 1 retry 0s flow  from "}, next: errNoMatch},
		{name: "not possible", kind: callback, parameters: `"QueueId":"q-1"`, set: func(w *world) { w.e.Callbacks = nil }, next: errNoMatch},

		{
			name: "made", kind: task, parameters: `"ContactFlowId":"flow","Name":"call $.Channel","Description":"d","DelaySeconds":"60","References":{"r":{"Type":"URL","Value":"https://x"}},"Attributes":{"a":"b"}`,
			want: []string{`task f-CONTACT_FLOW "call VOICE" "d" map[r:{URL https://x}] map[a:b] later true`}, next: "ok",
		},
		{name: "without a flow", kind: task, parameters: `"ContactFlowId":"x","Name":"n"`, next: errNoMatch},
		{name: "without a name", kind: task, parameters: `"ContactFlowId":"flow","Name":"$.Attributes.none"`, next: errNoMatch},
		{name: "of a template", kind: task, parameters: `"TaskTemplateId":"t","Name":"n"`, next: errNoMatch},
		{name: "in the far future", kind: task, parameters: `"ContactFlowId":"flow","Name":"n","ScheduledTime":"2100-01-01"`, next: errNoMatch},
		{name: "refused", kind: task, parameters: `"ContactFlowId":"flow","Name":"n"`, set: fail("task", errBroken), want: []string{`task f-CONTACT_FLOW "n" "" map[] map[] later false`}, next: errNoMatch},
		{name: "not possible", kind: task, parameters: `"ContactFlowId":"flow","Name":"n"`, set: func(w *world) { w.e.Tasks = nil }, next: errNoMatch},

		{name: "sent", kind: sms, parameters: outbound, want: []string{"sms arn:n to +821012345678 by flow: hi related true"}, next: "ok"},
		{name: "refused", kind: sms, parameters: outbound, set: fail("sms", errBroken), want: []string{"sms arn:n to +821012345678 by flow: hi related true"}, next: errNoMatch},
		{name: "not possible", kind: sms, parameters: outbound, set: func(w *world) { w.e.Chats = nil }, next: errNoMatch},
	}
}
