package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/media/archive"
	"ullim/storage"
	"ullim/storage/blob"
)

// uploader brings finished recordings from the spool to where the instance wants them, in the form that is set. The local
// copy goes only when the store has verified what it holds and the record says so.
//
// Each step can be done again after a crash at any point, and leaves one object: the place is in the record before anything is
// sent there, the same recording makes the same file, and what is there already is not sent again.
type uploader struct {
	db      *storage.DB
	places  *places
	configs resource.Store[*recording.StorageConfig]
	alias   func(instanceID string) (string, bool)
	spool   *os.Root
	work    string // folder of files being converted
	format  archive.Format
	log     *slog.Logger
	gates   *gates
	hurry   func() // lets what was put off come at once

	uploaded, failed, erased atomic.Uint64
}

// target is where and how a recording is kept.
type target struct {
	recording.Place
	format archive.Format
}

// slowest is how slow a store may be before a try is given up, in bytes a second.
const slowest = 64 << 10

// handle is the job. It may run again after any failure, and after a crash at any point.
func (u *uploader) handle(ctx context.Context, j jobs.Job) error {
	var p storage.UploadJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	rec, err := u.recording(ctx, p)
	if err != nil {
		return err
	}
	if rec.Status != contact.RecordingSpooled { // a crash came between the record and the removal
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
	to, err := u.settle(ctx, p, rec)
	if err != nil {
		return err
	}
	return u.guarded(to.Bucket, p.ContactID, to.Key, func(store blob.Store) error { return u.upload(ctx, p, to, f, store) }, to.KMSKey)
}

// guarded runs something that needs a bucket, if the bucket is thought to answer.
func (u *uploader) guarded(bucket, contactID, key string, do func(blob.Store) error, kmsKey string) error {
	again, ok := u.gates.enter(bucket)
	if !ok {
		return jobs.Snooze(again)
	}
	store, err := u.places.at(bucket, kmsKey)
	if err == nil {
		err = do(store)
	}
	switch {
	case errors.Is(err, context.Canceled): // we are stopping
		return err
	case err == nil:
		if u.gates.works(bucket) {
			u.log.Info("object store answers again", "bucket", bucket)
			u.hurry()
		}
		return nil
	case errs.Is(err, errs.Unavailable), errs.Is(err, errs.Denied), errors.Is(err, context.DeadlineExceeded):
		u.failed.Add(1)
		again = u.gates.failed(bucket)
		u.log.Warn("recording not uploaded yet", "contact_id", contactID, "key", key, "bucket", bucket, "error", err, "again_in", time.Until(again).Round(time.Millisecond))
		return jobs.Snooze(again)
	}
	// It is about this one: the store answers, so others may go on.
	u.gates.works(bucket)
	u.failed.Add(1)
	u.log.Warn("recording not uploaded yet", "contact_id", contactID, "key", key, "bucket", bucket, "error", err)
	return err
}

// settle decides where a recording or a transcript goes, once: what is decided is in the record before anything is sent.
func (u *uploader) settle(ctx context.Context, p storage.UploadJob, rec contact.Recording) (target, error) {
	what, format := recording.CallRecordings, u.format
	if rec.Media == contact.MediaChat {
		what, format = recording.ChatTranscripts, ""
	}
	wanted, err := u.wanted(ctx, p.InstanceID, what, p.Key)
	if err != nil {
		return target{}, err
	}
	if rec.Location != p.Key || rec.Bucket != "" { // decided before
		to := target{Place: recording.Place{Bucket: rec.Bucket, Key: rec.Location}, format: formatOf(rec.Location, format)}
		if wanted.Bucket == to.Bucket {
			to.KMSKey = wanted.KMSKey
		}
		return to, nil
	}
	to := target{Place: wanted, format: format}
	if format != "" {
		to.Key = withExtension(to.Key, format.Extension())
	}
	if to.Key == rec.Location && to.Bucket == "" {
		return to, nil
	}
	return to, u.mark(ctx, p, func(r *contact.Recording) { r.Location, r.Bucket = to.Key, to.Bucket })
}

// wanted is the place of a file whose key was made for the default.
func (u *uploader) wanted(ctx context.Context, instanceID string, what recording.ResourceType, key string) (recording.Place, error) {
	alias, ok := u.alias(instanceID)
	if !ok {
		return recording.Place{Key: key}, nil
	}
	c, err := u.configs.GetByName(ctx, instanceID, string(what))
	if errs.Is(err, errs.NotFound) {
		return recording.Place{Key: key}, nil
	}
	if err == nil {
		if notNow := u.places.Allowed(c.Bucket, c.KMSKeyID); notNow != nil { // the operator has changed their mind
			u.log.Warn("an instance's storage configuration is not allowed any more: its files go to the operator's own place",
				"instance_id", instanceID, "resource_type", what, "bucket", c.Bucket)
			return recording.Place{Key: key}, nil //nolint:nilerr // it is in the log, and a recording goes somewhere in any case
		}
	}
	return recording.PlaceOf(c, alias, key, u.places.Own()), err
}

// formatOf is what a file with such a name holds.
func formatOf(key string, wav archive.Format) archive.Format {
	for _, f := range []archive.Format{archive.FLAC, archive.Opus} {
		if path.Ext(key) == f.Extension() {
			return f
		}
	}
	if wav == archive.ULaw {
		return wav
	}
	return archive.WAV
}

func withExtension(key, extension string) string {
	return strings.TrimSuffix(key, path.Ext(key)) + extension
}

// upload sends peaks and audio, and completes the record.
func (u *uploader) upload(ctx context.Context, p storage.UploadJob, to target, f *os.File, store blob.Store) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+time.Duration(info.Size()/slowest)*time.Second)
	defer cancel()
	audio, size, sum, err := u.prepare(ctx, &to, p, f)
	if err != nil {
		return err
	}
	defer audio.Close()
	waveform, err := u.waveform(ctx, f, to.Key, store)
	if err != nil {
		return err
	}
	if err = putOnce(ctx, store, to.Key, audio, size, sum); err != nil {
		return err
	}
	err = u.mark(ctx, p, func(r *contact.Recording) {
		r.Status, r.Bytes, r.SHA256, r.Spool = contact.RecordingAvailable, size, sum, ""
		r.Location, r.Bucket, r.Waveform = to.Key, to.Bucket, waveform
	})
	if err != nil {
		return err
	}
	u.uploaded.Add(1)
	u.log.Info("recording uploaded", "contact_id", p.ContactID, "key", to.Key, "bucket", to.Bucket, "bytes", size)
	return errors.Join(u.remove(p.Spool), u.cleared(p))
}

// putOnce stores an object unless it is there as it should be: an upload whose end nobody noted is not done again, so that
// a bucket with versions has one.
func putOnce(ctx context.Context, store blob.Store, key string, body io.Reader, size int64, sum string) error {
	if there, err := store.Stat(ctx, key); err == nil && there.Size == size && there.SHA256 == sum {
		return nil
	} else if errs.Is(err, errs.Unavailable) || ctx.Err() != nil {
		return err
	}
	return store.Put(ctx, key, body, size, sum)
}

// waveform stores the peaks; a recording that cannot be read has none.
func (u *uploader) waveform(ctx context.Context, f *os.File, key string, store blob.Store) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	peaks, err := archive.Survey(ctx, f)
	if errs.Is(err, errs.Invalid) {
		u.log.Warn("recording has no waveform", "key", key, "error", err)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(peaks)
	if err != nil {
		return "", err
	}
	sum, at := sha256.Sum256(text), recording.WaveformKey(key)
	return at, putOnce(ctx, store, at, bytes.NewReader(text), int64(len(text)), hex.EncodeToString(sum[:]))
}

// prepare gives the audio in the form that is wanted. If it cannot be converted, because the disk is full or the file is not
// what it should be, it is kept as it is: a recording in another form is better than none.
func (u *uploader) prepare(ctx context.Context, to *target, p storage.UploadJob, f *os.File) (*os.File, int64, string, error) {
	if to.format != archive.WAV {
		out, size, sum, err := u.convert(ctx, to.format, p, f)
		if err == nil || ctx.Err() != nil {
			return out, size, sum, err
		}
		u.log.Error("recording cannot be converted: kept as WAV", "contact_id", p.ContactID, "format", to.format, "error", err)
		to.Key, to.format = withExtension(to.Key, archive.WAV.Extension()), archive.WAV
		if err = u.mark(ctx, p, func(r *contact.Recording) { r.Location = to.Key }); err != nil {
			return nil, 0, "", err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, "", err
	}
	size, sum, err := digestOf(f)
	if err != nil {
		return nil, 0, "", err
	}
	same, err := u.spool.Open(p.Spool) // f is read for the peaks meanwhile
	return same, size, sum, err
}

// convert makes a file beside the spool. What a crash has left is written over.
func (u *uploader) convert(ctx context.Context, format archive.Format, p storage.UploadJob, f *os.File) (out *os.File, size int64, sum string, err error) {
	if err = os.MkdirAll(u.work, 0o700); err != nil {
		return nil, 0, "", err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, "", err
	}
	if out, err = os.OpenFile(u.workFile(p), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, 0, "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), u.cleared(p))
			out = nil
		}
	}()
	if err = archive.Convert(ctx, out, f, format); err != nil {
		return out, 0, "", err
	}
	if _, err = out.Seek(0, io.SeekStart); err == nil {
		size, sum, err = digestOf(out)
	}
	return out, size, sum, err
}

func (u *uploader) workFile(p storage.UploadJob) string {
	return filepath.Join(u.work, fmt.Sprintf("%s-%d", p.ContactID, p.Index))
}

// cleared removes the converted file.
func (u *uploader) cleared(p storage.UploadJob) error {
	if err := os.Remove(u.workFile(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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

// text stores a transcript.
func (u *uploader) text(ctx context.Context, j storage.TranscriptJob, rec contact.Recording, text []byte) error {
	p := storage.UploadJob{ContactID: j.ContactID, InstanceID: j.InstanceID, Index: j.Index, Key: j.Key}
	to, err := u.settle(ctx, p, rec)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	return u.guarded(to.Bucket, p.ContactID, to.Key, func(store blob.Store) error {
		bounded, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := putOnce(bounded, store, to.Key, bytes.NewReader(text), int64(len(text)), digest); err != nil {
			return err
		}
		u.log.Info("transcript stored", "contact_id", p.ContactID, "key", to.Key, "bucket", to.Bucket, "bytes", len(text))
		return u.mark(bounded, p, func(rec *contact.Recording) {
			rec.Status, rec.Bytes, rec.SHA256 = contact.RecordingAvailable, int64(len(text)), digest
			rec.Location, rec.Bucket = to.Key, to.Bucket
		})
	}, to.KMSKey)
}
