package ivr

import (
	"context"
	"sync"
)

// maxCached is how many flows are kept at hand; beyond that the cache begins anew.
const maxCached = 1000

// cache keeps the flows that contacts run, so that no contact waits for the database to learn its flow. A change through
// the Service empties it before the change is answered; whoever has read the old flow meanwhile does not put it back.
type cache struct {
	store Store
	read  func(ctx context.Context, f *Flow, number int) (*Flow, error) // a flow as contacts run it

	mu       sync.Mutex
	era      int // counts the changes
	flows    map[flowKey]*Flow
	editions map[editionKey]*Flow
}

type flowKey struct{ instanceID, id string }

type editionKey struct {
	flow    flowKey
	flowRev int64
	number  int
}

// get is a flow by id, as it is stored. It is shared: nobody changes it.
func (c *cache) get(ctx context.Context, instanceID, id string) (*Flow, error) {
	key := flowKey{instanceID, id}
	c.mu.Lock()
	f, era := c.flows[key], c.era
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := c.store.Get(ctx, instanceID, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.era == era {
		if c.flows == nil || len(c.flows) >= maxCached {
			c.flows = make(map[flowKey]*Flow)
		}
		if other := c.flows[key]; other != nil && other.Version > f.Version {
			return other, nil // somebody has read later, and what was seen once is not unseen
		}
		c.flows[key] = f
	}
	return f, nil
}

// edition is a flow as contacts run it, in the version of this number; 0 is the one published last. It is shared.
func (c *cache) edition(ctx context.Context, f *Flow, number int) (*Flow, error) {
	key := editionKey{flowKey{f.InstanceID, f.ID}, f.Version, number}
	c.mu.Lock()
	run, era := c.editions[key], c.era
	c.mu.Unlock()
	if run != nil {
		return run, nil
	}
	run, err := c.read(ctx, f, number)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.era == era {
		if c.editions == nil || len(c.editions) >= maxCached {
			c.editions = make(map[editionKey]*Flow)
		}
		c.editions[key] = run
	}
	return run, nil
}

// changed forgets everything.
func (c *cache) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era++
	c.flows, c.editions = nil, nil
}
