package records

import (
	"math/rand/v2"
	"time"
)

// Limits of a delivery.
const (
	pageItems   = 256             // items that a webhook has under way at most, delivered and not
	pageLines   = 5000            // items of one object or one write
	maxRefusals = 8               // an item that is refused so often is a dead letter
	firstPause  = time.Second     // after a failure; each further one waits twice as long
	maxPause    = 5 * time.Minute // at most
	parallel    = 8               // contacts at once
)

// window is what is known of the items behind a cursor: which are delivered though one before them is not, and how often
// one was refused. It holds no more than a page.
type window struct {
	done  map[int64]bool
	tries map[int64]int
	dead  []DeadLetter // to be written with the next move of the cursor
}

func newWindow() *window { return &window{done: map[int64]bool{}, tries: map[int64]int{}} }

// failed notes that an item was not delivered, and tells whether it is given up. refused: the destination will say the
// same again; else it passes, and only its age ends it.
func (w *window) failed(d *Destination, l *Logged, refused bool, reason string, now time.Time) (over bool) {
	w.tries[l.Seq]++
	if refused && w.tries[l.Seq] < maxRefusals || !refused && now.Sub(l.Added) < d.patience() {
		return false
	}
	w.dead = append(w.dead, DeadLetter{DestinationID: d.ID, Item: l.Item, Reason: reason, Tries: w.tries[l.Seq], At: now})
	w.done[l.Seq] = true
	return true
}

// advance moves over what is done, from the first item of a page on, and forgets it. What is beyond the first that is not
// done stays noted.
func (w *window) advance(seq int64, page []Logged) int64 {
	for i := range page {
		if !w.done[page[i].Seq] {
			return seq
		}
		seq = page[i].Seq
		delete(w.done, seq)
		delete(w.tries, seq)
	}
	return seq
}

// letters gives the dead letters that the cursor has moved over: the others wait, or they would be written again and
// again while an item before them is tried.
func (w *window) letters(seq int64) []DeadLetter {
	var out, rest []DeadLetter
	for _, d := range w.dead {
		if d.Item.Seq <= seq {
			out = append(out, d)
		} else {
			rest = append(rest, d)
		}
	}
	w.dead = rest
	return out
}

// pause is how long a destination that failed n times in a row is left alone; chance in [0, 1) spreads several.
func pause(n int, chance float64) time.Duration {
	d := firstPause
	for range min(n-1, 20) {
		d = min(2*d, maxPause)
	}
	return d/2 + time.Duration(chance*float64(d/2))
}

func jitter() float64 { return rand.Float64() } //nolint:gosec // spreads load, guards nothing
