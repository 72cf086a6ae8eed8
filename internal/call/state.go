package call

import (
	"time"

	"ullim/internal/contact"
)

// Phase is where a call is. The package comment has the picture.
type Phase int

// Phases.
const (
	PhaseNew Phase = iota
	PhaseCalling
	PhaseOutboundWhisper
	PhaseFlow
	PhaseEnqueueing
	PhaseQueued
	PhaseRinging
	PhaseAgentWhisper
	PhaseCustomerWhisper
	PhaseTalking
	PhaseTransferring
	PhaseOutward
	PhaseRemaining
	PhaseEnding
	PhaseEnded
)

// String is the phase as shown in the API and in logs.
func (p Phase) String() string {
	return [...]string{
		"NEW", "CALLING", "OUTBOUND_WHISPER", "FLOW", "ENQUEUEING", "QUEUED", "RINGING", "AGENT_WHISPER", "CUSTOMER_WHISPER", "TALKING",
		"TRANSFERRING", "THIRD_PARTY", "REMAINING", "ENDING", "ENDED",
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
	Phase    Phase
	Alias    string          // of the instance, for the keys of recordings
	Record   *contact.Record // shared with whoever was given it: Step changes a copy
	Target   TargetQueue
	Hooks    map[FlowKind]string
	Voice    Voice
	Rank     Routing
	Callback string // the number to call back, if it is not the customer's
	Logging  *bool  // of flows, as one of them chose
	NextID   string // the id for the next segment, if one is needed

	Gen        int         // last generation given out
	Flow       [places]int // generation of the flow that runs at each place; 0: none
	Offer      Offer       // the live offer; its ID is empty if there is none
	Rang       time.Time
	Rivals     []rival   // other agents who ring, with a queue that rings all
	OfferIDs   []string  // of Record.Offers
	StepsSince time.Time // when the first step of Record.Criteria began
	Parties    []Party
	Customer   int           // the party whom the contact is about
	AgentGen   int           // the party who serves the customer; 0: none
	Caller     int           // PhaseCalling: the party who waits for the other end; 0: the engine itself calls
	Dial       *Target       // PhaseCalling: whom it calls; nil: it was we who were called
	Ring       time.Duration // PhaseCalling: how long it may ring; 0: as long as the network lets it
	Failed     int           // PhaseCalling: what the other end was refused with, once it was
	Came       came          // how the customer's call came to us; empty if we called
	Transfer   Transfer      // PhaseTransferring
	Aside      Aside         // a second contact: what a transfer has put in line, or whom the agent consults
	Outward    Outward       // PhaseOutward
	Comeback   comeback      // Enqueueing: into the queue that the contact was in before
	Hold       hold          // the customer waits on hold
	HoldFlow   [2]bool       // a flow runs, or has run, for one who waits on hold
	Wired      wiring        // what is in force

	ToRecord bool   // a flow switched recording on: as in Connect, nothing is recorded unasked
	Taping   string // key of the recording that runs
	Heard    taped  // that of the part with flows
	// HearsFlows: a flow wants that part recorded.
	HearsFlows bool
	Paused     bool                     // it writes silence
	Secret     int                      // generation of the flow that asks for secret keys: it writes silence then, too
	Sides      sides                    // whom it records
	Writing    []string                 // keys of recordings that run or are being completed
	Settling   []*contact.Record        // segments that are over and wait for a recording or a quality
	Requeued   bool                     // Enqueueing without a flow that asked
	Moving     TargetQueue              // Enqueueing from one queue to another: the one before
	WasSince   time.Time                // when it entered that one
	Place      time.Time                // since when the customer is in line, or was; a new segment after a fault keeps it
	Reason     contact.DisconnectReason // decided before the end: the agent left first
	Closing    bool                     // the final record is on its way to the store
}

// came is what a call that is forwarded tells of the one that came in.
type came struct {
	By       []string // the numbers, first to last: the last one is ours
	Identity []string
}

// Transfer is a transfer that somebody has asked for and whose outcome is not known yet.
type Transfer struct {
	Owed    bool      // asked for by REFER: the outcome is told
	Consult bool      // the customer waits on hold until the agent has talked with whom was called
	Since   time.Time // when it was asked for
	Goal    resolved  // whom it is for
	Flow    int       // generation of the transfer flow that decides; 0: none runs
	Ran     int       // the same, also when it has decided
	Asks    bool      // that flow, or nobody any more, waits for an agent to be found
	NewID   string    // of the segment that an agent found will have
	Steered bool      // Target was changed: it was Was
	Was     TargetQueue
	Held    bool // the customer was on hold before

	Gen    int
	By     int    // who asked
	Who    Person // the same, who may be gone by the end
	To     int    // the party that is called; 0: not yet, or a call of ours takes over
	Lent   int    // the party that another call was asked to take; 0: none
	Target string // whom they named, for the log
	Callee Callee
	Names  DialogID // in another call of ours, whose other end takes the party over
	Waits  bool     // that other end still rings
	Sooner *reached // it was heard of it before it was known that it rings
}

// Indexes of State.Flow.
const (
	ofCustomer = iota
	ofAgent
	ofAside // whom a transfer has reached, before they talk
	places  // how many there are
)

// Timer names a timer of a call; at most one of each runs for a party.
type Timer int

// Timers.
const (
	TimerRing     Timer = iota // a phone has rung long enough
	TimerWhisper               // a whisper may last two minutes
	TimerEarly                 // time to look whether early media comes
	TimerTransfer              // an agent whom a transfer is for has been waited for long enough
	timers                     // how many there are
)

// maxWhisper is how long a whisper may last before the leg is cut (A1.4).
const maxWhisper = 2 * time.Minute

// How long a phone may ring, and how often early media is looked for.
const (
	transferRing = 45 * time.Second // of one who is to be brought into a call
	callRing     = 3 * time.Minute  // of one who is called: longer than any network lets it (RFC 3261 §16.6, timer C)
	earlyLook    = 500 * time.Millisecond
)

// Event is something that happened to a call.
type Event interface{ isEvent() }

// Events.
type (
	// begun: the call is there; its first leg waits for an answer or is to be dialled.
	begun struct{}
	// partyLeg is an event of a party's leg.
	partyLeg struct {
		Party int
		LegEvent
	}
	// negotiated: SDP of theirs is in force. Held: they do not listen.
	negotiated struct {
		Party       int
		Held, Early bool
	}
	// flowDone: a flow has ended by itself.
	flowDone struct {
		Gen     int
		Kind    FlowKind
		Outcome FlowOutcome
	}
	// enqueueAsked: the flow asks for the target queue. NewID is the id of the new segment, if one is needed. Move: the
	// contact waits in another queue.
	enqueueAsked struct {
		Gen   int
		NewID string
		Move  bool
	}
	// enqueueDone: the ACD has answered.
	enqueueDone struct {
		ContactID string
		Err       error
	}
	// offered: the ACD has reserved an agent.
	offered struct{ Offer Offer }
	// timerFired: a timer ran out; Gen is the one it was started with. TimerEarly: Packets have been received so far.
	timerFired struct {
		Timer   Timer
		Gen     int
		Packets uint64
	}
	// mediaDead: no sound has come from a leg for too long.
	mediaDead struct {
		Party int
		Why   string
	}
	// recordingDone: the recording of a key is complete on disk, or failed.
	recordingDone struct {
		Key       string
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
	// qualityKnown: the media of a party is closed.
	qualityKnown struct {
		Party   int
		Quality contact.Quality
	}
	// resolved: whom a REFER names. FlowID: a number of ours, which is answered by that flow. Queue: a queue, or the own one
	// of the user who is meant; the flow Transfer runs first, empty: the instance's default.
	resolved struct {
		Gen      int
		Callee   Callee
		Number   string
		FlowID   string
		Queue    TargetQueue
		Transfer string
		Err      error
	}
	// moved: another call has taken the party that it was asked to take, or not. Next is its contact.
	moved struct {
		Gen     int
		Next    string
		Quality contact.Quality
		Err     error
	}
	// reached: the other end of the call that is to take a party over has answered (Code 0), or cannot be had.
	reached struct{ Gen, Code int }
	// outwardAsked: a flow wants the customer joined with somebody outside.
	outwardAsked struct {
		Gen     int
		Outcall Outcall
	}
	// dataSet: a flow changes what the record says of the contact; routingSet: the order in which it is served.
	dataSet    struct{ Data Data }
	routingSet struct {
		Routing Routing
		Age     bool // the adjustment counts also if it is 0
	}
	// takeOver: somebody is to take the place of a party. From is the contact that they come from; nil: they come by a
	// call of their own, to pick this one up.
	takeOver struct {
		Party    int
		Newcomer Party
		From     *contact.Record
		ToRecord bool
	}
	// inviteAsked: somebody is to be brought in. holdAsked, muteAsked, removeAsked: it is asked for a party.
	inviteAsked struct {
		Callee  Callee
		Hears   Role
		Monitor bool // a supervisor
		Barges  bool // who may join later
	}
	holdAsked struct {
		Party  int
		On     bool
		ByFlow bool
	}
	muteAsked struct {
		Party int
		On    bool
	}
	removeAsked struct{ Party int }
	// tapeAsked starts, stops, suspends or resumes the recording.
	tapeAsked struct{ Do TapeAction }
	// committed: what was saved so far is on disk.
	committed struct{}
	// stored: the final record is committed (or spilled).
	stored struct{}
)

func (begun) isEvent()         {}
func (partyLeg) isEvent()      {}
func (negotiated) isEvent()    {}
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
func (resolved) isEvent()      {}
func (moved) isEvent()         {}
func (reached) isEvent()       {}
func (outwardAsked) isEvent()  {}
func (dataSet) isEvent()       {}
func (routingSet) isEvent()    {}
func (takeOver) isEvent()      {}
func (inviteAsked) isEvent()   {}
func (holdAsked) isEvent()     {}
func (muteAsked) isEvent()     {}
func (removeAsked) isEvent()   {}
func (tapeAsked) isEvent()     {}
func (committed) isEvent()     {}
func (stored) isEvent()        {}
