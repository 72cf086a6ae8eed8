package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/mewkiz/flac"

	"ullim/internal/errs"
	"ullim/internal/wav"
)

// call is a recording of n frames: left a tone of 400 Hz with noise, right a louder one of 1000 Hz that pauses.
func call(n int) []int16 {
	random := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, 2*n)
	for i := range n {
		at := float64(i) / 8000
		pcm[2*i] = int16(6000*math.Sin(2*math.Pi*400*at)) + int16(random.IntN(200))
		if i/8000%2 == 0 {
			pcm[2*i+1] = int16(12000 * math.Sin(2*math.Pi*1000*at))
		}
	}
	return pcm
}

func file(t testing.TB, pcm []int16, channels int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "call.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wav.NewWriter(f, wav.PCM16, 8000, channels)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(w.WritePCM(pcm), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func converted(t testing.TB, path string, f Format) []byte {
	t.Helper()
	src, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(path + f.Extension())
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if err = Convert(t.Context(), dst, src, f); err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	b, err := os.ReadFile(dst.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unFLAC decodes with somebody else's decoder, which checks every frame.
func unFLAC(t testing.TB, b []byte) (pcm []int16) {
	t.Helper()
	s, err := flac.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if s.Info.SampleRate != 8000 || s.Info.NChannels != 2 || s.Info.BitsPerSample != 16 {
		t.Fatalf("the head says %+v", s.Info)
	}
	for {
		f, err := s.ParseNext()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Subframes[0].NSamples {
			pcm = append(pcm, int16(f.Subframes[0].Samples[i]), int16(f.Subframes[1].Samples[i]))
		}
	}
	if uint64(len(pcm)/2) != s.Info.NSamples {
		t.Errorf("the head says %d samples, there are %d", s.Info.NSamples, len(pcm)/2)
	}
	return pcm
}

func TestEveryFormatKeepsLengthAndChannels(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 159, 4095, 4096, 4097, 4100, 8192, 40_001} {
		pcm := call(n)
		path := file(t, pcm, 2)
		if got := unFLAC(t, converted(t, path, FLAC)); !slices.Equal(got, pcm) {
			t.Errorf("FLAC of %d frames: %d frames, or others", n, len(got)/2)
		}
		s, err := wav.Decode(bytes.NewReader(converted(t, path, ULaw)), 1<<20)
		if err != nil || s.Rate != 8000 || s.Channels != 2 || len(s.PCM) != len(pcm) {
			t.Fatalf("mu-law of %d frames: %d samples, %v", n, len(s.PCM), err)
		}
		for i, v := range s.PCM {
			if d := int(v) - int(pcm[i]); d*d > 16+int(pcm[i])*int(pcm[i])/256 { // a sixteenth of the value
				t.Fatalf("mu-law: sample %d is %d, was %d", i, v, pcm[i])
			}
		}
		if same := converted(t, path, WAV); !bytes.Equal(same, must(os.ReadFile(path))) {
			t.Errorf("WAV of %d frames is another", n)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		return nil
	}
	return b
}

func TestFLACIsSmallerAndTheSameEveryTime(t *testing.T) {
	path := file(t, call(80_000), 2)
	one := converted(t, path, FLAC)
	if len(one) > 320_000*3/4 {
		t.Errorf("%d bytes of 320,000", len(one))
	}
	if !bytes.Equal(one, converted(t, path, FLAC)) {
		t.Error("another file the second time")
	}
}

func TestWhatIsNoRecordingIsRefused(t *testing.T) {
	dst, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	for _, f := range []Format{WAV, ULaw, FLAC} {
		if err = Convert(t.Context(), dst, bytes.NewReader([]byte("RIFF")), f); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err = Convert(t.Context(), dst, bytes.NewReader(nil), "mp3"); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := bytes.NewReader(must(os.ReadFile(file(t, call(10_000), 2))))
	if err = Convert(ctx, dst, src, FLAC); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if _, err = Survey(t.Context(), bytes.NewReader(nil)); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

// silence is a WAV file of any length that is nowhere.
func silence(seconds int64) io.Reader {
	size := uint32(seconds * 32000)
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x40\x1f\x00\x00\x00\x7d\x00\x00\x04\x00\x10\x00data")
	head = append(head, byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
	return io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, int64(size)))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// nowhere counts what is written.
type nowhere struct{ n, at int64 }

func (w *nowhere) Write(p []byte) (int, error) {
	w.at += int64(len(p))
	w.n = max(w.n, w.at)
	return len(p), nil
}

func (w *nowhere) Seek(o int64, whence int) (int64, error) {
	if w.at = o; whence == io.SeekEnd {
		w.at = w.n
	}
	return w.at, nil
}

// TestMemoryDoesNotGrowWithTheRecording looks at the heap while ten minutes, 19 MB, are converted.
func TestMemoryDoesNotGrowWithTheRecording(t *testing.T) {
	most := func(seconds int64) uint64 {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var high uint64
		src := io.TeeReader(silence(seconds), writerFunc(func() {
			runtime.ReadMemStats(&after)
			if after.HeapAlloc > before.HeapAlloc {
				high = max(high, after.HeapAlloc-before.HeapAlloc)
			}
		}))
		if err := Convert(t.Context(), &nowhere{}, src, FLAC); err != nil {
			t.Fatal(err)
		}
		return high
	}
	if most := most(600); most > 32<<20 {
		t.Errorf("ten minutes take %d bytes of memory", most)
	}
}

// writerFunc looks at something every megabyte or so.
func writerFunc(f func()) io.Writer { return &every{f: f} }

type every struct {
	f func()
	n int
}

func (e *every) Write(p []byte) (int, error) {
	if e.n += len(p); e.n > 4<<20 {
		e.n = 0
		e.f()
	}
	return len(p), nil
}

func TestPeaksShowBothChannels(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 80_000} {
		pcm := call(n)
		src := bytes.NewReader(must(os.ReadFile(file(t, pcm, 2))))
		p, err := Survey(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if p.Channels != 2 || p.SampleRate != 8000 || p.Bits != 8 || p.Version != 2 || len(p.Data) != p.Length*4 || p.Length > Points {
			t.Fatalf("%d frames: %+v", n, p)
		}
		if want := (n + p.SamplesPerPixel - 1) / p.SamplesPerPixel; p.Length != want {
			t.Errorf("%d frames: %d stretches, want %d", n, p.Length, want)
		}
		for i := range p.Length {
			for c := range 2 {
				low, high := int16(math.MaxInt16), int16(math.MinInt16)
				for f := i * p.SamplesPerPixel; f < min((i+1)*p.SamplesPerPixel, n); f++ {
					low, high = min(low, pcm[2*f+c]), max(high, pcm[2*f+c])
				}
				if got := p.Data[4*i+2*c:][:2]; got[0] != int8(low>>8) || got[1] != int8(high>>8) {
					t.Fatalf("%d frames, stretch %d, channel %d: %v, want %d %d", n, i, c, got, low>>8, high>>8)
				}
			}
		}
	}
}

func BenchmarkFLAC(b *testing.B) {
	path := file(b, call(8000*60), 2)
	b.SetBytes(60 * 32000)
	for b.Loop() {
		src, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err = Convert(b.Context(), &nowhere{}, src, FLAC); err != nil {
			b.Fatal(err)
		}
		src.Close()
	}
}
