// Package g722 is ITU-T G.722 at 64 kbit/s: wideband sound, 16,000 samples a second, two samples a byte. In RTP its clock
// is 8,000 a second all the same, so a byte is one tick (RFC 3551 §4.5.2) and 20 ms are 160 bytes, as in G.711.
//
//	samples ── split (quadrature mirror filter) ──┬─ lower band, 0-4 kHz ── ADPCM, 6 bits ─┬── byte: HHLLLLLL
//	                                              └─ higher band, 4-8 kHz ─ ADPCM, 2 bits ─┘
//
// Both bands have the same predictor (band.go), which sender and receiver keep in step by feeding it with what was sent.
// The lower band's predictor uses the upper four of its six bits only, as the recommendation has it for the lower rates.
// The names in brackets are the blocks of the recommendation, section 6.2. All is integer arithmetic, bit for bit.
package g722

// Encoder is the sending half of one stream; the zero value is ready.
type Encoder struct {
	low, high band
	even, odd delay
}

// Encode encodes pairs of samples and returns how many bytes of dst were written: as many as dst holds and pcm fills. An odd
// last sample is left out.
func (e *Encoder) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm)/2)
	for i := range n {
		e.even.push(int32(pcm[2*i]))
		e.odd.push(int32(pcm[2*i+1]))
		a, b := e.odd.forward(), e.even.backward()
		// Two taps are always 24 samples: the sums are 14 bits too long.
		l, h := e.low.quantize6((a+b)>>14), e.high.quantize2((a-b)>>14)
		e.low.adaptLow(l >> 2)
		e.high.adaptHigh(h)
		dst[i] = h<<6 | l
	}
	return n
}

// Decoder is the receiving half of one stream; the zero value is ready.
type Decoder struct {
	low, high band
	sum, diff delay
}

// Decode decodes bytes, two samples each, and returns how many samples of dst were written.
func (d *Decoder) Decode(dst []int16, data []byte) int {
	n := min(len(dst)/2, len(data))
	for i, b := range data[:n] {
		l, h := b&63, b>>6
		low := limit(d.low.predicted+d.low.step(stepLow)*level6[l]>>15, 16383)     // [INVQBL, RECONS, LIMIT]
		high := limit(d.high.predicted+d.high.step(stepHigh)*level2[h]>>15, 16383) // [INVQAH, RECONS, LIMIT]
		d.low.adaptLow(l >> 2)
		d.high.adaptHigh(h)
		d.sum.push(low + high)
		d.diff.push(low - high)
		dst[2*i] = int16(saturate(d.diff.forward() >> 11))
		dst[2*i+1] = int16(saturate(d.sum.backward() >> 11))
	}
	return 2 * n
}

// delay is one of the two lines of a mirror filter: the last twelve values, each kept twice so that they always lie in a row.
type delay struct {
	at   int // of the newest
	line [24]int32
}

func (d *delay) push(v int32) {
	d.at++
	if d.at >= 12 {
		d.at = 0
	}
	d.line[d.at], d.line[d.at+12] = v, v
}

// forward weighs the oldest value with the last coefficient, backward with the first.
func (d *delay) forward() (sum int32) {
	w := d.line[d.at+1:][:12]
	for i, v := range w {
		sum += v * qmf[11-i]
	}
	return sum
}

func (d *delay) backward() (sum int32) {
	w := d.line[d.at+1:][:12]
	for i, v := range w {
		sum += v * qmf[i]
	}
	return sum
}
