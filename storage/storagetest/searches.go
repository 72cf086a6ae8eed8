package storagetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/storage"
)

// found are the ids of all pages.
func found(t *testing.T, db *storage.DB, q contact.Query) []string {
	t.Helper()
	var out []string
	for {
		list, next, err := db.SearchContacts(t.Context(), q)
		must(t, err)
		for _, r := range list {
			out = append(out, r.ID)
		}
		if q.Token = next; next == "" {
			return out
		}
		if len(out) > 100000 {
			t.Fatal("the pages never end")
		}
	}
}

func searches(t *testing.T, open Open) {
	t.Helper()
	db := open(t, nil)
	for _, bad := range []contact.Query{
		{Max: -1},
		{Max: 1001},
		{Token: "x"},
		{AgentIDs: make([]string, 101)},
		{Attributes: map[string][]string{"a": nil}},
	} {
		bad.InstanceID = "i1"
		_, _, err := db.SearchContacts(t.Context(), bad)
		wantKind(t, err, errs.Invalid)
	}
	// What no row can have matches nothing, and is no error.
	must(t, db.CreateContact(t.Context(), record("c1")))
	for _, q := range []contact.Query{
		{InstanceID: "\x00"},
		{InstanceID: "i1", AgentIDs: []string{"\xff"}},
		{InstanceID: "i1", IDs: []string{"\x00"}},
		{InstanceID: "i1", Customers: []string{""}},
		{InstanceID: "i2"},
	} {
		q.By, q.From, q.To = contact.ByInitiation, day().Add(-time.Hour), day().Add(time.Hour)
		if got := found(t, db, q); len(got) != 0 {
			t.Errorf("%+v finds %v", q, got)
		}
	}
}

// pick is one of the values, or none.
func pick[T any](rnd *rand.Rand, values ...T) []T {
	if rnd.IntN(3) > 0 {
		return nil
	}
	rnd.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	return values[:1+rnd.IntN(2)]
}

// searchWorld compares searches with a look at every record.
func searchWorld(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, func(o *storage.Options) {
		o.Searchable = func(string) []string { return []string{"order", "tier"} }
	}), t.Context()
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	word := func(p string, n int) string { return fmt.Sprint(p, rnd.IntN(n)) }
	var all []*contact.Record
	for i := range 300 {
		r := &contact.Record{
			ID: fmt.Sprintf("c%03d", i), InstanceID: "i1", Node: "n1", Channel: []contact.Channel{contact.Voice, contact.Chat}[rnd.IntN(2)],
			InitiationMethod:    []contact.InitiationMethod{contact.Inbound, contact.Outbound, contact.API}[rnd.IntN(3)],
			InitiationTimestamp: day().Add(time.Duration(rnd.IntN(200)) * time.Second),
			CustomerEndpoint:    contact.Endpoint{Address: word("+8210", 20)}, Attributes: map[string]string{"order": word("o", 9), "tier": word("t", 3)},
		}
		if rnd.IntN(3) > 0 {
			r.Queue = &contact.QueueInfo{ID: word("q", 4)}
			if rnd.IntN(2) > 0 {
				r.Agent = &contact.AgentInfo{ID: word("u", 6)}
			}
		}
		must(t, db.CreateContact(ctx, r))
		if rnd.IntN(5) > 0 {
			r.DisconnectTimestamp = r.InitiationTimestamp.Add(time.Duration(rnd.IntN(100)) * time.Second)
			r.DisconnectReason = []contact.DisconnectReason{contact.CustomerDisconnect, contact.AgentDisconnect}[rnd.IntN(2)]
			must(t, db.CloseContact(ctx, r))
			if rnd.IntN(2) > 0 {
				r.Disposition = word("d", 3)
				must(t, db.PutNote(ctx, "i1", r.ID, contact.Note{Disposition: r.Disposition}))
			}
		}
		all = append(all, r)
	}
	for range 400 {
		q := contact.Query{
			InstanceID: "i1", By: contact.ByInitiation, From: day().Add(time.Duration(rnd.IntN(100)) * time.Second), Ascending: rnd.IntN(2) == 0,
			AgentIDs: pick(rnd, "u1", "u2", "u3"), QueueIDs: pick(rnd, "q1", "q2"), Channels: pick(rnd, contact.Voice, contact.Chat),
			Methods: pick(rnd, contact.Inbound, contact.API), Reasons: pick(rnd, contact.CustomerDisconnect, contact.AgentDisconnect),
			Dispositions: pick(rnd, "d0", "d1"), Customers: pick(rnd, "+82101", "+82102"), IDs: pick(rnd, "c001", "c002", "c003"), Max: 1 + rnd.IntN(40),
		}
		q.To = q.From.Add(time.Duration(rnd.IntN(200)) * time.Second)
		if rnd.IntN(3) == 0 {
			q.By = contact.ByDisconnect
		}
		if rnd.IntN(4) == 0 {
			q.Attributes = map[string][]string{"order": {word("o", 9), word("o", 9)}}
			if rnd.IntN(2) == 0 {
				q.Attributes["tier"] = []string{word("t", 3)}
			}
		}
		if d := diff.Diff(lookAtAll(all, q), found(t, db, q)); d != "" {
			t.Fatalf("%+v (-want +got):\n%s", q, d)
		}
	}
}

// lookAtAll looks at every record.
func lookAtAll(all []*contact.Record, q contact.Query) []string {
	at := func(r *contact.Record) time.Time {
		if q.By == contact.ByDisconnect {
			return r.DisconnectTimestamp
		}
		return r.InitiationTimestamp
	}
	var hits []*contact.Record
	for _, r := range all {
		agent, queue := "", ""
		if r.Agent != nil {
			agent = r.Agent.ID
		}
		if r.Queue != nil {
			queue = r.Queue.ID
		}
		ended := !r.DisconnectTimestamp.IsZero()
		if at(r).Before(q.From) || !at(r).Before(q.To) || q.By == contact.ByDisconnect && !ended || !within(q.AgentIDs, agent) || !within(q.QueueIDs, queue) ||
			!within(q.Channels, r.Channel) || !within(q.Methods, r.InitiationMethod) || !within(q.Reasons, r.DisconnectReason) ||
			!within(q.Dispositions, r.Disposition) || !within(q.Customers, r.CustomerEndpoint.Address) || !within(q.IDs, r.ID) {
			continue
		}
		match := true
		for name, values := range q.Attributes {
			match = match && ended && within(values, r.Attributes[name])
		}
		if match {
			hits = append(hits, r)
		}
	}
	slices.SortFunc(hits, func(a, b *contact.Record) int {
		c := cmp.Or(at(a).Compare(at(b)), strings.Compare(a.ID, b.ID))
		if !q.Ascending {
			c = -c
		}
		return c
	})
	var ids []string
	for _, r := range hits {
		ids = append(ids, r.ID)
	}
	return ids
}

func within[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }
