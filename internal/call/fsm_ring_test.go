package call

import (
	"slices"
	"testing"
	"time"

	"ullim/internal/contact"
)

// ringAll is a call in line whose queue rings three agents at once.
func ringAll(t *testing.T) (State, func(Event) []Effect) {
	t.Helper()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := State{
		Phase: PhaseQueued, Gen: 1, Customer: firstParty,
		Parties: []Party{{ID: firstParty, Role: RoleCustomer, Stage: partyUp, Media: true}},
		Record:  &contact.Record{ID: "c", Queue: &contact.QueueInfo{ID: "q", EnqueueTimestamp: at}},
	}
	step := func(e Event) (effects []Effect) {
		at = at.Add(time.Second)
		s, effects = Step(s, e, at)
		return effects
	}
	for _, id := range []string{"a", "b", "c"} {
		step(offered{Offer: Offer{ID: "o" + id, ContactID: "c", RingTime: time.Minute, Shared: true, Agent: contact.AgentInfo{ID: id, Username: id}}})
	}
	if s.Phase != PhaseRinging || len(s.Rivals) != 2 || len(s.Parties) != 4 {
		t.Fatalf("%s with %d rivals and %d parties", s.Phase, len(s.Rivals), len(s.Parties))
	}
	return s, func(e Event) []Effect { effects := step(e); return effects }
}

func results(effects []Effect) (out []string) {
	for _, f := range effects {
		switch f := f.(type) {
		case reportOffer:
			out = append(out, f.OfferID+map[OfferResult]string{
				OfferAnswered: " answered", OfferTaken: " taken", OfferMissed: " missed", OfferRejected: " rejected",
				OfferCallerLeft: " caller left", OfferDeviceFailed: " failed",
			}[f.Result])
		case hangup:
			out = append(out, "hangup "+f.Cause)
		}
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// Q2 of the requirements: several are rung, one has the call, nobody else is to blame.
func TestTheFirstOfSeveralAgentsToAnswerHasTheContact(t *testing.T) {
	s, step := ringAll(t)
	b := s.Rivals[0].Gen
	same(t, results(step(partyLeg{Party: b, LegEvent: LegEvent{Kind: LegAnswered}})),
		"hangup "+completedElsewhere, "hangup "+completedElsewhere, "oa taken", "ob answered", "oc taken")
	// The second to answer crossed with the CANCEL: its leg is gone already.
	same(t, results(step(partyLeg{Party: s.AgentGen, LegEvent: LegEvent{Kind: LegAnswered}})))
	same(t, results(step(offered{Offer: Offer{ID: "late", ContactID: "c", Shared: true}})), "late taken")
}

func TestTheOthersRingOnWhenOneOfSeveralDoesNotAnswer(t *testing.T) {
	s, step := ringAll(t)
	a, b, c := s.AgentGen, s.Rivals[0].Gen, s.Rivals[1].Gen
	same(t, results(step(partyLeg{Party: c, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 486}})), "hangup ", "oc rejected")
	same(t, results(step(timerFired{Timer: TimerRing, Gen: a})), "hangup no answer", "oa missed")
	same(t, results(step(partyLeg{Party: b, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 503}})), "hangup ", "ob failed")
	same(t, results(step(offered{Offer: Offer{ID: "od", ContactID: "c", Agent: contact.AgentInfo{ID: "d"}}}))) // in line again
}

func TestNobodyRingsForACallerWhoHasLeft(t *testing.T) {
	_, step := ringAll(t)
	got := results(step(partyLeg{Party: firstParty, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseBye}}))
	for _, want := range []string{"oa caller left", "ob caller left", "oc caller left"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

func TestTheRecordTellsWhatRoutingDid(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := State{
		Phase: PhaseFlow, Gen: 1, Customer: firstParty, Flow: [places]int{1, 0}, Target: TargetQueue{ID: "q"},
		Parties: []Party{{ID: firstParty, Role: RoleCustomer, Stage: partyUp}},
		Record:  &contact.Record{ID: "c"},
		Rank: Routing{AgeAdjustment: time.Minute, Steps: []RoutingStep{
			{Expression: []byte("one"), Expiry: 10 * time.Second}, {Expression: []byte("two"), Expiry: 10 * time.Second}, {Expression: []byte("three")},
		}},
	}
	do := func(e Event, after time.Duration) {
		at = at.Add(after)
		s, _ = Step(s, e, at)
	}
	do(enqueueAsked{Gen: 1}, 0)
	do(enqueueDone{}, 0)
	if r := s.Record; r.QueuePriority != 5 || r.QueueTimeAdjustment != time.Minute || len(r.Criteria) != 3 || r.Criteria[0].Status != "ACTIVE" {
		t.Fatalf("queued as %+v", r)
	}
	offer := func(id string) Offer {
		return Offer{ID: id, ContactID: "c", RingTime: time.Minute, Agent: contact.AgentInfo{ID: "u" + id, Username: id}}
	}
	do(offered{offer("1")}, 5*time.Second)
	do(timerFired{Timer: TimerRing, Gen: s.AgentGen}, time.Second)
	do(offered{offer("2")}, time.Second)
	do(partyLeg{Party: s.AgentGen, LegEvent: LegEvent{Kind: LegAnswered}}, 6*time.Second)
	do(flowDone{Gen: s.Flow[ofAgent], Kind: FlowAgentWhisper}, time.Second)
	do(flowDone{Gen: s.Flow[ofCustomer], Kind: FlowCustomerWhisper}, time.Second)
	if s.Phase != PhaseTalking {
		t.Fatal(s.Phase)
	}
	var got []string
	for _, o := range s.Record.Offers {
		got = append(got, o.UserID+" "+o.Outcome+" "+o.End.Sub(o.Start).String())
	}
	same(t, got, "u1 MISSED 1s", "u2 ANSWERED 6s")
	got = nil
	for _, c := range s.Record.Criteria {
		got = append(got, c.Expression+" "+c.Status)
	}
	same(t, got, "one EXPIRED", "two JOINED", "three INACTIVE")
}
