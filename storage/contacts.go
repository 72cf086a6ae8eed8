package storage

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/resource"
	"ullim/reporting"
)

var (
	_ call.Store  = (*DB)(nil)
	_ call.Reader = (*DB)(nil)
)

// JobUpload is the kind of the job that moves a recording from the spool to the blob store; its payload is an
// UploadJob, its key the contact id and the index.
const JobUpload = "recording.upload"

// UploadJob is the payload of a JobUpload.
type UploadJob struct {
	ContactID  string `json:"contactId"`
	InstanceID string `json:"instanceId"`
	Index      int    `json:"index"` // in contact.Record.Recordings
	Spool      string `json:"spool"` // file name in the spool folder
	Key        string `json:"key"`   // blob key
}

// contactRow is a record ready to be stored.
type contactRow struct {
	id, instanceID, node, channel, queueID, agentID, callID string
	initiated, disconnected                                 int64
	body                                                    string

	facts map[reporting.Table][]reporting.Fact // of a record that is closed and complete as it is; else countContact looks

	method, reason, customer, chain, disposition, notes string
	searchable                                          [][2]string // attributes, once it is closed
	marked                                              bool        // somebody is told of its instance's contacts
	recordings                                          []recordingRow
}

// encodeContact copies everything that a write needs. The SIP Call-ID is as the network sent it, and the columns of
// PostgreSQL take no NUL and only UTF-8: what does not fit is cut out of the column, body keeps it escaped.
func (db *DB) encodeContact(r *contact.Record) (contactRow, error) {
	if r.ID == "" || !storable(r.ID) || !storable(r.InstanceID) || !storable(r.Node) {
		return contactRow{}, errs.New(errs.Invalid, "storage: contact %q of instance %q has no usable id", r.ID, r.InstanceID)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return contactRow{}, fmt.Errorf("storage: encoding contact %s: %w", r.ID, err)
	}
	row := contactRow{
		id: r.ID, instanceID: r.InstanceID, node: r.Node, channel: clean(string(r.Channel)), callID: clean(r.CallID),
		initiated: micros(r.InitiationTimestamp), disconnected: micros(r.DisconnectTimestamp), body: string(body),
		method: clean(string(r.InitiationMethod)), reason: clean(string(r.DisconnectReason)), customer: clean(r.CustomerEndpoint.Address),
		chain: clean(cmp.Or(r.ContactAssociationID, r.InitialContactID, r.RelatedContactID)), marked: db.streams(r.InstanceID),
		disposition: clean(r.Disposition), notes: clean(r.Notes), searchable: db.searchable(r),
		recordings: recordingRows(r),
	}
	if r.Queue != nil {
		row.queueID = clean(r.Queue.ID)
	}
	if r.Agent != nil {
		row.agentID = clean(r.Agent.ID)
	}
	return row, nil
}

// encodeClosed is encodeContact for a record that is final. Most short contacts meet no agent: they need no second look.
func (db *DB) encodeClosed(r *contact.Record) (contactRow, error) {
	row, err := db.encodeContact(r)
	if err == nil && reporting.Complete(r) && len(r.Offers) == 0 && (r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero()) {
		row.facts = reporting.ContactFacts(r, nil)
	}
	return row, err
}

// clean makes a string storable.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// args are the values of the columns that every write sets, in the order of their placeholders from $1.
func (r contactRow) args() []any {
	return []any{
		r.id, r.instanceID, r.node, r.channel, r.queueID, r.agentID, r.callID, r.initiated, r.disconnected, r.body,
		r.method, r.reason, r.customer, r.chain,
	}
}

// all are the values of a whole row.
func (r contactRow) all(open bool) []any { return append(r.args(), open, r.disposition, r.notes) }

const (
	insertContact = `INSERT INTO contact (id, instance_id, node, channel, queue_id, agent_id, call_id, initiated_us,
		disconnected_us, body, method, reason, customer, chain_id, open, disposition, notes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	insertClosed = `INSERT INTO contact (id, instance_id, node, channel, queue_id, agent_id, call_id, initiated_us,
		disconnected_us, body, method, reason, customer, chain_id, open, disposition, notes, counted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
	contactColumns = `body, acw_start_us, acw_end_us, touched_us, disposition, notes`
)

// scanContact decodes a record: the columns of after-contact work, and of what the agent noted,
// win over the body.
func scanContact(s scanner) (*contact.Record, error) {
	var body, disposition, notes string
	var start, end, touched int64
	if err := s.Scan(&body, &start, &end, &touched, &disposition, &notes); err != nil {
		return nil, err
	}
	r := &contact.Record{}
	if err := json.Unmarshal([]byte(body), r); err != nil {
		return nil, fmt.Errorf("storage: body of a contact: %w", err)
	}
	r.Disposition, r.Notes = disposition, notes
	if start != 0 && r.Agent != nil {
		r.Agent.AfterContactWorkStart, r.Agent.AfterContactWorkEnd = fromMicros(start), fromMicros(end)
	}
	if t := fromMicros(touched); t.After(r.LastUpdateTimestamp) {
		r.LastUpdateTimestamp = t
	}
	return r, nil
}

// CreateContact implements call.Store. errs.Duplicate if there is a contact with this id.
func (db *DB) CreateContact(ctx context.Context, r *contact.Record) error {
	row, err := db.encodeContact(r)
	if err != nil {
		return err
	}
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		n, execErr := t.exec(ctx, insertContact+` ON CONFLICT DO NOTHING`, row.all(true)...)
		if execErr == nil && n == 0 {
			execErr = errs.New(errs.Duplicate, "there is a contact %q already", row.id)
		}
		if execErr != nil {
			return struct{}{}, execErr
		}
		return struct{}{}, row.mark(ctx, t)
	})
	return err
}

// UpdateContact implements call.Store. errs.NotFound if there is no such contact, errs.InvalidRequest if it is closed:
// a final record stays as it is.
func (db *DB) UpdateContact(ctx context.Context, r *contact.Record) error {
	row, err := db.encodeContact(r)
	if err != nil {
		return err
	}
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, updateContact(ctx, t, row)
	})
	return err
}

func updateContact(ctx context.Context, t tx, row contactRow) error {
	n, err := t.exec(ctx, `UPDATE contact SET node = $3, channel = $4, queue_id = $5, agent_id = $6, call_id = $7,
		initiated_us = $8, disconnected_us = $9, body = $10, method = $11, reason = $12, customer = $13, chain_id = $14
		WHERE id = $1 AND instance_id = $2 AND open`, row.args()...)
	if err == nil && n == 1 {
		return row.mark(ctx, t)
	}
	if err != nil {
		return err
	}
	var open bool
	err = t.row(ctx, `SELECT open FROM contact WHERE id = $1 AND instance_id = $2`, row.id, row.instanceID).Scan(&open)
	if errors.Is(err, sql.ErrNoRows) {
		return noContact(row.id)
	}
	if err != nil {
		return err
	}
	return errs.New(errs.InvalidRequest, "contact %q is closed", row.id)
}

func noContact(id string) error { return errs.New(errs.NotFound, "there is no contact %q", id) }

// CloseContact implements call.Store. A contact that was never created (the database was away) is written now.
//
// The reservations of the contact end as far as they are the contact's: an offer that still rings is removed, and an
// agent who was connected is left in after-contact work, which is the agent's own and ends by EndReservation. So the
// ACD may come with SlotACW before or after.
func (db *DB) CloseContact(ctx context.Context, r *contact.Record) error {
	row, err := db.encodeClosed(r)
	if err != nil {
		return err
	}
	uploads, err := uploadJobs(r)
	if err != nil {
		return err
	}
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, closeContact(ctx, t, row, uploads)
	})
	return err
}

// CloseContactLater is CloseContact for a caller that does not wait: the commit may be that of another write, some
// milliseconds later. done is told when it is on the disk, or why not, from another goroutine, which it must not keep.
func (db *DB) CloseContactLater(r *contact.Record, done func(error)) {
	row, err := db.encodeClosed(r)
	var uploads []jobs.Job
	if err == nil {
		uploads, err = uploadJobs(r)
	}
	if err != nil {
		db.pending.Go(func() { done(err) })
		return
	}
	db.engine.later(func(ctx context.Context, t tx) error { return closeContact(ctx, t, row, uploads) }, func(err error) {
		if err != nil {
			err = db.translate(context.Background(), err)
		}
		done(err)
	})
}

func closeContact(ctx context.Context, t tx, row contactRow, uploads []jobs.Job) error {
	n, err := t.exec(ctx, insertClosed+` ON CONFLICT (id) DO UPDATE SET node = $3, channel = $4, queue_id = $5,
		agent_id = $6, call_id = $7, initiated_us = $8, disconnected_us = $9, body = $10, method = $11, reason = $12,
		customer = $13, chain_id = $14, open = $15, counted = $18 WHERE contact.open AND contact.instance_id = $2`, append(row.all(false), row.facts != nil)...)
	if err != nil || n == 0 {
		return err // n == 0: closed before
	}
	if err = row.indexed(ctx, t); err != nil {
		return err
	}
	if err = indexRecordings(ctx, t, row.recordings); err != nil {
		return err
	}
	if err = row.mark(ctx, t); err != nil {
		return err
	}
	for _, j := range uploads {
		if err = enqueue(ctx, t, j); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, `DELETE FROM reservation WHERE contact_id = $1 AND state IN ($2, $3)`, row.id, string(acd.SlotOffered),
		stateRinging)
	if err != nil {
		return err
	}
	at := row.disconnected
	if at == 0 {
		at = micros(now())
	}
	_, err = t.exec(ctx, `UPDATE reservation SET state = $3, since_us = $4 WHERE contact_id = $1 AND state = $2`,
		row.id, string(acd.SlotConnected), string(acd.SlotACW), at)
	if err != nil {
		return err
	}
	if row.facts != nil {
		return insertFacts(ctx, t, row.instanceID, row.facts)
	}
	return countContact(ctx, t, row.id)
}

// uploadJobs makes a job for each recording that lies in the spool.
func uploadJobs(r *contact.Record) ([]jobs.Job, error) {
	var list []jobs.Job
	for i, rec := range r.Recordings {
		if rec.Status != contact.RecordingSpooled {
			continue
		}
		if rec.Media == contact.MediaChat {
			job, err := transcriptJob(r, i)
			if err != nil {
				return nil, err
			}
			list = append(list, job)
			continue
		}
		payload, err := json.Marshal(UploadJob{
			ContactID: r.ID, InstanceID: r.InstanceID, Index: i, Spool: rec.Spool, Key: rec.Location,
		})
		if err != nil {
			return nil, fmt.Errorf("storage: encoding a job: %w", err)
		}
		list = append(list, jobs.Job{Kind: JobUpload, Key: fmt.Sprintf("%s/%d", r.ID, i), Payload: payload, Due: now()})
	}
	return list, nil
}

// MarkRecording changes one recording of a contact, open or closed: the upload job sets AVAILABLE, a retention rule
// DELETED. change may run twice, on a fresh copy each time, and must touch nothing else. errs.NotFound if there is no
// such contact or recording.
func (db *DB) MarkRecording(ctx context.Context, contactID string, index int, change func(*contact.Recording)) error {
	if !storable(contactID) {
		return noContact(contactID)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		r, err := lockedContact(ctx, t, contactID)
		if err != nil {
			return struct{}{}, err
		}
		if index < 0 || index >= len(r.Recordings) {
			return struct{}{}, errs.New(errs.NotFound, "contact %q has no recording %d", contactID, index)
		}
		change(&r.Recordings[index])
		return struct{}{}, db.changeRecording(ctx, t, r, index)
	})
	return err
}

// PutAfterContactWork implements acd.Store. errs.NotFound if there is no such contact.
func (db *DB) PutAfterContactWork(ctx context.Context, contactID string, start, end time.Time) error {
	if !storable(contactID) {
		return noContact(contactID)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		var instanceID string
		err := t.row(ctx, `UPDATE contact SET acw_start_us = $2, acw_end_us = $3, touched_us = $4 WHERE id = $1 RETURNING instance_id`,
			contactID, micros(start), micros(end), micros(now())).Scan(&instanceID)
		if errors.Is(err, sql.ErrNoRows) {
			err = noContact(contactID)
		}
		if err == nil && !end.IsZero() {
			err = countContact(ctx, t, contactID)
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, contactRow{id: contactID, instanceID: instanceID, marked: db.streams(instanceID)}.mark(ctx, t)
	})
	return err
}

// Contact implements call.Reader.
func (db *DB) Contact(ctx context.Context, instanceID, id string) (*contact.Record, error) {
	if !storable(instanceID) || !storable(id) {
		return nil, noContact(id)
	}
	r, err := read(ctx, db, func(ctx context.Context, t tx) (*contact.Record, error) {
		return scanContact(t.row(ctx, `SELECT `+contactColumns+` FROM contact WHERE id = $1 AND instance_id = $2`, id, instanceID))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noContact(id)
	}
	return r, err
}

// Contacts implements call.Reader.
func (db *DB) Contacts(ctx context.Context, instanceID string, from, to time.Time, p resource.Page) ([]*contact.Record, string, error) {
	n, err := pageSize(p)
	if err != nil {
		return nil, "", err
	}
	after, err := parseCursor(p.Token)
	if err != nil {
		return nil, "", err
	}
	if !storable(instanceID) {
		return nil, "", nil
	}
	args := []any{instanceID, micros(from), micros(to), n + 1}
	where := ""
	if after != nil {
		where = ` AND (initiated_us, id) < ($5, $6)`
		args = append(args, after.At, after.ID)
	}
	rs, err := read(ctx, db, func(ctx context.Context, t tx) ([]*contact.Record, error) {
		return collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact
			WHERE instance_id = $1 AND initiated_us >= $2 AND initiated_us < $3`+where+`
			ORDER BY initiated_us DESC, id DESC LIMIT $4`, args...)
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rs) > n {
		rs = rs[:n]
		last := rs[n-1]
		next = cursor{At: micros(last.InitiationTimestamp), ID: last.ID}.token()
	}
	return rs, next, nil
}

// OpenContacts implements call.Reader.
func (db *DB) OpenContacts(ctx context.Context, node string) ([]*contact.Record, error) {
	if !storable(node) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]*contact.Record, error) {
		return collect(ctx, t, scanContact, `SELECT `+contactColumns+` FROM contact WHERE open AND node = $1 ORDER BY initiated_us, id`, node)
	})
}
