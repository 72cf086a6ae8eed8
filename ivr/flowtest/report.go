package flowtest

import (
	"fmt"
	"io"
	"strings"
)

// Report writes results as TAP version 14 (testanything.org): a line for each contact, and below a failed one what was
// wrong and what the run did. It gives how many failed.
func Report(out io.Writer, file string, results []*Result, verbose bool) (failed int, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n# %s\n1..%d\n", line(file), len(results))
	for i, r := range results {
		word := "ok"
		if !r.Passed() {
			word = "not ok"
			failed++
		}
		fmt.Fprintf(&b, "%s %d - %s [%s] # %s, %d actions, %.1f s\n", word, i+1, line(r.Test), r.Channel, r.Outcome, len(r.Steps), r.Seconds)
		if r.Passed() && !verbose {
			continue
		}
		b.WriteString("  ---\n")
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "  failure: %q\n", f)
		}
		b.WriteString("  run:\n")
		for _, s := range r.Steps {
			s.write(&b)
		}
		b.WriteString("  ...\n")
	}
	_, err = io.WriteString(out, b.String())
	return failed, err
}

// write is a step for people.
func (s *Step) write(b *strings.Builder) {
	fmt.Fprintf(b, "    - %q\n", fmt.Sprintf("%8.1f s  %s (%s)%s", s.At, s.Action, s.Type, s.ending()))
	for _, e := range s.Events {
		fmt.Fprintf(b, "    - %q\n", fmt.Sprintf("%8.1f s      %s: %s", e.At, e.Kind, e.Text))
	}
}

func (s *Step) ending() string {
	switch {
	case s.ErrorType != "":
		return fmt.Sprintf(": %s, %s", s.ErrorType, s.Error)
	case s.Outcome != "":
		return ": " + s.Outcome
	case s.Result != "":
		return ": " + s.Result
	}
	return ""
}

// line is text without line ends.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }
