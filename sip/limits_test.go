package sip

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASourceHasABucket(t *testing.T) {
	l := NewLimits(LimitOptions{RequestsPerSecond: 10, Burst: 3})
	now := time.Unix(1000, 0)
	src := netip.MustParseAddr("192.0.2.1")
	for i := range 3 {
		if ok, _ := l.AllowRequest(src, now); !ok {
			t.Fatalf("request %d of the burst refused", i)
		}
	}
	ok, wait := l.AllowRequest(src, now)
	if ok || wait != 100*time.Millisecond {
		t.Errorf("after the burst: %v, wait %v", ok, wait)
	}
	if ok, _ = l.AllowRequest(netip.MustParseAddr("::ffff:192.0.2.1"), now); ok {
		t.Error("the mapped address has a bucket of its own")
	}
	if ok, _ = l.AllowRequest(netip.MustParseAddr("192.0.2.2"), now); !ok {
		t.Error("another source pays for the first")
	}
	if ok, _ = l.AllowRequest(src, now.Add(wait-time.Millisecond)); ok {
		t.Error("allowed before retryAfter")
	}
	if ok, _ = l.AllowRequest(src, now.Add(wait)); !ok {
		t.Error("refused at retryAfter")
	}
	if ok, _ = l.AllowRequest(src, now); ok {
		t.Error("a clock that went back gave a token")
	}
}

func TestIPv6SourcesShareABucketBy64(t *testing.T) {
	l := NewLimits(LimitOptions{RequestsPerSecond: 1, Burst: 1})
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		src string
		ok  bool
	}{{"2001:db8:0:1::1", true}, {"2001:db8:0:1:ffff::2", false}, {"2001:db8:0:2::1", true}} {
		if ok, _ := l.AllowRequest(netip.MustParseAddr(c.src), now); ok != c.ok {
			t.Errorf("%s: %v", c.src, ok)
		}
	}
}

func TestExemptSourcesAreNotCounted(t *testing.T) {
	carrier := netip.MustParseAddr("192.0.2.1")
	l := NewLimits(LimitOptions{RequestsPerSecond: 1, Burst: 1, Exempt: func(a netip.Addr) bool { return a == carrier }})
	for range 100 {
		if ok, _ := l.AllowRequest(carrier, time.Unix(1, 0)); !ok {
			t.Fatal("refused")
		}
	}
	if len(l.sources) != 0 {
		t.Error("remembered")
	}
}

func TestTheSourceTableIsBoundedAndForgetsTheQuietest(t *testing.T) {
	l := NewLimits(LimitOptions{RequestsPerSecond: 1, Burst: 1, MaxSources: 4})
	now := time.Unix(1000, 0)
	busy := netip.MustParseAddr("192.0.2.1")
	l.AllowRequest(busy, now)
	for i := range 1000 {
		l.AllowRequest(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), now)
		if ok, _ := l.AllowRequest(busy, now); ok {
			t.Fatalf("the busy source was forgotten after %d others", i)
		}
	}
	if len(l.sources) != 4 || l.recent.Len() != 4 {
		t.Errorf("%d and %d remembered", len(l.sources), l.recent.Len())
	}
}

func TestChannelsAreGivenBackOnce(t *testing.T) {
	l := NewLimits(LimitOptions{MaxCalls: 3})
	now := time.Unix(1000, 0)
	tr := testTrunk("acme", "192.0.2.1")
	tr.MaxChannels = 2
	r1, _, ok1 := l.AcquireChannel(tr, now)
	_, _, ok2 := l.AcquireChannel(tr, now)
	if !ok1 || !ok2 || l.Channels(tr.ID) != 2 {
		t.Fatal("two channels not given")
	}
	release, why, ok := l.AcquireChannel(tr, now)
	if ok || release != nil || why != `all 2 channels of trunk "acme" are in use` {
		t.Errorf("third channel: %v %q", ok, why)
	}
	r1()
	r1()
	if l.Channels(tr.ID) != 1 || l.Calls() != 1 {
		t.Errorf("after a release: %d channels, %d calls", l.Channels(tr.ID), l.Calls())
	}
	if _, _, ok = l.AcquireChannel(tr, now); !ok {
		t.Error("a released channel is not free")
	}
	if _, _, ok = l.AcquireChannel(nil, now); !ok {
		t.Error("a call without trunk refused")
	}
	if _, why, ok = l.AcquireChannel(nil, now); ok || why != "all 3 calls of the node are in use" {
		t.Errorf("over the node's limit: %v %q", ok, why)
	}
	if l.Channels("unknown") != 0 {
		t.Error("an unknown trunk has channels")
	}
}

func TestNewCallsASecondHoldInEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cps := rapid.IntRange(1, 6).Draw(t, "cps")
		tr := testTrunk("acme", "192.0.2.1")
		tr.MaxCPS = cps
		l := NewLimits(LimitOptions{MaxCalls: 1 << 30})
		now := time.Unix(1000, 0)
		var admitted []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "gap")) * time.Millisecond)
			inWindow := 0
			for _, at := range admitted {
				if now.Sub(at) < time.Second {
					inWindow++
				}
			}
			release, why, ok := l.AcquireChannel(tr, now)
			if ok != (inWindow < cps) {
				t.Fatalf("with %d of %d in the window: %v %q", inWindow, cps, ok, why)
			}
			if !ok {
				if !strings.Contains(why, "new calls") {
					t.Fatalf("why: %q", why)
				}
				continue
			}
			admitted = append(admitted, now)
			release() // ending at once does not make room in the window
		}
		if len(l.trunks[tr.ID].admitted) > cps {
			t.Fatal("the window grows")
		}
	})
}

func TestLimitsHoldWhenManyAsk(t *testing.T) {
	l := NewLimits(LimitOptions{MaxCalls: 50, RequestsPerSecond: 1, Burst: 10})
	tr := testTrunk("acme", "192.0.2.1")
	tr.MaxChannels = 7
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				l.AllowRequest(netip.MustParseAddr("192.0.2.1"), time.Unix(1, 0))
				if release, _, ok := l.AcquireChannel(tr, time.Unix(1, 0)); ok {
					if n := l.Channels(tr.ID); n > 7 {
						t.Errorf("%d channels", n)
					}
					release()
				}
			}
		})
	}
	wg.Wait()
	if l.Calls() != 0 || l.Channels(tr.ID) != 0 {
		t.Errorf("%d calls left", l.Calls())
	}
}
