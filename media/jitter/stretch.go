package jitter

// A sound is made shorter or longer by a period of the voice: where it is most like itself a little earlier, one is taken out or
// played twice, with a soft change from the one to the other. It is neither higher nor lower afterwards.

// stretcher knows by how much: lengths in samples.
type stretcher struct {
	overlap, least, most, step int
}

func newStretcher(rate int) stretcher {
	ms := rate / 1000
	return stretcher{overlap: 10 * ms, least: 5 * ms / 2, most: 10 * ms, step: max(ms/8, 1)}
}

// period finds the best length in 20 ms or more of sound, and how good it is (1: nobody can hear it).
func (s stretcher) period(pcm []int16) (lag int, likeness float32) {
	return pitch(pcm, s.overlap, s.least, s.most, s.step)
}

// shorter takes a period out of pcm and returns what is left of it.
func (s stretcher) shorter(pcm []int16, lag int) []int16 {
	at := len(pcm) - s.overlap
	for i := range s.overlap {
		w := int32(i+1) * 256 / int32(s.overlap+1)
		pcm[at-lag+i] = int16((int32(pcm[at-lag+i])*(256-w) + int32(pcm[at+i])*w) >> 8)
	}
	return pcm[:len(pcm)-lag]
}

// longer plays a period of pcm twice; there is room for it behind pcm.
func (s stretcher) longer(pcm []int16, lag int) []int16 {
	end := len(pcm)
	at := end - s.overlap
	pcm = pcm[:end+lag]
	// What follows the change is the end once more, a period later; then the change itself, from behind: what it reads is
	// before what it writes, or the same place.
	copy(pcm[end:], pcm[end-lag:end])
	for i := s.overlap - 1; i >= 0; i-- {
		w := int32(i+1) * 256 / int32(s.overlap+1)
		pcm[at+i] = int16((int32(pcm[at+i])*(256-w) + int32(pcm[at-lag+i])*w) >> 8)
	}
	return pcm
}
