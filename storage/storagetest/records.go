package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/audit"
	"ullim/internal/contact"
	"ullim/internal/errs"
	telling "ullim/internal/records"
	"ullim/storage"
)

func testRecords(t *testing.T, open Open) {
	t.Helper()
	for _, p := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"each write leaves one mark", marks},
		{"what is told is committed with its mark", toldOnce},
		{"a cursor moves only for who leads", cursors},
		{"events of agents are told once", agentCursors},
		{"replays and dead letters", replays},
		{"items go when they are old", trimming},
		{"searches", searches},
		{"searches agree with a look at every record", searchWorld},
		{"late changes", lateChanges},
		{"contacts that belong together", chains},
		{"records expire", expiring},
		{"the audit trail", auditTrail},
		{"one line of entries whoever writes", auditTogether},
	} {
		t.Run(p.name, func(t *testing.T) { p.run(t, open) })
	}
}

// markNames are the marks, as "contact gen".
func markNames(t *testing.T, db *storage.DB) string {
	t.Helper()
	list, err := db.Marks(t.Context(), 100)
	must(t, err)
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprint(m.ContactID, " ", m.Gen))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func marks(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, func(o *storage.Options) { o.Streams = func(id string) bool { return id == "i1" } }), t.Context()
	r := record("c1")
	must(t, db.CreateContact(ctx, r))
	must(t, db.UpdateContact(ctx, r))
	other := record("c2")
	other.InstanceID = "i2"
	must(t, db.CreateContact(ctx, other))
	if got := markNames(t, db); got != "c1 2" {
		t.Errorf("marks: %s", got)
	}
	first, err := db.Marks(ctx, 10)
	must(t, err)
	r.DisconnectTimestamp = day().Add(time.Minute)
	r.Recordings = []contact.Recording{{Location: "k", Status: contact.RecordingFailed}}
	must(t, db.CloseContact(ctx, r))
	must(t, db.DropMarks(ctx, first)) // it was written since
	if got := markNames(t, db); got != "c1 3" {
		t.Errorf("marks: %s", got)
	}
	must(t, db.PutAfterContactWork(ctx, "c1", day(), day().Add(time.Second)))
	must(t, db.MarkRecording(ctx, "c1", 0, func(rec *contact.Recording) { rec.Reason = "x" }))
	must(t, db.PutNote(ctx, "i1", "c1", contact.Note{Disposition: "sold"}))
	must(t, db.EditEnded(ctx, "i1", "c1", func(r *contact.Record) error { r.Name = "n"; return nil }))
	if got := markNames(t, db); got != "c1 7" {
		t.Errorf("marks: %s", got)
	}
	must(t, db.CloseContact(ctx, r)) // changes nothing
	list, err := db.Marks(ctx, 10)
	must(t, err)
	must(t, db.DropMarks(ctx, list))
	if got := markNames(t, db); got != "" {
		t.Errorf("marks: %s", got)
	}
}

func item(id string) telling.Item {
	return telling.Item{InstanceID: "i1", Kind: telling.KindEvent, Key: "c1", Number: 1, ID: id, Type: "QUEUED", At: day(), Body: json.RawMessage(`{"a":1}`)}
}

func itemIDs(t *testing.T, db *storage.DB, after int64) string {
	t.Helper()
	list, err := db.Items(t.Context(), "i1", after, 1000)
	must(t, err)
	var out []string
	for _, l := range list {
		out = append(out, l.ID)
	}
	return strings.Join(out, " ")
}

func toldOnce(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	must(t, db.CreateContact(ctx, record("c1")))
	list, err := db.Marks(ctx, 10)
	must(t, err)
	wantKind(t, db.Tell(ctx, "n1", nil), errs.Conflict) // nobody leads yet
	lead := func(owner string, until time.Time, want bool) {
		t.Helper()
		ok, leadErr := db.Lead(ctx, telling.LeadFollower, owner, until)
		must(t, leadErr)
		if ok != want {
			t.Errorf("%s leads: %v", owner, ok)
		}
	}
	lead("n1", time.Now().Add(time.Minute), true)
	lead("n2", time.Now().Add(time.Minute), false)
	told := telling.Told{Items: 2, Initiated: true, Data: map[string]string{"Tags": "x"}}
	tellings := []telling.Telling{{Mark: list[0], Told: told, Items: []telling.Item{item("a"), item("b")}, Again: day()}}
	wantKind(t, db.Tell(ctx, "n2", tellings), errs.Conflict)
	if got := itemIDs(t, db, 0) + markNames(t, db); got != "c1 1" {
		t.Errorf("after a refusal: %s", got)
	}
	must(t, db.Tell(ctx, "n1", tellings))
	if got := itemIDs(t, db, 0) + "|" + markNames(t, db); got != "a b|" {
		t.Errorf("told: %s", got)
	}
	full, err := db.Items(ctx, "i1", 0, 1)
	must(t, err)
	want := item("a")
	want.Seq = full[0].Seq
	if d := cmp.Diff(want, full[0].Item); d != "" || time.Since(full[0].Added) > time.Minute {
		t.Errorf("item added %v: %s", full[0].Added, d)
	}
	reserve(t, db, acd.Reservation{OfferID: "o1", UserID: "u1", ContactID: "c1"})
	for state, working := range map[acd.SlotState]bool{acd.SlotOffered: false, acd.SlotConnected: true, acd.SlotACW: true} {
		must(t, db.MoveReservation(ctx, "o1", state, day()))
		seen, lookErr := db.Look(ctx, []string{"c1", "nobody"})
		must(t, lookErr)
		if v := seen["c1"]; v.Record == nil || v.Record.ID != "c1" || v.Working != working || cmp.Diff(told, v.Told) != "" || seen["nobody"].Record != nil {
			t.Errorf("%s: seen %+v", state, seen)
		}
	}
	due, err := db.DueMarks(ctx, day(), 10)
	must(t, err)
	early, err := db.DueMarks(ctx, day().Add(-time.Second), 10)
	must(t, err)
	if d := cmp.Diff([]telling.Mark{{ContactID: "c1", InstanceID: "i1"}}, due); d != "" || len(early) != 0 {
		t.Errorf("due: %s, early %v", d, early)
	}
	must(t, db.DropMarks(ctx, due))
	if due, err = db.DueMarks(ctx, day(), 10); err != nil || len(due) != 0 {
		t.Errorf("dropped and due: %v %v", due, err)
	}
	lead("n1", time.Now().Add(-time.Minute), true) // its time is over
	lead("n2", time.Now().Add(time.Minute), true)
	wantKind(t, db.Tell(ctx, "n1", nil), errs.Conflict)
	must(t, db.AddItems(ctx, []telling.Item{item("agent")}))
	if got := itemIDs(t, db, full[0].Seq); got != "b agent" {
		t.Errorf("items: %s", got)
	}
	bad := item("bad")
	bad.Body = json.RawMessage(`{`)
	wantKind(t, db.AddItems(ctx, []telling.Item{item("x"), bad}), errs.Invalid)
}

func cursors(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	must(t, db.AddItems(ctx, []telling.Item{item("before")}))
	since := time.Now().Add(time.Millisecond)
	time.Sleep(2 * time.Millisecond) //nolint:forbidigo // the database's own clock gives items their place
	must(t, db.AddItems(ctx, []telling.Item{item("a"), item("b")}))
	at, err := db.Cursor(ctx, "i1", "d1", since)
	must(t, err)
	if got := itemIDs(t, db, at.Seq); got != "a b" {
		t.Errorf("a new destination gets %q", got)
	}
	if again, _ := db.Cursor(ctx, "i1", "d1", time.Now()); again != at {
		t.Errorf("the cursor moved by itself: %+v", again)
	}
	ok, err := db.Lead(ctx, telling.LeadPump("d1"), "n1", time.Now().Add(time.Minute))
	must(t, err)
	if !ok {
		t.Fatal("nobody leads, and n1 may not")
	}
	to := at
	to.Seq++
	wantKind(t, db.Advance(ctx, "n2", "i1", "d1", at, to, nil), errs.Conflict)
	must(t, db.Advance(ctx, "n1", "i1", "d1", at, to, []telling.DeadLetter{{Item: item("a"), Reason: "400", Tries: 8, At: day()}}))
	wantKind(t, db.Advance(ctx, "n1", "i1", "d1", at, to, nil), errs.Conflict) // it is not there any more
	s, err := db.StreamState(ctx, "i1", "d1")
	must(t, err)
	if s.Waiting != 1 || s.DeadLetters != 1 || s.Oldest.IsZero() || s.Cursor != to {
		t.Errorf("state: %+v", s)
	}
}

func replays(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i := range 5 {
		r := record(fmt.Sprint("c", i))
		r.DisconnectTimestamp = day().Add(time.Duration(i/2) * time.Minute) // two end at once
		must(t, db.CloseContact(ctx, r))
	}
	must(t, db.AddItems(ctx, []telling.Item{item("a"), item("b")}))
	must(t, db.ReplayStream(ctx, "i1", "d1", day()))
	at, err := db.Cursor(ctx, "i1", "d1", time.Now())
	must(t, err)
	if at.Seq != 0 || !at.RefillFrom.Equal(day()) || !at.RefillTo.After(day()) {
		t.Errorf("a replay from before the log: %+v", at)
	}
	var got []string
	for from, id := at.RefillFrom, ""; ; {
		list, endedErr := db.Ended(ctx, "i1", from, at.RefillTo, id, 2)
		must(t, endedErr)
		if len(list) == 0 {
			break
		}
		for _, r := range list {
			got, from, id = append(got, r.ID), r.DisconnectTimestamp, r.ID
		}
	}
	if d := cmp.Diff([]string{"c0", "c1", "c2", "c3", "c4"}, got); d != "" {
		t.Errorf("ended: %s", d)
	}
	must(t, db.SeekStream(ctx, "i1", "d1", 1))
	if at, err = db.Cursor(ctx, "i1", "d1", time.Now()); err != nil || at != (telling.Cursor{Seq: 1}) {
		t.Errorf("sought: %+v %v", at, err)
	}
	_, err = db.Lead(ctx, telling.LeadPump("d1"), "n1", time.Now().Add(time.Minute))
	must(t, err)
	letter := telling.DeadLetter{DestinationID: "d1", Item: item("a"), Reason: "x\x00" + strings.Repeat("y", 5000), Tries: 1, At: day()}
	for range 2 { // the same letter twice is one
		must(t, db.Advance(ctx, "n1", "i1", "d1", at, at, []telling.DeadLetter{letter}))
	}
	letters, err := db.DeadLetters(ctx, "d1", 0, 10)
	must(t, err)
	if len(letters) != 1 || letters[0].Item.ID != "a" || letters[0].Tries != 1 || len(letters[0].Reason) > 1000 {
		t.Fatalf("letters: %+v", letters)
	}
	must(t, db.RemoveDeadLetters(ctx, "another", []int64{letters[0].ID}))
	must(t, db.RemoveDeadLetters(ctx, "d1", []int64{letters[0].ID}))
	must(t, db.DropStream(ctx, "d1"))
	if letters, err = db.DeadLetters(ctx, "d1", 0, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters: %v %v", letters, err)
	}
}

func trimming(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	must(t, db.AddItems(ctx, []telling.Item{item("a"), item("b"), item("c")}))
	must(t, db.SeekStream(ctx, "i1", "d1", 1)) // has had a
	must(t, db.SeekStream(ctx, "i1", "d2", 2))
	later := time.Now().Add(time.Minute)
	removed, missed, err := db.TrimStream(ctx, later, time.Time{})
	must(t, err)
	if got := itemIDs(t, db, 0); removed != 1 || missed != 0 || got != "b c" {
		t.Errorf("removed %d, missed %d, left %q", removed, missed, got)
	}
	removed, missed, err = db.TrimStream(ctx, time.Time{}, later)
	must(t, err)
	if got := itemIDs(t, db, 0); removed != 2 || missed != 2 || got != "" {
		t.Errorf("removed %d, missed %d, left %q", removed, missed, got)
	}
	must(t, db.DropStream(ctx, "d1"))
	must(t, db.DropStream(ctx, "d2"))
	must(t, db.AddItems(ctx, []telling.Item{item("d")})) // nobody is left who waits for it
	removed, missed, err = db.TrimStream(ctx, later, time.Time{})
	if err != nil || removed != 1 || missed != 0 {
		t.Errorf("removed %d, missed %d: %v", removed, missed, err)
	}
}

func lateChanges(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, func(o *storage.Options) { o.Searchable = func(string) []string { return []string{"order"} } }), t.Context()
	r := record("c1")
	must(t, db.CreateContact(ctx, r))
	must(t, db.PutNote(ctx, "i1", "c1", contact.Note{Disposition: "sold", Notes: "좋음"}))
	wantKind(t, db.EditEnded(ctx, "i1", "c1", func(*contact.Record) error { return nil }), errs.InvalidRequest) // it goes on
	must(t, db.UpdateContact(ctx, r))                                                                           // the call knows nothing of it
	r.DisconnectTimestamp, r.Attributes = day().Add(time.Minute), map[string]string{"order": "1", "other": "x"}
	must(t, db.CloseContact(ctx, r))
	got, err := db.Contact(ctx, "i1", "c1")
	must(t, err)
	if got.Disposition != "sold" || got.Notes != "좋음" || !got.LastUpdateTimestamp.After(r.LastUpdateTimestamp) {
		t.Errorf("noted: %+v", got)
	}
	find := func(name, value string) int {
		t.Helper()
		list, _, searchErr := db.SearchContacts(ctx, contact.Query{
			InstanceID: "i1", By: contact.ByInitiation, From: day().Add(-time.Hour), To: day().Add(time.Hour), Attributes: map[string][]string{name: {value}},
		})
		must(t, searchErr)
		return len(list)
	}
	if find("order", "1") != 1 || find("order", "2") != 0 || find("other", "x") != 0 {
		t.Error("found by what is not there, or not by what is")
	}
	edit := contact.Edit{Attributes: map[string]string{"order": "2"}, Tag: map[string]string{"a": "b"}, Name: new("이름")}
	must(t, db.EditEnded(ctx, "i1", "c1", edit.Apply))
	if find("order", "1") != 0 || find("order", "2") != 1 {
		t.Error("the search does not know the change")
	}
	if got, err = db.Contact(ctx, "i1", "c1"); err != nil || got.Name != "이름" || got.Tags["a"] != "b" || got.Attributes["other"] != "x" || got.Disposition != "sold" {
		t.Errorf("edited: %+v %v", got, err)
	}
	refused := errs.Field("Name", "no")
	wantKind(t, db.EditEnded(ctx, "i1", "c1", func(r *contact.Record) error { r.Name = "half"; return refused }), errs.Invalid)
	if got, err = db.Contact(ctx, "i1", "c1"); err != nil || got.Name != "이름" {
		t.Errorf("a refused change changed %+v %v", got, err)
	}
	for _, id := range []string{"nobody", "", "\x00"} {
		wantKind(t, db.PutNote(ctx, "i1", id, contact.Note{}), errs.NotFound)
		wantKind(t, db.EditEnded(ctx, "i1", id, edit.Apply), errs.NotFound)
	}
	wantKind(t, db.PutNote(ctx, "i2", "c1", contact.Note{}), errs.NotFound)
	wantKind(t, db.PutNote(ctx, "i1", "c1", contact.Note{Notes: "\x00"}), errs.Invalid)
}

func chains(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i, change := range []func(*contact.Record){
		func(r *contact.Record) { r.InitialContactID = "" },
		func(r *contact.Record) { r.InitialContactID = "c0" },
		func(r *contact.Record) { r.InitialContactID, r.RelatedContactID = "", "c0" },
		func(r *contact.Record) { r.InitialContactID = "elsewhere" },
	} {
		r := record(fmt.Sprint("c", i))
		r.InitiationTimestamp = day().Add(time.Duration(i) * time.Second)
		change(r)
		must(t, db.CreateContact(ctx, r))
	}
	for _, id := range []string{"c0", "c1", "c2"} {
		list, err := db.AssociatedContacts(ctx, "i1", id)
		must(t, err)
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		if strings.Join(got, " ") != "c0 c1 c2" {
			t.Errorf("with %s: %v", id, got)
		}
	}
	_, err := db.AssociatedContacts(ctx, "i2", "c0")
	wantKind(t, err, errs.NotFound)
}

func expiring(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, func(o *storage.Options) { o.Searchable = func(string) []string { return []string{"order"} } }), t.Context()
	for i := range 10 {
		r := record(fmt.Sprint("c", i))
		r.Attributes = map[string]string{"order": "1"}
		r.DisconnectTimestamp = day().Add(time.Duration(i) * time.Hour)
		if i == 1 {
			r.Recordings = []contact.Recording{{Location: "k", Status: contact.RecordingAvailable}}
		}
		must(t, db.CloseContact(ctx, r))
	}
	must(t, db.CreateContact(ctx, record("open")))
	total := 0
	for place, more := "", true; more; more = place != "" {
		n, next, err := db.ExpireContacts(ctx, "i1", day().Add(5*time.Hour), place, 2)
		must(t, err)
		total, place = total+n, next
	}
	left, _, err := db.SearchContacts(ctx, contact.Query{InstanceID: "i1", By: contact.ByInitiation, From: day().Add(-time.Hour), To: day().Add(time.Hour)})
	must(t, err)
	var ids []string
	for _, r := range left {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	if got := strings.Join(ids, " "); total != 4 || got != "c1 c5 c6 c7 c8 c9 open" {
		t.Errorf("%d expired, left %s", total, got)
	}
	found, _, err := db.SearchContacts(ctx, contact.Query{
		InstanceID: "i1", By: contact.ByInitiation, From: day().Add(-time.Hour), To: day().Add(time.Hour), Attributes: map[string][]string{"order": {"1"}},
	})
	if err != nil || len(found) != 6 {
		t.Errorf("%d are found by attribute: %v", len(found), err)
	}
}

func auditTrail(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i := range 10 {
		must(t, db.AddAudit(ctx, audit.Entry{
			InstanceID: "i1", At: day().Add(time.Duration(i) * time.Hour), UserID: fmt.Sprint("u", i%2), Operation: fmt.Sprint("Op", i%5), Resource: fmt.Sprint("r", i%3),
			Outcome: audit.Done, Labels: map[string]string{"a": "<b>&\u2028"}, Changes: []audit.Change{{Kind: "queue", ID: "q", After: json.RawMessage(`{"n":1.50}`)}},
		}))
	}
	must(t, db.AddAudit(ctx, audit.Entry{InstanceID: "i2", At: day(), Operation: "Op"}))
	wantKind(t, db.AddAudit(ctx, audit.Entry{Operation: "Op"}), errs.Invalid)
	for name, c := range map[string]struct {
		q    audit.Query
		want []int64
	}{
		"all":       {audit.Query{Max: 3}, []int64{10, 9, 8}},
		"next page": {audit.Query{Max: 3, Before: 8}, []int64{7, 6, 5}},
		"user":      {audit.Query{Max: 10, UserID: "u0"}, []int64{9, 7, 5, 3, 1}},
		"operation": {audit.Query{Max: 10, Operation: "Op1"}, []int64{7, 2}},
		"resource":  {audit.Query{Max: 10, Resource: "r2"}, []int64{9, 6, 3}},
		"time":      {audit.Query{Max: 10, From: day().Add(2 * time.Hour), To: day().Add(4 * time.Hour)}, []int64{4, 3}},
		"nothing":   {audit.Query{Max: 10, UserID: "\x00"}, nil},
	} {
		c.q.InstanceID = "i1"
		list, err := db.Audit(ctx, c.q)
		must(t, err)
		var got []int64
		for _, e := range list {
			got = append(got, e.Seq)
		}
		if name != "nothing" && cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	verify := func(entries, broken int64) {
		t.Helper()
		s, err := db.VerifyAudit(ctx, "i1")
		must(t, err)
		if s.Entries != entries || s.Broken != broken || s.Seq != 10 {
			t.Errorf("chain: %+v, want %d entries, broken at %d", s, entries, broken)
		}
	}
	verify(10, 0)
	n, err := db.TrimAudit(ctx, "i1", day().Add(3*time.Hour), 2)
	must(t, err)
	verify(8, 0)
	if n != 2 {
		t.Errorf("%d trimmed", n)
	}
	if n, err = db.TrimAudit(ctx, "i1", day().Add(3*time.Hour), 100); err != nil || n != 1 {
		t.Errorf("%d trimmed: %v", n, err)
	}
	verify(7, 0)
	if s, err := db.VerifyAudit(ctx, "nobody"); err != nil || s.Broken != 0 || s.Seq != 0 {
		t.Errorf("an instance without a trail: %+v %v", s, err)
	}
}

func auditTogether(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), context.WithoutCancel(t.Context())
	together(16, func(i int) {
		for range 5 {
			if err := db.AddAudit(ctx, audit.Entry{InstanceID: "i1", At: day(), Operation: fmt.Sprint("Op", i)}); err != nil {
				t.Error(err)
			}
		}
	})
	s, err := db.VerifyAudit(ctx, "i1")
	must(t, err)
	if s.Seq != 80 || s.Entries != 80 || s.Broken != 0 {
		t.Errorf("chain: %+v", s)
	}
}
