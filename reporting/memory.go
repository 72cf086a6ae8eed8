package reporting

import (
	"context"
	"slices"
	"sort"
	"strings"
	"time"
)

// Memory is a Source over facts in memory: what a database answers, without one.
type Memory struct {
	Facts map[Table][]Fact
	Spans []Span // of Agents
}

var _ Source = (*Memory)(nil)

// Add counts a complete record.
func (m *Memory) Add(facts map[Table][]Fact) {
	if m.Facts == nil {
		m.Facts = make(map[Table][]Fact)
	}
	for t, list := range facts {
		m.Facts[t] = append(m.Facts[t], list...)
	}
}

// Aggregate implements Source.
func (m *Memory) Aggregate(_ context.Context, a Aggregation) ([]Row, error) {
	sums := NewSums(a)
	for i := range m.Facts[a.Table] {
		sums.Add(&m.Facts[a.Table][i])
	}
	if a.Table == Agents {
		for i := range m.Spans {
			sums.AddSpan(&m.Spans[i])
		}
	}
	return sums.Rows(), nil
}

// Sums adds facts up as an aggregation asks.
type Sums struct {
	a    Aggregation
	rows map[string]*Row
}

// NewSums begins with nothing.
func NewSums(a Aggregation) *Sums { return &Sums{a: a, rows: make(map[string]*Row)} }

// AddSpan adds a piece of an agent's timeline, cut at the borders of the periods.
func (s *Sums) AddSpan(p *Span) {
	for i := range len(s.a.Borders) - 1 {
		if f, ok := p.Cut(s.a.Borders[i], s.a.Borders[i+1]); ok {
			s.add(i, &f)
		}
	}
}

// Add adds a fact, if the aggregation asks for it.
func (s *Sums) Add(f *Fact) {
	at := f.number(s.a.Time)
	if at == 0 {
		return
	}
	b := s.a.Borders
	i := sort.Search(len(b), func(i int) bool { return micros(b[i]) > at }) - 1
	if i >= 0 && i < len(b)-1 {
		s.add(i, f)
	}
}

func (s *Sums) add(period int, f *Fact) {
	if !meets(f, s.a.Where) {
		return
	}
	groups := make([]string, len(s.a.Groups))
	for i, d := range s.a.Groups {
		if groups[i] = f.Dims[d]; groups[i] == "" {
			return
		}
	}
	row := s.row(period, groups)
	for i, m := range s.a.Measures {
		if meets(f, m.Where) {
			n := int64(1)
			if m.Op != Count {
				n = f.number(m.Column)
			}
			row.Values[i].merge(m.Op, Value{N: n, Known: true})
		}
	}
}

// Merge adds a row that somebody else has added up.
func (s *Sums) Merge(r Row) {
	row := s.row(r.Period, r.Groups)
	for i, m := range s.a.Measures {
		row.Values[i].merge(m.Op, r.Values[i])
	}
}

// row finds a row, or begins it.
func (s *Sums) row(period int, groups []string) *Row {
	key := strings.Join(append([]string{time.Duration(period).String()}, groups...), "\x00")
	row := s.rows[key]
	if row == nil {
		row = &Row{Period: period, Groups: groups, Values: make([]Value, len(s.a.Measures))}
		for i, m := range s.a.Measures {
			row.Values[i].Known = m.Op == Count || m.Op == Sum
		}
		s.rows[key] = row
	}
	return row
}

// Rows are the sums.
func (s *Sums) Rows() []Row {
	out := make([]Row, 0, len(s.rows))
	for _, r := range s.rows {
		out = append(out, *r)
	}
	return out
}

// merge adds another value.
func (v *Value) merge(op Op, o Value) {
	switch {
	case !o.Known:
	case !v.Known:
		*v = o
	case op == Max:
		v.N = max(v.N, o.N)
	case op == Min:
		v.N = min(v.N, o.N)
	default:
		v.N += o.N
	}
}

func meets(f *Fact, where []Condition) bool {
	for i := range where {
		if !where[i].holds(f) {
			return false
		}
	}
	return true
}

func (c *Condition) holds(f *Fact) bool {
	n := f.number(c.Column)
	switch c.Compare {
	case Equal:
		return n == c.Value
	case AtMost:
		return n <= c.Value
	case Below:
		return n < c.Value
	case Above:
		return n > c.Value
	case In:
		return slices.Contains(c.Values, f.Dims[c.Dim])
	case NotIn:
		return !slices.Contains(c.Values, f.Dims[c.Dim])
	}
	return false
}
