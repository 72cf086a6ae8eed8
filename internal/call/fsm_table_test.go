package call

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// states are calls in every phase that something can happen in. The agent of the queue is user u1 with party 3.
func states(t *testing.T) map[string]State {
	t.Helper()
	now := time.Now()
	at := func(s State, es ...Event) State {
		s, _ = walk(t, s, now, es...)
		return s
	}
	ring := append(toQueued(), offered{Offer: offer})
	whisper := append(slices.Clip(ring), partyLeg{Party: 3, LegEvent: answered})
	talking := at(newState(), toTalking()...)
	remaining := at(newState(), append([]Event{hookSet{Kind: FlowDisconnect, FlowID: "bye"}}, append(toTalking(),
		partyLeg{Party: 3, LegEvent: bye}, qualityKnown{Party: 3})...)...)
	transferring := at(talking, refer(3, "+8225551234", nil), resolved{Gen: 6, Callee: Callee{Number: "+8225551234"}})
	return map[string]State{
		"New": newState(), "Flow": at(newState(), toQueued()[:1]...), "Enqueueing": at(newState(), toQueued()[:4]...),
		"Queued": at(newState(), toQueued()...), "Ringing": at(newState(), ring...), "AgentWhisper": at(newState(), whisper...),
		"CustomerWhisper": at(newState(), append(slices.Clip(whisper), flowDone{Gen: 4, Kind: FlowAgentWhisper})...),
		"Talking":         talking, "Remaining": remaining, "Transferring": transferring,
		"Calling": at(outgoingState(), begun{}), "Ending": at(talking, customerLeg(bye)),
	}
}

func refer(party int, target string, replaces *DialogID) Event {
	return partyLeg{Party: party, LegEvent: LegEvent{Kind: LegRefer, Refer: &Refer{Target: target, Replaces: replaces}}}
}

// TestEveryEventInEveryState is the table of the package comment, row by row: the phase after the event, and what of the
// effects the row is about.
func TestEveryEventInEveryState(t *testing.T) {
	invite := inviteAsked{Callee: Callee{Number: "+82"}}
	fault := LegEvent{Kind: LegEnded, Cause: CauseTransport, Text: "gone"}
	pickUp := func(party int) Event {
		return takeOver{Party: party, Newcomer: Party{Person: Person{ID: "u2", Username: "lee"}}}
	}
	rows := []struct {
		name  string
		event func(s State) Event
		want  map[string]string // by phase; "" stands for all others. "Phase effect..."
	}{
		{"customer's BYE", func(s State) Event { return partyLeg{Party: s.Customer, LegEvent: bye} }, map[string]string{
			"": "ENDING hangup", "Calling": "ENDING reject", "Ending": "ENDING", "Transferring": "ENDING notify:487 hangup",
		}},
		{"agent's BYE", func(s State) Event { return partyLeg{Party: s.AgentGen, LegEvent: bye} }, map[string]string{
			"Ringing": "QUEUED reportOffer(3)", "AgentWhisper": "QUEUED reportOffer(5)", "CustomerWhisper": "QUEUED reportOffer(5)",
			"Talking": "ENDING reportDone", "Transferring": "TRANSFERRING reportDone", "Calling": "ENDING hangup", "": "same",
		}},
		{"agent's fault", func(s State) Event { return partyLeg{Party: s.AgentGen, LegEvent: fault} }, map[string]string{
			"Ringing": "QUEUED reportOffer(3)", "AgentWhisper": "QUEUED reportOffer(5)", "CustomerWhisper": "QUEUED reportOffer(5)",
			"Talking": "ENQUEUEING openSegment takeQueue", "Transferring": "TRANSFERRING reportDone", "Calling": "ENDING hangup",
			"": "same",
		}},
		{"REFER of the agent", func(s State) Event { return refer(s.AgentGen, "x", nil) }, map[string]string{
			"Talking": "TRANSFERRING notify:100 resolve", "Ringing": "RINGING notify:491", "AgentWhisper": "AGENT_WHISPER notify:491",
			"CustomerWhisper": "CUSTOMER_WHISPER notify:491", "Transferring": "TRANSFERRING notify:491", "Calling": "CALLING notify:491",
			"": "same",
		}},
		{"REFER of a carrier", func(s State) Event { return refer(s.Customer, "x", nil) }, map[string]string{
			"": "same notify:403", "Ending": "same",
		}},
		{"somebody takes the customer's place", func(s State) Event { return pickUp(s.Customer) }, map[string]string{
			"New": "same refuse", "Ending": "same refuse", "Transferring": "same refuse", "Calling": "TALKING adopt answer", "": "same adopt",
		}},
		{"somebody takes the agent's place", func(s State) Event { return pickUp(s.AgentGen) }, map[string]string{
			"Talking": "TALKING adopt reportDone openSegment", "": "same refuse",
		}},
		{"an offer", func(State) Event { return offered{Offer: offer} }, map[string]string{
			"Queued": "RINGING dial", "Enqueueing": "RINGING replyFlow dial", "": "same reportOffer(4)",
		}},
		{"hold", func(s State) Event { return holdAsked{Party: s.Customer, On: true} }, map[string]string{
			"Talking": "TALKING part startFlow(5) reply", "": "same reply",
		}},
		{"an invitation", func(State) Event { return invite }, map[string]string{"Talking": "TALKING dial reply", "": "same reply"}},
		{"recording is to begin", func(State) Event { return tapeAsked{Do: TapeSuspend} }, map[string]string{
			"Talking": "TALKING pauseRecording reply", "": "same reply",
		}},
		{"the customer's media is dead", func(s State) Event { return mediaDead{Party: s.Customer} }, map[string]string{
			"": "ENDING hangup", "Calling": "same", "Ending": "same",
		}},
		{"the agent's media is dead", func(s State) Event { return mediaDead{Party: s.AgentGen} }, map[string]string{
			"AgentWhisper": "QUEUED reportOffer(5)", "CustomerWhisper": "QUEUED reportOffer(5)",
			"Talking": "ENQUEUEING openSegment takeQueue", "Transferring": "TRANSFERRING reportDone", "": "same",
		}},
		{"a change of session", func(s State) Event {
			return partyLeg{Party: s.Customer, LegEvent: LegEvent{Kind: LegOffer, SDP: []byte("v=0")}}
		}, map[string]string{"": "same negotiate", "Ending": "same"}},
		{"the end from outside", func(State) Event { return stopAsked{Reason: contact.Other} }, map[string]string{
			"": "ENDING hangup", "Ending": "same",
		}},
	}
	for _, r := range rows {
		for name, s := range states(t) {
			want, ok := r.want[name]
			if !ok {
				want = r.want[""]
			}
			next, effects := Step(s, r.event(s), time.Now())
			words := strings.Fields(strings.Replace(want, "same", s.Phase.String(), 1))
			if next.Phase.String() != words[0] {
				t.Errorf("%s in %s: %s, want %s", r.name, name, next.Phase, words[0])
			}
			got := strings.Fields(names(effects))
			for _, w := range words[1:] {
				if !slices.Contains(got, w) {
					t.Errorf("%s in %s: effects %v, want %s", r.name, name, got, w)
				}
			}
			if len(words) == 1 && len(got) > 0 {
				t.Errorf("%s in %s: effects %v, want none", r.name, name, got)
			}
		}
	}
}

// told are the codes that the one who asked for a transfer was told.
func told(es []Effect) []int {
	var codes []int
	for _, e := range es {
		if n, ok := e.(notify); ok {
			codes = append(codes, n.Code)
		}
	}
	return codes
}

func TestR20TransfersEndWithTheRealCodeWhoeverHangsUpFirst(t *testing.T) {
	now := time.Now()
	rejected := func(code int) LegEvent { return LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: code} }
	const target = 8 // 6 is the transfer, 7 the hold flow
	outcomes := []struct {
		name  string
		event Event
		code  int
	}{
		{"answered", partyLeg{Party: target, LegEvent: answered}, 200},
		{"busy", partyLeg{Party: target, LegEvent: rejected(486)}, 486},
		{"declined", partyLeg{Party: target, LegEvent: rejected(603)}, 603},
		{"no device", partyLeg{Party: target, LegEvent: rejected(480)}, 480},
		{"challenge nobody can answer", partyLeg{Party: target, LegEvent: rejected(407)}, 403},
		{"no answer of the network", partyLeg{Party: target, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseTimeout}}, 408},
		{"rings out", timerFired{Timer: TimerRing, Gen: target}, 408},
		{"nobody there", partyLeg{Party: target, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseTransport}}, 503},
		{"the customer leaves", customerLeg(bye), 487},
		{"drained", stopAsked{Reason: contact.Other}, 487},
	}
	for _, o := range outcomes {
		for leaves := range 4 { // the transferor's BYE: never, before the target is known, while it rings, after 180
			s, _ := walk(t, newState(), now, toTalking()...)
			var all []int
			step := func(e Event) {
				var es []Effect
				s, es = Step(s, e, now)
				all = append(all, told(es)...)
			}
			hangUp := func(at int) {
				if leaves == at {
					step(partyLeg{Party: 3, LegEvent: bye})
				}
			}
			step(refer(3, "+8225551234", nil))
			hangUp(1)
			step(resolved{Gen: s.Transfer.Gen, Callee: Callee{Number: "+8225551234"}})
			hangUp(2)
			step(partyLeg{Party: target, LegEvent: LegEvent{Kind: LegProgress, Code: 180}})
			hangUp(3)
			step(o.event)
			if len(all) == 0 || all[0] != 100 || all[len(all)-1] != o.code || slices.ContainsFunc(all[:len(all)-1], func(c int) bool { return c >= 200 }) {
				t.Errorf("%s, transferor leaves at %d: told %v, want 100 ... %d", o.name, leaves, all, o.code)
			}
			want := PhaseTalking // with the target, or back with the agent
			switch {
			case o.code == 487:
				want = PhaseEnding
			case o.code != 200 && leaves > 0:
				want = PhaseEnqueueing // back to the front of the queue
			}
			if s.Phase != want {
				t.Errorf("%s, transferor leaves at %d: %s, want %s", o.name, leaves, s.Phase, want)
			}
			if o.code == 200 && (s.Record.InitiationMethod != contact.Transfer || s.Record.PreviousContactID != "c1" || s.AgentGen != target) {
				t.Errorf("%s: record %+v", o.name, s.Record)
			}
		}
	}
}

func TestR20AFailedTransferRunsTheDisconnectFlowIfThereIsOne(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, newState(), now, append([]Event{hookSet{Kind: FlowDisconnect, FlowID: "d"}}, toTalking()...)...)
	s, effects := walk(t, s, now, refer(3, "nobody", nil), partyLeg{Party: 3, LegEvent: bye},
		resolved{Gen: 6, Err: errs.New(errs.NotFound, "nobody")})
	if s.Phase != PhaseRemaining || !slices.Equal(told(effects), []int{404}) {
		t.Errorf("%s, told %v", s.Phase, told(effects))
	}
}

func TestR20ATransferToANumberOfOursRunsItsFlowInANewSegment(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, newState(), now, toTalking()...)
	s, effects := walk(t, s, now, refer(3, "100", nil), resolved{Gen: 6, FlowID: "f9", Number: "100"})
	if s.Phase != PhaseFlow || s.Record.ID != "c2" || s.Record.FlowID != "f9" || s.Record.SystemEndpoint.Address != "100" ||
		s.Record.InitiationMethod != contact.Transfer || s.AgentGen != 0 || s.Offer.ID != "" {
		t.Errorf("%s, record %+v", s.Phase, s.Record)
	}
	if got := names(effects); !strings.Contains(got, "notify:200") || !strings.Contains(got, "startFlow(0)") {
		t.Errorf("effects %s", got)
	}
	s, effects = walk(t, s, now, qualityKnown{Party: 3}, recordingDone{Key: tape1(now)})
	if names(effects) != "closeSegment" {
		t.Errorf("effects %s", names(effects))
	}
	if r := effects[0].(closeSegment).Record; r.ID != "c1" || r.NextContactID != "c2" || r.TransferCompletedTimestamp.IsZero() || r.AgentQuality == nil {
		t.Errorf("old segment %+v", r)
	}
	if s.Flow[ofCustomer] == 0 {
		t.Error("no flow runs")
	}
}

func TestR20AnAttendedTransferThatIsNotTakenGivesTheCustomerBack(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, newState(), now, toTalking()...)
	s, effects := walk(t, s, now, refer(3, "x", &DialogID{CallID: "y", OurTag: "z"}))
	if got := names(effects); !strings.Contains(got, "part") || !strings.Contains(got, "notify:100 lend") {
		t.Fatalf("effects %s", got)
	}
	s, effects = walk(t, s, now, moved{Gen: 6, Err: errs.New(errs.NotFound, "gone")})
	if got := names(effects); s.Phase != PhaseTalking || !slices.Equal(told(effects), []int{481}) || !strings.Contains(got, "reclaim") ||
		!strings.HasSuffix(got, "join") {
		t.Errorf("%s, effects %s", s.Phase, got)
	}
}

func TestR20WhoConsultedLeavesAndTheCustomerMeetsWhoWasConsulted(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, outgoingState(), now, begun{}, partyLeg{Party: 1, LegEvent: answered})
	from := &contact.Record{ID: "c0", InitialContactID: "c0", Attributes: map[string]string{"vip": "yes"}}
	s, effects := walk(t, s, now, takeOver{
		Party: firstParty, From: from, ToRecord: true,
		Newcomer: Party{Role: RoleCustomer, Address: contact.Endpoint{Address: "+8210"}},
	})
	r := s.Record
	if s.Phase != PhaseTalking || r.PreviousContactID != "c0" || r.InitiationMethod != contact.Transfer || r.CustomerEndpoint.Address != "+8210" ||
		r.Attributes["vip"] != "yes" || s.party(s.Customer).Address.Address != "+8210" || s.AgentGen != 1 {
		t.Errorf("%s, customer %d, agent %d, record %+v", s.Phase, s.Customer, s.AgentGen, r)
	}
	if got, want := names(effects), "part adopt stopTimer stopTimer hangup closeMedia startRecording save join"; got != want {
		t.Errorf("effects %q, want %q", got, want)
	}
	if _, effects = walk(t, s, now, partyLeg{Party: firstParty, LegEvent: bye}); len(effects) != 0 {
		t.Errorf("a late BYE of the one who left does something: %s", names(effects))
	}
}

func TestR31MediaOfAPartyOnHoldMayStop(t *testing.T) {
	s, _ := walk(t, newState(), time.Now(), append(toTalking(), negotiated{Party: firstParty, Held: true})...)
	if next, _ := Step(s, mediaDead{Party: firstParty, Why: "stopped"}, time.Now()); next.Phase != PhaseTalking {
		t.Errorf("%s", next.Phase)
	}
	s, _ = walk(t, s, time.Now(), negotiated{Party: firstParty})
	next, _ := Step(s, mediaDead{Party: firstParty, Why: "stopped"}, time.Now())
	if next.Phase != PhaseEnding || next.Record.DisconnectReason != contact.TelecomProblem {
		t.Errorf("%s, %s", next.Phase, next.Record.DisconnectReason)
	}
}

func TestR31WhoHasLostTheAgentToAFaultIsFirstInTheQueueAgain(t *testing.T) {
	start := time.Now()
	s, _ := walk(t, newState(), start, toTalking()...)
	s, effects := walk(t, s, start.Add(time.Minute), mediaDead{Party: 3, Why: "nothing comes"})
	i := slices.IndexFunc(effects, func(e Effect) bool { _, ok := e.(takeQueue); return ok })
	if i < 0 || !effects[i].(takeQueue).Enqueue.Since.Equal(start) || effects[i].(takeQueue).Enqueue.ContactID != "c2" {
		t.Fatalf("effects %s", names(effects))
	}
	if w := s.Wired; len(w.Sounds) != 1 || w.Sounds[0] != (playing{firstParty, SoundHold}) {
		t.Errorf("the customer hears %+v", w)
	}
	s, effects = walk(t, s, start, enqueueDone{Err: errs.New(errs.Limit, "full")})
	if s.Phase != PhaseEnding {
		t.Errorf("%s, %s", s.Phase, names(effects))
	}
}
