package connect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/reporting"
)

// The limits of GetMetricData.
const (
	oldStep    = 5 * time.Minute
	oldRange   = 24 * time.Hour
	oldQueues  = 100
	oldChannel = 3
)

type threshold struct {
	Comparison     string  `json:"Comparison,omitempty"`
	ThresholdValue float64 `json:"ThresholdValue,omitempty"`
}

type historicalMetric struct {
	Name      string     `json:"Name"`
	Statistic string     `json:"Statistic,omitempty"`
	Unit      string     `json:"Unit,omitempty"`
	Threshold *threshold `json:"Threshold,omitempty"`
}

type metricFilters struct {
	Queues                 []string         `json:"Queues,omitempty" ref:"queue"`
	RoutingProfiles        []string         `json:"RoutingProfiles,omitempty" ref:"routing-profile"`
	Channels               []string         `json:"Channels,omitempty"`
	AgentStatuses          []string         `json:"AgentStatuses,omitempty" ref:"agent-state"`
	RoutingStepExpressions []string         `json:"RoutingStepExpressions,omitempty"`
	Subtypes               rest.Unsupported `json:"Subtypes,omitzero"`
	ValidationTestTypes    rest.Unsupported `json:"ValidationTestTypes,omitzero"`
}

type getMetricDataInput struct {
	InstanceID        string             `json:"-" path:"InstanceId" ref:"instance"`
	StartTime         rest.Time          `json:"StartTime"`
	EndTime           rest.Time          `json:"EndTime"`
	Filters           *metricFilters     `json:"Filters"`
	Groupings         []string           `json:"Groupings,omitempty"`
	HistoricalMetrics []historicalMetric `json:"HistoricalMetrics"`
	MaxResults        int                `json:"MaxResults,omitempty"`
	NextToken         string             `json:"NextToken,omitempty"`
}

type metricDimensions struct {
	Queue                 *reference      `json:"Queue,omitempty"`
	Channel               string          `json:"Channel,omitempty"`
	RoutingProfile        *reference      `json:"RoutingProfile,omitempty"`
	AgentStatus           *statusIdentity `json:"AgentStatus,omitempty"`
	RoutingStepExpression string          `json:"RoutingStepExpression,omitempty"`
}

type statusIdentity struct {
	ARN string `json:"Arn"`
	ID  string `json:"Id"`
}

type historicalMetricData struct {
	Metric historicalMetric `json:"Metric"`
	Value  *float64         `json:"Value,omitempty"`
}

type historicalMetricResult struct {
	Dimensions  *metricDimensions      `json:"Dimensions,omitempty"`
	Collections []historicalMetricData `json:"Collections"`
}

type getMetricDataOutput struct {
	MetricResults []historicalMetricResult `json:"MetricResults"`
	NextToken     string                   `json:"NextToken,omitempty"`
}

// old is a metric of GetMetricData: what it is called since, and in which unit and statistic it is asked for.
type old struct {
	metric          reporting.Metric
	unit, statistic string
}

// oldMetrics are the metrics of GetMetricData. CONTACTS_CONSULTED has been empty at Amazon since 2019, and is here.
func oldMetrics() map[string]old {
	by := func(name string, methods ...string) reporting.Metric {
		m := reporting.Metric{Name: name}
		if len(methods) > 0 {
			m.Filters = []reporting.Filter{{Dim: reporting.Method, Values: methods}}
		}
		return m
	}
	reason := reporting.Metric{Name: "CONTACTS_HANDLED", Filters: []reporting.Filter{{Dim: reporting.Reason, Values: []string{"AGENT_DISCONNECT"}}}}
	out := map[string]old{
		"CONTACTS_QUEUED":                     {metric: by("CONTACTS_QUEUED")},
		"CONTACTS_HANDLED":                    {metric: by("CONTACTS_HANDLED")},
		"CONTACTS_ABANDONED":                  {metric: by("CONTACTS_ABANDONED")},
		"CONTACTS_CONSULTED":                  {},
		"CONTACTS_AGENT_HUNG_UP_FIRST":        {metric: reason},
		"CONTACTS_HANDLED_INCOMING":           {metric: by("CONTACTS_HANDLED", "INCOMING")},
		"CONTACTS_HANDLED_OUTBOUND":           {metric: by("CONTACTS_HANDLED", "OUTBOUND")},
		"CALLBACK_CONTACTS_HANDLED":           {metric: by("CONTACTS_HANDLED", "CALLBACK")},
		"API_CONTACTS_HANDLED":                {metric: by("CONTACTS_HANDLED", "API")},
		"CONTACTS_HOLD_ABANDONS":              {metric: by("CONTACTS_HOLD_ABANDONS")},
		"CONTACTS_TRANSFERRED_IN":             {metric: by("CONTACTS_CREATED", "TRANSFER", "QUEUE_TRANSFER")},
		"CONTACTS_TRANSFERRED_IN_FROM_QUEUE":  {metric: by("CONTACTS_CREATED", "QUEUE_TRANSFER")},
		"CONTACTS_TRANSFERRED_OUT":            {metric: by("CONTACTS_TRANSFERRED_OUT")},
		"CONTACTS_TRANSFERRED_OUT_FROM_QUEUE": {metric: by("CONTACTS_TRANSFERRED_OUT_FROM_QUEUE")},
		"CONTACTS_MISSED":                     {metric: by("AGENT_NON_RESPONSE")},
	}
	for name, o := range out {
		o.unit, o.statistic = "COUNT", "SUM"
		out[name] = o
	}
	for name, now := range map[string]string{
		"HANDLE_TIME": "AVG_HANDLE_TIME", "AFTER_CONTACT_WORK_TIME": "AVG_AFTER_CONTACT_WORK_TIME", "ABANDON_TIME": "AVG_ABANDON_TIME",
		"QUEUE_ANSWER_TIME": "AVG_QUEUE_ANSWER_TIME", "HOLD_TIME": "AVG_HOLD_TIME", "INTERACTION_TIME": "AVG_INTERACTION_TIME",
		"INTERACTION_AND_HOLD_TIME": "AVG_INTERACTION_AND_HOLD_TIME",
	} {
		out[name] = old{metric: by(now), unit: "SECONDS", statistic: "AVG"}
	}
	out["QUEUED_TIME"] = old{metric: by("MAX_QUEUED_TIME"), unit: "SECONDS", statistic: "MAX"}
	out["SERVICE_LEVEL"] = old{metric: by("SERVICE_LEVEL"), unit: "PERCENT", statistic: "AVG"}
	out["OCCUPANCY"] = old{metric: by("AGENT_OCCUPANCY"), unit: "PERCENT", statistic: "AVG"}
	return out
}

func (s *service) getMetricData(ctx context.Context, c *rest.Call, in *getMetricDataInput) (*getMetricDataOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	if err = checkOldRange(in.StartTime.Time, in.EndTime.Time, time.Now()); err != nil {
		return nil, err
	}
	q, index, err := oldQuery(c.Instance(), in)
	if err != nil {
		return nil, err
	}
	var lines []reporting.Result
	if len(q.Metrics) > 0 {
		if err = q.Check(time.Now()); err != nil {
			return nil, err
		}
		if lines, err = reporting.Compute(ctx, s.Reports, q); err != nil {
			return nil, err
		}
	}
	lines, next, err := pageOfLines(lines, pg)
	if err != nil {
		return nil, err
	}
	out := &getMetricDataOutput{MetricResults: []historicalMetricResult{}, NextToken: next}
	for _, l := range lines {
		r := historicalMetricResult{}
		queues := in.Filters.Queues
		if len(q.Groupings) > 0 {
			r.Dimensions = &metricDimensions{}
		}
		for i, d := range q.Groupings {
			if d == reporting.Channel {
				r.Dimensions.Channel = l.Groups[i]
				continue
			}
			queues = []string{l.Groups[i]}
			r.Dimensions.Queue = &reference{ID: l.Groups[i], ARN: resource.ARN(c.Instance(), resource.KindQueue, l.Groups[i])}
		}
		for i, m := range in.HistoricalMetrics {
			var v *float64
			switch {
			case m.Name == "OCCUPANCY":
				if v, err = s.occupancy(ctx, c, q, queues); err != nil {
					return nil, err
				}
			case index[i] >= 0:
				v = l.Values[index[i]]
			}
			r.Collections = append(r.Collections, historicalMetricData{Metric: m, Value: v})
		}
		out.MetricResults = append(out.MetricResults, r)
	}
	return out, nil
}

// checkOldRange is the rule of times of GetMetricData.
func checkOldRange(from, to, now time.Time) error {
	switch {
	case from.IsZero() || !from.Equal(from.Truncate(oldStep)):
		return errs.Field("StartTime", "must be a multiple of 5 minutes")
	case to.IsZero() || !to.Equal(to.Truncate(oldStep)):
		return errs.Field("EndTime", "must be a multiple of 5 minutes")
	case from.Before(now.Add(-oldRange - oldStep)):
		return errs.Field("StartTime", "must be within the last 24 hours; GetMetricDataV2 goes back for 3 months")
	case to.Sub(from) > oldRange:
		return errs.Field("EndTime", "must be at most 24 hours after StartTime")
	}
	return nil
}

// oldQuery reads the request. index says which metric of the question each metric of the request is; -1: none.
func oldQuery(instanceID string, in *getMetricDataInput) (reporting.Query, []int, error) {
	q := reporting.Query{InstanceID: instanceID, From: in.StartTime.Time, To: in.EndTime.Time, Interval: reporting.Total, AgentQueues: true}
	f := in.Filters
	switch {
	case len(f.Queues) == 0:
		return q, nil, errs.Field("Filters.Queues", "is required")
	case len(f.Queues) > oldQueues:
		return q, nil, errs.Field("Filters.Queues", "must be at most %d; are %d", oldQueues, len(f.Queues))
	case len(f.Channels) > oldChannel:
		return q, nil, errs.Field("Filters.Channels", "must be at most %d; are %d", oldChannel, len(f.Channels))
	case len(f.RoutingProfiles)+len(f.AgentStatuses)+len(f.RoutingStepExpressions) > 0:
		return q, nil, errs.Field("Filters", "can have Queues and Channels only; GetMetricDataV2 has more")
	}
	q.Filters = []reporting.Filter{{Dim: reporting.Queue, Values: f.Queues}}
	if len(f.Channels) > 0 {
		q.Filters = append(q.Filters, reporting.Filter{Dim: reporting.Channel, Values: f.Channels})
	}
	for i, g := range in.Groupings {
		if g != string(reporting.Queue) && g != string(reporting.Channel) {
			return q, nil, errs.Field(fmt.Sprintf("Groupings[%d]", i), "must be QUEUE or CHANNEL; is %q", g)
		}
		q.Groupings = append(q.Groupings, reporting.Dim(g))
	}
	index, all := make([]int, len(in.HistoricalMetrics)), oldMetrics()
	for i, m := range in.HistoricalMetrics {
		field := fmt.Sprintf("HistoricalMetrics[%d]", i)
		o, ok := all[m.Name]
		switch {
		case !ok:
			return q, nil, errs.Field(field+".Name", "%q is not a metric of GetMetricData", m.Name)
		case m.Unit != "" && m.Unit != o.unit:
			return q, nil, errs.Field(field+".Unit", "must be %s for %s; is %q", o.unit, m.Name, m.Unit)
		case m.Statistic != "" && m.Statistic != o.statistic:
			return q, nil, errs.Field(field+".Statistic", "must be %s for %s; is %q", o.statistic, m.Name, m.Statistic)
		}
		index[i] = -1
		if o.metric.Name == "" || m.Name == "OCCUPANCY" {
			continue
		}
		if m.Threshold != nil {
			t, err := thresholdOf(field+".Threshold", m.Threshold.Comparison, m.Threshold.ThresholdValue, false)
			if err != nil {
				return q, nil, err
			}
			o.metric.Threshold = t
		}
		index[i] = len(q.Metrics)
		q.Metrics = append(q.Metrics, o.metric)
	}
	if len(q.Metrics) == 0 { // lines come of something that is counted
		q.Metrics = []reporting.Metric{{Name: "CONTACTS_QUEUED"}}
	}
	return q, index, nil
}

// occupancy is that of the agents who serve one of the queues.
func (s *service) occupancy(ctx context.Context, c *rest.Call, q reporting.Query, queues []string) (*float64, error) {
	profiles, err := s.profilesServing(ctx, c, queues)
	if err != nil || len(profiles) == 0 {
		return nil, err
	}
	for _, id := range queues {
		if _, own := acd.OfAgentQueue(id); own {
			return nil, nil //nolint:nilnil // an agent's own queue has no occupancy
		}
	}
	slices.Sort(profiles)
	lines, err := reporting.Compute(ctx, s.Reports, reporting.Query{
		InstanceID: q.InstanceID, From: q.From, To: q.To, Interval: reporting.Total,
		Filters: []reporting.Filter{{Dim: reporting.RoutingProfile, Values: profiles}}, Metrics: []reporting.Metric{{Name: "AGENT_OCCUPANCY"}},
	})
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return lines[0].Values[0], nil
}
