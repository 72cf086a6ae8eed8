package jitter

// Concealer hides lost frames of samples, after the idea of ITU-T G.711 Appendix I: a voice repeats itself, so the last period
// of its pitch is repeated and faded out over 60 ms. What arrives afterwards is faded in.
type Concealer struct {
	rate   int
	past   []int16 // the last samples that were played
	period []int16 // what is repeated
	at     int     // in it
	made   int     // samples since the last good one; 0: no gap
	offset int32   // what is left of the step between the last good sample and the repetition
	join   []int16 // the repetition goes on for a moment under the good sound
	seen   bool    // anything was good
	lag    int     // its length
}

// NewConcealer is for one stream of samples at 8,000 or 16,000 a second.
func NewConcealer(rate int) *Concealer {
	ms := rate / 1000
	return &Concealer{
		rate: rate, past: make([]int16, 40*ms), period: make([]int16, 15*ms), join: make([]int16, 5*ms),
	}
}

// Reset forgets what was heard.
func (c *Concealer) Reset() {
	clear(c.past)
	c.made, c.seen = 0, false
}

// Silent reports whether a gap has lasted so long that nothing is left of the sound before it.
func (c *Concealer) Silent() bool { return !c.seen || c.made >= 60*c.rate/1000 }

// Good takes a frame that arrived. After a gap its beginning is changed in place, to join what was made up.
func (c *Concealer) Good(pcm []int16) {
	if c.made > 0 {
		join := c.join[:min(len(c.join), len(pcm))]
		c.repeat(join)
		for i, old := range join {
			w := int32(i+1) * 256 / int32(len(join)+1)
			pcm[i] = int16((int32(pcm[i])*w + int32(old)*(256-w)) >> 8)
		}
		c.made = 0
	}
	c.seen = true
	c.remember(pcm)
}

// Conceal makes up a frame.
func (c *Concealer) Conceal(dst []int16) {
	if !c.seen {
		clear(dst)
		return
	}
	if c.made == 0 {
		c.begin()
	}
	c.repeat(dst)
	c.remember(dst)
}

func (c *Concealer) remember(pcm []int16) {
	if len(pcm) >= len(c.past) {
		copy(c.past, pcm[len(pcm)-len(c.past):])
		return
	}
	copy(c.past, c.past[len(pcm):])
	copy(c.past[len(c.past)-len(pcm):], pcm)
}

// begin chooses the period, and makes its end lead into its beginning.
func (c *Concealer) begin() {
	ms := c.rate / 1000
	n := len(c.past)
	c.lag, _ = pitch(c.past, 20*ms, 5*ms/2, 15*ms, max(ms/8, 1))
	p := c.period[:c.lag]
	copy(p, c.past[n-c.lag:])
	blend := c.lag / 4
	for i := range blend {
		w := int32(i+1) * 256 / int32(blend+1)
		old := int32(c.past[n-c.lag-blend+i])
		k := c.lag - blend + i
		p[k] = int16((int32(p[k])*(256-w) + old*w) >> 8)
	}
	c.at = 0
	c.offset = int32(c.past[n-1]) - int32(c.past[n-c.lag-1])
}

// repeat writes what comes next of the repetition, fading.
func (c *Concealer) repeat(dst []int16) {
	loud, gone := 10*c.rate/1000, 60*c.rate/1000
	for i := range dst {
		if c.made >= gone {
			clear(dst[i:])
			return
		}
		v := int32(c.period[c.at]) + c.offset
		c.offset -= c.offset / 16
		if c.at++; c.at == c.lag {
			c.at = 0
		}
		if c.made > loud {
			v = int32(int64(v) * int64(gone-c.made) / int64(gone-loud))
		}
		dst[i] = int16(min(max(v, -32768), 32767))
		c.made++
	}
}

// pitch finds by how many samples, from least to most, the last n samples of past are most like what was before, and how much so
// (1: the same). It looks at every step-th sample and lag first.
func pitch(past []int16, n, least, most, step int) (lag int, likeness float32) {
	end := len(past)
	n = min(n, end-most)
	best, lag := float32(-2), least
	try := func(l, step int) {
		x, y := past[end-n:], past[end-n-l:end-l]
		var cross, xx, yy float32
		for i := 0; i < len(x) && i < len(y); i += step {
			a, b := float32(x[i]), float32(y[i])
			cross += a * b
			xx += a * a
			yy += b * b
		}
		if like := cross / sqrt((xx+1)*(yy+1)); like > best {
			best, lag = like, l
		}
	}
	for l := least; l <= most; l += step {
		try(l, step)
	}
	if step > 1 {
		around := lag
		best = -2
		for l := max(least, around-step+1); l <= min(most, around+step-1); l++ {
			try(l, 1)
		}
	}
	return lag, best
}
