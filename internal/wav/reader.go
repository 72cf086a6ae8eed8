package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Reader streams the samples of a WAV file of 16 bits, as Writer makes them.
type Reader struct {
	Rate, Channels int
	Frames         int64 // that the header tells of; the file may hold fewer

	r    io.Reader
	left int64 // bytes
	buf  []byte
}

// NewReader reads up to the first sample. Errors are ErrFormat, ErrUnsupported, or the reader's own.
func NewReader(r io.Reader) (*Reader, error) {
	head := make([]byte, riffHeader)
	if err := full(r, head); err != nil {
		return nil, err
	}
	if string(head[:4]) != "RIFF" || string(head[8:12]) != "WAVE" {
		return nil, wrapf(ErrFormat, "no RIFF WAVE header")
	}
	var f format
	known := false
	for range 64 { // chunks; no more are looked at
		chunk := head[:chunkHeader]
		if err := full(r, chunk); err != nil {
			return nil, err
		}
		name, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch name {
		case "data":
			if !known {
				return nil, wrapf(ErrFormat, "data before fmt")
			}
			if f.tag != tagPCM || f.bits != 16 {
				return nil, wrapf(ErrUnsupported, "only 16-bit samples are streamed")
			}
			return &Reader{Rate: f.rate, Channels: f.channels, Frames: size / int64(f.frame()), r: r, left: size - size%int64(f.frame())}, nil
		case "fmt ":
			if size > 256 {
				return nil, wrapf(ErrFormat, "fmt chunk of %d bytes", size)
			}
			body := make([]byte, size+size%2)
			if err := full(r, body); err != nil {
				return nil, err
			}
			var err error
			if f, err = parseFormat(body[:size]); err != nil {
				return nil, err
			}
			known = true
		default:
			if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
				return nil, wrapf(ErrFormat, "chunk %q is cut off", name)
			}
		}
	}
	return nil, wrapf(ErrFormat, "no data chunk")
}

func full(r io.Reader, b []byte) error {
	if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wrapf(ErrFormat, "the file ends in its header")
	} else if err != nil {
		return fmt.Errorf("wav: read: %w", err)
	}
	return nil
}

// Read gives whole frames, channels interleaved, and tells how many samples; io.EOF behind the last.
func (r *Reader) Read(pcm []int16) (int, error) {
	frame := int64(2 * r.Channels)
	want := min(int64(len(pcm))*2, r.left)
	want -= want % frame
	if want == 0 {
		return 0, io.EOF
	}
	if int64(cap(r.buf)) < want {
		r.buf = make([]byte, want)
	}
	n, err := io.ReadFull(r.r, r.buf[:want])
	n -= n % int(frame)
	for i := range n / 2 {
		pcm[i] = int16(binary.LittleEndian.Uint16(r.buf[2*i:]))
	}
	r.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		r.left = 0
		if n == 0 {
			return 0, io.EOF
		}
	case err != nil:
		return n / 2, fmt.Errorf("wav: read: %w", err)
	}
	return n / 2, nil
}
