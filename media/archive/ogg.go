package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ullim/internal/errs"
	"ullim/media/opus"
)

// Opus in Ogg (RFC 7845). The two channels are two streams of one channel each (mapping family 1, none coupled): a coupled
// pair lets one side leak into the other where bits are short, and who said what is the point of two channels.
const (
	opusRate  = 8000
	opusFrame = opusRate / 50 // 20 ms
	opusClock = 48000         // of positions, whatever the samples are
	lookahead = 312           // what the encoder delays, in the clock of positions: 6.5 ms
	pageLimit = 50            // packets of a page: a second
	serial    = 0x756C6C6D    // any number: there is one stream
	maxPacket = 1275
)

// oggEncoder writes packets into pages.
type oggEncoder struct {
	out     io.Writer
	enc     []*opus.Encoder // one for each channel
	pending []int16         // less than a frame
	single  []int16
	packet  []byte
	frames  int64 // of samples taken
	packets int64

	page     uint32 // number of the next
	segments []byte
	body     []byte
	held     int // packets in the page
}

func newOgg(out io.Writer, rate, channels int) (*oggEncoder, error) {
	if rate != opusRate || channels < 1 || channels > 2 {
		return nil, errs.New(errs.Invalid, "archive: Opus of %d channels at %d Hz", channels, rate)
	}
	e := &oggEncoder{out: out, single: make([]int16, opusFrame), packet: make([]byte, maxPacket)}
	for range channels {
		enc, err := opus.NewTapeEncoder()
		if err != nil {
			return nil, err
		}
		e.enc = append(e.enc, enc)
	}
	head := append([]byte("OpusHead\x01"), byte(channels))
	head = binary.LittleEndian.AppendUint16(head, lookahead)
	head = binary.LittleEndian.AppendUint32(head, opusRate)
	head = append(head, 0, 0, 1, byte(channels), 0) // no gain; family 1: so many streams, none coupled
	for c := range channels {
		head = append(head, byte(c))
	}
	tags := append([]byte("OpusTags"), 5, 0, 0, 0)
	tags = append(append(tags, "ullim"...), 0, 0, 0, 0)
	return e, errors.Join(e.alone(head, 2), e.alone(tags, 0))
}

func (e *oggEncoder) write(pcm []int16) error {
	e.frames += int64(len(pcm) / len(e.enc))
	e.pending = append(e.pending, pcm...)
	step := opusFrame * len(e.enc)
	at := 0
	for ; at+step <= len(e.pending); at += step {
		if err := e.encode(e.pending[at:at+step], false); err != nil {
			return err
		}
	}
	e.pending = append(e.pending[:0], e.pending[at:]...)
	return nil
}

// close sends what is left, and as much silence as the delay of the encoder takes. The last position cuts what is too much
// (RFC 7845 §4.4).
func (e *oggEncoder) close() error {
	end := e.end()
	for {
		last := (e.packets+1)*opusFrame*opusClock/opusRate >= end
		frame := make([]int16, opusFrame*len(e.enc))
		copy(frame, e.pending)
		e.pending = e.pending[:0]
		if err := e.encode(frame, last); err != nil || last {
			return err
		}
	}
}

// end is the last position.
func (e *oggEncoder) end() int64 { return e.frames*opusClock/opusRate + lookahead }

// encode makes a packet of a frame of all channels.
func (e *oggEncoder) encode(pcm []int16, last bool) error {
	var packet []byte
	for c, enc := range e.enc {
		for i := range e.single {
			e.single[i] = pcm[i*len(e.enc)+c]
		}
		n := enc.Encode(e.packet, e.single)
		if n == 0 {
			return errors.New("opus: a frame was not encoded")
		}
		one := e.packet[:n]
		if c < len(e.enc)-1 {
			var err error
			if one, err = delimited(one); err != nil {
				return err
			}
		}
		packet = append(packet, one...)
	}
	e.packets++
	return e.add(packet, last)
}

// delimited makes a packet of one frame tell its own length (RFC 6716, appendix B).
func delimited(p []byte) ([]byte, error) {
	if p[0]&3 != 0 {
		return nil, fmt.Errorf("opus: a packet of more than one frame (code %d)", p[0]&3)
	}
	n := len(p) - 1
	out := []byte{p[0]}
	if n < 252 {
		out = append(out, byte(n))
	} else {
		first := 252 + n&3
		out = append(out, byte(first), byte((n-first)>>2))
	}
	return append(out, p[1:]...), nil
}

// add puts a packet into the page, and sends the page if it is full.
func (e *oggEncoder) add(packet []byte, last bool) error {
	need := len(packet)/255 + 1
	if len(e.segments)+need > 255 {
		if err := e.flush((e.packets-1)*opusFrame*opusClock/opusRate, 0); err != nil {
			return err
		}
	}
	for n := len(packet); ; n -= 255 {
		e.segments = append(e.segments, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	e.body = append(e.body, packet...)
	e.held++
	switch {
	case last:
		return e.flush(e.end(), 4)
	case e.held == pageLimit:
		return e.flush(e.packets*opusFrame*opusClock/opusRate, 0)
	}
	return nil
}

// alone sends a page of one packet of the head.
func (e *oggEncoder) alone(packet []byte, flags byte) error {
	e.segments, e.body = []byte{byte(len(packet))}, packet
	return e.flush(0, flags)
}

// flush sends the page (RFC 3533 §6). position is that behind its last packet.
func (e *oggEncoder) flush(position int64, flags byte) error {
	p := append([]byte("OggS\x00"), flags)
	p = binary.LittleEndian.AppendUint64(p, uint64(position))
	p = binary.LittleEndian.AppendUint32(p, serial)
	p = binary.LittleEndian.AppendUint32(p, e.page)
	p = append(p, 0, 0, 0, 0, byte(len(e.segments)))
	p = append(append(p, e.segments...), e.body...)
	binary.LittleEndian.PutUint32(p[22:], oggSum(p))
	e.page++
	e.segments, e.body, e.held = e.segments[:0], e.body[:0], 0
	_, err := e.out.Write(p)
	return err
}

// oggSum is the checksum of a page: the polynomial 0x04c11db7, nothing inverted.
func oggSum(page []byte) uint32 {
	var crc uint32
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
