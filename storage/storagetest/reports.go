package storagetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/acd"
	"ullim/reporting"
	"ullim/storage"
)

func testReports(t *testing.T, open Open) {
	t.Helper()
	t.Run("figures agree with a second computation", func(t *testing.T) { figures(t, open) })
}

// fill stores a world: events first, so that offers find where agents stand.
func fill(t *testing.T, db *storage.DB, w *world) *naive {
	t.Helper()
	ctx := t.Context()
	n := &naive{w: w, now: make(map[string]acd.AgentMoment)}
	for part := range slices.Chunk(w.events, 50) {
		must(t, db.PutAgentEvents(ctx, part))
	}
	must(t, db.PutAgentEvents(ctx, w.events[:min(10, len(w.events))])) // again: nothing is counted twice
	for _, e := range w.events {
		n.now[e.UserID] = e.After
	}
	for i, r := range w.records {
		stored := *r
		if r.Agent != nil {
			a := *r.Agent
			a.AfterContactWorkStart, a.AfterContactWorkEnd = time.Time{}, time.Time{}
			stored.Agent = &a
		}
		must(t, db.CreateContact(ctx, &stored))
		if r.Agent == nil {
			must(t, db.CloseContact(ctx, &stored))
			continue
		}
		_, ok, err := db.Reserve(ctx, acd.Reservation{
			OfferID: r.ID, InstanceID: "i1", UserID: "r-" + r.ID, ContactID: r.ID, Channel: r.Channel, State: acd.SlotACW, Node: "n1", Since: r.DisconnectTimestamp,
		}, 0, 1)
		must(t, err)
		if !ok {
			t.Fatal("not reserved")
		}
		work := func() {
			must(t, db.PutAfterContactWork(ctx, r.ID, r.Agent.AfterContactWorkStart, time.Time{}))
			must(t, db.PutAfterContactWork(ctx, r.ID, r.Agent.AfterContactWorkStart, r.Agent.AfterContactWorkEnd))
		}
		if i%2 == 0 { // either order happens
			work()
		}
		must(t, db.CloseContact(ctx, &stored))
		if i%2 == 1 {
			work()
		}
	}
	return n
}

// questions are what is asked of a world: every grouping and interval that there is, with borders that fall between quarters.
func questions(w *world, r *rand.Rand) []reporting.Query {
	contactMetrics := []reporting.Metric{
		{Name: "SERVICE_LEVEL", Threshold: &reporting.Threshold{Seconds: 20}},
		{Name: "SERVICE_LEVEL", Threshold: &reporting.Threshold{Seconds: 60, AtMost: true}},
		{Name: "SUM_CONTACTS_ABANDONED_IN_X", Threshold: &reporting.Threshold{Seconds: 30}},
		{Name: "SUM_CONTACTS_ANSWERED_IN_X", Threshold: &reporting.Threshold{Seconds: 45}},
		{Name: "CONTACTS_HANDLED", Filters: []reporting.Filter{{Dim: reporting.Method, Values: []string{"INCOMING"}}}},
		{Name: "CONTACTS_HANDLED", Filters: []reporting.Filter{{Dim: reporting.Reason, Values: []string{"AGENT_DISCONNECT"}, Negate: true}}},
	}
	for name := range strings.FieldsSeq(`CONTACTS_QUEUED CONTACTS_ABANDONED ABANDONMENT_RATE AVG_ABANDON_TIME AVG_QUEUE_ANSWER_TIME MAX_QUEUED_TIME
		SUM_CONTACTS_DISCONNECTED SUM_RETRY_CALLBACK_ATTEMPTS AVG_CONTACT_DURATION CONTACTS_HANDLED AVG_HANDLE_TIME SUM_HANDLE_TIME AVG_ACTIVE_TIME
		AVG_AGENT_PAUSE_TIME AVG_AFTER_CONTACT_WORK_TIME AVG_INTERACTION_TIME AVG_INTERACTION_AND_HOLD_TIME AVG_HOLD_TIME AVG_HOLD_TIME_ALL_CONTACTS
		CONTACTS_PUT_ON_HOLD CONTACTS_ON_HOLD_AGENT_DISCONNECT CONTACTS_TRANSFERRED_OUT CONTACTS_TRANSFERRED_OUT_BY_AGENT CONTACTS_TRANSFERRED_OUT_EXTERNAL
		AVG_AGENT_CONNECTING_TIME AVG_MESSAGES CONTACTS_CREATED CONTACTS_QUEUED_BY_ENQUEUE CONTACTS_HANDLED_BY_CONNECTED_TO_AGENT`) {
		contactMetrics = append(contactMetrics, reporting.Metric{Name: name})
	}
	var agentMetrics, both []reporting.Metric
	for name := range strings.FieldsSeq(`AGENT_OCCUPANCY AVG_AGENT_CONCURRENCY SUM_CONTACT_TIME_AGENT SUM_IDLE_TIME_AGENT SUM_NON_PRODUCTIVE_TIME_AGENT
		SUM_ONLINE_TIME_AGENT SUM_ERROR_STATUS_TIME_AGENT`) {
		agentMetrics = append(agentMetrics, reporting.Metric{Name: name})
	}
	both = append(slices.Clone(agentMetrics), reporting.Metric{Name: "CONTACTS_HANDLED"}, reporting.Metric{Name: "AGENT_NON_RESPONSE"},
		reporting.Metric{Name: "AGENT_ANSWER_RATE"}, reporting.Metric{Name: "AGENT_NON_RESPONSE_WITHOUT_CUSTOMER_ABANDONS"})
	seoul, berlin := time.FixedZone("KST", 9*3600), zone("Europe/Berlin")
	all := reporting.Filter{Dim: reporting.Queue, Values: []string{"q1", "q2", "q3", "agent/a1"}}
	some := reporting.Filter{Dim: reporting.Queue, Values: []string{"q1", "q3"}}
	people := reporting.Filter{Dim: reporting.Agent, Values: []string{"a0", "a1", "a2", "a3", "a4"}}
	odd := func() time.Duration { return time.Duration(r.Int64N(int64(2 * time.Hour))).Truncate(time.Microsecond) }
	from, to := w.begin.Add(odd()), w.begin.Add(90*time.Hour+odd())
	return []reporting.Query{
		{From: from, To: to, Interval: reporting.Total, Filters: []reporting.Filter{all}, Metrics: contactMetrics},
		{From: from, To: to, Interval: reporting.Total, Filters: []reporting.Filter{some}, Groupings: []reporting.Dim{reporting.Queue, reporting.Channel}, Metrics: contactMetrics},
		{From: from, To: to, Interval: reporting.Day, Zone: berlin, Filters: []reporting.Filter{people}, Groupings: []reporting.Dim{reporting.Queue}, Metrics: contactMetrics},
		{From: w.begin, To: w.begin.Add(96 * time.Hour), Interval: reporting.Day, Zone: seoul, Filters: []reporting.Filter{people}, Groupings: []reporting.Dim{reporting.Agent}, Metrics: both},
		{From: from, To: to, Interval: reporting.Total, Filters: []reporting.Filter{people}, Groupings: []reporting.Dim{reporting.RoutingProfile, reporting.LevelOne}, Metrics: both},
		{From: from, To: from.Add(7*time.Hour + odd()), Interval: reporting.FifteenMin, Filters: []reporting.Filter{people}, Metrics: both},
		{From: from, To: from.Add(70 * time.Hour), Interval: reporting.Hour, Zone: zone("Asia/Kolkata"), Filters: []reporting.Filter{{Dim: reporting.LevelTwo, Values: []string{"team1", "team2"}}}, Metrics: agentMetrics},
		{From: from, To: from.Add(11 * time.Minute), Interval: reporting.ThirtyMin, Filters: []reporting.Filter{people}, Groupings: []reporting.Dim{reporting.Agent}, Metrics: agentMetrics},
		{From: w.begin.Add(-48 * time.Hour), To: to, Interval: reporting.Week, Filters: []reporting.Filter{all, {Dim: reporting.Channel, Values: []string{"VOICE"}}}, Groupings: []reporting.Dim{reporting.Method, reporting.Reason}, Metrics: contactMetrics},
	}
}

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.FixedZone(name, 5*3600+1800)
	}
	return z
}

func figures(t *testing.T, open Open) {
	t.Helper()
	w := worldOf(1, 300, 700)
	db := open(t, nil)
	n := fill(t, db, w)
	for i, q := range questions(w, rand.New(rand.NewPCG(2, 2))) {
		q.InstanceID = "i1"
		must(t, q.Check(w.begin.Add(30*24*time.Hour)))
		compareFigures(t, fmt.Sprint("question ", i), n, db, q)
	}
}

// compareFigures asks a source and the naive computation the same.
func compareFigures(t *testing.T, what string, n *naive, source reporting.Source, q reporting.Query) {
	t.Helper()
	got, err := reporting.Compute(t.Context(), source, q)
	must(t, err)
	if len(got) == 0 {
		t.Fatalf("%s: no lines", what)
	}
	n.q = q
	lines := 0
	for _, line := range got {
		for i, m := range q.Metrics {
			want := n.value(m, line.From, line.To, line.Groups)
			if !sameFigure(line.Values[i], want) {
				t.Errorf("%s, %s %v: %s is %s, want %s", what, line.From.Format(time.RFC3339), line.Groups, m.Name, show(line.Values[i]), show(want))
			}
		}
		lines++
	}
	// What has no line has no figure.
	if len(q.Groupings) == 0 {
		for _, m := range []string{"CONTACTS_HANDLED", "SUM_ONLINE_TIME_AGENT"} {
			i := slices.IndexFunc(q.Metrics, func(x reporting.Metric) bool { return x.Name == m && len(x.Filters) == 0 })
			if i < 0 {
				continue
			}
			sum := 0.0
			for _, line := range got {
				sum += *line.Values[i]
			}
			if whole := n.value(q.Metrics[i], q.From, q.To, nil); !sameFigure(&sum, whole) {
				t.Errorf("%s: the periods of %s add up to %g, want %s", what, m, sum, show(whole))
			}
		}
	}
}

func sameFigure(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(1, math.Abs(*b))
}

func show(v *float64) string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprint(*v)
}
