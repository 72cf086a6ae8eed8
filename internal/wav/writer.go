package wav

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Encoding of the samples that a Writer writes.
type Encoding int

// Encodings.
const (
	PCM16 Encoding = iota // 16 bits linear
	ULaw                  // G.711 µ-law
	ALaw                  // G.711 A-law
)

// Writer streams samples into a WAV file. It is not safe for concurrent use.
type Writer struct {
	w      io.WriteSeeker
	format format
	header int   // bytes before the first sample
	data   int64 // bytes of samples written
	buf    []byte
}

// NewWriter writes the header, with sizes of zero, and is ready for samples. It neither closes nor syncs w.
func NewWriter(w io.WriteSeeker, e Encoding, rate, channels int) (*Writer, error) {
	f := format{tag: tagPCM, bits: 16, rate: rate, channels: channels}
	switch e {
	case PCM16:
	case ULaw:
		f.tag, f.bits = tagULaw, 8
	case ALaw:
		f.tag, f.bits = tagALaw, 8
	default:
		return nil, wrapf(ErrUnsupported, "encoding %d", e)
	}
	if rate < 1 || channels < 1 || channels > maxChannels {
		return nil, wrapf(ErrUnsupported, "%d samples a second, %d channels", rate, channels)
	}
	h := f.header()
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("wav: write header: %w", err)
	}
	return &Writer{w: w, format: f, header: len(h)}, nil
}

// header is everything before the first sample. Encodings other than PCM carry an extension size and a fact chunk.
func (f format) header() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, 64), "RIFF\x00\x00\x00\x00WAVEfmt "...)
	size := uint32(16)
	if f.tag != tagPCM {
		size = 18
	}
	b = le.AppendUint32(b, size)
	b = le.AppendUint16(b, f.tag)
	b = le.AppendUint16(b, uint16(f.channels))
	b = le.AppendUint32(b, uint32(f.rate))
	b = le.AppendUint32(b, uint32(f.rate*f.frame()))
	b = le.AppendUint16(b, uint16(f.frame()))
	b = le.AppendUint16(b, uint16(f.bits))
	if f.tag != tagPCM {
		b = append(b, 0, 0)
		b = append(b, "fact\x04\x00\x00\x00\x00\x00\x00\x00"...)
	}
	return append(b, "data\x00\x00\x00\x00"...)
}

// Write writes samples that are already encoded, whole frames.
func (w *Writer) Write(p []byte) (int, error) {
	if int64(w.header)+w.data+int64(len(p)) > math.MaxUint32-8 {
		return 0, wrapf(ErrTooLarge, "a WAV file ends at 4 GiB")
	}
	n, err := w.w.Write(p)
	w.data += int64(n)
	if err != nil {
		return n, fmt.Errorf("wav: write: %w", err)
	}
	return n, nil
}

// WritePCM writes 16-bit samples, channels interleaved; only for PCM16.
func (w *Writer) WritePCM(pcm []int16) error {
	if w.format.tag != tagPCM {
		return wrapf(ErrUnsupported, "linear samples for a G.711 file")
	}
	w.buf = w.buf[:0]
	for _, v := range pcm {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v))
	}
	_, err := w.Write(w.buf)
	return err
}

// Bytes is the size of the file so far.
func (w *Writer) Bytes() int64 { return int64(w.header) + w.data }

// Close patches the sizes, and leaves the position at the end of the file.
func (w *Writer) Close() error {
	if w.data%2 != 0 { // chunks are padded to even size
		if _, err := w.w.Write([]byte{0}); err != nil {
			return fmt.Errorf("wav: pad: %w", err)
		}
	}
	return patch(w.w, w.header, w.format, w.data)
}

// patch writes the three sizes: RIFF, fact (in frames), data.
func patch(w io.WriteSeeker, header int, f format, data int64) error {
	put := func(at int64, v int64) error {
		if _, err := w.Seek(at, io.SeekStart); err != nil {
			return err
		}
		_, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
		return err
	}
	err := put(4, int64(header)+data+data%2-8)
	if err == nil && f.tag != tagPCM && header == len(f.header()) {
		err = put(int64(header)-12, data/int64(f.frame()))
	}
	if err == nil {
		err = put(int64(header)-4, data)
	}
	if err == nil {
		_, err = w.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return fmt.Errorf("wav: patch sizes: %w", err)
	}
	return nil
}
