package app

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPromptsAreUploadedFileByFile(t *testing.T) {
	var names []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tok" || r.URL.Path != "/admin/v1/prompts-bulk" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil || len(z.File) != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		name := z.File[0].Name
		names = append(names, name)
		result := map[string]string{"File": name, "Status": "CREATED", "Name": strings.TrimSuffix(filepath.Base(name), ".wav")}
		if strings.HasPrefix(name, "bad") {
			result["Status"], result["Error"] = "FAILED", "is not a WAV"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Results": []any{result}})
	}))
	defer server.Close()
	dir := t.TempDir()
	for _, f := range []string{"welcome.wav", "ko-KR/welcome.wav", "bad.wav", "notes.txt", ".hidden.wav", ".git/x.wav"} {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("RIFF"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	single := filepath.Join(dir, "welcome.wav")
	var out bytes.Buffer
	failed, err := UploadPrompts(t.Context(), PromptUpload{Paths: []string{dir, single}, API: server.URL + "/", Token: "tok"}, &out)
	if err != nil || failed != 1 {
		t.Errorf("%d failed, %v", failed, err)
	}
	if got := strings.Join(names, " "); got != "bad.wav ko-KR/welcome.wav welcome.wav welcome.wav" {
		t.Errorf("uploaded were %s", got)
	}
	for _, want := range []string{"[1/4] ", "bad.wav: FAILED: is not a WAV", "welcome.wav: created welcome", "3 uploaded, 1 failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not told:\n%s", want, &out)
		}
	}
	if failed, err = UploadPrompts(t.Context(), PromptUpload{Paths: []string{single}, API: server.URL, Token: "wrong"}, io.Discard); err != nil || failed != 1 {
		t.Errorf("with a wrong token: %d, %v", failed, err)
	}
	if _, err = UploadPrompts(t.Context(), PromptUpload{Paths: []string{filepath.Join(dir, "nothing")}}, io.Discard); err == nil {
		t.Error("a file that is not there is uploaded")
	}
}
