package ivr

import (
	"context"
	"errors"
	"time"

	"ullim/internal/contact"
	"ullim/prompts"
)

// Errors of a Participant.
var (
	// ErrLeft: the participant is no longer there. The session ends without taking any branch.
	ErrLeft = errors.New("ivr: participant has left")
	// ErrNotSupported: this channel or this flow type cannot do it. The action takes its NoMatchingError branch.
	ErrNotSupported = errors.New("ivr: not supported on this channel")
)

// Participant is the person that a flow talks to; an adapter for voice implements it, one for chat will. All methods
// block until done, and end with ErrLeft when the person leaves or the contact's context ends.
type Participant interface {
	// Say plays audio to the end.
	Say(ctx context.Context, a *prompts.Audio) error
	// Repeat plays the list again and again, for at most d if d > 0; it returns nil when d has passed.
	Repeat(ctx context.Context, list []*prompts.Audio, d time.Duration) error
	// Gather plays the prompt (may be nil) and collects digits. A digit pressed before the call counts (key-ahead); the
	// first digit stops the prompt.
	Gather(ctx context.Context, g Gather) (Gathered, error)
	// Queue hands the contact to its target queue. errs.Limit: queue at capacity; any other error but ErrLeft: the
	// transfer is not possible.
	Queue(ctx context.Context) error
	// Hangup ends the contact.
	Hangup(ctx context.Context)
}

// Gather says which digits to collect.
type Gather struct {
	Prompt     *prompts.Audio
	FirstDigit time.Duration // counted from the end of the prompt
	Interdigit time.Duration
	Max        int    // stop after so many digits; 1 for a menu
	Terminator string // this sequence ends the input and is not part of it; empty for none
	CancelKey  byte   // clears what was typed so far ('*'); 0 for none
	// Secret: what is pressed is not for anybody to see or hear: it is kept out of logs and traces, and recordings and
	// streams are silent while it is asked for.
	Secret bool
}

// Gathered is what was pressed. TimedOut: no digit came within FirstDigit.
type Gathered struct {
	Digits   string
	TimedOut bool
}

// Contact is what a flow reads and changes of its contact.
type Contact interface {
	Info() Info
	// SetAttributes adds or replaces attributes, all or nothing; errs.Limit over 32 KB in all.
	SetAttributes(ctx context.Context, set map[string]string) error
	// SetTargetQueue chooses the queue for Queue.
	SetTargetQueue(ctx context.Context, q QueueRef) error
	// SetHook chooses the flow for a place in the contact's life; an empty flow id restores the default. ErrNotSupported:
	// the contact never comes to that place.
	SetHook(ctx context.Context, h Hook, flowID string) error
	// SetRecording chooses who is recorded when an agent is joined.
	SetRecording(ctx context.Context, agent, customer bool) error
	// SetVoice chooses the voice and language of spoken text from here on.
	SetVoice(ctx context.Context, voice, language string) error
	// Update changes what else there is to change; see Update.
	Update(ctx context.Context, u Update) error
}

// Info is a snapshot of the contact: what the data paths of A1.9 can show.
type Info struct {
	ContactID, InitialContactID, PreviousContactID string
	InstanceID, InstanceARN                        string
	Channel                                        contact.Channel
	InitiationMethod                               contact.InitiationMethod
	Customer, System                               contact.Endpoint
	Queue                                          *QueueRef // target queue
	Agent                                          *AgentRef // only in whisper and later flows
	Language, Voice                                string
	Attributes                                     map[string]string // a copy
	SIPHeaders                                     map[string]string
	Name, Description, CustomerID                  string
	References                                     map[string]Reference
	Tags                                           map[string]string
	CallbackNumber                                 string            // empty: the customer's
	CallProgress                                   string            // CallAnswered, VoicemailBeep ...; empty: not looked for
	MediaStream                                    map[string]string // StreamARN, StartTimestamp, StopTimestamp, StartFragmentNumber
	TaskContactID                                  string
	Logging                                        *bool // what a flow of an earlier segment chose
}

// QueueRef is a queue as flows see it.
type QueueRef struct {
	ID, ARN, Name, HoursID       string
	AgentID                      string // of the agent whose own queue it is; empty: a standard queue
	OutboundNumber, OutboundName string
}

// AgentRef is an agent as flows see it.
type AgentRef struct {
	ID, ARN, Username, FirstName, LastName string
}

// Hook is a place in a contact's life at which a flow runs (UpdateContactEventHooks).
type Hook string

// Hooks, by the keys of the flow language.
const (
	HookCustomerQueue     Hook = "CustomerQueue"
	HookCustomerWhisper   Hook = "CustomerWhisper"
	HookAgentWhisper      Hook = "AgentWhisper"
	HookCustomerRemaining Hook = "CustomerRemaining"
	HookCustomerHold      Hook = "CustomerHold"
	HookAgentHold         Hook = "AgentHold"
	HookDefaultAgentUI    Hook = "DefaultAgentUI"    // what the agent sees with the contact
	HookDisconnectAgentUI Hook = "DisconnectAgentUI" // ... and after it
	HookPauseContact      Hook = "PauseContact"
	HookResumeContact     Hook = "ResumeContact"
)

// Flows finds flows. ref is an ARN, an id or a name.
type Flows interface {
	// Published is the published version of a flow; errs.NotFound if there is none.
	Published(ctx context.Context, instanceID, ref string) (*Flow, error)
	// Default is the instance's default flow of a type.
	Default(ctx context.Context, instanceID string, t FlowType) (*Flow, error)
}

// Directory answers what flows ask about the contact centre. ref is an ARN, an id or a name.
type Directory interface {
	Queue(ctx context.Context, instanceID, ref string) (QueueRef, error)
	// AgentQueue is the queue of one agent.
	AgentQueue(ctx context.Context, instanceID, agentRef string) (QueueRef, error)
	// Open tells whether hours of operation are open now.
	Open(ctx context.Context, instanceID, hoursRef string) (bool, error)
}

// Prompts finds stored prompts as audio. ref is an ARN, an id or a name.
type Prompts interface {
	Prompt(ctx context.Context, instanceID, ref, language string) (*prompts.Audio, error)
}

// Speaker speaks text.
type Speaker interface {
	Speak(ctx context.Context, s prompts.Speech) (*prompts.Audio, error)
}
