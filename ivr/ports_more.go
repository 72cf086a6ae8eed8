package ivr

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ullim/internal/contact"
)

// What only some participants can do. An action asks its participant for the interface, and takes its error branch
// (ErrNotSupported) when it has not got it: A1.8 without a table.

// Errors of a ThirdPartyCaller.
var (
	ErrCallFailed  = errors.New("ivr: the call was refused or could not be placed")
	ErrCallTimeout = errors.New("ivr: nobody answered in time")
)

// Texter is a participant who reads and writes instead of listening: chat.
type Texter interface {
	// SayText sends a message to the participant.
	SayText(ctx context.Context, text string) error
	// AskText sends a message (none if empty) and waits for what they write next, for at most d. What they wrote before,
	// and nobody has read, counts (key-ahead).
	AskText(ctx context.Context, text string, d time.Duration) (Reply, error)
}

// Reply is what a Texter wrote. TimedOut: nothing came.
type Reply struct {
	Text     string
	TimedOut bool
}

// Waiter lets time pass until one of the events happens (CustomerReturned, BotParticipantDisconnected); "" when the time
// is over. errs.NotFound: such a participant is not there. Who is no Waiter waits for the time alone.
type Waiter interface {
	Wait(ctx context.Context, d time.Duration, events []string) (event string, err error)
}

// ThirdPartyCaller can be joined with somebody outside.
type ThirdPartyCaller interface {
	// CallThirdParty calls, presses Digits after the answer, and joins the two. With Resume it returns when the third
	// party has left; without, as soon as they are joined, and the flow is over (Outcome Transferred). ErrCallFailed,
	// ErrCallTimeout.
	CallThirdParty(ctx context.Context, t ThirdParty) error
}

// ThirdParty is whom to call (TransferParticipantToThirdParty).
type ThirdParty struct {
	Number                   string // E.164
	CallerNumber, CallerName string // empty: the customer's own
	Digits                   string // 0-9 * # and ',' for a pause
	Limit                    time.Duration
	Resume                   bool
}

// OutboundCaller is a contact whose customer has yet to be called (CompleteOutboundCall).
type OutboundCaller interface {
	CompleteCall(ctx context.Context, callerNumber string, limit time.Duration) error
}

// HoldState is who waits (UpdatePreviousContactParticipantState).
type HoldState string

// Hold states.
const (
	AgentOnHold    HoldState = "AgentOnHold"
	CustomerOnHold HoldState = "CustomerOnHold"
	OffHold        HoldState = "OffHold"
)

// Holder can put the other side on hold.
type Holder interface {
	SetHold(ctx context.Context, h HoldState) error
}

// Streamer sends the audio of the contact to a WebSocket while the flow goes on (UpdateContactMediaStreamingBehavior).
type Streamer interface {
	StartStream(ctx context.Context, s Stream) error
	StopStream(ctx context.Context) error
}

// FlowRecorder records the part of a contact with flows, as a recording of its own (IVRRecordingBehavior).
type FlowRecorder interface {
	SetFlowRecording(ctx context.Context, on bool) error
}

// Stream is which audio of the customer goes out: what comes from them, what is sent to them. URL is empty for the one
// that the instance is set to.
type Stream struct {
	URL      string
	From, To bool
}

// Converser can be handed to a program that listens and talks over a WebSocket (Ullim.ConnectParticipantWithBot).
type Converser interface {
	// Converse returns when the program says that it has finished, or either side is gone.
	Converse(ctx context.Context, b Bot) (BotResult, error)
}

// Bot is the program that a participant talks with.
type Bot struct {
	URL        string
	Parameters map[string]string
	Limit      time.Duration
}

// BotResult is how a conversation ended. Intent is what the program chose ("" if it just ended); the rest can be read as
// $.Lex.SessionAttributes.
type BotResult struct {
	Intent     string
	Attributes map[string]string
}

// Update is a change of the contact beyond its attributes. What is nil or empty stays. The whole update is done or none
// of it; ErrNotSupported if the contact cannot do a part of it.
type Update struct {
	Data           *ContactData
	Priority       *int64         // 1 is best; default 5
	AgeAdjustment  *time.Duration // counted in routing, never in reports
	Criteria       []RoutingStep
	Tag            map[string]string // errs.Limit over 6 in all
	Untag          []string
	CallbackNumber string // E.164
	Logging        *bool  // inherited by later segments
}

// ContactData is what UpdateContactData sets; nil stays.
type ContactData struct {
	Name, Description, Language, CustomerID *string
	References                              map[string]Reference
}

// Reference is a link on a contact.
type Reference struct {
	Type  string `json:"Type"` // URL, NUMBER, STRING, DATE, EMAIL, ATTACHMENT
	Value string `json:"Value"`
}

// RoutingStep is one step of routing criteria: whom to prefer, and for how long.
type RoutingStep struct {
	Expression json.RawMessage // as in UpdateContactRoutingData of the Connect API, checked
	Expiry     time.Duration   // 0: for ever
}

// Functions calls out to web services in the place of AWS Lambda.
type Functions interface {
	// Invoke posts the request and gives the answer's body, a JSON object. errs.NotFound: no address is known for the
	// function; errs.Unavailable: it failed or was too slow. Asynchronous: the answer is empty and comes at once.
	Invoke(ctx context.Context, f Function) (json.RawMessage, error)
}

// Function is one call of InvokeLambdaFunction.
type Function struct {
	InstanceID, ContactID string
	Ref                   string          // ARN of the Lambda, a name that the instance maps to a URL, or a URL
	Event                 json.RawMessage // request body of A1.6
	Limit                 time.Duration
	Async                 bool
}

// Metrics answers how a queue, or the queue of an agent, does now. channel is empty for all.
type Metrics interface {
	QueueMetrics(ctx context.Context, instanceID, queueID, agentID string, channel contact.Channel) (QueueMetrics, error)
}

// QueueMetrics are the real-time figures that flows can ask for (A1.9 $.Metrics).
type QueueMetrics struct {
	Size                                                                      int
	Oldest                                                                    time.Duration
	Online, Available, Staffed, AfterContactWork, Busy, Missed, NonProductive int
}

// Callbacks makes contacts that call the customer back (A2.5).
type Callbacks interface {
	CreateCallback(ctx context.Context, c Callback) error
}

// Callback is one to be made.
type Callback struct {
	InstanceID, ContactID string // of the contact that asks
	Queue                 QueueRef
	Number                string
	Delay, RetryDelay     time.Duration
	Attempts              int
	FlowID                string // runs first, instead of waiting for Delay; empty: none
	CallerNumber          string
	Attributes            map[string]string
}

// Tasks makes contacts of the channel TASK.
type Tasks interface {
	// CreateTask gives the contact id of the task.
	CreateTask(ctx context.Context, t Task) (string, error)
}

// Task is one to be made.
type Task struct {
	InstanceID, ContactID, FlowID, Name, Description string
	References                                       map[string]Reference
	Attributes                                       map[string]string
	At                                               time.Time // zero: now
}

// Modules finds flow modules. ref is an ARN, an id, a name, each with an alias or version where given.
type Modules interface {
	Module(ctx context.Context, instanceID, ref string) (*Flow, error)
}
