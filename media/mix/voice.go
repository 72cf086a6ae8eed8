package mix

// voice tells whether a member speaks: louder than his own background for a moment, and for half a second afterwards. The noise
// of those who only listen does not add up for the others.
type voice struct {
	floor  int64 // mean square of the quietest frames
	hang   int   // frames that he still counts as speaking
	fading fade
}

type fade uint8

const (
	steady fade = iota
	fadeIn
	fadeOut
)

const (
	hang      = 25      // frames
	audible   = 30 * 30 // mean square of what is always too quiet to be a voice: -61 dBov
	above     = 6       // times the floor
	onset     = 5       // the part of a frame in which a voice is faded in: a fifth, 4 ms
	shift     = 8       // of a gain
	beginning = 50 * 50 // of the floor: -56 dBov
	highest   = 1 << 15 // of the floor, -45 dBov: what is much louder is heard, be it music that never pauses
	creeping  = 128     // the floor rises by that part a frame: a loud hum is background after some seconds
)

// hear takes a frame and reports whether it is a voice to be heard.
func (v *voice) hear(pcm []int16, muted bool) ([]int16, bool) {
	before := v.hang > 0
	if len(pcm) == 0 {
		v.hang = 0
		return nil, false
	}
	power := loudness(pcm)
	if v.floor == 0 { // nothing is known: a call may begin in the middle of a word
		v.floor = beginning
	}
	v.floor = min(v.floor, power)
	if power > audible && power > above*v.floor && !muted {
		v.hang = hang
	} else if v.hang > 0 {
		v.hang--
	}
	v.floor = min(v.floor+v.floor/creeping+1, highest)
	if muted && v.hang > 0 { // one more frame, to fade
		v.hang = 0
	}
	switch now := v.hang > 0; {
	case now && !before:
		v.fading = fadeIn
	case !now && before:
		v.fading = fadeOut
	case now:
		v.fading = steady
	default:
		return nil, false
	}
	return pcm, true
}

// shape is what others hear of a frame: itself if it can be.
func (v *voice) shape(dst, pcm []int16, gain int32, frame int) []int16 {
	if gain == Unity && v.fading == steady && len(pcm) == frame {
		return pcm
	}
	n := copy(dst, pcm)
	clear(dst[n:])
	if gain != Unity {
		for i, s := range dst[:n] {
			dst[i] = int16(min(max(int32(s)*gain>>shift, -32768), 32767))
		}
	}
	switch v.fading {
	case fadeIn:
		ramp := max(n/onset, 1)
		for i := range min(ramp, n) {
			dst[i] = int16(int32(dst[i]) * int32(i) / int32(ramp))
		}
	case fadeOut:
		for i := range n {
			dst[i] = int16(int32(dst[i]) * int32(n-i) / int32(n))
		}
	case steady:
	}
	return dst
}

// loudness is the mean square of every third sample: what is a voice shows in those as well, and no usual tone hides from them.
func loudness(pcm []int16) int64 {
	var sum int64
	n := int64(0)
	for i := 0; i < len(pcm); i += 3 {
		s := int64(pcm[i])
		sum += s * s
		n++
	}
	return sum / n
}
