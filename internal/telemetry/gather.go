package telemetry

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// How long a line that tells of nothing bad may wait for others, and how much may wait.
const (
	gatherTime = 50 * time.Millisecond
	gatherMost = 32 << 10
)

// Gatherer is a writer of log lines that gives several to the system at once: a call has five, and a system call for each
// of them was a fiftieth of what it costs. Only lines of level INFO wait. A warning or an error goes out at once, with what
// was there before it; so a process that is killed loses a moment of ordinary life at most.
type Gatherer struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while lines wait
}

var _ io.Writer = (*Gatherer)(nil)

// Gather makes a Gatherer before w. Flush must be called at the end.
func Gather(w io.Writer) *Gatherer { return &Gatherer{w: w} }

// Write takes one line.
func (g *Gatherer) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := len(g.lines) > 0
	g.lines = append(g.lines, line...)
	switch {
	case !patient(line) || len(g.lines) >= gatherMost:
		if err := g.flush(); err != nil {
			return 0, err
		}
	case waiting:
	case g.timer == nil:
		g.timer = time.AfterFunc(gatherTime, func() { _ = g.Flush() }) // nobody is there to be told
	default:
		g.timer.Reset(gatherTime)
	}
	return len(line), nil
}

// Flush writes what waits.
func (g *Gatherer) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flush()
}

func (g *Gatherer) flush() error {
	if len(g.lines) == 0 {
		return nil
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	_, err := g.w.Write(g.lines)
	g.lines = g.lines[:0]
	return err
}

// patient reports a line of level INFO, in either format. The level is the second thing of a line, behind the time; what
// looks like one further on is somebody's text.
func patient(line []byte) bool {
	key := "level="
	if bytes.HasPrefix(line, []byte("{")) {
		key = `"level":"`
	}
	i := bytes.Index(line[:min(len(line), 64)], []byte(key))
	return i >= 0 && bytes.HasPrefix(line[i+len(key):], []byte("INFO"))
}
