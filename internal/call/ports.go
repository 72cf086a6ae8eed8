package call

import (
	"context"
	"net/netip"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
)

// Audio is prepared sound. Frames gives 20 ms of payload each, ready to send, for a codec by its RTP encoding name
// ("PCMU", "PCMA"); they are shared by all calls and never written to. *prompts.Audio implements it.
type Audio interface {
	Frames(codec string) [][]byte
}

// Direction of a Leg, seen from ullim.
type Direction int

// Directions.
const (
	Incoming Direction = iota // they called us
	Outgoing                  // we called them
)

// Leg is one SIP dialog seen from its call, the same type for both directions (sip.Leg implements it). Every method
// returns at once, may be called in any state and any number of times, and is only ever called by the call's actor:
// what does not fit the state is ignored. Results come back as a LegEvent to the function given at birth; after the
// one LegEnded no event follows.
type Leg interface {
	// CallID is the SIP Call-ID, for logs and records.
	CallID() string
	// Dialog names the dialog as this side sees it, for Replaces (RFC 3891). Unlike the others it may be called from
	// anywhere. TheirTag is empty as long as it is not known.
	Dialog() DialogID
	// Ring sends 180 (incoming, unanswered).
	Ring()
	// Progress sends 183 with our SDP answer (incoming, unanswered): early media, reliably if they can (RFC 3262).
	Progress(sdp []byte)
	// Answer sends 200 with our SDP (incoming, unanswered): an answer, or an offer if the INVITE had none.
	Answer(sdp []byte)
	// Reject ends an unanswered incoming leg with a final status and a reason phrase; retryAfter 0 sends no header.
	Reject(code int, reason string, retryAfter time.Duration)
	// AnswerOffer answers the offer of the last LegOffer (re-INVITE, UPDATE); nil refuses it with 488.
	AnswerOffer(sdp []byte)
	// Offer offers a change of session (hold, resume, another codec or address) by re-INVITE. LegChanged or
	// LegUnchanged follows; glare is resolved within (RFC 3261 §14.1). One at a time: a second one replaces the first
	// if that has not left yet.
	Offer(sdp []byte)
	// Digit sends a key by SIP INFO, for a far end that takes them only so.
	Digit(digit byte, duration time.Duration)
	// Notify answers the last LegRefer and tells how the transfer goes: the first call takes it (1xx: 202) or refuses it
	// (300 and above); 1xx is progress, 200 and above is the end of it (RFC 3515). It also works while the leg is being
	// hung up, and after a BYE of theirs.
	Notify(code int, reason string)
	// Hangup ends the leg as its state needs: CANCEL, BYE, or 480 to an unanswered incoming INVITE. cause becomes
	// the Reason header (RFC 3326), empty for none.
	Hangup(cause string)
}

// LegEventKind says what happened on a Leg.
type LegEventKind int

// Leg events.
const (
	// LegProgress: a provisional answer to our INVITE; Code, and SDP if it carried early media.
	LegProgress LegEventKind = iota
	// LegAnswered: the dialog is confirmed. Outgoing: their 200, SDP is their answer. Incoming: their ACK, SDP only if
	// our 200 carried the offer.
	LegAnswered
	// LegOffer: they offer a change of session (hold, resume, codec). SDP nil means: they ask for our offer. Answer it
	// with AnswerOffer.
	LegOffer
	// LegChanged: they took our Offer; SDP is their answer. LegUnchanged: they did not; Code says why, and what was
	// agreed before stays in force.
	LegChanged
	LegUnchanged
	// LegDigit: a key by SIP INFO.
	LegDigit
	// LegRefer: they ask us to connect whom we talk to with somebody else (RFC 3515). Answer it with Notify.
	LegRefer
	// LegEnded is the last event: Cause and Code say why.
	LegEnded
)

// LegCause is why a leg ended.
type LegCause int

// Leg causes.
const (
	CauseBye       LegCause = iota // they hung up
	CauseCancelled                 // they gave up before our answer
	CauseRejected                  // they refused our INVITE; Code is their status
	CauseTimeout                   // no final answer, or no ACK
	CauseTransport                 // the message could not be delivered
	CauseLocal                     // we ended it
	CauseProtocol                  // they broke the protocol in a way that ends the dialog (481, impossible SDP)
)

// LegEvent is something that happened on a Leg. Text is one line for the log.
type LegEvent struct {
	Kind   LegEventKind
	Code   int
	SDP    []byte
	Digit  byte // 0-9 * # A-D
	Refer  *Refer
	Cause  LegCause
	Text   string
	Device string     // LegAnswered of an outgoing leg to a user: the id of the device
	Host   netip.Addr // LegAnswered of an outgoing leg: where their signalling comes from
}

// Refer is a transfer that a far end asks for.
type Refer struct {
	URI      string    // Refer-To without its headers
	Target   string    // the user part of it, normalised to E.164 where it is a number
	Replaces *DialogID // attended: the call that the target has with the transferor already
	By       string    // Referred-By, for the record; not proven
}

// DialogID names a SIP dialog as one of its ends sees it, in Replaces (RFC 3891): ours is the tag on our side.
type DialogID struct {
	CallID, OurTag, TheirTag string
	EarlyOnly                bool
}

// matches reports whether both name the same dialog. Call-ID and our tag are ours and unique; the tag of the other side
// counts where it is known.
func (d DialogID) matches(o DialogID) bool {
	return d.CallID == o.CallID && d.OurTag == o.OurTag && (d.TheirTag == "" || o.TheirTag == "" || d.TheirTag == o.TheirTag)
}

// Encryption says how the audio of a leg is protected.
type Encryption string

// Kinds of encryption. What is required never falls back to plain RTP (R32).
const (
	EncryptionNone     Encryption = ""         // plain RTP; an encrypted offer is taken if it comes
	EncryptionOptional Encryption = "optional" // SDES offered in RTP/AVP, taken if they can
	EncryptionSDES     Encryption = "sdes"     // RTP/SAVP with SDES (RFC 4568), required
	EncryptionDTLS     Encryption = "dtls"     // UDP/TLS/RTP/SAVP with DTLS-SRTP (RFC 5764), required
	EncryptionWebRTC   Encryption = "webrtc"   // as browsers want it: UDP/TLS/RTP/SAVPF, DTLS-SRTP, ICE, rtcp-mux
)

// DigitMode says how keys are sent to a far end. All ways are heard, whatever the mode.
type DigitMode string

// Digit modes.
const (
	DigitsAuto   DigitMode = ""       // RFC 4733 if agreed, else in-band
	DigitsInfo   DigitMode = "info"   // SIP INFO
	DigitsInBand DigitMode = "inband" // as tones in the audio
)

// Profile is what is known about the media of a far end before anything is negotiated.
type Profile struct {
	Codecs     []string // that may be used, in order of preference; empty: all of ours
	Encryption Encryption
	Digits     DigitMode
	Noise      bool // pauses may be comfort noise instead of sound (RFC 3389)
}

// Media is the audio of one leg (media.Session implements it, through the adapter in internal/app). Methods return at
// once and do not fail after Close.
type Media interface {
	// Offer is our SDP offer; Accept applies the answer to it.
	Offer() ([]byte, error)
	Accept(answer []byte) error
	// Answer negotiates their offer, first or later, and gives our answer. On error (errs.Invalid: no common codec,
	// bad SDP) what was agreed before stays in force.
	Answer(offer []byte) ([]byte, error)
	// SetHost tells where their signalling comes from; it counts from the next negotiation on.
	SetHost(host netip.Addr)
	// Codec is what the leg speaks, by its RTP encoding name; empty before anything is agreed.
	Codec() string
	// Hold makes our next offer or answer say that we send and do not listen (held), or both (resumed).
	Hold(held bool)
	// SendDigits sends keys (0-9 * # A-D) one after the other as agreed, else in-band; done is called once when the last
	// one is out or the media is closed. It goes before what is played or joined.
	SendDigits(digits string, done func())
	// Key tells of a key that came beside the audio, by SIP INFO: OnDigit follows, unless the same key was heard in the
	// audio at the same time (R8).
	Key(digit byte)
	// Stats is the quality so far.
	Stats() contact.Quality
	// Play sends the given audio one after the other, again and again if loop is set, instead of whatever is played
	// now. done is called exactly once, from another goroutine: finished is false if something else took its place.
	Play(list []Audio, loop bool, done func(finished bool))
	// StopPlay ends what is played; silence is sent.
	StopPlay()
	// Close frees the port. It is safe twice. Quality is final.
	Close() contact.Quality
}

// MediaOptions are what a call wants of a new Media. The callbacks come from the media loop: they must not block.
type MediaOptions struct {
	ContactID string
	Profile   Profile          // of the far end
	First     string           // codec to offer first: what the other side of the call speaks, so that nothing need be transcoded
	OnDigit   func(digit byte) // once for each key pressed
	OnDead    func(why string) // media that had been agreed never came or stopped: see the media package for the times
	Peer      string           // "customer" or "agent", for logs
	Host      netip.Addr       // where their signalling comes from, if known: who may send audio from behind NAT
	Near      Media            // a leg of the same call, so that both are served by the same loop; nil: any
}

// MediaPlane makes and joins Media.
type MediaPlane interface {
	// Open binds a port from the range. errs.Unavailable when none is free.
	Open(o MediaOptions) (Media, error)
	// Join lets both hear each other, and ends what is played to them. The returned function parts them again.
	Join(a, b Media) (part func(), err error)
	// Record spools what left and right say, in stereo, on one timeline that begins now. key is the blob key.
	Record(contactID, key string, left, right Media) (Recording, error)
	// Room makes a conference without members.
	Room() Room
}

// Role is what a member of a conference hears, and who hears the member.
type Role int

// Roles.
const (
	Speaker Role = iota // hears everybody and is heard by everybody; a supervisor who barges in is one
	Monitor             // hears everybody, is heard by nobody
	Coach               // hears everybody, is heard by one member only
)

// Room is a conference. A media is in one room or one join at a time.
type Room interface {
	// Add lets a media in. coached is the member whom a Coach speaks to. errs.Limit: eleven members are in it already.
	Add(m Media, role Role, coached Media) error
	// Remove lets it out again; it gets silence.
	Remove(m Media)
	// Close lets everybody out.
	Close()
}

// Recording is a recording in progress.
type Recording interface {
	// Move records others from now on, on the same timeline: what several on one side say is mixed.
	Move(left, right []Media)
	// Pause writes silence from now on, Resume what is said again (R10). The timeline goes on.
	Pause()
	Resume()
	// Stop ends it; done is called once, from another goroutine, when the file is complete on disk.
	Stop(done func(contact.Recording, error))
}

// Priority orders calls that wait for a place on a trunk.
type Priority int

// Priorities, the most urgent first.
const (
	PriorityEmergency Priority = iota
	PriorityAgent              // a person waits: agents' own calls, transfers, callbacks
	PriorityCampaign
)

// Target is whom an outgoing leg calls: the devices of a user, or a number outside.
type Target struct {
	InstanceID string
	UserID     string // an agent: the devices that this user has registered
	Number     string // E.164, or as dialled if it is short; by a trunk
	TrunkID    string // by this trunk only; empty: by the instance's outbound rules
	Priority   Priority
	Group      string // a campaign: groups that wait for a place on a trunk take turns

	FromNumber string // shown to the called party
	FromName   string
	Anonymous  bool     // the number is not shown (RFC 3323)
	Diverted   []string // the numbers by which the call came here, first to last
	Identity   []string // Identity header fields of the call that is forwarded (RFC 8224); a trunk may pass them on
	OnBehalfOf string   // id of the user whose limits the call counts against; empty: the instance's
	ContactID  string
	AutoAccept bool // the phone is asked to answer by itself
}

// Dialer places outgoing legs to devices of our own and over trunks (sip.Endpoint implements it).
type Dialer interface {
	// Profile is what our offer to a target should look like.
	Profile(t Target) Profile
	// Dial sends an INVITE with our offer and returns at once. Every outcome, also "no such device" or "not permitted",
	// is an event. Several devices ring together, and the first to answer has the call; several gateways are tried in turn.
	Dial(t Target, offer []byte, events func(LegEvent)) Leg
}

// FlowKind says for what a flow runs in a call.
type FlowKind int

// The places of a call at which a flow runs (A1.4 of the specification).
const (
	FlowInbound FlowKind = iota
	FlowCustomerQueue
	FlowAgentWhisper
	FlowCustomerWhisper
	FlowDisconnect // CustomerRemaining: the agent has left, the customer is still there
	FlowCustomerHold
	FlowAgentHold
	FlowOutboundWhisper // the customer whom an agent has called hears it before they talk
	FlowAgentTransfer   // the agent who transfers to another agent hears it, and it decides
	FlowQueueTransfer   // ... to a queue
)

// FlowRun asks for a flow to be run. FlowID is empty for the instance's default flow of that kind.
type FlowRun struct {
	Kind    FlowKind
	FlowID  string
	Control *Control // the flow's hand on the call
}

// Flows runs contact flows against a call (an adapter on ivr implements it).
type Flows interface {
	// Run interprets the flow until it ends, ctx ends, or the participant has left. It blocks.
	Run(ctx context.Context, r FlowRun) FlowOutcome
}

// FlowOutcome is how a flow ended.
type FlowOutcome int

// Flow outcomes.
const (
	FlowEnded        FlowOutcome = iota // EndFlowExecution, or nothing left to do
	FlowDisconnected                    // DisconnectParticipant
	FlowQueued                          // TransferContactToQueue was accepted
	FlowFailed                          // no such flow, or an action without a way out failed
	FlowLeft                            // the participant left, or ctx ended
	FlowTransferred                     // the customer has been joined with somebody outside
	FlowNone                            // no flow is set, and the instance has no default
)

// Queues is the call's side of the ACD (an adapter on acd implements it). Only Enqueue can fail; the rest posts.
type Queues interface {
	// Enqueue puts the contact in line. errs.Limit: queue at capacity. errs.NotFound: no such queue, or disabled.
	Enqueue(ctx context.Context, e Enqueue) error
	// Leave takes the contact out, whatever it is doing there. Safe for a contact that is not there.
	Leave(contactID string)
	// Reorder changes the order in which a waiting contact is served. Safe for a contact that is not there.
	Reorder(contactID string, r Routing)
	// OfferResult tells how an offer came out.
	OfferResult(offerID string, r OfferResult)
	// Joined tells that customer and agent talk; AgentDone that the agent's part is over, so that after-contact work
	// starts.
	Joined(offerID string)
	AgentDone(offerID string)
}

// Routing is the order in which a contact is served, beside its age (A2.1).
type Routing struct {
	Priority      int64         // 1 is best; 0: the default, 5
	AgeAdjustment time.Duration // counts as age, never in reports
	Steps         []RoutingStep // whom to prefer, and for how long; none: anybody
}

// RoutingStep is one step of routing criteria. Expression is JSON, as in the Connect API; an Expiry of zero never passes.
type RoutingStep struct {
	Expression []byte
	Expiry     time.Duration
}

// Enqueue is a contact that wants an agent. Since is when it entered the queue, normally now.
type Enqueue struct {
	InstanceID string
	ContactID  string
	QueueID    string
	Channel    contact.Channel
	Since      time.Time
	Routing    Routing
	Owed       bool // it was in line before: the queue's capacity does not count
	// Number of the customer, who has called; empty if they were called, or nobody knows. Who is promised a callback by
	// the queue takes its place.
	Number string
}

// Offer is an agent reserved for a waiting contact: ring this agent for RingTime.
type Offer struct {
	ID         string
	ContactID  string
	RingTime   time.Duration
	Agent      contact.AgentInfo // identity and routing profile; no times yet
	QueueID    string
	AutoAccept bool
	ACWTimeout time.Duration
	Shared     bool // other agents are rung too, and the first to answer has the contact
}

// OfferResult is how an offer came out.
type OfferResult int

// Offer results: missed, rejected, caller-left and device-failed are four different things (R11).
const (
	OfferAnswered     OfferResult = iota
	OfferMissed                   // rang for the whole ring time
	OfferRejected                 // the agent refused (486, 603)
	OfferDeviceFailed             // no device, 408, 480, 5xx: the agent is not to blame
	OfferCallerLeft               // the caller left first: the agent is as before
	OfferAgentLeft                // answered, then gone before the two were joined
	OfferTaken                    // another agent, who was rung too, was faster: this one is as before
)

// Store remembers contacts. Every method commits before it returns.
type Store interface {
	// CreateContact adds the record of a new segment.
	CreateContact(ctx context.Context, r *contact.Record) error
	// UpdateContact replaces the record of an open segment.
	UpdateContact(ctx context.Context, r *contact.Record) error
	// CloseContact writes the final record, one upload job for each spooled recording, and ends every reservation of
	// the contact, in one transaction. Closing twice changes nothing.
	CloseContact(ctx context.Context, r *contact.Record) error
}

// NumberLookup finds the number that a call asks for.
type NumberLookup interface {
	// Lookup finds the number that was called. ok is false if nobody claimed it.
	Lookup(trunkID, called string) (n Number, ok bool)
}

// Person is a user of an instance, as a call must know one.
type Person struct {
	ID, InstanceID     string
	Username           string
	DisplayName        string
	RoutingProfileID   string
	RoutingProfileName string
	HierarchyGroups    []contact.Group // level 1 first
}

// Callee is whom somebody reaches by what was dialled: a user of the same instance, or a number outside.
type Callee struct {
	Person      *Person
	Number      string // E.164, or as dialled if it is short
	FromNumber  string // what a number outside is shown
	FromName    string
	Emergency   bool
	WhisperFlow string // that one who is called outside hears before the talk; empty: none
}

// People knows the users of all instances and whom they may call.
type People interface {
	// User finds a user. ok is false if there is none.
	User(id string) (p Person, ok bool)
	// Find says whom a user reaches by a user name, an extension or a telephone number. errs.NotFound: nobody.
	// errs.Denied: the instance does not permit it.
	Find(userID, called string) (Callee, error)
}

// Sound is something that a person hears who waits, when no flow is there for it.
type Sound int

// Sounds.
const (
	SoundNone Sound = iota
	SoundHold       // music
	SoundRing       // the tone of a telephone that rings at the other end
)

// Inbound is an admitted INVITE: where it came from and whom it asks for.
type Inbound struct {
	CallID     string
	TrunkID    string // empty for a call from a device of our own
	DeviceUser string // user id of the device, if not a trunk
	DeviceID   string
	From       contact.Endpoint
	Called     string // as dialled, normalised to E.164 where it is a number
	SDP        []byte // nil: they ask for our offer
	Received   time.Time
	Source     netip.Addr
	Profile    Profile   // of the caller's media
	Replaces   *DialogID // takes the place of a leg of ours (RFC 3891)
	Attested   *contact.Attestation
	Diverted   []string          // the numbers by which the call came, first to last; the one that is called is not among them
	Identity   []string          // as they came, bounded; for Target.Identity when the call is forwarded
	Headers    map[string]string // the SIP facts that flows may read: P-Asserted-Identity, From, To, Diversion ...
}

// Reader looks contacts up.
type Reader interface {
	// Contact is one record. errs.NotFound, also for another instance's contact.
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
	// Contacts lists the records initiated in [from, to), newest first, in pages.
	Contacts(ctx context.Context, instanceID string, from, to time.Time, p resource.Page) ([]*contact.Record, string, error)
	// OpenContacts are the segments of a node that were never closed: what a process that died has left.
	OpenContacts(ctx context.Context, node string) ([]*contact.Record, error)
}
