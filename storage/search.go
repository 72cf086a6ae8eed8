package storage

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// How a search goes. Contacts that have ended are found by one index, that of the filter which leaves the fewest (or of
// the time alone), read in the order of the answer; the other filters are looked up in the rows. Which filter leaves the
// fewest is found by counting each in its index up to probeRows. With several values each is read apart, and the parts are
// merged, so that nothing is ever sorted but what is answered. Contacts in progress are few and are looked through.

// probeRows is how far the entries of a filter are counted; a filter below goodRows is good enough to stop asking.
const (
	probeRows = 2000
	goodRows  = 200
	// maxSearchValues bounds the values of one filter.
	maxSearchValues = 100
)

// filter is a list of values of which one must be in a column.
type filter struct {
	column, index string // index: of contacts that have ended; empty: none
	values        []string
}

// hit is a place in the answer.
type hit struct {
	at int64
	id string
}

// SearchContacts finds contacts. A page may have a token, an error is errs.Invalid and names the field.
func (db *DB) SearchContacts(ctx context.Context, q contact.Query) ([]*contact.Record, string, error) {
	n, err := pageSize(resource.Page{Max: q.Max})
	if err != nil {
		return nil, "", err
	}
	after, err := parseCursor(q.Token)
	if err != nil {
		return nil, "", err
	}
	s := &searching{q: q, n: n + 1, after: after, time: "initiated_us", timeIndex: "contact_time"}
	if q.By == contact.ByDisconnect {
		s.time, s.timeIndex = "disconnected_us", "contact_ended"
	}
	if s.filters, s.attributes, err = filtersOf(q); err != nil {
		return nil, "", err
	}
	if !storable(q.InstanceID) {
		return nil, "", nil
	}
	type answer struct {
		list []*contact.Record
		next string
	}
	a, err := read(ctx, db, func(ctx context.Context, t tx) (a answer, err error) {
		a.list, a.next, err = s.run(ctx, t.uncached())
		return a, err
	})
	return a.list, a.next, err
}

// filtersOf checks a query. Values that cannot be stored match nothing and stay: no row has them.
func filtersOf(q contact.Query) (filters, attributes []filter, err error) {
	for _, f := range []struct {
		name, column, index string
		values              []string
	}{
		{"ContactIds", "id", "", q.IDs},
		{"CustomerEndpoints", "customer", "contact_customer", q.Customers},
		{"AgentIds", "agent_id", "contact_agent", q.AgentIDs},
		{"Dispositions", "disposition", "contact_disposition", q.Dispositions},
		{"DisconnectReasons", "reason", "contact_reason", texts(q.Reasons)},
		{"InitiationMethods", "method", "contact_method", texts(q.Methods)},
		{"QueueIds", "queue_id", "contact_queue", q.QueueIDs},
		{"Channels", "channel", "", texts(q.Channels)},
	} {
		if len(f.values) > maxSearchValues {
			return nil, nil, errs.Field(f.name, "must be at most %d; are %d", maxSearchValues, len(f.values))
		}
		if len(f.values) > 0 {
			filters = append(filters, filter{f.column, f.index, distinct(f.values)})
		}
	}
	for name, values := range q.Attributes {
		if len(values) > maxSearchValues || len(q.Attributes) > 10 || len(values) == 0 {
			return nil, nil, errs.Field("SearchableContactAttributes", "must be at most 10 attributes with 1 to %d values each", maxSearchValues)
		}
		attributes = append(attributes, filter{column: clean(name), values: distinct(values)})
	}
	slices.SortFunc(attributes, func(a, b filter) int { return strings.Compare(a.column, b.column) })
	return filters, attributes, nil
}

func texts[T ~string](vs []T) []string {
	out := make([]string, 0, len(vs))
	for _, v := range vs {
		out = append(out, string(v))
	}
	return out
}

func distinct(vs []string) []string {
	out := make([]string, 0, len(vs))
	for _, v := range vs {
		out = append(out, clean(v))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// searching is one search.
type searching struct {
	q                   contact.Query
	n                   int
	after               *cursor
	time, timeIndex     string
	filters, attributes []filter
}

func (s *searching) order(a, b hit) int {
	c := cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id))
	if s.q.Ascending {
		return c
	}
	return -c
}

// run finds the places, merges them, and reads the rows of those that are answered.
func (s *searching) run(ctx context.Context, t tx) (list []*contact.Record, next string, err error) {
	hits, err := s.ended(ctx, t)
	if err != nil {
		return nil, "", err
	}
	if s.time == "initiated_us" && len(s.attributes) == 0 {
		open, openErr := s.open(ctx, t)
		if openErr != nil {
			return nil, "", openErr
		}
		hits = append(hits, open...)
	}
	slices.SortFunc(hits, s.order)
	hits = slices.Compact(hits)
	if len(hits) >= s.n { // one more than the page tells that there is another
		hits = hits[:s.n-1]
		last := hits[len(hits)-1]
		next = cursor{At: last.at, ID: last.id}.token()
	}
	if len(hits) == 0 {
		return nil, "", nil
	}
	args, place := make([]any, 0, len(hits)), make(map[string]int, len(hits))
	for i, h := range hits {
		args = append(args, h.id)
		place[h.id] = i
	}
	list, err = collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact WHERE id IN (`+placeholders(1, len(args))+`)`, args...)
	slices.SortFunc(list, func(a, b *contact.Record) int { return place[a.ID] - place[b.ID] })
	return list, next, err
}

// open looks through the contacts in progress.
func (s *searching) open(ctx context.Context, t tx) ([]hit, error) {
	c := &clause{}
	c.text.WriteString(`SELECT initiated_us, id FROM contact /*by contact_open*/ WHERE open AND instance_id = ` + c.arg(s.q.InstanceID))
	s.place(c, s.time)
	for _, f := range s.filters {
		c.in(f.column, f.values)
	}
	return s.hits(ctx, t, c, s.time)
}

// ended finds contacts that have ended.
func (s *searching) ended(ctx context.Context, t tx) ([]hit, error) {
	if i := slices.IndexFunc(s.filters, func(f filter) bool { return f.column == "id" }); i >= 0 {
		return s.by(ctx, t, filter{column: "id"}, s.filters[i].values)
	}
	for _, f := range s.attributes { // each is exact, and there is nothing better
		return s.byAttribute(ctx, t, f)
	}
	best, fewest := filter{index: s.timeIndex}, probeRows
	for _, f := range s.filters {
		if f.index == "" {
			continue
		}
		n, err := s.probe(ctx, t, f, fewest)
		if err != nil {
			return nil, err
		}
		if n < fewest {
			best, fewest = f, n
		}
		if fewest < goodRows {
			break
		}
	}
	if fewest == probeRows { // nothing is rare: the first filter's index is still better than the time alone
		for _, f := range s.filters {
			if f.index != "" && s.time == "initiated_us" {
				best = f
				break
			}
		}
	}
	if best.column == "" {
		return s.by(ctx, t, best, []string{""})
	}
	return s.by(ctx, t, best, best.values)
}

// probe counts the entries of a filter in its index, up to most.
func (s *searching) probe(ctx context.Context, t tx, f filter, most int) (int, error) {
	total := 0
	for _, v := range f.values {
		c := &clause{}
		c.text.WriteString(`SELECT COUNT(*) FROM (SELECT 1 FROM contact /*by ` + f.index + `*/ WHERE NOT open AND ` + f.column + ` <> ''`)
		c.and(`instance_id = ` + c.arg(s.q.InstanceID))
		c.and(f.column + ` = ` + c.arg(v))
		s.window(c)
		c.text.WriteString(` LIMIT ` + c.arg(most) + `) AS s`)
		n := 0
		if err := t.row(ctx, c.text.String(), c.args...).Scan(&n); err != nil {
			return 0, err
		}
		if total += n; total >= most {
			return most, nil
		}
	}
	return total, nil
}

// longest is the longest that a contact lasts, for searches by another time than that of its beginning.
const longest = 366 * 24 * time.Hour

// window bounds when a contact began.
func (s *searching) window(c *clause) {
	from := s.q.From
	if s.time != "initiated_us" {
		from = from.Add(-longest)
	}
	c.and(`initiated_us >= ` + c.arg(micros(from)))
	c.and(`initiated_us < ` + c.arg(micros(s.q.To)))
}

// by reads an index of contact, each value apart.
func (s *searching) by(ctx context.Context, t tx, f filter, values []string) ([]hit, error) {
	var out []hit
	for _, v := range values {
		c := &clause{}
		c.text.WriteString(`SELECT ` + s.time + `, id FROM contact `)
		if f.index != "" {
			c.text.WriteString(`/*by ` + f.index + `*/ `)
		}
		c.text.WriteString(`WHERE instance_id = ` + c.arg(s.q.InstanceID))
		c.and(`NOT open`)
		switch {
		case f.column == "id":
			c.and(`id = ` + c.arg(v))
		case f.column != "":
			c.and(f.column + ` <> ''`)
			c.and(f.column + ` = ` + c.arg(v))
			s.window(c)
		}
		s.place(c, s.time)
		for _, other := range s.filters {
			if other.column != f.column {
				c.in(other.column, other.values)
			}
		}
		for _, a := range s.attributes { // by id: the contact must have them, too
			c.has(a, s.q.InstanceID)
		}
		hits, err := s.hits(ctx, t, c, s.time)
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	return out, nil
}

// byAttribute reads the attributes' own index.
func (s *searching) byAttribute(ctx context.Context, t tx, f filter) ([]hit, error) {
	var out []hit
	for _, v := range f.values {
		c := &clause{}
		c.text.WriteString(`SELECT c.` + s.time + `, c.id FROM contact_attribute a JOIN contact c ON c.id = a.contact_id
			WHERE a.instance_id = ` + c.arg(s.q.InstanceID) + ` AND a.name = ` + c.arg(f.column) + ` AND a.value = ` + c.arg(v))
		c.and(`NOT c.open`)
		if s.time == "initiated_us" { // in the order of the index
			s.place(c, "a.initiated_us")
			s.rest(c, f)
			hits, err := s.ordered(ctx, t, c, "a.initiated_us", "a.contact_id")
			if err != nil {
				return nil, err
			}
			out = append(out, hits...)
			continue
		}
		s.place(c, "c."+s.time)
		s.rest(c, f)
		hits, err := s.ordered(ctx, t, c, "c."+s.time, "c.id")
		if err != nil {
			return nil, err
		}
		out = append(out, hits...)
	}
	return out, nil
}

// rest are the filters beside the attribute that is read.
func (s *searching) rest(c *clause, read filter) {
	for _, other := range s.filters {
		c.in("c."+other.column, other.values)
	}
	for _, a := range s.attributes {
		if a.column != read.column {
			c.has(a, s.q.InstanceID)
		}
	}
}

// place bounds the time that is asked for, and goes on behind the page before.
func (s *searching) place(c *clause, column string) {
	c.and(column + ` >= ` + c.arg(micros(s.q.From)))
	c.and(column + ` < ` + c.arg(micros(s.q.To)))
	if s.after == nil {
		return
	}
	id := "id"
	if table, _, joined := strings.Cut(column, "."); joined {
		if id = table + ".id"; table == "a" {
			id = "a.contact_id"
		}
	}
	compare := " < "
	if s.q.Ascending {
		compare = " > "
	}
	c.and(`(` + column + `, ` + id + `)` + compare + `(` + c.arg(s.after.At) + `, ` + c.arg(s.after.ID) + `)`)
}

func (s *searching) hits(ctx context.Context, t tx, c *clause, column string) ([]hit, error) {
	return s.ordered(ctx, t, c, column, "id")
}

func (s *searching) ordered(ctx context.Context, t tx, c *clause, column, id string) ([]hit, error) {
	way := " DESC"
	if s.q.Ascending {
		way = " ASC"
	}
	c.text.WriteString(` ORDER BY ` + column + way + `, ` + id + way + ` LIMIT ` + c.arg(s.n))
	return collect(ctx, t, func(sc scanner) (hit, error) {
		var h hit
		err := sc.Scan(&h.at, &h.id)
		return h, err
	}, c.text.String(), c.args...)
}

// clause is a statement being written.
type clause struct {
	text strings.Builder
	args []any
}

func (c *clause) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *clause) and(condition string) { c.text.WriteString(" AND " + condition) }

func (c *clause) in(column string, values []string) {
	list := make([]string, 0, len(values))
	for _, v := range values {
		list = append(list, c.arg(v))
	}
	c.and(column + ` IN (` + strings.Join(list, ", ") + `)`)
}

// has asks for an attribute.
func (c *clause) has(a filter, instanceID string) {
	table := "contact"
	if strings.Contains(c.text.String(), "JOIN contact c") {
		table = "c"
	}
	list := make([]string, 0, len(a.values))
	for _, v := range a.values {
		list = append(list, c.arg(v))
	}
	c.and(`EXISTS (SELECT 1 FROM contact_attribute x WHERE x.contact_id = ` + table + `.id AND x.instance_id = ` + c.arg(instanceID) +
		` AND x.name = ` + c.arg(a.column) + ` AND x.value IN (` + strings.Join(list, ", ") + `))`)
}
