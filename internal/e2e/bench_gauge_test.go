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

// idle waits until no call is left.
func (e *engine) idle() {
	e.t.Helper()
	e.until("no call is left", func() bool { return e.metrics()["ullim_calls_active"] == 0 })
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
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	const scheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil { //nolint:gosec // a pid has 22 bits
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// residentOf is the resident memory of a process in bytes.
func residentOf(b *testing.B, pid int) float64 {
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

// footprint measures just after a garbage collection, so that heap is what is alive. There is no call to ask for one: each
// look at the metrics makes some garbage, and enough of them make a collection.
func (e *engine) footprint(b *testing.B) footprint {
	b.Helper()
	const collections = "go_gc_duration_seconds_count"
	m := e.metrics()
	for begun, tries := m[collections], 0; m[collections] == begun && tries < 2000; tries++ {
		m = e.metrics()
	}
	return footprint{
		rss: residentOf(b, e.pid()), heap: m["go_memstats_heap_alloc_bytes"], stacks: m["go_memstats_stack_inuse_bytes"],
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
