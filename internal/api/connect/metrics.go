package connect

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/reporting"
)

// Line is the live side of queues.
type Line interface {
	// Waiting is who waits, in the order in which each queue is served.
	Waiting(instanceID string) []acd.WaitingSnapshot
	// Scheduled is how many callbacks of each queue wait for their time and are not in line yet.
	Scheduled(ctx context.Context, instanceID string) (map[string]int, error)
	// EstimatedWait is how long a contact that came to a queue now would wait; ok is false if nothing is known.
	EstimatedWait(instanceID, queueID string, ch contact.Channel) (wait time.Duration, ok bool)
}

func (s *service) metrics(t *rest.Table) {
	rest.Op(t, "GetCurrentMetricData", "POST", "/metrics/current/{InstanceId}", identity.RealTimeMetrics,
		s.getCurrentMetricData, rest.ReadOnly)
	rest.Op(t, "GetMetricData", "POST", "/metrics/historical/{InstanceId}", identity.HistoricalMetrics, s.getMetricData, rest.ReadOnly)
	rest.Op(t, "GetMetricDataV2", "POST", "/metrics/data", identity.HistoricalMetrics, s.getMetricDataV2, rest.ReadOnly)
}

type intervalDetails struct {
	IntervalPeriod string `json:"IntervalPeriod,omitempty"`
	TimeZone       string `json:"TimeZone,omitempty"`
}

type filterV2 struct {
	FilterKey       string           `json:"FilterKey"`
	FilterValues    []string         `json:"FilterValues,omitempty"`
	StringCondition rest.Unsupported `json:"StringCondition,omitzero"`
}

type thresholdV2 struct {
	Comparison     string  `json:"Comparison,omitempty"`
	ThresholdValue float64 `json:"ThresholdValue"`
}

type metricFilterV2 struct {
	MetricFilterKey    string   `json:"MetricFilterKey"`
	MetricFilterValues []string `json:"MetricFilterValues"`
	Negate             bool     `json:"Negate,omitempty"`
}

type metricV2 struct {
	Name          string           `json:"Name"`
	MetricID      rest.Unsupported `json:"MetricId,omitzero"`
	Threshold     []thresholdV2    `json:"Threshold,omitempty"`
	MetricFilters []metricFilterV2 `json:"MetricFilters,omitempty"`
}

type getMetricDataV2Input struct {
	ResourceARN string           `json:"ResourceArn"`
	StartTime   rest.Time        `json:"StartTime"`
	EndTime     rest.Time        `json:"EndTime"`
	Interval    *intervalDetails `json:"Interval,omitempty"`
	Filters     []filterV2       `json:"Filters"`
	Groupings   []string         `json:"Groupings,omitempty"`
	Metrics     []metricV2       `json:"Metrics"`
	MaxResults  int              `json:"MaxResults,omitempty"`
	NextToken   string           `json:"NextToken,omitempty"`
}

type metricInterval struct {
	Interval  string    `json:"Interval"`
	StartTime rest.Time `json:"StartTime"`
	EndTime   rest.Time `json:"EndTime"`
}

// metricDataV2 is a figure; no value: it cannot be computed.
type metricDataV2 struct {
	Metric metricV2 `json:"Metric"`
	Value  *float64 `json:"Value,omitempty"`
}

type metricResultV2 struct {
	Dimensions     map[string]string `json:"Dimensions,omitempty"`
	MetricInterval metricInterval    `json:"MetricInterval"`
	Collections    []metricDataV2    `json:"Collections"`
}

type getMetricDataV2Output struct {
	MetricResults []metricResultV2 `json:"MetricResults"`
	NextToken     string           `json:"NextToken,omitempty"`
}

func (s *service) getMetricDataV2(ctx context.Context, c *rest.Call, in *getMetricDataV2Input) (*getMetricDataV2Output, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	if _, err = rest.ResolveRef(c.Instance(), resource.KindInstance, in.ResourceARN); err != nil {
		return nil, err
	}
	q, err := queryV2(c.Instance(), in)
	if err != nil {
		return nil, err
	}
	if err = q.Check(time.Now()); err != nil {
		return nil, err
	}
	lines, err := reporting.Compute(ctx, s.Reports, q)
	if err != nil {
		return nil, err
	}
	lines, next, err := pageOfLines(lines, pg)
	if err != nil {
		return nil, err
	}
	out := &getMetricDataV2Output{MetricResults: []metricResultV2{}, NextToken: next}
	for _, l := range lines {
		r := metricResultV2{
			Dimensions:     dimensionsV2(c.Instance(), q.Groupings, l.Groups),
			MetricInterval: metricInterval{Interval: string(q.Interval), StartTime: rest.At(l.From), EndTime: rest.At(l.To)},
		}
		for i, v := range l.Values {
			r.Collections = append(r.Collections, metricDataV2{Metric: in.Metrics[i], Value: v})
		}
		out.MetricResults = append(out.MetricResults, r)
	}
	return out, nil
}

// queryV2 reads the request.
func queryV2(instanceID string, in *getMetricDataV2Input) (reporting.Query, error) {
	q := reporting.Query{InstanceID: instanceID, From: in.StartTime.Time, To: in.EndTime.Time, Interval: reporting.Total, Zone: time.UTC}
	if i := in.Interval; i != nil {
		if i.IntervalPeriod != "" {
			q.Interval = reporting.Interval(i.IntervalPeriod)
		}
		zone, err := time.LoadLocation(i.TimeZone)
		if err != nil || strings.EqualFold(i.TimeZone, "local") || len(i.TimeZone) > 100 {
			return q, errs.Field("Interval.TimeZone", "%q is not the name of a time zone, as Asia/Seoul", i.TimeZone)
		}
		q.Zone = zone
	}
	for i, f := range in.Filters {
		dim := reporting.Dim(f.FilterKey)
		values, err := idsOf(instanceID, dim, f.FilterValues)
		if err != nil {
			return q, errs.Field(fmt.Sprintf("Filters[%d].FilterValues", i), "%v", err)
		}
		q.Filters = append(q.Filters, reporting.Filter{Dim: dim, Values: values})
	}
	for _, g := range in.Groupings {
		q.Groupings = append(q.Groupings, reporting.Dim(g))
	}
	for i, m := range in.Metrics {
		want := reporting.Metric{Name: m.Name}
		switch len(m.Threshold) {
		case 0:
		case 1:
			t, err := thresholdOf(fmt.Sprintf("Metrics[%d].Threshold[0]", i), m.Threshold[0].Comparison, m.Threshold[0].ThresholdValue, true)
			if err != nil {
				return q, err
			}
			want.Threshold = t
		default:
			return q, errs.Field(fmt.Sprintf("Metrics[%d].Threshold", i), "must be one; are %d", len(m.Threshold))
		}
		for _, f := range m.MetricFilters {
			want.Filters = append(want.Filters, reporting.Filter{Dim: reporting.Dim(f.MetricFilterKey), Values: f.MetricFilterValues, Negate: f.Negate})
		}
		q.Metrics = append(q.Metrics, want)
	}
	return q, nil
}

// thresholdOf reads a threshold; atMost: LTE is allowed.
func thresholdOf(field, comparison string, value float64, atMost bool) (*reporting.Threshold, error) {
	switch {
	case comparison == "LT":
		return &reporting.Threshold{Seconds: value}, nil
	case comparison == "LTE" && atMost:
		return &reporting.Threshold{Seconds: value, AtMost: true}, nil
	case atMost:
		return nil, errs.Field(field+".Comparison", "must be LT or LTE; is %q", comparison)
	}
	return nil, errs.Field(field+".Comparison", "must be LT; is %q", comparison)
}

// kindOf is the kind of resource that a dimension's values are; empty: they are plain words.
func kindOf(d reporting.Dim) resource.Kind {
	switch d {
	case reporting.Queue, reporting.FlowNextQueue:
		return resource.KindQueue
	case reporting.RoutingProfile:
		return resource.KindRoutingProfile
	case reporting.Agent:
		return resource.KindUser
	case reporting.LevelOne, reporting.LevelTwo, reporting.LevelThree, reporting.LevelFour, reporting.LevelFive:
		return resource.KindHierarchyGroup
	case reporting.Flow, reporting.FlowNext:
		return resource.KindFlow
	case reporting.FlowModule:
		return resource.KindFlowModule
	default:
		return ""
	}
}

// idsOf makes ARNs ids. The id of an agent's own queue has a slash, which no other id has.
func idsOf(instanceID string, d reporting.Dim, values []string) ([]string, error) {
	kind := kindOf(d)
	if kind == "" {
		return values, nil
	}
	out := make([]string, len(values))
	for i, v := range values {
		if _, own := acd.OfAgentQueue(v); own && d == reporting.Queue {
			out[i] = v
			continue
		}
		id, err := rest.ResolveRef(instanceID, kind, v)
		if err != nil {
			return nil, err
		}
		out[i] = id
	}
	return out, nil
}

// dimensionsV2 names the group of a line: ids, with the ARN beside those of resources.
func dimensionsV2(instanceID string, dims []reporting.Dim, values []string) map[string]string {
	if len(dims) == 0 {
		return nil
	}
	out := make(map[string]string)
	for i, d := range dims {
		out[string(d)] = values[i]
		if kind := kindOf(d); kind != "" {
			out[string(d)+"_ARN"] = resource.ARN(instanceID, kind, values[i])
		}
	}
	return out
}

// place is where the next page begins: behind a line.
type place struct {
	At     int64    `json:"t"` // microseconds
	Groups []string `json:"g"`
}

// pageOfLines cuts a page out of lines that are in order.
func pageOfLines(lines []reporting.Result, p resource.Page) ([]reporting.Result, string, error) {
	if p.Token != "" {
		var after place
		if err := openToken(p.Token, &after); err != nil {
			return nil, "", err
		}
		i := slices.IndexFunc(lines, func(r reporting.Result) bool {
			at := r.From.UnixMicro()
			return at > after.At || at == after.At && slices.Compare(r.Groups, after.Groups) > 0
		})
		if i < 0 {
			i = len(lines)
		}
		lines = lines[i:]
	}
	if len(lines) <= p.Max {
		return lines, "", nil
	}
	lines = lines[:p.Max]
	last := lines[len(lines)-1]
	return lines, sealToken(place{At: last.From.UnixMicro(), Groups: last.Groups}), nil
}

func sealToken(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // numbers and strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func openToken(token string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return errs.Field("NextToken", "is not one of ours")
	}
	return nil
}
