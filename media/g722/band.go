package g722

// band is the adaptive part of one band: the step of its quantiser and its predictor of two poles and six zeros. The zero
// value is the reset state.
type band struct {
	predicted int32 // the next sample [S]
	zeros     int32 // what the zero section adds to it [SZ]
	a1, a2    int32 // poles
	r1, r2    int32 // the last two reconstructed samples
	p1, p2    int32 // the last two partially reconstructed ones
	b         [6]int32
	d         [6]int32 // the last six differences
	scale     int32    // logarithm of the step [NB]
	det       int32    // the step, 0 for the reset value
}

// The steps of the reset state.
const (
	stepLow  = 32
	stepHigh = 8
)

// step is the step of the quantiser.
func (b *band) step(reset int32) int32 {
	if b.det == 0 { // never after the first sample: the least step is 8
		return reset
	}
	return b.det
}

// quantize6 is the code of a sample of the lower band [SUBTRA, QUANTL].
func (b *band) quantize6(x int32) byte {
	e, step := saturate(x-b.predicted), b.step(stepLow)
	size := e
	if e < 0 {
		size = -(e + 1)
	}
	low, high := 0, len(decision) // the first level above size
	for low < high {
		mid := (low + high) / 2
		if size < decision[mid]*step>>12 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if e < 0 {
		return below[low]
	}
	return above[low]
}

// quantize2 is the code of a sample of the higher band [SUBTRA, QUANTH].
func (b *band) quantize2(x int32) byte {
	e := saturate(x - b.predicted)
	size, code := e, byte(3)
	if e < 0 {
		size, code = -(e + 1), 1
	}
	if size >= 564*b.step(stepHigh)>>12 {
		code--
	}
	return code
}

// adaptLow goes on to the next sample after one with this code, four bits of it [INVQAL, LOGSCL, SCALEL].
func (b *band) adaptLow(code byte) {
	difference := b.step(stepLow) * level4[code] >> 15
	b.scale = min(max(b.scale*127>>7+pace4[code], 0), 18432)
	b.det = antilog(b.scale, 8)
	b.predict(difference)
}

// adaptHigh goes on to the next sample after one with this code [INVQAH, LOGSCH, SCALEH].
func (b *band) adaptHigh(code byte) {
	difference := b.step(stepHigh) * level2[code] >> 15
	b.scale = min(max(b.scale*127>>7+pace2[code], 0), 22528)
	b.det = antilog(b.scale, 10)
	b.predict(difference)
}

func antilog(scale, shift int32) int32 {
	v := inverse[scale>>6&31]
	if by := shift - scale>>11; by >= 0 {
		v >>= by
	} else {
		v <<= -by
	}
	return v << 2
}

// predict takes the difference that was sent and predicts the next sample.
func (b *band) predict(d0 int32) {
	r0 := saturate(b.predicted + d0) // [RECONS]
	p0 := saturate(b.zeros + d0)     // [PARREC]

	same1, same2 := (p0^b.p1) >= 0, (p0^b.p2) >= 0
	// [UPPOL2]
	turn := saturate(b.a1 << 2)
	if same1 {
		turn = min(-turn, 32767)
	}
	a2 := turn>>7 + b.a2*32512>>15
	if same2 {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = min(max(a2, -12288), 12288)
	// [UPPOL1]
	a1 := b.a1 * 32640 >> 15
	if same1 {
		a1 += 192
	} else {
		a1 -= 192
	}
	most := 15360 - a2
	a1 = min(max(a1, -most), most)

	// [UPZERO], and [FILTEZ] in the same pass
	var sum int32
	gain := int32(128)
	if d0 == 0 {
		gain = 0
	}
	newer := d0
	for i, old := range b.d {
		w := b.b[i] * 32640 >> 15
		if old^d0 >= 0 {
			w += gain
		} else {
			w -= gain
		}
		b.b[i] = saturate(w)
		b.d[i] = newer
		sum += b.b[i] * saturate(newer+newer) >> 15
		newer = old
	}
	b.zeros = saturate(sum)

	b.a1, b.a2 = a1, a2
	b.r1, b.r2 = r0, b.r1
	b.p1, b.p2 = p0, b.p1
	// [FILTEP, PREDIC]
	poles := saturate(a1*saturate(b.r1+b.r1)>>15 + a2*saturate(b.r2+b.r2)>>15)
	b.predicted = saturate(poles + b.zeros)
}

func saturate(v int32) int32 { return min(max(v, -32768), 32767) }

func limit(v, most int32) int32 { return min(max(v, -most-1), most) }
