package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/resource"
)

// JobErase is the kind of the job that erases a recording whose deletion was decided; its payload is an EraseJob.
const JobErase = "recording.erase"

// EraseJob is the payload of a JobErase.
type EraseJob struct {
	ContactID  string `json:"contactId"`
	InstanceID string `json:"instanceId"`
	Index      int    `json:"index"`
}

// recordingRow is what is looked for of a recording.
type recordingRow struct {
	contactID, instanceID, queueID, channel, status string
	position                                        int
	ended                                           int64
}

// recordingRows are those of a contact, in order.
func recordingRows(r *contact.Record) []recordingRow {
	rows := make([]recordingRow, 0, len(r.Recordings))
	for i, rec := range r.Recordings {
		row := recordingRow{
			contactID: r.ID, position: i, instanceID: r.InstanceID, channel: clean(string(r.Channel)), status: clean(string(rec.Status)), ended: micros(rec.Stop),
		}
		if rec.Media == contact.MediaChat {
			row.channel = string(contact.Chat)
		}
		if r.Queue != nil {
			row.queueID = clean(r.Queue.ID)
		}
		if rec.Stop.IsZero() {
			row.ended = micros(r.DisconnectTimestamp)
		}
		rows = append(rows, row)
	}
	return rows
}

// indexRecordings writes what is looked for by age: when a contact is closed, and when a recording changes.
func indexRecordings(ctx context.Context, t tx, rows []recordingRow) error {
	for _, r := range rows {
		_, err := t.exec(ctx, `INSERT INTO recording (contact_id, position, instance_id, queue_id, channel, status, ended_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (contact_id, position) DO UPDATE SET queue_id = $4, status = $6, ended_us = $7`,
			r.contactID, r.position, r.instanceID, r.queueID, r.channel, r.status, r.ended)
		if err != nil {
			return err
		}
	}
	return nil
}

// lockedContact is a contact that nobody else changes until the transaction ends.
func lockedContact(ctx context.Context, t tx, id string) (*contact.Record, error) {
	var body string
	err := t.row(ctx, `SELECT body FROM contact WHERE id = $1 /*for-update*/`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noContact(id)
	}
	if err != nil {
		return nil, err
	}
	r := &contact.Record{}
	if err = json.Unmarshal([]byte(body), r); err != nil {
		return nil, fmt.Errorf("storage: body of contact %s: %w", id, err)
	}
	return r, nil
}

// changeRecording writes back one recording of a contact.
func (db *DB) changeRecording(ctx context.Context, t tx, r *contact.Record, i int) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("storage: encoding contact %s: %w", r.ID, err)
	}
	if _, err = t.exec(ctx, `UPDATE contact SET body = $2, touched_us = $3 WHERE id = $1`, r.ID, string(body), micros(now())); err != nil {
		return err
	}
	if err = indexRecordings(ctx, t, recordingRows(r)[i:i+1]); err != nil {
		return err
	}
	return contactRow{id: r.ID, instanceID: r.InstanceID, marked: db.streams(r.InstanceID)}.mark(ctx, t)
}

// DeleteRecording decides that a recording is deleted: it is DELETING with the reason from here on, and a job erases it.
// errs.NotFound; errs.Conflict: a hold keeps it; errs.InvalidRequest: it is not stored yet, or gone already.
func (db *DB) DeleteRecording(ctx context.Context, ref recording.Ref, reason string) error {
	if !storable(ref.ContactID) || !storable(ref.InstanceID) {
		return noContact(ref.ContactID)
	}
	payload, err := json.Marshal(EraseJob{ContactID: ref.ContactID, InstanceID: ref.InstanceID, Index: ref.Index})
	if err != nil {
		return fmt.Errorf("storage: encoding a job: %w", err)
	}
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		r, lockErr := lockedContact(ctx, t, ref.ContactID)
		if lockErr == nil && r.InstanceID != ref.InstanceID {
			lockErr = noContact(ref.ContactID)
		}
		if lockErr != nil {
			return struct{}{}, lockErr
		}
		if ref.Index < 0 || ref.Index >= len(r.Recordings) {
			return struct{}{}, errs.New(errs.NotFound, "contact %q has no recording %d", ref.ContactID, ref.Index+1)
		}
		rec := &r.Recordings[ref.Index]
		if rec.Status != contact.RecordingAvailable {
			return struct{}{}, errs.New(errs.InvalidRequest, "the recording is %s: only one that is %s can be deleted", rec.Status, contact.RecordingAvailable)
		}
		hold, holdErr := holdOf(ctx, t, ref.ContactID)
		if holdErr != nil || hold != nil {
			if holdErr == nil {
				holdErr = errs.New(errs.Conflict, "a legal hold keeps the recording since %s: %s", hold.Since.UTC().Format(time.RFC3339), hold.Reason)
			}
			return struct{}{}, holdErr
		}
		rec.Status, rec.Reason = contact.RecordingDeleting, reason
		if err = db.changeRecording(ctx, t, r, ref.Index); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, enqueue(ctx, t, jobs.Job{Kind: JobErase, Key: fmt.Sprintf("%s/%d", ref.ContactID, ref.Index), Payload: payload, Due: now()})
	})
	return err
}

// DueRecordings are stored recordings of an instance that a selection means and no hold keeps, the oldest first; after one of
// them if after is not nil.
func (db *DB) DueRecordings(ctx context.Context, instanceID string, s recording.Selection, after *recording.Ref, limit int) ([]recording.Ref, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	args := []any{instanceID, string(s.Channel), micros(s.Before)}
	arg := func(v any) string { args = append(args, v); return "$" + strconv.Itoa(len(args)) }
	where := ""
	switch {
	case s.NotQueues == nil:
		where = ` AND queue_id = ` + arg(s.QueueID)
	case len(s.NotQueues) > 0:
		list := make([]string, len(s.NotQueues))
		for i, q := range s.NotQueues {
			list[i] = arg(q)
		}
		where = ` AND queue_id NOT IN (` + strings.Join(list, ", ") + `)`
	}
	if after != nil {
		where += ` AND (ended_us, contact_id, position) > (` + arg(micros(after.Ended)) + `, ` + arg(after.ContactID) + `, ` + arg(after.Index) + `)`
	}
	text := `SELECT contact_id, position, ended_us FROM recording WHERE status = 'AVAILABLE' AND instance_id = $1 AND channel = $2
		AND ended_us < $3` + where + ` AND NOT EXISTS (SELECT 1 FROM legal_hold h WHERE h.contact_id = recording.contact_id)
		ORDER BY ended_us, contact_id, position LIMIT ` + arg(limit)
	return read(ctx, db, func(ctx context.Context, t tx) ([]recording.Ref, error) {
		return collect(ctx, t, func(s scanner) (recording.Ref, error) {
			ref, ended := recording.Ref{InstanceID: instanceID}, int64(0)
			err := s.Scan(&ref.ContactID, &ref.Index, &ended)
			ref.Ended = fromMicros(ended)
			return ref, err
		}, text, args...)
	})
}

const holdColumns = `instance_id, contact_id, reason, user_id, since_us`

func scanHold(s scanner) (*recording.Hold, error) {
	h, since := &recording.Hold{}, int64(0)
	err := s.Scan(&h.InstanceID, &h.ContactID, &h.Reason, &h.UserID, &since)
	h.Since = fromMicros(since)
	return h, err
}

// holdOf is the hold of a contact; nil if there is none.
func holdOf(ctx context.Context, t tx, contactID string) (*recording.Hold, error) {
	h, err := scanHold(t.row(ctx, `SELECT `+holdColumns+` FROM legal_hold WHERE contact_id = $1`, contactID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return h, err
}

// PutHold places a hold. errs.NotFound: no such contact; errs.Duplicate: there is one already; errs.Conflict: a recording is
// being deleted this moment.
func (db *DB) PutHold(ctx context.Context, h recording.Hold) error {
	if !storable(h.ContactID) || !storable(h.InstanceID) {
		return noContact(h.ContactID)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		r, err := lockedContact(ctx, t, h.ContactID)
		if err == nil && r.InstanceID != h.InstanceID {
			err = noContact(h.ContactID)
		}
		if err != nil {
			return struct{}{}, err
		}
		if slices.ContainsFunc(r.Recordings, func(rec contact.Recording) bool { return rec.Status == contact.RecordingDeleting }) {
			return struct{}{}, errs.New(errs.Conflict, "a recording of the contact is being deleted this moment")
		}
		n, err := t.exec(ctx, `INSERT INTO legal_hold (`+holdColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			h.InstanceID, h.ContactID, clean(h.Reason), clean(h.UserID), micros(h.Since))
		if err == nil && n == 0 {
			err = errs.New(errs.Duplicate, "contact %q is on hold already", h.ContactID)
		}
		return struct{}{}, err
	})
	return err
}

// DropHold releases a hold and gives what it was. errs.NotFound.
func (db *DB) DropHold(ctx context.Context, instanceID, contactID string) (*recording.Hold, error) {
	if !storable(instanceID) || !storable(contactID) {
		return nil, noHold(contactID)
	}
	return write(ctx, db, func(ctx context.Context, t tx) (*recording.Hold, error) {
		list, err := collect(ctx, t, scanHold, `DELETE FROM legal_hold WHERE contact_id = $1 AND instance_id = $2 RETURNING `+holdColumns, contactID, instanceID)
		if err == nil && len(list) == 0 {
			err = noHold(contactID)
		}
		if err != nil {
			return nil, err
		}
		return list[0], nil
	})
}

// Hold is the hold of a contact. errs.NotFound.
func (db *DB) Hold(ctx context.Context, instanceID, contactID string) (*recording.Hold, error) {
	if !storable(instanceID) || !storable(contactID) {
		return nil, noHold(contactID)
	}
	return read(ctx, db, func(ctx context.Context, t tx) (*recording.Hold, error) {
		h, err := holdOf(ctx, t, contactID)
		if err == nil && (h == nil || h.InstanceID != instanceID) {
			err = noHold(contactID)
		}
		return h, err
	})
}

func noHold(contactID string) error {
	return errs.New(errs.NotFound, "contact %q is not on hold", contactID)
}

// Holds are all holds of an instance, the oldest first.
func (db *DB) Holds(ctx context.Context, instanceID string, p resource.Page) ([]*recording.Hold, string, error) {
	n, err := pageSize(p)
	if err != nil {
		return nil, "", err
	}
	after, err := parseCursor(p.Token)
	if err != nil || !storable(instanceID) {
		return nil, "", err
	}
	args, where := []any{instanceID, n + 1}, ""
	if after != nil {
		where = ` AND (since_us, contact_id) > ($3, $4)`
		args = append(args, after.At, after.ID)
	}
	list, err := read(ctx, db, func(ctx context.Context, t tx) ([]*recording.Hold, error) {
		return collect(ctx, t, scanHold, `SELECT `+holdColumns+` FROM legal_hold WHERE instance_id = $1`+where+`
			ORDER BY since_us, contact_id LIMIT $2`, args...)
	})
	if err != nil || len(list) <= n {
		return list, "", err
	}
	last := list[n-1]
	return list[:n], cursor{At: micros(last.Since), ID: last.ContactID}.token(), nil
}

// HurryJobs makes jobs of some kinds that wait for a later time due now; those that a worker has in hand are left alone.
func (db *DB) HurryJobs(ctx context.Context, kinds ...string) error {
	in, args := inKinds(kinds, micros(now()))
	_, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `UPDATE job SET ready_us = $1, due_us = $1 WHERE NOT buried AND ready_us = due_us AND ready_us > $1 AND `+in, args...)
	})
	return err
}

// ReleaseJobs ends the leases of jobs of some kinds that only this process works on: whoever had them in hand is dead.
func (db *DB) ReleaseJobs(ctx context.Context, kinds ...string) error {
	in, args := inKinds(kinds)
	_, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `UPDATE job SET ready_us = due_us WHERE NOT buried AND ready_us > due_us AND `+in, args...)
	})
	return err
}

// IndexOldRecordings brings contacts that were closed before there was an index of recordings into it: once, page by page.
func (db *DB) IndexOldRecordings(ctx context.Context) error {
	const done = "recordings.indexed"
	value, err := db.PutSettingOnce(ctx, done+".begun", []byte(strconv.FormatInt(micros(now()), 10)))
	if err != nil {
		return err
	}
	if _, err = db.Setting(ctx, done); !errs.Is(err, errs.NotFound) {
		return err // done, or not to be known
	}
	until, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return fmt.Errorf("storage: setting %s: %w", done, err)
	}
	const page = 500
	for after := ""; ; {
		last, pageErr := write(ctx, db, func(ctx context.Context, t tx) (string, error) {
			list, listErr := collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact
				WHERE NOT open AND initiated_us < $1 AND id > $2 ORDER BY id LIMIT $3`, until, after, page)
			if listErr != nil || len(list) == 0 {
				return "", listErr
			}
			for _, r := range list {
				if indexErr := indexRecordings(ctx, t, recordingRows(r)); indexErr != nil {
					return "", indexErr
				}
			}
			return list[len(list)-1].ID, nil
		})
		if pageErr != nil {
			return pageErr
		}
		if last == "" {
			break
		}
		after = last
	}
	_, err = db.PutSettingOnce(ctx, done, []byte("1"))
	return err
}
