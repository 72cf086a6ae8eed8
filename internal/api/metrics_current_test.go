package api_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/resource"
)

// floor is a room with three agents and three waiting contacts.
func (w *world) floor() (profile string) {
	w.t.Helper()
	seeded, err := resource.All(w.t.Context(), w.o.Connect.Queues, ours)
	must(w.t, err)
	for _, id := range []string{"q1", "q2"} {
		must(w.t, w.o.Connect.Queues.Create(w.t.Context(), &acd.Queue{
			Meta: resource.Meta{ID: id, InstanceID: ours, Name: id}, HoursID: seeded[0].HoursID, Status: acd.QueueEnabled,
		}))
	}
	p := &acd.RoutingProfile{
		Meta: resource.Meta{InstanceID: ours, Name: "floor"}, DefaultOutboundQueueID: "q1", AvailabilityTimer: acd.SinceLastActivity,
		Concurrencies: []acd.Concurrency{{Channel: contact.Voice, Limit: 1, CrossChannel: acd.CurrentChannelOnly}, {Channel: contact.Chat, Limit: 3, CrossChannel: acd.CurrentChannelOnly}},
		Queues:        []acd.ProfileQueue{{QueueID: "q1", Channel: contact.Voice, Priority: 1}, {QueueID: "q2", Channel: contact.Chat, Priority: 1}},
	}
	must(w.t, w.o.Connect.RoutingProfiles.Create(w.t.Context(), p))
	now := time.Now()
	agent := func(id string, status acd.StatusType, voice, chat int, slots ...acd.Slot) acd.AgentSnapshot {
		return acd.AgentSnapshot{
			Agent:    acd.Agent{UserID: id, RoutingProfileID: p.ID, HierarchyGroups: []contact.Group{{ID: "g1", Name: "Seoul"}}},
			StatusID: "s-" + string(status), StatusType: status, StatusName: string(status), StatusSince: now, Slots: slots,
			AvailableSlots: map[contact.Channel]int{contact.Voice: voice, contact.Chat: chat},
		}
	}
	slot := func(id, queue string, ch contact.Channel, s acd.SlotState) acd.Slot {
		return acd.Slot{ContactID: id, QueueID: queue, Channel: ch, State: s, Since: now}
	}
	w.agents.now = []acd.AgentSnapshot{
		agent("a1", acd.Routable, 0, 0, slot("c1", "q1", contact.Voice, acd.SlotConnected)),
		agent("a2", acd.Routable, 0, 2, slot("c2", "q2", contact.Chat, acd.SlotACW)),
		agent("a3", acd.Custom, 0, 0, slot("c3", "q1", contact.Voice, acd.SlotMissed)),
		agent("a4", acd.Offline, 0, 0),
	}
	wait := func(id, queue string, ch contact.Channel, age time.Duration) acd.WaitingSnapshot {
		return acd.WaitingSnapshot{Waiting: acd.Waiting{ContactID: id, QueueID: queue, Channel: ch, Since: now.Add(-age)}}
	}
	w.line.waiting = []acd.WaitingSnapshot{
		wait("w1", "q1", contact.Voice, 30*time.Second), wait("w2", "q1", contact.Voice, 10*time.Second), wait("w3", "q2", contact.Chat, 50*time.Second),
	}
	w.line.scheduled = map[string]int{"q1": 2}
	return p.ID
}

func currentOf(names ...types.CurrentMetricName) []types.CurrentMetric {
	var out []types.CurrentMetric
	for _, n := range names {
		out = append(out, types.CurrentMetric{Name: n})
	}
	return out
}

// readings are the lines of an answer as people read them. Ages are cut to tens: the test takes time, too.
func readings(out *awsconnect.GetCurrentMetricDataOutput) []string {
	var lines []string
	for _, r := range out.MetricResults {
		var parts []string
		if d := r.Dimensions; d != nil {
			if d.Queue != nil {
				parts = append(parts, *d.Queue.Id)
			}
			parts = append(parts, string(d.Channel))
			if d.AgentStatus != nil {
				parts = append(parts, *d.AgentStatus.Id)
			}
		}
		for _, c := range r.Collections {
			v := *c.Value
			if c.Metric.Name == types.CurrentMetricNameOldestContactAge {
				unit := 10.0
				if r.Dimensions == nil {
					unit = 10_000
				}
				v = math.Floor(v/unit) * unit
			}
			parts = append(parts, fmt.Sprint(v))
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	return lines
}

func TestCurrentMetricsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	profile := w.floor()
	ask := func(in *awsconnect.GetCurrentMetricDataInput) *awsconnect.GetCurrentMetricDataOutput {
		t.Helper()
		in.InstanceId = aws.String(ours)
		out, err := w.client("admin").GetCurrentMetricData(t.Context(), in)
		must(t, err)
		return out
	}
	every := currentOf("AGENTS_ONLINE", "AGENTS_STAFFED", "AGENTS_AVAILABLE", "AGENTS_ON_CALL", "AGENTS_ON_CONTACT", "AGENTS_AFTER_CONTACT_WORK", "AGENTS_NON_PRODUCTIVE",
		"AGENTS_ERROR", "CONTACTS_IN_QUEUE", "CONTACTS_SCHEDULED", "OLDEST_CONTACT_AGE", "SLOTS_ACTIVE", "SLOTS_AVAILABLE")
	for _, test := range []struct {
		name string
		in   *awsconnect.GetCurrentMetricDataInput
		want []string
	}{
		{
			"all of it, where the age is in milliseconds",
			&awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: []string{"q1", "q2"}}, CurrentMetrics: every},
			[]string{"3 2 1 1 1 1 1 1 3 2 50000 3 2"},
		},
		{
			"channels are not mixed",
			&awsconnect.GetCurrentMetricDataInput{
				Filters: &types.Filters{Queues: []string{"q1", "q2"}, Channels: []types.Channel{types.ChannelVoice, types.ChannelChat}}, CurrentMetrics: every,
				Groupings: []types.Grouping{types.GroupingChannel},
			},
			[]string{"CHAT 3 2 1 0 0 1 1 0 1 0 50 1 2", "VOICE 3 2 0 1 1 0 1 1 2 2 30 2 0"},
		},
		{
			"in an order",
			&awsconnect.GetCurrentMetricDataInput{
				Filters: &types.Filters{Queues: []string{"q1", "q2"}}, CurrentMetrics: currentOf("CONTACTS_IN_QUEUE"), Groupings: []types.Grouping{types.GroupingQueue},
				SortCriteria: []types.CurrentMetricSortCriteria{{SortByMetric: "CONTACTS_IN_QUEUE", SortOrder: types.SortOrderAscending}},
			},
			[]string{"q2  1", "q1  2"},
		},
		{
			"by routing profile",
			&awsconnect.GetCurrentMetricDataInput{
				Filters: &types.Filters{RoutingProfiles: []string{profile}}, CurrentMetrics: currentOf("AGENTS_ONLINE", "CONTACTS_IN_QUEUE"),
				Groupings: []types.Grouping{types.GroupingRoutingProfile},
			},
			[]string{" 3 3"},
		},
		{
			"by status",
			&awsconnect.GetCurrentMetricDataInput{
				Filters: &types.Filters{Queues: []string{"q1"}}, CurrentMetrics: currentOf("AGENTS_ONLINE"),
				Groupings: []types.Grouping{types.GroupingQueue, types.GroupingAgentStatus},
			},
			[]string{"q1  s-ROUTABLE 2", "q1  s-CUSTOM 1"},
		},
		{
			"the estimate",
			&awsconnect.GetCurrentMetricDataInput{
				Filters: &types.Filters{Queues: []string{"q1"}, Channels: []types.Channel{types.ChannelVoice}}, CurrentMetrics: currentOf("ESTIMATED_WAIT_TIME"),
				Groupings: []types.Grouping{types.GroupingQueue, types.GroupingChannel},
			},
			[]string{"q1 VOICE 90"},
		},
	} {
		if d := cmp.Diff(test.want, readings(ask(test.in))); d != "" {
			t.Errorf("%s: %s", test.name, d)
		}
	}
	in := &awsconnect.GetCurrentMetricDataInput{
		Filters: &types.Filters{Queues: []string{"q1", "q2"}}, CurrentMetrics: currentOf("CONTACTS_IN_QUEUE"),
		Groupings: []types.Grouping{types.GroupingQueue, types.GroupingChannel}, MaxResults: aws.Int32(4),
	}
	var pages []string
	for {
		out := ask(in)
		if *out.ApproximateTotalCount != 6 {
			t.Errorf("%d lines in all", *out.ApproximateTotalCount)
		}
		pages = append(pages, readings(out)...)
		if in.NextToken = out.NextToken; out.NextToken == nil {
			break
		}
	}
	if len(pages) != 6 {
		t.Errorf("pages: %q", pages)
	}
}

func TestCurrentMetricsSayWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.floor()
	for name, test := range map[string]struct {
		in   awsconnect.GetCurrentMetricDataInput
		want string
	}{
		"nothing to filter by": {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Channels: []types.Channel{"VOICE"}}}, "must have Queues or RoutingProfiles"},
		"both":                 {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: []string{"q"}, RoutingProfiles: []string{"p"}}}, "not both"},
		"metric":               {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: []string{"q"}}, CurrentMetrics: currentOf("AGENTS_BORED")}, "CurrentMetrics[0].Name"},
		"status without queue": {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: []string{"q"}}, Groupings: []types.Grouping{types.GroupingAgentStatus}}, "AGENT_STATUS needs QUEUE"},
		"status and another metric": {awsconnect.GetCurrentMetricDataInput{
			Filters: &types.Filters{Queues: []string{"q"}}, Groupings: []types.Grouping{types.GroupingQueue, types.GroupingAgentStatus}, CurrentMetrics: currentOf("AGENTS_STAFFED"),
		}, "must be AGENTS_ONLINE"},
		"sort": {awsconnect.GetCurrentMetricDataInput{
			Filters: &types.Filters{Queues: []string{"q"}}, SortCriteria: []types.CurrentMetricSortCriteria{{SortByMetric: "SLOTS_ACTIVE"}},
		}, "SortByMetric"},
		"unit": {awsconnect.GetCurrentMetricDataInput{
			Filters: &types.Filters{Queues: []string{"q"}}, CurrentMetrics: []types.CurrentMetric{{Name: "AGENTS_ONLINE", Unit: types.UnitSeconds}},
		}, "must be COUNT"},
		"channel": {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: []string{"q"}, Channels: []types.Channel{"FAX"}}}, "VOICE, CHAT or TASK"},
		"queues":  {awsconnect.GetCurrentMetricDataInput{Filters: &types.Filters{Queues: strings.Fields(strings.Repeat("q ", 101))}}, "at most 100"},
	} {
		in := test.in
		in.InstanceId = aws.String(ours)
		if in.CurrentMetrics == nil {
			in.CurrentMetrics = currentOf("AGENTS_ONLINE")
		}
		if _, err := w.client("admin").GetCurrentMetricData(t.Context(), &in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, test.want)
		}
	}
}

func TestCurrentUserDataKnowsHierarchyAndContacts(t *testing.T) {
	w := newWorld(t)
	w.floor()
	at := time.Now().UTC().Truncate(time.Second)
	w.records.records = append(w.records.records, &contact.Record{
		ID: "c1", InstanceID: ours, InitiationMethod: contact.Transfer, Agent: &contact.AgentInfo{ID: "a1", ConnectedToAgentTimestamp: at},
	})
	ask := func(f *types.UserDataFilters) []types.UserData {
		t.Helper()
		out, err := w.client("admin").GetCurrentUserData(t.Context(), &awsconnect.GetCurrentUserDataInput{InstanceId: aws.String(ours), Filters: f})
		must(t, err)
		return out.UserDataList
	}
	all := ask(&types.UserDataFilters{UserHierarchyGroups: []string{resource.ARN(ours, resource.KindHierarchyGroup, "g1")}})
	if len(all) != 4 || *all[0].HierarchyPath.LevelOne.Id != "g1" || all[0].HierarchyPath.LevelTwo != nil {
		t.Fatalf("by hierarchy: %d", len(all))
	}
	c := all[0].Contacts[0]
	if c.InitiationMethod != types.ContactInitiationMethodTransfer || !c.ConnectedToAgentTimestamp.Equal(at) || c.AgentContactState != types.ContactStateConnected {
		t.Errorf("contact %+v", c)
	}
	busy := ask(&types.UserDataFilters{UserHierarchyGroups: []string{"g1"}, ContactFilter: &types.ContactFilter{ContactStates: []types.ContactState{types.ContactStateEnded}}})
	if len(busy) != 1 || *busy[0].User.Id != "a2" {
		t.Errorf("in after-contact work: %d", len(busy))
	}
}
