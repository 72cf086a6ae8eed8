package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/resource"
	"ullim/sip/siptest"
)

// seeds is how many worlds the fault test goes through; ULLIM_TEST_SEEDS makes it more.
func seeds() int {
	if n, err := strconv.Atoi(os.Getenv("ULLIM_TEST_SEEDS")); err == nil {
		return n
	}
	return worldsUnderTest
}

// TestWhateverTheNetworkAndThePeersDoNothingIsLeft plays the five calls of the demo together with calls whose peers lose
// ACKs and 200s, cancel at every offset around the answer and hang up on both sides at once, over a network that loses,
// doubles and reorders, in many seeded worlds. The calls may fail; what may not be is anything left behind, or a call
// without exactly one final record.
func TestWhateverTheNetworkAndThePeersDoNothingIsLeft(t *testing.T) {
	const worlds = 10 // tests that run side by side
	for w := range worlds {
		t.Run(fmt.Sprintf("worlds %d mod %d", w, worlds), func(t *testing.T) {
			t.Parallel()
			for seed := w; seed < seeds(); seed += worlds {
				synctest.Test(t, func(t *testing.T) { playFaultyWorld(t, int64(seed)) })
				if t.Failed() {
					t.Fatalf("seed %d (ULLIM_TEST_LOG=1 shows the log)", seed)
				}
			}
		})
	}
}

func playFaultyWorld(t *testing.T, seed int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(seed), 7))
	tr, network := newVirtualTrial(t, siptest.NetworkOptions{Seed: seed, Delay: time.Duration(1+rng.IntN(20)) * time.Millisecond})
	tr.acts = append(tr.acts, faultyActs(rng)...)
	if err := tr.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seed%4 != 0 { // every fourth network is a good one, so that the peers' faults are seen alone
		network.SetFaults(siptest.NetworkOptions{
			Seed: seed, Loss: rng.Float64() * 0.15, Duplicate: rng.Float64() * 0.05, Reorder: rng.Float64() * 0.1,
			Delay: time.Duration(rng.IntN(30)) * time.Millisecond, Jitter: time.Duration(rng.IntN(20)) * time.Millisecond,
		})
	}
	_ = tr.play(t.Context()) // may fail: the world is bad
	network.SetFaults(siptest.NetworkOptions{Seed: seed})
	tr.carrier.HangupAll()
	for _, a := range tr.agents {
		a.phone.HangupAll()
	}
	time.Sleep(time.Minute)
	checkRecords(t, tr)
	finish(t, tr, network)
}

// checkRecords proves that every admitted call has exactly one record for each segment, and that each is final.
func checkRecords(t *testing.T, tr *trial) {
	t.Helper()
	records, _, err := tr.app.db.Contacts(t.Context(), tr.stage.id, tr.start.Add(-time.Hour), time.Now().Add(time.Hour), resource.Page{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]int{}
	for _, r := range records {
		if r.PreviousContactID == "" {
			first[r.CallID]++
		}
		if r.DisconnectTimestamp.IsZero() || r.DisconnectReason == "" {
			t.Errorf("contact %s of %s was never closed: %+v", r.ID, r.SystemEndpoint.Address, r)
		}
		if r.Queue != nil && r.Queue.DequeueTimestamp.IsZero() {
			t.Errorf("contact %s never left the queue", r.ID)
		}
	}
	for call, n := range first {
		if n != 1 {
			t.Errorf("call %s has %d records", call, n)
		}
	}
	if admitted := tr.app.sip.Stats().InvitesAdmitted; uint64(len(first)) != admitted {
		t.Errorf("%d calls were admitted, %d have a record", admitted, len(first))
	}
}

// faultyActs are calls whose peers misbehave.
func faultyActs(rng *rand.Rand) []*act {
	place := func(m siptest.Misbehaviour) func(context.Context, *trial, *act) error {
		return func(ctx context.Context, t *trial, a *act) error {
			c, err := t.carrier.Call(ctx, a.number, a.from, siptest.CallOptions{Misbehave: &m})
			if err != nil {
				return err
			}
			a.call = c
			_ = pause(ctx, 4*time.Second)
			c.Hangup()
			_, err = c.WaitEnded(ctx)
			return err
		}
	}
	offset := time.Duration(rng.IntN(50)) * time.Millisecond
	list := []*act{
		{title: "the ACK is lost once", play: place(siptest.Misbehaviour{DropACK: 1 + rng.IntN(4)})},
		{title: "the ACK never comes", play: place(siptest.Misbehaviour{NeverACK: true})},
		{title: "the first 200 is lost", play: place(siptest.Misbehaviour{DropFirst200: true})},
		{title: "CANCEL around the 200", play: place(siptest.Misbehaviour{CancelOn: siptest.OnInvite, CancelAfter: offset, EarlyCancel: true})},
		{title: "CANCEL after the first response", play: place(siptest.Misbehaviour{CancelOn: siptest.OnProvisional, CancelAfter: offset})},
		{title: "CANCEL after the 200", play: place(siptest.Misbehaviour{CancelOn: siptest.OnAnswer, CancelAfter: offset})},
		{title: "BYE at once", play: place(siptest.Misbehaviour{ByeOnAnswer: true})},
		{title: "BYE before the ACK", play: place(siptest.Misbehaviour{ByeBeforeACK: true})},
		{title: "the ACK comes late", play: place(siptest.Misbehaviour{AckDelay: time.Duration(rng.IntN(3000)) * time.Millisecond})},
		{title: "BYE from both sides", agents: []string{"han"}, play: playByeFromBoth(time.Duration(rng.IntN(20)) * time.Millisecond)},
		{title: "the agent hangs up in the whisper", agents: []string{"yun"}, play: playAgentLeavesEarly(time.Duration(rng.IntN(1500)) * time.Millisecond)},
		{title: "the caller hangs up as the agent answers", agents: []string{"seo"}, play: playHangupAtAnswer(offset)},
	}
	for i, a := range list {
		a.label, a.number, a.from = fmt.Sprint("call ", 6+i), fmt.Sprintf("+82215881%03d", i), fmt.Sprintf("0101235%04d", i)
		a.queue, a.ring = fmt.Sprint("Queue ", i), 20
		a.seen, a.news = map[string]time.Time{}, make(chan struct{})
	}
	return list
}

// reachAgent brings a caller to the ringing phone of the act's agent, who is available.
func reachAgent(ctx context.Context, t *trial, a *act, answer siptest.AnswerBehaviour) (*siptest.Call, error) {
	phone := t.agents[a.agents[0]].phone
	phone.SetAnswer(answer)
	if err := t.available(ctx, a.agents[0]); err != nil {
		return nil, err
	}
	if err := t.enterQueue(ctx, a); err != nil {
		return nil, err
	}
	return phone.NextCall(ctx)
}

func playByeFromBoth(apart time.Duration) func(context.Context, *trial, *act) error {
	return func(ctx context.Context, t *trial, a *act) error {
		agent, err := reachAgent(ctx, t, a, siptest.AnswerBehaviour{})
		if err != nil {
			return err
		}
		if err = a.await(ctx, "CONNECTED_TO_AGENT"); err != nil {
			return err
		}
		_ = pause(ctx, 2*time.Second)
		a.call.Hangup()
		_ = pause(ctx, apart)
		agent.Hangup()
		return a.await(ctx, "DISCONNECTED")
	}
}

func playAgentLeavesEarly(after time.Duration) func(context.Context, *trial, *act) error {
	return func(ctx context.Context, t *trial, a *act) error {
		agent, err := reachAgent(ctx, t, a, siptest.AnswerBehaviour{})
		if err != nil {
			return err
		}
		if err = agent.WaitAnswered(ctx); err != nil {
			return err
		}
		_ = pause(ctx, after)
		agent.Hangup()
		_ = pause(ctx, 5*time.Second)
		a.call.Hangup()
		return a.await(ctx, "DISCONNECTED")
	}
}

func playHangupAtAnswer(apart time.Duration) func(context.Context, *trial, *act) error {
	return func(ctx context.Context, t *trial, a *act) error {
		if _, err := reachAgent(ctx, t, a, siptest.AnswerBehaviour{After: 25 * time.Millisecond}); err != nil {
			return err
		}
		_ = pause(ctx, apart)
		a.call.Hangup()
		return a.await(ctx, "DISCONNECTED")
	}
}
