package app

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
	"ullim/sip/siptest"
)

// floor is a little contact centre in virtual time: a queue that kim serves, and the phones of lee and park beside it.
type floor struct {
	*trial
	t       *testing.T
	network *siptest.Network
	act     *act
	stop    func()
}

// newFloor opens it. end closes it and proves that nothing is left.
func newFloor(t *testing.T, faults siptest.NetworkOptions) *floor {
	t.Helper()
	tr, network := newVirtualTrial(t, siptest.NetworkOptions{Seed: faults.Seed, Delay: 2 * time.Millisecond})
	a := &act{
		label: "call 1", number: "+8215880001", from: "01012340001", queue: "Sales", ring: 20,
		agents: []string{"kim", "lee", "park"}, seen: map[string]time.Time{}, news: make(chan struct{}),
	}
	tr.acts = []*act{a}
	if err := tr.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	feed, stop := tr.app.events.Subscribe(10_000)
	watched := make(chan struct{})
	go func() { defer close(watched); tr.watch(feed) }()
	f := &floor{trial: tr, t: t, network: network, act: a, stop: func() { stop(); <-watched }}
	if faults.Loss+faults.Duplicate+faults.Reorder > 0 {
		network.SetFaults(faults)
	}
	return f
}

func (f *floor) phone(name string) *siptest.Phone { return f.agents[name].phone }

// end hangs up whatever is left and closes the floor.
func (f *floor) end() {
	f.t.Helper()
	f.network.SetFaults(siptest.NetworkOptions{Seed: 1})
	f.carrier.HangupAll()
	for _, a := range f.agents {
		a.phone.HangupAll()
	}
	time.Sleep(time.Minute)
	for name, a := range f.agents { // so that no refresh is under way when the engine must be at rest
		if err := a.phone.Unregister(context.Background()); err != nil {
			f.t.Errorf("%s: %v", name, err)
		}
	}
	f.stop()
	checkSegments(f.t, f.trial)
	finish(f.t, f.trial, f.network)
}

// checkSegments proves that every segment is final and that the links between them are true in both directions.
func checkSegments(t *testing.T, tr *trial) {
	t.Helper()
	byID := map[string]*contact.Record{}
	for _, r := range contactsOf(t, tr) {
		byID[r.ID] = r
		if r.DisconnectTimestamp.IsZero() || r.DisconnectReason == "" {
			t.Errorf("contact %s was never closed", r.ID)
		}
	}
	for _, r := range byID {
		if next := byID[r.NextContactID]; r.NextContactID != "" && (next == nil || next.PreviousContactID != r.ID || next.InitialContactID != r.InitialContactID) {
			t.Errorf("%s is followed by %s, which is %+v", r.ID, r.NextContactID, next)
		}
	}
}

func contactsOf(t *testing.T, tr *trial) []*contact.Record {
	t.Helper()
	rs, _, err := tr.app.db.Contacts(context.Background(), tr.stage.id, tr.start.Add(-time.Hour), time.Now().Add(time.Hour), resource.Page{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// must ends the test on an error.
func (f *floor) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// talk brings a customer and kim together.
func (f *floor) talk(ctx context.Context) (customer, agent *siptest.Call) {
	f.t.Helper()
	agent, err := reachAgent(ctx, f.trial, f.act, siptest.AnswerBehaviour{})
	f.must(err)
	f.must(f.act.await(ctx, "CONNECTED_TO_AGENT"))
	f.must(pause(ctx, 2*time.Second))
	return f.act.call, agent
}

// hears proves that a call hears a voice from now on for three seconds, or anything but it.
func (f *floor) hears(c *siptest.Call, who string, voice siptest.Source, yes bool) {
	f.t.Helper()
	from := time.Now()
	time.Sleep(3 * time.Second)
	heard := c.HeardBetween(from.Add(500*time.Millisecond), time.Now())
	if share := siptest.Share(heard, voice); (share > 0.8) != yes {
		f.t.Errorf("%s: %.2f of the voice was heard in %d samples, want it: %v", who, share, len(heard), yes)
	}
}

// loud proves that a call hears something for three seconds.
func (f *floor) loud(c *siptest.Call, who string, yes bool) {
	f.t.Helper()
	from := time.Now()
	time.Sleep(3 * time.Second)
	heard := c.HeardBetween(from.Add(500*time.Millisecond), time.Now())
	if rms := siptest.RMS(heard); (rms > 100) != yes {
		f.t.Errorf("%s: level %.0f in %d samples, want sound: %v", who, rms, len(heard), yes)
	}
}

func inFloor(t *testing.T, faults siptest.NetworkOptions, play func(ctx context.Context, f *floor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		f := newFloor(t, faults)
		defer f.end()
		play(ctx, f)
	})
}

func TestR18TwoPhonesOfTheInstanceTalk(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 1}, func(ctx context.Context, f *floor) {
		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{After: 2 * time.Second})
		out, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
		f.must(err)
		f.must(out.WaitRinging(ctx))
		in, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(out.WaitAnswered(ctx))
		f.must(in.WaitConfirmed(ctx))
		f.hears(out, "kim", f.phone("lee").Voice(), true)
		f.hears(in, "lee", f.phone("kim").Voice(), true)
		in.Hangup()
		_, err = out.WaitEnded(ctx)
		f.must(err)
		time.Sleep(time.Second)
		r := contactsOf(t, f.trial)[0]
		if r.InitiationMethod != contact.Outbound || r.CustomerEndpoint.Address != "lee" || r.Agent == nil || r.Agent.Username != "kim" ||
			r.DisconnectReason != contact.CustomerDisconnect || r.AgentQuality == nil || r.CustomerQuality == nil {
			t.Errorf("record %+v", r)
		}
	})
}

func TestR17RefusalsReachTheCallerWithTheirCode(t *testing.T) {
	for _, code := range []int{486, 603, 480, 404} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: int64(code)}, func(ctx context.Context, f *floor) {
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{Reject: code, After: time.Second})
				out, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
				f.must(err)
				ended, err := out.WaitEnded(ctx)
				f.must(err)
				if ended.Code != code {
					t.Errorf("refused with %d, the caller hears %+v", code, ended)
				}
			})
		})
	}
}

func TestR17ACallerWhoGivesUpEndsTheRinging(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 1}, func(ctx context.Context, f *floor) {
		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
		out, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
		f.must(err)
		in, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(out.WaitRinging(ctx))
		out.Cancel()
		ended, err := in.WaitEnded(ctx)
		f.must(err)
		if ended.Kind != siptest.EndCancelled {
			t.Errorf("the called phone: %+v", ended)
		}
	})
}

func TestR03HoldByEitherSideIsMusicForTheOther(t *testing.T) {
	for _, inactive := range []bool{false, true} {
		for _, by := range []string{"agent", "customer"} {
			t.Run(fmt.Sprintf("%s inactive %v", by, inactive), func(t *testing.T) {
				inFloor(t, siptest.NetworkOptions{Seed: 3}, func(ctx context.Context, f *floor) {
					customer, agent := f.talk(ctx)
					kim, caller := f.phone("kim").Voice(), siptest.Voice("caller call 1")
					holder, held, holders := agent, customer, kim
					if by == "customer" {
						holder, held, holders = customer, agent, caller
					}
					f.hears(held, "before", holders, true)
					f.must(holder.Hold(ctx, inactive))
					from := time.Now()
					f.hears(held, "held, the other's voice", holders, false)
					if rms := siptest.RMS(held.HeardBetween(from.Add(time.Second), time.Now())); by == "agent" && rms < 100 {
						t.Errorf("the customer on hold hears nothing: %.0f", rms)
					}
					f.must(holder.Resume(ctx))
					f.hears(held, "resumed", holders, true)
					f.hears(customer, "the customer, after all", kim, true)
					f.hears(agent, "the agent, after all", caller, true)
				})
			})
		}
	}
}

func TestR31ACustomerWhoseAgentFallsSilentWaitsAtTheFrontAgain(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 13}, func(ctx context.Context, f *floor) {
		f.phone("kim").Misbehave(siptest.Misbehaviour{StopRTPAfter: 5 * time.Second})
		customer, agent := f.talk(ctx)
		_, err := agent.WaitEnded(ctx)
		f.must(err)
		f.loud(customer, "customer, waiting again", true)
		rs := contactsOf(t, f.trial)
		i := slices.IndexFunc(rs, func(r *contact.Record) bool { return r.PreviousContactID != "" })
		if len(rs) != 2 || i < 0 || rs[i].Queue == nil || !rs[i].Queue.EnqueueTimestamp.Equal(rs[i].InitiationTimestamp) ||
			rs[1-i].DisconnectReason != contact.TelecomProblem {
			t.Errorf("records %+v", rs)
		}
	})
}

func TestR17EarlyMediaWithoutSoundIsTheRingingToneAndThenTheTalk(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 8}, func(ctx context.Context, f *floor) {
		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{Early: true, After: 5 * time.Second})
		out, err := f.phone("kim").Invite(ctx, "lee", siptest.CallOptions{})
		f.must(err)
		f.must(out.WaitRinging(ctx))
		var early atomic.Int64
		to := out.MediaAddr()
		f.network.SetFilter(func(_, dst net.Addr, _ []byte) siptest.Verdict {
			if dst.String() == to.String() {
				early.Add(1)
			}
			return siptest.Verdict{}
		})
		time.Sleep(3 * time.Second)
		f.network.SetFilter(nil)
		if n := early.Load(); n < 100 { // 2.5 s of packets at least
			t.Errorf("before the answer the caller got %d packets of the ringing tone", n)
		}
		in, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(out.WaitAnswered(ctx))
		f.hears(out, "kim", f.phone("lee").Voice(), true)
		f.hears(in, "lee", f.phone("kim").Voice(), true)
	})
}
