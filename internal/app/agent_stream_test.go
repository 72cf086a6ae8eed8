package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/storage"
)

func TestAnEventOfAnAgentIsToldWithWhoTheyAreAndWhatTheyDo(t *testing.T) {
	db, err := storage.Open(t.Context(), storage.Options{URL: storage.Memory, SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	err = db.CreateContact(t.Context(), &contact.Record{
		ID: "c1", InstanceID: "i1", Node: "n1", Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: at,
		Queue: &contact.QueueInfo{ID: "q1", Name: "Sales", EnqueueTimestamp: at},
	})
	if err != nil {
		t.Fatal(err)
	}
	available := acd.AgentMoment{RoutingProfileID: "p1", StatusID: "s1", StatusName: "Available", StatusType: acd.Routable, StatusSince: at}
	ringing := available
	ringing.Contacts = []acd.AgentContact{{ContactID: "c1", QueueID: "q1", Channel: contact.Voice, State: acd.SlotOffered, Since: at}}
	ringing.HierarchyGroups = []contact.Group{{ID: "g1", Name: "Seoul"}}
	err = db.PutAgentEvents(t.Context(), []acd.AgentEvent{
		{EventID: "e1", At: at, InstanceID: "i1", UserID: "u1", Type: acd.AgentLogin, After: available},
		{EventID: "e2", At: at.Add(time.Second), InstanceID: "i1", UserID: "u1", Type: acd.AgentStateChange, After: ringing},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := newDirectory(nil, nil)
	ten := &tenant{users: map[string]*identity.User{"u1": {
		Meta: resource.Meta{ID: "u1", Name: "minsu"}, FirstName: "Minsu", LastName: "Kim", Proficiencies: []identity.Proficiency{{Name: "lang", Value: "ko", Level: 5}},
	}}}
	ten.config.Queues = map[string]*acd.Queue{"q1": {Meta: resource.Meta{ID: "q1", Name: "Sales"}}}
	ten.config.Profiles = map[string]*acd.RoutingProfile{"p1": {
		Meta: resource.Meta{ID: "p1", Name: "Everything"}, DefaultOutboundQueueID: "q1", Concurrencies: []acd.Concurrency{{Channel: contact.Voice, Limit: 1}},
		Queues: []acd.ProfileQueue{{QueueID: "q1", Channel: contact.Voice}, {QueueID: "q1", Channel: contact.Chat}},
	}}
	dir.snap.Store(&snapshot{tenants: map[string]*tenant{"i1": ten}})

	items, last, err := agentStream{db: db, dir: dir}.items(t.Context(), "i1", 0, 10)
	if err != nil || len(items) != 2 || last != items[1].Number {
		t.Fatalf("%d items up to %d: %v", len(items), last, err)
	}
	rest, end, err := (agentStream{db: db, dir: dir}).items(t.Context(), "i1", last, 10)
	if err != nil || len(rest) != 0 || end != last {
		t.Errorf("behind the last: %v %d %v", rest, end, err)
	}
	var first, second map[string]any
	for i, to := range []*map[string]any{&first, &second} {
		if err = json.Unmarshal(items[i].Body, to); err != nil {
			t.Fatal(err)
		}
	}
	if first["PreviousAgentSnapshot"] != nil || first["EventType"] != "LOGIN" {
		t.Errorf("the first: %v", first)
	}
	if d := cmp.Diff(first["CurrentAgentSnapshot"], second["PreviousAgentSnapshot"]); d != "" {
		t.Errorf("what was and what came before: %s", d)
	}
	arn := func(kind resource.Kind, id string) string { return resource.ARN("i1", kind, id) }
	queue := func(channels ...any) map[string]any {
		return map[string]any{"ARN": arn(resource.KindQueue, "q1"), "Name": "Sales", "Channels": channels}
	}
	const nine = "2026-03-02T09:00:00.000Z"
	want := map[string]any{
		"AgentStatus":     map[string]any{"ARN": arn(resource.KindAgentStatus, "s1"), "Name": "Available", "StartTimestamp": nine, "Type": "ROUTABLE"},
		"NextAgentStatus": nil,
		"Configuration": map[string]any{
			"Username": "minsu", "FirstName": "Minsu", "LastName": "Kim", "AutoAccept": false, "SipAddress": nil, "LanguageCode": nil,
			"AgentHierarchyGroups": map[string]any{"Level1": map[string]any{"ARN": arn(resource.KindHierarchyGroup, "g1"), "Name": "Seoul"}},
			"Proficiencies":        []any{map[string]any{"Name": "lang", "Value": "ko", "ProficiencyLevel": 5.0}},
			"RoutingProfile": map[string]any{
				"ARN": arn(resource.KindRoutingProfile, "p1"), "Name": "Everything",
				"Concurrency":          []any{map[string]any{"AvailableSlots": 0.0, "Channel": "VOICE", "MaximumSlots": 1.0}},
				"DefaultOutboundQueue": queue("VOICE"), "InboundQueues": []any{queue("VOICE", "CHAT")},
			},
		},
		"Contacts": []any{map[string]any{
			"ContactId": "c1", "InitialContactId": "c1", "Channel": "VOICE", "InitiationMethod": "INBOUND", "State": "CONNECTING",
			"StateStartTimestamp": nine, "ConnectedToAgentTimestamp": nil, "QueueTimestamp": nine,
			"Queue": map[string]any{"ARN": arn(resource.KindQueue, "q1"), "Name": "Sales"},
		}},
	}
	if d := cmp.Diff(want, second["CurrentAgentSnapshot"]); d != "" {
		t.Error(d)
	}
}
