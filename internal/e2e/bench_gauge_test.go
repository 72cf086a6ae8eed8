package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // to count rows
	"golang.org/x/sys/unix"
)

// pid is the engine's.
func (e *engine) pid() int { return e.child.cmd.Process.Pid }

// idle waits until no call is left. After an overload some wait for an ACK that was lost, 64*T1.
func (e *engine) idle() {
	e.t.Helper()
	until(e.t, 2*patience, "no call is left", func() bool { return e.metrics()["ullim_calls_active"] == 0 })
}

// costs gives the CPU time, in milliseconds, that a process uses while f runs.
func costs(b *testing.B, pid int, f func()) float64 {
	b.Helper()
	before := cpuOf(b, pid)
	f()
	return float64((cpuOf(b, pid) - before).Microseconds()) / 1000
}

// cpuOf is user and system time of a process, all its threads, by its CPU clock (clock_getcpuclockid(3)): /proc tells the
// same in steps of 10 ms only.
func cpuOf(b testing.TB, pid int) time.Duration {
	b.Helper()
	const scheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil { // a pid has 22 bits
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// residentOf is the resident memory of a process in bytes.
func residentOf(b testing.TB, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(text)[1]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}

// footprint is what an engine takes up.
type footprint struct{ rss, heap, stacks, goroutines, files, threads float64 }

// footprint measures over two garbage collections; the least heap between them is what is alive. There is no call to ask for
// a collection: each look at the metrics makes some garbage, and enough of them make one.
func (e *engine) footprint(b testing.TB) footprint {
	b.Helper()
	const collections, heap = "go_gc_duration_seconds_count", "go_memstats_heap_alloc_bytes"
	m := e.metrics()
	begun, least := m[collections], m[heap]
	for tries := 0; m[collections] < begun+2; tries++ {
		if tries == 5000 {
			b.Fatal("no garbage collection")
		}
		m = e.metrics()
		least = min(least, m[heap])
	}
	return footprint{
		rss: residentOf(b, e.pid()), heap: least, stacks: m["go_memstats_stack_inuse_bytes"],
		goroutines: m["go_goroutines"], files: m["process_open_fds"], threads: m["go_threads"],
	}
}

// fsyncs times small writes with fsync in a folder, in milliseconds.
func fsyncs(b *testing.B, dir string, n int) []float64 {
	b.Helper()
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	out := make([]float64, n)
	for i := range out {
		begun := time.Now()
		if _, err = f.Write(make([]byte, 4096)); err == nil {
			err = f.Sync()
		}
		if err != nil {
			b.Fatal(err)
		}
		out[i] = float64(time.Since(begun).Microseconds()) / 1000
	}
	return out
}

// contactRows counts the contacts in the database of an engine that is dead.
func contactRows(b *testing.B, dir string) (closed, open int) {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "ullim.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(b.Context(), `SELECT COUNT(*) FILTER (WHERE NOT open), COUNT(*) FILTER (WHERE open) FROM contact`).Scan(&closed, &open)
	if err != nil {
		b.Fatal(err)
	}
	return closed, open
}
