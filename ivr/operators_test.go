package ivr

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

func TestOurOperators(t *testing.T) {
	lookup := func([]string) (string, bool) { return "^a.c$", true }
	tests := []struct {
		op, result string
		exists     bool
		operands   []string
		want       bool
	}{
		{opExists, "", true, nil, true},
		{opExists, "", false, nil, false},
		{opExists, "x", true, []string{"True"}, true},
		{opExists, "x", true, []string{"false"}, false},
		{opExists, "", false, []string{"False"}, true},
		{opIsEmpty, "", true, nil, true},
		{opIsEmpty, "", false, nil, true},
		{opIsEmpty, "x", true, nil, false},
		{opIsEmpty, "x", true, []string{"False"}, true},
		{opIsEmpty, " ", true, nil, false},
		{opIgnoreCase, "Gold", true, []string{"gOLD"}, true},
		{opIgnoreCase, "Goldie", true, []string{"gold"}, false},
		{opIgnoreCase, "ÄPFEL", true, []string{"äpfel"}, true},
		{opRegex, "abc", true, []string{"^a.c$"}, true},
		{opRegex, "xabc", true, []string{"^a.c$"}, false},
		{opRegex, "xabcx", true, []string{"b"}, true},
		{opRegex, "abc", true, []string{"$.Attributes.re"}, true},
		{opRegex, "ABC", true, []string{"(?i)abc"}, true},
		{opRegex, "010-1234-5678", true, []string{`^01[016789]-?\d{3,4}-?\d{4}$`}, true},
		{opRegex, "abc", true, []string{"("}, false},
		{opRegex, "a", true, []string{strings.Repeat("a?", 300)}, false},
		{opRegex, strings.Repeat("a", 30<<10), true, []string{"^(a+)+b$"}, false}, // what hangs others
		{opBefore, "2026-01-31", true, []string{"2026-02-01"}, true},
		{opBefore, "2026-02-01", true, []string{"2026-02-01"}, false},
		{opBefore, "2026-02-01T00:00:00+09:00", true, []string{"2026-02-01"}, true},
		{opAfter, "2026-02-01T09:00+09:00", true, []string{"2026-01-31T23:59:59Z"}, true},
		{opAfter, "1769904000", true, []string{"2026-01-31"}, true}, // 2026-02-01
		{opAfter, "1769904000000", true, []string{"2026-02-01T00:00:00"}, false},
		{opAfter, "1769904001000", true, []string{"1769904000"}, true},
		{opBetween, "2026-02-01", true, []string{"2026-02-01", "2026-03-01"}, true},
		{opBetween, "2026-03-01", true, []string{"2026-02-01", "2026-03-01"}, false},
		{opBetween, "2026-01-31T23:59:59.9Z", true, []string{"2026-02-01", "2026-03-01"}, false},
		{opBetween, "2026-02-01", true, []string{"2026-02-01"}, false},
		{opBetween, "2026-02-01", true, []string{"2026-02-01", "later"}, false},
		{opBefore, "yesterday", true, []string{"2026-02-01"}, false},
		{opBefore, "", true, []string{"2026-02-01"}, false},
		{opBefore, "2026-02-30", true, []string{"2027-01-01"}, false},
		{opBefore, "99999999999999999999", true, []string{"now"}, false},
	}
	for _, tt := range tests {
		for _, prepared := range []bool{true, false} {
			c := &Condition{Operator: tt.op}
			for _, o := range tt.operands {
				c.Operands = append(c.Operands, parseWhole(o))
			}
			if prepared {
				c.prepare()
			}
			if got := c.test(tt.result, tt.exists, lookup, time.Now()); got != tt.want {
				t.Errorf("%.40q %s %.60q: %t", tt.result, tt.op, tt.operands, got)
			}
		}
	}
}

func TestNowIsWhenTheFlowRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Condition{Operator: opAfter, Operands: []value{parseWhole("now")}}
		until := time.Now().Add(time.Hour).Format(time.RFC3339)
		check(t, true, c.test(until, true, nil, time.Now()))
		time.Sleep(time.Hour + time.Second)
		check(t, false, c.test(until, true, nil, time.Now()))
	})
}

func TestAnAttributeThatWasSetToNothingExists(t *testing.T) {
	content := func(path string) string {
		return doc(`"Identifier":"a","Type":"Compare","Parameters":{"ComparisonValue":"`+path+`"},"Transitions":{"Conditions":[
			{"NextAction":"there","Condition":{"Operator":"Ullim.Exists","Operands":[]}}],"Errors":[{"NextAction":"none","ErrorType":"NoMatchingCondition"}]}`,
			mark("there", "end"), mark("none", "end"), theEnd)
	}
	for path, want := range map[string]string{
		"$.Attributes.empty": "there", "$.Attributes.no": "none", "$.Channel": "there", "$.Queue.Name": "none", "$.Agent.UserName": "none",
		"$.External.a": "none", "$.PreviousContactId": "none", "$.Media.Sip.Headers.P-Asserted-Identity": "there", "$.StoredCustomerInput": "none",
		"$.Metrics.Queue.Size": "none", "$.References.x.Value": "none", "$.Tags.t": "there",
	} {
		if err := Check(content(path), TypeInbound); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, contact.Voice)
		w.info.Attributes["empty"], w.info.Tags = "", map[string]string{"t": ""}
		w.run(t, TypeInbound, content(path), nil)
		if got := w.did[0]; got != said(want)[0] {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestOperandsAreCheckedWhenAFlowIsPublished(t *testing.T) {
	for _, tt := range []struct{ operator, operands, want string }{
		{opExists, ``, ""},
		{opExists, `"True"`, ""},
		{opExists, `"maybe"`, `"maybe" must be True or False`},
		{opExists, `"True","False"`, "must have exactly one value"},
		{opRegex, `"^a+$"`, ""},
		{opRegex, `"$.Attributes.re"`, ""},
		{opRegex, `"a("`, "is not a regular expression"},
		{opRegex, `"(?=a)b"`, "is not a regular expression"},
		{opRegex, `"` + strings.Repeat("a", 513) + `"`, "has 513 bytes, at most 512"},
		{opRegex, `"((a{100}){100}){100}"`, "is not a regular expression"},
		{opBefore, `"2026-01-31"`, ""},
		{opBefore, `"now"`, ""},
		{opBefore, `1769904000`, ""},
		{opAfter, `"next week"`, `"next week" is not a date`},
		{opBetween, `"2026-01-31","2026-02-28"`, ""},
		{opBetween, `"2026-01-31"`, "must have 2 values"},
		{opIgnoreCase, `"x"`, ""},
		{opIgnoreCase, ``, "must have exactly one value"},
		{"NumberGreaterThan", `"many"`, `"many" is not a number`},
		{"Ullim.Resembles", `"x"`, "is not an operator"},
	} {
		err := Check(doc(fmt.Sprintf(`"Identifier":"a","Type":"Compare","Parameters":{"ComparisonValue":"$.Channel"},"Transitions":{"Conditions":[
			{"NextAction":"end","Condition":{"Operator":%q,"Operands":[%s]}}],"Errors":[{"NextAction":"end","ErrorType":"NoMatchingCondition"}]}`,
			tt.operator, tt.operands), theEnd), TypeInbound)
		problems := ProblemsOf(err)
		switch {
		case tt.want == "" && err == nil:
		case tt.want == "" || len(problems) != 1 || !strings.Contains(problems[0].Message, tt.want):
			t.Errorf("%s %.60s: %v, want %q", tt.operator, tt.operands, err, tt.want)
		}
	}
}

func FuzzOperators(f *testing.F) {
	for op := range map[string]bool{opEquals: true, opRegex: true, opBefore: true, opAfter: true, opBetween: true, opLess: true, opExists: true} {
		f.Add(op, "2026-01-31T00:00:00Z", "1769904000", "$.Attributes.x", true)
		f.Add(op, "aaaa", "(a+)+$", "", false)
	}
	f.Fuzz(func(t *testing.T, op, result, one, two string, exists bool) {
		lookup := func([]string) (string, bool) { return result, true }
		for _, operands := range [][]value{nil, {parseWhole(one)}, {parseWhole(one), parseWhole(two)}} {
			c := &Condition{Operator: operator(op), Operands: operands}
			c.prepare()
			start := time.Now()
			got := c.test(result, exists, lookup, start)
			if took := time.Since(start); took > 2*time.Second {
				t.Fatalf("%s took %s", op, took)
			}
			if again := c.test(result, exists, lookup, start); again != got {
				t.Fatalf("%q %s %v: %t, then %t", result, op, operands, got, again)
			}
		}
		if at, ok := date(result, time.Time{}); ok && !strings.EqualFold(strings.TrimSpace(result), "now") && at.Year() < 10000 && at.Year() >= 0 {
			if back, ok := date(at.Format(time.RFC3339Nano), time.Time{}); !ok || !back.Equal(at) {
				t.Fatalf("%q is %v, which is read as %v", result, at, back)
			}
		}
	})
}
