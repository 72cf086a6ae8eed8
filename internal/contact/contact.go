// Package contact is the vocabulary of what is routed, recorded and reported: plain data, no behaviour that needs a
// clock, a network or a database.
//
// A Record is one segment of a conversation (Amazon Connect's contact record, A3 of the specification). Segments are
// linked by InitialContactID, PreviousContactID and NextContactID. A zero time means "did not happen".
package contact

import "time"

// Channel is how the customer reaches us.
type Channel string

// Channels, as in the Connect API.
const (
	Voice Channel = "VOICE"
	Chat  Channel = "CHAT"
	Task  Channel = "TASK"
)

// InitiationMethod is how a segment began.
type InitiationMethod string

// Initiation methods, as in the Connect API.
const (
	Inbound       InitiationMethod = "INBOUND"
	Outbound      InitiationMethod = "OUTBOUND"
	Transfer      InitiationMethod = "TRANSFER"
	QueueTransfer InitiationMethod = "QUEUE_TRANSFER"
	Callback      InitiationMethod = "CALLBACK"
	API           InitiationMethod = "API"
	Disconnect    InitiationMethod = "DISCONNECT"
)

// DisconnectReason is why a segment ended.
type DisconnectReason string

// Disconnect reasons for voice, as in the Connect contact record.
const (
	CustomerDisconnect    DisconnectReason = "CUSTOMER_DISCONNECT"
	AgentDisconnect       DisconnectReason = "AGENT_DISCONNECT"
	ThirdPartyDisconnect  DisconnectReason = "THIRD_PARTY_DISCONNECT"
	TelecomProblem        DisconnectReason = "TELECOM_PROBLEM"
	ContactFlowDisconnect DisconnectReason = "CONTACT_FLOW_DISCONNECT"
	Barged                DisconnectReason = "BARGED" // a supervisor took the agent's place
	Expired               DisconnectReason = "EXPIRED"
	Other                 DisconnectReason = "OTHER"
	// Of contacts that we place.
	OutboundDestinationError DisconnectReason = "OUTBOUND_DESTINATION_ENDPOINT_ERROR"
	OutboundAttemptFailed    DisconnectReason = "OUTBOUND_ATTEMPT_FAILED"
)

// EndpointType says what an Endpoint's address is.
type EndpointType string

// Endpoint types, as in the Connect contact record.
const (
	TelephoneNumber EndpointType = "TELEPHONE_NUMBER"
	VoIP            EndpointType = "VOIP"
	ContactFlow     EndpointType = "CONTACT_FLOW" // the address is the id of the flow
)

// Endpoint is one end of a contact: an E.164 number, or a SIP address for a device of our own.
type Endpoint struct {
	Type        EndpointType `json:"type"`
	Address     string       `json:"address"`
	DisplayName string       `json:"displayName,omitempty"`
}

// QueueInfo is the queue part of a record.
type QueueInfo struct {
	ID               string    `json:"id"`
	Name             string    `json:"name"`
	EnqueueTimestamp time.Time `json:"enqueueTimestamp,omitzero"`
	DequeueTimestamp time.Time `json:"dequeueTimestamp,omitzero"`
}

// Duration is the time in the queue, zero while still waiting.
func (q QueueInfo) Duration() time.Duration {
	if q.DequeueTimestamp.IsZero() {
		return 0
	}
	return q.DequeueTimestamp.Sub(q.EnqueueTimestamp)
}

// AgentInfo is the agent part of a record. RingStartTimestamp is that of the offer that was accepted.
type AgentInfo struct {
	ID                           string    `json:"id"`
	Username                     string    `json:"username"`
	RoutingProfileID             string    `json:"routingProfileId"`
	RoutingProfileName           string    `json:"routingProfileName"`
	RingStartTimestamp           time.Time `json:"ringStartTimestamp,omitzero"`
	AcceptedByAgentTimestamp     time.Time `json:"acceptedByAgentTimestamp,omitzero"`
	ConnectedToAgentTimestamp    time.Time `json:"connectedToAgentTimestamp,omitzero"`
	AfterContactWorkStart        time.Time `json:"afterContactWorkStartTimestamp,omitzero"`
	AfterContactWorkEnd          time.Time `json:"afterContactWorkEndTimestamp,omitzero"`
	AgentInteractionEndTimestamp time.Time `json:"agentInteractionEndTimestamp,omitzero"`

	HierarchyGroups []Group      `json:"hierarchyGroups,omitempty"` // of the agent when joined, level 1 first
	Holds           Holds        `json:"holds,omitzero"`
	DeviceID        string       `json:"deviceId,omitempty"` // that answered
	Transitions     []Transition `json:"stateTransitions,omitempty"`
}

// Group is one level of an agent's hierarchy.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Holds is how often and how long a customer was on hold in a segment, whoever put them there; ByAgent is the part
// that the agent asked for.
type Holds struct {
	Count    int           `json:"count,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
	Longest  time.Duration `json:"longest,omitempty"`
	ByAgent  time.Duration `json:"byAgent,omitempty"`
	AtEnd    bool          `json:"atEnd,omitempty"` // the customer was on hold when they left, or the agent did
}

// Transition is a time in which somebody listened to the agent, or joined. State is SILENT_MONITOR or BARGE.
type Transition struct {
	State  string    `json:"state"`
	UserID string    `json:"userId"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end,omitzero"`
}

// RecordingStatus is where a recording is in its life.
type RecordingStatus string

// A recording is spooled locally, then AVAILABLE in the blob store, and perhaps DELETED.
const (
	RecordingSpooled   RecordingStatus = "SPOOLED"
	RecordingAvailable RecordingStatus = "AVAILABLE"
	RecordingDeleted   RecordingStatus = "DELETED"
	RecordingFailed    RecordingStatus = "FAILED"
	// RecordingDeleting is one whose deletion is decided, with its reason, and not yet done.
	RecordingDeleting RecordingStatus = "DELETING"
)

// Recording is one audio file of a segment: stereo, agent right, everyone else left.
type Recording struct {
	Location string          `json:"location"`        // blob key, connect/<alias>/CallRecordings/...
	Spool    string          `json:"spool,omitempty"` // file name in the spool folder until uploaded
	Start    time.Time       `json:"startTimestamp,omitzero"`
	Stop     time.Time       `json:"stopTimestamp,omitzero"`
	Status   RecordingStatus `json:"status"`
	Bytes    int64           `json:"bytes,omitempty"`
	SHA256   string          `json:"sha256,omitempty"`   // of the finished file, hexadecimal
	Reason   string          `json:"reason,omitempty"`   // of a deletion or a failure
	Media    string          `json:"media,omitempty"`    // MediaChat: it is a transcript; empty: audio
	Bucket   string          `json:"bucket,omitempty"`   // where Location lies; empty: the operator's own place
	Waveform string          `json:"waveform,omitempty"` // blob key of its peaks, in the same bucket
}

// MediaChat says of a Recording that it is the transcript of a chat.
const MediaChat = "CHAT"

// MediaIVR says of a Recording that it is of the part with flows: the customer left, what flows say right.
const MediaIVR = "IVR"

// Quality is what one leg's media looked like; counts are RTP packets. What only the far end can know (RemoteLost,
// RemoteJitter, RoundTrip) comes from its RTCP and is zero if it sent none.
type Quality struct {
	Codec      string        `json:"codec,omitempty"`      // by its RTP encoding name, the last one
	Encryption string        `json:"encryption,omitempty"` // suite of SRTP, the last one; empty: none
	Sent       uint64        `json:"sent"`
	Received   uint64        `json:"received"`
	Lost       uint64        `json:"lost"`
	Late       uint64        `json:"late,omitempty"`    // came too late to be heard, where audio was decoded
	Foreign    uint64        `json:"foreign"`           // from a stranger's address: dropped
	Refused    uint64        `json:"refused,omitempty"` // SRTP packets that did not authenticate or were replayed
	MaxGap     time.Duration `json:"maxGap,omitempty"`  // longest silence between two received packets
	Jitter     time.Duration `json:"jitter,omitempty"`  // RFC 3550 §6.4.1, the mean over the leg
	MaxJitter  time.Duration `json:"maxJitter,omitempty"`

	RemoteLost   uint64        `json:"remoteLost,omitempty"` // of what we sent, as they report
	RemoteJitter time.Duration `json:"remoteJitter,omitempty"`
	RoundTrip    time.Duration `json:"roundTrip,omitempty"` // the mean, RFC 3550 §6.4.1
	MOS          float64       `json:"mos,omitempty"`       // estimate by the E-model (ITU-T G.107) of what we heard, 1 to 4.5; 0: not enough to say
}

// Attestation is what the caller's carrier says about the caller's number (RFC 8224, RFC 8588).
type Attestation struct {
	Level    string `json:"level,omitempty"`   // A, B or C, from the PASSporT; empty if there was none
	Verstat  string `json:"verstat,omitempty"` // of P-Asserted-Identity or From, as TN-Validation-Passed
	OrigID   string `json:"origId,omitempty"`
	Identity bool   `json:"identity,omitempty"` // an Identity header came; it is passed on and not verified here
}

// Record is the contact record of one segment.
type Record struct {
	ID                string           `json:"id"`
	InstanceID        string           `json:"instanceId"`
	InitialContactID  string           `json:"initialContactId,omitempty"`
	PreviousContactID string           `json:"previousContactId,omitempty"`
	NextContactID     string           `json:"nextContactId,omitempty"`
	Node              string           `json:"node"`   // the process that holds the contact while it is open
	CallID            string           `json:"callId"` // SIP Call-ID of the customer's leg
	TrunkID           string           `json:"trunkId,omitempty"`
	Channel           Channel          `json:"channel"`
	InitiationMethod  InitiationMethod `json:"initiationMethod"`
	FlowID            string           `json:"flowId,omitempty"`
	CustomerEndpoint  Endpoint         `json:"customerEndpoint"`
	SystemEndpoint    Endpoint         `json:"systemEndpoint"`

	InitiationTimestamp        time.Time `json:"initiationTimestamp,omitzero"`
	ConnectedToSystemTimestamp time.Time `json:"connectedToSystemTimestamp,omitzero"`
	DisconnectTimestamp        time.Time `json:"disconnectTimestamp,omitzero"`
	LastUpdateTimestamp        time.Time `json:"lastUpdateTimestamp,omitzero"`
	TransferCompletedTimestamp time.Time `json:"transferCompletedTimestamp,omitzero"`
	AttemptTimestamp           time.Time `json:"attemptTimestamp,omitzero"` // when a customer who is called back was called

	Queue                   *QueueInfo        `json:"queue,omitempty"`
	Agent                   *AgentInfo        `json:"agent,omitempty"`
	AgentConnectionAttempts int               `json:"agentConnectionAttempts"`
	Attributes              map[string]string `json:"attributes,omitempty"` // 32 KB in all
	DisconnectReason        DisconnectReason  `json:"disconnectReason,omitempty"`
	TransferredTo           *Endpoint         `json:"transferredToEndpoint,omitempty"`
	DisconnectDetail        string            `json:"disconnectDetail,omitempty"` // one line for the operator: what ended it
	Recordings              []Recording       `json:"recordings,omitempty"`
	CustomerQuality         *Quality          `json:"customerQuality,omitempty"`
	AgentQuality            *Quality          `json:"agentQuality,omitempty"`
	Attestation             *Attestation      `json:"attestation,omitempty"`

	Name        string               `json:"name,omitempty"`
	Description string               `json:"description,omitempty"`
	CustomerID  string               `json:"customerId,omitempty"`
	References  map[string]Reference `json:"references,omitempty"`
	Tags        map[string]string    `json:"tags,omitempty"` // 6 at most

	RelatedContactID     string    `json:"relatedContactId,omitempty"`
	ContactAssociationID string    `json:"contactAssociationId,omitempty"` // of all contacts that belong together, whatever their channel
	Subtype              string    `json:"subtype,omitempty"`              // segment attribute connect:Subtype, as connect:Telephony
	ScheduledTimestamp   time.Time `json:"scheduledTimestamp,omitzero"`
	LastPausedTimestamp  time.Time `json:"lastPausedTimestamp,omitzero"`
	LastResumedTimestamp time.Time `json:"lastResumedTimestamp,omitzero"`
	RingStartTimestamp   time.Time `json:"ringStartTimestamp,omitzero"` // of the customer, who was called

	QueuePriority       int64         `json:"queuePriority,omitempty"` // 1 is first; 0: was not queued
	QueueTimeAdjustment time.Duration `json:"queueTimeAdjustment,omitempty"`
	Criteria            []Step        `json:"routingCriteria,omitempty"`
	Callback            bool          `json:"callback,omitempty"` // left the queue for a callback: not abandoned

	Offers []Offer `json:"offers,omitempty"` // to agents, in order

	Streams     []MediaStream `json:"mediaStreams,omitempty"`
	ChatMetrics *ChatMetrics  `json:"chatMetrics,omitempty"`

	CampaignID                string    `json:"campaignId,omitempty"`
	AnsweringMachineDetection string    `json:"answeringMachineDetectionStatus,omitempty"`
	GreetingStart             time.Time `json:"greetingStartTimestamp,omitzero"`
	GreetingEnd               time.Time `json:"greetingEndTimestamp,omitzero"`
	Disposition               string    `json:"disposition,omitempty"` // code that the agent chose
	Notes                     string    `json:"notes,omitempty"`       // of the agent, 4096 characters at most
}

// Step is one step of routing criteria, as it went. Status is ACTIVE, INACTIVE, JOINED or EXPIRED.
type Step struct {
	Expression string        `json:"expression"`
	Expiry     time.Duration `json:"expiry,omitempty"` // 0: never
	Status     string        `json:"status"`
}

// Offer is one offer of a contact to an agent. Outcome is ANSWERED, MISSED, REJECTED, ERROR, ANSWERED_ELSEWHERE when
// another agent who was rung too was faster, or ABANDONED when the customer left while it rang.
type Offer struct {
	UserID  string    `json:"userId"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"`
	Outcome string    `json:"outcome,omitempty"`
}

// MediaStream is live audio of a contact that went somewhere. Type is AUTOMATED_INTERACTION (a bot) or STREAM.
type MediaStream struct {
	Type        string    `json:"type"`
	Destination string    `json:"destination"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end,omitzero"`
}

// ChatMetrics counts a chat's messages, and says how soon the agent answered.
type ChatMetrics struct {
	AgentMessages         int           `json:"agentMessages"`
	CustomerMessages      int           `json:"customerMessages"`
	BotMessages           int           `json:"botMessages"`
	FirstAgentResponse    time.Duration `json:"firstAgentResponse,omitempty"`
	TotalAgentResponse    time.Duration `json:"totalAgentResponse,omitempty"`
	AgentResponses        int           `json:"agentResponses,omitempty"`
	TotalCustomerResponse time.Duration `json:"totalCustomerResponse,omitempty"`
	CustomerResponses     int           `json:"customerResponses,omitempty"`
}

// Reference is a link or a fact that travels with a contact. Type is URL, NUMBER, STRING, DATE, EMAIL or ATTACHMENT.
type Reference struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Abandoned reports whether the customer left while waiting: queued, never joined to an agent, and not called back.
func (r *Record) Abandoned() bool {
	return r.Queue != nil && !r.Queue.EnqueueTimestamp.IsZero() && !r.DisconnectTimestamp.IsZero() &&
		(r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero()) && r.NextContactID == "" && !r.Callback
}

// MaxAttributeBytes is the room for all attribute keys and values of a contact together.
const MaxAttributeBytes = 32 << 10
