package call

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"ullim/internal/contact"
)

// Effect is something that the actor does because Step says so, in the order given.
type Effect interface{ isEffect() }

// Effects on legs and media.
type (
	// negotiate applies SDP to the media of a party. Offer: it is an offer and wants an answer. negotiated follows.
	negotiate struct {
		Party int
		SDP   []byte
		Offer bool
		Early bool
		Host  netip.Addr // of the far end's signalling, if it is new
	}
	// answer, ring, progress, reject: what one who called us is told.
	answer   struct{ Party int }
	ring     struct{ Party int }
	progress struct{ Party int }
	reject   struct {
		Party  int
		Code   int
		Reason string
	}
	// dial opens media for a party and calls it.
	dial struct {
		Party  int
		Target Target
		Near   int // the party that it will speak with
	}
	// hangup ends a leg.
	hangup struct {
		Party int
		Cause string
	}
	// notify answers a REFER, and tells how it goes.
	notify struct {
		Party  int
		Code   int
		Reason string
	}
	// closeMedia frees the media of a party; qualityKnown follows.
	closeMedia struct{ Party int }
	// sendKeys presses keys towards a party.
	sendKeys struct {
		Party  int
		Digits string
	}
	// part ends of who hears what all that is not in the wiring, join begins what is new in it.
	part struct{ wiring }
	join struct{ wiring }
)

// Effects of flows, queue and recording.
type (
	// startFlow runs a flow for the customer or the agent, ending the one that runs there.
	startFlow struct {
		For    int
		Party  int
		Gen    int
		Kind   FlowKind
		FlowID string
	}
	// stopFlow ends the flow that runs for somebody, and what it plays.
	stopFlow struct {
		For   int
		Party int
	}
	// reseat lets the flow that runs for somebody speak to another party.
	reseat struct{ For, Party int }
	// takeQueue asks the ACD for a place in line.
	takeQueue struct{ Enqueue Enqueue }
	// replyFlow answers the flow of a place that asked for a queue, or for somebody outside.
	replyFlow struct {
		For int
		Err error
	}
	// reorder tells the ACD of a new order.
	reorder struct {
		ContactID string
		Routing   Routing
	}
	// leaveQueue, reportOffer, reportJoined, reportDone tell the ACD.
	leaveQueue  struct{ ContactID string }
	reportOffer struct {
		OfferID string
		Result  OfferResult
	}
	reportJoined struct{ OfferID string }
	reportDone   struct{ OfferID string }
	// startRecording, moveRecording, stopRecording, pauseRecording: Key is the blob key.
	startRecording struct {
		Key   string
		Sides sides
	}
	moveRecording  struct{ Sides sides }
	stopRecording  struct{}
	pauseRecording struct{ On bool }
)

// Effects that reach beyond the call, and the record.
type (
	// resolve asks whom somebody means by what a REFER names; resolved follows.
	resolve struct {
		Gen    int
		UserID string
		Target string
	}
	// findAgent asks how the user can be reached whom a transfer is for; agentFound follows.
	findAgent struct {
		Gen    int
		UserID string
	}
	// openBeside adds the record of a contact beside the one that the call is about; turnTo makes it that one.
	openBeside struct{ Record *contact.Record }
	turnTo     struct{ ContactID string }
	// lend offers a party to the call that has a dialog; moved follows.
	lend struct {
		Gen      int
		Party    int
		Dialog   DialogID
		Newcomer Party
		Record   *contact.Record
		ToRecord bool
	}
	// adopt takes the leg that came with a takeOver and tells whoever lent it; refuse gives it back.
	adopt  struct{ Party int }
	refuse struct{ Err error }
	// reclaim takes back the party that another call would not take.
	reclaim struct{ Party int }
	// reply answers the one who asked for something.
	reply struct{ Err error }
	// startTimer and stopTimer.
	startTimer struct {
		Timer Timer
		Gen   int
		After time.Duration
	}
	stopTimer struct {
		Timer Timer
		Gen   int
	}
	// save writes the record of the open segment behind the call.
	save struct{ Record *contact.Record }
	// commit waits until what was saved is on disk; committed follows.
	commit struct{}
	// closeSegment writes the final record of a segment. Last: the call is over when it is stored.
	closeSegment struct {
		Record *contact.Record
		Last   bool
	}
	// openSegment adds the record of a new segment.
	openSegment struct{ Record *contact.Record }
	// tell records an event for whoever watches.
	tell struct{ Kind, Detail string }
)

func (negotiate) isEffect()      {}
func (answer) isEffect()         {}
func (ring) isEffect()           {}
func (progress) isEffect()       {}
func (reject) isEffect()         {}
func (dial) isEffect()           {}
func (hangup) isEffect()         {}
func (notify) isEffect()         {}
func (closeMedia) isEffect()     {}
func (part) isEffect()           {}
func (join) isEffect()           {}
func (startFlow) isEffect()      {}
func (stopFlow) isEffect()       {}
func (reseat) isEffect()         {}
func (takeQueue) isEffect()      {}
func (replyFlow) isEffect()      {}
func (reorder) isEffect()        {}
func (sendKeys) isEffect()       {}
func (leaveQueue) isEffect()     {}
func (reportOffer) isEffect()    {}
func (reportJoined) isEffect()   {}
func (reportDone) isEffect()     {}
func (startRecording) isEffect() {}
func (moveRecording) isEffect()  {}
func (stopRecording) isEffect()  {}
func (pauseRecording) isEffect() {}
func (resolve) isEffect()        {}
func (lend) isEffect()           {}
func (adopt) isEffect()          {}
func (refuse) isEffect()         {}
func (reclaim) isEffect()        {}
func (reply) isEffect()          {}
func (startTimer) isEffect()     {}
func (stopTimer) isEffect()      {}
func (save) isEffect()           {}
func (commit) isEffect()         {}
func (closeSegment) isEffect()   {}
func (openSegment) isEffect()    {}
func (openBeside) isEffect()     {}
func (turnTo) isEffect()         {}
func (findAgent) isEffect()      {}
func (tell) isEffect()           {}

// copyRecord gives a record that shares nothing that changes with r.
func copyRecord(old *contact.Record) *contact.Record {
	r := *old
	r.Attributes = maps.Clone(r.Attributes)
	if r.Queue != nil {
		q := *r.Queue
		r.Queue = &q
	}
	if r.Agent != nil {
		a := *r.Agent
		a.Transitions = slices.Clone(a.Transitions)
		r.Agent = &a
	}
	r.Recordings = append([]contact.Recording(nil), r.Recordings...)
	r.Streams = slices.Clone(r.Streams)
	return &r
}
