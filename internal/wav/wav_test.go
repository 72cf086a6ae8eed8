package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zaf/g711"
)

// file builds a WAV file from chunks as they are.
func file(chunks ...string) []byte {
	body := "WAVE" + strings.Join(chunks, "")
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func chunk(name, body string) string {
	s := name + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body
	if len(body)%2 != 0 {
		s += "\x00"
	}
	return s
}

func fmtChunk(tag, channels, rate, bits int, more string) string {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, uint16(tag))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*channels*bits/8))
	b = le.AppendUint16(b, uint16(channels*bits/8))
	b = le.AppendUint16(b, uint16(bits))
	return chunk("fmt ", string(b)+more)
}

func TestDecodeReadsEveryEncodingThatPeopleUpload(t *testing.T) {
	float := func(v float32) string {
		return string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	}
	extensible := "\x16\x00\x10\x00\x00\x00\x00\x00\x01\x00" + strings.Repeat("\x00", 14)
	streamed := file(fmtChunk(1, 1, 22050, 16, ""), "data\xff\xff\xff\xff\x01\x00\x02\x00")
	for name, c := range map[string]struct {
		in   []byte
		want Sound
	}{
		"8 bit":       {file(fmtChunk(1, 1, 8000, 8, ""), chunk("data", "\x00\x80\xff")), Sound{8000, 1, []int16{-32768, 0, 32512}}},
		"16 bit":      {file(fmtChunk(1, 2, 44100, 16, ""), chunk("data", "\x01\x00\xff\xff")), Sound{44100, 2, []int16{1, -1}}},
		"24 bit":      {file(fmtChunk(1, 1, 48000, 24, ""), chunk("data", "\x99\x01\x00\x00\x00\x80")), Sound{48000, 1, []int16{1, -32768}}},
		"float":       {file(fmtChunk(3, 1, 8000, 32, ""), chunk("data", float(0.5)+float(2)+float(float32(math.NaN())))), Sound{8000, 1, []int16{16383, 32767, 0}}},
		"extensible":  {file(fmtChunk(0xFFFE, 1, 8000, 16, extensible), chunk("data", "\x01\x00")), Sound{8000, 1, []int16{1}}},
		"odd chunk":   {file(chunk("LIST", "abc"), fmtChunk(1, 1, 8000, 16, ""), chunk("data", "\x01\x00"), chunk("id3 ", "x")), Sound{8000, 1, []int16{1}}},
		"no size yet": {streamed, Sound{22050, 1, []int16{1, 2}}},
		"half frame":  {file(fmtChunk(1, 2, 8000, 16, ""), chunk("data", "\x01\x00\x02\x00\x03\x00")), Sound{8000, 2, []int16{1, 2}}},
	} {
		got, err := Decode(bytes.NewReader(c.in), 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestG711ExpandsAsTheReferenceDoes(t *testing.T) {
	for i := range 256 {
		if got, want := fromULaw(byte(i)), g711.DecodeUlawFrame(byte(i)); got != want {
			t.Errorf("µ-law %#02x: %d, want %d", i, got, want)
		}
		if got, want := fromALaw(byte(i)), g711.DecodeAlawFrame(byte(i)); got != want {
			t.Errorf("A-law %#02x: %d, want %d", i, got, want)
		}
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	good := file(fmtChunk(1, 1, 8000, 16, ""), chunk("data", "\x01\x00"))
	for name, c := range map[string]struct {
		in   []byte
		max  int64
		want error
	}{
		"empty":         {nil, 100, ErrFormat},
		"an MP3 file":   {[]byte("ID3\x03 some mp3 bytes"), 100, ErrFormat},
		"MP3 in a WAV":  {file(fmtChunk(0x55, 1, 44100, 0, ""), chunk("data", "xx")), 1000, ErrUnsupported},
		"too large":     {good, int64(len(good)) - 1, ErrTooLarge},
		"data first":    {file(chunk("data", "xx"), fmtChunk(1, 1, 8000, 16, "")), 1000, ErrFormat},
		"no data":       {file(fmtChunk(1, 1, 8000, 16, "")), 1000, ErrFormat},
		"no channels":   {file(fmtChunk(1, 0, 8000, 16, ""), chunk("data", "xx")), 1000, ErrUnsupported},
		"short fmt":     {file(chunk("fmt ", "1234")), 1000, ErrFormat},
		"lying chunk":   {file("LIST\xff\xff\xff\x7fabc"), 1000, ErrFormat},
		"absurd rate":   {file(fmtChunk(1, 1, 4_000_000, 16, ""), chunk("data", "xx")), 1000, ErrUnsupported},
		"12-bit sample": {file(fmtChunk(1, 1, 8000, 12, ""), chunk("data", "xx")), 1000, ErrUnsupported},
	} {
		if _, err := Decode(bytes.NewReader(c.in), c.max); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestMonoMixesAndLengthCountsFrames(t *testing.T) {
	s := Sound{Rate: 8000, Channels: 2, PCM: []int16{100, 200, -32768, -32768}}
	if d := cmp.Diff([]int16{150, -32768}, s.Mono().PCM); d != "" {
		t.Error(d)
	}
	if got := (Sound{Rate: 8000, Channels: 2, PCM: make([]int16, 16000)}).Length().Seconds(); got != 1 {
		t.Errorf("length %v s, want 1", got)
	}
}

func write(t *testing.T, path string, e Encoding, data []byte, finish bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, e, 8000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if finish {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriterAndDecodeAgree(t *testing.T) {
	for _, e := range []Encoding{PCM16, ULaw, ALaw} {
		path := filepath.Join(t.TempDir(), "a.wav")
		write(t, path, e, []byte{0xFF, 0xD5, 1, 2, 3, 4, 5, 6}, true)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := int(binary.LittleEndian.Uint32(b[4:])); got != len(b)-8 {
			t.Errorf("encoding %d: RIFF size %d in a file of %d", e, got, len(b))
		}
		s, err := Decode(bytes.NewReader(b), 1000)
		if err != nil || s.Channels != 2 || s.Rate != 8000 {
			t.Fatalf("encoding %d: %v %v", e, s, err)
		}
		want := map[Encoding]int{PCM16: 4, ULaw: 8, ALaw: 8}[e]
		if len(s.PCM) != want {
			t.Errorf("encoding %d: %d samples, want %d", e, len(s.PCM), want)
		}
		if changed, err := Repair(path); changed || err != nil {
			t.Errorf("encoding %d: a finished file was repaired: %v %v", e, changed, err)
		}
	}
}

func TestWritePCMRefusesG711(t *testing.T) {
	w, err := NewWriter(&memory{}, ULaw, 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WritePCM([]int16{1}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestRepairMakesACutOffFilePlayable(t *testing.T) {
	for _, e := range []Encoding{PCM16, ULaw} {
		for cut := range 5 { // an incomplete last frame goes, whole ones stay
			path := filepath.Join(t.TempDir(), "a.wav")
			write(t, path, e, bytes.Repeat([]byte{1, 0, 2, 0}, 100)[:400-cut], false)
			changed, err := Repair(path)
			if err != nil || !changed {
				t.Fatalf("%v %v", changed, err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Decode(bytes.NewReader(b), 1000)
			if err != nil {
				t.Fatal(err)
			}
			frame := map[Encoding]int{PCM16: 4, ULaw: 2}[e]
			if got, want := len(s.PCM)/2, (400-cut)/frame; got != want {
				t.Errorf("encoding %d cut %d: %d frames, want %d", e, cut, got, want)
			}
			if changed, err := Repair(path); changed || err != nil {
				t.Errorf("second repair: %v %v", changed, err)
			}
		}
	}
}

func TestRepairOfATruncatedFinishedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wav")
	write(t, path, PCM16, make([]byte, 400), true)
	if err := os.Truncate(path, 44+102); err != nil {
		t.Fatal(err)
	}
	info, changed, err := RepairInfo(path)
	if err != nil || !changed || info.Frames != 25 || info.Rate != 8000 || info.Channels != 2 {
		t.Errorf("%+v %v %v", info, changed, err)
	}
}

func TestRepairRefusesWhatIsNoRecording(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":         {},
		"half a header": file(fmtChunk(1, 1, 8000, 16, ""))[:20],
		"text":          []byte("this is no recording at all, but quite long"),
	} {
		path := filepath.Join(t.TempDir(), "a.wav")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := Repair(path); changed || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v %v", name, changed, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(after, b) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := Repair(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// memory is a file that only remembers.
type memory struct{ buf bytes.Buffer }

func (m *memory) Write(p []byte) (int, error)    { return m.buf.Write(p) }
func (m *memory) Seek(int64, int) (int64, error) { return 0, nil }

type failing struct{ memory }

func (f *failing) Seek(int64, int) (int64, error) { return 0, io.ErrClosedPipe }

func TestCloseTellsThatTheSizesAreMissing(t *testing.T) {
	w, err := NewWriter(&failing{}, PCM16, 8000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(file(fmtChunk(1, 2, 8000, 16, ""), chunk("data", "\x01\x00\x02\x00")))
	f.Add(file(fmtChunk(3, 1, 8000, 32, ""), chunk("data", "\x00\x00\xc0\x7f")))
	f.Add(file(fmtChunk(7, 1, 8000, 8, "\x00\x00"), "data\x00\x00\x00\x00abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(bytes.NewReader(b), 1<<16)
		if err != nil {
			return
		}
		if s.Channels < 1 || len(s.PCM)%s.Channels != 0 || len(s.PCM) > len(b) {
			t.Errorf("%d channels, %d samples from %d bytes", s.Channels, len(s.PCM), len(b))
		}
	})
}

func FuzzRepair(f *testing.F) {
	f.Add(file(fmtChunk(1, 2, 8000, 16, ""), "data\x00\x00\x00\x00abcdefg"))
	f.Add(file(chunk("LIST", "x"), fmtChunk(6, 1, 8000, 8, ""), "data\xff\xff\xff\xff1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "a.wav")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Repair(path); err != nil {
			return
		}
		if changed, err := Repair(path); changed || err != nil {
			t.Errorf("not repaired the first time: %v %v", changed, err)
		}
	})
}
