package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

func limited(channels, cps, share int) *Trunk {
	return &Trunk{
		Meta: resource.Meta{ID: "t", InstanceID: "inst-1", Name: "narrow"}, Gateways: []Gateway{{Host: "192.0.2.1"}}, Region: "KR",
		MaxChannels: channels, MaxCPS: cps, CampaignShare: share, ProbeSeconds: -1,
	}
}

// windows checks that no window of a second holds more than most of the times.
func windows(t *testing.T, at []time.Time, most int) {
	t.Helper()
	slices.SortFunc(at, time.Time.Compare)
	for i := range at {
		if j := i + most; j < len(at) && at[j].Sub(at[i]) < time.Second {
			t.Errorf("%d calls within %s", most+1, at[j].Sub(at[i]))
			return
		}
	}
}

func TestR22TwoHundredAtOnceOnFiveCallsASecondAndThirtyChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimits(LimitOptions{}), limited(30, 5, 0)
		var mu sync.Mutex
		var at []time.Time
		var order []string
		used, most := 0, 0
		var wg sync.WaitGroup
		ask := func(who string, a placeAsk) {
			wg.Go(func() {
				for {
					release, err := l.waitPlace(t.Context(), k, a)
					if errs.Is(err, errs.Throttled) {
						continue // a dialer asks again
					}
					mu.Lock()
					at, order = append(at, time.Now()), append(order, who)
					used++
					most = max(most, used)
					mu.Unlock()
					time.Sleep(3 * time.Second)
					mu.Lock()
					used--
					mu.Unlock()
					release()
					release() // twice is once
					return
				}
			})
		}
		for i := range 200 {
			ask(fmt.Sprintf("campaign %d", i%4), placeAsk{priority: call.PriorityCampaign, group: fmt.Sprint(i % 4)})
		}
		synctest.Wait()
		for range 10 {
			ask("agent", placeAsk{priority: call.PriorityAgent, group: "agents"})
		}
		ask("emergency", placeAsk{priority: call.PriorityEmergency, group: "agents"})
		wg.Wait()
		windows(t, at, 5)
		if most > 30 || len(at) != 211 || l.Channels("t") != 0 {
			t.Errorf("%d at once, %d calls, %d channels left", most, len(at), l.Channels("t"))
		}
		if took := at[len(at)-1].Sub(at[0]); took > 50*time.Second {
			t.Errorf("211 calls at 5 a second took %s", took)
		}
		// The first second went to campaigns that were alone; then the emergency, then agents, then campaigns in turn. Those
		// of one second get their places in the same instant, so seconds are compared.
		second := func(i int) string {
			part := slices.Clone(order[5*i : 5*i+5])
			slices.Sort(part)
			return strings.Join(part, ", ")
		}
		if second(1) != "agent, agent, agent, agent, emergency" || second(2) != "agent, agent, agent, agent, agent" {
			t.Errorf("then came %s, then %s", second(1), second(2))
		}
		had := map[string]int{}
		for i := 4; i < 30; i++ {
			for _, who := range order[5*i : 5*i+5] {
				had[who]++
			}
			lowest, highest := 1000, 0
			for c := range 4 {
				n := had[fmt.Sprintf("campaign %d", c)]
				lowest, highest = min(lowest, n), max(highest, n)
			}
			if highest-lowest > 1 {
				t.Fatalf("after second %d the campaigns had %v", i, had)
			}
		}
	})
}

func TestR22ChannelsOfBothDirectionsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimits(LimitOptions{}), limited(3, 0, 0)
		in, _, ok := l.AcquireChannel(k, time.Now())
		if !ok {
			t.Fatal("the first call is refused")
		}
		one, why := l.tryPlace(k, placeAsk{priority: call.PriorityAgent})
		two, _ := l.tryPlace(k, placeAsk{priority: call.PriorityAgent})
		if why != "" || one == nil || two == nil {
			t.Fatalf("places are refused: %s", why)
		}
		if _, why = l.tryPlace(k, placeAsk{priority: call.PriorityAgent}); why != `all 3 channels of trunk "narrow" are in use` {
			t.Errorf("a fourth: %q", why)
		}
		if _, _, ok = l.AcquireChannel(k, time.Now()); ok {
			t.Error("a fourth came in")
		}
		began := time.Now()
		time.AfterFunc(2*time.Second, in) // their call ends, ours gets its place
		release, err := l.waitPlace(t.Context(), k, placeAsk{priority: call.PriorityAgent})
		if err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		for _, f := range []func(){one, two, release} {
			f()
		}
		if n := l.Channels("t"); n != 0 {
			t.Errorf("%d channels are left", n)
		}
	})
}

func TestR22WaitIsBoundedAndSaysWhatWasMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimits(LimitOptions{}), limited(1, 0, 0)
		release, _ := l.tryPlace(k, placeAsk{priority: call.PriorityAgent})
		for _, p := range []call.Priority{call.PriorityEmergency, call.PriorityAgent, call.PriorityCampaign} {
			a := placeAsk{priority: p}
			began := time.Now()
			_, err := l.waitPlace(t.Context(), k, a)
			if !errs.Is(err, errs.Throttled) || !strings.Contains(err.Error(), `all 1 channels of trunk "narrow" are in use; waited`) ||
				time.Since(began) != a.wait() {
				t.Errorf("priority %d: %v after %s", p, err, time.Since(began))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.waitPlace(ctx, k, placeAsk{}); err == nil || time.Since(began) != time.Second {
			t.Errorf("a caller who hangs up: %v after %s", err, time.Since(began))
		}
		if s := l.load("t"); s.waiting != 0 || s.channels != 1 {
			t.Errorf("load is %+v", s)
		}
		release()
		if release, why := l.tryPlace(k, placeAsk{priority: call.PriorityCampaign}); why != "" {
			t.Errorf("nobody is left, and: %s", why)
		} else {
			release()
		}
	})
}

func TestR22TheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimits(LimitOptions{}), limited(1, 0, 0)
		release, _ := l.tryPlace(k, placeAsk{})
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() { _, _ = l.waitPlace(t.Context(), k, placeAsk{priority: call.PriorityCampaign}) })
		}
		synctest.Wait()
		began := time.Now()
		if _, err := l.waitPlace(t.Context(), k, placeAsk{}); !errs.Is(err, errs.Throttled) || time.Since(began) != 0 {
			t.Errorf("one more: %v", err)
		}
		wg.Wait()
		release()
	})
}

func TestR22CampaignsLeaveRoomForPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimits(LimitOptions{}), limited(10, 10, 60)
		var releases []func()
		count := func(p call.Priority) (n int) {
			for {
				release, why := l.tryPlace(k, placeAsk{priority: p})
				if why != "" {
					return n
				}
				releases = append(releases, release)
				n++
			}
		}
		if n := count(call.PriorityCampaign); n != 6 {
			t.Errorf("campaigns have %d of 10", n)
		}
		if n := count(call.PriorityAgent); n != 4 {
			t.Errorf("agents have %d of the other 4", n)
		}
		for _, f := range releases {
			f()
		}
		// Now the channels are free, but the second is not over.
		if n := count(call.PriorityAgent); n != 0 {
			t.Errorf("%d more in the same second", n)
		}
		time.Sleep(cpsWindow + cpsGuard)
		if n := count(call.PriorityCampaign); n != 6 {
			t.Errorf("campaigns have %d in the next second", n)
		}
	})
}

func TestR22EmergencyCallsWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		s.change(limited(1, 1, 0))
		p, err := s.plan(call.Target{Number: "+821012345678", Priority: call.PriorityCampaign})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, n := range []string{"112", "119", "911"} {
			e, err := s.plan(call.Target{Number: n, Priority: call.PriorityAgent})
			if err != nil || time.Since(began) != 0 {
				t.Errorf("%s: %v after %s", n, err, time.Since(began))
			}
			defer e.release()
		}
		p.release()
	})
}

func TestR22WaitingForTheFirstTrunkOnlyWhenNoneHasAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		one := func(name string, i int) *Trunk {
			return outTrunk(name, func(k *Trunk) { k.MaxChannels = 1 }, Gateway{Host: fmt.Sprintf("192.0.2.%d", i)})
		}
		s.change(one("a", 1), one("b", 2))
		target := call.Target{Number: "+821012345678", Priority: call.PriorityAgent}
		a, errA := s.plan(target)
		b, errB := s.plan(target)
		if errA != nil || errB != nil || hopsText(a) != "192.0.2.1:5060" || hopsText(b) != "192.0.2.2:5060" {
			t.Fatalf("%s %v, %s %v", hopsText(a), errA, hopsText(b), errB)
		}
		time.AfterFunc(time.Second, a.release)
		began := time.Now()
		c, err := s.plan(target)
		if err != nil || time.Since(began) != time.Second || hopsText(c) != "192.0.2.1:5060" {
			t.Errorf("%s, %v after %s", hopsText(c), err, time.Since(began))
		}
		if _, err = s.plan(target); !errs.Is(err, errs.Throttled) {
			t.Errorf("a fourth: %v", err)
		}
		if st := s.state("id-a"); st.Channels != 1 || st.Refused["limit"] != 1 {
			t.Errorf("state is %+v", st)
		}
		b.release()
		c.release()
	})
}
