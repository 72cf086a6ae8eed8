package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/api/admin"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/jobs"
	"ullim/internal/permit"
)

// someJobs are callbacks in memory.
type someJobs struct {
	jobs.Store
	byKey map[string]jobs.Job
}

func (s *someJobs) WaitingJobs(context.Context, string, time.Time, int) (out []jobs.Job, _ error) {
	for _, j := range s.byKey {
		out = append(out, j)
	}
	return out, nil
}

func (s *someJobs) JobsAbout(_ context.Context, _, text string, _ int) (out []jobs.Job, _ error) {
	for _, j := range s.byKey {
		if strings.Contains(string(j.Payload), text) {
			out = append(out, j)
		}
	}
	return out, nil
}

func (s *someJobs) DropJob(_ context.Context, _, key string) (bool, error) {
	_, ok := s.byKey[key]
	delete(s.byKey, key)
	return ok, nil
}

func (s *someJobs) EditJob(_ context.Context, kind, key string, payload json.RawMessage, due time.Time) (bool, error) {
	if _, ok := s.byKey[key]; !ok {
		return false, nil
	}
	s.byKey[key] = jobs.Job{Kind: kind, Key: key, Payload: payload, Due: due}
	return true, nil
}

// someRecords are contacts in memory.
type someRecords struct {
	call.Reader
	byID map[string]*contact.Record
}

func (s someRecords) Contact(_ context.Context, _, id string) (*contact.Record, error) {
	if r := s.byID[id]; r != nil {
		return r, nil
	}
	return nil, errs.New(errs.NotFound, "no contact %s", id)
}

// promised is a callback of queue q to Seoul, whose attempts have the given records.
func promised(t *testing.T, window permit.Window, attempts ...*contact.Record) (*callbacks, *someJobs, jobs.Job) {
	t.Helper()
	payload, err := json.Marshal(callbackJob{InstanceID: "i", Queue: call.TargetQueue{ID: "q"}, Number: "+82215880001", Attempts: 3, Retry: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	j := jobs.Job{Kind: jobCallback, Key: "b", Payload: payload, Due: time.Now().Add(time.Hour)}
	store := &someJobs{byKey: map[string]jobs.Job{"b": j}}
	records := map[string]*contact.Record{}
	for n, r := range attempts {
		records[attemptID("b", n)] = r
	}
	q := &acd.Queue{Routing: acd.Routing{CallbackWindow: window}}
	dir := &directory{}
	dir.snap.Store(&snapshot{tenants: map[string]*tenant{"i": {instance: &identity.Instance{}, config: acd.Config{Queues: map[string]*acd.Queue{"q": q}}}}})
	return &callbacks{
		store: store, records: someRecords{byID: records}, dir: dir, log: slog.New(slog.DiscardHandler), wake: func() {},
		calls: call.NewManager(call.Options{}),
	}, store, j
}

func TestACallbackWaitsForTheHoursOfTheCustomer(t *testing.T) {
	seoul := time.FixedZone("", 9*3600)
	c, _, _ := promised(t, permit.Window{From: 9 * 60, To: 21 * 60})
	p := callbackJob{InstanceID: "i", Queue: call.TargetQueue{ID: "q"}, Number: "+82215880001"}
	d := c.permitted(p, time.Date(2026, 3, 2, 23, 0, 0, 0, seoul))
	if want := time.Date(2026, 3, 3, 9, 0, 0, 0, seoul); d.Allowed() || !d.NotBefore.Equal(want) {
		t.Errorf("at night: %+v", d)
	}
	if d = c.permitted(p, time.Date(2026, 3, 2, 12, 0, 0, 0, seoul)); !d.Allowed() {
		t.Errorf("at noon: %+v", d)
	}
	c.suppressed = func(string, string) bool { return true }
	if d = c.permitted(p, time.Date(2026, 3, 2, 12, 0, 0, 0, seoul)); d.Reason != permit.Suppressed {
		t.Errorf("one who does not want it: %+v", d)
	}
}

func TestACallbackToOneWhoDoesNotWantItEnds(t *testing.T) {
	c, _, j := promised(t, permit.Window{})
	c.suppressed = func(string, string) bool { return true }
	if err := c.handle(t.Context(), j); err != nil {
		t.Error(err)
	}
}

func TestStatesOfACallback(t *testing.T) {
	now := time.Now()
	missed := &contact.Record{AttemptTimestamp: now, DisconnectTimestamp: now}
	for name, row := range map[string]struct {
		attempts []*contact.Record
		state    string
		left     int
	}{
		"its delay has not passed":  {nil, admin.CallbackScheduled, 3},
		"waits for an agent":        {[]*contact.Record{{}}, admin.CallbackInQueue, 3},
		"is called":                 {[]*contact.Record{{AttemptTimestamp: now}}, admin.CallbackCalling, 2},
		"was not reached once":      {[]*contact.Record{missed}, admin.CallbackScheduled, 2},
		"and waits again":           {[]*contact.Record{missed, {}}, admin.CallbackInQueue, 2},
		"was stopped, never called": {[]*contact.Record{{DisconnectTimestamp: now}}, admin.CallbackScheduled, 3},
	} {
		c, _, _ := promised(t, permit.Window{}, row.attempts...)
		list, err := c.Callbacks(t.Context(), "i")
		if err != nil || len(list) != 1 || list[0].State != row.state || list[0].AttemptsLeft != row.left {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
		if list, _ = c.Callbacks(t.Context(), "another"); len(list) != 0 {
			t.Errorf("another instance sees %+v", list)
		}
	}
}

func TestACallbackIsEditedUnlessTheCustomerIsCalled(t *testing.T) {
	c, store, _ := promised(t, permit.Window{})
	due := time.Now().Add(3 * time.Hour)
	v, err := c.EditCallback(t.Context(), "i", "b", admin.CallbackEdit{Number: "+12125550123", Due: due})
	if err != nil || v.Number != "+12125550123" || !store.byKey["b"].Due.Equal(due) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err = c.EditCallback(t.Context(), "i", "b", admin.CallbackEdit{Number: "nobody"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("not a number: %v", err)
	}
	if _, err = c.EditCallback(t.Context(), "another", "b", admin.CallbackEdit{Due: due}); !errs.Is(err, errs.NotFound) {
		t.Errorf("another instance: %v", err)
	}
	busy, _, _ := promised(t, permit.Window{}, &contact.Record{AttemptTimestamp: time.Now()})
	if _, err = busy.EditCallback(t.Context(), "i", "b", admin.CallbackEdit{Due: due}); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("being called: %v", err)
	}
	if err = c.CancelCallback(t.Context(), "i", "b"); err != nil || len(store.byKey) != 0 {
		t.Errorf("cancelled: %v, %d are left", err, len(store.byKey))
	}
	if err = c.CancelCallback(t.Context(), "i", "b"); !errs.Is(err, errs.NotFound) {
		t.Errorf("twice: %v", err)
	}
}
