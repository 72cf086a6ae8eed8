package call

import (
	"maps"
	"net/netip"
	"time"

	"ullim/internal/contact"
)

// Phase is where a call is. The package comment has the picture.
type Phase int

// Phases.
const (
	PhaseNew Phase = iota
	PhaseFlow
	PhaseEnqueueing
	PhaseQueued
	PhaseRinging
	PhaseAgentWhisper
	PhaseCustomerWhisper
	PhaseTalking
	PhaseRemaining
	PhaseEnding
	PhaseEnded
)

// String is the phase as shown in the API and in logs.
func (p Phase) String() string {
	return [...]string{
		"NEW", "FLOW", "ENQUEUEING", "QUEUED", "RINGING", "AGENT_WHISPER", "CUSTOMER_WHISPER", "TALKING", "REMAINING",
		"ENDING", "ENDED",
	}[p]
}

// TargetQueue is the queue that a flow has chosen.
type TargetQueue struct {
	ID   string
	Name string
}

// Voice is how text is spoken to the customer: a provider's name for a voice, and a language (BCP 47). Empty: the
// default.
type Voice struct {
	Name     string
	Language string
}

// State is all that Step knows of a call. It is a value: Step copies what it changes.
type State struct {
	Phase  Phase
	Alias  string // of the instance, for the keys of recordings
	Record contact.Record
	Target TargetQueue
	Hooks  map[FlowKind]string
	Voice  Voice

	Gen      int    // last generation given out
	Flow     [2]int // generation of the flow that runs for the customer and for the agent; 0: none
	Offer    Offer  // the live offer; its ID is empty if there is none
	AgentGen int    // generation of the agent's leg; 0: none
	Rang     time.Time

	CustomerMedia bool // open
	AgentMedia    bool
	ToRecord      bool                     // a flow switched recording on: as in Connect, nothing is recorded unasked
	Recording     bool                     // one is running or being completed
	Enqueue       string                   // id of the segment that waits for the recording of the last to be complete
	Reason        contact.DisconnectReason // decided before the end: the agent left first
	Closing       bool                     // the final record is on its way to the store
}

// Indexes of State.Flow.
const (
	ofCustomer = 0
	ofAgent    = 1
)

// Timer names a timer of a call; at most one of each runs.
type Timer int

// Timers.
const (
	TimerRing    Timer = iota // the agent's phone has rung long enough
	TimerWhisper              // a whisper may last two minutes
	timers                    // how many there are
)

// maxWhisper is how long a whisper may last before the leg is cut (A1.4).
const maxWhisper = 2 * time.Minute

// Event is something that happened to a call.
type Event interface{ isEvent() }

// Events.
type (
	// customerLeg is an event of the customer's leg.
	customerLeg struct{ LegEvent }
	// agentLeg is an event of the agent's leg of a generation.
	agentLeg struct {
		Gen int
		LegEvent
	}
	// flowDone: a flow has ended by itself.
	flowDone struct {
		Gen     int
		Kind    FlowKind
		Outcome FlowOutcome
	}
	// enqueueAsked: the flow asks for the target queue. NewID is the id of the new segment, if one is needed.
	enqueueAsked struct {
		Gen   int
		NewID string
	}
	// enqueueDone: the ACD has answered.
	enqueueDone struct{ Err error }
	// offered: the ACD has reserved an agent.
	offered struct{ Offer Offer }
	// timerFired: a timer ran out; Gen is the one it was started with.
	timerFired struct {
		Timer Timer
		Gen   int
	}
	// mediaDead: no sound has come from a leg for too long.
	mediaDead struct {
		Agent bool
		Gen   int
		Why   string
	}
	// recordingDone: the recording is complete on disk, or failed.
	recordingDone struct {
		Recording contact.Recording
		Err       error
	}
	// attributesSet, targetSet, hookSet, recordingSet, voiceSet: a flow changes the contact.
	attributesSet struct{ Set map[string]string }
	targetSet     struct{ Target TargetQueue }
	hookSet       struct {
		Kind   FlowKind
		FlowID string
	}
	recordingSet struct{ On bool }
	voiceSet     struct{ Voice Voice }
	// stopAsked ends the contact from outside: drain deadline, overflow, panic.
	stopAsked struct {
		Reason contact.DisconnectReason
		Detail string
	}
	// qualityKnown: the media of a leg is closed.
	qualityKnown struct {
		Agent   bool
		Quality contact.Quality
	}
	// stored: the final record is committed (or spilled).
	stored struct{}
)

func (customerLeg) isEvent()   {}
func (agentLeg) isEvent()      {}
func (flowDone) isEvent()      {}
func (enqueueAsked) isEvent()  {}
func (enqueueDone) isEvent()   {}
func (offered) isEvent()       {}
func (timerFired) isEvent()    {}
func (mediaDead) isEvent()     {}
func (recordingDone) isEvent() {}
func (attributesSet) isEvent() {}
func (targetSet) isEvent()     {}
func (hookSet) isEvent()       {}
func (recordingSet) isEvent()  {}
func (voiceSet) isEvent()      {}
func (stopAsked) isEvent()     {}
func (qualityKnown) isEvent()  {}
func (stored) isEvent()        {}

// Effect is something that the actor does because Step says so, in the order given.
type Effect interface{ isEffect() }

// Effects.
type (
	// negotiate applies SDP to the media of a leg. Offer: it is an offer and wants an answer.
	negotiate struct {
		Agent bool
		SDP   []byte
		Offer bool
		Host  netip.Addr // of the far end's signalling, if it is new
	}
	// hangupCustomer, HangupAgent: end a leg.
	hangupCustomer struct{ Cause string }
	hangupAgent    struct{ Cause string }
	// startFlow runs a flow for the customer or the agent, ending the one that runs there.
	startFlow struct {
		For    int
		Gen    int
		Kind   FlowKind
		FlowID string
	}
	// stopFlow ends the flow that runs for somebody, and what it plays.
	stopFlow struct{ For int }
	// takeQueue asks the ACD for a place in line.
	takeQueue struct{ Enqueue Enqueue }
	// replyQueue answers the flow that asked for the queue.
	replyQueue struct{ Err error }
	// leaveQueue, ReportOffer, ReportJoined, ReportDone tell the ACD.
	leaveQueue  struct{ ContactID string }
	reportOffer struct {
		OfferID string
		Result  OfferResult
	}
	reportJoined struct{ OfferID string }
	reportDone   struct{ OfferID string }
	// dialAgent opens media for the agent and rings the device.
	dialAgent struct {
		Gen   int
		Offer Offer
	}
	// join and Part connect and part the two medias.
	join struct{}
	part struct{}
	// startRecording and StopRecording: Key is the blob key.
	startRecording struct{ Key string }
	stopRecording  struct{}
	// startTimer and StopTimer.
	startTimer struct {
		Timer Timer
		Gen   int
		After time.Duration
	}
	stopTimer struct{ Timer Timer }
	// closeMedia frees the media of a leg; QualityKnown follows.
	closeMedia struct{ Agent bool }
	// save writes the record of the open segment behind the call.
	save struct{ Record contact.Record }
	// closeSegment writes the final record of a segment. Last: the call is over when it is stored.
	closeSegment struct {
		Record contact.Record
		Last   bool
	}
	// openSegment adds the record of a new segment.
	openSegment struct{ Record contact.Record }
	// tell records an event for whoever watches.
	tell struct{ Kind, Detail string }
)

func (negotiate) isEffect()      {}
func (hangupCustomer) isEffect() {}
func (hangupAgent) isEffect()    {}
func (startFlow) isEffect()      {}
func (stopFlow) isEffect()       {}
func (takeQueue) isEffect()      {}
func (replyQueue) isEffect()     {}
func (leaveQueue) isEffect()     {}
func (reportOffer) isEffect()    {}
func (reportJoined) isEffect()   {}
func (reportDone) isEffect()     {}
func (dialAgent) isEffect()      {}
func (join) isEffect()           {}
func (part) isEffect()           {}
func (startRecording) isEffect() {}
func (stopRecording) isEffect()  {}
func (startTimer) isEffect()     {}
func (stopTimer) isEffect()      {}
func (closeMedia) isEffect()     {}
func (save) isEffect()           {}
func (closeSegment) isEffect()   {}
func (openSegment) isEffect()    {}
func (tell) isEffect()           {}

// copyRecord gives a record that shares nothing that changes with r.
func copyRecord(r contact.Record) contact.Record {
	r.Attributes = maps.Clone(r.Attributes)
	if r.Queue != nil {
		q := *r.Queue
		r.Queue = &q
	}
	if r.Agent != nil {
		a := *r.Agent
		r.Agent = &a
	}
	r.Recordings = append([]contact.Recording(nil), r.Recordings...)
	return r
}
