package media

import (
	"ullim/media/g711"
	"ullim/media/g722"
	"ullim/media/jitter"
	"ullim/media/opus"
	"ullim/media/record"
	"ullim/media/resample"
	"ullim/media/rtcp"
	"ullim/media/sdp"
)

// kind is what a payload number means.
type kind uint8

const (
	kindNone kind = iota
	kindULaw
	kindALaw
	kindG722
	kindOpus
	kindEvent
	kindNoise
	kinds
)

const (
	narrow = 8000  // samples a second of G.711
	wide   = 16000 // of G.722, and of Opus as we decode it

	maxFrame    = wide / 50 // samples in 20 ms
	maxEncoded  = 400       // bytes that 20 ms of any codec take when we encode
	opusClock   = 48000     // RFC 7587 §4.1
	opusSilence = "\xF8\xFF\xFE"
)

// kindOf is a codec by its name.
func kindOf(codec string) kind {
	switch codec {
	case sdp.PCMU:
		return kindULaw
	case sdp.PCMA:
		return kindALaw
	case sdp.G722:
		return kindG722
	case sdp.Opus:
		return kindOpus
	}
	return kindNone
}

// name is the name under which a Source has frames of it.
func (k kind) name() string {
	switch k {
	case kindULaw:
		return sdp.PCMU
	case kindALaw:
		return sdp.PCMA
	case kindG722:
		return sdp.G722
	case kindOpus:
		return sdp.Opus
	case kindNone, kindEvent, kindNoise, kinds:
	}
	return ""
}

// clock is the rate of its RTP timestamps (RFC 3551 §4.5.2: 8000 for G.722 too).
func (k kind) clock() int {
	if k == kindOpus {
		return opusClock
	}
	return sampleRateHz
}

// opaque reports whether its payload cannot be cut: elsewhere a byte is a tick of the clock.
func (k kind) opaque() bool { return k == kindOpus }

// audio reports whether it is sound.
func (k kind) audio() bool { return k >= kindULaw && k <= kindOpus }

// g711 reports whether it is one of the two whose payload is changed into the other byte for byte.
func (k kind) g711() bool { return k == kindULaw || k == kindALaw }

// rate is that of its samples.
func (k kind) rate() int {
	if k == kindG722 || k == kindOpus {
		return wide
	}
	return narrow
}

// ticks is how long a payload plays, on its clock.
func (k kind) ticks(payload []byte) int {
	if k == kindOpus {
		return opusTicks(payload)
	}
	return len(payload)
}

// ear is what the E-model must know of it.
func (k kind) ear() rtcp.Codec {
	switch k {
	case kindG722:
		return rtcp.G722
	case kindOpus:
		return rtcp.Opus
	default:
		return rtcp.G711
	}
}

// taped is what a recording calls it.
func (k kind) taped() record.Codec {
	switch k {
	case kindALaw:
		return record.ALaw
	case kindG722:
		return record.G722
	case kindOpus:
		return record.Opus
	default:
		return record.ULaw
	}
}

// opusTicks is the length of an Opus packet at 48,000 a second, by its first byte (RFC 6716 §3.1, §3.2.5).
func opusTicks(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	var frame int
	config := p[0] >> 3
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = []int{480, 960, 1920, 2880}[config%4]
	case config < 16: // hybrid: 10, 20 ms
		frame = []int{480, 960}[config%2]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = 120 << (config % 4)
	}
	count := 1
	switch p[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		count = int(p[1] & 0x3F)
	}
	return min(frame*count, 5760) // RFC 6716 §3.2.5: at most 120 ms
}

// newDecoder makes samples of its payload at its rate; nil: this build cannot.
func (k kind) newDecoder() jitter.Decoder {
	switch k {
	case kindULaw:
		return jitter.DecoderFunc(g711.DecodeULaw)
	case kindALaw:
		return jitter.DecoderFunc(g711.DecodeALaw)
	case kindG722:
		return new(g722.Decoder)
	case kindOpus:
		if d, err := opus.NewDecoder(); err == nil {
			return d
		}
	case kindNone, kindEvent, kindNoise, kinds:
	}
	return nil
}

// halves changes the rate of one stream of samples.
type halves struct {
	up   resample.Up
	down resample.Down
}

// to gives samples at another rate, in dst if they must be changed.
func (h *halves) to(want, have int, dst, pcm []int16) []int16 {
	switch {
	case want > have:
		return dst[:h.up.Process(dst, pcm)]
	case want < have:
		return dst[:h.down.Process(dst, pcm)]
	}
	return pcm
}

// coder is the sending half of a stream that we encode. The zero value is ready.
type coder struct {
	wide g722.Encoder
	opus *opus.Encoder
	rate halves
	pcm  [maxFrame]int16
	buf  [maxEncoded]byte
}

// can reports whether a codec can be encoded, and prepares for it.
func (c *coder) can(k kind) bool {
	if k != kindOpus || c.opus != nil {
		return k.audio()
	}
	c.opus, _ = opus.NewEncoder() // nil in a build without
	return c.opus != nil
}

// encode gives the payload of samples at a rate; it is valid until the next call.
func (c *coder) encode(k kind, pcm []int16, rate int) []byte {
	pcm = c.rate.to(k.rate(), rate, c.pcm[:], pcm)
	switch k {
	case kindULaw:
		return c.buf[:g711.EncodeULaw(c.buf[:], pcm)]
	case kindALaw:
		return c.buf[:g711.EncodeALaw(c.buf[:], pcm)]
	case kindG722:
		return c.buf[:c.wide.Encode(c.buf[:], pcm)]
	case kindOpus:
		if c.can(k) {
			return c.buf[:c.opus.Encode(c.buf[:], pcm)]
		}
	case kindNone, kindEvent, kindNoise, kinds:
	}
	return nil
}

// narrowed decodes a wide-band stream for a recording.
type narrowed struct {
	d    jitter.Decoder
	down resample.Down
	pcm  [wide * 120 / 1000]int16
}

// Decode implements record.Decoder.
func (n *narrowed) Decode(dst []int16, payload []byte) int {
	return n.down.Process(dst, n.pcm[:n.d.Decode(n.pcm[:], payload)])
}

// tapeDecoder decodes for recordings what is not G.711.
func tapeDecoder(c record.Codec) record.Decoder {
	k := kindG722
	if c == record.Opus {
		k = kindOpus
	}
	d := k.newDecoder()
	if d == nil {
		return nil
	}
	return &narrowed{d: d}
}
