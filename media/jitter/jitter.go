// Package jitter makes an even stream of 20 ms frames out of packets that come late, doubled, out of order or not at all.
//
//	Buffer    packets in, payload of 20 ms out (buffer.go)
//	Receiver  the whole ear of a leg that is decoded: Buffer, decoder, Concealer, Noise, and a stretcher that corrects delay
//	          and clock skew without clicks (receiver.go)
package jitter

import "time"

// Options of a Buffer. Zero values mean the defaults.
type Options struct {
	Frame  int           // ticks of the RTP clock in 20 ms; default 160 (8,000 Hz); 960 for Opus
	Opaque bool          // a packet cannot be cut (Opus): it is handed out whole. Otherwise one byte is one tick (G.711, G.722)
	Start  time.Duration // first delay, default 40 ms
	Min    time.Duration // least delay, default 20 ms
	Max    time.Duration // greatest delay, default 200 ms, at most 400 ms
}

// State says what a frame is.
type State uint8

// States of a frame.
const (
	Idle     State = iota // nothing is expected: nothing came yet, or the far end stopped. Play silence or comfort noise
	Frame                 // the payload of 20 ms
	Missing               // lost: conceal it, what follows is here
	Underrun              // not here yet: conceal it, and it may still come
	Held                  // the packet handed out before covers this frame too (opaque packets of more than 20 ms)
)

// Stats are counters since New.
type Stats struct {
	Received, Late, Duplicate, Overflow, Unfit uint64 // packets; Unfit: a size that no packet of 10-60 ms has
	Frames, Missing, Underrun                  uint64 // frames handed out, by state
	Resync, Shrunk, Grown                      uint64 // jumps of the stream; corrections of the delay
	Delay, Target, Jitter                      time.Duration
}

// Buffer is one stream. It is not safe for concurrent use.
type Buffer struct{}

// New makes a buffer; all its memory is taken here.
func New(o Options) *Buffer { return &Buffer{} }

// Put takes a packet of audio; the payload is copied. False: it was late, a duplicate, too much or unfit, and counted so.
func (b *Buffer) Put(sequence uint16, stamp uint32, payload []byte, arrived time.Time) bool {
	return false
}

// Pull is called every 20 ms. The payload is valid until the next call of Pull, and nil unless the state is Frame.
func (b *Buffer) Pull(now time.Time) (payload []byte, state State) { return nil, Idle }

// Reset forgets the stream (another source begins); counters go on.
func (b *Buffer) Reset() {}

// Stats are the counters.
func (b *Buffer) Stats() Stats { return Stats{} }

// Concealer hides lost frames of samples (ITU-T G.711 Appendix I).
type Concealer struct{}

// NewConcealer is for one stream of samples at 8,000 or 16,000 a second.
func NewConcealer(rate int) *Concealer { return &Concealer{} }

// Good takes a frame that arrived. After a gap its beginning is changed in place, to join what was made up.
func (c *Concealer) Good(pcm []int16) {}

// Conceal makes up a frame.
func (c *Concealer) Conceal(dst []int16) {}

// Decoder makes samples of a payload.
type Decoder interface {
	Decode(dst []int16, payload []byte) int
}

// DecoderFunc is a function as a Decoder, such as g711.DecodeULaw.
type DecoderFunc func(dst []int16, payload []byte) int

// Decode implements Decoder.
func (f DecoderFunc) Decode(dst []int16, payload []byte) int { return f(dst, payload) }

// Receiver is the ear of a leg. It is not safe for concurrent use.
type Receiver struct{}

// NewReceiver makes the ear for a codec that gives rate samples a second (8,000 or 16,000).
func NewReceiver(o Options, rate int, d Decoder) *Receiver { return &Receiver{} }

// Put takes a packet of audio; see Buffer.Put.
func (r *Receiver) Put(sequence uint16, stamp uint32, payload []byte, arrived time.Time) bool {
	return false
}

// Noise takes a comfort-noise packet (RFC 3389): from now on gaps are filled with such noise. False: it is not one.
func (r *Receiver) Noise(payload []byte) bool { return false }

// Next fills dst with the next 20 ms and is called every 20 ms. It always fills dst: with sound, with what conceals a loss, or
// with silence or noise (Idle).
func (r *Receiver) Next(dst []int16, now time.Time) State { return Idle }

// Codec changes the decoder in the middle of the stream, at the same rates.
func (r *Receiver) Codec(d Decoder) {}

// Reset forgets the stream; counters go on.
func (r *Receiver) Reset() {}

// Stats are the counters of the buffer.
func (r *Receiver) Stats() Stats { return Stats{} }
