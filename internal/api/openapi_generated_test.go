package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestOpenAPIDocumentIsGenerated keeps docs/openapi.json what the program itself serves as /openapi.json, indented.
func TestOpenAPIDocumentIsGenerated(t *testing.T) {
	var want bytes.Buffer
	must(t, json.Indent(&want, newWorld(t).handler.OpenAPI(), "", "  "))
	want.WriteByte('\n')

	path := filepath.Join("..", "..", "docs", "openapi.json")
	if os.Getenv("ULLIM_UPDATE") != "" {
		must(t, os.WriteFile(path, want.Bytes(), 0o644))
	}
	got, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(want.Bytes(), got) {
		t.Error("docs/openapi.json is not what the registered operations say: run make generate")
	}
}

// TestOpenAPIDocumentIsTheSameEveryTime is what lets the file be compared byte by byte.
func TestOpenAPIDocumentIsTheSameEveryTime(t *testing.T) {
	first := newWorld(t).handler.OpenAPI()
	for range 5 {
		if !bytes.Equal(first, newWorld(t).handler.OpenAPI()) {
			t.Fatal("two documents of the same operations differ")
		}
	}
}
