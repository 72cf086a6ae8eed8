package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/storage"
)

// jobRetention is the kind of the one job that lets go what has been kept long enough.
const jobRetention = "recording.retention"

// Bounds of one run of the retention job.
const (
	retentionBatch   = 100
	retentionBatches = 50
)

// erasing is how long somebody who deletes a recording is kept waiting for it to be gone; after that the job does it.
const erasing = 10 * time.Second

// eraser deletes recordings: whoever decides it, the decision is in the record with its reason before anything is done, the
// job does it as often as it takes, and DELETED is said when the store has been asked and has nothing any more.
type eraser struct {
	db        *storage.DB
	uploads   *uploader
	policies  resource.Store[*recording.Policy]
	instances func() []string
	every     time.Duration
	log       *slog.Logger
	wake      func()
}

// handle is the job of one recording.
func (e *eraser) handle(ctx context.Context, j jobs.Job) error {
	var p storage.EraseJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	err := e.erase(ctx, recording.Ref{InstanceID: p.InstanceID, ContactID: p.ContactID, Index: p.Index})
	if errs.Is(err, errs.Conflict) {
		return nil // the record says why not
	}
	return err
}

// erase removes one whose deletion was decided. errs.Conflict: the store has locked it, and it stays AVAILABLE.
func (e *eraser) erase(ctx context.Context, ref recording.Ref) error {
	r, err := e.db.Contact(ctx, ref.InstanceID, ref.ContactID)
	if err != nil {
		return err
	}
	if ref.Index >= len(r.Recordings) || r.Recordings[ref.Index].Status != contact.RecordingDeleting {
		return nil
	}
	rec := r.Recordings[ref.Index]
	store, err := e.uploads.places.at(rec.Bucket, "")
	if err != nil {
		return err
	}
	if err = store.Erase(ctx, rec.Location); errs.Is(err, errs.Conflict) {
		reason := "not deleted: " + err.Error()
		e.log.Warn("recording cannot be deleted", "contact_id", ref.ContactID, "key", rec.Location, "error", err)
		if merr := e.mark(ctx, ref, contact.RecordingAvailable, reason); merr != nil {
			return merr
		}
		return errs.New(errs.Conflict, "%s", reason)
	}
	if err == nil && rec.Waveform != "" {
		err = store.Erase(ctx, rec.Waveform)
	}
	if err != nil {
		e.log.Warn("recording not deleted yet", "contact_id", ref.ContactID, "key", rec.Location, "error", err)
		return err
	}
	if err = e.mark(ctx, ref, contact.RecordingDeleted, rec.Reason); err != nil {
		return err
	}
	e.uploads.erased.Add(1)
	e.log.Info("recording deleted", "contact_id", ref.ContactID, "key", rec.Location, "bucket", rec.Bucket, "reason", rec.Reason)
	return nil
}

// mark ends a deletion, one way or the other.
func (e *eraser) mark(ctx context.Context, ref recording.Ref, status contact.RecordingStatus, reason string) error {
	return e.db.MarkRecording(ctx, ref.ContactID, ref.Index, func(r *contact.Recording) {
		if r.Status != contact.RecordingDeleting { // somebody else was faster
			return
		}
		if r.Status, r.Reason = status, reason; status == contact.RecordingDeleted {
			r.Waveform = ""
		}
	})
}

// Delete decides that a recording is deleted, and deletes it if the store answers soon; otherwise the job goes on.
func (e *eraser) Delete(ctx context.Context, ref recording.Ref, reason string) (contact.RecordingStatus, error) {
	if err := e.db.DeleteRecording(ctx, ref, reason); err != nil {
		return "", err
	}
	e.wake()
	soon, cancel := context.WithTimeout(ctx, erasing)
	defer cancel()
	if err := e.erase(soon, ref); err != nil && !errs.Is(err, errs.Conflict) {
		return contact.RecordingDeleting, nil
	}
	// What came of it is in the record, whoever of us and the job was first.
	r, err := e.db.Contact(ctx, ref.InstanceID, ref.ContactID)
	if err != nil {
		return "", err
	}
	rec := r.Recordings[ref.Index]
	if rec.Status == contact.RecordingAvailable {
		return "", errs.New(errs.Conflict, "%s", rec.Reason)
	}
	return rec.Status, nil
}

// retain is the job that lets go what every instance's policy says, a batch at a time, and comes again.
func (e *eraser) retain(ctx context.Context, _ jobs.Job) error {
	for _, id := range e.instances() {
		p, err := e.policies.GetByName(ctx, id, recording.PolicyName)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		now := time.Now()
		for _, s := range p.Selections(now) {
			if err = e.letGo(ctx, id, s, now); err != nil {
				return err
			}
		}
	}
	return jobs.Snooze(time.Now().Add(e.every))
}

// letGo decides the deletion of what a selection means. What the store has locked is asked for again in the next run only.
func (e *eraser) letGo(ctx context.Context, instanceID string, s recording.Selection, now time.Time) error {
	reason := fmt.Sprintf("retention policy: ended before %s", s.Before.UTC().Format(time.RFC3339))
	var after *recording.Ref
	for range retentionBatches {
		list, err := e.db.DueRecordings(ctx, instanceID, s, after, retentionBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, ref := range list {
			err = e.db.DeleteRecording(ctx, ref, reason)
			if err != nil && !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.InvalidRequest) && !errs.Is(err, errs.NotFound) {
				return err
			}
		}
		e.log.Info("recordings have been kept long enough", "instance_id", instanceID, "channel", s.Channel, "recordings", len(list), "took", time.Since(now))
		e.wake()
		after = &list[len(list)-1]
	}
	return nil
}
