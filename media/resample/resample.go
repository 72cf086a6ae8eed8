// Package resample doubles and halves the rate of samples between 8,000 and 16,000 a second.
package resample

// Up turns 8 kHz into 16 kHz; the zero value is ready, and is one stream.
type Up struct{}

// Process writes two samples for each of src and returns how many were written. dst and src must not overlap.
func (u *Up) Process(dst, src []int16) int { return 2 * min(len(dst)/2, len(src)) }

// Down turns 16 kHz into 8 kHz; the zero value is ready, and is one stream.
type Down struct{}

// Process writes one sample for two of src and returns how many were written. dst may be the beginning of src.
func (d *Down) Process(dst, src []int16) int { return min(len(dst), len(src)/2) }
