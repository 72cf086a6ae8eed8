package records_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/storage"
)

// eventsOf is a source that tells little of each event.
func eventsOf(db *storage.DB) records.AgentSource {
	return func(ctx context.Context, instanceID string, behind int64, most int) ([]records.Item, int64, error) {
		list, err := db.AgentEvents(ctx, instanceID, behind, most)
		if err != nil {
			return nil, behind, err
		}
		var items []records.Item
		for _, e := range list {
			item, err := records.AgentItem(e.InstanceID, e.UserID, e.Seq, e.At, &records.AgentEvent{EventID: e.EventID, EventType: string(e.Type)})
			if err != nil {
				return nil, behind, err
			}
			items, behind = append(items, item), e.Seq
		}
		return items, behind, nil
	}
}

// agentAtWork stores events of an agent, and prints each when it is stored.
func agentAtWork(db *storage.DB, prefix string) error {
	for i := 0; ; i++ {
		e := acd.AgentEvent{
			EventID: fmt.Sprintf("%s-event-%d", prefix, i), At: time.Now(), InstanceID: "i1", UserID: "u1", Type: acd.AgentStateChange,
			After: acd.AgentMoment{StatusID: "s1", StatusType: acd.Routable},
		}
		if err := db.PutAgentEvents(context.Background(), []acd.AgentEvent{e}); err != nil {
			return err
		}
		_, _ = os.Stdout.WriteString("agent event " + e.EventID + "\n")
	}
}

// changes stores events of an agent.
func (w *world) changes(user string, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		e := acd.AgentEvent{
			EventID: id, At: time.Now(), InstanceID: "i1", UserID: user, Type: acd.AgentStateChange,
			After: acd.AgentMoment{StatusID: "s-" + id, StatusType: acd.Routable},
		}
		must(w.t, w.db.PutAgentEvents(context.WithoutCancel(w.t.Context()), []acd.AgentEvent{e}))
	}
}

// told are the ids of agent events that came, in order.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.got {
		if e.DetailType == "Amazon Connect Agent Event" {
			out = append(out, e.ID)
		}
	}
	return out
}

func TestEventsOfAgentsAreToldOnceInOrderAcrossARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	w := newWorld(t, path)
	w.changes("u1", "before")        // nobody wants to hear of it
	time.Sleep(2 * time.Millisecond) //nolint:forbidigo // a destination begins with what happens after it was made
	w.to(records.Webhook)
	w.changes("u1", "a", "b", "c")
	eventually(t, "they are told", func() bool { return len(w.told()) == 3 })
	if d := cmp.Diff([]string{"a", "b", "c"}, w.told()); d != "" {
		t.Error(d)
	}
	w.mu.Lock()
	first := w.got[slices.IndexFunc(w.got, func(e records.Envelope) bool { return e.ID == "a" })]
	w.mu.Unlock()
	if want := resource.ARN("i1", resource.KindUser, "u1"); first.Resources[1] != want || first.Sequence == 0 {
		t.Errorf("%+v", first)
	}
	w.svc.Stop()
	w.changes("u1", "while nobody follows")
	must(t, w.db.Close())

	again := newWorld(t, path)
	again.to(records.Webhook)
	again.changes("u1", "after")
	eventually(t, "the rest is told", func() bool { return len(again.told()) == 2 })
	if d := cmp.Diff([]string{"while nobody follows", "after"}, again.told()); d != "" {
		t.Errorf("after a restart: %s", d)
	}
}

func TestADestinationThatWantsNoAgentEventsGetsNoneAndOneThatBeginsToWantThemGetsNoneOfBefore(t *testing.T) {
	w := newWorld(t, storage.Memory)
	d := *w.to(records.Webhook)
	w.mu.Lock()
	narrow := d
	narrow.Kinds, narrow.Version = []records.Kind{records.KindRecord}, 2
	w.destinations = []*records.Destination{&narrow}
	w.mu.Unlock()
	must(t, w.svc.Sync(t.Context()))
	w.changes("u1", "unwanted")
	w.call("c1")
	eventually(t, "the call is told", func() bool { return w.story("c1") == "record" })
	time.Sleep(2 * time.Millisecond) //nolint:forbidigo // as above
	w.mu.Lock()
	wide := d
	wide.Version, wide.ModifiedAt = 3, time.Now()
	w.destinations = []*records.Destination{&wide}
	w.mu.Unlock()
	must(t, w.svc.Sync(t.Context()))
	w.changes("u1", "wanted")
	eventually(t, "the event is told", func() bool { return slices.Contains(w.told(), "wanted") })
	if d := cmp.Diff([]string{"wanted"}, w.told()); d != "" {
		t.Error(d)
	}
}

func TestAnAgentEventHasTheShapeOfConnect(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 5e6, time.UTC)
	item, err := records.AgentItem("i1", "u1", 7, at, &records.AgentEvent{
		EventID: "e1", EventType: "LOGIN", CurrentAgentSnapshot: &records.AgentSnapshot{AgentStatus: &records.AgentStatus{Name: "Available"}},
	})
	must(t, err)
	var got map[string]any
	must(t, json.Unmarshal(item.Body, &got))
	want := map[string]any{
		"AWSAccountId": resource.Account, "AgentARN": resource.ARN("i1", resource.KindUser, "u1"), "EventId": "e1", "EventType": "LOGIN",
		"EventTimestamp": "2026-03-02T09:00:00.005Z", "InstanceARN": resource.ARN("i1", resource.KindInstance, "i1"), "Version": "2017-10-01",
		"PreviousAgentSnapshot": nil, "CurrentAgentSnapshot": map[string]any{
			"AgentStatus":     map[string]any{"ARN": "", "Name": "Available", "StartTimestamp": nil, "Type": ""},
			"NextAgentStatus": nil, "Configuration": nil, "Contacts": nil,
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if item.Number != 7 || item.Key != "u1" || item.ID != "e1" {
		t.Errorf("%+v", item)
	}
}
