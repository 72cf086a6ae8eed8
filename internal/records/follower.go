package records

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// Times of the follower.
const (
	followEvery = 250 * time.Millisecond // looks for marks
	lookAgain   = time.Minute            // at a contact that has ended while its agent is still at work
	leadTime    = 15 * time.Second
	followBatch = 200
	failPause   = 2 * time.Second
)

// follower turns marks into items.
type follower struct {
	store  FollowStore
	owner  string
	wants  func(instanceID string) bool
	told   func(instanceID string) // there are new items
	idle   func() bool             // nobody wants anything: there are no marks
	log    *slog.Logger
	agents agents

	items, failures atomic.Uint64
	leadUntil       time.Time
}

// run works until ctx ends.
func (f *follower) run(ctx context.Context) {
	timer := time.NewTimer(followEvery)
	defer timer.Stop()
	due := time.Time{}
	for {
		wait := followEvery
		n, err := f.once(ctx, &due)
		switch {
		case ctx.Err() != nil:
			return
		case errs.Is(err, errs.Conflict): // another node follows
			f.leadUntil = time.Time{}
			f.agents.lost()
			wait = leadTime / 3
		case err != nil:
			f.failures.Add(1)
			f.log.Warn("contacts are not followed", "error", err)
			wait = failPause
		case n >= followBatch:
			wait = time.Nanosecond
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// lead makes sure that this process follows; errs.Conflict if another does.
func (f *follower) lead(ctx context.Context) error {
	now := time.Now()
	if now.Before(f.leadUntil) {
		return nil
	}
	ours, err := f.store.Lead(ctx, LeadFollower, f.owner, now.Add(leadTime))
	if err == nil && !ours {
		err = errs.New(errs.Conflict, "another node follows")
	}
	if err == nil {
		f.leadUntil = now.Add(leadTime / 2)
	}
	return err
}

// once takes a batch of marks, now and then contacts that are due to be looked at again, and a batch of agent events.
func (f *follower) once(ctx context.Context, due *time.Time) (int, error) {
	if f.idle() && !f.agents.changed() {
		return 0, nil
	}
	if err := f.lead(ctx); err != nil {
		return 0, err
	}
	n, err := f.contacts(ctx, due)
	if err != nil {
		return 0, err
	}
	more, err := f.agents.once(ctx, f.owner, func(instanceID string, n int) {
		f.items.Add(uint64(n)) // never negative
		f.told(instanceID)
	})
	if more {
		n += followBatch
	}
	return n, err
}

// contacts takes a batch of marks.
func (f *follower) contacts(ctx context.Context, due *time.Time) (int, error) {
	marks, err := f.store.Marks(ctx, followBatch)
	if err != nil {
		return 0, err
	}
	if now := time.Now(); len(marks) < followBatch && !now.Before(*due) {
		again, dueErr := f.store.DueMarks(ctx, now, followBatch)
		if dueErr != nil {
			return 0, dueErr
		}
		marks = append(marks, again...)
		*due = now.Add(followEvery * 20)
	}
	if len(marks) == 0 {
		return 0, nil
	}
	return len(marks), f.follow(ctx, marks)
}

// follow works out what marks mean and commits it.
func (f *follower) follow(ctx context.Context, marks []Mark) error {
	var unwanted []Mark
	ids := make([]string, 0, len(marks))
	for _, m := range marks {
		ids = append(ids, m.ContactID)
	}
	seen, err := f.store.Look(ctx, ids)
	if err != nil {
		return err
	}
	var tellings []Telling
	instances := map[string]bool{}
	for _, m := range marks {
		s := seen[m.ContactID]
		if s.Record == nil || !f.wants(m.InstanceID) {
			unwanted = append(unwanted, m)
			continue
		}
		items, told, waiting, followErr := Follow(s.Told, s.Record, s.Working)
		if followErr != nil { // of this contact alone: it must not stop the others
			f.failures.Add(1)
			f.log.Error("a contact cannot be told", "contact_id", m.ContactID, "error", followErr)
			unwanted = append(unwanted, m)
			continue
		}
		t := Telling{Mark: m, Told: told, Items: items}
		if waiting {
			t.Again = time.Now().Add(lookAgain)
		}
		tellings = append(tellings, t)
		s.Told = told // a contact may be both marked and due
		seen[m.ContactID] = s
		f.items.Add(uint64(len(items)))
		instances[m.InstanceID] = instances[m.InstanceID] || len(items) > 0
	}
	if len(unwanted) > 0 {
		if err = f.store.DropMarks(ctx, unwanted); err != nil {
			return err
		}
	}
	if len(tellings) == 0 {
		return nil
	}
	if err = f.store.Tell(ctx, f.owner, tellings); err != nil {
		return err
	}
	for id, fresh := range instances {
		if fresh {
			f.told(id)
		}
	}
	return nil
}
