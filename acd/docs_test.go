package acd

import (
	"os"
	"strings"
	"testing"
)

// The tables of agent states are the same for people (docs/routing.md), in the code (fsm.go) and in the tests.
func TestTheTablesOfAgentStatesAreInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile("fsm.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, head := range []string{"event          no slot", "event          slots left"} {
		var table []string
		for line := range strings.Lines(string(src)) {
			text, in := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
			if in && (len(table) > 0 || strings.HasPrefix(text, head)) {
				table = append(table, text)
			} else if len(table) > 0 {
				break
			}
		}
		if len(table) < 5 || !strings.Contains(string(manual), strings.Join(table, "\n")) {
			t.Errorf("docs/routing.md does not have the table %q as it is in fsm.go (%d lines)", head, len(table))
		}
	}
}
