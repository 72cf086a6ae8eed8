package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"ullim/internal/errs"
	"ullim/internal/wav"
)

// Points is how many pairs of peaks are kept of each channel at most: more than a screen shows.
const Points = 1000

// Peaks are the least and the greatest sample of each stretch of a recording, in the form of the audiowaveform program
// (version 2), which players read. Data holds for each stretch, and in it for each channel, the least and the greatest, of 8
// bits.
type Peaks struct {
	Version         int    `json:"version"`
	Channels        int    `json:"channels"`
	SampleRate      int    `json:"sample_rate"`
	SamplesPerPixel int    `json:"samples_per_pixel"`
	Bits            int    `json:"bits"`
	Length          int    `json:"length"` // stretches
	Data            []int8 `json:"data"`
}

// Survey reads a recording (WAV of 16 bits) and gives its peaks.
func Survey(ctx context.Context, src io.Reader) (*Peaks, error) {
	r, err := wav.NewReader(bufio.NewReaderSize(src, 64<<10))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "the recording cannot be read")
	}
	step := max(int((r.Frames+Points-1)/Points), 1)
	p := &Peaks{Version: 2, Channels: r.Channels, SampleRate: r.Rate, SamplesPerPixel: step, Bits: 8, Data: []int8{}}
	pcm := make([]int16, block*r.Channels)
	low, high := make([]int16, r.Channels), make([]int16, r.Channels)
	inStep := 0
	closeStep := func() {
		for c := range r.Channels {
			p.Data = append(p.Data, int8(low[c]>>8), int8(high[c]>>8))
		}
		p.Length++
		inStep = 0
	}
	for {
		n, err := r.Read(pcm)
		for i := 0; i < n; i += r.Channels {
			for c, v := range pcm[i : i+r.Channels] {
				if inStep == 0 {
					low[c], high[c] = v, v
				}
				low[c], high[c] = min(low[c], v), max(high[c], v)
			}
			if inStep++; inStep == step {
				closeStep()
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
	}
	if inStep > 0 {
		closeStep()
	}
	return p, nil
}
