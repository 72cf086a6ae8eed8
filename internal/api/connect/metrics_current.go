package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// The limits of GetCurrentMetricData.
const (
	currentQueues   = 100
	currentChannels = 3
	currentSteps    = 50
	currentStatuses = 50
	currentMetrics  = 50
)

// Groupings of GetCurrentMetricData.
const (
	byQueue   = "QUEUE"
	byChannel = "CHANNEL"
	byProfile = "ROUTING_PROFILE"
	byStatus  = "AGENT_STATUS"
	byStep    = "ROUTING_STEP_EXPRESSION"
)

// agentsOnline is what lines are in the order of, if nothing else is asked for.
const agentsOnline = "AGENTS_ONLINE"

type currentMetric struct {
	Name     string           `json:"Name"`
	MetricID rest.Unsupported `json:"MetricId,omitzero"`
	Unit     string           `json:"Unit,omitempty"`
}

type currentSort struct {
	SortByMetric string `json:"SortByMetric,omitempty"`
	SortOrder    string `json:"SortOrder,omitempty"`
}

type getCurrentMetricDataInput struct {
	InstanceID     string          `json:"-" path:"InstanceId" ref:"instance"`
	Filters        *metricFilters  `json:"Filters"`
	Groupings      []string        `json:"Groupings,omitempty"`
	CurrentMetrics []currentMetric `json:"CurrentMetrics"`
	SortCriteria   []currentSort   `json:"SortCriteria,omitempty"`
	MaxResults     int             `json:"MaxResults,omitempty"`
	NextToken      string          `json:"NextToken,omitempty"`
}

type currentMetricData struct {
	Metric currentMetric `json:"Metric"`
	Value  *float64      `json:"Value,omitempty"`
}

type currentMetricResult struct {
	Dimensions  *metricDimensions   `json:"Dimensions,omitempty"`
	Collections []currentMetricData `json:"Collections"`
}

type getCurrentMetricDataOutput struct {
	MetricResults         []currentMetricResult `json:"MetricResults"`
	DataSnapshotTime      rest.Time             `json:"DataSnapshotTime"`
	ApproximateTotalCount int                   `json:"ApproximateTotalCount"`
	NextToken             string                `json:"NextToken,omitempty"`
}

// currentLine is a line of the answer before it is cut into pages.
type currentLine struct {
	scope
	key  string // of the dimensions: what lines of one figure are ordered by
	dims *metricDimensions
	rank float64
}

// after says behind which line the next page begins.
type after struct {
	Rank float64 `json:"r"`
	Key  string  `json:"k"`
}

func (s *service) getCurrentMetricData(ctx context.Context, c *rest.Call, in *getCurrentMetricDataInput) (*getCurrentMetricDataOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	if err = in.check(); err != nil {
		return nil, err
	}
	m, err := s.look(ctx, c)
	if err != nil {
		return nil, err
	}
	lines := m.lines(c.Instance(), in)
	order := currentSort{SortByMetric: agentsOnline, SortOrder: "DESCENDING"}
	if len(in.SortCriteria) > 0 {
		order.SortByMetric = cmp.Or(in.SortCriteria[0].SortByMetric, agentsOnline)
		order.SortOrder = cmp.Or(in.SortCriteria[0].SortOrder, "DESCENDING")
	}
	for i := range lines {
		lines[i].rank, _ = m.figure(order.SortByMetric, &lines[i].scope)
		if order.SortOrder == "DESCENDING" {
			lines[i].rank = -lines[i].rank
		}
	}
	compare := func(a, b after) int { return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key)) }
	slices.SortFunc(lines, func(a, b currentLine) int { return compare(after{a.rank, a.key}, after{b.rank, b.key}) })
	out := &getCurrentMetricDataOutput{
		MetricResults: []currentMetricResult{}, DataSnapshotTime: rest.At(m.at), ApproximateTotalCount: len(lines),
	}
	if pg.Token != "" {
		var from after
		if err = openToken(pg.Token, &from); err != nil {
			return nil, err
		}
		lines = slices.DeleteFunc(lines, func(l currentLine) bool { return compare(after{l.rank, l.key}, from) <= 0 })
	}
	if len(lines) > pg.Max {
		lines = lines[:pg.Max]
		out.NextToken = sealToken(after{lines[pg.Max-1].rank, lines[pg.Max-1].key})
	}
	for i := range lines {
		r := currentMetricResult{Dimensions: lines[i].dims}
		for _, want := range in.CurrentMetrics {
			d := currentMetricData{Metric: want}
			if v, ok := m.figure(want.Name, &lines[i].scope); ok {
				if want.Name == "OLDEST_CONTACT_AGE" && len(in.Groupings) == 0 {
					v *= 1000 // in Connect it is milliseconds then, whatever the unit says
				}
				d.Value = &v
			}
			r.Collections = append(r.Collections, d)
		}
		out.MetricResults = append(out.MetricResults, r)
	}
	return out, nil
}

// currentUnits are the metrics that there are, with their units.
func currentUnits() map[string]string {
	units := map[string]string{"OLDEST_CONTACT_AGE": "SECONDS", "ESTIMATED_WAIT_TIME": "SECONDS"}
	for _, name := range []string{
		agentsOnline, "AGENTS_AVAILABLE", "AGENTS_ON_CALL", "AGENTS_ON_CONTACT", "AGENTS_NON_PRODUCTIVE", "AGENTS_AFTER_CONTACT_WORK", "AGENTS_ERROR",
		"AGENTS_STAFFED", "CONTACTS_IN_QUEUE", "CONTACTS_SCHEDULED", "SLOTS_ACTIVE", "SLOTS_AVAILABLE",
	} {
		units[name] = "COUNT"
	}
	return units
}

// check says what is wrong with a request.
func (in *getCurrentMetricDataInput) check() error {
	if err := in.checkFilters(); err != nil {
		return err
	}
	if err := in.checkGroupings(); err != nil {
		return err
	}
	units := currentUnits()
	if n := len(in.CurrentMetrics); n > currentMetrics {
		return errs.Field("CurrentMetrics", "must be at most %d; are %d", currentMetrics, n)
	}
	f := in.Filters
	for i, m := range in.CurrentMetrics {
		field := fmt.Sprintf("CurrentMetrics[%d]", i)
		unit, ok := units[m.Name]
		switch {
		case !ok:
			return errs.Field(field+".Name", "%q is not a real-time metric", m.Name)
		case m.Unit != "" && m.Unit != unit:
			return errs.Field(field+".Unit", "must be %s for %s; is %q", unit, m.Name, m.Unit)
		case slices.Contains(in.Groupings, byStatus) && m.Name != agentsOnline:
			return errs.Field(field+".Name", "must be AGENTS_ONLINE when grouped by AGENT_STATUS; is %s", m.Name)
		case slices.Contains(in.Groupings, byStep) && !slices.Contains([]string{"CONTACTS_IN_QUEUE", "OLDEST_CONTACT_AGE"}, m.Name):
			return errs.Field(field+".Name", "must be CONTACTS_IN_QUEUE or OLDEST_CONTACT_AGE when grouped by ROUTING_STEP_EXPRESSION; is %s", m.Name)
		case m.Name == "ESTIMATED_WAIT_TIME" && (len(f.Queues) == 0 || len(f.Channels) == 0 || !slices.Equal(in.Groupings, []string{byQueue, byChannel})):
			return errs.Field(field+".Name", "ESTIMATED_WAIT_TIME needs the filters Queues and Channels and the groupings QUEUE, CHANNEL")
		case slices.Contains(in.Groupings, byProfile) && len(f.RoutingProfiles) == 0 &&
			slices.Contains([]string{"CONTACTS_SCHEDULED", "CONTACTS_IN_QUEUE", "OLDEST_CONTACT_AGE"}, m.Name):
			return errs.Field(field+".Name", "%s by ROUTING_PROFILE needs the filter RoutingProfiles", m.Name)
		}
	}
	if len(in.SortCriteria) > 1 {
		return errs.Field("SortCriteria", "must be at most one; are %d", len(in.SortCriteria))
	}
	for _, c := range in.SortCriteria {
		switch {
		case c.SortByMetric != "" && units[c.SortByMetric] == "" || strings.HasPrefix(c.SortByMetric, "SLOTS_"):
			return errs.Field("SortCriteria[0].SortByMetric", "%q is not something to sort by", c.SortByMetric)
		case c.SortOrder != "" && c.SortOrder != "ASCENDING" && c.SortOrder != "DESCENDING":
			return errs.Field("SortCriteria[0].SortOrder", "must be ASCENDING or DESCENDING; is %q", c.SortOrder)
		}
	}
	return nil
}

func (in *getCurrentMetricDataInput) checkFilters() error {
	f := in.Filters
	for _, l := range []struct {
		field string
		n     int
		most  int
	}{
		{"Queues", len(f.Queues), currentQueues},
		{"RoutingProfiles", len(f.RoutingProfiles), currentQueues},
		{"Channels", len(f.Channels), currentChannels},
		{"RoutingStepExpressions", len(f.RoutingStepExpressions), currentSteps},
		{"AgentStatuses", len(f.AgentStatuses), currentStatuses},
	} {
		if l.n > l.most {
			return errs.Field("Filters."+l.field, "must be at most %d; are %d", l.most, l.n)
		}
	}
	switch {
	case len(f.Queues) > 0 && len(f.RoutingProfiles) > 0:
		return errs.Field("Filters", "can have Queues or RoutingProfiles, not both")
	case len(f.Queues)+len(f.RoutingProfiles) == 0:
		return errs.Field("Filters", "must have Queues or RoutingProfiles")
	case len(f.AgentStatuses) > 0 && len(f.Queues) == 0:
		return errs.Field("Filters.AgentStatuses", "needs Queues beside it")
	case len(f.RoutingStepExpressions) > 0 && len(f.Queues) != 1:
		return errs.Field("Filters.RoutingStepExpressions", "needs exactly one of Queues beside it")
	case len(f.RoutingStepExpressions) > 0 && !slices.Contains(in.Groupings, byStep):
		return errs.Field("Filters.RoutingStepExpressions", "needs the grouping ROUTING_STEP_EXPRESSION")
	}
	for i, ch := range f.Channels {
		if !slices.Contains([]string{string(contact.Voice), string(contact.Chat), string(contact.Task)}, ch) {
			return errs.Field(fmt.Sprintf("Filters.Channels[%d]", i), "must be VOICE, CHAT or TASK; is %q", ch)
		}
	}
	return nil
}

func (in *getCurrentMetricDataInput) checkGroupings() error {
	f := in.Filters
	for i, g := range in.Groupings {
		field := fmt.Sprintf("Groupings[%d]", i)
		switch {
		case !slices.Contains([]string{byQueue, byChannel, byProfile, byStatus, byStep}, g):
			return errs.Field(field, "must be QUEUE, CHANNEL, ROUTING_PROFILE, AGENT_STATUS or ROUTING_STEP_EXPRESSION; is %q", g)
		case slices.Contains(in.Groupings[:i], g):
			return errs.Field(field, "%s is there twice", g)
		case g == byStatus && (in.Groupings[0] != byQueue || len(f.Queues) == 0):
			return errs.Field(field, "AGENT_STATUS needs QUEUE as the first grouping, and the filter Queues")
		case g == byStep && len(f.Queues) != 1:
			return errs.Field(field, "ROUTING_STEP_EXPRESSION needs exactly one of Queues as filter")
		case g == byQueue && len(f.Queues) == 0:
			return errs.Field(field, "QUEUE needs the filter Queues")
		}
	}
	return nil
}

// look takes a look at agents and queues.
func (s *service) look(ctx context.Context, c *rest.Call) (*moment, error) {
	profiles, err := resource.All(ctx, s.RoutingProfiles, c.Instance())
	if err != nil {
		return nil, err
	}
	m := &moment{
		at: time.Now(), agents: s.Agents.CurrentUsers(c.Instance()), waiting: s.Line.Waiting(c.Instance()), profiles: make(map[string]*acd.RoutingProfile),
		estimates: func(queueID string, ch contact.Channel) (time.Duration, bool) {
			return s.Line.EstimatedWait(c.Instance(), queueID, ch)
		},
	}
	for _, p := range profiles {
		m.profiles[p.ID] = p
	}
	m.scheduled, err = s.Line.Scheduled(ctx, c.Instance())
	return m, err
}

// lines are the groups that a request asks for: each value of a filter is one, with figures or without.
func (m *moment) lines(instanceID string, in *getCurrentMetricDataInput) []currentLine {
	f := in.Filters
	begin := currentLine{scope: scope{queues: f.Queues, profiles: f.RoutingProfiles, channels: f.Channels, statuses: f.AgentStatuses, steps: f.RoutingStepExpressions}}
	begin.ofProfiles = len(f.RoutingProfiles) > 0
	if begin.ofProfiles {
		begin.queues = m.queuesOf(f.RoutingProfiles, f.Channels)
	}
	if len(in.Groupings) > 0 {
		begin.dims = &metricDimensions{}
	}
	lines := []currentLine{begin}
	for _, g := range in.Groupings {
		var next []currentLine
		for _, l := range lines {
			next = append(next, m.split(instanceID, l, g)...)
		}
		lines = next
	}
	return lines
}

// queuesOf are the queues that profiles serve.
func (m *moment) queuesOf(profiles, channels []string) []string {
	out := []string{""} // nothing waits there: a profile without queues has no contacts
	for _, id := range profiles {
		if p := m.profiles[id]; p != nil {
			for _, q := range p.Queues {
				if len(channels) == 0 || slices.Contains(channels, string(q.Channel)) {
					out = append(out, q.QueueID)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// split is a line by one grouping more.
func (m *moment) split(instanceID string, l currentLine, grouping string) []currentLine {
	var out []currentLine
	add := func(key string, narrow func(*currentLine)) {
		n := l
		d := *l.dims
		n.dims, n.key = &d, l.key+"\x00"+key
		narrow(&n)
		out = append(out, n)
	}
	ref := func(kind resource.Kind, id string) *reference {
		return &reference{ID: id, ARN: resource.ARN(instanceID, kind, id)}
	}
	switch grouping {
	case byQueue:
		for _, id := range l.queues {
			add(id, func(n *currentLine) { n.queues, n.dims.Queue = []string{id}, ref(resource.KindQueue, id) })
		}
	case byChannel:
		channels := l.channels
		if len(channels) == 0 {
			channels = []string{string(contact.Voice), string(contact.Chat), string(contact.Task)}
		}
		for _, ch := range channels {
			add(ch, func(n *currentLine) { n.channels, n.dims.Channel = []string{ch}, ch })
		}
	case byProfile:
		profiles := l.profiles
		if len(profiles) == 0 {
			for id, p := range m.profiles {
				if slices.ContainsFunc(p.Queues, func(q acd.ProfileQueue) bool { return slices.Contains(l.queues, q.QueueID) }) {
					profiles = append(profiles, id)
				}
			}
		}
		for _, id := range profiles {
			add(id, func(n *currentLine) {
				n.profiles, n.dims.RoutingProfile = []string{id}, ref(resource.KindRoutingProfile, id)
				if n.ofProfiles {
					n.queues = m.queuesOf(n.profiles, n.channels)
				}
			})
		}
	case byStatus:
		for _, id := range m.statusesIn(&l.scope) {
			add(id, func(n *currentLine) {
				n.statuses, n.dims.AgentStatus = []string{id}, &statusIdentity{ID: id, ARN: resource.ARN(instanceID, resource.KindAgentStatus, id)}
			})
		}
	case byStep:
		for _, step := range m.stepsIn(&l.scope) {
			add(step, func(n *currentLine) { n.step, n.hasStep, n.dims.RoutingStepExpression = step, true, step })
		}
	}
	return out
}

// statusesIn are the statuses that agents of a scope are in.
func (m *moment) statusesIn(s *scope) []string {
	var out []string
	for i := range m.agents {
		if a := &m.agents[i]; a.StatusID != "" && m.serves(a, s) && a.StatusType != acd.Offline {
			out = append(out, a.StatusID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// stepsIn are the routing steps that contacts of a scope are at.
func (m *moment) stepsIn(s *scope) []string {
	out := slices.Clone(s.steps)
	for i := range m.waiting {
		w := &m.waiting[i]
		if len(s.steps) > 0 {
			break
		}
		if step := stepOf(w, m.at); step != "" && within(s.queues, w.QueueID) && within(s.channels, string(w.Channel)) {
			out = append(out, step)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// stepOf is the expression of the routing step that a contact is at; empty if there is none (any more).
func stepOf(w *acd.WaitingSnapshot, now time.Time) string {
	if w.Criteria == nil {
		return ""
	}
	at := w.Criteria.Since
	for _, step := range w.Criteria.Steps {
		if at = at.Add(step.Expiry); step.Expiry == 0 || at.After(now) {
			b, err := json.Marshal(step.Expression)
			if err != nil {
				return ""
			}
			return string(b)
		}
	}
	return ""
}
