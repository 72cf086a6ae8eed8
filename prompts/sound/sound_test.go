package sound

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wavFile writes a header and samples as they are given.
func wavFile(tag, channels, rate, bits int, body []byte) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	b.WriteString("RIFF")
	put(uint32(36 + len(body)))
	b.WriteString("WAVEfmt ")
	put([]uint16{16, 0, uint16(tag), uint16(channels)})
	put([]uint32{uint32(rate), uint32(rate * channels * bits / 8)})
	put([]uint16{uint16(channels * bits / 8), uint16(bits)})
	b.WriteString("data")
	put(uint32(len(body)))
	b.Write(body)
	return b.Bytes()
}

// sine is a tone of 440 Hz, a quarter of full scale high, for half a second, in the encoding of a WAV.
func sine(tag, channels, rate, bits int) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	for i := range rate / 2 {
		v := 0.25 * math.Sin(2*math.Pi*440*float64(i)/float64(rate))
		for range channels {
			switch {
			case tag == 3:
				put(float32(v))
			case bits == 8:
				put(uint8(128 + v*127))
			case bits == 16:
				put(int16(v * 32767))
			case bits == 24:
				n := int32(v * (1<<23 - 1))
				b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
			case bits == 32:
				put(int32(v * (1<<31 - 1)))
			}
		}
	}
	return b.Bytes()
}

// heard is the share of a sound that is a tone of so many hertz, and its height against full scale.
func heard(s Sound, hz float64) (share, height float64) {
	re, im, power := 0.0, 0.0, 0.0
	n := len(s.PCM)
	for i, v := range s.PCM {
		x := 2 * math.Pi * hz * float64(i) / float64(s.Rate)
		re += float64(v) * math.Cos(x)
		im += float64(v) * math.Sin(x)
		power += float64(v) * float64(v)
	}
	amplitude := 2 * math.Hypot(re, im) / float64(n)
	return amplitude * amplitude / 2 / (power / float64(n)), amplitude / 32768
}

func TestEveryKindOfFileIsHeardAsItWasMade(t *testing.T) {
	for _, tt := range []struct {
		name           string
		data           []byte
		format         Format
		rate, channels int
		length         time.Duration
		height         float64
	}{
		{"mono MP3 with a tag", sample(t, "mono44.mp3"), MP3, 44100, 2, 600 * time.Millisecond, 8000.0 / 32768},
		{"MP3 at a low rate", sample(t, "mono24.mp3"), MP3, 24000, 2, 600 * time.Millisecond, 8000.0 / 32768},
		{"MP3 with one silent side", sample(t, "stereo44.mp3"), MP3, 44100, 2, 500 * time.Millisecond, 4000.0 / 32768},
		{"FLAC", sample(t, "tone.flac"), FLAC, 44100, 2, 500 * time.Millisecond, 0.25},
		{"FLAC of 24 bits", sample(t, "tone24.flac"), FLAC, 96000, 1, 200 * time.Millisecond, 0.25},
		{"Ogg Vorbis", sample(t, "tone.ogg"), Vorbis, 44100, 2, 600 * time.Millisecond, 0.25},
		{"Ogg Vorbis, mono", sample(t, "mono16.ogg"), Vorbis, 16000, 1, 600 * time.Millisecond, 0.25},
		{"WAV of 8 bits", wavFile(1, 1, 11025, 8, sine(1, 1, 11025, 8)), WAV, 11025, 1, 500 * time.Millisecond, 0.25},
		{"WAV of 16 bits, stereo", wavFile(1, 2, 44100, 16, sine(1, 2, 44100, 16)), WAV, 44100, 2, 500 * time.Millisecond, 0.25},
		{"WAV of 24 bits", wavFile(1, 1, 48000, 24, sine(1, 1, 48000, 24)), WAV, 48000, 1, 500 * time.Millisecond, 0.25},
		{"WAV of 32 bits", wavFile(1, 1, 8000, 32, sine(1, 1, 8000, 32)), WAV, 8000, 1, 500 * time.Millisecond, 0.25},
		{"WAV of floats", wavFile(3, 2, 22050, 32, sine(3, 2, 22050, 32)), WAV, 22050, 2, 500 * time.Millisecond, 0.25},
	} {
		s, err := Decode(t.Context(), tt.data, time.Minute)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if s.Format != tt.format || s.Rate != tt.rate || s.Channels != tt.channels {
			t.Errorf("%s: %s, %d Hz, %d channels", tt.name, s.Format, s.Rate, s.Channels)
		}
		if off := s.Length() - tt.length; off < -10*time.Millisecond || off > 120*time.Millisecond { // MP3 has a run-in and a run-out
			t.Errorf("%s is %v long, not %v", tt.name, s.Length(), tt.length)
		}
		middle := Sound{Rate: s.Rate, PCM: s.PCM[len(s.PCM)/4 : len(s.PCM)*3/4]}
		if share, height := heard(middle, 440); share < 0.98 || math.Abs(height-tt.height) > 0.02 {
			t.Errorf("%s: %.3f of it is the tone, %.3f high instead of %.3f", tt.name, share, height, tt.height)
		}
	}
}

func TestWhatCannotBePlayedSaysWhy(t *testing.T) {
	ogg := sample(t, "mono16.ogg")
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "none of WAV, MP3"},
		{"text", []byte("hello, this is a text and no sound at all"), "none of WAV, MP3"},
		{"a WAV without data", wavFile(1, 1, 8000, 16, nil), "no sound"},
		{"a WAV with MP3 in it", wavFile(0x55, 1, 8000, 16, make([]byte, 100)), "broken wav"},
		{"a WAV with too low a rate", wavFile(1, 1, 2000, 16, make([]byte, 100)), "2000 Hz"},
		{"over a minute", wavFile(1, 1, 8000, 8, make([]byte, 8000*61)), "longer than 1m"},
		{"an empty FLAC", []byte("fLaC"), "broken flac"},
		{"a FLAC cut off", sample(t, "tone.flac")[:6000], "broken flac"},
		{"an Ogg without Vorbis", append([]byte("OggS"), make([]byte, 400)...), "broken ogg"},
		{"an Ogg cut off in its headers", ogg[:200], "broken ogg"},
		{"an MP3 that the decoder would misread", sample(t, "mono22.mp3"), "24,000"},
		{"an MP3 tag and nothing else", []byte("ID3\x03\x00\x00\x7f\x7f\x7f\x7f"), "broken mp3"},
	} {
		_, err := Decode(t.Context(), tt.data, time.Minute)
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestReadingEndsAtTheLongestTimeAllowed(t *testing.T) {
	for _, name := range []string{"mono44.mp3", "tone.flac", "tone.ogg"} {
		_, err := Decode(t.Context(), sample(t, name), 200*time.Millisecond)
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "longer than 200ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Decode(ctx, sample(t, "tone.flac"), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody wants it any more: %v", err)
	}
}

func TestHeadersThatClaimMuchGetNoMemory(t *testing.T) {
	ogg := sample(t, "mono16.ogg")
	at := bytes.Index(ogg, []byte("BCV")) // the first codebook: dimensions and entries follow
	if at < 0 {
		t.Fatal("no codebook")
	}
	huge := bytes.Clone(ogg)
	copy(huge[at+3:], []byte{0xff, 0xff, 0xff, 0xff, 0xff})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(t.Context(), huge, time.Minute)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("it took %d bytes", took)
	}
}

func FuzzSoundDecode(f *testing.F) {
	for _, name := range []string{"mono44.mp3", "mono22.mp3", "mono24.mp3", "tone.flac", "tone24.flac", "tone.ogg", "mono16.ogg"} {
		f.Add(sample(f, name))
	}
	f.Add(wavFile(1, 2, 8000, 16, make([]byte, 400)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		s, err := Decode(t.Context(), data, 5*time.Second)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("the file's fault is called %v", err)
			}
			return
		}
		if len(s.PCM) == 0 || s.Length() > 5*time.Second || s.Rate < minRate || s.Rate > maxRate {
			t.Fatalf("%d samples at %d Hz", len(s.PCM), s.Rate)
		}
	})
}
