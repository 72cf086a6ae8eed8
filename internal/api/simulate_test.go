package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ullim/ivr/flowtest"
)

func TestFlowsAreSimulatedStepByStep(t *testing.T) {
	w := newWorld(t)
	var out struct {
		Passed  bool
		Results []flowtest.Result
	}
	body := `{"ContactFlowId":"` + w.flow + `","Tests":[{"name":"a","channels":["VOICE","CHAT"],"expect":{"outcome":"disconnected","heard":["Hello"]}}]}`
	w.admin("admin", "POST", "/flows/simulate", body, &out)
	if !out.Passed || len(out.Results) != 2 || len(out.Results[0].Steps) != 2 || out.Results[0].Steps[0].Events[0].Text != "Hello" {
		t.Errorf("%+v", out)
	}
	content, err := json.Marshal(strings.ReplaceAll(goodFlow, "Hello", "Goodbye"))
	must(t, err)
	body = `{"Content":` + string(content) + `,"Type":"AGENT_TRANSFER","Tests":[{"name":"a","expect":{"heard":["Hello"]}}]}`
	w.admin("admin", "POST", "/flows/simulate", body, &out)
	if out.Passed || !strings.Contains(out.Results[0].Failures[0], "Goodbye") {
		t.Errorf("%+v", out)
	}
}

func TestSimulationsHaveBounds(t *testing.T) {
	w := newWorld(t)
	round := `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"GetParticipantInput",` +
		`"Parameters":{"Text":"` + strings.Repeat("x", 2900) + `","StoreInput":"False"},"Transitions":{"NextAction":"a","Conditions":[],` +
		`"Errors":[{"NextAction":"a","ErrorType":"NoMatchingError"},{"NextAction":"a","ErrorType":"InputTimeLimitExceeded"}]}}]}`
	content, err := json.Marshal(round)
	must(t, err)
	simulate := func(tests string) (int, string) {
		status, _, answer := w.do("admin", "POST", "/admin/v1/flows/simulate", `{"Content":`+string(content)+`,"Tests":`+tests+`}`)
		return status, string(answer)
	}
	status, answer := simulate(`[{"name":"a","limits":{"seconds":1000000},"expect":{}}]`)
	if status != http.StatusOK || !strings.Contains(answer, "more than there is room for") && !strings.Contains(answer, "actions is reached") {
		t.Errorf("a round without end: %d %.300s", status, answer)
	}
	if len(answer) > 3<<20 {
		t.Errorf("the answer has %d bytes", len(answer))
	}
	for tests, want := range map[string]string{
		`[]`:                               "tests must be 1 to",
		`{}`:                               "cannot be read",
		`[{"name":"a","expect":{},"x":1}]`: "unknown field",
		`[{"name":"a","expect":{},"limits":{"actions":4000}}]`:                        "at most 1000",
		`[{"name":"a","expect":{},"given":{"flows":{"x":{"file":"../etc/passwd"}}}}]`: "cannot be named here",
	} {
		if status, answer = simulate(tests); status != http.StatusBadRequest || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", tests, status, answer)
		}
	}
	many := make([]string, 21)
	for i := range many {
		many[i] = `{"name":"` + strings.Repeat("n", i+1) + `","expect":{}}`
	}
	if status, answer = simulate("[" + strings.Join(many, ",") + "]"); status == http.StatusOK {
		t.Errorf("21 contacts: %d %.100s", status, answer)
	}
	status, _, theirs := w.do("boss", "POST", "/admin/v1/flows/simulate", `{"ContactFlowId":"`+w.flow+`","Tests":[{"name":"a","expect":{}}]}`)
	if status != http.StatusNotFound {
		t.Errorf("a flow of another instance: %d %s", status, theirs)
	}
}
