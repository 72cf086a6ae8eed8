package chat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func start() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC) }

// ids gives n1, n2 ...
func ids() func() string {
	n := 0
	return func() string { n++; return fmt.Sprint("n", n) }
}

// table drives one contact by hand.
type table struct {
	t   *testing.T
	s   *State
	now time.Time
	id  func() string
	fx  Effects // of the last event
	all []Item
}

func newTable(t *testing.T, phase Phase) *table {
	t.Helper()
	x := &table{t: t, now: start(), id: ids()}
	x.s = &State{
		ID: "c", InstanceID: "i", Alias: "acme", Channel: contact.Chat, Phase: Waiting, ConnectBy: x.now.Add(connectTime),
		Expires: x.now.Add(DefaultDuration), Version: 1, FlowID: "main",
		Record:       contact.Record{ID: "c", InstanceID: "i", Node: "n", Channel: contact.Chat, InitiationTimestamp: x.now},
		Participants: []Participant{{ID: "customer", Role: Customer, DisplayName: "Kim"}},
	}
	steps := []struct {
		to Phase
		do func()
	}{
		{Flowing, func() { x.must(Event{Kind: EvConnected, ParticipantID: "customer"}) }},
		{Enqueueing, func() { x.must(Event{Kind: EvQueue, Gen: x.s.Run.Gen, Queue: Queue{ID: "q", Name: "Q"}}) }},
		{Queued, func() { x.must(Event{Kind: EvEnqueued}) }},
		{Offered, func() { x.offer("o1") }},
		{Talking, func() { x.must(Event{Kind: EvAccept, UserID: "agent"}) }},
		{Remaining, func() {
			x.s.Hooks = map[FlowKind]string{FlowDisconnect: "bye"}
			x.must(Event{Kind: EvLeave, ParticipantID: x.s.AgentPresent("agent").ID})
		}},
	}
	for _, st := range steps {
		if x.s.Phase == phase {
			break
		}
		st.do()
		if x.s.Phase != st.to {
			t.Fatalf("phase is %s, want %s", x.s.Phase, st.to)
		}
	}
	return x
}

func (x *table) offer(id string) {
	x.must(Event{Kind: EvOffer, Offer: &Offer{ID: id, ContactID: x.s.Record.ID, Agent: contact.AgentInfo{ID: "agent"}, Name: "Lee", RingTime: 20 * time.Second}})
}

func (x *table) try(e Event) error {
	x.now = x.now.Add(time.Second)
	e.At = x.now
	next, fx, err := Step(x.s, e, x.id)
	if err == nil {
		x.s, x.fx = next, fx
		x.all = append(x.all, fx.Items...)
	}
	return err
}

func (x *table) must(e Event) {
	x.t.Helper()
	if err := x.try(e); err != nil {
		x.t.Fatal(err)
	}
}

func (x *table) did(k ActionKind) bool {
	return slices.ContainsFunc(x.fx.Actions, func(a Action) bool { return a.Kind == k })
}

// result is how an offer was answered in the last event.
func (x *table) result() string {
	for _, a := range x.fx.Actions {
		if a.Kind == DoResult {
			return fmt.Sprint(a.OfferID, " ", int(a.Result))
		}
	}
	return ""
}

func phases() []Phase { return []Phase{Waiting, Flowing, Queued, Offered, Talking, Remaining} }

func TestTheTableOfThePackageComment(t *testing.T) {
	for _, row := range []struct {
		name  string
		event func(x *table) Event
		want  string // phases after it, "refused", by the columns of the comment
	}{
		{"customer connects", func(*table) Event { return Event{Kind: EvConnected, ParticipantID: "customer"} }, "FLOW FLOW QUEUED OFFERED TALKING REMAINING"},
		{"customer leaves", func(*table) Event { return Event{Kind: EvLeave, ParticipantID: "customer"} }, "ENDED ENDED ENDED ENDED ENDED ENDED"},
		{"flow asks for queue", func(x *table) Event {
			return Event{Kind: EvQueue, Gen: x.s.Run.Gen, Queue: Queue{ID: "q"}}
		}, "refused ENQUEUEING refused refused refused ENQUEUEING"},
		{"flow: disconnect", func(x *table) Event {
			return Event{Kind: EvFlowEnded, Gen: x.s.Run.Gen, Outcome: FlowDisconnected}
		}, "WAITING ENDED ENDED ENDED TALKING ENDED"},
		{"flow ends otherwise", func(x *table) Event { return Event{Kind: EvFlowEnded, Gen: x.s.Run.Gen, Outcome: FlowEnded} }, "WAITING ENDED QUEUED OFFERED TALKING ENDED"},
		{"a flow of the past ends", func(x *table) Event {
			return Event{Kind: EvFlowEnded, Gen: x.s.Run.Gen - 1, Outcome: FlowDisconnected}
		}, "WAITING FLOW QUEUED OFFERED TALKING REMAINING"},
		{"accept", func(*table) Event { return Event{Kind: EvAccept, UserID: "agent"} }, "refused refused refused TALKING TALKING refused"},
		{"another agent accepts", func(*table) Event { return Event{Kind: EvAccept, UserID: "other"} }, "refused refused refused refused refused refused"},
		{"reject", func(*table) Event { return Event{Kind: EvReject, UserID: "agent"} }, "refused refused refused QUEUED refused refused"},
		{"stop", func(*table) Event { return Event{Kind: EvStop} }, "ENDED ENDED ENDED ENDED ENDED ENDED"},
		{"resumed", func(*table) Event { return Event{Kind: EvResumed} }, "WAITING FLOW ENQUEUEING ENQUEUEING TALKING REMAINING"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			for _, p := range phases() {
				x := newTable(t, p)
				outcome := "refused"
				if err := x.try(row.event(x)); err == nil {
					outcome = string(x.s.Phase)
				}
				if got != "" {
					got += " "
				}
				got += outcome
			}
			if got != row.want {
				t.Errorf("phases are\n%s, want\n%s", got, row.want)
			}
		})
	}
}

func TestAnOfferIsAnsweredWhateverHappens(t *testing.T) {
	for _, row := range []struct {
		name  string
		event Event
		want  string
	}{
		{"accepted", Event{Kind: EvAccept, UserID: "agent"}, fmt.Sprint("o1 ", int(OfferAnswered))},
		{"rejected", Event{Kind: EvReject, UserID: "agent"}, fmt.Sprint("o1 ", int(OfferRejected))},
		{"customer left", Event{Kind: EvLeave, ParticipantID: "customer"}, fmt.Sprint("o1 ", int(OfferCallerLeft))},
	} {
		x := newTable(t, Offered)
		x.must(row.event)
		if got := x.result(); got != row.want {
			t.Errorf("%s: the ACD is told %q, want %q", row.name, got, row.want)
		}
	}
	x := newTable(t, Offered)
	x.now = x.s.OfferUntil
	x.must(Event{Kind: EvTick})
	if x.result() != fmt.Sprint("o1 ", int(OfferMissed)) || x.s.Phase != Queued {
		t.Errorf("after the ring time: %q, %s", x.result(), x.s.Phase)
	}
	for _, p := range []Phase{Waiting, Flowing, Talking, Remaining, Ended} {
		x := newTable(t, Talking)
		if p == Ended {
			x.must(Event{Kind: EvStop})
		} else {
			x = newTable(t, p)
		}
		x.offer("late")
		if got := x.result(); got != fmt.Sprint("late ", int(OfferCallerLeft)) {
			t.Errorf("an offer in %s is answered %q", p, got)
		}
	}
}

func TestACustomerWhoQueuesAgainGetsANewSegment(t *testing.T) {
	x := newTable(t, Remaining)
	x.must(Event{Kind: EvQueue, Gen: x.s.Run.Gen, Queue: Queue{ID: "q2", Name: "Q2"}})
	if len(x.fx.Close) != 1 || x.fx.Create == nil || x.fx.Update {
		t.Fatalf("effects: %d closed, created %v", len(x.fx.Close), x.fx.Create)
	}
	old, next := x.fx.Close[0], x.fx.Create
	if old.NextContactID != next.ID || next.PreviousContactID != old.ID || next.InitialContactID != "c" || next.InitiationMethod != contact.Disconnect {
		t.Errorf("segments are not linked: %+v %+v", old, next)
	}
	if old.Agent == nil || old.Agent.AgentInteractionEndTimestamp.IsZero() || old.DisconnectReason != contact.AgentDisconnect {
		t.Errorf("the old segment: %+v", old)
	}
	if next.Queue == nil || next.Queue.ID != "q2" || next.Agent != nil {
		t.Errorf("the new segment: %+v", next)
	}
	if len(old.Recordings) != 1 || old.Recordings[0].Media != contact.MediaChat {
		t.Errorf("no transcript is asked for: %+v", old.Recordings)
	}
	if x.s.ID != "c" || x.s.Record.ID == "c" {
		t.Errorf("the chat is %s, its contact %s", x.s.ID, x.s.Record.ID)
	}
}

func TestSilenceIsToldAndThenEndsTheAgentsPart(t *testing.T) {
	x := newTable(t, Talking)
	x.must(Event{Kind: EvTimers, Timers: []Timer{{Customer, TimerIdle, 2 * time.Minute}, {Customer, TimerDisconnect, 5 * time.Minute}}})
	told := func(contentType string) bool {
		return slices.ContainsFunc(x.fx.Items, func(it Item) bool { return it.ContentType == contentType })
	}
	due := x.s.Deadline()
	if want := x.s.Activity[Customer].Add(2 * time.Minute); !due.Equal(want) {
		t.Fatalf("due at %s, want %s", due, want)
	}
	x.now = due.Add(-2 * time.Second)
	if x.must(Event{Kind: EvTick}); len(x.fx.Items) != 0 {
		t.Error("idle too early")
	}
	x.now = due
	if x.must(Event{Kind: EvTick}); !told(eventIdle) {
		t.Errorf("idle is not told: %+v", x.fx.Items)
	}
	if x.must(Event{Kind: EvMessage, ParticipantID: "customer", Content: "here", ContentType: Plain}); !told(eventReturned) {
		t.Error("the return is not told")
	}
	x.now = x.s.Deadline()
	x.must(Event{Kind: EvTick})
	x.now = x.s.Deadline()
	if x.must(Event{Kind: EvTick}); !told(eventAutoDisconnect) || !told(eventLeft) || x.s.Phase != Ended {
		t.Errorf("the agent is not disconnected: %s %+v", x.s.Phase, x.fx.Items)
	}
	for _, bad := range []Timer{{Customer, TimerIdle, time.Minute}, {Customer, TimerIdle, 481 * time.Minute}, {System, TimerIdle, time.Hour}, {Agent, "x", time.Hour}} {
		y := newTable(t, Talking)
		if err := y.try(Event{Kind: EvTimers, Timers: []Timer{bad}}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v is taken: %v", bad, err)
		}
	}
}

func TestAMessageSentAgainIsSaidOnce(t *testing.T) {
	x := newTable(t, Flowing)
	say := Event{Kind: EvMessage, ParticipantID: "customer", Content: "hello", ContentType: Plain, ClientToken: "t"}
	x.must(say)
	id := x.fx.ItemID
	x.must(say)
	if x.fx.ItemID != id || len(x.fx.Items) != 0 || x.did(DoHear) {
		t.Errorf("said twice: %+v", x.fx)
	}
}

func TestWhispersAreForOneSideOnly(t *testing.T) {
	x := newTable(t, Offered)
	x.s.Hooks = map[FlowKind]string{FlowAgentWhisper: "w"}
	x.must(Event{Kind: EvAccept, UserID: "agent"})
	x.must(Event{Kind: EvSay, Gen: x.s.Run.Gen, Content: "a VIP", ContentType: Plain})
	if it := x.fx.Items[0]; it.VisibleTo(Customer) || !it.VisibleTo(Agent) || it.VisibleTo(System) {
		t.Errorf("the whisper is for %q", it.Audience)
	}
}

// TestWhateverHappensTheStateIsSound throws random events at contacts.
func TestWhateverHappensTheStateIsSound(t *testing.T) {
	reached := map[Phase]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		x := newTable(t, Waiting)
		x.s.Hooks = map[FlowKind]string{}
		if r.IntN(2) == 0 {
			x.s.Hooks[FlowDisconnect] = "bye"
		}
		open, offers := 1, map[string]bool{}
		for n := range 80 {
			before := x.s
			e := randomEvent(x, r, n)
			if e.Kind == EvOffer {
				offers[e.Offer.ID] = true
			}
			if e.Kind == EvTick && r.IntN(2) == 0 && !x.s.Deadline().IsZero() && x.s.Deadline().Before(x.s.Expires) {
				x.now = x.s.Deadline()
			}
			if err := x.try(e); err != nil {
				if x.s != before {
					t.Fatalf("seed %d: an event that was refused changed the state", seed)
				}
				delete(offers, offerOf(e)) // never made: Step answers offers, it does not refuse them
				continue
			}
			if e.Kind == EvResumed && before.Phase == Offered {
				clear(offers) // the ACD has forgotten them
			}
			for _, a := range x.fx.Actions {
				if (a.Kind == DoResult && a.Result != OfferAnswered) || a.Kind == DoAgentDone {
					delete(offers, a.OfferID)
				}
			}
			if x.fx.Create != nil {
				open++
			}
			open -= len(x.fx.Close)
			sound(t, seed, x, open, offers)
			reached[x.s.Phase]++
			if e.Kind == EvTick && before.Phase != Ended && before.Phase == x.s.Phase && before.Deadline().Equal(x.s.Deadline()) && !x.s.Deadline().After(x.now) {
				t.Fatalf("seed %d: a deadline of %s in %s is met and stays", seed, x.s.Deadline(), x.s.Phase)
			}
		}
	}
	for _, p := range append(phases(), Enqueueing, Ended) {
		if reached[p] < 100 {
			t.Errorf("%s was reached %d times: this proves little", p, reached[p])
		}
	}
}

func offerOf(e Event) string {
	if e.Offer == nil {
		return ""
	}
	return e.Offer.ID
}

func sound(t *testing.T, seed uint64, x *table, open int, offers map[string]bool) {
	t.Helper()
	s := x.s
	want := 1
	if s.Phase == Ended {
		want = 0
	}
	switch {
	case open != want:
		t.Fatalf("seed %d: %d records are open in %s", seed, open, s.Phase)
	case (s.Offer != nil) != (s.Phase == Offered || s.Phase == Talking):
		t.Fatalf("seed %d: offer %v in %s", seed, s.Offer, s.Phase)
	case s.Offer == nil && len(offers) != 0 || s.Offer != nil && (len(offers) != 1 || !offers[s.Offer.ID]):
		t.Fatalf("seed %d: offers that the ACD waits for: %v in %s", seed, offers, s.Phase)
	case s.Phase == Ended && (s.Run.On || !s.Deadline().IsZero()):
		t.Fatalf("seed %d: something goes on after the end", seed)
	case s.Phase != Ended && s.Deadline().IsZero():
		t.Fatalf("seed %d: %s has no end", seed, s.Phase)
	}
	for i := range x.all {
		if x.all[i].Seq != int64(i+1) || i > 0 && x.all[i].AbsoluteTime.Before(x.all[i-1].AbsoluteTime.Time) {
			t.Fatalf("seed %d: item %d is out of order", seed, i)
		}
	}
}

func randomEvent(x *table, r *rand.Rand, n int) Event {
	who := "customer"
	if p := x.s.AgentPresent("agent"); p != nil && r.IntN(2) == 0 {
		who = p.ID
	}
	gen := x.s.Run.Gen - int64(r.IntN(8)/7)
	switch r.IntN(17) {
	case 15:
		return Event{Kind: EvResumed}
	case 0, 1:
		return Event{Kind: EvConnected, ParticipantID: who}
	case 2, 3:
		return Event{Kind: EvMessage, ParticipantID: who, Content: "x", ContentType: Plain}
	case 4, 5:
		return Event{Kind: EvQueue, Gen: gen, Queue: Queue{ID: "q"}}
	case 6:
		var err error
		if r.IntN(3) == 0 {
			err = errs.New(errs.Limit, "full")
		}
		return Event{Kind: EvEnqueued, Err: err}
	case 7, 8:
		return Event{Kind: EvOffer, Offer: &Offer{
			ID: fmt.Sprint("o", n), ContactID: x.s.Record.ID, Agent: contact.AgentInfo{ID: "agent"}, RingTime: 20 * time.Second, AutoAccept: r.IntN(4) == 0,
		}}
	case 9, 10:
		return Event{Kind: EvAccept, UserID: "agent"}
	case 11:
		return Event{Kind: EvReject, UserID: "agent"}
	case 12:
		if who != "customer" {
			return Event{Kind: EvLeave, ParticipantID: who}
		}
		return Event{Kind: EvRequeue, Gen: gen, Queue: Queue{ID: "q3"}, ContactID: fmt.Sprint("seg", n)}
	case 13:
		outcomes := []FlowOutcome{FlowEnded, FlowDisconnected, FlowFailed, FlowQueued}
		if r.IntN(3) > 0 {
			return Event{Kind: EvTimers, Timers: []Timer{{Agent, TimerDisconnect, 2 * time.Minute}, {Customer, TimerIdle, 3 * time.Minute}}}
		}
		return Event{Kind: EvFlowEnded, Gen: gen, Outcome: outcomes[r.IntN(4)]}
	case 14:
		return Event{Kind: EvTick}
	}
	return Event{Kind: EvUpdate, Update: func(s *State) error { s.Routing.Priority = int64(n); return nil }}
}
