package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"ullim/acd"
	"ullim/reporting"
)

var _ reporting.Source = (*DB)(nil)

// wideRange is a range that is worth to be read by two connections at once.
const wideRange = 48 * time.Hour

// Aggregate implements reporting.Source: the sums are SQL's. A range is cut into runs of periods of one length (the days
// on which clocks change have another), so that the number of a period is a quotient.
func (db *DB) Aggregate(ctx context.Context, a reporting.Aggregation) ([]reporting.Row, error) {
	sums := reporting.NewSums(a)
	var jobs []job
	for _, r := range runs(a.Borders) {
		jobs = append(jobs, r.jobs(a.Table)...)
	}
	if a.Table == reporting.Agents {
		open, err := db.openSpans(ctx, a.InstanceID)
		if err != nil {
			return nil, err
		}
		for i := range open {
			sums.AddSpan(&open[i])
		}
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for _, j := range jobs {
		wg.Go(func() {
			rows, err := db.aggregate(ctx, &a, j)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = err
			}
			for _, row := range rows {
				sums.Merge(row)
			}
		})
	}
	wg.Wait()
	if first != nil {
		return nil, first
	}
	return sums.Rows(), nil
}

// run is consecutive periods of one length.
type run struct {
	first    int // its number
	from, to time.Time
	length   time.Duration
}

func runs(borders []time.Time) []run {
	var out []run
	for i := range len(borders) - 1 {
		length := borders[i+1].Sub(borders[i])
		if n := len(out); n > 0 && out[n-1].length == length {
			out[n-1].to = borders[i+1]
			continue
		}
		out = append(out, run{first: i, from: borders[i], to: borders[i+1], length: length})
	}
	return out
}

// job is a part of a run that one statement reads.
type job struct {
	run
	table    string
	begin    time.Time
	end      time.Time
	clipping bool // rows are pieces from at_us to to_us, cut at the ends of the run
}

// jobs cuts a run. What agents did is read by whole quarters of an hour, and only its edges piece by piece.
func (r run) jobs(t reporting.Table) []job {
	if t != reporting.Agents {
		if r.to.Sub(r.from) < wideRange {
			return []job{{run: r, table: string(t), begin: r.from, end: r.to}}
		}
		half := r.from.Add(r.to.Sub(r.from) / 2)
		return []job{{run: r, table: string(t), begin: r.from, end: half}, {run: r, table: string(t), begin: half, end: r.to}}
	}
	a, b := r.from.Truncate(reporting.Quarter), r.to.Truncate(reporting.Quarter)
	if a.Before(r.from) {
		a = a.Add(reporting.Quarter)
	}
	if b.Before(a) || r.from.Add(r.length).Before(r.to) && r.length%reporting.Quarter != 0 {
		return []job{{run: r, table: "agent_span", begin: r.from, end: r.to, clipping: true}}
	}
	out := []job{{run: r, table: string(t), begin: a, end: b}}
	if r.from.Before(a) {
		out = append(out, job{run: r, table: "agent_span", begin: r.from, end: a, clipping: true})
	}
	if b.Before(r.to) {
		out = append(out, job{run: r, table: "agent_span", begin: b, end: r.to, clipping: true})
	}
	return out
}

// statement is SQL under construction.
type statement struct {
	text strings.Builder
	args []any
}

// arg adds a value and gives its placeholder.
func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return fmt.Sprintf("$%d", len(s.args))
}

// condition writes a condition. Columns are those of package reporting; only values come from outside.
func (s *statement) condition(c *reporting.Condition) string {
	switch c.Compare {
	case reporting.Equal:
		return fmt.Sprintf("%s = %d", c.Column, c.Value)
	case reporting.AtMost:
		return fmt.Sprintf("%s <= %d", c.Column, c.Value)
	case reporting.Below:
		return fmt.Sprintf("%s < %d", c.Column, c.Value)
	case reporting.Above:
		return fmt.Sprintf("%s > %d", c.Column, c.Value)
	case reporting.In, reporting.NotIn:
	}
	var list []string
	for _, v := range c.Values {
		if storable(v) { // nothing is stored that is not
			list = append(list, s.arg(v))
		}
	}
	not := ""
	if c.Compare == reporting.NotIn {
		not = "NOT "
	}
	if len(list) == 0 {
		return not + "1 = 0"
	}
	return c.Dim.Column() + " " + not + "IN (" + strings.Join(list, ", ") + ")"
}

// measure writes a measure. part is the share of a piece that lies in the range, as a factor.
func (s *statement) measure(m *reporting.Measure, clipped string) string {
	var where []string
	for i := range m.Where {
		where = append(where, s.condition(&m.Where[i]))
	}
	value, other := "1", "0"
	if m.Op != reporting.Count {
		value = string(m.Column) + clipped
	}
	fn := "SUM"
	switch m.Op {
	case reporting.Max:
		fn, other = "MAX", "NULL"
	case reporting.Min:
		fn, other = "MIN", "NULL"
	case reporting.Count, reporting.Sum:
	}
	switch {
	case len(where) > 0:
		value = "CASE WHEN " + strings.Join(where, " AND ") + " THEN " + value + " ELSE " + other + " END"
	case m.Op == reporting.Count:
		return "COUNT(*)"
	}
	return "CAST(" + fn + "(" + value + ") AS BIGINT)"
}

// aggregate runs one statement.
func (db *DB) aggregate(ctx context.Context, a *reporting.Aggregation, j job) ([]reporting.Row, error) {
	if !storable(a.InstanceID) {
		return nil, nil
	}
	var s statement
	begin, end := micros(j.begin), micros(j.end)
	at, clipped := string(a.Time), ""
	if j.clipping { // all within one run, whose periods are longer than a piece or one
		at = fmt.Sprintf("CASE WHEN at_us < %d THEN %d ELSE at_us END", begin, begin)
		clipped = fmt.Sprintf(" / (to_us - at_us) * ((CASE WHEN to_us > %d THEN %d ELSE to_us END) - (%s))", end, end, at)
	}
	fmt.Fprintf(&s.text, "SELECT (%s - %d) / %d", at, micros(j.from), j.length.Microseconds())
	columns := []string{"1"}
	for i, d := range a.Groups {
		s.text.WriteString(", " + d.Column())
		columns = append(columns, fmt.Sprint(i+2))
	}
	for i := range a.Measures {
		s.text.WriteString(", " + s.measure(&a.Measures[i], clipped))
	}
	fmt.Fprintf(&s.text, " FROM %s WHERE instance_id = %s AND ", j.table, s.arg(a.InstanceID))
	if j.clipping {
		fmt.Fprintf(&s.text, "at_us > %d AND at_us < %d AND to_us > %d", begin-reporting.Quarter.Microseconds(), end, begin)
	} else {
		fmt.Fprintf(&s.text, "%[1]s >= %[2]d AND %[1]s < %[3]d", a.Time, begin, end)
		if a.Time != reporting.At {
			fmt.Fprintf(&s.text, " AND %s > 0", a.Time)
		}
	}
	for i := range a.Where {
		s.text.WriteString(" AND " + s.condition(&a.Where[i]))
	}
	for _, d := range a.Groups {
		s.text.WriteString(" AND " + d.Column() + " <> ''")
	}
	s.text.WriteString(" GROUP BY " + strings.Join(columns, ", "))
	return read(ctx, db, func(ctx context.Context, t tx) ([]reporting.Row, error) {
		return collectUncached(ctx, t, func(r scanner) (reporting.Row, error) { return scanSums(r, a, j.first) }, s.text.String(), s.args...)
	})
}

// scanSums reads a row of an aggregation.
func scanSums(r scanner, a *reporting.Aggregation, first int) (reporting.Row, error) {
	row := reporting.Row{Groups: make([]string, len(a.Groups)), Values: make([]reporting.Value, len(a.Measures))}
	into := []any{&row.Period}
	for i := range row.Groups {
		into = append(into, &row.Groups[i])
	}
	numbers := make([]*int64, len(a.Measures))
	for i := range numbers {
		into = append(into, &numbers[i])
	}
	err := r.Scan(into...)
	row.Period += first
	for i, n := range numbers {
		if n != nil {
			row.Values[i] = reporting.Value{N: *n, Known: true}
		}
	}
	return row, err
}

// openSpans are the pieces of what agents are doing now, up to now.
func (db *DB) openSpans(ctx context.Context, instanceID string) ([]reporting.Span, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	until := now()
	lists, err := read(ctx, db, func(ctx context.Context, t tx) ([][]reporting.Span, error) {
		return collect(ctx, t, func(s scanner) ([]reporting.Span, error) {
			var userID, body string
			var since int64
			if err := s.Scan(&userID, &since, &body); err != nil {
				return nil, err
			}
			var m acd.AgentMoment
			if err := json.Unmarshal([]byte(body), &m); err != nil {
				return nil, fmt.Errorf("storage: body of an event of agent %s: %w", userID, err)
			}
			state := stateOf(userID, &m)
			return state.Spans(fromMicros(since), until), nil
		}, `SELECT user_id, since_us, body FROM agent_now WHERE instance_id = $1`, instanceID)
	})
	var out []reporting.Span
	for _, l := range lists {
		out = append(out, l...)
	}
	return out, err
}
