package reporting

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Aggregation is what a Source is asked: sums over the facts of one table, by period and group.
type Aggregation struct {
	InstanceID string
	Table      Table
	Time       Column      // by which a fact belongs to a period
	Borders    []time.Time // of the periods; the first and the last are the range
	Where      []Condition
	Groups     []Dim // facts in which one of these is empty belong to no group
	Measures   []Measure
}

// Row is an answer: the values of the measures of one period and group. Known is false for a Max or Min of nothing.
type Row struct {
	Period int
	Groups []string
	Values []Value
}

// Value is a whole number, or nothing.
type Value struct {
	N     int64
	Known bool
}

// Source answers aggregations. Package storage implements it with SQL; Memory does without.
type Source interface {
	// Aggregate gives a row for each period and group that has facts, in any order.
	Aggregate(ctx context.Context, a Aggregation) ([]Row, error)
}

// Result is one line of an answer: the values of the metrics, in the order of the question, for a period and a group. A
// nil value cannot be computed: there is nothing to divide by.
type Result struct {
	From, To time.Time
	Groups   []string // in the order of Groupings
	Values   []*float64
}

// Compute answers a question that Check has let pass. Lines come by period, then by group; periods and groups without
// facts have none.
func Compute(ctx context.Context, s Source, q Query) ([]Result, error) {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	borders := Periods(q.Interval, q.From, q.To, q.Zone)
	plans := q.plan(borders)
	found := make(map[string]*Result)
	for _, p := range plans {
		got, err := s.Aggregate(ctx, p.Aggregation)
		if err != nil {
			return nil, err
		}
		for _, row := range got {
			key := strings.Join(append([]string{borders[row.Period].UTC().Format(time.RFC3339Nano)}, row.Groups...), "\x00")
			r := found[key]
			if r == nil {
				r = &Result{From: borders[row.Period], To: borders[row.Period+1], Groups: row.Groups, Values: q.nothing()}
				found[key] = r
			}
			for _, m := range p.metrics {
				r.Values[m.index] = m.value(row.Values)
			}
		}
	}
	out := make([]Result, 0, len(found))
	for _, r := range found {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Result) int { return cmp.Or(a.From.Compare(b.From), slices.Compare(a.Groups, b.Groups)) })
	return out, nil
}

// nothing is what the metrics of a line are of which no table has a fact: counts are 0, quotients cannot be computed.
func (q *Query) nothing() []*float64 {
	out, all := make([]*float64, len(q.Metrics)), formulas()
	for i, m := range q.Metrics {
		f := all[m.Name]
		if zero := 0.0; f.unit == count || f.unit == seconds && f.num.Op == Sum {
			out[i] = &zero
		}
	}
	return out
}

// part is an aggregation, and the metrics that come of it.
type part struct {
	Aggregation
	metrics []planned
}

// planned says where the numerator and the denominator of a metric are.
type planned struct {
	index    int
	unit     unit
	num, den int
}

// plan makes one aggregation for each table and time.
func (q *Query) plan(borders []time.Time) []*part {
	var parts []*part
	all := formulas()
	for i, m := range q.Metrics {
		f := all[m.Name]
		if f.time == "" {
			f.time = At
		}
		k := slices.IndexFunc(parts, func(p *part) bool { return p.Table == f.table && p.Time == f.time })
		if k < 0 {
			k = len(parts)
			parts = append(parts, &part{Aggregation: Aggregation{
				InstanceID: q.InstanceID, Table: f.table, Time: f.time, Borders: borders, Where: q.where(f.table), Groups: q.Groupings,
			}})
		}
		p := parts[k]
		num, den := f.num, f.den
		for _, x := range m.Filters {
			num = num.and(x.condition())
			den = den.and(x.condition())
		}
		if t := m.Threshold; t != nil {
			c := Condition{Column: f.threshold, Compare: Below, Value: int64(t.Seconds) * 1e6}
			if t.AtMost {
				c.Compare = AtMost
			}
			num = num.and(c)
		}
		at := planned{index: i, unit: f.unit, num: p.measure(num)}
		if f.unit == average || f.unit == meanSeconds || f.unit == percent {
			at.den = p.measure(den)
		}
		p.metrics = append(p.metrics, at)
	}
	return parts
}

// where is what the filters of a question say of a table.
func (q *Query) where(t Table) []Condition {
	var out []Condition
	named := false
	for _, f := range q.Filters {
		out = append(out, f.condition())
		named = named || f.Dim == Queue && slices.ContainsFunc(f.Values, func(v string) bool { return strings.HasPrefix(v, agentQueuePrefix) })
	}
	if t.hasQueue() && slices.Contains(q.Groupings, Queue) && !q.AgentQueues && !named {
		out = append(out, Condition{Column: agentQueue, Compare: Equal})
	}
	return out
}

// and is a measure with one more condition.
func (m Measure) and(c Condition) Measure {
	m.Where = append(slices.Clone(m.Where), c)
	return m
}

// measure finds a measure, or adds it.
func (p *part) measure(m Measure) int {
	if i := slices.IndexFunc(p.Measures, m.equal); i >= 0 {
		return i
	}
	p.Measures = append(p.Measures, m)
	return len(p.Measures) - 1
}

func (m Measure) equal(o Measure) bool {
	return m.Op == o.Op && m.Column == o.Column && slices.EqualFunc(m.Where, o.Where, func(a, b Condition) bool {
		return a.Column == b.Column && a.Dim == b.Dim && a.Compare == b.Compare && a.Value == b.Value && slices.Equal(a.Values, b.Values)
	})
}

// value is a metric of a row.
func (p *planned) value(v []Value) *float64 {
	num := v[p.num]
	if !num.Known {
		return nil
	}
	x := float64(num.N)
	switch p.unit {
	case count:
		return &x
	case seconds:
		x /= 1e6
		return &x
	case average, meanSeconds, percent:
	}
	den := v[p.den]
	if den.N == 0 {
		return nil
	}
	x /= float64(den.N)
	switch p.unit {
	case meanSeconds:
		x /= 1e6
	case percent:
		x *= 100
	case count, seconds, average:
	}
	return &x
}
