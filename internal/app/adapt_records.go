package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"ullim/internal/api/connect"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/internal/webhook"
	"ullim/storage"
)

// streamed tells whether a write of a contact is to be followed. Before it is known every one is.
func (a *App) streamed(instanceID string) bool {
	return a.records == nil || a.records.Wants(instanceID)
}

// searchable are the attributes by which contacts of an instance are found.
func (a *App) searchable(instanceID string) []string {
	if t, err := a.dir.tenant(instanceID); err == nil {
		return t.instance.SearchableAttributes
	}
	return nil
}

// openRecords makes the service that tells of contacts. It is started when everything that it delivers with is there.
func (a *App) openRecords(ctx context.Context) error {
	a.records = records.New(records.Options{
		Node: a.o.Node, Store: a.db, Sender: hookSender{a}, Blobs: lineBlobs{a}, Dir: filepath.Join(a.o.DataDir, "streams"), Log: a.log,
		Agents: agentStream{db: a.db, dir: a.dir}.items,
		Destinations: func(ctx context.Context) ([]*records.Destination, error) {
			return everyOf[records.Destination](ctx, a.db)
		},
	})
	a.desk = &records.Desk{Codes: a.stores.dispositions, Notes: a.db, Trail: a.db}
	return a.records.Sync(ctx)
}

// startRecords follows contacts, serves destinations and removes what is old.
func (a *App) startRecords() {
	a.records.Start()
	a.life.onStopDo("record streams", a.records.Stop)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.keep(ctx) }()
	a.life.onStopDo("retention", func() { cancel(); <-done })
}

// syncRecords puts a change of destinations into force.
func (a *App) syncRecords() {
	if a.records == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := a.records.Sync(ctx); err != nil {
		a.log.Error("record streams not changed: those before stay in force", "error", err)
	}
}

// hookSender delivers items to web services, signed as functions are.
type hookSender struct{ a *App }

// hookLimit is how long one delivery may take, with its quick repetitions.
const hookLimit = 10 * time.Second

// Headers that say what an item is, beside those of every delivery.
const (
	headerKind     = "Ullim-Kind"
	headerSequence = "Ullim-Sequence"
)

// Send delivers one item.
func (h hookSender) Send(ctx context.Context, d *records.Destination, item *records.Item, body []byte) error {
	var secrets []string
	sealed := []string{d.Secret}
	if time.Now().Before(d.PreviousUntil) {
		sealed = append(sealed, d.PreviousSecret)
	}
	for _, box := range sealed {
		if box == "" {
			continue
		}
		secret, err := h.a.sealer.Open(records.SecretOwner(d.ID), box)
		if err != nil {
			return err
		}
		secrets = append(secrets, secret)
	}
	header := http.Header{headerKind: {string(item.Kind)}, headerSequence: {strconv.FormatInt(item.Number, 10)}}
	_, err := h.a.outside.hooks.Post(ctx, webhook.Delivery{
		ID: item.ID, InstanceID: d.InstanceID, URL: d.URL, Secrets: secrets, Header: header, Body: body, Limit: hookLimit, MaxAnswer: 64 << 10,
	})
	if err == nil {
		return nil
	}
	var f *webhook.Failure
	switch outcome := webhook.OutcomeOf(err); {
	case outcome == webhook.ClientError && errors.As(err, &f) && (f.Status == http.StatusRequestTimeout || f.Status == http.StatusTooEarly):
		return err
	case outcome == webhook.ClientError, outcome == webhook.Redirected, outcome == webhook.Refused:
		return errs.Wrap(err, errs.Invalid, "the service refuses it: %s", err)
	}
	return err
}

// lineBlobs puts lines where recordings are.
type lineBlobs struct{ a *App }

// PutLines stores an object.
func (b lineBlobs) PutLines(ctx context.Context, key string, body []byte) error {
	sum := sha256.Sum256(body)
	return b.a.blobs.Put(ctx, key, bytes.NewReader(body), int64(len(body)), hex.EncodeToString(sum[:]))
}

// contacts are contact records for the API: those in progress as they are this moment.
type contacts struct{ a *App }

var _ connect.Contacts = contacts{}

// Contact is one record.
func (c contacts) Contact(ctx context.Context, instanceID, id string) (*contact.Record, error) {
	r, err := c.a.db.Contact(ctx, instanceID, id)
	if err != nil || !r.DisconnectTimestamp.IsZero() {
		return r, err
	}
	if live, ok := c.a.calls.Record(instanceID, id); ok {
		live.Disposition, live.Notes = r.Disposition, r.Notes // these are not the call's
		return &live, nil
	}
	return r, nil
}

// SearchContacts finds records.
func (c contacts) SearchContacts(ctx context.Context, q contact.Query) ([]*contact.Record, string, error) {
	return c.a.db.SearchContacts(ctx, q)
}

// AssociatedContacts are all of one matter.
func (c contacts) AssociatedContacts(ctx context.Context, instanceID, id string) ([]*contact.Record, error) {
	return c.a.db.AssociatedContacts(ctx, instanceID, id)
}

// EditContact changes a contact where it lives: in its call, its chat, or the database.
func (c contacts) EditContact(ctx context.Context, instanceID, id string, e contact.Edit) error {
	for _, edit := range []func(context.Context, string, string, contact.Edit) error{c.a.calls.Edit, c.a.chats.Edit} {
		if err := edit(ctx, instanceID, id, e); !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return c.a.db.EditEnded(ctx, instanceID, id, e.Apply)
}

// How long items of the stream are kept, and how often it is looked for what is old.
const (
	itemsDone   = 7 * 24 * time.Hour
	itemsAlways = 31 * 24 * time.Hour
	keepEvery   = 10 * time.Minute
	keepBatch   = 500
	keepPause   = 200 * time.Millisecond // between batches: calls go first
)

// keep removes what has been kept long enough, in batches, on one node at a time.
func (a *App) keep(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		ours, err := a.db.Lead(ctx, "keeper", a.o.Node, time.Now().Add(2*keepEvery))
		if err == nil && ours {
			err = a.expire(ctx, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("old records not removed", "error", err)
		}
	}
}

// expire removes what is old by now.
func (a *App) expire(ctx context.Context, now time.Time) error {
	if err := a.trimStream(ctx, now); err != nil {
		return err
	}
	for _, t := range a.dir.snap.Load().tenants {
		if err := a.expireTenant(ctx, t.instance, now); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) trimStream(ctx context.Context, now time.Time) error {
	for {
		removed, missed, err := a.db.TrimStream(ctx, now.Add(-itemsDone), now.Add(-itemsAlways))
		if missed > 0 {
			a.recordFigures.missed.Add(uint64(missed))
			a.log.Warn("items are gone that a destination has not had: replay them from the records", "items", missed)
		}
		if err != nil || removed == 0 || !pauseFor(ctx, keepPause) {
			return err
		}
	}
}

func (a *App) expireTenant(ctx context.Context, v *identity.Instance, now time.Time) error {
	days := func(n int) time.Time {
		if n == 0 {
			n = identity.DefaultKeepDays
		}
		return now.AddDate(0, 0, -n)
	}
	for {
		n, err := a.db.TrimAudit(ctx, v.ID, days(v.AuditDays), keepBatch)
		if err != nil {
			return err
		}
		if n < keepBatch {
			break
		}
	}
	for place := ""; ; {
		n, next, err := a.db.ExpireContacts(ctx, v.ID, days(v.RecordDays), place, keepBatch)
		a.recordFigures.expired.Add(uint64(n)) // never negative
		if err != nil || next == "" || !pauseFor(ctx, keepPause) {
			return err
		}
		place = next
	}
}

// pauseFor waits; false: there is no more time.
func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var _ records.Store = (*storage.DB)(nil)
