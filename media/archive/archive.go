package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"ullim/internal/errs"
	"ullim/internal/wav"
	"ullim/media/g711"
	"ullim/media/opus"
)

// Format is how recordings are kept.
type Format string

// Formats. WAV is what the recorder writes.
const (
	WAV  Format = "wav"
	ULaw Format = "wav-mulaw"
	FLAC Format = "flac"
	Opus Format = "opus"
)

// Check refuses a format that this program cannot make.
func (f Format) Check() error {
	switch f {
	case WAV, ULaw, FLAC:
		return nil
	case Opus:
		if opus.Available() {
			return nil
		}
		return errs.Field("format", "opus needs a program built with -tags opus,nolibopusfile")
	}
	return errs.Field("format", "must be wav, wav-mulaw, flac or opus; is %q", string(f))
}

// Extension of the files, with its dot.
func (f Format) Extension() string {
	switch f {
	case FLAC:
		return ".flac"
	case Opus:
		return ".opus"
	case WAV, ULaw:
		return ".wav"
	}
	return ".wav"
}

// block is how many frames are worked on at once.
const block = 4096

// encoder takes frames, channels interleaved, and close completes the file.
type encoder interface {
	write(pcm []int16) error
	close() error
}

// Convert writes the recording src (WAV of 16 bits) in a format. It neither closes nor syncs dst.
func Convert(ctx context.Context, dst io.WriteSeeker, src io.Reader, f Format) error {
	if err := f.Check(); err != nil {
		return err
	}
	r, err := wav.NewReader(bufio.NewReaderSize(src, 64<<10))
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "the recording cannot be read")
	}
	out := &buffered{Writer: bufio.NewWriterSize(dst, 64<<10), dst: dst}
	var e encoder
	switch f {
	case FLAC:
		e, err = newFLAC(out, r.Rate, r.Channels)
	case Opus:
		e, err = newOgg(out, r.Rate, r.Channels)
	case WAV, ULaw:
		e, err = newWAV(out, f, r.Rate, r.Channels)
	}
	if err != nil {
		return err
	}
	pcm := make([]int16, block*r.Channels)
	for {
		var n int
		n, err = fill(r, pcm)
		if n > 0 {
			if werr := e.write(pcm[:n]); werr != nil {
				return fmt.Errorf("archive: %w", werr)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	if err = errors.Join(e.close(), out.Flush()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// fill reads until pcm is full, so that all blocks but the last are of one size.
func fill(r *wav.Reader, pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		m, err := r.Read(pcm[n:])
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// buffered is a writer whose position can be changed.
type buffered struct {
	*bufio.Writer
	dst io.Seeker
}

// Seek implements io.Seeker.
func (b *buffered) Seek(offset int64, whence int) (int64, error) {
	if err := b.Flush(); err != nil {
		return 0, err
	}
	return b.dst.Seek(offset, whence)
}

// wavEncoder writes WAV.
type wavEncoder struct {
	w    *wav.Writer
	ulaw []byte // nil: linear
}

func newWAV(out io.WriteSeeker, f Format, rate, channels int) (*wavEncoder, error) {
	e, encoding := &wavEncoder{}, wav.PCM16
	if f == ULaw {
		encoding, e.ulaw = wav.ULaw, make([]byte, block*channels)
	}
	var err error
	e.w, err = wav.NewWriter(out, encoding, rate, channels)
	return e, err
}

func (e *wavEncoder) write(pcm []int16) error {
	if e.ulaw == nil {
		return e.w.WritePCM(pcm)
	}
	_, err := e.w.Write(e.ulaw[:g711.EncodeULaw(e.ulaw, pcm)])
	return err
}

func (e *wavEncoder) close() error { return e.w.Close() }
