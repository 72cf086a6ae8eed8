package record

import (
	"os"
	"testing"
	"time"
)

// BenchmarkSecond is what the writer does for one second of a recorded call, both sides speaking: the rings emptied, decoded,
// laid on their lines, mixed and written, and what the packet path does for it.
func BenchmarkSecond(b *testing.B) {
	now := time.Now()
	r := &Recording{o: Options{Now: func() time.Time { return now }, Dir: b.TempDir()}, start: now}
	file, err := os.Create(r.o.Dir + "/x")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	r.file = file
	r.open(b)
	taps := []*Tap{r.Attach(Left), r.Attach(Right)}
	work := newWorkspace()
	payload := make([]byte, 160)
	stamp := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 50 {
			now = now.Add(20 * time.Millisecond)
			for _, tap := range taps {
				tap.Put(now, stamp, ULaw, payload)
			}
			stamp += 160
			if i%20 == 19 {
				if err := r.write(work, r.position(now.Add(-window))); err != nil {
					b.Fatal(err)
				}
			}
		}
		if r.from > 60*Rate {
			if _, err := file.Seek(44, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func (r *Recording) open(b *testing.B) {
	b.Helper()
	w, err := newWAV(r.file)
	if err != nil {
		b.Fatal(err)
	}
	r.wav = w
}
