package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkSoak lets calls come and go for as long as ULLIM_SOAK says (60m), and looks each minute at what the process
// holds: fifty short calls a second, and a hundred callers at once who listen to a prompt for ten seconds each. What it
// holds at the end must be what it held once it was warm.
func BenchmarkSoak(b *testing.B) {
	length, err := time.ParseDuration(os.Getenv("ULLIM_SOAK"))
	if err != nil {
		b.Skip("set ULLIM_SOAK to a duration, as 60m")
	}
	headline(b, "Soak: calls for "+length.String())
	rate := benchEnv("ULLIM_SOAK_RATE", 50)
	b.Setenv("GOGC", "100") // what is alive is seen by collections, and they come sooner
	c := newBenchCenter(b)
	c.number("+8225550100", messageFlow(strings.Repeat("All our agents are busy, and you may listen to this for a while. ", 6)))
	short, long := newSink(b), newSink(b)
	var heap, rss, goroutines, files []float64
	calls := loadResult{}
	for end := time.Now().Add(length); time.Now().Before(end); {
		one := c.begin(b, short, load{target: c.server, rate: rate, calls: 50 * rate})
		two := c.begin(b, long, load{target: c.server, rate: 10, calls: 400, hold: 10 * time.Second, beside: true})
		for _, r := range []loadResult{one.wait(), two.wait()} {
			calls.ok, calls.failed, calls.again = calls.ok+r.ok, calls.failed+r.failed, calls.again+r.again
		}
		c.idle()
		f := c.footprint(b)
		heap, rss = append(heap, f.heap+f.stacks), append(rss, f.rss)
		goroutines, files = append(goroutines, f.goroutines), append(files, f.files)
		say("%3d        %d calls, %d failed, %d sent again; heap and stacks %.1f MiB, resident %.1f MiB, %.0f goroutines, %.0f descriptors",
			len(heap), calls.ok, calls.failed, calls.again, heap[len(heap)-1]/(1<<20), f.rss/(1<<20), f.goroutines, f.files)
	}
	if len(heap) < 4 {
		return
	}
	half := func(v []float64, second bool) float64 { // the first quarter is for what fills up to its bound: traces, caches
		n := len(v) / 2
		if second {
			return slices.Min(v[n:])
		}
		return slices.Min(v[n/2 : n])
	}
	each := (half(heap, true) - half(heap, false)) / float64(max(calls.ok*3/8, 1))
	say("growth     %.1f bytes of heap a call between the halves; resident %.1f to %.1f MiB; goroutines %.0f to %.0f", each,
		half(rss, false)/(1<<20), half(rss, true)/(1<<20), half(goroutines, false), half(goroutines, true))
	if each > 50 || half(goroutines, true) > half(goroutines, false)+5 || half(files, true) > half(files, false)+5 {
		b.Error("something grows")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each, "B/call")
}
