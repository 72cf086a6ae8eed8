package phone

import "sync"

// cached is how many answers one half of a Cache keeps.
const cached = 4096

// Cache remembers what Normalize said: reading a number costs more than routing it. It is safe for concurrent use, and
// forgets what was not asked for lately.
type Cache struct {
	mu       sync.Mutex
	new, old map[question]answer
}

type question struct{ raw, region string }

type answer struct {
	number string
	err    error
}

// Normalize is Normalize.
func (c *Cache) Normalize(raw, region string) (string, error) {
	if len(raw) > maxRaw { // refused without much reading, and not worth the room
		return Normalize(raw, region)
	}
	q := question{raw, region}
	c.mu.Lock()
	a, ok := c.new[q]
	if !ok {
		a, ok = c.old[q]
	}
	c.mu.Unlock()
	if !ok {
		a.number, a.err = Normalize(raw, region)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.new == nil || len(c.new) >= cached {
		c.old, c.new = c.new, make(map[question]answer)
	}
	c.new[q] = a
	return a.number, a.err
}
