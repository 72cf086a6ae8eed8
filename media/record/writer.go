package record

import (
	"errors"
	"slices"
	"sync"
	"time"
)

var errClosed = errors.New("record: the writer is closed")

// Writer is the goroutine that writes recordings. It runs while there are any.
type Writer struct {
	wake chan struct{} // a recording was stopped

	mu         sync.Mutex
	recordings []*Recording
	running    bool
	closed     bool
}

// NewWriter makes a writer.
func NewWriter() *Writer { return &Writer{wake: make(chan struct{}, 1)} }

// Close refuses new recordings; those in progress go on until they are stopped.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// add begins to write a recording; false: the writer is closed.
func (w *Writer) add(r *Recording) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.recordings = append(w.recordings, r)
	if !w.running {
		w.running = true
		go w.run()
	}
	return true
}

// hurry lets the writer look at once.
func (w *Writer) hurry() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// workspace is what all recordings of a writer share.
type workspace struct {
	packet [maxPayload]byte
	pcm    [maxSamples]int16
	out    []int16
	list   []*Recording
	tracks []*track
	pauses []span
}

// newWorkspace has room to write half a second at once.
func newWorkspace() *workspace { return &workspace{out: make([]int16, 0, 2*Rate/2)} }

// maxSamples is what a packet can hold: 1,500 bytes of G.711.
const maxSamples = maxPayload

// run writes until there is nothing to write any more.
func (w *Writer) run() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	work := newWorkspace()
	for {
		due := true
		select {
		case <-tick.C:
		case <-w.wake:
			due = false
		}
		w.mu.Lock()
		work.list = append(work.list[:0], w.recordings...)
		w.mu.Unlock()
		for _, r := range work.list {
			if over, err := r.step(work, due); over {
				w.remove(r)
				go r.end(err) // syncs, and sums the file up: that takes its time
			}
		}
		w.mu.Lock()
		if len(w.recordings) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

func (w *Writer) remove(r *Recording) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.recordings, r); i >= 0 {
		w.recordings = slices.Delete(w.recordings, i, i+1)
	}
}

// step writes what is due; over: the recording was stopped, or writing failed.
func (r *Recording) step(work *workspace, due bool) (over bool, err error) {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if !stopped && !due {
		return false, nil
	}
	upTo := r.o.Now()
	if !stopped {
		upTo = upTo.Add(-window)
	}
	err = r.write(work, r.position(upTo))
	return stopped || err != nil, err
}

// write takes in what was received, and writes everything up to a position.
func (r *Recording) write(work *workspace, upTo int64) error {
	r.mu.Lock()
	work.tracks = append(work.tracks[:0], r.tracks...)
	work.pauses = append(work.pauses[:0], r.pauses...)
	r.mu.Unlock()
	for _, t := range work.tracks {
		t.drain(work, r.o.Decode, r.from)
	}
	r.mu.Lock() // after the rings: what a pause hides may have been in them
	work.pauses = append(work.pauses[:0], r.pauses...)
	r.mu.Unlock()
	for r.from < upTo {
		n := min(int(upTo-r.from), cap(work.out)/2)
		out := work.out[:2*n]
		clear(out)
		for _, t := range work.tracks {
			t.line.mixInto(out[t.side:], r.from)
		}
		mask(out, r.from, work.pauses)
		if err := r.wav.WritePCM(out); err != nil {
			return err
		}
		r.from += int64(n)
	}
	r.tidy()
	return nil
}

// mask makes silence of what lies in a pause.
func mask(out []int16, from int64, pauses []span) {
	end := from + int64(len(out)/2)
	for _, p := range pauses {
		low, high := max(p.from, from), end
		if p.to != 0 {
			high = min(p.to, end)
		}
		if low < high {
			clear(out[2*(low-from) : 2*(high-from)])
		}
	}
}

// tidy forgets speakers who have left and pauses that are written.
func (r *Recording) tidy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracks = slices.DeleteFunc(r.tracks, func(t *track) bool {
		over := t.over(r.from)
		if over {
			r.lost.Add(t.dropped.Load())
		}
		return over
	})
	r.pauses = slices.DeleteFunc(r.pauses, func(p span) bool { return p.to != 0 && p.to+afterwards <= r.from })
}
