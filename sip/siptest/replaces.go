package siptest

import "fmt"

// Replaces names the call for the Replaces of somebody else's INVITE, which takes our place at the other end (RFC 3891).
func (c *Call) Replaces() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.id, c.farTag, c.localTag)
}
