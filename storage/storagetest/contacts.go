package storagetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/storage"
)

// record is a contact with everything set that can be.
func record(id string) *contact.Record {
	at := day()
	return &contact.Record{
		ID: id, InstanceID: "i1", InitialContactID: id, Node: "n1", CallID: "call-" + id + "@carrier", TrunkID: "trunk",
		Channel: contact.Voice, InitiationMethod: contact.Inbound, FlowID: "flow",
		CustomerEndpoint:    contact.Endpoint{Type: contact.TelephoneNumber, Address: "+821012345678", DisplayName: "김철수"},
		SystemEndpoint:      contact.Endpoint{Type: contact.TelephoneNumber, Address: "+8225551234"},
		InitiationTimestamp: at, ConnectedToSystemTimestamp: at.Add(time.Second), LastUpdateTimestamp: at.Add(time.Second),
		Queue: &contact.QueueInfo{ID: "q1", Name: "BasicQueue", EnqueueTimestamp: at.Add(2 * time.Second)},
		Agent: &contact.AgentInfo{
			ID: "a1", Username: "agent.one", RoutingProfileID: "r1", RoutingProfileName: "Basic", RingStartTimestamp: at.Add(3 * time.Second),
		},
		AgentConnectionAttempts: 1, Attributes: map[string]string{"key": "value", "빈": "\x00"},
	}
}

func wantRecord(t *testing.T, db *storage.DB, want *contact.Record) {
	t.Helper()
	got, err := db.Contact(t.Context(), want.InstanceID, want.ID)
	must(t, err)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("contact (-want +got):\n%s", d)
	}
}

func testContacts(t *testing.T, open Open) {
	t.Helper()
	t.Run("life of a record", func(t *testing.T) { lifeOfContact(t, open) })
	t.Run("closing enqueues the uploads and ends reservations, once", func(t *testing.T) { closing(t, open) })
	t.Run("after-contact work and the end of the call do not overwrite each other", func(t *testing.T) { afterContactWork(t, open) })
	t.Run("recordings are marked", func(t *testing.T) { marking(t, open) })
	t.Run("lists are newest first", func(t *testing.T) { contactLists(t, open) })
	t.Run("bad input", func(t *testing.T) { badContacts(t, open) })
}

func lifeOfContact(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	r := record("c1")
	wantKind(t, db.UpdateContact(ctx, r), errs.NotFound)
	must(t, db.CreateContact(ctx, r))
	wantRecord(t, db, r)
	wantKind(t, db.CreateContact(ctx, r), errs.Duplicate)
	_, err := db.Contact(ctx, "i2", "c1")
	wantKind(t, err, errs.NotFound)
	foreign := record("c1")
	foreign.InstanceID = "i2"
	wantKind(t, db.UpdateContact(ctx, foreign), errs.NotFound)
	must(t, db.CloseContact(ctx, foreign)) // changes nothing of another instance
	wantRecord(t, db, r)

	r.Attributes["more"] = "attributes"
	r.Queue.DequeueTimestamp = day().Add(time.Minute)
	must(t, db.UpdateContact(ctx, r))
	wantRecord(t, db, r)

	must(t, db.CreateContact(ctx, record("c2")))
	other := record("c3")
	other.Node = "n2"
	must(t, db.CreateContact(ctx, other))
	openIDs := func(node string) string {
		t.Helper()
		list, err := db.OpenContacts(ctx, node)
		must(t, err)
		var ids []string
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		return strings.Join(ids, " ")
	}
	if got := openIDs("n1"); got != "c1 c2" {
		t.Errorf("open on n1: %s", got)
	}
	r.DisconnectTimestamp, r.DisconnectReason = day().Add(2*time.Minute), contact.CustomerDisconnect
	must(t, db.CloseContact(ctx, r))
	wantRecord(t, db, r)
	if got := openIDs("n1") + "|" + openIDs("n2"); got != "c2|c3" {
		t.Errorf("open on n1|n2: %s", got)
	}
	late := record("c1")
	wantKind(t, db.UpdateContact(ctx, late), errs.InvalidRequest)
	must(t, db.CloseContact(ctx, late))
	wantRecord(t, db, r)

	never := record("never created")
	never.DisconnectTimestamp = day()
	must(t, db.CloseContact(ctx, never)) // the database was away when it began
	wantRecord(t, db, never)
	if got := openIDs("n1"); got != "c2" {
		t.Errorf("open on n1: %s", got)
	}
}

func closing(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	r := record("c1")
	must(t, db.CreateContact(ctx, r))
	rec := func(i int, s contact.RecordingStatus) contact.Recording {
		return contact.Recording{
			Location: fmt.Sprintf("connect/acme/%d.wav", i), Spool: fmt.Sprintf("%d.wav", i), Start: day(), Stop: day().Add(time.Minute),
			Status: s, Bytes: 960044, SHA256: strings.Repeat("a", 64),
		}
	}
	r.Recordings = []contact.Recording{rec(0, contact.RecordingSpooled), rec(1, contact.RecordingFailed), rec(2, contact.RecordingSpooled)}
	r.DisconnectTimestamp = day().Add(time.Minute)
	for i, s := range []acd.SlotState{acd.SlotMissed, acd.SlotRejected, acd.SlotConnected} {
		reserve(t, db, acd.Reservation{OfferID: fmt.Sprint("o", i), UserID: fmt.Sprint("u", i), ContactID: "c1"})
		must(t, db.MoveReservation(ctx, fmt.Sprint("o", i), s, day()))
	}
	reserve(t, db, acd.Reservation{OfferID: "elsewhere", UserID: "u9", ContactID: "c9"})

	before := time.Now()
	for range 3 {
		must(t, db.CloseContact(ctx, r))
	}
	list, err := db.Claim(ctx, []string{storage.JobUpload}, 10, time.Now().Add(time.Second), time.Minute)
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("%d jobs, want 2", len(list))
	}
	for i, j := range list {
		var u storage.UploadJob
		must(t, json.Unmarshal(j.Payload, &u))
		n := 2 * i
		want := storage.UploadJob{ContactID: "c1", InstanceID: "i1", Index: n, Spool: fmt.Sprintf("%d.wav", n), Key: fmt.Sprintf("connect/acme/%d.wav", n)}
		if d := cmp.Diff(want, u); d != "" {
			t.Errorf("payload:\n%s", d)
		}
		if j.Due.Before(before.Add(-time.Second)) || j.Due.After(time.Now()) {
			t.Errorf("due %v", j.Due)
		}
		must(t, db.Complete(ctx, j.ID))
	}
	must(t, db.CloseContact(ctx, r)) // the uploads are done: no new jobs
	alive, buried, err := db.Count(ctx, storage.JobUpload)
	must(t, err)
	if alive+buried != 0 {
		t.Errorf("%d jobs, %d buried", alive, buried)
	}
	states := func() map[string]acd.SlotState {
		list, err := db.Reservations(ctx, "i1")
		must(t, err)
		m := make(map[string]acd.SlotState)
		for _, r := range list {
			m[r.OfferID] = r.State
		}
		return m
	}
	// What the agents still have to do or to dismiss is theirs.
	want := map[string]acd.SlotState{"o0": acd.SlotMissed, "o1": acd.SlotRejected, "o2": acd.SlotACW, "elsewhere": acd.SlotOffered}
	if d := cmp.Diff(want, states()); d != "" {
		t.Errorf("reservations (-want +got):\n%s", d)
	}
	ringing := record("c9")
	ringing.DisconnectTimestamp = day()
	must(t, db.CloseContact(ctx, ringing))
	delete(want, "elsewhere")
	if d := cmp.Diff(want, states()); d != "" {
		t.Errorf("reservations (-want +got):\n%s", d)
	}
}

func afterContactWork(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	start, end := day().Add(time.Minute), day().Add(2*time.Minute)
	wantKind(t, db.PutAfterContactWork(ctx, "nobody", start, end), errs.NotFound)
	check := func(id string, start, end time.Time) {
		t.Helper()
		got, err := db.Contact(ctx, "i1", id)
		must(t, err)
		if !got.Agent.AfterContactWorkStart.Equal(start) || !got.Agent.AfterContactWorkEnd.Equal(end) {
			t.Errorf("%s: after-contact work from %v to %v, want %v to %v", id, got.Agent.AfterContactWorkStart, got.Agent.AfterContactWorkEnd, start, end)
		}
	}
	for i, order := range []string{"start end close", "start close end", "close start end", "start update end close"} {
		r := record(fmt.Sprint("c", i))
		must(t, db.CreateContact(ctx, r))
		for step := range strings.SplitSeq(order, " ") {
			switch step {
			case "start":
				must(t, db.PutAfterContactWork(ctx, r.ID, start, time.Time{}))
				check(r.ID, start, time.Time{})
			case "end":
				must(t, db.PutAfterContactWork(ctx, r.ID, start, end))
			case "update":
				must(t, db.UpdateContact(ctx, r))
			case "close":
				r.DisconnectTimestamp, r.DisconnectReason = day().Add(time.Minute), contact.AgentDisconnect
				must(t, db.CloseContact(ctx, r))
			}
		}
		check(r.ID, start, end)
		got, err := db.Contact(ctx, "i1", r.ID)
		must(t, err)
		if got.DisconnectReason != contact.AgentDisconnect || !got.LastUpdateTimestamp.After(r.LastUpdateTimestamp) {
			t.Errorf("%s: reason %q, last update %v", order, got.DisconnectReason, got.LastUpdateTimestamp)
		}
	}
}

func marking(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	r := record("c1")
	r.DisconnectTimestamp = day()
	for i := range 8 {
		r.Recordings = append(r.Recordings, contact.Recording{Location: fmt.Sprint(i), Spool: "s", Status: contact.RecordingSpooled})
	}
	must(t, db.CreateContact(ctx, r))
	must(t, db.CloseContact(ctx, r))
	available := func(rec *contact.Recording) { rec.Status, rec.Spool = contact.RecordingAvailable, "" }
	together(8, func(i int) {
		if err := db.MarkRecording(ctx, "c1", i, available); err != nil {
			t.Error(err)
		}
	})
	must(t, db.CloseContact(ctx, r)) // must not bring the spool back
	got, err := db.Contact(ctx, "i1", "c1")
	must(t, err)
	for i, rec := range got.Recordings {
		if d := cmp.Diff(contact.Recording{Location: fmt.Sprint(i), Status: contact.RecordingAvailable}, rec); d != "" {
			t.Errorf("recording %d:\n%s", i, d)
		}
	}
	for _, i := range []int{-1, 8} {
		wantKind(t, db.MarkRecording(ctx, "c1", i, available), errs.NotFound)
	}
	for _, id := range []string{"nobody", "", "\x00"} {
		wantKind(t, db.MarkRecording(ctx, id, 0, available), errs.NotFound)
	}
}

func contactLists(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	var want []string // newest first; two of each second
	for i := range 10 {
		r := record(fmt.Sprintf("c%d", i))
		r.InitiationTimestamp = day().Add(time.Duration(i/2) * time.Second)
		must(t, db.CreateContact(ctx, r))
		want = append([]string{r.ID}, want...)
	}
	other := record("other")
	other.InstanceID = "i2"
	must(t, db.CreateContact(ctx, other))
	pages := func(from, to time.Time, size int) []string {
		t.Helper()
		var got []string
		p := resource.Page{Max: size}
		for {
			rs, next, err := db.Contacts(ctx, "i1", from, to, p)
			must(t, err)
			for _, r := range rs {
				got = append(got, r.ID)
			}
			if p.Token = next; next == "" {
				return got
			}
		}
	}
	for size := 1; size <= 11; size++ {
		if d := cmp.Diff(want, pages(day(), day().Add(time.Hour), size)); d != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, d)
		}
	}
	// From is inside, to is outside.
	if d := cmp.Diff(want[4:8], pages(day().Add(time.Second), day().Add(3*time.Second), 3)); d != "" {
		t.Errorf("three seconds (-want +got):\n%s", d)
	}
	if got := pages(day().Add(time.Hour), day(), 3); len(got) != 0 {
		t.Errorf("a time that is none has %v", got)
	}
}

func badContacts(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for _, change := range []func(*contact.Record){
		func(r *contact.Record) { r.ID = "" },
		func(r *contact.Record) { r.ID = "\x00" },
		func(r *contact.Record) { r.InstanceID = "\xff" },
		func(r *contact.Record) { r.Node = "\x00" },
	} {
		r := record("c1")
		change(r)
		wantKind(t, db.CreateContact(ctx, r), errs.Invalid)
		wantKind(t, db.UpdateContact(ctx, r), errs.Invalid)
		wantKind(t, db.CloseContact(ctx, r), errs.Invalid)
	}
	// What the network sent is stored, whatever it is.
	r := record("c1")
	r.CallID, r.Queue.ID, r.Agent.ID, r.Channel = "a\x00\xff'b", "\x00q", "\xffa", "\xff"
	must(t, db.CreateContact(ctx, r))
	must(t, db.CloseContact(ctx, r))
	_, err := db.Contact(ctx, "i1", "c1")
	must(t, err)
	for _, id := range []string{"", "\x00", "\xff"} {
		_, err = db.Contact(ctx, "i1", id)
		wantKind(t, err, errs.NotFound)
		list, _, err := db.Contacts(ctx, id, day(), day().Add(time.Hour), resource.Page{})
		must(t, err)
		opened, err := db.OpenContacts(ctx, id)
		must(t, err)
		if len(list)+len(opened) != 0 {
			t.Errorf("instance or node %q has %v and %v", id, list, opened)
		}
	}
}
