//go:build opus

package opus

import (
	"fmt"

	"gopkg.in/hraban/opus.v2"
)

// Available reports whether this build can encode and decode Opus.
func Available() bool { return true }

// The encoder: half of libopus's default effort costs a third less CPU and is not heard in speech; at 24 kbit/s all of the band
// to 8 kHz is sent.
const (
	complexity = 5
	bitrate    = 24000
	expected   = 3 // percent of loss to be prepared for: how much of each frame is sent again in the next
)

// Encoder is the sending half of one stream.
type Encoder struct{ enc *opus.Encoder }

// NewEncoder makes one.
func NewEncoder() (*Encoder, error) {
	enc, err := opus.NewEncoder(Rate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("opus: encoder: %w", err)
	}
	for _, set := range []func() error{
		func() error { return enc.SetComplexity(complexity) },
		func() error { return enc.SetBitrate(bitrate) },
		func() error { return enc.SetInBandFEC(true) },
		func() error { return enc.SetPacketLossPerc(expected) },
	} {
		if err := set(); err != nil {
			return nil, fmt.Errorf("opus: encoder: %w", err)
		}
	}
	return &Encoder{enc: enc}, nil
}

// tapeBitrate is that of one side of a telephone call that is kept: nothing is lost on the way, so nothing is sent twice.
const tapeBitrate = 16000

// NewTapeEncoder makes one for a file: 8 kHz mono.
func NewTapeEncoder() (*Encoder, error) {
	enc, err := opus.NewEncoder(8000, 1, opus.AppVoIP)
	if err == nil {
		err = enc.SetBitrate(tapeBitrate)
	}
	if err != nil {
		return nil, fmt.Errorf("opus: encoder: %w", err)
	}
	return &Encoder{enc: enc}, nil
}

// Encode encodes one frame of 2.5 to 60 ms and returns how many bytes were written; 0: pcm is of another length, or dst too small.
func (e *Encoder) Encode(dst []byte, pcm []int16) int {
	if len(dst) == 0 || len(pcm) == 0 {
		return 0
	}
	n, err := e.enc.Encode(pcm, dst)
	if err != nil {
		return 0
	}
	return n
}

// Decoder is the receiving half of one stream.
type Decoder struct{ dec *opus.Decoder }

// NewDecoder makes one.
func NewDecoder() (*Decoder, error) {
	dec, err := opus.NewDecoder(Rate, 1)
	if err != nil {
		return nil, fmt.Errorf("opus: decoder: %w", err)
	}
	return &Decoder{dec: dec}, nil
}

// Decode decodes a packet and returns how many samples were written; 0: it is not Opus, or dst is too small for it.
func (d *Decoder) Decode(dst []int16, data []byte) int {
	if len(dst) == 0 || len(data) == 0 {
		return 0
	}
	n, err := d.dec.Decode(data, dst)
	if err != nil {
		return 0
	}
	return n
}
