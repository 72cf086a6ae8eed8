package api_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"ullim/internal/api/apitest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
	"ullim/storage"
)

// tellers gives the world what tells of contacts: the audit trail, the log of streams and the desk, on a database.
func (w *world) tellers(mem *apitest.World) {
	w.t.Helper()
	db, err := storage.Open(w.t.Context(), storage.Options{URL: storage.Memory})
	must(w.t, err)
	w.t.Cleanup(func() { _ = db.Close() })
	w.db = db
	w.o.Trail = db
	a := &w.o.Admin
	a.RecordStreams = apitest.NewStore(mem, func() *records.Destination { return new(records.Destination) })
	a.Dispositions = apitest.NewStore(mem, func() *records.Disposition { return new(records.Disposition) })
	a.Desk = &records.Desk{Codes: a.Dispositions, Notes: w.records, Trail: db}
	a.StreamLog, a.AuditTrail, a.Redeliverer = db, db, w
}

// Redeliver takes what the test allows.
func (w *world) Redeliver(_ context.Context, _ *records.Destination, item *records.Item) error {
	if w.refuse != nil {
		return w.refuse
	}
	w.redelivered = append(w.redelivered, item.ID)
	return nil
}

// SearchContacts finds as the store does, slowly. The token is the last contact's id.
func (f *fakeContacts) SearchContacts(_ context.Context, q contact.Query) ([]*contact.Record, string, error) {
	var out []*contact.Record
	skip := q.Token != ""
	for _, r := range f.records {
		if skip {
			skip = r.ID != q.Token
			continue
		}
		at := r.InitiationTimestamp
		if q.By == contact.ByDisconnect {
			at = r.DisconnectTimestamp
		}
		agent, queue := "", ""
		if r.Agent != nil {
			agent = r.Agent.ID
		}
		if r.Queue != nil {
			queue = r.Queue.ID
		}
		if r.InstanceID != q.InstanceID || at.Before(q.From) || !at.Before(q.To) || !one(q.AgentIDs, agent) || !one(q.QueueIDs, queue) ||
			!one(q.Channels, r.Channel) || !one(q.Methods, r.InitiationMethod) || !one(q.Reasons, r.DisconnectReason) ||
			!one(q.Dispositions, r.Disposition) || !one(q.Customers, r.CustomerEndpoint.Address) || !one(q.IDs, r.ID) {
			continue
		}
		if len(out) == q.Max {
			return out, out[len(out)-1].ID, nil
		}
		out = append(out, r)
	}
	return out, "", nil
}

func one[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// AssociatedContacts are those with the same initial contact.
func (f *fakeContacts) AssociatedContacts(ctx context.Context, instanceID, id string) ([]*contact.Record, error) {
	r, err := f.Contact(ctx, instanceID, id)
	if err != nil {
		return nil, err
	}
	var out []*contact.Record
	for _, v := range f.records {
		if v.InstanceID == instanceID && records.AssociationOf(v) == records.AssociationOf(r) {
			out = append(out, v)
		}
	}
	return out, nil
}

// EditContact changes a record in place.
func (f *fakeContacts) EditContact(ctx context.Context, instanceID, id string, e contact.Edit) error {
	r, err := f.Contact(ctx, instanceID, id)
	if err != nil {
		return err
	}
	return e.Apply(r)
}

// PutNote sets code and notes.
func (f *fakeContacts) PutNote(ctx context.Context, instanceID, id string, n contact.Note) error {
	r, err := f.Contact(ctx, instanceID, id)
	if err != nil {
		return err
	}
	r.Disposition, r.Notes = n.Disposition, n.Notes
	return nil
}

// letter puts a dead letter of a destination into the world's database, and gives its id.
func (w *world) letter(t *testing.T, destinationID, itemID string) int64 {
	t.Helper()
	ctx := t.Context()
	_, err := w.db.Lead(ctx, records.LeadPump(destinationID), "n1", time.Now().Add(time.Minute))
	must(t, err)
	at, err := w.db.Cursor(ctx, ours, destinationID, time.Now())
	must(t, err)
	must(t, w.db.Advance(ctx, "n1", ours, destinationID, at, at, []records.DeadLetter{{
		Item:   records.Item{ID: itemID, InstanceID: ours, Kind: records.KindEvent, Key: "c1", Body: []byte(`{"eventType":"QUEUED"}`)},
		Reason: "503", Tries: 8, At: time.Now(),
	}}))
	list, err := w.db.DeadLetters(ctx, destinationID, 0, 100)
	must(t, err)
	for _, l := range list {
		if l.Item.ID == itemID {
			return l.ID
		}
	}
	t.Fatal(errs.New(errs.NotFound, "the letter is not there"))
	return 0
}
