package app

import (
	"context"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// An agent who is available and has called somebody is not rung beside that call, and is as soon as it is over.
func TestR11NoOfferRingsBesideAnAgentsOwnCall(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 4}, func(ctx context.Context, f *floor) {
		kim := f.phone("kim")
		f.must(f.available(ctx, "kim"))
		out, err := kim.Invite(ctx, "lee", siptest.CallOptions{})
		f.must(err)
		f.must(out.WaitAnswered(ctx))
		f.must(f.enterQueue(ctx, f.act))
		meanwhile, cancel := context.WithTimeout(ctx, 10*time.Second)
		if _, err = kim.NextCall(meanwhile); err == nil {
			f.t.Error("the queue rings beside the call")
		}
		cancel()
		out.Hangup()
		begun := time.Now()
		agent, err := kim.NextCall(ctx)
		f.must(err)
		if waited := time.Since(begun); waited > time.Second {
			f.t.Errorf("rung %s after the call was over", waited)
		}
		f.must(agent.WaitConfirmed(ctx))
		f.must(f.act.await(ctx, "CONNECTED_TO_AGENT"))
	})
}
