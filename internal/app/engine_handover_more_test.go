package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip/siptest"
)

func TestAnAgentCallsANumberByTheAPI(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 51}, func(ctx context.Context, f *floor) {
		q := f.callOut()
		flow, err := f.app.flows.Default(ctx, f.stage.id, ivr.TypeOutboundWhisper)
		f.must(err)
		_, err = resource.Edit(ctx, f.app.stores.queues, f.stage.id, q.ID, func(q *acd.Queue) error {
			q.OutboundCallerIDName, q.OutboundFlowID = "Acme Sales", flow.ID
			numbers, numbersErr := resource.All(ctx, f.app.stores.numbers, f.stage.id)
			q.OutboundCallerNumber = numbers[0].ID
			return numbersErr
		})
		f.must(err)
		f.phone("kim").SetAnswer(siptest.AnswerBehaviour{After: time.Second})
		f.carrier.SetAnswer(siptest.AnswerBehaviour{After: 3 * time.Second})
		id, err := f.app.calls.Dial(ctx, f.stage.id, f.id("kim"), call.Dial{Number: "+821012340009", QueueID: q.ID}) // kim is offline
		f.must(err)
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		if got := agent.Header("Call-Info") + agent.Header("Alert-Info"); got == "" {
			t.Error("the device is not asked to answer by itself")
		}
		f.must(agent.WaitConfirmed(ctx))
		out, err := f.carrier.NextCall(ctx)
		f.must(err)
		f.loud(agent, "kim, while it rings", true)
		f.must(out.WaitConfirmed(ctx))
		time.Sleep(3 * time.Second) // the whisper
		f.hears(agent, "kim", f.carrier.Voice(), true)
		f.hears(out, "the customer", f.phone("kim").Voice(), true)
		out.Hangup()
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		time.Sleep(2 * time.Second)
		r := contactsOf(t, f.trial)[0]
		if r.ID != id || r.InitiationMethod != contact.Outbound || r.Agent.Username != "kim" || r.Agent.ConnectedToAgentTimestamp.IsZero() ||
			r.CustomerEndpoint.Address != "+821012340009" || r.SystemEndpoint.Address != "+8215880001" || r.DisconnectReason != contact.CustomerDisconnect {
			t.Errorf("record %+v, agent %+v", r, r.Agent)
		}
	})
}

func TestAnAgentsCallEndsWithItsReasonAtEveryPoint(t *testing.T) {
	for _, row := range []struct {
		name   string
		kim    siptest.AnswerBehaviour
		out    siptest.AnswerBehaviour
		reason contact.DisconnectReason
	}{
		{"no device answers", siptest.AnswerBehaviour{RingOnly: true}, siptest.AnswerBehaviour{}, contact.OutboundAttemptFailed},
		{"the device refuses", siptest.AnswerBehaviour{Reject: 486}, siptest.AnswerBehaviour{}, contact.OutboundAttemptFailed},
		{"the number is busy", siptest.AnswerBehaviour{}, siptest.AnswerBehaviour{Reject: 486, After: time.Second}, contact.OutboundAttemptFailed},
		{"there is no such number", siptest.AnswerBehaviour{}, siptest.AnswerBehaviour{Reject: 404, After: time.Second}, contact.OutboundDestinationError},
	} {
		t.Run(row.name, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 52}, func(ctx context.Context, f *floor) {
				f.callOut()
				f.phone("kim").SetAnswer(row.kim)
				f.carrier.SetAnswer(row.out)
				_, err := f.app.calls.Dial(ctx, f.stage.id, f.id("kim"), call.Dial{Number: "+821012340009"})
				f.must(err)
				time.Sleep(time.Minute)
				if r := contactsOf(t, f.trial)[0]; r.DisconnectReason != row.reason {
					t.Errorf("%s: %s", r.DisconnectReason, r.DisconnectDetail)
				}
			})
		})
	}
}

func TestASupervisorWhoHasJoinedTalksOnWhenTheAgentLeaves(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 53}, func(ctx context.Context, f *floor) {
		customer, agent := f.talk(ctx)
		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{})
		f.must(f.app.calls.Invite(ctx, f.stage.id, f.live(), call.Invitation{
			UserID: f.id("lee"), Supervisor: true, Hears: call.Monitor, Barges: true,
		}))
		boss, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(boss.WaitConfirmed(ctx))
		time.Sleep(3 * time.Second)
		f.must(f.app.calls.Supervise(ctx, f.stage.id, f.live(), f.id("lee"), call.Speaker))
		time.Sleep(4 * time.Second)
		agent.Hangup()
		time.Sleep(time.Second)
		f.hears(customer, "customer", f.phone("lee").Voice(), true)
		boss.Hangup()
		_, err = customer.WaitEnded(ctx)
		f.must(err)
		time.Sleep(2 * time.Second)
		first, next := f.transferred("lee")
		if first.DisconnectReason != contact.Barged || next.DisconnectReason != contact.AgentDisconnect {
			t.Errorf("ended %s, then %s", first.DisconnectReason, next.DisconnectReason)
		}
		if got := first.Agent.Transitions; len(got) != 2 || got[0].State != "SILENT_MONITOR" || got[1].State != "BARGE" ||
			got[0].End.Sub(got[0].Start) < 3*time.Second || got[1].End.Sub(got[1].Start) < 4*time.Second || got[1].UserID != f.id("lee") {
			t.Errorf("transitions %+v", got)
		}
	})
}

func TestAnAgentDeclinesWhatRings(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 54}, func(ctx context.Context, f *floor) {
		_, err := reachAgent(ctx, f.trial, f.act, siptest.AnswerBehaviour{RingOnly: true})
		f.must(err)
		time.Sleep(time.Second)
		f.must(f.app.calls.Decline(ctx, f.stage.id, f.live(), f.id("kim")))
		time.Sleep(500 * time.Millisecond)
		if s := f.slot("kim"); s != acd.SlotRejected {
			t.Errorf("kim is %q", s)
		}
		if err = f.app.calls.Decline(ctx, f.stage.id, f.live(), f.id("kim")); err == nil {
			t.Error("declined what does not ring")
		}
	})
}

// TestWhateverTheNetworkDoesHandoversLeaveNothing plays transfers and consultations by the API to everything there is, with
// hang-ups, second thoughts and lost devices at random moments over bad networks. What may not be is anything left behind, or a
// segment that is not closed.
func TestWhateverTheNetworkDoesHandoversLeaveNothing(t *testing.T) {
	const worlds = 5
	for w := range worlds {
		t.Run(fmt.Sprintf("worlds %d mod %d", w, worlds), func(t *testing.T) {
			t.Parallel()
			for seed := w; seed < max(worlds, seeds()/4); seed += worlds {
				synctest.Test(t, func(t *testing.T) { playHandovers(t, int64(seed)) })
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func playHandovers(t *testing.T, seed int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(seed), 12))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	f := newFloor(t, siptest.NetworkOptions{
		Seed: seed, Loss: rng.Float64() * 0.12, Duplicate: rng.Float64() * 0.05, Reorder: rng.Float64() * 0.1,
		Delay: time.Duration(rng.IntN(30)) * time.Millisecond, Jitter: time.Duration(rng.IntN(20)) * time.Millisecond,
	})
	defer f.end()
	soon := func() { time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond) }
	q := f.callOut()
	queue := f.desk(ctx, rng.IntN(4) > 0)
	answers := []siptest.AnswerBehaviour{
		{After: time.Duration(rng.IntN(2000)) * time.Millisecond}, {}, {Reject: 486}, {RingOnly: true}, {Early: true, After: time.Second},
	}
	f.phone("lee").SetAnswer(answers[rng.IntN(len(answers))])
	f.carrier.SetAnswer(answers[rng.IntN(len(answers))])
	if _, err := reachAgent(ctx, f.trial, f.act, siptest.AnswerBehaviour{}); err != nil {
		return
	}
	agent := f.id("kim")
	if rng.IntN(3) > 0 {
		_ = f.available(ctx, "lee")
	}
	soon()
	contacts := func() (ids []string) {
		for _, r := range contactsOf(t, f.trial) {
			if r.DisconnectTimestamp.IsZero() {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	for range 3 + rng.IntN(5) {
		for _, id := range contacts() {
			to := []call.Destination{
				{UserID: f.id("lee")}, {UserID: f.id("lee")}, {QueueID: queue}, {QueueID: queue}, {QueueID: q.ID}, {Number: "+82215778000"},
			}[rng.IntN(6)]
			switch rng.IntN(9) {
			case 0, 1:
				_ = f.app.calls.Transfer(ctx, f.stage.id, id, agent, to)
			case 2, 3, 4:
				_ = f.app.calls.Consult(ctx, f.stage.id, id, agent, to)
			case 5:
				_ = f.app.calls.Leave(ctx, f.stage.id, id, agent)
			case 6:
				list, _ := f.app.calls.Participants(f.stage.id, id)
				for _, p := range list {
					if p.Customer {
						_ = f.app.calls.Hold(ctx, f.stage.id, id, p.ID, rng.IntN(3) == 0)
					} else if rng.IntN(3) == 0 {
						_ = f.app.calls.Remove(ctx, f.stage.id, id, p.ID)
					}
				}
			case 7:
				_ = f.app.calls.Decline(ctx, f.stage.id, id, f.id("lee"))
			case 8:
				f.phone("lee").HangupAll()
			}
		}
		soon()
		if rng.IntN(8) == 0 {
			f.act.call.Hangup()
		}
		if rng.IntN(10) == 0 {
			f.phone("kim").HangupAll()
		}
	}
}
