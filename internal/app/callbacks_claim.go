package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
)

// claimed is a place in line that a customer with a callback has taken by calling themselves.
type claimed struct {
	since time.Time
	undo  func() // the queue did not take them: the callback goes on
}

// claim gives a contact that enters a queue the place of the callback that its caller has in this queue. The callback is
// from then on the contact's: one write of its job says so, so that a process that dies before or behind it either calls
// back, or does when it comes up again and finds the contact broken off. Nobody is called while the contact lasts, nor
// afterwards. ok is false if there is no such callback, or its customer is being called.
func (c *callbacks) claim(ctx context.Context, e call.Enqueue) (place claimed, ok bool, err error) {
	if e.Number == "" || strings.Trim(e.Number[1:], "0123456789") != "" {
		return claimed{}, false, nil
	}
	list, err := c.store.JobsAbout(ctx, jobCallback, `"`+e.Number+`"`, maxClaims)
	if err != nil || len(list) == 0 {
		return claimed{}, false, err
	}
	c.mu.Lock() // handle begins no attempt meanwhile
	defer c.mu.Unlock()
	if list, err = c.store.JobsAbout(ctx, jobCallback, `"`+e.Number+`"`, maxClaims); err != nil {
		return claimed{}, false, err
	}
	for _, j := range list {
		var p callbackJob
		if json.Unmarshal(j.Payload, &p) != nil || p.InstanceID != e.InstanceID || p.Queue.ID != e.QueueID || p.Number != e.Number || p.From == e.ContactID {
			continue
		}
		if p.Claimed == e.ContactID { // they wait again
			return claimed{since: p.Since, undo: func() {}}, true, nil
		}
		waits, free, stateErr := c.claimable(ctx, j, p)
		if stateErr != nil {
			return claimed{}, false, stateErr
		}
		if !free {
			continue
		}
		before := p.Claimed
		p.Claimed = e.ContactID
		if err = c.reclaim(ctx, j.Key, p); err != nil {
			return claimed{}, false, err
		}
		if waits != "" {
			c.calls.Stop(waits, "the customer has called")
		}
		c.log.Info("callback has ended: the customer has called, and takes its place", "callback_id", j.Key, "contact_id", e.ContactID)
		return claimed{since: p.Since, undo: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			p.Claimed = before
			if err := c.reclaim(context.WithoutCancel(ctx), j.Key, p); err != nil {
				c.log.Error("a callback stays with a contact that its queue did not take", "callback_id", j.Key, "contact_id", e.ContactID, "error", err)
			}
		}}, true, nil
	}
	return claimed{}, false, nil
}

// maxClaims bounds how many callbacks of one number are looked at.
const maxClaims = 50

// reclaim stores whose a callback is. The caller holds mu.
func (c *callbacks) reclaim(ctx context.Context, key string, p callbackJob) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return err
	}
	ok, err := c.store.EditJob(ctx, jobCallback, key, payload, time.Now())
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "no callback %s", key)
	}
	if err != nil {
		return err
	}
	if c.claims == nil {
		c.claims = map[string]string{}
	}
	c.claims[key] = p.Claimed
	if p.Claimed == "" { // whoever has read it before finds out by itself what became of the contact
		delete(c.claims, key)
	}
	c.wake()
	return nil
}

// claimable reports whether a callback can be another contact's: nobody else has it, and the customer is not being called
// and has not been talked to. waits is its contact that is in line now.
func (c *callbacks) claimable(ctx context.Context, j jobs.Job, p callbackJob) (waits string, free bool, err error) {
	if over, left, err := c.claimOver(ctx, p); err != nil || over || left {
		return "", false, err
	}
	for n := range callbackBegins {
		id := attemptID(j.Key, n)
		r, err := c.records.Contact(ctx, p.InstanceID, id)
		if errs.Is(err, errs.NotFound) {
			break
		}
		if err != nil {
			return "", false, err
		}
		switch {
		case !r.ConnectedToSystemTimestamp.IsZero():
			return "", false, nil
		case r.DisconnectTimestamp.IsZero() && !r.AttemptTimestamp.IsZero():
			return "", false, nil
		case r.DisconnectTimestamp.IsZero():
			waits = id
		}
	}
	return waits, true, nil
}

// claimOver tells what became of the contact that has taken a callback's place: it lasts, or it is over and the callback
// with it. Neither: there is none, or its process ended before anybody had answered.
func (c *callbacks) claimOver(ctx context.Context, p callbackJob) (over, lasts bool, err error) {
	if p.Claimed == "" {
		return false, false, nil
	}
	r, err := c.records.Contact(ctx, p.InstanceID, p.Claimed)
	if errs.Is(err, errs.NotFound) { // it was never stored
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	if r.DisconnectTimestamp.IsZero() {
		return false, true, nil
	}
	broken := r.DisconnectReason == contact.Other && !r.Callback && (r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero())
	return !broken, false, nil
}

// customerCalled looks after a callback whose place its customer has taken. goOn is true if the callback goes on.
func (c *callbacks) customerCalled(ctx context.Context, key string, p callbackJob) (goOn bool, err error) {
	over, lasts, err := c.claimOver(ctx, p)
	switch {
	case err != nil:
		return false, err
	case lasts:
		return false, jobs.Snooze(time.Now().Add(callbackPoll))
	case over:
		delete(c.claims, key)
		c.log.Info("callback is over: the customer has called", "callback_id", key, "contact_id", p.Claimed)
		return false, nil
	case p.Claimed != "":
		c.log.Warn("callback goes on: the call that had taken its place was broken off", "callback_id", key, "contact_id", p.Claimed)
		p.Claimed = ""
		err = c.reclaim(ctx, key, p)
	}
	return err == nil, err
}

// inherit gives a callback that is asked for by a contact the place of the callback that this contact has taken, and the
// key of that one: it is replaced.
func (c *callbacks) inherit(ctx context.Context, p *callbackJob) (key string, err error) {
	list, err := c.store.JobsAbout(ctx, jobCallback, `"`+p.From+`"`, maxClaims)
	if err != nil {
		return "", err
	}
	for _, j := range list {
		var old callbackJob
		if json.Unmarshal(j.Payload, &old) != nil || old.Claimed != p.From || old.InstanceID != p.InstanceID {
			continue
		}
		if old.Queue.ID == p.Queue.ID && old.Since.Before(p.Since) {
			p.Since = old.Since
		}
		return j.Key, nil
	}
	return "", nil
}

// drop ends a callback that another has replaced.
func (c *callbacks) drop(ctx context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claims, key)
	_, err := c.store.DropJob(ctx, jobCallback, key)
	return err
}
