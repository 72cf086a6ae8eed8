package record

const (
	lineSize = 3 * Rate // samples that a timeline holds: the window and what the rings hold
	bridge   = 16       // a hole this small between two packets is the clock being followed: it is filled, not silent
)

// timeline holds what one speaker said between what is written and what is still to come, at its place on the clock.
type timeline struct {
	end  int64 // behind the last sample put
	last int16 // that sample
	ring [lineSize]int16
}

// put lays samples on the line. What is before from has been written and is cut off; what is far beyond it cannot be.
func (l *timeline) put(from, at int64, pcm []int16) {
	if hole := at - l.end; hole > 0 && hole <= bridge && l.end >= from && at < from+lineSize {
		for p := l.end; p < at; p++ {
			l.ring[p%lineSize] = l.last
		}
	}
	end := at + int64(len(pcm))
	low, high := max(at, from), min(end, from+lineSize)
	for low < high {
		p := low % lineSize
		n := int64(copy(l.ring[p:], pcm[low-at:high-at]))
		low += n
	}
	if end > l.end {
		l.end, l.last = end, pcm[len(pcm)-1]
	}
}

// mixInto adds the samples from a position on to every second one of out, and takes them off the line.
func (l *timeline) mixInto(out []int16, from int64) {
	if l.end <= from { // silence: nothing of it is on the line
		return
	}
	p := from % lineSize
	for i := 0; i < len(out); i += 2 {
		if v := l.ring[p]; v != 0 {
			out[i] = saturated(int32(out[i]) + int32(v))
			l.ring[p] = 0
		}
		if p++; p == lineSize {
			p = 0
		}
	}
}

func saturated(v int32) int16 {
	return int16(min(max(v, -1<<15), 1<<15-1))
}
