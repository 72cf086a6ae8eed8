package flowtest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"ullim/internal/errs"
)

// flowOf makes a flow of actions, the first of which begins.
func flowOf(actions ...string) string {
	return `{"Version":"2019-10-30","StartAction":"a","Actions":[` + strings.Join(actions, ",") + `]}`
}

const (
	sayFlow = `{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Hello"},"Transitions":{"NextAction":"z","Errors":[{"NextAction":"z","ErrorType":"NoMatchingError"}]}}`
	bye     = `{"Identifier":"z","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}`
)

func results(t *testing.T, flow, tests string) []*Result {
	t.Helper()
	s, err := Parse([]byte(`{"flow":{"content":` + flow + `},"tests":` + tests + `}`))
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Suite: s, Load: NoFiles}
	out, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each expectation fails when it is not met, and says what was there instead.
func TestEveryExpectationCanFail(t *testing.T) {
	for expect, want := range map[string]string{
		`{"outcome":"queued"}`:                       "outcome is disconnected, not queued",
		`{"heard":["Hello","Goodbye"]}`:              `"Goodbye" is not heard after "Hello"; heard is: "Hello"`,
		`{"heard":["Hello","Hello"]}`:                "not heard after",
		`{"notHeard":["ell"]}`:                       `"ell" is heard`,
		`{"path":["a","b","z"]}`:                     "departs at its action 2: it is a > z, not a > b > z",
		`{"path":["a"]}`:                             "departs at its action 2",
		`{"visits":["z","a"]}`:                       `"a" is not visited in its turn`,
		`{"avoids":["z"]}`:                           `"z" is visited`,
		`{"errors":[{"action":"a","error":"X"}]}`:    "error branches taken are [], not [{a X}]",
		`{"queue":"Sales"}`:                          `queue "", not "Sales"`,
		`{"transfer":"+82"}`:                         `joined with "", not "+82"`,
		`{"attributes":{"k":""}}`:                    `attribute "k" is "", not ""`,
		`{"absentAttributes":["here"]}`:              `attribute "here" is "1"`,
		`{"hooks":{"CustomerQueue":"x"}}`:            `the flow for CustomerQueue is "", not "x"`,
		`{"recording":"Agent"}`:                      `recorded are "", not "Agent"`,
		`{"events":[{"kind":"said","text":"Good"}]}`: `event said "Good" does not happen in its turn; of its kind: "Hello"`,
		`{"webhooks":[{"function":"f"}]}`:            `"f" is not called as number 1`,
		`{"elapsed":{"min":5}}`:                      "it took 0.350 seconds, not 5 to 0",
		`{"elapsed":{"max":0.1}}`:                    "it took 0.350 seconds",
		`{"stopped":true}`:                           "ended by itself",
		`{"hidden":["ello"]}`:                        `"ello" can be seen`,
	} {
		got := results(t, flowOf(sayFlow, bye), `[{"name":"n","contact":{"attributes":{"here":"1"}},"expect":`+expect+`}]`)
		if len(got) != 1 || got[0].Passed() || !strings.Contains(strings.Join(got[0].Failures, "\n"), want) {
			t.Errorf("%s: %v, want %q", expect, got[0].Failures, want)
		}
	}
	if got := results(t, flowOf(sayFlow, bye), `[{"name":"n","expect":{"outcome":"disconnected","path":["a","z"]}}]`); !got[0].Passed() {
		t.Errorf("what is as expected fails: %v", got[0].Failures)
	}
}

func TestTestFilesWithMistakesAreRefusedByPlace(t *testing.T) {
	const flow = `"flow":"x.json"`
	for file, want := range map[string]string{
		``:                                     "cannot be read",
		`{}`:                                   "tests: must be 1",
		`{"tests":[{"name":"a","expect":{}}]}`: "flow: must be",
		`{` + flow + `,"tests":[{"name":"a","expect":{}}]} x`:                                                "after the object",
		`{` + flow + `,"tests":[{"name":"a","expect":{}}],"given":{"queue":{}}}`:                             `unknown field "queue"`,
		`{"flow":{"file":"x","contents":1},"tests":[{"name":"a","expect":{}}]}`:                              `unknown field "contents"`,
		`{` + flow + `,"tests":[{"name":"a","expect":{}},{"name":"a","expect":{}}]}`:                         "tests[1].name",
		`{` + flow + `,"tests":[{"name":"a","channels":["FAX"],"expect":{}}]}`:                               "tests[0].channels",
		`{` + flow + `,"tests":[{"name":"a","now":"noon","expect":{}}]}`:                                     "tests[0].now",
		`{` + flow + `,"tests":[{"name":"a","limits":{"actions":9000},"expect":{}}]}`:                        "tests[0].limits.actions",
		`{` + flow + `,"tests":[{"name":"a","limits":{"seconds":-1},"expect":{}}]}`:                          "tests[0].limits.seconds",
		`{` + flow + `,"tests":[{"name":"a","script":[{}],"expect":{}}]}`:                                    "tests[0].script[0]: must be exactly one",
		`{` + flow + `,"tests":[{"name":"a","script":[{"keys":"1A"}],"expect":{}}]}`:                         "keys may be",
		`{` + flow + `,"tests":[{"name":"a","script":[{"hangup":true}],"expect":{}}]}`:                       "needs at or on",
		`{` + flow + `,"tests":[{"name":"a","script":[{"silent":true,"at":1}],"expect":{}}]}`:                "silent is the answer",
		`{` + flow + `,"tests":[{"name":"a","script":[{"keys":"1","at":1,"on":"x"}],"expect":{}}]}`:          "both at and on",
		`{` + flow + `,"tests":[{"name":"a","script":[{"keys":"1","at":1e99}],"expect":{}}]}`:                "at and after must be",
		`{` + flow + `,"given":{"hours":{"h":{"zone":"UTC","slot":[]}}},"tests":[{"name":"a","expect":{}}]}`: `unknown field "slot"`,
	} {
		if _, err := Parse([]byte(file)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
	if _, err := Parse(make([]byte, MaxFile+1)); !errs.Is(err, errs.Limit) {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestRunsWithoutEndAreEnded(t *testing.T) {
	ask := `{"Identifier":"a","Type":"GetParticipantInput","Parameters":{"Text":"?","StoreInput":"False"},"Transitions":{"Errors":[` +
		`{"NextAction":"a","ErrorType":"NoMatchingError"},{"NextAction":"a","ErrorType":"InputTimeLimitExceeded"}]}}`
	spin := `{"Identifier":"a","Type":"Compare","Parameters":{"ComparisonValue":"$.Channel"},"Transitions":{"Errors":[{"NextAction":"a","ErrorType":"NoMatchingCondition"}],"Conditions":[]}}`
	for name, tt := range map[string]struct{ flow, limits, stopped, outcome string }{
		"by actions": {ask, `{"actions":10}`, "the limit of 10 actions", "left"},
		"by time":    {ask, `{"seconds":60}`, "time limit", "left"},
		"spinning":   {spin, `{"actions":5000}`, "", "failed"},
	} {
		r := results(t, flowOf(tt.flow, bye), `[{"name":"n","limits":`+tt.limits+`,"expect":{"anyErrors":true}}]`)[0]
		if string(r.Outcome) != tt.outcome || !strings.Contains(r.Stopped, tt.stopped) {
			t.Errorf("%s: %s, stopped %q, %d steps", name, r.Outcome, r.Stopped, len(r.Steps))
		}
	}
}

func TestARunTakesNoRealTimeAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	s, err := Parse([]byte(`{"flow":{"content":` + flowOf(sayFlow, bye) + `},"tests":[{"name":"n","expect":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Suite: s, Load: NoFiles}
	if _, err := r.Run(ctx); !errors.Is(err, why) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestDocumentsAreReadBesideTheTestFileOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Beside(dir + "/x.test.json")("a.json"); err != nil || string(b) != "{}" {
		t.Errorf("beside: %q %v", b, err)
	}
	for _, name := range []string{"../etc/passwd", "/etc/passwd", "none.json"} {
		if _, err := Beside(dir + "/x.test.json")(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := NoFiles("a.json"); err == nil {
		t.Error("a file over the network")
	}
}

func TestTheReportIsOfOneLineForEachContact(t *testing.T) {
	got := results(t, flowOf(sayFlow, bye), `[{"name":"two\nlines","expect":{}},{"name":"bad","expect":{"outcome":"left"}}]`)
	var b strings.Builder
	failed, err := Report(&b, "x", got, false)
	if err != nil || failed != 1 {
		t.Errorf("%d failed, %v", failed, err)
	}
	for _, want := range []string{"TAP version 14", "1..2\n", "ok 1 - two lines [VOICE]", "not ok 2 - bad", `failure: "outcome is disconnected, not left"`, "said: Hello"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// The example of the documentation can be copied.
func TestTheDocumentedExampleIsRead(t *testing.T) {
	b, err := os.ReadFile("../../docs/flow-testing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(blocks) == 0 {
		t.Fatal("no example")
	}
	for _, block := range blocks {
		if _, err := Parse([]byte(block[1])); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range corpusFiles(f) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		s.Flow = Source{Content: json.RawMessage(flowOf(sayFlow, bye))}
		s.Given.Flows, s.Given.Modules = nil, nil
		for i := range s.Tests {
			s.Tests[i].Given.Flows, s.Tests[i].Given.Modules = nil, nil
		}
		r := Runner{Suite: s, Load: NoFiles}
		if _, err := r.Run(t.Context()); err == nil {
			return
		}
	})
}
