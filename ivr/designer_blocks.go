package ivr

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// oldBlocks are the blocks of the old designer, by type, and by type and target where that matters. Each fills the parameters
// and tells the action.
func oldBlocks() map[string]func(c *conversion, p map[string]any) string {
	say := func(c *conversion, p map[string]any) string {
		c.prompt(p)
		return "MessageParticipant"
	}
	flow := func(c *conversion, p map[string]any) string {
		c.refer(p, "ContactFlowId", "ContactFlowId")
		return "TransferToFlow"
	}
	return map[string]func(*conversion, map[string]any) string{
		"PlayPrompt": say, "PlayAudio": say,
		"LoopPrompts": (*conversion).loopPrompts,
		"GetUserInput Digits": func(c *conversion, p map[string]any) string {
			c.prompt(p)
			p["StoreInput"], p["InputTimeLimitSeconds"] = "False", c.value("Timeout", "5")
			c.value("MaxDigits", "")
			return "GetParticipantInput"
		},
		"StoreUserInput": (*conversion).store, "StoreCustomerInput": (*conversion).store,
		"Disconnect":    func(*conversion, map[string]any) string { return "DisconnectParticipant" },
		"Resume":        func(*conversion, map[string]any) string { return "EndFlowExecution" },
		"Transfer Flow": flow, "TransferToFlow": flow,
		"Transfer Queue": (*conversion).toQueue, "CustomerInQueue": (*conversion).toQueue,
		"Transfer PhoneNumber": (*conversion).toPhone, "TransferToPhoneNumber": (*conversion).toPhone,
		"Transfer Agent": func(*conversion, map[string]any) string { return "TransferContactToAgent" },
		"SetQueue": func(c *conversion, p map[string]any) string {
			c.place(p)
			return "UpdateContactTargetQueue"
		},
		"SetContactFlow": (*conversion).hook, "SetEventHook": (*conversion).hook,
		"SetAttributes": (*conversion).attributes, "SetScreenPop": (*conversion).screenPop,
		"CheckAttribute": func(c *conversion, p map[string]any) string {
			p["ComparisonValue"] = oldPath(c.value("Namespace", ""), c.value("Attribute", ""))
			return "Compare"
		},
		"CheckHoursOfOperation": func(c *conversion, p map[string]any) string {
			c.refer(p, "Hours", "HoursOfOperationId")
			return "CheckHoursOfOperation"
		},
		"CheckQueueStatus":       (*conversion).queueStatus,
		"DistributeByPercentage": func(*conversion, map[string]any) string { return "DistributeByPercentage" },
		"Loop": func(c *conversion, p map[string]any) string {
			p["LoopCount"] = c.value("LoopCount", "1")
			return "Loop"
		},
		"SetVoice": func(c *conversion, p map[string]any) string {
			p["TextToSpeechVoice"] = c.value("GlobalVoice", "Joanna")
			return "UpdateContactTextToSpeechVoice"
		},
		"SetLoggingBehavior": func(c *conversion, p map[string]any) string {
			p["FlowLoggingBehavior"] = c.value("LoggingBehavior", "Enable") + "d"
			return "UpdateFlowLoggingBehavior"
		},
		"SetRecordingBehavior":   (*conversion).recording,
		"InvokeExternalResource": (*conversion).lambda, "InvokeExternalResource Lambda": (*conversion).lambda,
		"StartMediaStreaming": (*conversion).streaming, "StopMediaStreaming": (*conversion).streaming,
		"SetCallBackNumber": func(c *conversion, p map[string]any) string {
			p["CallbackNumber"] = c.value("CallBackNumber", "")
			return "UpdateContactCallbackNumber"
		},
		"CreateCallback": (*conversion).callback,
		"UpdateRoutingPriority": func(c *conversion, p map[string]any) string {
			if v := c.value("AbsolutePosition", ""); v != "" {
				p["QueuePriority"] = v
			} else {
				p["QueueTimeAdjustmentSeconds"] = c.value("TimeOffset", "0")
			}
			return "UpdateContactRoutingBehavior"
		},
	}
}

// oldErrors are the branches of the old designer that are errors today.
func oldErrors(action string) map[string]string {
	m := map[string]string{
		"Error": errNoMatch, "NoMatch": errNoCondition, "Timeout": errInputTime, "AtCapacity": errQueueAtCapacity,
		"InvalidNumber": errInvalidPhone, "InvalidPhoneNumber": errBadCallback, "NonDialableNumber": errNoCallback,
		"CallFailure": errCallFailed, "CallFailed": errCallFailed,
	}
	switch action {
	case "TransferParticipantToThirdParty":
		m["Timeout"] = errCallTime
	case "MessageParticipantIteratively":
		delete(m, "Timeout") // the list was interrupted
	}
	return m
}

// oldResults are the branches that are results today.
func oldResults() map[string]string {
	return map[string]string{
		"True": "True", "False": "False", "Looping": continueLooping, "Complete": doneLooping, "Timeout": messagesInterrupted,
	}
}

func oldOperators() map[string]string {
	return map[string]string{
		"Equals": opEquals, "Contains": opContains, "StartsWith": opStartsWith, "EndsWith": opEndsWith,
		"GreaterThan": opGreater, "GreaterThanOrEqualTo": opGreaterEquals, "LessThan": opLess, "LessThanOrEqualTo": opLessEquals,
	}
}

// parameter finds one and notes that it was converted.
func (c *conversion) parameter(name string) *oldParameter {
	for i := range c.block.Parameters {
		if p := &c.block.Parameters[i]; p.Name == name {
			c.used[name] = true
			return p
		}
	}
	return nil
}

// value is a parameter as text or data path; instead if there is none.
func (c *conversion) value(name, instead string) string {
	p := c.parameter(name)
	if p == nil || p.Value == nil {
		return instead
	}
	return p.said()
}

func (p *oldParameter) said() string {
	if p.Namespace == "" {
		return text(p.Value)
	}
	return oldPath(p.Namespace, text(p.Value))
}

// refer takes a parameter that names a resource, with the name that the designer shows.
func (c *conversion) refer(to map[string]any, name, as string) {
	p := c.parameter(name)
	if p == nil {
		return
	}
	v := p.said()
	if v == "" { // templates leave the ARN out
		v = p.ResourceName
	}
	if v == "" {
		return
	}
	to[as] = v
	if p.ResourceName != "" && v != p.ResourceName {
		c.names[as] = map[string]any{"displayName": p.ResourceName}
	}
}

// place is a queue or an agent.
func (c *conversion) place(p map[string]any) {
	c.refer(p, "Queue", "QueueId")
	c.refer(p, "Agent", "AgentId")
}

// prompt is what is said.
func (c *conversion) prompt(p map[string]any) {
	kind := c.value("TextToSpeechType", "text")
	switch said := c.value("Text", ""); {
	case said == "":
		for _, name := range []string{"AudioPrompt", "Prompt", "PromptId"} {
			c.refer(p, name, "PromptId")
		}
	case kind == "ssml":
		p["SSML"] = said
	default:
		p["Text"] = said
	}
}

// loopPrompts has one parameter for each message, in order.
func (c *conversion) loopPrompts(p map[string]any) string {
	messages := []any{}
	for i := range c.block.Parameters {
		one := &c.block.Parameters[i]
		switch one.Name {
		case "Text":
			form := "Text"
			if one.Key == "ssml" {
				form = "SSML"
			}
			messages = append(messages, map[string]any{form: one.said()})
		case "AudioPrompt", "Prompt", "PromptId":
			messages = append(messages, map[string]any{"PromptId": one.said()})
		default:
			continue
		}
		c.used[one.Name] = true
	}
	p["Messages"] = messages
	if v := c.value("InterruptSeconds", ""); v != "" {
		p["InterruptFrequencySeconds"] = v
	}
	return "MessageParticipantIteratively"
}

func (c *conversion) store(p map[string]any) string {
	c.prompt(p)
	p["StoreInput"], p["InputTimeLimitSeconds"] = "True", c.value("Timeout", "5")
	if c.value("CustomerInputType", "Custom") == "PhoneNumber" {
		phone := map[string]any{"NumberFormat": "E164"}
		if c.value("PhoneNumberFormat", "") == "Local" {
			phone = map[string]any{"NumberFormat": "Local", "CountryCode": c.value("CountryCode", "US")}
		}
		p["InputValidation"] = map[string]any{"PhoneNumberValidation": phone}
	} else {
		p["InputValidation"] = map[string]any{"CustomValidation": map[string]any{"MaximumLength": c.value("MaxDigits", "20")}}
	}
	if strings.EqualFold(c.value("EncryptEntry", "false"), "true") {
		p["InputEncryption"] = map[string]any{"EncryptionKeyId": c.value("EncryptionKeyId", ""), "Key": c.value("EncryptionKey", "")}
	}
	dtmf := map[string]any{}
	if strings.EqualFold(c.value("DisableCancel", "false"), "true") {
		dtmf["DisableCancelKey"] = "True"
	}
	if v := c.value("TerminatorDigits", ""); v != "" {
		dtmf["InputTerminationSequence"] = v
	}
	if len(dtmf) > 0 {
		p["DTMFConfiguration"] = dtmf
	}
	return "GetParticipantInput"
}

func (c *conversion) toQueue(p map[string]any) string {
	if c.queueFlow {
		c.place(p)
		return "DequeueContactAndTransferToQueue"
	}
	return "TransferContactToQueue"
}

func (c *conversion) toPhone(p map[string]any) string {
	p["ThirdPartyPhoneNumber"] = c.value("PhoneNumber", "")
	p["ThirdPartyConnectionTimeLimitSeconds"] = c.value("TimeLimit", c.value("Timeout", "30"))
	blind := c.value("BlindTransfer", "true")
	p["ContinueFlowExecution"] = "False"
	if strings.EqualFold(blind, "false") {
		p["ContinueFlowExecution"] = "True"
	}
	if v := c.value("CallerId", ""); v != "" {
		p["CallerId"] = map[string]any{"Number": v}
	}
	return "TransferParticipantToThirdParty"
}

func (c *conversion) hook(p map[string]any) string {
	hooks := map[string]any{}
	kind := c.value("Type", "CustomerQueue")
	c.refer(hooks, "ContactFlowId", kind)
	p["EventHooks"] = hooks
	if name, ok := c.names[kind]; ok { // it stands a level deeper
		delete(c.names, kind)
		c.names["EventHooks"] = map[string]any{kind: name}
	}
	return "UpdateContactEventHooks"
}

func (c *conversion) attributes(p map[string]any) string {
	set := map[string]any{}
	for i := range c.block.Parameters {
		if one := &c.block.Parameters[i]; one.Name == "Attribute" {
			set[one.Key] = one.said()
			c.used[one.Name] = true
		}
	}
	p["Attributes"] = set
	return "UpdateContactAttributes"
}

func (c *conversion) screenPop(p map[string]any) string {
	p["Attributes"] = map[string]any{c.value("key", ""): c.value("value", "")}
	return "UpdateContactAttributes"
}

func (c *conversion) queueStatus(p map[string]any) string {
	c.place(p)
	p["MetricType"] = metricSize
	kinds := map[string]bool{}
	for _, b := range c.block.Branches {
		if strings.HasPrefix(b.Condition, "CheckQueue") {
			kinds[b.Condition] = true
		}
	}
	if kinds["CheckQueueTime"] {
		p["MetricType"] = metricOldest
	}
	if len(kinds) > 1 {
		c.warn("Transitions.Conditions", "compared both the time and the size of a queue in the old designer: today that takes two actions")
	}
	return "CheckMetricData"
}

func (c *conversion) recording(p map[string]any) string {
	who := []any{}
	if c.value("RecordingBehaviorOption", "Enable") == "Enable" {
		switch c.value("RecordingParticipantOption", "Both") {
		case "Agent":
			who = []any{"Agent"}
		case "Customer":
			who = []any{"Customer"}
		default:
			who = []any{"Agent", "Customer"}
		}
	} else {
		c.value("RecordingParticipantOption", "")
	}
	p["RecordingBehavior"] = map[string]any{"RecordedParticipants": who}
	return "UpdateContactRecordingBehavior"
}

func (c *conversion) lambda(p map[string]any) string {
	c.refer(p, "FunctionArn", "LambdaFunctionARN")
	p["InvocationTimeLimitSeconds"] = c.value("TimeLimit", "3")
	inputs := map[string]any{}
	for i := range c.block.Parameters {
		if one := &c.block.Parameters[i]; one.Name == "Parameter" {
			inputs[one.Key] = one.said()
			c.used[one.Name] = true
		}
	}
	if len(inputs) > 0 {
		p["LambdaInvocationAttributes"] = inputs
	}
	return "InvokeLambdaFunction"
}

func (c *conversion) streaming(p map[string]any) string {
	c.value("ParticipantTypes", "")
	c.value("MediaStreamTypes", "")
	p["MediaStreamingState"], p["MediaStreamType"] = "Disabled", "Audio"
	if c.block.Type == "StartMediaStreaming" {
		p["MediaStreamingState"] = "Enabled"
	}
	p["Participants"] = []any{map[string]any{"ParticipantType": "Customer", "MediaDirections": []any{"To", "From"}}}
	return "UpdateContactMediaStreamingBehavior"
}

func (c *conversion) callback(p map[string]any) string {
	c.place(p)
	p["InitialCallDelaySeconds"] = c.value("InitialDelaySeconds", "5")
	p["MaximumConnectionAttempts"] = strconv.Itoa(max(atLeast(c.value("MaxRetryAttempts", "0"))+1, 1)) // retries were counted
	p["RetryDelaySeconds"] = c.value("RetryDelaySeconds", "600")
	return "CreateCallbackContact"
}

// oldPath is a data path of today for a name in a name space of the old designer.
func oldPath(namespace, name string) string {
	root := map[string]string{
		"External": "External", "User Defined": "Attributes", "Lex Attributes": "Lex.SessionAttributes", "Lex Slots": "Lex.Slots",
	}[namespace]
	if root == "" {
		plain := strings.ToLower(strings.ReplaceAll(name, "-", " "))
		if path, ok := oldSystemPaths()[plain]; ok {
			return "$." + path
		}
		if namespace == "" {
			return name
		}
		root = strings.ReplaceAll(namespace, " ", "")
	}
	if strings.ContainsAny(name, " .'") {
		return fmt.Sprintf("$.%s.['%s']", root, strings.ReplaceAll(name, "'", ""))
	}
	return "$." + root + "." + name
}

func oldSystemPaths() map[string]string {
	return map[string]string{
		"customer number": "CustomerEndpoint.Address", "dialed number": "SystemEndpoint.Address", "stored customer input": "StoredCustomerInput",
		"customer callback number": "CustomerCallbackNumber", "queue name": "Queue.Name", "queue arn": "Queue.ARN", "channel": "Channel",
		"contact id": "ContactId", "initial contact id": "InitialContactId", "previous contact id": "PreviousContactId",
		"instance arn": "InstanceARN", "initiation method": "InitiationMethod", "text to speech voice": "TextToSpeechVoiceId",
		"agent user name": "Agent.UserName", "agent first name": "Agent.FirstName", "agent last name": "Agent.LastName", "agent arn": "Agent.ARN",
	}
}

// text is a value of the old format: texts, numbers and truths were mixed.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// atLeast is a whole number in a text, or 0.
func atLeast(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
