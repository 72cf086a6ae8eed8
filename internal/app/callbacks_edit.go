package app

import (
	"context"
	"encoding/json"
	"time"

	"ullim/internal/api/admin"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/permit"
	"ullim/internal/phone"
)

// callbackStore keeps the jobs that callbacks are.
type callbackStore interface {
	jobs.Store
	WaitingJobs(ctx context.Context, kind string, after time.Time, most int) ([]jobs.Job, error)
	JobsAbout(ctx context.Context, kind, text string, most int) ([]jobs.Job, error)
	DropJob(ctx context.Context, kind, key string) (bool, error)
	EditJob(ctx context.Context, kind, key string, payload json.RawMessage, due time.Time) (bool, error)
}

// maxCallbacksListed bounds what is read to list the callbacks of all instances.
const maxCallbacksListed = 10_000

var _ admin.Callbacks = (*callbacks)(nil)

// permitted asks whether the customer may be called now; a callback waits for the hours in which they may be.
func (c *callbacks) permitted(p callbackJob, now time.Time) permit.Decision {
	var f permit.Facts
	if t, err := c.dir.tenant(p.InstanceID); err == nil {
		if q := t.config.Queues[p.Queue.ID]; q != nil {
			f.Window = q.CallbackWindow
		}
	}
	if c.suppressed != nil {
		f.Suppressed = c.suppressed(p.InstanceID, p.Number)
	}
	return permit.Decide(permit.Request{Number: p.Number, At: now}, f)
}

// Callbacks are the callbacks of an instance that are not over, those that are due first.
func (c *callbacks) Callbacks(ctx context.Context, instanceID string) ([]admin.Callback, error) {
	list, err := c.store.WaitingJobs(ctx, jobCallback, time.Time{}, maxCallbacksListed)
	if err != nil {
		return nil, err
	}
	var out []admin.Callback
	for _, j := range list {
		var p callbackJob
		if json.Unmarshal(j.Payload, &p) != nil || p.InstanceID != instanceID || p.Claimed != "" {
			continue
		}
		v, err := c.state(ctx, j, p)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// state tells how a callback stands.
func (c *callbacks) state(ctx context.Context, j jobs.Job, p callbackJob) (admin.Callback, error) {
	v := admin.Callback{
		ID: j.Key, ContactID: p.From, QueueID: p.Queue.ID, Number: p.Number, State: admin.CallbackScheduled, Since: p.Since, Due: j.Due,
		AttemptsLeft: p.Attempts,
	}
	for n := range callbackBegins {
		id := attemptID(j.Key, n)
		r, err := c.records.Contact(ctx, p.InstanceID, id)
		if errs.Is(err, errs.NotFound) {
			break
		}
		if err != nil {
			return v, err
		}
		v.AttemptContactID = id
		if !r.AttemptTimestamp.IsZero() {
			v.AttemptsLeft--
		}
		if r.DisconnectTimestamp.IsZero() {
			v.State = admin.CallbackInQueue
			if !r.AttemptTimestamp.IsZero() {
				v.State = admin.CallbackCalling
			}
		}
	}
	return v, nil
}

// find gives a callback by its id.
func (c *callbacks) find(ctx context.Context, instanceID, id string) (admin.Callback, callbackJob, error) {
	list, err := c.store.WaitingJobs(ctx, jobCallback, time.Time{}, maxCallbacksListed)
	if err != nil {
		return admin.Callback{}, callbackJob{}, err
	}
	for _, j := range list {
		var p callbackJob
		if j.Key == id && json.Unmarshal(j.Payload, &p) == nil && p.InstanceID == instanceID && p.Claimed == "" {
			v, err := c.state(ctx, j, p)
			return v, p, err
		}
	}
	return admin.Callback{}, callbackJob{}, errs.New(errs.NotFound, "no callback %s", id)
}

// EditCallback changes number or time of a callback whose customer is not being called. Its place in line stays.
func (c *callbacks) EditCallback(ctx context.Context, instanceID, id string, e admin.CallbackEdit) (admin.Callback, error) {
	v, p, err := c.find(ctx, instanceID, id)
	if err != nil {
		return v, err
	}
	if v.State == admin.CallbackCalling {
		return v, errs.New(errs.InvalidRequest, "the customer is being called")
	}
	if e.Number != "" {
		if p.Number, err = phone.Normalize(e.Number, c.dir.region(instanceID)); err != nil {
			return v, errs.Field("Number", "is not a telephone number: %v", err)
		}
	}
	due := time.Now()
	if !e.Due.IsZero() {
		due = e.Due
	} else if v.State == admin.CallbackScheduled {
		due = v.Due
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return v, err
	}
	ok, err := c.store.EditJob(ctx, jobCallback, id, payload, due)
	if err != nil || !ok {
		return v, errOr(err, errs.New(errs.NotFound, "no callback %s", id))
	}
	if v.State == admin.CallbackInQueue { // its next attempt is the edited one
		c.calls.Stop(v.AttemptContactID, "the callback was edited")
	}
	c.wake()
	v, _, err = c.find(ctx, instanceID, id)
	return v, err
}

// CancelCallback ends a callback; a customer who is being called or talks is left alone.
func (c *callbacks) CancelCallback(ctx context.Context, instanceID, id string) error {
	v, _, err := c.find(ctx, instanceID, id)
	if err != nil {
		return err
	}
	ok, err := c.store.DropJob(ctx, jobCallback, id)
	if err != nil || !ok {
		return errOr(err, errs.New(errs.NotFound, "no callback %s", id))
	}
	if v.State == admin.CallbackInQueue {
		c.calls.Stop(v.AttemptContactID, "the callback was cancelled")
	}
	return nil
}

// errOr is an error, or the one to give in its place if there is none.
func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

var _ interface {
	Stop(contactID, detail string) bool
} = (*call.Manager)(nil)
