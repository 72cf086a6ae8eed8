package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/sip/siptest"
)

func TestR20BlindTransferWithTheByeAtEveryPoint(t *testing.T) {
	for _, leave := range []time.Duration{-1, 0, 10 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second} {
		t.Run(leave.String(), func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 4}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{After: 2 * time.Second})
				f.must(agent.Refer(ctx, "lee", nil))
				if leave >= 0 {
					time.Sleep(leave)
					agent.Hangup()
				}
				in, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				f.must(in.WaitConfirmed(ctx))
				last, err := agent.WaitTransferred(ctx)
				f.must(err)
				if !strings.Contains(last, " 200 ") {
					t.Errorf("the outcome is %q of %q", last, agent.Transfer())
				}
				f.hears(customer, "customer", f.phone("lee").Voice(), true)
				f.hears(in, "lee", siptest.Voice("caller call 1"), true)
				_, err = agent.WaitEnded(ctx)
				f.must(err)
				customer.Hangup()
				_, err = in.WaitEnded(ctx)
				f.must(err)
				time.Sleep(2 * time.Second)
				rs := contactsOf(t, f.trial)
				i := slices.IndexFunc(rs, func(r *contact.Record) bool { return r.InitiationMethod == contact.Transfer })
				if len(rs) != 2 || i < 0 || rs[i].Agent == nil || rs[i].Agent.Username != "lee" || len(rs[i].Recordings) != 1 || len(rs[1-i].Recordings) != 1 {
					t.Errorf("%d records: %+v", len(rs), rs)
				}
			})
		})
	}
}

func TestR20ATransferThatFailsGivesTheCustomerBack(t *testing.T) {
	for _, row := range []struct {
		target string
		answer siptest.AnswerBehaviour
		code   string
	}{
		{"lee", siptest.AnswerBehaviour{Reject: 486}, " 486 "},
		{"lee", siptest.AnswerBehaviour{Reject: 603, After: time.Second}, " 603 "},
		{"lee", siptest.AnswerBehaviour{RingOnly: true}, " 408 "},
		{"nobody", siptest.AnswerBehaviour{}, " 404 "},
	} {
		t.Run(row.target+row.code, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 5}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				f.phone("lee").SetAnswer(row.answer)
				f.must(agent.Refer(ctx, row.target, nil))
				f.loud(customer, "customer, meanwhile", true)
				last, err := agent.WaitTransferred(ctx)
				f.must(err)
				if !strings.Contains(last, row.code) {
					t.Errorf("the outcome is %q", last)
				}
				f.hears(customer, "customer", f.phone("kim").Voice(), true)
				f.hears(agent, "agent", siptest.Voice("caller call 1"), true)
			})
		})
	}
}

func TestR20AttendedTransferJoinsTheCustomerWithWhoWasConsulted(t *testing.T) {
	for _, leave := range []time.Duration{-1, 0, 5 * time.Millisecond} {
		t.Run(leave.String(), func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 6}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				f.must(agent.Hold(ctx, false))
				consult, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
				f.must(err)
				in, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				f.must(consult.WaitAnswered(ctx))
				f.hears(in, "lee, consulted", f.phone("kim").Voice(), true)
				f.loud(customer, "customer on hold", true)
				f.must(agent.Refer(ctx, "lee", consult))
				if leave >= 0 {
					time.Sleep(leave)
					agent.Hangup()
					consult.Hangup()
				}
				last, err := agent.WaitTransferred(ctx)
				f.must(err)
				if !strings.Contains(last, " 200 ") {
					t.Errorf("the outcome is %q", last)
				}
				f.hears(customer, "customer", f.phone("lee").Voice(), true)
				f.hears(in, "lee", siptest.Voice("caller call 1"), true)
				for _, c := range []*siptest.Call{agent, consult} {
					_, err = c.WaitEnded(ctx)
					f.must(err)
				}
				in.Hangup()
				_, err = customer.WaitEnded(ctx)
				f.must(err)
			})
		})
	}
}

func TestS25AReplacesOfACallThatIsGoneIsRefused(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 7}, func(ctx context.Context, f *floor) {
		customer, agent := f.talk(ctx)
		consult, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
		f.must(err)
		f.must(consult.WaitAnswered(ctx))
		time.Sleep(time.Second)
		consult.Hangup()
		time.Sleep(time.Second)
		f.must(agent.Refer(ctx, "lee", consult))
		last, err := agent.WaitTransferred(ctx)
		f.must(err)
		if !strings.Contains(last, " 481 ") {
			t.Errorf("the outcome is %q", last)
		}
		f.hears(customer, "customer", f.phone("kim").Voice(), true)
	})
}

func TestRFC3891APhonePicksUpACall(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 12}, func(ctx context.Context, f *floor) {
		customer, agent := f.talk(ctx)
		replaces := map[string]string{"Replaces": agent.Replaces()}
		picked, err := f.phone("park").Invite(ctx, "kim", siptest.CallOptions{Headers: replaces})
		f.must(err)
		f.must(picked.WaitAnswered(ctx))
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		f.hears(customer, "customer", f.phone("park").Voice(), true)
		f.hears(picked, "park", siptest.Voice("caller call 1"), true)
		gone, err := f.phone("lee").Invite(ctx, "kim", siptest.CallOptions{Headers: replaces})
		f.must(err)
		ended, err := gone.WaitEnded(ctx)
		f.must(err)
		if ended.Code != 481 {
			t.Errorf("a call that is gone: %+v", ended)
		}
	})
}

// TestR20WhateverTheNetworkDoesTransfersLeaveNothing plays transfers of both kinds with hang-ups at random moments over
// bad networks. What may not be is anything left behind, or a segment that is not closed.
func TestR20WhateverTheNetworkDoesTransfersLeaveNothing(t *testing.T) {
	const worlds = 5
	for w := range worlds {
		t.Run(fmt.Sprintf("worlds %d mod %d", w, worlds), func(t *testing.T) {
			t.Parallel()
			for seed := w; seed < max(worlds, seeds()/4); seed += worlds {
				synctest.Test(t, func(t *testing.T) { playTransfers(t, int64(seed)) })
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func playTransfers(t *testing.T, seed int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(seed), 11))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	f := newFloor(t, siptest.NetworkOptions{
		Seed: seed, Loss: rng.Float64() * 0.12, Duplicate: rng.Float64() * 0.05, Reorder: rng.Float64() * 0.1,
		Delay: time.Duration(rng.IntN(30)) * time.Millisecond, Jitter: time.Duration(rng.IntN(20)) * time.Millisecond,
	})
	defer f.end()
	soon := func() { time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond) }
	f.phone("lee").SetAnswer([]siptest.AnswerBehaviour{
		{After: time.Duration(rng.IntN(2000)) * time.Millisecond}, {Reject: 486}, {RingOnly: true}, {Early: true, After: time.Second},
	}[rng.IntN(4)])
	agent, err := reachAgent(ctx, f.trial, f.act, siptest.AnswerBehaviour{})
	if err != nil {
		return
	}
	soon()
	soon()
	var consult *siptest.Call
	if rng.IntN(2) == 0 {
		_ = agent.Hold(ctx, false)
		if consult, err = f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{}); err != nil {
			return
		}
		soon()
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = agent.Refer(ctx, "lee", consult) }()
	soon()
	for range rng.IntN(3) {
		switch rng.IntN(4) {
		case 0:
			agent.Hangup()
		case 1:
			f.act.call.Hangup()
		case 2:
			if consult != nil {
				consult.Hangup()
			}
		case 3:
			f.phone("lee").HangupAll()
		}
		soon()
	}
	<-done
}
