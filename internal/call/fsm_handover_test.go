package call

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// handovers are calls in which the agent u1 (party 3) transfers to somebody, in every state that this can be in. han is u6.
// Generation 6 is the transfer, 7 the transfer flow, 8 the hold flow.
func handovers(t *testing.T, consult bool) map[string]State {
	t.Helper()
	now := time.Now()
	talking, _ := walk(t, newState(), now, toTalking()...)
	han := resolved{Callee: Callee{Person: &Person{ID: "u6", Username: "han"}}, Queue: TargetQueue{ID: "agent/u6", Name: "han"}}
	desk := resolved{Queue: TargetQueue{ID: "q3", Name: "Desk"}}
	at := func(es ...Event) State {
		s, _ := walk(t, talking, now, es...)
		return s
	}
	agent := []Event{transferAsked{By: "u1", Goal: han, Consult: consult}}
	asked := append(slices.Clip(agent), agentAsked{Gen: 7, NewID: "n"})
	line := append(slices.Clip(asked), agentFound{Gen: 6, Routed: true}, enqueueDone{ContactID: "c2"})
	o := Offer{ID: "o2", ContactID: "c2", RingTime: 20 * time.Second, Agent: contact.AgentInfo{ID: "u6", Username: "han"}}
	rings := append(slices.Clip(line), offered{Offer: o})
	ringing := at(rings...)
	hears := append(slices.Clip(rings), partyLeg{Party: ringing.Aside.To, LegEvent: answered})
	out := map[string]State{
		"flow": at(agent...), "asks": at(asked...), "asking": at(append(slices.Clip(asked), agentFound{Gen: 6, Routed: true})...), "queued": at(line...),
		"rings": ringing, "hears": at(hears...), "device": at(append(slices.Clip(asked), agentFound{Gen: 6})...),
		"desk flow":   at(transferAsked{By: "u1", Goal: desk, Consult: consult}),
		"desk asking": at(transferAsked{By: "u1", Goal: desk, Consult: consult}, enqueueAsked{Gen: 7, NewID: "n"}),
	}
	if consult {
		s := out["hears"]
		greets := append(slices.Clip(hears), flowDone{Gen: s.Flow[ofAside], Kind: FlowAgentWhisper})
		out["greets"] = at(greets...)
		s = out["greets"]
		out["talks"] = at(append(slices.Clip(greets), flowDone{Gen: s.Flow[ofAgent], Kind: FlowCustomerWhisper})...)
		out["desk queued"] = at(transferAsked{By: "u1", Goal: desk, Consult: true}, enqueueAsked{Gen: 7, NewID: "n"}, enqueueDone{ContactID: "c2"})
	}
	return out
}

// TestA1_4EveryEventInEveryStateOfATransfer is the table of transfers: what the rows are about, by state.
func TestA1_4EveryEventInEveryStateOfATransfer(t *testing.T) {
	busy := errs.New(errs.Limit, "busy")
	rows := []struct {
		name    string
		consult bool
		event   func(s State) Event
		want    map[string]string // by state; "" stands for all others. "Phase effect..."
	}{
		{"the customer hangs up", false, func(s State) Event { return partyLeg{Party: s.Customer, LegEvent: bye} }, map[string]string{
			"": "ENDING hangup", "queued": "ENDING leaveQueue", "rings": "ENDING reportOffer(4) leaveQueue", "hears": "ENDING reportOffer(4) leaveQueue",
		}},
		{"the agent hangs up", true, func(State) Event { return partyLeg{Party: 3, LegEvent: bye} }, map[string]string{
			"flow": "TRANSFERRING reportDone findAgent", "asks": "TRANSFERRING reportDone", "asking": "TRANSFERRING reportDone",
			"queued": "TRANSFERRING reportDone", "rings": "TRANSFERRING reportDone", "hears": "TRANSFERRING reportDone", "device": "TRANSFERRING reportDone",
			"desk flow": "TRANSFERRING reportDone takeQueue", "desk asking": "TRANSFERRING reportDone", "desk queued": "QUEUED reportDone openSegment startFlow(1)",
			"greets": "TALKING reportDone reportJoined turnTo", "talks": "TALKING reportDone turnTo",
		}},
		{"the agent takes the customer back", true, func(s State) Event { return holdAsked{Party: s.Customer} }, map[string]string{
			"": "TALKING reply", "queued": "TALKING leaveQueue", "rings": "TALKING reportOffer(4) leaveQueue", "hears": "TALKING reportOffer(4) leaveQueue",
			"greets": "TALKING reportOffer(4) leaveQueue", "desk queued": "TALKING leaveQueue", "device": "TALKING hangup", "talks": "TALKING part reply join",
		}},
		{"another transfer", true, func(State) Event {
			return transferAsked{By: "u1", Goal: resolved{Callee: Callee{Number: "+82255"}}}
		}, map[string]string{"": "same reply"}},
		{"the transfer flow ends", false, func(s State) Event {
			return flowDone{Gen: s.Transfer.Flow, Kind: FlowAgentTransfer, Outcome: FlowDisconnected}
		}, map[string]string{"flow": "TALKING join", "desk flow": "TALKING join", "asks": "same join", "asking": "same join", "desk asking": "same join", "": "same"}},
		{"there is no transfer flow", false, func(s State) Event {
			return flowDone{Gen: s.Transfer.Flow, Kind: FlowAgentTransfer, Outcome: FlowNone}
		}, map[string]string{"flow": "TRANSFERRING findAgent", "desk flow": "TRANSFERRING takeQueue", "asks": "same join", "asking": "same join", "desk asking": "same join", "": "same"}},
		{"the agent is busy", false, func(State) Event { return agentFound{Gen: 6, Err: busy} }, map[string]string{
			"asks": "TRANSFERRING replyFlow", "": "same",
		}},
		{"the queue is full", false, func(State) Event { return enqueueDone{ContactID: "c2", Err: busy} }, map[string]string{
			"asking": "TRANSFERRING replyFlow", "desk asking": "TRANSFERRING replyFlow", "": "same",
		}},
		{"the queue has the contact", false, func(State) Event { return enqueueDone{ContactID: "c2"} }, map[string]string{
			"asking": "TRANSFERRING replyFlow startTimer reportDone", "desk asking": "QUEUED replyFlow reportDone openSegment startFlow(1)",
			"flow": "same leaveQueue", "desk flow": "same leaveQueue", "asks": "same leaveQueue", "device": "same leaveQueue", "": "same",
		}},
		{"nobody becomes free", false, func(State) Event { return timerFired{Timer: TimerTransfer, Gen: 6} }, map[string]string{
			"queued": "ENQUEUEING leaveQueue openSegment takeQueue", "": "same",
		}},
		{"the phone rings out", false, func(s State) Event { return timerFired{Timer: TimerRing, Gen: s.Transfer.To} }, map[string]string{
			"rings": "ENQUEUEING reportOffer(1) leaveQueue openSegment takeQueue", "device": "ENQUEUEING openSegment takeQueue", "": "same",
		}},
		{"the other end hangs up", true, func(s State) Event {
			return partyLeg{Party: max(s.Aside.To, s.Transfer.To), LegEvent: LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 486}}
		}, map[string]string{
			"rings": "TALKING reportOffer(2) leaveQueue join", "hears": "TALKING reportOffer(5) leaveQueue join", "greets": "TALKING reportOffer(5) leaveQueue",
			"device": "TALKING hangup join", "talks": "TALKING reportDone", "": "same",
		}},
		{"the other end answers", false, func(s State) Event { return partyLeg{Party: s.Transfer.To, LegEvent: answered} }, map[string]string{
			"rings": "TRANSFERRING reportOffer(0) startFlow(2)", "device": "TALKING openSegment startRecording", "": "same",
		}},
		{"the whisper is over", false, func(s State) Event { return flowDone{Gen: s.Flow[ofAside], Kind: FlowAgentWhisper} }, map[string]string{
			"hears": "TALKING reportJoined openBeside turnTo startRecording", "": "same",
		}},
	}
	for _, r := range rows {
		for name, s := range handovers(t, r.consult) {
			want, ok := r.want[name]
			if !ok {
				want = r.want[""]
			}
			next, effects := Step(s, r.event(s), time.Now())
			words := strings.Fields(strings.Replace(want, "same", s.Phase.String(), 1))
			got := strings.Fields(names(effects))
			if len(words) == 0 || next.Phase.String() != words[0] {
				t.Errorf("%s in %q: %s, want %q; effects %v", r.name, name, next.Phase, want, got)
				continue
			}
			for _, w := range words[1:] {
				if !slices.Contains(got, w) {
					t.Errorf("%s in %q: effects %v, want %s", r.name, name, got, w)
				}
			}
			if len(words) == 1 && len(got) > 0 {
				t.Errorf("%s in %q: effects %v, want none", r.name, name, got)
			}
		}
	}
}

func TestWhoMayTransferAndWhereTo(t *testing.T) {
	now := time.Now()
	talking, _ := walk(t, newState(), now, toTalking()...)
	third, _ := walk(t, talking, now, inviteAsked{Callee: Callee{Number: "+82"}}, partyLeg{Party: 6, LegEvent: answered})
	queued, _ := walk(t, newState(), now, toQueued()...)
	desk := resolved{Queue: TargetQueue{ID: "q3"}}
	for name, row := range map[string]struct {
		s    State
		e    transferAsked
		want errs.Kind
	}{
		"nobody of the call":  {talking, transferAsked{By: "u9", Goal: desk}, errs.NotFound},
		"a contact in queue":  {queued, transferAsked{By: "u1", Goal: desk}, errs.NotFound},
		"to themselves":       {talking, transferAsked{By: "u1", Goal: resolved{Callee: Callee{Person: &Person{ID: "u1"}}}}, errs.InvalidRequest},
		"a flow is consulted": {talking, transferAsked{By: "u1", Goal: resolved{FlowID: "f"}, Consult: true}, errs.InvalidRequest},
		"a conference":        {third, transferAsked{By: "u1", Goal: desk}, errs.InvalidRequest},
		"no such destination": {talking, transferAsked{By: "u1", Goal: resolved{Err: errs.New(errs.NotFound, "x")}}, errs.NotFound},
	} {
		next, effects := Step(row.s, row.e, now)
		if len(effects) != 1 || next.Phase != row.s.Phase || !errs.Is(effects[0].(reply).Err, row.want) {
			t.Errorf("%s: %s, %v", name, next.Phase, effects)
		}
	}
}

func TestTheQueueKeepsThePriorityOfAContactThatIsTransferred(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, newState(), now, append([]Event{routingSet{Routing: Routing{Priority: 2}}}, toTalking()...)...)
	s, effects := walk(t, s, now, transferAsked{By: "u1", Goal: resolved{Queue: TargetQueue{ID: "q3", Name: "Desk"}}}, enqueueAsked{Gen: 7, NewID: "n"})
	i := slices.IndexFunc(effects, func(e Effect) bool { _, ok := e.(takeQueue); return ok })
	if i < 0 || effects[i].(takeQueue).Enqueue.Routing.Priority != 2 || effects[i].(takeQueue).Enqueue.ContactID != "c2" {
		t.Fatalf("effects %+v", effects)
	}
	s, _ = walk(t, s, now, enqueueDone{ContactID: "c2"})
	if r := s.Record; r.ID != "c2" || r.QueuePriority != 2 || r.Queue.Name != "Desk" || r.InitiationMethod != contact.Transfer || s.Offer.ID != "" {
		t.Errorf("record %+v", r)
	}
}

func TestHoldsAreCountedByWhoAskedForThem(t *testing.T) {
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s, _ := walk(t, newState(), start, toTalking()...)
	at := func(after time.Duration, e Event) { s, _ = Step(s, e, start.Add(after)) }
	at(10*time.Second, holdAsked{Party: firstParty, On: true})
	at(40*time.Second, holdAsked{Party: firstParty})
	at(50*time.Second, holdAsked{Party: firstParty, On: true, ByFlow: true})
	at(60*time.Second, holdAsked{Party: firstParty})
	at(70*time.Second, negotiated{Party: 3, Held: true}) // by the phone
	at(75*time.Second, customerLeg(bye))
	want := contact.Holds{Count: 3, Duration: 45 * time.Second, Longest: 30 * time.Second, ByAgent: 35 * time.Second, AtEnd: true}
	if s.Record.Agent.Holds != want {
		t.Errorf("%+v, want %+v", s.Record.Agent.Holds, want)
	}
}

func TestWhoLeavesACustomerOnHoldOrLeavesTheHoldIsNoted(t *testing.T) {
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	desk := resolved{Queue: TargetQueue{ID: "q3", Name: "Desk"}}
	for name, row := range map[string]struct {
		events []Event
		want   contact.Holds
	}{
		"the customer, on hold":  {[]Event{holdAsked{Party: firstParty, On: true}, customerLeg(bye)}, contact.Holds{Count: 1, AtEnd: true}},
		"the agent, on hold":     {[]Event{holdAsked{Party: firstParty, On: true}, partyLeg{Party: 3, LegEvent: bye}}, contact.Holds{Count: 1, AtEnd: true}},
		"after a hold":           {[]Event{holdAsked{Party: firstParty, On: true}, holdAsked{Party: firstParty}, customerLeg(bye)}, contact.Holds{Count: 1}},
		"without a hold":         {[]Event{customerLeg(bye)}, contact.Holds{}},
		"transferred, from hold": {[]Event{holdAsked{Party: firstParty, On: true}, transferAsked{By: "u1", Goal: desk}}, contact.Holds{Count: 1}},
	} {
		s, _ := walk(t, newState(), start, toTalking()...)
		s, _ = walk(t, s, start, row.events...)
		r := s.Record
		if len(s.Settling) > 0 {
			r = s.Settling[0]
		}
		if r.Agent == nil || r.Agent.Holds != row.want {
			t.Errorf("%s: %+v, want %+v", name, r.Agent, row.want)
		}
	}
}

func TestA2_4SixTalkAndFiveSupervise(t *testing.T) {
	now := time.Now()
	s, _ := walk(t, newState(), now, toTalking()...)
	invited := func(monitor bool) (n int) {
		for i := range 10 {
			next, effects := Step(s, inviteAsked{Callee: Callee{Person: &Person{ID: string(rune('a'+i)) + map[bool]string{true: "m"}[monitor]}}, Monitor: monitor, Hears: Monitor}, now)
			if effects[len(effects)-1].(reply).Err == nil {
				s = next
				n++
			}
		}
		return n
	}
	if n, m := invited(false), invited(true); n != 4 || m != 5 {
		t.Errorf("%d beside customer and agent, and %d supervisors", n, m)
	}
}

func TestWhoLeavesAQueueForACallbackHasNotAbandoned(t *testing.T) {
	now := time.Now()
	asks := dataSet{Data: Data{NextContactID: "later", Callback: true}}
	queued, _ := walk(t, newState(), now, append(toQueued(), asks, customerLeg(bye))...)
	if r := queued.Record; !r.Callback || r.NextContactID != "later" || r.Abandoned() {
		t.Errorf("from the queue: %+v", r)
	}
	talking, _ := walk(t, newState(), now, append(toTalking(), asks)...)
	if talking.Record.Callback {
		t.Error("one who talks has left no queue")
	}
	s, effects := walk(t, newState(), now, toQueued()...)
	s.Record.InitiationMethod = contact.Callback
	if s.callerNumber() != "" {
		t.Errorf("who was called is a caller: %+v", effects)
	}
}
