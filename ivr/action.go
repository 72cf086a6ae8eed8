package ivr

import (
	"context"
	"slices"

	"ullim/internal/contact"
)

// Error types of the flow language that this version's actions give.
const (
	errNoMatch         = "NoMatchingError"
	errNoCondition     = "NoMatchingCondition"
	errInputTime       = "InputTimeLimitExceeded"
	errInvalidPhone    = "InvalidPhoneNumber"
	errQueueAtCapacity = "QueueAtCapacity"
	errNoParticipant   = "ParticipantNotFound"
	errCallFailed      = "CallFailed"
	errCallTime        = "ConnectionTimeLimitExceeded"
	errTime            = "TimeLimitExceeded"
	errChannel         = "ChannelMismatch"
	errRedaction       = "InFlightRedactionConfigurationFailed"
	errBadCallback     = "InvalidCallbackNumber"
	errNoCallback      = "CallbackNumberNotDialable"
)

// action is what one node of a flow does. A value belongs to one node and is shared by sessions: read fills it once,
// run must not change it.
type action interface {
	// read takes the parameters and notes what is wrong with them.
	read(p *params)
	// rules says where the action may be used and how it must be wired.
	rules() rules
	// run does it.
	run(ctx context.Context, s *session) step
}

// rules of one action, for publishing.
type rules struct {
	flows      []FlowType    // where it may be used; nil is everywhere
	last       bool          // ends the flow: no transitions
	pauses     bool          // takes the participant's time, or counts: a way round through it does not spin
	next       bool          // NextAction is needed
	errors     []string      // error branches that are needed (A1.7)
	conditions func(*wiring) // checks the conditions; nil: there must be none
}

// step is how an action ended: with an outcome (the flow is over), with an error type, with a result to be compared, or
// simply done.
type step struct {
	outcome   Outcome
	errorType string
	why       error // behind errorType; logged
	judged    bool  // result is to be compared with the conditions
	result    string
	secret    bool // the result is not for logs
	absent    bool // the result is empty because there is no such value
	returned  bool // the module that runs is over
}

func done() step                 { return step{} }
func result(v string) step       { return step{judged: true, result: v} }
func ended(o Outcome) step       { return step{outcome: o} }
func failed(t string) step       { return step{errorType: t} }
func failedBy(err error) step    { return step{errorType: errNoMatch, why: err} }
func secretResult(v string) step { return step{judged: true, result: v, secret: true} }

// newAction gives an empty action of a type. Types that this version does not know are imported, and take their
// NoMatchingError branch when they run.
func newAction(name string) action {
	for _, find := range []func(string) action{participantAction, controlAction, contactAction, routingAction, otherAction} {
		if a := find(name); a != nil {
			return a
		}
	}
	return unsupported{}
}

// participantAction finds what is done with the participant.
func participantAction(name string) action {
	switch name {
	case "MessageParticipant":
		return &messageParticipant{}
	case "MessageParticipantIteratively":
		return &messageIteratively{}
	case "GetParticipantInput":
		return &getInput{}
	case "StoreUserInput": // an alias that generators write
		return &getInput{store: true}
	case "ShowView":
		return &showView{}
	case "Ullim.ConnectParticipantWithBot":
		return &connectBot{}
	case "TransferParticipantToThirdParty":
		return &thirdParty{}
	case "CompleteOutboundCall":
		return &outboundCall{}
	case "UpdatePreviousContactParticipantState":
		return &holdState{}
	case "DisconnectParticipant":
		return disconnect{}
	}
	return nil
}

// controlAction finds what chooses the way through the flow.
func controlAction(name string) action {
	switch name {
	case "CheckHoursOfOperation":
		return &checkHours{}
	case "CheckMetricData":
		return &checkMetric{}
	case "CheckOutboundCallStatus":
		return callStatus{}
	case "GetMetricData":
		return &getMetrics{}
	case "Compare":
		return &compare{}
	case "DistributeByPercentage":
		return distribute{}
	case "Loop":
		return &loop{}
	case "Wait":
		return &wait{}
	case "TransferToFlow":
		return &transferToFlow{}
	case "EndFlowExecution":
		return endFlow{}
	case "InvokeFlowModule":
		return &invokeModule{}
	case "EndFlowModuleExecution":
		return endModule{}
	case "UpdateFlowAttributes":
		return &flowAttributes{}
	case "UpdateFlowLoggingBehavior":
		return &flowLogging{}
	}
	return nil
}

// contactAction finds what changes the contact.
func contactAction(name string) action {
	switch name {
	case "UpdateContactAttributes":
		return &contactAttributes{}
	case "UpdateContactData":
		return &contactData{}
	case "UpdateContactEventHooks":
		return &eventHooks{}
	case "UpdateContactRecordingBehavior":
		return &recordingBehavior{}
	case "UpdateContactRecordingAndAnalyticsBehavior":
		return &analyticsBehavior{}
	case "UpdateContactMediaStreamingBehavior":
		return &mediaStreaming{}
	case "UpdateContactMediaProcessing":
		return &mediaProcessing{}
	case "UpdateContactTextToSpeechVoice":
		return &voice{}
	case "TagContact":
		return &tagContact{}
	case "UnTagContact", "UntagContact":
		return &untagContact{}
	case "ResumeContact":
		return resumeContact{}
	case "CreatePersistentContactAssociation":
		return &persistentContact{}
	}
	return nil
}

// routingAction finds what decides who gets the contact, and when.
func routingAction(name string) action {
	switch name {
	case "UpdateContactTargetQueue":
		return &targetQueue{}
	case "TransferContactToQueue":
		return transferToQueue{}
	case "DequeueContactAndTransferToQueue":
		return &dequeue{}
	case "TransferContactToAgent":
		return transferToAgent{}
	case "UpdateContactRoutingBehavior":
		return &routingBehavior{}
	case "UpdateRoutingCriteria", "UpdateContactRoutingCriteria": // the page has the first, exports the second
		return &routingCriteria{}
	case "UpdateContactCallbackNumber":
		return &callbackNumber{}
	}
	return nil
}

// otherAction finds what reaches beyond the contact.
func otherAction(name string) action {
	switch name {
	case "InvokeLambdaFunction":
		return &invokeFunction{}
	case "CreateCallbackContact":
		return &createCallback{}
	case "CreateTask":
		return &createTask{}
	case "StartOutboundChatContact":
		return &outboundChat{}
	}
	return nil
}

// supported tells whether this version can run the action.
func (n *Node) supported() bool {
	_, no := n.act.(unsupported)
	return !no
}

// unsupported stands for every action of later versions and other products.
type unsupported struct{}

func (unsupported) read(*params) {}

func (unsupported) rules() rules { return rules{conditions: func(*wiring) {}} }

func (unsupported) run(context.Context, *session) step {
	return step{errorType: errNoMatch, why: ErrNotSupported}
}

// Groups of flow types, as the block catalogue of A1.5 names them.

func inboundAndTransfer() []FlowType {
	return []FlowType{TypeInbound, TypeAgentTransfer, TypeQueueTransfer}
}

func inboundTransferQueue() []FlowType { return append(inboundAndTransfer(), TypeCustomerQueue) }

func whispers() []FlowType {
	return []FlowType{TypeCustomerWhisper, TypeOutboundWhisper, TypeAgentWhisper}
}

func holds() []FlowType { return []FlowType{TypeCustomerHold, TypeAgentHold} }

// TypeModule stands for the type of a flow in what a module may contain: it has no type of its own, and is checked as an
// inbound flow that may return.
const TypeModule FlowType = "FLOW_MODULE"

func (r rules) allowedIn(t FlowType) bool {
	return r.flows == nil || slices.Contains(r.flows, t) || t == TypeModule && slices.Contains(r.flows, TypeInbound)
}

// only is nil on one of these channels, else the error of an action that is not for the contact's channel.
func (s *session) only(channels ...contact.Channel) error {
	if slices.Contains(channels, s.info().Channel) {
		return nil
	}
	return ErrNotSupported
}
