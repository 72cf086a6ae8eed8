package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ullim/internal/api/admin"
	"ullim/internal/api/connect"
	"ullim/internal/config"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/telemetry"
	"ullim/media/archive"
	"ullim/storage"
	"ullim/storage/blob"
)

// RecordingOptions say what becomes of recordings after the call.
type RecordingOptions struct {
	Format         archive.Format // default: WAV
	Workers        int            // uploads at once; default: 4
	Spool          SpoolOptions
	RetentionEvery time.Duration // default: an hour

	places *places // where Options.Blobs lies, and what else there is
}

// recordingOptions are those of a configuration. o.Blobs is set, too.
func recordingOptions(cfg *config.Config, o *Options) error {
	r := &cfg.Recordings
	if err := archive.Format(r.Format).Check(); err != nil {
		return errs.Wrap(err, errs.Invalid, "recordings.%s", err.Error())
	}
	p, err := placesOf(cfg)
	if err != nil {
		return err
	}
	o.Blobs = p.own
	o.Recordings = RecordingOptions{
		Format: archive.Format(r.Format), Workers: r.Workers, RetentionEvery: r.RetentionEvery, places: p,
		Spool: SpoolOptions{Limit: int64(r.SpoolLimit), Free: int64(r.SpoolFree), Refuse: r.WhenFull == "refuse"},
	}
	return nil
}

// keeping is everything that happens to recordings after the call.
type keeping struct {
	places  *places
	uploads *uploader
	eraser  *eraser
	guard   *spoolGuard
	runner  *jobs.Runner // brings files to the store
	slow    *jobs.Runner // deletes; apart, so that no upload waits behind ten thousand deletions
}

// openKeeping makes it; the recordings of a process that died have been repaired by then.
func (a *App) openKeeping(ctx context.Context) error {
	root, err := os.OpenRoot(a.spool)
	if err != nil {
		return err
	}
	a.life.onStop("spool", root.Close)
	o := a.o.Recordings
	k := &a.keeping
	if k.places = o.places; k.places == nil {
		k.places = &places{own: a.blobs, name: filesBucket, sealed: func(s blob.Store) blob.Store { return s }}
	}
	k.guard = &spoolGuard{o: o.Spool, folder: a.spool, log: a.log, alarm: func(detail string) {
		a.events.Record(events.Event{At: time.Now(), Kind: "alarm", Detail: detail})
		a.alarms.count("spool")
	}}
	k.guard.look()
	k.uploads = &uploader{
		db: a.db, places: k.places, configs: a.stores.storage, alias: aliases{a.dir}.Alias, spool: root,
		work: filepath.Join(a.o.DataDir, "converting"), format: cmp.Or(o.Format, archive.WAV), log: a.log, gates: newGates(), hurry: a.hurryUploads,
	}
	k.eraser = &eraser{
		db: a.db, uploads: k.uploads, policies: a.stores.retention, instances: a.dir.instances,
		every: cmp.Or(o.RetentionEvery, time.Hour), log: a.log, wake: func() { k.slow.Wake() },
	}
	backoff := jobs.Backoff{First: time.Second, Most: 5 * time.Minute}
	k.runner = jobs.New(jobs.Options{Store: a.db, Log: a.log, Workers: cmp.Or(o.Workers, 4), Backoff: backoff, Handlers: map[string]jobs.Handler{
		storage.JobUpload: k.uploads.handle, storage.JobTranscript: a.writeTranscript,
	}})
	k.slow = jobs.New(jobs.Options{Store: a.db, Log: a.log, Workers: 2, Backoff: backoff, Handlers: map[string]jobs.Handler{
		storage.JobErase: k.eraser.handle, jobRetention: k.eraser.retain,
	}})
	a.life.onStopDo("uploads", k.runner.Stop)
	a.life.onStopDo("deletions", k.slow.Stop)
	// The spool is of this node, so whoever had these jobs in hand is dead.
	if err = a.db.ReleaseJobs(ctx, storage.JobUpload, storage.JobTranscript); err != nil {
		return err
	}
	if err = os.RemoveAll(k.uploads.work); err != nil {
		return err
	}
	return a.observeRecordings()
}

// startKeeping begins the work.
func (a *App) startKeeping() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.keeping.guard.run(ctx) }()
	indexed := make(chan struct{})
	go func() {
		defer close(indexed)
		if err := a.db.IndexOldRecordings(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("old recordings are not indexed: retention does not find them before the next start", "error", err)
		}
	}()
	a.life.onStopDo("spool guard", func() { cancel(); <-done; <-indexed })
	if err := a.db.Enqueue(ctx, jobs.Job{Kind: jobRetention, Key: "all", Due: time.Now()}); err != nil {
		a.log.Error("retention is not looked after before the next start", "error", err)
	}
	a.keeping.runner.Start()
	a.keeping.slow.Start()
}

// hurryUploads lets what was put off while a store was away come at once.
func (a *App) hurryUploads() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.db.HurryJobs(ctx, storage.JobUpload, storage.JobTranscript); err != nil {
		a.log.Warn("uploads are not hurried: they come by themselves", "error", err)
	}
	a.keeping.runner.Wake()
}

// observeRecordings lets Prometheus read.
func (a *App) observeRecordings() error {
	k := &a.keeping
	reading := func(f func(spoolReading) float64) func() float64 {
		return func() float64 { return f(readSpool(a.spool)) }
	}
	return a.metrics.ObserveRecordings(telemetry.RecordingSources{
		SpooledFiles: reading(func(r spoolReading) float64 { return float64(r.Files) }),
		OldestAge: reading(func(r spoolReading) float64 {
			if r.Oldest.IsZero() {
				return 0
			}
			return max(time.Since(r.Oldest).Seconds(), 0)
		}),
		SpoolFree: reading(func(r spoolReading) float64 { return float64(r.Free) }),
		SpoolFull: func() float64 {
			if k.guard.isFull.Load() {
				return 1
			}
			return 0
		},
		NotBegun:   func() float64 { return float64(k.guard.refused.Load()) },
		StoresAway: func() float64 { return float64(k.uploads.gates.count()) },
		Erased:     func() float64 { return float64(k.uploads.erased.Load()) },
	})
}

// asksToRecord tells whether a flow records at some place.
func asksToRecord(content string) bool {
	return strings.Contains(content, "UpdateContactRecordingBehavior")
}

// recordings are what was recorded, for the API.
type recordings struct{ a *App }

var (
	_ admin.Recordings = recordings{}
	_ connect.Places   = (*places)(nil)
)

// OpenRecording opens the spooled file, or the uploaded one.
func (o recordings) OpenRecording(ctx context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error) {
	if r.Status == contact.RecordingSpooled && r.Spool != "" {
		f, err := o.a.keeping.uploads.spool.Open(r.Spool)
		if err == nil {
			info, statErr := f.Stat()
			if statErr != nil {
				return nil, 0, errors.Join(statErr, f.Close())
			}
			return f, info.Size(), nil
		}
		if !errors.Is(err, fs.ErrNotExist) { // missing: it was uploaded this moment
			return nil, 0, err
		}
	}
	return o.open(ctx, r, r.Location)
}

// Waveform opens the peaks of an uploaded recording.
func (o recordings) Waveform(ctx context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error) {
	if r.Waveform == "" {
		return nil, 0, errs.New(errs.NotFound, "there is no waveform: the recording is %s", r.Status)
	}
	return o.open(ctx, r, r.Waveform)
}

func (o recordings) open(ctx context.Context, r contact.Recording, key string) (io.ReadSeekCloser, int64, error) {
	store, err := o.a.keeping.places.at(r.Bucket, "")
	if err != nil {
		return nil, 0, err
	}
	body, info, err := store.Open(ctx, key)
	return body, info.Size, err
}

// Link is a URL of the object store by which a recording can be read for a while. errs.InvalidRequest: there is none.
func (o recordings) Link(ctx context.Context, r contact.Recording, valid time.Duration, answer url.Values) (string, error) {
	store, err := o.a.keeping.places.at(r.Bucket, "")
	if err != nil {
		return "", err
	}
	s3, ok := store.(*blob.S3)
	if !ok || r.Status != contact.RecordingAvailable {
		return "", errs.New(errs.InvalidRequest, "the recording can only be read through this server")
	}
	return s3.Presign(ctx, r.Location, valid, answer)
}

// Delete decides a deletion and does it, as far as the store answers.
func (o recordings) Delete(ctx context.Context, ref recording.Ref, reason string) (contact.RecordingStatus, error) {
	return o.a.keeping.eraser.Delete(ctx, ref, reason)
}
