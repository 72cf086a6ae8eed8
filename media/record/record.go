// Package record writes what is said in a call into a stereo file, without ever slowing the call.
//
//	packet path ── Tap.Put ──> ring ──┐
//	packet path ── Tap.Put ──> ring ──┴─ Writer: decode ──> a timeline each ──> mixed by side ──> file
//
// A tap is a ring of fixed slots between one packet path and the writer; a full ring drops and counts. One Writer serves
// all recordings of a process, so that a hundred of them wake one goroutine a few times a second, and not each of them one
// for each packet: it empties the rings into timelines, windows on the clock of this machine, one for each speaker, and
// writes in one piece what is older than the window, so that a crash costs less than a second. Where nothing was received
// there is silence: the file is as long as the recording lasted, and the channels cannot drift apart. Speakers come and go
// (hold, transfer, supervisor, another codec); the timeline is one.
//
// The file is PCM of 8 kHz whatever the legs speak: it is what a telephone network carries, half the size of 16 kHz, and a
// call whose codec changes in the middle stays one file. Wide-band speech is brought down to it by the writer.
//
// The file is called "<contact>~<key, escaped>.part" while it is written and loses the ".part" when it is complete. The
// key is in the name so that Recover finds everything it must know in the folder itself.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/wav"
)

// Rate is the sample rate of the files.
const Rate = 8000

const (
	// interval is how often the writer writes, and window how long it waits for what is late. Their sum is the most
	// that a crash can cost, and less than the rings hold.
	interval = 400 * time.Millisecond
	window   = 400 * time.Millisecond

	part    = ".part"
	maxName = 240 // what file systems take, with room for the ending
)

// File is what a recording is written to.
type File interface {
	io.WriteSeeker
	io.Closer
	Sync() error
}

// Options of a recording.
type Options struct {
	Dir       string
	ContactID string
	Key       string                          // blob key
	Now       func() time.Time                // nil: time.Now
	Log       *slog.Logger                    // nil: silent
	OnEnd     func(error)                     // once, when nothing is written any more; from the writer's goroutine
	Create    func(path string) (File, error) // nil: os
	Writer    *Writer                         // nil: one for this recording alone
	Decode    func(Codec) Decoder             // for what is not G.711; nil, or a nil Decoder: it is silent
}

// Recording is a recording in progress.
type Recording struct {
	o      Options
	name   string // in Dir, without .part
	start  time.Time
	paused atomic.Bool
	lost   atomic.Uint64 // dropped by the taps that are gone

	mu       sync.Mutex
	tracks   []*track
	pauses   []span // what was not to be heard, in samples since the start; the last one may be open
	stopped  bool
	finished bool // nothing is written any more

	// The writer's.
	file File
	wav  *wav.Writer
	from int64 // position of the first sample that was not written

	ended  chan struct{} // closed: result and err are final
	result contact.Recording
	err    error
}

// span is a piece of the timeline; to is 0 while it is open.
type span struct{ from, to int64 }

// Start creates the file and begins to write; nobody is heard yet. errs.Duplicate: that contact and key are in the spool already.
func Start(o Options) (*Recording, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Create == nil {
		o.Create = create
	}
	if o.Writer == nil {
		o.Writer = NewWriter()
	}
	name, err := spoolName(o.ContactID, o.Key)
	if err != nil {
		return nil, err
	}
	if _, err = os.Lstat(filepath.Join(o.Dir, name)); err == nil {
		return nil, errs.New(errs.Duplicate, "recording %s of contact %s is in the spool already", o.Key, o.ContactID)
	}
	file, err := o.Create(filepath.Join(o.Dir, name+part))
	if errors.Is(err, os.ErrExist) {
		return nil, errs.New(errs.Duplicate, "recording %s of contact %s is being made already", o.Key, o.ContactID)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "the recording cannot be created")
	}
	w, err := newWAV(file)
	if err != nil {
		return nil, errs.Wrap(errors.Join(err, file.Close(), os.Remove(filepath.Join(o.Dir, name+part))),
			errs.Unavailable, "the recording cannot be begun")
	}
	r := &Recording{o: o, name: name, start: o.Now(), file: file, wav: w, ended: make(chan struct{})}
	if !o.Writer.add(r) {
		return nil, errs.Wrap(errors.Join(errClosed, file.Close(), os.Remove(filepath.Join(o.Dir, name+part))),
			errs.Unavailable, "the recording cannot be begun")
	}
	return r, nil
}

func newWAV(file File) (*wav.Writer, error) { return wav.NewWriter(file, wav.PCM16, Rate, 2) }

func create(path string) (File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// spoolName is the file's name; both parts can be read back from it.
func spoolName(contactID, key string) (string, error) {
	if contactID == "" || url.PathEscape(contactID) != contactID || strings.ContainsAny(contactID, "~") {
		return "", errs.Field("ContactId", "cannot be part of a file name: %q", contactID)
	}
	name := contactID + "~" + url.PathEscape(key)
	if key == "" || len(name) > maxName || strings.HasSuffix(name, part) {
		return "", errs.Field("Key", "cannot be part of a file name: %q", key)
	}
	return name, nil
}

// parseName is the opposite of spoolName.
func parseName(name string) (contactID, key string, ok bool) {
	contactID, escaped, ok := strings.Cut(name, "~")
	if !ok || contactID == "" {
		return "", "", false
	}
	key, err := url.PathUnescape(escaped)
	return contactID, key, err == nil && key != ""
}

// Attach begins to record one more speaker on a side: what several of one side say is mixed. The tap is the caller's until
// Detach.
func (r *Recording) Attach(side Side) *Tap {
	t := &track{side: side}
	t.start, t.paused = r.start, &r.paused
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished || r.stopped {
		t.ended.Store(true)
		return &t.Tap
	}
	r.tracks = append(r.tracks, t)
	return &t.Tap
}

// Detach ends what one speaker says; what was said before is kept. A tap of another recording is left alone.
func (r *Recording) Detach(tap *Tap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tracks {
		if &t.Tap == tap {
			tap.ended.Store(true)
		}
	}
}

// Pause makes what is said from now on silence, Resume ends that. The timeline goes on. Nothing that was said in between is
// in the file, nor kept in memory (R10).
func (r *Recording) Pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.paused.Swap(true) {
		return
	}
	r.pauses = append(r.pauses, span{from: r.position(r.o.Now())})
}

// Resume ends a pause.
func (r *Recording) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || !r.paused.Load() {
		return
	}
	// What arrives from now on was said later than the end of the pause, or it is late and is masked by its place.
	r.pauses[len(r.pauses)-1].to = max(r.position(r.o.Now()), 1)
	r.paused.Store(false)
}

// position is a moment on the timeline.
func (r *Recording) position(at time.Time) int64 {
	return int64(at.Sub(r.start)) * Rate / int64(time.Second)
}

// Stop ends the recording. done is called once, from another goroutine, when the file is complete on disk: written,
// synced and renamed. If writing had failed, the recording says so in Reason, holds what there is, and err is not nil. A
// second Stop is told the same.
func (r *Recording) Stop(done func(contact.Recording, error)) {
	r.mu.Lock()
	first := !r.stopped
	r.stopped = true
	r.mu.Unlock()
	if first {
		r.o.Writer.hurry()
	}
	go func() {
		<-r.ended
		if done != nil {
			done(r.result, r.err)
		}
	}()
}

// Discard ends the recording and removes its file.
func (r *Recording) Discard() {
	r.Stop(func(contact.Recording, error) {
		for _, path := range []string{r.name, r.name + part} {
			if err := os.Remove(filepath.Join(r.o.Dir, path)); err != nil && !errors.Is(err, os.ErrNotExist) {
				r.o.Log.Warn("discarded recording not removed", "contact_id", r.o.ContactID, "error", err)
			}
		}
	})
}

// end completes the file and tells everybody. It is called once, when the writer has let go of the recording.
func (r *Recording) end(err error) {
	defer close(r.ended)
	r.mu.Lock()
	r.finished = true
	dropped := r.lost.Load()
	for _, t := range r.tracks {
		t.ended.Store(true)
		dropped += t.dropped.Load()
	}
	r.tracks = nil
	r.mu.Unlock()
	// What comes after a failure is not kept; the file ends here, and the call goes on.
	if err != nil {
		r.o.Log.Error("recording failed", "contact_id", r.o.ContactID, "key", r.o.Key, "error", err)
	}
	r.finish(r.o.Now(), err)
	if dropped > 0 {
		r.o.Log.Warn("recording has gaps: the disk was slow", "contact_id", r.o.ContactID, "packets", dropped)
	}
	if r.o.OnEnd != nil {
		r.o.OnEnd(r.err)
	}
}

// finish completes the file, whatever happened before, as far as it can be.
func (r *Recording) finish(now time.Time, failed error) {
	spooled := filepath.Join(r.o.Dir, r.name)
	r.result = contact.Recording{
		Location: r.o.Key, Start: r.start, Stop: now, Status: contact.RecordingSpooled,
	}
	if failed != nil {
		r.result.Reason = "cut off: " + failed.Error()
	}
	err := errors.Join(r.wav.Close(), r.file.Sync(), r.file.Close())
	if err == nil {
		err = os.Rename(spooled+part, spooled)
	}
	if err == nil {
		err = syncDir(r.o.Dir)
	}
	if err == nil {
		r.result.Spool = r.name
		r.result.Bytes, r.result.SHA256, err = sum(spooled)
	}
	if err = errors.Join(failed, err); err != nil {
		r.err = errs.Wrap(err, errs.Unavailable, "the recording of contact %s is not complete", r.o.ContactID)
	}
	if r.result.SHA256 == "" { // Recover may still save it at the next start
		r.result.Status, r.result.Reason = contact.RecordingFailed, err.Error()
	}
}

// syncDir makes a rename last.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sum is the size and SHA-256 of a file.
func sum(path string) (size int64, digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, "", fmt.Errorf("record: %w", err)
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}
