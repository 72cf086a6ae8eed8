package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"ullim/internal/config"
)

// Doctor looks for the usual mistakes around the engine and prints one line for each thing that it looks at: whether it
// is well and, if not, what to do. It changes nothing and may run beside a running engine. failed is how many things
// will keep calls, recordings or the start from working; warnings do not count.
func Doctor(ctx context.Context, cfg *config.Config, out io.Writer) (failed int) {
	d := &doctor{cfg: cfg, began: time.Now()}
	d.running = d.isRunning(ctx)
	for _, c := range []struct {
		name string
		look func(context.Context) []finding
	}{
		{"configuration", d.configuration},
		{"data folder", d.dataFolder},
		{"server key", d.serverKey},
		{"database", d.database},
		{"recordings", d.recordings},
		{"HTTP port", d.httpPort},
		{"SIP ports", d.sipPorts},
		{"SIP address", d.sipAddress},
		{"RTP address", d.rtpAddress},
		{"RTP ports", d.rtpPorts},
		{"UDP buffers", d.udpBuffers},
		{"open files", d.openFiles},
		{"speech", d.speech},
		{"clock", d.clock}, // the last: it compares how long all this took by two clocks
	} {
		for _, f := range c.look(ctx) {
			f.print(out, c.name)
			if f.verdict == failure {
				failed++
			}
		}
	}
	return failed
}

// doctor is one examination.
type doctor struct {
	cfg     *config.Config
	began   time.Time
	running bool // an engine with this configuration is up
}

// verdict is how something is.
type verdict string

const (
	well    verdict = "ok"
	warning verdict = "warning"
	failure verdict = "FAILED"
)

// finding is one line: what was found, and what to do about it.
type finding struct {
	verdict verdict
	found   string
	todo    string
}

func (f finding) print(out io.Writer, name string) {
	text := f.found
	if f.todo != "" {
		text += ". " + strings.ToUpper(f.todo[:1]) + f.todo[1:] + "."
	}
	fmt.Fprintf(out, "%-8s %-14s %s\n", f.verdict, name, text)
}

func fine(format string, args ...any) []finding {
	return []finding{{verdict: well, found: fmt.Sprintf(format, args...)}}
}

func warn(todo, format string, args ...any) []finding {
	return []finding{{verdict: warning, found: fmt.Sprintf(format, args...), todo: todo}}
}

func fail(todo, format string, args ...any) []finding {
	return []finding{{verdict: failure, found: fmt.Sprintf(format, args...), todo: todo}}
}

// configuration repeats what `ullim check` lets pass.
func (d *doctor) configuration(context.Context) []finding {
	var out []finding
	for _, w := range d.cfg.Warnings() {
		out = append(out, warn("", "%s", w)...)
	}
	if len(out) == 0 {
		return fine("nothing unusual")
	}
	return out
}
