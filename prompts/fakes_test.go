package prompts

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// raw is a codec that keeps the high byte of each sample, so that frames can be looked into.
func raw(pcm []int16) []byte {
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		out[i] = byte(uint16(s) >> 8)
	}
	return out
}

func encoders() map[string]Encoder {
	return map[string]Encoder{"PCMU": raw, "PCMA": func(pcm []int16) []byte {
		out := raw(pcm)
		for i := range out {
			out[i] ^= 0x55
		}
		return out
	}}
}

// joined is all frames of a codec in a row.
func joined(a *Audio, codec string) []byte { return bytes.Join(a.Frames(codec), nil) }

// wavFile writes a WAV of 16-bit PCM.
func wavFile(rate, channels int, pcm []int16) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	b.WriteString("RIFF")
	put(uint32(36 + 2*len(pcm)))
	b.WriteString("WAVEfmt ")
	put([]uint16{16, 0, 1, uint16(channels)})
	put([]uint32{uint32(rate), uint32(rate * channels * 2)})
	put([]uint16{uint16(channels * 2), 16})
	b.WriteString("data")
	put(uint32(2 * len(pcm)))
	put(pcm)
	return b.Bytes()
}

// dBFS is the level of a sound against a full-scale sine's peak.
func dBFS(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(math.MaxInt16*math.MaxInt16)+1e-12)
}

func check(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// shelf is a store of prompts and of their files.
type shelf struct {
	resource.Store[*Prompt]
	prompts []*Prompt
	files   map[string][]byte
	broken  error
	opened  int
}

func (s *shelf) find(fits func(*Prompt) bool) (*Prompt, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	for _, p := range s.prompts {
		if fits(p) {
			c := *p
			return &c, nil
		}
	}
	return nil, errs.New(errs.NotFound, "no prompt")
}

func (s *shelf) Get(_ context.Context, instanceID, id string) (*Prompt, error) {
	return s.find(func(p *Prompt) bool { return p.InstanceID == instanceID && p.ID == id })
}

func (s *shelf) GetByName(_ context.Context, instanceID, name string) (*Prompt, error) {
	return s.find(func(p *Prompt) bool { return p.InstanceID == instanceID && p.Name == name })
}

func (s *shelf) Open(_ context.Context, key string) (io.ReadCloser, error) {
	s.opened++
	if b, ok := s.files[key]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return nil, errs.New(errs.NotFound, "no file")
}

func prompt(instanceID, id, name string, version int64) *Prompt {
	return &Prompt{Meta: resource.Meta{ID: id, InstanceID: instanceID, Name: name, Version: version}, Key: "k/" + id}
}

var errBroken = errors.New("broken")
