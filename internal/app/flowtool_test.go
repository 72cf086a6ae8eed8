package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
)

const toolFlow = `{"Version":"2019-10-30","StartAction":"a","Actions":[
{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Hi"},"Transitions":{"NextAction":"NEXT"}},
{"Identifier":"b","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func flowFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlowFilesAreCheckedWithoutAServer(t *testing.T) {
	good := flowFile(t, "good.json", strings.Replace(toolFlow, "NEXT", "b", 1))
	bad := flowFile(t, "AGENT_WHISPER/bad.json", strings.Replace(toolFlow, "NEXT", "c", 1))
	var out bytes.Buffer
	failed, err := CheckFlows(t.Context(), FlowCheck{Files: []string{good, bad}, Language: "ko-KR"}, &out)
	if err != nil || failed != 1 {
		t.Fatal(failed, err)
	}
	for _, want := range []string{
		good + ": CONTACT_FLOW, 오류 0개, 경고 0개\n", bad + `: 오류: 동작 "a" (MessageParticipant): Transitions.NextAction: "c" 동작은 이 흐름에 없습니다 [unknown-target]`,
		bad + ": AGENT_WHISPER, 오류 1개, 경고 1개\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if failed, err = CheckFlows(t.Context(), FlowCheck{Files: []string{bad}, Strict: true}, &out); err != nil || failed != 2 {
		t.Errorf("strict: %d, %v", failed, err)
	}
	if _, err = CheckFlows(t.Context(), FlowCheck{Files: []string{good}, Type: "NO_TYPE"}, &out); !errs.Is(err, errs.Invalid) {
		t.Errorf("no such type: %v", err)
	}
	out.Reset()
	if _, err = CheckFlows(t.Context(), FlowCheck{Files: []string{bad}, JSON: true, Language: "en"}, &out); err != nil {
		t.Fatal(err)
	}
	var list []checkedFile
	if err = json.Unmarshal(out.Bytes(), &list); err != nil || len(list) != 1 || list[0].Errors != 1 || list[0].Findings[0].Rule != "unknown-target" {
		t.Errorf("%s %v", &out, err)
	}
}

func TestARunningUllimIsAskedForReferences(t *testing.T) {
	var asked struct{ Type, Content, Language string }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/admin/v1/flows/check" || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(`{"Findings":[{"Severity":"error","ActionId":"a","Field":"f","Rule":"reference","Message":"gone"}]}`))
	}))
	t.Cleanup(server.Close)
	file := flowFile(t, "x.json", strings.Replace(toolFlow, "NEXT", "b", 1))
	var out bytes.Buffer
	failed, err := CheckFlows(t.Context(), FlowCheck{Files: []string{file}, API: server.URL + "/", Token: "secret", Language: "ko"}, &out)
	if err != nil || failed != 1 || !strings.Contains(out.String(), "gone [reference]") || asked.Type != "CONTACT_FLOW" || asked.Language != "ko" {
		t.Errorf("%d %v %s %+v", failed, err, &out, asked)
	}
	if _, err = CheckFlows(t.Context(), FlowCheck{Files: []string{file}, API: server.URL, Token: "wrong"}, &out); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("refused: %v", err)
	}
}

func TestFlowFilesAreCompared(t *testing.T) {
	a, b := flowFile(t, "a.json", toolFlow), flowFile(t, "b.json", strings.Replace(toolFlow, "Hi", "Hello", 1))
	var out bytes.Buffer
	changed, err := DiffFlows(a, b, false, &out)
	if err != nil || !changed || out.String() != "~ MessageParticipant \"a\"\n    Parameters.Text: \"Hi\" -> \"Hello\"\n" {
		t.Errorf("%t %v %s", changed, err, &out)
	}
	if changed, err = DiffFlows(a, a, true, &out); err != nil || changed {
		t.Errorf("%t %v", changed, err)
	}
	if _, err = DiffFlows(a, a+".none", false, &out); !os.IsNotExist(err) && !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

func TestBuiltInPromptsAreFound(t *testing.T) {
	find := promptFinder(func(context.Context, string, string) (*ivr.Target, error) {
		return nil, errs.New(errs.NotFound, "none")
	})
	p := prompts.Builtins("i-1")[0]
	for ref, want := range map[string]bool{p.Name: true, p.ID: true, resource.ARN("i-1", resource.KindPrompt, p.ID): true, "Nobody.wav": false, "": false} {
		got, err := find(t.Context(), "i-1", ref)
		if want != (err == nil && got.ID == p.ID) {
			t.Errorf("%q: %v %v", ref, got, err)
		}
	}
}
