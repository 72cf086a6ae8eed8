package app

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/jobs"
	"ullim/internal/permit"
	"ullim/ivr"
	"ullim/sip/siptest"
)

// dialsIn calls the floor from a number and waits in its queue.
func (f *floor) dialsIn(ctx context.Context, from string) *siptest.Call {
	f.t.Helper()
	c, err := f.carrier.Invite(ctx, f.act.number, siptest.CallOptions{From: from})
	f.must(err)
	f.must(c.WaitConfirmed(ctx))
	time.Sleep(20 * time.Second) // greeting
	return c
}

func TestACustomerWhoCallsAgainTakesThePlaceOfTheirCallbackAndIsNotCalled(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 61}, func(ctx context.Context, f *floor) {
		q := f.callOut()
		f.phone("kim").SetAnswer(siptest.AnswerBehaviour{After: time.Second})
		f.must(f.app.engine.Callbacks.CreateCallback(ctx, ivr.Callback{
			InstanceID: f.stage.id, ContactID: "x", Queue: q, Number: "+821012340009", Attempts: 1, CallerNumber: "+8215880001",
		}))
		time.Sleep(10 * time.Second)
		if list, err := f.app.callbacks.Callbacks(ctx, f.stage.id); err != nil || len(list) != 1 || list[0].State != "IN_QUEUE" {
			t.Fatalf("callbacks %+v, %v", list, err)
		}
		other := f.dialsIn(ctx, "01012340008")
		again := f.dialsIn(ctx, "01012340009")
		if list, err := f.app.callbacks.Callbacks(ctx, f.stage.id); err != nil || len(list) != 0 {
			t.Errorf("callbacks %+v, %v", list, err)
		}
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		f.must(agent.WaitConfirmed(ctx))
		time.Sleep(2 * time.Second)
		again.Hangup()
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		other.Hangup()
		time.Sleep(5 * time.Minute)
		var handled, stopped int
		for _, r := range contactsOf(t, f.trial) {
			switch {
			case !r.AttemptTimestamp.IsZero():
				t.Errorf("the customer was called: %+v", r)
			case r.InitiationMethod == contact.Callback:
				stopped++
			case r.Agent != nil && r.CustomerEndpoint.Address == "+821012340009":
				handled++
			}
		}
		if handled != 1 || stopped != 1 {
			t.Errorf("%d calls of the customer were handled, %d callbacks ended", handled, stopped)
		}
		if alive, buried, err := f.app.db.Count(ctx, jobCallback); alive+buried != 0 || err != nil {
			t.Errorf("%d jobs alive, %d buried, %v", alive, buried, err)
		}
	})
}

func TestACallbackWhosePlaceIsTakenIsOverWhenTheCallIsAndGoesOnWhenItWasBrokenOff(t *testing.T) {
	now := time.Now()
	for name, row := range map[string]struct {
		call     *contact.Record // nil: it was never stored
		over, on bool
	}{
		"it lasts":                       {call: &contact.Record{}},
		"the customer gave up":           {call: &contact.Record{DisconnectTimestamp: now, DisconnectReason: contact.CustomerDisconnect}, over: true},
		"it was answered, and then lost": {call: &contact.Record{DisconnectTimestamp: now, DisconnectReason: contact.Other, Agent: &contact.AgentInfo{ConnectedToAgentTimestamp: now}}, over: true},
		"the process ended":              {call: &contact.Record{DisconnectTimestamp: now, DisconnectReason: contact.Other}, on: true},
		"the process ended before":       {on: true},
		"it asked for another callback":  {call: &contact.Record{DisconnectTimestamp: now, DisconnectReason: contact.Other, Callback: true}, over: true},
	} {
		c, store, j := promised(t, permit.Window{})
		place, ok, err := c.claim(t.Context(), call.Enqueue{InstanceID: "i", QueueID: "q", ContactID: "again", Number: "+82215880001"})
		if err != nil || !ok || !place.since.IsZero() {
			t.Fatalf("%s: %+v %v %v", name, place, ok, err)
		}
		if row.call != nil {
			c.records.(someRecords).byID["again"] = row.call
		}
		c.claims = nil // another process
		fresh, over := store.byKey["b"], false
		var p callbackJob
		if err = decode(fresh, &p); err != nil || p.Claimed != "again" {
			t.Fatalf("%s: %+v %v", name, p, err)
		}
		on, err := c.customerCalled(t.Context(), "b", p)
		over = !on && err == nil
		if over != row.over || on != row.on {
			t.Errorf("%s: over %v, goes on %v, %v", name, over, on, err)
		}
		if row.on {
			if err = decode(store.byKey["b"], &p); err != nil || store.byKey["b"].Key != j.Key {
				t.Errorf("%s: %v", name, err)
			}
			if list, _ := c.Callbacks(t.Context(), "i"); len(list) != 1 {
				t.Errorf("%s: listed %+v", name, list)
			}
		} else if list, _ := c.Callbacks(t.Context(), "i"); len(list) != 0 {
			t.Errorf("%s: listed %+v", name, list)
		}
	}
}

func TestAPlaceIsTakenByNobodyElse(t *testing.T) {
	ask := call.Enqueue{InstanceID: "i", QueueID: "q", ContactID: "again", Number: "+82215880001"}
	now := time.Now()
	for name, row := range map[string]struct {
		change   func(*call.Enqueue)
		attempts []*contact.Record
	}{
		"another number":           {change: func(e *call.Enqueue) { e.Number = "+82215880002" }},
		"a longer number":          {change: func(e *call.Enqueue) { e.Number = "+822158800011" }},
		"no number":                {change: func(e *call.Enqueue) { e.Number = "anonymous" }},
		"another queue":            {change: func(e *call.Enqueue) { e.QueueID = "r" }},
		"another instance":         {change: func(e *call.Enqueue) { e.InstanceID = "j" }},
		"the customer is called":   {attempts: []*contact.Record{{AttemptTimestamp: now}}},
		"the customer was reached": {attempts: []*contact.Record{{AttemptTimestamp: now, ConnectedToSystemTimestamp: now, DisconnectTimestamp: now}}},
	} {
		c, store, j := promised(t, permit.Window{}, row.attempts...)
		e := ask
		if row.change != nil {
			row.change(&e)
		}
		if _, ok, err := c.claim(t.Context(), e); ok || err != nil {
			t.Errorf("%s: %v %v", name, ok, err)
		}
		if string(store.byKey["b"].Payload) != string(j.Payload) {
			t.Errorf("%s: the job was changed", name)
		}
	}
	c, store, j := promised(t, permit.Window{})
	place, ok, err := c.claim(t.Context(), ask)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	c.records.(someRecords).byID["again"] = &contact.Record{}
	second := ask
	second.ContactID = "a second call of the same number"
	if _, ok, err = c.claim(t.Context(), second); ok || err != nil {
		t.Errorf("two calls took one place: %v", err)
	}
	if _, ok, err = c.claim(t.Context(), ask); !ok || err != nil {
		t.Errorf("who waits again has lost the place: %v", err)
	}
	if err = c.handle(t.Context(), j); err == nil { // what a worker had read before
		t.Error("the callback is over, and its call lasts")
	}
	if len(c.records.(someRecords).byID) != 1 {
		t.Error("an attempt was begun")
	}
	place.undo()
	if list, _ := c.Callbacks(t.Context(), "i"); len(list) != 1 || len(store.byKey) != 1 {
		t.Errorf("after the queue has refused: %+v", list)
	}
}

func decode(j jobs.Job, p *callbackJob) error {
	*p = callbackJob{}
	return json.Unmarshal(j.Payload, p)
}

func TestACallbackAskedForByACallThatHasTakenAPlaceHasThatPlace(t *testing.T) {
	since := time.Now().Add(-time.Hour)
	c, store, _ := promised(t, permit.Window{})
	j := store.byKey["b"]
	var p callbackJob
	if err := decode(j, &p); err != nil {
		t.Fatal(err)
	}
	p.Since, p.Claimed = since, "again"
	if err := c.reclaim(t.Context(), "b", p); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		from, queue, key string
		since            time.Time
	}{
		"of the same queue":  {"again", "q", "b", since},
		"of another queue":   {"again", "r", "b", since.Add(time.Minute)},
		"by another contact": {"somebody", "q", "", since.Add(time.Minute)},
	} {
		next := callbackJob{InstanceID: "i", From: row.from, Queue: call.TargetQueue{ID: row.queue}, Since: since.Add(time.Minute)}
		key, err := c.inherit(t.Context(), &next)
		if err != nil || key != row.key || !next.Since.Equal(row.since) {
			t.Errorf("%s: replaces %q, since %v: %v", name, key, next.Since, err)
		}
	}
	if err := c.drop(t.Context(), "b"); err != nil || len(store.byKey) != 0 {
		t.Errorf("%d are left: %v", len(store.byKey), err)
	}
}
