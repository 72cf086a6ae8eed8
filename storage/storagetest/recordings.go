package storagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/storage"
)

func testRecordings(t *testing.T, open Open) {
	t.Helper()
	t.Run("what has been kept long enough is found, by queue and channel", func(t *testing.T) { dueRecordings(t, open) })
	t.Run("a deletion is decided once, with its job", func(t *testing.T) { deletions(t, open) })
	t.Run("a hold and a deletion exclude each other", func(t *testing.T) { holds(t, open) })
	t.Run("jobs that wait are hurried, those in hand are not", func(t *testing.T) { hurried(t, open) })
}

// recorded is a closed contact with stored recordings that ended so many days before day.
func recorded(t *testing.T, db *storage.DB, id, queue string, media string, days ...int) {
	t.Helper()
	r := record(id)
	r.Queue = nil
	if queue != "" {
		r.Queue = &contact.QueueInfo{ID: queue}
	}
	r.DisconnectTimestamp = day()
	for i, n := range days {
		r.Recordings = append(r.Recordings, contact.Recording{
			Location: fmt.Sprintf("%s/%d", id, i), Status: contact.RecordingSpooled, Stop: day().AddDate(0, 0, -n), Media: media,
		})
	}
	must(t, db.CreateContact(t.Context(), r))
	must(t, db.CloseContact(t.Context(), r))
	for i := range days {
		must(t, db.MarkRecording(t.Context(), id, i, func(rec *contact.Recording) { rec.Status = contact.RecordingAvailable }))
	}
}

func due(t *testing.T, db *storage.DB, s recording.Selection, limit int) []string {
	t.Helper()
	list, err := db.DueRecordings(t.Context(), "i1", s, nil, limit)
	must(t, err)
	out := []string{}
	for _, r := range list {
		if r.InstanceID != "i1" {
			t.Errorf("a recording of instance %s", r.InstanceID)
		}
		out = append(out, fmt.Sprintf("%s/%d", r.ContactID, r.Index))
	}
	return out
}

func wantDue(t *testing.T, db *storage.DB, s recording.Selection, limit int, want ...string) {
	t.Helper()
	if got := due(t, db, s, limit); !slices.Equal(got, want) {
		t.Errorf("%+v: %v, want %v", s, got, want)
	}
}

func dueRecordings(t *testing.T, open Open) {
	t.Helper()
	db := open(t, nil)
	recorded(t, db, "c1", "q1", "", 1, 10, 20)
	recorded(t, db, "c2", "q2", "", 30)
	recorded(t, db, "c3", "", "", 40)
	recorded(t, db, "c4", "q1", contact.MediaChat, 50)
	spooled := record("c5")
	spooled.Recordings = []contact.Recording{{Location: "x", Status: contact.RecordingSpooled, Stop: day().AddDate(-1, 0, 0)}}
	must(t, db.CreateContact(t.Context(), spooled))
	must(t, db.CloseContact(t.Context(), spooled))
	other := record("c6")
	other.InstanceID = "i2"
	other.Recordings = []contact.Recording{{Location: "x", Status: contact.RecordingAvailable, Stop: day().AddDate(-1, 0, 0)}}
	must(t, db.CreateContact(t.Context(), other))
	must(t, db.CloseContact(t.Context(), other))

	voice := func(queue string, not []string, days int) recording.Selection {
		return recording.Selection{Channel: contact.Voice, QueueID: queue, NotQueues: not, Before: day().AddDate(0, 0, -days)}
	}
	wantDue(t, db, voice("q1", nil, 5), 10, "c1/2", "c1/1")
	wantDue(t, db, voice("q1", nil, 10), 10, "c1/2") // not yet: to the microsecond
	wantDue(t, db, voice("", []string{}, 0), 10, "c3/0", "c2/0", "c1/2", "c1/1", "c1/0")
	wantDue(t, db, voice("", []string{}, 0), 2, "c3/0", "c2/0")
	wantDue(t, db, voice("", []string{"q1", "q9"}, 5), 10, "c3/0", "c2/0")
	first, err := db.DueRecordings(t.Context(), "i1", voice("", []string{}, 0), nil, 3)
	must(t, err)
	rest, err := db.DueRecordings(t.Context(), "i1", voice("", []string{}, 0), &first[2], 3)
	must(t, err)
	if len(rest) != 2 || rest[0].Index != 1 || rest[1].Index != 0 || !rest[1].Ended.Equal(day().AddDate(0, 0, -1)) {
		t.Errorf("behind %+v: %+v", first[2], rest)
	}
	wantDue(t, db, recording.Selection{Channel: contact.Chat, NotQueues: []string{}, Before: day()}, 10, "c4/0")
	must(t, db.PutHold(t.Context(), recording.Hold{InstanceID: "i1", ContactID: "c1", Reason: "r", Since: day()}))
	wantDue(t, db, voice("", []string{}, 0), 10, "c3/0", "c2/0")
	must(t, db.DeleteRecording(t.Context(), recording.Ref{InstanceID: "i1", ContactID: "c2"}, "over"))
	wantDue(t, db, voice("", []string{}, 0), 10, "c3/0")
}

func deletions(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	recorded(t, db, "c1", "q1", "", 1, 2)
	ref := recording.Ref{InstanceID: "i1", ContactID: "c1", Index: 1}
	done := make(chan error, 8)
	together(8, func(int) { done <- db.DeleteRecording(ctx, ref, "the customer asked") })
	worked := 0
	for range 8 {
		if err := <-done; err == nil {
			worked++
		} else {
			wantKind(t, err, errs.InvalidRequest)
		}
	}
	r, err := db.Contact(ctx, "i1", "c1")
	must(t, err)
	if rec := r.Recordings[1]; worked != 1 || rec.Status != contact.RecordingDeleting || rec.Reason != "the customer asked" {
		t.Errorf("%d times: %+v", worked, rec)
	}
	if r.Recordings[0].Status != contact.RecordingAvailable {
		t.Errorf("the other is %s", r.Recordings[0].Status)
	}
	list, err := db.Claim(ctx, []string{storage.JobErase}, 10, time.Now().Add(time.Second), time.Minute)
	must(t, err)
	var e storage.EraseJob
	if len(list) != 1 || json.Unmarshal(list[0].Payload, &e) != nil || e != (storage.EraseJob{ContactID: "c1", InstanceID: "i1", Index: 1}) {
		t.Errorf("jobs: %+v, %+v", list, e)
	}
	for _, bad := range []recording.Ref{{InstanceID: "i2", ContactID: "c1"}, {InstanceID: "i1", ContactID: "c1", Index: 2}, {InstanceID: "i1", ContactID: "c1", Index: -1}, {InstanceID: "i1", ContactID: "\x00"}} {
		wantKind(t, db.DeleteRecording(ctx, bad, "x"), errs.NotFound)
	}
}

func holds(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i := range 6 {
		recorded(t, db, fmt.Sprint("c", i), "q1", "", 1)
		hold := recording.Hold{InstanceID: "i1", ContactID: fmt.Sprint("c", i), Reason: "dispute", UserID: "u1", Since: day().Add(time.Duration(i) * time.Second)}
		var held, deleted error
		together(2, func(n int) {
			if n == 0 {
				held = db.PutHold(ctx, hold)
			} else {
				deleted = db.DeleteRecording(ctx, recording.Ref{InstanceID: "i1", ContactID: hold.ContactID}, "x")
			}
		})
		if (held == nil) == (deleted == nil) {
			t.Errorf("hold: %v, deletion: %v", held, deleted)
		}
		for _, err := range []error{held, deleted} {
			if err != nil {
				wantKind(t, err, errs.Conflict)
			}
		}
	}
	recorded(t, db, "d1", "q1", "", 1)
	recorded(t, db, "d2", "q1", "", 1)
	hold := recording.Hold{InstanceID: "i1", ContactID: "d1", Reason: "소송", UserID: "u1", Since: day().Add(time.Hour)}
	must(t, db.PutHold(ctx, hold))
	wantKind(t, db.PutHold(ctx, hold), errs.Duplicate)
	wantKind(t, db.DeleteRecording(ctx, recording.Ref{InstanceID: "i1", ContactID: "d1"}, "x"), errs.Conflict)
	got, err := db.Hold(ctx, "i1", "d1")
	must(t, err)
	if *got != hold {
		t.Errorf("the hold is %+v, want %+v", *got, hold)
	}
	hold.ContactID = "d2"
	must(t, db.PutHold(ctx, hold))
	all, token := 0, ""
	for {
		page, next, pageErr := db.Holds(ctx, "i1", resource.Page{Max: 2, Token: token})
		must(t, pageErr)
		if all += len(page); next == "" {
			if page[len(page)-1].ContactID != "d2" {
				t.Errorf("the last is %s", page[len(page)-1].ContactID)
			}
			break
		}
		token = next
	}
	if all < 2 || all > 8 {
		t.Errorf("%d holds", all)
	}
	for _, instance := range []string{"i2", "\x00"} {
		_, err = db.Hold(ctx, instance, "d1")
		wantKind(t, err, errs.NotFound)
		_, err = db.DropHold(ctx, instance, "d1")
		wantKind(t, err, errs.NotFound)
		if list, _, listErr := db.Holds(ctx, instance, resource.Page{}); listErr != nil || len(list) != 0 {
			t.Errorf("another instance sees %v, %v", list, listErr)
		}
	}
	was, err := db.DropHold(ctx, "i1", "d1")
	must(t, err)
	if was.Reason != "소송" {
		t.Errorf("it was %+v", was)
	}
	_, err = db.DropHold(ctx, "i1", "d1")
	wantKind(t, err, errs.NotFound)
	must(t, db.DeleteRecording(ctx, recording.Ref{InstanceID: "i1", ContactID: "d1"}, "released"))
	wantKind(t, db.PutHold(ctx, recording.Hold{InstanceID: "i1", ContactID: "d1", Since: day()}), errs.Conflict)
	wantKind(t, db.PutHold(ctx, recording.Hold{InstanceID: "i2", ContactID: "d2", Since: day()}), errs.NotFound)
	wantKind(t, db.PutHold(ctx, recording.Hold{InstanceID: "i1", ContactID: "nobody", Since: day()}), errs.NotFound)
}

func hurried(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	claim := func(kind string) []jobs.Job {
		list, err := db.Claim(ctx, []string{kind}, 10, time.Now().Add(time.Second), time.Hour)
		must(t, err)
		return list
	}
	must(t, db.Enqueue(ctx, jobs.Job{Kind: "a", Key: "in hand", Due: time.Now()}))
	if n := len(claim("a")); n != 1 {
		t.Fatalf("%d claimed", n)
	}
	for _, kind := range []string{"a", "b"} {
		must(t, db.Enqueue(ctx, jobs.Job{Kind: kind, Key: "later", Due: time.Now().Add(time.Hour)}))
	}
	must(t, db.HurryJobs(ctx, "a"))
	if list := claim("a"); len(list) != 1 || list[0].Key != "later" {
		t.Errorf("hurried: %+v", list)
	}
	if list := claim("b"); len(list) != 0 {
		t.Errorf("of another kind: %+v", list)
	}
	must(t, db.ReleaseJobs(ctx, "a"))
	if list := claim("a"); len(list) != 2 {
		t.Errorf("released: %+v", list)
	}
	if list := claim("b"); len(list) != 0 {
		t.Errorf("one that waits is no lease: %+v", list)
	}
}
