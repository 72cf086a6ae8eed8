package storage

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
)

var _ records.Notebook = (*DB)(nil)

// PutNote implements records.Notebook. What agents note has columns of its own, so it is written in the same way while
// the contact goes on and after.
func (db *DB) PutNote(ctx context.Context, instanceID, contactID string, n contact.Note) error {
	if !storable(instanceID) || !storable(contactID) {
		return noContact(contactID)
	}
	if !storable(n.Disposition) || !storable(n.Notes) {
		return errs.Field("Notes", "must be UTF-8 without NUL")
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		changed, err := t.exec(ctx, `UPDATE contact SET disposition = $3, notes = $4, touched_us = $5 WHERE id = $1 AND instance_id = $2`,
			contactID, instanceID, n.Disposition, n.Notes, micros(now()))
		if err == nil && changed == 0 {
			err = noContact(contactID)
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, contactRow{id: contactID, instanceID: instanceID, marked: db.streams(instanceID)}.mark(ctx, t)
	})
	return err
}

// EditEnded changes the record of a contact that has ended: attributes, name, tags, references. errs.NotFound,
// errs.InvalidRequest (it goes on: whoever holds it changes it). change may run twice, on a fresh copy each time.
func (db *DB) EditEnded(ctx context.Context, instanceID, contactID string, change func(*contact.Record) error) error {
	if !storable(instanceID) || !storable(contactID) {
		return noContact(contactID)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		var body string
		var open bool
		err := t.row(ctx, `SELECT body, open FROM contact WHERE id = $1 AND instance_id = $2 /*for-update*/`, contactID, instanceID).Scan(&body, &open)
		if errors.Is(err, sql.ErrNoRows) {
			return struct{}{}, noContact(contactID)
		}
		if err != nil {
			return struct{}{}, err
		}
		if open {
			return struct{}{}, errs.New(errs.InvalidRequest, "contact %q is in progress", contactID)
		}
		var r contact.Record
		if err = json.Unmarshal([]byte(body), &r); err != nil {
			return struct{}{}, fmt.Errorf("storage: body of contact %s: %w", contactID, err)
		}
		if err = change(&r); err != nil {
			return struct{}{}, err
		}
		row, err := db.encodeContact(&r)
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `UPDATE contact SET body = $2, touched_us = $3 WHERE id = $1`, contactID, row.body, micros(now()))
		if err != nil {
			return struct{}{}, err
		}
		if _, err = t.exec(ctx, `DELETE FROM contact_attribute WHERE contact_id = $1`, contactID); err != nil {
			return struct{}{}, err
		}
		if err = row.indexed(ctx, t); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, row.mark(ctx, t)
	})
	return err
}

// maxChain bounds a list of contacts that belong together.
const maxChain = 1000

// AssociatedContacts are all contacts of the matter that a contact is of, oldest first, itself among them.
func (db *DB) AssociatedContacts(ctx context.Context, instanceID, contactID string) ([]*contact.Record, error) {
	r, err := db.Contact(ctx, instanceID, contactID)
	if err != nil {
		return nil, err
	}
	root := cmp.Or(r.ContactAssociationID, r.InitialContactID, r.RelatedContactID, r.ID)
	return read(ctx, db, func(ctx context.Context, t tx) ([]*contact.Record, error) {
		return collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact WHERE instance_id = $1 AND
			((chain_id = $2 AND chain_id <> '') OR id = $2) ORDER BY initiated_us, id LIMIT $3`, instanceID, root, maxChain)
	})
}

// ExpireContacts deletes the records of an instance's contacts that ended before a time, a batch at most; from is the
// place behind the batch before, and next that behind this one: "" when there is no more. A contact whose recordings are
// still kept stays: its record is how they are found.
func (db *DB) ExpireContacts(ctx context.Context, instanceID string, before time.Time, from string, n int) (removed int, next string, err error) {
	after, err := parseCursor(from)
	if err != nil {
		return 0, "", err
	}
	place := cursor{At: 1}
	if after != nil {
		place = *after
	}
	list, err := read(ctx, db, func(ctx context.Context, t tx) ([]*contact.Record, error) {
		return collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact /*by contact_ended*/
			WHERE instance_id = $1 AND NOT open AND (disconnected_us, id) > ($2, $3) AND disconnected_us < $4
			ORDER BY disconnected_us, id LIMIT $5`, instanceID, place.At, place.ID, micros(before), n)
	})
	if err != nil || len(list) == 0 {
		return 0, "", err
	}
	var ids []string
	for _, r := range list {
		if !keptRecording(r) {
			ids = append(ids, r.ID)
		}
	}
	if len(list) == n {
		last := list[n-1]
		next = cursor{At: micros(last.DisconnectTimestamp), ID: last.ID}.token()
	}
	return len(ids), next, db.deleteContacts(ctx, ids)
}

// deleteContacts deletes contacts with all that was kept of them.
func (db *DB) deleteContacts(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	args := make([]any, 0, len(ids))
	for _, id := range ids {
		args = append(args, id)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		t = t.uncached()
		in := `(` + placeholders(1, len(args)) + `)`
		for _, text := range []string{
			`DELETE FROM contact_attribute WHERE contact_id IN ` + in, `DELETE FROM contact_told WHERE contact_id IN ` + in,
			`DELETE FROM contact_mark WHERE contact_id IN ` + in, `DELETE FROM chat WHERE NOT open AND id IN ` + in,
			`DELETE FROM contact WHERE NOT open AND id IN ` + in,
		} {
			if _, err := t.exec(ctx, text, args...); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// keptRecording reports whether a file of the contact is still there, or on its way.
func keptRecording(r *contact.Record) bool {
	for _, rec := range r.Recordings {
		if rec.Status == contact.RecordingAvailable || rec.Status == contact.RecordingSpooled {
			return true
		}
	}
	return false
}
