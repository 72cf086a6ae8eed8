package app

import (
	"math"
	"slices"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/reporting"
)

// figures holds what reports say against the records, counted once more and without them.
func (d *day) figures(records map[string]*contact.Record) {
	type count struct{ queued, abandoned, handled, within float64 }
	want := map[string]*count{}
	for _, r := range records {
		if r.Queue == nil || r.Queue.EnqueueTimestamp.IsZero() {
			continue
		}
		c := want[r.Queue.ID]
		if c == nil {
			c = &count{}
			want[r.Queue.ID] = c
		}
		c.queued++
		handled := r.Agent != nil && !r.Agent.ConnectedToAgentTimestamp.IsZero()
		left := r.Queue.DequeueTimestamp
		if handled {
			c.handled++
		} else if r.NextContactID == "" && !r.Callback {
			c.abandoned++
		}
		if !left.IsZero() && left.Sub(r.Queue.EnqueueTimestamp) < 20*time.Second {
			c.within++
		}
	}
	results, err := reporting.Compute(d.ctx, d.app.db, reporting.Query{
		InstanceID: d.instance, Interval: reporting.Total, From: d.start.Truncate(time.Hour), To: d.start.Add(24 * time.Hour).Truncate(time.Hour),
		Groupings: []reporting.Dim{reporting.Queue}, AgentQueues: true,
		Metrics: []reporting.Metric{
			{Name: "CONTACTS_QUEUED"},
			{Name: "CONTACTS_ABANDONED"},
			{Name: "CONTACTS_HANDLED"},
			{Name: "SERVICE_LEVEL", Threshold: &reporting.Threshold{Seconds: 20}},
		},
	})
	if err != nil {
		d.wrong("reports: %v", err)
		return
	}
	seen := 0
	for _, r := range results {
		c := want[r.Groups[0]]
		if c == nil {
			continue
		}
		seen++
		for i, w := range []float64{c.queued, c.abandoned, c.handled, 100 * c.within / c.queued} {
			if got := r.Values[i]; got == nil || math.Abs(*got-w) > 1e-6 {
				d.wrong("queue %s, figure %d: reports say %v, the records %v", r.Groups[0], i, show(got), w)
			}
		}
	}
	if seen != len(want) {
		d.wrong("reports know %d of %d queues", seen, len(want))
	}
}

func show(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// timelines proves that every agent's day adds up: one event follows another without a gap, the login and the logout are
// where the agent chose them, and the time online of the reports is that of the events to the microsecond.
func (d *day) timelines() {
	byAgent := map[string][]acd.AgentEvent{}
	for behind := int64(0); ; {
		list, err := d.app.db.AgentEvents(d.ctx, d.instance, behind, 1000)
		if err != nil {
			d.wrong("agent events: %v", err)
			return
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			byAgent[e.UserID] = append(byAgent[e.UserID], e)
			behind = e.Seq
		}
	}
	online := map[string]time.Duration{}
	for _, a := range d.agents {
		list := byAgent[a.userID]
		slices.SortStableFunc(list, func(x, y acd.AgentEvent) int { return x.At.Compare(y.At) })
		if len(list) == 0 {
			d.wrong("%s worked all day and has no events", a.name())
			continue
		}
		for i, e := range list {
			if i > 0 && (e.Before.StatusID != list[i-1].After.StatusID || len(e.Before.Contacts) != len(list[i-1].After.Contacts)) {
				d.wrong("%s: event %d begins with %q, the one before ends with %q", a.name(), i, e.Before.StatusName, list[i-1].After.StatusName)
			}
			if i > 0 && list[i-1].After.StatusType != acd.Offline {
				online[a.userID] += e.At.Sub(list[i-1].At)
			}
		}
		if first := a.statuses[0]; list[0].At.Sub(first.at).Abs() > time.Second {
			d.wrong("%s logged in at %s, the first event is of %s", a.name(), first.at, list[0].At)
		}
		if last := list[len(list)-1]; last.After.StatusType != acd.Offline || last.At.Before(a.statuses[len(a.statuses)-1].at.Add(-time.Second)) {
			d.wrong("%s: the last event is %s at %s", a.name(), last.After.StatusName, last.At)
		}
	}
	results, err := reporting.Compute(d.ctx, d.app.db, reporting.Query{
		InstanceID: d.instance, Interval: reporting.Total, From: d.start.Truncate(time.Hour), To: d.start.Add(24 * time.Hour).Truncate(time.Hour),
		Groupings: []reporting.Dim{reporting.Agent}, Metrics: []reporting.Metric{{Name: "SUM_ONLINE_TIME_AGENT"}},
	})
	if err != nil {
		d.wrong("reports: %v", err)
		return
	}
	for _, r := range results {
		want, ok := online[r.Groups[0]]
		if got := r.Values[0]; ok && (got == nil || math.Abs(*got-want.Seconds()) > 1) {
			d.wrong("%s was online for %s, reports say %v s", d.byUser[r.Groups[0]].name(), want, show(got))
		}
	}
	if len(results) < len(online) {
		d.wrong("reports know %d of %d agents", len(results), len(online))
	}
}
