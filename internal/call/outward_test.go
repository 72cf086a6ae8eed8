package call

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// inFlow is a customer whom a flow speaks to, and the flow's hand on the call.
func (e *exchange) inFlow() (*tracedLeg, *Control) {
	e.t.Helper()
	customer, err := e.phone("in", "u-customer", "100")
	if err != nil {
		e.t.Fatal(err)
	}
	customer.events(LegEvent{Kind: LegAnswered})
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return customer, e.flow
}

// outcall has the flow call somebody, and gives the leg and the outcome to come.
func (e *exchange) outcall(c *Control, o Outcall) (*tracedLeg, <-chan error) {
	e.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.CallThirdParty(context.Background(), o) }()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.dialed) == 0 {
		return nil, done
	}
	return e.dialed[len(e.dialed)-1], done
}

func TestAFlowGoesOnWhenTheThirdPartyHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		customer, flow := e.inFlow()
		third, done := e.outcall(flow, Outcall{Number: "+8225550000", Limit: 30 * time.Second, Resume: true})
		if third.target.Number != "+8225550000" || third.target.FromNumber != "u-customer" {
			t.Errorf("dialled %+v: without a caller id the customer's own is shown", third.target)
		}
		third.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
		if got := e.hearing(); got != "0-1" {
			t.Errorf("joined %q, want the customer with the third party", got)
		}
		time.Sleep(time.Hour) // the limit is for the ringing, not for the talk
		hangUp(third)
		if err := <-done; err != nil {
			t.Errorf("the flow hears %v", err)
		}
		if got := e.hearing(); got != "" {
			t.Errorf("still joined: %s", got)
		}
		if s := flow.Snapshot(); s.Phase != PhaseFlow {
			t.Errorf("the customer is in %s", s.Phase)
		}
		hangUp(customer)
		e.over(1)
	})
}

func TestAFlowIsOverWhenTheCustomerIsHandedToAThirdParty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		_, flow := e.inFlow()
		third, done := e.outcall(flow, Outcall{Number: "+8225550000", FromNumber: "+8215", Limit: time.Minute})
		third.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
		if err := <-done; err != nil {
			t.Errorf("the flow hears %v", err)
		}
		if s := flow.Snapshot(); s.Phase != PhaseTalking || e.hearing() != "0-1" {
			t.Errorf("%s, joined %q", s.Phase, e.hearing())
		}
		hangUp(third)
		e.over(1)
		r := e.store.closed["c1"]
		if r.DisconnectReason != contact.ThirdPartyDisconnect || r.TransferredTo == nil || r.TransferredTo.Address != "+8225550000" {
			t.Errorf("record %+v", r)
		}
	})
}

func TestAThirdPartyWhoCannotBeHadIsAnErrorOfTheFlow(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(third *tracedLeg)
		want error
	}{
		"refuses": {func(l *tracedLeg) { l.events(LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 486}) }, ErrCallFailed},
		"rings":   {func(*tracedLeg) { time.Sleep(20*time.Second + 1) }, ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange(t, true)
				customer, flow := e.inFlow()
				third, done := e.outcall(flow, Outcall{Number: "+8225550000", Limit: 20 * time.Second})
				time.Sleep(20*time.Second - 1)
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("too early: %v", err)
				default:
				}
				c.end(third)
				if err := <-done; !errors.Is(err, c.want) {
					t.Errorf("the flow hears %v, want %v", err, c.want)
				}
				if s := flow.Snapshot(); s.Phase != PhaseFlow {
					t.Errorf("the customer is in %s", s.Phase)
				}
				hangUp(customer)
				e.over(1)
			})
		})
	}
}

func TestTheCustomerWhoHangsUpTakesTheThirdPartyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		customer, flow := e.inFlow()
		third, done := e.outcall(flow, Outcall{Number: "+8225550000", Limit: time.Minute, Resume: true})
		hangUp(customer)
		if err := <-done; !errors.Is(err, ErrLeft) {
			t.Errorf("the flow hears %v", err)
		}
		synctest.Wait()
		if third.count("hangup") != 1 {
			t.Error("the third party still rings")
		}
		e.over(1)
	})
}

func TestAnInstanceThatPlacesNoCallsCallsNoThirdParty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, false)
		customer, flow := e.inFlow()
		if _, done := e.outcall(flow, Outcall{Number: "+8225550000", Limit: time.Minute}); !errs.Is(<-done, errs.Denied) {
			t.Error("it did")
		}
		hangUp(customer)
		e.over(1)
	})
}

func TestWhoWaitsInAQueueHasTheirPlaceBackAfterAThirdParty(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s, _ := walk(t, newState(), start, toQueued()...)
	since := s.Record.Queue.EnqueueTimestamp
	now := since.Add(time.Minute)
	s, effects := Step(s, outwardAsked{Gen: s.Flow[ofCustomer], Outcall: Outcall{Number: "+8225550000", Limit: time.Minute}}, now)
	if got := names(effects); got != "leaveQueue dial startTimer startTimer join" || s.Phase != PhaseOutward {
		t.Errorf("%s, %s", s.Phase, got)
	}
	flow := s.Flow[ofCustomer]
	s, effects = Step(s, partyLeg{Party: s.Outward.To, LegEvent: LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 486}}, now)
	for _, e := range effects {
		if q, ok := e.(takeQueue); ok && (!q.Enqueue.Owed || !q.Enqueue.Since.Equal(since)) {
			t.Errorf("asks for %+v", q.Enqueue)
		}
	}
	s, effects = Step(s, enqueueDone{}, now)
	if s.Phase != PhaseQueued || s.Flow[ofCustomer] != flow || !s.Record.Queue.EnqueueTimestamp.Equal(since) {
		t.Errorf("%s, flow %d of %d, in line since %s", s.Phase, s.Flow[ofCustomer], flow, s.Record.Queue.EnqueueTimestamp)
	}
	for _, e := range effects {
		if r, ok := e.(replyFlow); ok && !errors.Is(r.Err, ErrCallFailed) {
			t.Errorf("the flow hears %v", r.Err)
		}
	}
}

func TestAQueueFlowMovesTheContactToAnotherQueueAndBackIfThatIsFull(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s, _ := walk(t, newState(), start, toQueued()...)
	first, since, now := s.Record.ID, s.Record.Queue.EnqueueTimestamp, s.Record.Queue.EnqueueTimestamp.Add(time.Minute)
	s, _ = Step(s, targetSet{Target: TargetQueue{ID: "q2", Name: "Second"}}, now)
	moved, effects := Step(s, enqueueAsked{Gen: s.Flow[ofCustomer], NewID: "c2", Move: true}, now)
	if moved.Record.ID != "c2" || moved.Record.PreviousContactID != first || moved.Record.InitiationMethod != contact.QueueTransfer {
		t.Errorf("record %+v", moved.Record)
	}
	if got := names(effects); got != "leaveQueue openSegment takeQueue closeSegment" {
		t.Error(got)
	}
	in, effects := Step(moved, enqueueDone{}, now)
	if in.Phase != PhaseQueued || in.Record.Queue.ID != "q2" || in.Flow[ofCustomer] == s.Flow[ofCustomer] {
		t.Errorf("%s in %s after %s", in.Phase, in.Record.Queue.ID, names(effects))
	}
	full := errs.New(errs.Limit, "full")
	back, effects := Step(moved, enqueueDone{Err: full}, now)
	if back.Record.Queue.ID == "q2" || !back.Place.Equal(since) || !back.Record.Queue.EnqueueTimestamp.Equal(now) {
		t.Errorf("waits for %+v after %s", back.Record.Queue, names(effects))
	}
	back, effects = Step(back, enqueueDone{}, now)
	if back.Phase != PhaseQueued || back.Flow[ofCustomer] != s.Flow[ofCustomer] {
		t.Errorf("%s after %s", back.Phase, names(effects))
	}
	for _, e := range effects {
		if r, ok := e.(replyFlow); ok && !errors.Is(r.Err, full) {
			t.Errorf("the flow hears %v", r.Err)
		}
	}
}

func TestACustomerWhomAnAgentHasCalledHearsTheOutboundWhisperFirst(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s, effects := walk(t, whisperState(), now, begun{}, customerLeg2(answered))
	if s.Phase != PhaseOutboundWhisper || names(effects) != "stopTimer stopTimer answer startFlow(7) startTimer save join" {
		t.Fatalf("%s after %s", s.Phase, names(effects))
	}
	if len(s.Wired.Bridge) > 0 || len(s.Wired.Sounds) != 1 || s.Wired.Sounds[0].Party != s.Caller {
		t.Errorf("wired %+v", s.Wired)
	}
	for _, e := range []Event{
		flowDone{Gen: s.Flow[ofCustomer], Kind: FlowOutboundWhisper}, timerFired{Timer: TimerWhisper, Gen: s.AgentGen},
	} {
		if next, _ := Step(s, e, now); next.Phase != PhaseTalking || len(next.Wired.Bridge) != 2 {
			t.Errorf("%s after %T, wired %+v", next.Phase, e, next.Wired)
		}
	}
	if next, _ := Step(s, partyLeg{Party: s.Caller, LegEvent: bye}, now); next.Phase != PhaseEnding || next.Record.DisconnectReason != contact.AgentDisconnect {
		t.Errorf("the caller hangs up: %s %s", next.Phase, next.Record.DisconnectReason)
	}
}

// customerLeg2 is an event of the one whom a device has called.
func customerLeg2(e LegEvent) Event { return partyLeg{Party: 1, LegEvent: e} }
