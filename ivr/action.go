package ivr

import (
	"context"
	"slices"
)

// Error types of the flow language that this version's actions give.
const (
	errNoMatch         = "NoMatchingError"
	errNoCondition     = "NoMatchingCondition"
	errInputTime       = "InputTimeLimitExceeded"
	errInvalidPhone    = "InvalidPhoneNumber"
	errQueueAtCapacity = "QueueAtCapacity"
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
	switch name {
	case "MessageParticipant":
		return &messageParticipant{}
	case "MessageParticipantIteratively":
		return &messageIteratively{}
	case "GetParticipantInput":
		return &getInput{}
	case "StoreUserInput": // an alias that generators write
		return &getInput{store: true}
	case "CheckHoursOfOperation":
		return &checkHours{}
	case "UpdateContactTargetQueue":
		return &targetQueue{}
	case "TransferContactToQueue":
		return transferToQueue{}
	case "Compare":
		return &compare{}
	case "UpdateContactAttributes":
		return &contactAttributes{}
	case "Loop":
		return &loop{}
	case "DisconnectParticipant":
		return disconnect{}
	case "EndFlowExecution":
		return endFlow{}
	case "UpdateContactEventHooks":
		return &eventHooks{}
	case "UpdateContactRecordingBehavior":
		return &recordingBehavior{}
	case "UpdateContactTextToSpeechVoice":
		return &voice{}
	case "UpdateContactData":
		return &contactData{}
	case "UpdateFlowLoggingBehavior":
		return &flowLogging{}
	case "UpdateFlowAttributes":
		return &flowAttributes{}
	case "DistributeByPercentage":
		return distribute{}
	case "TransferToFlow":
		return &transferToFlow{}
	case "Wait":
		return &wait{}
	}
	return unsupported{}
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

func (r rules) allowedIn(t FlowType) bool { return r.flows == nil || slices.Contains(r.flows, t) }
