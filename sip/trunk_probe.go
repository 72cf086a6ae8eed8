package sip

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// The times of probing.
const (
	probeEvery = time.Minute
	probeSoon  = 10 * time.Second // when a place is down or has missed one
	probeWait  = 5 * time.Second
	probeFirst = 2 * time.Second // the first one comes within this time
)

// probe asks every place of the carrier from time to time whether it is there, until the trunk is gone. Places that have
// just shown it by real traffic are not asked.
func (c *carrier) probe() {
	ctx, cancel := context.WithCancel(c.ep.ctx)
	defer cancel()
	wait := time.Duration(rand.Int64N(int64(probeFirst))) + 1
	for {
		t := time.NewTimer(wait)
		select {
		case <-c.stop:
			t.Stop()
			return
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		wait = c.probeAll(ctx)
	}
}

func (t *Trunk) probeInterval() time.Duration {
	switch {
	case t.ProbeSeconds < 0:
		return 0
	case t.ProbeSeconds == 0:
		return probeEvery
	default:
		return time.Duration(t.ProbeSeconds) * time.Second
	}
}

// probeAll asks all places at once and says when to ask again. Without probing it still keeps the addresses fresh.
func (c *carrier) probeAll(ctx context.Context) time.Duration {
	list, _ := c.locate(ctx, rand.IntN)
	every := c.config().probeInterval()
	if every == 0 {
		return probeEvery
	}
	var wg sync.WaitGroup
	asked := make(map[place]bool)
	for _, l := range list {
		c.mu.Lock()
		h := c.health[l.place]
		c.mu.Unlock()
		if asked[l.place] || len(asked) >= maxTargets || !h.down && h.misses == 0 && time.Since(h.lastOK) < every {
			continue
		}
		asked[l.place] = true
		wg.Go(func() {
			o := c.options(ctx, l)
			if ctx.Err() == nil {
				c.observe(l.place, func(h health) health { return h.probed(o, time.Now()) })
			}
		})
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range asked {
		if h := c.health[p]; (h.down || h.misses > 0) && !h.deaf {
			every = min(every, probeSoon)
		}
	}
	return every
}

// options sends one OPTIONS. RFC 3261 §11.
func (c *carrier) options(ctx context.Context, l located) outcome {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	target := sipgo.Uri{Scheme: "sip", Host: uriHostOf(l.gateway.Host), Port: l.gateway.Port}
	t := c.config()
	res, _, err := c.ep.exchange(ctx, c.hopTo(l.place), outside{
		method: sipgo.OPTIONS, target: target, routes: t.proxyRoute(),
		from: sipgo.Uri{Scheme: "sip", User: "ullim", Host: c.ep.localHost(l.place)}, to: target,
		callID: newTag(), tag: newTag(), seq: 1, headers: []sipgo.Header{header("Accept", "application/sdp")},
	})
	return outcomeOf(res, err)
}
