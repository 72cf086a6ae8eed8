package record

import "ullim/internal/wav"

const (
	lineSize = 3 * Rate // samples of each channel that the timeline holds: the window and what the rings hold
	channels = 2
	bridge   = 16 // a hole this small between two packets is the clock being followed: it is filled, not silent
)

// timeline holds both channels between what is written and what is still to come, at their place on the clock.
type timeline struct {
	from int64 // position of the first sample not written yet
	ends [channels]int64
	tail [channels]int16 // the last sample put
	ring [lineSize][channels]int16
	out  []int16
}

func newTimeline() *timeline { return &timeline{out: make([]int16, 0, 2*Rate/5)} }

// put lays samples on a channel. What is before the window has been written and is cut off; what is beyond it cannot be.
func (l *timeline) put(channel int, at int64, pcm []int16) {
	if hole := at - l.ends[channel]; hole > 0 && hole <= bridge && l.ends[channel] >= l.from {
		for p := l.ends[channel]; p < at; p++ {
			l.ring[p%lineSize][channel] = l.tail[channel]
		}
	}
	for i, v := range pcm {
		if p := at + int64(i); p >= l.from && p < l.from+lineSize {
			l.ring[p%lineSize][channel] = v
		}
	}
	if end := at + int64(len(pcm)); end > l.ends[channel] {
		l.ends[channel], l.tail[channel] = end, pcm[len(pcm)-1]
	}
}

// writeTo writes everything before a position; what was never put is silence.
func (l *timeline) writeTo(w *wav.Writer, upTo int64) error {
	for l.from < upTo {
		l.out = l.out[:0]
		for ; l.from < upTo && len(l.out) < cap(l.out); l.from++ {
			s := &l.ring[l.from%lineSize]
			l.out = append(l.out, s[0], s[1])
			*s = [channels]int16{}
		}
		if err := w.WritePCM(l.out); err != nil {
			return err
		}
	}
	return nil
}
