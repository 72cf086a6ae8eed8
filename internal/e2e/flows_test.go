package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestFlowTestRunsFilesAndNamesActionAndWhatWasHeard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hello.json"), `{"Version":"2019-10-30","StartAction":"greet","Actions":[
		{"Identifier":"greet","Type":"GetParticipantInput","Parameters":{"Text":"Press one.","StoreInput":"False"},"Transitions":{
		 "Conditions":[{"NextAction":"bye","Condition":{"Operator":"Equals","Operands":["1"]}}],"Errors":[
		 {"NextAction":"bye","ErrorType":"NoMatchingError"},{"NextAction":"bye","ErrorType":"NoMatchingCondition"},
		 {"NextAction":"bye","ErrorType":"InputTimeLimitExceeded"}]}},
		{"Identifier":"bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`)
	file := filepath.Join(dir, "hello.test.json")
	write(t, file, `{"flow":"hello.json","tests":[{"name":"one","channels":["VOICE","CHAT"],"script":[{"keys":"1"}],"expect":{"heard":["Press one"]}}]}`)
	code, out := tool(t, dir, nil, "flow", "test", file)
	if code != 0 || !strings.Contains(out, "1..2") || !strings.Contains(out, "ok 2 - one [CHAT]") || strings.Contains(out, "not ok") {
		t.Errorf("good tests: exit code %d\n%s", code, out)
	}
	write(t, file, `{"flow":"hello.json","tests":[{"name":"silence","script":[{"silent":true}],"expect":{"heard":["Goodbye"]}}]}`)
	code, out = tool(t, dir, nil, "flow", "test", file)
	for _, want := range []string{
		"not ok 1 - silence [VOICE]", `\"Goodbye\" is not heard`, "greet (GetParticipantInput): InputTimeLimitExceeded", "asked: Press one.",
		"1 of 1 tests failed",
	} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("a bad test: exit code %d, no %q in\n%s", code, want, out)
		}
	}
	write(t, file, `{"flow":"../../etc/passwd","tests":[{"name":"a","expect":{}}]}`)
	if code, out = tool(t, dir, nil, "flow", "test", file); code != 1 || !strings.Contains(out, "cannot be read") {
		t.Errorf("a document elsewhere: exit code %d\n%s", code, out)
	}
}
