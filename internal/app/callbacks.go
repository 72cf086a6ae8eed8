package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/permit"
	"ullim/ivr"
)

// jobCallback is the kind of the job that a callback is: it lives until the customer has been talked to, or every
// attempt was made.
const jobCallback = "contact.callback"

// How often a callback that waits is looked after, how long one is put off that cannot begin now, and how often one may
// begin anew that never came to an attempt.
const (
	callbackPoll   = time.Minute
	callbackPutOff = 10 * time.Second
	callbackBegins = 100
)

// callbacks makes contacts that call the customer back: ivr.Callbacks. The job is the truth: each attempt is a contact
// whose id follows from the job's key, so after a crash it is known which attempts were made, and nobody is called for
// one of them again.
type callbacks struct {
	store   callbackStore
	records call.Reader
	calls   *call.Manager
	engine  *ivr.Engine
	dir     *directory
	log     *slog.Logger
	wake    func()
	// suppressed reports whether somebody does not want to be called; nil: no list is kept.
	suppressed func(instanceID, number string) bool

	mu     sync.Mutex        // one thing at a time is decided about callbacks
	claims map[string]string // by key, newer than what a worker may have read of the job: who has taken the place
}

var _ ivr.Callbacks = (*callbacks)(nil)

// callbackJob is what the job remembers.
type callbackJob struct {
	InstanceID, From, Initial string // From: the contact that asked
	Queue                     call.TargetQueue
	Number                    string
	FromNumber, FromName      string
	WhisperFlow               string
	Since                     time.Time // the place in line
	Attempts                  int
	Retry                     time.Duration
	Attributes                map[string]string
	Rank                      call.Routing
	Hooks                     map[call.FlowKind]string // that its flow has chosen
	Record                    bool
	Claimed                   string `json:",omitempty"` // the contact by which the customer has called, and taken the place
}

// CreateCallback stores the callback; it is due after its delay.
func (c *callbacks) CreateCallback(ctx context.Context, b ivr.Callback) error {
	t, err := c.dir.tenant(b.InstanceID)
	if err != nil {
		return err
	}
	q := t.config.Queues[b.Queue.ID]
	if q == nil {
		return errs.New(errs.NotFound, "no queue %q", b.Queue.ID)
	}
	due := time.Now().Add(b.Delay)
	p := callbackJob{
		InstanceID: b.InstanceID, From: b.ContactID, Initial: b.ContactID, Queue: call.TargetQueue{ID: q.ID, Name: q.Name}, Number: b.Number,
		FromNumber: b.CallerNumber, FromName: b.Queue.OutboundName, WhisperFlow: q.OutboundFlowID, Since: due,
		Attempts: max(b.Attempts, 1), Retry: b.RetryDelay, Attributes: b.Attributes,
	}
	if p.FromNumber == "" {
		p.FromNumber = b.Queue.OutboundNumber
	}
	if r, e := c.records.Contact(ctx, b.InstanceID, b.ContactID); e == nil {
		if r.InitialContactID != "" {
			p.Initial = r.InitialContactID
		}
		if r.Queue != nil && r.Queue.ID == q.ID { // who has waited does not wait again
			p.Since = r.Queue.EnqueueTimestamp
		}
	}
	replaced, err := c.inherit(ctx, &p)
	if err != nil {
		return err
	}
	key := uuid.NewString()
	if b.FlowID != "" {
		err = c.begins(ctx, key, b.FlowID, p)
	} else {
		err = c.keep(ctx, key, p, due)
	}
	if err != nil {
		return err
	}
	c.calls.Note(b.ContactID, call.Data{NextContactID: attemptID(key, 0), Callback: true}) // who will be called back has not abandoned
	c.wake()
	if replaced != "" {
		return c.drop(ctx, replaced)
	}
	return nil
}

// keep stores a callback that is in line when it is due.
func (c *callbacks) keep(ctx context.Context, key string, p callbackJob, due time.Time) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.store.Enqueue(ctx, jobs.Job{Kind: jobCallback, Key: key, Payload: payload, Due: due})
}

// attemptID is the id of the nth contact of a callback.
func attemptID(key string, n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("callback/"+key+"/"+strconv.Itoa(n))).String()
}

// handle looks after a callback: it begins the attempt that is due, and ends when there is nothing left to do.
func (c *callbacks) handle(ctx context.Context, j jobs.Job) error {
	var p callbackJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if by, ok := c.claims[j.Key]; ok {
		p.Claimed = by
	}
	if goOn, err := c.customerCalled(ctx, j.Key, p); !goOn {
		return err
	}
	made := 0
	for n := range callbackBegins {
		id := attemptID(j.Key, n)
		r, err := c.records.Contact(ctx, p.InstanceID, id)
		if errs.Is(err, errs.NotFound) {
			d := c.permitted(p, time.Now())
			if d.Reason == permit.Suppressed {
				c.log.Warn("callback is over: the number is not to be called", "callback_id", j.Key, "attempts", made)
				return nil
			}
			if !d.Allowed() { // the place in line is kept
				return jobs.Snooze(d.NotBefore)
			}
			return c.begin(ctx, p, id)
		}
		if err != nil {
			return err
		}
		if r.DisconnectTimestamp.IsZero() { // it waits, or they talk
			return jobs.Snooze(time.Now().Add(callbackPoll))
		}
		next, over := afterAttempt(r, p, &made)
		if over {
			c.log.Info("callback is over", "contact_id", id, "attempts", made, "reason", r.DisconnectReason)
			return nil
		}
		if next.After(time.Now()) {
			return jobs.Snooze(next)
		}
	}
	return jobs.Permanent(fmt.Errorf("the callback began %d times and came to nothing", callbackBegins))
}

// afterAttempt tells from the record of an attempt when the next one may begin, or that there is none.
func afterAttempt(r *contact.Record, p callbackJob, made *int) (next time.Time, over bool) {
	switch {
	case r.AttemptTimestamp.IsZero(): // nobody was called: the process ended, or somebody stopped it
		return r.DisconnectTimestamp.Add(callbackPutOff), r.DisconnectReason != contact.Other
	case !r.ConnectedToSystemTimestamp.IsZero(): // they answered, whatever came of it
		return time.Time{}, true
	}
	*made++
	return r.DisconnectTimestamp.Add(p.Retry), *made >= p.Attempts
}

func (c *callbacks) begin(ctx context.Context, p callbackJob, id string) error {
	err := c.calls.Callback(ctx, call.Callback{
		ContactID: id, InitialContactID: p.Initial, PreviousContactID: p.From, InstanceID: p.InstanceID, Queue: p.Queue, Number: p.Number,
		FromNumber: p.FromNumber, FromName: p.FromName, WhisperFlow: p.WhisperFlow, Since: p.Since, Attributes: p.Attributes,
		Rank: p.Rank, Hooks: p.Hooks, Record: p.Record,
	})
	switch {
	case errs.Is(err, errs.Denied):
		return jobs.Permanent(err)
	case errs.Is(err, errs.Unavailable):
		return jobs.Snooze(time.Now().Add(callbackPutOff))
	case err != nil && !errs.Is(err, errs.Duplicate):
		return err
	}
	return jobs.Snooze(time.Now().Add(callbackPoll))
}
