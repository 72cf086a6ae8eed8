package jitter

import "time"

// Decoder makes samples of a payload.
type Decoder interface {
	Decode(dst []int16, payload []byte) int
}

// DecoderFunc is a function as a Decoder, such as g711.DecodeULaw.
type DecoderFunc func(dst []int16, payload []byte) int

// Decode implements Decoder.
func (f DecoderFunc) Decode(dst []int16, payload []byte) int { return f(dst, payload) }

// Receiver is the ear of a leg. It is not safe for concurrent use.
type Receiver struct {
	buf     *Buffer
	dec     Decoder
	conceal *Concealer
	noise   Noise
	floor   Floor
	stretch stretcher

	frame  int     // samples in 20 ms
	fifo   []int16 // decoded and not played
	n      int
	wanted int // frames since a correction of the delay has been due
	rested int // frames since the last one
}

// NewReceiver makes the ear for a codec that gives rate samples a second (8,000 or 16,000).
func NewReceiver(o Options, rate int, d Decoder) *Receiver {
	r := &Receiver{buf: New(o), dec: d, conceal: NewConcealer(rate), stretch: newStretcher(rate), frame: rate / 50}
	r.buf.stretched = true
	r.fifo = make([]int16, (longest+3)*r.frame)
	return r
}

// Put takes a packet of audio; see Buffer.Put.
func (r *Receiver) Put(sequence uint16, stamp uint32, payload []byte, arrived time.Time) bool {
	return r.buf.Put(sequence, stamp, payload, arrived)
}

// Noise takes a comfort-noise packet (RFC 3389): from now on pauses are filled with such noise. False: it is not one.
func (r *Receiver) Noise(payload []byte) bool { return r.noise.Payload(payload) }

// Codec changes the decoder in the middle of the stream, at the same rates.
func (r *Receiver) Codec(d Decoder) { r.dec = d }

// Reset forgets the stream; counters go on.
func (r *Receiver) Reset() {
	r.buf.Reset()
	r.noise.Reset()
	r.n = 0
}

// Stats are the counters of the buffer.
func (r *Receiver) Stats() Stats { return r.buf.Stats() }

// Next fills dst with the next 20 ms and is called every 20 ms. It always fills dst: with sound, with what conceals a loss, or
// with silence or noise (Idle).
func (r *Receiver) Next(dst []int16, now time.Time) (state State) {
	if len(dst) > r.frame {
		clear(dst[r.frame:])
		dst = dst[:r.frame]
	}
	over, known := r.buf.excess(now)
	state = Frame
	r.rested++
	for r.n < r.frame {
		before := r.n
		if state = r.pull(now); state == Frame && known {
			r.steer(over, r.fifo[before:r.n])
		}
	}
	copy(dst, r.fifo[:r.frame])
	r.n = copy(r.fifo, r.fifo[r.frame:r.n])
	return state
}

// pull decodes or makes up another frame behind what is there.
func (r *Receiver) pull(now time.Time) State {
	payload, state := r.buf.Pull(now)
	rest := r.fifo[r.n:]
	made := rest[:r.frame]
	switch {
	case state == Frame:
		if n := r.dec.Decode(rest[:longest*r.frame], payload); n > 0 {
			made = rest[:n]
			r.buf.covered((n+r.frame-1)/r.frame - 1)
			r.conceal.Good(made)
			r.floor.Add(made)
			break
		}
		state = Missing // a payload that is none
		r.conceal.Conceal(made)
	case !r.conceal.Silent():
		r.conceal.Conceal(made)
	default:
		r.noise.Fill(made)
	}
	r.n += len(made)
	return state
}

// When a correction of the delay is due, and what makes it inaudible.
const (
	alike  = 0.9 // as like as periods of a steady voice
	quiet  = 4   // times the power of the noise behind the voice
	hushed = 400 // mean square under which nothing is heard: -64 dBov
	tired  = 50  // frames of waiting for a good moment
	pause  = 3   // frames between two corrections within speech
)

// steer makes the frame that was decoded just now shorter or longer if the delay asks for it and the sound allows it. Periods add up
// behind the buffer until they make a frame: then one pull less or more is needed, and the delay moves by 20 ms at once.
// The band in which nothing is corrected is wider than that.
func (r *Receiver) steer(over int64, pcm []int16) {
	frame := r.buf.frame
	if over <= frame*3/4 && over >= -frame/2 {
		r.wanted = 0
		return
	}
	r.wanted++
	if len(pcm) < r.frame {
		return
	}
	power := energy(pcm)
	silent := power < hushed || power < quiet*r.floor.power
	if !silent && r.rested < pause {
		return
	}
	lag, like := r.stretch.period(pcm[len(pcm)-r.frame:])
	if !silent && like < alike && r.wanted < tired {
		return
	}
	if over > 0 {
		r.n -= lag
		r.stretch.shorter(pcm, lag)
		r.buf.stats.Shrunk++
	} else {
		r.stretch.longer(r.fifo[r.n-len(pcm):r.n], lag)
		r.n += lag
		r.buf.stats.Grown++
	}
	r.wanted, r.rested = 0, 0
}
