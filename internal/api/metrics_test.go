package api_test

import (
	"context"
	"fmt"
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
	"ullim/reporting"
)

// fiveMinutes is a border of five minutes, n of them from now, as the API writes times.
func fiveMinutes(n int) string {
	return fmt.Sprint(time.Now().Truncate(5 * time.Minute).Add(time.Duration(n) * 5 * time.Minute).Unix())
}

// fakeLine is the live side of queues, and reports over facts in memory.
type fakeLine struct {
	reporting.Memory
	waiting   []acd.WaitingSnapshot
	scheduled map[string]int
}

func newFakeLine() *fakeLine { return &fakeLine{scheduled: make(map[string]int)} }

func (f *fakeLine) Aggregate(ctx context.Context, a reporting.Aggregation) ([]reporting.Row, error) {
	if a.InstanceID != ours {
		return nil, nil
	}
	return f.Memory.Aggregate(ctx, a)
}

func (f *fakeLine) Waiting(instanceID string) []acd.WaitingSnapshot {
	if instanceID != ours {
		return nil
	}
	return f.waiting
}

func (f *fakeLine) Scheduled(context.Context, string) (map[string]int, error) {
	return f.scheduled, nil
}

func (f *fakeLine) EstimatedWait(_, queueID string, ch contact.Channel) (time.Duration, bool) {
	return 90 * time.Second, queueID == "" || ch == contact.Voice
}

// handledRecord is a contact that waited for some seconds and was handled by an agent.
func handledRecord(id, queueID, agentID string, at time.Time, wait time.Duration) *contact.Record {
	joined := at.Add(wait)
	return &contact.Record{
		ID: id, InstanceID: ours, Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: at, ConnectedToSystemTimestamp: at,
		Queue: &contact.QueueInfo{ID: queueID, EnqueueTimestamp: at, DequeueTimestamp: joined},
		Agent: &contact.AgentInfo{
			ID: agentID, RoutingProfileID: "p1", RingStartTimestamp: joined.Add(-2 * time.Second), ConnectedToAgentTimestamp: joined,
			AgentInteractionEndTimestamp: joined.Add(time.Minute), AfterContactWorkStart: joined.Add(time.Minute), AfterContactWorkEnd: joined.Add(90 * time.Second),
		},
		DisconnectTimestamp: joined.Add(time.Minute), DisconnectReason: contact.AgentDisconnect,
	}
}

func TestHistoricalMetricsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	begin := time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
	w.line.Add(reporting.ContactFacts(handledRecord("c1", "q1", "a1", begin.Add(time.Minute), 10*time.Second), nil))
	w.line.Add(reporting.ContactFacts(handledRecord("c2", "q1", "a2", begin.Add(2*time.Minute), 40*time.Second), nil))
	w.line.Add(reporting.ContactFacts(handledRecord("c3", "q2", "a1", begin.Add(65*time.Minute), 5*time.Second), nil))
	w.line.Add(reporting.ContactFacts(handledRecord("c4", "agent/a1", "a1", begin.Add(5*time.Minute), time.Second), nil))
	busy := reporting.State{UserID: "a1", RoutingProfileID: "p1", Online: true, Contacts: 1}
	free := reporting.State{UserID: "a1", RoutingProfileID: "p1", Online: true}
	w.line.Spans = append(busy.Spans(begin, begin.Add(15*time.Minute)), free.Spans(begin.Add(15*time.Minute), begin.Add(time.Hour))...)
	in := &awsconnect.GetMetricDataV2Input{
		ResourceArn: aws.String(resource.ARN(ours, resource.KindInstance, ours)), StartTime: aws.Time(begin), EndTime: aws.Time(begin.Add(2 * time.Hour)),
		Filters: []types.FilterV2{{FilterKey: aws.String("QUEUE"), FilterValues: []string{resource.ARN(ours, resource.KindQueue, "q1"), "q2"}}},
		Metrics: []types.MetricV2{
			{Name: aws.String("CONTACTS_HANDLED"), MetricFilters: []types.MetricFilterV2{{MetricFilterKey: aws.String("DISCONNECT_REASON"), MetricFilterValues: []string{"AGENT_DISCONNECT"}}}},
			{Name: aws.String("SERVICE_LEVEL"), Threshold: []types.ThresholdV2{{Comparison: aws.String("LT"), ThresholdValue: aws.Float64(20)}}},
			{Name: aws.String("AVG_HANDLE_TIME")},
			{Name: aws.String("AVG_HOLD_TIME")},
		},
		Groupings: []string{"QUEUE"}, Interval: &types.IntervalDetails{IntervalPeriod: types.IntervalPeriodHour, TimeZone: aws.String("Asia/Seoul")}, MaxResults: aws.Int32(1),
	}
	var lines []string
	for {
		got, err := c.GetMetricDataV2(ctx, in)
		must(t, err)
		for _, r := range got.MetricResults {
			line := fmt.Sprint(r.Dimensions["QUEUE"], " ", r.MetricInterval.StartTime.Sub(begin).Minutes(), " ", r.MetricInterval.Interval)
			for _, d := range r.Collections {
				line += " " + *d.Metric.Name + "="
				if d.Value != nil {
					line += fmt.Sprint(*d.Value)
				}
			}
			lines = append(lines, line)
		}
		if in.NextToken = got.NextToken; got.NextToken == nil {
			break
		}
	}
	want := []string{
		"q1 0 HOUR CONTACTS_HANDLED=2 SERVICE_LEVEL=50 AVG_HANDLE_TIME=90 AVG_HOLD_TIME=",
		"q2 60 HOUR CONTACTS_HANDLED=1 SERVICE_LEVEL=100 AVG_HANDLE_TIME=90 AVG_HOLD_TIME=",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}

	in.NextToken, in.MaxResults, in.Groupings, in.Interval = nil, nil, []string{"AGENT"}, nil
	in.Filters = []types.FilterV2{{FilterKey: aws.String("AGENT"), FilterValues: []string{"a1"}}}
	in.Metrics = []types.MetricV2{{Name: aws.String("AGENT_OCCUPANCY")}, {Name: aws.String("CONTACTS_HANDLED")}}
	got, err := c.GetMetricDataV2(ctx, in)
	must(t, err)
	if r := got.MetricResults; len(r) != 1 || *r[0].Collections[0].Value != 25 || *r[0].Collections[1].Value != 3 ||
		r[0].Dimensions["AGENT_ARN"] != resource.ARN(ours, resource.KindUser, "a1") {
		t.Errorf("of the agent: %+v", r)
	}
}

func TestHistoricalMetricsSayWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	begin := time.Now().UTC().Truncate(time.Hour).Add(-30 * 24 * time.Hour)
	good := func() *awsconnect.GetMetricDataV2Input {
		return &awsconnect.GetMetricDataV2Input{
			ResourceArn: aws.String(ours), StartTime: aws.Time(begin), EndTime: aws.Time(begin.Add(24 * time.Hour)),
			Filters: []types.FilterV2{{FilterKey: aws.String("QUEUE"), FilterValues: []string{"q1"}}}, Metrics: []types.MetricV2{{Name: aws.String("CONTACTS_QUEUED")}},
		}
	}
	filter := func(key string, values ...string) types.FilterV2 {
		return types.FilterV2{FilterKey: aws.String(key), FilterValues: values}
	}
	for name, test := range map[string]struct {
		change func(in *awsconnect.GetMetricDataV2Input)
		want   string
	}{
		"end before start": {func(in *awsconnect.GetMetricDataV2Input) { in.EndTime = in.StartTime }, "EndTime"},
		"in the future":    {func(in *awsconnect.GetMetricDataV2Input) { in.EndTime = aws.Time(time.Now().Add(time.Hour)) }, "EndTime"},
		"too long ago":     {func(in *awsconnect.GetMetricDataV2Input) { in.StartTime = aws.Time(begin.AddDate(0, -3, 0)) }, "3 months"},
		"too long for hours": {func(in *awsconnect.GetMetricDataV2Input) {
			in.EndTime = aws.Time(begin.Add(72 * time.Hour))
			in.Interval = &types.IntervalDetails{IntervalPeriod: types.IntervalPeriodHour}
		}, "less than 3 days"},
		"too long": {func(in *awsconnect.GetMetricDataV2Input) {
			in.StartTime, in.EndTime = aws.Time(time.Now().AddDate(0, 0, -40)), aws.Time(time.Now().AddDate(0, 0, -1))
		}, "35 days"},
		"zone": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Interval = &types.IntervalDetails{TimeZone: aws.String("Mars/Olympus")}
		}, "Interval.TimeZone"},
		"interval": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Interval = &types.IntervalDetails{IntervalPeriod: "MONTH"}
		}, "Interval.IntervalPeriod"},
		"no resource": {func(in *awsconnect.GetMetricDataV2Input) { in.Filters = []types.FilterV2{filter("CHANNEL", "VOICE")} }, "must have one of the keys"},
		"six keys": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Filters = []types.FilterV2{filter("QUEUE", "q"), filter("AGENT", "a"), filter("CHANNEL", "VOICE"), filter("ROUTING_PROFILE", "p"), filter("INITIATION_METHOD", "API"), filter("DISCONNECT_REASON", "OTHER")}
		}, "at most 5 keys"},
		"101 values": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Filters = []types.FilterV2{filter("QUEUE", strings.Fields(strings.Repeat("q ", 101))...)}
		}, "at most 100 values"},
		"unknown key": {func(in *awsconnect.GetMetricDataV2Input) { in.Filters = append(in.Filters, filter("MOOD", "x")) }, "Filters[1].FilterKey"},
		"five groupings": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Groupings = []string{"QUEUE", "CHANNEL", "AGENT", "ROUTING_PROFILE", "INITIATION_METHOD"}
		}, "Groupings"},
		"metric": {func(in *awsconnect.GetMetricDataV2Input) { in.Metrics[0].Name = aws.String("AVG_TALK_TIME") }, "Metrics[0].Name"},
		"grouping": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Groupings = []string{"QUEUE"}
			in.Metrics[0].Name = aws.String("SUM_ONLINE_TIME_AGENT")
		}, "SUM_ONLINE_TIME_AGENT cannot be filtered by QUEUE"},
		"threshold needed": {func(in *awsconnect.GetMetricDataV2Input) { in.Metrics[0].Name = aws.String("SERVICE_LEVEL") }, "Metrics[0].Threshold"},
		"threshold bounds": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Metrics[0] = types.MetricV2{Name: aws.String("SERVICE_LEVEL"), Threshold: []types.ThresholdV2{{Comparison: aws.String("LT"), ThresholdValue: aws.Float64(604801)}}}
		}, "1 to 604800"},
		"comparison": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Metrics[0] = types.MetricV2{Name: aws.String("SERVICE_LEVEL"), Threshold: []types.ThresholdV2{{Comparison: aws.String("GT"), ThresholdValue: aws.Float64(20)}}}
		}, "LT or LTE"},
		"metric filter": {func(in *awsconnect.GetMetricDataV2Input) {
			in.Metrics[0].MetricFilters = []types.MetricFilterV2{{MetricFilterKey: aws.String("DISCONNECT_REASON"), MetricFilterValues: []string{"OTHER"}}}
		}, "MetricFilterKey"},
		"token": {func(in *awsconnect.GetMetricDataV2Input) { in.NextToken = aws.String("!") }, "NextToken"},
	} {
		in := good()
		test.change(in)
		_, err := w.client("admin").GetMetricDataV2(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, test.want)
		}
	}
	in := good()
	in.ResourceArn = aws.String(resource.ARN(theirs, resource.KindInstance, theirs))
	if _, err := w.client("admin").GetMetricDataV2(t.Context(), in); err == nil {
		t.Error("figures of another instance are given")
	}
}

func TestTheOldMetricsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	begin := time.Now().UTC().Truncate(5 * time.Minute).Add(-2 * time.Hour)
	w.line.Add(reporting.ContactFacts(handledRecord("c1", "q1", "a1", begin.Add(time.Minute), 10*time.Second), nil))
	w.line.Add(reporting.ContactFacts(handledRecord("c2", "q1", "a2", begin.Add(2*time.Minute), 40*time.Second), nil))
	in := &awsconnect.GetMetricDataInput{
		InstanceId: aws.String(ours), StartTime: aws.Time(begin), EndTime: aws.Time(begin.Add(time.Hour)), Groupings: []types.Grouping{types.GroupingQueue},
		Filters: &types.Filters{Queues: []string{"q1"}, Channels: []types.Channel{types.ChannelVoice}},
		HistoricalMetrics: []types.HistoricalMetric{
			{Name: types.HistoricalMetricNameContactsHandledIncoming, Unit: types.UnitCount, Statistic: types.StatisticSum},
			{Name: types.HistoricalMetricNameQueuedTime, Unit: types.UnitSeconds, Statistic: types.StatisticMax},
			{Name: types.HistoricalMetricNameServiceLevel, Unit: types.UnitPercent, Statistic: types.StatisticAvg, Threshold: &types.Threshold{Comparison: types.ComparisonLt, ThresholdValue: aws.Float64(15)}},
			{Name: types.HistoricalMetricNameContactsConsulted},
		},
	}
	got, err := c.GetMetricData(ctx, in)
	must(t, err)
	if len(got.MetricResults) != 1 {
		t.Fatalf("%d lines", len(got.MetricResults))
	}
	r := got.MetricResults[0]
	if *r.Dimensions.Queue.Id != "q1" || *r.Collections[0].Value != 2 || *r.Collections[1].Value != 40 || *r.Collections[2].Value != 50 || r.Collections[3].Value != nil {
		t.Errorf("figures: %+v", r.Collections)
	}
	in.StartTime = aws.Time(begin.Add(time.Minute))
	if _, err = c.GetMetricData(ctx, in); err == nil || !strings.Contains(err.Error(), "StartTime must be a multiple of 5 minutes") {
		t.Errorf("off the grid: %v", err)
	}
	in.StartTime = aws.Time(begin)
	in.HistoricalMetrics[1].Statistic = types.StatisticAvg
	if _, err = c.GetMetricData(ctx, in); err == nil || !strings.Contains(err.Error(), "Statistic must be MAX") {
		t.Errorf("statistic: %v", err)
	}
}
