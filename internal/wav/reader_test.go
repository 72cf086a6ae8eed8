package wav

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
)

// written is a file of samples.
func written(t testing.TB, pcm []int16, channels int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(f, PCM16, 8000, channels)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(w.WritePCM(pcm), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stream(r io.Reader, step int) ([]int16, *Reader, error) {
	w, err := NewReader(r)
	if err != nil {
		return nil, nil, err
	}
	var out []int16
	pcm := make([]int16, step)
	for {
		n, err := w.Read(pcm)
		out = append(out, pcm[:n]...)
		if errors.Is(err, io.EOF) {
			return out, w, nil
		}
		if err != nil {
			return out, w, err
		}
	}
}

func TestAFileIsStreamedAsItIsDecoded(t *testing.T) {
	pcm := make([]int16, 2*1001)
	for i := range pcm {
		pcm[i] = int16(i * 37)
	}
	b := written(t, pcm, 2)
	for _, step := range []int{2, 3, 160, 5000} {
		got, w, err := stream(iotest.OneByteReader(bytes.NewReader(b)), step)
		if err != nil || !slices.Equal(got, pcm) || w.Frames != 1001 || w.Channels != 2 || w.Rate != 8000 {
			t.Errorf("%d samples at once: %d samples, %v", step, len(got), err)
		}
	}
	got, _, err := stream(bytes.NewReader(b[:len(b)-5]), 160) // cut off in the middle of a frame
	if err != nil || !slices.Equal(got, pcm[:2*999]) {
		t.Errorf("cut off: %d samples, %v", len(got), err)
	}
	for n := range 44 {
		if _, _, err := stream(bytes.NewReader(b[:n]), 160); !errors.Is(err, ErrFormat) {
			t.Fatalf("a header of %d bytes: %v", n, err)
		}
	}
	if _, _, err := stream(iotest.ErrReader(io.ErrClosedPipe), 160); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(written(f, make([]int16, 20), 2))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \xff\xff\xff\xff"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, w, err := stream(bytes.NewReader(b), 1600)
		if err != nil {
			return
		}
		if len(got)*2 > len(b) || len(got)%w.Channels != 0 {
			t.Fatalf("%d samples of %d bytes", len(got), len(b))
		}
	})
}
