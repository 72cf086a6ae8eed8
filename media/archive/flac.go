package archive

import (
	"encoding/binary"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"ullim/internal/errs"
)

// flacEncoder writes FLAC (RFC 9639), blocks of 4,096 frames, the channels apart.
type flacEncoder struct {
	out      io.WriteSeeker
	enc      *flac.Encoder
	rate     uint32
	channels []*frame.Subframe
	layout   frame.Channels
}

func newFLAC(out io.WriteSeeker, rate, channels int) (*flacEncoder, error) {
	layout := map[int]frame.Channels{1: frame.ChannelsMono, 2: frame.ChannelsLR}
	l, ok := layout[channels]
	if !ok {
		return nil, errs.New(errs.Invalid, "archive: FLAC of %d channels", channels)
	}
	enc, err := flac.NewEncoder(out, &meta.StreamInfo{
		BlockSizeMin: block, BlockSizeMax: block, SampleRate: uint32(rate), NChannels: uint8(channels), BitsPerSample: 16,
	})
	if err != nil {
		return nil, err
	}
	e := &flacEncoder{out: out, enc: enc, rate: uint32(rate), layout: l}
	for range channels {
		e.channels = append(e.channels, &frame.Subframe{Samples: make([]int32, 0, block)})
	}
	return e, nil
}

func (e *flacEncoder) write(pcm []int16) error {
	n := len(pcm) / len(e.channels)
	for c, sub := range e.channels {
		sub.Samples, sub.NSamples = sub.Samples[:n], n
		sub.SubHeader = frame.SubHeader{Pred: frame.PredVerbatim} // the encoder looks for a better one
		for i := range n {
			sub.Samples[i] = int32(pcm[i*len(e.channels)+c])
		}
	}
	return e.enc.WriteFrame(&frame.Frame{
		Header:    frame.Header{HasFixedBlockSize: true, BlockSize: uint16(n), SampleRate: e.rate, Channels: e.layout, BitsPerSample: 16},
		Subframes: e.channels,
	})
}

// close completes the head: how many samples, their MD5. The smallest block does not count the last one, which may be of any
// size (RFC 9639 §8.2), but the encoder counts it.
func (e *flacEncoder) close() error {
	if err := e.enc.Close(); err != nil {
		return err
	}
	const streamInfo = 4 + 4 // behind the signature and the header of the block
	if _, err := e.out.Seek(streamInfo, io.SeekStart); err != nil {
		return err
	}
	if _, err := e.out.Write(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, block), block)); err != nil {
		return err
	}
	_, err := e.out.Seek(0, io.SeekEnd)
	return err
}
