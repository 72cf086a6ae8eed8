package trace

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// row is a line of a ladder: a message between us and somebody, or a fact.
type row struct {
	at     time.Time
	column int // of the far end
	sent   bool
	text   string
	detail string // the whole message
	fact   bool
}

// ladder is a trace laid out: who stands where, and what goes between them.
type ladder struct {
	columns []string // callers, us, whom we call
	self    int
	rows    []row
	start   time.Time
}

const self = "ullim"

// lay puts those who called us on the left and those whom we called on the right.
func (t *Trace) lay() ladder {
	var l ladder
	place := make(map[string]int)
	for _, incoming := range []bool{true, false} {
		for _, d := range t.Dialogs {
			if d.Incoming == incoming {
				place[d.CallID] = len(l.columns)
				l.columns = append(l.columns, d.Remote.String())
			}
		}
		if incoming {
			l.self = len(l.columns)
			l.columns = append(l.columns, self)
		}
	}
	for _, e := range t.Entries {
		text := e.Summary
		if e.Repeated {
			text += " again"
		}
		l.rows = append(l.rows, row{at: e.At, column: place[e.CallID], sent: e.Sent, text: text, detail: e.Text})
	}
	for _, f := range t.Facts {
		text := f.Text
		if f.Peer != "" {
			text = f.Peer + ": " + text
		}
		l.rows = append(l.rows, row{at: f.At, column: l.self, text: text, fact: true})
	}
	slices.SortStableFunc(l.rows, func(a, b row) int { return a.at.Compare(b.at) })
	if len(l.rows) > 0 {
		l.start = l.rows[0].at
	}
	return l
}

// offset is when a row was, in seconds after the first.
func (l *ladder) offset(r row) string { return fmt.Sprintf("%9.3f", r.at.Sub(l.start).Seconds()) }

// Text is the trace as a ladder diagram, one line a message, fit for a terminal.
func (t *Trace) Text() string {
	l := t.lay()
	const width = 30 // of the space between two columns
	var b strings.Builder
	fmt.Fprintf(&b, "contact %s\n\n%9s  ", t.ContactID, "seconds")
	for _, c := range l.columns {
		b.WriteString(fit(c, width))
	}
	b.WriteString("\n")
	for _, r := range l.rows {
		b.WriteString(l.offset(r) + "  ")
		if r.fact {
			fmt.Fprintf(&b, "%s* %s\n", strings.Repeat(" ", l.self*width), r.text)
			continue
		}
		b.WriteString(strings.TrimRight(l.line(r, width), " ") + "\n")
	}
	for _, d := range t.Dialogs {
		if d.Skipped > 0 {
			fmt.Fprintf(&b, "%d messages of %s are not kept\n", d.Skipped, d.CallID)
		}
	}
	return b.String()
}

// line draws an arrow between our column and another.
func (l *ladder) line(r row, width int) string {
	cells := []rune(strings.Repeat(" ", len(l.columns)*width))
	for i := range l.columns {
		cells[i*width] = '|'
	}
	from, to := min(l.self, r.column)*width, max(l.self, r.column)*width
	for i := from + 1; i < to; i++ {
		cells[i] = '-'
	}
	if (r.column < l.self) == r.sent {
		cells[from+1] = '<'
	} else {
		cells[to-1] = '>'
	}
	label := []rune(" " + fit(r.text, to-from-6))
	label = []rune(strings.TrimRight(string(label), " ") + " ")
	copy(cells[from+3:to-2], label)
	return string(cells)
}

// fit makes text exactly so many characters wide.
func fit(s string, width int) string {
	if n := utf8.RuneCountInString(s); n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	return string([]rune(s)[:width-1]) + "~"
}
