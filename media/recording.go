package media

import (
	"ullim/internal/contact"
	"ullim/media/record"
)

// Recording is a recording in progress.
type Recording struct {
	plane       *Plane
	file        *record.Recording
	left, right *Session
}

// Stop ends it. done is called once, from another goroutine, when the file is complete on disk; also if that failed
// earlier (disk full): then with what there is and the error. A second Stop is told the same.
func (r *Recording) Stop(done func(contact.Recording, error)) {
	r.left.detach(r.file.Left())
	r.right.detach(r.file.Right())
	r.file.Stop(done)
}

// ended counts the end of the file, however it came.
func (r *Recording) ended(err error) {
	r.plane.stats.recordings.Add(-1)
	if err != nil {
		r.plane.stats.recordingsFailed.Add(1)
	}
}

// Recovered is a recording found in the spool.
type Recovered = record.Recovered

// Recover lists the recordings of a spool folder, those that a crash cut off made playable. To be called at start, before
// the first Record.
func Recover(dir string) ([]Recovered, error) { return record.Recover(dir) }
