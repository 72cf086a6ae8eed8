package acd

import (
	"context"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// ManualQueue is a queue whose contacts the agents of a profile choose from a list themselves (manual assignment).
type ManualQueue struct {
	QueueID string          `json:"queueId"`
	Channel contact.Channel `json:"channel"`
}

// Take offers a waiting contact to an agent who has chosen it from the list, or to whom somebody has assigned it, in
// whatever status the agent is: the profile must have the queue, for manual assignment or otherwise. errs.NotFound: no
// such user or contact in line; errs.Denied: the profile does not have the queue; errs.InvalidRequest: the contact is
// being offered, or the agent has no room for it.
func (c *Center) Take(ctx context.Context, userID, contactID string) error {
	return c.ask(ctx, true, func(a *actor, now time.Time, r *request) { r.reply(a.take(userID, contactID, now)) })
}

// take is Take.
func (a *actor) take(userID, contactID string, now time.Time) error {
	g, w := a.agents[userID], a.waiters[contactID]
	switch {
	case g == nil || g.removed:
		return errs.New(errs.NotFound, "user %s does not exist", userID)
	case w == nil:
		return errs.New(errs.NotFound, "contact %s is not in a queue", contactID)
	}
	a.lookAtDevice(g, now)
	c, s := a.candidate(g), a.present(w)
	if c.Profile == nil {
		return errs.New(errs.Denied, "user %s has no routing profile", g.Username)
	}
	_, listed := c.line(w.QueueID, w.Channel)
	if !listed && !slices.Contains(c.Profile.Manual, ManualQueue{w.QueueID, w.Channel}) {
		return errs.New(errs.Denied, "the routing profile of %s does not have the queue of contact %s", g.Username, contactID)
	}
	why := s.busy(now)
	if why == "" || why == WhyContactBackoff {
		c.Routable, c.Leaving, c.NotBefore = true, false, time.Time{} // whatever the status, and after a fault
		if why = c.busy(now); why == "" {
			why = c.full(w.Channel)
		}
	}
	switch why {
	case "":
	case WhyContactSettling, WhyAgentSettling:
		return errs.New(errs.Unavailable, "contact %s or user %s is being stored: try again", contactID, g.Username)
	default:
		return errs.New(errs.InvalidRequest, "contact %s cannot be assigned to %s: %s", contactID, g.Username, why)
	}
	a.reindex(now)
	a.remember(w, []string{userID}, map[string]string{userID: contactID}, now)
	a.offer(g, w, now)
	return nil
}
