package call

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func newState() State {
	return State{
		Phase: PhaseNew, Alias: "acme", NextID: "c2", Customer: firstParty,
		Parties: []Party{{ID: firstParty, Role: RoleCustomer, Media: true}}, Record: &contact.Record{
			ID: "c1", InstanceID: "i1", InitialContactID: "c1", FlowID: "f1", Channel: contact.Voice,
			InitiationMethod: contact.Inbound,
		},
	}
}

// walk steps a state through events and gives the effects of the last.
func walk(t *testing.T, s State, now time.Time, es ...Event) (State, []Effect) {
	t.Helper()
	var effects []Effect
	for _, e := range es {
		s, effects = Step(s, e, now)
	}
	return s, effects
}

// names lists the types of effects, for comparing.
func names(es []Effect) string {
	var out []string
	for _, e := range es {
		name := strings.TrimPrefix(fmt.Sprintf("%T", e), "call.")
		switch e := e.(type) {
		case reportOffer:
			name += fmt.Sprintf("(%d)", e.Result)
		case notify:
			name += fmt.Sprintf(":%d", e.Code)
		case startFlow:
			name += fmt.Sprintf("(%d)", e.Kind)
		case tell:
			continue
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func customerLeg(e LegEvent) Event { return partyLeg{Party: firstParty, LegEvent: e} }

// tape1 is the key of the first recording of the contact.
func tape1(now time.Time) string { return RecordingKey("acme", "c1", now) }

var (
	offer    = Offer{ID: "o1", ContactID: "c1", RingTime: 20 * time.Second, Agent: contact.AgentInfo{ID: "u1", Username: "kim"}}
	answered = LegEvent{Kind: LegAnswered}
	bye      = LegEvent{Kind: LegEnded, Cause: CauseBye}
)

// toQueued are the events that bring a new call into the queue; the flow has generation 1, the queue flow 2.
func toQueued() []Event {
	return []Event{
		customerLeg(answered),
		recordingSet{On: true},
		targetSet{Target: TargetQueue{ID: "q1", Name: "BasicQueue"}},
		enqueueAsked{Gen: 1, NewID: "c2"},
		enqueueDone{},
	}
}

// toTalking goes on from there: the agent's leg has generation 3, the whispers 4 and 5.
func toTalking() []Event {
	return append(toQueued(),
		offered{Offer: offer},
		partyLeg{Party: 3, LegEvent: answered},
		flowDone{Gen: 4, Kind: FlowAgentWhisper, Outcome: FlowEnded},
		flowDone{Gen: 5, Kind: FlowCustomerWhisper, Outcome: FlowEnded},
	)
}

func TestAnOrdinaryCallGoesThroughItsPhases(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)
	rows := []struct {
		name   string
		events []Event
		phase  Phase
		last   string
	}{
		{"answered", []Event{customerLeg(answered)}, PhaseFlow, "startFlow(0) save"},
		{"asks for the queue", toQueued()[:4], PhaseEnqueueing, "takeQueue"},
		{"queued", toQueued(), PhaseQueued, "replyFlow startFlow(1) save"},
		{"offered", append(toQueued(), offered{Offer: offer}), PhaseRinging, "dial startTimer"},
		{
			"offer overtakes the queue's answer", append(toQueued()[:4], offered{Offer: offer}), PhaseRinging,
			"replyFlow startFlow(1) save dial startTimer",
		},
		{
			"accepted", append(toQueued(), offered{Offer: offer}, partyLeg{Party: 3, LegEvent: answered}), PhaseAgentWhisper,
			"stopTimer reportOffer(0) startFlow(2) startTimer",
		},
		{"joined", toTalking(), PhaseTalking, "stopTimer reportJoined startRecording save join"},
		{
			"customer hangs up", append(toTalking(), customerLeg(bye)), PhaseEnding,
			"part stopRecording stopTimer stopTimer hangup closeMedia reportDone hangup closeMedia",
		},
		{
			"agent hangs up", append(toTalking(), partyLeg{Party: 3, LegEvent: bye}), PhaseEnding,
			"part stopRecording stopTimer stopTimer hangup closeMedia reportDone hangup closeMedia",
		},
		{"everything is done", append(toTalking(), customerLeg(bye), qualityKnown{Party: 3}, qualityKnown{Party: firstParty},
			recordingDone{Key: tape1(now)}), PhaseEnding, "closeSegment"},
		{"stored", append(toTalking(), customerLeg(bye), qualityKnown{Party: 3}, qualityKnown{Party: firstParty}, recordingDone{Key: tape1(now)},
			stored{}), PhaseEnded, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s, effects := walk(t, newState(), now, r.events...)
			if s.Phase != r.phase || names(effects) != r.last {
				t.Errorf("phase %s, effects %q; want %s, %q", s.Phase, names(effects), r.phase, r.last)
			}
		})
	}
}

func TestEveryWayAnOfferCanEndIsToldApart(t *testing.T) {
	now := time.Now()
	ring := append(toQueued(), offered{Offer: offer})
	whisper := append(slices.Clip(ring), partyLeg{Party: 3, LegEvent: answered})
	rejected := func(code int) Event {
		return partyLeg{Party: 3, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: code}}
	}
	rows := []struct {
		name   string
		events []Event
		phase  Phase
		want   OfferResult
	}{
		{"rings out", append(slices.Clip(ring), timerFired{Timer: TimerRing, Gen: 3}), PhaseQueued, OfferMissed},
		{"busy", append(slices.Clip(ring), rejected(486)), PhaseQueued, OfferRejected},
		{"declined", append(slices.Clip(ring), rejected(603)), PhaseQueued, OfferRejected},
		{"no device", append(slices.Clip(ring), rejected(480)), PhaseQueued, OfferDeviceFailed},
		{"device silent", append(slices.Clip(ring),
			partyLeg{Party: 3, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseTimeout}}), PhaseQueued, OfferDeviceFailed},
		{"caller hangs up while ringing", append(slices.Clip(ring), customerLeg(bye)), PhaseEnding, OfferCallerLeft},
		{
			"agent hangs up in the whisper", append(slices.Clip(whisper), partyLeg{Party: 3, LegEvent: bye}),
			PhaseQueued, OfferAgentLeft,
		},
		{
			"caller hangs up in the whisper", append(slices.Clip(whisper), customerLeg(bye)), PhaseEnding,
			OfferCallerLeft,
		},
		{
			"whisper without end", append(slices.Clip(whisper), timerFired{Timer: TimerWhisper, Gen: 3}),
			PhaseQueued, OfferAgentLeft,
		},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s, effects := walk(t, newState(), now, r.events...)
			var got []OfferResult
			for _, e := range effects {
				if e, ok := e.(reportOffer); ok {
					got = append(got, e.Result)
				}
			}
			if s.Phase != r.phase || len(got) != 1 || got[0] != r.want {
				t.Errorf("phase %s, results %v; want %s, [%d]", s.Phase, got, r.phase, r.want)
			}
			if s.Offer.ID != "" || s.AgentGen != 0 {
				t.Errorf("the offer lives on: %+v", s.Offer)
			}
		})
	}
}

func TestALateTimerOrLegEventOfAnotherGenerationIsIgnored(t *testing.T) {
	s, _ := walk(t, newState(), time.Now(), toTalking()...)
	for _, e := range []Event{
		timerFired{Timer: TimerRing, Gen: 3},
		partyLeg{Party: 2, LegEvent: bye},
		partyLeg{Party: 0, LegEvent: bye},
		flowDone{Gen: 2, Kind: FlowCustomerQueue, Outcome: FlowDisconnected},
		mediaDead{Party: 1},
		enqueueDone{},
	} {
		next, effects := Step(s, e, time.Now())
		if next.Phase != PhaseTalking || len(effects) != 0 {
			t.Errorf("%T moved the call to %s with %s", e, next.Phase, names(effects))
		}
	}
}

func TestAQueueThatIsFullLeavesTheFlowInCharge(t *testing.T) {
	full := errs.New(errs.Limit, "full")
	s, effects := walk(t, newState(), time.Now(), append(toQueued()[:4], enqueueDone{Err: full})...)
	if s.Phase != PhaseFlow || s.Record.Queue != nil {
		t.Errorf("phase %s, queue %v", s.Phase, s.Record.Queue)
	}
	if want := []Effect{replyFlow{Err: full}}; !reflect.DeepEqual(effects, want) {
		t.Errorf("effects %v, want %v", effects, want)
	}
}

func TestTheDisconnectFlowMayQueueTheCustomerAgainInANewSegment(t *testing.T) {
	now := time.Now()
	es := append([]Event{hookSet{Kind: FlowDisconnect, FlowID: "bye-flow"}}, toTalking()...)
	s, effects := walk(t, newState(), now, append(es, partyLeg{Party: 3, LegEvent: bye})...)
	if s.Phase != PhaseRemaining {
		t.Fatalf("phase %s", s.Phase)
	}
	if !strings.Contains(names(effects), "startFlow(4)") {
		t.Fatalf("no disconnect flow: %s", names(effects))
	}
	s, effects = walk(t, s, now, enqueueAsked{Gen: s.Flow[ofCustomer], NewID: "c2"})
	if got, want := names(effects), "openSegment takeQueue"; got != want {
		t.Fatalf("effects %q, want %q", got, want)
	}
	s, effects = walk(t, s, now, qualityKnown{Party: 3})
	if len(effects) != 0 {
		t.Fatalf("the segment was closed before its recording was complete: %s", names(effects))
	}
	s, effects = walk(t, s, now, recordingDone{Key: tape1(now), Recording: contact.Recording{Bytes: 7}})
	if got, want := names(effects), "closeSegment"; got != want {
		t.Fatalf("effects %q, want %q", got, want)
	}
	old := effects[0].(closeSegment).Record
	if old.ID != "c1" || old.NextContactID != "c2" || old.Recordings[0].Bytes != 7 || old.DisconnectReason != contact.AgentDisconnect {
		t.Errorf("old segment %+v", old)
	}
	r := s.Record
	if r.ID != "c2" || r.PreviousContactID != "c1" || r.InitialContactID != "c1" || r.InitiationMethod != contact.Disconnect ||
		len(r.Recordings) != 0 || r.Agent != nil {
		t.Errorf("new segment %+v", r)
	}
}

func TestStepDoesNotTouchTheStateItWasGiven(t *testing.T) {
	s, _ := walk(t, newState(), time.Now(), toTalking()...)
	before := copyRecord(s.Record)
	Step(s, attributesSet{Set: map[string]string{"a": "b"}}, time.Now())
	Step(s, customerLeg(bye), time.Now())
	if !reflect.DeepEqual(before, s.Record) {
		t.Errorf("the record changed:\n%+v\n%+v", before, s.Record)
	}
}
