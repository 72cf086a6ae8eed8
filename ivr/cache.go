package ivr

import (
	"context"
	"sync"

	"ullim/internal/resource"
)

// maxCached is how many flows are kept at hand; beyond that the cache begins anew.
const maxCached = 1000

// cache keeps the flows that contacts run, so that no contact waits for the database to learn its flow. A change through
// the Service empties it before the change is answered; whoever has read the old flow meanwhile does not put it back.
type cache struct {
	store resource.Store[*Flow]

	mu    sync.Mutex
	era   int // counts the changes
	flows map[flowKey]*Flow
}

type flowKey struct{ instanceID, id string }

// get is a flow by id. It is shared: nobody changes it.
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
		c.flows[key] = f
	}
	return f, nil
}

// changed forgets everything.
func (c *cache) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era++
	c.flows = nil
}
