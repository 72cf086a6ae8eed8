package reporting

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ullim/internal/errs"
)

// The limits of a question (A4.3).
const (
	maxFilterKeys   = 5
	maxFilterValues = 100
	maxGroupings    = 4
	maxMetrics      = 100
	maxThreshold    = 604_800
	maxServiceLevel = 20
	maxExpression   = 3000
)

// Query is a question about the past.
type Query struct {
	InstanceID string
	From, To   time.Time
	Interval   Interval       // empty: TOTAL
	Zone       *time.Location // nil: UTC
	Filters    []Filter
	Groupings  []Dim
	Metrics    []Metric
	// AgentQueues includes queues of agents in what is grouped by QUEUE; else they are hidden, unless a filter names them.
	AgentQueues bool
}

// Filter selects facts.
type Filter struct {
	Dim    Dim
	Values []string
	Negate bool // of a Metric only
}

// Metric is one figure that is asked for.
type Metric struct {
	Name      string
	Threshold *Threshold
	Filters   []Filter
}

// Threshold is the X of a metric: under, or at most, so many seconds.
type Threshold struct {
	AtMost  bool
	Seconds float64
}

// resourceDims are the filters of which a question needs one: whoever asks must say whose figures they want.
func resourceDims() []Dim {
	return append([]Dim{Queue, RoutingProfile, Agent, Campaign}, levels()...)
}

// Check says what is wrong with a question, by the field of the request. Fill in what has a default before.
func (q *Query) Check(now time.Time) error {
	if err := checkRange(q.Interval, q.From, q.To, now); err != nil {
		return err
	}
	if err := q.checkFilters(); err != nil {
		return err
	}
	if len(q.Groupings) > maxGroupings {
		return errs.Field("Groupings", "must be at most %d; are %d", maxGroupings, len(q.Groupings))
	}
	for i, d := range q.Groupings {
		if d.Column() == "" {
			return errs.Field(fmt.Sprintf("Groupings[%d]", i), "%q is not something to group by here", d)
		}
		if slices.Contains(q.Groupings[:i], d) {
			return errs.Field(fmt.Sprintf("Groupings[%d]", i), "%s is there twice", d)
		}
	}
	if n := len(q.Metrics); n < 1 || n > maxMetrics {
		return errs.Field("Metrics", "must be 1 to %d; are %d", maxMetrics, n)
	}
	all, levels := formulas(), 0
	for i, m := range q.Metrics {
		if err := q.checkMetric(fmt.Sprintf("Metrics[%d]", i), m, all); err != nil {
			return err
		}
		if m.Name == "SERVICE_LEVEL" {
			levels++
		}
	}
	if levels > maxServiceLevel {
		return errs.Field("Metrics", "must have at most %d SERVICE_LEVEL metrics; has %d", maxServiceLevel, levels)
	}
	return nil
}

func (q *Query) checkFilters() error {
	if len(q.Filters) > maxFilterKeys {
		return errs.Field("Filters", "must have at most %d keys; has %d", maxFilterKeys, len(q.Filters))
	}
	values, resource := 0, false
	var seen []Dim
	for i, f := range q.Filters {
		field := fmt.Sprintf("Filters[%d]", i)
		switch {
		case f.Dim.Column() == "":
			return errs.Field(field+".FilterKey", "%q is not something to filter by here", f.Dim)
		case slices.Contains(seen, f.Dim):
			return errs.Field(field+".FilterKey", "%s is there twice", f.Dim)
		case len(f.Values) == 0:
			return errs.Field(field+".FilterValues", "must have a value")
		case f.Dim == Step && slices.ContainsFunc(f.Values, func(v string) bool { return len(v) > maxExpression }):
			return errs.Field(field+".FilterValues", "an expression must have at most %d characters", maxExpression)
		}
		if f.Dim != Channel { // channels do not count
			values += len(f.Values)
		}
		seen = append(seen, f.Dim)
		resource = resource || slices.Contains(resourceDims(), f.Dim)
	}
	if values > maxFilterValues {
		return errs.Field("Filters", "must have at most %d values in all, channels aside; has %d", maxFilterValues, values)
	}
	if !resource {
		return errs.Field("Filters", "must have one of the keys QUEUE, ROUTING_PROFILE, AGENT, AGENT_HIERARCHY_LEVEL_ONE to _FIVE and CAMPAIGN")
	}
	return nil
}

func (q *Query) checkMetric(field string, m Metric, all map[string]formula) error {
	f, ok := all[m.Name]
	if !ok {
		return errs.Field(field+".Name", "%q is not a metric that is kept here", m.Name)
	}
	dims := f.table.Dims()
	for _, x := range q.Filters {
		if !slices.Contains(dims, x.Dim) {
			return errs.Field("Filters", "%s cannot be filtered by %s", m.Name, x.Dim)
		}
	}
	for _, d := range q.Groupings {
		if !slices.Contains(dims, d) {
			return errs.Field("Groupings", "%s cannot be grouped by %s", m.Name, d)
		}
	}
	if (f.threshold != "") != (m.Threshold != nil) {
		if m.Threshold != nil {
			return errs.Field(field+".Threshold", "%s takes none", m.Name)
		}
		return errs.Field(field+".Threshold", "is required by %s", m.Name)
	}
	if t := m.Threshold; t != nil && (t.Seconds < 1 || t.Seconds > maxThreshold || t.Seconds != float64(int64(t.Seconds))) {
		return errs.Field(field+".Threshold", "ThresholdValue must be a whole number from 1 to %d", maxThreshold)
	}
	for i, x := range m.Filters {
		at := fmt.Sprintf("%s.MetricFilters[%d]", field, i)
		if !slices.Contains(f.filters, x.Dim) {
			return errs.Field(at+".MetricFilterKey", "%s takes %s; not %q", m.Name, orNone(f.filters), x.Dim)
		}
		if n := len(x.Values); n < 1 || n > maxFilterValues {
			return errs.Field(at+".MetricFilterValues", "must be 1 to %d; are %d", maxFilterValues, n)
		}
	}
	return nil
}

func orNone(dims []Dim) string {
	if len(dims) == 0 {
		return "no metric filters"
	}
	names := make([]string, len(dims))
	for i, d := range dims {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}

// incoming is what INCOMING stands for among the initiation methods.
func incoming() []string { return []string{"INBOUND", "TRANSFER", "QUEUE_TRANSFER"} }

// methods writes INCOMING out.
func methods(values []string) []string {
	var out []string
	for _, v := range values {
		if v = strings.ToUpper(v); v == "INCOMING" {
			out = append(out, incoming()...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// condition is the filter as a condition.
func (f Filter) condition() Condition {
	c := Condition{Dim: f.Dim, Compare: In, Values: f.Values}
	if f.Negate {
		c.Compare = NotIn
	}
	if f.Dim == Method {
		c.Values = methods(f.Values)
	}
	return c
}
