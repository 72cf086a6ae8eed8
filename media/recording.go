package media

import (
	"errors"
	"slices"
	"sync"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/media/record"
)

// Recording is a recording in progress.
type Recording struct {
	plane *Plane
	o     RecordOptions
	file  *record.Recording

	mu      sync.Mutex
	taps    map[*Session]*record.Tap
	stopped bool
	unheard func() // of RecordHeard: ends listening
}

// RecordOptions are what a call wants of a recording.
type RecordOptions struct {
	ContactID string
	Key       string      // blob key under which the file will be uploaded
	Left      []*Session  // the customer
	Right     []*Session  // the agent, and whoever helps
	OnFailed  func(error) // at most once, from another goroutine: nothing more can be written (disk full); the call goes on
}

// Record spools what is said from now on, in stereo, until Stop. errs.Conflict: somebody is being recorded already, or was
// closed. A session that closes is silent from then on.
func (p *Plane) Record(o RecordOptions) (*Recording, error) {
	if p.o.SpoolDir == "" {
		return nil, errs.New(errs.Unavailable, "no spool folder for recordings")
	}
	if err := once(o.Left, o.Right); err != nil {
		return nil, err
	}
	r := &Recording{plane: p, o: o, taps: map[*Session]*record.Tap{}}
	file, err := record.Start(record.Options{
		Dir: p.o.SpoolDir, ContactID: o.ContactID, Key: o.Key, Now: p.o.Now, Log: p.o.Log, OnEnd: r.ended, Writer: p.writer,
		Decode: tapeDecoder, Create: p.o.CreateRecording,
	})
	if err != nil {
		return nil, err
	}
	r.file = file
	p.stats.recordings.Add(1)
	if err := r.Move(o.Left, o.Right); err != nil {
		r.detach()
		file.Discard()
		return nil, err
	}
	return r, nil
}

// once refuses a session that is named twice.
func once(left, right []*Session) error {
	seen := map[*Session]bool{}
	for _, s := range slices.Concat(left, right) {
		if seen[s] {
			return errs.New(errs.InvalidRequest, "%s is on both sides of a recording, or twice", s.o.Peer)
		}
		seen[s] = true
	}
	return nil
}

// Move records others from now on, on the same timeline: what several on one side say is mixed. Who stays goes on without a
// gap. errs.Conflict: one of them is recorded already or has left; the others are recorded all the same.
func (r *Recording) Move(left, right []*Session) error {
	if err := once(left, right); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	for s, tap := range r.taps {
		if !slices.Contains(left, s) && !slices.Contains(right, s) {
			s.detach(tap)
			r.file.Detach(tap)
			delete(r.taps, s)
		}
	}
	var failed error
	for side, list := range map[record.Side][]*Session{record.Left: left, record.Right: right} {
		for _, s := range list {
			if r.taps[s] != nil {
				continue // a session that changed sides would need another call of Move; nobody does
			}
			tap := r.file.Attach(side)
			if !s.attach(tap) {
				r.file.Detach(tap)
				failed = errors.Join(failed, errs.New(errs.Conflict, "%s is recorded already or has left", s.o.Peer))
				continue
			}
			r.taps[s] = tap
		}
	}
	return failed
}

// Pause makes what is said from now on silence of the same length, Resume ends that. Nothing of it is kept (R10).
func (r *Recording) Pause() { r.file.Pause() }

// Resume ends a pause.
func (r *Recording) Resume() { r.file.Resume() }

// Stop ends it. done is called once, from another goroutine, when the file is complete on disk; also if that failed
// earlier (disk full): then with what there is and the error. A second Stop is told the same.
func (r *Recording) Stop(done func(contact.Recording, error)) {
	r.detach()
	r.file.Stop(done)
}

// detach lets everybody go.
func (r *Recording) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for s, tap := range r.taps {
		s.detach(tap)
	}
	clear(r.taps)
	if stop := r.unheard; stop != nil {
		r.unheard = nil
		stop()
	}
}

// ended counts the end of the file, however it came.
func (r *Recording) ended(err error) {
	r.plane.stats.recordings.Add(-1)
	if err == nil {
		return
	}
	r.plane.stats.recordingsFailed.Add(1)
	r.detach()
	if r.o.OnFailed != nil {
		r.o.OnFailed(err)
	}
}

// Recovered is a recording found in the spool.
type Recovered = record.Recovered

// Recover lists the recordings of a spool folder, those that a crash cut off made playable. To be called at start, before
// the first Record.
func Recover(dir string) ([]Recovered, error) { return record.Recover(dir) }
