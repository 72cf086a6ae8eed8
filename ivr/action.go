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

// catalogue makes empty actions, by type.
type catalogue map[string]func() action

// kinds are the actions that this version knows.
func kinds() catalogue {
	return catalogue{
		// with the participant
		"MessageParticipant":                    made[messageParticipant],
		"MessageParticipantIteratively":         made[messageIteratively],
		"GetParticipantInput":                   made[getInput],
		"StoreUserInput":                        func() action { return &getInput{store: true} }, // an alias that generators write
		"ShowView":                              made[showView],
		"Ullim.ConnectParticipantWithBot":       made[connectBot],
		"TransferParticipantToThirdParty":       made[thirdParty],
		"CompleteOutboundCall":                  made[outboundCall],
		"UpdatePreviousContactParticipantState": made[holdState],
		"DisconnectParticipant":                 made[disconnect],

		// which way to go
		"CheckHoursOfOperation":     made[checkHours],
		"CheckMetricData":           made[checkMetric],
		"CheckOutboundCallStatus":   made[callStatus],
		"GetMetricData":             made[getMetrics],
		"Compare":                   made[compare],
		"DistributeByPercentage":    made[distribute],
		"Loop":                      made[loop],
		"Wait":                      made[wait],
		"TransferToFlow":            made[transferToFlow],
		"EndFlowExecution":          made[endFlow],
		"InvokeFlowModule":          made[invokeModule],
		"EndFlowModuleExecution":    made[endModule],
		"UpdateFlowAttributes":      made[flowAttributes],
		"UpdateFlowLoggingBehavior": made[flowLogging],

		// of the contact
		"UpdateContactAttributes":                    made[contactAttributes],
		"UpdateContactData":                          made[contactData],
		"UpdateContactEventHooks":                    made[eventHooks],
		"UpdateContactRecordingBehavior":             made[recordingBehavior],
		"UpdateContactRecordingAndAnalyticsBehavior": made[analyticsBehavior],
		"UpdateContactMediaStreamingBehavior":        made[mediaStreaming],
		"UpdateContactMediaProcessing":               made[mediaProcessing],
		"UpdateContactTextToSpeechVoice":             made[voice],
		"TagContact":                                 made[tagContact],
		"UnTagContact":                               made[untagContact],
		"UntagContact":                               made[untagContact],
		"ResumeContact":                              made[resumeContact],
		"CreatePersistentContactAssociation":         made[persistentContact],

		// who gets the contact, and when
		"UpdateContactTargetQueue":         made[targetQueue],
		"TransferContactToQueue":           made[transferToQueue],
		"DequeueContactAndTransferToQueue": made[dequeue],
		"TransferContactToAgent":           made[transferToAgent],
		"UpdateContactRoutingBehavior":     made[routingBehavior],
		"UpdateRoutingCriteria":            made[routingCriteria],
		"UpdateContactRoutingCriteria":     made[routingCriteria], // exports have this name, the page the other
		"UpdateContactCallbackNumber":      made[callbackNumber],

		// beyond the contact
		"InvokeLambdaFunction":     made[invokeFunction],
		"CreateCallbackContact":    made[createCallback],
		"CreateTask":               made[createTask],
		"StartOutboundChatContact": made[outboundChat],
	}
}

// make gives an empty action of a type. Types that this version does not know are imported, and take their
// NoMatchingError branch when they run.
func (c catalogue) make(name string) action {
	if create, known := c[name]; known {
		return create()
	}
	return unsupported{}
}

// newAction is for a single one; whoever needs many keeps the catalogue.
func newAction(name string) action { return kinds().make(name) }

// made makes an empty action.
func made[T any, P interface {
	*T
	action
}]() action {
	return P(new(T))
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
