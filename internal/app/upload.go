package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"

	"ullim/internal/contact"
	"ullim/internal/jobs"
	"ullim/storage"
	"ullim/storage/blob"
)

// uploader brings finished recordings from the spool to the blob store. The local copy goes only when the store has
// verified what it holds and the record says so.
type uploader struct {
	db    *storage.DB
	blobs blob.Store
	spool *os.Root
	log   *slog.Logger

	uploaded, failed atomic.Uint64
}

// handle is the job. It may run again after any failure, and after a crash at any point.
func (u *uploader) handle(ctx context.Context, j jobs.Job) error {
	err := u.upload(ctx, j)
	if err != nil {
		u.failed.Add(1)
	}
	return err
}

func (u *uploader) upload(ctx context.Context, j jobs.Job) error {
	var p storage.UploadJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	rec, err := u.recording(ctx, p)
	if err != nil {
		return err
	}
	if rec.Status == contact.RecordingAvailable { // a crash came between the record and the removal
		return u.remove(p.Spool)
	}
	f, err := u.spool.Open(p.Spool)
	if errors.Is(err, fs.ErrNotExist) {
		if err = u.mark(ctx, p, func(r *contact.Recording) {
			r.Status, r.Reason = contact.RecordingFailed, "the spooled file is missing"
		}); err != nil {
			return err
		}
		return jobs.Permanent(fmt.Errorf("spooled file %s is missing", p.Spool))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, sum, err := digestOf(f)
	if err != nil {
		return err
	}
	if err = u.blobs.Put(ctx, p.Key, f, size, sum); err != nil {
		u.log.Warn("recording not uploaded yet", "contact_id", p.ContactID, "key", p.Key, "error", err)
		return err
	}
	err = u.mark(ctx, p, func(r *contact.Recording) {
		r.Status, r.Bytes, r.SHA256, r.Spool = contact.RecordingAvailable, size, sum, ""
	})
	if err != nil {
		return err
	}
	u.uploaded.Add(1)
	u.log.Info("recording uploaded", "contact_id", p.ContactID, "key", p.Key, "bytes", size)
	return u.remove(p.Spool)
}

func (u *uploader) recording(ctx context.Context, p storage.UploadJob) (contact.Recording, error) {
	r, err := u.db.Contact(ctx, p.InstanceID, p.ContactID)
	if err != nil {
		return contact.Recording{}, err
	}
	if p.Index >= len(r.Recordings) {
		return contact.Recording{}, jobs.Permanent(fmt.Errorf("contact %s has no recording %d", p.ContactID, p.Index))
	}
	return r.Recordings[p.Index], nil
}

func (u *uploader) mark(ctx context.Context, p storage.UploadJob, change func(*contact.Recording)) error {
	return u.db.MarkRecording(ctx, p.ContactID, p.Index, change)
}

func (u *uploader) remove(name string) error {
	if err := u.spool.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
