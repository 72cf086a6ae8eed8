package app

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"ullim/acd"
	"ullim/internal/api/connect"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/storage"
)

// How long what agents did is kept event by event, and what figures are made of.
const (
	agentEventDays = 93  // as long as reports go back
	factDays       = 731 // two years, as contact records in Connect
	tidyPause      = time.Hour
	tidyBatch      = 2000
	countBatch     = 200
)

// liveLine is the live side of queues, for the API.
type liveLine struct {
	c  *centers
	db *storage.DB
}

var _ connect.Line = liveLine{}

// Waiting is who waits.
func (l liveLine) Waiting(instanceID string) []acd.WaitingSnapshot {
	center, err := l.c.of(instanceID)
	if err != nil {
		return nil
	}
	return center.Waiting()
}

// EstimatedWait is what the last in line is told; nothing where nobody waits and somebody is free.
func (l liveLine) EstimatedWait(instanceID, queueID string, ch contact.Channel) (time.Duration, bool) {
	center, err := l.c.of(instanceID)
	if err != nil {
		return 0, false
	}
	last, waits := time.Duration(0), false
	for _, w := range center.Waiting() {
		if w.QueueID == queueID && w.Channel == ch {
			last, waits = max(last, w.EstimatedWait), true
		}
	}
	if waits {
		return last, last > 0
	}
	return 0, center.Metrics().Queues[queueID].AgentsAvailable > 0
}

// Scheduled counts the callbacks whose first attempt has not begun.
func (l liveLine) Scheduled(ctx context.Context, instanceID string) (map[string]int, error) {
	jobs, err := l.db.WaitingJobs(ctx, jobCallback, time.Now(), 1000)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int)
	for _, j := range jobs {
		var p callbackJob
		if json.Unmarshal(j.Payload, &p) != nil || p.InstanceID != instanceID {
			continue
		}
		switch _, err = l.db.Contact(ctx, instanceID, attemptID(j.Key, 0)); {
		case errs.Is(err, errs.NotFound):
			out[p.Queue.ID]++
		case err != nil:
			return nil, err
		}
	}
	return out, nil
}

// openReports counts what was not counted yet, and tidies up.
func (a *App) openReports() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.countRest(ctx)
		for ctx.Err() == nil {
			a.tidy(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(tidyPause):
			}
		}
	}()
	a.life.onStopDo("reports", func() { cancel(); <-done })
}

// countRest counts records of before there were reports, and those that a process before has left uncounted.
func (a *App) countRest(ctx context.Context) {
	for behind := ""; ; {
		next, err := a.db.CountContacts(ctx, a.started, behind, countBatch)
		if err != nil && ctx.Err() == nil {
			a.log.Error("contacts are missing in reports", "error", err)
		}
		if err != nil || next == "" {
			return
		}
		behind = next
	}
}

// tidy deletes what is too old.
func (a *App) tidy(ctx context.Context) {
	now := time.Now()
	for _, id := range a.dir.instances() {
		for more := true; more && ctx.Err() == nil; {
			n, err := a.db.DeleteAgentEvents(ctx, id, now.AddDate(0, 0, -agentEventDays), tidyBatch)
			facts, ferr := a.db.DeleteFacts(ctx, id, now.AddDate(0, 0, -factDays))
			if err = cmp.Or(err, ferr); err != nil {
				if ctx.Err() == nil {
					a.log.Warn("old figures were not deleted", "error", err)
				}
				return
			}
			more = n > 0 || facts
		}
	}
}
